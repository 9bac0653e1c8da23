//! Named tensors of f32, rounded to f16, or of whole numbers in a byte, and a description with a checksum of all of it,
//! in a safetensors file.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};

use half::f16;
use rayon::prelude::*;
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::values::{Named, Values};

/// The only metadata key, with a [`Description`] as JSON: several keys come in no fixed order, and the same run should
/// write the same bytes.
const KEY: &str = "pelage";
/// The newest format version; 1 up to it are read, see [`crate::saved`]. Since 2, the settings of the run are part of
/// the training facts, which no reader needs. Since 3, tensors may be in bytes; it is written where some are, so that a
/// program from before refuses these files alone.
pub const VERSION: u32 = 3;
/// The format version of a file without tensors in bytes.
const WITHOUT_BYTES: u32 = 2;

/// The file's description of itself. A field that a reader does not know may be a damaged one, so it is an error.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Description {
    /// `model` or `checkpoint`.
    kind: String,
    version: u32,
    facts: Value,
    /// See [`checksum`]; files made before there was one have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    checksum: Option<String>,
}

pelage_data::choices! {
    /// How numbers are written.
    Precision {
        /// As they are.
        F32 = "f32",
        /// Rounded to f16 where that saves something and loses little: weights of several axes, unless one is larger
        /// than the largest f16. Biases and such stay as they are.
        F16 = "f16",
    }
}

/// How a tensor is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stored {
    /// As numbers of this precision.
    Numbers(Precision),
    /// As a byte each: whole numbers from -128 to 127.
    Bytes,
}

impl From<Precision> for Stored {
    fn from(precision: Precision) -> Stored {
        Stored::Numbers(precision)
    }
}

impl Stored {
    fn of(self, values: &Values) -> Dtype {
        let fits = |value: &f32| value.abs() <= f16::MAX.to_f32();
        match self {
            Stored::Bytes => Dtype::I8,
            Stored::Numbers(Precision::F16) if values.shape.len() > 1 && values.data.iter().all(fits) => Dtype::F16,
            Stored::Numbers(Precision::F16 | Precision::F32) => Dtype::F32,
        }
    }
}

/// The bytes of a safetensors file with `facts` in its metadata.
///
/// # Errors
/// A message if a tensor's shape and length disagree.
pub fn encode<'a>(
    tensors: impl Iterator<Item = (String, &'a Values, impl Into<Stored>)>,
    kind: &str,
    facts: &impl Serialize,
) -> Result<Vec<u8>, String> {
    let tensors = raw(tensors);
    let has_bytes = tensors.iter().any(|(_, kind, ..)| *kind == Dtype::I8);
    let version = if has_bytes { VERSION } else { WITHOUT_BYTES };
    let unwritable = |failure: serde_json::Error| format!("cannot be written: {failure}");
    let facts = serde_json::to_value(facts).map_err(unwritable)?;
    let parts = tensors
        .iter()
        .map(|(name, _, shape, bytes)| (name.as_str(), &shape[..], &bytes[..]));
    let description = Description {
        kind: kind.to_string(),
        version,
        checksum: Some(checksum(kind, version, &facts, parts.collect())),
        facts,
    };
    file(&tensors, KEY, serde_json::to_string(&description).map_err(unwritable)?)
}

/// The bytes of a safetensors file for other programs, with `text` under `key` in its metadata.
///
/// # Errors
/// As [`encode`].
pub fn export(named: &Named, key: &str, text: String) -> Result<Vec<u8>, String> {
    file(
        &raw(named
            .iter()
            .map(|(name, values)| (name.clone(), values, Precision::F32))),
        key,
        text,
    )
}

/// Whether it was told that a file has no checksum; once is enough.
static TOLD: AtomicBool = AtomicBool::new(false);

/// Name, kind of numbers, shape and bytes of a tensor.
type Raw = (String, Dtype, Vec<usize>, Vec<u8>);

fn raw<'a, S: Into<Stored>>(tensors: impl Iterator<Item = (String, &'a Values, S)>) -> Vec<Raw> {
    let raw = |(name, values, stored): (String, &Values, S)| {
        let (kind, numbers) = (stored.into().of(values), values.data.iter());
        let bytes = match kind {
            Dtype::I8 => numbers.map(|&value| (value as i8).cast_unsigned()).collect(),
            Dtype::F16 => numbers.flat_map(|&value| f16::from_f32(value).to_le_bytes()).collect(),
            _ => numbers.flat_map(|value| value.to_le_bytes()).collect(),
        };
        (name, kind, values.shape.clone(), bytes)
    };
    tensors.map(raw).collect()
}

fn file(tensors: &[Raw], key: &str, text: String) -> Result<Vec<u8>, String> {
    tensors
        .iter()
        .map(|(name, kind, shape, bytes)| Ok((name, TensorView::new(*kind, shape.clone(), bytes)?)))
        .collect::<Result<Vec<_>, safetensors::SafeTensorError>>()
        .and_then(|views| safetensors::serialize(views, Some(HashMap::from([(key.to_string(), text)]))))
        .map_err(|failure| format!("cannot be written: {failure}"))
}

/// The tensors and the facts of a file of `kind`.
///
/// # Errors
/// A message if the file is not a safetensors file, damaged, of another kind or version, or of other numbers than f32,
/// f16 and, since version 3, bytes.
pub fn decode<Facts: DeserializeOwned>(bytes: &[u8], kind: &str) -> Result<(Named, Facts), String> {
    let damaged = |failure: safetensors::SafeTensorError| format!("not a safetensors file, or damaged: {failure}");
    let (_, metadata) = SafeTensors::read_metadata(bytes).map_err(damaged)?;
    let description = metadata.metadata().as_ref().and_then(|metadata| metadata.get(KEY));
    let description = description.ok_or("is a safetensors file, but not one that pelage made")?;
    let undescribed = |failure: serde_json::Error| format!("its description is damaged: {failure}");
    let parsed = |text: &str| {
        // The version first: what else a newer file describes is not known here.
        let described: Value = serde_json::from_str(text).map_err(undescribed)?;
        match described["version"].as_u64() {
            Some(version) if version > u64::from(VERSION) => Err(newer(version)),
            _ => serde_json::from_value::<Description>(described).map_err(undescribed),
        }
    };
    let Description {
        kind: found,
        version,
        facts,
        checksum: promised,
    } = parsed(description)?;
    if version == 0 {
        return Err("its description is damaged: format versions begin at 1".into());
    }
    if found != kind {
        return Err(format!("is a pelage {found}, where a {kind} was expected"));
    }
    let tensors = SafeTensors::deserialize(bytes).map_err(damaged)?.tensors();
    if promised.is_none() && !TOLD.swap(true, Ordering::Relaxed) {
        log::warn!("this {kind} is of an earlier version and has no checksum: damage to it may not be noticed");
    }
    let checked = || {
        let parts = tensors
            .iter()
            .map(|(name, view)| (name.as_str(), view.shape(), view.data()));
        match promised.is_some_and(|promised| promised != checksum(kind, version, &facts, parts.collect())) {
            true => Err("is damaged: its content does not have the checksum that it was written with".to_string()),
            false => Ok(()),
        }
    };
    let numbers = || {
        let read = |(name, view): &(String, TensorView)| Ok((name.clone(), values(name, view, version)?));
        tensors.par_iter().map(read).collect()
    };
    let (checked, named): (_, Result<Named, String>) = rayon::join(checked, numbers);
    checked?;
    Ok((named?, serde_json::from_value(facts).map_err(undescribed)?))
}

/// The numbers of a tensor in a file of this format version.
fn values(name: &str, view: &TensorView, version: u32) -> Result<Values, String> {
    let data = match view.dtype() {
        Dtype::F32 => {
            let numbers = view.data().as_chunks().0.iter();
            numbers.map(|&bytes| f32::from_le_bytes(bytes)).collect()
        }
        Dtype::F16 => {
            let numbers = view.data().as_chunks().0.iter();
            numbers.map(|&bytes| f16::from_le_bytes(bytes).to_f32()).collect()
        }
        Dtype::I8 if version > WITHOUT_BYTES => {
            let numbers = view.data().iter();
            numbers.map(|&byte| f32::from(byte.cast_signed())).collect()
        }
        other => return Err(format!("tensor '{name}' is {other:?}, expected F32 or F16")),
    };
    let shape = view.shape().to_vec();
    Ok(Values { shape, data })
}

fn newer(version: u64) -> String {
    format!("has format version {version}, this pelage reads 1 to {VERSION}; use a newer one")
}

/// BLAKE3, in hexadecimal, over all that a file says: kind, version, facts as JSON, and name, shape and bytes of each
/// tensor in the order of the names. How the header is laid out does not matter.
fn checksum(kind: &str, version: u32, facts: &Value, mut tensors: Vec<(&str, &[usize], &[u8])>) -> String {
    let mut hash = blake3::Hasher::new();
    // Each part behind its length, so that none can be taken for the end of another.
    let mut add = |part: &[u8]| {
        hash.update(&(part.len() as u64).to_le_bytes()).update(part);
    };
    add(kind.as_bytes());
    add(&version.to_le_bytes());
    add(facts.to_string().as_bytes());
    tensors.sort_unstable_by_key(|(name, ..)| *name);
    for (name, shape, bytes) in tensors {
        add(name.as_bytes());
        add(&shape
            .iter()
            .flat_map(|&length| (length as u64).to_le_bytes())
            .collect::<Vec<_>>());
        add(bytes);
    }
    hash.finalize().to_hex().to_string()
}

/// The first tensor of `named` with a value that is not finite, in words, as an error.
///
/// # Errors
/// If there is one.
pub fn check_finite(named: &Named) -> Result<(), String> {
    let infinite = |values: &Values| values.data.iter().any(|value| !value.is_finite());
    match named.iter().find(|(_, values)| infinite(values)) {
        Some((name, _)) => Err(format!("tensor '{name}' holds values that are not finite")),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file of the weights as f16.
    fn half(named: &Named) -> Vec<u8> {
        let tensors = named
            .iter()
            .map(|(name, values)| (name.clone(), values, Precision::F16));
        encode(tensors, "model", &()).unwrap()
    }

    #[test]
    fn weights_are_rounded_to_the_nearest_and_what_f16_cannot_hold_stays() {
        let values = |shape: &[usize], data: &[f32]| Values {
            shape: shape.to_vec(),
            data: data.to_vec(),
        };
        // IEEE 754 by hand: ten bits after the point; halfway goes to the even one; below 2^-14 in steps of 2^-24.
        let given = [
            1.0,
            1.0 / 3.0,
            1.0 + 1.0 / 2048.0,
            1.0 + 3.0 / 2048.0,
            65504.0,
            3e-8,
            -1e-9,
            6.1e-5,
        ];
        let wanted = [
            1.0,
            1365.0 / 4096.0,
            1.0,
            1.0 + 2.0 / 1024.0,
            65504.0,
            f32::powi(2.0, -24),
            -0.0,
            1023.0 * f32::powi(2.0, -24),
        ];
        let named = Named::from([
            ("bias".to_string(), values(&[2], &[0.1, 1.0 / 3.0])),
            ("large".to_string(), values(&[1, 2], &[65505.0, 1.0 / 3.0])),
            ("weight".to_string(), values(&[2, 4], &given)),
        ]);
        let (read, ()) = decode(&half(&named), "model").unwrap();
        assert_eq!(read["weight"].data, wanted);
        assert_eq!(read["weight"].shape, [2, 4]);
        assert_eq!(read["bias"].data, named["bias"].data);
        assert_eq!(read["large"].data, named["large"].data);
    }

    #[test]
    fn bytes_come_back_and_make_a_file_that_older_programs_refuse() {
        let whole = Values {
            shape: vec![2, 2],
            data: vec![-128.0, -1.0, 0.0, 127.0],
        };
        let half = Values {
            shape: vec![1],
            data: vec![0.5],
        };
        let tensors = [
            ("a".to_string(), &whole, Stored::Bytes),
            ("b".to_string(), &half, Stored::Numbers(Precision::F32)),
        ];
        let file = encode(tensors.into_iter(), "model", &()).unwrap();
        assert_eq!(
            decode::<()>(&file, "model").unwrap().0,
            Named::from([("a".into(), whole), ("b".into(), half.clone())])
        );
        let text = String::from_utf8_lossy(&file).into_owned();
        assert!(text.contains(r#"\"version\":3"#), "{text}");
        // Others are for any program that reads version 2.
        let file = encode([("b".to_string(), &half, Precision::F32)].into_iter(), "model", &()).unwrap();
        assert!(String::from_utf8_lossy(&file).contains(r#"\"version\":2"#));
    }

    #[test]
    fn a_changed_bit_is_noticed_in_f16_too() {
        let weight = Values {
            shape: vec![4, 4],
            data: (0..16).map(|i| i as f32 / 7.0).collect(),
        };
        let mut bytes = half(&Named::from([("weight".to_string(), weight)]));
        assert!(decode::<()>(&bytes, "model").is_ok());
        *bytes.last_mut().unwrap() ^= 1;
        let refused = decode::<()>(&bytes, "model").unwrap_err();
        assert!(refused.contains("checksum"), "{refused}");
    }
}
