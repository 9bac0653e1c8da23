//! The running statistics of batch norms that learn, for processes that train together.

use super::layer::BatchNorm;
use super::network::Network;

impl Network {
    /// All of them one behind the other, by the order of layers; none of a frozen layer, which no batch changes.
    pub fn statistics(&self) -> Vec<f32> {
        self.norms().flat_map(BatchNorm::statistics).collect()
    }

    /// Replaces them, in the network and in every clone of it, by as many.
    pub fn set_statistics(&self, values: &[f32]) {
        let mut rest = values;
        for norm in self.norms() {
            rest = norm.set_statistics(rest);
        }
    }

    fn norms(&self) -> impl Iterator<Item = &BatchNorm> {
        let learning = self.layers.iter().filter(|(name, _)| !self.is_frozen(name));
        learning.filter_map(|(_, layer)| layer.norm())
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::super::Architecture;
    use super::super::parameters::{is_statistic, read};
    use super::*;

    #[test]
    fn they_are_replaced_in_every_clone_where_layers_learn() {
        let network = Network::new(Architecture::ResNet18, [32, 32], 2, 0, &Device::flex());
        let network = network.with_frozen(|layer| layer.starts_with("layer1"));
        let copy = network.clone();
        let count = network.statistics().len();
        let values: Vec<_> = (0..count).map(|i| i as f32).collect();
        network.set_statistics(&values);
        assert_eq!(copy.statistics(), values);
        let all = read(&copy);
        let statistics = all.iter().filter(|(name, _)| is_statistic(name));
        let (frozen, learning): (Vec<_>, Vec<_>) = statistics.partition(|(name, _)| name.starts_with("layer1"));
        assert_eq!(
            learning.iter().map(|(_, values)| values.data.len()).sum::<usize>(),
            count
        );
        assert!(
            frozen
                .iter()
                .all(|(_, values)| values.data.iter().all(|&value| value == 0.0 || value == 1.0))
        );
    }
}
