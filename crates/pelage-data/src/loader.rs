//! From images to batches, which are made ahead of the training step by the same pool of threads.

mod augmented;

use std::any::Any;
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, TryRecvError, sync_channel};

use rayon::prelude::*;

use crate::augment::mix::Mixture;
use crate::augment::{Augmentation, Random};
use crate::cache::DecodedImages;
use crate::shard::Shard;
use crate::targets::Targets;
use crate::{Error, Result};
use augmented::{Which, key};

/// Images for one step.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Batch {
    /// `[n, height, width, 3]`, normalized.
    pub pixels: Vec<f32>,
    /// What they should be taken for.
    pub targets: Targets,
    /// Which images they are.
    pub indices: Vec<usize>,
    /// The place of the first of them, from 0, in the whole batch, of which this may be a part.
    pub first: usize,
    /// Images in the whole batch.
    pub whole: usize,
}

/// In which order images come.
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

/// One pass over images, or what is left of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Pass {
    /// Images in a batch; the last one may have fewer.
    pub batch_size: usize,
    /// In which order they come.
    pub order: Order,
    /// How they are changed where they are shuffled; none: not at all.
    pub augmentation: Option<Augmentation>,
    /// Their width and height in pixels, at most those that are kept; none: those of the preprocessing.
    pub size: Option<[u32; 2]>,
    /// The batch to begin with, from 0.
    pub first_batch: usize,
    /// Which part of each batch is made, of images that are what they are in the whole; there may be none in it.
    pub part: Shard,
}

impl Default for Pass {
    /// All images as they are, in their order, 32 in a batch.
    fn default() -> Self {
        Pass {
            batch_size: 32,
            order: Order::Sequential,
            augmentation: None,
            size: None,
            first_batch: 0,
            part: Shard::WHOLE,
        }
    }
}

/// Batches that are in the making, or wait, while one is trained on.
const AHEAD: usize = 2;

/// The batches of one pass, as an iterator; the last one may be smaller. The first error ends the pass. Dropped early,
/// it leaves no thread behind: the batches being made are finished, and dropped.
pub struct Batches {
    work: Arc<Work>,
    next: usize,
    pending: VecDeque<Receiver<Result<Batch>>>,
}

/// What there is to do.
struct Work {
    images: Arc<DecodedImages>,
    indices: Vec<usize>,
    pass: Pass,
}

/// The batches of one pass over `images`. An image's augmentation depends on seed, epoch and the
/// image alone, so the batches are the same whatever the number of threads and wherever one starts.
pub fn batches(images: Arc<DecodedImages>, mut pass: Pass) -> Batches {
    let indices = order(images.len(), pass.order);
    pass.batch_size = pass.batch_size.max(1);
    let next = pass.first_batch;
    let mut batches = Batches {
        work: Arc::new(Work { images, indices, pass }),
        next,
        pending: VecDeque::new(),
    };
    batches.refill();
    batches
}

impl Batches {
    /// Sets the pool to work until [`AHEAD`] batches are on their way.
    fn refill(&mut self) {
        while self.pending.len() < AHEAD && self.next < self.work.indices.len().div_ceil(self.work.pass.batch_size) {
            let (sender, receiver) = sync_channel(1);
            let (work, number) = (self.work.clone(), self.next);
            rayon::spawn(move || {
                // A panic here would end the whole process.
                let made = catch_unwind(AssertUnwindSafe(|| work.batch(number)));
                let failed = |payload: Box<dyn Any + Send>| Err(Error::Panic(message(&*payload)));
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
    let lost = || Error::Panic("its task ended without a result".into());
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

/// What a panic said.
fn message(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().map(|text| text.to_string());
    text.or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "without a message".into())
}

/// The indices 0 to `count` in `order`.
pub fn order(count: usize, order: Order) -> Vec<usize> {
    let mut indices: Vec<usize> = (0..count).collect();
    if let Order::Shuffled { seed, epoch } = order {
        indices.sort_by_cached_key(|&index| key(seed, epoch, index, 1));
    }
    indices
}

/// What a batch's mixture is drawn for; images have other numbers, see [`augmented`].
const MIXTURE: u64 = 7;

impl Work {
    fn batch(&self, number: usize) -> Result<Batch> {
        let Pass {
            batch_size,
            order,
            part,
            ..
        } = self.pass;
        let whole = &self.indices[number * batch_size..];
        let whole = &whole[..whole.len().min(batch_size)];
        let rows = part.range(whole.len());
        let preprocessing = self.images.preprocessing();
        let normalization = preprocessing.normalization();
        let size = self.size()?;
        if let Some(augmentation) = &self.pass.augmentation {
            augmentation.validate()?;
        }
        let (kept, to) = (rows_and_columns(self.images.kept_size()), rows_and_columns(size));
        let each = to[0] * to[1] * 3;
        let mixture = self.mixture(number, to);
        // Each image is mixed with the one before it, which another part may begin or end with.
        let before = mixture.filter(|_| !rows.is_empty() && rows.len() < whole.len());
        let before = before.map(|_| whole[(rows.start + whole.len() - 1) % whole.len()]);
        let chosen: Vec<_> = before.into_iter().chain(whole[rows.clone()].iter().copied()).collect();
        let mut pixels = vec![0.0; chosen.len() * each];
        pixels
            .par_chunks_mut(each)
            .zip(&chosen)
            .try_for_each(|(out, &index)| -> Result<()> {
                match (&self.pass.augmentation, order) {
                    (Some(augmentation), Order::Shuffled { seed, epoch }) => {
                        let which = Which { seed, epoch, index };
                        let resize = |pixels: &[u8], [rows, columns]: [usize; 2]| {
                            let from = [columns, rows].map(|side| side as u32);
                            self.images.resize_pixels(index, pixels, from, size)
                        };
                        let image = self.images.kept(index)?;
                        augmented::write(augmentation, which, image, kept, resize, &normalization, out, to)?;
                    }
                    _ => preprocessing.normalize(&self.images.resized(index, size)?, out),
                }
                Ok(())
            })?;
        let labels: Vec<_> = chosen.iter().map(|&index| self.images.label(index)).collect();
        let mut targets = match mixture {
            Some(mixture) if !chosen.is_empty() => mixture.apply(&mut pixels, to, &labels, self.images.classes().len()),
            _ => Targets::Classes(labels),
        };
        if before.is_some() {
            pixels.drain(..each);
            if let Targets::Distributions { classes, values } = &mut targets {
                values.drain(..*classes);
            }
        }
        Ok(Batch {
            targets,
            pixels,
            indices: whole[rows.clone()].to_vec(),
            first: rows.start,
            whole: whole.len(),
        })
    }

    /// How the images of batch `number`, of `[rows, columns]`, are mixed: a function of seed, epoch and number alone.
    fn mixture(&self, number: usize, size: [usize; 2]) -> Option<Mixture> {
        let (Some(augmentation), Order::Shuffled { seed, epoch }) = (&self.pass.augmentation, self.pass.order) else {
            return None;
        };
        let mut random = Random(key(seed, epoch, number, MIXTURE));
        Mixture::draw(augmentation.mixup, augmentation.cutmix, size, &mut random)
    }

    /// Width and height of the batches' images.
    fn size(&self) -> Result<[u32; 2]> {
        let (preprocessing, most) = (self.images.preprocessing(), self.images.kept_size());
        let [width, height] = self.pass.size.unwrap_or([preprocessing.width, preprocessing.height]);
        if !(1..=most[0]).contains(&width) || !(1..=most[1]).contains(&height) {
            return Err(Error::setting(
                "image_size",
                format!("{width} x {height} pixels"),
                format!("1 x 1 to {} x {} pixels, as large as images are kept", most[0], most[1]),
            ));
        }
        Ok([width, height])
    }
}

fn rows_and_columns([width, height]: [u32; 2]) -> [usize; 2] {
    [height as usize, width as usize]
}
