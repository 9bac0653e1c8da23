//! Writes a graph node by node.

use super::messages::{
    Attribute, Axis, F32, Graph, I64, INTEGER, INTEGERS, Kind, NUMBER, Node, Shape, Tensor, TensorKind, Value,
};

/// A graph in the making. Every value has the name of the node or constant that it comes from.
#[derive(Default)]
pub(super) struct Writer(Graph);

impl Writer {
    /// Adds a node with one output; returns the name of that.
    pub(super) fn node(&mut self, operator: &str, name: &str, inputs: &[&str], attributes: Vec<Attribute>) -> String {
        self.0.node.push(Node {
            input: inputs.iter().map(|input| input.to_string()).collect(),
            output: vec![name.to_string()],
            name: name.to_string(),
            op_type: operator.to_string(),
            attribute: attributes,
            ..Node::default()
        });
        name.to_string()
    }

    /// Adds a constant of numbers; no axes: a single one.
    pub(super) fn numbers(&mut self, name: &str, shape: &[usize], values: &[f32]) -> String {
        let bytes = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.constant(name, shape, F32, bytes)
    }

    /// Adds a constant of whole numbers; no axes: a single one.
    pub(super) fn integers(&mut self, name: &str, shape: &[usize], values: &[i64]) -> String {
        let bytes = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.constant(name, shape, I64, bytes)
    }

    fn constant(&mut self, name: &str, shape: &[usize], data_type: i32, raw_data: Vec<u8>) -> String {
        self.0.initializer.push(Tensor {
            dims: shape.iter().map(|&length| length as i64).collect(),
            data_type,
            name: name.to_string(),
            raw_data: raw_data.into(),
            ..Tensor::default()
        });
        name.to_string()
    }

    /// The graph, called `name`, from `input` to `output`.
    pub(super) fn finish(self, name: &str, input: Value, output: Value) -> Graph {
        Graph {
            name: name.to_string(),
            input: vec![input],
            output: vec![output],
            ..self.0
        }
    }
}

/// The name of one of several nodes that together do what is called `name`; the last of them has that name itself.
pub(super) fn part(name: &str, part: &str) -> String {
    format!("{name}/{part}")
}

/// The part of `x` from the first to before the second of `ends` along an axis, as a node called `name`.
pub(super) fn slice(writer: &mut Writer, name: &str, x: &str, axis: i64, ends: [usize; 2]) -> String {
    let [start, end] = ends.map(|end| end as i64);
    let [start, end, axis] = [("start", start), ("end", end), ("axis", axis)]
        .map(|(kind, value)| writer.integers(&part(name, kind), &[1], &[value]));
    writer.node("Slice", name, &[x, &start, &end, &axis], Vec::new())
}

/// The attribute `name`, a whole number.
pub(super) fn integer(name: &str, value: usize) -> Attribute {
    Attribute {
        name: name.to_string(),
        i: Some(value as i64),
        kind: INTEGER,
        ..Attribute::default()
    }
}

/// The attribute `name`, a number.
pub(super) fn number(name: &str, value: f32) -> Attribute {
    Attribute {
        name: name.to_string(),
        f: Some(value),
        kind: NUMBER,
        ..Attribute::default()
    }
}

/// The attribute `name`, a list of whole numbers.
pub(super) fn integers(name: &str, values: &[usize]) -> Attribute {
    Attribute {
        name: name.to_string(),
        ints: values.iter().map(|&value| value as i64).collect(),
        kind: INTEGERS,
        ..Attribute::default()
    }
}

/// An axis of this length.
pub(super) fn fixed(length: usize) -> Axis {
    Axis {
        length: Some(length as i64),
        name: None,
    }
}

/// An axis of any length.
pub(super) fn any(name: &str) -> Axis {
    Axis {
        length: None,
        name: Some(name.to_string()),
    }
}

/// An input or output of the graph.
pub(super) fn value(name: &str, element: i32, axes: Vec<Axis>) -> Value {
    let tensor = TensorKind {
        element,
        shape: Some(Shape { axes }),
    };
    Value {
        name: name.to_string(),
        kind: Some(Kind { tensor: Some(tensor) }),
    }
}
