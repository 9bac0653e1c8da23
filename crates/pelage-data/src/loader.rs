//! From pictures to batches: one thread ahead of the training step, working in the same pool.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};

use rayon::prelude::*;

use crate::augment::{Augmentation, mix};
use crate::cache::Pictures;
use crate::{Error, Result};

/// Pictures for one step.
#[derive(Clone, Debug, PartialEq)]
pub struct Batch {
    /// `[n, height, width, 3]`, normalized.
    pub pixels: Vec<f32>,
    /// The class of each.
    pub labels: Vec<usize>,
    /// Which pictures they are.
    pub indices: Vec<usize>,
}

/// In which order pictures come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// As the catalog has them.
    Sequential,
    /// Shuffled, as a function of seed and epoch alone.
    Shuffled {
        /// The seed of the run.
        seed: u64,
        /// The epoch, from 0.
        epoch: u64,
    },
}

/// Batches made ahead: one waits while one is learnt from.
const AHEAD: usize = 2;

/// The batches of one pass, as an iterator; the last one may be smaller.
pub struct Batches {
    receiver: Receiver<Result<Batch>>,
}

impl Iterator for Batches {
    type Item = Result<Batch>;

    fn next(&mut self) -> Option<Self::Item> {
        self.receiver.recv().ok()
    }
}

/// Batches `first_batch` and on of one pass over `pictures`. A picture's augmentation depends on seed, epoch and the
/// picture alone, so the batches are the same whatever the number of threads and wherever one starts.
pub fn batches(
    pictures: Arc<Pictures>,
    batch_size: usize,
    order: Order,
    augmentation: Option<Augmentation>,
    first_batch: usize,
) -> Batches {
    let (sender, receiver) = sync_channel(AHEAD);
    // Ends when the pass is over, or at the next batch after the receiver was dropped.
    std::thread::spawn(move || {
        let indices = order_of(pictures.len(), order);
        for indices in indices.chunks(batch_size.max(1)).skip(first_batch) {
            if sender
                .send(batch(&pictures, indices, order, augmentation.as_ref()))
                .is_err()
            {
                return;
            }
        }
    });
    Batches { receiver }
}

fn order_of(count: usize, order: Order) -> Vec<usize> {
    let mut indices: Vec<usize> = (0..count).collect();
    if let Order::Shuffled { seed, epoch } = order {
        indices.sort_by_key(|&index| key(seed, epoch, index, 1));
    }
    indices
}

/// A number for one picture in one epoch, independent between `purpose`s.
fn key(seed: u64, epoch: u64, index: usize, purpose: u64) -> u64 {
    mix(mix(mix(seed.wrapping_add(purpose << 32)).wrapping_add(epoch)).wrapping_add(index as u64))
}

fn batch(pictures: &Pictures, indices: &[usize], order: Order, augmentation: Option<&Augmentation>) -> Result<Batch> {
    let preprocessing = pictures.preprocessing();
    let (width, height, each) = (
        preprocessing.width as usize,
        preprocessing.height as usize,
        preprocessing.len(),
    );
    let mut pixels = vec![0.0; indices.len() * each];
    let fill = |(out, &index): (&mut [f32], &usize)| -> Result<()> {
        let bytes = pictures.pixels(index)?;
        match (augmentation, order) {
            (Some(augmentation), Order::Shuffled { seed, epoch }) => {
                augmentation.apply(&bytes, width, height, key(seed, epoch, index, 2), out);
                preprocessing.normalize_f32(out);
            }
            _ => preprocessing.normalize(&bytes, out),
        }
        Ok(())
    };
    let guarded = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        pixels.par_chunks_mut(each).zip(indices).try_for_each(fill)
    }));
    // A panic here would end the thread, and the pass with it, as if it were complete.
    guarded.unwrap_or_else(|_| Err(Error::Data("making a batch failed; this is a bug of pelage".into())))?;
    let labels = indices.iter().map(|&index| pictures.label(index)).collect();
    Ok(Batch {
        pixels,
        labels,
        indices: indices.to_vec(),
    })
}
