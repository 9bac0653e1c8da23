//! Names that a terminal, a spreadsheet or a shell would obey.
#![cfg(unix)]

use crate::place::Place;

#[test]
fn names_are_shown_not_obeyed() {
    let place = Place::new("pets/{cat,dog}/{1..6}.png");
    place.train("pets", "--validation-split 0.3").succeeds();
    let picture = std::fs::read(place.path("pets/cat/1.png")).unwrap();
    for name in [
        "a\x1b[31mred.png",
        "two\nlines.png",
        "=cmd.png",
        "turned\u{202e}gnp.png",
    ] {
        place.write(&format!("odd/{name}"), &picture);
    }
    place.write("odd/bad\x1b]0;title\x07.png", b"no picture");
    let ran = place.run("predict run odd --csv p.csv").succeeds();
    let obeyed = |text: &str| text.contains(['\x1b', '\x07', '\u{202e}']);
    assert!(!obeyed(&ran.stdout) && !obeyed(&ran.stderr), "{ran}");
    assert!(
        ran.stdout.contains("a\\u001b[31mred.png") && ran.stdout.contains("two\\nlines.png"),
        "{ran}"
    );
    // As a path from where it was called; a file keeps the names that are true.
    std::fs::rename(place.path("odd/=cmd.png"), place.path("=cmd.png")).unwrap();
    let table = place.run("predict run =cmd.png --csv -").succeeds().stdout;
    assert!(table.lines().nth(1).unwrap().starts_with("./=cmd.png,"), "{table}");
}

#[test]
fn commands_to_copy_are_quoted() {
    let place = Place::new("my pets/{cat,dog}/{1..6}.png");
    let said = place.shell(
        "pelage train 'my pets' --validation-split 0.3 --epochs 1 --image-size 32 --out 'my run'; \
         pelage train 'my pets' --validation-split 0.3 --out 'my run'",
    );
    said.exits(2)
        .prints("pelage evaluate 'my run'")
        .says("pelage train --resume 'my run'");
}

#[test]
fn names_that_are_no_text_stay_two() {
    use std::os::unix::ffi::OsStrExt;
    let place = Place::new("pets/{cat,dog}/{1..6}.png");
    place.train("pets", "--validation-split 0.3").succeeds();
    let picture = std::fs::read(place.path("pets/cat/1.png")).unwrap();
    std::fs::create_dir(place.path("odd")).unwrap();
    for name in [&b"K\xE4fer.png"[..], b"K\xF6fer.png", b"K\\xE4fer.png", b"plain\\1.png"] {
        let path = place.path("odd").join(std::ffi::OsStr::from_bytes(name));
        std::fs::write(path, &picture).unwrap();
    }
    let table = place.run("predict run odd --csv -").succeeds().stdout;
    assert!(
        table.contains("odd/K\\xE4fer.png,") && table.contains("odd/K\\xF6fer.png,"),
        "{table}"
    );
    // What only looks like such an escape has another name.
    assert!(
        table.contains("odd/K\\\\xE4fer.png,") && table.contains("odd/plain\\1.png,"),
        "{table}"
    );
}

#[test]
fn a_class_called_unknown_is_no_rejection() {
    let place = Place::new("pets/{cat,unknown}/{1..8}.png");
    place.train("pets", "--validation-split 0.3").succeeds();
    place.run("calibrate run").succeeds();
    place
        .run("predict run pets/cat --reject 0.5")
        .exits(2)
        .says("a class 'unknown'");
    place.run("predict run pets/cat").succeeds();
}

#[test]
fn every_table_is_safe_for_a_spreadsheet() {
    let place = Place::new("pets/{=cat,dog}/{1..3}.png");
    place
        .run("features pets --backbone mobilenet_v2 --weights random --image-size 32 --out ff")
        .succeeds();
    let table = place.text("ff/features.csv");
    assert!(table.contains("./=cat/1.png,'=cat,"), "{table}");
}

#[test]
fn classes_are_quoted_in_what_is_to_be_typed() {
    let place = Place::new("photos/{1..4}.png\nl.csv = 1.png,my cat/x\\n2.png,my cat/x\\n3.png,dog\\n4.png,dog");
    place
        .run("organize photos --labels l.csv --out data")
        .exits(1)
        .says("`--rename='my cat/x=NAME'`");
}

#[test]
fn no_error_is_as_long_as_its_input() {
    let place = Place::new("pets/{cat,dog}/{1..6}.png");
    let long = "z".repeat(100_000);
    place.write("long.toml", format!("model = \"{long}\"\n").as_bytes());
    let mut arguments = vec!["train pets --config long.toml --validation-split 0.3".to_string()];
    arguments.push(format!("train pets --validation-split 0.3 --model {long}"));
    for argument in arguments {
        let ran = place.run(&argument).exits(2);
        assert!(ran.stderr.len() < 5000, "{}", ran.stderr.len());
    }
}

#[test]
fn settings_that_ask_for_nonsense_are_refused() {
    let place = Place::new("pets/{cat,dog}/{1..6}.png");
    // No number of threads is all of them, as the help says.
    place.train("pets", "--validation-split 0.3 --threads 0").succeeds();
    std::fs::remove_dir_all(place.path("run")).unwrap();
    for (setting, range) in [("--warm-up 1e18", "0 to 10000"), ("--cutmix 1e-30", "0.01 to 100")] {
        place
            .train("pets", &format!("--validation-split 0.3 {setting}"))
            .exits(2)
            .says(range);
    }
}

#[test]
fn features_that_cannot_be_kept_tell_what_to_set() {
    let place = Place::new("pets/{cat,dog}/{1..3}.png");
    place
        .shell(
            "PELAGE_CACHE=pets/cat/1.png/cache pelage features pets --backbone mobilenet_v2 --weights random \
             --image-size 32 --out ff --cache disk",
        )
        .exits(1)
        .says("another PELAGE_CACHE");
}

/// Where a path ends is seen in every message.
#[test]
fn a_path_with_blanks_is_in_quotes_wherever_it_is_told() {
    let place = Place::new("my pets/{cat,dog}/{1..6}.png\nmy l.csv = path,label\\nnone.png,cat\n");
    place
        .shell("pelage train 'my pets' --validation-split 0.3 --epochs 1 --image-size 32 --out 'my run'")
        .succeeds()
        .says("on 'my pets', 2 classes");
    for (verb, path) in [
        ("inspect 'my cats'", "'my cats'"),
        ("train 'my pets'", "my pets' has no pictures in folders named"),
        ("train 'my pets' --config 'my c.toml'", "'my c.toml'"),
        ("train --resume 'my cats'", "'my cats': holds no run"),
        ("organize 'my pets' --out 'my run'", "'my run'"),
        ("organize 'my pets' --labels 'my l.csv' --out out", "'my l.csv'"),
        ("evaluate 'no run'", "'no run': there is no model"),
        ("evaluate 'my run' 'my pets/cat'", "'my pets/cat': "),
        (
            "predict 'my run' 'my pets' --reject 0.5",
            "'my run': only a calibrated model",
        ),
        ("weights add 'my w.pth' --model resnet18", "'my w.pth'"),
        (
            "search 'my pets' --space 'my s.toml' --validation-split 0.3",
            "'my s.toml'",
        ),
        ("plot-model cnn3 --out 'my pets/cat/1.png'", "'my pets/cat/1.png'"),
        ("compare 'my run' 'my run' --data 'my cats'", "'my cats'"),
        ("calibrate 'my run' 'my cats'", "'my cats'"),
    ] {
        let ran = place.shell(&format!("pelage {verb}"));
        assert!([Some(1), Some(2)].contains(&ran.code), "{ran}");
        ran.says(path);
    }
    place
        .shell("rm 'my pets/cat/1.png' && mv 'my pets' 'my cats'")
        .succeeds();
    let told = place.shell("pelage evaluate 'my run'; pelage train --resume 'my run' 'my cats'");
    told.says("my pets' any more").says("my cats' are not those");
}
