//! Quantizing a model: the ranges of its maps learnt from training images, and what it costs seen on others.

use std::path::Path;
use std::sync::Arc;

use burn::tensor::Device;
use pelage_data::Progress;
use pelage_data::catalog::Catalog;
use pelage_data::loader::{self, Pass};
use pelage_model::precision::Precision;
use pelage_model::probability::argmax;
use pelage_model::{paths, saved};
use serde::Serialize;
use serde_json::json;

use crate::calibrate;
use crate::compute::Compute;
use crate::evaluate::{self, Embeddings, Evaluation, Labelled, Scores};
use crate::runs::images;
use crate::{Error, Model, Result, device};

/// Training images that ranges are learnt from where nothing else is said: more change little.
pub const IMAGES: usize = 256;

/// The most of them: their pixels, and samples of all maps, are held in memory.
const MOST_IMAGES: usize = 4096;

/// A model in bytes, and what that costs.
pub struct Quantized {
    /// The bytes of its file.
    pub file: Vec<u8>,
    /// The figures.
    pub cost: Cost,
}

/// What a model loses and gains by it.
#[derive(Clone, Debug, Serialize)]
pub struct Cost {
    /// Training images that the ranges were learnt from.
    pub calibrated_on: usize,
    /// Validation images that the rest is about; none of them is among those.
    pub images: usize,
    /// How many of these the model was trained on; `None` where that was not recorded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trained_on: Option<usize>,
    /// As it was.
    pub f32: Figures,
    /// As it is.
    pub int8: Figures,
    /// Of the validation images, the share that both call the same.
    pub agreement: f64,
    /// The greatest difference between their probabilities of a class.
    pub largest_difference: f64,
}

/// A model's size and quality.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Figures {
    /// Bytes of its file.
    pub file_bytes: usize,
    /// Share of the images that it calls rightly.
    pub accuracy: f64,
    /// Mean log loss, as trained.
    pub log_loss: f64,
}

/// Quantizes the model of `run`: the ranges of its maps are learnt from `count` training images of `data` (by default
/// those that it was trained on), and what it costs is seen on the validation images there.
///
/// # Errors
/// A count out of range; a model that is quantized already; data without a validation part, or without images; classes
/// that the model does not know.
pub fn quantize(
    run: &Path,
    data: Option<Labelled>,
    count: usize,
    compute: &Compute,
    progress: &(dyn Fn(Progress) + Sync),
) -> Result<Quantized> {
    if !(1..=MOST_IMAGES).contains(&count) {
        return Err(Error::setting("images", count, format!("1 to {MOST_IMAGES}")));
    }
    let path = paths::model(run);
    compute.open()?;
    let device = device::cpu()?;
    let model = Model::load(run, &device)?;
    model.whole("quantized again")?;
    let bytes = std::fs::read(&path).map_err(Error::io(&path))?;
    let split = calibrate::open(run, data, &model)?;
    let trained_on = match data {
        Some(_) => images::familiar(run, &model.facts, &split)?.map(|familiar| familiar.validation),
        None => Some(0),
    };
    let inputs = inputs(&model, some(split.train, count), compute, progress)?;
    let refused = |reason: String| Error::model(&path, format!("cannot be quantized: {reason}"));
    let told = json!({ "calibrated_on": inputs.len(), "made_of": hash(&bytes) });
    let file = saved::quantized(&bytes, &inputs, told).map_err(refused)?;
    let in_bytes = Model::decode(&file, &device).map_err(refused)?;
    let validation = Arc::new(split.validation);
    let score = |model: &Model, what| {
        let drop = Embeddings::Drop;
        evaluate::open_and_score(model, validation.clone(), compute.cache, drop, what, progress)
    };
    let (before, after) = (
        score(&model, "scoring as it was")?,
        score(&in_bytes, "scoring in int8")?,
    );
    if before.names != after.names || before.is_empty() {
        return Err(Error::Images(
            "there is no validation picture, or they changed meanwhile".into(),
        ));
    }
    let (agreement, largest_difference) = compared(&before, &after);
    let cost = Cost {
        calibrated_on: inputs.len(),
        images: before.len(),
        trained_on,
        f32: figures(&before, bytes.len()),
        int8: figures(&after, file.len()),
        agreement,
        largest_difference,
    };
    Ok(Quantized { file, cost })
}

/// The model of `run` as [`Model::open_on`] opens it, to compute in `precision`; none: in that of its file. In int8
/// that is the model which was quantized and lies beside that of the run, if it is not quantized itself. In bf16 it is
/// any other model, see [`Model::in_bf16`].
///
/// # Errors
/// As there; a model that is of another precision and was not quantized; a quantized one that was made of an earlier
/// state of the model beside it.
pub fn open(run: &Path, device: &Device, reject: Option<f64>, precision: Option<Precision>) -> Result<Model> {
    if precision == Some(Precision::Bf16) {
        // Before a model is read that could not be computed.
        saved::bf16_instructions()?;
    }
    let beside = paths::quantized(run);
    if precision == Some(Precision::Int8) && beside.exists() {
        let model = Model::open_on(&beside, device, reject)?;
        let whole = paths::model(run);
        let bytes = std::fs::read(&whole).map_err(Error::io(&whole))?;
        return match model.facts.training["quantized"]["made_of"] == hash(&bytes) {
            true => Ok(model),
            false => {
                let reason = "was made of an earlier state of the model beside it; quantize that again";
                Err(Error::model(beside, reason))
            }
        };
    }
    let model = Model::open_on(run, device, reject)?;
    match (precision, model.precision()) {
        (Some(Precision::F32), Precision::Int8) => {
            let reason = "is quantized, and its weights in f32 are in the model it was made of";
            Err(Error::model(paths::model(run), reason))
        }
        (Some(Precision::Bf16), Precision::Int8) => {
            let reason =
                "is quantized (int8); bf16 is computed with the weights of the model it was made of, so take that";
            Err(Error::model(paths::model(run), reason))
        }
        (Some(Precision::Bf16), _) => model.in_bf16(),
        (Some(Precision::Int8), Precision::F32) => Err(Error::Unquantized { model: run.into() }),
        _ => Ok(model),
    }
}

fn hash(bytes: &[u8]) -> String {
    blake3::hash(bytes).to_hex().to_string()
}

/// `count` of the images, all over the catalog and so of all classes.
fn some(mut images: Catalog, count: usize) -> Catalog {
    let all = images.items.len();
    let count = count.min(all);
    // Classes that lie one behind the other each give their share.
    let wanted: Vec<usize> = (0..count).map(|i| i * all / count).collect();
    images.items = wanted.into_iter().map(|i| images.items[i].clone()).collect();
    images
}

/// The input of all networks for each image.
fn inputs(
    model: &Model,
    images: Catalog,
    compute: &Compute,
    progress: &(dyn Fn(Progress) + Sync),
) -> Result<Vec<Vec<f32>>> {
    let mut inputs: Vec<Vec<f32>> = Vec::new();
    for (network, images) in evaluate::open(model, &(Arc::new(images) as _), compute.cache, progress)?
        .iter()
        .enumerate()
    {
        let mut next = 0;
        for batch in loader::batches(images.clone(), Pass::default()) {
            let batch = batch?;
            for pixels in batch.pixels.chunks(batch.pixels.len() / batch.indices.len().max(1)) {
                match network {
                    0 => inputs.push(pixels.to_vec()),
                    _ => inputs[next].extend(pixels),
                }
                next += 1;
            }
        }
        if next != inputs.len() {
            let reason = "some images can be read for one of the model's networks and not for another";
            return Err(Error::Settings(reason.into()));
        }
    }
    match inputs.is_empty() {
        true => Err(Error::Images("there is no training picture that can be read".into())),
        false => Ok(inputs),
    }
}

fn figures(scores: &Scores, file_bytes: usize) -> Figures {
    let evaluation = Evaluation::of(scores);
    Figures {
        file_bytes,
        accuracy: evaluation.accuracy,
        log_loss: evaluation.log_loss,
    }
}

/// The share of images that both call the same, and the greatest difference between their probabilities.
fn compared(before: &Scores, after: &Scores) -> (f64, f64) {
    let classes = before.classes.len();
    let [a, b] = [before, after].map(|scores| scores.probabilities(1.0));
    let same = a
        .chunks(classes)
        .zip(b.chunks(classes))
        .filter(|(a, b)| argmax(a) == argmax(b));
    let differences = a.iter().zip(&b).map(|(a, b)| f64::from((a - b).abs()));
    (
        same.count() as f64 / before.len() as f64,
        differences.fold(0.0, f64::max),
    )
}
