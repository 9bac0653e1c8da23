//! `pelage plot-model`.

use std::path::PathBuf;

use clap::Args;
use pelage::atomic;
use pelage::draw::network;
use pelage::draw::png::svg_to_png;

use super::named::{Found, Named};
use crate::failure::{Failure, Outcome};

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
}

pub(super) fn run(arguments: &Arguments) -> Outcome {
    let out = &arguments.out;
    let ending = out.extension().unwrap_or_default().to_ascii_lowercase();
    if ending != "svg" && ending != "png" {
        return Err(Failure::Usage(format!(
            "--out {}: it must end in .svg or .png",
            out.display()
        )));
    }
    let Found {
        architecture,
        graph,
        size,
        ..
    } = arguments.model.find()?;
    let svg = network::svg(architecture.name(), &graph, size);
    let bytes = match ending == "svg" {
        true => svg.into_bytes(),
        // Twice as large, for print and for high-density screens.
        false => {
            svg_to_png(&svg, 2.0).map_err(|reason| Failure::Failed(format!("cannot draw the network: {reason}")))?
        }
    };
    atomic::write(out, &bytes)?;
    Ok(format!("{}\n", out.display()))
}
