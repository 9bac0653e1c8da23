//! Nodes that compute: convolutions, norms, poolings, arithmetic and functions.

use pelage_model::networks::Function;
use pelage_model::networks::added::LARGEST_KERNEL;
use pelage_model::networks::graph::{Convolution, Operation, Padding, Pool};

use super::arithmetic::arithmetic;
use super::channels::along_channels;
use super::node::{input, layer_name, real, same, small, text, whole, wholes};
use super::norms;
use super::translate::{Order, Seen, Translation};
use crate::export::messages::Node;

/// What can be read, for messages.
const KNOWN: &str = "Conv, BatchNormalization, LayerNormalization, Relu, Clip, HardSwish, HardSigmoid, Sigmoid, Gelu, \
                     Erf, Add, Sub, Mul, Div, MaxPool, AveragePool, GlobalAveragePool, ReduceMean, Gemm, MatMul, \
                     Concat, Split, Slice, Pad, and what only changes shapes";

/// The largest window of a mean that counts its padding: its weights are in no file.
const LARGEST_MEAN: usize = 16;

pub(super) fn translated<'a>(at: &mut Translation<'a>, node: &'a Node) -> Result<Seen, String> {
    let name = layer_name(node);
    match &node.op_type[..] {
        "Conv" => convolution(at, node, name),
        "Gemm" | "MatMul" => dense(at, node, name),
        "BatchNormalization" => norms::batch_norm(at, node, name),
        "LayerNormalization" => norms::layer_norm(at, node, name),
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
        "Erf" => function(at, node, name, Function::Erf),
        "Gelu" if matches!(text(node, "approximate"), b"" | b"none") => function(at, node, name, Function::Gelu),
        "Gelu" => Err("only the exact function is supported".into()),
        "HardSwish" => function(at, node, name, Function::HardSwish),
        "HardSigmoid" => {
            let (slope, shift) = (real(node, "alpha", 0.2)?, real(node, "beta", 0.5)?);
            match slope.is_finite() && shift.is_finite() {
                true => function(at, node, name, Function::HardSigmoid { slope, shift }),
                false => Err("its alpha and beta are not finite".into()),
            }
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

fn function<'a>(at: &mut Translation<'a>, node: &'a Node, name: &str, function: Function) -> Result<Seen, String> {
    let map = at.map(node, 0)?;
    let read = at.read(map);
    let layer = at.layers.function(name, read, function)?;
    Ok(Translation::made(layer, map.order))
}

/// Padding of windows `[rows, columns]` over `[h, w]`, as the node asks for, said as shortly as it can be.
fn padding(node: &Node, kernel: [usize; 2], stride: usize, size: [usize; 2]) -> Result<Padding, String> {
    let pads = wholes(node, "pads").unwrap_or(&[0; 4]);
    match text(node, "auto_pad") {
        b"" | b"NOTSET" => match pads {
            [top, left, bottom, right] => {
                let [top, left, bottom, right] = [top, left, bottom, right].map(|&side| small(side, "pads"));
                Ok(sides([top?, left?, bottom?, right?]))
            }
            other => Err(format!("its pads are {other:?}, where images have four sides")),
        },
        b"VALID" => Ok(Padding::Each(0)),
        b"SAME_UPPER" if kernel[0] == kernel[1] => Ok(Padding::Same),
        same @ (b"SAME_UPPER" | b"SAME_LOWER") if stride > 0 => {
            let [rows, columns] = kernel.map(|side| Padding::Same.around(side, stride, size));
            // The odd row or column goes to bottom and right, or to top and left.
            Ok(sides(match same {
                b"SAME_LOWER" => [rows[2], columns[3], rows[0], columns[1]],
                _ => [rows[0], columns[1], rows[2], columns[3]],
            }))
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

/// How far apart the pixels of a window are, down and across.
fn dilations(node: &Node) -> Result<[usize; 2], String> {
    match wholes(node, "dilations") {
        None | Some([]) => Ok([1, 1]),
        Some(&[down, across]) if down > 0 && across > 0 => Ok([small(down, "dilations")?, small(across, "dilations")?]),
        Some(other) => Err(format!("its dilations are {other:?}, where images have two")),
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
    let [down, across] = dilations(node)?;
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
    let size = at.layers.size(map.layer);
    let [high, wide] = [(rows, down), (columns, across)].map(|(side, apart)| (side - 1).saturating_mul(apart) + 1);
    let kernel = high.max(wide);
    if kernel > LARGEST_KERNEL {
        return Err(format!("its windows of {high} x {wide} pixels are not supported"));
    }
    let pads = padding(node, [high, wide], stride, size)?;
    // A row or a column is a square of which the rest is zero, and so are pixels that stand apart.
    let [above, left] = [high, wide].map(|side| (kernel - side) / 2);
    let around = [above, left, kernel - high - above, kernel - wide - left];
    let padding = match high == wide {
        true => pads,
        false => {
            let pads = pads.around(kernel, stride, size);
            sides([0, 1, 2, 3].map(|side| pads[side] + around[side]))
        }
    };
    let count = at.layers.room([outputs, inputs, kernel, kernel])?;
    let numbers = weights.reals()?;
    let weight = match [rows, columns] == [kernel; 2] {
        true => numbers.to_vec(),
        false => {
            let mut square = vec![0.0; count];
            for (from, to) in numbers.chunks(rows * columns).zip(square.chunks_mut(kernel * kernel)) {
                for (i, value) in from.iter().enumerate() {
                    let (row, column) = (above + i / columns * down, left + i % columns * across);
                    to[row * kernel + column] = *value;
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

/// A dense layer over a flat map is a convolution over all of it, and one over the channels of each pixel a 1x1.
fn dense<'a>(at: &mut Translation<'a>, node: &'a Node, name: &str) -> Result<Seen, String> {
    let (map, weights) = (at.map(node, 0)?, at.constant(node, 1)?);
    let gemm = node.op_type == "Gemm";
    let each_pixel = map.order == Order::ChannelsLast && !gemm;
    if !(each_pixel || matches!(map.order, Order::Flat | Order::FlatLast)) || whole(node, "transA", 0) != 0 {
        return Err("only of a flat map for each image, or of pixels with the channels last, it is supported".into());
    }
    let (size, channels) = (at.layers.size(map.layer), at.layers.channels(map.layer));
    let [h, w] = if each_pixel { [1, 1] } else { size };
    let [rows, columns] = weights.shape[..] else {
        return Err(format!(
            "its weights have the shape {:?}, where two axes belong",
            weights.shape
        ));
    };
    let turned = gemm && whole(node, "transB", 0) != 0;
    let (outputs, inputs) = if turned { (rows, columns) } else { (columns, rows) };
    if h != w || inputs != h * w * channels || outputs == 0 {
        return Err(format!(
            "it has weights for {inputs} values, and reads a map of {h} x {w} x {channels}"
        ));
    }
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
    Ok(Translation::made(
        layer,
        if each_pixel { map.order } else { Order::Flat },
    ))
}

fn pool<'a>(at: &mut Translation<'a>, node: &'a Node, name: &str) -> Result<Seen, String> {
    let map = at.first(node, 0)?;
    if dilations(node)? != [1, 1] {
        return Err("of pixels that stand apart it is not supported".into());
    }
    if at.is_read(node, 1) {
        return Err("where the largest values were is not supported".into());
    }
    let (kernel, stride) = (same(node, "kernel_shape", 0)?, same(node, "strides", 1)?);
    let around = padding(node, [kernel; 2], stride, at.layers.size(map.layer))?;
    let pool = Pool {
        kernel,
        stride,
        padding: around,
        ceil: whole(node, "ceil_mode", 0) != 0,
    };
    let counts_padding = whole(node, "count_include_pad", 0) != 0 && around != Padding::Each(0);
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
            let weight = vec![1.0 / (kernel * kernel) as f32; at.layers.room([channels, 1, kernel, kernel])?];
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
    along_channels(at, first, whole(node, "axis", 1))?;
    let size = at.layers.size(first.layer);
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
