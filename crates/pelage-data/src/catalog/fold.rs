//! One fold of a cross-validation.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The most folds: each is a run of its own.
const MOST: usize = 100;

/// The fold that a run is validated on; it is trained on all others. As text `2/5`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Fold {
    number: usize,
    of: usize,
}

impl Fold {
    /// All folds of a cross-validation with `of` of them, in their order.
    ///
    /// # Errors
    /// A message if there are fewer than 2, or more than 100.
    pub fn all(of: usize) -> std::result::Result<Vec<Fold>, String> {
        match (2..=MOST).contains(&of) {
            true => Ok((1..=of).map(|number| Fold { number, of }).collect()),
            false => Err(format!("{of} folds; it must be 2 to {MOST}")),
        }
    }

    /// From 1.
    pub fn number(self) -> usize {
        self.number
    }

    /// How many folds there are.
    pub fn of(self) -> usize {
        self.of
    }
}

impl fmt::Display for Fold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.number, self.of)
    }
}

impl FromStr for Fold {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let parsed = text.split_once('/');
        let parsed = parsed.and_then(|(number, of)| Some((number.parse::<usize>().ok()?, of.parse().ok()?)));
        let (number, of) = parsed.ok_or_else(|| format!("'{text}' is no fold; expected one such as 2/5"))?;
        let folds = Fold::all(of)?;
        let one = number.checked_sub(1).and_then(|index| folds.get(index));
        one.copied().ok_or_else(|| format!("there is no fold {number} of {of}"))
    }
}

impl TryFrom<String> for Fold {
    type Error = String;

    fn try_from(text: String) -> std::result::Result<Self, String> {
        text.parse()
    }
}

impl From<Fold> for String {
    fn from(fold: Fold) -> String {
        fold.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fold_is_one_of_a_few() {
        for text in ["1/2", "2/5", "100/100"] {
            assert_eq!(text.parse::<Fold>().unwrap().to_string(), text);
        }
        for wrong in [
            "",
            "1",
            "0/5",
            "6/5",
            "1/1",
            "1/101",
            "1/x",
            "-1/5",
            "1/18446744073709551616",
        ] {
            wrong.parse::<Fold>().unwrap_err();
        }
        let all = Fold::all(3).unwrap();
        assert_eq!(
            all.iter().map(Fold::to_string).collect::<Vec<_>>(),
            ["1/3", "2/3", "3/3"]
        );
    }
}
