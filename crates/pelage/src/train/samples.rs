//! What a network is trained on: images, or a frozen backbone's features of them.

use std::borrow::Cow;
use std::ops::Deref;
use std::sync::Arc;

use pelage_data::alike::Look;
use pelage_data::cache::DecodedImages;
use pelage_data::catalog::Split;
use pelage_data::dataset::{Dataset, Subset};
use pelage_data::loader::{self, Batch, Pass};
use pelage_data::readable::Readable;
use pelage_model::input;

use crate::Result;
use crate::features::Features;

/// The two data sets of a run, from any source; with the same classes in the same order.
#[derive(Clone)]
pub struct Sets {
    /// For training.
    pub train: Arc<dyn Dataset>,
    /// For validation: never augmented, never trained on.
    pub validation: Arc<dyn Dataset>,
    /// The group of each training image, of which none is asked about what was learnt from another; `None`: only those
    /// with the same content belong together.
    pub groups: Option<Vec<usize>>,
}

impl From<Split> for Sets {
    fn from(Split { train, validation }: Split) -> Self {
        Sets {
            train: Arc::new(train),
            validation: Arc::new(validation),
            groups: None,
        }
    }
}

impl From<[Subset; 2]> for Sets {
    fn from([train, validation]: [Subset; 2]) -> Self {
        Sets {
            train: Arc::new(train),
            validation: Arc::new(validation),
            groups: None,
        }
    }
}

/// The same as samples: decoded images or features.
pub struct Data {
    /// For training.
    pub train: Samples,
    /// For validation: never augmented, never trained on.
    pub validation: Samples,
}

/// Labelled samples in a fixed order.
#[derive(Clone)]
pub enum Samples {
    /// Images, decoded and augmented on demand.
    Images(Arc<DecodedImages>),
    /// Feature maps in memory.
    Features(Arc<Features>),
}

/// The batches of one pass, see [`Samples::batches`].
pub type Batches = Box<dyn Iterator<Item = pelage_data::Result<Batch>>>;

impl Deref for Samples {
    type Target = Readable;

    fn deref(&self) -> &Readable {
        match self {
            Samples::Images(images) => images,
            Samples::Features(features) => features,
        }
    }
}

impl Samples {
    /// The features, if these are.
    pub fn features(&self) -> Option<&Features> {
        match self {
            Samples::Features(features) => Some(features),
            Samples::Images(_) => None,
        }
    }

    /// What each image looks like; none is decoded for it again.
    ///
    /// # Errors
    /// A damaged file of the cache.
    pub fn looks(&self) -> Result<Cow<'_, [Look]>> {
        match self {
            Samples::Images(images) => Ok(images.looks()?.into()),
            Samples::Features(features) => Ok(features.looks().into()),
        }
    }

    /// Rows, columns and channels of one sample.
    pub fn shape(&self) -> [usize; 3] {
        match self {
            Samples::Images(images) => input::shape(images.preprocessing()),
            Samples::Features(features) => features.shape(),
        }
    }

    /// The same where images are brought to this side; features have one shape.
    pub fn shape_at(&self, side: u32) -> [usize; 3] {
        match self {
            Samples::Images(_) => [side as usize, side as usize, 3],
            Samples::Features(features) => features.shape(),
        }
    }

    /// The batches of one pass; images are augmented if they are shuffled, features never.
    pub fn batches(&self, pass: Pass) -> Batches {
        match self {
            Samples::Images(images) => Box::new(loader::batches(images.clone(), pass)),
            Samples::Features(features) => {
                let (features, indices) = (features.clone(), loader::order(features.len(), pass.order));
                let size = pass.batch_size.max(1);
                Box::new((pass.first_batch..indices.len().div_ceil(size)).map(move |number| {
                    let whole = &indices[number * size..indices.len().min((number + 1) * size)];
                    let rows = pass.part.range(whole.len());
                    Ok(Batch {
                        first: rows.start,
                        whole: whole.len(),
                        ..features.batch(&whole[rows])
                    })
                }))
            }
        }
    }
}
