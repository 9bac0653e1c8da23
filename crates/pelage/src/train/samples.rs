//! What a network learns from: pictures, or the features that a frozen backbone has made of them.

use std::sync::Arc;

use pelage_data::augment::Augmentation;
use pelage_data::cache::{DecodedImages, Unreadable};
use pelage_data::loader::{self, Batch, Order};
use pelage_data::preprocess::Preprocessing;

use crate::features::Features;

/// The two sets of a run.
pub struct Data {
    /// What is learnt from.
    pub train: Samples,
    /// What is never augmented nor learnt from.
    pub validation: Samples,
}

/// Labelled samples in a fixed order.
#[derive(Clone)]
pub enum Samples {
    /// DecodedImages, decoded and augmented on the way.
    Pictures(Arc<DecodedImages>),
    /// Feature maps in memory.
    Features(Arc<Features>),
}

/// The batches of one pass, see [`Samples::batches`].
pub type Batches = Box<dyn Iterator<Item = pelage_data::Result<Batch>>>;

/// Evaluates `$body` with `$samples` as pictures or features.
macro_rules! either {
    ($self:ident, $samples:ident => $body:expr) => {
        match $self {
            Samples::Pictures($samples) => $body,
            Samples::Features($samples) => $body,
        }
    };
}

impl Samples {
    /// How many there are.
    pub fn len(&self) -> usize {
        either!(self, samples => samples.len())
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The class of sample `i`.
    pub fn label(&self, i: usize) -> usize {
        either!(self, samples => samples.label(i))
    }

    /// The name of the picture of sample `i`, relative to its source.
    pub fn name(&self, i: usize) -> &str {
        either!(self, samples => samples.name(i))
    }

    /// Class names; a label is an index into them.
    pub fn classes(&self) -> &[String] {
        either!(self, samples => samples.classes())
    }

    /// The pictures that were skipped, with reasons.
    pub fn unreadable(&self) -> &[Unreadable] {
        either!(self, samples => samples.unreadable())
    }

    /// How pictures become input.
    pub fn preprocessing(&self) -> &Preprocessing {
        either!(self, samples => samples.preprocessing())
    }

    /// Rows, columns and channels of one sample.
    pub fn shape(&self) -> [usize; 3] {
        match self {
            Samples::Pictures(pictures) => {
                let side = pictures.preprocessing();
                [side.height as usize, side.width as usize, 3]
            }
            Samples::Features(features) => features.shape(),
        }
    }

    /// The batches from `first_batch` on of one pass; pictures are augmented where they are shuffled, features never.
    pub fn batches(
        &self,
        batch_size: usize,
        order: Order,
        augmentation: Option<Augmentation>,
        first_batch: usize,
    ) -> Batches {
        match self {
            Samples::Pictures(pictures) => Box::new(loader::batches(
                pictures.clone(),
                batch_size,
                order,
                augmentation,
                first_batch,
            )),
            Samples::Features(features) => {
                let (features, indices) = (features.clone(), loader::order(features.len(), order));
                let batches = indices.len().div_ceil(batch_size);
                Box::new((first_batch..batches).map(move |number| {
                    let end = indices.len().min((number + 1) * batch_size);
                    Ok(features.batch(&indices[number * batch_size..end]))
                }))
            }
        }
    }
}
