//! `pelage train --folds`.

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use common::{data, fail, pelage, succeed, tensors};

fn train<'a>(out: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let fixed = "train data --folds 3 --epochs 2 --patience 0 --image-size 24 --batch-size 8 --out";
    fixed.split(' ').chain([out]).chain(more.iter().copied()).collect()
}

/// The rows of a CSV, by the names of its columns.
fn rows(path: &Path) -> Vec<BTreeMap<String, String>> {
    let mut reader = csv::Reader::from_path(path).unwrap();
    reader.deserialize().map(Result::unwrap).collect()
}

#[test]
fn every_picture_is_judged_once_by_a_run_that_was_not_trained_on_it() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path();
    data(folder, 18, 4);
    // The same picture twice is never on both sides.
    fs::copy(
        folder.join("data/train/level/0.png"),
        folder.join("data/train/level/again.png"),
    )
    .unwrap();
    let said = succeed(folder, &train("cv", &["--json"]));
    let lines: Vec<serde_json::Value> = said.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let told = lines.last().unwrap();
    assert_eq!(told["event"], "folds");

    let predictions = rows(&folder.join("cv/out-of-fold.csv"));
    let names: BTreeSet<_> = predictions.iter().map(|row| &row["path"]).collect();
    assert_eq!((predictions.len(), names.len()), (37, 37));
    assert!(names.iter().all(|name| name.starts_with("train/")), "{names:?}");
    let of = |name: &str| predictions.iter().find(|row| row["path"] == name).unwrap();
    assert_eq!(of("train/level/0.png")["fold"], of("train/level/again.png")["fold"]);
    let mut right = 0;
    for fold in 1..=3 {
        let record = rows(&folder.join(format!("cv/fold-{fold}/split.csv")));
        let part = |set: &str| -> BTreeSet<String> {
            let own = record.iter().filter(|row| row["set"] == set);
            own.map(|row| row["path"].clone()).collect()
        };
        let (trained, validated) = (part("train"), part("validation"));
        assert!(trained.is_disjoint(&validated) && trained.len() + validated.len() == 37);
        for class in ["level", "upright"] {
            let count = validated.iter().filter(|path| path.contains(class)).count();
            assert!((6..=7).contains(&count), "{count} of {class}");
        }
        let own: Vec<_> = predictions
            .iter()
            .filter(|row| row["fold"] == fold.to_string())
            .collect();
        assert_eq!(
            own.iter().map(|row| row["path"].clone()).collect::<BTreeSet<_>>(),
            validated
        );
        let hits = own.iter().filter(|row| row["class"] == row["predicted"]).count();
        right += hits;
        // The run says the same of them.
        let evaluated = succeed(folder, &["evaluate", &format!("cv/fold-{fold}"), "--json"]);
        let evaluated: serde_json::Value = serde_json::from_str(&evaluated).unwrap();
        let accuracy = hits as f64 / own.len() as f64;
        assert!((evaluated["accuracy"].as_f64().unwrap() - accuracy).abs() < 1e-9);
        assert!((told["folds"][fold - 1]["accuracy"].as_f64().unwrap() - accuracy).abs() < 1e-9);
    }
    assert!((told["together"]["accuracy"].as_f64().unwrap() - right as f64 / 37.0).abs() < 1e-9);

    // One model of all: the mean of their probabilities.
    let picture = "data/validation/level/1.png";
    let probability = |model: &str| {
        let said = succeed(folder, &["predict", model, picture, "--json"]);
        let said: serde_json::Value = serde_json::from_str(&said).unwrap();
        let classes = said[0]["classes"].as_array().unwrap().clone();
        let level = classes.iter().find(|one| one[0] == "level").unwrap();
        level[1].as_f64().unwrap()
    };
    let mean = (1..=3).map(|fold| probability(&format!("cv/fold-{fold}"))).sum::<f64>() / 3.0;
    assert!((probability("cv/ensemble.safetensors") - mean).abs() < 1e-6);
    // It does not pass off pictures that it knows as new ones.
    let refused = fail(folder, &["evaluate", "cv/ensemble.safetensors"], 1);
    assert!(
        refused.contains("does not say which images it was trained on"),
        "{refused}"
    );
    succeed(folder, &["evaluate", "cv/ensemble.safetensors", "data"]);

    // Once more there is nothing to do, and other settings are another cross-validation.
    let before = fs::read(folder.join("cv/out-of-fold.csv")).unwrap();
    succeed(folder, &train("cv", &[]));
    assert!(fs::read(folder.join("cv/out-of-fold.csv")).unwrap() == before);
    let refused = fail(folder, &train("cv", &["--learning-rate", "0.1"]), 2);
    assert!(refused.contains("folds of other settings"), "{refused}");
}

#[test]
fn killed_and_begun_again_it_ends_the_same() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path();
    data(folder, 18, 4);
    succeed(folder, &train("whole", &[]));
    let mut child = pelage(folder)
        .args(train("cut", &[]))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    while !folder.join("cut/fold-2/last.safetensors").exists() && child.try_wait().unwrap().is_none() {
        std::thread::sleep(Duration::from_millis(1));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    succeed(folder, &train("cut", &[]));
    for fold in 1..=3 {
        let last = |out: &str| tensors(&folder.join(format!("{out}/fold-{fold}/last.safetensors")));
        assert!(last("whole") == last("cut"), "fold {fold}");
    }
    let table = |out: &str| fs::read(folder.join(out).join("out-of-fold.csv")).unwrap();
    assert!(table("whole") == table("cut"));
}

#[test]
fn what_cannot_be_folded_is_refused() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path();
    data(folder, 4, 2);
    for (more, told) in [
        (&["--folds", "1"][..], "2..=100"),
        (&["--folds", "3", "--validation-split", "0.2"], "cannot be used with"),
        (&["--folds", "3", "--resume", "run"], "cannot be used with"),
    ] {
        let said = fail(folder, &[&["train", "data"], more].concat(), 2);
        assert!(said.contains(told), "{said}");
    }
    let said = fail(
        folder,
        &["train", "data", "--folds", "5", "--image-size", "24", "--out", "cv"],
        1,
    );
    assert!(said.contains("4 pictures for 5 parts"), "{said}");
    let said = fail(folder, &["find-rate", "data", "--folds", "3"], 2);
    assert!(said.contains("--folds means nothing here"), "{said}");
}

/// Without parts it is all of the data; what belongs together stays together; more than can answer together are no model.
#[test]
fn all_of_the_data_is_folded_in_groups() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path();
    data(folder, 18, 4);
    fs::rename(folder.join("data/train"), folder.join("pets")).unwrap();
    let settings = "train pets --epochs 1 --image-size 24 --batch-size 8 --cache ram";
    let grouped = format!("{settings} --folds 3 --group-by regex:([0-9])[.] --out grouped");
    succeed(folder, &grouped.split(' ').collect::<Vec<_>>());
    let mut folds: BTreeMap<char, BTreeSet<String>> = BTreeMap::new();
    for row in rows(&folder.join("grouped/out-of-fold.csv")) {
        let last = row["path"].chars().rev().nth(4).unwrap();
        folds.entry(last).or_default().insert(row["fold"].clone());
    }
    assert_eq!(folds.len(), 10);
    assert!(folds.values().all(|of| of.len() == 1), "{folds:?}");

    let many = format!("{settings} --folds 17 --out many --json");
    let said = succeed(folder, &many.split(' ').collect::<Vec<_>>());
    let told: serde_json::Value = serde_json::from_str(said.lines().last().unwrap()).unwrap();
    assert_eq!(
        (&told["model"], told["folds"].as_array().unwrap().len()),
        (&serde_json::Value::Null, 17)
    );
    assert!(!folder.join("many/ensemble.safetensors").exists());
    // What a folder of folds is, it is from anywhere.
    let again = grouped
        .replace("train pets", "train ../pets")
        .replace("--out grouped", "--out ../grouped");
    fs::create_dir(folder.join("below")).unwrap();
    succeed(&folder.join("below"), &again.split(' ').collect::<Vec<_>>());
    let refused = fail(
        folder,
        &"train pets --folds 3 --out pets".split(' ').collect::<Vec<_>>(),
        2,
    );
    assert!(refused.contains("already"), "{refused}");
}
