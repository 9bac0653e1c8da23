//! The flag of each setting of training, with its help.

use pelage::Architecture;
use pelage::data::augment::FillMode;
use pelage::data::preprocess::ResizeFilter;
use pelage::train::recipe::{ClassWeights, Loss, OptimizerKind, Schedule};

/// A flag: the setting's name, its value's name in the help, the help, and the possible values if they are few.
pub(super) struct Flag(
    pub(super) &'static str,
    pub(super) &'static str,
    pub(super) &'static str,
    pub(super) Values,
);

/// The values of a flag.
pub(super) enum Values {
    /// One value.
    Any,
    /// Two values.
    Two,
    /// Nothing, or `=true` or `=false`.
    Switch,
    /// One of these.
    OneOf(&'static [&'static str]),
}
use Values::{Any, OneOf, Switch, Two};

const MODELS: [&str; Architecture::ALL.len()] = {
    let mut names = [""; Architecture::ALL.len()];
    let mut i = 0;
    while i < names.len() {
        names[i] = Architecture::ALL[i].name();
        i += 1;
    }
    names
};

const LEARNING: &[Flag] = &[
    Flag("model", "MODEL", "The network", OneOf(&MODELS)),
    Flag(
        "blocks",
        "CHANNELS,...",
        "Of --model cnn: the channels after each block of convolution, ReLU and 2x2 max-pooling [default: 32,32,64]",
        Any,
    ),
    Flag(
        "kernel",
        "N",
        "Of --model cnn: rows and columns of its convolutions, an odd number [default: 3]",
        Any,
    ),
    Flag(
        "dense",
        "WIDTH,...",
        "Of --model cnn: the widths of its hidden dense layers, or none [default: 64]",
        Any,
    ),
    Flag(
        "dropout",
        "SHARE",
        "Of --model cnn: dropout after each of these, and half of it before them [default: 0.5]",
        Any,
    ),
    Flag(
        "image_size",
        "PX",
        "Side of the square that pictures are resized to, in pixels [default: 150, or the backbone's]",
        Any,
    ),
    Flag(
        "image_sizes",
        "SIDE:EPOCHS,...",
        "Other sides for some epochs, in their order, such as 96:12,128:10,160:3 [default: one size]",
        Any,
    ),
    Flag(
        "evaluation_size",
        "PX",
        "Side of the pictures in validation and prediction [default: that of training, at last]",
        Any,
    ),
    Flag(
        "evaluation_flip",
        "BOOL",
        "Average each picture with its mirror image in validation and prediction",
        Switch,
    ),
    Flag(
        "resize_filter",
        "FILTER",
        "How they are resized; Keras's flow_from_directory uses nearest [default: bilinear, antialiased; or the \
         backbone's]",
        OneOf(ResizeFilter::NAMES),
    ),
    Flag("epochs", "N", "Maximum number of epochs", Any),
    Flag("batch_size", "N", "Pictures per batch", Any),
    Flag(
        "accumulate",
        "N",
        "Batches per step: their gradients become one update, as of one larger batch",
        Any,
    ),
    Flag(
        "sync_batch_norm",
        "BOOL",
        "Where several processes train together: batch norms see the whole batch, not the part of it that each has",
        Switch,
    ),
    Flag(
        "optimizer",
        "OPTIMIZER",
        "How gradients update the weights",
        OneOf(OptimizerKind::NAMES),
    ),
    Flag(
        "learning_rate",
        "RATE",
        "The peak learning rate of the schedule; auto: found by a range test, see `pelage find-rate`",
        Any,
    ),
    Flag("momentum", "MOMENTUM", "Momentum of sgd and muon", Any),
    Flag("nesterov", "BOOL", "Nesterov's momentum", Switch),
    Flag(
        "weight_decay",
        "DECAY",
        "L2 regularization; decoupled with adamw, and for filters with muon",
        Any,
    ),
    Flag(
        "decay_norms",
        "BOOL",
        "Whether biases, and scales and shifts of batch norms, decay too",
        Switch,
    ),
    Flag(
        "head_rate",
        "SHARE",
        "Learning rate of the last layer relative to the others', from scratch",
        Any,
    ),
    Flag(
        "clip_norm",
        "NORM",
        "Scale gradients down to this norm, over all parameters together; 0: never",
        Any,
    ),
    Flag(
        "schedule",
        "SCHEDULE",
        "How the learning rate changes",
        OneOf(Schedule::NAMES),
    ),
    Flag(
        "warm_up",
        "EPOCHS",
        "Epochs in which the learning rate rises from 0 [default: 0; 0.5 for an unfrozen backbone]",
        Any,
    ),
    Flag(
        "ema_momentum",
        "MOMENTUM",
        "Decay per step of the running average of the weights, which is validated and saved. 0: the weights \
         themselves, as in the tutorial [default: 0.999; 0 with a backbone]",
        Any,
    ),
    Flag(
        "average_last",
        "SHARE",
        "Share of the steps, at the end, over whose weights the plain mean is taken instead of the running average",
        Any,
    ),
    Flag("loss", "LOSS", "The loss function", OneOf(Loss::NAMES)),
    Flag(
        "label_smoothing",
        "SHARE",
        "Share of each target that is spread over all classes",
        Any,
    ),
    Flag(
        "class_weights",
        "WEIGHTS",
        "Class weights against imbalance",
        OneOf(ClassWeights::NAMES),
    ),
    Flag(
        "patience",
        "N",
        "Epochs without improvement of the validation loss before training stops; 0: never",
        Any,
    ),
    Flag(
        "min_delta",
        "DELTA",
        "The smallest decrease of the validation loss that counts as an improvement",
        Any,
    ),
    Flag("seed", "SEED", "Seed of weights, order, augmentation and dropout", Any),
];

const AUGMENTATION: &[Flag] = &[
    Flag("rotation_range", "DEGREES", "Degrees either way", Any),
    Flag(
        "width_shift_range",
        "SHIFT",
        "Below 1 a share of the width, else pixels",
        Any,
    ),
    Flag(
        "height_shift_range",
        "SHIFT",
        "Below 1 a share of the height, else pixels",
        Any,
    ),
    Flag(
        "shear_range",
        "DEGREES",
        "Degrees either way, as in Keras today (the 2017 recipe's 0.2 was in radians)",
        Any,
    ),
    Flag(
        "zoom_range",
        "Z",
        "Between 1 - Z and 1 + Z, drawn for x and y independently",
        Any,
    ),
    Flag(
        "channel_shift_range",
        "VALUE",
        "Added to each channel, of 255, either way",
        Any,
    ),
    Flag(
        "brightness_range",
        "LOW HIGH",
        "Factor on the values, drawn between the two [default: none]",
        Two,
    ),
    Flag(
        "horizontal_flip",
        "BOOL",
        "Swap left and right with probability 0.5",
        Switch,
    ),
    Flag(
        "alternating_flip",
        "BOOL",
        "Swap left and right in every other epoch, beginning with a drawn one",
        Switch,
    ),
    Flag(
        "vertical_flip",
        "BOOL",
        "Swap top and bottom with probability 0.5",
        Switch,
    ),
    Flag(
        "random_resized_crop",
        "LEAST MOST",
        "A part of the picture, with a share of its area between the two [default: none]",
        Two,
    ),
    Flag(
        "trivial_augment",
        "BOOL",
        "One of 14 operators, with a random magnitude (TrivialAugmentWide)",
        Switch,
    ),
    Flag(
        "rand_augment",
        "COUNT MAGNITUDE",
        "So many of these operators, with a magnitude of 0 to 30; usual: 2 9 [default: none]",
        Two,
    ),
    Flag(
        "random_erasing",
        "PROBABILITY",
        "Erase a rectangle with this probability",
        Any,
    ),
    Flag(
        "mixup",
        "ALPHA",
        "Mix pictures in shares drawn from Beta(ALPHA, ALPHA); 0: not",
        Any,
    ),
    Flag(
        "cutmix",
        "ALPHA",
        "Exchange rectangles, of shares drawn from Beta(ALPHA, ALPHA); 0: not. With mixup, one in two batches",
        Any,
    ),
    Flag(
        "fill_mode",
        "MODE",
        "How to fill the area beyond the border",
        OneOf(FillMode::NAMES),
    ),
    Flag(
        "fill_value",
        "VALUE",
        "Value of the area beyond the border where it is constant, 0 to 255",
        Any,
    ),
];

/// The settings that most people need, which `-h` shows.
pub(super) const FIRST: [&str; 7] = [
    "model",
    "image_size",
    "epochs",
    "batch_size",
    "learning_rate",
    "class_weights",
    "seed",
];

pub(super) const HEADINGS: [(&str, &[Flag]); 2] = [
    ("Network and learning", LEARNING),
    (
        "Augmentation of training pictures (validation is never augmented)",
        AUGMENTATION,
    ),
];
