//! A node of a file: what it takes and asks for.

use crate::export::messages::{Attribute, Node};

/// What `node` is called in messages: its name, or the value that it gives.
pub(super) fn shown(node: &Node) -> String {
    let name = match node.name.is_empty() {
        true => node.output.first().map_or("", |output| &output[..]),
        false => &node.name,
    };
    let name: String = name.chars().take(200).collect();
    let operator: String = node.op_type.chars().take(60).collect();
    format!("node '{}' ({})", name.escape_debug(), operator.escape_debug())
}

/// What a layer is called after.
pub(super) fn layer_name(node: &Node) -> &str {
    let output = node.output.first().map_or("", |output| &output[..]);
    if node.name.is_empty() { output } else { &node.name }
}

/// The input of `node` at `index`, where it is not left out.
pub(super) fn input(node: &Node, index: usize) -> Option<&str> {
    node.input
        .get(index)
        .map(|name| &name[..])
        .filter(|name| !name.is_empty())
}

pub(super) fn attribute<'a>(node: &'a Node, name: &str) -> Option<&'a Attribute> {
    node.attribute.iter().find(|attribute| attribute.name == name)
}

/// The whole number `name`, or `usual` if the node does not say.
pub(super) fn whole(node: &Node, name: &str, usual: i64) -> i64 {
    attribute(node, name).map_or(usual, |attribute| attribute.i.unwrap_or_default())
}

/// The number `name`, or `usual` if the node does not say.
pub(super) fn real(node: &Node, name: &str, usual: f32) -> Result<f32, String> {
    let number = attribute(node, name).map_or(usual, |attribute| attribute.f.unwrap_or_default());
    match number.is_nan() {
        true => Err(format!("its {name} is no number")),
        false => Ok(number),
    }
}

/// The whole numbers `name`, if the node has any.
pub(super) fn wholes<'a>(node: &'a Node, name: &str) -> Option<&'a [i64]> {
    attribute(node, name).map(|attribute| &attribute.ints[..])
}

/// The text `name`, or nothing.
pub(super) fn text<'a>(node: &'a Node, name: &str) -> &'a [u8] {
    attribute(node, name)
        .and_then(|attribute| attribute.s.as_deref())
        .unwrap_or_default()
}

/// The one number that all of the list `name` are, or `usual` if the node does not say; `what` it is called.
pub(super) fn same(node: &Node, name: &str, usual: usize) -> Result<usize, String> {
    match wholes(node, name) {
        None | Some([]) => Ok(usual),
        Some([first, rest @ ..]) if rest.iter().all(|other| other == first) => small(*first, name),
        Some(other) => Err(format!("its {name} are {other:?}; only equal ones are supported")),
    }
}

/// A number that rows, columns or channels are counted by.
pub(super) fn small(number: i64, what: &str) -> Result<usize, String> {
    match number {
        0..1_000_000 => Ok(number as usize),
        _ => Err(format!("its {what} are {number}, which is out of range")),
    }
}
