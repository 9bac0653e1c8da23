//! Names and values of options.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use clap::builder::{PathBufValueParser, PossibleValue, PossibleValuesParser, TypedValueParser};
use clap::error::ErrorKind;
use clap::{Arg, Command};
use pelage::zoo::store::Store;
use pelage::{Architecture, Error};

/// What `--label-level` does, of every verb that takes a data set.
pub(crate) const LABEL_LEVEL: &str =
    "Which folders in it are the classes: 1 for the outermost, 2 for those in them (place/species), and so on";

/// The flag of a setting: `learning_rate` is `--learning-rate`.
pub(crate) fn flag(name: &str) -> String {
    format!("--{}", name.replace('_', "-"))
}

/// Parses the name of a network: one of those that `--help` lists, or one that was added to the kept weights.
#[derive(Clone, Debug)]
pub(crate) struct Networks(pub(crate) &'static [Architecture]);

/// Why there is no network of a name, in words.
pub(crate) enum Unfound {
    /// There is one that was added, and its file is damaged.
    Damaged(String),
    Unknown(String),
}

impl Networks {
    fn listed(&self) -> impl Iterator<Item = &'static str> {
        self.0.iter().map(|architecture| architecture.name())
    }

    /// The network of that name, or all names that could have been meant.
    pub(crate) fn find(&self, name: &str) -> Result<Architecture, Unfound> {
        if let Some(listed) = self.0.iter().find(|architecture| architecture.name() == name) {
            return Ok(*listed);
        }
        match Store::default().named(name) {
            Ok(added @ Architecture::Added(_)) => Ok(added),
            Err(failure @ Error::Model { .. }) => Err(Unfound::Damaged(failure.to_string())),
            _ => {
                let listed = self.listed().collect::<Vec<_>>().join(", ");
                Err(Unfound::Unknown(format!(
                    "'{name}' is none of {listed}, and no network that was added"
                )))
            }
        }
    }
}

impl TypedValueParser for Networks {
    type Value = Architecture;

    fn parse_ref(&self, command: &Command, argument: Option<&Arg>, value: &OsStr) -> Result<Architecture, clap::Error> {
        match value.to_str().map(|name| self.find(name)) {
            Some(Ok(found)) => Ok(found),
            Some(Err(Unfound::Damaged(told))) => Err(clap::Error::raw(ErrorKind::ValueValidation, told)),
            // As every other refusal of a name.
            _ => one_of::<Architecture>(self.listed()).parse_ref(command, argument, value),
        }
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        Some(Box::new(self.listed().map(PossibleValue::new)))
    }
}

/// Parses one of a closed set of names, which `--help` then lists.
pub(crate) fn one_of<T>(names: impl IntoIterator<Item = &'static str>) -> impl TypedValueParser<Value = T>
where
    T: std::str::FromStr<Err = String> + Clone + Send + Sync + 'static,
{
    PossibleValuesParser::new(names).try_map(|name| name.parse::<T>())
}

/// Parses the name of a folder to write: not `-`, which is standard output wherever one file is written.
pub(crate) fn new_folder() -> impl TypedValueParser<Value = PathBuf> {
    PathBufValueParser::new().try_map(|folder| match folder == Path::new("-") {
        true => Err("- is standard output, and a folder is written; give a name for it (./- for one called -)"),
        false => Ok(folder),
    })
}
