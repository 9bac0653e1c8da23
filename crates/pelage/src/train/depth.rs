//! How far the layers of a backbone are from its head, for learning rates that fall with the distance (Howard and Ruder
//! 2018, *Universal Language Model Fine-tuning for Text Classification*, section 3.2).

use std::collections::BTreeMap;

use pelage_model::networks::graph::Graph;

/// For each tensor of the backbone the number of blocks between it and the head: 0 in the last block.
pub(super) fn distances(graph: &Graph) -> BTreeMap<String, i32> {
    let mut blocks: Vec<&str> = Vec::new();
    let mut found = BTreeMap::new();
    for node in graph.nodes().iter().take(graph.features() + 1) {
        let tensors = graph.tensors(node);
        let known = blocks.iter().position(|known| *known == block(&node.name));
        let number = match known {
            _ if tensors.is_empty() => continue,
            Some(number) => number,
            None => {
                blocks.push(block(&node.name));
                blocks.len() - 1
            }
        };
        found.extend(tensors.into_iter().map(|(name, _)| (name, number)));
    }
    let last = blocks.len() as i32 - 1;
    found
        .into_iter()
        .map(|(name, number)| (name, last - number as i32))
        .collect()
}

/// The block that a layer is part of: its name up to the last number that something comes after, or else up to the
/// first point.
fn block(name: &str) -> &str {
    let points: Vec<usize> = name.match_indices('.').map(|(at, _)| at).collect();
    let is_number = |end: usize| {
        let start = name[..end].rfind('.').map_or(0, |at| at + 1);
        name[start..end].bytes().all(|byte| byte.is_ascii_digit())
    };
    let numbered = points.iter().rev().find(|&&end| is_number(end));
    numbered.or(points.first()).map_or(name, |&end| &name[..end])
}

#[cfg(test)]
mod tests {
    use pelage_model::networks::{Architecture, Head};

    use super::*;

    #[test]
    fn layers_of_one_block_are_as_far_from_the_head() {
        for (name, expected) in [
            ("stem", "stem"),
            ("layer3.1.conv2", "layer3.1"),
            ("inception3a.branch2.0", "inception3a"),
            ("stages.2.reduce", "stages.2"),
            ("stages.2.blocks.4.scale", "stages.2.blocks.4"),
            ("blocks.11.attention.qkv", "blocks.11"),
            ("conv1_1", "conv1_1"),
        ] {
            assert_eq!(block(name), expected);
        }
        let of = |architecture: Architecture, names: [&str; 4]| {
            let found = distances(&architecture.graph_with(Some(&Head::linear()), [64, 64], 2));
            assert!(!found.contains_key("head.weight"));
            names.map(|name| found[name])
        };
        let resnet = [
            "layer4.1.conv2.norm.weight",
            "layer4.0.downsample.weight",
            "layer1.0.conv1.weight",
            "conv1.weight",
        ];
        assert_eq!(of(Architecture::ResNet18, resnet), [0, 1, 7, 8]);
        let mobile = [
            "top.weight",
            "blocks.16.project.weight",
            "blocks.0.depthwise.weight",
            "stem.weight",
        ];
        assert_eq!(of(Architecture::MobileNetV2, mobile), [0, 1, 17, 18]);
    }
}
