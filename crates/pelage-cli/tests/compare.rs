//! `pelage compare`: runs side by side.

mod common;

use std::fs;
use std::path::Path;

use common::{data, fail, succeed};
use serde_json::Value;

fn train(folder: &Path, out: &str, more: &[&str]) {
    let train = [
        "train",
        "data",
        "--image-size",
        "24",
        "--optimizer",
        "adam",
        "--out",
        out,
    ];
    succeed(folder, &[&train, more].concat());
}

#[test]
fn runs_are_compared_on_the_same_images() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    data(folder, 40, 20);
    train(folder, "good", &["--epochs", "3", "--learning-rate", "0.003"]);
    train(
        folder,
        "poor",
        &["--epochs", "1", "--learning-rate", "0.0000001", "--seed", "5"],
    );
    train(folder, "same", &["--epochs", "3", "--learning-rate", "0.003"]);
    let said = succeed(folder, &["compare", "good", "poor", "same", "--out", "c.svg", "--json"]);
    let report: Value = serde_json::from_str(&said).unwrap();
    assert_eq!(report["pictures"], 40);
    let runs = report["runs"].as_array().unwrap();
    assert_eq!(runs[0]["architecture"], "cnn3");
    assert_eq!((&runs[0]["epochs"], &runs[1]["epochs"]), (&3.into(), &1.into()));
    // The evaluation reproduces the run's own account.
    for run in runs {
        let end = |index: usize| run["accuracy_interval"][index].as_f64().unwrap();
        let accuracy = run["accuracy"].as_f64().unwrap();
        assert!(
            end(0) <= accuracy && accuracy <= end(1) && end(1) - end(0) > 0.02,
            "{run}"
        );
        assert!(run.get("calibrated").is_none(), "{run}");
        let (own, now) = (
            run["validation_accuracy"].as_f64().unwrap(),
            run["accuracy"].as_f64().unwrap(),
        );
        assert!((own - now).abs() < 0.051, "{run}");
    }
    assert!(runs[0].get("difference").is_none());
    let number = |run: &Value, name: &str| run["difference"][name].as_f64().unwrap();
    let (first, second) = (
        runs[0]["accuracy"].as_f64().unwrap(),
        runs[1]["accuracy"].as_f64().unwrap(),
    );
    assert!((number(&runs[1], "accuracy") - (second - first)).abs() < 1e-12);
    let discordant = number(&runs[1], "only_this") - number(&runs[1], "only_first");
    assert!((discordant / 40.0 - (second - first)).abs() < 1e-12);
    // The same recipe gives the same run.
    assert_eq!(number(&runs[2], "only_first") + number(&runs[2], "only_this"), 0.0);
    assert_eq!((number(&runs[2], "log10_p"), number(&runs[2], "accuracy")), (0.0, 0.0));

    let svg = fs::read_to_string(folder.join("c.svg")).unwrap();
    assert!(["good", "poor", "same"].iter().all(|name| svg.contains(name)), "{svg}");
    let said = succeed(folder, &["compare", "good", "poor", "--out", "c.png"]);
    assert!(said.contains("95 % interval") && said.contains("40 pictures"), "{said}");
    assert!(fs::read(folder.join("c.png")).unwrap().starts_with(b"\x89PNG"));

    // A lone model file has no history.
    fs::copy(folder.join("good/best.safetensors"), folder.join("lone.safetensors")).unwrap();
    let said = succeed(
        folder,
        &["compare", "good", "lone.safetensors", "--data", "data/validation"],
    );
    assert!(said.contains("lone.safetensors"), "{said}");

    assert!(fail(folder, &["compare", "good"], 2).contains("RUN"));
    assert!(fail(folder, &["compare", "good", "poor", "--out", "c.gif"], 2).contains(".svg"));
    assert!(fail(folder, &["compare", "good", "nowhere"], 1).contains("there is no model"));
    fs::rename(folder.join("data"), folder.join("moved")).unwrap();
    assert!(fail(folder, &["compare", "good", "poor"], 1).contains("--data"));
    succeed(folder, &["compare", "good", "poor", "--data", "moved"]);
    succeed(folder, &["organize", "moved/train", "--out", "other"]);
    let elsewhere = [
        "train",
        "other",
        "--image-size",
        "24",
        "--epochs",
        "1",
        "--out",
        "elsewhere",
    ];
    succeed(folder, &elsewhere);
    fs::rename(folder.join("moved"), folder.join("data")).unwrap();
    assert!(fail(folder, &["compare", "good", "elsewhere"], 2).contains("different images"));
}
