//! The zoo against what torchvision, timm, the EfficientNet-Lite port and Keras compute from the same weights and
//! pixels, recorded by `fixtures/torch/zoo.py`.

use std::collections::BTreeMap;
use std::path::Path;

use burn::tensor::{Device, Tensor, TensorData};
use pelage::model::networks::parameters::read;
use pelage::model::networks::{Architecture, Head, Mode, Network};
use pelage::model::values::{Named, to_vec};
use pelage::model::weights::{self, Layout, Pretrained};
use serde::Deserialize;
use support::formula;

mod support;

const SIZE: [usize; 2] = [64, 80];
const CLASSES: usize = 10;
/// Largest difference over largest value.
const TOLERANCE: f32 = 1e-4;

#[derive(Deserialize)]
struct Record {
    architecture: Architecture,
    layout: Layout,
    #[serde(default = "usual")]
    size: [usize; 2],
    tensors: Vec<(String, Vec<usize>)>,
    pooled: Vec<f32>,
    logits: Vec<f32>,
}

fn usual() -> [usize; 2] {
    SIZE
}

fn pixels([n, h, w]: [usize; 3], device: &Device) -> Tensor<4> {
    Tensor::from_data(TensorData::new(formula::pixels(n * h * w * 3), [n, h, w, 3]), device)
}

fn pretrained(record: &Record) -> Pretrained {
    let named: Named = record
        .tensors
        .iter()
        .map(|(name, shape)| (name.clone(), formula::values(name, shape)))
        .collect();
    weights::from_named(named, record.architecture).unwrap()
}

fn assert_close(ours: &[f32], theirs: &[f32], what: &str) {
    assert_eq!(ours.len(), theirs.len(), "{what}");
    let largest = theirs.iter().fold(0f32, |largest, x| largest.max(x.abs()));
    let error = ours
        .iter()
        .zip(theirs)
        .fold(0f32, |error, (a, b)| error.max((a - b).abs()));
    assert!(error <= TOLERANCE * largest, "{what}: off by {error} of {largest}");
}

fn check(wanted: impl Fn(Architecture) -> bool) {
    let records: Vec<Record> = serde_json::from_str(include_str!("fixtures/torch/zoo.json")).unwrap();
    let device = Device::flex();
    let mut seen = 0;
    for record in records.into_iter().filter(|record| wanted(record.architecture)) {
        let what = format!("{} from {:?}", record.architecture.name(), record.layout);
        let found = pretrained(&record);
        assert_eq!(
            (found.layout, found.classes),
            (Some(record.layout), Some(CLASSES)),
            "{what}"
        );
        let network = found.network(&device).unwrap();
        compare(&network, &record, &what);
        if !record.architecture.name().starts_with("vgg") {
            compare(&network.folded(|_| true), &record, &format!("{what}, folded"));
        }
        seen += 1;
    }
    assert!(seen > 0);
}

fn compare(network: &Network, record: &Record, what: &str) {
    let pixels = pixels([1, record.size[0], record.size[1]], &network.device());
    let pooled: Vec<f32> = to_vec(network.pooled_features(pixels.clone()))
        .into_iter()
        .step_by(16)
        .collect();
    assert_close(&pooled, &record.pooled, &format!("pooled features of {what}"));
    assert_close(
        &to_vec(network.forward(pixels, Mode::Infer)),
        &record.logits,
        &format!("logits of {what}"),
    );
}

#[test]
fn vgg_equals_torchvision_and_timm() {
    check(|architecture| matches!(architecture, Architecture::Vgg16 | Architecture::Vgg19));
}

#[test]
fn resnet_equals_torchvision() {
    check(|architecture| architecture.name().starts_with("resnet"));
}

#[test]
fn googlenet_equals_torchvision() {
    check(|architecture| architecture == Architecture::GoogLeNet);
}

#[test]
fn mobilenet_v2_equals_torchvision_and_timm() {
    check(|architecture| architecture == Architecture::MobileNetV2);
}

#[test]
fn efficientnet_lite_equals_timm_and_the_port() {
    check(|architecture| architecture.name().starts_with("efficientnet_lite"));
}

#[test]
fn mobilenet_v3_large_equals_torchvision() {
    check(|architecture| architecture == Architecture::MobileNetV3Large);
}

#[test]
fn efficientnet_equals_torchvision() {
    check(|architecture| {
        matches!(
            architecture,
            Architecture::EfficientNetB0 | Architecture::EfficientNetV2S
        )
    });
}

#[test]
fn convnext_equals_torchvision() {
    check(|architecture| architecture == Architecture::ConvNextTiny);
}

#[test]
fn dinov2_equals_timm() {
    check(|architecture| architecture == Architecture::DinoV2Small);
}

#[derive(Deserialize)]
struct Training {
    resnet18: Step,
    keras: Keras,
}

#[derive(Deserialize)]
struct Step {
    labels: Vec<i64>,
    logits: Vec<f32>,
    loss: f32,
    gradients: BTreeMap<String, Vec<f32>>,
    statistics: BTreeMap<String, Vec<f32>>,
}

#[derive(Deserialize)]
struct Keras {
    features: Vec<f32>,
    shape: [usize; 4],
}

fn training() -> Training {
    serde_json::from_str(include_str!("fixtures/torch/training.json")).unwrap()
}

/// Our name for a ResNet tensor of torchvision.
fn ours(name: &str) -> String {
    name.replace("downsample.1", "downsample.norm")
        .replace("bn1", "conv1.norm")
        .replace("bn2", "conv2.norm")
}

#[test]
fn a_training_step_of_resnet18_equals_torchvision() {
    let records: Vec<Record> = serde_json::from_str(include_str!("fixtures/torch/zoo.json")).unwrap();
    let record = records
        .iter()
        .find(|record| record.architecture == Architecture::ResNet18)
        .unwrap();
    let (truth, device) = (training().resnet18, Device::flex().autodiff());
    let network = pretrained(record).network(&device).unwrap();
    let logits = network.forward(
        pixels([4, 32, 48], &device),
        Mode::Train {
            seed: 0,
            step: 0,
            first: 0,
        },
    );
    assert_close(&to_vec(logits.clone().inner()), &truth.logits, "logits in training");
    let mut one_hot = vec![0.0; truth.labels.len() * CLASSES];
    truth
        .labels
        .iter()
        .enumerate()
        .for_each(|(i, &label)| one_hot[i * CLASSES + label as usize] = 1.0);
    let targets = Tensor::<2>::from_data(TensorData::new(one_hot, [truth.labels.len(), CLASSES]), &device);
    let loss = (burn::tensor::activation::log_softmax(logits, 1) * targets)
        .sum_dim(1)
        .neg()
        .mean();
    assert_close(&to_vec(loss.clone().inner()), &[truth.loss], "loss");

    let gradients = support::gradients(&network, loss.backward());
    for (name, theirs) in &truth.gradients {
        let found = &gradients[&ours(name)];
        assert_close(&found[..theirs.len()], theirs, &format!("gradient of {name}"));
    }
    let state = read(&network);
    for (name, theirs) in &truth.statistics {
        assert_close(&state[&ours(name)].data[..theirs.len()], theirs, name);
    }
}

#[test]
fn vgg16_of_keras_without_its_head() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/torch/keras.h5");
    let found = pelage::zoo::load(&path, Architecture::Vgg16).unwrap();
    assert_eq!((found.layout, found.classes), (Some(Layout::Keras), None));
    let (truth, device) = (training().keras, Device::flex());
    let [h, w] = SIZE;
    let bytes: Vec<u8> = formula::pixels(h * w * 3)
        .iter()
        .map(|u| ((u + 2.0) / 4.0 * 256.0).floor().clamp(0.0, 255.0) as u8)
        .collect();
    let mut rgb = vec![0.0; bytes.len()];
    found.preprocessing.normalize(&bytes, &mut rgb);
    let pixels = Tensor::from_data(TensorData::new(rgb, [1, h, w, 3]), &device);
    let network = found.with_head(&Head::linear(), SIZE, 2, 0, &device);
    let features = network.features(pixels);
    assert_eq!(features.dims(), truth.shape);
    let first_channel: Vec<f32> = to_vec(features).into_iter().step_by(truth.shape[3]).collect();
    assert_close(&first_channel, &truth.features, "features of Keras's VGG16");
}

/// torchvision's and timm's own lists of tensors, as recorded.
#[test]
fn weights_go_out_under_the_names_that_they_came_in_by() {
    let records: Vec<Record> = serde_json::from_str(include_str!("fixtures/torch/zoo.json")).unwrap();
    let device = Device::flex();
    let records = records
        .into_iter()
        .filter(|record| record.architecture.name() != "vgg19");
    for record in records.filter(|record| matches!(record.layout, Layout::Torchvision | Layout::Timm)) {
        let what = format!("{} for {:?}", record.architecture.name(), record.layout);
        let network = pretrained(&record).network(&device).unwrap();
        let renamed = |network: &Network| weights::renamed(read(network), CLASSES, record.architecture, record.layout);
        let found = renamed(&network).unwrap();
        let used = record.tensors.iter().filter(|(name, _)| {
            !name.ends_with(".num_batches_tracked") && !name.starts_with("aux1.") && !name.starts_with("aux2.")
        });
        let expected: BTreeMap<_, _> = used
            .map(|(name, shape)| (name.clone(), formula::values(name, shape)))
            .collect();
        assert_eq!(
            found.keys().collect::<Vec<_>>(),
            expected.keys().collect::<Vec<_>>(),
            "{what}"
        );
        for (name, values) in &found {
            assert_eq!(values.shape, expected[name].shape, "{what}: {name}");
            assert!(values.data == expected[name].data, "{what}: {name}");
        }

        let deeper = ["vgg16", "mobilenet_v3_large", "convnext_tiny"].contains(&record.architecture.name());
        let linear = renamed(&network.with_head(&Head::linear(), SIZE, CLASSES, 0));
        assert_eq!(linear.is_ok(), !deeper, "{what}: {:?}", linear.err());
        let refused = renamed(&network.with_head(&Head::mlp(), SIZE, CLASSES, 0)).unwrap_err();
        assert!(refused.contains("head"), "{refused}");
    }
    let cnn3 = read(&Network::new(Architecture::Cnn3, SIZE, CLASSES, 0, &device));
    assert!(weights::renamed(cnn3, CLASSES, Architecture::Cnn3, Layout::Torchvision).is_err());
}
