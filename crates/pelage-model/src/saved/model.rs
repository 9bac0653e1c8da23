//! A model, on Burn.

use std::path::Path;

use burn::Tensor;
use burn::tensor::{Device, activation};
use pelage_data::shown;

use super::facts::Facts;
use super::parts::{Parts, read};
use super::together::Member;
use crate::networks::{Network, Pooling, parameters, pooled};
use crate::trust::{Judge, UNKNOWN};
use crate::{Error, Result, paths};

/// A model ready for use, by any number of threads at once.
#[derive(Clone, Debug)]
pub struct Model {
    /// The network, on the device it was loaded to; of several, the first.
    pub network: Network,
    /// The others, in the order of [`super::Together::others`].
    pub others: Vec<Network>,
    /// What the file says about it.
    pub facts: Facts,
    /// Calibration and rejection of its answers.
    pub judge: Judge,
}

impl Model {
    /// A model of `networks`, one or more, that `facts` describe, without a calibration.
    pub fn new(mut networks: Vec<Network>, facts: Facts) -> Model {
        let others = networks.split_off(1);
        Model {
            network: networks.remove(0),
            others,
            facts,
            judge: Judge::default(),
        }
    }

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
            model.facts.name(),
            shown::path(&paths::model(path)),
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
        let (file, bytes) = read(path)?;
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
        let mut networks = Vec::new();
        for (member, named) in facts.members().iter().zip(named) {
            let network = Network::assemble(member.graph(facts.classes.len()), named, device)?;
            // A loaded model is not trained, so its batch norms are folded into its convolutions.
            networks.push(network.folded(|_| true));
        }
        Ok(Model {
            judge: Judge::new(calibration),
            ..Model::new(networks, facts)
        })
    }

    /// The bytes of its file, with its calibration, if it has one.
    ///
    /// # Errors
    /// A message if the weights are not finite, or the facts cannot be written as JSON.
    pub fn encode(&self) -> std::result::Result<Vec<u8>, String> {
        let networks = std::iter::once(&self.network).chain(&self.others);
        let parts = Parts {
            named: networks.map(parameters::read).collect(),
            facts: self.facts.clone(),
            calibration: self.judge.calibration().cloned(),
        };
        parts.encode()
    }

    /// The device that holds the model.
    pub fn device(&self) -> Device {
        self.network.device()
    }

    /// Refuses a model of several networks for what can only be told of one.
    ///
    /// # Errors
    /// If it has several; `what` is what cannot be done with it.
    pub fn alone(&self, what: &str) -> Result<()> {
        match self.others.len() {
            0 => Ok(()),
            others => Err(Error::Settings(format!(
                "a model of {} networks ({}) cannot be {what}, which is done with one network; take a model of one of \
                 them",
                1 + others,
                self.facts.name()
            ))),
        }
    }

    /// Probabilities `[n, classes]` for pixels `[n, h, w, 3]`, preprocessed as the facts say; calibrated if the model
    /// is. Of a model that is [`Model::alone`].
    pub fn probabilities(&self, pixels: Tensor<4>) -> Tensor<2> {
        let temperature = self.judge.temperature().unwrap_or(1.0);
        activation::softmax(self.logits(pixels) / temperature, 1)
    }

    /// Logits `[n, classes]` for pixels `[n, h, w, 3]`, preprocessed as the facts say. Of a model that is
    /// [`Model::alone`].
    pub fn logits(&self, pixels: Tensor<4>) -> Tensor<2> {
        self.logits_and_embedding(vec![pixels]).0
    }

    /// The logits, and the embedding `[n, d]`, the inputs of the last dense layers side by side, for the pixels of each
    /// network `[n, h, w, 3]`, preprocessed as the facts say.
    pub fn logits_and_embedding(&self, pixels: Vec<Tensor<4>>) -> (Tensor<2>, Tensor<2>) {
        let networks = std::iter::once(&self.network).chain(&self.others);
        let seen = networks.zip(self.facts.members()).zip(pixels);
        let (mut logits, mut embeddings): (Vec<_>, Vec<_>) = seen
            .map(|((network, member), pixels)| one(network, &member, pixels))
            .unzip();
        match &self.facts.together {
            None => (logits.remove(0), embeddings.remove(0)),
            Some(together) => (together.answer(logits), Tensor::cat(embeddings, 1)),
        }
    }
}

/// Logits and embedding of one network.
fn one(network: &Network, member: &Member, pixels: Tensor<4>) -> (Tensor<2>, Tensor<2>) {
    let Some(head) = &member.head else {
        return match member.flip {
            true => on_map(network, pooled::features(network, pixels, Pooling::Average, true)),
            false => on_map(network, network.features(pixels)),
        };
    };
    on_map(network, pooled::features(network, pixels, head.pooling, member.flip))
}

fn on_map(network: &Network, map: Tensor<4>) -> (Tensor<2>, Tensor<2>) {
    let nodes = network.graph().nodes();
    let last = nodes.last().and_then(|node| node.inputs.first());
    let read = last.map_or("", |&input| nodes[input].name.as_str());
    // A head that is one dense layer reads the map itself.
    let mut embedding = map.clone();
    let logits = network.head_with(map, &mut |name, value| {
        if name == read {
            embedding = value.clone();
        }
        value
    });
    (logits, embedding.flatten(1, 3))
}
