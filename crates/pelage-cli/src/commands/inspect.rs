//! `pelage inspect`.

use std::collections::HashSet;
use std::path::PathBuf;

use clap::Args;
use pelage::data::inspect::{self, Report};

use crate::failure::{Outcome, which_level};
use crate::options::LABEL_LEVEL;
use crate::progress::Task;
use crate::table::{count, left_out, some, table, thousands};
use crate::terminal::{answer, tell};

/// Check every picture: sizes, formats, unreadable files, duplicates, leaks
///
/// Decodes every picture of a data set, labelled or not, in parallel and reports classes and counts, sizes, formats,
/// files that cannot be read and why, exact and near duplicates (by a perceptual hash), also across training,
/// validation and test, class imbalance, and when and where pictures say that they were taken. What is no picture is
/// listed with the reason. Nothing is changed.
#[derive(Args)]
pub(super) struct Arguments {
    /// An organized folder, or any folder, zip or tar of pictures
    data: PathBuf,
    #[arg(long, value_name = "N", help = LABEL_LEVEL)]
    label_level: Option<usize>,
}

pub(super) fn run(arguments: &Arguments) -> Outcome {
    let task = Task::new();
    let report = inspect::inspect(&arguments.data, arguments.label_level, &|progress| task.show(progress));
    task.finish();
    let report = report?;
    if let Some(unclear) = &report.unclear {
        tell(format_args!(
            "note: {}\nnote: here the outer ones count; {}\n",
            unclear.reason,
            which_level(unclear.level)
        ));
    }
    Ok(answer(&report, described)?)
}

fn described(report: &Report) -> String {
    let spread = |[least, median, most]: [u32; 3]| match least == most {
        true => least.to_string(),
        false => format!("{least} to {most}, median {median}"),
    };
    let rows = report.classes.iter().map(|class| {
        vec![
            class.set.to_string(),
            match class.name.as_str() {
                "" => "(no label)".into(),
                name => name.to_string(),
            },
            thousands(class.images as u64),
            thousands(class.unreadable as u64),
            spread(class.width),
            spread(class.height),
        ]
    });
    let mut text = table(
        &["set", "class", "pictures", "unreadable", "width (px)", "height (px)"],
        2..4,
        rows,
    );
    let formats: Vec<_> = report
        .formats
        .iter()
        .map(|(name, n)| format!("{name} {}", thousands(*n as u64)))
        .collect();
    text += &format!("formats: {}\n", formats.join(", "));
    text += &format!(
        "imbalance: {:.2} pictures of the largest class for each one of the smallest\n",
        report.imbalance
    );
    let (differing, same) = report.exact_duplicates.split_at(report.contradictions);
    let mut list = |title: &str, lines: Vec<String>, most: usize| {
        if !lines.is_empty() {
            text += &format!("{title}:\n{}", some(lines.into_iter(), most));
        }
    };
    let groups = |groups: &[Vec<String>]| groups.iter().map(|group| group.join("  =  ")).collect::<Vec<_>>();
    let unreadable = report
        .unreadable
        .iter()
        .map(|one| format!("{}: {}", one.path, one.reason))
        .collect();
    list(
        &count(report.unreadable.len(), "unreadable file"),
        unreadable,
        usize::MAX,
    );
    list(
        &(count(differing.len(), "group") + " of identical files of different classes (a label of each is wrong)"),
        groups(differing),
        10,
    );
    list(&(count(same.len(), "group") + " of identical files"), groups(same), 10);
    list(
        &(count(report.near_duplicates.len(), "group") + " that look the same"),
        groups(&report.near_duplicates),
        10,
    );
    let tested = report.classes.iter().any(|class| class.set == "test");
    let leaks = count(report.leaks.len(), "group")
        + match tested {
            false => " in both train and validation (a leak; the validation is too optimistic)",
            true => " in more than one part (a leak; validation or test is too optimistic)",
        };
    list(&leaks, groups(&report.leaks), 10);
    if report.unreadable.is_empty() && report.exact_duplicates.is_empty() && report.leaks.is_empty() {
        text += "every picture can be read, no two are identical";
        text += if sets(report) > 1 { ", nothing leaks\n" } else { "\n" };
    }
    text += proposal(report);
    text += &captured(report);
    text + &left_out(&report.left_out)
}

/// How many parts there are, between which something could leak.
fn sets(report: &Report) -> usize {
    report
        .classes
        .iter()
        .map(|class| class.set)
        .collect::<HashSet<_>>()
        .len()
}

/// What to do about pictures that look the same.
fn proposal(report: &Report) -> &'static str {
    match (
        sets(report) > 1,
        report.leaks.is_empty(),
        report.near_duplicates.is_empty(),
    ) {
        (true, false, _) => {
            "split them again so that pictures that look the same stay together: `pelage organize SOURCE --out DATA \
             --group-by near-duplicates`\n"
        }
        (false, _, false) => {
            "when they are split, `--group-by near-duplicates` of `pelage organize` and `pelage train` keeps pictures \
             that look the same together\n"
        }
        _ => "",
    }
}

/// When and where pictures say that they were taken.
fn captured(report: &Report) -> String {
    let captured = &report.captured;
    let mut text = String::new();
    if let Some([first, last]) = &captured.times {
        let [first, last] = [first, last].map(|time| time.replace('T', " "));
        text += &format!(
            "taken from {first} to {last}, as {} say\n",
            count(captured.with_time, "picture")
        );
    }
    if captured.with_place > 0 {
        text += &format!(
            "GPS: {} with the place where it was taken; remove that before you share them, if it is private\n",
            count(captured.with_place, "picture")
        );
    }
    text
}
