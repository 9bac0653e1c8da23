//! A batch on its way through a network for inference. Early maps are large and early weights few: there, an image or
//! two at a time, a piece to a thread, leave the maps in that core's cache. Late weights are many and late maps small:
//! there, many images share each reading of the weights, and all threads an operation.

use burn::Tensor;
use burn::tensor::Device;
use rayon::prelude::*;

use super::graph::Graph;
use super::network::{Mode, Network};

/// Part of a network, up to a node that everything after it reads through.
#[derive(Debug, PartialEq)]
pub(crate) struct Stage {
    /// Its last node.
    pub(crate) to: usize,
    /// Images of a piece.
    pub(crate) images: usize,
}

/// Bytes of an operation's input and output that stay in a core's cache.
const CACHE: usize = 1 << 20;

impl Graph {
    /// The stages between node 0 and `to` for images of `size`, whose values have so many bytes; their pieces never
    /// become smaller.
    pub(crate) fn stages(&self, size: [usize; 2], to: usize, bytes: usize) -> Vec<Stage> {
        let (sizes, chains) = (self.sizes(size), self.chains());
        let values = |i: usize| sizes[i][0] * sizes[i][1] * self.nodes[i].channels;
        let inside = |i: usize| {
            let mut chains = chains.iter();
            self.is_block(i) || chains.any(|(&last, chain)| i != last && chain.contains(&i))
        };
        // Of the part since the last stage: weights, values of all maps that leave the cache, and those of the largest.
        let (mut weights, mut maps, mut largest) = (0, 0, 1);
        let mut stages = Vec::new();
        for i in 1..=to {
            let node = &self.nodes[i];
            weights += self
                .tensors(node)
                .iter()
                .map(|(_, shape)| shape.iter().product::<usize>())
                .sum::<usize>();
            if !inside(i) {
                let first = chains.get(&i).map_or(i, |chain| chain[0]);
                let read = self.nodes[first].inputs[..1].iter().chain(&node.inputs[1..]);
                let here = values(i) + read.map(|&input| values(input)).sum::<usize>();
                (maps, largest) = (maps + here, largest.max(here));
            }
            let is_read_over = self.nodes[i + 1..=to]
                .iter()
                .any(|node| node.inputs.iter().any(|&input| input < i));
            if i == to || !inside(i) && !is_read_over {
                // As many as the cache holds; more where reading the weights would cost more than reading the maps.
                let images = (CACHE / bytes / largest).max(weights.div_ceil(maps.max(1))).max(1);
                stages.push(Stage { to: i, images });
                (weights, maps, largest) = (0, 0, 1);
            }
        }
        for i in (1..stages.len()).rev() {
            stages[i - 1].images = stages[i - 1].images.min(stages[i].images);
        }
        stages.dedup_by(|later, earlier| {
            let same = later.images == earlier.images;
            earlier.to = if same { later.to } else { earlier.to };
            same
        });
        stages
    }
}

impl Network {
    /// [`Network::features`], faster for a batch: the same bits, computed in pieces.
    pub fn features_in_pieces(&self, pixels: Tensor<4>) -> Tensor<4> {
        let ([n, h, w, _], to) = (pixels.dims(), self.graph.features);
        let run = |map, from, to| self.run(map, from, to, Mode::Infer, &mut |_, value| value);
        // Gradients need one graph, and other devices whole batches.
        if n < 2 || pixels.device() != Device::flex() {
            return run(pixels, 0, to);
        }
        let (mut map, mut from) = (pixels, 0);
        for stage in self.graph.stages([h, w], to, 4) {
            let count = n.div_ceil(stage.images);
            map = match count >= rayon::current_num_threads().max(2) {
                true => {
                    let pieces = map.split(n.div_ceil(count), 0).into_par_iter();
                    Tensor::cat(pieces.map(|piece| run(piece, from, stage.to)).collect(), 0)
                }
                false => run(map, from, stage.to),
            };
            from = stage.to;
        }
        map
    }
}

#[cfg(test)]
mod tests {
    use super::super::Architecture;
    use super::*;
    use crate::values::{drawn, to_vec};

    const NETWORKS: [(Architecture, [usize; 2]); 7] = [
        (Architecture::Cnn3, [60, 44]),
        (Architecture::Lynx, [48, 64]),
        (Architecture::Vgg16, [32, 40]),
        (Architecture::ResNet18, [64, 50]),
        (Architecture::GoogLeNet, [64, 64]),
        (Architecture::MobileNetV2, [96, 64]),
        (Architecture::EfficientNetLite0, [64, 96]),
    ];

    #[test]
    fn stages_cover_the_network_and_end_where_one_map_is_alive() {
        for (architecture, size) in NETWORKS {
            let graph = architecture.graph(size, 5);
            let to = graph.nodes.len() - 1;
            let stages = graph.stages(size, to, 4);
            assert_eq!(stages.last().map(|stage| stage.to), Some(to));
            assert!(
                stages.is_sorted_by(|a, b| a.to < b.to && a.images < b.images),
                "{stages:?}"
            );
            for stage in &stages {
                let after = &graph.nodes[stage.to + 1..];
                assert!(
                    after
                        .iter()
                        .all(|node| node.inputs.iter().all(|&input| input >= stage.to))
                );
                assert!(graph.chains().values().all(|chain| {
                    let inside = chain[0]..chain[chain.len() - 1];
                    !inside.contains(&stage.to)
                }));
            }
        }
        // Large maps and few weights first, small maps and many weights last.
        let stages = Architecture::ResNet50.graph([224, 224], 5).stages([224, 224], 50, 4);
        assert!(stages.first().is_some_and(|stage| stage.images == 1), "{stages:?}");
        assert!(stages.last().is_some_and(|stage| stage.images > 4), "{stages:?}");
    }

    #[test]
    fn pieces_give_the_bits_of_one_forward_pass() {
        let device = Device::flex();
        for (architecture, size) in NETWORKS {
            let network = Network::new(architecture, size, 5, 3, &device).folded(|_| true);
            let pixels = drawn([9, size[0], size[1], 3], 0.0, 1.0, &mut 4);
            let whole = to_vec(network.features(pixels.clone()));
            // Of more threads than pieces, one would be all.
            let two = rayon::ThreadPoolBuilder::new().num_threads(2).build().unwrap();
            let pieces = two.install(|| to_vec(network.features_in_pieces(pixels)));
            assert_eq!(pieces, whole, "{architecture:?}");
        }
    }
}
