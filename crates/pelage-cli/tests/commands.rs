//! The other verbs, wrong usage, and faulty data sets.

mod common;

use std::fs;
use std::io::Write;
use std::process::Stdio;

use common::{data, fail, pelage, run, stripes, succeed};

#[test]
fn help_names_every_verb_and_no_arguments_is_wrong_usage() {
    let folder = tempfile::tempdir().unwrap();
    let help = succeed(folder.path(), &["--help"]);
    for verb in [
        "organize",
        "inspect",
        "train",
        "summary",
        "evaluate",
        "predict",
        "merge",
        "calibrate",
        "submit",
        "compare",
        "report",
        "serve",
        "explain",
        "export",
        "plot-model",
        "features",
        "demo",
        "models",
        "weights",
        "cache",
        "bench",
        "find-rate",
        "ensemble",
        "suspects",
        "recipes",
        "devices",
        "doctor",
        "completions",
        "man",
    ] {
        assert!(help.contains(&format!("\n  {verb}")), "{verb}: {help}");
        assert!(succeed(folder.path(), &[verb, "--help"]).contains("Usage"), "{verb}");
    }
    // The way to a good model of few pictures is not hidden.
    let words = help.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words.contains("`pelage train data --backbone mobilenet_v2`"), "{help}");
    assert_eq!(run(folder.path(), &[]).status.code(), Some(2));
    assert!(
        fail(folder.path(), &["trian"], 2).contains("train"),
        "clap suggests what was meant"
    );
    let optimizers = fail(folder.path(), &["train", "data", "--optimizer", "lion"], 2);
    assert!(optimizers.contains("adamw"), "{optimizers}");
}

#[test]
fn an_instruction_set_that_is_not_here_is_wrong_usage() {
    let folder = tempfile::tempdir().unwrap();
    data(folder.path(), 12, 4);
    let train = ["train", "data", "--epochs", "1", "--image-size", "24", "--out"];
    let with = |isa: &str| {
        pelage(folder.path())
            .env("PELAGE_ISA", isa)
            .args(train)
            .arg(isa)
            .output()
            .unwrap()
    };
    let refused = with("avx9");
    let said = String::from_utf8(refused.stderr).unwrap();
    assert_eq!(refused.status.code(), Some(2), "{said}");
    assert!(
        said.contains("avx9") && said.contains("portable") && !said.contains("panicked"),
        "{said}"
    );
    assert!(with("portable").status.success());
}

#[test]
fn summary_of_the_reference_network() {
    let folder = tempfile::tempdir().unwrap();
    let said = succeed(folder.path(), &["summary", "cnn3"]);
    for number in ["896", "9,248", "18,496", "1,327,168", "130", "1,355,938"] {
        assert!(said.contains(number), "{number}: {said}");
    }
    let said = succeed(folder.path(), &["summary", "cnn3", "--json"]);
    assert_eq!(
        serde_json::from_str::<serde_json::Value>(&said).unwrap()["parameters"],
        1_355_938
    );
    assert!(fail(folder.path(), &["summary", "cnn4"], 2).contains("cnn3"));
}

#[test]
fn organize_train_evaluate_predict_from_kaggle_names() {
    let folder = tempfile::tempdir().unwrap();
    let source = folder.path().join("source");
    fs::create_dir(&source).unwrap();
    for (class, name) in ["cat", "dog"].iter().enumerate() {
        for i in 0..25 {
            stripes(class, i, 30)
                .save(source.join(format!("{name}.{i}.jpg")))
                .unwrap();
        }
    }
    let said = succeed(
        folder.path(),
        &[
            "organize", "source", "--out", "data", "--rename", "cat=cats", "--rename", "dog=dogs",
        ],
    );
    assert!(said.contains("cats") && said.contains("50 pictures"), "{said}");
    assert_eq!(
        fs::read_dir(folder.path().join("data/validation/dogs"))
            .unwrap()
            .count(),
        5
    );
    let said = succeed(folder.path(), &["inspect", "data"]);
    assert!(said.contains("validation") && said.contains("jpg 50"), "{said}");
    succeed(
        folder.path(),
        &["train", "data", "--epochs", "1", "--image-size", "24", "--out", "run"],
    );
    // The same, straight from the flat folder; the split is recorded.
    succeed(
        folder.path(),
        &[
            "train",
            "source",
            "--validation-split",
            "0.2",
            "--epochs",
            "1",
            "--image-size",
            "24",
            "--out",
            "flat",
        ],
    );
    let split = fs::read_to_string(folder.path().join("flat/split.csv")).unwrap();
    assert_eq!(split.lines().filter(|line| line.contains(",validation,")).count(), 10);
    let said = succeed(folder.path(), &["evaluate", "run", "data/validation"]);
    assert!(
        said.contains("confusion matrix") && said.contains("10 pictures"),
        "{said}"
    );
}

#[test]
fn predictions_keep_every_file_and_its_order() {
    let folder = tempfile::tempdir().unwrap();
    data(folder.path(), 12, 4);
    succeed(
        folder.path(),
        &["train", "data", "--epochs", "1", "--image-size", "24", "--out", "run"],
    );
    let mixed = folder.path().join("mixed");
    fs::create_dir(&mixed).unwrap();
    for i in [10, 9, 2, 1] {
        stripes(0, i, 24).save(mixed.join(format!("{i}.png"))).unwrap();
    }
    fs::write(mixed.join("3.jpg"), b"no picture").unwrap();
    fs::write(mixed.join("4.jpg"), b"").unwrap();
    let csv = folder.path().join("out.csv");
    let said = succeed(
        folder.path(),
        &["predict", "run", "mixed", "--csv", "out.csv", "--json", "--top", "1"],
    );
    let predictions: Vec<serde_json::Value> = serde_json::from_str(&said).unwrap();
    let names: Vec<_> = predictions
        .iter()
        .map(|one| one["path"].as_str().unwrap().rsplit('/').next().unwrap())
        .collect();
    assert_eq!(names, ["1.png", "2.png", "3.jpg", "4.jpg", "9.png", "10.png"]);
    assert_eq!(predictions[0]["classes"].as_array().unwrap().len(), 1);
    assert!(predictions[2]["error"].as_str().unwrap().contains("not a picture"));
    let csv = fs::read_to_string(csv).unwrap();
    assert_eq!(csv.lines().count(), 7);
    assert!(
        csv.starts_with("path,class,probability,error,probability of level,probability of upright"),
        "{csv}"
    );

    let bytes = fs::read(mixed.join("1.png")).unwrap();
    let mut child = pelage(folder.path())
        .args(["predict", "run", "-", "--json"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(&bytes).unwrap();
    let output = child.wait_with_output().unwrap();
    let piped: Vec<serde_json::Value> = serde_json::from_slice(&output.stdout).unwrap();
    let alone = succeed(folder.path(), &["predict", "run", "mixed/1.png", "--json"]);
    let alone: Vec<serde_json::Value> = serde_json::from_str(&alone).unwrap();
    assert_eq!(piped[0]["classes"], alone[0]["classes"]);
    // An image gets the same answer in a batch and alone.
    assert_eq!(alone[0]["classes"][0], predictions[0]["classes"][0]);

    assert!(fail(folder.path(), &["predict", "run", "mixed/3.jpg"], 1).contains("not a picture"));
    assert!(fail(folder.path(), &["predict", "run", "nowhere"], 1).contains("nowhere"));
    assert!(fail(folder.path(), &["predict", "mixed", "mixed/1.png"], 1).contains("there is no model"));
    assert!(fail(folder.path(), &["predict", "mixed/1.png", "mixed/1.png"], 1).contains("1.png"));
}

#[test]
fn data_sets_that_cannot_be_trained_on_say_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let data = data(folder.path(), 12, 4);
    let train = ["train", "data", "--epochs", "1", "--image-size", "24"];
    let validation = data.join("validation");

    fs::create_dir(data.join("train/empty")).unwrap();
    assert!(fail(folder.path(), &train, 1).contains("class 'empty' has no pictures"));
    fs::remove_dir(data.join("train/empty")).unwrap();

    fs::rename(validation.join("level"), validation.join("other")).unwrap();
    assert!(fail(folder.path(), &train, 1).contains("'other'"));
    fs::rename(validation.join("other"), validation.join("level")).unwrap();

    for i in 0..4 {
        fs::write(data.join(format!("train/level/{i}.png")), b"broken").unwrap();
    }
    let refused = fail(folder.path(), &train, 1);
    assert!(
        refused.contains("more than a tenth") && refused.contains("level/0.png"),
        "{refused}"
    );
    for i in 2..4 {
        stripes(1, i, 24)
            .save(data.join(format!("train/level/{i}.png")))
            .unwrap();
    }
    let output = run(folder.path(), &[&train[..], &["--out", "run"]].concat());
    assert!(output.status.success());
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(
        said.contains("2 files skipped") && said.contains("level/1.png"),
        "{said}"
    );
    let listed = fs::read_to_string(folder.path().join("run/unreadable.csv")).unwrap();
    assert_eq!(listed.lines().count(), 3, "{listed}");

    fs::remove_dir_all(data.join("train/level")).unwrap();
    assert!(fail(folder.path(), &train, 1).contains("only one class"));
    assert!(fail(folder.path(), &["train", "nowhere"], 1).contains("no such folder"));
    assert!(fail(folder.path(), &["train", "data", "--momentum", "1.5"], 2).contains("--momentum"));
    assert!(fail(folder.path(), &["train", "data", "--zoom-range", "-1"], 2).contains("zoom"));
    assert!(fail(folder.path(), &["train", "--resume", "nowhere"], 1).contains("no run to resume"));
    fs::write(folder.path().join("c.toml"), "epochs = \"many\"").unwrap();
    let refused = fail(folder.path(), &["train", "data", "--config", "c.toml"], 2);
    assert!(refused.contains("c.toml") && refused.contains("epochs"), "{refused}");
}

#[test]
fn caches_give_the_same_run_and_can_be_cleared() {
    let folder = tempfile::tempdir().unwrap();
    data(folder.path(), 12, 4);
    for mode in ["off", "ram", "disk"] {
        let arguments = [
            "train",
            "data",
            "--epochs",
            "2",
            "--image-size",
            "24",
            "--cache",
            mode,
            "--out",
            mode,
        ];
        succeed(folder.path(), &arguments);
    }
    let weights = |mode: &str| common::tensors(&folder.path().join(mode).join("best.safetensors"));
    assert!(weights("off") == weights("ram") && weights("ram") == weights("disk"));
    let there = || fs::read_dir(folder.path().join("cache")).unwrap().count();
    assert_eq!(there(), 2);
    succeed(folder.path(), &["cache", "clear"]);
    assert_eq!(there(), 0);
}

#[test]
fn a_measurement_is_one_document_with_its_machine() {
    let folder = tempfile::tempdir().unwrap();
    let said = succeed(
        folder.path(),
        &["bench", "inference", "--model", "cnn3", "--threads", "1", "--json"],
    );
    let measured: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert_eq!(measured["machine"]["threads"], 1);
    assert!(measured["machine"]["peak_gflops"].as_f64().unwrap() > 0.0);
    let batches: Vec<_> = measured["inference"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| &one["batch"])
        .collect();
    assert_eq!(batches, [1, 16]);
    assert!(measured.get("kernels").is_none(), "only what was asked for");
    assert!(fail(folder.path(), &["bench", "everything"], 2).contains("kernels"));

    let sized = |px| {
        let asked = "bench inference steps --model cnn3 --batch-size 1 --threads 1 --json --image-size";
        asked.split(' ').chain([px]).collect::<Vec<_>>()
    };
    let measured: serde_json::Value = serde_json::from_str(&succeed(folder.path(), &sized("36"))).unwrap();
    assert_eq!(measured["inference"][0]["size"], 36);
    assert_eq!(measured["steps"][0]["size"], 36);
    let refused = fail(folder.path(), &sized("4"), 2);
    assert!(refused.contains("cnn3: its input size 4x4"), "{refused}");
}
