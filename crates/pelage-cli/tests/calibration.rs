//! `pelage calibrate` and `--reject`: calibrated probabilities, and images that are out of distribution.

mod common;

use std::fs;
use std::path::Path;

use common::{data, fail, stripes, succeed};
use serde_json::Value;

/// A run on stripes, of which six of each class are labelled wrongly in validation, and images of which some have none.
fn trained(folder: &Path) {
    data(folder, 40, 20);
    for (class, name) in ["level", "upright"].iter().enumerate() {
        for i in 0..6 {
            let file = format!("data/validation/{name}/wrong-{i}.png");
            stripes(class, 20_000 + i, 24).save(folder.join(file)).unwrap();
        }
    }
    let train = [
        "train",
        "data",
        "--epochs",
        "6",
        "--patience",
        "0",
        "--image-size",
        "24",
        "--optimizer",
        "adam",
        "--learning-rate",
    ];
    succeed(folder, &[&train[..], &["0.003", "--out", "run"]].concat());
    let images = folder.join("pictures");
    fs::create_dir(&images).unwrap();
    stripes(0, 77, 24).save(images.join("1.png")).unwrap();
    stripes(1, 78, 24).save(images.join("2.png")).unwrap();
    // A checkerboard of colors that no stripe has.
    let odd = image::RgbImage::from_fn(24, 24, |x, y| match (x / 3 + y / 3) % 2 {
        0 => image::Rgb([255, 0, 0]),
        _ => image::Rgb([0, 0, 255]),
    });
    odd.save(images.join("3.png")).unwrap();
    fs::write(images.join("4.png"), b"no picture").unwrap();
}

fn json(folder: &Path, arguments: &[&str]) -> Value {
    serde_json::from_str(&succeed(folder, &[arguments, &["--json"]].concat())).unwrap()
}

#[test]
fn calibrated_answers_can_be_unknown() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    trained(folder);
    for verb in ["predict", "evaluate", "submit"] {
        let place = if verb == "evaluate" { "data" } else { "pictures" };
        let refused = fail(folder, &[verb, "run", place, "--reject", "0.5"], 2);
        assert!(refused.contains("pelage calibrate run"), "{refused}");
    }
    let plain = json(folder, &["predict", "run", "pictures"]);
    assert!(plain[0].get("temperature").is_none() && plain[0].get("unknown").is_none());

    let said = succeed(folder, &["calibrate", "run", "--coverage", "0.9"]);
    assert!(
        said.contains("calibration error") && said.contains("best.safetensors"),
        "{said}"
    );
    assert!(
        said.contains("52 validation pictures") && said.contains("80 training pictures"),
        "{said}"
    );

    let scaled = json(folder, &["predict", "run", "pictures"]);
    let temperature = scaled[0]["temperature"].as_f64().unwrap();
    let top = |all: &Value| all[0]["classes"][0][1].as_f64().unwrap();
    // For two classes the difference of the logits is the log odds.
    let odds = |p: f64| (p / (1.0 - p)).ln();
    assert!((odds(top(&plain)) / temperature - odds(top(&scaled))).abs() < 1e-3);
    assert!(succeed(folder, &["predict", "run", "pictures"]).contains("calibrated (temperature"));

    let predict = ["predict", "run", "pictures", "--reject", "0", "--csv", "out.csv"];
    let judged = json(folder, &predict);
    assert_eq!(judged[2]["unknown"], true, "{judged}");
    assert!(
        judged[2]["reason"].as_str().unwrap().starts_with("distance "),
        "{judged}"
    );
    assert!(judged[3].get("unknown").is_none() && judged[3]["error"].is_string());
    let csv = fs::read_to_string(folder.join("out.csv")).unwrap();
    assert!(csv.lines().nth(3).unwrap().contains("3.png,unknown,"), "{csv}");
    let said = succeed(folder, &predict);
    let unknown = (0..3).filter(|&i| judged[i].get("unknown").is_some()).count();
    let counted = format!("unknown {unknown}, unreadable 1");
    assert!(said.contains(&counted), "{counted} is not in {said}");
    // No answer is that confident.
    let judged = json(folder, &["predict", "run", "pictures", "--reject", "1"]);
    assert!(judged[0]["reason"].as_str().unwrap().contains("below 1"), "{judged}");
}

#[test]
fn evaluation_shows_what_rejection_gains() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    trained(folder);
    let before = json(folder, &["evaluate", "run", "data"]);
    assert!(before.get("calibrated").is_none());
    succeed(folder, &["calibrate", "run", "data"]);
    let after = json(folder, &["evaluate", "run", "data"]);
    // The uncalibrated figures stay the same.
    assert_eq!(before["log_loss"], after["log_loss"]);
    let calibrated = after["calibrated"]["log_loss"].as_f64().unwrap();
    assert!(calibrated <= after["log_loss"].as_f64().unwrap() + 1e-9);

    let report = json(folder, &["evaluate", "run", "data", "--reject", "0.6"]);
    let rejection = &report["rejection"];
    let number = |name: &str| rejection[name].as_u64().unwrap();
    assert_eq!(number("answered") + number("unsure") + number("far"), 52);
    let coverage = rejection["coverage"].as_array().unwrap();
    assert_eq!(coverage.len(), 7);
    assert_eq!(coverage[0]["coverage"], 1.0);
    assert_eq!(coverage[0]["accuracy"], report["accuracy"]);
    let said = succeed(folder, &["evaluate", "run", "data", "--reject", "0.6"]);
    assert!(said.contains("from confidence") && said.contains("too far"), "{said}");
}

#[test]
fn a_copy_of_the_model_alone_answers_the_same_and_every_verb_shows_the_same_numbers() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    trained(folder);
    let plain = json(folder, &["predict", "run", "pictures/1.png"]);
    succeed(folder, &["calibrate", "run"]);
    assert!(!folder.join("run/calibration.safetensors").exists());
    fs::copy(folder.join("run/best.safetensors"), folder.join("lone.safetensors")).unwrap();
    let calibrated = json(folder, &["predict", "run", "pictures/1.png"]);
    assert_eq!(
        calibrated,
        json(folder, &["predict", "lone.safetensors", "pictures/1.png"])
    );
    assert_ne!(calibrated[0]["classes"], plain[0]["classes"]);

    let top = calibrated[0]["classes"][0][1].as_f64().unwrap();
    let shown = format!("{:.1} %", 100.0 * top);
    let said = succeed(folder, &["explain", "run", "pictures/1.png", "--out", "explained"]);
    assert!(said.contains(&shown), "{shown} is not in {said}");
    let page = fs::read_to_string(folder.join("explained/index.html")).unwrap();
    assert!(page.contains(&shown), "{shown}");
    succeed(folder, &["report", "run"]);
    let page = fs::read_to_string(folder.join("report.html")).unwrap();
    let temperature = calibrated[0]["temperature"].as_f64().unwrap();
    assert!(page.contains(&format!("divides its logits by {temperature:.3}")));
    let evaluation = json(folder, &["evaluate", "run", "data"]);
    let loss = evaluation["calibrated"]["log_loss"].as_f64().unwrap();
    assert!(page.contains(&format!("{loss:.4}")), "{loss}");
    // A training that goes on finds what it began with, and what it replaces is not calibrated.
    let resumed = common::run(
        folder,
        &["train", "--resume", "run", "--epochs", "7", "--patience", "0"],
    );
    let told = String::from_utf8(resumed.stderr).unwrap();
    assert!(resumed.status.success(), "{told}");
    let plain = json(folder, &["predict", "run", "pictures/1.png"]);
    assert_eq!(
        told.contains("is gone with them: `pelage calibrate run`"),
        plain[0].get("temperature").is_none(),
        "{told}"
    );

    for coverage in ["0", "1.5", "-1", "nan"] {
        let option = format!("--coverage={coverage}");
        assert!(fail(folder, &["calibrate", "run", &option], 2).contains("--coverage"));
    }
    assert!(fail(folder, &["predict", "run", "pictures", "--reject", "1.5"], 2).contains("--reject"));
    fs::rename(folder.join("data"), folder.join("moved")).unwrap();
    assert!(fail(folder, &["calibrate", "run"], 1).contains("any more"));
    succeed(folder, &["calibrate", "run", "moved"]);
}

#[test]
fn little_data_gives_no_temperature() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    data(folder, 20, 6);
    let train = ["train", "data", "--epochs", "4", "--image-size", "24", "--out", "run"];
    succeed(folder, &train);
    let evaluation = json(folder, &["evaluate", "run", "data"]);
    let said = succeed(folder, &["calibrate", "run"]);
    assert!(
        said.contains("temperature 1, so probabilities stay as trained") && said.contains("needs 10 such or more"),
        "{said}"
    );
    let after = json(folder, &["evaluate", "run", "data"]);
    assert_eq!(after["calibrated"]["log_loss"], evaluation["log_loss"]);
    let said = succeed(folder, &["predict", "run", "data/validation", "--reject", "0.5"]);
    assert!(said.contains("probabilities are as trained"), "{said}");
}
