//! A saved model, run by interpreters.

use super::Interpreter;
use crate::input;
use crate::prediction::Prediction;
use crate::probability::softmax;
use crate::saved::{Facts, Parts, Together, check_answer};
use crate::trust::Judge;

/// A model without Burn.
#[derive(Clone, Debug)]
pub struct Model {
    networks: Vec<Interpreter>,
    facts: Facts,
    judge: Judge,
}

impl Model {
    /// From the bytes of a model file. `reject`: answers below this calibrated confidence, 0 to 1, and those for
    /// images too far from the training set are "unknown".
    ///
    /// # Errors
    /// A file that is damaged, of another kind, or newer than this program, as a message.
    pub fn decode(bytes: &[u8], reject: Option<f64>) -> Result<Model, String> {
        let Parts {
            named,
            in_bytes,
            facts,
            calibration,
        } = Parts::decode(bytes)?;
        if in_bytes {
            return Err("is quantized, which this program cannot compute; use the model it was made of".into());
        }
        let members = facts.members();
        let networks = members.iter().zip(named).map(|(member, named)| {
            let [height, width, _] = input::shape(&member.preprocessing);
            Interpreter::new(member.graph(facts.classes.len()), named, [height, width])
        });
        Ok(Model {
            networks: networks.collect::<Result<_, _>>()?,
            judge: Judge::new(calibration).rejecting(reject),
            facts,
        })
    }

    /// The prediction for one encoded image (JPEG, PNG and so on), called `name` in the answer.
    pub fn predict_bytes(&self, name: &str, bytes: &[u8]) -> Prediction {
        self.predict(name, bytes)
            .unwrap_or_else(|reason| Prediction::failed(name, reason))
    }

    fn predict(&self, name: &str, bytes: &[u8]) -> Result<Prediction, String> {
        let (mut logits, mut embedding) = (Vec::new(), Vec::new());
        let input = self.facts.inputs(|side| input::decode(bytes, side))?;
        let mut rest = &input[..];
        for (network, member) in self.networks.iter().zip(self.facts.members()) {
            let (own, others) = rest.split_at(input::shape(&member.preprocessing).iter().product());
            rest = others;
            let answer = network.run(own.to_vec(), member.flip);
            logits.push(answer.logits);
            embedding.extend(answer.embedding);
        }
        let logits = match &self.facts.together {
            None => logits.remove(0),
            Some(together) => answer(together, logits),
        };
        check_answer(&logits)?;
        Ok(Prediction::new(
            name.into(),
            &self.facts.classes,
            &self.judge,
            &logits,
            &embedding,
        ))
    }
}

/// The logits of several networks as one row: their sum, or, of an ensemble, the logarithms of the mean probabilities.
fn answer(together: &Together, logits: Vec<Vec<f32>>) -> Vec<f32> {
    let mut logits = logits.into_iter();
    let voices = together.voices.iter().map(|voice| {
        let sum = |mut sum: Vec<f32>, row: Vec<f32>| {
            sum.iter_mut().zip(row).for_each(|(sum, value)| *sum += value);
            sum
        };
        logits.by_ref().take(voice.networks).reduce(sum).unwrap_or_default()
    });
    let sums: Vec<Vec<f32>> = voices.collect();
    if !together.is_ensemble() {
        return sums.into_iter().next().unwrap_or_default();
    }
    let mut means = vec![0.0; sums[0].len()];
    for (voice, sums) in together.voices.iter().zip(&sums) {
        let shares = softmax(sums, voice.temperature);
        means
            .iter_mut()
            .zip(shares)
            .for_each(|(mean, share)| *mean += voice.weight * share);
    }
    // Of a share that is nothing there is a logarithm too; NaN, of weights that are damaged, stays NaN.
    means.into_iter().map(|mean: f64| (mean + 1e-30).ln() as f32).collect()
}
