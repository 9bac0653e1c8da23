//! All that is needed to repeat a run: written into it as `config.toml`, readable with `--config`.

use std::path::{Path, PathBuf};

use pelage_data::augment::Augmentation;
use pelage_data::cache::CacheMode;
use pelage_data::preprocess::{Preprocessing, ResizeFilter};
use serde::{Deserialize, Serialize};

use super::transfer::{Transfer, Unfreeze};
use crate::model::Architecture;
use crate::{Error, Result};

/// The settings of a training run; the defaults are the reference recipe.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Recipe {
    /// The organised tree, or class folders or a zip together with `validation_split`.
    pub data: PathBuf,
    /// Share of the pictures for validation (0 to 1), where `data` has no validation part.
    pub validation_split: Option<f64>,
    /// The network.
    pub model: Architecture,
    /// Epochs at most.
    pub epochs: usize,
    /// Pictures a step.
    pub batch_size: usize,
    /// Side of the square that pictures are brought to, in pixels.
    pub image_size: u32,
    /// How pictures are brought to that size; none: bilinear, or as the pretrained weights want it.
    pub resize_filter: Option<ResizeFilter>,
    /// The optimizer.
    pub optimizer: OptimizerKind,
    /// The learning rate at the top of the schedule.
    pub learning_rate: f64,
    /// Momentum of `sgd`.
    pub momentum: f64,
    /// Nesterov's momentum for `sgd`.
    pub nesterov: bool,
    /// L2 regularization; decoupled for `adamw`.
    pub weight_decay: f64,
    /// How the learning rate changes.
    pub schedule: Schedule,
    /// Epochs in which the learning rate first rises from 0 (Goyal et al. 2017).
    pub warm_up: f64,
    /// Share of the running average of the weights that is kept a step, see [`super::average`]; 0: the weights
    /// themselves are validated and saved.
    pub ema_momentum: f64,
    /// What is minimized.
    pub loss: Loss,
    /// Share of each target spread over all classes (0 to 1).
    pub label_smoothing: f64,
    /// Weights against class imbalance.
    pub class_weights: ClassWeights,
    /// Epochs without a better validation loss before training stops; 0: never stop early.
    pub patience: usize,
    /// By how much the validation loss must fall to count as better.
    pub min_delta: f64,
    /// Seeds weights, order, augmentation and dropout.
    pub seed: u64,
    /// CPU threads; 0: all.
    pub threads: usize,
    /// Where to compute, see [`crate::device`].
    pub device: String,
    /// Where decoded pictures are kept.
    pub cache: CacheMode,
    /// Write TensorBoard event files.
    pub tensorboard: bool,
    /// Random changes to training pictures.
    pub augmentation: Augmentation,
    /// How to begin from pretrained weights of `model`; none: from scratch.
    pub transfer: Option<Transfer>,
}

impl Default for Recipe {
    fn default() -> Self {
        Recipe {
            data: PathBuf::new(),
            validation_split: None,
            model: Architecture::Cnn3,
            epochs: 50,
            batch_size: 32,
            image_size: 150,
            resize_filter: None,
            optimizer: OptimizerKind::Sgd,
            learning_rate: 0.01,
            momentum: 0.9,
            nesterov: false,
            weight_decay: 0.0,
            schedule: Schedule::TimeDecay,
            warm_up: 0.0,
            ema_momentum: 0.999,
            loss: Loss::CrossEntropy,
            label_smoothing: 0.0,
            class_weights: ClassWeights::None,
            patience: 2,
            min_delta: 0.0,
            seed: 0,
            threads: 0,
            device: "cpu".into(),
            cache: CacheMode::Auto,
            tensorboard: false,
            augmentation: Augmentation::article(),
            transfer: None,
        }
    }
}

/// A closed set of named choices, with the names used on the command line and in `config.toml`.
macro_rules! choices {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $text:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
        pub enum $name { $($(#[$variant_doc])* #[serde(rename = $text)] $variant),+ }
        impl $name {
            /// Every choice's name.
            pub const NAMES: &'static [&'static str] = &[$($text),+];
        }
        impl std::str::FromStr for $name {
            type Err = String;
            fn from_str(text: &str) -> std::result::Result<Self, String> {
                match text {
                    $($text => Ok($name::$variant),)+
                    other => Err(format!("'{other}' is none of {}", Self::NAMES.join(", "))),
                }
            }
        }
    };
}

choices! {
    /// How weights follow gradients.
    OptimizerKind {
        /// Stochastic gradient descent with momentum.
        Sgd = "sgd",
        /// Kingma and Ba 2015.
        Adam = "adam",
        /// Loshchilov and Hutter 2019: Adam with decoupled weight decay.
        AdamW = "adamw",
        /// Hinton 2012.
        RmsProp = "rmsprop",
    }
}
choices! {
    /// How the learning rate changes over a run.
    Schedule {
        /// lr / (1 + lr / epochs * step), the article's.
        TimeDecay = "time-decay",
        /// Always the same.
        Constant = "constant",
        /// Half a cosine down to zero.
        Cosine = "cosine",
        /// A tenth after each third of the epochs.
        Step = "step",
        /// Up in the first 30 %, then down.
        OneCycle = "one-cycle",
        /// Halved after each epoch without improvement.
        Plateau = "plateau",
    }
}
choices! {
    /// What training minimizes.
    Loss {
        /// Softmax cross-entropy.
        CrossEntropy = "cross-entropy",
        /// Keras's binary cross-entropy of the softmax outputs.
        BinaryCrossEntropy = "binary-cross-entropy",
        /// Lin et al. 2017 with gamma 2.
        Focal = "focal",
    }
}
choices! {
    /// Weights against class imbalance.
    ClassWeights {
        /// Every picture counts the same.
        None = "none",
        /// Every class counts the same.
        Balanced = "balanced",
    }
}

impl Recipe {
    /// Reads a recipe; unknown keys are errors.
    ///
    /// # Errors
    /// A missing file, TOML that does not parse, unknown keys or values, with the line.
    pub fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).map_err(Error::io(path))?;
        toml::from_str(&text).map_err(|failure| Error::Input(format!("{}: {failure}", path.display())))
    }

    /// The recipe as `config.toml`.
    ///
    /// # Errors
    /// Where a path is not UTF-8.
    pub fn to_toml(&self) -> Result<String> {
        toml::to_string(self).map_err(|failure| Error::Input(format!("cannot write the settings as TOML: {failure}")))
    }

    /// What every step that touches pixels uses, given what the network was made for.
    pub fn preprocessing(&self, made_for: Preprocessing) -> Preprocessing {
        Preprocessing {
            width: self.image_size,
            height: self.image_size,
            filter: self.resize_filter.unwrap_or(made_for.filter),
            ..made_for
        }
    }

    /// How training pictures are changed; `None` where they are not, such as where features are computed only once.
    pub fn augmentation(&self) -> Option<Augmentation> {
        let changes = !self.augmentation.is_none() && !self.learns_from_features();
        changes.then(|| self.augmentation.clone())
    }

    /// Whether the backbone stands still, so that only its features are learnt from.
    pub fn learns_from_features(&self) -> bool {
        self.transfer.as_ref().is_some_and(|transfer| transfer.unfreeze == Unfreeze::None)
    }

    /// Checks that the numbers make sense.
    ///
    /// # Errors
    /// Names the first setting out of its range, and the range.
    pub fn validate(&self) -> Result<()> {
        let smallest = self.model.smallest_size() as u32;
        let checks = [
            (self.epochs >= 1, "--epochs must be at least 1".to_string()),
            (
                (1..=65_536).contains(&self.batch_size),
                "--batch-size must be 1 to 65536".into(),
            ),
            (
                (smallest..=4096).contains(&self.image_size),
                format!(
                    "--image-size must be {smallest} to 4096 pixels for {}",
                    self.model.name()
                ),
            ),
            (
                self.learning_rate > 0.0 && self.learning_rate.is_finite(),
                "--learning-rate must be above 0".into(),
            ),
            (
                (0.0..1.0).contains(&self.momentum),
                "--momentum must be 0 or more and below 1".into(),
            ),
            (
                (0.0..1.0).contains(&self.ema_momentum),
                "--ema-momentum must be 0 or more and below 1".into(),
            ),
            (
                self.weight_decay >= 0.0 && self.weight_decay.is_finite(),
                "--weight-decay must be 0 or more".into(),
            ),
            (
                (0.0..1.0).contains(&self.label_smoothing),
                "--label-smoothing must be 0 or more and below 1".into(),
            ),
            (
                self.min_delta >= 0.0 && self.min_delta.is_finite(),
                "--min-delta must be 0 or more".into(),
            ),
            (
                self.warm_up >= 0.0 && self.warm_up.is_finite(),
                "--warm-up must be 0 or more epochs".into(),
            ),
            (
                self.validation_split.is_none_or(|split| split > 0.0 && split < 1.0),
                "--validation-split must lie between 0 and 1".into(),
            ),
        ];
        self.augmentation.validate()?;
        if let Some(transfer) = &self.transfer {
            transfer.validate(self.model)?;
        }
        match checks.into_iter().find(|(holds, _)| !holds) {
            Some((_, message)) => Err(Error::Input(message)),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn toml_round_trip_and_unknown_keys() {
        let recipe = Recipe {
            loss: Loss::Focal,
            validation_split: Some(0.25),
            ..Recipe::default()
        };
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.toml");
        std::fs::write(&path, recipe.to_toml().unwrap()).unwrap();
        assert_eq!(Recipe::read(&path).unwrap(), recipe);
        std::fs::write(&path, "learning_rat = 0.1").unwrap();
        assert!(Recipe::read(&path).unwrap_err().to_string().contains("learning_rat"));
    }

    #[test]
    fn nonsense_is_named() {
        let recipe = Recipe {
            momentum: 1.0,
            ..Recipe::default()
        };
        assert!(recipe.validate().unwrap_err().to_string().contains("--momentum"));
    }
}
