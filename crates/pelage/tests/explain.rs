//! Heat maps and projections against PyTorch (`fixtures/torch/grad_cam.py`), and their other properties.

use std::path::Path;
use std::sync::Arc;

use burn::tensor::{Device, Tensor, TensorData};
use pelage::Model;
use pelage::data::cache::{Cache, CacheMode, DecodedImages};
use pelage::data::catalog::Catalog;
use pelage::data::preprocess::Preprocessing;
use pelage::explain::deconvnet::{self, Stop};
use pelage::explain::grad_cam::{Variant, grad_cam, grad_cam_plus_plus, heatmaps};
use pelage::explain::occlusion::{Square, occlusion};
use pelage::explain::strongest::{Excited, Most, strongest};
use pelage::explain::{self, feature_maps, filters, heat, layer, layers, receptive_field::receptive_field};
use pelage::model::networks::graph::Graph;
use pelage::model::networks::{Architecture, Head, Mode, Network};
use pelage::model::saved::Facts;
use pelage::model::trust::Judge;
use pelage::model::values::{Named, to_vec};
use pelage::model::weights;
use safetensors::SafeTensors;
use support::formula;

mod support;

const SIZE: [usize; 2] = [24, 26];
const CLASS: usize = 1;

fn pixels([h, w]: [usize; 2]) -> Tensor<4> {
    Tensor::from_data(
        TensorData::new(formula::pixels(h * w * 3), [1, h, w, 3]),
        &Device::flex(),
    )
}

/// A network with the formula's weights.
fn of_graph(graph: Graph) -> Network {
    let tensors = graph.nodes().iter().flat_map(|node| graph.tensors(node));
    let values: Named = tensors
        .map(|(name, shape)| (name.clone(), formula::values(&name, &shape)))
        .collect();
    Network::assemble(graph, values, &Device::flex()).unwrap()
}

fn cnn3(size: [usize; 2]) -> Network {
    of_graph(Architecture::Cnn3.graph(size, 3))
}

fn of_zoo(architecture: Architecture) -> Network {
    let records: serde_json::Value = serde_json::from_str(include_str!("fixtures/torch/zoo.json")).unwrap();
    let records = records.as_array().unwrap();
    let record = records
        .iter()
        .find(|record| record["architecture"] == architecture.name())
        .unwrap();
    let tensors: Vec<(String, Vec<usize>)> = serde_json::from_value(record["tensors"].clone()).unwrap();
    let named: Named = tensors
        .into_iter()
        .map(|(name, shape)| (name.clone(), formula::values(&name, &shape)))
        .collect();
    let found = weights::from_named(named, architecture).unwrap();
    found.network(&Device::flex()).unwrap().folded(|_| true)
}

fn resnet18() -> Network {
    of_zoo(Architecture::ResNet18)
}

fn model(network: Network, [h, w]: [usize; 2]) -> Model {
    let preprocessing = Preprocessing {
        width: w as u32,
        height: h as u32,
        ..Preprocessing::new(8)
    };
    Model {
        network,
        others: Vec::new(),
        facts: Facts {
            architecture: Architecture::Cnn3,
            head: None,
            flip: false,
            classes: ["a", "b", "c"].map(String::from).to_vec(),
            preprocessing,
            together: None,
            training: serde_json::Value::Null,
        },
        judge: Judge::default(),
        narrow: None,
    }
}

struct Recorded(Vec<u8>);

impl Recorded {
    fn read() -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/torch/grad_cam.safetensors");
        Recorded(std::fs::read(path).unwrap())
    }

    fn get(&self, name: &str) -> Vec<f32> {
        let file = SafeTensors::deserialize(&self.0).unwrap();
        let bytes = file.tensor(name).unwrap().data().to_vec();
        bytes
            .chunks_exact(4)
            .map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]))
            .collect()
    }
}

/// Largest difference over largest value.
#[track_caller]
fn assert_close(ours: &[f32], theirs: &[f32], tolerance: f32, what: &str) {
    assert_eq!(ours.len(), theirs.len(), "{what}");
    let largest = theirs.iter().fold(0f32, |largest, x| largest.max(x.abs()));
    let error = ours.iter().zip(theirs).fold(
        0f32,
        |error, (a, b)| if a.is_nan() { f32::MAX } else { error.max((a - b).abs()) },
    );
    println!("{what}: {:e}", error / largest);
    assert!(error <= tolerance * largest, "{what}: off by {error} of {largest}");
}

#[test]
fn grad_cam_equals_pytorch() {
    let recorded = Recorded::read();
    let nets = [
        (cnn3(SIZE), SIZE, "cnn3", [("pool3", "pool3"), ("conv2", "conv2")]),
        (
            resnet18(),
            [64, 80],
            "resnet18",
            [("layer4", "layer4.1.conv2"), ("layer3", "layer3.1.conv2")],
        ),
    ];
    for (network, size, name, at) in nets {
        for (theirs, ours) in at {
            let index = layer(network.graph(), Some(ours)).unwrap();
            for (variant, kind) in [(Variant::GradCam, "grad-cam"), (Variant::PlusPlus, "plus-plus")] {
                let maps = heatmaps(&network, pixels(size), &[CLASS], index, variant).unwrap();
                let what = format!("{name}/{theirs}/{kind}");
                assert_close(&maps[0].values, &recorded.get(&what), 1e-4, &what);
            }
        }
    }
    let network = cnn3(SIZE);
    let logits = to_vec(network.forward(pixels(SIZE), Mode::Infer));
    assert_close(&logits, &recorded.get("cnn3/logits"), 1e-5, "logits");
    let model = model(network, SIZE);
    let map = grad_cam(&model, pixels(SIZE), CLASS).unwrap();
    assert_eq!([map.height, map.width], [3, 3]);
    assert_close(&map.values, &recorded.get("cnn3/pool3/grad-cam"), 1e-5, "grad_cam");
    let map = grad_cam_plus_plus(&model, pixels(SIZE), CLASS).unwrap();
    assert_close(
        &map.values,
        &recorded.get("cnn3/pool3/plus-plus"),
        1e-5,
        "grad_cam_plus_plus",
    );
    assert!(
        grad_cam(&model, pixels(SIZE), 3)
            .unwrap_err()
            .to_string()
            .contains("class is 3")
    );
}

#[test]
fn a_transformer_is_explained_by_what_its_last_block_reads() {
    let network = of_zoo(Architecture::DinoV2Small);
    let graph = network.graph();
    let last = layer(graph, None).unwrap();
    assert_eq!(graph.nodes()[last].name, "blocks.10.mlp.scale");
    assert_eq!(layers(graph).len(), 1, "rows of tokens are no maps to look at");
    let maps = heatmaps(&network, pixels([70, 84]), &[CLASS], last, Variant::GradCam).unwrap();
    assert_eq!([maps[0].height, maps[0].width], [5, 6]);
    assert_close(
        &maps[0].values,
        &Recorded::read().get("dinov2/grad-cam"),
        1e-4,
        "dinov2",
    );
}

#[test]
fn images_of_a_batch_are_independent() {
    let network = cnn3(SIZE);
    let other = pixels(SIZE).flip([1]);
    let both = Tensor::cat(vec![pixels(SIZE), other.clone()], 0);
    let last = network.graph().features();
    let together = heatmaps(&network, both.clone(), &[0, 2], last, Variant::GradCam).unwrap();
    let alone = heatmaps(&network, other.clone(), &[2], last, Variant::GradCam).unwrap();
    assert_close(&together[1].values, &alone[0].values, 1e-5, "heat map");
    let together = deconvnet::project(&network, both, last, &[7, 9], Stop::Guided).unwrap();
    let alone = deconvnet::project(&network, other, last, &[9], Stop::Guided).unwrap();
    assert_eq!(together[1].position, alone[0].position);
    assert_close(&together[1].values, &alone[0].values, 1e-5, "projection");
}

#[test]
fn the_deconvnet_equals_pytorch() {
    let recorded = Recorded::read();
    let check = |network: &Network, size, name: &str, ours: &str, step: usize| {
        let channel = recorded.get(&format!("{name}/channel"))[0] as usize;
        let index = layer(network.graph(), Some(ours)).unwrap();
        for (stop, kind) in [(Stop::Deconvnet, "projection"), (Stop::Guided, "guided")] {
            let found = deconvnet::project(network, pixels(size), index, &[channel], stop).unwrap();
            let values: Vec<f32> = found[0].values.iter().copied().step_by(step).collect();
            let what = format!("{name}/{kind}");
            assert_close(&values, &recorded.get(&what), 1e-4, &what);
        }
        assert!(deconvnet::project(network, pixels(size), index, &[9999], Stop::Deconvnet).is_err());
    };
    let network = cnn3(SIZE);
    check(&network, SIZE, "cnn3/pool3", "pool3", 1);
    check(&network, SIZE, "cnn3/conv2", "conv2", 1);
    let network = resnet18();
    check(&network, [64, 80], "resnet18/layer3", "layer3.1.conv2", 5);
    check(&network, [64, 80], "resnet18/layer4", "layer4.1.conv2", 5);
}

#[test]
fn occlusion_equals_a_plain_loop() {
    let model = model(cnn3(SIZE), SIZE);
    let square = Square { side: 7, stride: 5 };
    let found = occlusion(&model, pixels(SIZE) * 0.25, CLASS, square).unwrap();
    let [h, w] = SIZE;
    // Small values, so that no probability is close to 0 or 1.
    let image: Vec<f32> = formula::pixels(h * w * 3).iter().map(|value| value * 0.25).collect();
    let mean = |channel: usize| {
        let sum: f64 = (0..h * w).map(|i| f64::from(image[i * 3 + channel])).sum();
        (sum / (h * w) as f64) as f32
    };
    let probability = |values: Vec<f32>| {
        let pixels = Tensor::from_data(TensorData::new(values, [1, h, w, 3]), &Device::flex());
        to_vec(model.probabilities(pixels))[CLASS]
    };
    let whole = probability(image.clone());
    assert_eq!([found.heatmap.height, found.heatmap.width], [5, 6]);
    let mut lost = Vec::new();
    for row in 0..5 {
        for column in 0..6 {
            let mut hidden = image.clone();
            // Seven pixels around the cell's center; if that is between two pixels, one more before it than after it.
            let near = |pixel: usize, cell: usize, cells: usize, length: usize| {
                let middle = ((2 * cell + 1) * length / cells) as f64 / 2.0;
                (-3.6..3.1).contains(&(pixel as f64 + 0.5 - middle))
            };
            for y in (0..h).filter(|&y| near(y, row, 5, h)) {
                for x in (0..w).filter(|&x| near(x, column, 6, w)) {
                    (0..3).for_each(|channel| hidden[(y * w + x) * 3 + channel] = mean(channel));
                }
            }
            lost.push((whole - probability(hidden)).max(0.0));
        }
    }
    let most = lost.iter().fold(0f32, |most, &lost| most.max(lost));
    assert!(most > 0.01, "something is lost: {most}");
    // As they are: what costs little in one picture is dark, whatever else that picture shows.
    assert_close(&found.heatmap.values, &lost, 1e-5, "occlusion");
    assert!((found.probability - whole).abs() < 1e-6 && (whole - most - found.least).abs() < 1e-5);
    for wrong in [
        Square { side: 0, stride: 1 },
        Square { side: 25, stride: 1 },
        Square { side: 3, stride: 0 },
    ] {
        assert!(occlusion(&model, pixels(SIZE), CLASS, wrong).is_err());
    }
}

#[test]
fn receptive_fields_by_hand() {
    let field = |architecture: Architecture, size: usize, name: &str, position: [usize; 2]| {
        let graph = architecture.graph([size; 2], 3);
        let index = layer(&graph, Some(name)).unwrap();
        receptive_field(&graph, [size; 2], index, position)
    };
    // 3 + 1, 8 + 2 and 18 + 4 pixels, with a stride of eight, the first from -7 on.
    assert_eq!(field(Architecture::Cnn3, 150, "pool3", [5, 6]), [33..55, 41..63]);
    assert_eq!(field(Architecture::Cnn3, 150, "pool3", [0, 17]), [0..15, 129..150]);
    assert_eq!(field(Architecture::Cnn3, 150, "conv1", [9, 9]), [8..11, 8..11]);
    assert_eq!(field(Architecture::ResNet18, 224, "conv1", [10, 20]), [17..24, 37..44]);
    assert_eq!(
        field(Architecture::ResNet18, 224, "maxpool", [10, 20]),
        [35..46, 75..86]
    );
    // Two more convolutions of three with a stride of four; the shortcut sees less.
    assert_eq!(
        field(Architecture::ResNet18, 224, "layer1.0.conv2", [10, 20]),
        [27..54, 67..94]
    );
    // TensorFlow pads an even side with one zero at the end.
    assert_eq!(
        field(Architecture::EfficientNetLite0, 224, "stem", [3, 111]),
        [6..9, 222..224]
    );
    // The widest branch counts: two convolutions of three and the pooling after them.
    let [rows, _] = field(Architecture::GoogLeNet, 224, "inception3a", [14, 14]);
    let [narrow, _] = field(Architecture::GoogLeNet, 224, "inception3a.branch1", [14, 14]);
    assert_eq!((rows.start + 8, rows.end - 8), (narrow.start, narrow.end));
}

#[test]
fn nothing_outside_the_receptive_field_matters() {
    let (network, size) = (resnet18(), [64, 80]);
    let index = layer(network.graph(), Some("layer1.1.conv2")).unwrap();
    let [h, w] = size;
    let before = feature_maps::feature_maps(&network, pixels(size), &[index]).swap_remove(0);
    for position in [[0, 0], [7, 9], [15, 19]] {
        let [rows, columns] = receptive_field(network.graph(), size, index, position);
        let change = |inside: bool| {
            let values = formula::pixels(h * w * 3).into_iter().enumerate().map(|(i, value)| {
                let (y, x) = (i / 3 / w, i / 3 % w);
                let is_inside = rows.contains(&y) && columns.contains(&x);
                let edge = y == rows.start || y + 1 == rows.end || x == columns.start || x + 1 == columns.end;
                if (inside && is_inside && edge) || (!inside && !is_inside) {
                    -value
                } else {
                    value
                }
            });
            let data = TensorData::new(values.collect::<Vec<f32>>(), [1, h, w, 3]);
            let pixels = Tensor::from_data(data, &Device::flex());
            feature_maps::feature_maps(&network, pixels, &[index]).swap_remove(0)
        };
        let at = |map: &feature_maps::FeatureMap| {
            let [_, w, c] = map.shape;
            map.values[(position[0] * w + position[1]) * c..][..c].to_vec()
        };
        assert_close(&at(&change(false)), &at(&before), 1e-6, "outside");
        assert_ne!(at(&change(true)), at(&before), "the edge of the field");
    }
}

#[test]
fn feature_maps_equal_the_fused_computation() {
    let network = cnn3(SIZE);
    let maps = feature_maps::feature_maps(&network, pixels(SIZE), &layers(network.graph()));
    let names: Vec<_> = maps.iter().map(|map| map.layer.as_str()).collect();
    assert_eq!(names, ["conv1", "pool1", "conv2", "pool2", "conv3", "pool3"]);
    let mut fused = Vec::new();
    network.forward_with(pixels(SIZE), Mode::Infer, &mut |name, value| {
        fused.push((name.to_string(), to_vec(value.clone())));
        value
    });
    for (name, values) in fused.iter().filter(|(name, _)| name.starts_with("pool")) {
        let map = maps.iter().find(|map| map.layer == *name).unwrap();
        assert_close(&map.values, values, 1e-5, name);
    }
    // A pooled value is the largest of its four.
    let ([conv, pool], [_, w, c]) = ([&maps[0], &maps[1]], maps[0].shape);
    let largest = [0, c, w * c, w * c + c].map(|i| conv.values[2 * (3 * w + 4) * c + i]);
    let pooled = pool.values[(3 * pool.shape[1] + 4) * c];
    assert_eq!(largest.into_iter().fold(0f32, f32::max), pooled);
    assert!(maps[0].sheet().unwrap().width() > 300);
    let strongest = maps[5].strongest(3);
    let most = |channel: usize| {
        maps[5]
            .values
            .iter()
            .skip(channel)
            .step_by(64)
            .fold(0f32, |a, &b| a.max(b))
    };
    assert!(
        (0..64)
            .filter(|channel| !strongest.contains(channel))
            .all(|other| most(other) <= most(strongest[2]))
    );
}

#[test]
fn an_unknown_layer_is_an_error_that_lists_the_known_ones() {
    let graph = Architecture::Cnn3.graph(SIZE, 3);
    assert_eq!(layer(&graph, None).unwrap(), graph.features());
    for name in ["dense1", "conv4", ""] {
        let said = layer(&graph, Some(name)).unwrap_err().to_string();
        assert!(said.contains("conv1, pool1, conv2, pool2, conv3, pool3"), "{said}");
    }
}

#[test]
fn filters_are_the_first_layers_weights() {
    let network = cnn3(SIZE);
    let (filters, weights) = (filters::filters(&network), to_vec(network.kernel("conv1").unwrap()));
    assert_eq!((filters.len(), filters[0].dimensions()), (32, (3, 3)));
    let filter = &weights[27 * 5..][..27];
    let most = filter.iter().fold(0f32, |most, weight| most.max(weight.abs()));
    let green = filter[9 + 3 * 2 + 1];
    assert_eq!(
        filters[5].get_pixel(1, 2)[1],
        (127.5 + 127.5 * green / most).round() as u8
    );
}

#[test]
fn every_architecture_is_explained() {
    for architecture in Architecture::ALL {
        let size = [32, 35];
        let head = Head::linear();
        let head = (architecture != Architecture::Cnn3).then_some(&head);
        let network = of_graph(architecture.graph_with(head, size, 3)).folded(|_| true);
        let (last, name) = (network.graph().features(), architecture.name());
        for variant in [Variant::GradCam, Variant::PlusPlus] {
            let map = heatmaps(&network, pixels(size), &[2], last, variant)
                .unwrap()
                .swap_remove(0);
            assert_eq!([map.height, map.width], network.graph().sizes(size)[last], "{name}");
            assert!(
                map.values.iter().all(|value| (0.0..=1.0).contains(value)),
                "{name}: {map:?}"
            );
        }
        let map = feature_maps::feature_maps(&network, pixels(size), &[last]).swap_remove(0);
        let strongest = map.strongest(1);
        let projection = deconvnet::project(&network, pixels(size), last, &strongest, Stop::Deconvnet).unwrap();
        let values = &projection[0].values;
        assert!(values.iter().all(|value| value.is_finite()), "{name}");
        assert!(values.iter().any(|&value| value != 0.0), "{name}: nothing came back");
        assert_eq!(values.len(), 32 * 35 * 3);
    }
}

#[test]
fn a_deconvnet_is_left_out_where_it_knows_nothing_of_the_image() {
    for architecture in Architecture::ALL {
        let size = [32, 32];
        let head = Head::linear();
        let head = (architecture != Architecture::Cnn3).then_some(&head);
        let network = of_graph(architecture.graph_with(head, size, 3)).folded(|_| true);
        let last = network.graph().features();
        let name = architecture.name();
        let pools = !["mobilenet", "efficientnet", "convnext", "dinov2"]
            .iter()
            .any(|family| name.starts_with(family));
        assert_eq!(
            Stop::useful(network.graph(), last).contains(&Stop::Deconvnet),
            pools,
            "{name}"
        );
        assert!(Stop::useful(network.graph(), last).contains(&Stop::Guided));
        // What else there is of the image in these is in a few factors.
        if pools
            || !["mobilenet_v2", "efficientnet_lite"]
                .iter()
                .any(|family| name.starts_with(family))
        {
            continue;
        }
        // The claim itself: in two images a peak at the same place has the same projection, but for its scale.
        let before = to_vec(explain::unsaturated(&network, pixels(size), last));
        let map = feature_maps::feature_maps(&network, pixels(size), &[last]).swap_remove(0);
        let strongest = feature_maps::FeatureMap { values: before, ..map }.strongest(1);
        let [a, b] = [1.0, -0.7].map(|scale| {
            let found = deconvnet::project(&network, pixels(size) * scale, last, &strongest, Stop::Deconvnet).unwrap();
            let most = found[0].values.iter().fold(0f32, |most, value| most.max(value.abs()));
            let scaled = found[0].values.iter().map(|value| value / most.max(f32::MIN_POSITIVE));
            (found[0].position, scaled.collect::<Vec<_>>())
        });
        if a.0 == b.0 {
            assert_close(&a.1, &b.1, 1e-3, name);
        }
    }
}

#[test]
fn channels_are_ranked_before_a_relu6() {
    let size = [32, 35];
    let graph = Architecture::MobileNetV2.graph_with(Some(&Head::linear()), size, 3);
    let last = graph.features();
    // Weights of the last layer so large that many of its channels end at 6.
    let prefix = format!("{}.", graph.nodes()[last].name);
    let tensors = graph.nodes().iter().flat_map(|node| graph.tensors(node));
    let values: Named = tensors
        .map(|(name, shape)| {
            let mut values = formula::values(&name, &shape);
            if name.starts_with(&prefix) && shape.len() == 4 {
                values.data.iter_mut().for_each(|value| *value *= 1e5);
            }
            (name, values)
        })
        .collect();
    let network = Network::assemble(graph, values, &Device::flex())
        .unwrap()
        .folded(|_| true);
    let strong = pixels(size);
    let map = feature_maps::feature_maps(&network, strong.clone(), &[last]).swap_remove(0);
    let before = to_vec(explain::unsaturated(&network, strong.clone(), last));
    let clamped: Vec<f32> = before.iter().map(|value| value.clamp(0.0, 6.0)).collect();
    assert_close(&clamped, &map.values, 1e-4, "ReLU6 of what is before it");
    let full = map.values.iter().filter(|&&value| value == 6.0).count();
    assert!(full > 10, "{full} of {} are full", map.values.len());
    let ranked = feature_maps::FeatureMap {
        values: before.clone(),
        ..map.clone()
    };
    let [h, w, c] = map.shape;
    let peak = |channel: usize| (0..h * w).map(|at| before[at * c + channel]).fold(f32::MIN, f32::max);
    let best = (0..c).max_by(|&a, &b| peak(a).total_cmp(&peak(b))).unwrap();
    assert_eq!(ranked.strongest(1), [best]);
    let projection = deconvnet::project(&network, strong, last, &[best], Stop::Guided)
        .unwrap()
        .swap_remove(0);
    assert!(
        (projection.activation - peak(best)).abs() <= 1e-4 * peak(best),
        "{projection:?}"
    );
    assert!(projection.activation > 6.0);
}

#[test]
fn a_heat_map_of_nothing_is_known() {
    let zero = heat::Heatmap {
        height: 1,
        width: 2,
        values: vec![0.0; 2],
    };
    assert!(zero.is_zero());
    let some = heat::Heatmap {
        values: vec![0.0, 0.1],
        ..zero
    };
    assert!(!some.is_zero());
}

#[test]
fn the_strongest_images_are_the_first_of_a_sorted_list() {
    let folder = tempfile::tempdir().unwrap();
    for i in 0..21usize {
        let class = folder.path().join(["a", "b"][i % 2]);
        std::fs::create_dir_all(&class).unwrap();
        let noise = formula::pixels((i + 1) * SIZE[0] * SIZE[1] * 3);
        let bytes = noise[i * SIZE[0] * SIZE[1] * 3..]
            .iter()
            .map(|v| (v * 60.0 + 128.0) as u8);
        let image = image::RgbImage::from_raw(SIZE[1] as u32, SIZE[0] as u32, bytes.collect()).unwrap();
        image.save(class.join(format!("{i}.png"))).unwrap();
    }
    let (model, device) = (model(cnn3(SIZE), SIZE), Device::flex());
    let catalog = Catalog::from_source(folder.path(), None).unwrap();
    let images = DecodedImages::open(
        Arc::new(catalog),
        &model.facts.preprocessing,
        &Cache::new(CacheMode::Ram),
        &|_| {},
    )
    .unwrap();
    let images = Arc::new(images);
    let (index, most) = (
        layer(model.network.graph(), Some("conv3")).unwrap(),
        Most { channels: 5, images: 4 },
    );
    let mut heard = 0;
    let found = strongest(&model, &images, index, most, &device, &mut |done| heard = done).unwrap();
    assert_eq!((found.len(), heard), (5, 21));

    let mut all: Vec<Vec<Excited>> = vec![Vec::new(); 64];
    for i in 0..images.len() {
        let bytes = images.pixels(i).unwrap().into_owned();
        let mut values = vec![0.0; bytes.len()];
        model.facts.preprocessing.normalize(&bytes, &mut values);
        let pixels = Tensor::from_data(TensorData::new(values, [1, SIZE[0], SIZE[1], 3]), &device);
        let map = feature_maps::feature_maps(&model.network, pixels, &[index]).swap_remove(0);
        for (channel, all) in all.iter_mut().enumerate() {
            let mut best = Excited {
                image: i,
                position: [0, 0],
                activation: f32::MIN,
                mean: map.values.iter().skip(channel).step_by(64).sum::<f32>() / (map.values.len() / 64) as f32,
            };
            for (place, &activation) in map.values.iter().skip(channel).step_by(64).enumerate() {
                if activation > best.activation {
                    best = Excited {
                        activation,
                        position: [place / map.shape[1], place % map.shape[1]],
                        ..best
                    };
                }
            }
            all.push(best);
        }
    }
    all.iter_mut()
        .for_each(|all| all.sort_by(|a, b| b.activation.total_cmp(&a.activation)));
    let mut order: Vec<usize> = (0..64).collect();
    order.sort_by(|&a, &b| all[b][0].activation.total_cmp(&all[a][0].activation));
    for (channel, &number) in found.iter().zip(&order) {
        assert_eq!(channel.channel, number);
        let places = |best: &[Excited]| best.iter().map(|one| (one.image, one.position)).collect::<Vec<_>>();
        assert_eq!(places(&channel.best), places(&all[number][..4]));
    }
}
