//! Backbones through the binary, with random weights: features, heads, resume, fine-tuning, and wrong usage.

mod common;

use std::path::Path;

use common::{data, fail, frozen as train, succeed, tensors};

fn history(folder: &Path, run: &str) -> Vec<Vec<String>> {
    let text = std::fs::read_to_string(folder.join(run).join("history.csv")).unwrap();
    text.lines()
        .skip(1)
        .map(|line| line.split(',').map(String::from).collect())
        .collect()
}

#[test]
fn a_head_on_frozen_features_is_a_whole_model() {
    let folder = tempfile::tempdir().unwrap();
    data(folder.path(), 40, 15);
    for (out, more) in [
        ("linear", &["--tta", "flip"][..]),
        ("mlp", &["--head", "mlp"]),
        ("article", &["--head", "article"]),
    ] {
        let said = succeed(
            folder.path(),
            &train(&[&["--out", out, "--patience", "0"], more].concat()),
        );
        assert!(said.contains("best epoch"), "{said}");
        let said = succeed(folder.path(), &["evaluate", out, "data", "--json"]);
        let evaluation: serde_json::Value = serde_json::from_str(&said).unwrap();
        // Even random filters can tell upright stripes from level ones.
        assert!(evaluation["accuracy"].as_f64().unwrap() >= 0.8, "{out}: {said}");
        // The saved backbone and head together compute what the head alone did on the kept features.
        let losses = history(folder.path(), out);
        let best = losses
            .iter()
            .map(|row| row[5].parse::<f64>().unwrap())
            .fold(f64::MAX, f64::min);
        let gap = (evaluation["log_loss"].as_f64().unwrap() - best).abs();
        assert!(gap < 1e-4 * best.max(1.0), "{out}: {gap} of {best}");
    }
    assert_eq!(history(folder.path(), "article").len(), 15);
    let said = succeed(folder.path(), &["summary", "mlp"]);
    assert!(said.contains("head.dense1") && said.contains("resnet18"), "{said}");
    let said = succeed(folder.path(), &["predict", "linear", "data/validation/level", "--json"]);
    assert_eq!(
        serde_json::from_str::<serde_json::Value>(&said)
            .unwrap()
            .as_array()
            .unwrap()
            .len(),
        15
    );
}

#[test]
fn resumed_heads_and_backbones_end_with_the_same_weights() {
    let folder = tempfile::tempdir().unwrap();
    data(folder.path(), 12, 6);
    for (kind, more) in [
        ("head", &["--schedule", "constant"][..]),
        ("last", &["--unfreeze", "last-2", "--schedule", "constant"]),
        (
            "all",
            &["--unfreeze", "all", "--schedule", "constant", "--warm-up", "0"],
        ),
    ] {
        let [whole, parts] = ["whole", "parts"].map(|part| format!("{kind}-{part}"));
        for (out, epochs) in [(&whole, "3"), (&parts, "1")] {
            succeed(
                folder.path(),
                &train(&[&["--out", out, "--epochs", epochs], more].concat()),
            );
        }
        succeed(folder.path(), &["train", "--resume", &parts, "--epochs", "3"]);
        for file in ["best.safetensors", "last.safetensors"] {
            let [a, b] = [&whole, &parts].map(|run| tensors(&folder.path().join(run).join(file)));
            assert!(a == b, "{kind}: {file} differs");
        }
    }
}

#[test]
fn fine_tuning_goes_on_from_the_head_that_it_trained_first() {
    let folder = tempfile::tempdir().unwrap();
    data(folder.path(), 30, 10);
    let arguments = train(&[
        "--fine-tune",
        "--epochs",
        "2",
        "--out",
        "run",
        "--learning-rate",
        "0.000001",
    ]);
    let output = common::run(folder.path(), &arguments);
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{told}");
    // Ctrl-C is listened for in both phases, and loses nothing in either.
    assert!(!told.contains("lose"), "{told}");
    let head = history(folder.path(), "run/head");
    // Of the head's epochs, which take milliseconds, only the last has a line; the log has all.
    let epochs = told.lines().filter(|line| line.starts_with("epoch ")).count();
    assert!((3..head.len()).contains(&epochs), "{epochs}: {told}");
    let log = std::fs::read_to_string(folder.path().join("run/head/log.txt")).unwrap();
    assert_eq!(
        log.lines().filter(|line| line.contains("  loss ")).count(),
        head.len(),
        "{log}"
    );
    let loss = |row: &[String]| row[5].parse::<f64>().unwrap();
    let best = head.iter().map(|row| loss(row)).fold(f64::MAX, f64::min);
    let first = loss(&history(folder.path(), "run")[0]);
    // At so low a rate nothing is lost: without the trained head it would be as bad as guessing.
    assert!(first < (best + 2f64.ln()) / 2.0, "{first} after {best}");
}

/// Interrupted in its second phase it tells how to go on, and has lost nothing.
#[cfg(unix)]
#[test]
fn fine_tuning_that_was_interrupted_goes_on_where_it_was() {
    use std::process::Stdio;
    let folder = tempfile::tempdir().unwrap();
    data(folder.path(), 30, 10);
    let arguments = train(&["--fine-tune", "--epochs", "1000", "--patience", "0", "--out", "run"]);
    let child = common::pelage(folder.path())
        .args(arguments)
        .stderr(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let log = || std::fs::read_to_string(folder.path().join("run/log.txt")).unwrap_or_default();
    while !log().contains("epoch 2/") {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    let pid = child.id().to_string();
    std::process::Command::new("kill")
        .args(["-INT", &pid])
        .status()
        .unwrap();
    let output = child.wait_with_output().unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(130), "{told}");
    assert!(
        told.contains("stopping after this step and saving") && !told.contains("lose"),
        "{told}"
    );
    assert!(
        told.contains("interrupted and saved; resume by `pelage train --resume run`"),
        "{told}"
    );
    let [head, before] = ["run/head", "run"].map(|run| history(folder.path(), run));
    let more = (before.len() + 1).to_string();
    succeed(folder.path(), &["train", "--resume", "run", "--epochs", &more]);
    let after = history(folder.path(), "run");
    assert_eq!(after.len(), before.len() + 1);
    assert_eq!(after[..before.len()], before, "epochs that were done are done");
    assert_eq!(history(folder.path(), "run/head"), head);
}

#[test]
fn features_come_with_paths_and_labels_and_are_kept() {
    let folder = tempfile::tempdir().unwrap();
    data(folder.path(), 5, 3);
    std::fs::write(folder.path().join("data/train/level/2.png"), b"no picture").unwrap();
    let arguments = [
        "features",
        "data",
        "--backbone",
        "resnet18",
        "--weights",
        "random",
        "--image-size",
        "32",
    ];
    let said = succeed(folder.path(), &arguments);
    assert!(said.contains("9 pictures") && said.contains("2.png"), "{said}");
    let kept = || {
        let files = std::fs::read_dir(folder.path().join("cache")).unwrap().flatten();
        let kept = files.filter(|file| file.path().extension().is_some_and(|end| end == "features"));
        let mut kept: Vec<_> = kept
            .map(|file| (file.path(), file.metadata().unwrap().created().ok()))
            .collect();
        kept.sort();
        kept
    };
    let (array, before) = (std::fs::read(folder.path().join("features/train.npy")).unwrap(), kept());
    assert_eq!(before.len(), 2);
    // By the format's description: magic, version 1.0, length of the header, the header.
    assert_eq!(&array[..8], b"\x93NUMPY\x01\x00");
    let header = String::from_utf8_lossy(&array[10..128]).into_owned();
    assert!(
        header.contains("'descr': '<f4'") && header.contains("'shape': (9, 512"),
        "{header}"
    );
    assert_eq!(
        array.len(),
        10 + u16::from_le_bytes([array[8], array[9]]) as usize + 9 * 512 * 4
    );
    let table = std::fs::read_to_string(folder.path().join("features/train.csv")).unwrap();
    assert_eq!(table.lines().count(), 10);
    assert!(table.lines().nth(1).unwrap().ends_with(",level,0"), "{table}");

    succeed(folder.path(), &arguments);
    assert_eq!(kept(), before);
    assert_eq!(std::fs::read(folder.path().join("features/train.npy")).unwrap(), array);
    succeed(folder.path(), &["cache", "clear"]);
    assert!(kept().is_empty());
    succeed(folder.path(), &[&arguments[..], &["--cache", "off"]].concat());
    assert!(kept().is_empty());
    assert_eq!(std::fs::read(folder.path().join("features/train.npy")).unwrap(), array);
}

#[test]
fn a_run_goes_on_only_with_the_weights_that_it_began_with() {
    let folder = tempfile::tempdir().unwrap();
    data(folder.path(), 6, 3);
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../pelage/tests/fixtures/torch");
    let weights = folder.path().join("weights.pth");
    std::fs::copy(fixtures.join("resnet18.pth"), &weights).unwrap();
    let begin = ["train", "data", "--backbone", "resnet18", "--weights", "weights.pth"];
    let begin = [&begin[..], &["--image-size", "32", "--epochs", "1", "--out", "run"]].concat();
    succeed(folder.path(), &begin);
    succeed(folder.path(), &["train", "--resume", "run", "--epochs", "2"]);
    // The same architecture, and even the same values, in another file.
    std::fs::copy(fixtures.join("resnet18-legacy.pth"), &weights).unwrap();
    let refused = fail(folder.path(), &["train", "--resume", "run", "--epochs", "3"], 1);
    assert!(
        refused.contains("weights.pth") && refused.contains("began with"),
        "{refused}"
    );
}

#[test]
fn what_does_not_go_together_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    data(folder.path(), 3, 2);
    for (more, named) in [
        (&["--tta", "flip", "--pooling", "flatten"][..], "--pooling is flatten"),
        (&["--tta", "flip", "--unfreeze", "all"], "--unfreeze is all"),
        (&["--unfreeze", "last-0"], "last-N"),
        (&["--model", "cnn3"], "--model"),
        (&["--head-from", "nowhere"], "--unfreeze"),
        (&["--backbone-rate", "0.5"], "no effect on a frozen backbone"),
        (
            &["--layer-rate", "0.5"],
            "--layer-rate has no effect on a frozen backbone",
        ),
        (&["--fixed-norms"], "--fixed-norms has no effect on a frozen backbone"),
        (&["--unfreeze", "all", "--layer-rate", "1.5"], "above 0 and at most 1"),
        (&["--head-rate", "0.5"], "--head-rate"),
    ] {
        let refused = fail(folder.path(), &train(more), 2);
        assert!(refused.contains(named), "{more:?}: {refused}");
    }
    let refused = fail(folder.path(), &["train", "data", "--head", "mlp"], 2);
    assert!(refused.contains("--backbone"), "{refused}");
    let missing = train(&["--unfreeze", "all", "--head-from", "nowhere"]);
    assert!(fail(folder.path(), &missing, 1).contains("nowhere"));
    std::fs::write(folder.path().join("text.pth"), "no weights").unwrap();
    let refused = fail(
        folder.path(),
        &["train", "data", "--backbone", "resnet18", "--weights", "text.pth"],
        1,
    );
    assert!(refused.contains("text.pth"), "{refused}");
}

#[test]
fn what_a_frozen_backbone_would_ignore_is_refused_and_random_weights_are_told() {
    let folder = tempfile::tempdir().unwrap();
    data(folder.path(), 8, 4);
    for more in [
        &["--rotation-range", "20"][..],
        &["--horizontal-flip"],
        &["--fill-mode", "wrap"],
    ] {
        let told = fail(folder.path(), &train(more), 2);
        assert!(
            told.contains("frozen backbone") && told.contains("--unfreeze last-3"),
            "{told}"
        );
    }
    assert!(!folder.path().join("runs").exists());
    let unfrozen = [
        "--unfreeze",
        "last-1",
        "--epochs",
        "1",
        "--rotation-range",
        "20",
        "--out",
        "last",
    ];
    succeed(folder.path(), &train(&unfrozen));
    let asked = ["--rotation-range", "20", "--no-augmentation"];
    assert!(fail(folder.path(), &train(&asked), 2).contains("frozen"));
    succeed(
        folder.path(),
        &train(&["--no-augmentation", "--epochs", "1", "--out", "plain"]),
    );

    let scratch = [
        "train",
        "data",
        "--model",
        "resnet18",
        "--image-size",
        "32",
        "--epochs",
        "1",
        "--out",
        "scratch",
    ];
    let output = common::run(folder.path(), &scratch);
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{told}");
    assert!(
        told.contains("random weights") && told.contains("pelage train data --backbone resnet18"),
        "{told}"
    );
}

#[test]
fn a_head_that_is_solved_is_a_run_like_any_other() {
    let folder = tempfile::tempdir().unwrap();
    data(folder.path(), 40, 15);
    let logistic = ["--head", "logistic", "--tta", "flip", "--class-weights", "balanced"];
    for (out, threads) in [("one", "1"), ("two", "2")] {
        let more = [&logistic[..], &["--out", out, "--threads", threads]].concat();
        let output = common::run(folder.path(), &train(&more));
        let told = String::from_utf8(output.stderr).unwrap();
        assert!(
            output.status.success() && told.contains("chosen by cross-validation"),
            "{told}"
        );
        assert!(!told.contains("an epoch"), "{told}");
    }
    // Bit for bit, on any number of threads.
    let [one, two] = ["one", "two"].map(|run| tensors(&folder.path().join(run).join("best.safetensors")));
    assert!(one == two);
    let rows = history(folder.path(), "one");
    assert_eq!((rows.len(), rows[0][0].as_str()), (1, "1"));
    let said = succeed(folder.path(), &["train", "--resume", "one"]);
    assert!(said.contains("nothing was left to do"), "{said}");
    let said = succeed(folder.path(), &["evaluate", "one", "--json"]);
    let evaluation: serde_json::Value = serde_json::from_str(&said).unwrap();
    let gap = evaluation["log_loss"].as_f64().unwrap() - rows[0][5].parse::<f64>().unwrap();
    assert!(
        gap.abs() < 1e-4 && evaluation["accuracy"].as_f64().unwrap() >= 0.8,
        "{said}"
    );
    succeed(folder.path(), &["report", "one", "--out", "page.html"]);
    succeed(folder.path(), &["calibrate", "one"]);
    for (more, named) in [
        (&["--epochs", "3"][..], "epochs"),
        (&["--learning-rate", "0.1"], "--learning-rate has no effect"),
        (&["--loss", "focal"], "loss"),
        (&["--unfreeze", "all"], "unfreeze"),
        (&["--pooling", "flatten"], "pooling"),
    ] {
        let said = fail(
            folder.path(),
            &train(&[&["--head", "logistic", "--out", "no"], more].concat()),
            2,
        );
        assert!(said.contains(named), "{said}");
    }
    let said = fail(folder.path(), &["train", "--resume", "two", "--epochs", "5"], 2);
    assert!(said.contains("epochs"), "{said}");
}
