//! One training step, in two halves: the gradients of a batch (forward, loss, backward), then the update.

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use pelage_data::loader::Batch;
use pelage_data::targets::Targets;
use pelage_model::device::in_pool;
use pelage_model::input;
use pelage_model::networks::{Mode, Network, parameters};
use pelage_model::values::to_vec;

use super::average::{Average, Averaging};
use super::gradients::Gradients;
use super::loss;
use super::metrics;
use super::optimizer::Optimizer;
use super::ranks::Ranks;
use super::recipe::Recipe;
use super::samples::Data;
use crate::{Error, Result};

/// Everything that changes in training, and what is needed to change it.
pub struct Learner<'a> {
    /// The network, on the training device (with autodiff).
    pub network: Network,
    /// The optimizer and its state.
    pub optimizer: Optimizer,
    /// The average of the weights, if the recipe wants one.
    pub average: Average,
    /// How that is taken.
    pub averaging: Averaging,
    /// The device without autodiff.
    pub device: Device,
    /// The settings.
    pub recipe: &'a Recipe,
    /// The processes that learn together, each on its part of every batch.
    pub ranks: Ranks,
    class_weights: Option<Vec<f32>>,
}

/// Loss and number of images classified correctly, before a batch is learnt from, where they were computed: reading
/// them waits for the device.
pub struct Scores {
    /// Of the whole batch, of which this process may have a part.
    images: usize,
    /// This part of it, 0 to 1.
    share: f64,
    loss: Tensor<1>,
    correct: Correct,
}

/// How many images are classified correctly.
#[allow(clippy::large_enum_variant, reason = "there is one for each batch of a step")]
enum Correct {
    Counted(usize),
    /// On the device, one value.
    There(Tensor<1>),
}

impl Scores {
    fn read(self) -> Learnt {
        let first = |tensor: Tensor<1>| f64::from(to_vec(tensor)[0]);
        let (loss, correct) = match self.correct {
            Correct::Counted(correct) => (first(self.loss), correct),
            Correct::There(correct) => {
                let both = to_vec(Tensor::cat(vec![self.loss, correct], 0));
                (f64::from(both[0]), both[1] as usize)
            }
        };
        Learnt {
            batches: 1,
            images: self.images,
            loss: loss * self.share,
            correct: match self.share > 0.0 {
                true => correct,
                false => 0,
            },
        }
    }
}

/// The result of a step, of the scores of its batches.
fn read(scores: Vec<Scores>) -> Learnt {
    let images: usize = scores.iter().map(|one| one.images).sum();
    let mut learnt = Learnt::default();
    for one in scores.into_iter().map(Scores::read) {
        learnt.batches += 1;
        learnt.images += one.images;
        learnt.correct += one.correct;
        learnt.loss += one.loss * (one.images as f64 / images as f64);
    }
    learnt
}

/// The result of a step.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Learnt {
    /// Batches of the step.
    pub batches: usize,
    /// Images in them.
    pub images: usize,
    /// Their mean loss, before the update.
    pub loss: f64,
    /// Number of images classified correctly, before the update.
    pub correct: usize,
}

impl<'a> Learner<'a> {
    /// A learner for `network`, on the device with autodiff, before its first step; `device` is the one without.
    pub fn new(recipe: &'a Recipe, network: Network, data: &Data, device: &Device) -> Self {
        let classes = data.train.classes().len();
        Learner {
            network,
            optimizer: Optimizer::new(),
            average: Average::default(),
            averaging: Averaging::of(recipe, data.train.len()),
            device: device.clone(),
            recipe,
            ranks: Ranks::alone(),
            class_weights: loss::class_weights(recipe.class_weights, data.train.labels(), classes),
        }
    }

    /// The same as one of several processes, which all call the same functions of it.
    pub fn among(self, ranks: &Ranks) -> Self {
        let network = match ranks.gather().filter(|_| self.recipe.sync_batch_norm) {
            Some(all) => self.network.with_norms_over(all),
            None => self.network,
        };
        Learner {
            network,
            ranks: ranks.clone(),
            ..self
        }
    }

    /// Trains on the batches of one step (one, or several accumulated), by value so that weights are updated in place.
    /// `shape` is that of one sample; `step` counts over the whole run and seeds dropout together with the seed.
    ///
    /// # Errors
    /// A loss that became NaN or infinite; batches that cannot be read; another rank that has failed.
    pub fn step(
        self,
        batches: impl Iterator<Item = pelage_data::Result<Batch>>,
        shape: [usize; 3],
        step: u64,
        learning_rate: f64,
    ) -> Result<(Self, Learnt)> {
        let (mut sum, mut scores, mut images) = (None, Vec::new(), 0);
        for (i, batch) in batches.enumerate() {
            let batch = batch?;
            // Batch norms sum in the forward pass already, where none may have failed.
            if self.recipe.sync_batch_norm {
                self.ranks.agree(&mut [])?;
            }
            let mode = Mode::Train {
                seed: self.recipe.seed,
                step: step * self.recipe.accumulate as u64 + i as u64,
                first: batch.first,
            };
            images += batch.targets.len();
            let (gradients, score) = match self.recipe.sync_batch_norm && !self.ranks.is_alone() {
                // Other processes are spoken to on this thread alone.
                true => self.gradients(batch, shape, mode),
                false => in_pool(&self.device, || self.gradients(batch, shape, mode)),
            };
            let whole = score.images;
            scores.push(score);
            sum = Some(match sum {
                None => (gradients, whole),
                Some(sum) => mean(sum, (gradients, whole)),
            });
        }
        let Some((mut gradients, _)) = sum else {
            return Ok((self, Learnt::default()));
        };
        let (learner, learnt) = match self.ranks.is_alone() {
            // Read last: until then a GPU was only told what to do.
            true => (self.apply(gradients, step, learning_rate), read(scores)),
            false => {
                let mut learnt = read(scores);
                self.gather(&mut gradients, &mut learnt, images)?;
                (self.apply(gradients, step, learning_rate), learnt)
            }
        };
        match learnt.loss.is_finite() {
            true => Ok((learner, learnt)),
            false => Err(Error::Diverged {
                step,
                rate: learning_rate,
            }),
        }
    }

    /// Adds what the other ranks have learnt of the same batches, of which `images` were this one's. The running
    /// statistics of batch norms become the means over all images.
    fn gather(&self, gradients: &mut Gradients, learnt: &mut Learnt, images: usize) -> Result<()> {
        let mut sums = [learnt.loss, learnt.correct as f64];
        self.ranks.agree(&mut sums)?;
        (learnt.loss, learnt.correct) = (sums[0], sums[1] as usize);
        let share = images as f32 / learnt.images as f32;
        let mut flat = gradients.flat();
        // Taken over all images, they are the same everywhere already.
        if !self.recipe.sync_batch_norm {
            flat.extend(self.network.statistics().iter().map(|value| value * share));
        }
        self.ranks.sum(&mut flat);
        let statistics = gradients.set_flat(&flat);
        if !self.recipe.sync_batch_norm {
            self.network.set_statistics(statistics);
        }
        Ok(())
    }

    /// Forward, loss and backward for one batch, or for a part of it: then they are its share of the whole one's.
    pub fn gradients(&self, mut batch: Batch, shape: [usize; 3], mode: Mode) -> (Gradients, Scores) {
        let share = batch.targets.len() as f64 / batch.whole as f64;
        if batch.targets.is_empty() {
            // A blank image, which counts nothing, has gradients too: of the same parameters as the others'.
            batch.pixels = vec![0.0; shape.iter().product()];
            batch.targets = Targets::Classes(vec![0]);
        }
        let input = input::tensor(batch.pixels, shape, &self.device.clone().autodiff());
        let logits = self.network.forward(input, mode);
        let loss = self.loss(logits.clone(), &batch.targets);
        let logits = logits.inner();
        let scores = Scores {
            images: batch.whole,
            share,
            loss: loss.clone().inner(),
            correct: match self.device == Device::flex() {
                true => Correct::Counted(metrics::count_correct(&metrics::answers(logits, &batch.targets))),
                false => Correct::There(metrics::correct(logits, &batch.targets)),
            },
        };
        (Gradients::of(&self.network, (loss * share).backward()), scores)
    }

    /// Clips the gradients, updates the weights, and adds them to the average.
    pub fn apply(self, gradients: Gradients, step: u64, learning_rate: f64) -> Self {
        let device = self.device.clone();
        in_pool(&device, || self.updated(gradients, step, learning_rate))
    }

    fn updated(mut self, mut gradients: Gradients, step: u64, learning_rate: f64) -> Self {
        if self.recipe.clip_norm > 0.0 {
            gradients.clip(self.recipe.clip_norm);
        }
        self.network = self.optimizer.step(self.recipe, learning_rate, self.network, gradients);
        self.average.update(&self.network, step + 1, self.averaging);
        self
    }

    /// The network to validate and to save, without autodiff: the average of the weights, if there is one.
    ///
    /// # Errors
    /// A message if the average is that of another network.
    pub fn evaluated(&self) -> std::result::Result<Network, String> {
        let network = self.network.valid();
        match self.average.is_empty() {
            true => Ok(network),
            false => parameters::write(network, self.average.read()),
        }
    }

    /// The mean loss of a batch, as a tensor of one value.
    pub fn loss(&self, logits: Tensor<2>, targets: &Targets) -> Tensor<1> {
        loss::loss(self.recipe, logits, targets, self.class_weights.as_deref())
    }
}

/// Merges the gradients of two batches of so many images, means over them, into the mean over both.
fn mean((mut sum, one): (Gradients, usize), (mut next, two): (Gradients, usize)) -> (Gradients, usize) {
    let images = one + two;
    sum.scale(one as f64 / images as f64);
    next.scale(two as f64 / images as f64);
    sum.add(next);
    (sum, images)
}

#[cfg(test)]
mod tests {
    use pelage_model::networks::Head;

    use super::*;
    use crate::train::recipe::OptimizerKind;

    /// The weights after one step over feature maps `[1, 1, 6]` of two classes, in batches of these sizes.
    fn learnt(recipe: &Recipe, sizes: &[usize]) -> (Vec<f32>, Learnt) {
        let device = Device::flex();
        let head = Network::of_head(&Head::linear(), [1, 1, 6], 2, 0, &device.clone().autodiff());
        let learner = Learner {
            network: head,
            optimizer: Optimizer::new(),
            average: Average::default(),
            averaging: Averaging::of(recipe, 8),
            device,
            recipe,
            ranks: Ranks::alone(),
            class_weights: None,
        };
        let mut next = 0;
        let batches = sizes.iter().map(|&size| {
            let samples = next..next + size;
            next += size;
            Ok(Batch {
                pixels: samples
                    .clone()
                    .flat_map(|i| (0..6).map(move |j| ((i * 7 + j * 5) % 11) as f32))
                    .collect(),
                targets: Targets::Classes(samples.clone().map(|i| i % 2).collect()),
                indices: samples.collect(),
                first: 0,
                whole: size,
            })
        });
        let (learner, learnt) = learner.step(batches, [1, 1, 6], 0, 0.1).unwrap();
        (parameters::read(&learner.network)["head.weight"].data.clone(), learnt)
    }

    #[test]
    fn accumulated_batches_are_one_batch() {
        let recipe = Recipe {
            optimizer: OptimizerKind::Sgd,
            ..Recipe::default()
        };
        let (whole, at_once) = learnt(&recipe, &[8]);
        let (parts, in_parts) = learnt(&recipe, &[3, 4, 1]);
        assert_eq!((at_once.images, in_parts.images, in_parts.batches), (8, 8, 3));
        assert_eq!(at_once.correct, in_parts.correct);
        assert!((at_once.loss - in_parts.loss).abs() < 1e-6);
        for (a, b) in whole.iter().zip(&parts) {
            assert!((a - b).abs() < 1e-6, "{a} {b}");
        }
        assert_ne!(whole, learnt(&recipe, &[4]).0);
    }

    #[test]
    fn clipped_steps_are_as_long_as_they_may_be() {
        let step = |clip_norm| {
            let recipe = Recipe {
                momentum: 0.0,
                clip_norm,
                ..Recipe::default()
            };
            let before = parameters::read(&Network::of_head(&Head::linear(), [1, 1, 6], 2, 0, &Device::flex()));
            let after = learnt(&recipe, &[8]).0;
            let pairs = after.iter().zip(&before["head.weight"].data);
            pairs.map(|(a, b)| f64::from(a - b).powi(2)).sum::<f64>().sqrt()
        };
        // The rate is 0.1; the bias takes its part of the norm.
        assert!(step(0.01) < 0.1 * 0.01 && step(0.01) > 0.09 * 0.01, "{}", step(0.01));
        assert!(step(0.0) > 0.1, "{}", step(0.0));
        assert_eq!(step(1e9), step(0.0));
    }
}
