//! Named f32 tensors and a description, in a safetensors file.

use std::collections::HashMap;

use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::values::{Named, Values};

/// The only metadata key, with a [`Description`] as JSON: several keys come in no fixed order, and the same run should
/// write the same bytes.
const KEY: &str = "pelage";
/// The format version that is written; 1 up to it are read, see [`crate::saved`]. Since 2, the settings of the run are
/// part of the training facts, which no reader needs.
pub const VERSION: u32 = 2;

/// The file's description of itself.
#[derive(Serialize, Deserialize)]
struct Description {
    /// `model` or `checkpoint`.
    kind: String,
    version: u32,
    facts: serde_json::Value,
}

/// The bytes of a safetensors file with `facts` in its metadata.
///
/// # Errors
/// A message if a tensor's shape and length disagree.
pub fn encode<'a>(
    tensors: impl Iterator<Item = (String, &'a Values)>,
    kind: &str,
    facts: &impl Serialize,
) -> Result<Vec<u8>, String> {
    let bytes: Vec<(String, Vec<usize>, Vec<u8>)> = tensors
        .map(|(name, values)| {
            let bytes = values.data.iter().flat_map(|value| value.to_le_bytes()).collect();
            (name, values.shape.clone(), bytes)
        })
        .collect();
    let views = bytes
        .iter()
        .map(|(name, shape, bytes)| Ok((name.clone(), TensorView::new(Dtype::F32, shape.clone(), bytes)?)))
        .collect::<Result<Vec<_>, safetensors::SafeTensorError>>();
    let unwritable = |failure: serde_json::Error| format!("cannot be written: {failure}");
    let facts = serde_json::to_value(facts).map_err(unwritable)?;
    let description = Description {
        kind: kind.to_string(),
        version: VERSION,
        facts,
    };
    let metadata = HashMap::from([(
        KEY.to_string(),
        serde_json::to_string(&description).map_err(unwritable)?,
    )]);
    views
        .and_then(|views| safetensors::serialize(views, Some(metadata)))
        .map_err(|failure| format!("cannot be written: {failure}"))
}

/// The tensors and the facts of a file of `kind`.
///
/// # Errors
/// A message if the file is not a safetensors file, damaged, of another kind or version, or not f32.
pub fn decode<Facts: DeserializeOwned>(bytes: &[u8], kind: &str) -> Result<(Named, Facts), String> {
    let damaged = |failure: safetensors::SafeTensorError| format!("not a safetensors file, or damaged: {failure}");
    let (_, metadata) = SafeTensors::read_metadata(bytes).map_err(damaged)?;
    let description = metadata.metadata().as_ref().and_then(|metadata| metadata.get(KEY));
    let description = description.ok_or("is a safetensors file, but not one that pelage made")?;
    let undescribed = |failure: serde_json::Error| format!("its description is damaged: {failure}");
    let Description {
        kind: found,
        version,
        facts,
    } = serde_json::from_str(description).map_err(undescribed)?;
    if !(1..=VERSION).contains(&version) {
        return Err(format!(
            "has format version {version}, this pelage reads 1 to {VERSION}; use a newer one"
        ));
    }
    if found != kind {
        return Err(format!("is a pelage {found}, where a {kind} was expected"));
    }
    let facts = serde_json::from_value(facts).map_err(undescribed)?;
    let mut named = Named::new();
    for (name, view) in SafeTensors::deserialize(bytes).map_err(damaged)?.tensors() {
        if view.dtype() != Dtype::F32 {
            return Err(format!("tensor '{name}' is {:?}, expected F32", view.dtype()));
        }
        let data = view
            .data()
            .chunks_exact(4)
            .map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]))
            .collect();
        named.insert(
            name,
            Values {
                shape: view.shape().to_vec(),
                data,
            },
        );
    }
    Ok((named, facts))
}
