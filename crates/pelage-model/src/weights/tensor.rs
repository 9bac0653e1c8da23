//! One tensor of a weights file: its shape, and its values, read on demand.

/// A tensor whose values have not been read yet.
pub struct Tensor {
    /// Lengths of the axes.
    pub shape: Vec<usize>,
    /// Called only after the shape is checked, so that no file can ask for more memory than the network needs.
    reader: Box<dyn FnOnce() -> Result<Vec<f32>, String>>,
}

impl Tensor {
    /// A tensor of `shape` whose row-major values `reader` returns on demand.
    pub fn new(shape: Vec<usize>, reader: impl FnOnce() -> Result<Vec<f32>, String> + 'static) -> Self {
        Tensor {
            shape,
            reader: Box::new(reader),
        }
    }

    /// The values, row-major, as many as the shape says.
    ///
    /// # Errors
    /// Why they cannot be read.
    pub fn read(self) -> Result<Vec<f32>, String> {
        let values = (self.reader)()?;
        match values.len() == self.shape.iter().product::<usize>() {
            true => Ok(values),
            false => Err(format!(
                "it holds {} values, which do not fit its shape {:?}",
                values.len(),
                self.shape
            )),
        }
    }
}

/// f32 values from `bytes`, `N` bytes each.
pub(super) fn floats<const N: usize>(bytes: &[u8], float: impl Fn([u8; N]) -> f32) -> Vec<f32> {
    bytes.as_chunks::<N>().0.iter().map(|&bytes| float(bytes)).collect()
}

/// The value in the upper half of an f32.
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
