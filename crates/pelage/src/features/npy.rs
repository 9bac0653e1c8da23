//! Arrays in numpy's `.npy` format.

use std::io::{BufReader, BufWriter, Read, Write};

use npyz::{NpyFile, WriterBuilder};

/// Writes `values` of `shape`, row-major, as little-endian f32.
///
/// # Errors
/// A full disk.
pub fn write(to: &mut impl Write, shape: &[usize], values: &[f32]) -> std::io::Result<()> {
    let shape: Vec<u64> = shape.iter().map(|&length| length as u64).collect();
    let mut buffered = BufWriter::new(to);
    let mut writer = npyz::WriteOptions::new()
        .default_dtype()
        .shape(&shape)
        .writer(&mut buffered)
        .begin_nd()?;
    writer.extend(values.iter().copied())?;
    writer.finish()?;
    buffered.flush()
}

/// Shape and values of an f32 array.
///
/// # Errors
/// Anything else, or a truncated file.
pub fn read(from: impl Read) -> std::io::Result<(Vec<usize>, Vec<f32>)> {
    let array = NpyFile::new(BufReader::new(from))?;
    let shape = array.shape().iter().map(|&length| length as usize).collect();
    Ok((shape, array.into_vec::<f32>()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_half_of_it_refused() {
        let values: Vec<f32> = (0..24).map(|i| i as f32 / 7.0).collect();
        let mut bytes = Vec::new();
        write(&mut bytes, &[2, 3, 4], &values).unwrap();
        assert_eq!(read(&bytes[..]).unwrap(), (vec![2, 3, 4], values));
        assert!(read(&bytes[..bytes.len() - 1]).is_err());
        assert!(read(&b"not an array"[..]).is_err());
    }
}
