//! `pelage models`.

use clap::Args;
use pelage::Architecture;
use pelage::data::preprocess::{Fit, Preprocessing, ResizeFilter};
use pelage::zoo::published::{self, Entry};
use pelage::zoo::store::{Kept, Store};
use serde::Serialize;

use crate::failure::{Outcome, json};
use crate::table::{table, thousands};

/// The supported networks, their published weights, and which of these are kept here
#[derive(Args)]
pub(super) struct Arguments {
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

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

pub(super) fn run(arguments: &Arguments) -> Outcome {
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
    if arguments.json {
        return json(&models);
    }
    Ok(networks(&models) + &published(&models))
}

fn networks(models: &[Model]) -> String {
    let rows = models.iter().map(|model| {
        let best = model
            .weights
            .iter()
            .map(|weights| weights.published.top1)
            .reduce(f64::max);
        let licence = model.weights.first().map_or("", |weights| weights.published.licence);
        vec![
            model.name.to_string(),
            format!("{0} x {0}", model.input_size),
            thousands(model.parameters),
            thousands(model.multiply_adds),
            best.map_or(String::new(), |top1| format!("{top1:.1} %")),
            licence.to_string(),
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
    table(&head, 1..5, rows)
}

/// Three lines per file: an address must not be broken.
fn published(models: &[Model]) -> String {
    let mut text = "\nPublished weights: file, accuracy (top-1, ImageNet-1k), source, input\n".to_string();
    for model in models {
        for Weights {
            published,
            preprocessing,
        } in &model.weights
        {
            text += &format!(
                "\n{}: {}, {:.1} %\n  {}\n  {}\n",
                model.name,
                published.file,
                published.top1,
                published.source,
                described(preprocessing)
            );
        }
        if let Some(kept) = &model.kept {
            text += &format!("\n{}: kept here as {}\n", model.name, kept.path.display());
        }
    }
    text + "\nGet them by `pelage weights fetch NAME`, or `pelage weights add FILE --model NAME`.\n"
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
