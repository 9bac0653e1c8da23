//! From pictures to batches, which are made ahead of the training step by the same pool of threads.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, TryRecvError, sync_channel};

use rayon::prelude::*;

use crate::augment::{Augmentation, mix};
use crate::cache::Pictures;
use crate::{Error, Result};

/// Pictures for one step.
#[derive(Clone, Debug, Default, PartialEq)]
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
    /// As the catalog has them, and never augmented.
    Sequential,
    /// Shuffled, as a function of seed and epoch alone.
    Shuffled {
        /// The seed of the run.
        seed: u64,
        /// The epoch, from 0.
        epoch: u64,
    },
}

/// Batches that are in the making, or wait, while one is learnt from.
const AHEAD: usize = 2;

/// The batches of one pass, as an iterator; the last one may be smaller. The first error ends the pass. Dropped early, it
/// leaves no thread behind: the batches being made are finished, and dropped.
pub struct Batches {
    pass: Arc<Pass>,
    next: usize,
    pending: VecDeque<Receiver<Result<Batch>>>,
}

/// What there is to do.
struct Pass {
    pictures: Arc<Pictures>,
    indices: Vec<usize>,
    batch_size: usize,
    order: Order,
    augmentation: Option<Augmentation>,
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
    let indices = self::order(pictures.len(), order);
    let pass = Pass {
        pictures,
        indices,
        batch_size: batch_size.max(1),
        order,
        augmentation,
    };
    let mut batches = Batches {
        pass: Arc::new(pass),
        next: first_batch,
        pending: VecDeque::new(),
    };
    batches.refill();
    batches
}

impl Batches {
    /// Sets the pool to work until [`AHEAD`] batches are on their way.
    fn refill(&mut self) {
        while self.pending.len() < AHEAD && self.next < self.pass.indices.len().div_ceil(self.pass.batch_size) {
            let (sender, receiver) = sync_channel(1);
            let (pass, number) = (self.pass.clone(), self.next);
            rayon::spawn(move || {
                // A panic here would end the whole process.
                let made = catch_unwind(AssertUnwindSafe(|| pass.batch(number)));
                let failed = |_| Err(Error::Data("making a batch failed; this is a bug of pelage".into()));
                // Where nobody waits any more, there is nothing to do.
                drop(sender.send(made.unwrap_or_else(failed)));
            });
            self.pending.push_back(receiver);
            self.next += 1;
        }
    }
}

impl Iterator for Batches {
    type Item = Result<Batch>;

    fn next(&mut self) -> Option<Self::Item> {
        let batch = wait(&self.pending.pop_front()?);
        match batch {
            Ok(_) => self.refill(),
            Err(_) => {
                self.next = usize::MAX;
                self.pending.clear();
            }
        }
        Some(batch)
    }
}

/// The batch of a task. A thread of the pool works for it meanwhile, or a pool of one thread would wait for itself.
fn wait(receiver: &Receiver<Result<Batch>>) -> Result<Batch> {
    let lost = || Error::Data("a batch was lost; this is a bug of pelage".into());
    loop {
        match receiver.try_recv() {
            Ok(batch) => return batch,
            Err(TryRecvError::Disconnected) => return Err(lost()),
            Err(TryRecvError::Empty) => match rayon::yield_now() {
                None => return receiver.recv().unwrap_or_else(|_| Err(lost())),
                Some(rayon::Yield::Idle) => std::thread::yield_now(),
                Some(rayon::Yield::Executed) => {}
            },
        }
    }
}

/// The indices 0 to `count` in `order`.
pub fn order(count: usize, order: Order) -> Vec<usize> {
    let mut indices: Vec<usize> = (0..count).collect();
    if let Order::Shuffled { seed, epoch } = order {
        indices.sort_by_cached_key(|&index| key(seed, epoch, index, 1));
    }
    indices
}

/// A number for one picture in one epoch, independent between `purpose`s.
fn key(seed: u64, epoch: u64, index: usize, purpose: u64) -> u64 {
    mix(mix(mix(seed.wrapping_add(purpose << 32)).wrapping_add(epoch)).wrapping_add(index as u64))
}

impl Pass {
    fn batch(&self, number: usize) -> Result<Batch> {
        let chosen = &self.indices[number * self.batch_size..];
        let chosen = &chosen[..chosen.len().min(self.batch_size)];
        let preprocessing = self.pictures.preprocessing();
        let (width, height, each) = (
            preprocessing.width as usize,
            preprocessing.height as usize,
            preprocessing.len(),
        );
        let normalization = preprocessing.normalization();
        if let Some(augmentation) = &self.augmentation {
            augmentation.validate()?;
        }
        let mut pixels = vec![0.0; chosen.len() * each];
        pixels
            .par_chunks_mut(each)
            .zip(chosen)
            .try_for_each(|(out, &index)| -> Result<()> {
                let bytes = self.pictures.pixels(index)?;
                match (&self.augmentation, self.order) {
                    (Some(augmentation), Order::Shuffled { seed, epoch }) => {
                        augmentation.apply(&bytes, width, height, key(seed, epoch, index, 2), &normalization, out);
                    }
                    _ => preprocessing.normalize(&bytes, out),
                }
                Ok(())
            })?;
        Ok(Batch {
            pixels,
            labels: chosen.iter().map(|&index| self.pictures.label(index)).collect(),
            indices: chosen.to_vec(),
        })
    }
}
