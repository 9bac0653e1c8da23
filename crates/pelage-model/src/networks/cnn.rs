//! A convolutional network from a description: blocks of convolution, ReLU and 2x2 max pooling, then dense layers with
//! dropout.
//!
//! `cnn3`, the tutorial's network, is one of them: three blocks of 3x3 'same' convolutions with 32, 32 and 64 channels,
//! dropout 0.25, dense 64 with ReLU, dropout 0.5, dense to the classes. 1,355,938 parameters for 150 x 150 pixels and
//! two classes.

use super::graph::{Convolution, Graph, Pool};
use crate::options::Activation;

/// What a network is made of.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cnn {
    /// Channels after each block.
    pub blocks: Widths<8>,
    /// Rows and columns of every convolution, an odd number; the padding keeps the size.
    pub kernel: u16,
    /// Widths of the hidden dense layers.
    pub dense: Widths<4>,
    /// Dropout after each hidden dense layer; half of it before the first, of the feature maps.
    pub dropout: f32,
}

/// Checked, it is never NaN.
impl Eq for Cnn {}

/// The widths of up to `MOST` layers, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Widths<const MOST: usize> {
    values: [u16; MOST],
    count: usize,
}

/// The largest width of a layer, and the largest kernel.
const WIDEST: u16 = 4096;
const LARGEST_KERNEL: u16 = 11;

impl<const MOST: usize> Widths<MOST> {
    /// The first `MOST` of these.
    pub const fn new(widths: &[u16]) -> Self {
        let (mut values, mut count) = ([0; MOST], 0);
        while count < MOST && count < widths.len() {
            values[count] = widths[count];
            count += 1;
        }
        Widths { values, count }
    }

    /// In their order.
    pub fn as_slice(&self) -> &[u16] {
        &self.values[..self.count]
    }
}

impl Cnn {
    /// That of `cnn3`.
    pub const THREE_BLOCKS: Cnn = Cnn {
        blocks: Widths::new(&[32, 32, 64]),
        kernel: 3,
        dense: Widths::new(&[64]),
        dropout: 0.5,
    };

    /// Refuses what is no network, or an absurdly large one.
    ///
    /// # Errors
    /// The setting that is out of its range, and what is allowed.
    pub fn check(&self) -> Result<(), (&'static str, String)> {
        let widths = |most: usize, least: usize, widths: &[u16]| {
            let allowed = format!("{least} to {most} layers of 1 to {WIDEST} values");
            let sound = widths.len() >= least && widths.iter().all(|width| (1..=WIDEST).contains(width));
            if sound { Ok(()) } else { Err(allowed) }
        };
        widths(8, 1, self.blocks.as_slice()).map_err(|allowed| ("blocks", allowed))?;
        widths(4, 0, self.dense.as_slice()).map_err(|allowed| ("dense", allowed))?;
        if self.kernel.is_multiple_of(2) || self.kernel > LARGEST_KERNEL {
            return Err(("kernel", format!("an odd number, 1 to {LARGEST_KERNEL}")));
        }
        match (0.0..1.0).contains(&self.dropout) {
            true => Ok(()),
            false => Err(("dropout", "0 or more and below 1".into())),
        }
    }

    /// The smallest image side in pixels of which a pixel is left.
    pub fn smallest_size(&self) -> usize {
        1 << self.blocks.count
    }

    /// The network for images of `size` `[h, w]`.
    pub fn graph(&self, size: [usize; 2], classes: usize) -> Graph {
        let (mut g, mut x) = Graph::new();
        for (i, &channels) in (1..).zip(self.blocks.as_slice()) {
            let convolution = Convolution::new(self.kernel.into(), channels.into()).activation(Activation::Relu);
            x = g.convolution(format!("conv{i}"), x, convolution);
            x = g.max_pool(format!("pool{i}"), x, Pool::new(2, 2));
        }
        g.end_features(x);
        if self.dropout > 0.0 {
            x = g.dropout("dropout1", x, self.dropout / 2.0);
        }
        x = g.flatten("flatten", x, size.map(|side| side >> self.blocks.count));
        for (i, &width) in (1..).zip(self.dense.as_slice()) {
            x = g.dense(format!("dense{i}"), x, width.into(), Activation::Relu);
            if self.dropout > 0.0 {
                x = g.dropout(format!("dropout{}", i + 1), x, self.dropout);
            }
        }
        g.dense(format!("dense{}", self.dense.count + 1), x, classes, Activation::None);
        g
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::super::{Architecture, Mode, Network, parameters, summary};
    use super::*;
    use crate::values::{drawn, to_vec};

    #[test]
    fn the_description_of_cnn3_is_cnn3_bit_for_bit() {
        let described = Architecture::Cnn(Cnn {
            blocks: Widths::new(&[32, 32, 64]),
            kernel: 3,
            dense: Widths::new(&[64]),
            dropout: 0.5,
        });
        let [one, other] =
            [Architecture::Cnn3, described].map(|one| Network::new(one, [33, 40], 3, 7, &Device::flex()));
        assert_eq!(one.graph(), other.graph());
        assert_eq!(parameters::read(&one), parameters::read(&other));
        let pixels = drawn([2, 33, 40, 3], 0.0, 1.0, &mut 1);
        for mode in [
            Mode::Infer,
            Mode::Train {
                seed: 3,
                step: 5,
                first: 0,
            },
        ] {
            let [a, b] = [&one, &other].map(|network| to_vec(network.forward(pixels.clone(), mode)));
            assert_eq!(a, b);
        }
    }

    #[test]
    fn layers_are_as_described_and_nonsense_is_named() {
        let cnn = Cnn {
            blocks: Widths::new(&[8, 12]),
            kernel: 5,
            dense: Widths::new(&[20, 10]),
            dropout: 0.0,
        };
        let layers = summary::layers(Architecture::Cnn(cnn), [20, 30], 3);
        let with: Vec<u64> = layers.iter().map(|layer| layer.parameters).filter(|&p| p > 0).collect();
        assert_eq!(with, [8 * 76, 12 * 201, 20 * (12 * 5 * 7 + 1), 10 * 21, 3 * 11]);
        assert!(layers.iter().all(|layer| !layer.name.contains("dropout")));
        let flat = Cnn {
            dense: Widths::new(&[]),
            dropout: 0.5,
            ..cnn
        };
        let layers = summary::layers(Architecture::Cnn(flat), [20, 30], 3);
        assert_eq!(layers.last().unwrap().output_shape, [3]);
        assert_eq!((cnn.check(), flat.check(), cnn.smallest_size()), (Ok(()), Ok(()), 4));
        for (wrong, name) in [
            (
                Cnn {
                    blocks: Widths::new(&[]),
                    ..cnn
                },
                "blocks",
            ),
            (
                Cnn {
                    blocks: Widths::new(&[0]),
                    ..cnn
                },
                "blocks",
            ),
            (
                Cnn {
                    dense: Widths::new(&[5000]),
                    ..cnn
                },
                "dense",
            ),
            (Cnn { kernel: 4, ..cnn }, "kernel"),
            (Cnn { kernel: 13, ..cnn }, "kernel"),
            (Cnn { dropout: 1.0, ..cnn }, "dropout"),
            (
                Cnn {
                    dropout: f32::NAN,
                    ..cnn
                },
                "dropout",
            ),
        ] {
            assert_eq!(wrong.check().unwrap_err().0, name);
        }
    }
}
