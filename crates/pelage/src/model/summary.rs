//! A Keras-like table of a network: layers, output shapes, parameters, multiply-adds.

use serde::Serialize;

use super::{Architecture, cnn3};

/// One layer of a network.
#[derive(Clone, Debug, Serialize, PartialEq)]
pub struct Layer {
    /// The layer's name; parameters are called `name.weight`, `name.bias`.
    pub name: String,
    /// What it computes.
    pub kind: String,
    /// Shape of its output for one picture, channels last.
    pub output_shape: Vec<usize>,
    /// Trainable numbers.
    pub parameters: u64,
    /// Multiply-adds for one picture.
    pub multiply_adds: u64,
}

/// The layers of `architecture` for pictures of `[height, width]` pixels.
pub fn layers(architecture: Architecture, size: [usize; 2], classes: usize) -> Vec<Layer> {
    match architecture {
        Architecture::Cnn3 => cnn3_layers(size, classes),
    }
}

fn cnn3_layers(size: [usize; 2], classes: usize) -> Vec<Layer> {
    let mut layers = Vec::new();
    let mut add = |name: &str, kind: &str, output_shape: Vec<usize>, parameters: usize, multiply_adds: usize| {
        layers.push(Layer {
            name: name.into(),
            kind: kind.into(),
            output_shape,
            parameters: parameters as u64,
            multiply_adds: multiply_adds as u64,
        });
    };
    let ([mut h, mut w], mut ci) = (size, 3);
    for (i, co) in cnn3::CHANNELS.into_iter().enumerate() {
        let weights = 9 * ci * co;
        add(
            &format!("conv{}", i + 1),
            "convolution 3x3 + ReLU",
            vec![h, w, co],
            weights + co,
            weights * h * w,
        );
        (h, w, ci) = (h / 2, w / 2, co);
        add(&format!("pool{}", i + 1), "max-pooling 2x2", vec![h, w, co], 0, 0);
    }
    let (flat, hidden) = (h * w * ci, cnn3::HIDDEN);
    add("dropout1", "dropout 0.25", vec![h, w, ci], 0, 0);
    add("flatten", "flatten", vec![flat], 0, 0);
    add(
        "dense1",
        "dense + ReLU",
        vec![hidden],
        (flat + 1) * hidden,
        flat * hidden,
    );
    add("dropout2", "dropout 0.5", vec![hidden], 0, 0);
    add(
        "dense2",
        "dense",
        vec![classes],
        (hidden + 1) * classes,
        hidden * classes,
    );
    add("softmax", "softmax", vec![classes], 0, 0);
    layers
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cnn3_has_the_published_counts() {
        let layers = layers(Architecture::Cnn3, [150, 150], 2);
        let with_weights: Vec<u64> = layers.iter().map(|l| l.parameters).filter(|&p| p > 0).collect();
        assert_eq!(with_weights, [896, 9_248, 18_496, 1_327_168, 130]);
        assert_eq!(with_weights.iter().sum::<u64>(), 1_355_938);
    }

    #[test]
    fn the_table_counts_what_the_network_holds() {
        let device = burn::tensor::Device::flex();
        let network = crate::model::Network::new(Architecture::Cnn3, [33, 40], 5, 0, &device);
        let held: usize = crate::model::parameters::read(&network)
            .values()
            .map(|v| v.data.len())
            .sum();
        let table: u64 = layers(Architecture::Cnn3, [33, 40], 5)
            .iter()
            .map(|l| l.parameters)
            .sum();
        assert_eq!(held as u64, table);
    }
}
