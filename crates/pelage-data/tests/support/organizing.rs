//! Calls of `organize`, and the trees that it makes.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use pelage_data::catalog::Columns;
use pelage_data::organize::{Link, Options, Report, organize};

use super::{class_folders, files};

pub(crate) fn options(source: &Path, out: &Path) -> Options {
    Options {
        source: source.into(),
        out: out.into(),
        ratio: 0.2,
        test: None,
        group_by: None,
        label_level: None,
        limit: None,
        seed: 0,
        rename: Vec::new(),
        link: Link::Copy,
        labels: None,
        columns: Columns::default(),
        force: false,
    }
}

pub(crate) fn run(options: &Options) -> pelage_data::Result<Report> {
    organize(options, &|_| {})
}

pub(crate) fn refused(options: &Options) -> String {
    run(options).expect_err("accepted").to_string()
}

/// Images by folder: `train/cat` to 8.
pub(crate) fn counts(out: &Path) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    // Beside them lie notes and the table of origins.
    for name in files(out).keys().filter(|name| name.contains('/')) {
        *counts.entry(name.rsplit_once('/').unwrap().0.to_string()).or_insert(0) += 1;
    }
    counts
}

pub(crate) fn expected(counts: &[(&str, usize)]) -> BTreeMap<String, usize> {
    counts.iter().map(|(name, count)| (name.to_string(), *count)).collect()
}

pub(crate) struct Scratch {
    pub(crate) folder: tempfile::TempDir,
}

impl Scratch {
    pub(crate) fn new(images: u64) -> Scratch {
        let folder = tempfile::tempdir().unwrap();
        class_folders(&folder.path().join("source"), images);
        Scratch { folder }
    }

    pub(crate) fn source(&self) -> PathBuf {
        self.folder.path().join("source")
    }

    pub(crate) fn out(&self) -> PathBuf {
        self.folder.path().join("out")
    }

    pub(crate) fn options(&self) -> Options {
        options(&self.source(), &self.out())
    }
}
