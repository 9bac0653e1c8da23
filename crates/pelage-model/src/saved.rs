//! The saved model: one safetensors file with weights, architecture, class names in order, preprocessing, calibration
//! and training facts. No pickle, no code. Nothing in a file is believed: a checksum tells damage, `check` what cannot
//! be meant.
//!
//! # Older and newer files
//! Every file carries a format version; [`crate::tensors::VERSION`] is written, 1 up to it are read, and newer ones are
//! refused, naming the version. Whatever changes a model's answers (the preprocessing, a head, a calibration) is a
//! field that a reader must know, or it refuses the file. Everything else, [`Facts::training`] above all, is JSON that
//! no reader needs: its fields may come and go without a new version, and unknown ones are kept.

mod check;

use std::path::Path;

use burn::Tensor;
use burn::tensor::{Device, activation};
use pelage_data::preprocess::Preprocessing;
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use check::{check_classes, check_head};

use crate::networks::graph::Graph;
use crate::networks::{Architecture, Head, Network, Pooling, parameters, pooled};
use crate::trust::{Calibration, Judge, UNKNOWN};
use crate::values::Named;
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
    pub training: Value,
}

/// The key of the calibration beside the [`Facts`].
const CALIBRATION: &str = "calibration";

impl Facts {
    /// The operations of the network described here.
    pub fn graph(&self) -> Graph {
        let [height, width, _] = input::shape(&self.preprocessing);
        self.architecture
            .graph_with(self.head.as_ref(), [height, width], self.classes.len())
    }
}

impl Facts {
    /// Refuses the description of an absurdly large or empty network, and what no training writes.
    fn check(&self) -> std::result::Result<(), String> {
        check::check_input(self.architecture, &self.preprocessing)?;
        if let Some(head) = &self.head {
            check_head(head).map_err(|allowed| format!("its head must have {allowed}"))?;
        }
        if self.flip && !self.graph().averages() {
            return Err("it averages the features of mirror images, which its head cannot do".into());
        }
        check_classes(&self.classes)
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
    /// The model of a run folder or model file, on the CPU, with its calibration, if it has one.
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
    /// As [`Model::load`] and [`Judge::open`]; `reject` for a model with a class that is called so.
    pub fn open_on(path: &Path, device: &Device, reject: Option<f64>) -> Result<Model> {
        let model = Model::load(path, device)?;
        if let Some(confidence) = reject.filter(|_| model.facts.classes.iter().any(|class| class == UNKNOWN)) {
            let allowed = format!("left out: the model has a class '{UNKNOWN}', from which no rejection could be told");
            return Err(Error::setting("reject", confidence, allowed));
        }
        let judge = model.judge.open(path, reject)?;
        let size = &model.facts.preprocessing;
        log::info!(
            "model: {} from {}, {} classes, {} x {} pixels, {}",
            model.facts.architecture.name(),
            paths::model(path).display(),
            model.facts.classes.len(),
            size.width,
            size.height,
            match judge.temperature() {
                Some(temperature) => format!("calibrated (temperature {temperature:.3})"),
                None => "not calibrated".into(),
            }
        );
        Ok(Model { judge, ..model })
    }

    /// The model of a run folder or model file, from this file alone: without a calibration that lies beside it.
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
        let Parts {
            named,
            facts,
            calibration,
        } = Parts::decode(bytes)?;
        let network = Network::assemble(facts.graph(), named, device)?;
        // A loaded model is not trained, so its batch norms are folded into its convolutions.
        Ok(Model {
            network: network.folded(|_| true),
            facts,
            judge: Judge::new(calibration),
        })
    }

    /// The device that holds the model.
    pub fn device(&self) -> Device {
        self.network.device()
    }

    /// Probabilities `[n, classes]` for pixels `[n, h, w, 3]`, preprocessed as the facts say; calibrated if the model
    /// is.
    pub fn probabilities(&self, pixels: Tensor<4>) -> Tensor<2> {
        let temperature = self.judge.temperature().unwrap_or(1.0);
        activation::softmax(self.logits(pixels) / temperature, 1)
    }

    /// Logits `[n, classes]` for pixels `[n, h, w, 3]`, preprocessed as the facts say.
    pub fn logits(&self, pixels: Tensor<4>) -> Tensor<2> {
        self.logits_and_embedding(pixels).0
    }

    /// The logits, and the embedding `[n, d]`: the input of the last dense layer.
    pub fn logits_and_embedding(&self, pixels: Tensor<4>) -> (Tensor<2>, Tensor<2>) {
        let network = &self.network;
        let flip = self.facts.flip;
        let Some(head) = &self.facts.head else {
            return match flip {
                true => self.head(pooled::features(network, pixels, Pooling::Average, flip)),
                false => self.head(network.features(pixels)),
            };
        };
        let piece = |pixels| self.head(pooled::features(network, pixels, head.pooling, flip));
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

/// The content of a model file.
struct Parts {
    named: Named,
    facts: Facts,
    calibration: Option<Calibration>,
}

impl Parts {
    fn decode(bytes: &[u8]) -> std::result::Result<Parts, String> {
        let damaged = |failure: serde_json::Error| format!("its description is damaged: {failure}");
        let (mut named, mut facts) = tensors::decode::<Value>(bytes, "model")?;
        let calibration = facts.as_object_mut().and_then(|facts| facts.remove(CALIBRATION));
        let facts: Facts = serde_json::from_value(facts).map_err(damaged)?;
        facts.check()?;
        tensors::check_finite(&named)?;
        let calibration = calibration.map(|calibration| {
            let dimension = embedding_dimension(&facts.graph());
            let calibration = serde_json::from_value(calibration).map_err(damaged)?;
            Calibration::take(&mut named, calibration, facts.classes.len(), dimension)
        });
        Ok(Parts {
            calibration: calibration.transpose()?,
            named,
            facts,
        })
    }

    fn encode(mut self) -> std::result::Result<Vec<u8>, String> {
        tensors::check_finite(&self.named)?;
        let unwritable = |failure: serde_json::Error| format!("cannot be written: {failure}");
        let mut facts = serde_json::to_value(&self.facts).map_err(unwritable)?;
        if let Some(calibration) = &self.calibration {
            facts[CALIBRATION] = serde_json::to_value(&calibration.facts).map_err(unwritable)?;
            self.named.extend(calibration.tensors());
        }
        let named = self.named.iter().map(|(name, values)| (name.clone(), values));
        tensors::encode(named, "model", &facts)
    }
}

/// Values of an embedding: the input of the last dense layer.
fn embedding_dimension(graph: &Graph) -> usize {
    let nodes = graph.nodes();
    let last = nodes.last().and_then(|node| node.inputs.first());
    last.map_or(0, |&input| nodes[input].channels)
}

/// The bytes of a model file.
///
/// # Errors
/// A message if the weights are not finite, or the facts cannot be written as JSON.
pub fn encode(
    network: &Network,
    facts: &Facts,
    calibration: Option<&Calibration>,
) -> std::result::Result<Vec<u8>, String> {
    let parts = Parts {
        named: parameters::read(network),
        facts: facts.clone(),
        calibration: calibration.cloned(),
    };
    parts.encode()
}

/// The bytes of the model file `bytes` with `calibration` in place of the one that it had; its weights stay as they
/// are, bit for bit.
///
/// # Errors
/// As [`Model::decode`] and [`encode`].
pub fn with_calibration(bytes: &[u8], calibration: &Calibration) -> std::result::Result<Vec<u8>, String> {
    let parts = Parts {
        calibration: Some(calibration.clone()),
        ..Parts::decode(bytes)?
    };
    parts.encode()
}

/// Refuses logits or probabilities of which some are not finite: of finite weights, but too large ones.
///
/// # Errors
/// If there is one.
pub fn check_answer(values: &[f32]) -> std::result::Result<(), String> {
    match values.iter().all(|value| value.is_finite()) {
        true => Ok(()),
        false => {
            Err("the model gives no finite answer to it: its weights are damaged, or its training diverged".into())
        }
    }
}
