//! Arrays in numpy's `.npy` format, version 1.0 (NumPy Enhancement Proposal 1): a header of one line, then the
//! values. Written here, since the crates that do it bring a parser of Python's literals, half a minute to compile.

use std::io::{BufWriter, Write};

/// The header is as long as makes the values begin at a multiple of this.
const ALIGNMENT: usize = 64;

/// How long the header of any array of at most four axes is.
pub(super) const HEADER: usize = 128;

/// The header of an array of `shape`, row-major, of little-endian f32.
///
/// # Errors
/// A shape of more or longer axes than there ever are.
pub(super) fn header(shape: &[usize]) -> std::io::Result<Vec<u8>> {
    let lengths: String = shape.iter().map(|length| format!("{length}, ")).collect();
    let mut header = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({lengths}), }}");
    // Before it come ten bytes, behind it a line break.
    let length = (10 + header.len() + 1).next_multiple_of(ALIGNMENT) - 10 - 1;
    header.extend(std::iter::repeat_n(' ', length - header.len()));
    header.push('\n');
    let length = u16::try_from(header.len()).map_err(|_| std::io::ErrorKind::InvalidInput)?;
    Ok([b"\x93NUMPY\x01\x00", &length.to_le_bytes()[..], header.as_bytes()].concat())
}

/// Writes `values` of `shape`, row-major, as little-endian f32.
///
/// # Errors
/// A full disk.
pub(super) fn write(to: &mut impl Write, shape: &[usize], values: &[f32]) -> std::io::Result<()> {
    let mut buffered = BufWriter::new(to);
    buffered.write_all(&header(shape)?)?;
    for value in values {
        buffered.write_all(&value.to_le_bytes())?;
    }
    buffered.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As `numpy.save` writes `numpy.array([[1, 2, 3]], dtype="<f4")`, but for a comma and a space that it leaves out.
    #[test]
    fn the_header_is_numpys() {
        let mut bytes = Vec::new();
        write(&mut bytes, &[1, 3], &[1.0, 2.0, 3.0]).unwrap();
        assert_eq!(bytes.len(), 128 + 12);
        assert_eq!(&bytes[..10], b"\x93NUMPY\x01\x00\x76\x00");
        let header = std::str::from_utf8(&bytes[10..128]).unwrap();
        assert!(
            header.starts_with("{'descr': '<f4', 'fortran_order': False, 'shape': (1, 3, ), }"),
            "{header}"
        );
        assert!(header.ends_with(" \n"), "{header}");
        assert_eq!(&bytes[128..132], 1f32.to_le_bytes());
    }
}
