//! Names and values of options.

use clap::builder::{PossibleValuesParser, TypedValueParser};

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
