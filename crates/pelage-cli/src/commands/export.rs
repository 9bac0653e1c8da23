//! `pelage export`.

mod web;

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use pelage::Model;
use pelage::data::output::Format;
use pelage::export::{self, Input};
use pelage::model::weights::Layout;
use serde::Serialize;

use super::written::output;
use crate::failure::Outcome;
use crate::options::one_of;
use crate::table::megabytes;
use crate::terminal::{answer, quoted};

/// Write a model for other programs
#[derive(Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    Onnx(Onnx),
    Safetensors(Safetensors),
    Web(web::Arguments),
}

/// Write a model as ONNX, for ONNX Runtime, OpenCV and others
///
/// Normalization and calibration are inside, class names and preprocessing in the metadata. docs/EXPORT.md has
/// examples for Python, C++, C# and JavaScript.
#[derive(Args)]
struct Onnx {
    /// A run folder or a model file
    run: PathBuf,
    /// The file to write, or - for standard output
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// What the file takes: tensor, pictures at the network's size, RGB, values 0 to 1, channels first; or pixels,
    /// pictures of any size as bytes, RGB, channels last, which the file resizes itself
    #[arg(long, value_name = "INPUT", default_value = "tensor", hide_possible_values = true,
        value_parser = one_of::<Input>(Input::NAMES.iter().copied()))]
    input: Input,
    /// Give logits
    #[arg(long, conflicts_with = "probabilities")]
    logits: bool,
    /// Give probabilities, calibrated if the model is; the default
    #[arg(long)]
    probabilities: bool,
    /// Let --out replace a file that is no ONNX network
    #[arg(long)]
    force: bool,
}

/// Write the weights for PyTorch, under torchvision's or timm's names
///
/// For networks that these have, with a linear head. Calibration is folded into the last layer; normalization is not
/// inside, and stands in the metadata. docs/EXPORT.md shows how to load the file.
#[derive(Args)]
struct Safetensors {
    /// A run folder or a model file
    run: PathBuf,
    /// The file to write, or - for standard output
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Whose names: torchvision or timm; by default the first that has the network
    #[arg(long, value_name = "PROJECT", hide_possible_values = true, value_parser = ["torchvision", "timm"])]
    names: Option<String>,
    /// Let --out replace a file that holds no exported weights
    #[arg(long)]
    force: bool,
}

pub(super) fn run(arguments: &Arguments) -> Outcome {
    match &arguments.verb {
        Verb::Onnx(arguments) => onnx(arguments),
        Verb::Safetensors(arguments) => safetensors(arguments),
        Verb::Web(arguments) => web::run(arguments),
    }
}

fn safetensors(arguments: &Safetensors) -> Outcome {
    let out = output(&arguments.out, Format::Weights, arguments.force)?;
    let model = Model::open(&arguments.run)?;
    let architecture = model.facts.architecture;
    let layout = match arguments.names.as_deref() {
        Some("timm") => Layout::Timm,
        None if !Layout::Torchvision.knows(architecture) => Layout::Timm,
        _ => Layout::Torchvision,
    };
    let bytes = export::safetensors(&arguments.run, layout)?;
    out.write(&bytes)?;
    if out.is_standard() {
        return Ok(String::new());
    }
    let renamed = Renamed {
        file: out.path(),
        bytes: bytes.len(),
        names: layout.project(),
        network: layout.network(architecture),
        classes: &model.facts.classes,
        mirrored: model.facts.flip,
    };
    Ok(answer(&renamed, |renamed| {
        let size = megabytes(renamed.bytes as u64);
        let missing = match renamed.mirrored {
            true => "not in it: the mean with mirror images, which this model takes\n",
            false => "",
        };
        format!(
            "{}: {size}\n{} as {} names it, {} classes\n{missing}",
            quoted(renamed.file),
            renamed.network,
            renamed.names,
            renamed.classes.len()
        )
    })?)
}

/// What was written of the weights alone.
#[derive(Serialize)]
struct Renamed<'a> {
    file: &'a Path,
    bytes: usize,
    names: &'static str,
    network: String,
    classes: &'a [String],
    mirrored: bool,
}

fn onnx(arguments: &Onnx) -> Outcome {
    let out = output(&arguments.out, Format::Onnx, arguments.force)?;
    let model = Model::open(&arguments.run)?;
    let gives = match arguments.logits {
        true => export::Output::Logits,
        false => export::Output::Probabilities,
    };
    let bytes = export::onnx(&model, arguments.input, gives)?;
    out.write(&bytes)?;
    if out.is_standard() {
        return Ok(String::new());
    }
    let [height, width] = [model.facts.preprocessing.height, model.facts.preprocessing.width];
    let exported = Exported {
        file: out.path(),
        bytes: bytes.len(),
        takes: match arguments.input {
            Input::Tensor => format!("images: f32, 0 to 1, RGB, [batch, 3, {height}, {width}]"),
            Input::Pixels => "pixels: u8, RGB, [batch, rows, columns, 3]".into(),
        },
        gives: format!("{}: f32, [batch, {}]", gives.name(), model.facts.classes.len()),
        classes: &model.facts.classes,
    };
    Ok(answer(&exported, described)?)
}

/// What was written.
#[derive(Serialize)]
struct Exported<'a> {
    file: &'a Path,
    bytes: usize,
    takes: String,
    gives: String,
    classes: &'a [String],
}

fn described(exported: &Exported) -> String {
    let Exported {
        file,
        bytes,
        takes,
        gives,
        ..
    } = exported;
    let size = megabytes(*bytes as u64);
    format!("{}: {size}\ntakes {takes}\ngives {gives}\n", quoted(file))
}
