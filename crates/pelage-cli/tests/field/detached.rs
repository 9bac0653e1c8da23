//! Nobody at the terminal: closed pipes, full disks behind them, signals.
#![cfg(unix)]

use crate::place::Place;

fn pets() -> Place {
    Place::new("pets/{cat,dog}/{1..20}.png")
}

const TRAIN: &str = "pelage train pets --validation-split 0.3 --image-size 32 --patience 0 --out run --epochs";

#[test]
fn training_goes_on_without_a_reader() {
    for streams in ["2>&1 | head -c 1", "2>/dev/full >/dev/null", "2>&- >&-"] {
        let place = pets();
        place.shell(&format!("{TRAIN} 3 {streams}"));
        let log = place.text("run/log.txt");
        assert!(log.contains("ended: all epochs done"), "{streams}: {log}");
    }
}

#[test]
fn a_result_that_cannot_be_written_is_a_failure() {
    let place = pets();
    place
        .shell("pelage inspect pets >/dev/full")
        .exits(1)
        .says("standard output");
    // A reader that has enough is none.
    place.shell("pelage inspect pets | head -c 1").succeeds();
}

/// Runs training in a shell that `set` prepares, sends it `signal` once it has begun, and returns its exit code, or
/// `None` where it still trains afterwards (and is killed).
fn signalled(set: &str, signal: &str) -> Option<i32> {
    let place = pets();
    let train = format!("{set}exec $reset {TRAIN} 100000 >out 2>err");
    let mut child = place.start(&train);
    let begun = || std::fs::read_to_string(place.path("run/log.txt")).is_ok_and(|log| log.contains("epoch 2/"));
    while !begun() {
        assert!(child.try_wait().unwrap().is_none(), "{}", place.text("err"));
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    let send = |signal: &str| {
        let pid = child.id().to_string();
        std::process::Command::new("kill")
            .args([signal, &pid])
            .status()
            .unwrap();
    };
    send(signal);
    // It goes on for as many epochs as it takes to see that it does not stop.
    let epochs = || place.text("run/log.txt").matches(" begins").count();
    let first = epochs();
    while epochs() < first + 20 {
        if let Some(status) = child.try_wait().unwrap() {
            let said = place.text("err");
            let out = place.text("out");
            assert!(
                status.code().is_none_or(|_| said.contains("pelage train --resume run")),
                "{said}{out}"
            );
            return Some(status.code().unwrap_or(-1));
        }
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    None
}

/// Signals that do what they do by default, also where the tests themselves run under `nohup` or in the background.
/// Where `env` cannot do that, they are what they are.
const DEFAULT: &str = "env --default-signal true 2>/dev/null && reset='env --default-signal'; ";

#[test]
fn a_signal_is_no_success() {
    assert_eq!(signalled(DEFAULT, "-INT"), Some(130));
    assert_eq!(signalled(DEFAULT, "-TERM"), Some(143));
    // The terminal was closed: no handler, the last checkpoint stands.
    assert_eq!(signalled(DEFAULT, "-HUP"), Some(-1));
}

#[test]
fn a_signal_that_is_ignored_stays_ignored() {
    assert_eq!(signalled("trap '' HUP; ", "-HUP"), None);
    assert_eq!(signalled("trap '' INT; ", "-INT"), None);
}

#[cfg(target_os = "linux")]
#[test]
fn an_account_that_was_not_written_is_a_failure() {
    let place = Place::new("pets/{cat,dog}/{1..6}.png");
    let train = "train pets --validation-split 0.3 --epochs 1 --image-size 32 --out";
    for json in ["", "--json"] {
        let ran = place.shell(&format!("pelage {train} run{json} {json} > /dev/full"));
        ran.exits(1).says("standard output");
        // What was trained is there.
        place.run(&format!("evaluate run{json}")).succeeds();
    }
}

/// The demo is stopped as training is, in whichever step it is, and takes nothing from an earlier one.
#[test]
fn a_demo_that_is_stopped_stops_and_another_begins_elsewhere() {
    let place = Place::new("pelage-demo/data/mine.txt = mine");
    let mut child = place.start(&format!("{DEFAULT}exec $reset pelage demo >out 2>err"));
    let log = || std::fs::read_to_string(place.path("pelage-demo-2/run/log.txt"));
    while !log().is_ok_and(|log| log.contains("epoch 2/")) {
        assert!(child.try_wait().unwrap().is_none(), "{}", place.text("err"));
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    let pid = child.id().to_string();
    let kill = std::process::Command::new("kill").args(["-TERM", &pid]).status();
    assert!(kill.unwrap().success());
    assert_eq!(child.wait().unwrap().code(), Some(143), "{}", place.text("err"));
    let said = place.text("err");
    assert!(
        said.contains("resume by `pelage train --resume pelage-demo-2/run`"),
        "{said}"
    );
    assert!(said.contains("[3/5]") && !said.contains("[4/5]"), "{said}");
    assert_eq!(place.text("pelage-demo/data/mine.txt"), "mine");
    for taken in ["pelage-demo", "pelage-demo-2"] {
        let ran = place.run(&format!("demo --out {taken}")).exits(2);
        ran.says(&format!("{taken} is not empty"));
    }
}
