//! Which operations of a graph are fused.

use super::graph::{Convolution, Graph, Node, Operation, Pool};
use crate::ops::Activation;

impl Graph {
    /// Whether [`crate::ops::conv_block`] computes the convolution `i` fused with the max pooling right after it: 3x3
    /// 'same' with bias and ReLU, then 2x2, and nothing else reads the convolution's output.
    pub(crate) fn is_block(&self, i: usize) -> bool {
        let block = |c: &Convolution| {
            c.norm.is_none()
                && *c
                    == Convolution {
                        activation: Activation::Relu,
                        ..Convolution::new(3, c.channels)
                    }
        };
        let is = |node: &Node, wanted: &dyn Fn(&Operation) -> bool| node.inputs.len() == 1 && wanted(&node.operation);
        let [convolution, pool] = [self.nodes.get(i), self.nodes.get(i + 1)];
        self.readers(i) == 1
            && convolution.is_some_and(|node| is(node, &|o| matches!(o, Operation::Convolution(c) if block(c))))
            && pool.is_some_and(|node| node.inputs == [i] && is(node, &|o| *o == Operation::MaxPool(Pool::new(2, 2))))
    }

    /// The convolutions, up to `last`, that [`crate::ops::convolution_chain`] fuses: a depthwise one, the 1x1 after it,
    /// and the 1x1 before it if there is one (Sandler et al. 2018, section 3.3), without batch norms, and nothing else
    /// reads the intermediate outputs.
    pub(crate) fn chain(&self, last: usize) -> Option<Vec<usize>> {
        let convolution = |i: usize| match &self.nodes[i].operation {
            Operation::Convolution(convolution) if convolution.norm.is_none() => Some(convolution),
            _ => None,
        };
        let pointwise = |i: usize| convolution(i).is_some_and(|c| (c.kernel, c.groups) == (1, 1));
        // The node before a link, if it can be a link as well.
        let before = |i: usize| {
            let input = self.nodes[i].inputs[0];
            (self.readers(input) == 1 && self.nodes[input].inputs.len() == 1).then_some(input)
        };
        let depthwise = before(last).filter(|_| pointwise(last))?;
        convolution(depthwise).filter(|c| c.groups > 1 && c.groups == c.channels)?;
        let expansion = before(depthwise).filter(|&i| pointwise(i));
        Some(expansion.into_iter().chain([depthwise, last]).collect())
    }

    /// How many nodes read the output of node `i`.
    fn readers(&self, i: usize) -> usize {
        let inputs = self.nodes.iter().flat_map(|node| &node.inputs);
        inputs.filter(|&&input| input == i).count()
    }
}
