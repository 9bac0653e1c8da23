//! Beginning from pretrained weights: which, under what head, and what of them may still move.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use burn::tensor::Device;
use pelage_data::augment::Augmentation;
use pelage_data::preprocess::Preprocessing;
use serde::{Deserialize, Serialize};

use super::recipe::{OptimizerKind, Recipe, Schedule};
use crate::features::Extractor;
use crate::model::{Architecture, Head, Network, Pooling, catalog};
use crate::{Error, Result, weights};

/// How to begin from pretrained weights.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Transfer {
    /// The file of weights, see [`weights::load`]; none: random ones, to try things out.
    pub weights: Option<PathBuf>,
    /// The hash of that file, which a run notes when it begins: it goes on with no other.
    pub weights_hash: Option<String>,
    /// What stands on the backbone.
    pub head: Head,
    /// Take the mean of the features of a picture and its mirror image.
    pub flip: bool,
    /// What of the backbone moves.
    pub unfreeze: Unfreeze,
    /// The learning rate of the backbone as a share of the head's.
    pub backbone_rate: f64,
    /// A run or model whose head is the one to begin with; none: a fresh one.
    pub head_from: Option<PathBuf>,
}

/// What of a backbone moves in training.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum Unfreeze {
    /// Nothing: features are computed once, and only the head learns.
    None,
    /// The last so many layers with parameters.
    Last(usize),
    /// Everything.
    All,
}

impl FromStr for Unfreeze {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let wrong = || format!("'{text}' is none of none, last-N (such as last-3), all");
        match text {
            "none" => Ok(Unfreeze::None),
            "all" => Ok(Unfreeze::All),
            _ => match text.strip_prefix("last-").and_then(|number| number.parse().ok()) {
                Some(number) if number > 0 => Ok(Unfreeze::Last(number)),
                _ => Err(wrong()),
            },
        }
    }
}

impl TryFrom<String> for Unfreeze {
    type Error = String;

    fn try_from(text: String) -> std::result::Result<Self, String> {
        text.parse()
    }
}

impl From<Unfreeze> for String {
    fn from(unfreeze: Unfreeze) -> String {
        match unfreeze {
            Unfreeze::None => "none".into(),
            Unfreeze::Last(number) => format!("last-{number}"),
            Unfreeze::All => "all".into(),
        }
    }
}

/// A backbone ready to be put under a head.
pub struct Backbone {
    /// The pretrained network under the transfer's head, freshly initialized.
    pub network: Network,
    /// How pictures become input for it.
    pub preprocessing: Preprocessing,
    /// Tells these weights from others.
    pub fingerprint: String,
}

impl Recipe {
    /// The defaults for a head on pretrained weights of `architecture`: Adam with a cosine, as many epochs as a head needs;
    /// for the tutorial's head, its RMSprop for 15 epochs.
    pub fn transfer(architecture: Architecture, transfer: Transfer) -> Recipe {
        let fine_tuning = transfer.unfreeze != Unfreeze::None;
        let article = transfer.head == Head::article();
        Recipe {
            model: architecture,
            image_size: catalog::input_size(architecture),
            optimizer: if article {
                OptimizerKind::RmsProp
            } else {
                OptimizerKind::Adam
            },
            schedule: if article { Schedule::Constant } else { Schedule::Cosine },
            learning_rate: 1e-3,
            epochs: match (fine_tuning, article) {
                (true, _) => 5,
                (false, true) => 15,
                (false, false) => 30,
            },
            patience: if article { 0 } else { 5 },
            warm_up: if fine_tuning { 0.5 } else { 0.0 },
            augmentation: if fine_tuning {
                Augmentation::article()
            } else {
                Augmentation::default()
            },
            // The cosine ends in weights that stand still.
            ema_momentum: 0.0,
            transfer: Some(transfer),
            ..Recipe::default()
        }
    }
}

impl Transfer {
    /// A linear head on the weights of a file, nothing of which moves.
    pub fn new(weights: Option<PathBuf>) -> Self {
        Transfer {
            weights,
            weights_hash: None,
            head: Head::linear(),
            flip: false,
            unfreeze: Unfreeze::None,
            backbone_rate: 0.1,
            head_from: None,
        }
    }

    /// What makes the features of `backbone` that this head learns on; `network` is the backbone's, folded.
    pub fn extractor<'a>(&self, backbone: &'a Backbone, network: &'a Network) -> Extractor<'a> {
        Extractor {
            network,
            preprocessing: &backbone.preprocessing,
            fingerprint: &backbone.fingerprint,
            pooling: self.head.pooling,
            flip: self.flip,
        }
    }

    /// Notes which file of weights this is.
    pub(super) fn note_weights(&mut self) -> Result<()> {
        if let (Some(path), None) = (&self.weights, &self.weights_hash) {
            self.weights_hash = Some(hash_of(path)?);
        }
        Ok(())
    }

    pub(super) fn validate(&self, architecture: Architecture) -> Result<()> {
        let name = architecture.name();
        let checks = [
            (
                architecture != Architecture::Cnn3,
                format!("{name} is no backbone; `pelage models` lists those"),
            ),
            (
                self.backbone_rate > 0.0 && self.backbone_rate.is_finite(),
                "--backbone-rate must be above 0".into(),
            ),
            (
                !self.flip || self.head.pooling == Pooling::Average,
                "--tta flip needs --pooling average: a mirrored map cannot be laid over the other one".into(),
            ),
            (
                !self.flip || self.unfreeze == Unfreeze::None,
                "--tta flip is for a backbone that stands still; where it moves, use --horizontal-flip".into(),
            ),
            (
                self.head
                    .hidden
                    .iter()
                    .all(|&(width, rate)| width > 0 && (0.0..1.0).contains(&rate)),
                "the head's layers need a width above 0 and a dropout of 0 or more and below 1".into(),
            ),
        ];
        match checks.into_iter().find(|(holds, _)| !holds) {
            Some((_, message)) => Err(Error::Input(message)),
            None => Ok(()),
        }
    }

    /// Reads the weights and puts the head on, for `classes` classes and pictures of a square of `image_size` pixels.
    ///
    /// # Errors
    /// Weights that are missing, damaged, those of another architecture, or others than the run began with.
    pub fn backbone(&self, recipe: &Recipe, classes: usize, device: &Device) -> Result<Backbone> {
        let size = [recipe.image_size as usize; 2];
        let Some(path) = &self.weights else {
            let layout = weights::Layout::ALL
                .into_iter()
                .find(|layout| layout.knows(recipe.model));
            let preprocessing = layout.map_or_else(
                || Preprocessing::new(recipe.image_size),
                |layout| layout.preprocessing(recipe.model),
            );
            let network = Network::new(recipe.model, size, classes, recipe.seed, device);
            return Ok(Backbone {
                network: network.with_head(&self.head, size, classes, recipe.seed),
                preprocessing: recipe.preprocessing(preprocessing),
                fingerprint: format!("random {}", recipe.seed),
            });
        };
        let hash = hash_of(path)?;
        if self.weights_hash.as_ref().is_some_and(|noted| *noted != hash) {
            return Err(Error::model(
                path,
                "is not the file that the run began with; bring that one back, or start a new run",
            ));
        }
        let pretrained = weights::load(path, recipe.model)?;
        let preprocessing = recipe.preprocessing(pretrained.preprocessing.clone());
        Ok(Backbone {
            network: pretrained.with_head(&self.head, size, classes, recipe.seed, device),
            preprocessing,
            fingerprint: hash,
        })
    }
}

/// The hash of a file's content.
fn hash_of(path: &Path) -> Result<String> {
    let mut hasher = blake3::Hasher::new();
    let file = std::fs::File::open(path).map_err(Error::io(path))?;
    hasher.update_reader(file).map_err(Error::io(path))?;
    Ok(hasher.finalize().to_hex()[..32].to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unfreeze_is_read_as_it_is_written() {
        for text in ["none", "last-3", "all"] {
            assert_eq!(String::from(text.parse::<Unfreeze>().unwrap()), text);
        }
        for text in ["last-0", "last-", "last-x", "some", ""] {
            assert!(text.parse::<Unfreeze>().unwrap_err().contains("last-N"), "{text}");
        }
    }

    #[test]
    fn what_does_not_go_together_is_named() {
        let flipped = Transfer {
            flip: true,
            head: Head::article(),
            ..Transfer::new(None)
        };
        let named = |transfer: Transfer, architecture| {
            let failure = Recipe::transfer(architecture, transfer).validate().unwrap_err();
            failure.to_string()
        };
        assert!(named(flipped, Architecture::Vgg16).contains("--pooling average"));
        assert!(named(Transfer::new(None), Architecture::Cnn3).contains("no backbone"));
    }
}
