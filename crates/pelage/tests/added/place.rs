//! The files that `make.py` writes, and a place to keep what is made of them.

use std::fs;
use std::path::{Path, PathBuf};

use burn::Tensor;
use burn::tensor::{Device, TensorData};
use pelage::model::networks::{Head, Network};
use pelage::zoo::store::Store;
use pelage::zoo::{AddedNetwork, Adding, Reading, load};
use serde::Deserialize;
use tempfile::TempDir;

use crate::support::formula;

pub(crate) fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/added")
}

/// What `make.py` records.
#[derive(Deserialize)]
pub(crate) struct Case {
    pub(crate) file: String,
    pub(crate) side: usize,
    pub(crate) output: Option<String>,
    pub(crate) features: String,
    pub(crate) shape: Vec<usize>,
    pub(crate) values: Vec<f32>,
}

pub(crate) fn cases() -> Vec<Case> {
    serde_json::from_str(&fs::read_to_string(folder().join("added.json")).unwrap()).unwrap()
}

pub(crate) fn adding(name: &str, output: Option<&str>) -> Adding {
    Adding {
        name: name.into(),
        reading: Reading {
            image_size: None,
            output: output.map(String::from),
        },
        mean: Some([0.0; 3]),
        std: Some([1.0; 3]),
        filter: None,
    }
}

pub(crate) fn store() -> (TempDir, Store) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::new(folder.path());
    (folder, store)
}

/// A network that was added, under a linear head of two classes.
pub(crate) fn network(added: &AddedNetwork) -> Network {
    let kept = &added.added.kept;
    let side = added.added.preprocessing.height as usize;
    let pretrained = load(&kept.path, kept.architecture).unwrap();
    pretrained.with_head(&Head::linear(), [side; 2], 2, 0, &Device::flex())
}

pub(crate) fn pixels(side: usize) -> Tensor<4> {
    let data = TensorData::new(formula::pixels(side * side * 3), [1, side, side, 3]);
    Tensor::from_data(data, &Device::flex())
}

/// The largest difference, relative to the largest value.
pub(crate) fn gap(found: &[f32], wanted: &[f32]) -> f32 {
    assert_eq!(found.len(), wanted.len());
    let most = wanted.iter().fold(0f32, |most, value| most.max(value.abs()));
    let gaps = found.iter().zip(wanted).map(|(a, b)| (a - b).abs());
    gaps.fold(
        0f32,
        |most, gap| if gap.is_nan() { f32::INFINITY } else { most.max(gap) },
    ) / most
}
