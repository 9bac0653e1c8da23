//! Names and values of options.

use clap::builder::{PossibleValuesParser, TypedValueParser};

/// What `--label-level` does, of every verb that takes a data set.
pub(crate) const LABEL_LEVEL: &str =
    "Which folders in it are the classes: 1 for the outermost, 2 for those in them (place/species), and so on";

/// The flag of a setting: `learning_rate` is `--learning-rate`.
pub(crate) fn flag(name: &str) -> String {
    format!("--{}", name.replace('_', "-"))
}

/// Parses one of a closed set of names, which `--help` then lists.
pub(crate) fn one_of<T>(names: impl IntoIterator<Item = &'static str>) -> impl TypedValueParser<Value = T>
where
    T: std::str::FromStr<Err = String> + Clone + Send + Sync + 'static,
{
    PossibleValuesParser::new(names).try_map(|name| name.parse::<T>())
}
