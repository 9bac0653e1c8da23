//! Nodes that compute nothing, but say in which order values lie; and the arithmetic of shapes, which is done here.

use std::rc::Rc;

use super::channels;
use super::constant::{Constant, MOST_WHOLE, Numbers, TOO_MANY};
use super::node::{attribute, small, whole, wholes};
use super::translate::{Map, Order, Seen, Translation};
use crate::export::messages::{F32, Node};

pub(super) fn translated<'a>(at: &mut Translation<'a>, node: &'a Node) -> Result<Seen, String> {
    let value = at.value(node, 0)?;
    match (&node.op_type[..], value) {
        ("Shape", Seen::Map(map)) => {
            if attribute(node, "start").or(attribute(node, "end")).is_some() {
                return Err("a part of a shape is not supported".into());
            }
            let axes = axes(at, map).into_iter().map(|length| length as i64);
            Ok(constant(Constant::row(axes.collect())))
        }
        ("Flatten", Seen::Map(map)) => match whole(node, "axis", 1) {
            1 => Ok(Seen::Map(flat(map))),
            other => Err(format!("axis {other} is not supported; 1 is")),
        },
        ("Reshape", Seen::Map(map)) => {
            let shape = match attribute(node, "shape") {
                Some(attribute) => attribute.ints.clone(),
                None => at.constant(node, 1)?.wholes()?.to_vec(),
            };
            reshaped(at, map, &shape, whole(node, "allowzero", 0) != 0)
        }
        ("Squeeze" | "Unsqueeze", Seen::Map(map)) => {
            let axes = at.wholes(node, "axes", 1)?;
            squeezed(at, map, axes.as_deref(), node.op_type == "Squeeze")
        }
        ("Transpose", Seen::Map(map)) => match map.order {
            Order::Grouped { groups, joined } => channels::shuffle(at, node, map.layer, groups, joined),
            _ => transposed(map, wholes(node, "perm").unwrap_or_default()),
        },
        ("Slice", Seen::Map(map)) => channels::slice(at, node, map),
        // PyTorch's exporter writes the mean of each channel as a row, of which it takes all numbers in their order.
        ("Gather", Seen::Map(map)) if map.order == Order::Row => {
            let (flat, taken) = (map.ordered(Order::Flat), at.constant(node, 1)?);
            let shape: Vec<i64> = taken.shape.iter().map(|&length| length as i64).collect();
            match taken.wholes()?.iter().copied().eq(0..axes(at, map)[0] as i64) {
                true => reshaped(at, flat, &shape, true),
                false => Err("a part of a map is not supported".into()),
            }
        }
        ("Gather", Seen::Map(_)) => Err("a part of a map is not supported".into()),
        ("Gather", Seen::Constant(from)) => {
            let at = at.constant(node, 1)?;
            let ([index], [_]) = (at.wholes()?, &from.shape[..]) else {
                return Err("it takes more than one number".into());
            };
            let found = place(&from, *index)?;
            Ok(constant(Constant {
                shape: at.shape.clone(),
                ..Constant::row(vec![found])
            }))
        }
        ("Slice", Seen::Constant(from)) => slice(at, node, &from),
        ("Reshape", Seen::Constant(from)) => {
            let shape = at.constant(node, 1)?.wholes()?.to_vec();
            table(&from, &shape).map(constant)
        }
        // A number or a row of them: what is made of it here does not depend on the axes.
        ("Unsqueeze" | "Squeeze", Seen::Constant(from)) => Ok(constant(Constant::row(from.few()?.to_vec()))),
        ("Transpose", Seen::Constant(from)) => {
            let [rows, columns] = from.shape[..] else {
                return Err("of this constant it is not supported".into());
            };
            if !matches!(wholes(node, "perm"), None | Some([1, 0])) {
                return Err("of this constant it is not supported".into());
            }
            let numbers = match &from.numbers {
                Numbers::Real(reals) => Numbers::Real(turned(reals, columns)),
                Numbers::Whole(wholes) => Numbers::Whole(turned(wholes, columns)),
            };
            let shape = vec![columns, rows];
            Ok(constant(Constant { shape, numbers }))
        }
        _ => Err("of a constant it is not supported".into()),
    }
}

/// Columns as rows.
fn turned<T: Copy>(numbers: &[T], columns: usize) -> Vec<T> {
    let column = |column| numbers.iter().skip(column).step_by(columns);
    (0..columns).flat_map(column).copied().collect()
}

/// Whole numbers as a row or a table.
fn table(from: &Constant, shape: &[i64]) -> Result<Constant, String> {
    let told = || "of this constant it is not supported".to_string();
    let numbers = from.few()?;
    let lengths: Vec<usize> = match *shape {
        [_] => vec![numbers.len()],
        [-1, columns @ 1..=8] => vec![numbers.len() / columns as usize, columns as usize],
        _ => return Err(told()),
    };
    match lengths.iter().product::<usize>() == numbers.len() {
        true => Ok(Constant {
            shape: lengths,
            numbers: Numbers::Whole(numbers.to_vec()),
        }),
        false => Err(told()),
    }
}

/// Rows of whole numbers from one place to another, forwards or backwards.
fn slice<'a>(at: &mut Translation<'a>, node: &'a Node, from: &Constant) -> Result<Seen, String> {
    let [start, end, axis, step] = channels::ends(at, node)?;
    let (numbers, Some(&rows)) = (from.few()?, from.shape.first()) else {
        return Err("of a single number it is not supported".into());
    };
    let length = i64::try_from(rows).unwrap_or(i64::MAX);
    let place = |at: i64| if at < 0 { at.saturating_add(length) } else { at };
    let taken: Vec<i64> = match (axis, step) {
        (0, 1) => (place(start).clamp(0, length)..place(end).clamp(0, length)).collect(),
        (0, -1) => (place(end).clamp(-1, length - 1) + 1..place(start).clamp(-1, length - 1) + 1)
            .rev()
            .collect(),
        _ => return Err(format!("every {step}th of axis {axis} is not supported")),
    };
    let each = numbers.len() / rows.max(1);
    let row = |&row: &i64| numbers[row as usize * each..][..each].iter().copied();
    let mut shape = from.shape.clone();
    shape[0] = taken.len();
    Ok(constant(Constant {
        shape,
        numbers: Numbers::Whole(taken.iter().flat_map(row).collect()),
    }))
}

/// A row of one whole number.
pub(super) fn constant_of_shape<'a>(at: &mut Translation<'a>, node: &'a Node) -> Result<Seen, String> {
    let count = match *at.constant(node, 0)?.wholes()? {
        [count] => usize::try_from(count).ok().filter(|&count| count <= MOST_WHOLE),
        _ => None,
    };
    let value = at.constant_of(node)?;
    match (count, value.wholes()?) {
        (Some(count), [value]) => Ok(constant(Constant::row(vec![*value; count]))),
        _ => Err(TOO_MANY.into()),
    }
}

/// Numbers of a shape one behind the other.
pub(super) fn row<'a>(at: &mut Translation<'a>, node: &'a Node) -> Result<Seen, String> {
    let mut row = Vec::new();
    for index in 0..node.input.len() {
        row.extend_from_slice(at.constant(node, index)?.few()?);
        if row.len() > MOST_WHOLE {
            return Err(TOO_MANY.into());
        }
    }
    Ok(constant(Constant::row(row)))
}

/// Numbers stay what they are: images and maps are f32 as it is.
pub(super) fn cast<'a>(at: &mut Translation<'a>, node: &'a Node) -> Result<Seen, String> {
    match at.value(node, 0)? {
        Seen::Map(_) if whole(node, "to", 0) != i64::from(F32) => Err("only numbers of 32 bits are supported".into()),
        value => Ok(value),
    }
}

fn constant(constant: Constant) -> Seen {
    Seen::Constant(Rc::new(constant))
}

fn place(row: &Constant, index: i64) -> Result<i64, String> {
    let numbers = row.wholes()?;
    let index = if index < 0 {
        index.saturating_add(numbers.len() as i64)
    } else {
        index
    };
    let found = usize::try_from(index).ok().and_then(|index| numbers.get(index));
    found
        .copied()
        .ok_or_else(|| "it takes a number that is not there".into())
}

/// The lengths of the axes of a map, for one image.
fn axes(at: &Translation, map: Map) -> Vec<usize> {
    let ([h, w], c) = (at.layers.size(map.layer), at.layers.channels(map.layer));
    match map.order {
        Order::ChannelsFirst => vec![1, c, h, w],
        Order::ChannelsLast => vec![1, h, w, c],
        Order::Flat | Order::FlatLast => vec![1, h * w * c],
        Order::Grouped { groups, joined: false } => vec![1, groups, c / groups, h, w],
        Order::Grouped { groups, joined: true } => vec![1, groups, c / groups, h * w],
        Order::Row => vec![c * h * w],
    }
}

fn flat(map: Map) -> Map {
    match map.order {
        Order::ChannelsFirst | Order::Flat | Order::Grouped { .. } | Order::Row => map.ordered(Order::Flat),
        Order::ChannelsLast | Order::FlatLast => map.ordered(Order::FlatLast),
    }
}

/// A map flattened, a flat one of one pixel as a map, or what it was before.
fn reshaped(at: &Translation, map: Map, shape: &[i64], keeps_zeros: bool) -> Result<Seen, String> {
    let told = || format!("the shape {shape:?} is not supported; a map can be flattened, image by image");
    let (before, [batch, rest @ ..]) = (axes(at, map), shape) else {
        return Err(told());
    };
    let total: usize = before.iter().product();
    if rest.is_empty() && map.order == Order::ChannelsFirst && (*batch == -1 || *batch == total as i64) {
        return Ok(Seen::Map(map.ordered(Order::Row)));
    }
    if !at.is_batch(*batch) || map.order == Order::Row {
        return Err(told());
    }
    let mut lengths = Vec::new();
    for (axis, &length) in rest.iter().enumerate() {
        lengths.push(match length {
            0 if !keeps_zeros => Some(*before.get(axis + 1).ok_or_else(told)?),
            -1 => None,
            length => Some(small(length, "lengths").map_err(|_| told())?),
        });
    }
    let known = lengths
        .iter()
        .flatten()
        .try_fold(1usize, |all, &length| all.checked_mul(length))
        .ok_or_else(told)?;
    let open = lengths.iter().filter(|length| length.is_none()).count();
    let lengths: Vec<usize> = match open {
        0 if known == total => lengths.into_iter().flatten().collect(),
        1 if known > 0 && total.is_multiple_of(known) => lengths
            .into_iter()
            .map(|length| length.unwrap_or(total / known))
            .collect(),
        _ => return Err(told()),
    };
    if lengths.len() == 1 {
        return Ok(Seen::Map(flat(map)));
    }
    let orders = match map.order {
        Order::ChannelsFirst | Order::Flat | Order::Grouped { .. } | Order::Row => {
            [Order::ChannelsFirst, Order::ChannelsLast]
        }
        Order::ChannelsLast | Order::FlatLast => [Order::ChannelsLast, Order::ChannelsFirst],
    };
    // Of one pixel both orders are the same.
    let pixel = at.layers.size(map.layer) == [1, 1];
    let fits = |order: &Order| axes(at, map.ordered(*order))[1..] == lengths;
    let found = orders.into_iter().take(if pixel { 2 } else { 1 }).find(fits);
    if let Some(order) = found {
        return Ok(Seen::Map(map.ordered(order)));
    }
    // ShuffleNet parts the channels into groups, exchanges these with their channels, and joins them again.
    if let (Order::ChannelsFirst, &[groups, each, ref pixels @ ..]) = (map.order, &lengths[..])
        && groups.saturating_mul(each) == before[1]
    {
        let (apart, joined) = (&before[2..], before[2] * before[3]);
        if pixels == apart || pixels == [joined] {
            let joined = pixels != apart;
            return Ok(Seen::Map(map.ordered(Order::Grouped { groups, joined })));
        }
    }
    Err(told())
}

/// Axes of length one taken away or put in.
fn squeezed(at: &Translation, map: Map, axes: Option<&[i64]>, away: bool) -> Result<Seen, String> {
    let told = || "only rows and columns of one pixel can be taken away or put in".to_string();
    let mut axes: Vec<i64> = axes
        .unwrap_or(&[])
        .iter()
        .map(|&axis| if axis < 0 { axis.saturating_add(4) } else { axis })
        .collect();
    axes.sort_unstable();
    if at.layers.size(map.layer) != [1, 1] {
        return Err(told());
    }
    match (map.order, &axes[..], away) {
        (Order::ChannelsFirst, [2, 3], true) => Ok(Seen::Map(map.ordered(Order::Flat))),
        (Order::ChannelsLast, [1, 2], true) => Ok(Seen::Map(map.ordered(Order::FlatLast))),
        (Order::Flat | Order::FlatLast, [2, 3], false) => Ok(Seen::Map(map.ordered(Order::ChannelsFirst))),
        (Order::Flat | Order::FlatLast, [1, 2], false) => Ok(Seen::Map(map.ordered(Order::ChannelsLast))),
        _ => Err(told()),
    }
}

fn transposed(map: Map, order: &[i64]) -> Result<Seen, String> {
    match (map.order, order) {
        (Order::ChannelsFirst, [0, 2, 3, 1]) => Ok(Seen::Map(map.ordered(Order::ChannelsLast))),
        (Order::ChannelsLast, [0, 3, 1, 2]) => Ok(Seen::Map(map.ordered(Order::ChannelsFirst))),
        (_, [0, 1] | [0, 1, 2, 3]) => Ok(Seen::Map(map)),
        _ => Err(format!("the order of axes {order:?} is not supported")),
    }
}
