//! Training through the binary: the files of a run, determinism, interruption, resume, full disks.

mod common;

use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use common::{data, fail, pelage, succeed, tensors};

/// A short run of three steps per epoch.
fn train<'a>(more: &[&'a str]) -> Vec<&'a str> {
    train_for("4", "16", more)
}

fn train_for<'a>(epochs: &'a str, batch_size: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let fixed = [
        "train",
        "data",
        "--image-size",
        "24",
        "--patience",
        "0",
        "--epochs",
        epochs,
        "--batch-size",
        batch_size,
    ];
    [&fixed, more].concat()
}

#[test]
fn a_run_folder_holds_all_that_is_promised() {
    let folder = tempfile::tempdir().unwrap();
    data(folder.path(), 20, 8);
    let said = succeed(folder.path(), &train(&["--out", "run", "--tensorboard"]));
    assert!(said.contains("best epoch"), "{said}");
    let run = folder.path().join("run");
    for file in [
        "config.toml",
        "history.csv",
        "curves.svg",
        "curves.png",
        "best.safetensors",
        "last.safetensors",
        "log.txt",
    ] {
        assert!(run.join(file).metadata().unwrap().len() > 50, "{file}");
    }
    assert_eq!(std::fs::read_dir(run.join("tensorboard")).unwrap().count(), 1);
    // Which nobody reads as the program has it.
    let log = std::fs::read_to_string(run.join("log.txt")).unwrap();
    assert!(!log.contains("Some(") && !log.contains("None"), "{log}");
    // Its figure is called after the network, the pictures and the run, and after nothing that is in the settings.
    let curves = std::fs::read_to_string(run.join("curves.svg")).unwrap();
    assert!(curves.contains("<title>cnn3 on data: run</title>"), "{curves}");
    let history = std::fs::read_to_string(run.join("history.csv")).unwrap();
    let head = "epoch,step,learning_rate,train_loss,train_accuracy,validation_loss,validation_accuracy,seconds,\
                images_per_second";
    assert_eq!(history.lines().next(), Some(head));
    assert_eq!(history.lines().count(), 5);
    // 40 images in batches of 16: the last batch, of 8, counts.
    assert_eq!(history.lines().nth(1).unwrap().split(',').nth(1), Some("3"));

    // The settings that a run recorded repeat it.
    succeed(
        folder.path(),
        &["train", "--config", "run/config.toml", "--out", "again"],
    );
    let [once, again] =
        ["run", "again"].map(|run| std::fs::read(folder.path().join(run).join("best.safetensors")).unwrap());
    assert!(once == again, "the same settings gave another model");
    let refused = fail(folder.path(), &train(&["--out", "run"]), 2);
    assert!(refused.contains("--resume run"), "{refused}");
    std::fs::remove_file(run.join("history.csv")).unwrap();
    let complete = succeed(folder.path(), &["train", "--resume", "run"]);
    assert!(complete.contains("nothing was left to do"), "{complete}");
    assert_eq!(std::fs::read_to_string(run.join("history.csv")).unwrap(), history);
}

#[test]
fn it_learns_and_the_best_model_evaluates_and_predicts() {
    let folder = tempfile::tempdir().unwrap();
    data(folder.path(), 60, 20);
    let arguments = [
        "train",
        "data",
        "--image-size",
        "24",
        "--epochs",
        "8",
        "--batch-size",
        "8",
        "--out",
        "run",
    ];
    succeed(folder.path(), &arguments);
    let said = succeed(folder.path(), &["evaluate", "run", "data", "--json"]);
    let evaluation: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert!(evaluation["accuracy"].as_f64().unwrap() >= 0.95, "{said}");
    assert_eq!(evaluation["images"], 40);
    // The evaluation of the file agrees with the validation in training.
    let history = std::fs::read_to_string(folder.path().join("run/history.csv")).unwrap();
    let losses = history
        .lines()
        .skip(1)
        .map(|line| line.split(',').nth(5).unwrap().parse::<f64>().unwrap());
    let best = losses.fold(f64::MAX, f64::min);
    let gap = (evaluation["log_loss"].as_f64().unwrap() - best).abs();
    assert!(gap < 1e-5 * best.max(1.0), "{gap}");

    let said = succeed(folder.path(), &["predict", "run", "data/validation", "--json"]);
    let predictions: serde_json::Value = serde_json::from_str(&said).unwrap();
    let predictions = predictions.as_array().unwrap();
    assert_eq!(predictions.len(), 40);
    let right = predictions.iter().filter(|one| {
        let (path, class) = (one["path"].as_str().unwrap(), one["classes"][0][0].as_str().unwrap());
        path.contains(&format!("/{class}/"))
    });
    assert!(right.count() >= 38);
}

#[test]
fn same_seed_same_weights_and_another_seed_others() {
    let folder = tempfile::tempdir().unwrap();
    data(folder.path(), 20, 8);
    for (out, seed) in [("a", "7"), ("b", "7"), ("c", "8")] {
        succeed(folder.path(), &train(&["--out", out, "--seed", seed]));
    }
    let file = |run: &str| std::fs::read(folder.path().join(run).join("best.safetensors")).unwrap();
    let weights = |run: &str| tensors(&folder.path().join(run).join("best.safetensors"));
    assert!(file("a") == file("b"));
    assert!(weights("a") != weights("c"));
}

fn same_end(folder: &Path, whole: &str, parts: &str) {
    for file in ["best.safetensors", "last.safetensors"] {
        let [a, b] = [whole, parts].map(|run| tensors(&folder.join(run).join(file)));
        assert!(a == b, "{file} differs");
    }
    let [a, b] = [whole, parts].map(|run| {
        let text = std::fs::read_to_string(folder.join(run).join("history.csv")).unwrap();
        // All columns but seconds and images per second.
        text.lines()
            .map(|line| line.split(',').take(7).collect::<Vec<_>>().join(","))
            .collect::<Vec<_>>()
    });
    assert_eq!(a, b);
}

/// How many epochs the run has begun according to its log; a resumed one counts again.
fn begun(run: &Path) -> usize {
    let log = std::fs::read_to_string(run.join("log.txt")).unwrap_or_default();
    log.lines().filter(|line| line.contains("begins")).count()
}

#[test]
fn killed_at_any_moment_and_resumed_it_ends_with_the_same_weights() {
    let folder = tempfile::tempdir().unwrap();
    data(folder.path(), 50, 10);
    let steady = train_for(
        "40",
        "16",
        &["--optimizer", "adam", "--learning-rate", "0.001", "--out"],
    );
    let started = Instant::now();
    succeed(folder.path(), &[&steady[..], &["whole"]].concat());
    let epoch = started.elapsed() / 40;
    let run = folder.path().join("killed");
    let mut arguments: Vec<&str> = [&steady[..], &["killed"]].concat();
    let mut kills = 0;
    for round in 0..12 {
        let before = begun(&run);
        let mut child = pelage(folder.path())
            .args(&arguments)
            .stderr(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        // Some kills fall into its start, the others at different places of an epoch: by its progress, not by the
        // clock, or a fast machine would finish unharmed.
        while round % 4 > 0 && begun(&run) < before + round % 4 && child.try_wait().unwrap().is_none() {
            std::thread::sleep(Duration::from_millis(1));
        }
        std::thread::sleep(epoch * (round as u32 * 5 % 12) / 12);
        if child.try_wait().unwrap().is_none() {
            kills += 1;
        }
        child.kill().unwrap();
        child.wait().unwrap();
        if run.join("config.toml").exists() {
            arguments = vec!["train", "--resume", "killed"];
        }
    }
    assert!(
        kills >= 3 && begun(&run) > 3,
        "{kills} kills, {} epochs begun",
        begun(&run)
    );
    succeed(folder.path(), &arguments);
    same_end(folder.path(), "whole", "killed");
}

#[cfg(unix)]
#[test]
fn interrupted_in_mid_epoch_it_saves_says_how_to_go_on_and_does() {
    let folder = tempfile::tempdir().unwrap();
    data(folder.path(), 300, 10);
    succeed(folder.path(), &train_for("3", "2", &["--out", "whole"]));
    let run = folder.path().join("parts");
    // On a busy machine the signal may come between two epochs, or after the last: then once more.
    for _ in 0..5 {
        let mut child = pelage(folder.path())
            .args(train_for("3", "2", &["--out", "parts"]))
            .stderr(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        // Each epoch is 300 steps.
        while begun(&run) == 0 && child.try_wait().unwrap().is_none() {
            std::thread::sleep(Duration::from_millis(1));
        }
        let pid = child.id().to_string();
        _ = std::process::Command::new("kill")
            .args(["-TERM", &pid])
            .status()
            .unwrap();
        let output = child.wait_with_output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        // Not before the run is over: then it ends as any other.
        assert!(output.status.success() || output.status.code() == Some(143), "{said}");
        succeed(folder.path(), &["train", "--resume", "parts"]);
        same_end(folder.path(), "whole", "parts");
        let log = std::fs::read_to_string(run.join("log.txt")).unwrap();
        if log.contains("resumes after batch") {
            assert!(said.contains("pelage train --resume parts"), "{said}");
            return;
        }
        std::fs::remove_dir_all(&run).unwrap();
    }
    panic!("never interrupted in mid-epoch");
}

#[test]
fn more_epochs_go_on_from_the_last_checkpoint() {
    let folder = tempfile::tempdir().unwrap();
    data(folder.path(), 20, 8);
    succeed(
        folder.path(),
        &train_for("4", "16", &["--schedule", "constant", "--out", "whole"]),
    );
    succeed(
        folder.path(),
        &train_for("2", "16", &["--schedule", "constant", "--out", "parts"]),
    );
    succeed(folder.path(), &["train", "--resume", "parts", "--epochs", "4"]);
    same_end(folder.path(), "whole", "parts");
    let refused = fail(
        folder.path(),
        &["train", "--resume", "parts", "--learning-rate", "0.1"],
        2,
    );
    assert!(refused.contains("--resume keeps"), "{refused}");
}

#[test]
fn a_run_does_not_go_on_with_other_images() {
    let folder = tempfile::tempdir().unwrap();
    data(folder.path(), 20, 8);
    succeed(folder.path(), &train(&["--out", "run"]));
    std::fs::remove_file(folder.path().join("data/train/level/3.png")).unwrap();
    let refused = fail(folder.path(), &["train", "--resume", "run", "--epochs", "6"], 1);
    assert!(refused.contains("1 of 56 is missing: train/level/3.png"), "{refused}");
}

/// A limit on file sizes stands in for a full disk: writing fails in the same place, with an error.
#[cfg(unix)]
#[test]
fn a_full_disk_never_costs_the_last_good_checkpoint() {
    let folder = tempfile::tempdir().unwrap();
    data(folder.path(), 20, 8);
    succeed(folder.path(), &train(&["--out", "run"]));
    let run = folder.path().join("run");
    let before = ["last.safetensors", "best.safetensors"].map(|file| std::fs::read(run.join(file)).unwrap());
    // 100 blocks of 512 bytes: less than the checkpoint. The shell ignores the signal, so that writing returns an
    // error.
    let script = format!(
        "trap '' XFSZ; ulimit -f 100; exec {} train --resume run --epochs 9 --cache ram",
        env!("CARGO_BIN_EXE_pelage")
    );
    let output = std::process::Command::new("sh")
        .args(["-c", &script])
        .current_dir(folder.path())
        .env("PELAGE_CACHE", folder.path().join("cache"))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("safetensors"), "{said}");
    let after = ["last.safetensors", "best.safetensors"].map(|file| std::fs::read(run.join(file)).unwrap());
    assert!(before == after);
    let left: Vec<_> = std::fs::read_dir(&run)
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert!(
        !left.iter().any(|name| name.to_string_lossy().ends_with(".tmp")),
        "{left:?}"
    );
    succeed(folder.path(), &["train", "--resume", "run", "--epochs", "5"]);
}

#[test]
fn damaged_checkpoints_and_models_are_named() {
    let folder = tempfile::tempdir().unwrap();
    data(folder.path(), 20, 8);
    succeed(folder.path(), &train(&["--out", "run"]));
    for (file, call) in [
        ("last.safetensors", vec!["train", "--resume", "run", "--epochs", "6"]),
        ("best.safetensors", vec!["evaluate", "run", "data"]),
    ] {
        let path = folder.path().join("run").join(file);
        let whole = std::fs::read(&path).unwrap();
        for length in [0, 7, 100, whole.len() / 2, whole.len() - 1] {
            std::fs::write(&path, &whole[..length]).unwrap();
            let refused = fail(folder.path(), &call, 1);
            assert!(refused.contains(file), "{length}: {refused}");
        }
        let mut text = whole.clone();
        text[..8].copy_from_slice(&u64::MAX.to_le_bytes());
        std::fs::write(&path, &text).unwrap();
        assert!(fail(folder.path(), &call, 1).contains(file));
        std::fs::write(&path, &whole).unwrap();
    }
    // One kind of file in place of the other.
    std::fs::copy(
        folder.path().join("run/last.safetensors"),
        folder.path().join("run/best.safetensors"),
    )
    .unwrap();
    let refused = fail(folder.path(), &["evaluate", "run", "data"], 1);
    assert!(refused.contains("checkpoint"), "{refused}");
}

#[cfg(unix)]
#[test]
fn a_class_whose_name_commands_the_terminal_is_not_trained() {
    let folder = tempfile::tempdir().unwrap();
    data(folder.path(), 8, 4);
    for part in ["train", "validation"] {
        let part = folder.path().join("data").join(part);
        std::fs::rename(part.join("level"), part.join("level\u{1b}[2J")).unwrap();
    }
    let told = fail(folder.path(), &train(&["--out", "run"]), 2);
    assert!(
        told.contains("control characters") && !told.contains('\u{1b}'),
        "{told:?}"
    );
    assert!(!folder.path().join("run").exists());
}

/// Whatever damages a file, it is told before it is believed; here one bit, where nothing else would notice.
#[test]
fn one_flipped_bit_is_told() {
    let folder = tempfile::tempdir().unwrap();
    data(folder.path(), 20, 8);
    succeed(folder.path(), &train(&["--out", "run"]));
    for (file, call) in [
        ("last.safetensors", vec!["train", "--resume", "run", "--epochs", "6"]),
        ("best.safetensors", vec!["evaluate", "run", "data"]),
    ] {
        let path = folder.path().join("run").join(file);
        let whole = std::fs::read(&path).unwrap();
        let mut flipped = whole.clone();
        let end = flipped.len();
        flipped[end - 1000] ^= 1;
        std::fs::write(&path, &flipped).unwrap();
        let refused = fail(folder.path(), &call, 1);
        assert!(refused.contains(file) && refused.contains("checksum"), "{refused}");
        std::fs::write(&path, &whole).unwrap();
    }
}

#[test]
fn flags_go_before_a_configuration_and_steps_count_accumulated_batches_once() {
    let folder = tempfile::tempdir().unwrap();
    data(folder.path(), 20, 8);
    std::fs::write(
        folder.path().join("from.toml"),
        "data = \"data\"\nnesterov = true\ndecay_norms = true\nschedule = \"cosine\"\n",
    )
    .unwrap();
    let flags = [
        "--nesterov=false",
        "--accumulate",
        "3",
        "--clip-norm",
        "1.5",
        "--decay-norms=false",
        "--loss",
        "focal",
        "--label-smoothing",
        "0.1",
        "--class-weights",
        "balanced",
        "--weight-decay",
        "0.001",
        "--min-delta",
        "0.01",
        "--fill-mode",
        "constant",
        "--fill-value",
        "9",
    ];
    let run = ["--config", "from.toml", "--out", "run"];
    succeed(folder.path(), &train_for("2", "8", &[&run[..], &flags].concat()));
    let config = std::fs::read_to_string(folder.path().join("run/config.toml")).unwrap();
    for line in [
        "nesterov = false",
        "accumulate = 3",
        "clip_norm = 1.5",
        "decay_norms = false",
        "loss = \"focal\"",
        "label_smoothing = 0.1",
        "class_weights = \"balanced\"",
        "weight_decay = 0.001",
        "min_delta = 0.01",
        "fill_mode = \"constant\"",
        "fill_value = 9.0",
        "schedule = \"cosine\"",
    ] {
        assert!(config.lines().any(|own| own == line), "{line} is not in\n{config}");
    }
    // 40 images in 5 batches: steps of 3 and 2 batches. The cosine is at 3/4 before the last of 4 steps.
    let history = std::fs::read_to_string(folder.path().join("run/history.csv")).unwrap();
    let column = |epoch: usize, column: usize| -> f64 {
        let row = history.lines().nth(epoch).unwrap();
        row.split(',').nth(column).unwrap().parse().unwrap()
    };
    assert_eq!((column(1, 1), column(2, 1)), (2.0, 4.0), "{history}");
    let expected = 0.01 * 0.5 * (1.0 + (0.75 * std::f64::consts::PI).cos());
    assert!((column(2, 2) - expected).abs() < 1e-9, "{expected} in\n{history}");
}

#[test]
fn a_loss_that_became_nan_is_a_failure_that_names_the_rate() {
    let folder = tempfile::tempdir().unwrap();
    data(folder.path(), 20, 8);
    let told = fail(folder.path(), &train(&["--out", "run", "--learning-rate", "1e30"]), 1);
    assert!(
        told.contains("became NaN") && told.contains("learning rate 1.000e30"),
        "{told}"
    );
}

/// A run with all that training knows of: sizes, mixtures, policies, Muon, the mean of the last weights.
#[test]
fn with_everything_on_it_ends_the_same_resumed_and_on_any_number_of_threads() {
    let folder = tempfile::tempdir().unwrap();
    data(folder.path(), 12, 4);
    let everything = |out: &'static str, threads: &'static str| {
        let text = format!(
            "train data --recipe strong --image-sizes 32:2,40:2,48:1 --evaluation-size 44 --batch-size 8 --optimizer \
             muon --learning-rate 0.02 --random-erasing 0.5 --rand-augment 2 9 --mixup 0.2 --cutmix 1 --rotation-range \
             10 --average-last 0.5 --label-smoothing 0 --threads {threads} --out {out}"
        );
        text.split_whitespace().map(String::from).collect::<Vec<_>>()
    };
    for (out, threads) in [("whole", "2"), ("alone", "1"), ("killed", "2")] {
        let arguments = everything(out, threads);
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        if out != "killed" {
            succeed(folder.path(), &arguments);
            continue;
        }
        let run = folder.path().join(out);
        // Killed in each of its stages; a fast machine may have finished by then.
        for epoch in [1, 2, 4] {
            let mut child = pelage(folder.path())
                .args(if epoch == 1 {
                    arguments.clone()
                } else {
                    vec!["train", "--resume", out]
                })
                .stderr(Stdio::null())
                .stdout(Stdio::null())
                .spawn()
                .unwrap();
            let before = begun(&run);
            while begun(&run) < before + epoch.min(2) && child.try_wait().unwrap().is_none() {
                std::thread::sleep(Duration::from_millis(1));
            }
            child.kill().unwrap();
            child.wait().unwrap();
        }
        succeed(folder.path(), &["train", "--resume", out]);
    }
    same_end(folder.path(), "whole", "killed");
    same_end(folder.path(), "whole", "alone");
    // Validated at the size of evaluation with mirror images, as the file says and `evaluate` does.
    let said = succeed(folder.path(), &["evaluate", "whole", "data", "--json"]);
    let evaluation: serde_json::Value = serde_json::from_str(&said).unwrap();
    let history = std::fs::read_to_string(folder.path().join("whole/history.csv")).unwrap();
    let last: Vec<&str> = history.lines().last().unwrap().split(',').collect();
    for (name, column, tolerance) in [("log_loss", 5, 1e-4), ("accuracy", 6, 1e-9)] {
        let recorded: f64 = last[column].parse().unwrap();
        let evaluated = evaluation[name].as_f64().unwrap();
        assert!((evaluated - recorded).abs() < tolerance, "{name}: {recorded}, {said}");
    }
}

#[test]
fn a_learning_rate_is_found_drawn_and_taken() {
    let folder = tempfile::tempdir().unwrap();
    data(folder.path(), 24, 8);
    let settings = ["--image-size", "24", "--batch-size", "8", "--optimizer", "adam"];
    let find = [&["find-rate", "data", "--out", "rates.svg"], &settings[..]].concat();
    let said = succeed(folder.path(), &find);
    let valley = said
        .lines()
        .find_map(|line| line.trim().strip_prefix("valley"))
        .unwrap();
    let valley: f64 = valley.split_whitespace().next().unwrap().parse().unwrap();
    // Adam diverges far above, and learns nothing in a hundred steps far below.
    assert!((1e-5..1.0).contains(&valley), "{said}");
    let figure = std::fs::read_to_string(folder.path().join("rates.svg")).unwrap();
    assert!(figure.contains(&format!("valley: {valley:.1e}")), "{figure}");

    let train = [
        "train",
        "data",
        "--epochs",
        "1",
        "--learning-rate",
        "auto",
        "--out",
        "run",
    ];
    succeed(folder.path(), &[&train, &settings[..]].concat());
    let config = std::fs::read_to_string(folder.path().join("run/config.toml")).unwrap();
    let taken = config
        .lines()
        .find_map(|line| line.strip_prefix("learning_rate = "))
        .unwrap();
    assert!(
        (taken.parse::<f64>().unwrap() / valley - 1.0).abs() < 0.01,
        "{taken}, not {valley}"
    );

    // Two classes of one size.
    assert!(
        said.contains("always answering the shares of the classes has 0.6931"),
        "{said}"
    );

    let refused = fail(folder.path(), &["find-rate", "data", "--out", "rates.txt"], 2);
    assert!(refused.contains("rates.txt"), "{refused}");
    for option in [
        "--resume=run",
        "--tensorboard",
        "--learning-rate=0.1",
        "--learning-rate=auto",
    ] {
        let refused = fail(folder.path(), &["find-rate", "data", option], 2);
        let name = option.split('=').next().unwrap();
        assert!(refused.contains(&format!("{name} means nothing here")), "{refused}");
    }
    // Another's run is found in the way before the test, of which nothing is told.
    let refused = fail(folder.path(), &[&train, &settings[..]].concat(), 2);
    assert!(
        refused.contains("holds a run already") && !refused.contains("learning rate:"),
        "{refused}"
    );
    // What the suspects leave out is left out here too: a table of all of them leaves nothing.
    let all: String = (0..24).map(|i| format!("train/level/{i}.png\n")).collect();
    std::fs::write(folder.path().join("all.csv"), format!("path\n{all}")).unwrap();
    let refused = fail(folder.path(), &["find-rate", "data", "--drop-suspects", "all.csv"], 2);
    assert!(
        refused.contains("every training picture of the class 'level'"),
        "{refused}"
    );
    let refused = fail(folder.path(), &["train", "data", "--learning-rate", "automatic"], 2);
    assert!(refused.contains("learning-rate"), "{refused}");
}
