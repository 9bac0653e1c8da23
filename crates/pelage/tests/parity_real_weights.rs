//! Real weights on real images: needs files that are not part of the project, and says so if they are missing.
//!
//! `PELAGE_WEIGHTS` names the folder with `efficientnet_lite0.pth` and `mobilenet_v2.pth`, `PELAGE_SHARED` the one with
//! `data/dogs-vs-cats/originals.zip`. The reference was recorded by `fixtures/torch/zoo.py`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use burn::tensor::{Device, Tensor, TensorData};
use pelage::Architecture;
use pelage::data::source;
use pelage::model::networks::Mode;
use pelage::model::values::to_vec;
use pelage::model::weights;
use serde::Deserialize;
use support::formula;

mod support;

#[derive(Deserialize)]
struct Truth {
    architecture: Architecture,
    /// Every 16th logit for the pixels of the formula.
    logits: Vec<f32>,
    /// Name, most likely class, and the two largest logits.
    #[serde(rename = "pictures")]
    images: Vec<(String, usize, [f32; 2])>,
}

/// The folder that `variable` names; if there is none, prints so and returns `None`.
fn folder(variable: &str) -> Option<PathBuf> {
    let found = std::env::var_os(variable)
        .map(PathBuf::from)
        .filter(|path| path.is_dir());
    if found.is_none() {
        println!("skipped: {variable} names no folder");
    }
    found
}

#[test]
fn real_weights_give_pytorchs_logits_and_classes() {
    let (Some(weights), Some(shared)) = (folder("PELAGE_WEIGHTS"), folder("PELAGE_SHARED")) else {
        return;
    };
    let device = Device::flex();
    let truths: Vec<Truth> = serde_json::from_str(include_str!("fixtures/torch/real.json")).unwrap();
    let archive = source::list(&shared.join("data/dogs-vs-cats/originals.zip")).unwrap();
    let entries: BTreeMap<String, _> = archive
        .into_iter()
        .map(|entry| (entry.location.to_string().replace('\\', "/"), entry))
        .collect();
    for truth in truths {
        let name = truth.architecture.name();
        let found = weights::load(&weights.join(format!("{name}.pth")), truth.architecture).unwrap();
        assert_eq!(found.classes, Some(1000));
        let preprocessing = found.preprocessing.clone();
        let network = found.network(&device).unwrap().folded(|_| true);
        let logits = |pixels: Vec<f32>| {
            to_vec(network.forward(
                Tensor::from_data(TensorData::new(pixels, [1, 224, 224, 3]), &device),
                Mode::Infer,
            ))
        };
        let ours: Vec<f32> = logits(formula::pixels(224 * 224 * 3)).into_iter().step_by(16).collect();
        let largest = truth.logits.iter().fold(0f32, |largest, x| largest.max(x.abs()));
        for (a, b) in ours.iter().zip(&truth.logits) {
            assert!((a - b).abs() <= 1e-4 * largest, "{name}: {a} {b}");
        }
        for (image, class, [first, second]) in &truth.images {
            let entry = entries
                .iter()
                .find(|(path, _)| path.ends_with(image.as_str()))
                .unwrap()
                .1;
            let resized = preprocessing.decode(&entry.location.read().unwrap()).unwrap();
            let mut pixels = vec![0.0; resized.len()];
            preprocessing.normalize(&resized, &mut pixels);
            let ours = logits(pixels);
            let top = (0..ours.len()).max_by(|&a, &b| ours[a].total_cmp(&ours[b])).unwrap();
            // JPEG decoders and resizers round pixels differently, by at most one level.
            assert!(
                (ours[*class] - first).abs() < 0.2,
                "{name} on {image}: {} {first}",
                ours[*class]
            );
            assert!(
                top == *class || first - second < 0.2,
                "{name} on {image}: {top} {class}"
            );
        }
        println!("{name}: {} pictures", truth.images.len());
    }
}
