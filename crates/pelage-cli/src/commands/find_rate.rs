//! `pelage find-rate`.

use std::path::PathBuf;

use clap::{Args, value_parser};
use pelage::draw::rates::rates_svg;
use pelage::runs::range::{STEPS, Tested};
use pelage::train::range_test::{self, Suggestions};
use serde::Serialize;

use super::figure::{Figure, Replacing};
use super::train;
use crate::failure::{Failure, Outcome};
use crate::table::fixed;
use crate::terminal::{answer, quoted, tell};

/// Find a learning rate by the range test (Smith 2017)
///
/// A throw-away network is trained for some steps, by the settings of `pelage train`, while the learning rate rises
/// from far too small to far too large. Where the loss falls, a rate is good; where it rises, it is too large. `pelage
/// train --learning-rate auto` tests before it trains, and takes the valley.
#[derive(Args)]
// Of training's options, those of a run that goes on mean nothing here; the folder of one becomes the figure.
#[command(
    mut_arg("resume", |arg| arg.hide(true)),
    mut_arg("tensorboard", |arg| arg.hide(true)),
    mut_arg("fine_tune", |arg| arg.hide(true)),
    mut_arg("folds", |arg| arg.hide(true)),
    mut_arg("learning_rate", |arg| arg.hide(true)),
    mut_arg("out", |arg| {
        arg.value_name("FILE").value_parser(value_parser!(PathBuf)).help(
            "Write the loss over the rate as a figure, .svg or .png, or - for standard output (SVG); what is found is \
             then told on stderr"
        )
    })
)]
pub(super) struct Arguments {
    #[command(flatten)]
    replacing: Replacing,
    /// Steps of the test
    #[arg(long, value_name = "N", default_value_t = STEPS, value_parser = steps)]
    steps: usize,
    #[command(flatten)]
    training: train::Arguments,
}

#[derive(Serialize)]
struct Document {
    steps: usize,
    rates: Vec<f64>,
    losses: Vec<f64>,
    chance: Option<f64>,
    is_learnt: Option<bool>,
    valley: Option<f64>,
    steepest: Option<f64>,
    minimum_over_ten: Option<f64>,
}

fn steps(text: &str) -> Result<usize, String> {
    let allowed = 20..=10_000;
    let steps = text.parse().ok().filter(|steps| allowed.contains(steps));
    steps.ok_or_else(|| "it must be 20 to 10000".into())
}

pub(super) fn run(arguments: &Arguments) -> Outcome {
    if let Some(option) = arguments.training.only_of_a_run() {
        return Err(Failure::usage(format!(
            "{option} means nothing here: nothing is kept of the test but its figure"
        ))
        .help("leave it out"));
    }
    let out = arguments.training.out.as_deref();
    let figure = out.map(|out| arguments.replacing.figure(out)).transpose()?;
    let config = train::config(&arguments.training)?;
    let tested = train::rate::tested(&config, arguments.steps)?;
    let points = &tested.points;
    let found = range_test::suggestions(points);
    let is_standard = figure.as_ref().is_some_and(Figure::is_standard);
    if let Some(figure) = figure {
        let title = format!("{} on {}", config.recipe.name(), config.shown_data().display());
        let svg = rates_svg(&title, points, found.as_ref()).map_err(Failure::failed)?;
        let written = figure.write(svg)?;
        if !is_standard {
            tell(format_args!("figure: {}\n", quoted(&written.file)));
        }
    }
    if is_standard {
        tell(described(found.as_ref(), &tested));
        return Ok(String::new());
    }
    let document = Document {
        steps: points.len(),
        rates: points.iter().map(|point| point.rate).collect(),
        losses: points.iter().map(|point| point.loss).collect(),
        chance: tested.chance,
        is_learnt: tested.is_learnt(),
        valley: found.map(|found| found.valley),
        steepest: found.map(|found| found.steepest),
        minimum_over_ten: found.map(|found| found.minimum_over_ten),
    };
    Ok(answer(&document, |_| described(found.as_ref(), &tested))?)
}

fn described(found: Option<&Suggestions>, tested: &Tested) -> String {
    let steps = tested.points.len();
    let chance = match (train::rate::chance(tested), tested.chance) {
        (Some(told), _) => format!("{told}; more steps may tell: --steps\n"),
        (None, Some(chance)) => format!(
            "the loss came down to {}; always answering the shares of the classes has {}\n",
            fixed(tested.lowest(), 4),
            fixed(chance, 4)
        ),
        (None, None) => String::new(),
    };
    let valley = match tested.is_learnt() {
        Some(false) => "little more than a guess",
        _ => "the one to take",
    };
    match found {
        None => format!("the loss fell at no learning rate in {steps} steps; more of them may tell: --steps\n"),
        Some(found) => format!(
            "learning rate, by {steps} steps:\n  valley            {:.2e}  {valley}\n  \
             steepest          {:.2e}\n  minimum over ten  {:.2e}\n{chance}",
            found.valley, found.steepest, found.minimum_over_ten
        ),
    }
}
