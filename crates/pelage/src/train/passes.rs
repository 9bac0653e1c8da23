//! How a recipe passes over its images: in training, and in validation.

use pelage_data::loader::{Order, Pass};

use super::recipe::Recipe;

impl Recipe {
    /// The training images of epoch `epoch`, from 0, at this side: in the epoch's order, augmented.
    pub fn training_pass(&self, epoch: usize, side: u32) -> Pass {
        Pass {
            batch_size: self.batch_size,
            order: Order::Shuffled {
                seed: self.seed,
                epoch: epoch as u64,
            },
            augmentation: self.augmentation(),
            size: Some([side; 2]),
            ..Pass::default()
        }
    }

    /// The validation images at this side, as they are.
    pub fn validation_pass(&self, side: u32) -> Pass {
        Pass {
            batch_size: self.batch_size,
            size: Some([side; 2]),
            ..Pass::default()
        }
    }
}
