//! Sums and products: of two maps, or of a map and constants.

use std::rc::Rc;

use super::constant::Constant;
use super::translate::{Map, Order, Seen, Translation};
use crate::export::messages::Node;

/// A sum, difference, product or quotient.
pub(super) fn arithmetic<'a>(at: &mut Translation<'a>, node: &'a Node, name: &str) -> Result<Seen, String> {
    if node.input.len() != 2 {
        return Err(format!("it has {} inputs, where two are supported", node.input.len()));
    }
    let operator = &node.op_type[..];
    match (at.value(node, 0)?, at.value(node, 1)?) {
        (Seen::Map(a), Seen::Map(b)) => {
            if a.order != b.order {
                return Err("its inputs have their axes in different orders".into());
            }
            let [one, other] = [at.read(a), at.read(b)];
            let layer = match operator {
                "Add" | "Sum" => at.layers.sum(name, one, other)?,
                "Mul" => at.layers.product(name, one, other)?,
                _ => return Err("of two maps it is not supported".into()),
            };
            Ok(Translation::made(layer, a.order))
        }
        (Seen::Map(map), Seen::Constant(constant)) => {
            let numbers = channelwise(at, map, &constant)?;
            let (scale, shift): (Vec<f64>, Vec<f64>) = match operator {
                "Add" | "Sum" => numbers.into_iter().map(|number| (1.0, number)).unzip(),
                "Sub" => numbers.into_iter().map(|number| (1.0, -number)).unzip(),
                "Mul" => numbers.into_iter().map(|number| (number, 0.0)).unzip(),
                _ if numbers.contains(&0.0) => return Err("it divides by zero".into()),
                _ => numbers.into_iter().map(|number| (1.0 / number, 0.0)).unzip(),
            };
            affine(at, map, name, &scale, &shift)
        }
        (Seen::Constant(constant), Seen::Map(map)) => {
            let numbers = channelwise(at, map, &constant)?;
            let (scale, shift): (Vec<f64>, Vec<f64>) = match operator {
                "Add" | "Sum" => numbers.into_iter().map(|number| (1.0, number)).unzip(),
                "Sub" => numbers.into_iter().map(|number| (-1.0, number)).unzip(),
                "Mul" => numbers.into_iter().map(|number| (number, 0.0)).unzip(),
                _ => return Err("it divides by a map, which is not supported".into()),
            };
            affine(at, map, name, &scale, &shift)
        }
        (Seen::Constant(a), Seen::Constant(b)) => Ok(Seen::Constant(Rc::new(a.combined(operator, &b)?))),
    }
}

fn affine(at: &mut Translation, map: Map, name: &str, scale: &[f64], shift: &[f64]) -> Result<Seen, String> {
    let read = at.read(map);
    let layer = at.layers.affine(name, read, scale, shift)?;
    Ok(Translation::made(layer, map.order))
}

/// The number of each channel of `map` that `constant` has.
fn channelwise(at: &Translation, map: Map, constant: &Constant) -> Result<Vec<f64>, String> {
    let (numbers, channels) = (constant.reals()?, at.layers.channels(map.layer));
    if numbers.len() == 1 {
        return Ok(vec![numbers[0].into(); channels]);
    }
    one_value_a_channel(at, map)?;
    // From the last axis on, the channels are this one.
    let from_last = if map.order == Order::ChannelsFirst { 2 } else { 0 };
    let fits = constant
        .shape
        .iter()
        .rev()
        .enumerate()
        .all(|(axis, &length)| match axis == from_last {
            true => length == channels,
            false => length == 1,
        });
    match fits && numbers.len() == channels {
        true => Ok(numbers.iter().map(|&number| number.into()).collect()),
        false => Err(format!(
            "its constant has the shape {:?}; one number, or one for each of the {channels} channels, is supported",
            constant.shape
        )),
    }
}

/// Refuses a flat map of several pixels, where each value would have a number of its own, and groups of channels.
pub(super) fn one_value_a_channel(at: &Translation, map: Map) -> Result<(), String> {
    if matches!(map.order, Order::Grouped { .. } | Order::Row) {
        return Err("of groups of channels, or of a row without images, it is not supported".into());
    }
    let is_flat = matches!(map.order, Order::Flat | Order::FlatLast);
    match is_flat && at.layers.size(map.layer) != [1, 1] {
        true => Err("of a flattened map of several pixels it is not supported".into()),
        false => Ok(()),
    }
}
