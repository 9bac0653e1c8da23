//! `pelage calibrate` and `--reject`: calibrated probabilities, and images that are out of distribution.

mod common;

use std::fs;
use std::path::Path;

use common::{data, fail, stripes, succeed};
use serde_json::Value;

/// A run on stripes, and images of which some have none.
fn trained(folder: &Path) {
    data(folder, 40, 20);
    let train = [
        "train",
        "data",
        "--epochs",
        "2",
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
        said.contains("calibration error") && said.contains("calibration.safetensors"),
        "{said}"
    );
    assert!(
        said.contains("40 validation pictures") && said.contains("80 training pictures"),
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
    assert!(said.contains("unknown 1") && said.contains("unreadable 1"), "{said}");
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
    assert_eq!(number("answered") + number("unsure") + number("far"), 40);
    let coverage = rejection["coverage"].as_array().unwrap();
    assert_eq!(coverage.len(), 7);
    assert_eq!(coverage[0]["coverage"], 1.0);
    assert_eq!(coverage[0]["accuracy"], report["accuracy"]);
    let said = succeed(folder, &["evaluate", "run", "data", "--reject", "0.6"]);
    assert!(said.contains("from confidence") && said.contains("too far"), "{said}");
}

#[test]
fn a_calibration_of_another_model_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    trained(folder);
    succeed(folder, &["calibrate", "run"]);
    fs::copy(folder.join("run/best.safetensors"), folder.join("lone.safetensors")).unwrap();
    let lone = "lone.calibration.safetensors";
    // The same model under another name has no calibration until it gets one.
    assert!(!succeed(folder, &["predict", "lone.safetensors", "pictures"]).contains("calibrated"));
    fs::copy(folder.join("run/calibration.safetensors"), folder.join(lone)).unwrap();
    assert!(succeed(folder, &["predict", "lone.safetensors", "pictures"]).contains("calibrated"));

    let other = [
        "train",
        "data",
        "--epochs",
        "1",
        "--image-size",
        "24",
        "--seed",
        "1",
        "--out",
        "other",
    ];
    succeed(folder, &other);
    fs::copy(
        folder.join("run/calibration.safetensors"),
        folder.join("other/calibration.safetensors"),
    )
    .unwrap();
    let refused = fail(folder, &["evaluate", "other", "data"], 1);
    assert!(
        refused.contains("another model") && refused.contains("pelage calibrate other"),
        "{refused}"
    );
    succeed(folder, &["calibrate", "other"]);
    succeed(folder, &["evaluate", "other", "data"]);

    let whole = fs::read(folder.join("run/calibration.safetensors")).unwrap();
    fs::write(folder.join("run/calibration.safetensors"), &whole[..whole.len() / 2]).unwrap();
    let refused = fail(folder, &["predict", "run", "pictures"], 1);
    assert!(
        refused.contains("damaged") && refused.contains("pelage calibrate run"),
        "{refused}"
    );

    for coverage in ["0", "1.5", "-1", "nan"] {
        let option = format!("--coverage={coverage}");
        assert!(fail(folder, &["calibrate", "run", &option], 2).contains("--coverage"));
    }
    assert!(fail(folder, &["predict", "other", "pictures", "--reject", "1.5"], 2).contains("--reject"));
    fs::rename(folder.join("data"), folder.join("moved")).unwrap();
    assert!(fail(folder, &["calibrate", "run"], 2).contains("not at data"));
    succeed(folder, &["calibrate", "run", "moved"]);
}
