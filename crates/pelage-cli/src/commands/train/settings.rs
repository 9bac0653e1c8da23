//! The settings of training that are given as flags, each named after its setting.

use clap::builder::PossibleValuesParser;
use clap::{Arg, ArgMatches, Command, FromArgMatches};
use pelage::Result;
use pelage::train::Recipe;

use super::flags::{FIRST, Flag, HEADINGS, Values};

/// The given settings, by name, as text.
#[derive(Clone, Debug, Default)]
pub(super) struct Settings(Vec<(&'static str, String)>);

fn is_found((name, text): &(&'static str, String)) -> bool {
    (*name, text.as_str()) == ("learning_rate", "auto")
}

impl Settings {
    /// Applies them to `recipe`, but for a learning rate that is still to be found.
    pub(super) fn apply(&self, recipe: &mut Recipe) -> Result<()> {
        let mut given = self.0.iter().filter(|setting| !is_found(setting));
        given.try_for_each(|(name, text)| recipe.set(name, text))
    }

    /// Whether the learning rate is to be found by a range test.
    pub(super) fn finds_rate(&self) -> bool {
        self.0.iter().any(is_found)
    }

    /// The names of the given settings.
    pub(super) fn names(&self) -> impl Iterator<Item = &'static str> {
        self.0.iter().map(|(name, _)| *name)
    }
}

impl clap::Args for Settings {
    fn augment_args(mut command: Command) -> Command {
        // Through text, where an f32 is as short as it was written.
        let defaults = serde_json::to_string(&Recipe::default()).unwrap_or_default();
        let defaults = serde_json::from_str(&defaults).unwrap_or_default();
        for (heading, flags) in HEADINGS {
            command = command.next_help_heading(heading);
            for flag in flags {
                command = command.arg(argument(flag, &defaults));
            }
        }
        command
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

fn argument(Flag(name, value, help, values): &Flag, defaults: &serde_json::Value) -> Arg {
    let default = defaults.get(name).or_else(|| defaults["augmentation"].get(name));
    let help = match default {
        Some(default) if !help.contains("[default") => {
            let default = default.as_str().map_or_else(|| default.to_string(), String::from);
            format!("{help} [default: {}]", default.strip_suffix(".0").unwrap_or(&default))
        }
        _ => help.to_string(),
    };
    let argument = Arg::new(*name)
        .long(name.replace('_', "-"))
        .value_name(*value)
        .hide_short_help(!FIRST.contains(name))
        .help(help);
    match values {
        Values::Any => argument,
        Values::Two => argument.num_args(2).value_names(value.split(' ').collect::<Vec<_>>()),
        Values::Switch => argument
            .num_args(0..=1)
            .default_missing_value("true")
            .require_equals(true)
            .value_parser(PossibleValuesParser::new(["true", "false"]))
            .hide_possible_values(true),
        Values::OneOf(names) => argument.value_parser(PossibleValuesParser::new(names.iter().copied())),
    }
}

impl FromArgMatches for Settings {
    fn from_arg_matches(matches: &ArgMatches) -> std::result::Result<Self, clap::Error> {
        let mut settings = Settings::default();
        settings.update_from_arg_matches(matches)?;
        Ok(settings)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> std::result::Result<(), clap::Error> {
        for Flag(name, ..) in HEADINGS.iter().flat_map(|(_, flags)| flags.iter()) {
            if let Some(values) = matches.get_many::<String>(name) {
                self.0.push((name, values.cloned().collect::<Vec<_>>().join(",")));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use pelage::train::named::DESCRIBED;

    use super::*;

    #[test]
    fn every_setting_has_a_flag_and_no_flag_is_of_nothing() {
        let recipe = serde_json::to_value(Recipe::default()).unwrap();
        let keys = |value: &serde_json::Value| value.as_object().unwrap().keys().cloned().collect::<BTreeSet<_>>();
        let mut settings = keys(&recipe);
        settings.extend(keys(&recipe["augmentation"]));
        settings.extend(DESCRIBED.map(String::from));
        // Tables, whose parts are settings.
        settings.remove("augmentation");
        settings.remove("transfer");
        let flags = HEADINGS.iter().flat_map(|(_, flags)| flags.iter());
        let flags: Vec<_> = flags.map(|Flag(name, ..)| name.to_string()).collect();
        assert_eq!(flags.len(), settings.len());
        assert_eq!(flags.into_iter().collect::<BTreeSet<_>>(), settings);
    }
}
