//! cnn3 against PyTorch in f64 on the same weights and batch: logits, loss, every gradient, ten steps of SGD with
//! momentum. The values and the script that made them are in `fixtures/torch`.

use burn::Tensor;
use burn::module::Module;
use burn::tensor::{Device, TensorData};
use pelage::data::targets::Targets;
use pelage::model::networks::{Architecture, Mode, Network, parameters};
use pelage::model::values::{Named, Values, to_vec};
use pelage::train::Recipe;
use pelage::train::gradients::Gradients;
use pelage::train::loss;
use pelage::train::optimizer::Optimizer;
use safetensors::SafeTensors;

const SIZE: [usize; 2] = [18, 17];
const LABELS: [usize; 5] = [0, 2, 1, 1, 2];

/// `noise` of `cnn3.py`.
fn noise(name: &str, count: usize, scale: f32) -> Vec<f32> {
    let key = name.bytes().fold(0xCBF2_9CE4_8422_2325u64, |key, byte| {
        (key ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3)
    });
    let value = |i: u64| {
        let mut z = i.wrapping_mul(0x9E37_79B9_7F4A_7C15).wrapping_add(key);
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^= z >> 31;
        ((z >> 40) as f64 / f64::from(1 << 23) - 1.0) * f64::from(scale)
    };
    (0..count as u64).map(|i| value(i) as f32).collect()
}

fn fixture() -> Vec<u8> {
    std::fs::read(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/fixtures/torch/cnn3.safetensors"
    ))
    .unwrap()
}

fn recorded(file: &SafeTensors, name: &str) -> Vec<f32> {
    let bytes = file.tensor(name).unwrap().data().to_vec();
    bytes
        .chunks_exact(4)
        .map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]))
        .collect()
}

/// Largest difference relative to the largest value.
fn error(ours: &[f32], truth: &[f32]) -> f64 {
    assert_eq!(ours.len(), truth.len());
    let scale = truth.iter().fold(0.0f64, |most, v| most.max(f64::from(v.abs())));
    let worst = ours
        .iter()
        .zip(truth)
        .map(|(a, b)| (f64::from(*a) - f64::from(*b)).abs());
    worst.fold(
        0.0,
        |most: f64, one| if one.is_nan() { f64::INFINITY } else { most.max(one) },
    ) / scale
}

fn network(device: &Device) -> Network {
    let fresh = Network::new(Architecture::Cnn3, SIZE, 3, 0, device);
    let values = |(name, old): (String, Values)| {
        let fan_in: usize = old.shape[1..].iter().product();
        let scale = if name.ends_with("bias") {
            0.125
        } else {
            2.0 / (fan_in as f32).sqrt()
        };
        let data = noise(&name, old.data.len(), scale);
        (name, Values { data, ..old })
    };
    let named: Named = parameters::read(&fresh).into_iter().map(values).collect();
    parameters::write(fresh, named).unwrap()
}

#[test]
fn logits_gradients_and_ten_steps() {
    let bytes = fixture();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let device = Device::flex().autodiff();
    let recipe = Recipe {
        momentum: 0.9,
        ..Recipe::default()
    };
    let shape = [LABELS.len(), SIZE[0], SIZE[1], 3];
    let pixels = noise("pixels", shape.iter().product(), 1.0);
    let pixels = || Tensor::<4>::from_data(TensorData::new(pixels.clone(), shape), &device);
    let (mut network, mut optimizer) = (network(&device), Optimizer::new());
    let mut losses = Vec::new();
    for step in 0..10 {
        let logits = network.forward(pixels(), Mode::Infer);
        let loss = loss::loss(&recipe, logits.clone(), &Targets::Classes(LABELS.to_vec()), None);
        losses.push(to_vec(loss.clone().inner())[0]);
        let gradients = loss.backward();
        if step == 0 {
            let worst = error(&to_vec(logits.inner()), &recorded(&file, "logits"));
            assert!(worst < 1e-5, "logits: relative error {worst:e}");
            let before = parameters::read(&network);
            // With a rate of 1 and no momentum, a step subtracts exactly the gradient.
            let plain = Recipe {
                momentum: 0.0,
                ..Recipe::default()
            };
            let moved = Optimizer::new().step(&plain, 1.0, network.clone(), Gradients::of(&network, gradients));
            for (name, values) in parameters::read(&moved) {
                let old = &before[&name].data;
                let gradient: Vec<f32> = old.iter().zip(&values.data).map(|(old, new)| old - new).collect();
                let worst = error(&gradient, &recorded(&file, &format!("gradient/{name}")));
                assert!(worst < 1e-4, "gradient of {name}: relative error {worst:e}");
            }
            let loss = loss::loss(
                &recipe,
                network.forward(pixels(), Mode::Infer),
                &Targets::Classes(LABELS.to_vec()),
                None,
            );
            network = optimizer.step(&recipe, 0.05, network.clone(), Gradients::of(&network, loss.backward()));
            for (name, values) in parameters::read(&network) {
                if values.data.len() < 3000 {
                    let worst = error(&values.data, &recorded(&file, &format!("first/{name}")));
                    assert!(worst < 1e-5, "{name} after a step: relative error {worst:e}");
                }
            }
        } else {
            network = optimizer.step(&recipe, 0.05, network.clone(), Gradients::of(&network, gradients));
        }
    }
    let worst = error(&losses, &recorded(&file, "losses"));
    assert!(worst < 1e-4, "ten losses: relative error {worst:e}: {losses:?}");
    for (name, values) in parameters::read(&network.valid()) {
        let worst = error(&values.data, &recorded(&file, &format!("tenth/{name}")));
        assert!(worst < 1e-4, "{name} after ten steps: relative error {worst:e}");
    }
}
