//! What a run starts from: scratch, the features of a frozen backbone, or an unfrozen backbone.

use std::path::Path;
use std::sync::Arc;

use burn::tensor::Device;
use pelage_data::Progress;
use pelage_data::cache::{Cache, CacheMode, DecodedImages};
use pelage_data::dataset::{self, Dataset};
use pelage_data::preprocess::Preprocessing;
use pelage_model::networks::{Architecture, Network, parameters};
use pelage_model::saved;

use super::backbone::backbone;
use super::recipe::Recipe;
use super::samples::{Data, Samples, Sets};
use super::transfer::{Transfer, Unfreeze};
use crate::features::{self, Features};
use crate::{Error, Model, Result};

/// The network of a run before its first step.
#[derive(Clone)]
pub struct Start {
    /// The trained network, on the device with autodiff; a head alone when training on features.
    pub network: Network,
    /// The backbone of these features, under a head of the same shape: part of the saved model.
    pub backbone: Option<Network>,
}

impl Start {
    /// The network to save and to predict with, where `learnt` is the trained [`Start::network`].
    ///
    /// # Errors
    /// A network of another shape.
    pub fn whole(&self, learnt: Network) -> Result<Network> {
        match &self.backbone {
            None => Ok(learnt),
            Some(backbone) => with_head_parameters(backbone, &learnt),
        }
    }
}

/// A network that shares nothing with `network`, not even the running statistics of its batch norms.
pub(super) fn copy(network: &Network) -> Result<Network> {
    let copied = parameters::write(network.clone(), parameters::read(network));
    copied.map_err(|reason| Error::model("network", reason))
}

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
        let data = images(&recipe.preprocessing(made_for(recipe.model)))?;
        return Ok((
            Start {
                network,
                backbone: None,
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
    let network = thawed(network, transfer.unfreeze);
    Ok((
        Start {
            network,
            backbone: None,
        },
        images(&backbone.preprocessing)?,
    ))
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
    let backbone = backbone(transfer, recipe, classes, device)?;
    // Frozen batch norms are folded, which saves computing them.
    let network = backbone.network.folded(|_| true);
    let extractor = backbone.extractor(transfer, &network);
    let cache = Cache::new(cache);
    let (first, total) = (sets.train.len(), sets.train.len() + sets.validation.len());
    let open = |dataset: &Arc<dyn Dataset>, before: usize| {
        // Both sets are one phase, so that who shows it can tell how long all of it takes.
        let both = |one: Progress| match one.what {
            features::PHASE => progress(Progress {
                done: before + one.done,
                total,
                ..one
            }),
            _ => progress(one),
        };
        let features = Features::open(dataset, &extractor, &cache, device, &both)?;
        Ok::<_, Error>(Samples::Features(Arc::new(features)))
    };
    let data = Data {
        train: open(&sets.train, 0)?,
        validation: open(&sets.validation, first)?,
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
            backbone: Some(backbone.network),
        },
        data,
    ))
}

/// `network` with the head of a model that was trained for the same classes.
fn with_head_of(network: &Network, path: &Path, transfer: &Transfer, classes: &[String]) -> Result<Network> {
    let model = Model::load(path, &network.device())?;
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
