//! `--device` and `pelage devices`: names, what is missing, and, where `PELAGE_TEST_DEVICE` names a GPU
//! (`.ci/lavapipe` does), work on it.

mod common;

use common::{data, fail, frozen, pelage, run, succeed, tensors};
use serde_json::Value;
use std::path::Path;

fn devices(folder: &Path) -> Value {
    serde_json::from_str(&succeed(folder, &["devices", "--json"])).unwrap()
}

/// The GPU to test, where one is named.
fn gpu() -> Option<String> {
    let named = std::env::var("PELAGE_TEST_DEVICE").ok();
    if named.is_none() {
        eprintln!("skipped: PELAGE_TEST_DEVICE names no GPU");
    }
    named
}

#[test]
fn the_cpu_is_there_and_what_is_missing_has_a_remedy() {
    let folder = tempfile::tempdir().unwrap();
    let found = devices(folder.path());
    let cpu = &found["devices"][0];
    assert_eq!(cpu["name"], "cpu");
    assert!(
        cpu["threads"].as_u64() > Some(0) && cpu["instruction_set"].is_string(),
        "{cpu}"
    );
    let known = ["cuda", "rocm", "metal", "vulkan", "wgpu"];
    for kind in known {
        let here = |one: &&Value| one["name"].as_str().unwrap().starts_with(kind);
        let there = found["devices"].as_array().unwrap().iter().find(here);
        let missing = found["missing"]
            .as_array()
            .unwrap()
            .iter()
            .find(|one| one["kind"] == kind);
        assert!(there.is_some() || missing.is_some(), "{kind}: {found}");
        if let Some(missing) = missing.filter(|missing| missing["built"] == false) {
            assert!(
                missing["remedy"].as_str().unwrap().contains("cargo feature"),
                "{missing}"
            );
        }
    }
    let told = succeed(folder.path(), &["devices"]);
    assert!(told.contains("cpu"), "{told}");
}

#[test]
fn a_name_of_no_device_is_wrong_usage() {
    let folder = tempfile::tempdir().unwrap();
    for wrong in ["gpu", "webgpu", "cuda:one", "cpu:1"] {
        let told = fail(folder.path(), &["train", "data", "--device", wrong], 2);
        assert!(told.contains("cuda[:N]") && told.contains(wrong), "{told}");
    }
}

#[test]
fn a_device_that_is_not_here_fails_before_pictures_are_read() {
    let folder = tempfile::tempdir().unwrap();
    data(folder.path(), 4, 2);
    // Were it decoded first, this is what would be told.
    std::fs::write(folder.path().join("data/train/level/0.png"), "no picture").unwrap();
    let train = [
        "train",
        "data",
        "--image-size",
        "24",
        "--epochs",
        "1",
        "--out",
        "run",
        "--device",
    ];
    for kind in ["cuda", "rocm", "metal", "vulkan", "wgpu"] {
        // On a machine that has drivers of Vulkan or OpenGL it is as if there were none.
        let mut command = pelage(folder.path());
        command
            .env("VK_DRIVER_FILES", "none.json")
            .env("VK_LOADER_DRIVERS_DISABLE", "*")
            .env("__EGL_VENDOR_LIBRARY_FILENAMES", "none.json");
        let output = command.args(train).arg(kind).output().unwrap();
        if output.status.success() {
            eprintln!("skipped: {kind} is here");
            continue;
        }
        let told = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{kind}: {told}");
        assert!(told.starts_with(&format!("error: device {kind}: ")), "{told}");
        assert!(
            told.contains("help: ") && !told.contains("panicked") && !told.contains("0.png"),
            "{told}"
        );
        assert!(!folder.path().join("run/config.toml").exists());
    }
}

#[test]
fn training_prediction_and_explanation_on_a_gpu_are_those_of_the_cpu() {
    let Some(gpu) = gpu() else { return };
    let folder = tempfile::tempdir().unwrap();
    data(folder.path(), 40, 10);
    let small = [
        "train",
        "data",
        "--image-size",
        "32",
        "--epochs",
        "2",
        "--batch-size",
        "16",
        "--seed",
        "3",
    ];
    let cnn3 = |out: &str, device: &str| {
        succeed(
            folder.path(),
            &[&small[..], &["--out", out, "--device", device]].concat(),
        );
    };
    cnn3("there", &gpu);
    cnn3("again", &gpu);
    cnn3("here", "cpu");
    let weights = |run: &str| tensors(&folder.path().join(run).join("best.safetensors"));
    assert!(
        weights("there") == weights("again"),
        "the same seed gives other weights"
    );
    alike(&history(folder.path(), "there"), &history(folder.path(), "here"));

    // One model on both devices.
    let predict = |device: &str| -> Value {
        let said = succeed(
            folder.path(),
            &["predict", "there", "data/validation", "--json", "--device", device],
        );
        serde_json::from_str(&said).unwrap()
    };
    let (there, here) = (predict(&gpu), predict("cpu"));
    assert_eq!(there.as_array().unwrap().len(), 20);
    for (a, b) in there.as_array().unwrap().iter().zip(here.as_array().unwrap()) {
        // The first class and its probability.
        let best = |one: &Value| (one["classes"][0][0].clone(), one["classes"][0][1].as_f64().unwrap());
        let ((class, p), (other, q)) = (best(a), best(b));
        assert!(class.is_string() && class == other, "{a} {b}");
        assert!((p - q).abs() < 1e-4, "{a} {b}");
    }
    succeed(
        folder.path(),
        &[
            "explain",
            "there",
            "data/validation/level/0.png",
            "--out",
            "explained",
            "--device",
            &gpu,
        ],
    );
    assert!(folder.path().join("explained").read_dir().unwrap().count() > 0);

    let more = ["--epochs", "3", "--schedule", "constant", "--device"];
    for (out, device) in [("head-there", gpu.as_str()), ("head-here", "cpu")] {
        succeed(folder.path(), &frozen(&[&more[..], &[device, "--out", out]].concat()));
    }
    alike(
        &history(folder.path(), "head-there"),
        &history(folder.path(), "head-here"),
    );
}

/// Loss and validation loss of each epoch.
fn history(folder: &Path, run: &str) -> Vec<f64> {
    let text = std::fs::read_to_string(folder.join(run).join("history.csv")).unwrap();
    let heads: Vec<_> = text.lines().next().unwrap().split(',').collect();
    let columns: Vec<_> = (0..heads.len()).filter(|&i| heads[i].ends_with("loss")).collect();
    assert_eq!(columns.len(), 2, "{heads:?}");
    let of = |line: &str| {
        let cells: Vec<_> = line.split(',').collect();
        columns.iter().map(|&i| cells[i].parse().unwrap()).collect::<Vec<f64>>()
    };
    text.lines().skip(1).flat_map(of).collect()
}

fn alike(ours: &[f64], theirs: &[f64]) {
    assert_eq!(ours.len(), theirs.len());
    for (a, b) in ours.iter().zip(theirs) {
        assert!((a - b).abs() <= 5e-3 * b.abs().max(0.1), "{ours:?} {theirs:?}");
    }
}

/// 256 pictures of 150 x 150 pixels: 32 maps of 737 MB.
#[test]
fn what_a_gpu_has_no_memory_for_is_refused_before_pictures_are_read() {
    let Some(gpu) = gpu() else { return };
    let folder = tempfile::tempdir().unwrap();
    data(folder.path(), 4, 2);
    let found = devices(folder.path());
    let here = found["devices"]
        .as_array()
        .unwrap()
        .iter()
        .find(|one| one["name"] == gpu.as_str());
    let largest = here.unwrap()["largest_tensor_bytes"].as_u64().unwrap();
    if largest > 700_000_000 {
        eprintln!("skipped: {gpu} has room for {largest} bytes");
        return;
    }
    let train = [
        "train",
        "data",
        "--image-size",
        "150",
        "--batch-size",
        "256",
        "--device",
        &gpu,
    ];
    let output = run(folder.path(), &train);
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(
        told.contains("too little memory") && told.contains("--batch-size"),
        "{told}"
    );
}
