//! A file of ONNX, changed.

use std::fs;

use pelage::export::messages::{Attribute, Graph, INTEGER, INTEGERS, Model as File, Node, Tensor as TensorMessage};
use prost::Message;

use crate::place::{adding, folder, store};

pub(crate) fn read(file: &str) -> File {
    File::decode(&fs::read(folder().join(file)).unwrap()[..]).unwrap()
}

/// What is said of `file` after `change`.
pub(crate) fn told(file: &str, change: impl Fn(&mut File)) -> String {
    let (folder, store) = store();
    let mut model = read(file);
    change(&mut model);
    let path = folder.path().join("changed.onnx");
    fs::write(&path, model.encode_to_vec()).unwrap();
    match store.add_onnx(&path, &adding("changed", None)) {
        Ok(_) => "added".into(),
        Err(failure) => {
            assert!(store.list().unwrap().is_empty());
            failure.to_string()
        }
    }
}

pub(crate) fn graph(model: &mut File) -> &mut Graph {
    model.graph.as_mut().unwrap()
}

pub(crate) fn node<'a>(model: &'a mut File, operator: &str) -> &'a mut Node {
    graph(model)
        .node
        .iter_mut()
        .find(|node| node.op_type == operator)
        .unwrap()
}

/// The weights of the first convolution.
pub(crate) fn weight(model: &mut File) -> &mut TensorMessage {
    let name = node(model, "Conv").input[1].clone();
    let all = &mut graph(model).initializer;
    all.iter_mut().find(|tensor| tensor.name == name).unwrap()
}

pub(crate) fn set(node: &mut Node, name: &str, i: Option<i64>, ints: &[i64]) {
    node.attribute.retain(|attribute| attribute.name != name);
    node.attribute.push(Attribute {
        name: name.into(),
        i,
        ints: ints.to_vec(),
        kind: if i.is_some() { INTEGER } else { INTEGERS },
        ..Attribute::default()
    });
}

/// Appends a node that is called after what it gives.
pub(crate) fn append(model: &mut File, operator: &str, input: &[String], output: &str, attribute: Vec<Attribute>) {
    graph(model).node.push(Node {
        op_type: operator.into(),
        name: output.into(),
        input: input.to_vec(),
        output: vec![output.into()],
        attribute,
        ..Node::default()
    });
    graph(model).output[0].name = output.into();
}

pub(crate) fn attribute(name: &str, i: Option<i64>, ints: &[i64], f: Option<f32>) -> Attribute {
    Attribute {
        name: name.into(),
        i,
        ints: ints.to_vec(),
        f,
        ..Attribute::default()
    }
}

/// Joins the value `first` with itself, and what that gives again, 40 times.
pub(crate) fn doubled(model: &mut File, first: &str, axis: i64) -> String {
    let mut last = first.to_string();
    for i in 0..40 {
        let next = format!("doubled{i}");
        let axis = attribute("axis", Some(axis), &[], None);
        append(model, "Concat", &[last.clone(), last], &next, vec![axis]);
        last = next;
    }
    last
}

/// The shape to which the network of Keras is flattened.
pub(crate) fn flattened(model: &mut File, shape: [i64; 2]) {
    let mut all = graph(model).initializer.iter_mut();
    let tensor = all.find(|tensor| tensor.name == "shape").unwrap();
    tensor.raw_data = shape.iter().flat_map(|n| n.to_le_bytes()).collect::<Vec<_>>().into();
}
