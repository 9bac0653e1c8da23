//! Nodes that bring values to a common mean and variance.

use pelage_model::networks::graph::Operation;

use super::arithmetic::one_value_a_channel;
use super::layers::Read;
use super::node::{input, real, whole};
use super::translate::{Order, Seen, Translation};
use crate::export::messages::Node;

/// A batch norm, as what it does to each channel.
pub(super) fn batch_norm<'a>(at: &mut Translation<'a>, node: &'a Node, name: &str) -> Result<Seen, String> {
    let map = at.map(node, 0)?;
    // Before version 14 it is training that gives more than one output.
    let trains = node.output.iter().skip(1).any(|output| !output.is_empty());
    if trains || whole(node, "training_mode", 0) != 0 {
        return Err("it is in training mode; export the network for inference".into());
    }
    one_value_a_channel(at, map)?;
    let channels = at.layers.channels(map.layer);
    let mut rows = Vec::new();
    for index in 1..5 {
        let row = at.constant(node, index)?.reals()?.to_vec();
        if row.len() != channels {
            return Err(format!("it has {} numbers for {channels} channels", row.len()));
        }
        rows.push(row.into_iter().map(f64::from).collect::<Vec<_>>());
    }
    let epsilon = f64::from(real(node, "epsilon", 1e-5)?);
    let (mut scale, mut shift) = (Vec::new(), Vec::new());
    for channel in 0..channels {
        let [gamma, beta, mean, variance] = [0, 1, 2, 3].map(|row| rows[row][channel]);
        let factor = gamma / (variance + epsilon).sqrt();
        if !factor.is_finite() {
            return Err(format!("its variance {variance} of channel {channel} is none"));
        }
        scale.push(factor);
        shift.push(beta - mean * factor);
    }
    let read = at.read(map);
    let layer = at.layers.affine(name, read, &scale, &shift)?;
    Ok(Translation::made(layer, map.order))
}

/// A layer norm over the channels of each pixel, which lie last.
pub(super) fn layer_norm<'a>(at: &mut Translation<'a>, node: &'a Node, name: &str) -> Result<Seen, String> {
    let map = at.map(node, 0)?;
    one_value_a_channel(at, map)?;
    let last = match map.order {
        Order::ChannelsLast => 3,
        Order::Flat | Order::FlatLast => 1,
        _ => return Err("only of pixels with the channels last it is supported".into()),
    };
    let axis = whole(node, "axis", -1);
    if axis != -1 && axis != last {
        return Err(format!("axis {axis} is not supported; the last one is"));
    }
    if at.is_read(node, 1) || at.is_read(node, 2) {
        return Err("only its first output is supported".into());
    }
    let epsilon = real(node, "epsilon", 1e-5)?;
    if !(epsilon > 0.0 && epsilon.is_finite()) {
        return Err(format!("its epsilon is {epsilon}, where a number above 0 belongs"));
    }
    let channels = at.layers.channels(map.layer);
    let mut row = |index: usize, usual: f64| match input(node, index) {
        None => Ok(vec![usual; channels]),
        Some(_) => {
            let found = at.constant(node, index)?;
            let numbers = found.reals()?;
            match numbers.len() == channels {
                true => Ok(numbers.iter().map(|&number| f64::from(number)).collect()),
                false => Err(format!("it has {} numbers for {channels} channels", numbers.len())),
            }
        }
    };
    let (scale, shift) = (row(1, 1.0)?, row(2, 0.0)?);
    let layer = at.layers.add(name, Operation::LayerNorm { epsilon }, vec![map.layer])?;
    let layer = at.layers.affine(name, Read { layer, readers: 1 }, &scale, &shift)?;
    Ok(Translation::made(layer, map.order))
}
