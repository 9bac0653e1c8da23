//! `pelage train`.

use std::path::{Path, PathBuf};

use clap::Args;
use pelage::data::augment::{Augmentation, FillMode};
use pelage::data::cache::CacheMode;
use pelage::data::preprocess::ResizeFilter;
use pelage::model::Architecture;
use pelage::train::recipe::{ClassWeights, Loss, OptimizerKind, Schedule};
use pelage::train::run::{self, Extension, Run};
use pelage::train::{EndReason, Outcome as Trained, Recipe};

use super::{one_of, use_threads};
use crate::failure::{Failure, Outcome};
use crate::progress::{self, Task, Training};
use crate::table::{count, duration, some};

/// Train a network; every default is the reference recipe
///
/// DATA is what `pelage organize` made, or any folder of class folders or zip together with --validation-split. The run
/// folder keeps the settings, the best weights, the history, the curves and a checkpoint. A run that was stopped or
/// killed goes on by --resume, and ends with the same weights, bit for bit, as one that was not.
#[derive(Args)]
#[command(allow_negative_numbers = true)]
pub(super) struct Arguments {
    /// The pictures
    #[arg(required_unless_present_any = ["resume", "config"])]
    data: Option<PathBuf>,
    /// The run folder to make [default: runs/MODEL-N]
    #[arg(long, value_name = "RUN")]
    out: Option<PathBuf>,
    /// Go on with a run; only --epochs, --patience, --threads and --cache may change
    #[arg(long, value_name = "RUN", conflicts_with_all = ["data", "out", "config"])]
    resume: Option<PathBuf>,
    /// Settings to start from, such as another run's config.toml; flags win
    #[arg(long, value_name = "FILE.toml")]
    config: Option<PathBuf>,
    /// Share of the pictures for validation, where DATA has no validation part
    #[arg(long, value_name = "SHARE")]
    validation_split: Option<f64>,
    /// Seed of weights, order, augmentation and dropout [default: 0]
    #[arg(long)]
    seed: Option<u64>,
    /// CPU threads [default: all]
    #[arg(long, value_name = "N")]
    threads: Option<usize>,
    /// Where to compute: cpu, or a GPU that this build knows [default: cpu]
    #[arg(long, value_parser = clap::builder::PossibleValuesParser::new(pelage::device::names()))]
    device: Option<String>,
    /// Where decoded pictures are kept between epochs [default: auto]
    #[arg(long, value_parser = one_of::<CacheMode>(["auto", "off", "ram", "disk"]))]
    cache: Option<CacheMode>,
    /// Write TensorBoard event files into RUN/tensorboard
    #[arg(long)]
    tensorboard: bool,
    #[command(flatten, next_help_heading = "Network and learning")]
    learning: Learning,
    #[command(
        flatten,
        next_help_heading = "Augmentation of training pictures (validation is never augmented)"
    )]
    augmentation: Augmenting,
}

#[derive(Args)]
struct Learning {
    /// The network [default: cnn3]
    #[arg(long, value_parser = one_of::<Architecture>(Architecture::ALL.map(Architecture::name)))]
    model: Option<Architecture>,
    /// Side of the square that pictures are brought to, in pixels [default: 150]
    #[arg(long, value_name = "PX")]
    image_size: Option<u32>,
    /// How they are brought to that size; Keras's flow_from_directory uses nearest [default: bilinear, antialiased]
    #[arg(long, value_parser = one_of::<ResizeFilter>(["nearest", "bilinear", "bicubic", "lanczos3"]))]
    resize_filter: Option<ResizeFilter>,
    /// Epochs at most [default: 50]
    #[arg(long, value_name = "N")]
    epochs: Option<usize>,
    /// Pictures a step [default: 32]
    #[arg(long, value_name = "N")]
    batch_size: Option<usize>,
    /// [default: sgd]
    #[arg(long, value_parser = one_of::<OptimizerKind>(OptimizerKind::NAMES.iter().copied()))]
    optimizer: Option<OptimizerKind>,
    /// [default: 0.01]
    #[arg(long, value_name = "RATE")]
    learning_rate: Option<f64>,
    /// Momentum of sgd [default: 0.9]
    #[arg(long)]
    momentum: Option<f64>,
    /// Nesterov's momentum
    #[arg(long)]
    nesterov: bool,
    /// L2 regularization; decoupled with adamw [default: 0]
    #[arg(long, value_name = "DECAY")]
    weight_decay: Option<f64>,
    /// How the learning rate changes [default: time-decay]
    #[arg(long, value_parser = one_of::<Schedule>(Schedule::NAMES.iter().copied()))]
    schedule: Option<Schedule>,
    /// [default: cross-entropy]
    #[arg(long, value_parser = one_of::<Loss>(Loss::NAMES.iter().copied()))]
    loss: Option<Loss>,
    /// Share of each target spread over all classes [default: 0]
    #[arg(long, value_name = "SHARE")]
    label_smoothing: Option<f64>,
    /// Weights against class imbalance [default: none]
    #[arg(long, value_parser = one_of::<ClassWeights>(ClassWeights::NAMES.iter().copied()))]
    class_weights: Option<ClassWeights>,
    /// Epochs without a better validation loss before training stops; 0: never [default: 2]
    #[arg(long, value_name = "N")]
    patience: Option<usize>,
    /// By how much the validation loss must fall to count as better [default: 0]
    #[arg(long, value_name = "DELTA")]
    min_delta: Option<f64>,
}

#[derive(Args)]
struct Augmenting {
    /// Start from no augmentation at all instead of the reference recipe's
    #[arg(long)]
    no_augmentation: bool,
    /// Degrees either way [default: 0]
    #[arg(long, value_name = "DEGREES")]
    rotation_range: Option<f32>,
    /// Below 1 a share of the width, else pixels [default: 0]
    #[arg(long, value_name = "SHIFT")]
    width_shift_range: Option<f32>,
    /// Below 1 a share of the height, else pixels [default: 0]
    #[arg(long, value_name = "SHIFT")]
    height_shift_range: Option<f32>,
    /// Degrees either way, as in Keras today (the 2017 recipe's 0.2 was in radians) [default: 11.46]
    #[arg(long, value_name = "DEGREES")]
    shear_range: Option<f32>,
    /// Between 1 - Z and 1 + Z, drawn for x and y independently [default: 0.2]
    #[arg(long, value_name = "Z")]
    zoom_range: Option<f32>,
    /// Added to each channel, of 255, either way [default: 0]
    #[arg(long, value_name = "VALUE")]
    channel_shift_range: Option<f32>,
    /// Factor on the values, drawn between the two
    #[arg(long, num_args = 2, value_names = ["LOW", "HIGH"])]
    brightness_range: Option<Vec<f32>>,
    /// Swap left and right in one of two [default: true]
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true", require_equals = true)]
    horizontal_flip: Option<bool>,
    /// Swap top and bottom in one of two [default: false]
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true", require_equals = true)]
    vertical_flip: Option<bool>,
    /// What is seen beyond the border [default: nearest]
    #[arg(long, value_parser = one_of::<FillMode>(["nearest", "constant", "reflect", "wrap"]))]
    fill_mode: Option<FillMode>,
}

pub(super) fn run(arguments: Arguments) -> Outcome {
    let task = Task::new();
    let opened = match &arguments.resume {
        Some(folder) => {
            let extension = extension(&arguments)?;
            Run::resume(folder, extension, &|progress| task.show(progress))
        }
        None => {
            let recipe = recipe(&arguments)?;
            use_threads(recipe.threads)?;
            let folder = arguments
                .out
                .clone()
                .unwrap_or_else(|| run::free_folder(Path::new("runs"), &recipe));
            Run::create(recipe, &folder, &|progress| task.show(progress))
        }
    };
    task.finish();
    train(&opened?)
}

/// Trains `run` under bars, and says what came of it.
pub(super) fn train(run: &Run) -> Outcome {
    eprintln!("{}", run.describe());
    let unreadable = || {
        run.data
            .train
            .unreadable()
            .iter()
            .chain(run.data.validation.unreadable())
    };
    let skipped: Vec<_> = unreadable()
        .map(|one| format!("{}: {}", one.path, one.reason))
        .collect();
    if !skipped.is_empty() {
        let listed = run.folder.join("unreadable.csv");
        eprint!(
            "{} skipped, see {}:\n{}",
            count(skipped.len(), "file"),
            listed.display(),
            some(skipped.into_iter(), 5)
        );
    }
    let device = pelage::device::open(&run.recipe.device)?;
    if run.complete.is_none() {
        let forecast = run.forecast(&device)?;
        eprintln!(
            "forecast: {:.0} images/s, {} an epoch, {} for {} at most{}",
            forecast.train_images_per_second,
            duration(forecast.epoch_seconds),
            duration(forecast.total_seconds),
            count(run.recipe.epochs, "epoch"),
            if run.recipe.patience > 0 {
                " (early stopping may end it sooner)"
            } else {
                ""
            }
        );
    }
    progress::stop_on_signal();
    let mut display = Training::new();
    let trained = run.train(&device, &mut |event| display.observe(event));
    display.finish();
    Ok(described(run, &trained?))
}

fn described(run: &Run, trained: &Trained) -> String {
    let folder = run.folder.display();
    let best = trained
        .best_epoch
        .and_then(|best| trained.history.iter().find(|row| row.epoch == best));
    let mut text = match trained.reason {
        EndReason::Finished => "done".to_string(),
        EndReason::EarlyStop => format!(
            "stopped early: no better validation loss in {}",
            count(run.recipe.patience, "epoch")
        ),
        EndReason::Interrupted => format!("interrupted and saved; go on by `pelage train --resume {folder}`"),
    };
    if run.complete.is_some() {
        text += ", and nothing was left to do; go on all the same by `--epochs N` or `--patience N`";
    }
    if let Some(row) = best {
        text += &format!(
            "\nbest epoch {}: validation loss {:.4}, accuracy {:.2} %\n{folder}: best.safetensors, history.csv, curves.png\n\
             next: `pelage evaluate {folder} {}`, `pelage predict {folder} PICTURE`",
            row.epoch,
            row.validation_loss,
            100.0 * row.validation_accuracy,
            run.recipe.data.display()
        );
    }
    text + "\n"
}

/// What `--resume` may change; any other setting would make another run of it.
fn extension(arguments: &Arguments) -> Result<Extension, Failure> {
    let Learning { epochs, patience, .. } = arguments.learning;
    let untouched = Recipe::default();
    let mut asked = untouched.clone();
    apply(arguments, &mut asked);
    let Recipe { threads, cache, .. } = untouched;
    let allowed = Recipe {
        epochs: untouched.epochs,
        patience: untouched.patience,
        threads,
        cache,
        ..asked.clone()
    };
    if allowed != untouched {
        let message = "--resume keeps the run's settings; only --epochs, --patience, --threads and --cache may change";
        return Err(Failure::Usage(message.into()));
    }
    use_threads(arguments.threads.unwrap_or(0))?;
    Ok(Extension {
        epochs,
        patience,
        cache: arguments.cache,
    })
}

/// The settings that `arguments` ask for.
fn recipe(arguments: &Arguments) -> Result<Recipe, Failure> {
    let mut recipe = match &arguments.config {
        Some(file) => Recipe::read(file)?,
        None => Recipe::default(),
    };
    apply(arguments, &mut recipe);
    if recipe.data.as_os_str().is_empty() {
        return Err(Failure::Usage("the settings name no pictures; give DATA".into()));
    }
    Ok(recipe)
}

fn apply(arguments: &Arguments, recipe: &mut Recipe) {
    set(&mut recipe.data, &arguments.data);
    recipe.validation_split = arguments.validation_split.or(recipe.validation_split);
    set(&mut recipe.seed, &arguments.seed);
    set(&mut recipe.threads, &arguments.threads);
    set(&mut recipe.device, &arguments.device);
    set(&mut recipe.cache, &arguments.cache);
    recipe.tensorboard |= arguments.tensorboard;
    let learning = &arguments.learning;
    set(&mut recipe.model, &learning.model);
    set(&mut recipe.image_size, &learning.image_size);
    set(&mut recipe.resize_filter, &learning.resize_filter);
    set(&mut recipe.epochs, &learning.epochs);
    set(&mut recipe.batch_size, &learning.batch_size);
    set(&mut recipe.optimizer, &learning.optimizer);
    set(&mut recipe.learning_rate, &learning.learning_rate);
    set(&mut recipe.momentum, &learning.momentum);
    recipe.nesterov |= learning.nesterov;
    set(&mut recipe.weight_decay, &learning.weight_decay);
    set(&mut recipe.schedule, &learning.schedule);
    set(&mut recipe.loss, &learning.loss);
    set(&mut recipe.label_smoothing, &learning.label_smoothing);
    set(&mut recipe.class_weights, &learning.class_weights);
    set(&mut recipe.patience, &learning.patience);
    set(&mut recipe.min_delta, &learning.min_delta);
    let (augmenting, augmentation) = (&arguments.augmentation, &mut recipe.augmentation);
    if augmenting.no_augmentation {
        *augmentation = Augmentation::default();
    }
    set(&mut augmentation.rotation_range, &augmenting.rotation_range);
    set(&mut augmentation.width_shift_range, &augmenting.width_shift_range);
    set(&mut augmentation.height_shift_range, &augmenting.height_shift_range);
    set(&mut augmentation.shear_range, &augmenting.shear_range);
    set(&mut augmentation.zoom_range, &augmenting.zoom_range);
    set(&mut augmentation.channel_shift_range, &augmenting.channel_shift_range);
    if let Some([low, high]) = augmenting.brightness_range.as_deref() {
        augmentation.brightness_range = Some([*low, *high]);
    }
    set(&mut augmentation.horizontal_flip, &augmenting.horizontal_flip);
    set(&mut augmentation.vertical_flip, &augmenting.vertical_flip);
    set(&mut augmentation.fill_mode, &augmenting.fill_mode);
}

fn set<T: Clone>(setting: &mut T, asked: &Option<T>) {
    if let Some(asked) = asked {
        *setting = asked.clone();
    }
}
