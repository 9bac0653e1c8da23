//! A file's nodes, one after the other, as layers.

use std::rc::Rc;

use super::node::shown;
use super::translate::{Map, Seen, Translation};
use super::{channels, operators, shapes};
use crate::export::messages::Node;

/// Translates `nodes`, which are those that the value `last` needs, in their order; returns that.
///
/// # Errors
/// Names the first node that is not supported, and why.
pub(super) fn run<'a>(at: &mut Translation<'a>, nodes: &[&'a Node], last: &str) -> Result<Map, String> {
    at.count_readers(nodes);
    for node in nodes {
        let refused = |reason: String| format!("{}: {reason}", shown(node));
        if !node.domain.is_empty() && node.domain != "ai.onnx" {
            let domain: String = node.domain.chars().take(60).collect();
            let domain = domain.escape_debug();
            return Err(refused(format!("an operator of '{domain}' is not supported")));
        }
        if node.op_type == "Split" {
            let parts = channels::split(at, node).map_err(refused)?;
            for (output, part) in node.output.iter().zip(parts) {
                at.note(output, part).map_err(refused)?;
            }
            continue;
        }
        let found = translated(at, node).map_err(refused)?;
        let output = node.output.first().ok_or_else(|| refused("it gives nothing".into()))?;
        at.note(output, found).map_err(refused)?;
    }
    match at.found(last) {
        Some(Seen::Map(map)) => Ok(*map),
        _ => Err(format!(
            "the value '{}' does not depend on the images",
            last.escape_debug()
        )),
    }
}

fn translated<'a>(at: &mut Translation<'a>, node: &'a Node) -> Result<Seen, String> {
    match &node.op_type[..] {
        "Constant" => Ok(Seen::Constant(Rc::new(at.constant_of(node)?))),
        "Identity" | "Dropout" => at.value(node, 0),
        "Cast" => shapes::cast(at, node),
        "ConstantOfShape" => shapes::constant_of_shape(at, node),
        "Shape" | "Gather" | "Unsqueeze" | "Squeeze" | "Slice" | "Reshape" | "Flatten" | "Transpose" => {
            shapes::translated(at, node)
        }
        "Concat" => match at.value(node, 0)? {
            Seen::Constant(_) => shapes::row(at, node),
            Seen::Map(_) => operators::translated(at, node),
        },
        _ => operators::translated(at, node),
    }
}
