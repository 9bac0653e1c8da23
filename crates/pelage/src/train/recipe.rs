//! The settings of training: the hyperparameters. Where it runs is up to [`crate::compute`].

use pelage_data::augment::Augmentation;
use pelage_data::preprocess::{Preprocessing, ResizeFilter};
use pelage_model::networks::{Architecture, Head};
use serde::{Deserialize, Serialize};

use super::stages::Stages;
use super::transfer::{Transfer, Unfreeze};
use crate::{Error, Result};

/// Declares the settings: each with its type, its default and its range, as a predicate and in words.
macro_rules! settings {
    (
        $(#[$doc:meta])*
        pub struct $name:ident {
            $($(#[$field_doc:meta])* $field:ident: $type:ty = $default:expr $(, $rule:expr, $allowed:expr)?;)+
        }
    ) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
        #[serde(default, deny_unknown_fields)]
        pub struct $name { $($(#[$field_doc])* pub $field: $type),+ }

        impl Default for $name {
            fn default() -> Self {
                $name { $($field: $default),+ }
            }
        }

        impl $name {
            /// The first setting that is out of its range.
            pub(crate) fn check_ranges(&self) -> Result<()> {
                $($(
                    let rule: fn(&$type) -> bool = $rule;
                    if !rule(&self.$field) {
                        let value = serde_json::to_value(&self.$field).unwrap_or_default();
                        return Err(Error::setting(stringify!($field), value, $allowed));
                    }
                )?)+
                Ok(())
            }
        }
    };
}

settings! {
    /// The settings of training; the defaults are the reference recipe.
    pub struct Recipe {
        /// The network.
        model: Architecture = Architecture::Cnn3;
        /// Maximum number of epochs.
        epochs: usize = 50, |n| (1..=1_000_000).contains(n), "1 to 1000000";
        /// Images per batch.
        batch_size: usize = 32, |n| (1..=65_536).contains(n), "1 to 65536";
        /// Batches per step: their gradients are averaged into one update, as if they were one larger batch.
        accumulate: usize = 1, |n| (1..=65_536).contains(n), "1 to 65536";
        /// Side of the square that images are resized to, in pixels.
        image_size: u32 = 150, |n| (8..=4096).contains(n), "8 to 4096 pixels";
        /// Other sides for some epochs, in the order in which they come: progressive resizing.
        image_sizes: Stages = Stages::default();
        /// Side of the images in validation and prediction; `None`: that of training, at last.
        evaluation_size: Option<u32> = None;
        /// Whether validation and prediction average an image and its mirror image.
        evaluation_flip: bool = false;
        /// How images are resized; `None`: bilinear, or as the pretrained weights expect.
        resize_filter: Option<ResizeFilter> = None;
        /// The optimizer.
        optimizer: OptimizerKind = OptimizerKind::Sgd;
        /// The peak learning rate of the schedule.
        learning_rate: f64 = 0.01, |rate| *rate > 0.0 && rate.is_finite(), "above 0";
        /// Momentum of `sgd` and `muon`.
        momentum: f64 = 0.9, |share| (0.0..1.0).contains(share), "0 or more and below 1";
        /// Nesterov's momentum for `sgd` and `muon`.
        nesterov: bool = false;
        /// L2 regularization; decoupled for `adamw`, and for the filters with `muon`.
        weight_decay: f64 = 0.0, |decay| *decay >= 0.0 && decay.is_finite(), "0 or more";
        /// Whether biases and the scales and shifts of batch norms decay too.
        decay_norms: bool = true;
        /// Learning rate of the last layer relative to the others', from scratch: for few classes it needs smaller
        /// steps.
        head_rate: f64 = 1.0, |share| *share > 0.0 && share.is_finite(), "above 0";
        /// Gradients are scaled down to this norm, over all parameters together; 0: never.
        clip_norm: f64 = 0.0, |norm| *norm >= 0.0 && norm.is_finite(), "0 or more";
        /// How the learning rate changes.
        schedule: Schedule = Schedule::TimeDecay;
        /// Epochs of linear warm-up from 0 (Goyal et al. 2017).
        warm_up: f64 = 0.0, |epochs| (0.0..=1e4).contains(epochs), "0 to 10000 epochs";
        /// Decay per step of the running average of the weights, see [`super::average`]; 0: the weights themselves are
        /// validated and saved.
        ema_momentum: f64 = 0.999, |share| (0.0..1.0).contains(share), "0 or more and below 1";
        /// Share of the steps, at the end, over whose weights the plain mean is taken instead of the running average;
        /// 0: none.
        average_last: f64 = 0.0, |share| (0.0..1.0).contains(share), "0 or more and below 1";
        /// The loss function.
        loss: Loss = Loss::CrossEntropy;
        /// Fraction of each target that is spread over all classes (0 to 1).
        label_smoothing: f64 = 0.0, |share| (0.0..1.0).contains(share), "0 or more and below 1";
        /// Class weights against imbalance.
        class_weights: ClassWeights = ClassWeights::None;
        /// Epochs without improvement of the validation loss before training stops; 0: never stop early.
        patience: usize = 2;
        /// The smallest decrease of the validation loss that counts as an improvement.
        min_delta: f64 = 0.0, |delta| *delta >= 0.0 && delta.is_finite(), "0 or more";
        /// Whether batch norms take their statistics over all processes that train together, not over the part of a
        /// batch that each has.
        sync_batch_norm: bool = false;
        /// Seed for weights, order, augmentation and dropout.
        seed: u64 = 0;
        /// Random changes to training images.
        augmentation: Augmentation = Augmentation::article();
        /// How to start from pretrained weights of `model`; `None`: from scratch.
        transfer: Option<Transfer> = None;
    }
}

pelage_data::choices! {
    /// How gradients update the weights.
    OptimizerKind {
        /// Stochastic gradient descent with momentum.
        Sgd = "sgd",
        /// Kingma and Ba 2015.
        Adam = "adam",
        /// Loshchilov and Hutter 2019: Adam with decoupled weight decay.
        AdamW = "adamw",
        /// Hinton 2012.
        RmsProp = "rmsprop",
        /// Jordan 2024: the filters of convolutions take orthogonal steps; all else learns by `sgd`.
        Muon = "muon",
    }
}
pelage_data::choices! {
    /// How the learning rate changes over a run.
    Schedule {
        /// lr / (1 + lr / epochs * step), the article's.
        TimeDecay = "time-decay",
        /// Constant.
        Constant = "constant",
        /// Half a cosine down to zero over the run.
        Cosine = "cosine",
        /// A line down to zero, from the end of the warm-up to that of the run.
        Linear = "linear",
        /// Divided by 10 after each third of the epochs.
        Step = "step",
        /// Up in the first 30 %, then down.
        OneCycle = "one-cycle",
        /// Halved after each epoch without improvement.
        Plateau = "plateau",
    }
}
pelage_data::choices! {
    /// The loss function.
    Loss {
        /// Softmax cross-entropy.
        CrossEntropy = "cross-entropy",
        /// Keras's binary cross-entropy of the softmax outputs.
        BinaryCrossEntropy = "binary-cross-entropy",
        /// Lin et al. 2017 with gamma 2.
        Focal = "focal",
    }
}
pelage_data::choices! {
    /// Class weights against imbalance.
    ClassWeights {
        /// Every image counts the same.
        None = "none",
        /// Every class counts the same.
        Balanced = "balanced",
    }
}

/// The most values in a batch of images: 8 GB of them, and a network has many times as many.
const MOST_VALUES: u64 = 1 << 31;

impl Recipe {
    /// The defaults for a head on pretrained weights of `architecture`: Adam with a cosine schedule, and as many epochs
    /// as a head needs; for the tutorial's head, its RMSprop for 15 epochs.
    pub fn transfer(architecture: Architecture, transfer: Transfer) -> Recipe {
        let fine_tuning = transfer.unfreeze != Unfreeze::None;
        let article = transfer.head == Head::article();
        let solved = transfer.logistic;
        Recipe {
            model: architecture,
            image_size: architecture.input_size(),
            optimizer: if article {
                OptimizerKind::RmsProp
            } else {
                OptimizerKind::Adam
            },
            schedule: if article { Schedule::Constant } else { Schedule::Cosine },
            learning_rate: 1e-3,
            epochs: match (fine_tuning, article) {
                _ if solved => 1,
                (true, _) => 5,
                (false, true) => 15,
                (false, false) => 30,
            },
            patience: if article || solved { 0 } else { 5 },
            warm_up: if fine_tuning { 0.5 } else { 0.0 },
            augmentation: if fine_tuning {
                Augmentation::article()
            } else {
                Augmentation::default()
            },
            // The cosine ends with weights that hardly change.
            ema_momentum: 0.0,
            transfer: Some(transfer),
            ..Recipe::default()
        }
    }

    /// The preprocessing for every step that touches pixels, given the one that the network was made for.
    pub fn preprocessing(&self, made_for: Preprocessing) -> Preprocessing {
        Preprocessing {
            width: self.evaluation_side(),
            height: self.evaluation_side(),
            filter: self.resize_filter.unwrap_or(made_for.filter),
            ..made_for
        }
    }

    /// How training images are augmented; `None` if they are not, as when features are computed only once.
    pub fn augmentation(&self) -> Option<Augmentation> {
        let changes = !self.augmentation.is_none() && !self.learns_from_features();
        changes.then(|| self.augmentation.clone())
    }

    /// Refuses augmentation that would be ignored: a run that asks for it is not begun.
    ///
    /// # Errors
    /// If features are computed only once.
    pub fn check_augmentation(&self) -> Result<()> {
        match self.learns_from_features() && self.augmentation != Augmentation::default() {
            true => Err(Error::Frozen),
            false => Ok(()),
        }
    }

    /// Whether the backbone is frozen, so that training uses only its features.
    pub fn learns_from_features(&self) -> bool {
        self.transfer
            .as_ref()
            .is_some_and(|transfer| transfer.unfreeze == Unfreeze::None)
    }

    /// The name of the network, or the names of those that are joined.
    pub fn name(&self) -> String {
        let beside = self.transfer.iter().flat_map(|transfer| &transfer.beside);
        let names = std::iter::once(self.model).chain(beside.map(|beside| beside.architecture));
        names.map(Architecture::name).collect::<Vec<_>>().join("+")
    }

    /// Whether there are no steps: the head is solved to its optimum.
    pub fn is_solved(&self) -> bool {
        self.transfer.as_ref().is_some_and(|transfer| transfer.logistic)
    }

    /// Checks the values, one by one and together.
    ///
    /// # Errors
    /// Names the first setting out of its range, and the range.
    pub fn validate(&self) -> Result<()> {
        self.check_ranges()?;
        self.check_sizes()?;
        // So that no setting alone, and no two together, ask for more memory than there can be.
        let side = self.largest_side().max(self.evaluation_side());
        let values = self.batch_size as u64 * 3 * u64::from(side).pow(2);
        if values > MOST_VALUES && !self.learns_from_features() {
            let most = MOST_VALUES / (3 * u64::from(side).pow(2));
            let allowed = format!("1 to {most} for images of {side} pixels");
            return Err(Error::setting("batch_size", self.batch_size, allowed));
        }
        self.augmentation.validate()?;
        if self.is_solved() {
            let solved = |what: &str| format!("{what} where the head is solved to its optimum");
            if self.epochs != 1 {
                return Err(Error::setting("epochs", self.epochs, solved("1")));
            }
            if self.loss != Loss::CrossEntropy {
                return Err(Error::setting("loss", self.loss.name(), solved("cross-entropy")));
            }
        }
        match &self.transfer {
            Some(_) if self.head_rate != 1.0 => {
                let allowed = "1 with pretrained weights, where the backbone has a rate of its own";
                Err(Error::setting("head_rate", self.head_rate, allowed))
            }
            Some(transfer) => transfer.validate(self.model),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nonsense_is_named_with_its_range() {
        let named = |change: fn(&mut Recipe)| {
            let mut recipe = Recipe::default();
            change(&mut recipe);
            recipe.validate().unwrap_err().to_string()
        };
        assert_eq!(
            named(|r| r.momentum = 1.0),
            "momentum is 1.0; it must be 0 or more and below 1"
        );
        assert_eq!(named(|r| r.epochs = 0), "epochs is 0; it must be 1 to 1000000");
        assert!(named(|r| r.image_size = 4).starts_with("image_size is 4"));
        assert!(named(|r| r.learning_rate = f64::NAN).starts_with("learning_rate is"));
        assert!(Recipe::default().validate().is_ok());
    }
}
