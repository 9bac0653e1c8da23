//! The Protocol Buffers messages of an ONNX file, as far as a network needs them (onnx/onnx.proto, IR version 7).

use prost::Message;
use prost::bytes::Bytes;

/// A file: a graph, and what it needs of whoever runs it.
#[derive(Clone, PartialEq, Message)]
pub struct Model {
    /// Version of the format.
    #[prost(int64, tag = "1")]
    pub ir_version: i64,
    /// The program that wrote the file.
    #[prost(string, tag = "2")]
    pub producer_name: String,
    /// Its version.
    #[prost(string, tag = "3")]
    pub producer_version: String,
    /// The network.
    #[prost(message, optional, tag = "7")]
    pub graph: Option<Graph>,
    /// The sets of operators that the graph uses.
    #[prost(message, repeated, tag = "8")]
    pub opset_import: Vec<OperatorSet>,
    /// Whatever else is known, by key.
    #[prost(message, repeated, tag = "14")]
    pub metadata_props: Vec<Entry>,
}

/// A set of operators.
#[derive(Clone, PartialEq, Message)]
pub struct OperatorSet {
    /// Whose it is; empty for ONNX's own.
    #[prost(string, tag = "1")]
    pub domain: String,
    /// Its version.
    #[prost(int64, tag = "2")]
    pub version: i64,
}

/// A piece of metadata.
#[derive(Clone, PartialEq, Message)]
pub struct Entry {
    /// What it is.
    #[prost(string, tag = "1")]
    pub key: String,
    /// What is known.
    #[prost(string, tag = "2")]
    pub value: String,
}

/// Nodes in the order in which they run.
#[derive(Clone, PartialEq, Message)]
pub struct Graph {
    /// The nodes.
    #[prost(message, repeated, tag = "1")]
    pub node: Vec<Node>,
    /// Its name.
    #[prost(string, tag = "2")]
    pub name: String,
    /// Constants, weights among them.
    #[prost(message, repeated, tag = "5")]
    pub initializer: Vec<Tensor>,
    /// What it takes.
    #[prost(message, repeated, tag = "11")]
    pub input: Vec<Value>,
    /// What it gives.
    #[prost(message, repeated, tag = "12")]
    pub output: Vec<Value>,
}

/// One operation.
#[derive(Clone, PartialEq, Message)]
pub struct Node {
    /// Names of the values that it takes; an empty one is left out.
    #[prost(string, repeated, tag = "1")]
    pub input: Vec<String>,
    /// Names of the values that it gives.
    #[prost(string, repeated, tag = "2")]
    pub output: Vec<String>,
    /// Its own name.
    #[prost(string, tag = "3")]
    pub name: String,
    /// The operator.
    #[prost(string, tag = "4")]
    pub op_type: String,
    /// What else the operator asks for.
    #[prost(message, repeated, tag = "5")]
    pub attribute: Vec<Attribute>,
    /// Whose operator it is; empty for ONNX's own.
    #[prost(string, tag = "7")]
    pub domain: String,
}

/// An attribute of a node. Fields are optional, since a reader asks which one is there, be it zero or empty.
#[derive(Clone, PartialEq, Message)]
pub struct Attribute {
    /// Its name.
    #[prost(string, tag = "1")]
    pub name: String,
    /// A number, for [`NUMBER`].
    #[prost(float, optional, tag = "2")]
    pub f: Option<f32>,
    /// A whole number, for [`INTEGER`].
    #[prost(int64, optional, tag = "3")]
    pub i: Option<i64>,
    /// Text, which the network of a file of ours never has.
    #[prost(bytes = "vec", optional, tag = "4")]
    pub s: Option<Vec<u8>>,
    /// A constant, likewise.
    #[prost(message, optional, tag = "5")]
    pub t: Option<Tensor>,
    /// Numbers, likewise.
    #[prost(float, repeated, tag = "7")]
    pub floats: Vec<f32>,
    /// Whole numbers, for [`INTEGERS`].
    #[prost(int64, repeated, packed = "false", tag = "8")]
    pub ints: Vec<i64>,
    /// Which field holds it.
    #[prost(int32, tag = "20")]
    pub kind: i32,
}

/// The kind of an attribute that is a number.
pub const NUMBER: i32 = 1;
/// The kind of an attribute that is a whole number.
pub const INTEGER: i32 = 2;
/// The kind of an attribute that is a list of whole numbers.
pub const INTEGERS: i32 = 7;

/// A constant.
#[derive(Clone, PartialEq, Message)]
pub struct Tensor {
    /// Lengths of the axes; none for a single value.
    #[prost(int64, repeated, packed = "false", tag = "1")]
    pub dims: Vec<i64>,
    /// The type of its values.
    #[prost(int32, tag = "2")]
    pub data_type: i32,
    /// The values of type [`F32`], where they are not raw.
    #[prost(float, repeated, tag = "4")]
    pub float_data: Vec<f32>,
    /// Those of type [`I32`].
    #[prost(int32, repeated, tag = "5")]
    pub int32_data: Vec<i32>,
    /// Those of type [`I64`].
    #[prost(int64, repeated, tag = "7")]
    pub int64_data: Vec<i64>,
    /// Its name.
    #[prost(string, tag = "8")]
    pub name: String,
    /// The values, row-major, little-endian. A slice of the file where they were read.
    #[prost(bytes = "bytes", tag = "9")]
    pub raw_data: Bytes,
    /// Those of type [`F64`].
    #[prost(double, repeated, tag = "10")]
    pub double_data: Vec<f64>,
    /// Where in another file the values are: `location`, `offset`, `length`.
    #[prost(message, repeated, tag = "13")]
    pub external_data: Vec<Entry>,
    /// Whether they are in another file.
    #[prost(int32, tag = "14")]
    pub data_location: i32,
}

/// The type of values that are `f32`.
pub const F32: i32 = 1;
/// The type of values that are `u8`.
pub const U8: i32 = 2;
/// The type of values that are `i32`.
pub const I32: i32 = 6;
/// The type of values that are `i64`.
pub const I64: i32 = 7;
/// The type of values that are `f64`.
pub const F64: i32 = 11;

/// An input or an output.
#[derive(Clone, PartialEq, Message)]
pub struct Value {
    /// Its name.
    #[prost(string, tag = "1")]
    pub name: String,
    /// What it holds.
    #[prost(message, optional, tag = "2")]
    pub kind: Option<Kind>,
}

/// The type of a value.
#[derive(Clone, PartialEq, Message)]
pub struct Kind {
    /// That of a tensor; there are others, which no network of ours has.
    #[prost(message, optional, tag = "1")]
    pub tensor: Option<TensorKind>,
}

/// The type of a tensor.
#[derive(Clone, PartialEq, Message)]
pub struct TensorKind {
    /// The type of its values.
    #[prost(int32, tag = "1")]
    pub element: i32,
    /// Its axes.
    #[prost(message, optional, tag = "2")]
    pub shape: Option<Shape>,
}

/// The axes of a tensor.
#[derive(Clone, PartialEq, Message)]
pub struct Shape {
    /// From the first to the last.
    #[prost(message, repeated, tag = "1")]
    pub axes: Vec<Axis>,
}

/// One axis: its length, or a name where that is known only when it runs.
#[derive(Clone, PartialEq, Message)]
pub struct Axis {
    /// The length.
    #[prost(int64, optional, tag = "1")]
    pub length: Option<i64>,
    /// The name of a length.
    #[prost(string, optional, tag = "2")]
    pub name: Option<String>,
}
