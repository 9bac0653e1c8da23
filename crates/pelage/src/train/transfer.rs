//! Transfer learning: which pretrained weights, under which head, and what to unfreeze.

use std::path::PathBuf;
use std::str::FromStr;

use pelage_data::shown;
use pelage_model::networks::{Architecture, Head, Pooling};
use pelage_model::saved;
use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// How to start from pretrained weights.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Transfer {
    /// The file of weights, see [`pelage_model::weights::load`]; `None`: random ones, to try things out.
    pub weights: Option<PathBuf>,
    /// The hash of that file, recorded when a run starts: it resumes with no other.
    pub weights_hash: Option<String>,
    /// The head on the backbone.
    pub head: Head,
    /// Whether the head, a linear one, is solved to its optimum (logistic regression) instead of trained in steps.
    #[serde(default)]
    pub logistic: bool,
    /// Average the features of an image and its mirror image.
    pub flip: bool,
    /// Which part of the backbone is trained.
    pub unfreeze: Unfreeze,
    /// The learning rate of the backbone relative to the head's.
    pub backbone_rate: f64,
    /// The learning rate of each block of the backbone relative to that of the block after it.
    #[serde(default = "same")]
    pub layer_rate: f64,
    /// Whether the batch norms of what is trained keep their running statistics and go by them, as in prediction.
    #[serde(default)]
    pub fixed_norms: bool,
    /// A run or model whose head to start with; `None`: a fresh one.
    pub head_from: Option<PathBuf>,
    /// Further backbones, whose features stand beside those of the first one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub beside: Vec<Beside>,
}

fn same() -> f64 {
    1.0
}

/// A further backbone. It takes images of the size that it was made for if the first one does, else of the same size.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Beside {
    /// The network.
    pub architecture: Architecture,
    /// See [`Transfer::weights`].
    pub weights: Option<PathBuf>,
    /// See [`Transfer::weights_hash`].
    pub weights_hash: Option<String>,
}

/// Which part of a backbone is trained.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum Unfreeze {
    /// None: features are computed once, and only the head is trained.
    None,
    /// The last so many layers with parameters.
    Last(usize),
    /// Everything.
    All,
}

impl FromStr for Unfreeze {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let wrong = || format!("'{text}' is not one of none, last-N (such as last-3), all");
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

/// The most backbones that are joined.
const MOST: usize = 8;

impl Transfer {
    /// A linear head on the weights of a file, with the backbone frozen.
    pub fn new(weights: Option<PathBuf>) -> Self {
        Transfer {
            weights,
            weights_hash: None,
            head: Head::linear(),
            logistic: false,
            flip: false,
            unfreeze: Unfreeze::None,
            backbone_rate: 0.1,
            layer_rate: same(),
            fixed_norms: false,
            head_from: None,
            beside: Vec::new(),
        }
    }

    /// Checks that these settings make sense for `architecture`.
    ///
    /// # Errors
    /// Names the first that does not.
    pub fn validate(&self, architecture: Architecture) -> Result<()> {
        let name = architecture.name();
        if !architecture.is_backbone() {
            return Err(Error::setting("backbone", name, "a network with pretrained weights"));
        }
        if !(self.backbone_rate > 0.0 && self.backbone_rate.is_finite()) {
            return Err(Error::setting("backbone_rate", self.backbone_rate, "above 0"));
        }
        if !(self.layer_rate > 0.0 && self.layer_rate <= 1.0) {
            return Err(Error::setting("layer_rate", self.layer_rate, "above 0 and at most 1"));
        }
        saved::check_head(&self.head).map_err(|allowed| {
            let Head { hidden, dropout, .. } = &self.head;
            Error::setting("head", format!("{hidden:?} with dropout {dropout}"), allowed)
        })?;
        if self.logistic {
            self.validate_linear("the head is solved to its optimum")?;
        }
        if !self.beside.is_empty() {
            self.validate_linear("backbones are joined")?;
        }
        if let Some(beside) = self.beside.iter().find(|one| !one.architecture.is_backbone()) {
            let name = beside.architecture.name();
            return Err(Error::setting("backbone", name, "a network with pretrained weights"));
        }
        if self.beside.len() >= MOST {
            let count = self.beside.len() + 1;
            return Err(Error::setting(
                "backbone",
                format!("{count} networks"),
                format!("at most {MOST}"),
            ));
        }
        if let (Some(path), Unfreeze::None) = (&self.head_from, self.unfreeze) {
            let allowed = "left out where the backbone is frozen: its head begins anew";
            return Err(Error::setting("head_from", shown::path(path), allowed));
        }
        let flipped = "where features are averaged with the mirror image's";
        match (self.flip, self.head.pooling, self.unfreeze) {
            (true, Pooling::Flatten, _) => {
                let allowed = format!("average {flipped}: a mirrored map cannot be laid over the other one");
                Err(Error::setting("pooling", "flatten", allowed))
            }
            (true, _, Unfreeze::Last(_) | Unfreeze::All) => {
                let allowed =
                    format!("none {flipped}; a backbone that learns can see flipped images in training instead");
                Err(Error::setting("unfreeze", String::from(self.unfreeze), allowed))
            }
            _ => Ok(()),
        }
    }

    /// Refuses all but a linear function of features that stay as they are.
    fn validate_linear(&self, why: &str) -> Result<()> {
        let solved = |what: &str| format!("{what} where {why}");
        if self.head != Head::linear() {
            return Err(match self.head.pooling {
                Pooling::Flatten => Error::setting("pooling", self.head.pooling.name(), solved("average")),
                Pooling::Average => Error::setting("head", "one with hidden layers", solved("linear or logistic")),
            });
        }
        if self.unfreeze != Unfreeze::None {
            let unfreeze = String::from(self.unfreeze);
            return Err(Error::setting("unfreeze", unfreeze, solved("none")));
        }
        match &self.head_from {
            Some(path) => Err(Error::setting("head_from", shown::path(path), solved("left out"))),
            None => Ok(()),
        }
    }
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
        let named = |transfer: Transfer, architecture| transfer.validate(architecture).unwrap_err().to_string();
        assert!(named(flipped, Architecture::Vgg16).contains("pooling is flatten"));
        assert!(named(Transfer::new(None), Architecture::Cnn3).contains("backbone is cnn3"));
        let solved = Transfer {
            logistic: true,
            ..Transfer::new(None)
        };
        assert!(solved.validate(Architecture::ResNet18).is_ok());
        let unfrozen = Transfer {
            unfreeze: Unfreeze::All,
            ..solved.clone()
        };
        assert!(named(unfrozen, Architecture::ResNet18).contains("unfreeze is all"));
        let wide = Transfer {
            head: Head::mlp(),
            ..solved
        };
        assert!(named(wide, Architecture::ResNet18).contains("must be linear or logistic where the head is"));
    }
}
