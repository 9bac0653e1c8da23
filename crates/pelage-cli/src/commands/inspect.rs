//! `pelage inspect`.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use clap::Args;
use pelage::data::Progress;
use pelage::data::growing::Sharing;
use pelage::data::inspect::{self, Noted, Report};
use pelage::data::output::Format;
use pelage::data::shard::Shard;

use super::written::{earlier, output};
use crate::failure::{Failure, Outcome, which_level};
use crate::options::LABEL_LEVEL;
use crate::progress::Task;
use crate::signals;
use crate::table::{count, left_out, some, table, thousands};
use crate::terminal::{answer, is_json, is_verbose, quoted, tell};

/// Pictures of a group that are listed.
const MEMBERS: usize = 8;

/// Check every picture: sizes, formats, unreadable files, duplicates, leaks
///
/// Decodes every picture of a data set, labelled or not, in parallel and reports classes and counts, sizes, formats,
/// files that cannot be read and why, exact and near duplicates (by a perceptual hash), also across training,
/// validation and test, class imbalance, and when and where pictures say that they were taken. What is no picture is
/// listed with the reason. Nothing is changed.
///
/// With --table, what is known of each picture is written as it comes, a row each, of any number of pictures; --shard
/// lets several processes share that, `pelage merge` puts their tables together, and `pelage inspect TABLE` reports on
/// all of it, duplicates across parts too.
#[derive(Args)]
pub(super) struct Arguments {
    /// An organized folder, any folder, zip or tar of pictures, or a table of --table
    data: PathBuf,
    #[arg(long, value_name = "N", help = LABEL_LEVEL)]
    label_level: Option<usize>,
    /// Write a row for each picture to this CSV file instead of a report
    #[arg(long, value_name = "FILE")]
    table: Option<PathBuf>,
    /// Let --table replace a file that is no table of this command, or an unfinished one
    #[arg(long, requires = "table")]
    force: bool,
    /// Only part I of N, by the order of the pictures: 1/8 to 8/8
    #[arg(long, value_name = "I/N", requires = "table")]
    shard: Option<Shard>,
    /// Go on with the table of an interrupted call; begin where there is none, and do nothing where it is whole
    #[arg(long, requires = "table", conflicts_with = "force")]
    resume: bool,
}

pub(super) fn run(arguments: &Arguments) -> Outcome {
    let task = Task::new();
    let show = |progress: Progress| task.show(progress);
    let (data, level) = (&arguments.data, arguments.label_level);
    if let Some(table) = &arguments.table {
        let noted = note(arguments, table, &show);
        task.finish();
        return noted;
    }
    let report = match inspect::is_table(data) {
        true => inspect::report(data),
        false => inspect::inspect(data, level, &show),
    };
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

/// Writes a table.
fn note(arguments: &Arguments, table: &Path, show: &(dyn Fn(Progress) + Sync)) -> Outcome {
    if is_json() {
        return Err(Failure::usage("--table is written in place of the document").help("leave --json out"));
    }
    let out = output(table, Format::Table("path,set,class of picture"), arguments.force)?;
    let Some(file) = out.file() else {
        return Err(Failure::usage("--table wants a file to go on with").help("give the name of one"));
    };
    signals::stop_on_signal();
    let sharing = Sharing {
        shard: arguments.shard.unwrap_or(Shard::WHOLE),
        earlier: earlier(arguments.resume, arguments.force),
    };
    let is_stopped = || signals::interrupted().is_some();
    let noted = inspect::note(&arguments.data, arguments.label_level, file, sharing, show, &is_stopped)?;
    let Some(Noted { pictures, unreadable }) = noted else {
        let kept = "interrupted; what was looked at is kept, and the same call with `--resume` goes on";
        return Err(Failure::interrupted(signals::interrupted().unwrap_or_default(), kept));
    };
    let (file, pictures) = (quoted(table), count(pictures, "picture"));
    Ok(format!(
        "{file}: {pictures}, {unreadable} unreadable; `pelage inspect {}` reports on them\n",
        quoted(table)
    ))
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
    if let Some(imbalance) = report.imbalance {
        text += &format!("imbalance: {imbalance:.2} pictures of the largest class for each one of the smallest\n");
    }
    let (differing, same) = report.exact_duplicates.split_at(report.contradictions);
    let mut list = |title: &str, lines: Vec<String>, most: usize| {
        if !lines.is_empty() {
            text += &format!("{title}:\n{}", some(lines.into_iter(), most));
        }
    };
    let groups = |groups: &[Vec<String>]| groups.iter().map(|group| alike(group)).collect::<Vec<_>>();
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

/// A group of pictures in a line: of very many the first few, unless everything is told.
fn alike(group: &[String]) -> String {
    let most = if is_verbose() { group.len() } else { MEMBERS };
    let mut text = group[..group.len().min(most)].join("  =  ");
    if group.len() > most {
        text += &format!("  and {} more", thousands((group.len() - most) as u64));
    }
    text
}

/// How many parts there are, between which something could leak.
fn sets(report: &Report) -> usize {
    let sets = report.classes.iter().map(|class| class.set);
    sets.collect::<HashSet<_>>().len()
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
