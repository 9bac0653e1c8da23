//! A checkpoint: everything an exact resume needs.

use pelage_model::networks::parameters;
use pelage_model::tensors::{self, Precision};
use pelage_model::values::Named;
use serde::{Deserialize, Serialize};

use super::average::Average;
use super::optimizer::Optimizer;
use super::progress::Progress;
use super::samples::{Data, Samples};
use super::step::Learner;

/// A checkpoint in memory.
pub struct Snapshot {
    network: Named,
    average: Named,
    optimizer: Named,
    state: State,
}

/// The part of a checkpoint that is not tensors.
#[derive(Serialize, Deserialize)]
struct State {
    optimizer_steps: u64,
    progress: Progress,
    /// The [`fingerprint`] of the run's images.
    #[serde(rename = "pictures")]
    images: String,
}

impl Snapshot {
    /// Copies the state of a run.
    pub fn take(learner: &Learner, progress: Progress, data: &Data) -> Self {
        let (optimizer, optimizer_steps) = learner.optimizer.read();
        let state = State {
            optimizer_steps,
            progress,
            images: fingerprint(data),
        };
        Snapshot {
            network: parameters::read(&learner.network),
            average: learner.average.read(),
            optimizer,
            state,
        }
    }

    /// The bytes of its file.
    ///
    /// # Errors
    /// A message if it cannot be written as JSON.
    pub fn encode(&self) -> Result<Vec<u8>, String> {
        let parts = [
            ("network", &self.network),
            ("average", &self.average),
            ("optimizer", &self.optimizer),
        ];
        let tensors = parts.into_iter().flat_map(|(part, named)| {
            named
                .iter()
                .map(move |(name, values)| (format!("{part}/{name}"), values, Precision::F32))
        });
        tensors::encode(tensors, "checkpoint", &self.state)
    }

    /// Parses the bytes of a checkpoint file.
    ///
    /// # Errors
    /// A message that says what is damaged.
    pub fn decode(bytes: &[u8]) -> Result<Snapshot, String> {
        let (all, state) = tensors::decode::<State>(bytes, "checkpoint")?;
        let (mut network, mut average, mut optimizer) = (Named::new(), Named::new(), Named::new());
        for (name, values) in all {
            match name.split_once('/') {
                Some(("network", rest)) => network.insert(rest.to_string(), values),
                Some(("average", rest)) => average.insert(rest.to_string(), values),
                Some(("optimizer", rest)) => optimizer.insert(rest.to_string(), values),
                _ => return Err(format!("an unknown tensor '{name}'")),
            };
        }
        Ok(Snapshot {
            network,
            average,
            optimizer,
            state,
        })
    }

    /// Loads it into a fresh learner of the same network and images.
    ///
    /// # Errors
    /// A message if the checkpoint belongs to another network, other images or other settings, or says what no training
    /// comes to.
    pub fn restore<'a>(self, fresh: Learner<'a>, data: &Data) -> Result<(Learner<'a>, Progress), String> {
        let (recipe, state) = (fresh.recipe, self.state);
        if state.images != fingerprint(data) {
            return Err(
                "the run was made from other pictures (some were added, removed, renamed, or can no longer be read); \
                 restore them, or start a new run"
                    .into(),
            );
        }
        let of_another = |part: &'static str| {
            move |reason: String| {
                format!("its {part}: {reason}; it is damaged, or belongs to another network or recipe")
            }
        };
        let steps = state.progress.step;
        if state.optimizer_steps != steps {
            return Err(of_another("optimizer")(format!(
                "step {} of {steps}",
                state.optimizer_steps
            )));
        }
        let batches = data.train.len().div_ceil(recipe.batch_size);
        state.progress.check(recipe, batches).map_err(of_another("progress"))?;
        let mut learner = fresh;
        parameters::check(&learner.network, &self.network).map_err(of_another("weights"))?;
        learner.average = Average::restore(self.average, steps, learner.averaging, &learner.network)
            .map_err(of_another("average"))?;
        learner.optimizer = Optimizer::restore(self.optimizer, steps, recipe, &learner.network, &learner.device)
            .map_err(of_another("optimizer"))?;
        learner.network = parameters::write(learner.network, self.network)?;
        Ok((learner, state.progress))
    }

    /// Where the run stopped.
    pub fn progress(&self) -> &Progress {
        &self.state.progress
    }
}

/// Identifies a set of images by names, classes and order, all of which a resumed run relies on.
pub(super) fn fingerprint(data: &Data) -> String {
    let mut hash = blake3::Hasher::new();
    let mut add = |samples: &Samples| {
        let entries = (0..samples.len()).map(|i| format!("{}\n{}\n", samples.name(i), samples.label(i)));
        samples.classes().iter().cloned().chain(entries).for_each(|text| {
            hash.update(text.as_bytes()).update(&[0]);
        });
    };
    add(&data.train);
    add(&data.validation);
    hash.finalize().to_hex()[..32].to_string()
}
