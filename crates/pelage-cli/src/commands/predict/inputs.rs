//! What was named to be predicted, file by file.

use std::collections::HashSet;
use std::io::Read;
use std::path::{Path, PathBuf};

use pelage::data::capture::Capture;
use pelage::data::source::{self, Entry, Found, LeftOut};
use pelage::predict;
use rayon::prelude::*;

use crate::failure::Failure;

/// What a row is about.
pub(super) enum Input {
    /// A file.
    File(Entry),
    /// A picture on standard input.
    Standard(Vec<u8>),
    /// What was named and cannot be opened, or has nothing in it, and why.
    Closed {
        path: String,
        reason: String,
        is_missing: bool,
    },
}

/// All that is at `paths`, each in its order; and what was passed over there.
pub(super) fn find(paths: &[PathBuf]) -> Result<(Vec<Input>, Vec<LeftOut>), Failure> {
    let (mut inputs, mut passed_over) = (Vec::new(), Vec::new());
    for path in paths {
        if path == Path::new("-") {
            let mut bytes = Vec::new();
            let read = std::io::stdin().lock().read_to_end(&mut bytes);
            read.map_err(|failure| Failure::failed(format!("standard input: {failure}")))?;
            inputs.push(Input::Standard(bytes));
            continue;
        }
        // What cannot be read takes nothing else with it.
        let closed = |reason: String, is_missing| Input::Closed {
            path: path.display().to_string(),
            reason,
            is_missing,
        };
        match source::find(path).map(|found| found.without_own_figures(path)) {
            Ok(Found {
                mut entries, left_out, ..
            }) => {
                // Tables of parts, each beside its record.
                let records = left_out.iter().map(|one| one.path.as_str());
                let tables: HashSet<&str> = records.filter_map(|path| path.strip_suffix(".shard.json")).collect();
                if !tables.is_empty() {
                    entries.retain(|entry| !tables.contains(entry.location.to_string().as_str()));
                }
                passed_over.extend(left_out);
                match entries.is_empty() {
                    true => inputs.push(closed("there are no files in it".into(), false)),
                    false => inputs.extend(entries.into_iter().map(Input::File)),
                }
            }
            Err(failure) => inputs.push(closed(failure.reason(), true)),
        }
    }
    Ok((inputs, passed_over))
}

impl Input {
    /// What it is called in the answer.
    pub(super) fn name(&self) -> String {
        match self {
            Input::File(entry) => entry.location.to_string(),
            Input::Standard(_) => "-".into(),
            Input::Closed { path, .. } => path.clone(),
        }
    }

    /// Whether it was named and is not there, or cannot be opened.
    pub(super) fn is_missing(&self) -> bool {
        matches!(self, Input::Closed { is_missing: true, .. })
    }

    /// What `prepare` makes of its bytes, or why it cannot be read.
    pub(super) fn prepared(&self, prepare: &dyn Fn(&[u8]) -> Result<Vec<f32>, String>) -> Result<Vec<f32>, String> {
        match self {
            Input::File(entry) => predict::prepared(entry, prepare),
            Input::Standard(bytes) => prepare(bytes),
            Input::Closed { reason, .. } => Err(reason.clone()),
        }
    }
}

/// What files say of when and where they were taken, in their order.
pub(super) fn captures(inputs: &[Input]) -> Vec<Capture> {
    let capture = |input: &Input| match input {
        Input::File(entry) => Capture::at(&entry.location),
        Input::Standard(bytes) => Capture::of(bytes),
        Input::Closed { .. } => Capture::default(),
    };
    inputs.par_iter().map(capture).collect()
}
