//! The verbs.

mod bench;
mod cache;
mod calibrate;
mod compare;
mod compute;
mod demo;
mod doctor;
mod ensemble;
mod evaluate;
mod explain;
mod export;
mod features;
mod figure;
mod inspect;
mod models;
mod named;
mod organize;
mod plot_model;
mod predict;
mod report;
mod serve;
mod shell;
mod submit;
mod summary;
mod suspects;
mod train;
mod weights;

use clap::{Parser, Subcommand};
use pelage::data::decode::Limits;

use crate::failure::Outcome;

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
    after_help = "Begin with `pelage demo`, or with `pelage organize train.zip --out data` and `pelage train data`."
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
}

#[derive(Subcommand)]
enum Verb {
    Organize(organize::Arguments),
    Inspect(inspect::Arguments),
    Train(Box<train::Arguments>),
    Summary(summary::Arguments),
    PlotModel(plot_model::Arguments),
    Features(features::Arguments),
    Evaluate(evaluate::Arguments),
    Predict(predict::Arguments),
    Explain(explain::Arguments),
    Export(export::Arguments),
    Report(report::Arguments),
    Serve(serve::Arguments),
    Calibrate(calibrate::Arguments),
    Submit(submit::Arguments),
    Compare(compare::Arguments),
    Ensemble(ensemble::Arguments),
    Suspects(suspects::Arguments),
    Demo(demo::Arguments),
    Models(models::Arguments),
    Weights(weights::Arguments),
    Cache(cache::Arguments),
    Bench(bench::Arguments),
    Doctor(doctor::Arguments),
    Completions(shell::Completions),
    Man(shell::Manual),
}

impl Cli {
    pub(crate) fn run(self) -> Outcome {
        if let Some(pixels) = self.max_pixels {
            Limits::raise(pixels);
        }
        match self.verb {
            Verb::Organize(arguments) => organize::run(arguments),
            Verb::Inspect(arguments) => inspect::run(&arguments),
            Verb::Train(arguments) => train::run(*arguments),
            Verb::Summary(arguments) => summary::run(&arguments),
            Verb::PlotModel(arguments) => plot_model::run(&arguments),
            Verb::Features(arguments) => features::run(&arguments),
            Verb::Evaluate(arguments) => evaluate::run(&arguments),
            Verb::Predict(arguments) => predict::run(&arguments),
            Verb::Explain(arguments) => explain::run(arguments),
            Verb::Export(arguments) => export::run(&arguments),
            Verb::Report(arguments) => report::run(&arguments),
            Verb::Serve(arguments) => serve::run(arguments),
            Verb::Calibrate(arguments) => calibrate::run(&arguments),
            Verb::Submit(arguments) => submit::run(arguments),
            Verb::Compare(arguments) => compare::run(&arguments),
            Verb::Ensemble(arguments) => ensemble::run(&arguments),
            Verb::Suspects(arguments) => suspects::run(&arguments),
            Verb::Demo(arguments) => demo::run(&arguments),
            Verb::Models(arguments) => models::run(&arguments),
            Verb::Weights(arguments) => weights::run(arguments),
            Verb::Cache(arguments) => cache::run(&arguments),
            Verb::Bench(arguments) => bench::run(&arguments),
            Verb::Doctor(arguments) => doctor::run(&arguments),
            Verb::Completions(arguments) => shell::completions(&arguments),
            Verb::Man(arguments) => shell::manual(&arguments),
        }
    }
}
