//! Several networks as one model, through the binary: joined backbones and ensembles.

mod common;

use std::path::Path;

use common::{data, fail, succeed, tensors};
use serde_json::Value;

/// Two small networks side by side.
const JOINED: [&str; 9] = [
    "train",
    "data",
    "--backbone",
    "resnet18+mobilenet_v2",
    "--weights",
    "random",
    "--image-size",
    "32",
    "--out",
];

fn evaluated(folder: &Path, model: &str) -> Value {
    serde_json::from_str(&succeed(folder, &["evaluate", model, "data", "--json"])).unwrap()
}

/// Path and probabilities by class of each prediction.
fn predicted(folder: &Path, model: &str) -> Vec<(String, Vec<(String, f64)>)> {
    let said = succeed(folder, &["predict", model, "data/validation/level", "--json"]);
    let rows: Value = serde_json::from_str(&said).unwrap();
    let one = |row: &Value| {
        let classes = row["classes"].as_array().unwrap().iter();
        let mut classes: Vec<_> = classes
            .map(|pair| (pair[0].as_str().unwrap().to_string(), pair[1].as_f64().unwrap()))
            .collect();
        classes.sort_by(|a, b| a.0.cmp(&b.0));
        (row["path"].as_str().unwrap().to_string(), classes)
    };
    rows.as_array().unwrap().iter().map(one).collect()
}

#[test]
fn joined_backbones_are_one_model() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    data(at, 40, 15);
    for (out, more) in [
        ("solved", &["--head", "logistic", "--tta", "flip"][..]),
        ("steps", &["--patience", "0"]),
    ] {
        succeed(at, &[&JOINED[..], &[out], more].concat());
        // The saved networks compute together what the head alone did on the kept features.
        let history = std::fs::read_to_string(at.join(out).join("history.csv")).unwrap();
        let losses = history
            .lines()
            .skip(1)
            .map(|line| line.split(',').nth(5).unwrap().parse::<f64>().unwrap());
        let best = losses.fold(f64::MAX, f64::min);
        let evaluation = evaluated(at, out);
        let gap = (evaluation["log_loss"].as_f64().unwrap() - best).abs();
        assert!(gap < 1e-4 * best.max(1.0), "{out}: {gap} of {best}");
        assert!(evaluation["accuracy"].as_f64().unwrap() >= 0.8, "{out}: {evaluation}");
    }
    // Resumed it is the same, bit for bit.
    for (out, epochs) in [("whole", "3"), ("parts", "1")] {
        succeed(
            at,
            &[&JOINED[..], &[out, "--schedule", "constant", "--epochs", epochs]].concat(),
        );
    }
    succeed(at, &["train", "--resume", "parts", "--epochs", "3"]);
    let [one, other] = ["whole", "parts"].map(|run| tensors(&at.join(run).join("best.safetensors")));
    assert!(one == other);
    // Like any other.
    assert_eq!(predicted(at, "solved").len(), 15);
    succeed(at, &["calibrate", "solved"]);
    let said = succeed(at, &["evaluate", "solved", "--reject", "0.5"]);
    assert!(said.contains("unknown") || said.contains("answered"), "{said}");
    let said = succeed(at, &["report", "solved", "--out", "page.html"]);
    assert!(said.contains("page.html"));
    let page = std::fs::read_to_string(at.join("page.html")).unwrap();
    assert!(page.contains("resnet18+mobilenet_v2"));
    succeed(at, &["compare", "solved", "steps"]);
    succeed(
        at,
        &["submit", "solved", "data/validation/level", "--out", "submission.csv"],
    );
    // What can only be told of one network.
    for command in [
        &["explain", "solved", "data/validation/level", "--out", "explained"][..],
        &["export", "onnx", "solved", "--out", "model.onnx"],
        &["summary", "solved"],
    ] {
        let said = fail(at, command, 2);
        assert!(
            said.contains("resnet18+mobilenet_v2") && said.contains("one network"),
            "{said}"
        );
    }
    // And what makes no sense.
    for (more, named) in [
        (
            &["--head", "mlp"][..],
            "must be linear or logistic where backbones are joined",
        ),
        (&["--unfreeze", "all"], "unfreeze"),
        (&["--pooling", "flatten"], "pooling"),
        (&["--weights", "a.pth", "--weights", "b.pth"], "once for each"),
    ] {
        let said = fail(at, &[&JOINED[..], &["no"], more].concat(), 2);
        assert!(said.contains(named), "{said}");
    }
    let said = fail(at, &["train", "data", "--backbone", "resnet18+resnet19"], 2);
    assert!(said.contains("'resnet19' is none of"), "{said}");
}

#[test]
fn an_ensemble_is_the_weighted_mean_of_calibrated_probabilities() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    data(at, 40, 15);
    succeed(at, &[&JOINED[..], &["joined", "--head", "logistic"]].concat());
    let scratch = "train data --image-size 16 --epochs 2 --out scratch";
    succeed(at, &scratch.split(' ').collect::<Vec<_>>());
    succeed(at, &["calibrate", "scratch"]);
    let said = succeed(
        at,
        &["ensemble", "scratch", "joined", "--out", "both.safetensors", "--json"],
    );
    let report: Value = serde_json::from_str(&said).unwrap();
    let weight = |member: usize| report["members"][member]["weight"].as_f64().unwrap();
    assert!((weight(0) + weight(1) - 1.0).abs() < 1e-9);
    // No worse than either, on the pictures that the weights were fitted on, and what evaluation says.
    let loss = report["log_loss"].as_f64().unwrap();
    for member in 0..2 {
        assert!(
            loss <= report["members"][member]["log_loss"].as_f64().unwrap() + 1e-9,
            "{report}"
        );
    }
    let again = evaluated(at, "both.safetensors");
    assert!(
        (again["log_loss"].as_f64().unwrap() - loss).abs() < 1e-5,
        "{again} {report}"
    );
    let members = ["scratch", "joined"].map(|run| predicted(at, run));
    for (i, (path, classes)) in predicted(at, "both.safetensors").into_iter().enumerate() {
        for (j, (_, probability)) in classes.into_iter().enumerate() {
            let mean: f64 = (0..2).map(|member| weight(member) * members[member][i].1[j].1).sum();
            assert!((mean - probability).abs() < 1e-5, "{path}: {mean} {probability}");
        }
    }
    succeed(
        at,
        &[
            "submit",
            "both.safetensors",
            "data/validation/level",
            "--out",
            "submission.csv",
        ],
    );
    succeed(at, &["calibrate", "both.safetensors"]);
    // One of the same name that is no model is not replaced.
    std::fs::write(at.join("notes.txt"), "notes").unwrap();
    fail(at, &["ensemble", "scratch", "joined", "--out", "notes.txt"], 2);
    let said = fail(
        at,
        &["ensemble", "both.safetensors", "joined", "--out", "more.safetensors"],
        1,
    );
    assert!(said.contains("ensemble itself"), "{said}");
    // Other classes.
    std::fs::create_dir(at.join("other")).unwrap();
    data(&at.join("other"), 12, 6);
    for part in ["train", "validation"] {
        let part = at.join("other/data").join(part);
        std::fs::rename(part.join("level"), part.join("flat")).unwrap();
    }
    succeed(
        at,
        &[
            "train",
            "other/data",
            "--image-size",
            "16",
            "--epochs",
            "1",
            "--out",
            "flat",
        ],
    );
    let said = fail(at, &["ensemble", "scratch", "flat", "--out", "more.safetensors"], 1);
    assert!(
        said.contains("flat, upright") && said.contains("level, upright"),
        "{said}"
    );
}
