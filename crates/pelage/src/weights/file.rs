//! A weights file of any format: tensors by name, their numbers not yet read.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

use super::{keras, pytorch, safetensors};
use crate::{Error, Result};

/// The tensors of a file.
pub(super) struct File {
    pub(super) tensors: BTreeMap<String, Tensor>,
}

/// One tensor of a file.
pub(super) struct Tensor {
    /// Lengths of the axes.
    pub(super) shape: Vec<usize>,
    /// Reads the numbers; only called once the shape is known to be the right one, so that no file can ask for more
    /// memory than the network needs.
    reader: Box<dyn FnOnce() -> std::result::Result<Vec<f32>, String>>,
}

impl Tensor {
    pub(super) fn new(
        shape: Vec<usize>,
        reader: impl FnOnce() -> std::result::Result<Vec<f32>, String> + 'static,
    ) -> Self {
        Tensor {
            shape,
            reader: Box::new(reader),
        }
    }

    /// The numbers, row-major, as many as the shape says.
    pub(super) fn read(self) -> std::result::Result<Vec<f32>, String> {
        let values = (self.reader)()?;
        match values.len() == self.shape.iter().product::<usize>() {
            true => Ok(values),
            false => Err(format!(
                "it holds {} numbers, its shape {:?} wants others",
                values.len(),
                self.shape
            )),
        }
    }
}

/// Opens a file and reads what tensors there are, telling the format by the first bytes.
pub(super) fn open(path: &Path) -> Result<File> {
    let mut head = Vec::new();
    let file = std::fs::File::open(path).map_err(Error::io(path))?;
    if !file.metadata().map_err(Error::io(path))?.is_file() {
        return Err(Error::model(
            path,
            "is not a file; give a .pth, .safetensors or .h5 file of weights",
        ));
    }
    file.take(16).read_to_end(&mut head).map_err(Error::io(path))?;
    let tensors = match head[..] {
        [0x89, b'H', b'D', b'F', ..] => keras::tensors(path),
        [_, _, _, _, _, _, _, _, b'{', ..] => safetensors::tensors(path),
        _ => pytorch::tensors(path),
    };
    tensors
        .map(|tensors| File { tensors })
        .map_err(|reason| Error::model(path, reason))
}

impl File {
    /// Takes away what wrappers put before every name: `module.` (PyTorch's `DataParallel`).
    pub(super) fn strip_prefixes(&mut self) {
        const WRAPPER: &str = "module.";
        if !self.tensors.is_empty() && self.tensors.keys().all(|name| name.starts_with(WRAPPER)) {
            let tensors = std::mem::take(&mut self.tensors).into_iter();
            self.tensors = tensors
                .map(|(name, tensor)| (name[WRAPPER.len()..].to_string(), tensor))
                .collect();
        }
    }
}

/// f32 numbers from `bytes`, each of `N` bytes.
pub(super) fn numbers<const N: usize>(bytes: &[u8], number: impl Fn([u8; N]) -> f32) -> Vec<f32> {
    bytes.as_chunks::<N>().0.iter().map(|&bytes| number(bytes)).collect()
}

/// The number in the upper half of an f32.
pub(super) fn bfloat16(bits: u16) -> f32 {
    f32::from_bits(u32::from(bits) << 16)
}

/// IEEE 754 half precision: sign, 5 bits of exponent, 10 of fraction.
pub(super) fn float16(bits: u16) -> f32 {
    let (exponent, fraction) = (i32::from(bits >> 10 & 31), f32::from(bits & 1023));
    let magnitude = match exponent {
        0 => fraction * (-24f32).exp2(),
        31 if fraction == 0.0 => f32::INFINITY,
        31 => f32::NAN,
        _ => (1.0 + fraction / 1024.0) * ((exponent - 15) as f32).exp2(),
    };
    if bits >> 15 == 1 { -magnitude } else { magnitude }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_are_what_the_standard_says() {
        let known = [
            (0x3C00, 1.0),
            (0xC000, -2.0),
            (0x7BFF, 65504.0),
            (0x0001, 5.960_464_5e-8),
            (0x3555, 0.333_251_95),
        ];
        for (bits, value) in known {
            assert_eq!(float16(bits), value);
        }
        assert!(float16(0x7C00).is_infinite() && float16(0x7E00).is_nan());
        assert_eq!(bfloat16(0x4049), 3.140_625);
    }
}
