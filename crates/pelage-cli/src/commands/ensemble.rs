//! `pelage ensemble`.

use std::path::PathBuf;

use clap::Args;
use pelage::data::output::Format;
use pelage::ensemble::{self, Report};

use super::compute::Caching;
use super::written::output;
use crate::failure::{Failure, Outcome};
use crate::progress::Task;
use crate::table::{count, fixed, table};
use crate::terminal::{answer, quoted};

/// Make one model of several: the mean of their calibrated probabilities
///
/// All are of the same classes, in any order, and were validated on the same pictures. The weights of the mean are
/// those with the lowest log loss on these validation pictures, so what is told of them flatters a little; no test part
/// is looked at. The result is a model file like any other to predict, evaluate, submit and serve.
#[derive(Args)]
pub(super) struct Arguments {
    /// Run folders or model files
    #[arg(required = true, num_args = 2.., value_name = "RUN")]
    runs: Vec<PathBuf>,
    /// Where the pictures that they were validated on lie now [default: where they were]
    #[arg(long)]
    data: Option<PathBuf>,
    /// The model file to write
    #[arg(long, value_name = "FILE.safetensors")]
    out: PathBuf,
    /// Replace a file that is no model
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    caching: Caching,
}

pub(super) fn run(arguments: &Arguments) -> Outcome {
    let out = output(&arguments.out, Format::Model, arguments.force)?;
    let (task, compute) = (Task::new(), arguments.caching.compute());
    let (runs, data) = (&arguments.runs, arguments.data.as_deref());
    let made = ensemble::ensemble(runs, data, &compute, &|progress| task.show(progress));
    task.finish();
    let (model, report) = made?;
    let bytes = model.encode().map_err(Failure::failed)?;
    out.write(&bytes)?;
    if out.is_standard() {
        return Ok(String::new());
    }
    Ok(answer(&report, |report| described(report, &arguments.out))?)
}

fn described(report: &Report, out: &std::path::Path) -> String {
    let percent = |share: f64| format!("{:.2} %", 100.0 * share);
    let rows = report.members.iter().map(|part| {
        vec![
            quoted(&part.run),
            part.architecture.clone(),
            fixed(part.weight, 3),
            fixed(part.temperature, 3),
            fixed(part.log_loss, 4),
            percent(part.accuracy),
        ]
    });
    let whole = vec![
        "ensemble".into(),
        String::new(),
        String::new(),
        String::new(),
        fixed(report.log_loss, 4),
        percent(report.accuracy),
    ];
    let head = ["model", "networks", "weight", "temperature", "log loss", "accuracy"];
    let out = quoted(out);
    format!(
        "{}on the {} that the weights were fitted on; evaluate it on others for a figure that does not flatter\n{out}: \
         `pelage evaluate {out} DATA`, `pelage predict {out} PICTURE`\n",
        table(&head, 2..6, rows.chain([whole])),
        count(report.images, "validation picture"),
    )
}
