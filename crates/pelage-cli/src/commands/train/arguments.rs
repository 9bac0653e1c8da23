//! The options of `pelage train`, and the settings they make.

use std::path::PathBuf;
use std::str::FromStr;

use clap::Args;
use pelage::data::augment::Augmentation;
use pelage::data::decode::Damaged;
use pelage::data::groups::GroupBy;
use pelage::model::networks::{BACKBONES, Head, Pooling};
use pelage::runs::Extension;
use pelage::train::recipes::BuiltIn;
use pelage::train::transfer::{Beside, Transfer, Unfreeze};
use pelage::zoo::store::Store;
use pelage::{Architecture, Config, Recipe};

use super::super::compute::Caching;
use super::settings::Settings;
use crate::failure::Failure;
use crate::options::{Networks, Unfound, flag, new_folder, one_of};

/// Train a network; every default is that of the reference recipe
///
/// DATA is the result of `pelage organize`, or class folders, a zip or a tar together with --validation-split. The
/// run folder keeps the settings, the best weights, the history, the curves and a checkpoint. A run that was stopped or
/// killed is resumed by --resume, and ends with the same weights, bit for bit, as an uninterrupted one.
#[derive(Args)]
#[command(allow_negative_numbers = true)]
pub(in crate::commands) struct Arguments {
    /// The pictures
    #[arg(required_unless_present_any = ["resume", "config"])]
    data: Option<PathBuf>,
    /// The run folder to create [default: runs/MODEL-N]
    #[arg(long, value_name = "RUN", value_parser = new_folder())]
    pub(in crate::commands) out: Option<PathBuf>,
    /// Resume a run; only --epochs, --patience, --device, --threads and --cache may change, and DATA where the pictures
    /// lie elsewhere by now
    #[arg(long, value_name = "RUN", conflicts_with_all = ["out", "config"])]
    pub(in crate::commands) resume: Option<PathBuf>,
    /// Settings to start from, such as another run's config.toml; flags take precedence
    #[arg(long, hide_short_help = true, value_name = "FILE.toml")]
    config: Option<PathBuf>,
    /// Settings to start from, by name, see `pelage recipes` [default: reference]; flags take precedence
    #[arg(long, value_name = "NAME", conflicts_with_all = ["config", "resume", "backbone"],
        value_parser = one_of::<BuiltIn>(BuiltIn::NAMES.iter().copied()))]
    recipe: Option<BuiltIn>,
    /// Share of the pictures for validation, if DATA has no validation part
    #[arg(long, value_name = "SHARE")]
    validation_split: Option<f64>,
    /// Cross-validation: split the training pictures, or all of DATA, into N folds and train a run for each, which is
    /// validated on it and trained on the others; the same command with --out goes on where it was stopped
    #[arg(long, hide_short_help = true, value_name = "N", conflicts_with_all = ["resume", "validation_split"],
        value_parser = clap::value_parser!(u8).range(2..=100))]
    pub(in crate::commands) folds: Option<u8>,
    /// Which pictures stay on one side of that split: near-duplicates, folder, regex:PATTERN (of paths), csv:FILE
    /// (columns path and group), exif-time:60s (taken by one camera within so long of the one before)
    #[arg(long, hide_short_help = true, value_name = "WHAT")]
    group_by: Option<GroupBy>,
    /// Train without the pictures that the column path of this table names, as `pelage suspects` writes it
    #[arg(long, hide_short_help = true, value_name = "FILE.csv")]
    drop_suspects: Option<PathBuf>,
    /// Which folders in DATA are the classes: 1 for the outermost, 2 for those in them (place/species), and so on
    #[arg(long, hide_short_help = true, value_name = "N")]
    label_level: Option<usize>,
    /// Write TensorBoard event files into RUN/tensorboard
    #[arg(long, hide_short_help = true)]
    tensorboard: bool,
    #[command(flatten)]
    caching: Caching,
    #[command(
        flatten,
        next_help_heading = "Pretrained networks (`pelage models` lists them); they have other defaults of training"
    )]
    pub(in crate::commands) transferring: Transferring,
    /// Start from no augmentation instead of the reference recipe's
    #[arg(
        long,
        hide_short_help = true,
        help_heading = "Augmentation of training pictures (validation is never augmented)"
    )]
    no_augmentation: bool,
    #[command(flatten)]
    settings: Settings,
}

#[derive(Args)]
pub(in crate::commands) struct Transferring {
    /// Start from pretrained weights of this architecture, or of several, whose features then stand side by side:
    /// NAME+NAME
    #[arg(long, value_name = "NAME", conflicts_with_all = ["config", "resume", "model"])]
    backbone: Option<Backbones>,
    #[command(flatten)]
    choosing: Choosing,
    /// linear; logistic: a linear one, solved to its optimum, with no setting to choose; mlp: 256 hidden; article: the
    /// tutorial's 512 and 256 over all features, RMSprop, 15 epochs [default: linear]
    #[arg(long, hide_short_help = true, requires = "backbone", value_parser = ["linear", "logistic", "mlp", "article"])]
    head: Option<String>,
    /// Which part of the backbone is trained: none (features are computed once), last-N layers, all [default: none]
    #[arg(long, hide_short_help = true, value_name = "WHAT", requires = "backbone")]
    unfreeze: Option<Unfreeze>,
    /// Learning rate of the backbone relative to the head's [default: 0.1]
    #[arg(long, hide_short_help = true, value_name = "SHARE", requires = "backbone")]
    backbone_rate: Option<f64>,
    /// Learning rate of each block of the backbone relative to the one after it [default: 1]
    #[arg(long, hide_short_help = true, value_name = "SHARE", requires = "backbone")]
    layer_rate: Option<f64>,
    /// Batch norms of what is trained go by their running statistics, as in prediction
    #[arg(long, hide_short_help = true, requires = "backbone")]
    fixed_norms: bool,
    /// First train the head on frozen features, in RUN/head, then everything from there at a lower rate
    #[arg(long, requires = "backbone", conflicts_with_all = ["unfreeze", "head_from"])]
    pub(in crate::commands) fine_tune: bool,
    /// A run or model whose head to start with, for an unfrozen backbone
    #[arg(long, hide_short_help = true, value_name = "RUN", requires = "unfreeze")]
    head_from: Option<PathBuf>,
}

/// The weights of a backbone, and the use of its last feature map.
#[derive(Args)]
pub(in crate::commands) struct Choosing {
    /// The file of weights, or `random` to try things out; of several networks, once for each [default: those that
    /// `pelage weights` keeps]
    #[arg(long, hide_short_help = true, value_name = "FILE", requires = "backbone")]
    weights: Vec<PathBuf>,
    /// Each channel's mean, or all values of the last feature map [default: average; with the tutorial's head flatten]
    #[arg(long, hide_short_help = true, requires = "backbone",
        value_parser = one_of::<Pooling>(Pooling::NAMES.iter().copied()))]
    pooling: Option<Pooling>,
    /// Average the features with those of the mirror image, in prediction too; from scratch, the answers
    #[arg(long, hide_short_help = true, value_name = "WHAT", value_parser = ["flip"])]
    tta: Option<String>,
}

impl Arguments {
    /// Whether the learning rate is to be found by a range test.
    pub(in crate::commands) fn finds_rate(&self) -> bool {
        self.settings.finds_rate()
    }

    /// An option that takes more than one run, if one is given.
    pub(super) fn of_several_runs(&self) -> Option<&'static str> {
        let options = [
            ("--folds", self.folds.is_some()),
            ("--fine-tune", self.transferring.fine_tune),
            ("--learning-rate auto", self.finds_rate()),
        ];
        options.into_iter().find(|(_, given)| *given).map(|(option, _)| option)
    }

    /// An option that means something only where a run is kept, and its learning rate is not being looked for.
    pub(in crate::commands) fn only_of_a_run(&self) -> Option<&'static str> {
        let options = [
            ("--resume", self.resume.is_some()),
            ("--folds", self.folds.is_some()),
            ("--tensorboard", self.tensorboard),
            ("--fine-tune", self.transferring.fine_tune),
            ("--learning-rate", self.gives("learning_rate") || self.finds_rate()),
        ];
        options
            .into_iter()
            .find_map(|(option, is_given)| is_given.then_some(option))
    }

    /// Whether the setting `name` is given, as a flag.
    pub(in crate::commands) fn gives(&self, name: &str) -> bool {
        self.settings.names().any(|given| given == name)
    }

    /// Whether any setting is, or where to begin.
    pub(in crate::commands) fn gives_any(&self) -> bool {
        let Caching { computing, cache } = &self.caching;
        let where_to = computing.device.is_some() || computing.threads.is_some() || cache.is_some();
        let others = self.gives_fixed() || where_to || self.data.is_some() || self.recipe.is_some();
        others || self.settings.names().next().is_some()
    }

    /// Whether anything is given, beside settings of training, that stands when a run has begun.
    fn gives_fixed(&self) -> bool {
        let images = self.validation_split.is_some() || self.group_by.is_some() || self.label_level.is_some();
        let flips = self.transferring.choosing.tta.is_some();
        images || flips || self.drop_suspects.is_some() || self.tensorboard || self.no_augmentation
    }

    /// Whether it begins from a recipe or a file of settings.
    pub(in crate::commands) fn begins_from_settings(&self) -> bool {
        self.recipe.is_some() || self.config.is_some()
    }

    /// Whether the network is chosen: by its name, by a recipe or a file of settings, or as a backbone.
    pub(in crate::commands) fn chooses_network(&self) -> bool {
        let backbone = self.transferring.backbone.is_some();
        self.gives("model") || self.begins_from_settings() || backbone
    }
}

/// The settings that `--resume` may change; any other change would make it another run.
pub(super) fn extension(arguments: &Arguments) -> Result<Extension, Failure> {
    let changed = arguments
        .settings
        .names()
        .any(|name| !["epochs", "patience"].contains(&name));
    if changed || arguments.gives_fixed() {
        return Err(Failure::usage(
            "--resume keeps the run's settings; only --epochs, --patience, --device, --threads and --cache may change",
        ));
    }
    let mut asked = Recipe::default();
    arguments.settings.apply(&mut asked)?;
    let Caching { computing, cache } = &arguments.caching;
    Ok(Extension {
        epochs: arguments.gives("epochs").then_some(asked.epochs),
        patience: arguments.gives("patience").then_some(asked.patience),
        device: computing.device.clone(),
        threads: computing.threads,
        cache: *cache,
        data: arguments.data.clone(),
    })
}

/// The run described by `arguments`.
pub(in crate::commands) fn config(arguments: &Arguments) -> Result<Config, Failure> {
    let mut config = match (&arguments.config, &arguments.transferring.backbone) {
        (Some(file), _) => Config::read(file)?,
        (None, Some(Backbones(architectures))) => Config {
            recipe: Recipe::transfer(architectures[0], transfer(arguments, architectures)?),
            ..Config::default()
        },
        (None, None) => Config {
            recipe: arguments.recipe.unwrap_or(BuiltIn::Reference).recipe()?,
            ..Config::default()
        },
    };
    if let Some(data) = &arguments.data {
        config.data.clone_from(data);
    }
    config.validation_split = arguments.validation_split.or(config.validation_split);
    config.group_by = arguments.group_by.clone().or(config.group_by);
    config.drop_suspects = arguments.drop_suspects.clone().or(config.drop_suspects);
    config.label_level = arguments.label_level.or(config.label_level);
    config.tensorboard |= arguments.tensorboard;
    // An option of every verb.
    if Damaged::current() == Damaged::Take {
        config.damaged = Damaged::Take;
    }
    arguments.caching.apply(&mut config.compute);
    if arguments.no_augmentation {
        config.recipe.augmentation = Augmentation::default();
    }
    if arguments.transferring.choosing.tta.is_some() {
        match &mut config.recipe.transfer {
            Some(transfer) => transfer.flip = true,
            None => config.recipe.evaluation_flip = true,
        }
    }
    arguments.settings.apply(&mut config.recipe)?;
    if config.recipe.is_solved() {
        let ignored = arguments.settings.names().find(|name| !SOLVED.contains(name));
        if let Some(name) = ignored {
            let told = format!(
                "{} has no effect with --head logistic, which takes no steps",
                flag(name)
            );
            return Err(Failure::usage(told));
        }
    }
    if config.data.as_os_str().is_empty() {
        return Err(Failure::usage("the settings name no pictures").help("give DATA"));
    }
    Ok(config)
}

/// The architectures of one or more backbones.
#[derive(Clone)]
struct Backbones(Vec<Architecture>);

impl FromStr for Backbones {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let known = |name: &str| {
            let found = Networks(&BACKBONES).find(name);
            found.map_err(|(Unfound::Damaged(told) | Unfound::Unknown(told))| told)
        };
        text.split('+').map(known).collect::<Result<_, _>>().map(Backbones)
    }
}

/// The settings that mean something where the head is solved to its optimum.
const SOLVED: [&str; 7] = [
    "image_size",
    "resize_filter",
    "epochs",
    "class_weights",
    "label_smoothing",
    "loss",
    "seed",
];

/// How to start from the backbones `architectures`.
fn transfer(arguments: &Arguments, architectures: &[Architecture]) -> Result<Transfer, Failure> {
    let asked = &arguments.transferring;
    let head = asked.head.as_deref().and_then(Head::named).unwrap_or(Head::linear());
    let mut transfer = asked.choosing.transfer(architectures, head)?;
    transfer.logistic = asked.head.as_deref() == Some("logistic");
    transfer.head_from = asked.head_from.clone();
    if asked.fine_tune {
        transfer.unfreeze = Unfreeze::All;
    }
    set(&mut transfer.unfreeze, &asked.unfreeze);
    let idle = [
        ("--backbone-rate", asked.backbone_rate.is_some()),
        ("--layer-rate", asked.layer_rate.is_some()),
        ("--fixed-norms", asked.fixed_norms),
    ];
    let idle = idle
        .into_iter()
        .find(|(_, asked)| *asked && transfer.unfreeze == Unfreeze::None);
    if let Some((flag, _)) = idle {
        let told = format!("{flag} has no effect on a frozen backbone");
        return Err(Failure::usage(told).help("add `--unfreeze all`"));
    }
    set(&mut transfer.backbone_rate, &asked.backbone_rate);
    set(&mut transfer.layer_rate, &asked.layer_rate);
    transfer.fixed_norms = asked.fixed_norms;
    Ok(transfer)
}

impl Choosing {
    /// `head` on the chosen weights of `architectures`, one or more, which are frozen.
    pub(in crate::commands) fn transfer(
        &self,
        architectures: &[Architecture],
        mut head: Head,
    ) -> Result<Transfer, Failure> {
        let (asked, count) = (self.weights.len(), architectures.len());
        let random = |path: &PathBuf| path.as_os_str() == "random";
        if asked > 0 && asked != count && !(asked == 1 && random(&self.weights[0])) {
            let told = format!("--weights is given {asked} times for {count} networks");
            return Err(Failure::usage(told).help("give it once for each, in their order"));
        }
        let of = |(number, &architecture): (usize, &Architecture)| {
            let path = self.weights.get(number).or(self.weights.first());
            let weights = match path {
                Some(path) if random(path) => None,
                Some(path) => Some(path.clone()),
                None => Some(Store::default().find(architecture)?),
            };
            Ok::<_, Failure>(Beside {
                architecture,
                weights,
                weights_hash: None,
            })
        };
        let mut beside = architectures
            .iter()
            .enumerate()
            .map(of)
            .collect::<Result<Vec<_>, _>>()?;
        let first = beside.remove(0);
        set(&mut head.pooling, &self.pooling);
        Ok(Transfer {
            head,
            flip: self.tta.is_some(),
            beside,
            ..Transfer::new(first.weights)
        })
    }
}

fn set<T: Clone>(setting: &mut T, asked: &Option<T>) {
    if let Some(asked) = asked {
        *setting = asked.clone();
    }
}
