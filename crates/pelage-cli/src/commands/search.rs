//! `pelage search`.

mod described;
mod progress;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::Args;
use pelage::data::groups::seconds;
use pelage::data::lock::first_free;
use pelage::data::shown;
use pelage::search::pruner::Pruner;
use pelage::search::sampler::Sampler;
use pelage::search::study::Metric;
use pelage::search::worker::End;
use pelage::search::{Search, Settings, Space};
use pelage::train::Control;
use pelage::{Architecture, Config};

use super::train;
use crate::failure::{Failure, Outcome};
use crate::options::one_of;
use crate::progress::{Detail, Task, Training};
use crate::signals::{end_on_signal, interrupted, stop_on_signal};
use crate::table::count;
use crate::terminal::{answer, is_json, quoted, tell};
use described::described;
use progress::Shown;

/// Search the settings of training: many runs, and what they tell
///
/// Every trial is a run, of settings that the good ones before it suggest. Trials of little promise pause after few
/// epochs, and go on from where they were if it turns out otherwise. The first trial has the settings that are given
/// here; all that the space does not name stay as they are. Ctrl-C or a kill loses at most an epoch of a trial:
/// --resume goes on, and several processes may work on one search at once. The record, SEARCH/journal.log, is Optuna's:
/// `optuna-dashboard` and `optuna.load_study` read it while it grows.
#[derive(Args)]
// Of training's options, those about one run have another meaning here, or none.
#[command(
    mut_arg("resume", |arg| arg.value_name("SEARCH").help(
        "Go on with a search, or help another process with it; only --trials, --time, --jobs and --confirm may be given"
    )),
    mut_arg("out", |arg| arg.value_name("SEARCH").help("The folder to create [default: searches/N]")),
    mut_arg("fine_tune", |arg| arg.hide(true)),
    mut_arg("folds", |arg| arg.hide(true))
)]
pub(super) struct Arguments {
    /// What is searched, as TOML: a table for each setting, named as in config.toml, with low and high (and log), or
    /// choices, and perhaps when = { SETTING = VALUE } [default: what most people want to know]
    #[arg(long, value_name = "FILE.toml", conflicts_with = "resume")]
    space: Option<PathBuf>,
    /// Print the space instead of searching, to change it and give it to --space
    #[arg(long, conflicts_with = "resume")]
    show_space: bool,
    /// Most trials; without, those of small networks come first where they promise as much, since time is what counts
    #[arg(long, value_name = "N")]
    trials: Option<usize>,
    /// Stop after this time, such as 90s, 20min or 8h [default: 1h, without --trials]
    #[arg(long, value_name = "TIME", value_parser = time)]
    time: Option<Duration>,
    /// Trials at once, each on its share of the threads, one at least; with --cache ram each has pictures of its own
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=64))]
    jobs: u8,
    /// How settings are chosen: by what good trials have in common (tree-structured Parzen estimator), at random, or as
    /// all combinations of a few values
    #[arg(long, default_value = "tpe", conflicts_with = "resume", hide_possible_values = true,
        value_parser = one_of::<Sampler>(Sampler::NAMES.iter().copied()), value_name = "tpe|random|grid")]
    sampler: Sampler,
    /// Which trials are cut short: all but the best third of those that came as far, at 3, 9, 27 ... epochs (1, 3 where
    /// there are fewer than 9); those worse than the median; none
    #[arg(long, default_value = "hyperband", conflicts_with = "resume", hide_possible_values = true,
        value_parser = one_of::<Pruner>(Pruner::NAMES.iter().copied()), value_name = "hyperband|median|none")]
    pruner: Pruner,
    /// What is measured: validation-loss or validation-accuracy
    #[arg(long, default_value = "validation-loss", conflicts_with = "resume", hide_possible_values = true,
        value_parser = one_of::<Metric>(Metric::NAMES.iter().copied()))]
    metric: Metric,
    /// At the end, train the best settings again with so many other seeds, which tells how much of the gain is luck;
    /// with --resume and neither --trials nor --time at once
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = clap::value_parser!(u16).range(..=20))]
    confirm: u16,
    #[command(flatten)]
    training: train::Arguments,
}

/// Epochs of the longest trial, and its patience, where nothing is said: with them trials are looked at after 3 and 9
/// epochs.
const EPOCHS: usize = 27;
const PATIENCE: usize = 5;
/// How long a search goes on, where nothing is said.
const TIME: Duration = Duration::from_secs(3600);

fn time(text: &str) -> Result<Duration, String> {
    let seconds = seconds(text).filter(|&seconds| seconds > 0);
    let told = || "expected a time such as 90s, 20min or 8h".to_string();
    seconds
        .map(|seconds| Duration::from_secs(seconds.into()))
        .ok_or_else(told)
}

pub(super) fn run(arguments: Arguments) -> Outcome {
    let base = match &arguments.training.resume {
        Some(_) => None,
        None => Some(base(&arguments.training)?),
    };
    if arguments.show_space {
        if is_json() {
            return Err(Failure::usage("--show-space prints TOML").help("leave --json out"));
        }
        let base = base.unwrap_or_default();
        let space = space(&arguments, &base)?;
        return Ok(space.to_toml());
    }
    let search = match (&arguments.training.resume, base) {
        (Some(folder), _) => resumed(&arguments, folder)?,
        (None, base) => created(&arguments, base.unwrap_or_default())?,
    };
    let endless = arguments.time.is_none() && search.settings.trials.is_none();
    let time = arguments.time.or(endless.then_some(TIME));
    let alone = arguments.training.resume.is_some() && arguments.trials.is_none() && arguments.time.is_none();
    let seeds = usize::from(arguments.confirm);
    match alone && seeds > 0 {
        true => again(&search, seeds),
        false => {
            let until = time.map(|time| Instant::now() + time);
            searched(&search, arguments.jobs.into(), until, seeds)
        }
    }
}

/// The run that is varied.
fn base(training: &train::Arguments) -> Result<Config, Failure> {
    if training.finds_rate() {
        let told = "--learning-rate auto finds one rate, and a search tries many";
        return Err(Failure::usage(told).help("leave it out"));
    }
    if training.folds.is_some() {
        return Err(Failure::usage("--folds trains many runs, and a trial is one")
            .help("search with a validation part, and cross-validate what it finds"));
    }
    if training.transferring.fine_tune {
        return Err(Failure::usage("--fine-tune trains twice, which a search does not")
            .help("`--unfreeze all`, or search the head alone"));
    }
    let mut config = train::config(training)?;
    let recipe = &mut config.recipe;
    if recipe.is_solved() {
        return Err(Failure::usage(
            "--head logistic is solved to its optimum: there is nothing to search",
        ));
    }
    if !training.chooses_network()
        && let Architecture::Cnn3 = recipe.model
    {
        recipe.set("model", "cnn")?;
    }
    // A file of settings has its own.
    if !training.gives("epochs") && !training.begins_from_settings() {
        recipe.epochs = EPOCHS;
    }
    if !training.gives("patience") && !training.begins_from_settings() {
        recipe.patience = PATIENCE;
    }
    Ok(config)
}

fn space(arguments: &Arguments, base: &Config) -> Result<Space, Failure> {
    let Some(file) = &arguments.space else {
        return Ok(Space::built_in(&base.recipe)?);
    };
    let text = std::fs::read_to_string(file)
        .map_err(|failure| Failure::failed(format!("{}: {failure}", shown::path(file))))?;
    Space::read(&text, &base.recipe).map_err(|reason| {
        Failure::usage(format!("{}: {reason}", shown::path(file)))
            .help("`pelage search DATA --show-space` prints an example")
    })
}

fn created(arguments: &Arguments, base: Config) -> Result<Search, Failure> {
    let space = space(arguments, &base)?;
    let settings = Settings {
        sampler: arguments.sampler,
        pruner: arguments.pruner,
        metric: arguments.metric,
        trials: arguments.trials,
        seed: base.recipe.seed,
    };
    // Claimed until it is a search.
    let claimed = match &arguments.training.out {
        Some(_) => None,
        None => Some(first_free(
            (1..).map(|number| Path::new("searches").join(number.to_string())),
        )?),
    };
    let folder = match (&arguments.training.out, &claimed) {
        (Some(out), _) => out.clone(),
        (None, Some(claimed)) => claimed.to_path_buf(),
        (None, None) => PathBuf::from("searches"),
    };
    Search::create(&folder, base, space, settings).map_err(|error| match &error {
        pelage::Error::Folder { path, .. } if path.join("search.toml").exists() => Failure::usage(error.to_string())
            .help(format!("`pelage search --resume {}`, or another --out", quoted(path))),
        _ => error.into(),
    })
}

fn resumed(arguments: &Arguments, folder: &Path) -> Result<Search, Failure> {
    if arguments.training.gives_any() {
        return Err(Failure::usage(
            "--resume keeps what the search was begun with; only --trials, --time, --jobs and --confirm may be given",
        ));
    }
    Ok(Search::open(folder, arguments.trials)?)
}

fn searched(search: &Search, jobs: usize, until: Option<Instant>, seeds: usize) -> Outcome {
    tell(begun(search));
    stop_on_signal();
    let task = Task::new();
    let mut shown = Shown::new(search, jobs == 1);
    let ended = search.work(jobs, until, &|progress| task.show(progress), &mut |told| {
        shown.observe(told)
    });
    task.finish();
    let ended = ended?;
    let mut stopped = ended == End::Stopped;
    if ended != End::Stopped && seeds > 0 {
        stopped = confirmed(search, seeds, &task)? == Control::Stop;
    }
    let more = match ended {
        End::OutOfTime => format!("the time is over; {}\n", goes_on(search)),
        _ => String::new(),
    };
    told(search, stopped, &more, &task)
}

/// Trains the best settings again, and searches no more.
fn again(search: &Search, seeds: usize) -> Outcome {
    stop_on_signal();
    let task = Task::new();
    let stopped = confirmed(search, seeds, &task)? == Control::Stop;
    told(search, stopped, "", &task)
}

/// How the search can go on.
fn goes_on(search: &Search) -> String {
    format!("`pelage search --resume {}` goes on", quoted(&search.folder))
}

/// What was found, on the page and as the answer.
fn told(search: &Search, stopped: bool, more: &str, task: &Task) -> Outcome {
    end_on_signal();
    let mut report = search.report()?;
    report.confirmed = search.confirmed(&|progress| task.show(progress))?;
    task.finish();
    search.write_page(&report)?;
    match interrupted().filter(|_| stopped) {
        Some(signal) => {
            let kept = described(search, &report) + &goes_on(search) + "\n";
            Err(Failure::interrupted(signal, kept))
        }
        None => Ok(answer(&report, |report| described(search, report) + more)?),
    }
}

fn begun(search: &Search) -> String {
    let base = &search.base;
    let names: Vec<_> = search
        .space
        .settings
        .iter()
        .map(|setting| setting.name.as_str())
        .collect();
    format!(
        "search {}: {} on {}, trials of at most {}\n{}: {}\n",
        quoted(&search.folder),
        base.recipe.name(),
        quoted(base.shown_data()),
        count(base.recipe.epochs, "epoch"),
        count(names.len(), "setting"),
        names.join(", ")
    )
}

/// Trains the best settings again.
fn confirmed(search: &Search, seeds: usize, task: &Task) -> Result<Control, Failure> {
    tell(format_args!(
        "the best settings again, with {}\n",
        count(seeds, "other seed")
    ));
    let mut display = Training::new(Detail::Whole);
    let control = search.confirm(seeds, &|progress| task.show(progress), &mut |_seed, event| {
        display.observe(event)
    });
    display.finish();
    task.finish();
    Ok(control?)
}
