//! Searches: whole, killed, by two at once, with settings that diverge.

use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use common::{data, fail, pelage, stripes, succeed};
use serde_json::Value;

mod common;

const SPACE: &str = "[optimizer]\nchoices = ['sgd', 'adam']\n[momentum]\nlow = 0.5\nhigh = 0.95\n\
                     when = { optimizer = 'sgd' }\n[learning_rate]\nlow = 0.0001\nhigh = 0.1\nlog = true\n\
                     [blocks]\nchoices = ['4', '4,8']\n";

/// A search of some tiny trials.
const SMALL: &str = "search data --space space.toml --image-size 16 --epochs 4 --batch-size 16 --no-augmentation";

fn made() -> tempfile::TempDir {
    let place = tempfile::tempdir().unwrap();
    data(place.path(), 12, 8);
    fs::write(place.path().join("space.toml"), SPACE).unwrap();
    place
}

fn words(text: &str) -> Vec<&str> {
    text.split_whitespace().collect()
}

fn document(folder: &Path, arguments: &str) -> Value {
    let mut arguments = words(arguments);
    arguments.push("--json");
    serde_json::from_str(&succeed(folder, &arguments)).unwrap()
}

/// The lines of the record of what was tried and what came of it, without times and names of processes.
fn record(search: &Path) -> Vec<Value> {
    let text = fs::read_to_string(search.join("journal.log")).unwrap();
    let what = |line: &str| {
        let mut line: Value = serde_json::from_str(line).unwrap();
        let fields = line.as_object_mut().unwrap();
        for name in ["worker_id", "datetime_start", "datetime_complete", "study_name"] {
            fields.remove(name);
        }
        line
    };
    text.lines().map(what).collect()
}

/// That no trial has trained an epoch twice from its beginning: what was done before a kill is not begun anew.
fn trained_once(search: &Path) {
    for entry in fs::read_dir(search).unwrap() {
        let log = entry.unwrap().path().join("log.txt");
        let Ok(log) = fs::read_to_string(log) else { continue };
        for epoch in 1..=4 {
            // The line of an epoch's end; a kill may fall between the checkpoint and that line.
            let ends = log.matches(&format!("epoch  {epoch}/4  loss")).count();
            assert!(ends <= 1, "{log}");
        }
    }
}

#[test]
fn a_search_tries_pauses_goes_on_and_tells() {
    let place = made();
    let folder = place.path();
    let found = document(folder, &format!("{SMALL} --trials 8 --out s --confirm 1"));
    let trials = found["trials"].as_array().unwrap();
    assert_eq!(trials.len(), 8);
    let values: Vec<f64> = trials.iter().map(|one| one["value"].as_f64().unwrap()).collect();
    assert!(values.is_sorted(), "{values:?}");
    let state = |name: &str| trials.iter().filter(|one| one["state"] == name).count();
    assert!(state("complete") >= 2 && state("pruned") >= 1, "{trials:#?}");
    for one in trials {
        assert_eq!(
            one["settings"].get("momentum").is_some(),
            one["settings"]["optimizer"] == "sgd"
        );
        let run = folder.join(one["run"].as_str().unwrap());
        assert!(run.join("best.safetensors").exists() && run.join("config.toml").exists());
        assert!(one["state"] == "pruned" || one["epochs"] == 4);
    }
    assert_eq!(found["confirmed"]["runs"].as_array().unwrap().len(), 1);
    // The best of them beside what needs no model.
    let evaluated = document(folder, &format!("evaluate {}", trials[0]["run"].as_str().unwrap()));
    let chance = &found["chance"];
    let differs = chance["accuracy"].as_f64().unwrap() - evaluated["accuracy"].as_f64().unwrap();
    assert!(differs.abs() < 1e-6, "{chance}");
    assert_eq!((&chance["share"], &chance["pictures"]), (&0.5.into(), &16.into()));
    assert_eq!(
        chance["is_better"],
        chance["accuracy_interval"][0].as_f64().unwrap() > 0.5
    );
    trained_once(&folder.join("s"));
    let page = fs::read_to_string(folder.join("s/search.html")).unwrap();
    for part in [
        "Parallel coordinates",
        "Slices",
        "Best so far",
        "Trained again with another seed",
    ] {
        assert!(page.contains(part), "{part}");
    }
    // More trials, later; those that are done stay as they are.
    let more = document(folder, "search --resume s --trials 10");
    assert_eq!(more["trials"].as_array().unwrap().len(), 10);
    let confirmed = document(folder, "search --resume s --confirm 2");
    assert_eq!(confirmed["confirmed"]["runs"].as_array().unwrap().len(), 2);
    assert_eq!(confirmed["trials"].as_array().unwrap().len(), 10);
    // It is kept, for whoever looks at the search only.
    let kept = pelage::search::Search::read(&folder.join("s"))
        .unwrap()
        .report()
        .unwrap();
    assert_eq!(kept.confirmed.as_ref().map(|confirmed| confirmed.runs.len()), Some(2));
    assert!(
        kept.note().contains("Trained again with 2 other seeds"),
        "{}",
        kept.note()
    );
    // Not of another trial than the best, nor from a file that is cut short.
    let file = folder.join("s/confirmed.json");
    let whole = fs::read_to_string(&file).unwrap();
    let mut other: Value = serde_json::from_str(&whole).unwrap();
    other["trial"] = 99.into();
    for spoilt in [&other.to_string(), &whole[..whole.len() / 2]] {
        fs::write(&file, spoilt).unwrap();
        let read = pelage::search::Search::read(&folder.join("s"))
            .unwrap()
            .report()
            .unwrap();
        assert!(read.confirmed.is_none(), "{spoilt}");
    }
    let told = succeed(folder, &["search", "--resume", "s"]);
    assert!(
        told.contains("learning_rate")
            && told.contains("pelage train --config")
            && told.contains("always answering")
            && told.contains("is right for 50.00 % of the 16 validation pictures"),
        "{told}"
    );
    let is_better = confirmed["chance"]["is_better"].as_bool().unwrap();
    assert_eq!(told.contains("not shown to be better: always"), !is_better, "{told}");
    // A trial is a run as any other.
    succeed(folder, &["evaluate", trials[0]["run"].as_str().unwrap()]);
}

#[test]
fn killed_at_any_moment_and_resumed_it_finds_the_same() {
    let place = made();
    let folder = place.path();
    succeed(folder, &words(&format!("{SMALL} --trials 7 --out whole")));
    let begin = format!("{SMALL} --trials 7 --out killed");
    let search = folder.join("killed");
    let lines = || fs::read_to_string(search.join("journal.log")).map_or(0, |text| text.lines().count());
    let (mut arguments, mut kills) = (words(&begin), 0);
    for round in 0..10 {
        let before = lines();
        let mut child = pelage(folder)
            .args(&arguments)
            .stderr(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        // By its progress, not by the clock, or a fast machine would finish unharmed.
        while lines() < before + round % 5 && child.try_wait().unwrap().is_none() {
            std::thread::sleep(Duration::from_millis(1));
        }
        std::thread::sleep(Duration::from_millis(7 * round as u64 % 30));
        kills += usize::from(child.try_wait().unwrap().is_none());
        child.kill().unwrap();
        child.wait().unwrap();
        if search.join("search.toml").exists() {
            arguments = words("search --resume killed");
        }
    }
    assert!(kills >= 3, "{kills} kills");
    succeed(folder, &arguments);
    let [whole, killed] = ["whole", "killed"].map(|name| record(&folder.join(name)));
    assert_eq!(whole.len(), killed.len(), "{killed:#?}");
    for (one, other) in whole.iter().zip(&killed) {
        assert_eq!(one, other);
    }
    trained_once(&folder.join("killed"));
}

#[test]
fn two_processes_share_a_search() {
    let place = made();
    let folder = place.path();
    succeed(folder, &words(&format!("{SMALL} --trials 1 --out s")));
    let children: Vec<_> = (0..2)
        .map(|_| {
            let arguments = words("search --resume s --trials 9");
            pelage(folder)
                .args(arguments)
                .stderr(Stdio::piped())
                .stdout(Stdio::piped())
                .spawn()
                .unwrap()
        })
        .collect();
    let mut begun = [0, 0];
    for (child, begun) in children.into_iter().zip(&mut begun) {
        let output = child.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{said}");
        *begun = said.lines().filter(|line| line.contains(": to epoch")).count();
    }
    assert_eq!(begun[0] + begun[1], 8, "{begun:?}");
    trained_once(&folder.join("s"));
    let found = document(folder, "search --resume s");
    let trials = found["trials"].as_array().unwrap();
    assert_eq!(trials.len(), 9);
    assert!(
        trials
            .iter()
            .all(|one| one["state"] == "complete" || one["state"] == "pruned"),
        "{trials:#?}"
    );
    assert!(!folder.join("s/working/0").exists());
}

#[test]
fn what_diverges_fails_and_the_search_goes_on() {
    let place = made();
    let folder = place.path();
    fs::write(
        folder.join("space.toml"),
        "[learning_rate]\nchoices = [0.01, 1e30, 0.02]\n",
    )
    .unwrap();
    for (pruner, sampler) in [("none", "grid"), ("median", "random")] {
        let found = document(
            folder,
            &format!("{SMALL} --trials 5 --pruner {pruner} --sampler {sampler} --out {sampler} --model cnn3"),
        );
        let trials = found["trials"].as_array().unwrap();
        assert_eq!(trials.len(), if sampler == "grid" { 3 } else { 5 });
        let failed: Vec<_> = trials
            .iter()
            .filter(|one| one["settings"]["learning_rate"] == "1e30")
            .collect();
        for one in &failed {
            assert_eq!((&one["state"], &one["value"]), (&"failed".into(), &Value::Null));
            assert!(one["failure"].as_str().unwrap().contains("NaN"), "{one}");
        }
        assert!(sampler != "grid" || failed.len() == 1);
        assert_eq!(trials[0]["state"], "complete");
    }
}

#[test]
fn what_cannot_be_combined_is_a_failed_trial_and_tells_why() {
    let place = made();
    let folder = place.path();
    // Half of the trials ask for what no training can have; the others differ in many settings at once.
    let space = "[horizontal_flip]\nchoices = [true, false]\n[alternating_flip]\nchoices = [true, false]\n\
                 [loss]\nchoices = ['cross-entropy', 'focal']\n[optimizer]\nchoices = ['sgd', 'muon', 'rmsprop']\n\
                 [brightness_range]\nchoices = ['none', '0.8,1.2']\n[batch_size]\nlow = 4\nhigh = 12\n\
                 [clip_norm]\nlow = 0.0\nhigh = 2.0\n[average_last]\nchoices = [0.0, 0.5]\n\
                 [image_size]\nchoices = [16, 24]\n[mixup]\nchoices = [0.0, 0.4]\n[dense]\nchoices = ['none', '8']\n";
    fs::write(folder.join("space.toml"), space).unwrap();
    let more = "--sampler random --pruner none --metric validation-accuracy --trials 16 --jobs 2 --out s";
    let found = document(folder, &format!("{} {more}", SMALL.replace("--epochs 4", "--epochs 1")));
    let trials = found["trials"].as_array().unwrap();
    assert_eq!(trials.len(), 16);
    let mut failed = 0;
    for one in trials {
        let [left, right] = ["horizontal_flip", "alternating_flip"].map(|name| one["settings"][name] == "true");
        if left && right {
            failed += 1;
            assert_eq!(one["state"], "failed");
            assert!(one["failure"].as_str().unwrap().contains("alternating_flip"), "{one}");
        } else {
            assert_eq!(one["state"], "complete", "{one}");
        }
    }
    assert!((1..15).contains(&failed), "{failed}");
}

#[test]
fn nonsense_is_refused_before_anything_is_trained() {
    let place = made();
    let folder = place.path();
    fs::write(folder.join("wrong.toml"), "[optimizer]\nchoices = ['sdg']\n").unwrap();
    fs::write(folder.join("loss.toml"), "[label_smoothing]\nlow = 0.0\nhigh = 0.2\n").unwrap();
    for (arguments, told) in [
        ("search data --space wrong.toml --out s", "sdg"),
        (
            "search data --space loss.toml --out s",
            "measure the validation accuracy",
        ),
        ("search data --trials 0 --out s", "--trials is 0"),
        ("search data --jobs 0 --out s", "--jobs"),
        ("search --resume nothing --trials 0", "--trials is 0"),
        ("search --resume nothing --tta flip", "--resume keeps"),
        ("search data --out data", "holds train already"),
        ("search data --time soon --out s", "20min"),
        ("search data --learning-rate auto --out s", "tries many"),
        ("search data --folds 3 --out s", "a trial is one"),
        (
            "search data --backbone resnet18 --weights random --head logistic --out s",
            "nothing to search",
        ),
        ("search data --resume nothing", "--resume keeps"),
        ("search --resume nothing --threads 2", "--resume keeps"),
        ("search data --show-space --json", "prints TOML"),
        ("search data --kernel 4 --model cnn --out s", "--kernel"),
    ] {
        let said = fail(folder, &words(arguments), 2);
        assert!(said.contains(told), "{arguments}: {said}");
    }
    for (arguments, told) in [
        ("search data --space missing.toml --out s", "missing.toml"),
        ("search missing --out s", "missing"),
        ("search --resume nothing", "holds no search"),
    ] {
        let said = fail(folder, &words(arguments), 1);
        assert!(said.contains(told), "{arguments}: {said}");
    }
    assert!(!folder.join("s").exists());
    succeed(folder, &words(&format!("{SMALL} --trials 1 --out s")));
    let said = fail(folder, &words(&format!("{SMALL} --trials 1 --out s")), 2);
    assert!(said.contains("pelage search --resume s"), "{said}");
    fs::write(folder.join("s/space.toml"), "[learning_rate]\nchoices = [0.1, 0.2]\n").unwrap();
    let said = fail(folder, &words("search --resume s --trials 2"), 2);
    assert!(said.contains("not the one that trial 0 was chosen from"), "{said}");
    let space = succeed(folder, &["search", "data", "--show-space"]);
    assert!(
        space.contains("[blocks]") && space.contains("when = { model"),
        "{space}"
    );
}

#[cfg(unix)]
#[test]
fn interrupted_or_out_of_time_it_tells_what_it_has_and_goes_on() {
    let place = made();
    let folder = place.path();
    succeed(folder, &words(&format!("{SMALL} --trials 6 --out whole")));
    let mut child = pelage(folder)
        .args(words(&format!("{SMALL} --trials 6 --out s")))
        .stderr(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let search = folder.join("s");
    let lines = || fs::read_to_string(search.join("journal.log")).map_or(0, |text| text.lines().count());
    // The study's two lines, a trial, and its first epoch.
    while lines() < 4 && child.try_wait().unwrap().is_none() {
        std::thread::sleep(Duration::from_millis(1));
    }
    let pid = child.id().to_string();
    std::process::Command::new("kill")
        .args(["-TERM", &pid])
        .status()
        .unwrap();
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(143), "{said}");
    assert!(
        said.contains("pelage search --resume s") && said.contains("validation-loss"),
        "{said}"
    );
    succeed(folder, &words("search --resume s"));
    assert_eq!(record(&search), record(&folder.join("whole")));

    // However little there was time for.
    let said = succeed(folder, &words(&format!("{SMALL} --trials 6 --time 1s --out short")));
    let over = said.contains("the time is over; `pelage search --resume short` goes on");
    let found = document(folder, "search --resume short");
    let trials = found["trials"].as_array().unwrap();
    assert!(over || trials.len() == 6, "{said}");
    assert!(
        trials
            .iter()
            .all(|one| one["state"] != "running" && one["state"] != "paused"),
        "{trials:#?}"
    );
    trained_once(&folder.join("short"));
}

/// What came of each trial, in their order: settings, state, epochs, value.
fn outcomes(folder: &Path, search: &str) -> Vec<Value> {
    let found = document(folder, &format!("search --resume {search}"));
    let mut trials = found["trials"].as_array().unwrap().clone();
    trials.sort_by_key(|one| one["trial"].as_u64());
    let told =
        |one: &Value| Value::from_iter(["trial", "settings", "state", "epochs", "value"].map(|name| one[name].clone()));
    trials.iter().map(told).collect()
}

/// A search whose trials do not depend on what others come to, so that their order makes no difference.
const APART: &str = "--sampler random --pruner none --trials 7";

#[test]
fn several_trials_at_once_find_what_one_at_a_time_does() {
    let place = made();
    let folder = place.path();
    succeed(folder, &words(&format!("{SMALL} {APART} --out one")));
    succeed(
        folder,
        &words(&format!("{SMALL} {APART} --jobs 3 --threads 2 --out three")),
    );
    assert_eq!(outcomes(folder, "one"), outcomes(folder, "three"));
    trained_once(&folder.join("three"));
    // A trial began while another was not done.
    let (mut open, mut most) = (0i32, 0);
    for line in record(&folder.join("three")) {
        match (line["op_code"].as_u64(), line["state"].as_u64()) {
            (Some(4), _) => open += 1,
            (Some(6), Some(1..=3)) => open -= 1,
            _ => {}
        }
        most = most.max(open);
    }
    assert!((2..=3).contains(&most) && open == 0, "{most} at once, {open} left");
    // By what the others come to, too: all there is comes to its end.
    succeed(folder, &words(&format!("{SMALL} --trials 9 --jobs 2 --out s")));
    let all = outcomes(folder, "s");
    assert!(
        all.len() == 9 && all.iter().all(|one| one[2] == "complete" || one[2] == "pruned"),
        "{all:#?}"
    );
    trained_once(&folder.join("s"));
    assert!(!folder.join("s/working/0").exists());
}

#[test]
fn several_at_once_decode_the_pictures_once() {
    let place = made();
    let folder = place.path();
    // So large that the others come while the first decodes.
    for (set, first) in [("train", 0), ("validation", 100)] {
        for (class, name) in ["upright", "level"].into_iter().enumerate() {
            for i in 0..8 {
                let file = folder.join(format!("data/{set}/{name}/large-{i}.png"));
                stripes(class, first + i, 300).save(file).unwrap();
            }
        }
    }
    // Another number of threads than most machines have: it is set before anything is done on them.
    let begin = format!("{SMALL} {APART} --jobs 3 --threads 3 --verbose --out s");
    let output = pelage(folder).args(words(&begin)).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{said}");
    // Those of the training and those of the validation part.
    assert_eq!(said.matches("not decoded before").count(), 2, "{said}");
}

#[test]
fn several_at_once_are_killed_and_resumed_too() {
    let place = made();
    let folder = place.path();
    succeed(folder, &words(&format!("{SMALL} {APART} --out whole")));
    let search = folder.join("killed");
    let lines = || fs::read_to_string(search.join("journal.log")).map_or(0, |text| text.lines().count());
    let (mut arguments, mut kills) = (format!("{SMALL} {APART} --jobs 3 --out killed"), 0);
    for round in 0..8 {
        let before = lines();
        let mut child = pelage(folder)
            .args(words(&arguments))
            .stderr(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        while lines() < before + 1 + round % 5 && child.try_wait().unwrap().is_none() {
            std::thread::sleep(Duration::from_millis(1));
        }
        std::thread::sleep(Duration::from_millis(7 * round as u64 % 30));
        kills += usize::from(child.try_wait().unwrap().is_none());
        child.kill().unwrap();
        child.wait().unwrap();
        if search.join("search.toml").exists() {
            arguments = format!("search --resume killed --jobs {}", 1 + round % 3);
        }
    }
    assert!(kills >= 3, "{kills} kills");
    succeed(folder, &words(&arguments));
    assert_eq!(outcomes(folder, "whole"), outcomes(folder, "killed"));
    trained_once(&search);
}

#[cfg(unix)]
#[test]
fn several_at_once_stop_together() {
    let place = made();
    let folder = place.path();
    let long = SMALL.replace("--epochs 4", "--epochs 400 --patience 0");
    let begin = format!("{long} {APART} --jobs 2 --out s");
    let child = pelage(folder)
        .args(words(&begin))
        .stderr(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let lines = || fs::read_to_string(folder.join("s/journal.log")).map_or(0, |text| text.lines().count());
    while lines() < 8 {
        std::thread::sleep(Duration::from_millis(1));
    }
    let kill = ["-TERM", &child.id().to_string()].map(String::from);
    std::process::Command::new("kill").args(kill).status().unwrap();
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(143), "{said}");
    assert!(said.contains("pelage search --resume s"), "{said}");
    assert!(!folder.join("s/working/0").exists() && !folder.join("s/working/1").exists());
}
