//! `pelage organize`.

use std::path::PathBuf;

use clap::Args;
use pelage::data::catalog::Columns;
use pelage::data::groups::GroupBy;
use pelage::data::organize::{self, ClassCount, Link, Options, Report};

use crate::failure::Outcome;
use crate::options::{new_folder, one_of};
use crate::progress::Task;
use crate::table::{count, left_out, some, table, thousands};
use crate::terminal::{answer, quoted};

/// Sort pictures into DATA/train/CLASS and DATA/validation/CLASS, and DATA/test/CLASS if asked
///
/// Labels come from folder names (PetImages/Cat/1.jpg), from file names (cat.0.jpg), or from a CSV. The split is
/// stratified and seeded; byte-identical pictures stay together, and others by --group-by. SOURCE is never changed. If
/// the command is killed, repeat it: it resumes where it was.
#[derive(Args)]
pub(super) struct Arguments {
    /// A folder, or a .zip or .tar (which may hold further ones), or shards of a data set by their pattern,
    /// `train-{000..009}.tar`
    source: PathBuf,
    /// The folder to create
    #[arg(long, value_name = "DATA", value_parser = new_folder())]
    out: PathBuf,
    /// Share of each class for validation
    #[arg(long, default_value_t = 0.2)]
    ratio: f64,
    /// Share of each class for a test part, to be evaluated on once, in the end: `pelage evaluate RUN DATA/test`
    #[arg(long, value_name = "SHARE")]
    test: Option<f64>,
    /// Which pictures stay in one part: near-duplicates, folder, regex:PATTERN (of paths), csv:FILE (columns path and
    /// group), exif-time:60s (taken by one camera within so long of the one before)
    #[arg(long, value_name = "WHAT")]
    group_by: Option<GroupBy>,
    /// Which folders in SOURCE are the classes: 1 for the outermost, 2 for those in them (place/species), and so on
    #[arg(long, value_name = "N", conflicts_with = "labels")]
    label_level: Option<usize>,
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
    /// The column of paths, where its name does not tell; or its number from 1, where there is no heading
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
}

pub(super) fn run(arguments: Arguments) -> Outcome {
    let task = Task::new();
    let options = Options {
        source: arguments.source,
        out: arguments.out,
        ratio: arguments.ratio,
        test: arguments.test,
        group_by: arguments.group_by,
        label_level: arguments.label_level,
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
    Ok(answer(&report, described)?)
}

fn rename(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((from, to)) if !from.is_empty() && !to.is_empty() => Ok((from.to_string(), to.to_string())),
        _ => Err("expected CLASS=NAME, such as cat=cats".into()),
    }
}

/// The report as text.
pub(super) fn described(report: &Report) -> String {
    let sum = |part: &dyn Fn(&ClassCount) -> usize| report.classes.iter().map(part).sum();
    let all = ClassCount {
        name: "all".into(),
        train: sum(&|class| class.train),
        validation: sum(&|class| class.validation),
        test: sum(&|class| class.test),
    };
    let tested = all.test > 0;
    let row = |class: &ClassCount| {
        let test = tested.then_some(class.test);
        let together = class.train + class.validation + class.test;
        let counts = [class.train, class.validation]
            .into_iter()
            .chain(test)
            .chain([together]);
        let cells = counts.map(|number| thousands(number as u64));
        std::iter::once(class.name.clone()).chain(cells).collect::<Vec<_>>()
    };
    let mut head = vec!["class", "train", "validation"];
    head.extend(tested.then_some("test").into_iter().chain(["all"]));
    let rows = report.classes.iter().chain([&all]).map(row);
    let mut text = table(&head, 1..head.len(), rows);
    text += &format!("{} in {}", count(report.written, "picture"), quoted(&report.out));
    match report.already_there {
        0 => text += "\n",
        there => text += &format!(", {} there already\n", thousands(there as u64)),
    }
    text += &format!("{}: where each file came from\n", quoted(&report.origins));
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
