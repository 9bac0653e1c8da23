//! `pelage quantize`.

use std::path::{Path, PathBuf};

use clap::Args;
use pelage::data::output::Format;
use pelage::model::paths;
use pelage::quantize::{self, Cost};
use pelage::runs::images::Labelled;
use serde::Serialize;

use super::compute::Caching;
use super::written::output;
use crate::failure::Outcome;
use crate::options::LABEL_LEVEL;
use crate::progress::Task;
use crate::table::{count, fixed, table, thousands};
use crate::terminal::{answer, quoted};

/// Make a model four times smaller and faster: its weights and maps in bytes (int8)
///
/// Weights get a scale for each output channel, and what is computed between them a range, learnt from some of the
/// training pictures. Then both models classify the validation pictures, from which nothing was learnt here: what it
/// costs in accuracy is printed, and how often both say the same. The model itself stays as it is. `predict`, `serve`,
/// `evaluate`, `compare` and `submit` take the file like any other, and `predict` and `serve` find it beside the run
/// by `--precision int8`; training, explaining and exporting need the model that it was made of.
#[derive(Args)]
pub(super) struct Arguments {
    /// A run folder or a model file
    run: PathBuf,
    /// Pictures with a training and a validation part [default: those that the model was trained on]
    #[arg(long, value_name = "DATA")]
    calibrate: Option<PathBuf>,
    #[arg(long, value_name = "N", requires = "calibrate", help = LABEL_LEVEL)]
    label_level: Option<usize>,
    /// Training pictures that the ranges are learnt from
    #[arg(long, value_name = "N", default_value_t = quantize::IMAGES)]
    images: usize,
    /// The file to write [default: int8.safetensors in the run folder, NAME.int8.safetensors beside a file]
    #[arg(long, value_name = "FILE.safetensors")]
    out: Option<PathBuf>,
    /// Replace a file that is no quantized model
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    caching: Caching,
}

/// What was written, and what it costs.
#[derive(Serialize)]
struct Made<'a> {
    file: &'a Path,
    #[serde(flatten)]
    cost: Cost,
}

pub(super) fn run(arguments: &Arguments) -> Outcome {
    let out = arguments
        .out
        .clone()
        .unwrap_or_else(|| paths::quantized(&arguments.run));
    let out = output(&out, Format::Quantized, arguments.force)?;
    let (task, compute) = (Task::new(), arguments.caching.compute());
    let level = arguments.label_level;
    let data = arguments.calibrate.as_deref().map(|path| Labelled { path, level });
    let show = |progress| task.show(progress);
    let made = quantize::quantize(&arguments.run, data, arguments.images, &compute, &show);
    task.finish();
    let made = made?;
    out.write(&made.file)?;
    if out.is_standard() {
        return Ok(String::new());
    }
    let (file, cost) = (out.path(), made.cost);
    Ok(answer(&Made { file, cost }, described)?)
}

fn described(made: &Made) -> String {
    let cost = &made.cost;
    let row = |name: &str, figures: &quantize::Figures| {
        vec![
            name.to_string(),
            format!("{:.2} MB", figures.file_bytes as f64 / 1e6),
            format!("{:.2} %", 100.0 * figures.accuracy),
            fixed(figures.log_loss, 4),
        ]
    };
    let head = ["model", "file", "accuracy", "log loss"];
    let rows = [row("f32", &cost.f32), row("int8", &cost.int8)];
    let points = 100.0 * (cost.f32.accuracy - cost.int8.accuracy);
    let change = match points.partial_cmp(&0.0) {
        Some(std::cmp::Ordering::Greater) => format!("{points:.2} points of accuracy lost"),
        Some(std::cmp::Ordering::Less) => format!("no accuracy lost ({:.2} points more)", -points),
        _ => "no accuracy lost".into(),
    };
    let known = match cost.trained_on {
        None => {
            "note: it is not recorded whether the model was trained on these; the figures may flatter both\n".into()
        }
        Some(0) => String::new(),
        Some(some) => format!("note: the model was trained on {} of these\n", thousands(some as u64)),
    };
    format!(
        "{}{change}; both say the same of {:.2} %, probabilities differ by {:.4} at most ({})\n{known}ranges from {}\n\
         wrote {}\n",
        table(&head, 1..4, rows.into_iter()),
        100.0 * cost.agreement,
        cost.largest_difference,
        count(cost.images, "validation picture"),
        count(cost.calibrated_on, "training picture"),
        quoted(made.file)
    )
}
