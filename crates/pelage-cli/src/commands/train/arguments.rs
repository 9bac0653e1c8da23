//! The options of `pelage train`, and the settings that they make.

use std::path::PathBuf;

use clap::Args;
use pelage::data::augment::{Augmentation, FillMode};
use pelage::data::cache::CacheMode;
use pelage::data::preprocess::ResizeFilter;
use pelage::model::{Architecture, BACKBONES, Head, Pooling};
use pelage::train::Recipe;
use pelage::train::recipe::{ClassWeights, Loss, OptimizerKind, Schedule};
use pelage::train::run::Extension;
use pelage::train::transfer::{Transfer, Unfreeze};
use pelage::weights::store::Store;

use super::super::{one_of, use_threads};
use crate::failure::Failure;

/// Train a network; every default is the reference recipe
///
/// DATA is what `pelage organize` made, or any folder of class folders or zip together with --validation-split. The run
/// folder keeps the settings, the best weights, the history, the curves and a checkpoint. A run that was stopped or
/// killed goes on by --resume, and ends with the same weights, bit for bit, as one that was not.
#[derive(Args)]
#[command(allow_negative_numbers = true)]
pub(in crate::commands) struct Arguments {
    /// The pictures
    #[arg(required_unless_present_any = ["resume", "config"])]
    data: Option<PathBuf>,
    /// The run folder to make [default: runs/MODEL-N]
    #[arg(long, value_name = "RUN")]
    pub(super) out: Option<PathBuf>,
    /// Go on with a run; only --epochs, --patience, --threads and --cache may change
    #[arg(long, value_name = "RUN", conflicts_with_all = ["data", "out", "config"])]
    pub(super) resume: Option<PathBuf>,
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
        next_help_heading = "Pretrained networks (`pelage models` lists them); defaults of learning are then others"
    )]
    pub(super) transferring: Transferring,
    #[command(
        flatten,
        next_help_heading = "Augmentation of training pictures (validation is never augmented)"
    )]
    augmentation: Augmenting,
}

#[derive(Args)]
struct Learning {
    /// The network [default: cnn3]
    #[arg(long, value_parser = one_of::<Architecture>(Architecture::ALL.map(Architecture::name)), conflicts_with = "backbone")]
    model: Option<Architecture>,
    /// Side of the square that pictures are brought to, in pixels [default: 150, or the backbone's]
    #[arg(long, value_name = "PX")]
    image_size: Option<u32>,
    /// How they are brought to that size; Keras's flow_from_directory uses nearest [default: bilinear, antialiased; or the backbone's]
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
    /// Epochs in which the learning rate rises from 0 [default: 0; 0.5 where a backbone moves]
    #[arg(long, value_name = "EPOCHS")]
    warm_up: Option<f64>,
    /// Share of the running average of the weights that is kept a step; this average is validated and saved. 0: the
    /// weights themselves, as in the tutorial [default: 0.999; 0 with a backbone]
    #[arg(long, value_name = "MOMENTUM")]
    ema_momentum: Option<f64>,
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
pub(super) struct Transferring {
    /// Begin from pretrained weights of this architecture
    #[arg(long, value_name = "NAME", conflicts_with_all = ["config", "resume"],
        value_parser = one_of::<Architecture>(BACKBONES.map(Architecture::name)))]
    backbone: Option<Architecture>,
    #[command(flatten)]
    choosing: Choosing,
    /// linear; mlp: 256 hidden; article: the tutorial's 512 and 256 over all features, RMSprop, 15 epochs [default: linear]
    #[arg(long, requires = "backbone", value_parser = ["linear", "mlp", "article"])]
    head: Option<String>,
    /// What of the backbone learns: none (features are computed once), last-N layers, all [default: none]
    #[arg(long, value_name = "WHAT", requires = "backbone")]
    unfreeze: Option<Unfreeze>,
    /// Learning rate of the backbone as a share of the head's [default: 0.1]
    #[arg(long, value_name = "SHARE", requires = "backbone")]
    backbone_rate: Option<f64>,
    /// First the head on frozen features, into RUN/head, then everything at a lower rate from there
    #[arg(long, requires = "backbone", conflicts_with_all = ["unfreeze", "head_from"])]
    pub(super) fine_tune: bool,
    /// A run or model whose head to begin with, where the backbone learns
    #[arg(long, value_name = "RUN", requires = "unfreeze")]
    head_from: Option<PathBuf>,
}

/// Which weights of a backbone, and what becomes of its last feature map.
#[derive(Args)]
pub(in crate::commands) struct Choosing {
    /// The file of weights, or `random` to try things out [default: those that `pelage weights` keeps]
    #[arg(long, value_name = "FILE", requires = "backbone")]
    weights: Option<PathBuf>,
    /// Each channel's mean, or all numbers of the last feature map [default: average; flatten for `--head article`]
    #[arg(long, requires = "backbone", value_parser = ["average", "flatten"])]
    pooling: Option<String>,
    /// Average the features of each picture and its mirror image, in prediction too
    #[arg(long, value_name = "WHAT", requires = "backbone", value_parser = ["flip"])]
    tta: Option<String>,
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

/// What `--resume` may change; any other setting would make another run of it.
pub(super) fn extension(arguments: &Arguments) -> Result<Extension, Failure> {
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
pub(super) fn recipe(arguments: &Arguments) -> Result<Recipe, Failure> {
    let mut recipe = match (&arguments.config, arguments.transferring.backbone) {
        (Some(file), _) => Recipe::read(file)?,
        (None, Some(architecture)) => Recipe::transfer(architecture, transfer(arguments, architecture)?),
        (None, None) => Recipe::default(),
    };
    apply(arguments, &mut recipe);
    if recipe.data.as_os_str().is_empty() {
        return Err(Failure::Usage("the settings name no pictures; give DATA".into()));
    }
    Ok(recipe)
}

/// How to begin from the backbone `architecture`.
fn transfer(arguments: &Arguments, architecture: Architecture) -> Result<Transfer, Failure> {
    let asked = &arguments.transferring;
    let head = match asked.head.as_deref() {
        Some("article") => Head::article(),
        Some("mlp") => Head::mlp(),
        _ => Head::linear(),
    };
    let mut transfer = asked.choosing.transfer(architecture, head)?;
    transfer.head_from = asked.head_from.clone();
    if asked.fine_tune {
        transfer.unfreeze = Unfreeze::All;
    }
    set(&mut transfer.unfreeze, &asked.unfreeze);
    set(&mut transfer.backbone_rate, &asked.backbone_rate);
    Ok(transfer)
}

impl Choosing {
    /// `head` on the chosen weights of `architecture`, nothing of which moves.
    pub(in crate::commands) fn transfer(
        &self,
        architecture: Architecture,
        mut head: Head,
    ) -> Result<Transfer, Failure> {
        let weights = match &self.weights {
            Some(path) if path.as_os_str() == "random" => None,
            Some(path) => Some(path.clone()),
            None => Some(Store::default().find(architecture)?),
        };
        match self.pooling.as_deref() {
            Some("average") => head.pooling = Pooling::Average,
            Some("flatten") => head.pooling = Pooling::Flatten,
            _ => {}
        }
        Ok(Transfer {
            head,
            flip: self.tta.is_some(),
            ..Transfer::new(weights)
        })
    }
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
    recipe.resize_filter = learning.resize_filter.or(recipe.resize_filter);
    set(&mut recipe.epochs, &learning.epochs);
    set(&mut recipe.batch_size, &learning.batch_size);
    set(&mut recipe.optimizer, &learning.optimizer);
    set(&mut recipe.learning_rate, &learning.learning_rate);
    set(&mut recipe.momentum, &learning.momentum);
    recipe.nesterov |= learning.nesterov;
    set(&mut recipe.weight_decay, &learning.weight_decay);
    set(&mut recipe.schedule, &learning.schedule);
    set(&mut recipe.warm_up, &learning.warm_up);
    set(&mut recipe.ema_momentum, &learning.ema_momentum);
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
