//! How a recipe passes over its images: in training, and in validation.

use burn::tensor::Device;
use pelage_data::loader::{Order, Pass};

use super::recipe::Recipe;
use crate::{Error, Result};

impl Recipe {
    /// Refuses what `size` processes cannot train together, whatever the images.
    ///
    /// # Errors
    /// Which setting it is, and why.
    pub fn check_together(&self, size: usize) -> Result<()> {
        if size == 1 {
            return Ok(());
        }
        if self.is_solved() {
            let told = "a head that is solved to its optimum takes no steps that several processes could share; train \
                        it by one";
            return Err(Error::Settings(told.into()));
        }
        if self.batch_size < size {
            let allowed = format!("{size} or more, so that each of {size} processes has a part of every batch");
            return Err(Error::setting("batch_size", self.batch_size, allowed));
        }
        Ok(())
    }

    /// The same on so many training images.
    ///
    /// # Errors
    /// Which setting it is, and why.
    pub fn check_ranks(&self, size: usize, images: usize, device: &Device) -> Result<()> {
        self.check_together(size)?;
        if size == 1 {
            return Ok(());
        }
        let last = images % self.batch_size;
        if self.sync_batch_norm && (1..size).contains(&last) {
            let allowed = format!(
                "another: with it the last of {images} training pictures are a batch of {last}, of which not each of \
                 {size} processes has one for its batch norms"
            );
            return Err(Error::setting("batch_size", self.batch_size, allowed));
        }
        match *device == Device::flex() {
            true => Ok(()),
            false => Err(Error::Settings(
                "several processes train together on CPUs alone: that GPUs round alike has not been tried".into(),
            )),
        }
    }

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
