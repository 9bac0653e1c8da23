//! Which pixels an element of a feature map depends on (Dumoulin and Visin 2016, *A guide to convolution arithmetic*;
//! Araujo et al. 2019, *Computing Receptive Fields of Convolutional Neural Networks*).

use std::ops::Range;

use pelage_model::networks::graph::{Graph, Operation};

/// One axis: position `p` sees the pixels `p * jump + first` to `p * jump + last`, before clipping to the image.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Axis {
    jump: isize,
    first: isize,
    last: isize,
}

impl Axis {
    /// After windows of `kernel` with `stride` and `padding` before the first element.
    fn windows(self, kernel: usize, stride: usize, padding: usize) -> Self {
        let [kernel, stride, padding] = [kernel, stride, padding].map(|n| n as isize);
        Axis {
            jump: self.jump * stride,
            first: self.first - padding * self.jump,
            last: self.last + (kernel - 1 - padding) * self.jump,
        }
    }

    /// The union of both fields.
    fn or(self, other: Self) -> Self {
        Axis {
            first: self.first.min(other.first),
            last: self.last.max(other.last),
            ..self
        }
    }
}

/// Rows and columns of the pixels that `position` (row and column) of the output of node `layer` sees, clipped to an
/// image of `size` `[h, w]`.
pub fn receptive_field(graph: &Graph, size: [usize; 2], layer: usize, position: [usize; 2]) -> [Range<usize>; 2] {
    let sizes = graph.sizes(size);
    let all = size.map(|side| Axis {
        jump: 0,
        first: 0,
        last: side as isize,
    });
    let mut fields: Vec<[Axis; 2]> = Vec::with_capacity(layer + 1);
    for (node, to) in graph.nodes().iter().zip(&sizes).take(layer + 1) {
        let Some(&input) = node.inputs.first() else {
            fields.push(
                [Axis {
                    jump: 1,
                    first: 0,
                    last: 0,
                }; 2],
            );
            continue;
        };
        let (field, from) = (fields[input], sizes[input]);
        let windows =
            |kernel, stride, padding: [usize; 4]| [0, 1].map(|axis| field[axis].windows(kernel, stride, padding[axis]));
        let field = match &node.operation {
            Operation::Convolution(c) => windows(c.kernel, c.stride, c.options(from).padding),
            Operation::MaxPool(pool) | Operation::MeanPool(pool) => {
                windows(pool.kernel, pool.stride, pool.padding(from))
            }
            Operation::AveragePool { .. } if from != *to => all,
            Operation::Flatten => all,
            Operation::Pad(sides) => windows(1, 1, *sides),
            _ => field,
        };
        // A shortcut is added to the output, and a concatenation joins channels: same position.
        let others = node.inputs[1..].iter().map(|&input| fields[input]);
        fields.push(others.fold(field, |field, other| [0, 1].map(|axis| field[axis].or(other[axis]))));
    }
    [0, 1].map(|axis| {
        let Axis { jump, first, last } = fields[layer][axis];
        let (most, start) = (size[axis] as isize, position[axis] as isize * jump);
        let clipped = |pixel: isize| pixel.clamp(0, most) as usize;
        clipped(start + first)..clipped(start + last + 1)
    })
}
