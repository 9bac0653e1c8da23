//! A network of one's own, from an ONNX file to a model that others open.

mod common;

use std::fs;
use std::path::{Path, PathBuf};

use common::{fail, pelage, stripes, succeed};

fn fixture(name: &str) -> String {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../pelage/tests/fixtures/added");
    folder.join(name).to_str().unwrap().to_string()
}

const NORMALIZED: [&str; 4] = ["--mean", "0.485,0.456,0.406", "--std", "0.229,0.224,0.225"];

fn pictures(folder: &Path) {
    for (class, name) in ["upright", "level"].iter().enumerate() {
        let folder = folder.join("data").join(name);
        fs::create_dir_all(&folder).unwrap();
        for seed in 0..12 {
            stripes(class, seed, 32)
                .save(folder.join(format!("{seed}.png")))
                .unwrap();
        }
    }
}

#[test]
fn a_network_of_ones_own_is_added_trained_on_and_taken_elsewhere() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    pictures(folder);
    let file = fixture("mobile.onnx");
    let said = succeed(folder, &[&["weights", "add", &file][..], &NORMALIZED].concat());
    for part in [
        "the network mobile",
        "32 x 32 pixels",
        "features: 1 x 1 x 10",
        "(Gemm) was taken for the classifier",
        "--backbone mobile",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    assert!(succeed(folder, &["weights", "list"]).contains("mobile.safetensors"));
    assert!(succeed(folder, &["summary", "mobile"]).contains("hard swish"));
    let train = ["train", "data", "--validation-split", "0.25", "--epochs", "2"];
    succeed(
        folder,
        &[&train[..], &["--backbone", "mobile", "--out", "run"]].concat(),
    );
    succeed(
        folder,
        &[
            &train[..],
            &[
                "--backbone",
                "mobile+resnet18",
                "--weights",
                "random",
                "--image-size",
                "32",
                "--out",
                "both",
            ],
        ]
        .concat(),
    );
    succeed(
        folder,
        &["features", "data", "--backbone", "mobile", "--out", "features"],
    );
    assert!(folder.join("features/features.npy").exists());
    succeed(
        folder,
        &[
            &train[..],
            &["--backbone", "mobile", "--unfreeze", "last-1", "--out", "tuned"],
        ]
        .concat(),
    );
    // Removed, the run still has all that it needs.
    assert!(succeed(folder, &["weights", "remove", "mobile"]).contains("removed"));
    let picture = "data/level/3.png";
    let predicted = succeed(folder, &["predict", "run", picture]);
    assert!(
        predicted.contains("level") || predicted.contains("upright"),
        "{predicted}"
    );
    assert!(succeed(folder, &["evaluate", "run"]).contains("accuracy"));
    succeed(folder, &["explain", "run", picture, "--out", "explained"]);
    succeed(folder, &["export", "onnx", "run", "--out", "run.onnx"]);
    let none = fail(folder, &["export", "safetensors", "run", "--out", "run.safetensors"], 2);
    assert!(none.contains("mobile"), "{none}");
    // What was exported says how it takes pixels.
    let said = succeed(folder, &["weights", "add", "run.onnx", "--name", "again"]);
    assert!(said.contains("features: 1 x 1 x 10"), "{said}");
    let unknown = fail(folder, &["train", "data", "--backbone", "mobile"], 2);
    assert!(unknown.contains("mobilenet_v2"), "{unknown}");
}

#[test]
fn what_is_missing_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let file = fixture("residual.onnx");
    let unsaid = fail(folder, &["weights", "add", &file], 2);
    assert!(unsaid.contains("--mean") && unsaid.contains("0.485"), "{unsaid}");
    let all = |more: [&'static str; 2]| [&["weights", "add", file.as_str()][..], &NORMALIZED, &more].concat();
    let taken = fail(folder, &all(["--name", "resnet18"]), 2);
    assert!(taken.contains("something else"), "{taken}");
    let unknown = fail(folder, &all(["--output", "nowhere"]), 1);
    assert!(unknown.contains("no node called 'nowhere'"), "{unknown}");
    let both = fail(folder, &all(["--model", "resnet18"]), 2);
    assert!(both.contains("--model"), "{both}");
    fail(folder, &["weights", "add", &file, "--mean", "0.5", "--std", "1,1,1"], 2);
    let what = fail(folder, &["weights", "add", "weights.pth"], 2);
    assert!(what.contains("--model"), "{what}");
    fs::write(folder.join("text.onnx"), "no network").unwrap();
    let damaged = fail(folder, &[&["weights", "add", "text.onnx"][..], &NORMALIZED].concat(), 1);
    assert!(damaged.contains("no ONNX file"), "{damaged}");
    // At sizes that the network cannot take, nothing begins.
    let dense = fixture("flattened.onnx");
    succeed(
        folder,
        &[&["weights", "add", &dense, "--name", "own"][..], &NORMALIZED].concat(),
    );
    pictures(folder);
    let mut command = pelage(folder);
    command.args(["train", "data", "--validation-split", "0.25"]);
    command.args(["--backbone", "own", "--image-size", "8"]);
    let told = String::from_utf8(command.output().unwrap().stderr).unwrap();
    assert!(told.contains("8x8 pixels are not for own"), "{told}");
}
