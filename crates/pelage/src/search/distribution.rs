//! The values that a setting may take, as Optuna describes them: inside, every value is a number, that of a choice its
//! place among the choices.

use serde::{Deserialize, Serialize};

/// The values of one setting.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "name", content = "attributes")]
pub enum Distribution {
    /// A number.
    #[serde(rename = "FloatDistribution")]
    Float {
        /// The smallest.
        low: f64,
        /// The largest.
        high: f64,
        /// Whether its logarithm is what is spread evenly.
        log: bool,
        /// The distance of two values, where not all are allowed.
        step: Option<f64>,
    },
    /// A whole number.
    #[serde(rename = "IntDistribution")]
    Int {
        /// The smallest.
        low: i64,
        /// The largest, a whole number of steps above the smallest.
        high: i64,
        /// Whether its logarithm is what is spread evenly.
        log: bool,
        /// The distance of two values.
        step: i64,
    },
    /// One of a few values, which have no order.
    #[serde(rename = "CategoricalDistribution")]
    Categorical {
        /// The values.
        choices: Vec<Choice>,
    },
}

/// A value that is chosen.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Choice {
    /// Yes or no.
    Truth(bool),
    /// A whole number.
    Whole(i64),
    /// Any other number.
    Number(f64),
    /// A name, or a list as it is written: `32,32,64`.
    Text(String),
}

impl std::fmt::Display for Choice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Choice::Truth(truth) => write!(f, "{truth}"),
            Choice::Whole(whole) => write!(f, "{whole}"),
            Choice::Number(number) => f.write_str(&written(*number)),
            Choice::Text(text) => f.write_str(text),
        }
    }
}

/// A number as short as it can be: 0.003, 16, 1e-6.
fn written(number: f64) -> String {
    let text = format!("{number:?}");
    text.strip_suffix(".0").map_or(text.clone(), String::from)
}

/// Whether two values are the same, however a number is written.
pub(super) fn same(a: &str, b: &str) -> bool {
    a == b || matches!((a.parse::<f64>(), b.parse::<f64>()), (Ok(a), Ok(b)) if a == b)
}

impl Distribution {
    /// The smallest and the largest number inside; logarithms where these are spread evenly.
    pub fn bounds(&self) -> (f64, f64) {
        let (low, high) = match self {
            Distribution::Float { low, high, .. } => (*low, *high),
            Distribution::Int { low, high, .. } => (*low as f64, *high as f64),
            Distribution::Categorical { choices } => (0.0, choices.len() as f64 - 1.0),
        };
        match self.is_log() {
            true => (low.ln(), high.ln()),
            false => (low, high),
        }
    }

    /// Whether logarithms are spread evenly.
    pub fn is_log(&self) -> bool {
        matches!(
            self,
            Distribution::Float { log: true, .. } | Distribution::Int { log: true, .. }
        )
    }

    /// The distance of two values, where not all are allowed.
    pub fn step(&self) -> Option<f64> {
        match self {
            Distribution::Float { step, .. } => *step,
            Distribution::Int { step, .. } => Some(*step as f64),
            Distribution::Categorical { .. } => None,
        }
    }

    /// The choices, if there are.
    pub fn choices(&self) -> Option<&[Choice]> {
        match self {
            Distribution::Categorical { choices } => Some(choices),
            _ => None,
        }
    }

    /// `value`, a number inside, brought to the nearest that is allowed; where all are, to one with the four digits
    /// that people read.
    pub fn nearest(&self, value: f64) -> f64 {
        let (low, high) = match self {
            Distribution::Float { low, high, .. } => (*low, *high),
            Distribution::Int { low, high, .. } => (*low as f64, *high as f64),
            Distribution::Categorical { choices } => (0.0, choices.len() as f64 - 1.0),
        };
        let stepped = match self.step() {
            Some(step) => low + ((value - low) / step).round_ties_even() * step,
            None if matches!(self, Distribution::Float { .. }) => format!("{value:.3e}").parse().unwrap_or(value),
            None => value,
        };
        stepped.clamp(low, high)
    }

    /// Whether `value` is a number inside.
    pub fn holds(&self, value: f64) -> bool {
        let place = self.choices().is_none() || value.fract() == 0.0;
        place && (self.nearest(value) - value).abs() <= 1e-3 * value.abs()
    }

    /// `value`, a number inside, as a setting is written.
    pub fn text(&self, value: f64) -> String {
        match self {
            Distribution::Float { .. } => written(value),
            Distribution::Int { .. } => format!("{}", value.round() as i64),
            Distribution::Categorical { choices } => choices
                .get(value.max(0.0) as usize)
                .map_or_else(String::new, Choice::to_string),
        }
    }

    /// The number inside of what is written as `text`; none of what is out of range, between two steps, or no choice.
    pub fn inside(&self, text: &str) -> Option<f64> {
        match self {
            Distribution::Categorical { choices } => {
                let place = choices.iter().position(|choice| same(&choice.to_string(), text));
                place.map(|place| place as f64)
            }
            Distribution::Float { low, high, .. } => {
                let inside = |value: &f64| (*low..=*high).contains(value) && self.holds(*value);
                text.parse().ok().filter(inside)
            }
            Distribution::Int { low, high, .. } => {
                let value: i64 = text.parse().ok()?;
                ((*low..=*high).contains(&value) && self.holds(value as f64)).then_some(value as f64)
            }
        }
    }

    /// Up to `most` of its values, from low to high, as a grid has them; all of a choice.
    pub fn spread(&self, most: usize) -> Vec<f64> {
        if let Some(choices) = self.choices() {
            return (0..choices.len()).map(|place| place as f64).collect();
        }
        let (low, high) = self.bounds();
        let at = |i: usize| low + (high - low) * i as f64 / (most.max(2) - 1) as f64;
        let value = |number: f64| if self.is_log() { number.exp() } else { number };
        let mut values: Vec<f64> = (0..most.max(2)).map(|i| self.nearest(value(at(i)))).collect();
        values.dedup();
        values
    }

    /// As Optuna's journal has it, JSON within JSON.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_go_in_and_come_out() {
        let int = Distribution::Int {
            low: 8,
            high: 20,
            log: false,
            step: 4,
        };
        assert_eq!(
            [7.0, 9.9, 10.1, 13.9, 99.0].map(|value| int.nearest(value)),
            [8.0, 8.0, 12.0, 12.0, 20.0]
        );
        assert_eq!(
            (int.text(12.0), int.inside("12"), int.inside("13"), int.inside("21")),
            ("12".into(), Some(12.0), None, None)
        );
        let float = Distribution::Float {
            low: 1e-4,
            high: 1.0,
            log: true,
            step: None,
        };
        assert_eq!(
            (float.inside("0.003"), float.inside("2"), float.inside("x")),
            (Some(0.003), None, None)
        );
        assert_eq!(
            [0.003, 1e-6, 16.0].map(|value| float.text(value)),
            ["0.003", "1e-6", "16"]
        );
        assert_eq!([float.nearest(0.012_345_678), float.nearest(0.999_999)], [0.01235, 1.0]);
        let grid = float.spread(5);
        assert!(
            grid.iter()
                .zip([1e-4, 1e-3, 1e-2, 0.1, 1.0])
                .all(|(a, b)| (a - b).abs() < 1e-9 * b),
            "{grid:?}"
        );
        assert_eq!(int.spread(9), [8.0, 12.0, 16.0, 20.0]);
        let choices = ["32,64", "none"].map(|text| Choice::Text(text.into())).to_vec();
        let choices = Distribution::Categorical { choices };
        assert_eq!(
            [0.0, 1.0, 2.0, -1.0, 0.5, f64::NAN].map(|value| choices.holds(value)),
            [true, true, false, false, false, false]
        );
        assert_eq!((choices.inside("none"), choices.text(0.0)), (Some(1.0), "32,64".into()));
        let numbers = Distribution::Categorical {
            choices: vec![Choice::Number(0.5), Choice::Whole(0)],
        };
        assert_eq!((numbers.inside("0.50"), numbers.inside("0.0")), (Some(0.0), Some(1.0)));
    }

    #[test]
    fn it_is_written_as_optuna_writes_it() {
        let float = Distribution::Float {
            low: 0.5,
            high: 2.0,
            log: true,
            step: None,
        };
        let text = r#"{"name":"FloatDistribution","attributes":{"low":0.5,"high":2.0,"log":true,"step":null}}"#;
        assert_eq!(float.to_json(), text);
        assert_eq!(serde_json::from_str::<Distribution>(text).unwrap(), float);
        // In Python's order and with its spaces.
        let other = r#"{"name": "CategoricalDistribution", "attributes": {"choices": [16, 0.5, true, "sgd"]}}"#;
        let read: Distribution = serde_json::from_str(other).unwrap();
        assert_eq!(read.choices().unwrap()[..2], [Choice::Whole(16), Choice::Number(0.5)]);
    }
}
