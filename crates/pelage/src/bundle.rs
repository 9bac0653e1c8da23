//! The saved model: one safetensors file with weights, architecture, class names in order, preprocessing and training
//! facts. No pickle, nothing that runs.

pub mod tensors;

use std::path::{Path, PathBuf};

use burn::Tensor;
use burn::tensor::{Device, activation};
use pelage_data::preprocess::Preprocessing;
use serde::{Deserialize, Serialize};

use crate::model::graph::Graph;
use crate::model::{Architecture, Head, Network, parameters};
use crate::train::checkpoint::Progress;
use crate::train::{Data, Recipe};
use crate::{Error, Result, atomic, features};

/// What a model file says about itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Facts {
    /// The network.
    pub architecture: Architecture,
    /// What stands on it instead of its own head.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub head: Option<Head>,
    /// Whether the features of a picture and its mirror image are averaged.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub flip: bool,
    /// Names of the classes in the order of the logits.
    pub classes: Vec<String>,
    /// How pictures become input.
    pub preprocessing: Preprocessing,
    /// How the weights came about.
    pub training: Training,
}

/// How a model's weights came about.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Training {
    /// The settings of the run.
    pub recipe: Recipe,
    /// The epoch of these weights, from 1.
    pub epoch: usize,
    /// Pictures learnt from.
    pub train_images: usize,
    /// Pictures validated on.
    pub validation_images: usize,
    /// Validation loss of these weights.
    pub validation_loss: f64,
    /// Validation accuracy of these weights, 0 to 1.
    pub validation_accuracy: f64,
}

impl Facts {
    /// The facts of the epoch that `progress` has just closed.
    pub fn new(recipe: &Recipe, progress: &Progress, data: &Data) -> Self {
        let row = progress.history.last();
        Facts {
            architecture: recipe.model,
            head: recipe.transfer.as_ref().map(|transfer| transfer.head.clone()),
            flip: recipe.transfer.as_ref().is_some_and(|transfer| transfer.flip),
            classes: data.train.classes().to_vec(),
            preprocessing: data.train.preprocessing().clone(),
            training: Training {
                recipe: recipe.clone(),
                epoch: progress.epoch,
                train_images: data.train.len(),
                validation_images: data.validation.len(),
                validation_loss: row.map_or(f64::NAN, |row| row.validation_loss),
                validation_accuracy: row.map_or(f64::NAN, |row| row.validation_accuracy),
            },
        }
    }
}

/// A model ready to use.
pub struct Model {
    /// The network, on the device it was loaded to.
    pub network: Network,
    /// What the file says about it.
    pub facts: Facts,
}

impl Facts {
    /// The operations of the network that these facts describe.
    pub fn graph(&self) -> Graph {
        let size = [self.preprocessing.height, self.preprocessing.width].map(|side| side as usize);
        self.architecture
            .graph_with(self.head.as_ref(), size, self.classes.len())
    }
}

impl Model {
    /// Probabilities `[n, classes]` for pixels `[n, h, w, 3]`, prepared as the facts say.
    pub fn probabilities(&self, pixels: Tensor<4>) -> Tensor<2> {
        activation::softmax(self.logits(pixels), 1)
    }

    /// Logits `[n, classes]`: what the probabilities are the softmax of.
    pub fn logits(&self, pixels: Tensor<4>) -> Tensor<2> {
        self.logits_and_embedding(pixels).0
    }

    /// The logits, and the row `[n, d]` that the last dense layer makes them from: what the network sees in a picture, in
    /// as few numbers as it has.
    pub fn logits_and_embedding(&self, pixels: Tensor<4>) -> (Tensor<2>, Tensor<2>) {
        let network = &self.network;
        let Some(head) = &self.facts.head else {
            return self.head(network.features(pixels, None));
        };
        let piece = |pixels| self.head(features::features(network, pixels, head.pooling, self.facts.flip));
        let pieces = pixels.split(features::BATCH, 0).into_iter().map(piece);
        let (logits, embeddings) = pieces.unzip();
        (Tensor::cat(logits, 0), Tensor::cat(embeddings, 0))
    }

    fn head(&self, map: Tensor<4>) -> (Tensor<2>, Tensor<2>) {
        let nodes = self.network.graph().nodes();
        let last = nodes.last().and_then(|node| node.inputs.first());
        let read = last.map_or("", |&input| nodes[input].name.as_str());
        // A head of a dense layer alone reads the map itself.
        let mut embedding = map.clone();
        let logits = self.network.head_with(map, None, &mut |name, value| {
            if name == read {
                embedding = value.clone();
            }
            value
        });
        (logits, embedding.flatten(1, 3))
    }
}

/// Writes a model file, atomically.
///
/// # Errors
/// A full disk or a folder that cannot be written.
pub fn save(path: &Path, network: &Network, facts: &Facts) -> Result<()> {
    let named = parameters::read(network);
    let bytes = tensors::encode(
        named.iter().map(|(name, values)| (name.clone(), values)),
        "model",
        facts,
    )
    .map_err(|reason| Error::model(path, reason))?;
    atomic::write(path, &bytes)
}

/// The model file that `path` means: itself, or the best model of a run folder.
pub fn file(path: &Path) -> PathBuf {
    match path.is_dir() {
        true => path.join("best.safetensors"),
        false => path.to_path_buf(),
    }
}

/// Reads a model file, or the best model of a run folder.
///
/// # Errors
/// A missing, truncated or foreign file; tensors that do not fit the architecture; numbers that are not finite.
pub fn load(path: &Path, device: &Device) -> Result<Model> {
    let file = file(path);
    let bytes = std::fs::read(&file).map_err(|failure| match failure.kind() {
        std::io::ErrorKind::NotFound => Error::model(
            &file,
            "there is no model; give a run folder that `pelage train` made, or a .safetensors file",
        ),
        _ => Error::io(&file)(failure),
    })?;
    let (named, facts) = tensors::decode::<Facts>(&bytes, "model").map_err(|reason| Error::model(&file, reason))?;
    check(&facts).map_err(|reason| Error::model(&file, reason))?;
    if let Some((name, _)) = named
        .iter()
        .find(|(_, values)| values.data.iter().any(|v| !v.is_finite()))
    {
        return Err(Error::model(
            &file,
            format!("tensor '{name}' holds numbers that are not finite"),
        ));
    }
    let network = Network::assemble(facts.graph(), named, device).map_err(|reason| Error::model(&file, reason))?;
    // A loaded model is not trained, so its batch norms can become part of its convolutions.
    Ok(Model {
        network: network.folded(|_| true),
        facts,
    })
}

/// A description that would make the network absurdly large or empty is refused before anything is allocated.
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
