//! Nodes that compute: convolutions, norms, poolings, arithmetic and functions.

use pelage_model::networks::Function;
use pelage_model::networks::graph::{Convolution, Operation, Padding, Pool};

use super::arithmetic::{arithmetic, one_value_a_channel};
use super::layers::checked;
use super::node::{input, real, same, small, text, whole, wholes};
use super::translate::{Order, Seen, Translation};
use crate::export::messages::Node;

/// What can be read, for messages.
const KNOWN: &str = "Conv, BatchNormalization, Relu, Clip, HardSwish, HardSigmoid, Sigmoid, Add, Sub, Mul, Div, \
                     MaxPool, AveragePool, GlobalAveragePool, ReduceMean, Gemm, MatMul, Concat, Pad, and what only \
                     changes shapes";

/// The largest window of a mean that counts its padding: its weights are in no file.
const LARGEST_MEAN: usize = 16;

pub(super) fn translated<'a>(at: &mut Translation<'a>, node: &'a Node) -> Result<Seen, String> {
    let name = layer_name(node);
    match &node.op_type[..] {
        "Conv" => convolution(at, node, name),
        "Gemm" | "MatMul" => dense(at, node, name),
        "BatchNormalization" => batch_norm(at, node, name),
        "MaxPool" | "AveragePool" => pool(at, node, name),
        "GlobalAveragePool" => {
            let map = at.first(node, 0)?;
            let layer = at
                .layers
                .add(name, Operation::AveragePool { side: 1 }, vec![map.layer])?;
            Ok(Translation::made(layer, Order::ChannelsFirst))
        }
        "ReduceMean" => reduce_mean(at, node, name),
        "Relu" => function(at, node, name, Function::RELU),
        "Clip" => {
            let [low, high] = [("min", 1, f32::NEG_INFINITY), ("max", 2, f32::INFINITY)].map(|(name, index, none)| {
                let number = match input(node, index) {
                    Some(_) => at.constant(node, index)?.single()?,
                    None => real(node, name, none)?,
                };
                // The largest numbers of all stand for no bound.
                Ok::<_, String>(if number.abs() > 3e38 { none } else { number })
            });
            let (low, high) = (low?, high?);
            match low <= high {
                true => function(at, node, name, Function::Clip { low, high }),
                false => Err(format!("values of {low} to {high} are none")),
            }
        }
        "Sigmoid" => function(at, node, name, Function::Sigmoid),
        "HardSwish" => function(at, node, name, Function::HardSwish),
        "HardSigmoid" => {
            let (slope, shift) = (real(node, "alpha", 0.2)?, real(node, "beta", 0.5)?);
            function(at, node, name, Function::HardSigmoid { slope, shift })
        }
        "Add" | "Sum" | "Sub" | "Mul" | "Div" => arithmetic(at, node, name),
        "Concat" => concatenation(at, node, name),
        "Pad" => pad(at, node, name),
        other => {
            let other: String = other.chars().take(60).collect();
            Err(format!(
                "the operator '{}' is not supported; these are: {KNOWN}",
                other.escape_debug()
            ))
        }
    }
}

/// What a layer is called after.
fn layer_name(node: &Node) -> &str {
    let output = node.output.first().map_or("", |output| &output[..]);
    if node.name.is_empty() { output } else { &node.name }
}

fn function<'a>(at: &mut Translation<'a>, node: &'a Node, name: &str, function: Function) -> Result<Seen, String> {
    let map = at.map(node, 0)?;
    let read = at.read(map);
    let layer = at.layers.function(name, read, function)?;
    Ok(Translation::made(layer, map.order))
}

/// Padding of windows `[rows, columns]` over `[h, w]`, top, left, bottom, right, as the node asks for.
fn padding(node: &Node, kernel: [usize; 2], stride: usize, size: [usize; 2]) -> Result<[usize; 4], String> {
    let sides = wholes(node, "pads").unwrap_or(&[0; 4]);
    match text(node, "auto_pad") {
        b"" | b"NOTSET" => match sides {
            [top, left, bottom, right] => {
                let [top, left, bottom, right] = [top, left, bottom, right].map(|&side| small(side, "pads"));
                Ok([top?, left?, bottom?, right?])
            }
            other => Err(format!("its pads are {other:?}, where images have four sides")),
        },
        b"VALID" => Ok([0; 4]),
        b"SAME_UPPER" if stride > 0 => {
            let total = |axis: usize| {
                let windows = size[axis].div_ceil(stride).max(1);
                ((windows - 1) * stride + kernel[axis]).saturating_sub(size[axis])
            };
            let (rows, columns) = (total(0), total(1));
            Ok([rows / 2, columns / 2, rows - rows / 2, columns - columns / 2])
        }
        other => Err(format!("the auto_pad '{}' is not supported", other.escape_ascii())),
    }
}

/// As short as it can be said.
fn sides(sides: [usize; 4]) -> Padding {
    match sides == [sides[0]; 4] {
        true => Padding::Each(sides[0]),
        false => Padding::Sides(sides),
    }
}

fn undilated(node: &Node) -> Result<(), String> {
    match wholes(node, "dilations")
        .unwrap_or_default()
        .iter()
        .all(|&one| one == 1)
    {
        true => Ok(()),
        false => Err("dilations other than 1 are not supported".into()),
    }
}

fn convolution<'a>(at: &mut Translation<'a>, node: &'a Node, name: &str) -> Result<Seen, String> {
    let (map, weights) = (at.first(node, 0)?, at.constant(node, 1)?);
    let [outputs, inputs, rows, columns] = weights.shape[..] else {
        return Err(format!(
            "its weights have the shape {:?}; only images are supported",
            weights.shape
        ));
    };
    undilated(node)?;
    let (stride, groups) = (same(node, "strides", 1)?, small(whole(node, "group", 1), "groups")?);
    if rows == 0 || columns == 0 || wholes(node, "kernel_shape").is_some_and(|k| k != [rows as i64, columns as i64]) {
        return Err("its kernel_shape is not that of its weights".into());
    }
    if groups == 0 || at.layers.channels(map.layer) != inputs.saturating_mul(groups) {
        let channels = at.layers.channels(map.layer);
        return Err(format!(
            "it reads {channels} channels, but has weights for {groups} x {inputs}"
        ));
    }
    let pads = padding(node, [rows, columns], stride, at.layers.size(map.layer))?;
    let kernel = rows.max(columns);
    // A row or a column is a square of which the rest is zero.
    let [above, left] = [rows, columns].map(|side| (kernel - side) / 2);
    let around = [above, left, kernel - rows - above, kernel - columns - left];
    let padding = sides([0, 1, 2, 3].map(|side| pads[side] + around[side]));
    let count = checked([outputs, inputs, kernel, kernel])?;
    let numbers = weights.reals()?;
    let weight = match rows == columns {
        true => numbers.to_vec(),
        false => {
            let mut square = vec![0.0; count];
            for (from, to) in numbers.chunks(rows * columns).zip(square.chunks_mut(kernel * kernel)) {
                for (row, values) in from.chunks(columns).enumerate() {
                    to[(above + row) * kernel + left..][..columns].copy_from_slice(values);
                }
            }
            square
        }
    };
    let bias = match input(node, 2) {
        Some(_) => at.constant(node, 2)?.reals()?.to_vec(),
        None => vec![0.0; outputs],
    };
    let convolution = Convolution {
        groups,
        ..Convolution::new(kernel, outputs).stride(stride).padding(padding)
    };
    let layer = at.layers.convolution(name, map.layer, convolution, weight, bias)?;
    Ok(Translation::made(layer, Order::ChannelsFirst))
}

/// A dense layer over a flat map is a convolution over all of it.
fn dense<'a>(at: &mut Translation<'a>, node: &'a Node, name: &str) -> Result<Seen, String> {
    let (map, weights) = (at.map(node, 0)?, at.constant(node, 1)?);
    if !matches!(map.order, Order::Flat | Order::FlatLast) || whole(node, "transA", 0) != 0 {
        return Err("only of a flat map for each image it is supported".into());
    }
    let ([h, w], channels) = (at.layers.size(map.layer), at.layers.channels(map.layer));
    let [rows, columns] = weights.shape[..] else {
        return Err(format!(
            "its weights have the shape {:?}, where two axes belong",
            weights.shape
        ));
    };
    let turned = node.op_type == "Gemm" && whole(node, "transB", 0) != 0;
    let (outputs, inputs) = if turned { (rows, columns) } else { (columns, rows) };
    if h != w || inputs != h * w * channels || outputs == 0 {
        return Err(format!(
            "it has weights for {inputs} values, and reads a map of {h} x {w} x {channels}"
        ));
    }
    let gemm = node.op_type == "Gemm";
    let (alpha, beta) = match gemm {
        true => (real(node, "alpha", 1.0)?, real(node, "beta", 1.0)?),
        false => (1.0, 1.0),
    };
    let numbers = weights.reals()?;
    let mut weight = Vec::with_capacity(numbers.len());
    for output in 0..outputs {
        let value = |input: usize| {
            alpha
                * if turned {
                    numbers[output * inputs + input]
                } else {
                    numbers[input * outputs + output]
                }
        };
        match map.order {
            Order::Flat => weight.extend((0..inputs).map(value)),
            // Pixel by pixel in the file, channel by channel here.
            _ => weight.extend(
                (0..channels)
                    .flat_map(|c| (0..h * w).map(move |pixel| pixel * channels + c))
                    .map(value),
            ),
        }
    }
    let bias = match input(node, 2).filter(|_| gemm) {
        Some(_) => {
            let bias = at.constant(node, 2)?;
            let numbers = bias.reals()?;
            match numbers.len() {
                1 => vec![beta * numbers[0]; outputs],
                _ => numbers.iter().map(|number| beta * number).collect(),
            }
        }
        None => vec![0.0; outputs],
    };
    let convolution = Convolution::new(h, outputs).padding(Padding::Each(0));
    let layer = at.layers.convolution(name, map.layer, convolution, weight, bias)?;
    Ok(Translation::made(layer, Order::Flat))
}

fn batch_norm<'a>(at: &mut Translation<'a>, node: &'a Node, name: &str) -> Result<Seen, String> {
    let map = at.map(node, 0)?;
    if whole(node, "training_mode", 0) != 0 {
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

fn pool<'a>(at: &mut Translation<'a>, node: &'a Node, name: &str) -> Result<Seen, String> {
    let map = at.first(node, 0)?;
    undilated(node)?;
    if at.is_read(node, 1) {
        return Err("where the largest values were is not supported".into());
    }
    let (kernel, stride) = (same(node, "kernel_shape", 0)?, same(node, "strides", 1)?);
    let around = padding(node, [kernel; 2], stride, at.layers.size(map.layer))?;
    let pool = Pool {
        kernel,
        stride,
        padding: sides(around),
        ceil: whole(node, "ceil_mode", 0) != 0,
    };
    let counts_padding = whole(node, "count_include_pad", 0) != 0 && around != [0; 4];
    let layer = match (&node.op_type[..], counts_padding) {
        ("MaxPool", _) => at.layers.add(name, Operation::MaxPool(pool), vec![map.layer])?,
        (_, false) => at.layers.add(name, Operation::MeanPool(pool), vec![map.layer])?,
        (_, true) if pool.ceil => return Err("ceil_mode with count_include_pad is not supported".into()),
        (_, true) if kernel > LARGEST_MEAN => {
            return Err(format!(
                "count_include_pad over windows of {kernel} pixels is not supported"
            ));
        }
        (_, true) => {
            // The mean of windows that padding belongs to is a sum with one weight.
            let channels = at.layers.channels(map.layer);
            let weight = vec![1.0 / (kernel * kernel) as f32; checked([channels, 1, kernel, kernel])?];
            let mean = Convolution::new(kernel, channels)
                .depthwise()
                .stride(stride)
                .padding(pool.padding);
            at.layers
                .convolution(name, map.layer, mean, weight, vec![0.0; channels])?
        }
    };
    Ok(Translation::made(layer, Order::ChannelsFirst))
}

fn reduce_mean<'a>(at: &mut Translation<'a>, node: &'a Node, name: &str) -> Result<Seen, String> {
    let map = at.map(node, 0)?;
    let mut axes = at.wholes(node, "axes", 1)?.unwrap_or_default();
    axes.iter_mut()
        .filter(|axis| **axis < 0)
        .for_each(|axis| *axis = axis.saturating_add(4));
    axes.sort_unstable();
    let flat = match (map.order, &axes[..]) {
        (Order::ChannelsFirst, [2, 3]) => Order::Flat,
        (Order::ChannelsLast, [1, 2]) => Order::FlatLast,
        _ => return Err("only the mean over rows and columns is supported".into()),
    };
    let layer = at
        .layers
        .add(name, Operation::AveragePool { side: 1 }, vec![map.layer])?;
    let order = if whole(node, "keepdims", 1) != 0 {
        map.order
    } else {
        flat
    };
    Ok(Translation::made(layer, order))
}

fn concatenation<'a>(at: &mut Translation<'a>, node: &'a Node, name: &str) -> Result<Seen, String> {
    let mut maps = Vec::new();
    for index in 0..node.input.len() {
        maps.push(at.map(node, index)?);
    }
    let first = maps[0];
    let axis = whole(node, "axis", 1);
    let along_channels = match first.order {
        Order::ChannelsFirst => [1, -3].contains(&axis),
        Order::ChannelsLast => [3, -1].contains(&axis),
        Order::Flat | Order::FlatLast => [1, -1].contains(&axis),
    };
    if !along_channels {
        return Err(format!("axis {axis} is not supported; the channels are"));
    }
    let size = at.layers.size(first.layer);
    one_value_a_channel(at, first)?;
    if maps
        .iter()
        .any(|map| map.order != first.order || at.layers.size(map.layer) != size)
    {
        return Err("it joins maps of different sizes".into());
    }
    let inputs = maps.iter().map(|map| map.layer).collect();
    let layer = at.layers.add(name, Operation::Concatenate, inputs)?;
    Ok(Translation::made(layer, first.order))
}

fn pad<'a>(at: &mut Translation<'a>, node: &'a Node, name: &str) -> Result<Seen, String> {
    let map = at.map(node, 0)?;
    if !matches!(text(node, "mode"), b"" | b"constant") {
        return Err("only padding with zeros is supported".into());
    }
    let value = match input(node, 2) {
        Some(_) => at.constant(node, 2)?.single()?,
        None => real(node, "value", 0.0)?,
    };
    let pads = at.wholes(node, "pads", 1)?.unwrap_or_default();
    let [n0, a0, b0, c0, n1, a1, b1, c1] = pads[..] else {
        return Err(format!("its pads are {pads:?}, where those of four axes belong"));
    };
    let (sides, others) = match map.order {
        Order::ChannelsFirst => ([b0, c0, b1, c1], [n0, a0, n1, a1]),
        Order::ChannelsLast => ([a0, b0, a1, b1], [n0, c0, n1, c1]),
        _ => return Err("of a flat map it is not supported".into()),
    };
    if value != 0.0 || others != [0; 4] || input(node, 3).is_some() {
        return Err("only zeros around rows and columns are supported".into());
    }
    let [top, left, bottom, right] = sides.map(|side| small(side, "pads"));
    let layer = at
        .layers
        .add(name, Operation::Pad([top?, left?, bottom?, right?]), vec![map.layer])?;
    Ok(Translation::made(layer, map.order))
}
