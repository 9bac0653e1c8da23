//! A backbone's features as the input of a head: the last feature map or its channel means, of the image alone or
//! averaged with its mirror image.

use burn::Tensor;

use super::{Network, Pooling};
use crate::device::in_pool;
use crate::ops;

/// Images that go through a backbone together: enough for many threads, and for many images to share each reading of
/// the weights.
pub const BATCH: usize = 32;

/// The last feature map of pixels `[n, h, w, 3]`; with [`Pooling::Average`] `[n, 1, 1, c]`. With `flip`, the mean over
/// the image and its mirror image.
pub fn features(network: &Network, pixels: Tensor<4>, pooling: Pooling, flip: bool) -> Tensor<4> {
    let one = |pixels: Tensor<4>| match pooling {
        Pooling::Average => ops::global_average_pool(network.features_in_pieces(pixels)),
        Pooling::Flatten => network.features_in_pieces(pixels),
    };
    in_pool(&pixels.device(), || match flip {
        true => (one(pixels.clone()) + one(pixels.flip([2]))) * 0.5,
        false => one(pixels),
    })
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::*;
    use crate::networks::Architecture;
    use crate::values::{drawn, to_vec};

    #[test]
    fn features_with_flip_are_the_same_for_an_image_and_its_mirror_image() {
        let device = Device::flex();
        let network = Network::new(Architecture::ResNet18, [32, 32], 2, 0, &device);
        let image = drawn([1, 32, 32, 3], 0.0, 1.0, &mut 1);
        let gap = |flip| {
            let [one, other] = [image.clone(), image.clone().flip([2])]
                .map(|pixels| to_vec(features(&network, pixels, Pooling::Average, flip)));
            let largest = one.iter().fold(0f32, |largest, x| largest.max(x.abs()));
            let gap = one.iter().zip(&other).fold(0f32, |gap, (a, b)| gap.max((a - b).abs()));
            gap / largest
        };
        assert!(gap(true) < 1e-5, "{}", gap(true));
        assert!(gap(false) > 1e-3, "{}", gap(false));
    }
}
