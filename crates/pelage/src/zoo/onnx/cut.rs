//! Where a network ends and its classifier begins.

use std::collections::{HashMap, HashSet};

use super::node::{input, shown};
use crate::export::messages::{Graph, Node};

/// The nodes of a file by the values that they give.
pub(super) struct Nodes<'a> {
    all: &'a [Node],
    givers: HashMap<&'a str, usize>,
    constants: HashSet<&'a str>,
}

/// The value that features are, and what was cut off behind it.
#[derive(Debug, PartialEq)]
pub(super) struct Cut<'a> {
    pub(super) value: &'a str,
    /// The first node that is left out, in words.
    pub(super) classifier: Option<String>,
}

/// As many outputs as ImageNet has classes, with or without one for the background.
const CLASSES: [i64; 2] = [1000, 1001];

impl<'a> Nodes<'a> {
    pub(super) fn new(graph: &'a Graph) -> Result<Self, String> {
        let mut givers = HashMap::new();
        for (i, node) in graph.node.iter().enumerate() {
            for output in node.output.iter().filter(|output| !output.is_empty()) {
                if givers.insert(&output[..], i).is_some() {
                    return Err(format!(
                        "{}: its output '{}' is another's as well",
                        shown(node),
                        output.escape_debug()
                    ));
                }
            }
        }
        let constants = graph.initializer.iter().map(|tensor| &tensor.name[..]);
        Ok(Nodes {
            all: &graph.node,
            givers,
            constants: constants.collect(),
        })
    }

    fn giver(&self, value: &str) -> Option<&'a Node> {
        self.givers.get(value).map(|&i| &self.all[i])
    }

    fn is_constant(&self, value: &str) -> bool {
        self.constants.contains(value) || self.giver(value).is_some_and(|node| node.op_type == "Constant")
    }

    /// The output of the node or the value that is called `name`.
    pub(super) fn named(&self, name: &str) -> Result<Cut<'a>, String> {
        let by_name = self.all.iter().find(|node| node.name == name);
        let node = by_name
            .or_else(|| self.giver(name))
            .ok_or_else(|| format!("has no node called '{}'", name.escape_debug()))?;
        let value = node
            .output
            .iter()
            .find(|output| *output == name)
            .or(node.output.first());
        Ok(Cut {
            value: value.ok_or_else(|| format!("{}: it gives nothing", shown(node)))?,
            classifier: None,
        })
    }

    /// What the last dense layer before the output `value` reads; of a network without one, what a last 1x1
    /// convolution to the classes of ImageNet reads, else all but a softmax. `outputs` says how many channels the
    /// weights of that name make.
    pub(super) fn usual(&self, value: &'a str, outputs: impl Fn(&str) -> Option<i64>) -> Cut<'a> {
        let (mut at, mut end) = (value, value);
        // Each step goes to an earlier node, unless the file goes round in circles.
        for _ in 0..self.all.len() {
            let Some(node) = self.giver(at) else { break };
            let computed: Vec<&str> = (0..node.input.len())
                .filter_map(|i| input(node, i))
                .filter(|name| !self.is_constant(name))
                .collect();
            let [before] = computed[..] else { break };
            let is_classifier = match &node.op_type[..] {
                "Gemm" | "MatMul" => true,
                "Conv" => input(node, 1)
                    .and_then(&outputs)
                    .is_some_and(|count| CLASSES.contains(&count)),
                _ => false,
            };
            if is_classifier {
                return Cut {
                    value: before,
                    classifier: Some(shown(node)),
                };
            }
            match &node.op_type[..] {
                "Softmax" | "LogSoftmax" if end == at => end = before,
                "Identity" | "Cast" if end == at => end = before,
                "Softmax" | "LogSoftmax" | "Identity" | "Cast" | "Flatten" | "Reshape" | "Squeeze" | "Dropout"
                | "Relu" | "Sigmoid" | "Add" | "Sub" | "Mul" | "Div" | "GlobalAveragePool" | "AveragePool"
                | "ReduceMean" => {}
                _ => break,
            }
            at = before;
        }
        Cut {
            value: end,
            classifier: None,
        }
    }

    /// The nodes that `value` needs, in the order of the file, which must be one in which they can run.
    pub(super) fn needed(&self, value: &str) -> Vec<&'a Node> {
        let mut needed = HashSet::new();
        let mut open: Vec<usize> = self.givers.get(value).copied().into_iter().collect();
        while let Some(i) = open.pop() {
            if needed.insert(i) {
                open.extend(self.all[i].input.iter().filter_map(|name| self.givers.get(&name[..])));
            }
        }
        let mut needed: Vec<usize> = needed.into_iter().collect();
        needed.sort_unstable();
        needed.into_iter().map(|i| &self.all[i]).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::export::messages::Tensor;

    fn graph(nodes: &[(&str, &[&str], &str)]) -> Graph {
        let node = |(operator, inputs, output): &(&str, &[&str], &str)| Node {
            op_type: operator.to_string(),
            input: inputs.iter().map(|input| input.to_string()).collect(),
            output: vec![output.to_string()],
            name: format!("{output}_node"),
            ..Node::default()
        };
        let constant = |name: &str| Tensor {
            name: name.into(),
            ..Tensor::default()
        };
        Graph {
            node: nodes.iter().map(node).collect(),
            initializer: ["w", "b", "classes"].map(constant).to_vec(),
            ..Graph::default()
        }
    }

    fn usual(nodes: &[(&str, &[&str], &str)]) -> String {
        let graph = graph(nodes);
        let last = &graph.node.last().unwrap().output[0];
        let outputs = |name: &str| Some(if name == "classes" { 1000 } else { 64 });
        Nodes::new(&graph).unwrap().usual(last, outputs).value.to_string()
    }

    #[test]
    fn the_classifier_is_the_last_dense_layer_or_convolution_to_the_classes() {
        let dense: &[(&str, &[&str], &str)] = &[
            ("GlobalAveragePool", &["x"], "pool"),
            ("Flatten", &["pool"], "flat"),
            ("MatMul", &["flat", "w"], "product"),
            ("Add", &["product", "b"], "logits"),
            ("Softmax", &["logits"], "p"),
        ];
        assert_eq!(usual(dense), "flat");
        let squeezenet: &[(&str, &[&str], &str)] = &[
            ("Relu", &["x"], "fire"),
            ("Conv", &["fire", "classes", "b"], "conv"),
            ("Relu", &["conv"], "relu"),
            ("GlobalAveragePool", &["relu"], "pool"),
            ("Flatten", &["pool"], "flat"),
        ];
        assert_eq!(usual(squeezenet), "fire");
        // Without a classifier all of it.
        let headless: &[(&str, &[&str], &str)] =
            &[("Conv", &["x", "w"], "conv"), ("GlobalAveragePool", &["conv"], "pool")];
        assert_eq!(usual(headless), "pool");
        let residual: &[(&str, &[&str], &str)] = &[("Add", &["x", "y"], "sum"), ("Softmax", &["sum"], "p")];
        assert_eq!(usual(residual), "sum");
    }

    #[test]
    fn circles_end_and_nodes_are_found_by_name_and_value() {
        let circle: &[(&str, &[&str], &str)] = &[("Relu", &["b1"], "a1"), ("Relu", &["a1"], "b1")];
        assert_eq!(usual(circle), "b1");
        let graph = graph(circle);
        let nodes = Nodes::new(&graph).unwrap();
        assert_eq!(nodes.needed("a1").len(), 2);
        assert_eq!(nodes.named("a1_node").unwrap().value, "a1");
        assert_eq!(nodes.named("b1").unwrap().value, "b1");
        assert!(nodes.named("c").unwrap_err().contains("no node"));
    }
}
