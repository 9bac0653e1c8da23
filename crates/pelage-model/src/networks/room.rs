//! The memory that a network needs at least, known before anything is computed.

use burn::tensor::Device;

use super::graph::{Graph, Operation};
use crate::{Result, device};

/// Bytes of an f32.
const BYTES: u64 = 4;

/// Bytes that a batch needs at least.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// Those of the largest tensor.
    pub largest: u64,
    /// Those of all tensors together that are there at one time.
    pub all: u64,
}

impl Room {
    /// Refuses what a device is known not to have.
    ///
    /// # Errors
    /// Too little memory.
    pub fn check(self, device: &Device) -> Result<()> {
        device::check_room(device, self.largest, self.all)
    }
}

impl Graph {
    /// What `images` images of `size` `[h, w]` need in inference: the weights, and the largest map.
    pub fn inference_room(&self, size: [usize; 2], images: usize) -> Room {
        let (weights, largest) = self.weights();
        let map = self.maps(size, images).max().unwrap_or_default();
        Room {
            largest: largest.max(map),
            all: weights + map,
        }
    }

    /// The same in training, where all weights learn: as many gradients, and what convolutions give, which the backward
    /// pass needs.
    pub fn training_room(&self, size: [usize; 2], images: usize) -> Room {
        let (weights, _) = self.weights();
        let nodes = self.nodes().iter().zip(self.maps(size, images));
        let convolved = nodes.filter(|(node, _)| matches!(node.operation, Operation::Convolution(_)));
        Room {
            all: 2 * weights + convolved.map(|(_, bytes)| bytes).sum::<u64>(),
            ..self.inference_room(size, images)
        }
    }

    /// Bytes of all weights, and of the largest tensor of them.
    fn weights(&self) -> (u64, u64) {
        let tensors = self.nodes().iter().flat_map(|node| self.tensors(node));
        tensors.fold((0, 0), |(sum, largest), (_, shape)| {
            let bytes = BYTES * shape.iter().product::<usize>() as u64;
            (sum + bytes, largest.max(bytes))
        })
    }

    /// Bytes of each node's output.
    fn maps(&self, size: [usize; 2], images: usize) -> impl Iterator<Item = u64> {
        let nodes = self.nodes().iter().zip(self.sizes(size));
        nodes.map(move |(node, [h, w])| BYTES * (images * h * w * node.channels) as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::super::Architecture;

    #[test]
    fn it_is_counted_from_the_description() {
        // Table 1 of He et al. 2016 and torchvision: 64 maps of 112 x 112 pixels, 25.6 million weights for 1000 classes.
        let graph = Architecture::ResNet50.graph([224, 224], 1000);
        let (inference, training) = (graph.inference_room([224; 2], 8), graph.training_room([224; 2], 8));
        assert_eq!(inference.largest, 8 * 112 * 112 * 64 * 4);
        let weights = inference.all - inference.largest;
        assert!((weights as f64 / 4.0 - 25.6e6).abs() < 0.1e6, "{weights}");
        // 11.1 million values an image, which batch norms keep.
        let maps = training.all - 2 * weights;
        assert!((maps as f64 / 32.0 - 11.1e6).abs() < 0.1e6, "{maps}");
        assert_eq!(training.largest, inference.largest);
        assert!(training.check(&burn::tensor::Device::flex()).is_ok());
    }
}
