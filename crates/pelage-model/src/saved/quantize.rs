//! A model in bytes: made of a model file, and held beside the networks that its bytes stand for.

use serde_json::Value;

use super::parts::Parts;
use crate::interpreter::{Quantized, lower};
use crate::values::Named;
use crate::{input, tensors};

/// The networks of a model in bytes.
#[derive(Debug)]
pub struct InBytes {
    pub(super) networks: Vec<Quantized>,
    /// The file, from which what is written is read again.
    file: Vec<u8>,
}

impl InBytes {
    /// Of `parts`, which were read from `file`.
    pub(super) fn new(parts: &Parts, file: &[u8]) -> Result<InBytes, String> {
        let members = parts.facts.members();
        let networks = members.iter().zip(&parts.named).map(|(member, named)| {
            let [height, width, _] = input::shape(&member.preprocessing);
            let graph = member.graph(parts.facts.classes.len());
            Quantized::new(&graph, named.clone(), [height, width])
        });
        Ok(InBytes {
            networks: networks.collect::<Result<_, _>>()?,
            file: file.to_vec(),
        })
    }

    /// The tensors of each network.
    pub(super) fn named(&self) -> Result<Vec<Named>, String> {
        Ok(Parts::decode(&self.file)?.named)
    }
}

/// The bytes of the model file `bytes` in int8, its calibration as it was. The ranges of its maps are learnt from
/// `images`, each the input of all networks, see [`crate::Model::prepare`]. `told` becomes `quantized` among the facts
/// of its training.
///
/// # Errors
/// As [`crate::Model::decode`]; a model that is in bytes already, no images, or values that cannot be counted in bytes.
pub fn quantized(bytes: &[u8], images: &[Vec<f32>], told: Value) -> Result<Vec<u8>, String> {
    let mut parts = Parts::decode(bytes)?;
    if parts.in_bytes {
        return Err("is quantized already".into());
    }
    let mut start = 0;
    for (member, named) in parts.facts.members().iter().zip(&mut parts.named) {
        let [height, width, channels] = input::shape(&member.preprocessing);
        let end = start + height * width * channels;
        let own: Vec<Vec<f32>> = images.iter().map(|image| image[start..end].to_vec()).collect();
        start = end;
        let graph = member.graph(parts.facts.classes.len());
        *named = lower(graph, std::mem::take(named), [height, width], &own)?;
    }
    parts.in_bytes = true;
    match &mut parts.facts.training {
        Value::Object(training) => drop(training.insert("quantized".into(), told)),
        Value::Null => parts.facts.training = serde_json::json!({ "quantized": told }),
        // Whatever it is, no training has written it.
        _ => {}
    }
    parts.encode(tensors::Precision::F32)
}
