//! Which operations of a graph are fused.

use std::collections::{BTreeMap, BTreeSet};

use super::graph::{Convolution, Graph, Node, Norm, Operation, Pool};
use crate::options::Activation;

impl Graph {
    /// Whether [`crate::ops::conv_block`] computes the convolution `i` fused with the max pooling right after it: 3x3
    /// 'same' with ReLU or nothing, then 2x2, and nothing else reads the convolution's output.
    pub(crate) fn is_block(&self, i: usize) -> bool {
        let block = |c: &Convolution| {
            let (bias, activation) = (c.bias, c.activation);
            let plain = Convolution::new(3, c.channels);
            matches!(activation, Activation::None | Activation::Relu)
                && *c
                    == Convolution {
                        bias,
                        activation,
                        ..plain
                    }
        };
        let is = |node: &Node, wanted: &dyn Fn(&Operation) -> bool| node.inputs.len() == 1 && wanted(&node.operation);
        let [convolution, pool] = [self.nodes.get(i), self.nodes.get(i + 1)];
        self.readers(i) == 1
            && convolution.is_some_and(|node| is(node, &|o| matches!(o, Operation::Convolution(c) if block(c))))
            && pool.is_some_and(|node| node.inputs == [i] && is(node, &|o| *o == Operation::MaxPool(Pool::new(2, 2))))
    }

    /// What is fused into one operation, by the convolution that it ends with, see [`Graph::chain`].
    pub(crate) fn chains(&self) -> BTreeMap<usize, Vec<usize>> {
        let mut chains = BTreeMap::<usize, Vec<usize>>::new();
        for last in 1..self.nodes.len() {
            if let Some(mut chain) = self.chain(last) {
                // A 1x1 that ends one chain begins no other.
                if chains.contains_key(&chain[0]) {
                    chain.remove(0);
                }
                chains.insert(last, chain);
            }
        }
        chains
    }

    /// The convolutions, up to `last`, that [`crate::ops::convolution_chain`] fuses: a depthwise one, the 1x1 after it,
    /// and the 1x1 before it if there is one (Sandler et al. 2018, section 3.3), without batch norms, and nothing else
    /// reads the intermediate outputs.
    fn chain(&self, last: usize) -> Option<Vec<usize>> {
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

    /// The convolution that takes in the batch norm `i` where that is folded: nothing but a max pooling is between the
    /// two, and nothing else reads the output of either. A norm without a scale is an increasing function, and the
    /// maximum of such is that function of the maximum.
    pub(crate) fn pooled_convolution(&self, i: usize) -> Option<usize> {
        let before = |i: usize| {
            self.nodes[i]
                .inputs
                .first()
                .copied()
                .filter(|&input| self.readers(input) == 1)
        };
        let pool = before(i).filter(|&pool| matches!(self.nodes[pool].operation, Operation::MaxPool(_)))?;
        before(pool).filter(|&i| match &self.nodes[i].operation {
            Operation::Convolution(convolution) => {
                convolution.norm.is_none() && !convolution.bias && convolution.activation == Activation::None
            }
            _ => false,
        })
    }

    /// Folds the batch norm `i` into `convolution`, see [`Graph::pooled_convolution`]. A ReLU goes with it, since it is
    /// an increasing function too.
    pub(crate) fn fold_norm(&mut self, i: usize, convolution: usize) {
        let Operation::Norm(norm) = &mut self.nodes[i].operation else {
            return;
        };
        let activation = match norm.activation {
            Activation::Relu => std::mem::take(&mut norm.activation),
            _ => Activation::None,
        };
        norm.epsilon = None;
        if let Operation::Convolution(convolution) = &mut self.nodes[convolution].operation {
            (convolution.bias, convolution.activation) = (true, activation);
        }
    }

    /// The batch norms that are nodes of their own, with their epsilons and the convolutions that they fold into.
    pub(crate) fn norms(&self) -> Vec<(usize, f64, usize)> {
        let norm = |i: usize| match self.nodes[i].operation {
            Operation::Norm(Norm { epsilon, .. }) => Some((i, epsilon?, self.pooled_convolution(i)?)),
            _ => None,
        };
        (0..self.nodes.len()).filter_map(norm).collect()
    }

    /// The weights whose length means nothing, since a batch norm follows, by name.
    pub fn normalized(&self) -> BTreeSet<String> {
        let own = |node: &&Node| matches!(&node.operation, Operation::Convolution(c) if c.norm.is_some());
        let pooled = self
            .norms()
            .into_iter()
            .map(|(_, _, convolution)| &self.nodes[convolution]);
        let nodes = self.nodes.iter().filter(own).chain(pooled);
        nodes.map(|node| format!("{}.weight", node.name)).collect()
    }

    /// How many nodes read the output of node `i`.
    fn readers(&self, i: usize) -> usize {
        let inputs = self.nodes.iter().flat_map(|node| &node.inputs);
        inputs.filter(|&&input| input == i).count()
    }
}
