//! The average of the weights, which is validated and saved: it averages out the noise of the steps, and is the better
//! network (Polyak and Juditsky 1992; Izmailov et al. 2018). A running average of all steps, or the plain mean of the
//! last ones.

use burn::Tensor;
use burn::tensor::TensorData;
use pelage_model::networks::Network;
use pelage_model::networks::parameters::{self, Held};
use pelage_model::values::{Named, Values};

use super::recipe::Recipe;

/// Steps between updates: the weights hardly change in between.
const EVERY: u64 = 8;

/// How weights are averaged.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Averaging {
    /// Not at all.
    None,
    /// As an exponential moving average with this decay per step.
    Running(f64),
    /// As the mean of those after this step.
    Last(u64),
}

impl Averaging {
    /// What `recipe` asks for with so many training images.
    pub fn of(recipe: &Recipe, images: usize) -> Self {
        let steps = images.div_ceil(recipe.batch_size).div_ceil(recipe.accumulate) * recipe.epochs;
        if recipe.average_last > 0.0 {
            Averaging::Last(((1.0 - recipe.average_last) * steps as f64) as u64)
        } else if recipe.ema_momentum > 0.0 {
            Averaging::Running(recipe.ema_momentum)
        } else {
            Averaging::None
        }
    }

    /// How often the weights were averaged after `steps` steps.
    fn updates(self, steps: u64) -> u64 {
        match self {
            Averaging::None => 0,
            Averaging::Running(_) => steps / EVERY,
            Averaging::Last(from) => (steps / EVERY).saturating_sub(from / EVERY),
        }
    }
}

/// Averaged weights, on the device of the network.
#[derive(Clone, Debug, Default)]
pub struct Average {
    /// Shape and values of the averaged tensors by name; empty before the first update.
    averages: Held,
}

impl Average {
    /// The average with `values`, after `steps` steps of training `network`.
    ///
    /// # Errors
    /// A message if there is none where there must be one, or the other way round; or as [`parameters::check`].
    pub fn restore(values: Named, steps: u64, averaging: Averaging, network: &Network) -> Result<Self, String> {
        let begun = averaging.updates(steps) > 0;
        match (begun, values.is_empty()) {
            (true, _) => parameters::check(network, &values)?,
            (false, true) => {}
            (false, false) => return Err("has an average of weights that training has not begun".into()),
        }
        let device = network.device().without_autodiff();
        let put = |(name, Values { shape, data }): (String, Values)| {
            let length = data.len();
            (
                name,
                (shape, Tensor::from_data(TensorData::new(data, [length]), &device)),
            )
        };
        Ok(Average {
            averages: values.into_iter().map(put).collect(),
        })
    }

    /// The averaged tensors by name; none before the first update.
    pub fn read(&self) -> Named {
        parameters::copied(&self.averages)
    }

    /// Whether nothing was averaged yet.
    pub fn is_empty(&self) -> bool {
        self.averages.is_empty()
    }

    /// Adds `network` as it is after `steps` steps. The decay of a running average is lower at first, so that the
    /// random initialization is soon forgotten.
    pub fn update(&mut self, network: &Network, steps: u64, averaging: Averaging) {
        let updates = averaging.updates(steps) as f64;
        if !steps.is_multiple_of(EVERY) || updates == 0.0 {
            return;
        }
        let now = parameters::tensors(network);
        if self.averages.is_empty() {
            self.averages = now;
            return;
        }
        let kept = match averaging {
            Averaging::Running(momentum) => momentum.powi(EVERY as i32).min((1.0 + updates) / (10.0 + updates)),
            _ => 1.0 - 1.0 / updates,
        } as f32;
        for ((_, average), (_, now)) in self.averages.values_mut().zip(now.into_values()) {
            *average = average.clone() + (now - average.clone()) * (1.0 - kept);
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
            average.update(network, steps, Averaging::Running(0.9));
            average.update(&networks[0], steps + 1, Averaging::Running(0.9));
            let now = f64::from(parameters::read(network)["conv2.weight"].data[5]);
            let kept = 0.9f64.powi(8).min((1.0 + (i + 1) as f64) / (10.0 + (i + 1) as f64));
            expected = if i == 0 {
                now
            } else {
                kept * expected + (1.0 - kept) * now
            };
        }
        assert!((f64::from(average.read()["conv2.weight"].data[5]) - expected).abs() < 1e-6);
    }

    #[test]
    fn the_mean_of_the_last_steps_counts_each_alike() {
        let device = burn::tensor::Device::flex();
        let networks = [0, 1, 2].map(|seed| Network::new(Architecture::Cnn3, [8, 8], 2, seed, &device));
        let one = |network: &Network| f64::from(parameters::read(network)["conv2.weight"].data[5]);
        let (mut average, averaging) = (Average::default(), Averaging::Last(20));
        average.update(&networks[0], 16, averaging);
        assert!(average.is_empty());
        for (network, steps) in networks.iter().zip([24, 32, 40]) {
            average.update(network, steps, averaging);
            average.update(&networks[0], steps + 1, averaging);
        }
        let expected = networks.iter().map(one).sum::<f64>() / 3.0;
        assert!((f64::from(average.read()["conv2.weight"].data[5]) - expected).abs() < 1e-6);

        let recipe = Recipe {
            average_last: 0.25,
            epochs: 10,
            batch_size: 32,
            ..Recipe::default()
        };
        assert_eq!(Averaging::of(&recipe, 320), Averaging::Last(75));
        let restored = |averaging| Average::restore(average.read(), 40, averaging, &networks[0]);
        assert_eq!(restored(averaging).unwrap().read(), average.read());
        assert!(restored(Averaging::Last(100)).is_err());
    }
}
