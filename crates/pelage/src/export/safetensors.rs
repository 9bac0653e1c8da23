//! A model's weights for PyTorch: a safetensors file whose tensors have the names that torchvision or timm give them.

use std::path::Path;

use pelage_data::output::EXPORTED;
use pelage_model::networks::graph::Operation;
use pelage_model::values::Named;
use pelage_model::weights::{self, Layout};
use pelage_model::{saved, tensors};
use serde_json::json;

use crate::{Error, Model, Result};

/// The bytes of the file for the model of a run folder or model file. The temperature of a calibrated model is folded
/// into its last layer, so that softmax gives the same probabilities. The metadata, under `pelage.export` as JSON,
/// names project, network, classes and preprocessing; what is not in the file is the mean with mirror images.
///
/// # Errors
/// No model there; a network or a head that the project does not have.
pub fn safetensors(run: &Path, layout: Layout) -> Result<Vec<u8>> {
    let model = Model::open(run)?;
    model.alone("exported as weights")?;
    let architecture = model.facts.architecture;
    let values = calibrated(&model, saved::trained(run)?.remove(0));
    let renamed = weights::renamed(values, model.facts.classes.len(), architecture, layout).map_err(Error::Settings)?;
    let facts = json!({
        "project": layout.project(),
        "network": layout.network(architecture),
        "classes": model.facts.classes,
        "preprocessing": model.facts.preprocessing,
        "flip": model.facts.flip,
    });
    tensors::export(&renamed, EXPORTED, facts.to_string()).map_err(Error::Settings)
}

/// `values`, the tensors of `model` by our names, with the last layer, and so the logits, divided by the temperature.
fn calibrated(model: &Model, mut values: Named) -> Named {
    let mut nodes = model.network.graph().nodes().iter().rev();
    let last = nodes.find(|node| matches!(node.operation, Operation::Dense { .. }));
    if let (Some(last), Some(temperature)) = (last, model.judge.temperature()) {
        for part in ["weight", "bias"] {
            let tensor = values.get_mut(&format!("{}.{part}", last.name));
            for value in tensor.into_iter().flat_map(|tensor| &mut tensor.data) {
                *value = (f64::from(*value) / temperature) as f32;
            }
        }
    }
    values
}
