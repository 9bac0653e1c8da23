//! Runs an ONNX file by naive loops in f64: the reference for what is written, as the operators are specified.

use std::collections::HashMap;

use pelage::export::messages::{Graph, Model, Node};
use prost::Message;

/// A tensor, row-major.
#[derive(Clone, Debug)]
pub(crate) struct Array {
    pub(crate) shape: Vec<usize>,
    pub(crate) data: Vec<f64>,
}

impl Array {
    pub(crate) fn new(shape: &[usize], data: Vec<f64>) -> Array {
        assert_eq!(shape.iter().product::<usize>(), data.len());
        Array {
            shape: shape.to_vec(),
            data,
        }
    }

    /// Of the value at each index.
    pub(crate) fn of(shape: &[usize], value: impl Fn(&[usize]) -> f64) -> Array {
        let count = shape.iter().product();
        let mut index = vec![0; shape.len()];
        let mut data = Vec::with_capacity(count);
        for _ in 0..count {
            data.push(value(&index));
            for axis in (0..shape.len()).rev() {
                index[axis] += 1;
                if index[axis] < shape[axis] {
                    break;
                }
                index[axis] = 0;
            }
        }
        Array::new(shape, data)
    }

    fn at(&self, index: &[usize]) -> f64 {
        let place = index.iter().zip(&self.shape).fold(0, |place, (i, length)| {
            assert!(i < length, "{index:?} of {:?}", self.shape);
            place * length + i
        });
        self.data[place]
    }

    /// The value at an index of a shape that this one is spread to.
    fn spread(&self, index: &[usize]) -> f64 {
        let own = &index[index.len() - self.shape.len()..];
        let own: Vec<_> = own
            .iter()
            .zip(&self.shape)
            .map(|(&i, &length)| i.min(length - 1))
            .collect();
        self.at(&own)
    }
}

/// The output of the file for its input.
pub(crate) fn run(bytes: &[u8], input: Array) -> Array {
    let graph = Model::decode(bytes).unwrap().graph.unwrap();
    let mut values = constants(&graph);
    values.insert(graph.input[0].name.clone(), input);
    for node in &graph.node {
        let inputs: Vec<&Array> = node.input.iter().map(|name| &values[name]).collect();
        let output = apply(node, &inputs);
        assert!(values.insert(node.output[0].clone(), output).is_none(), "{}", node.name);
    }
    values.remove(&graph.output[0].name).unwrap()
}

fn constants(graph: &Graph) -> HashMap<String, Array> {
    let constant = |tensor: &pelage::export::messages::Tensor| {
        let shape: Vec<_> = tensor.dims.iter().map(|&length| length as usize).collect();
        let data = match tensor.data_type {
            1 => tensor
                .raw_data
                .as_chunks()
                .0
                .iter()
                .map(|&b| f64::from(f32::from_le_bytes(b)))
                .collect(),
            7 => tensor
                .raw_data
                .as_chunks()
                .0
                .iter()
                .map(|&b| i64::from_le_bytes(b) as f64)
                .collect(),
            other => panic!("{}: type {other}", tensor.name),
        };
        (tensor.name.clone(), Array::new(&shape, data))
    };
    graph.initializer.iter().map(constant).collect()
}

fn list(node: &Node, name: &str) -> Vec<usize> {
    let found = node.attribute.iter().find(|attribute| attribute.name == name).unwrap();
    assert_eq!(found.kind, 7);
    found.ints.iter().map(|&value| value as usize).collect()
}

fn number(node: &Node, name: &str) -> usize {
    let found = node.attribute.iter().find(|attribute| attribute.name == name).unwrap();
    assert_eq!(found.kind, 2);
    found.i.unwrap() as usize
}

fn apply(node: &Node, inputs: &[&Array]) -> Array {
    let x = inputs[0];
    let each = |f: &dyn Fn(f64) -> f64| Array::new(&x.shape, x.data.iter().map(|&x| f(x)).collect());
    let pairs = |f: &dyn Fn(f64, f64) -> f64| Array::of(&x.shape, |index| f(x.at(index), inputs[1].spread(index)));
    match &node.op_type[..] {
        "Identity" => x.clone(),
        "Relu" => each(&|x| x.max(0.0)),
        "Clip" => each(&|x| x.clamp(inputs[1].data[0], inputs[2].data[0])),
        "Erf" => each(&libm::erf),
        "Sqrt" => each(&f64::sqrt),
        "Sub" => pairs(&|a, b| a - b),
        "Add" => pairs(&|a, b| a + b),
        "Mul" => pairs(&|a, b| a * b),
        "Div" => pairs(&|a, b| a / b),
        "Conv" => convolution(node, inputs),
        "MaxPool" => windows(node, x, |values| {
            values.iter().copied().fold(f64::NEG_INFINITY, f64::max)
        }),
        "GlobalAveragePool" => {
            let pixels = x.shape[2] * x.shape[3];
            let means = x.data.chunks(pixels).map(|map| map.iter().sum::<f64>() / pixels as f64);
            Array::new(&[x.shape[0], x.shape[1], 1, 1], means.collect())
        }
        "Flatten" => Array::new(&[x.shape[0], x.data.len() / x.shape[0]], x.data.clone()),
        "Reshape" => {
            let known: f64 = inputs[1].data.iter().filter(|&&length| length > 0.0).product();
            let free = x.data.len() as f64 / known;
            let shape = inputs[1].data.iter().enumerate().map(|(axis, &length)| match length {
                0.0 => x.shape[axis],
                length if length < 0.0 => free as usize,
                length => length as usize,
            });
            Array::new(&shape.collect::<Vec<_>>(), x.data.clone())
        }
        "ReduceMean" if list(node, "axes") == [1] => {
            let (mut shape, channels) = (x.shape.clone(), x.shape[1]);
            shape[1] = 1;
            Array::of(&shape, |index| {
                let channel = |c| x.at(&[index[0], c, index[2], index[3]]);
                (0..channels).map(channel).sum::<f64>() / channels as f64
            })
        }
        "Slice" => {
            let [start, end] = [1, 2].map(|i| inputs[i].data[0] as usize);
            assert_eq!(inputs[3].data, [1.0]);
            let shape = [x.shape[0], end - start, x.shape[2], x.shape[3]];
            Array::of(&shape, |index| x.at(&[index[0], start + index[1], index[2], index[3]]))
        }
        "Transpose" => {
            let order = list(node, "perm");
            let shape: Vec<_> = order.iter().map(|&axis| x.shape[axis]).collect();
            Array::of(&shape, |index| {
                let mut from = vec![0; index.len()];
                order.iter().zip(index).for_each(|(&axis, &at)| from[axis] = at);
                x.at(&from)
            })
        }
        "ReduceMean" => {
            assert_eq!((list(node, "axes"), number(node, "keepdims")), (vec![0], 0));
            let rows = x.data.len() / x.shape[0];
            let mean = |i| x.data.iter().skip(i).step_by(rows).sum::<f64>() / x.shape[0] as f64;
            Array::new(&x.shape[1..], (0..rows).map(mean).collect())
        }
        "Gather" => {
            let (axis, indices) = (number(node, "axis"), inputs[1]);
            let mut shape = x.shape.clone();
            shape[axis] = indices.data.len();
            Array::of(&shape, |index| {
                let mut index = index.to_vec();
                index[axis] = indices.data[index[axis]] as usize;
                x.at(&index)
            })
        }
        "Concat" => {
            let axis = number(node, "axis");
            let mut shape = x.shape.clone();
            shape[axis] = inputs.iter().map(|input| input.shape[axis]).sum();
            Array::of(&shape, |index| {
                let mut index = index.to_vec();
                let mut inputs = inputs.iter();
                loop {
                    let input = inputs.next().unwrap();
                    if index[axis] < input.shape[axis] {
                        return input.at(&index);
                    }
                    index[axis] -= input.shape[axis];
                }
            })
        }
        "Gemm" => {
            assert_eq!(number(node, "transB"), 1);
            let (weights, bias) = (inputs[1], inputs[2]);
            Array::of(&[x.shape[0], weights.shape[0]], |index| {
                let products = (0..x.shape[1]).map(|k| x.at(&[index[0], k]) * weights.at(&[index[1], k]));
                products.sum::<f64>() + bias.data[index[1]]
            })
        }
        "MatMul" => {
            let y = inputs[1];
            let (batch, [rows, inner]) = match x.shape[..] {
                [rows, inner] => (&y.shape[..2], [rows, inner]),
                [.., rows, inner] => (&x.shape[..2], [rows, inner]),
                _ => panic!("{:?}", x.shape),
            };
            let shape = [batch[0], batch[1], rows, y.shape[y.shape.len() - 1]];
            let own = |array: &Array, index: [usize; 4]| array.at(&index[4 - array.shape.len()..]);
            Array::of(&shape, |index| {
                let [n, c, i, j] = *index else { panic!() };
                (0..inner).map(|k| own(x, [n, c, i, k]) * own(y, [n, c, k, j])).sum()
            })
        }
        "Softmax" => {
            let rows = x.data.chunks(x.shape[1]).flat_map(|row| {
                let sum: f64 = row.iter().map(|x| x.exp()).sum();
                row.iter().map(move |x| x.exp() / sum)
            });
            Array::new(&x.shape, rows.collect())
        }
        other => panic!("{}: {other}", node.name),
    }
}

/// Rows and columns of the output, and of the input where the window of a place begins.
fn places(node: &Node, x: &Array) -> ([usize; 2], impl Fn(usize, usize) -> [isize; 2]) {
    let (kernel, strides, pads) = (list(node, "kernel_shape"), list(node, "strides"), list(node, "pads"));
    let size = [0, 1].map(|i| (x.shape[2 + i] + pads[i] + pads[2 + i] - kernel[i]) / strides[i] + 1);
    let start = move |row: usize, column: usize| {
        let along = |i: usize, at: usize| (at * strides[i]) as isize - pads[i] as isize;
        [along(0, row), along(1, column)]
    };
    (size, start)
}

/// What `f` gives for the values of each window that lie in the image.
fn windows(node: &Node, x: &Array, f: impl Fn(&[f64]) -> f64) -> Array {
    let (kernel, ([h, w], start)) = (list(node, "kernel_shape"), places(node, x));
    Array::of(&[x.shape[0], x.shape[1], h, w], |index| {
        let [top, left] = start(index[2], index[3]);
        let mut values = Vec::new();
        for (dy, dx) in (0..kernel[0]).flat_map(|dy| (0..kernel[1]).map(move |dx| (dy, dx))) {
            values.extend(inside(x, index[0], index[1], top + dy as isize, left + dx as isize));
        }
        f(&values)
    })
}

fn inside(x: &Array, n: usize, c: usize, row: isize, column: isize) -> Option<f64> {
    let (row, column) = (usize::try_from(row).ok()?, usize::try_from(column).ok()?);
    (row < x.shape[2] && column < x.shape[3]).then(|| x.at(&[n, c, row, column]))
}

fn convolution(node: &Node, inputs: &[&Array]) -> Array {
    let [x, weights, bias] = inputs else { panic!() };
    let ([h, w], start) = places(node, x);
    let (outputs, each) = (weights.shape[0], weights.shape[1]);
    assert_eq!(list(node, "kernel_shape"), weights.shape[2..]);
    let in_a_group = outputs / number(node, "group");
    Array::of(&[x.shape[0], outputs, h, w], |index| {
        let [n, o, row, column] = *index else { panic!() };
        let [top, left] = start(row, column);
        let mut sum = bias.data[o];
        for c in 0..each {
            for dy in 0..weights.shape[2] {
                for dx in 0..weights.shape[3] {
                    let channel = o / in_a_group * each + c;
                    let value = inside(x, n, channel, top + dy as isize, left + dx as isize);
                    sum += value.unwrap_or(0.0) * weights.at(&[o, c, dy, dx]);
                }
            }
        }
        sum
    })
}
