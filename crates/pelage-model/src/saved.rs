//! The saved model: one safetensors file with weights, architecture, class names in order, preprocessing and training
//! facts. No pickle, no code.
//!
//! # Older and newer files
//! Every file carries a format version; [`crate::tensors::VERSION`] is written, 1 up to it are read, and newer ones are
//! refused, naming the version. Whatever changes a model's answers (the preprocessing, a head) is a field that a reader
//! must know, or it refuses the file. Everything else, [`Facts::training`] above all, is JSON that no reader needs: its
//! fields may come and go without a new version, and unknown ones are kept.

use std::path::Path;

use burn::Tensor;
use burn::tensor::{Device, activation};
use pelage_data::preprocess::Preprocessing;
use serde::{Deserialize, Serialize};

use crate::networks::graph::Graph;
use crate::networks::{Architecture, Head, Network, parameters, pooled};
use crate::trust::Judge;
use crate::values::Values;
use crate::{Error, Result, input, paths, tensors};

/// What a model file says about its model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Facts {
    /// The network.
    pub architecture: Architecture,
    /// The head that replaces the architecture's own, if one does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub head: Option<Head>,
    /// Whether the features of an image and its mirror image are averaged.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub flip: bool,
    /// Class names in the order of the logits.
    pub classes: Vec<String>,
    /// How images become input.
    pub preprocessing: Preprocessing,
    /// How the weights were trained, for people and for later runs; not needed for prediction.
    #[serde(default)]
    pub training: serde_json::Value,
}

impl Facts {
    /// The operations of the network described here.
    pub fn graph(&self) -> Graph {
        let [height, width, _] = input::shape(&self.preprocessing);
        self.architecture
            .graph_with(self.head.as_ref(), [height, width], self.classes.len())
    }
}

/// A model ready for use, by any number of threads at once.
#[derive(Clone, Debug)]
pub struct Model {
    /// The network, on the device it was loaded to.
    pub network: Network,
    /// What the file says about it.
    pub facts: Facts,
    /// Calibration and rejection of its answers.
    pub judge: Judge,
}

impl Model {
    /// The model of a run folder or model file, on the CPU, with the calibration beside it, if there is one.
    ///
    /// # Errors
    /// As [`Model::load`] and [`Judge::open`].
    pub fn open(path: impl AsRef<Path>) -> Result<Model> {
        Model::open_on(path.as_ref(), &crate::device::cpu()?, None)
    }

    /// The same on `device`. `reject`: answers below this confidence, 0 to 1, and those for images too far from the
    /// training set are "unknown".
    ///
    /// # Errors
    /// As [`Model::load`] and [`Judge::open`].
    pub fn open_on(path: &Path, device: &Device, reject: Option<f64>) -> Result<Model> {
        let model = Model::load(path, device)?;
        Ok(Model {
            judge: Judge::open(path, reject)?,
            ..model
        })
    }

    /// The model of a run folder or model file as it was trained, without a calibration.
    ///
    /// # Errors
    /// A missing, truncated or foreign file; tensors that do not fit the architecture; values that are not finite.
    pub fn load(path: &Path, device: &Device) -> Result<Model> {
        let file = paths::model(path);
        let bytes = std::fs::read(&file).map_err(|failure| match failure.kind() {
            std::io::ErrorKind::NotFound => {
                Error::model(&file, "there is no model; give a run folder or a .safetensors file")
            }
            _ => Error::io(&file)(failure),
        })?;
        Model::decode(&bytes, device).map_err(|reason| Error::model(&file, reason))
    }

    /// The same from the bytes of a model file.
    ///
    /// # Errors
    /// As [`Model::load`], as a message.
    pub fn decode(bytes: &[u8], device: &Device) -> std::result::Result<Model, String> {
        let (named, facts) = tensors::decode::<Facts>(bytes, "model")?;
        check(&facts)?;
        let infinite = |values: &Values| values.data.iter().any(|value| !value.is_finite());
        if let Some((name, _)) = named.iter().find(|(_, values)| infinite(values)) {
            return Err(format!("tensor '{name}' holds values that are not finite"));
        }
        let network = Network::assemble(facts.graph(), named, device)?;
        // A loaded model is not trained, so its batch norms are folded into its convolutions.
        Ok(Model {
            network: network.folded(|_| true),
            facts,
            judge: Judge::default(),
        })
    }

    /// The device that holds the model.
    pub fn device(&self) -> Device {
        self.network.device()
    }

    /// Probabilities `[n, classes]` for pixels `[n, h, w, 3]`, preprocessed as the facts say; not calibrated.
    pub fn probabilities(&self, pixels: Tensor<4>) -> Tensor<2> {
        activation::softmax(self.logits(pixels), 1)
    }

    /// Logits `[n, classes]` for pixels `[n, h, w, 3]`, preprocessed as the facts say.
    pub fn logits(&self, pixels: Tensor<4>) -> Tensor<2> {
        self.logits_and_embedding(pixels).0
    }

    /// The logits, and the embedding `[n, d]`: the input of the last dense layer.
    pub fn logits_and_embedding(&self, pixels: Tensor<4>) -> (Tensor<2>, Tensor<2>) {
        let network = &self.network;
        let Some(head) = &self.facts.head else {
            return self.head(network.features(pixels));
        };
        let piece = |pixels| self.head(pooled::features(network, pixels, head.pooling, self.facts.flip));
        let pieces = pixels.split(pooled::BATCH, 0).into_iter().map(piece);
        let (logits, embeddings) = pieces.unzip();
        (Tensor::cat(logits, 0), Tensor::cat(embeddings, 0))
    }

    fn head(&self, map: Tensor<4>) -> (Tensor<2>, Tensor<2>) {
        let nodes = self.network.graph().nodes();
        let last = nodes.last().and_then(|node| node.inputs.first());
        let read = last.map_or("", |&input| nodes[input].name.as_str());
        // A head that is one dense layer reads the map itself.
        let mut embedding = map.clone();
        let logits = self.network.head_with(map, &mut |name, value| {
            if name == read {
                embedding = value.clone();
            }
            value
        });
        (logits, embedding.flatten(1, 3))
    }
}

/// The bytes of a model file.
///
/// # Errors
/// A message if the facts cannot be written as JSON.
pub fn encode(network: &Network, facts: &Facts) -> std::result::Result<Vec<u8>, String> {
    let named = parameters::read(network);
    tensors::encode(
        named.iter().map(|(name, values)| (name.clone(), values)),
        "model",
        facts,
    )
}

/// A description of an absurdly large or empty network is refused before anything is allocated.
fn check(facts: &Facts) -> std::result::Result<(), String> {
    let (smallest, side) = (facts.architecture.smallest_size() as u32, &facts.preprocessing);
    if !(smallest..=4096).contains(&side.width) || !(smallest..=4096).contains(&side.height) {
        return Err(format!("its input size {}x{} is out of range", side.width, side.height));
    }
    if !(2..=100_000).contains(&facts.classes.len()) {
        return Err(format!("it names {} classes", facts.classes.len()));
    }
    Ok(())
}
