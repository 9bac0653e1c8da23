//! `pelage quantize`, and who takes its file.

mod common;

use std::fs;
use std::path::Path;

use common::{data, fail, succeed};
use serde_json::Value;

/// A run on stripes.
fn trained(folder: &Path) {
    data(folder, 40, 20);
    let learning = "--epochs 6 --patience 0 --image-size 24 --optimizer adam --learning-rate 0.003";
    let train = format!("train data --out run {learning}");
    succeed(folder, &train.split(' ').collect::<Vec<_>>());
}

fn json(folder: &Path, arguments: &str) -> Value {
    let arguments: Vec<_> = arguments.split(' ').chain(["--json"]).collect();
    serde_json::from_str(&succeed(folder, &arguments)).unwrap()
}

#[test]
fn a_quantized_run_answers_like_the_run() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    trained(folder);
    let refused = fail(folder, &["predict", "run", "data/validation", "--precision", "int8"], 2);
    assert!(refused.contains("pelage quantize run"), "{refused}");

    let said = succeed(folder, &["quantize", "run", "--calibrate", "data", "--images", "32"]);
    for told in [
        "accuracy",
        "both say the same of",
        "32 training pictures",
        "int8.safetensors",
    ] {
        assert!(said.contains(told), "{told}: {said}");
    }
    // Again, without a word, over what is only another of its kind.
    let made = json(folder, "quantize run");
    let figure = |name: &str| made.pointer(name).and_then(Value::as_f64).unwrap();
    assert_eq!(figure("/calibrated_on"), 80.0);
    assert_eq!(figure("/images"), 40.0);
    assert!(figure("/int8/file_bytes") * 3.0 < figure("/f32/file_bytes"), "{made}");
    assert!(
        figure("/agreement") > 0.95 && figure("/f32/accuracy") - figure("/int8/accuracy") <= 0.05,
        "{made}"
    );

    // By the option, and as a file of its own.
    let whole = json(folder, "predict run data/validation --precision f32");
    let by_option = json(folder, "predict run data/validation --precision int8");
    let by_file = json(folder, "predict run/int8.safetensors data/validation");
    assert_eq!(by_option, by_file);
    assert_ne!(by_option, whole);
    assert_eq!(json(folder, "predict run data/validation"), whole);
    let evaluated = json(folder, "evaluate run/int8.safetensors");
    assert_eq!(evaluated["accuracy"], made["int8"]["accuracy"]);
    assert_eq!(json(folder, "summary run/int8.safetensors")["precision"], "int8");
    assert!(succeed(folder, &["summary", "run/int8.safetensors"]).contains("quantized"));
    fs::copy(
        folder.join("run/int8.safetensors"),
        folder.join("elsewhere.safetensors"),
    )
    .unwrap();
    assert_eq!(json(folder, "predict elsewhere.safetensors data/validation"), by_file);
    succeed(folder, &["calibrate", "elsewhere.safetensors", "data"]);
    assert_eq!(json(folder, "summary elsewhere.safetensors")["precision"], "int8");
    succeed(folder, &["report", "run/int8.safetensors", "--out", "report.html"]);
    succeed(folder, &["compare", "run", "run/int8.safetensors", "--data", "data"]);

    // What needs the weights as they were trained says so.
    for (verb, told) in [
        (
            "explain run/int8.safetensors data/validation --out explained",
            "explained",
        ),
        ("export onnx run/int8.safetensors --out model.onnx", "exported"),
        ("export web run/int8.safetensors --out site", "browser"),
        ("ensemble run run/int8.safetensors --out both.safetensors", "ensemble"),
        (
            "quantize run/int8.safetensors --out again.safetensors",
            "quantized again",
        ),
    ] {
        let refused = fail(folder, &verb.split(' ').collect::<Vec<_>>(), 2);
        assert!(
            refused.contains(told) && refused.contains("quantized"),
            "{verb}: {refused}"
        );
    }
    let f32 = [
        "predict",
        "run/int8.safetensors",
        "data/validation",
        "--precision",
        "f32",
    ];
    assert!(fail(folder, &f32, 1).contains("weights in f32"));
    // No other file than one of its kind is replaced.
    fs::write(folder.join("notes.safetensors"), b"notes").unwrap();
    let refused = fail(folder, &["quantize", "run", "--out", "notes.safetensors"], 2);
    assert!(refused.contains("--force"), "{refused}");
    // Of an earlier state of the run, it answers no more for it.
    succeed(folder, &["calibrate", "run"]);
    let refused = fail(folder, &["predict", "run", "data/validation", "--precision", "int8"], 1);
    assert!(refused.contains("earlier state"), "{refused}");
    assert!(fail(folder, &["quantize", "run", "--images", "0"], 2).contains("1 to 4096"));
}
