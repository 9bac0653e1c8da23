//! From pictures to ranked classes, keyed by path: none dropped, none reordered.

use burn::Tensor;
use burn::tensor::{Device, TensorData};
use pelage_data::source::Entry;
use std::path::Path;

use rayon::prelude::*;
use serde::Serialize;

use crate::bundle::Model;
use crate::confidence::{Doubt, Judge};
use crate::evaluate::scores::softmax;
use crate::model::parameters::to_vec;
use crate::{Error, Result, atomic};

/// What the model says about one picture.
#[derive(Clone, Debug, Serialize)]
pub struct Prediction {
    /// The picture, as the user would name it.
    pub path: String,
    /// Class and probability (0 to 1), most likely first; empty where the picture could not be read.
    pub classes: Vec<(String, f32)>,
    /// What the logits were divided by, where the model is calibrated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub temperature: Option<f64>,
    /// Why the first class should not be believed; the answer is then [`UNKNOWN`].
    #[serde(flatten)]
    pub doubt: Option<Doubt>,
    /// Why there is no prediction.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// What is said of a picture that the model should not be asked about.
pub const UNKNOWN: &str = "unknown";

impl Prediction {
    /// The answer: the most likely class, or [`UNKNOWN`]; `None` where the picture could not be read.
    pub fn answer(&self) -> Option<&str> {
        let (first, _) = self.classes.first()?;
        Some(if self.doubt.is_some() { UNKNOWN } else { first })
    }
}

/// Pictures a forward pass.
const BATCH: usize = 32;

/// Predicts every entry, in the order given, and lets `judge` doubt the answers; `observe` hears how many are done.
pub fn predict(
    model: &Model,
    judge: &Judge,
    entries: &[Entry],
    device: &Device,
    observe: &mut dyn FnMut(usize),
) -> Vec<Prediction> {
    let mut predictions = Vec::with_capacity(entries.len());
    for chunk in entries.chunks(BATCH) {
        let pictures: Vec<_> = chunk
            .par_iter()
            .map(|entry| {
                let bytes = entry.location.read().map_err(|failure| failure.to_string())?;
                prepare(model, &bytes)
            })
            .collect();
        let names = chunk.iter().map(|entry| entry.location.to_string());
        predictions.extend(ranked(model, judge, names, pictures, device));
        observe(predictions.len());
    }
    predictions
}

/// Predicts one picture from its bytes.
pub fn predict_bytes(model: &Model, judge: &Judge, name: &str, bytes: &[u8], device: &Device) -> Prediction {
    let prepared = vec![prepare(model, bytes)];
    let mut predictions = ranked(model, judge, std::iter::once(name.to_string()), prepared, device);
    predictions.remove(0)
}

fn prepare(model: &Model, bytes: &[u8]) -> std::result::Result<Vec<f32>, String> {
    let preprocessing = &model.facts.preprocessing;
    let pixels = preprocessing.decode(bytes)?;
    let mut input = vec![0.0; pixels.len()];
    preprocessing.normalize(&pixels, &mut input);
    Ok(input)
}

fn ranked(
    model: &Model,
    judge: &Judge,
    names: impl Iterator<Item = String>,
    pictures: Vec<std::result::Result<Vec<f32>, String>>,
    device: &Device,
) -> Vec<Prediction> {
    let readable: Vec<f32> = pictures.iter().flatten().flatten().copied().collect();
    let count = pictures.iter().flatten().count();
    let (logits, embeddings) = match count {
        0 => Default::default(),
        _ => {
            let side = &model.facts.preprocessing;
            let shape = [count, side.height as usize, side.width as usize, 3];
            let pixels = Tensor::from_data(TensorData::new(readable, shape), device);
            let (logits, embeddings) = model.logits_and_embedding(pixels);
            (to_vec(logits), to_vec(embeddings))
        }
    };
    let width = (embeddings.len() / count.max(1)).max(1);
    let mut rows = logits.chunks(model.facts.classes.len()).zip(embeddings.chunks(width));
    let one = |(path, picture): (String, std::result::Result<Vec<f32>, String>)| match picture {
        Err(reason) => Prediction {
            path,
            classes: Vec::new(),
            temperature: None,
            doubt: None,
            error: Some(reason),
        },
        Ok(_) => {
            let (logits, embedding) = rows.next().unwrap_or_default();
            judged(model, judge, path, logits, embedding)
        }
    };
    names.zip(pictures).map(one).collect()
}

fn judged(model: &Model, judge: &Judge, path: String, logits: &[f32], embedding: &[f32]) -> Prediction {
    let temperature = judge.temperature();
    let probabilities = softmax(logits, temperature.unwrap_or(1.0));
    let mut classes: Vec<_> = model
        .facts
        .classes
        .iter()
        .cloned()
        .zip(probabilities.into_iter().map(|p| p as f32))
        .collect();
    classes.sort_by(|a, b| b.1.total_cmp(&a.1));
    let confidence = classes.first().map_or(0.0, |(_, probability)| f64::from(*probability));
    Prediction {
        path,
        doubt: judge.doubt(confidence, embedding),
        classes,
        temperature,
        error: None,
    }
}

/// Writes `path,class,probability,error` and the probability of every class to a CSV file, one line a picture.
///
/// # Errors
/// A full disk or a folder that cannot be written.
pub fn write_csv(path: &Path, model: &Model, predictions: &[Prediction]) -> Result<()> {
    let failed = |failure: csv::Error| Error::io(path)(failure.into());
    let classes = &model.facts.classes;
    let mut writer = csv::Writer::from_writer(Vec::new());
    let head = ["path", "class", "probability", "error"].map(String::from);
    let named = classes.iter().map(|class| format!("probability of {class}"));
    writer.write_record(head.into_iter().chain(named)).map_err(failed)?;
    for prediction in predictions {
        let probability = |class: &String| {
            prediction
                .classes
                .iter()
                .find(|(name, _)| name == class)
                .map(|(_, p)| p)
        };
        let text = |probability: Option<&f32>| probability.map_or(String::new(), |p| p.to_string());
        let first = prediction.classes.first();
        let row = [
            prediction.path.clone(),
            prediction.answer().unwrap_or_default().to_string(),
            text(first.map(|(_, probability)| probability)),
            prediction.error.clone().unwrap_or_default(),
        ];
        writer
            .write_record(
                row.into_iter()
                    .chain(classes.iter().map(|class| text(probability(class)))),
            )
            .map_err(failed)?;
    }
    atomic::write(
        path,
        &writer
            .into_inner()
            .map_err(|failure| failed(failure.into_error().into()))?,
    )
}
