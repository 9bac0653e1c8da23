//! A linear head on features that is solved to its optimum, rather than trained in steps.

use burn::tensor::Device;
use pelage_model::networks::Network;
use pelage_model::values::{Named, Values};

use super::loss;
use super::recipe::Recipe;
use super::samples::{Data, Samples};
use super::start::Start;
use super::step::Learnt;
use crate::logistic::{self, Coefficients};
use crate::{Error, Result};

/// The head and what is known of it.
pub struct Solved {
    /// The head, on the device with autodiff as if it had been trained.
    pub network: Network,
    /// The strength of regularization, see [`logistic::fit`].
    pub strength: f64,
    /// Mean loss on training images, each predicted by a fit without it and all that belongs to it; none if there were
    /// too few.
    pub cross_validated: Option<f64>,
    /// Loss and correct answers on the images that it was fitted on.
    pub learnt: Learnt,
}

/// The head of `start` by `recipe` on the training features of `data`; the strength of regularization is chosen by
/// cross-validation among them.
///
/// # Errors
/// Samples that are not features.
pub fn solve(recipe: &Recipe, start: &Start, data: &Data, device: &Device) -> Result<Solved> {
    let Samples::Features(features) = &data.train else {
        return Err(Error::Settings("only features can be solved for".into()));
    };
    let classes = features.classes().len();
    let class_weights = loss::class_weights(recipe.class_weights, features.labels(), classes);
    let samples = logistic::Samples {
        features: features.values(),
        labels: features.labels(),
        classes,
        blocks: features.blocks(),
        class_weights: class_weights.as_deref(),
        label_smoothing: recipe.label_smoothing,
    };
    let folds = logistic::folds(features.labels(), &start.groups, classes, recipe.seed);
    let choice = logistic::choose(&samples, &folds);
    let found = logistic::fit(&samples, choice.strength);
    let (loss, correct) = samples.score(&found);
    Ok(Solved {
        network: network(start, &found, device)?,
        strength: choice.strength,
        cross_validated: choice.loss,
        learnt: Learnt {
            batches: 1,
            images: features.len(),
            loss,
            correct,
        },
    })
}

/// The head of `start` with these coefficients.
fn network(start: &Start, found: &Coefficients, device: &Device) -> Result<Network> {
    let classes = found.bias.len();
    let [weights, bias] = [&found.weights, &found.bias].map(|all| all.iter().map(|&value| value as f32).collect());
    let values = |shape, data: Vec<f32>| Values { shape, data };
    let named = Named::from([
        (
            "head.weight".into(),
            values(vec![classes, found.weights.len() / classes], weights),
        ),
        ("head.bias".into(), values(vec![classes], bias)),
    ]);
    let graph = start.network.graph().clone();
    Network::assemble(graph, named, &device.clone().autodiff()).map_err(Error::Settings)
}
