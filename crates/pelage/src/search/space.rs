//! What is searched: settings of training, each with its values, some only under a condition; read from TOML.

use std::collections::BTreeMap;

use serde::Deserialize;
use toml::Value;

use super::distribution::{Choice, Distribution, same};
use crate::train::Recipe;
use crate::{Error, Result};

/// Settings to choose, in their order.
#[derive(Clone, Debug, PartialEq)]
pub struct Space {
    /// One for each.
    pub settings: Vec<Setting>,
}

/// A setting to choose.
#[derive(Clone, Debug, PartialEq)]
pub struct Setting {
    /// Its name in `config.toml`.
    pub name: String,
    /// Its values.
    pub distribution: Distribution,
    /// Other settings, and the values of them at which this one means something.
    pub when: BTreeMap<String, Vec<String>>,
}

/// Chosen numbers by the names of their settings; what does not apply is not there.
pub type Parameters = BTreeMap<String, f64>;

/// What most people want to know, for a network from scratch, and for a head on a frozen backbone.
const FROM_SCRATCH: &str = include_str!("spaces/from_scratch.toml");
const HEAD: &str = include_str!("spaces/head.toml");
/// What is not a matter of taste: how long, from which chance, and what the search does itself.
const FIXED: [(&str, &str); 5] = [
    ("epochs", "it is how long a trial may become"),
    ("patience", "the search ends trials itself"),
    ("min_delta", "the search ends trials itself"),
    ("seed", "a lucky one says nothing about other pictures"),
    ("transfer", "a search is about one backbone"),
];

/// A setting as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    low: Option<Value>,
    high: Option<Value>,
    #[serde(default)]
    log: bool,
    step: Option<Value>,
    choices: Option<Vec<Choice>>,
    #[serde(default)]
    when: BTreeMap<String, Value>,
}

impl Space {
    /// The built-in one for what `base` trains.
    ///
    /// # Errors
    /// Settings that do not fit `base`.
    pub fn built_in(base: &Recipe) -> Result<Space> {
        let text = if base.learns_from_features() {
            HEAD
        } else {
            FROM_SCRATCH
        };
        Space::read(text, base).map_err(Error::Settings)
    }

    /// A space as TOML: a table for each setting, with `low` and `high`, perhaps `log` or `step`, or with `choices`;
    /// and perhaps `when`. `base` has the settings that are not searched.
    ///
    /// # Errors
    /// What is no TOML, no setting, or no value of it, by name.
    pub fn read(text: &str, base: &Recipe) -> std::result::Result<Space, String> {
        let written: toml::Table = text.parse().map_err(|failure: toml::de::Error| failure.to_string())?;
        let mut space = Space { settings: Vec::new() };
        for (name, value) in written {
            let told = |reason: String| format!("{name}: {reason}");
            let read = |failure: toml::de::Error| told(failure.message().into());
            let setting = setting(&name, value.try_into().map_err(read)?).map_err(told)?;
            space.check(&setting, base).map_err(told)?;
            space.settings.push(setting);
        }
        match space.settings.is_empty() {
            true => Err("it names no settings".into()),
            false => Ok(space),
        }
    }

    /// Refuses a setting that is not there, or has not these values, or depends on one that comes later.
    fn check(&self, setting: &Setting, base: &Recipe) -> std::result::Result<(), String> {
        let name = &setting.name;
        if let Some((_, why)) = FIXED.iter().find(|(fixed, _)| fixed == name) {
            return Err(format!("it cannot be searched: {why}"));
        }
        let mut known = self.settings.iter().chain([setting]);
        if let Some(earlier) = known.find(|one| one.when.contains_key(name)) {
            return Err(format!("it must stand before {}, which depends on it", earlier.name));
        }
        // Where its conditions hold, and those of the settings that they are about.
        let mut recipe = base.clone();
        for (other, values) in setting
            .when
            .iter()
            .flat_map(|(other, values)| self.chain(other, values))
        {
            recipe
                .assign(&other, &values[0])
                .map_err(|allowed| format!("when: {other} must be {allowed}"))?;
        }
        let distribution = &setting.distribution;
        let is_whole = recipe.value_of(name).is_some_and(|now| now.is_u64());
        if is_whole && matches!(distribution, Distribution::Float { .. }) {
            return Err("it is a whole number, so that low and high must be".into());
        }
        for value in distribution.spread(2) {
            let text = distribution.text(value);
            let mut tried = recipe.clone();
            tried
                .assign(name, &text)
                .map_err(|allowed| format!("{text} is none of its values: {allowed}"))?;
            let ranges = tried.check_ranges().and_then(|()| Ok(tried.augmentation.validate()?));
            ranges.map_err(|failure: Error| failure.to_string())?;
        }
        Ok(())
    }

    /// A condition, behind those of the setting that it is about.
    fn chain(&self, name: &str, values: &[String]) -> Vec<(String, Vec<String>)> {
        let own = (name.to_string(), values.to_vec());
        let about = self.settings.iter().find(|one| one.name == name);
        let before = about.into_iter().flat_map(|one| &one.when);
        let before = before.flat_map(|(name, values)| self.chain(name, values));
        before.chain([own]).collect()
    }

    /// `base` with what is chosen.
    ///
    /// # Errors
    /// [`Error::Settings`]: a combination that no training can have; the ranges are checked.
    pub fn recipe(&self, base: &Recipe, chosen: &Parameters) -> Result<Recipe> {
        let mut recipe = base.clone();
        for (name, text) in self.texts(chosen) {
            let told = |allowed: String| Error::Settings(format!("{name} is {text}; it must be {allowed}"));
            recipe.assign(&name, &text).map_err(told)?;
        }
        if recipe.epochs != base.epochs {
            // Sizes of images are a plan over epochs, of which a trial has no more and no fewer than another.
            let told = |allowed: String| Error::Settings(format!("epochs must be {allowed}"));
            recipe.assign("epochs", &base.epochs.to_string()).map_err(told)?;
        }
        recipe.validate()?;
        recipe.check_augmentation()?;
        Ok(recipe)
    }

    /// What is chosen, as settings are written, in the order of the space.
    pub fn texts(&self, chosen: &Parameters) -> Vec<(String, String)> {
        let text = |one: &Setting| Some((one.name.clone(), one.distribution.text(*chosen.get(&one.name)?)));
        self.settings.iter().filter_map(text).collect()
    }

    /// Chooses each setting that applies, in their order, by `choose`; conditions see what was chosen before.
    pub fn choose(&self, base: &Recipe, mut choose: impl FnMut(&Setting) -> f64) -> Parameters {
        let mut chosen = Parameters::new();
        for setting in &self.settings {
            if self.applies(setting, base, &chosen) {
                chosen.insert(setting.name.clone(), choose(setting));
            }
        }
        chosen
    }

    /// Whether the conditions of `setting` hold: of a setting that is not chosen, what `base` has counts.
    pub fn applies(&self, setting: &Setting, base: &Recipe, chosen: &Parameters) -> bool {
        setting.when.iter().all(|(name, values)| {
            let searched = self.settings.iter().find(|one| one.name == *name);
            let now = match searched {
                Some(searched) => chosen.get(name).map(|&value| searched.distribution.text(value)),
                None => base.text_of(name),
            };
            now.is_some_and(|now| values.iter().any(|value| same(value, &now)))
        })
    }

    /// What `base` itself has, brought to the nearest values of the space, and whether nothing had to be changed.
    pub fn of(&self, base: &Recipe) -> (Parameters, bool) {
        let mut same = true;
        let chosen = self.choose(base, |setting| {
            let now = base.text_of(&setting.name).unwrap_or_default();
            let inside = setting.distribution.inside(&now);
            same &= inside.is_some();
            let number = now.parse().unwrap_or(0.0);
            inside.unwrap_or_else(|| match setting.distribution.choices() {
                Some(_) => 0.0,
                None => setting.distribution.nearest(number),
            })
        });
        (chosen, same)
    }

    /// As TOML, which [`Space::read`] takes.
    pub fn to_toml(&self) -> String {
        let mut text = String::new();
        for Setting {
            name,
            distribution,
            when,
        } in &self.settings
        {
            let mut table = toml::Table::new();
            let mut number = |key: &str, value: Value| table.insert(key.into(), value);
            match distribution {
                Distribution::Float { low, high, log, step } => {
                    number("low", (*low).into());
                    number("high", (*high).into());
                    step.map(|step| number("step", step.into()));
                    log.then(|| number("log", true.into()));
                }
                Distribution::Int { low, high, log, step } => {
                    number("low", (*low).into());
                    number("high", (*high).into());
                    (*step != 1).then(|| number("step", (*step).into()));
                    log.then(|| number("log", true.into()));
                }
                Distribution::Categorical { choices } => {
                    let choices = choices.iter().map(|choice| match choice {
                        Choice::Truth(truth) => Value::from(*truth),
                        Choice::Whole(whole) => Value::from(*whole),
                        Choice::Number(number) => Value::from(*number),
                        Choice::Text(text) => Value::from(text.as_str()),
                    });
                    number("choices", Value::Array(choices.collect()));
                }
            }
            text += &toml::Table::from_iter([(name.clone(), Value::Table(table))]).to_string();
            if !when.is_empty() {
                let values = |values: &[String]| match values {
                    [one] => Value::from(one.as_str()),
                    several => Value::from(several.to_vec()),
                };
                let conditions = when.iter().map(|(name, these)| format!("{name} = {}", values(these)));
                text += &format!("when = {{ {} }}\n", conditions.collect::<Vec<_>>().join(", "));
            }
            text += "\n";
        }
        text
    }
}

fn setting(name: &str, written: Written) -> std::result::Result<Setting, String> {
    let values = |value: Value| -> std::result::Result<Vec<String>, String> {
        let list = match value {
            Value::Array(list) => list,
            one => vec![one],
        };
        let text = |value: Value| match value {
            Value::String(text) => Ok(text),
            Value::Integer(_) | Value::Float(_) | Value::Boolean(_) => Ok(value.to_string()),
            _ => Err("when: a value, or a list of values, is wanted".to_string()),
        };
        let texts = list.into_iter().map(text).collect::<std::result::Result<Vec<_>, _>>()?;
        match texts.is_empty() {
            true => Err("when: a value is wanted".into()),
            false => Ok(texts),
        }
    };
    let when = written.when.into_iter().map(|(name, value)| Ok((name, values(value)?)));
    let when = when.collect::<std::result::Result<_, String>>()?;
    let distribution = match (written.choices, written.low, written.high) {
        (Some(choices), None, None) if written.step.is_none() && !written.log => categorical(choices)?,
        (None, Some(low), Some(high)) => numeric(low, high, written.log, written.step)?,
        _ => return Err("it has low and high (and perhaps log or step), or choices".into()),
    };
    Ok(Setting {
        name: name.into(),
        distribution,
        when,
    })
}

fn categorical(choices: Vec<Choice>) -> std::result::Result<Distribution, String> {
    let twice = choices
        .iter()
        .enumerate()
        .any(|(i, choice)| choices[..i].contains(choice));
    match choices.len() {
        0 => Err("it has no choices".into()),
        _ if twice => Err("a choice stands there twice".into()),
        _ => Ok(Distribution::Categorical { choices }),
    }
}

fn numeric(low: Value, high: Value, log: bool, step: Option<Value>) -> std::result::Result<Distribution, String> {
    let number = |value: &Value| match value {
        Value::Integer(whole) => Ok(*whole as f64),
        Value::Float(number) if number.is_finite() => Ok(*number),
        _ => Err("low, high and step are numbers".to_string()),
    };
    let (from, to) = (number(&low)?, number(&high)?);
    let apart = step.as_ref().map(number).transpose()?;
    if from >= to || (log && from <= 0.0) {
        return Err("low is less than high, and with log above 0".into());
    }
    if apart.is_some_and(|step| log || step <= 0.0 || step > to - from) {
        return Err("step is above 0 and at most high - low, and not beside log".into());
    }
    match (low, high, step) {
        (Value::Integer(low), Value::Integer(high), None) => Ok(Distribution::Int {
            low,
            high,
            log,
            step: 1,
        }),
        (Value::Integer(low), Value::Integer(high), Some(Value::Integer(step))) => Ok(Distribution::Int {
            low,
            high: low + (high - low) / step * step,
            log,
            step,
        }),
        _ => Ok(Distribution::Float {
            low: from,
            high: apart.map_or(to, |step| from + ((to - from) / step + 1e-9).floor() * step),
            log,
            step: apart,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Architecture;
    use crate::train::transfer::Transfer;

    fn base() -> Recipe {
        let mut base = Recipe::default();
        base.set("model", "cnn").unwrap();
        base
    }

    #[test]
    fn built_in_spaces_fit_and_come_back_from_toml() {
        let head = Recipe::transfer(Architecture::ResNet18, Transfer::new(None));
        for base in [base(), Recipe::default(), head] {
            let space = Space::built_in(&base).unwrap();
            assert_eq!(Space::read(&space.to_toml(), &base).unwrap(), space);
            let (own, _) = space.of(&base);
            space.recipe(&base, &own).unwrap();
        }
        let space = Space::built_in(&base()).unwrap();
        let (own, unchanged) = space.of(&base());
        // The reference has no decay, which a logarithm cannot tell.
        assert!(!unchanged && own["weight_decay"] == 1e-6 && own["zoom_range"] == 0.2 && own["blocks"] == 1.0);
    }

    #[test]
    fn a_setting_applies_where_its_conditions_hold() {
        let text = "[model]\nchoices = ['cnn', 'lynx']\n[kernel]\nchoices = [3, 5]\nwhen = { model = 'cnn' }\n\
                    [optimizer]\nchoices = ['sgd', 'adam', 'muon']\n\
                    [momentum]\nlow = 0.5\nhigh = 0.9\nwhen = { optimizer = ['sgd', 'muon'] }\n\
                    [nesterov]\nchoices = [true, false]\nwhen = { schedule = 'constant' }\n";
        let space = Space::read(text, &base()).unwrap();
        let chosen = |places: [f64; 3]| {
            let mut places = BTreeMap::from([("model", places[0]), ("optimizer", places[1]), ("kernel", places[2])]);
            space.choose(&base(), |setting| places.remove(setting.name.as_str()).unwrap_or(0.75))
        };
        let all = chosen([0.0, 2.0, 1.0]);
        assert_eq!(
            all.keys().collect::<Vec<_>>(),
            ["kernel", "model", "momentum", "optimizer"]
        );
        let few = chosen([1.0, 1.0, 1.0]);
        assert_eq!(few.keys().collect::<Vec<_>>(), ["model", "optimizer"]);
        let recipe = space.recipe(&base(), &all).unwrap();
        let Architecture::Cnn(cnn) = recipe.model else {
            panic!("{recipe:?}")
        };
        assert_eq!(
            (cnn.kernel, recipe.momentum, recipe.optimizer.name()),
            (5, 0.75, "muon")
        );
        assert_eq!(space.recipe(&base(), &few).unwrap().model, Architecture::Lynx);
    }

    #[test]
    fn nonsense_is_named() {
        for (text, reason) in [
            ("learning_rate = 3", "learning_rate"),
            ("[learning_rat]\nlow = 1.0\nhigh = 2.0", "learning_rat"),
            ("[learning_rate]\nlow = 1.0", "low and high"),
            ("[learning_rate]\nlow = 1.0\nhigh = 0.1", "low is less"),
            ("[learning_rate]\nlow = 0.0\nhigh = 0.1\nlog = true", "above 0"),
            ("[learning_rate]\nlow = 0.0\nhigh = 0.1\nstep = 0.2", "step is"),
            ("[learning_rate]\nlow = 0.1\nhigh = 0.2\nchoices = [1]", "or choices"),
            ("[batch_size]\nlow = 0.5\nhigh = 3.5", "whole number"),
            ("[batch_size]\nlow = 16.0\nhigh = 64.0", "whole number"),
            ("[momentum]\nlow = 0.5\nhigh = 5.0", "momentum is 5"),
            (
                "[momentum]\nlow = 0.5\nhigh = 0.9\nwhen = { optimizer = 'sgd' }\n[optimizer]\nchoices = ['sgd', 'adam']",
                "before momentum",
            ),
            ("[optimizer]\nchoices = ['sgd', 'sdg']", "sdg"),
            ("[optimizer]\nchoices = []", "no choices"),
            ("[optimizer]\nchoices = ['sgd', 'sgd']", "twice"),
            ("[optimizer]\nchoices = ['sgd']\nwhen = { scedule = 'step' }", "scedule"),
            ("[kernel]\nchoices = [3]\nwhen = { model = 'lynx' }", "cnn"),
            ("[seed]\nlow = 1\nhigh = 9", "cannot be searched"),
            ("[epochs]\nlow = 1\nhigh = 9", "cannot be searched"),
            ("", "no settings"),
            ("[", "TOML"),
        ] {
            let told = Space::read(text, &base()).unwrap_err();
            assert!(told.contains(reason), "{text}: {told}");
        }
    }
}
