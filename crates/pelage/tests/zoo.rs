//! Properties of every architecture.

use burn::tensor::{Device, Tensor, TensorData, activation};
use pelage::model::networks::parameters::{is_statistic, read, write};
use pelage::model::networks::{Architecture, Cnn, Head, Mode, Network, Pooling};
use pelage::model::values::{Named, to_vec};
use pelage::train::Recipe;
use pelage::train::gradients::Gradients;
use pelage::train::optimizer::Optimizer;

mod support;

const SIZE: [usize; 2] = [40, 48];
const CLASSES: usize = 3;
const TRAINING: Mode = Mode::Train {
    seed: 7,
    step: 1,
    first: 0,
};

fn pixels(count: usize, device: &Device) -> Tensor<4> {
    let numbers = (0..count * SIZE[0] * SIZE[1] * 3).map(|i| (((i * 2_654_435_761) >> 7) % 2001) as f32 / 1000.0 - 1.0);
    Tensor::from_data(
        TensorData::new(numbers.collect::<Vec<f32>>(), [count, SIZE[0], SIZE[1], 3]),
        device,
    )
}

fn bits(tensor: impl IntoIterator<Item = f32>) -> Vec<u32> {
    tensor.into_iter().map(f32::to_bits).collect()
}

fn contract(architecture: Architecture) {
    let device = Device::flex();
    let network = Network::new(architecture, SIZE, CLASSES, 1, &device.clone().autodiff());
    every_parameter_gets_a_finite_gradient(&network);
    let network = burn::module::Module::valid(&network);
    shapes_are_as_described(&network);
    two_images_are_independent(&network);
    reading_and_writing_keeps_every_bit(&network, architecture);
    a_new_head_leaves_the_backbone_alone(&network);
}

fn every_parameter_gets_a_finite_gradient(network: &Network) {
    let logits = network.forward(pixels(2, &network.device()), TRAINING);
    let weights = Tensor::<2>::from_floats([[1.0, -2.0, 0.5], [0.3, 0.7, -1.0]], &network.device());
    let loss = (activation::log_softmax(logits, 1) * weights).sum();
    let gradients = support::gradients(network, loss.backward());
    let held = read(network);
    let parameters: Vec<_> = held.keys().filter(|name| !is_statistic(name)).collect();
    assert_eq!(gradients.keys().collect::<Vec<_>>(), parameters);
    for (name, gradient) in &gradients {
        assert_eq!(gradient.len(), held[name].data.len(), "{name}");
        assert!(gradient.iter().all(|value| value.is_finite()), "{name}");
    }
    let moved = gradients
        .values()
        .filter(|gradient| gradient.iter().any(|&value| value != 0.0))
        .count();
    assert!(
        moved * 10 > gradients.len() * 9,
        "only {moved} of {} parameters change",
        gradients.len()
    );
}

fn shapes_are_as_described(network: &Network) {
    let network = network.clone().unfused();
    let graph = network.graph();
    let described = graph
        .nodes()
        .iter()
        .zip(graph.sizes(SIZE))
        .map(|(node, [h, w])| (&node.name[..], [1, h, w, node.channels]));
    let described: std::collections::BTreeMap<_, _> = described.collect();
    let mut seen = 0;
    let logits = network.forward_with(pixels(1, &network.device()), Mode::Infer, &mut |name, value| {
        assert_eq!(value.dims(), described[name], "{name}");
        seen += 1;
        value
    });
    assert_eq!(logits.dims(), [1, CLASSES]);
    assert_eq!(seen, described.len());
    let features = network.features(pixels(1, &network.device()));
    assert_eq!(features.dims(), described[&graph.nodes()[graph.features()].name[..]]);
    assert_eq!(
        bits(to_vec(network.head(features))),
        bits(to_vec(logits)),
        "the head alone"
    );
}

fn two_images_are_independent(network: &Network) {
    let both = pixels(2, &network.device());
    let together = to_vec(network.forward(both.clone(), Mode::Infer));
    let alone: Vec<f32> = (0..2)
        .flat_map(|i| to_vec(network.forward(both.clone().narrow(0, i, 1), Mode::Infer)))
        .collect();
    let largest = alone.iter().fold(0f32, |largest, value| largest.max(value.abs()));
    assert!(largest > 0.0);
    for (a, b) in together.iter().zip(&alone) {
        assert!((a - b).abs() <= 1e-5 * largest, "{together:?} {alone:?}");
    }
}

fn reading_and_writing_keeps_every_bit(network: &Network, architecture: Architecture) {
    let held = read(network);
    let other = Network::new(architecture, SIZE, CLASSES, 2, &network.device());
    assert_ne!(read(&other), held);
    let written = write(other, held.clone()).unwrap();
    assert!(read(&written) == held);
    let logits = |network: &Network| bits(to_vec(network.forward(pixels(1, &network.device()), Mode::Infer)));
    assert_eq!(logits(&written), logits(network));
}

fn a_new_head_leaves_the_backbone_alone(network: &Network) {
    let features = |network: &Network| bits(to_vec(network.features(pixels(1, &network.device()))));
    let before = features(network);
    let article = Head {
        pooling: Pooling::Flatten,
        hidden: vec![(16, 0.5), (8, 0.2)],
        dropout: 0.0,
    };
    for head in [Head::linear(), article] {
        let headed = network.with_head(&head, SIZE, 7, 3);
        assert_eq!(features(&headed), before);
        assert_eq!(headed.forward(pixels(2, &network.device()), Mode::Infer).dims(), [2, 7]);
        let twice = headed.with_head(&head, SIZE, 7, 3);
        assert!(read(&twice) == read(&headed));
    }
}

macro_rules! contracts {
    ($($test:ident: $architecture:ident $(($cnn:expr))?),*) => {$(
        #[test]
        fn $test() {
            contract(Architecture::$architecture $(($cnn))?);
        }
    )*
        #[test]
        fn every_architecture_is_tested() {
            assert_eq!(Architecture::ALL, [$(Architecture::$architecture $(($cnn))?),*]);
        }
    };
}

contracts!(
    cnn3: Cnn3,
    cnn: Cnn(Cnn::THREE_BLOCKS),
    lynx: Lynx,
    vgg16: Vgg16,
    vgg19: Vgg19,
    resnet18: ResNet18,
    resnet34: ResNet34,
    resnet50: ResNet50,
    googlenet: GoogLeNet,
    mobilenet_v2: MobileNetV2,
    efficientnet_lite0: EfficientNetLite0,
    efficientnet_lite1: EfficientNetLite1,
    efficientnet_lite2: EfficientNetLite2,
    mobilenet_v3_large: MobileNetV3Large,
    efficientnet_b0: EfficientNetB0,
    efficientnet_v2_s: EfficientNetV2S,
    convnext_tiny: ConvNextTiny,
    dinov2_vits14: DinoV2Small
);

#[test]
fn names_are_read_back() {
    for architecture in Architecture::ALL {
        assert_eq!(architecture.name().parse(), Ok(architecture));
        let json = serde_json::to_string(&architecture).unwrap();
        if !matches!(architecture, Architecture::Cnn(_)) {
            assert_eq!(json, format!("\"{}\"", architecture.name()));
        }
        assert_eq!(serde_json::from_str::<Architecture>(&json).unwrap(), architecture);
    }
    assert!("resnet51".parse::<Architecture>().unwrap_err().contains("resnet50"));
}

/// One training step; returns the tensors before and after, and the network.
fn step(network: Network) -> (Named, Named, Network) {
    let before = read(&network);
    let loss = activation::log_softmax(network.forward(pixels(2, &network.device()), TRAINING), 1)
        .mean()
        .neg();
    let network = Optimizer::new().step(
        &Recipe::default(),
        0.01,
        network.clone(),
        Gradients::of(&network, loss.backward()),
    );
    let after = read(&network);
    (before, after, network)
}

#[test]
fn fixed_norms_keep_their_statistics_and_learn() {
    let device = Device::flex().autodiff();
    let network = Network::new(Architecture::ResNet18, SIZE, CLASSES, 1, &device).with_fixed_norms(true);
    let logits = |mode| bits(to_vec(network.forward(pixels(2, &device), mode).inner()));
    assert_eq!(logits(TRAINING), logits(Mode::Infer));
    let (before, after, _) = step(network.clone());
    for (name, values) in &before {
        assert_eq!(after[name] == *values, is_statistic(name), "{name}");
    }
}

#[test]
fn frozen_layers_do_not_change() {
    let device = Device::flex().autodiff();
    for architecture in [
        Architecture::ResNet18,
        Architecture::GoogLeNet,
        Architecture::MobileNetV2,
    ] {
        let network = Network::new(architecture, SIZE, CLASSES, 1, &device);
        let order: Vec<String> = network.graph().nodes().iter().map(|node| node.name.clone()).collect();
        let position = |name: &str| {
            let layer = order
                .iter()
                .filter(|layer| name.starts_with(&format!("{layer}.")))
                .max_by_key(|layer| layer.len());
            order.iter().position(|other| Some(other) == layer).unwrap()
        };
        let whole = network.graph().features();
        for limit in [0, whole / 2, whole] {
            let frozen = |layer: &str| position(&format!("{layer}.")) <= limit;
            let (before, after, stepped) = step(network.clone().with_frozen(frozen).clone_apart());
            let mut moved = (0, 0);
            for (name, values) in &before {
                let what = format!("{} {name}, frozen up to {limit}", architecture.name());
                let (is_frozen, moves) = (position(name) <= limit, values != &after[name]);
                assert!(!is_frozen || !moves, "{what} changes");
                // A tiny gradient may change nothing, but statistics always change unless they are frozen.
                assert!(is_frozen || moves || !is_statistic(name), "{what} does not change");
                moved = (moved.0 + usize::from(moves), moved.1 + usize::from(!is_frozen));
            }
            assert!(moved.0 * 10 > moved.1 * 9, "{moved:?}");
            // Loading a checkpoint leaves it frozen.
            let again = write(stepped, after).unwrap();
            let (before, after, _) = step(again);
            assert!(
                before
                    .iter()
                    .all(|(name, values)| position(name) > limit || values == &after[name])
            );
        }
    }
}

trait Apart {
    /// A copy with its own running statistics.
    fn clone_apart(&self) -> Self;
}

impl Apart for Network {
    fn clone_apart(&self) -> Self {
        write(self.clone(), read(self)).unwrap()
    }
}

#[test]
fn folding_preserves_inference() {
    let device = Device::flex().autodiff();
    let network = Network::new(Architecture::MobileNetV2, SIZE, CLASSES, 1, &device);
    // Move the statistics away from those of a fresh network.
    for _ in 0..3 {
        network.forward(pixels(2, &device), TRAINING);
    }
    let truth = to_vec(network.forward(pixels(2, &device), Mode::Infer));
    let folded = network.folded(|layer| layer.starts_with("blocks.1"));
    assert!(read(&folded).contains_key("blocks.1.expand.bias") && read(&folded).contains_key("stem.norm.weight"));
    let largest = truth.iter().fold(0f32, |largest, value| largest.max(value.abs()));
    for (a, b) in to_vec(folded.forward(pixels(2, &device), Mode::Infer))
        .iter()
        .zip(&truth)
    {
        assert!((a - b).abs() <= 1e-5 * largest);
    }
    // Folded weights load into a fresh network as folded ones.
    let fresh = Network::new(Architecture::MobileNetV2, SIZE, CLASSES, 2, &device);
    assert!(read(&write(fresh, read(&folded)).unwrap()) == read(&folded));
}

#[test]
fn a_tap_can_replace_a_value() {
    let device = Device::flex();
    let network = Network::new(Architecture::ResNet18, SIZE, CLASSES, 1, &device);
    let logits = network.forward_with(pixels(1, &device), Mode::Infer, &mut |name, value| match name {
        "avgpool" => value.zeros_like(),
        _ => value,
    });
    // Only the bias of the last layer is left, and it is zero.
    assert_eq!(to_vec(logits), [0.0; CLASSES]);
}

#[test]
fn wrong_tensors_are_named() {
    let device = Device::flex();
    let fresh = || Network::new(Architecture::ResNet18, SIZE, CLASSES, 1, &device);
    let held = read(&fresh());
    let tell = |change: &dyn Fn(&mut Named)| {
        let mut changed = held.clone();
        change(&mut changed);
        write(fresh(), changed).unwrap_err()
    };
    assert!(tell(&|t| drop(t.remove("layer1.0.conv1.norm.running_var"))).contains("layer1.0.conv1.norm.running_var"));
    assert!(tell(&|t| t.get_mut("fc.bias").unwrap().shape = vec![4]).contains("'fc.bias' has shape [4], expected [3]"));
    assert!(tell(&|t| drop(t.insert("surplus".into(), held["fc.bias"].clone()))).contains("'surplus'"));
}
