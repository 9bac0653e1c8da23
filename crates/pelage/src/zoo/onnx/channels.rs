//! Nodes that part channels, or bring them into another order.

use pelage_model::networks::graph::Operation;

use super::arithmetic::one_value_a_channel;
use super::node::{layer_name, small, whole, wholes};
use super::translate::{Map, Order, Seen, Translation};
use crate::export::messages::Node;

/// Refuses any other axis of `map` than that of its channels.
pub(super) fn along_channels(at: &Translation, map: Map, axis: i64) -> Result<(), String> {
    one_value_a_channel(at, map)?;
    let known = match map.order {
        Order::ChannelsFirst => [1, -3],
        Order::ChannelsLast => [3, -1],
        _ => [1, -1],
    };
    match known.contains(&axis) {
        true => Ok(()),
        false => Err(format!("of axis {axis} it is not supported; of the channels it is")),
    }
}

/// The channels of a map as several maps: one for each output.
pub(super) fn split<'a>(at: &mut Translation<'a>, node: &'a Node) -> Result<Vec<Seen>, String> {
    let map = at.map(node, 0)?;
    along_channels(at, map, whole(node, "axis", 0))?;
    let (channels, parts) = (at.layers.channels(map.layer), node.output.len());
    let counts = match at.wholes(node, "split", 1)? {
        Some(counts) => counts
            .iter()
            .map(|&count| small(count, "parts"))
            .collect::<Result<_, _>>()?,
        // The last one has what is left.
        None => {
            let each = channels.div_ceil(parts.max(1));
            let part = |part: usize| channels.saturating_sub(part * each).min(each);
            (0..parts).map(part).collect::<Vec<_>>()
        }
    };
    if counts.len() != parts || counts.contains(&0) || counts.iter().sum::<usize>() != channels {
        return Err(format!(
            "it has parts of {counts:?} where there are {channels} channels"
        ));
    }
    let mut first = 0;
    let mut made = Vec::new();
    for (count, output) in counts.into_iter().zip(&node.output) {
        let operation = Operation::Channels { first, count };
        let layer = at.layers.add(output, operation, vec![map.layer])?;
        made.push(Translation::made(layer, map.order));
        first += count;
    }
    Ok(made)
}

/// Where a slice of one axis begins and ends, of which axis it is, and the step from one to the next.
pub(super) fn ends<'a>(at: &mut Translation<'a>, node: &'a Node) -> Result<[i64; 4], String> {
    let mut single = |kind: &str, index: usize, usual: Option<i64>| match (at.wholes(node, kind, index)?, usual) {
        (Some(found), _) if found.len() == 1 => Ok(found[0]),
        (None, Some(usual)) => Ok(usual),
        _ => Err("of more than one axis it is not supported".to_string()),
    };
    Ok([
        single("starts", 1, None)?,
        single("ends", 2, None)?,
        single("axes", 3, Some(0))?,
        single("steps", 4, Some(1))?,
    ])
}

/// Some channels of a map that lie side by side.
pub(super) fn slice<'a>(at: &mut Translation<'a>, node: &'a Node, map: Map) -> Result<Seen, String> {
    let [start, end, axis, step] = ends(at, node)?;
    along_channels(at, map, axis)?;
    let channels = at.layers.channels(map.layer) as i64;
    let place = |at: i64| if at < 0 { at.saturating_add(channels) } else { at }.clamp(0, channels);
    let (first, end) = (place(start), place(end));
    if step != 1 || first >= end {
        return Err(format!(
            "of channels {start} to {end}, every {step}th, it is not supported"
        ));
    }
    let (first, count) = (first as usize, (end - first) as usize);
    let layer = at
        .layers
        .add(layer_name(node), Operation::Channels { first, count }, vec![map.layer])?;
    Ok(Translation::made(layer, map.order))
}

/// The `groups` of the channels of `layer`, with the axes of groups and channels exchanged; pixels may be `joined`.
pub(super) fn shuffle<'a>(
    at: &mut Translation<'a>,
    node: &'a Node,
    layer: usize,
    groups: usize,
    joined: bool,
) -> Result<Seen, String> {
    let exchanged: &[i64] = if joined { &[0, 2, 1, 3] } else { &[0, 2, 1, 3, 4] };
    if wholes(node, "perm") != Some(exchanged) {
        return Err("of groups of channels, only their exchange with these is supported".into());
    }
    let each = at.layers.channels(layer) / groups;
    let shuffled = at
        .layers
        .add(layer_name(node), Operation::Shuffle { groups }, vec![layer])?;
    Ok(Translation::made(shuffled, Order::Grouped { groups: each, joined }))
}
