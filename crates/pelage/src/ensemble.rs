//! An ensemble: the weighted mean of the calibrated probabilities of several models, as one model.

mod weights;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use pelage_data::{Progress, shown};
use pelage_model::networks::{Network, parameters};
use pelage_model::saved::{Facts, MOST, Member, Together, Voice};
use serde::Serialize;
use serde_json::json;

use crate::compute::Compute;
use crate::evaluate::{self, Embeddings, Evaluation, Scores};
use crate::runs::own;
use crate::{Error, Model, Result};

/// What an ensemble is made of, and what it gains.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// The models, in the order given.
    pub members: Vec<Part>,
    /// Number of validation images that the weights were fitted on.
    #[serde(rename = "pictures")]
    pub images: usize,
    /// Accuracy of the ensemble on these, 0 to 1.
    pub accuracy: f64,
    /// Log loss of the ensemble on these: lower than on others, since the weights were chosen for it.
    pub log_loss: f64,
}

/// One model of an ensemble.
#[derive(Clone, Debug, Serialize)]
pub struct Part {
    /// The run folder or model file.
    pub run: PathBuf,
    /// Its networks.
    pub architecture: String,
    /// Its share of the mean, 0 to 1.
    pub weight: f64,
    /// What its logits are divided by.
    pub temperature: f64,
    /// Its accuracy alone on the validation images, 0 to 1.
    pub accuracy: f64,
    /// Its log loss alone on these.
    pub log_loss: f64,
}

/// The mean of the calibrated probabilities of the models of all `runs`, which are of the same classes and were
/// validated on the same images; the weights are those with the lowest log loss on these. The
/// images lie at `data` now, or where they were.
///
/// # Errors
/// Fewer than two runs, other classes, ensembles among them, models that were validated on different images.
pub fn ensemble(
    runs: &[PathBuf],
    data: Option<&Path>,
    compute: &Compute,
    progress: &(dyn Fn(Progress) + Sync),
) -> Result<(Model, Report)> {
    let device = compute.open()?;
    let models = runs.iter().map(|run| Model::open_on(run, &device, None));
    let models = models.collect::<Result<Vec<_>>>()?;
    models.iter().try_for_each(|model| model.whole("part of an ensemble"))?;
    check(runs, &models)?;
    let facts = runs
        .iter()
        .map(PathBuf::as_path)
        .zip(models.iter().map(|model| &model.facts));
    let validation = Arc::new(own::common_validation(&facts.collect::<Vec<_>>(), data)?);
    let classes = &models[0].facts.classes;
    let mut scored: Vec<Scores> = Vec::new();
    for model in &models {
        let (cache, drop) = (compute.cache, Embeddings::Drop);
        let scores = evaluate::open_and_score(model, validation.clone(), cache, drop, "scoring", progress)?;
        if scored.first().is_some_and(|first| first.names != scores.names) {
            return Err(pelage_data::Error::Dataset("images changed meanwhile".into()).into());
        }
        scored.push(ordered(scores, classes));
    }
    let temperatures: Vec<f64> = models
        .iter()
        .map(|model| model.judge.temperature().unwrap_or(1.0))
        .collect();
    let each = scored.iter().zip(&temperatures);
    let each: Vec<_> = each
        .map(|(scores, &temperature)| scores.probabilities(temperature))
        .collect();
    let labels = &scored[0].labels;
    let weights = weights::fit(&each, labels);
    let mean: Vec<f32> = (0..each[0].len())
        .map(|i| {
            weights
                .iter()
                .zip(&each)
                .map(|(weight, all)| weight * f64::from(all[i]))
                .sum::<f64>() as f32
        })
        .collect();
    let evaluated = |probabilities: &[f32]| Evaluation::new(classes, labels, probabilities, Vec::new());
    let together = evaluated(&mean);
    let members = (runs.iter().zip(&models))
        .zip(weights.iter().zip(&temperatures))
        .zip(&each);
    let members = members.map(|(((run, model), (&weight, &temperature)), probabilities)| {
        let alone = evaluated(probabilities);
        Part {
            run: run.clone(),
            architecture: model.facts.name(),
            weight,
            temperature,
            accuracy: alone.accuracy,
            log_loss: alone.log_loss,
        }
    });
    let report = Report {
        members: members.collect(),
        images: labels.len(),
        accuracy: together.accuracy,
        log_loss: together.log_loss,
    };
    let first = &models[0].facts.training;
    let training = json!({
        // They say where the images are.
        "recipe": first["recipe"],
        "train_images": first["train_images"],
        "validation_images": report.images,
        "validation_loss": report.log_loss,
        "validation_accuracy": report.accuracy,
        "ensemble": report.members,
    });
    Ok((joined(&models, &report.members, training)?, report))
}

/// The mean of the `models` of a cross-validation, of which `report` tells what each says of the images of its fold. On
/// those the mean itself cannot be evaluated, since all models but one were trained on each: the model does not name
/// them, and its accuracy is that of the models alone.
pub(crate) fn of_folds(models: &[Model], report: &Report) -> Result<Model> {
    let training = json!({
        "train_images": report.images,
        "validation_images": report.images,
        "validation_loss": report.log_loss,
        "validation_accuracy": report.accuracy,
        "folds": report.members,
    });
    joined(models, &report.members, training)
}

fn check(runs: &[PathBuf], models: &[Model]) -> Result<()> {
    if models.len() < 2 {
        return Err(Error::Settings("an ensemble has two models or more".into()));
    }
    let networks: usize = models.iter().map(|model| 1 + model.others.len()).sum();
    if networks > MOST {
        return Err(Error::Settings(format!(
            "these models have {networks} networks; {MOST} at most answer together"
        )));
    }
    let sorted = |model: &Model| {
        let mut classes = model.facts.classes.clone();
        classes.sort();
        classes
    };
    for (run, model) in runs.iter().zip(models) {
        if model.facts.together.as_ref().is_some_and(Together::is_ensemble) {
            return Err(Error::model(
                run,
                "is an ensemble itself; give the models that it was made of",
            ));
        }
        if sorted(model) != sorted(&models[0]) {
            let [own, first] = [model, &models[0]].map(|model| model.facts.classes.join(", "));
            let reason = format!("knows the classes {own}, and {} {first}", shown::path(&runs[0]));
            return Err(Error::model(
                run,
                reason + "; an ensemble is of models of the same classes",
            ));
        }
    }
    Ok(())
}

/// The scores with the classes in another order.
fn ordered(scores: Scores, classes: &[String]) -> Scores {
    let place = |class: &String| scores.classes.iter().position(|own| own == class).unwrap_or_default();
    let places: Vec<usize> = classes.iter().map(place).collect();
    let rows = scores.logits.chunks(places.len());
    let label = |label: &usize| classes.iter().position(|class| *class == scores.classes[*label]);
    Scores {
        logits: rows.flat_map(|row| places.iter().map(|&place| row[place])).collect(),
        labels: scores.labels.iter().map(|own| label(own).unwrap_or_default()).collect(),
        classes: classes.to_vec(),
        ..scores
    }
}

/// The model of all networks of `models`, with the weights and temperatures of `parts`.
fn joined(models: &[Model], parts: &[Part], training: serde_json::Value) -> Result<Model> {
    let first = &models[0].facts;
    let (mut networks, mut members, mut voices) = (Vec::new(), Vec::new(), Vec::new());
    for (model, part) in models.iter().zip(parts) {
        let own = std::iter::once(&model.network).chain(&model.others);
        for network in own {
            networks.push(reordered(network, &model.facts.classes, &first.classes)?);
        }
        members.extend(model.facts.members());
        voices.push(Voice {
            networks: 1 + model.others.len(),
            temperature: part.temperature,
            weight: part.weight,
        });
    }
    let Member {
        architecture,
        head,
        flip,
        preprocessing,
    } = members.remove(0);
    let facts = Facts {
        architecture,
        head,
        flip,
        preprocessing,
        classes: first.classes.clone(),
        together: Some(Together {
            others: members,
            voices,
        }),
        training,
    };
    facts
        .check()
        .map_err(|reason| Error::Settings(format!("this is no ensemble: {reason}")))?;
    Ok(Model::new(networks, facts))
}

/// `network`, whose logits are of the classes `from`, with those of `to` in this order.
fn reordered(network: &Network, from: &[String], to: &[String]) -> Result<Network> {
    if from == to {
        return Ok(network.clone());
    }
    let last = network.graph().nodes().last().map_or("", |node| node.name.as_str());
    let mut values = parameters::read(network);
    for part in ["weight", "bias"] {
        let Some(tensor) = values.get_mut(&format!("{last}.{part}")) else {
            return Err(Error::Settings(format!("the layer '{last}' has no {part} by class")));
        };
        let width = tensor.data.len() / from.len();
        let rows = to.iter().filter_map(|class| from.iter().position(|own| own == class));
        tensor.data = rows
            .flat_map(|row| tensor.data[row * width..(row + 1) * width].to_vec())
            .collect();
    }
    Network::assemble(network.graph().clone(), values, &network.device()).map_err(Error::Settings)
}

#[cfg(test)]
mod tests {
    use burn::Tensor;
    use pelage_model::networks::{Architecture, Mode};
    use pelage_model::values::to_vec;

    use super::*;

    /// A network whose classes stand in another order answers the same of each.
    #[test]
    fn classes_in_another_order_are_the_same_classes() {
        let [own, other] = ["bird cat dog", "dog bird cat"].map(|names| names.split(' ').map(String::from).collect());
        let (own, other): (Vec<String>, Vec<String>) = (own, other);
        let device = crate::model::device::open("cpu").unwrap();
        let network = Network::new(Architecture::ResNet18, [32, 32], 3, 1, &device);
        let logits =
            |network: &Network| to_vec(network.forward(Tensor::<4>::ones([1, 32, 32, 3], &device), Mode::Infer));
        let (before, after) = (logits(&network), logits(&reordered(&network, &own, &other).unwrap()));
        assert_eq!(after, [before[2], before[0], before[1]]);

        let scores = Scores {
            classes: own,
            labels: vec![2, 0],
            logits: vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0],
            ..Scores::default()
        };
        let scores = ordered(scores, &other);
        assert_eq!(scores.labels, [0, 1]);
        assert_eq!(scores.logits, [3.0, 1.0, 2.0, 6.0, 4.0, 5.0]);
    }
}
