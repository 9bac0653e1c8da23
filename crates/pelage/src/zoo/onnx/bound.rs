//! How many pieces a file has, counted before any of them is made: a message of two bytes becomes one of two hundred in
//! memory, so that a file of nothing else would take a hundred times its size.

use prost::bytes::Buf;
use prost::encoding::{DecodeContext, WireType, decode_key, decode_varint, skip_field};

/// The most fields and numbers, other than tensors, of all messages together. Networks of a thousand layers have a
/// hundred thousand.
const MOST: usize = 1_000_000;

/// A message: its fields that are messages, and those that are lists of whole numbers.
struct Kind {
    messages: &'static [(u32, &'static Kind)],
    numbers: &'static [u32],
}

const LEAF: Kind = Kind {
    messages: &[],
    numbers: &[],
};
/// `dims`, `int32_data`, `int64_data`; `external_data`.
const TENSOR: Kind = Kind {
    messages: &[(13, &LEAF)],
    numbers: &[1, 5, 7],
};
/// `t`; `ints`.
const ATTRIBUTE: Kind = Kind {
    messages: &[(5, &TENSOR)],
    numbers: &[8],
};
const NODE: Kind = Kind {
    messages: &[(5, &ATTRIBUTE)],
    numbers: &[],
};
const AXES: Kind = Kind {
    messages: &[(1, &LEAF)],
    numbers: &[],
};
const TENSOR_KIND: Kind = Kind {
    messages: &[(2, &AXES)],
    numbers: &[],
};
const TYPE: Kind = Kind {
    messages: &[(1, &TENSOR_KIND)],
    numbers: &[],
};
const VALUE: Kind = Kind {
    messages: &[(2, &TYPE)],
    numbers: &[],
};
/// `node`, `initializer`, `input`, `output`.
const GRAPH: Kind = Kind {
    messages: &[(1, &NODE), (5, &TENSOR), (11, &VALUE), (12, &VALUE)],
    numbers: &[],
};
/// `graph`, `opset_import`, `metadata_props`.
const MODEL: Kind = Kind {
    messages: &[(7, &GRAPH), (8, &LEAF), (14, &LEAF)],
    numbers: &[],
};

/// Refuses the bytes of a file of too many pieces, and what is no message at all.
pub(super) fn check(bytes: &[u8]) -> Result<(), String> {
    let mut left = MOST;
    count(bytes, &MODEL, &mut left)
}

fn count(mut bytes: &[u8], kind: &Kind, left: &mut usize) -> Result<(), String> {
    let damaged = |failure: prost::DecodeError| format!("is no ONNX file, or damaged: {failure}");
    while bytes.has_remaining() {
        let (tag, wire) = decode_key(&mut bytes).map_err(damaged)?;
        let mut pieces = 1;
        if wire == WireType::LengthDelimited {
            let length = decode_varint(&mut bytes).map_err(damaged)?;
            let length = usize::try_from(length).ok().filter(|&length| length <= bytes.len());
            let (inner, rest) = bytes.split_at(length.ok_or("is no ONNX file, or cut off in the middle")?);
            bytes = rest;
            match kind.messages.iter().find(|(known, _)| *known == tag) {
                Some((_, inner_kind)) => count(inner, inner_kind, left)?,
                // A number takes a byte at least.
                None if kind.numbers.contains(&tag) => pieces += inner.len(),
                None => {}
            }
        } else {
            skip_field(wire, tag, &mut bytes, DecodeContext::default()).map_err(damaged)?;
        }
        *left = left
            .checked_sub(pieces)
            .ok_or_else(|| format!("has more than {MOST} parts, more than any network needs"))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_small_parts_are_refused_before_they_are_made() {
        // A graph of a million nodes of nothing, two bytes each.
        let nodes = [0x0a, 0x00].repeat(MOST + 1);
        let mut file = vec![0x3a];
        prost::encoding::encode_varint(nodes.len() as u64, &mut file);
        file.extend(nodes);
        assert!(check(&file).unwrap_err().contains("parts"));
        // Raw numbers of a tensor are no parts.
        let mut tensor = vec![0x4a];
        prost::encoding::encode_varint(2_000_000, &mut tensor);
        tensor.extend(vec![7; 2_000_000]);
        let mut graph = vec![0x2a];
        prost::encoding::encode_varint(tensor.len() as u64, &mut graph);
        graph.extend(tensor);
        let mut file = vec![0x3a];
        prost::encoding::encode_varint(graph.len() as u64, &mut file);
        file.extend(graph);
        assert_eq!(check(&file), Ok(()));
        file.truncate(1000);
        assert!(check(&file).unwrap_err().contains("cut off"));
    }
}
