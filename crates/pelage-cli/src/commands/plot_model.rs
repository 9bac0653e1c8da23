//! `pelage plot-model`.

use std::path::PathBuf;

use clap::Args;
use pelage::draw::network;

use super::figure::Replacing;
use super::named::{Found, Named};
use crate::failure::Outcome;
use crate::terminal::{answer, quoted};

/// Draw a network: layers, shapes, parameters
///
/// Repeated blocks are drawn once, with their count.
#[derive(Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    model: Named,
    /// The picture to write; its name ends in .svg or .png
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    #[command(flatten)]
    replacing: Replacing,
}

pub(super) fn run(arguments: &Arguments) -> Outcome {
    let figure = arguments.replacing.figure(&arguments.out)?;
    let Found {
        architecture,
        graph,
        size,
        ..
    } = arguments.model.find()?;
    let written = figure.write(network::svg(architecture.name(), &graph, size))?;
    Ok(answer(&written, |written| format!("{}\n", quoted(&written.file)))?)
}
