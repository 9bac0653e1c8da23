//! `.safetensors`: a JSON header and raw values.

use std::collections::BTreeMap;
use std::rc::Rc;

use safetensors::{Dtype, SafeTensors};

use super::tensor::{Tensor, bfloat16, float16, floats};

/// The tensors of a file's bytes.
pub(super) fn tensors(bytes: Vec<u8>) -> Result<BTreeMap<String, Tensor>, String> {
    let bytes: Rc<[u8]> = bytes.into();
    let parsed =
        SafeTensors::deserialize(&bytes).map_err(|failure| format!("not a safetensors file, or damaged: {failure}"))?;
    let start = bytes.as_ptr() as usize;
    let each = parsed.iter().map(|(name, view)| {
        let (from, length, dtype) = (view.data().as_ptr() as usize - start, view.data().len(), view.dtype());
        let bytes = bytes.clone();
        (
            name.to_string(),
            Tensor::new(view.shape().to_vec(), move || read(dtype, &bytes[from..from + length])),
        )
    });
    Ok(each.collect())
}

fn read(dtype: Dtype, bytes: &[u8]) -> Result<Vec<f32>, String> {
    Ok(match dtype {
        Dtype::F32 => floats(bytes, f32::from_le_bytes),
        Dtype::F64 => floats(bytes, |b| f64::from_le_bytes(b) as f32),
        Dtype::F16 => floats(bytes, |b| float16(u16::from_le_bytes(b))),
        Dtype::BF16 => floats(bytes, |b| bfloat16(u16::from_le_bytes(b))),
        other => return Err(format!("its values are {other:?}, not floating point")),
    })
}
