//! Groups layers into blocks, and finds repeated blocks.

/// One layer.
#[derive(Clone, Debug)]
pub(super) struct Item {
    pub(super) name: String,
    pub(super) kind: String,
    pub(super) shape: Vec<usize>,
    pub(super) parameters: u64,
    pub(super) multiply_adds: u64,
    /// Items that it reads, all of them earlier.
    pub(super) inputs: Vec<usize>,
    pub(super) ink: Ink,
}

/// The color of a layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ink {
    Convolution,
    Depthwise,
    Pooling,
    Dense,
    Other,
}

/// A piece of the network with one input, the output of the piece before it, and one output, that of its last item.
/// Every block of every network here is one.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Segment {
    /// The items of a block; of consecutive equal blocks, those of each.
    pub(super) blocks: Vec<Vec<usize>>,
}

impl Segment {
    /// Whether it has a frame.
    pub(super) fn is_framed(&self) -> bool {
        self.blocks[0].len() > 1
    }

    /// The block's name; of repeated blocks, with the number of the last: `layer1.1–2`.
    pub(super) fn title(&self, items: &[Item]) -> String {
        let name = |block: &[usize]| block_of(&items[block[0]].name).to_string();
        let first = name(&self.blocks[0]);
        match &self.blocks[1..] {
            [.., last] => {
                let last = name(last);
                format!("{first}–{}", last.rsplit('.').next().unwrap_or(&last))
            }
            [] => first,
        }
    }

    /// An item's name within its frame.
    pub(super) fn short_name<'a>(&self, items: &'a [Item], i: usize) -> &'a str {
        let name = &items[i].name;
        match self.is_framed() {
            true => name
                .strip_prefix(block_of(name))
                .and_then(|rest| rest.strip_prefix('.'))
                .unwrap_or(name),
            false => name,
        }
    }
}

/// Merges the items of a block, and repeated blocks, into segments.
pub(super) fn segments(items: &[Item]) -> Vec<Segment> {
    let mut segments: Vec<Segment> = Vec::new();
    let numbers: Vec<usize> = (0..items.len()).collect();
    for block in numbers.chunk_by(|&a, &b| block_of(&items[a].name) == block_of(&items[b].name)) {
        match segments.last_mut() {
            Some(last) if block.len() > 1 && signature(items, &last.blocks[0]) == signature(items, block) => {
                last.blocks.push(block.to_vec());
            }
            _ => segments.push(Segment {
                blocks: vec![block.to_vec()],
            }),
        }
    }
    segments
}

/// The block prefix of a name, with the index if there is one: `layer1.0` of `layer1.0.conv1`, `inception3a` of
/// `inception3a.branch2.0`.
fn block_of(name: &str) -> &str {
    let Some((first, rest)) = name.split_once('.') else {
        return name;
    };
    let number = rest.split('.').next().unwrap_or_default();
    match number.parse::<usize>() {
        Ok(_) => &name[..first.len() + 1 + number.len()],
        Err(_) => first,
    }
}

/// What two blocks must share to be drawn as one: everything except names and positions.
fn signature<'a>(items: &'a [Item], block: &[usize]) -> Vec<(&'a str, &'a str, &'a [usize], u64, Vec<Option<usize>>)> {
    let of = |&i: &usize| {
        let Item {
            name,
            kind,
            shape,
            parameters,
            inputs,
            ..
        } = &items[i];
        let inside = inputs.iter().map(|input| input.checked_sub(block[0])).collect();
        (
            &name[block_of(name).len()..],
            kind.as_str(),
            shape.as_slice(),
            *parameters,
            inside,
        )
    };
    block.iter().map(of).collect()
}
