//! The verbs.

mod bench;
mod cache;
mod calibrate;
mod compare;
mod compute;
mod demo;
mod devices;
mod doctor;
mod ensemble;
mod evaluate;
mod explain;
mod export;
mod features;
mod figure;
mod find_rate;
mod inspect;
mod merge;
mod models;
mod named;
mod organize;
mod plot_model;
mod predict;
mod quantize;
mod recipes;
mod report;
mod search;
mod serve;
mod shell;
mod submit;
mod summary;
mod suspects;
mod train;
mod weights;
mod written;

pub use train::{Training, training};

use clap::{Parser, Subcommand};
use pelage::data::decode::{Damaged, Limits};

use crate::decisions;
use crate::failure::{Failure, Outcome};
use crate::options::one_of;
use crate::table::count;
use crate::terminal::{Options, is_json, tell};

/// From a folder of images to an image classifier.
#[derive(Parser)]
#[command(
    name = "pelage",
    version,
    about,
    propagate_version = true,
    arg_required_else_help = true
)]
#[command(
    after_help = "Begin with `pelage demo`, or with `pelage organize train.zip --out data` and `pelage train data`. \
                  With few pictures a pretrained network does best: `pelage weights fetch mobilenet_v2`, then \
                  `pelage train data --backbone mobilenet_v2`."
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    verb: Verb,
    /// Most pixels that a picture may have; above the default, the memory that decoding may take grows in proportion
    ///
    /// 100 megapixels and 512 MiB for all threads together by default. A picture that would need more is "too large".
    #[arg(long, global = true, hide_short_help = true, value_name = "PIXELS",
        value_parser = clap::value_parser!(u64).range(1..))]
    max_pixels: Option<u64>,
    /// What becomes of a JPEG whose data are damaged or end early: skip, it counts as unreadable, with the share that
    /// is missing; or take what is there of it, the rest gray. How many were taken is told [default: skip]
    #[arg(long, global = true, hide_short_help = true, hide_possible_values = true, value_name = "skip|take",
        value_parser = one_of::<Damaged>(Damaged::NAMES.iter().copied()))]
    damaged: Option<Damaged>,
    #[command(flatten)]
    output: Options,
}

#[derive(Subcommand)]
enum Verb {
    Organize(organize::Arguments),
    Inspect(inspect::Arguments),
    Train(Box<train::Arguments>),
    FindRate(Box<find_rate::Arguments>),
    Search(Box<search::Arguments>),
    Summary(summary::Arguments),
    PlotModel(plot_model::Arguments),
    Features(features::Arguments),
    Evaluate(evaluate::Arguments),
    Predict(predict::Arguments),
    Merge(merge::Arguments),
    Explain(explain::Arguments),
    Export(export::Arguments),
    Report(report::Arguments),
    Serve(serve::Arguments),
    Calibrate(calibrate::Arguments),
    Quantize(quantize::Arguments),
    Submit(submit::Arguments),
    Compare(compare::Arguments),
    Ensemble(ensemble::Arguments),
    Suspects(suspects::Arguments),
    Demo(demo::Arguments),
    Models(models::Arguments),
    Recipes(recipes::Arguments),
    Weights(weights::Arguments),
    Cache(cache::Arguments),
    Bench(bench::Arguments),
    Devices(devices::Arguments),
    Doctor(doctor::Arguments),
    Completions(shell::Completions),
    Man(shell::Manual),
}

impl Cli {
    pub(crate) fn run(self) -> Outcome {
        self.output.settle();
        decisions::listen();
        if is_json() && !self.verb.has_document() {
            return Err(Failure::usage("this verb has no JSON document").help("leave --json out"));
        }
        if let Some(pixels) = self.max_pixels {
            Limits::raise(pixels);
        }
        self.damaged.unwrap_or_default().set();
        // Where a GPU fails, whatever the verb, it is told as any failure is.
        let outcome = pelage::device::caught(|| self.verb.run()).unwrap_or_else(|failure| Err(failure.into()));
        match Damaged::taken() {
            0 => {}
            taken => tell(format_args!("note: {} taken as is\n", count(taken, "damaged picture"))),
        }
        outcome
    }
}

impl Verb {
    /// Whether it answers with something that a program would read.
    fn has_document(&self) -> bool {
        !matches!(self, Verb::Serve(_) | Verb::Completions(_))
    }

    fn run(self) -> Outcome {
        match self {
            Verb::Organize(arguments) => organize::run(arguments),
            Verb::Inspect(arguments) => inspect::run(&arguments),
            Verb::Train(arguments) => train::run(*arguments),
            Verb::Search(arguments) => search::run(*arguments),
            Verb::Summary(arguments) => summary::run(&arguments),
            Verb::PlotModel(arguments) => plot_model::run(&arguments),
            Verb::Features(arguments) => features::run(&arguments),
            Verb::Evaluate(arguments) => evaluate::run(&arguments),
            Verb::Predict(arguments) => predict::run(&arguments),
            Verb::Merge(arguments) => merge::run(&arguments),
            Verb::Explain(arguments) => explain::run(arguments),
            Verb::Export(arguments) => export::run(&arguments),
            Verb::Report(arguments) => report::run(&arguments),
            Verb::Serve(arguments) => serve::run(arguments),
            Verb::Calibrate(arguments) => calibrate::run(&arguments),
            Verb::Quantize(arguments) => quantize::run(&arguments),
            Verb::FindRate(arguments) => find_rate::run(&arguments),
            Verb::Submit(arguments) => submit::run(arguments),
            Verb::Compare(arguments) => compare::run(&arguments),
            Verb::Ensemble(arguments) => ensemble::run(&arguments),
            Verb::Suspects(arguments) => suspects::run(&arguments),
            Verb::Demo(arguments) => demo::run(&arguments),
            Verb::Models(models::Arguments {}) => models::run(),
            Verb::Recipes(arguments) => recipes::run(&arguments),
            Verb::Weights(arguments) => weights::run(arguments),
            Verb::Cache(arguments) => cache::run(&arguments),
            Verb::Bench(arguments) => bench::run(&arguments),
            Verb::Devices(devices::Arguments {}) => devices::run(),
            Verb::Doctor(doctor::Arguments {}) => doctor::run(),
            Verb::Completions(arguments) => shell::completions(&arguments),
            Verb::Man(arguments) => shell::manual(&arguments),
        }
    }
}
