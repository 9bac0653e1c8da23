//! `pelage recipes`.

use clap::{Args, Subcommand};
use pelage::Recipe;
use pelage::train::recipes::BuiltIn;
use serde::Serialize;

use super::written::exactly;
use crate::failure::Outcome;
use crate::options::one_of;
use crate::table::table;
use crate::terminal::{answer, is_json};

/// The recipes of training, which `pelage train --recipe NAME` follows
#[derive(Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    verb: Option<Verb>,
}

#[derive(Subcommand)]
enum Verb {
    /// Print a recipe as TOML: change it, and give it to `pelage train --config FILE`
    Show {
        /// Its name
        #[arg(value_parser = one_of::<BuiltIn>(BuiltIn::NAMES.iter().copied()))]
        name: BuiltIn,
    },
}

pub(super) fn run(arguments: &Arguments) -> Outcome {
    if let Some(Verb::Show { name }) = &arguments.verb {
        let settings = Shown {
            settings: name.recipe()?,
        };
        return match is_json() {
            true => Ok(answer(&settings, |_| String::new())?),
            false => exactly(name.text()),
        };
    }
    let recipes = BuiltIn::ALL.map(|recipe| Listed {
        name: recipe.name(),
        purpose: recipe.purpose(),
    });
    Ok(answer(&recipes, |recipes| {
        let rows = recipes
            .iter()
            .map(|recipe| vec![recipe.name.to_string(), recipe.purpose.to_string()]);
        let listed = table(&["recipe", "for"], 2..2, rows);
        listed + "`pelage train DATA --recipe NAME` follows one, `pelage recipes show NAME` prints it\n"
    })?)
}

#[derive(Serialize)]
struct Listed {
    name: &'static str,
    purpose: &'static str,
}

#[derive(Serialize)]
struct Shown {
    settings: Recipe,
}
