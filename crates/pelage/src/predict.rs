//! From pictures to ranked classes, keyed by path: none dropped, none reordered.

use burn::Tensor;
use burn::tensor::{Device, TensorData};
use pelage_data::decode::{self, Limits};
use pelage_data::source::Entry;
use std::path::Path;

use rayon::prelude::*;
use serde::Serialize;

use crate::bundle::Model;
use crate::model::parameters::to_vec;
use crate::{Error, Result, atomic};

/// What the model says about one picture.
#[derive(Clone, Debug, Serialize)]
pub struct Prediction {
    /// The picture, as the user would name it.
    pub path: String,
    /// Class and probability (0 to 1), most likely first; empty where the picture could not be read.
    pub classes: Vec<(String, f32)>,
    /// Why there is no prediction.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// Pictures a forward pass.
const BATCH: usize = 32;

/// Predicts every entry, in the order given; `observe` hears how many are done.
pub fn predict(model: &Model, entries: &[Entry], device: &Device, observe: &mut dyn FnMut(usize)) -> Vec<Prediction> {
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
        predictions.extend(ranked(model, names, pictures, device));
        observe(predictions.len());
    }
    predictions
}

/// Predicts one picture from its bytes.
pub fn predict_bytes(model: &Model, name: &str, bytes: &[u8], device: &Device) -> Prediction {
    let prepared = vec![prepare(model, bytes)];
    let mut predictions = ranked(model, std::iter::once(name.to_string()), prepared, device);
    predictions.remove(0)
}

fn prepare(model: &Model, bytes: &[u8]) -> std::result::Result<Vec<f32>, String> {
    let picture = decode::decode(bytes, &Limits::default())?;
    let preprocessing = &model.facts.preprocessing;
    let pixels = preprocessing.resize(&picture);
    let mut input = vec![0.0; pixels.len()];
    preprocessing.normalize(&pixels, &mut input);
    Ok(input)
}

fn ranked(
    model: &Model,
    names: impl Iterator<Item = String>,
    pictures: Vec<std::result::Result<Vec<f32>, String>>,
    device: &Device,
) -> Vec<Prediction> {
    let classes = &model.facts.classes;
    let readable: Vec<f32> = pictures.iter().flatten().flatten().copied().collect();
    let count = pictures.iter().flatten().count();
    let probabilities = match count {
        0 => Vec::new(),
        _ => {
            let side = &model.facts.preprocessing;
            let shape = [count, side.height as usize, side.width as usize, 3];
            let pixels = Tensor::from_data(TensorData::new(readable, shape), device);
            to_vec(model.probabilities(pixels))
        }
    };
    let mut rows = probabilities.chunks(classes.len());
    let one = |(path, picture): (String, std::result::Result<Vec<f32>, String>)| match picture {
        Err(reason) => Prediction {
            path,
            classes: Vec::new(),
            error: Some(reason),
        },
        Ok(_) => {
            let row = rows.next().unwrap_or_default();
            let mut ranked: Vec<_> = classes.iter().cloned().zip(row.iter().copied()).collect();
            ranked.sort_by(|a, b| b.1.total_cmp(&a.1));
            Prediction {
                path,
                classes: ranked,
                error: None,
            }
        }
    };
    names.zip(pictures).map(one).collect()
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
            first.map_or(String::new(), |(class, _)| class.clone()),
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
