//! `pelage summary`.

use std::path::Path;

use clap::Args;
use pelage::bundle;
use pelage::model::summary::{self, Layer};
use pelage::model::{Architecture, catalog};
use serde::Serialize;

use crate::failure::{Failure, Outcome, json};
use crate::table::{table, thousands};

/// The layers of a network: output shapes, parameters, multiply-adds
#[derive(Args)]
pub(super) struct Arguments {
    /// A run folder, a model file, or the name of an architecture
    model: String,
    /// Side of the input in pixels, for an architecture's name [default: what it is meant for]
    #[arg(long, value_name = "PX")]
    image_size: Option<usize>,
    /// Number of classes, for an architecture's name [default: 2 for cnn3, else ImageNet's 1000]
    #[arg(long, value_name = "N")]
    classes: Option<usize>,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Summary {
    architecture: &'static str,
    input: [usize; 3],
    classes: Vec<String>,
    layers: Vec<Layer>,
    parameters: u64,
    multiply_adds: u64,
}

pub(super) fn run(arguments: &Arguments) -> Outcome {
    let (architecture, graph, size, classes) = match arguments.model.parse::<Architecture>() {
        Ok(architecture) => {
            let smallest = architecture.smallest_size();
            let side = arguments
                .image_size
                .unwrap_or(catalog::input_size(architecture) as usize);
            let usual = if architecture == Architecture::Cnn3 { 2 } else { 1000 };
            let classes = arguments.classes.unwrap_or(usual);
            if !(smallest..=4096).contains(&side) || classes < 2 {
                let name = architecture.name();
                return Err(Failure::Usage(format!(
                    "{name} takes {smallest} to 4096 pixels and 2 or more classes"
                )));
            }
            let names = (0..classes).map(|i| i.to_string()).collect();
            (architecture, architecture.graph([side; 2], classes), [side; 2], names)
        }
        Err(unknown) if !Path::new(&arguments.model).exists() => {
            return Err(Failure::Usage(format!(
                "there is no file or folder of that name, and {unknown}"
            )));
        }
        Err(_) => {
            let facts = bundle::load(Path::new(&arguments.model), &pelage::device::open("cpu")?)?.facts;
            let (graph, side) = (facts.graph(), facts.preprocessing);
            let size = [side.height as usize, side.width as usize];
            (facts.architecture, graph, size, facts.classes)
        }
    };
    let layers = summary::of(&graph, size);
    let summary = Summary {
        architecture: architecture.name(),
        input: [size[0], size[1], 3],
        parameters: layers.iter().map(|layer| layer.parameters).sum(),
        multiply_adds: layers.iter().map(|layer| layer.multiply_adds).sum(),
        classes,
        layers,
    };
    if arguments.json {
        json(&summary)
    } else {
        Ok(described(&summary))
    }
}

fn described(summary: &Summary) -> String {
    let shape = |shape: &[usize]| shape.iter().map(usize::to_string).collect::<Vec<_>>().join(" x ");
    let rows = summary.layers.iter().map(|layer| {
        let numbers = [layer.parameters, layer.multiply_adds].map(thousands);
        [
            vec![layer.name.clone(), layer.kind.clone(), shape(&layer.output_shape)],
            numbers.to_vec(),
        ]
        .concat()
    });
    let head = ["layer", "what", "output", "parameters", "multiply-adds"];
    format!(
        "{}, input {}\n{}{} parameters, {} multiply-adds a picture\n",
        summary.architecture,
        shape(&summary.input),
        table(&head, 2..5, rows),
        thousands(summary.parameters),
        thousands(summary.multiply_adds)
    )
}
