//! The running average of the weights, which is validated and saved: it averages out the noise of the steps, and is the
//! better network (Polyak and Juditsky 1992; Izmailov et al. 2018).

use pelage_model::networks::{Network, parameters};
use pelage_model::values::Named;

/// Steps between updates: the weights hardly change in between.
const EVERY: u64 = 8;

/// An exponential moving average.
#[derive(Clone, Debug, Default)]
pub struct Average {
    /// The averaged tensors by name; empty before the first update.
    pub values: Named,
}

impl Average {
    /// The average with `values`, after `steps` steps of training `network`; `momentum` is the recipe's.
    ///
    /// # Errors
    /// A message if there is none where there must be one, or the other way round; or as [`parameters::check`].
    pub fn restore(values: Named, steps: u64, momentum: f64, network: &Network) -> Result<Self, String> {
        let begun = momentum > 0.0 && steps >= EVERY;
        match (begun, values.is_empty()) {
            (true, _) => parameters::check(network, &values)?,
            (false, true) => {}
            (false, false) => return Err("has a running average that training has not begun".into()),
        }
        Ok(Average { values })
    }

    /// Adds `network` as it is after `steps` steps; `momentum` is the decay per step. It is lower at first, so that the
    /// random initialization is soon forgotten.
    pub fn update(&mut self, network: &Network, steps: u64, momentum: f64) {
        if !steps.is_multiple_of(EVERY) {
            return;
        }
        let now = parameters::read(network);
        if self.values.is_empty() {
            self.values = now;
            return;
        }
        let updates = (steps / EVERY) as f64;
        let kept = momentum.powi(EVERY as i32).min((1.0 + updates) / (10.0 + updates)) as f32;
        for (average, now) in self.values.values_mut().zip(now.values()) {
            for (average, now) in average.data.iter_mut().zip(&now.data) {
                *average += (now - *average) * (1.0 - kept);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use pelage_model::networks::Architecture;

    use super::*;

    #[test]
    fn equals_the_formula_number_by_number() {
        let device = burn::tensor::Device::flex();
        let networks: Vec<_> = (0..4)
            .map(|seed| Network::new(Architecture::Cnn3, [8, 8], 2, seed, &device))
            .collect();
        let (mut average, mut expected) = (Average::default(), f64::NAN);
        for (i, network) in networks.iter().enumerate() {
            let steps = 8 * (i as u64 + 1);
            average.update(network, steps, 0.9);
            average.update(&networks[0], steps + 1, 0.9);
            let now = f64::from(parameters::read(network)["conv2.weight"].data[5]);
            let kept = 0.9f64.powi(8).min((1.0 + (i + 1) as f64) / (10.0 + (i + 1) as f64));
            expected = if i == 0 {
                now
            } else {
                kept * expected + (1.0 - kept) * now
            };
        }
        assert!((f64::from(average.values["conv2.weight"].data[5]) - expected).abs() < 1e-6);
    }
}
