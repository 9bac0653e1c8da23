//! The constants of a file: weights, and the numbers that say what an operator does.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Component, Path};

use pelage_data::shown;

use crate::export::messages::{F32, F64, I32, I64, Tensor};

/// A tensor that is known before the network runs.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Constant {
    /// Lengths of the axes; none for a single value.
    pub(super) shape: Vec<usize>,
    pub(super) numbers: Numbers,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Numbers {
    Real(Vec<f32>),
    Whole(Vec<i64>),
}

/// The most numbers of a constant: those of 32 bits in 2 GB.
pub(super) const MOST_NUMBERS: usize = 1 << 29;

/// The most whole numbers that are computed with: they are lengths and places of a few axes.
pub(super) const MOST_WHOLE: usize = 1000;

pub(super) const TOO_MANY: &str = "only a few whole numbers in a row are supported";

/// Where the weights of a tensor are if its message has none.
const EXTERNAL: i32 = 1;

impl Constant {
    /// Whole numbers in a row.
    pub(super) fn row(numbers: Vec<i64>) -> Constant {
        Constant {
            shape: vec![numbers.len()],
            numbers: Numbers::Whole(numbers),
        }
    }

    pub(super) fn reals_of(shape: Vec<usize>, reals: Vec<f32>) -> Constant {
        Constant {
            shape,
            numbers: Numbers::Real(reals),
        }
    }

    /// From its message; `folder` is that of the file.
    pub(super) fn read(tensor: &Tensor, folder: &Path) -> Result<Constant, String> {
        let shape: Option<Vec<usize>> = tensor.dims.iter().map(|&length| usize::try_from(length).ok()).collect();
        let count = |shape: &Vec<usize>| shape.iter().try_fold(1usize, |all, &length| all.checked_mul(length));
        let (shape, count) = shape
            .and_then(|shape| count(&shape).map(|count| (shape, count)))
            .ok_or_else(|| format!("has a shape that is none: {:?}", tensor.dims))?;
        // Of an empty one too: its lengths are counted to.
        if count > MOST_NUMBERS || shape.iter().any(|&length| length > MOST_NUMBERS) {
            return Err(format!("has the shape {shape:?}, larger than any file"));
        }
        let width = match tensor.data_type {
            F32 | I32 => 4,
            F64 | I64 => 8,
            10 | 16 => return Err("holds numbers of 16 bits; save the network with numbers of 32 bits".into()),
            other => {
                return Err(format!(
                    "holds values of type {other}, which no weights of a network are"
                ));
            }
        };
        let length = count * width;
        let outside;
        let raw: &[u8] = match tensor.data_location {
            EXTERNAL => {
                outside = external(tensor, folder, length)?;
                &outside
            }
            _ => &tensor.raw_data,
        };
        let is_raw = !raw.is_empty();
        let given = match tensor.data_type {
            _ if is_raw => raw.len() / width,
            F32 => tensor.float_data.len(),
            F64 => tensor.double_data.len(),
            I32 => tensor.int32_data.len(),
            _ => tensor.int64_data.len(),
        };
        if given != count || is_raw && raw.len() != length {
            return Err(format!("has the shape {shape:?}, but {given} values"));
        }
        let numbers = match (tensor.data_type, is_raw) {
            (F32, true) => Numbers::Real(raw.as_chunks().0.iter().map(|&four| f32::from_le_bytes(four)).collect()),
            (F32, false) => Numbers::Real(tensor.float_data.clone()),
            (F64, true) => {
                let eights = raw.as_chunks().0.iter();
                Numbers::Real(eights.map(|&eight| f64::from_le_bytes(eight) as f32).collect())
            }
            (F64, false) => Numbers::Real(tensor.double_data.iter().map(|&number| number as f32).collect()),
            (I32, true) => {
                let fours = raw.as_chunks().0.iter();
                Numbers::Whole(fours.map(|&four| i32::from_le_bytes(four).into()).collect())
            }
            (I32, false) => Numbers::Whole(tensor.int32_data.iter().map(|&number| number.into()).collect()),
            (_, true) => Numbers::Whole(
                raw.as_chunks()
                    .0
                    .iter()
                    .map(|&eight| i64::from_le_bytes(eight))
                    .collect(),
            ),
            (_, false) => Numbers::Whole(tensor.int64_data.clone()),
        };
        Ok(Constant { shape, numbers })
    }

    /// The numbers, of which all are finite.
    pub(super) fn reals(&self) -> Result<&[f32], String> {
        match &self.numbers {
            Numbers::Real(numbers) if numbers.iter().all(|number| number.is_finite()) => Ok(numbers),
            Numbers::Real(_) => Err("holds numbers that are not finite".into()),
            Numbers::Whole(_) => Err("holds whole numbers where others were expected".into()),
        }
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        match &self.numbers {
            Numbers::Real(numbers) => numbers.len(),
            Numbers::Whole(numbers) => numbers.len(),
        }
    }

    pub(super) fn wholes(&self) -> Result<&[i64], String> {
        match &self.numbers {
            Numbers::Whole(numbers) => Ok(numbers),
            Numbers::Real(_) => Err("holds no whole numbers where such were expected".into()),
        }
    }

    /// The whole numbers, which are few enough to compute with.
    pub(super) fn few(&self) -> Result<&[i64], String> {
        let numbers = self.wholes()?;
        match numbers.len() <= MOST_WHOLE {
            true => Ok(numbers),
            false => Err(TOO_MANY.into()),
        }
    }

    /// What `operator` makes of whole numbers and as many, or one, of `other`.
    pub(super) fn combined(&self, operator: &str, other: &Constant) -> Result<Constant, String> {
        let (left, right) = (self.few()?, other.few()?);
        let fits = left.len() == right.len() || left.len() == 1 || right.len() == 1;
        if !fits || left.is_empty() || right.is_empty() {
            return Err("of two constants of different lengths it is not supported".into());
        }
        let shape = if left.len() < right.len() { other } else { self }.shape.clone();
        let computed = (0..left.len().max(right.len())).map(|i| {
            let (a, b) = (left[i % left.len()], right[i % right.len()]);
            match operator {
                "Add" | "Sum" => a.checked_add(b),
                "Sub" => a.checked_sub(b),
                "Mul" => a.checked_mul(b),
                _ => a.checked_div(b),
            }
        });
        match computed.collect() {
            Some(numbers) => Ok(Constant {
                shape,
                numbers: Numbers::Whole(numbers),
            }),
            None => Err("it divides by zero, or gives a number that is too large".into()),
        }
    }

    /// The only number.
    pub(super) fn single(&self) -> Result<f32, String> {
        match &self.numbers {
            Numbers::Real(numbers) if numbers.len() == 1 => Ok(numbers[0]),
            Numbers::Whole(numbers) if numbers.len() == 1 => Ok(numbers[0] as f32),
            _ => Err("holds several numbers where one was expected".into()),
        }
    }
}

/// The bytes of a tensor that are in another file of the same folder.
fn external(tensor: &Tensor, folder: &Path, length: usize) -> Result<Vec<u8>, String> {
    let entry = |key: &str| tensor.external_data.iter().find(|entry| entry.key == key);
    let location = entry("location").map_or("", |entry| &entry.value[..]);
    let mut parts = Path::new(location).components();
    // Nothing outside of the folder is read, whatever the file says.
    let (Some(Component::Normal(name)), None) = (parts.next(), parts.next()) else {
        let shown = location.escape_debug();
        return Err(format!(
            "has its values in '{shown}', which is no file beside the network's"
        ));
    };
    let path = folder.join(name);
    let refused = |failure: std::io::Error| format!("has its values in {}: {failure}", shown::path(&path));
    let number = |key: &str| entry(key).map_or(Ok(0), |entry| entry.value.parse::<u64>());
    let start = number("offset").map_err(|_| "has its values at a place that is none".to_string())?;
    let metadata = path.symlink_metadata().map_err(refused)?;
    let end = start.checked_add(length as u64);
    if !metadata.is_file() || end.is_none_or(|end| end > metadata.len()) {
        return Err(format!(
            "has its values in {}, which is too short or no file",
            shown::path(&path)
        ));
    }
    let mut file = File::open(&path).map_err(refused)?;
    file.seek(SeekFrom::Start(start)).map_err(refused)?;
    let mut bytes = vec![0; length];
    file.read_exact(&mut bytes).map_err(refused)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::export::messages::Entry;

    fn tensor(dims: &[i64], raw: &[u8]) -> Tensor {
        Tensor {
            dims: dims.to_vec(),
            data_type: F32,
            raw_data: raw.to_vec().into(),
            ..Tensor::default()
        }
    }

    #[test]
    fn a_shape_that_promises_more_than_there_is_is_refused() {
        for (dims, reason) in [
            (&[1 << 40][..], "larger"),
            (&[i64::MAX, 8], "none"),
            (&[i64::MAX], "larger"),
            (&[0, i64::MAX], "larger"),
            (&[1 << 29], "but 1 values"),
            (&[-1], "none"),
            (&[2], "but 1 values"),
        ] {
            let told = Constant::read(&tensor(dims, &[0; 4]), Path::new(".")).unwrap_err();
            assert!(told.contains(reason), "{told}");
        }
        let found = Constant::read(&tensor(&[1], &2.5f32.to_le_bytes()), Path::new(".")).unwrap();
        assert_eq!(found.reals(), Ok(&[2.5][..]));
    }

    #[test]
    fn values_in_another_file_are_read_from_the_same_folder_alone() {
        let folder = tempfile::tempdir().unwrap();
        let numbers: Vec<u8> = [1.0f32, 2.0, 3.0]
            .iter()
            .flat_map(|number| number.to_le_bytes())
            .collect();
        std::fs::write(folder.path().join("net.data"), numbers).unwrap();
        let outside = |location: &str, offset: &str| {
            let entries = [("location", location), ("offset", offset)];
            let entry = |(key, value): (&str, &str)| Entry {
                key: key.into(),
                value: value.into(),
            };
            Tensor {
                data_location: EXTERNAL,
                external_data: entries.map(entry).to_vec(),
                ..tensor(&[2], &[])
            }
        };
        let read = |location, offset| Constant::read(&outside(location, offset), folder.path());
        assert_eq!(read("net.data", "4").unwrap().reals(), Ok(&[2.0, 3.0][..]));
        for (location, offset, reason) in [
            ("net.data", "8", "too short"),
            ("net.data", "18446744073709551615", "too short"),
            ("net.data", "-1", "place"),
            ("other", "0", "other"),
            ("../net.data", "0", "beside"),
            ("/etc/passwd", "0", "beside"),
            (".", "0", "beside"),
            ("", "0", "beside"),
        ] {
            let told = read(location, offset).unwrap_err();
            assert!(told.contains(reason), "{location}: {told}");
        }
    }
}
