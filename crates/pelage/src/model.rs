//! The networks: a closed set, one file each.

pub mod cnn3;
pub mod parameters;
pub mod summary;

use burn::Tensor;
use burn::module::Module;
use burn::tensor::Device;
use serde::{Deserialize, Serialize};

pub use cnn3::Cnn3;

/// The architectures that pelage knows, by the names used on the command line and in model files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Architecture {
    /// Three fused convolution blocks and two dense layers, see [`cnn3`].
    Cnn3,
}

impl Architecture {
    /// Every architecture.
    pub const ALL: [Architecture; 1] = [Architecture::Cnn3];

    /// The name used on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Architecture::Cnn3 => "cnn3",
        }
    }

    /// The smallest picture side in pixels that the network can take.
    pub fn smallest_size(self) -> usize {
        match self {
            Architecture::Cnn3 => 8,
        }
    }
}

impl std::str::FromStr for Architecture {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|known| known.name() == name);
        found.ok_or_else(|| {
            let known: Vec<_> = Self::ALL.iter().map(|known| known.name()).collect();
            format!("no architecture is called '{name}'; known: {}", known.join(", "))
        })
    }
}

/// What a forward pass in training needs to draw its dropout masks: the same numbers give the same masks.
#[derive(Clone, Copy, Debug)]
pub struct DropoutSeed {
    /// The seed of the run.
    pub seed: u64,
    /// The step, counted over the whole run.
    pub step: u64,
}

/// A network of any architecture.
#[derive(Module, Debug)]
pub enum Network {
    /// See [`cnn3`].
    Cnn3(Cnn3),
}

impl Network {
    /// Freshly initialized, the weights a function of `seed` alone.
    pub fn new(architecture: Architecture, size: [usize; 2], classes: usize, seed: u64, device: &Device) -> Self {
        match architecture {
            Architecture::Cnn3 => Network::Cnn3(Cnn3::new(size, classes, seed, device)),
        }
    }

    /// Logits `[n, classes]` for pixels `[n, h, w, 3]`; `dropout` is given in training only.
    pub fn forward(&self, pixels: Tensor<4>, dropout: Option<DropoutSeed>) -> Tensor<2> {
        match self {
            Network::Cnn3(network) => network.forward(pixels, dropout),
        }
    }
}
