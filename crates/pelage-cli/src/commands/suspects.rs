//! `pelage suspects`.

use std::path::PathBuf;

use clap::Args;
use pelage::data::output::Format;
use pelage::suspects::{self, JudgedBy, Suspects};
use serde::Serialize;

use super::compute::Caching;
use super::written::output;
use crate::failure::{Failure, Outcome};
use crate::progress::Task;
use crate::table::{count, fixed, table};
use crate::terminal::{answer, quoted, tell};

/// Find pictures that seem to have a wrong label
///
/// Confident learning (Northcutt et al. 2021): every picture of a run, of training and of validation, is judged by a
/// classifier that was fitted without it. Those that are firmly called something else are written as a table and shown
/// on a page, the likeliest first. Look at them: some are only unusual. `pelage train --drop-suspects FILE.csv` trains
/// without those that are left in the table.
#[derive(Args)]
pub(super) struct Arguments {
    /// A run folder or a model file; one on a frozen backbone judges best, since that knows none of the labels
    run: PathBuf,
    /// Where the pictures that it was trained on lie now [default: where they were]
    data: Option<PathBuf>,
    /// The table to write, or - for standard output
    #[arg(long, value_name = "FILE", default_value = "suspects.csv")]
    csv: PathBuf,
    /// The page to write
    #[arg(long, value_name = "FILE", default_value = "suspects.html")]
    page: PathBuf,
    /// Replace an earlier table, which may have been edited, or a page that is none of these
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    caching: Caching,
}

#[derive(Serialize)]
struct Document<'a> {
    pictures: usize,
    /// Pictures of the run that are gone, or others by now.
    gone: usize,
    judged_by: JudgedBy,
    suspects: &'a [suspects::Suspect],
}

pub(super) fn run(arguments: &Arguments) -> Outcome {
    let csv = output(&arguments.csv, Format::Edited, arguments.force)?;
    let page = output(&arguments.page, Format::Html, arguments.force)?;
    if csv.is_standard() && page.is_standard() {
        let told = "both the table and the page would go to standard output";
        return Err(Failure::usage(told).help("name a file for one of them"));
    }
    let (task, compute) = (Task::new(), arguments.caching.compute());
    let found = suspects::find(&arguments.run, arguments.data.as_deref(), &compute, &|progress| {
        task.show(progress)
    });
    task.finish();
    let found = found?;
    page.write(suspects::html(&found, &arguments.run.display().to_string()).as_bytes())?;
    csv.write(&found.csv()?)?;
    if csv.is_standard() || page.is_standard() {
        tell(described(&found, arguments));
        return Ok(String::new());
    }
    let document = Document {
        pictures: found.images,
        gone: found.gone,
        judged_by: found.judged_by,
        suspects: &found.suspects,
    };
    Ok(answer(&document, |_| described(&found, arguments))?)
}

fn described(found: &Suspects, arguments: &Arguments) -> String {
    let first = found.suspects.iter().take(10).map(|one| {
        vec![
            one.rank.to_string(),
            one.path.clone(),
            one.class.clone(),
            one.suggested.clone(),
            fixed(one.probability, 4),
        ]
    });
    let head = ["rank", "picture", "label", "seems", "probability of its label"];
    let judged = match found.judged_by {
        JudgedBy::Backbone => "",
        JudgedBy::Network => {
            "the network was trained on these labels, and may have learnt wrong ones by heart; a run with --backbone \
             judges better\n"
        }
    };
    let shown = match found.suspects.is_empty() {
        true => String::new(),
        false => table(&head, 0..1, first),
    };
    let (csv, page) = (quoted(&arguments.csv), quoted(&arguments.page));
    let then = match found.suspects.iter().any(|one| one.set == "train") {
        true => format!("remove from the table what is right, then `pelage train --drop-suspects {csv}`"),
        false => "none of them was trained on".to_string(),
    };
    format!(
        "{} of {} may have a wrong label\n{shown}{judged}{csv} and {page} have all of them; {then}\n",
        found.suspects.len(),
        count(found.images, "picture"),
    )
}
