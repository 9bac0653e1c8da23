//! `pelage organize`.

use std::path::PathBuf;

use clap::Args;
use pelage::data::catalog::Columns;
use pelage::data::organize::{self, Link, Options, Report};

use crate::failure::{Outcome, json};
use crate::options::one_of;
use crate::progress::Task;
use crate::table::{count, left_out, some, table, thousands};

/// Sort pictures into DATA/train/CLASS and DATA/validation/CLASS
///
/// Labels come from folder names (PetImages/Cat/1.jpg), from file names (cat.0.jpg), or from a CSV. The split is
/// stratified and seeded; byte-identical pictures stay on one side. SOURCE is never changed. If the command is killed,
/// repeat it: it resumes where it was.
#[derive(Args)]
pub(super) struct Arguments {
    /// A folder, or a .zip (which may hold further zips)
    source: PathBuf,
    /// The folder to create
    #[arg(long, value_name = "DATA")]
    out: PathBuf,
    /// Share of each class for validation
    #[arg(long, default_value_t = 0.2)]
    ratio: f64,
    /// Maximum number of pictures in all, with the classes' shares kept
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
    /// Seed of the choice of validation pictures
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Rename a class; may be repeated, and two classes may become one
    #[arg(long, value_name = "CLASS=NAME", value_parser = rename)]
    rename: Vec<(String, String)>,
    /// How to place the pictures
    #[arg(long, default_value = "copy", value_parser = one_of::<Link>(Link::NAMES.iter().copied()))]
    link: Link,
    /// A CSV of paths (in SOURCE, relative to the CSV, or absolute), labels, and train, validation or test if it says
    /// so; columns go by their names (filename, class, split, ...), without a heading by position
    #[arg(long, value_name = "CSV")]
    labels: Option<PathBuf>,
    /// The column of paths, where its name does not tell
    #[arg(long, value_name = "NAME", requires = "labels")]
    path_column: Option<String>,
    /// The column of labels, where its name does not tell
    #[arg(long, value_name = "NAME", requires = "labels")]
    label_column: Option<String>,
    /// The column that says train, validation or test, where its name does not tell
    #[arg(long, value_name = "NAME", requires = "labels")]
    split_column: Option<String>,
    /// Replace the result of an earlier organize in DATA
    #[arg(long)]
    force: bool,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: Arguments) -> Outcome {
    let task = Task::new();
    let options = Options {
        source: arguments.source,
        out: arguments.out,
        ratio: arguments.ratio,
        limit: arguments.limit,
        seed: arguments.seed,
        rename: arguments.rename,
        link: arguments.link,
        labels: arguments.labels,
        columns: Columns {
            path: arguments.path_column,
            label: arguments.label_column,
            split: arguments.split_column,
        },
        force: arguments.force,
    };
    let report = organize::organize(&options, &|progress| task.show(progress));
    task.finish();
    let report = report?;
    if arguments.json {
        json(&report)
    } else {
        Ok(described(&report))
    }
}

fn rename(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((from, to)) if !from.is_empty() && !to.is_empty() => Ok((from.to_string(), to.to_string())),
        _ => Err("expected CLASS=NAME, such as cat=cats".into()),
    }
}

/// The report as text.
pub(super) fn described(report: &Report) -> String {
    let row = |name: &str, train: usize, validation: usize| {
        let cells = [train, validation, train + validation].map(|number| thousands(number as u64));
        [vec![name.to_string()], cells.to_vec()].concat()
    };
    let mut rows: Vec<_> = report
        .classes
        .iter()
        .map(|class| row(&class.name, class.train, class.validation))
        .collect();
    let sum = |part: &dyn Fn(&organize::ClassCount) -> usize| report.classes.iter().map(part).sum();
    rows.push(row("all", sum(&|class| class.train), sum(&|class| class.validation)));
    let mut text = table(&["class", "train", "validation", "all"], 1..4, rows.into_iter());
    text += &format!("{} in {}", count(report.written, "picture"), report.out.display());
    match report.already_there {
        0 => text += "\n",
        there => text += &format!(", {} there already\n", thousands(there as u64)),
    }
    if report.split_given {
        text += "train and validation as the labels say\n";
    }
    if !report.unreadable.is_empty() {
        let unreadable = report.unreadable.iter();
        let lines = unreadable.map(|one| format!("{}: {}", one.path, one.reason));
        text += &format!("{} left out:\n", count(report.unreadable.len(), "unreadable picture"));
        text += &some(lines, 20);
    }
    text + &left_out(&report.left_out)
}
