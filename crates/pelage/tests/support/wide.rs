//! Gradients of a convolutional network in training, in f64 by naive loops: what f32 on any device is measured
//! against.

use std::collections::BTreeMap;

use pelage::model::networks::graph::{Convolution, Graph, Operation};
use pelage::model::options::Activation;
use pelage::model::values::Named;

/// A map, `[n, h, w, c]`.
#[derive(Clone, Debug)]
pub(crate) struct Map {
    pub(crate) shape: [usize; 4],
    pub(crate) values: Vec<f64>,
}

impl Map {
    pub(crate) fn new(shape: [usize; 4], values: Vec<f64>) -> Map {
        assert_eq!(shape.iter().product::<usize>(), values.len());
        Map { shape, values }
    }

    fn zeros(shape: [usize; 4]) -> Map {
        Map::new(shape, vec![0.0; shape.iter().product()])
    }
}

/// What the backward pass of a convolution with a batch norm needs of its forward pass.
struct Kept {
    input: usize,
    residual: Option<usize>,
    normalized: Vec<f64>,
    deviation: Vec<f64>,
    output: Map,
}

/// The gradient of `sum(map * upstream)` for each parameter before node `to`, whose output is `map`, and that map.
/// Of operations it knows convolutions with a batch norm, and global average pooling.
pub(crate) fn gradients(
    graph: &Graph,
    to: usize,
    parameters: &Named,
    pixels: Map,
    upstream: &[f64],
) -> (Map, BTreeMap<String, Vec<f64>>) {
    let of = |name: String| -> Vec<f64> { parameters[&name].data.iter().map(|&v| f64::from(v)).collect() };
    let mut maps = vec![pixels];
    let mut kept: Vec<Option<Kept>> = vec![None];
    for node in &graph.nodes()[1..=to] {
        let input = &maps[node.inputs[0]];
        match &node.operation {
            Operation::Convolution(convolution) => {
                let convolved = convolve(input, &of(format!("{}.weight", node.name)), convolution);
                let residual = node.inputs.get(1).map(|&i| &maps[i]);
                let norm = |name: &str| of(format!("{}.norm.{name}", node.name));
                let epsilon = convolution.norm.expect("a batch norm");
                let (normalized, deviation) = normalize(&convolved, epsilon);
                let (scale, shift) = (norm("weight"), norm("bias"));
                let mut output = Map::zeros(convolved.shape);
                for (i, value) in output.values.iter_mut().enumerate() {
                    let channel = i % scale.len();
                    let sum = residual.map_or(0.0, |map| map.values[i]);
                    *value = activate(
                        convolution.activation,
                        normalized[i] * scale[channel] + shift[channel] + sum,
                    );
                }
                kept.push(Some(Kept {
                    input: node.inputs[0],
                    residual: node.inputs.get(1).copied(),
                    normalized,
                    deviation,
                    output: output.clone(),
                }));
                maps.push(output);
            }
            Operation::AveragePool { side: 1 } => {
                let [n, h, w, c] = input.shape;
                let mut output = Map::zeros([n, 1, 1, c]);
                for (i, value) in input.values.iter().enumerate() {
                    output.values[i / (h * w * c) * c + i % c] += value / (h * w) as f64;
                }
                kept.push(None);
                maps.push(output);
            }
            other => panic!("{other:?} is not known here"),
        }
    }

    let mut of_maps: Vec<Vec<f64>> = maps.iter().map(|map| vec![0.0; map.values.len()]).collect();
    of_maps[to] = upstream.to_vec();
    let mut found = BTreeMap::new();
    for i in (1..=to).rev() {
        let node = &graph.nodes()[i];
        let mut gradient = std::mem::take(&mut of_maps[i]);
        let (Some(kept), Operation::Convolution(convolution)) = (&kept[i], &node.operation) else {
            let input = node.inputs[0];
            let [_, h, w, c] = maps[input].shape;
            for (j, value) in of_maps[input].iter_mut().enumerate() {
                *value += gradient[j / (h * w * c) * c + j % c] / (h * w) as f64;
            }
            continue;
        };
        for (gradient, &output) in gradient.iter_mut().zip(&kept.output.values) {
            if !passes(convolution.activation, output) {
                *gradient = 0.0;
            }
        }
        if let Some(residual) = kept.residual {
            of_maps[residual]
                .iter_mut()
                .zip(&gradient)
                .for_each(|(sum, more)| *sum += more);
        }
        let scale = of(format!("{}.norm.weight", node.name));
        let channels = scale.len();
        let count = (gradient.len() / channels) as f64;
        let (mut of_shift, mut of_scale) = (vec![0.0; channels], vec![0.0; channels]);
        for (j, value) in gradient.iter().enumerate() {
            of_shift[j % channels] += value;
            of_scale[j % channels] += value * kept.normalized[j];
        }
        for (j, value) in gradient.iter_mut().enumerate() {
            let c = j % channels;
            let projected = *value - of_shift[c] / count - kept.normalized[j] * of_scale[c] / count;
            *value = scale[c] / kept.deviation[c] * projected;
        }
        let weight = of(format!("{}.weight", node.name));
        let input = &maps[kept.input];
        let (mut of_weight, of_input) = (vec![0.0; weight.len()], &mut of_maps[kept.input]);
        each(input.shape, convolution, |output, input_at, weight_at| {
            of_weight[weight_at] += gradient[output] * input.values[input_at];
            of_input[input_at] += gradient[output] * weight[weight_at];
        });
        found.insert(format!("{}.weight", node.name), of_weight);
        found.insert(format!("{}.norm.weight", node.name), of_scale);
        found.insert(format!("{}.norm.bias", node.name), of_shift);
    }
    (maps.swap_remove(to), found)
}

fn convolve(input: &Map, weight: &[f64], convolution: &Convolution) -> Map {
    let [n, h, w, _] = input.shape;
    let [rows, columns] = convolution.output_size([h, w]);
    let mut output = Map::zeros([n, rows, columns, convolution.channels]);
    each(input.shape, convolution, |to, from, at| {
        output.values[to] += input.values[from] * weight[at]
    });
    output
}

/// Each product of a convolution: where in the output, the input `[n, h, w, ci]` and the weights.
fn each([n, h, w, inputs]: [usize; 4], convolution: &Convolution, mut visit: impl FnMut(usize, usize, usize)) {
    let [top, left, ..] = convolution.options([h, w]).padding;
    let ([rows, columns], kernel) = (convolution.output_size([h, w]), convolution.kernel);
    let (outputs, inner) = (convolution.channels, inputs / convolution.groups);
    let outer = outputs / convolution.groups;
    for place in 0..n * rows * columns {
        let (image, row, column) = (place / (rows * columns), place / columns % rows, place % columns);
        for tap in 0..kernel * kernel {
            let y = (row * convolution.stride + tap / kernel)
                .checked_sub(top)
                .filter(|&y| y < h);
            let x = (column * convolution.stride + tap % kernel)
                .checked_sub(left)
                .filter(|&x| x < w);
            let Some((y, x)) = y.zip(x) else { continue };
            for o in 0..outputs {
                for i in 0..inner {
                    let from = ((image * h + y) * w + x) * inputs + o / outer * inner + i;
                    visit(place * outputs + o, from, (o * inner + i) * kernel * kernel + tap);
                }
            }
        }
    }
}

/// Normalized by the statistics of each channel, and the square root of its variance and `epsilon`.
fn normalize(map: &Map, epsilon: f64) -> (Vec<f64>, Vec<f64>) {
    let channels = map.shape[3];
    let count = (map.values.len() / channels) as f64;
    let (mut mean, mut variance) = (vec![0.0; channels], vec![0.0; channels]);
    map.values
        .iter()
        .enumerate()
        .for_each(|(i, value)| mean[i % channels] += value / count);
    for (i, value) in map.values.iter().enumerate() {
        variance[i % channels] += (value - mean[i % channels]).powi(2) / count;
    }
    let deviation: Vec<f64> = variance.iter().map(|variance| (variance + epsilon).sqrt()).collect();
    let each = map.values.iter().enumerate();
    let normalized = each.map(|(i, value)| (value - mean[i % channels]) / deviation[i % channels]);
    (normalized.collect(), deviation)
}

fn activate(activation: Activation, value: f64) -> f64 {
    match activation {
        Activation::None => value,
        Activation::Relu => value.max(0.0),
        Activation::Relu6 => value.clamp(0.0, 6.0),
        other => panic!("{other:?} is not known here"),
    }
}

/// Whether the gradient passes an activation with this output.
fn passes(activation: Activation, output: f64) -> bool {
    match activation {
        Activation::None => true,
        Activation::Relu => output > 0.0,
        _ => output > 0.0 && output < 6.0,
    }
}
