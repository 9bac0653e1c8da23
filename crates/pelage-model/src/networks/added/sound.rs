//! Whether a graph that was read can be computed: every window lies on its map, and every two that meet have one shape.

use std::collections::HashSet;

use super::super::graph::{Graph, Node, Operation};
use super::super::windows::Padding;
use super::MOST_NODES;

/// The most channels of a map, and the most values of one: 1 GiB.
const MOST_CHANNELS: usize = 1 << 17;
const MOST_VALUES: usize = 1 << 28;
/// The most weights of a network: 2 GiB.
pub const MOST_WEIGHTS: usize = 1 << 29;
/// The largest kernel and the largest stride.
pub const LARGEST_KERNEL: usize = 128;

impl Graph {
    /// Refuses what cannot be computed for images of `size` `[h, w]`, or is absurdly large.
    ///
    /// # Errors
    /// Names the first such operation.
    pub(super) fn check_for(&self, size: [usize; 2]) -> Result<(), String> {
        if !(2..=MOST_NODES).contains(&self.nodes().len()) {
            let count = self.nodes().len().saturating_sub(1);
            return Err(format!(
                "it has {count} operations; 1 to {} are allowed",
                MOST_NODES - 1
            ));
        }
        let (mut sizes, mut names, mut weights) = (Vec::new(), HashSet::new(), 0usize);
        for node in self.nodes() {
            let refused = |reason: String| format!("the operation '{}' {reason}", node.name.escape_debug());
            if !is_name(&node.name) || !names.insert(&node.name) {
                return Err(refused("has no name of its own in plain letters".into()));
            }
            let inputs: Vec<_> = node
                .inputs
                .iter()
                .map(|&input| self.nodes().get(input).zip(sizes.get(input).copied()))
                .collect::<Option<_>>()
                .ok_or_else(|| refused("reads what comes after it".into()))?;
            let from = inputs.first().map_or(size, |(_, size)| *size);
            check(node, &inputs, sizes.is_empty()).map_err(refused)?;
            let to = node.output_size(from);
            check_map(to, node.channels).map_err(refused)?;
            let shapes = self.tensors(node);
            let counts = shapes
                .iter()
                .map(|(_, shape)| shape.iter().fold(1usize, |all, &n| all.saturating_mul(n)));
            weights = counts.fold(weights, usize::saturating_add);
            if weights > MOST_WEIGHTS {
                return Err(refused(format!(
                    "and those before it have more than {MOST_WEIGHTS} weights"
                )));
            }
            sizes.push(to);
        }
        Ok(())
    }
}

/// Whether layers may be called so: what their tensors are called follows from it, and a head has names of its own.
fn is_name(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "._-".contains(c);
    (1..=200).contains(&name.len()) && name.chars().all(plain) && !name.starts_with("head")
}

/// Refuses a node that does not fit its inputs, each with the size of its map.
fn check(node: &Node, inputs: &[(&Node, [usize; 2])], is_first: bool) -> Result<(), String> {
    let wanted = match &node.operation {
        Operation::Input => 0..1,
        Operation::Convolution(_) => 1..3,
        Operation::Add | Operation::Multiply => 2..3,
        Operation::Concatenate => 1..1000,
        _ => 1..2,
    };
    if !wanted.contains(&inputs.len()) || (node.operation == Operation::Input) != is_first {
        return Err(format!("has {} inputs", inputs.len()));
    }
    let Some(&(first, from)) = inputs.first() else {
        return match node.channels {
            3 => Ok(()),
            other => Err(format!("takes images of {other} channels; only those of 3 can be read")),
        };
    };
    let alike = |(other, size): &(&Node, [usize; 2])| *size == from && other.channels == first.channels;
    let same = |channels: usize| match node.channels == channels {
        true => Ok(()),
        false => Err(format!("has {} channels where it reads {channels}", node.channels)),
    };
    match &node.operation {
        Operation::Convolution(c) => {
            let padding = c.padding;
            check_windows(c.kernel, c.stride, padding, from)?;
            let divided =
                c.groups > 0 && first.channels.is_multiple_of(c.groups) && c.channels.is_multiple_of(c.groups);
            if !divided || c.channels == 0 || c.norm.is_some() {
                return Err(format!(
                    "makes {} channels of {} in {} groups",
                    c.channels, first.channels, c.groups
                ));
            }
            let to = node.output_size(from);
            match inputs.get(1) {
                Some((other, size)) if *size != to || other.channels != c.channels => {
                    Err("adds maps of different shapes".into())
                }
                _ => same(node.channels),
            }
        }
        Operation::MaxPool(pool) | Operation::MeanPool(pool) => {
            check_windows(pool.kernel, pool.stride, pool.padding, from)?;
            same(first.channels)
        }
        Operation::AveragePool { side: 1 } | Operation::Function(_) => same(first.channels),
        Operation::Pad(sides) if sides.iter().all(|&side| side <= LARGEST_KERNEL) => same(first.channels),
        Operation::Channels { first: start, count } => match start + count <= first.channels && *count > 0 {
            true => same(*count),
            false => Err(format!(
                "takes {count} channels from {start} on, where it reads {}",
                first.channels
            )),
        },
        Operation::Shuffle { groups } => match *groups > 0 && first.channels.is_multiple_of(*groups) {
            true => same(first.channels),
            false => Err(format!("shuffles {} channels in {groups} groups", first.channels)),
        },
        Operation::LayerNorm { epsilon } if *epsilon > 0.0 => same(first.channels),
        Operation::Concatenate => match inputs.iter().all(|(_, size)| *size == from) {
            true => same(inputs.iter().map(|(other, _)| other.channels).sum()),
            false => Err("joins maps of different sizes".into()),
        },
        Operation::Add | Operation::Multiply => {
            let vector = |(other, size): &(&Node, [usize; 2])| *size == [1, 1] && other.channels == first.channels;
            let fits = alike(&inputs[1]) || node.operation == Operation::Multiply && vector(&inputs[1]);
            match fits {
                true => same(first.channels),
                false => Err("takes maps of different shapes".into()),
            }
        }
        other => Err(format!("is {other:?}, which no added network has")),
    }
}

/// Refuses an empty map of `[h, w]`, and an absurdly large one.
///
/// # Errors
/// What is wrong with it, as words behind the name of what makes it.
pub fn check_map([h, w]: [usize; 2], channels: usize) -> Result<(), String> {
    let values = h.saturating_mul(w).saturating_mul(channels);
    match (1..=MOST_VALUES).contains(&values) && channels <= MOST_CHANNELS {
        true => Ok(()),
        false => Err(format!("makes a map of {h} x {w} x {channels}")),
    }
}

/// Refuses windows over a map of `[h, w]` that are larger than it, or that see nothing of it.
///
/// # Errors
/// What is wrong with them, as words behind the name of what has them.
pub fn check_windows(kernel: usize, stride: usize, padding: Padding, [h, w]: [usize; 2]) -> Result<(), String> {
    let in_range = (1..=LARGEST_KERNEL).contains(&kernel) && (1..=LARGEST_KERNEL).contains(&stride);
    let sides = match padding {
        Padding::Each(side) => [side; 4],
        Padding::Sides(sides) => sides,
        Padding::Same => [0; 4],
    };
    if !in_range || sides.iter().any(|&side| side >= kernel) {
        return Err(format!(
            "has windows of {kernel} pixels, {stride} apart, with {sides:?} around the map"
        ));
    }
    let [top, left, bottom, right] = padding.around(kernel, stride, [h, w]);
    match kernel <= h + top + bottom && kernel <= w + left + right {
        true => Ok(()),
        false => Err(format!(
            "has windows of {kernel} pixels, larger than its map of {h} x {w}"
        )),
    }
}
