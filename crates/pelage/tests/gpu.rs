//! A GPU against the CPU, and both against f64. `PELAGE_TEST_DEVICE` names the GPU (`vulkan:0`); without it the tests
//! of one say that they were skipped. `.ci/lavapipe` runs them on a software one.

use std::collections::BTreeMap;

use burn::tensor::{Device, Tensor, TensorData, activation};
use pelage::device;
use pelage::model::networks::{Architecture, Mode, Network, parameters};
use pelage::model::values::to_vec;
use support::wide::{self, Map};
use support::{formula, gradients};

mod support;

const TRAINING: Mode = Mode::Train {
    seed: 0,
    step: 0,
    first: 0,
};
const CLASSES: usize = 5;
const BATCH: usize = 4;
const SIDE: usize = 64;

/// The GPU to test, where one is named.
fn gpu() -> Option<Device> {
    match std::env::var("PELAGE_TEST_DEVICE") {
        Ok(name) => Some(device::open(&name).unwrap_or_else(|failure| panic!("{failure}"))),
        Err(_) => {
            eprintln!("skipped: PELAGE_TEST_DEVICE names no GPU");
            None
        }
    }
}

fn pixels(side: usize, device: &Device) -> Tensor<4> {
    let shape = [BATCH, side, side, 3];
    Tensor::from_data(TensorData::new(formula::pixels(shape.iter().product()), shape), device)
}

/// The length of the difference over that of the truth.
fn error(ours: &[f32], truth: &[f64]) -> f64 {
    assert_eq!(ours.len(), truth.len());
    let square = |values: &mut dyn Iterator<Item = f64>| values.map(|value| value * value).sum::<f64>();
    let difference = square(&mut ours.iter().zip(truth).map(|(&a, b)| f64::from(a) - b));
    (difference / square(&mut truth.iter().copied()).max(1e-300)).sqrt()
}

fn wide(values: &[f32]) -> Vec<f64> {
    values.iter().map(|&value| f64::from(value)).collect()
}

/// Median and largest of errors by name, and the name of the largest.
fn summary(errors: &BTreeMap<String, f64>) -> (f64, f64, &str) {
    let mut sorted: Vec<_> = errors.iter().map(|(name, error)| (*error, name.as_str())).collect();
    sorted.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (largest, name) = sorted[sorted.len() - 1];
    (sorted[sorted.len() / 2].0, largest, name)
}

/// Loss, logits and gradients of a first step.
fn first_step(architecture: Architecture, device: &Device) -> (Vec<f32>, BTreeMap<String, Vec<f32>>) {
    let device = device.clone().autodiff();
    let network = Network::new(architecture, [SIDE; 2], CLASSES, 1, &device);
    let logits = network.forward(pixels(SIDE, &device), TRAINING);
    let upstream: Vec<f32> = (0..BATCH * CLASSES).map(|i| ((i * 7) % 11) as f32 / 11.0).collect();
    let upstream = Tensor::from_data(TensorData::new(upstream, [BATCH, CLASSES]), &device);
    let loss = (activation::log_softmax(logits.clone(), 1) * upstream).mean().neg();
    (to_vec(logits.inner()), gradients(&network, loss.backward()))
}

/// Most that logits, the median and the worst of all gradients that do not vanish may differ by, relative to the
/// CPU's: a few times what was seen on lavapipe. Where an activation bends, a value beside the bend may round to the
/// other side of it, which norms over few values enlarge; where all are smooth, nothing does.
fn tolerances(architecture: Architecture) -> [f64; 3] {
    match architecture {
        Architecture::Cnn3 | Architecture::Cnn(_) | Architecture::Vgg16 | Architecture::Vgg19 => [1e-4, 1e-4, 1e-3],
        Architecture::EfficientNetB0
        | Architecture::EfficientNetV2S
        | Architecture::ConvNextTiny
        | Architecture::DinoV2Small => [1e-4, 1e-3, 1e-2],
        _ => [1e-3, 1e-1, 2e-1],
    }
}

#[test]
fn a_first_step_of_each_network_equals_that_of_the_cpu() {
    let Some(gpu) = gpu() else { return };
    let mut wrong = Vec::new();
    for architecture in Architecture::ALL {
        let room = architecture.graph([SIDE; 2], CLASSES).training_room([SIDE; 2], BATCH);
        if let Err(reason) = room.check(&gpu) {
            println!("{}: not run, {reason}", architecture.name());
            continue;
        }
        let (logits, found) = first_step(architecture, &gpu);
        let (truth, expected) = first_step(architecture, &Device::flex());
        assert!(expected.keys().eq(found.keys()), "{}", architecture.name());
        let errors = found.iter().filter(|(name, _)| !vanishes(name));
        let errors = errors.map(|(name, gradient)| (name.clone(), error(gradient, &wide(&expected[name]))));
        let errors = errors.collect();
        let ((median, largest, name), forward) = (summary(&errors), error(&logits, &wide(&truth)));
        println!(
            "{}: logits {forward:.1e}, gradients: median {median:.1e}, worst {largest:.1e} ({name})",
            architecture.name()
        );
        let most = tolerances(architecture);
        if !(forward < most[0] && median < most[1] && largest < most[2]) {
            wrong.push(architecture.name());
        }
    }
    assert!(wrong.is_empty(), "{wrong:?}");
}

/// The pooled features of MobileNetV2 for pictures of `side` pixels, and the gradients of its parameters before the
/// head.
fn of_mobilenet(side: usize, device: &Device) -> (Vec<f32>, BTreeMap<String, Vec<f32>>) {
    let device = device.clone().autodiff();
    let network = Network::new(Architecture::MobileNetV2, [side; 2], CLASSES, 1, &device);
    let mut pooled = None;
    network.forward_with(pixels(side, &device), TRAINING, &mut |name, value| {
        if name == "pool" {
            pooled = Some(value.clone());
        }
        value
    });
    let pooled = pooled.unwrap();
    let upstream = Tensor::from_data(TensorData::new(upstream(), pooled.dims()), &device);
    let mut found = gradients(&network, (pooled.clone() * upstream).sum().backward());
    found.retain(|name, _| !name.starts_with("classifier"));
    (to_vec(pooled.inner()), found)
}

fn upstream() -> Vec<f32> {
    (0..BATCH * 1280)
        .map(|i| ((i * 37) % 101) as f32 / 50.0 - 1.0)
        .collect()
}

/// Parameters whose gradient is zero but for rounding, or nearly so: the shift of a norm after which only
/// convolutions of one pixel and another norm come, which takes a constant away again, and the scale of one whose map
/// is not clipped, which the next norm takes away. Measured against itself, what f32 leaves of such a gradient is
/// noise.
fn vanishes(name: &str) -> bool {
    name.ends_with("project.norm.bias") || name.ends_with("expand.norm.weight") || name == "stem.norm.weight"
}

#[test]
fn first_gradients_of_mobilenet_are_those_of_f64() {
    // On both sides a value beside the bend of a ReLU6 may round to the other side of it.
    for (side, tolerance) in [(64, 1e-2), (32, 1e-1)] {
        let network = Network::new(Architecture::MobileNetV2, [side; 2], CLASSES, 1, &Device::flex());
        let graph = network.graph();
        let pool = graph.nodes().iter().position(|node| node.name == "pool").unwrap();
        let input = Map::new([BATCH, side, side, 3], wide(&formula::pixels(BATCH * side * side * 3)));
        let (map, truth) = wide::gradients(graph, pool, &parameters::read(&network), input, &wide(&upstream()));
        let devices = [Some(("CPU", Device::flex())), gpu().map(|gpu| ("GPU", gpu))];
        for (what, device) in devices.into_iter().flatten() {
            let (pooled, found) = of_mobilenet(side, &device);
            let (vanishing, errors): (BTreeMap<_, _>, BTreeMap<_, _>) = truth
                .iter()
                .map(|(name, truth)| (name.clone(), error(&found[name], truth)))
                .partition(|(name, _)| vanishes(name));
            let ((median, largest, name), (vague, ..)) = (summary(&errors), summary(&vanishing));
            println!(
                "{what}, {side} pixels: map {:.1e}, gradients: median {median:.1e}, worst {largest:.1e} ({name}); \
                 of those that vanish: median {vague:.1e}",
                error(&pooled, &map.values)
            );
            assert!(largest < tolerance, "{name}: {largest}");
        }
    }
}
