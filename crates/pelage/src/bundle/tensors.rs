//! Named f32 tensors and one JSON text, in a safetensors file.

use std::collections::HashMap;

use safetensors::tensor::{Dtype, SafeTensors, TensorView};

use crate::model::parameters::{Named, Values};

/// The metadata key that says what kind of file it is, and the version of the format.
const KIND: &str = "pelage";
const VERSION: &str = "1";

/// The bytes of a safetensors file with `facts` (JSON) in its metadata.
///
/// # Errors
/// A message where a tensor's shape and length disagree.
pub fn encode<'a>(
    tensors: impl Iterator<Item = (String, &'a Values)>,
    kind: &str,
    facts: String,
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
    let metadata = HashMap::from([
        (KIND.to_string(), kind.to_string()),
        ("version".to_string(), VERSION.to_string()),
        ("facts".to_string(), facts),
    ]);
    views
        .and_then(|views| safetensors::serialize(views, Some(metadata)))
        .map_err(|failure| format!("cannot be written: {failure}"))
}

/// The tensors and the JSON text of a file of `kind`.
///
/// # Errors
/// A message where the file is no safetensors file, damaged, of another kind or version, or not f32.
pub fn decode(bytes: &[u8], kind: &str) -> Result<(Named, String), String> {
    let damaged = |failure: safetensors::SafeTensorError| format!("not a safetensors file, or damaged: {failure}");
    let (_, metadata) = SafeTensors::read_metadata(bytes).map_err(damaged)?;
    let facts = metadata.metadata().clone().unwrap_or_default();
    match (facts.get(KIND), facts.get("version").map(String::as_str)) {
        (Some(found), Some(VERSION)) if found == kind => {}
        (Some(found), Some(VERSION)) => return Err(format!("is a pelage {found}, where a {kind} was expected")),
        (Some(_), version) => return Err(format!("has format version {version:?}, this pelage reads {VERSION}")),
        (None, _) => return Err("is a safetensors file, but not one that pelage made".into()),
    }
    let mut named = Named::new();
    for (name, view) in SafeTensors::deserialize(bytes).map_err(damaged)?.tensors() {
        if view.dtype() != Dtype::F32 {
            return Err(format!("tensor '{name}' is {:?}, expected F32", view.dtype()));
        }
        let data = view.data().chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect();
        named.insert(name, Values { shape: view.shape().to_vec(), data });
    }
    Ok((named, facts.get("facts").cloned().unwrap_or_default()))
}
