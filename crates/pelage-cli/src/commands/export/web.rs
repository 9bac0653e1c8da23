//! `pelage export web`.

use std::path::{Path, PathBuf};

use clap::Args;
use pelage::export::web;
use pelage::model::tensors::Precision;
use serde::Serialize;

use crate::failure::Outcome;
use crate::options::{new_folder, one_of};
use crate::table::megabytes;
use crate::terminal::{answer, quoted};

/// Write a web site on which the model runs in the browser
///
/// Files alone, for any web server, also in a folder of one. It looks like the page of `pelage serve`. Pictures never
/// leave the device, and once it was loaded it works without a network. What is on it is public: weights, classes, and
/// what the page says about the model. docs/EXPORT.md says what browsers it needs.
#[derive(Args)]
pub(super) struct Arguments {
    /// A run folder or a model file
    run: PathBuf,
    /// The folder to write: new, empty, or a site that this verb wrote
    #[arg(long, value_name = "DIR", value_parser = new_folder())]
    out: PathBuf,
    /// Answer "unknown" below this confidence, 0 to 1, and for pictures unlike all of training; the model must be
    /// calibrated
    #[arg(long, value_name = "CONFIDENCE")]
    reject: Option<f64>,
    /// In which precision weights are written: f32; or f16, half the download, which changes probabilities a little
    /// (docs/EXPORT.md says how much)
    #[arg(long, value_name = "PRECISION", default_value = "f32", hide_possible_values = true,
        value_parser = one_of::<Precision>(Precision::NAMES.iter().copied()))]
    weights: Precision,
}

pub(super) fn run(arguments: &Arguments) -> Outcome {
    // Before the work.
    web::check_folder(&arguments.out)?;
    let files = web::web(&arguments.run, arguments.reject, arguments.weights)?;
    web::write(&arguments.out, &files)?;
    let bytes = |weights: bool| {
        let of = files
            .iter()
            .filter(|(name, _)| name.ends_with(".safetensors") == weights);
        of.map(|(_, content)| content.len()).sum()
    };
    let written = Written {
        folder: &arguments.out,
        files: files.len(),
        bytes: bytes(false),
        weight_bytes: bytes(true),
    };
    Ok(answer(&written, |written| {
        let [bytes, weights] = [written.bytes, written.weight_bytes].map(|bytes| megabytes(bytes as u64));
        format!(
            "{}: {} files, {bytes} and {weights} of weights\nlook at it: python3 -m http.server --directory {}\n",
            quoted(written.folder),
            written.files,
            quoted(written.folder)
        )
    })?)
}

/// What was written.
#[derive(Serialize)]
struct Written<'a> {
    folder: &'a Path,
    files: usize,
    bytes: usize,
    weight_bytes: usize,
}
