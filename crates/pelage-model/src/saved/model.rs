//! A model, on Burn.

use std::path::Path;
use std::sync::Arc;

use burn::Tensor;
use burn::tensor::{Device, TensorData, activation};
use pelage_data::shown;

use super::facts::Facts;
use super::narrow::{Narrow, in_bf16};
use super::parts::{Parts, read};
use super::quantize::InBytes;
use super::together::Member;
use crate::device::in_pool;
use crate::interpreter::{Answer, weights_in_f32};
use crate::networks::{Network, Pooling, parameters, pooled};
use crate::precision::Precision;
use crate::trust::{Judge, UNKNOWN};
use crate::values::to_vec;
use crate::{Error, Result, paths, tensors};

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
    /// What answers instead of the networks, where that is not f32.
    pub narrow: Option<Arc<Narrow>>,
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
            narrow: None,
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
        if model.precision() == Precision::Int8 && *device != crate::device::cpu()? {
            let reason = "is quantized, which is computed on the CPU alone; take the model it was made of for a GPU";
            return Err(Error::model(path, reason));
        }
        if let Some(confidence) = reject.filter(|_| model.facts.classes.iter().any(|class| class == UNKNOWN)) {
            let allowed = format!("left out: the model has a class '{UNKNOWN}', from which no rejection could be told");
            return Err(Error::setting("reject", confidence, allowed));
        }
        let precision = model.precision();
        let judge = model.judge.open(path, reject)?;
        let size = &model.facts.preprocessing;
        log::info!(
            "model: {}{} from {}, {} classes, {} x {} pixels, {}",
            model.facts.name(),
            match precision {
                Precision::F32 => "",
                Precision::Int8 => " in int8",
                Precision::Bf16 => " in bf16",
            },
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
        let parts = Parts::decode(bytes)?;
        let narrow = match parts.in_bytes {
            true => Some(Arc::new(Narrow::Int8(InBytes::new(&parts, bytes)?))),
            false => None,
        };
        let facts = parts.facts;
        let mut networks = Vec::new();
        for (member, named) in facts.members().iter().zip(parts.named) {
            let graph = member.graph(facts.classes.len());
            let named = match narrow {
                Some(_) => weights_in_f32(&graph, named)?,
                None => named,
            };
            // A loaded model is not trained, so its batch norms are folded into its convolutions.
            networks.push(Network::assemble_folded(graph, named, device)?);
        }
        Ok(Model {
            judge: Judge::new(parts.calibration),
            narrow,
            ..Model::new(networks, facts)
        })
    }

    /// What it computes in.
    pub fn precision(&self) -> Precision {
        self.narrow.as_ref().map_or(Precision::F32, |narrow| narrow.precision())
    }

    /// The same model computing in bf16, on the CPU.
    ///
    /// # Errors
    /// A CPU without instructions for it; a quantized model; one that is on a GPU.
    pub fn in_bf16(self) -> Result<Model> {
        self.whole("computed in bf16")?;
        if self.device() != crate::device::cpu()? {
            let reason = "bf16 is computed on the CPU alone; a GPU computes in f32";
            return Err(Error::Settings(reason.into()));
        }
        let networks = std::iter::once(&self.network).chain(&self.others);
        let narrow = in_bf16(networks, &self.facts.members())?;
        log::info!("computing in bf16");
        Ok(Model {
            narrow: Some(narrow.into()),
            ..self
        })
    }

    /// The bytes of its file, with its calibration, if it has one.
    ///
    /// # Errors
    /// A message if the weights are not finite, or the facts cannot be written as JSON.
    pub fn encode(&self) -> std::result::Result<Vec<u8>, String> {
        self.encode_as(tensors::Precision::F32)
    }

    /// The same with its weights, but not its calibration, in this precision; those in bytes stay so.
    ///
    /// # Errors
    /// As [`Model::encode`].
    pub fn encode_as(&self, precision: tensors::Precision) -> std::result::Result<Vec<u8>, String> {
        let networks = std::iter::once(&self.network).chain(&self.others);
        let in_bytes = match self.narrow.as_deref() {
            Some(Narrow::Int8(in_bytes)) => Some(in_bytes),
            Some(Narrow::Bf16(_)) | None => None,
        };
        let named = match in_bytes {
            Some(in_bytes) => in_bytes.named()?,
            None => networks.map(parameters::read).collect(),
        };
        let parts = Parts {
            named,
            in_bytes: in_bytes.is_some(),
            facts: self.facts.clone(),
            calibration: self.judge.calibration().cloned(),
        };
        parts.encode(precision)
    }

    /// The device that holds the model.
    pub fn device(&self) -> Device {
        self.network.device()
    }

    /// Refuses a model in bytes for what needs its weights as they were trained.
    ///
    /// # Errors
    /// If it is; `what` is what cannot be done with it.
    pub fn whole(&self, what: &str) -> Result<()> {
        match self.precision() {
            Precision::F32 | Precision::Bf16 => Ok(()),
            Precision::Int8 => Err(Error::Settings(format!(
                "a quantized model (int8) cannot be {what}; take the model it was made of"
            ))),
        }
    }

    /// Refuses a model of several networks, or one in bytes, for what can only be told of one as it was trained.
    ///
    /// # Errors
    /// If it is such; `what` is what cannot be done with it.
    pub fn alone(&self, what: &str) -> Result<()> {
        self.whole(what)?;
        self.single(what)
    }

    /// Refuses a model of several networks for what can only be told of one.
    ///
    /// # Errors
    /// If it has several; `what` is what cannot be done with it.
    pub fn single(&self, what: &str) -> Result<()> {
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
        in_pool(&self.device(), || self.computed(pixels))
    }

    fn computed(&self, pixels: Vec<Tensor<4>>) -> (Tensor<2>, Tensor<2>) {
        if let Some(narrow) = &self.narrow {
            return self.answered(narrow, pixels);
        }
        let networks = std::iter::once(&self.network).chain(&self.others);
        let seen = networks.zip(self.facts.members()).zip(pixels);
        let (logits, embeddings): (Vec<_>, Vec<_>) = seen
            .map(|((network, member), pixels)| one(network, &member, pixels))
            .unzip();
        self.joined(logits, embeddings)
    }

    /// The same by what answers instead.
    fn answered(&self, narrow: &Narrow, pixels: Vec<Tensor<4>>) -> (Tensor<2>, Tensor<2>) {
        let seen = self.facts.members().into_iter().enumerate().zip(pixels);
        let one = |((network, member), pixels): ((usize, Member), Tensor<4>)| {
            let (count, values) = (pixels.dims()[0], to_vec(pixels));
            let images: Vec<&[f32]> = values.chunks(values.len() / count.max(1)).collect();
            let answers = narrow.run(network, &images, member.flip);
            let rows = |row: fn(&Answer) -> &Vec<f32>| {
                let width = answers.first().map_or(0, |answer| row(answer).len());
                let values = answers.iter().flat_map(row).copied().collect();
                Tensor::from_data(TensorData::new(values, [count, width]), &self.device())
            };
            (rows(|answer| &answer.logits), rows(|answer| &answer.embedding))
        };
        let (logits, embeddings): (Vec<_>, Vec<_>) = seen.map(one).unzip();
        self.joined(logits, embeddings)
    }

    /// The answer of all networks.
    fn joined(&self, mut logits: Vec<Tensor<2>>, mut embeddings: Vec<Tensor<2>>) -> (Tensor<2>, Tensor<2>) {
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
