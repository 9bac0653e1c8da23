//! What in an image excites a channel: its largest activation, projected back to the pixels through the transposes of
//! the layers (Zeiler and Fergus 2013, *Visualizing and Understanding Convolutional Networks*, section 2.1).
//!
//! A transpose is the vector-Jacobian product of a layer without its activation: a transposed convolution, an unpooling
//! to the positions of the maxima (the paper's switches), a concatenation split again. At an activation the signal is
//! rectified; at a residual sum it goes both ways.
//!
//! Only the switches tie the projection to the image, and current networks hardly pool. Guided backpropagation
//! (Springenberg et al. 2015, *Striving for Simplicity*, section 3.4) therefore also stops the signal where the
//! activation was zero. Without any pooling a deconvnet's projection knows nothing of the image, see [`Stop::useful`].

use burn::Tensor;
use burn::module::Module;
use burn::tensor::{TensorData, activation};
use image::{Rgb, RgbImage};
use pelage_model::networks::graph::{Graph, Operation};
use pelage_model::networks::{Mode, Network};
use pelage_model::ops::Activation;
use pelage_model::values::to_vec;

use super::{peak, saturates};
use crate::{Error, Result};

/// Where an activation stops the signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// Where the signal is negative: Zeiler and Fergus 2013.
    Deconvnet,
    /// Also where the activation is not positive: Springenberg et al. 2015.
    Guided,
}

impl Stop {
    /// Those whose projections depend on the image. The deconvnet's does by the switches of max poolings alone: without
    /// these it shows the strides of the layers, the same grid for every channel.
    pub fn useful(graph: &Graph, layer: usize) -> &'static [Stop] {
        let mut nodes = graph.nodes()[..=layer].iter();
        match nodes.any(|node| matches!(node.operation, Operation::MaxPool(_))) {
            true => &[Stop::Deconvnet, Stop::Guided],
            false => &[Stop::Guided],
        }
    }
}

/// The projection of one activation to the pixels.
#[derive(Clone, Debug, PartialEq)]
pub struct Projection {
    /// Rows of the input.
    pub height: usize,
    /// Columns of the input.
    pub width: usize,
    /// `[height, width, 3]`.
    pub values: Vec<f32>,
    /// Row and column of the channel's peak in the map.
    pub position: [usize; 2],
    /// The activation there, before a ReLU6.
    pub activation: f32,
}

/// Projects, for each image of `[n, h, w, 3]`, the peak of one of the channels of node `layer` (see [`super::layer`]).
/// The network must be without autodiff.
///
/// # Errors
/// A channel that the layer does not have.
pub fn project(
    network: &Network,
    pixels: Tensor<4>,
    layer: usize,
    channels: &[usize],
    stop: Stop,
) -> Result<Vec<Projection>> {
    let nodes = &network.graph().nodes()[..=layer];
    if let Some(channel) = channels.iter().find(|&&channel| channel >= nodes[layer].channels) {
        let (name, count) = (&nodes[layer].name, nodes[layer].channels);
        return Err(Error::setting(
            "channel",
            channel,
            format!("below {count}, the channels of layer '{name}'"),
        ));
    }
    let device = pixels.device();
    let [count, height, width, _] = pixels.dims();
    let mut values = Vec::with_capacity(nodes.len());
    let map = network
        .clone()
        .unfused()
        .forward_to(pixels, layer, &mut |_, value: Tensor<4>| {
            values.push(value.clone());
            value
        });
    let map = match saturates(&nodes[layer]) {
        true => {
            let inputs = nodes[layer].inputs.iter().map(|&input| values[input].clone()).collect();
            network.without_activations().node(layer, inputs, Mode::Infer)
        }
        false => map,
    };
    let shape = map.dims();
    let each = shape[1] * shape[2] * shape[3];
    let (map, mut start) = (to_vec(map), vec![0.0; count * each]);
    let peaks: Vec<_> = channels
        .iter()
        .enumerate()
        .map(|(i, &channel)| {
            let (position, strength) = peak(&map[i * each..][..each], shape[2], shape[3], channel);
            start[i * each + (position[0] * shape[2] + position[1]) * shape[3] + channel] = strength;
            (position, strength)
        })
        .collect();

    let linear = network.without_activations().train().with_frozen(|_| true);
    let mut signals: Vec<Option<Tensor<4>>> = vec![None; nodes.len()];
    signals[layer] = Some(Tensor::from_data(TensorData::new(start, shape), &device));
    for i in (1..nodes.len()).rev() {
        let Some(mut signal) = signals[i].take() else {
            continue;
        };
        if nodes[i].activation() != Activation::None {
            signal = activation::relu(signal);
            // The peak is taken after the first activation.
            if stop == Stop::Guided && i != layer {
                signal = signal.mask_fill(values[i].clone().lower_equal_elem(0.0), 0.0);
            }
        }
        let inputs = nodes[i].inputs.iter().map(|&input| values[input].clone()).collect();
        for (&input, back) in nodes[i].inputs.iter().zip(transpose(&linear, i, inputs, signal)) {
            signals[input] = Some(match signals[input].take() {
                Some(signal) => signal + back,
                None => back,
            });
        }
        values.truncate(i);
    }
    // Every layer depends on the input, so the signal has arrived there.
    let back = signals[0].take().map(to_vec).unwrap_or_default();
    let projections = back.chunks(height * width * 3).zip(peaks);
    Ok(projections
        .map(|(values, (position, activation))| Projection {
            height,
            width,
            values: values.to_vec(),
            position,
            activation,
        })
        .collect())
}

/// The signal at each input of node `i`, given `signal` at its output.
fn transpose(linear: &Network, i: usize, inputs: Vec<Tensor<4>>, signal: Tensor<4>) -> Vec<Tensor<4>> {
    let leaves: Vec<_> = inputs
        .into_iter()
        .map(|input| Tensor::from_inner(input).require_grad())
        .collect();
    let output = linear.node(i, leaves.clone(), Mode::Infer);
    let gradients = (output * Tensor::from_inner(signal)).sum().backward();
    let back = |leaf: &Tensor<4>| {
        leaf.grad(&gradients)
            .unwrap_or_else(|| leaf.clone().inner().zeros_like())
    };
    leaves.iter().map(back).collect()
}

impl Projection {
    /// As an image: gray where the projection is zero, brighter or darker elsewhere. The scale ignores the largest
    /// hundredth of the values, which are clipped.
    pub fn image(&self) -> RgbImage {
        let mut sizes: Vec<f32> = self
            .values
            .iter()
            .map(|value| value.abs())
            .filter(|&v| v > 0.0)
            .collect();
        sizes.sort_by(f32::total_cmp);
        let scale = sizes
            .get(sizes.len().saturating_sub(1 + sizes.len() / 100))
            .map_or(0.0, |most| 127.0 / most);
        RgbImage::from_fn(self.width as u32, self.height as u32, |x, y| {
            let at = (y as usize * self.width + x as usize) * 3;
            Rgb(std::array::from_fn(|i| {
                (128.0 + self.values[at + i] * scale).round().clamp(0.0, 255.0) as u8
            }))
        })
    }
}
