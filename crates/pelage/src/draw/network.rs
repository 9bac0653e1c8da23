//! A network diagram: layers, shapes and parameters, from top to bottom and in columns. SVG, without graphviz.

mod blocks;
mod draw;
mod label;
mod layout;

use blocks::{Ink, Item};
use pelage_model::networks::graph::{Graph, Operation};
use pelage_model::networks::summary;

/// The diagram of the network `graph`, called `name`, for images of `size` `[height, width]`.
///
/// Layers with a common prefix (`layer1.0.conv1`, `layer1.0.conv2`) share a frame; consecutive frames with the same
/// layers and shapes are drawn once, with their count. The tooltip of a box has all its names.
pub fn svg(name: &str, graph: &Graph, size: [usize; 2]) -> String {
    let items = items(graph, size);
    let columns = layout::columns(&items);
    draw::svg(name, &items, &columns)
}

/// Every node, and the final softmax.
fn items(graph: &Graph, [height, width]: [usize; 2]) -> Vec<Item> {
    let nodes = graph.nodes();
    let input = Item {
        name: nodes[0].name.clone(),
        kind: "pixels".into(),
        shape: vec![height, width, nodes[0].channels],
        parameters: 0,
        multiply_adds: 0,
        inputs: Vec::new(),
        ink: Ink::Other,
    };
    let layers = summary::of(graph, [height, width]).into_iter().enumerate();
    let items = layers.map(|(i, layer)| {
        let node = nodes.get(i + 1);
        Item {
            // The diagram draws the shortcut itself.
            kind: layer.kind.replace(" + shortcut", "").replace("batch norm", "BN"),
            name: layer.name,
            shape: layer.output_shape,
            parameters: layer.parameters,
            multiply_adds: layer.multiply_adds,
            inputs: node.map_or_else(|| vec![i], |node| node.inputs.clone()),
            ink: node.map_or(Ink::Other, |node| match &node.operation {
                Operation::Convolution(c) if c.groups > 1 => Ink::Depthwise,
                Operation::Convolution(_) => Ink::Convolution,
                Operation::MaxPool(_) | Operation::MeanPool(_) | Operation::AveragePool { .. } => Ink::Pooling,
                Operation::Dense { .. } => Ink::Dense,
                _ => Ink::Other,
            }),
        }
    });
    std::iter::once(input).chain(items).collect()
}

#[cfg(test)]
mod tests {
    use pelage_model::networks::Architecture;

    use super::*;

    fn drawn(architecture: Architecture) -> (Vec<Item>, Vec<layout::Column>, String) {
        let graph = architecture.graph([64, 64], 10);
        let items = items(&graph, [64, 64]);
        let columns = layout::columns(&items);
        (items, columns, svg(architecture.name(), &graph, [64, 64]))
    }

    #[test]
    fn every_layer_of_every_network_is_drawn_once_and_named() {
        for architecture in Architecture::ALL {
            let (items, columns, svg) = drawn(architecture);
            resvg::usvg::roxmltree::Document::parse(&svg).unwrap();
            for item in &items {
                assert!(
                    svg.contains(&format!("{}\n", item.name)),
                    "{}: {}",
                    architecture.name(),
                    item.name
                );
            }
            let parameters: u64 = items.iter().map(|item| item.parameters).sum();
            let shown: u64 = columns
                .iter()
                .flat_map(|column| &column.segments)
                .flat_map(|placed| {
                    let times = placed.segment.blocks.len() as u64;
                    placed.segment.blocks[0].iter().map(move |&i| (i, times))
                })
                .map(|(i, times)| items[i].parameters * times)
                .sum();
            assert_eq!(shown, parameters, "{}", architecture.name());
        }
    }

    #[test]
    fn no_box_lies_on_another_and_all_lie_on_the_page() {
        for architecture in Architecture::ALL {
            let (_, _, svg) = drawn(architecture);
            let document = resvg::usvg::roxmltree::Document::parse(&svg).unwrap();
            let number = |node: &resvg::usvg::roxmltree::Node, name: &str| -> f64 {
                node.attribute(name).unwrap().parse().unwrap()
            };
            let page = document.root_element();
            let (width, height) = (number(&page, "width"), number(&page, "height"));
            let boxes: Vec<[f64; 4]> = document
                .descendants()
                .filter(|node| node.attribute("class") == Some("box"))
                .map(|node| ["x", "y", "width", "height"].map(|name| number(&node, name)))
                .collect();
            for (i, a) in boxes.iter().enumerate() {
                assert!(a[0] >= 0.0 && a[1] >= 0.0 && a[0] + a[2] <= width && a[1] + a[3] <= height);
                for b in &boxes[..i] {
                    let apart =
                        a[0] + a[2] <= b[0] || b[0] + b[2] <= a[0] || a[1] + a[3] <= b[1] || b[1] + b[3] <= a[1];
                    assert!(apart, "{}: {a:?} {b:?}", architecture.name());
                }
            }
        }
    }

    #[test]
    fn repeated_blocks_are_folded() {
        let (items, columns, svg) = drawn(Architecture::ResNet50);
        let folds: Vec<_> = columns
            .iter()
            .flat_map(|column| &column.segments)
            .filter(|placed| placed.segment.blocks.len() > 1)
            .map(|placed| (placed.segment.title(&items), placed.segment.blocks.len()))
            .collect();
        let expected = [
            ("layer1.1–2", 2),
            ("layer2.1–3", 3),
            ("layer3.1–5", 5),
            ("layer4.1–2", 2),
        ];
        assert_eq!(folds, expected.map(|(title, count)| (title.to_string(), count)));
        assert!(svg.contains("× 5"));
    }
}
