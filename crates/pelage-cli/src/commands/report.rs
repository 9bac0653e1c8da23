//! `pelage report`.

use std::path::PathBuf;

use clap::Args;
use pelage::data::output::Format;
use pelage::report;
use pelage::runs::images::Labelled;

use super::compute::Caching;
use super::written::{self, Written};
use crate::failure::Outcome;
use crate::options::LABEL_LEVEL;
use crate::progress::Task;
use crate::table::megabytes;
use crate::terminal::{answer, quoted};

/// One HTML page about a run: figures, curves, calibration, the pictures it gets wrong
///
/// The page is self-contained and needs no network. It shows the run's settings and curves, confusion matrix, ROC and
/// precision-recall curves, calibration before and after temperature scaling, the effect of thresholds, the largest
/// losses with Grad-CAM, likely label errors, the most and least certain pictures, unreadable files, and pictures on
/// both sides of the split.
#[derive(Args)]
pub(super) struct Arguments {
    /// A run folder or a model file
    run: PathBuf,
    /// An organized folder (its validation part is used, else its test part), or any folder, zip or tar of labelled
    /// pictures [default: what the run was trained on]
    data: Option<PathBuf>,
    #[arg(long, value_name = "N", requires = "data", help = LABEL_LEVEL)]
    label_level: Option<usize>,
    /// The page to write, or - for standard output
    #[arg(long, value_name = "FILE", default_value = "report.html")]
    out: PathBuf,
    /// Replace a file that is no page
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    caching: Caching,
}

pub(super) fn run(arguments: &Arguments) -> Outcome {
    let (task, compute) = (Task::new(), arguments.caching.compute());
    let (level, out) = (arguments.label_level, &arguments.out);
    let data = arguments.data.as_deref().map(|path| Labelled { path, level });
    let output = written::output(out, Format::Html, arguments.force)?;
    let bytes = report::write(&arguments.run, data, &output, &compute, &|progress| task.show(progress));
    task.finish();
    let bytes = bytes?;
    if output.is_standard() {
        return Ok(String::new());
    }
    let written = Written {
        file: out.clone(),
        bytes,
    };
    Ok(answer(&written, |Written { file, bytes }| {
        let size = megabytes(*bytes as u64);
        format!("{} ({size}): open it in a browser\n", quoted(file))
    })?)
}
