//! `pelage summary`.

use clap::Args;
use pelage::model::networks::summary::{self, Layer};
use pelage::model::precision::Precision;
use serde::Serialize;

use super::named::{Found, Named};
use crate::failure::Outcome;
use crate::table::{table_folding, thousands};
use crate::terminal::answer;

/// The layers of a network: output shapes, parameters, multiply-adds
#[derive(Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    model: Named,
}

#[derive(Serialize)]
struct Summary {
    architecture: &'static str,
    precision: Precision,
    input: [usize; 3],
    classes: Vec<String>,
    layers: Vec<Layer>,
    parameters: u64,
    multiply_adds: u64,
}

pub(super) fn run(arguments: &Arguments) -> Outcome {
    let Found {
        architecture,
        graph,
        size,
        classes,
        precision,
    } = arguments.model.find()?;
    let layers = summary::of(&graph, size);
    let summary = Summary {
        architecture: architecture.name(),
        precision,
        input: [size[0], size[1], 3],
        parameters: layers.iter().map(|layer| layer.parameters).sum(),
        multiply_adds: layers.iter().map(|layer| layer.multiply_adds).sum(),
        classes,
        layers,
    };
    Ok(answer(&summary, described)?)
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
        "{}{}, input {}\n{}{} parameters, {} multiply-adds per picture\n",
        summary.architecture,
        match summary.precision {
            Precision::F32 => "",
            Precision::Int8 => ", quantized (int8)",
            Precision::Bf16 => ", in bf16",
        },
        shape(&summary.input),
        table_folding(1, &head, 2..5, rows),
        thousands(summary.parameters),
        thousands(summary.multiply_adds)
    )
}
