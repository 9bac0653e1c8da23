//! A run that pelage 0.1 made before its files had format version 2 (`fixtures/run-0.1`): trained for two epochs and
//! calibrated on the first 20 cats and dogs that `demo` draws, by `pelage train pics --validation-split 0.25
//! --image-size 16 --epochs 2 --patience 0 --batch-size 8 --threads 2 --cache off`.

mod common;

use std::path::{Path, PathBuf};

use common::{fail, succeed};

/// A folder with the run and its images, drawn again.
fn old_run() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    pelage::data::sample::write(&folder.path().join("pics"), 20, 0, 64, &|_| {}).unwrap();
    let run = folder.path().join("run");
    std::fs::create_dir(&run).unwrap();
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/run-0.1");
    for entry in std::fs::read_dir(fixture).unwrap() {
        let path = entry.unwrap().path();
        std::fs::copy(&path, run.join(path.file_name().unwrap())).unwrap();
    }
    (folder, run)
}

/// The probability of the first class by picture.
fn cats(table: &str) -> Vec<(String, f64)> {
    let rows = table.lines().skip(1).map(|line| line.split(',').collect::<Vec<_>>());
    rows.map(|row| (row[0].to_string(), row[4].parse().unwrap())).collect()
}

#[test]
fn an_old_model_answers_as_it_did() {
    let (folder, run) = old_run();
    let text = succeed(folder.path(), &["predict", "run", "pics", "--csv", "now.csv"]);
    let noted = common::run(folder.path(), &["predict", "run", "pics"]);
    assert!(String::from_utf8_lossy(&noted.stderr).contains("has no checksum"));
    assert!(text.contains("calibrated"), "{text}");
    let read = |path: PathBuf| cats(&std::fs::read_to_string(path).unwrap());
    let (now, then) = (read(folder.path().join("now.csv")), read(run.join("predictions.csv")));
    assert_eq!(now.len(), 40);
    for ((name, now), (expected, then)) in now.iter().zip(&then) {
        assert!(name == expected && (now - then).abs() < 1e-7, "{name}: {now} {then}");
    }
    let evaluated = succeed(folder.path(), &["evaluate", "run", "pics"]);
    assert!(evaluated.contains("40 pictures"), "{evaluated}");
    // The settings are read for where the pictures are.
    succeed(folder.path(), &["calibrate", "run"]);
    succeed(folder.path(), &["report", "run"]);
    succeed(folder.path(), &["summary", "run"]);
}

#[test]
fn an_old_run_goes_on_and_is_then_a_new_one() {
    let (folder, run) = old_run();
    succeed(folder.path(), &["train", "--resume", "run", "--epochs", "3"]);
    let history = std::fs::read_to_string(run.join("history.csv")).unwrap();
    let old = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/run-0.1/history.csv"))
        .unwrap();
    assert_eq!(history.lines().count(), 4);
    assert!(history.starts_with(&old), "{history}");
    // The running average of the weights, which is validated, takes in new ones at steps 8 and 16 alone: what epoch 3
    // validates is what the checkpoint of epoch 2 holds.
    let validation_loss = |epoch: usize| -> f64 {
        let row = history.lines().nth(epoch).unwrap();
        row.split(',').nth(5).unwrap().parse().unwrap()
    };
    assert!((validation_loss(3) - validation_loss(2)).abs() < 1e-6, "{history}");
    assert!((validation_loss(2) - validation_loss(1)).abs() > 1e-4, "{history}");
    let config = std::fs::read_to_string(run.join("config.toml")).unwrap();
    assert!(
        config.contains("epochs = 3") && config.contains("[compute]\n"),
        "{config}"
    );
    assert!(
        config.contains("threads = 2") && config.contains("cache = \"off\""),
        "{config}"
    );
    succeed(folder.path(), &["train", "--resume", "run"]);
}

/// Before it was part of the model file, a calibration lay beside it.
#[test]
fn an_old_calibration_is_read_until_there_is_a_new_one() {
    let (folder, run) = old_run();
    let beside = run.join("calibration.safetensors");
    std::fs::copy(run.join("best.safetensors"), folder.path().join("lone.safetensors")).unwrap();
    let lone = succeed(folder.path(), &["predict", "lone.safetensors", "pics/cat.0.jpg"]);
    assert!(!lone.contains("calibrated"), "{lone}");
    std::fs::copy(&beside, folder.path().join("lone.calibration.safetensors")).unwrap();
    let lone = succeed(folder.path(), &["predict", "lone.safetensors", "pics/cat.0.jpg"]);
    assert!(lone.contains("calibrated"), "{lone}");

    let whole = std::fs::read(&beside).unwrap();
    for length in [0, 7, 60, whole.len() - 1] {
        std::fs::write(&beside, &whole[..length]).unwrap();
        let refused = fail(folder.path(), &["predict", "run", "pics/cat.0.jpg"], 1);
        assert!(refused.contains("pelage calibrate run"), "{length}: {refused}");
    }
    std::fs::write(&beside, &whole).unwrap();
    // It belongs to the bytes of its model.
    rewritten(&run, |description| {
        description["facts"]["training"] = serde_json::json!({})
    });
    let refused = fail(folder.path(), &["evaluate", "run", "pics"], 1);
    assert!(
        refused.contains("another model") && refused.contains("pelage calibrate run"),
        "{refused}"
    );
    std::fs::copy(folder.path().join("lone.safetensors"), run.join("best.safetensors")).unwrap();
    succeed(folder.path(), &["calibrate", "run"]);
    assert!(!beside.exists());
    let told = succeed(folder.path(), &["predict", "run", "pics/cat.0.jpg", "--reject", "0.5"]);
    assert!(told.contains("probabilities are"), "{told}");
}

/// The metadata of a model file with `change` made to it.
fn rewritten(run: &Path, change: impl Fn(&mut serde_json::Value)) {
    let path = run.join("best.safetensors");
    let bytes = std::fs::read(&path).unwrap();
    let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let mut header: serde_json::Value = serde_json::from_slice(&bytes[8..8 + length]).unwrap();
    let mut description = serde_json::from_str(header["__metadata__"]["pelage"].as_str().unwrap()).unwrap();
    change(&mut description);
    header["__metadata__"]["pelage"] = description.to_string().into();
    let header = serde_json::to_vec(&header).unwrap();
    let written = [&(header.len() as u64).to_le_bytes(), &header[..], &bytes[8 + length..]].concat();
    std::fs::write(path, written).unwrap();
}

#[test]
fn what_a_newer_pelage_adds_to_the_training_facts_is_read_over_and_what_changes_answers_is_not() {
    let (folder, run) = old_run();
    std::fs::remove_file(run.join("calibration.safetensors")).unwrap();
    rewritten(&run, |description| {
        description["facts"]["training"] = serde_json::json!({"recipe": {"a_new_setting": 7}, "planet": "Mars"});
    });
    succeed(folder.path(), &["predict", "run", "pics/cat.0.jpg"]);
    // Where the pictures are is then not known, and must be said.
    let told = fail(folder.path(), &["calibrate", "run"], 1);
    assert!(told.contains("name them"), "{told}");

    rewritten(&run, |description| {
        description["facts"]["preprocessing"]["rotate"] = 90.into()
    });
    let told = fail(folder.path(), &["predict", "run", "pics/cat.0.jpg"], 1);
    assert!(told.contains("rotate"), "{told}");

    rewritten(&run, |description| {
        description["facts"]["preprocessing"] = serde_json::json!({
            "width": 16, "height": 16, "filter": "bilinear", "fit": "squash", "mean": [0, 0, 0], "std": [1, 1, 1],
        });
        description["facts"]["rotations"] = 4.into();
    });
    let told = fail(folder.path(), &["predict", "run", "pics/cat.0.jpg"], 1);
    assert!(told.contains("rotations"), "{told}");

    rewritten(&run, |description| description["version"] = 99.into());
    let told = fail(folder.path(), &["predict", "run", "pics/cat.0.jpg"], 1);
    assert!(told.contains("version 99") && told.contains("newer"), "{told}");
}
