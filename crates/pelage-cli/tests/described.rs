//! A network from a description: trained, looked at, and used as any other.

use std::fs;

use common::{data, fail, succeed, tensors};

mod common;

const SMALL: [&str; 8] = [
    "--epochs",
    "1",
    "--image-size",
    "24",
    "--batch-size",
    "8",
    "--patience",
    "0",
];

#[test]
fn a_described_network_is_trained_saved_and_used_as_any_other() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path();
    data(folder, 8, 4);
    let described = [
        "--model",
        "cnn",
        "--blocks",
        "6,10",
        "--kernel",
        "5",
        "--dense",
        "12,8",
        "--dropout",
        "0.2",
    ];
    succeed(
        folder,
        &[&["train", "data", "--out", "run"], &SMALL[..], &described].concat(),
    );
    let config = fs::read_to_string(folder.join("run/config.toml")).unwrap();
    assert!(
        config.contains("[model]\nname = \"cnn\"\nblocks = [6, 10]\nkernel = 5"),
        "{config}"
    );
    // As it is written it can be given again.
    let again = ["train", "data", "--out", "again", "--config", "run/config.toml"];
    succeed(folder, &again);
    let best = |run: &str| tensors(&folder.join(run).join("best.safetensors"));
    assert!(best("run") == best("again"));

    let summary = succeed(folder, &["summary", "run"]);
    for line in [
        "conv2",
        "convolution 5x5 + ReLU",
        "dense3",
        "dropout 0.1",
        "dropout 0.2",
    ] {
        assert!(summary.contains(line), "{line}: {summary}");
    }
    let named = [
        "summary",
        "cnn",
        "--image-size",
        "24",
        "--blocks",
        "6,10",
        "--kernel",
        "5",
        "--dense",
        "12,8",
    ];
    assert_eq!(
        succeed(folder, &[&named[..], &["--dropout", "0.2"]].concat())
            .lines()
            .last(),
        summary.lines().last()
    );
    succeed(folder, &["plot-model", "cnn", "--dense", "none", "--out", "model.svg"]);
    let picture = "data/validation/level/0.png";
    succeed(folder, &["predict", "run", picture]);
    succeed(folder, &["evaluate", "run"]);
    succeed(folder, &["explain", "run", picture, "--out", "explained"]);
    succeed(folder, &["export", "onnx", "run", "--out", "model.onnx"]);
}

#[test]
fn the_default_description_is_cnn3() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path();
    data(folder, 8, 4);
    for model in ["cnn3", "cnn"] {
        succeed(
            folder,
            &[&["train", "data", "--out", model, "--model", model], &SMALL[..]].concat(),
        );
    }
    let last = |model: &str| tensors(&folder.join(model).join("last.safetensors"));
    assert!(last("cnn3") == last("cnn"));
}

#[test]
fn nonsense_is_refused_before_anything_is_read() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path();
    for (arguments, told) in [
        ("train data --model cnn --kernel 4", "--kernel is '4'"),
        ("train data --model cnn --blocks 8,x", "--blocks is '8,x'"),
        ("train data --model cnn --blocks 1,1,1,1,1,1,1,1,1", "at most 8"),
        ("train data --blocks 8", "left out but for the network cnn"),
        (
            "train data --model cnn --dense 4096,4096 --blocks 2048 --image-size 512",
            "more than 200000000",
        ),
        (
            "train data --model cnn --blocks 1,1,1,1,1,1 --image-size 32",
            "64 to 4096 pixels",
        ),
        ("summary cnn3 --kernel 5", "left out but for the network cnn"),
        ("summary cnn --dropout 1", "0 or more and below 1"),
    ] {
        let arguments: Vec<_> = arguments.split(' ').collect();
        let said = fail(folder, &arguments, 2);
        assert!(said.contains(told), "{arguments:?}: {said}");
    }
}
