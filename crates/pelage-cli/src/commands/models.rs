//! `pelage models`.

use clap::Args;
use pelage::Architecture;
use pelage::data::preprocess::{Fit, Preprocessing, ResizeFilter};
use pelage::zoo::published::{self, Entry};
use pelage::zoo::store::{Kept, Store};
use serde::Serialize;

use crate::failure::Outcome;
use crate::table::{table_without, thousands};
use crate::terminal::{answer, quoted};

/// The supported networks, their published weights, and which of these are kept here
#[derive(Args)]
pub(super) struct Arguments {}

#[derive(Serialize)]
struct Model {
    name: &'static str,
    paper: &'static str,
    input_size: usize,
    parameters: u64,
    multiply_adds: u64,
    weights: Vec<Weights>,
    kept: Option<Kept>,
}

#[derive(Serialize)]
struct Weights {
    #[serde(flatten)]
    published: published::Weights,
    preprocessing: Preprocessing,
}

pub(super) fn run() -> Outcome {
    let mut kept = Store::default().list()?;
    let models = Architecture::ALL.map(|architecture| {
        let Entry {
            paper,
            input_size,
            parameters,
            multiply_adds,
            weights,
            ..
        } = published::entry(architecture);
        let weights = weights.into_iter().map(|published| Weights {
            preprocessing: published.layout.preprocessing(architecture),
            published,
        });
        let here = kept.iter().position(|kept| kept.architecture == architecture);
        Model {
            name: architecture.name(),
            paper,
            input_size,
            parameters,
            multiply_adds,
            weights: weights.collect(),
            kept: here.map(|index| kept.swap_remove(index)),
        }
    });
    Ok(answer(&models, |models| networks(models) + &published(models))?)
}

impl Model {
    /// The published weights that are kept; where none are, those that are fetched unless another file is named.
    fn used(&self) -> Option<&Weights> {
        let named = |name: &str| self.weights.iter().find(|weights| weights.published.file == name);
        match &self.kept {
            // Of a file of another name the accuracy is not known.
            Some(kept) => named(&kept.path.file_name()?.to_string_lossy()),
            None => self.weights.iter().find(|weights| self.is_fetched(weights)),
        }
    }

    /// Whether these are what is fetched unless another file is named.
    fn is_fetched(&self, weights: &Weights) -> bool {
        let fetched = self.weights.iter().find(|weights| weights.published.is_download());
        fetched.is_some_and(|fetched| fetched.published.file == weights.published.file)
    }
}

fn networks(models: &[Model]) -> String {
    let rows = models.iter().map(|model| {
        let used = model.used();
        vec![
            model.name.to_string(),
            format!("{0} x {0}", model.input_size),
            thousands(model.parameters),
            thousands(model.multiply_adds),
            used.map_or(String::new(), |weights| format!("{:.1} %", weights.published.top1)),
            used.map_or("", |weights| weights.published.licence).to_string(),
            if model.kept.is_some() { "kept" } else { "" }.to_string(),
        ]
    });
    let head = [
        "model",
        "input",
        "parameters",
        "multiply-adds",
        "ImageNet",
        "licence",
        "weights",
    ];
    // What is left out stands below, with each file.
    table_without(&["licence", "input", "weights", "multiply-adds"], &head, 1..5, rows)
}

/// Four lines per file: an address must not be broken.
fn published(models: &[Model]) -> String {
    let mut text = "\nPublished weights: file, accuracy (top-1, ImageNet-1k), licence, source, input\n".to_string();
    for model in models {
        for weights in &model.weights {
            let published = &weights.published;
            let got = match (model.is_fetched(weights), published.is_download()) {
                (true, _) => format!("by `pelage weights fetch {}`", model.name),
                (false, true) => format!("by `pelage weights fetch {} --file {}`", model.name, published.file),
                (false, false) => format!("by `pelage weights add FILE --model {}`", model.name),
            };
            text += &format!(
                "\n{}: {}, {:.1} %, {}\n  {}\n  {}\n  {got}\n",
                model.name,
                published.file,
                published.top1,
                published.licence,
                published.source,
                described(&weights.preprocessing)
            );
        }
        if let Some(kept) = &model.kept {
            text += &format!("\n{}: kept here as {}\n", model.name, quoted(&kept.path));
        }
    }
    text + "\nThe table tells of the weights that are kept, else of those that `fetch` brings.\n"
}

/// The preprocessing in one line.
fn described(preprocessing: &Preprocessing) -> String {
    let Preprocessing {
        width,
        height,
        filter,
        fit,
        mean,
        std,
    } = preprocessing;
    let fit = match fit {
        Fit::Squash => "whole picture",
        Fit::Crop => "middle part",
    };
    let filter = match filter {
        ResizeFilter::Nearest => "nearest",
        ResizeFilter::Bilinear => "bilinear",
        ResizeFilter::Bicubic => "bicubic",
        ResizeFilter::Lanczos3 => "Lanczos",
    };
    let numbers = |values: &[f32; 3]| values.map(|value| format!("{value:.3}")).join(" ");
    format!(
        "{fit}, {filter} to {width} x {height}, mean {}, deviation {}",
        numbers(mean),
        numbers(std)
    )
}
