//! PyTorch's `.pth` in all its forms. `pytorch-reader` interprets the pickle inside; it knows the calls that rebuild
//! tensors and makes none of them: no code of the file is run.

use std::collections::BTreeMap;
use std::path::Path;

use pytorch_reader::{DType, PickleValue, PytorchReader};

use super::pickle;
use super::tensor::{Tensor, bfloat16, float16, floats};

/// Where training scripts put the weights among other entries.
const WRAPPERS: [&str; 4] = ["state_dict", "model_state_dict", "model", "state_dict_ema"];

/// The tensors of `path`.
pub(super) fn tensors(path: &Path) -> Result<BTreeMap<String, Tensor>, String> {
    let damaged =
        |failure: pytorch_reader::PytorchError| format!("is not a file of PyTorch weights, or damaged: {failure}");
    pickle::check(path)?;
    let root = PytorchReader::read_pickle_data(path, None).map_err(damaged)?;
    let PickleValue::Dict(mut entries) = root else {
        return Err(format!(
            "holds {}, not tensors by name; nothing of it was run",
            described(&root)
        ));
    };
    let wrapper = WRAPPERS
        .into_iter()
        .find(|wrapper| matches!(entries.get(*wrapper), Some(PickleValue::Dict(_))));
    if let Some(PickleValue::Dict(inner)) = wrapper.and_then(|wrapper| entries.remove(wrapper)) {
        entries = inner;
    }
    // The versions of the modules, which `state_dict()` attaches to the table.
    if matches!(entries.get("_metadata"), Some(PickleValue::Dict(_))) {
        entries.remove("_metadata");
    }
    check(&entries)?;
    let reader = match wrapper {
        Some(wrapper) => PytorchReader::with_top_level_key(path, wrapper),
        None => PytorchReader::new(path),
    };
    let found = reader.map_err(damaged)?.into_tensors().into_iter();
    Ok(found
        .map(|(name, tensor)| (name, Tensor::new(tensor.shape().to_vec(), move || read(&tensor))))
        .collect())
}

/// Every entry must be a tensor, or a table of them if a whole module was saved.
fn check(entries: &std::collections::HashMap<String, PickleValue>) -> Result<(), String> {
    for (name, value) in entries {
        match value {
            PickleValue::Unsupported(kind) if kind == "torch.Tensor" => {}
            PickleValue::Dict(inner) => check(inner)?,
            other => {
                let what = described(other);
                return Err(format!(
                    "holds {what} under '{name}', where a tensor was expected; nothing of it was run"
                ));
            }
        }
    }
    Ok(())
}

fn described(value: &PickleValue) -> String {
    match value {
        PickleValue::None => "nothing".into(),
        PickleValue::Bool(_) => "a truth value".into(),
        PickleValue::Int(_) | PickleValue::Float(_) => "a number".into(),
        PickleValue::String(_) | PickleValue::Bytes(_) => "text".into(),
        PickleValue::List(_) => "a list".into(),
        PickleValue::Dict(_) => "a table".into(),
        PickleValue::Unsupported(kind) => format!("a Python object '{kind}'"),
    }
}

fn read(tensor: &pytorch_reader::Tensor) -> Result<Vec<f32>, String> {
    let convert: fn(&[u8]) -> Vec<f32> = match tensor.dtype() {
        DType::F32 => |bytes| floats(bytes, f32::from_ne_bytes),
        DType::F64 => |bytes| floats(bytes, |b| f64::from_ne_bytes(b) as f32),
        DType::F16 => |bytes| floats(bytes, |b| float16(u16::from_ne_bytes(b))),
        DType::BF16 => |bytes| floats(bytes, |b| bfloat16(u16::from_ne_bytes(b))),
        other => return Err(format!("its values are {other:?}, not floating point")),
    };
    Ok(convert(&tensor.read().map_err(|failure| failure.to_string())?))
}
