//! Options in an address: `?model=mine&top=3`.

use std::collections::BTreeMap;
use std::str::FromStr;

use axum::http::Uri;

use crate::problem::{Cause, Problem};

/// The options of one request.
pub(super) struct Options(BTreeMap<String, String>);

impl Options {
    /// Those of `uri`, which must be among the `known` ones.
    ///
    /// # Errors
    /// An unknown option, or one that is given twice.
    pub(super) fn of(uri: &Uri, known: &[(&str, &str)]) -> Result<Options, Problem> {
        let mut options = BTreeMap::new();
        for (name, value) in form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes()) {
            if !known.iter().any(|(known, _)| *known == name) {
                let known: Vec<_> = known.iter().map(|(name, _)| *name).collect();
                let detail = format!("there is no option '{name}'; known: {}", known.join(", "));
                return Err(Problem::new(Cause::Option, detail));
            }
            if options.insert(name.to_string(), value.into_owned()).is_some() {
                return Err(Problem::new(Cause::Option, format!("'{name}' is given twice")));
            }
        }
        Ok(Options(options))
    }

    /// The value of an option.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// The value of an option, or `usual`; it must be `allowed`, in words.
    ///
    /// # Errors
    /// Any other value.
    pub(super) fn parsed<T: FromStr>(&self, name: &str, usual: T, allowed: &str) -> Result<T, Problem> {
        match self.get(name) {
            None => Ok(usual),
            Some(text) => text.parse().map_err(|_| {
                let detail = format!("{name} is '{text}'; it must be {allowed}");
                Problem::new(Cause::Option, detail)
            }),
        }
    }
}
