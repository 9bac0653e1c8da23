//! What a run starts from: scratch, the features of a frozen backbone, or an unfrozen backbone.

use std::path::Path;
use std::sync::Arc;

use burn::tensor::Device;
use pelage_data::Progress;
use pelage_data::cache::{Cache, CacheMode, DecodedImages};
use pelage_data::dataset::{self, Dataset};
use pelage_data::preprocess::Preprocessing;
use pelage_model::networks::{Architecture, Network, parameters, pooled};
use pelage_model::saved;
use pelage_model::values::Values;

use super::backbone::{backbone, backbones};
use super::groups::groups;
use super::recipe::Recipe;
use super::samples::{Data, Samples, Sets};
use super::transfer::{Transfer, Unfreeze};
use crate::features::{self, Extractor, Features};
use crate::{Error, Model, Result};

/// The network of a run before its first step.
#[derive(Clone)]
pub struct Start {
    /// The trained network, on the device with autodiff; a head alone when training on features.
    pub network: Network,
    /// The backbones of these features, each under a head of the shape of its own features: parts of the saved model.
    pub backbones: Vec<Network>,
    /// Where the head is solved to its optimum: the group of each training image, for its cross-validation.
    pub groups: Vec<usize>,
}

impl Start {
    /// The networks to save and to predict with, one unless backbones are joined, where `learnt` is the trained
    /// [`Start::network`].
    ///
    /// # Errors
    /// A network of another shape.
    pub fn whole(&self, learnt: Network) -> Result<Vec<Network>> {
        match &self.backbones[..] {
            [] => Ok(vec![learnt]),
            [backbone] => Ok(vec![with_head_parameters(backbone, &learnt)?]),
            joined => apart(joined, &learnt),
        }
    }
}

/// A network that shares nothing with `network`, not even the running statistics of its batch norms.
pub(super) fn copy(network: &Network) -> Result<Network> {
    let copied = parameters::write(network.clone(), parameters::read(network));
    copied.map_err(|reason| Error::model("network", reason))
}

/// Each of `backbones` with its columns of the linear head `learnt`; the first one has the bias.
fn apart(backbones: &[Network], learnt: &Network) -> Result<Vec<Network>> {
    let mut learnt = parameters::read(learnt);
    let weight = learnt.remove(WEIGHT).unwrap_or_default();
    let mut bias = learnt.remove(BIAS).unwrap_or_default();
    let (width, mut start) = (weight.shape.last().copied().unwrap_or_default(), 0);
    let mut apart = Vec::new();
    for backbone in backbones {
        let mut values = parameters::read(backbone);
        let own = values
            .get(WEIGHT)
            .and_then(|own| own.shape.last())
            .copied()
            .unwrap_or_default();
        let rows = weight.data.chunks(width.max(1));
        let part = Values {
            shape: vec![bias.data.len(), own],
            data: rows.flat_map(|row| row.iter().skip(start).take(own)).copied().collect(),
        };
        values.insert(WEIGHT.into(), part);
        values.insert(BIAS.into(), bias.clone());
        let network = Network::assemble(backbone.graph().clone(), values, &backbone.device());
        apart.push(network.map_err(Error::Settings)?);
        start += own;
        bias.data.fill(0.0);
    }
    Ok(apart)
}

/// The parameters of a linear head.
const WEIGHT: &str = "head.weight";
const BIAS: &str = "head.bias";

/// `network` with the head of `other`.
fn with_head_parameters(network: &Network, other: &Network) -> Result<Network> {
    let mut values = parameters::read(network);
    values.extend(
        parameters::read(other)
            .into_iter()
            .filter(|(name, _)| name.starts_with("head")),
    );
    Network::assemble(network.graph().clone(), values, &network.device()).map_err(Error::Settings)
}

/// The network and the samples of `recipe`; `progress` reports decoding and features.
///
/// # Errors
/// Images or weights that cannot be read, or do not fit.
pub fn open(
    recipe: &Recipe,
    sets: &Sets,
    cache: CacheMode,
    device: &Device,
    progress: &(dyn Fn(Progress) + Sync),
) -> Result<(Start, Data)> {
    let learning = device.clone().autodiff();
    dataset::check(&*sets.train, &*sets.validation)?;
    saved::check_classes(sets.train.classes())
        .map_err(|reason| Error::Settings(format!("{reason}, which no model file may hold; rename it")))?;
    let classes = sets.train.classes().len();
    let images = |preprocessing: &Preprocessing| {
        let open = |dataset: &Arc<dyn Dataset>, size| {
            let cache = Cache {
                size,
                ..Cache::new(cache)
            };
            let images = DecodedImages::open(dataset.clone(), preprocessing, &cache, progress)?;
            Ok::<_, Error>(Samples::Images(Arc::new(images)))
        };
        Ok::<_, Error>(Data {
            train: open(&sets.train, Some([recipe.kept_side(); 2]))?,
            validation: open(&sets.validation, None)?,
        })
    };
    let Some(transfer) = &recipe.transfer else {
        let size = [recipe.image_size as usize; 2];
        let network = Network::new(recipe.model, size, classes, recipe.seed, &learning);
        check_room(recipe, &network, device)?;
        let data = images(&recipe.preprocessing(made_for(recipe.model)))?;
        return Ok((
            Start {
                network,
                backbones: Vec::new(),
                groups: Vec::new(),
            },
            data,
        ));
    };
    if transfer.unfreeze == Unfreeze::None {
        return on_features(recipe, transfer, sets, cache, device, progress);
    }
    let backbone = backbone(transfer, recipe, classes, &learning)?;
    let network = match &transfer.head_from {
        None => backbone.network,
        Some(path) => with_head_of(&backbone.network, path, transfer, sets.train.classes())?,
    };
    let network = thawed(network, transfer.unfreeze).with_fixed_norms(transfer.fixed_norms);
    check_room(recipe, &network, device)?;
    Ok((
        Start {
            network,
            backbones: Vec::new(),
            groups: Vec::new(),
        },
        images(&backbone.preprocessing)?,
    ))
}

/// Refuses batches that a device is known to be too small for, before images are decoded. Frozen layers keep nothing.
fn check_room(recipe: &Recipe, network: &Network, device: &Device) -> Result<()> {
    let (graph, size) = (network.graph(), [recipe.largest_side() as usize; 2]);
    let learns = graph.nodes().iter().all(|node| !network.is_frozen(&node.name));
    let room = match learns {
        true => graph.training_room(size, recipe.batch_size),
        false => graph.inference_room(size, recipe.batch_size),
    };
    room.check(device)
}

/// How a network that starts from scratch wants its images; the size is the recipe's.
fn made_for(architecture: Architecture) -> Preprocessing {
    let plain = Preprocessing::new(architecture.input_size());
    match architecture {
        // About zero, so that the zeros that its first layer pads images with are no dark frame: ImageNet's means and
        // deviations, as good as any for photographs.
        Architecture::Lynx => Preprocessing {
            mean: [0.485, 0.456, 0.406],
            std: [0.229, 0.224, 0.225],
            ..plain
        },
        _ => plain,
    }
}

fn on_features(
    recipe: &Recipe,
    transfer: &Transfer,
    sets: &Sets,
    cache: CacheMode,
    device: &Device,
    progress: &(dyn Fn(Progress) + Sync),
) -> Result<(Start, Data)> {
    let classes = sets.train.classes().len();
    let backbones = backbones(transfer, recipe, classes, device)?;
    for backbone in &backbones {
        let size = [backbone.preprocessing.height, backbone.preprocessing.width].map(|side| side as usize);
        backbone
            .network
            .graph()
            .inference_room(size, pooled::BATCH)
            .check(device)?;
    }
    // Frozen batch norms are folded, which saves computing them.
    let folded: Vec<_> = backbones
        .iter()
        .map(|backbone| backbone.network.folded(|_| true))
        .collect();
    let extractors = backbones.iter().zip(&folded);
    let extractors: Vec<_> = extractors
        .map(|(backbone, network)| backbone.extractor(transfer, network))
        .collect();
    let cache = Cache::new(cache);
    let all = sets.train.len() + sets.validation.len();
    let (first, total) = (sets.train.len(), extractors.len() * all);
    let open = |dataset: &Arc<dyn Dataset>, before: usize| {
        let one = |(number, extractor): (usize, &Extractor)| {
            // Both sets are one phase, so that who shows it can tell how long all of it takes.
            let both = |one: Progress| match one.what {
                features::PHASE => progress(Progress {
                    done: before * extractors.len() + number * dataset.len() + one.done,
                    total,
                    ..one
                }),
                _ => progress(one),
            };
            Features::open(dataset, extractor, &cache, device, &both)
        };
        let features = extractors.iter().enumerate().map(one).collect::<Result<_>>()?;
        Ok::<_, Error>(Samples::Features(Arc::new(Features::joined(features)?)))
    };
    let data = Data {
        train: open(&sets.train, 0)?,
        validation: open(&sets.validation, first)?,
    };
    let groups = match transfer.logistic {
        true => groups(&*sets.train, &data.train, sets.groups.as_deref()),
        false => Vec::new(),
    };
    let head = Network::of_head(
        &transfer.head,
        data.train.shape(),
        classes,
        recipe.seed,
        &device.clone().autodiff(),
    );
    Ok((
        Start {
            network: head,
            backbones: backbones.into_iter().map(|backbone| backbone.network).collect(),
            groups,
        },
        data,
    ))
}

/// `network` with the head of a model that was trained for the same classes.
fn with_head_of(network: &Network, path: &Path, transfer: &Transfer, classes: &[String]) -> Result<Network> {
    let model = Model::load(path, &network.device())?;
    model.alone("taken as the start of another head")?;
    if model.facts.head.as_ref() != Some(&transfer.head) || model.facts.classes != classes {
        return Err(Error::model(
            path,
            "has another head or other classes than this run; train its head for this one",
        ));
    }
    with_head_parameters(network, &model.network)
}

/// `network` with everything frozen except the head and what `unfreeze` names.
fn thawed(network: Network, unfreeze: Unfreeze) -> Network {
    let graph = network.graph();
    let with_parameters = graph.nodes().iter().filter(|node| !graph.tensors(node).is_empty());
    let backbone = with_parameters
        .map(|node| node.name.clone())
        .filter(|name| !name.starts_with("head"));
    let backbone: Vec<_> = backbone.collect();
    let unfrozen = match unfreeze {
        Unfreeze::None => 0,
        Unfreeze::Last(count) => count.min(backbone.len()),
        Unfreeze::All => backbone.len(),
    };
    let frozen = &backbone[..backbone.len() - unfrozen];
    network.with_frozen(|layer| frozen.iter().any(|name| name == layer))
}

#[cfg(test)]
mod tests {
    use pelage_model::networks::{Architecture, Head};

    use super::*;

    #[test]
    fn what_is_unfrozen_is_the_last_of_the_backbone_and_always_the_head() {
        let device = Device::flex().autodiff();
        let network = Network::new(Architecture::ResNet18, [32, 32], 2, 0, &device);
        let network = network.with_head(&Head::mlp(), [32, 32], 2, 0);
        let unfrozen = |unfreeze| {
            let network = thawed(network.clone(), unfreeze);
            let nodes = network
                .graph()
                .nodes()
                .iter()
                .filter(|node| !network.graph().tensors(node).is_empty());
            let unfrozen = nodes
                .map(|node| node.name.clone())
                .filter(|name| !network.is_frozen(name));
            unfrozen.collect::<Vec<_>>()
        };
        assert_eq!(unfrozen(Unfreeze::None), ["head.dense1", "head"]);
        assert_eq!(unfrozen(Unfreeze::Last(1)), ["layer4.1.conv2", "head.dense1", "head"]);
        assert_eq!(unfrozen(Unfreeze::All).len(), 20 + 2);
        assert_eq!(unfrozen(Unfreeze::Last(99)), unfrozen(Unfreeze::All));
    }
}
