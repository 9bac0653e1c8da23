//! How much is told, in which colors, and how errors look.
#![cfg(unix)]

use crate::place::Place;

#[test]
fn quiet_leaves_results_and_errors() {
    let place = Place::new("pets/{cat,dog}/{1..6}.png");
    let ran = place
        .train("pets", "--validation-split 0.3 --quiet")
        .succeeds()
        .prints("best epoch 1");
    assert_eq!(ran.stderr, "");
    let ran = place.run("-q evaluate run").succeeds().prints("accuracy");
    assert_eq!(ran.stderr, "");
    place
        .run("evaluate nowhere --quiet")
        .exits(1)
        .says("error: ")
        .says("there is no model");
    place.run("evaluate run -q -v").exits(2);
}

#[test]
fn verbose_tells_what_is_decided_and_why() {
    let place = Place::new("pets/{train,validation}/{cat,dog}/{1..6}.png\npets/train/notes.txt = none");
    let ran = place.train("pets", "--cache disk --threads 2 -v").succeeds();
    for told in [
        "info: device: cpu",
        "2 threads (as asked)",
        "pets holds 24 pictures in 25 files; classes by the names of folders",
        "pets: validation\n",
        "are kept in a file (as asked)",
        "info: cache: not decoded before",
        "notes.txt: not a picture",
    ] {
        assert!(ran.stderr.contains(told), "{told}: {ran}");
    }
    place
        .run("evaluate run pets --cache disk --verbose")
        .succeeds()
        .says("info: model: cnn3 from run/best.safetensors, 2 classes, 32 x 32 pixels, not calibrated")
        .says("info: data: the validation part of pets is taken")
        .says("info: cache: decoded before")
        .says("(all there are)");
    let ran = place.run("evaluate run pets --cache disk").succeeds();
    assert!(!ran.stderr.contains("info:"), "{ran}");
}

#[test]
fn everything_left_out_is_told_one_by_one() {
    let place = Place::new("pets/{cat,dog}/{1..6}.png\npets/cat/{1..9}.txt");
    place.run("inspect pets").succeeds().prints("9 not a picture");
    let ran = place.run("inspect pets -v").succeeds();
    assert_eq!(ran.stdout.matches(".txt: not a picture").count(), 9, "{ran}");
}

#[test]
fn colors_are_where_they_are_wanted() {
    let place = Place::new("");
    let colored = |script: &str| {
        let ran = place.shell(script);
        ran.stderr.contains("\x1b[") || ran.stdout.contains("\x1b[")
    };
    // No terminal, and whoever asks is asked first.
    for (script, wanted) in [
        ("pelage evaluate nowhere", false),
        ("pelage evaluate nowhere --color always", true),
        ("NO_COLOR=1 pelage evaluate nowhere --color=always", true),
        ("CLICOLOR_FORCE=1 pelage evaluate nowhere", true),
        ("CLICOLOR_FORCE=1 pelage evaluate nowhere --color never", false),
        ("pelage trian --color always", true),
        ("pelage --color always trian", true),
        ("pelage --help --color always", true),
        ("pelage --help", false),
    ] {
        assert_eq!(colored(script), wanted, "{script}");
    }
    place.run("evaluate nowhere --color pink").exits(2).says("never");
    // JSON is for programs.
    assert!(!place.run("models --json --color always").stdout.contains('\x1b'));
}

#[test]
fn all_errors_have_one_style() {
    let place = Place::new("pets/{cat,dog}/{1..6}.png\nflat/{1..3}.png");
    for wrong in [
        "trian",
        "train",
        "train pets --epoch 3",
        "train pets --epochs -1",
        "train pets --optimizer lion",
        "train pets",
        "train flat --validation-split 0.3",
        "train nowhere",
        "evaluate nowhere",
        "predict nowhere pets",
        "organize pets",
        "organize pets --out pets/sorted",
        "plot-model cnn3 --out model.jpg",
        "plot-model cnn9 --out model.svg",
        "weights fetch cnn3",
        "cache clear --older-than -1",
        "compare a",
        "completions fish --json",
    ] {
        let ran = place.run(wrong);
        assert!([Some(1), Some(2)].contains(&ran.code), "{ran}");
        assert_eq!(ran.stdout, "", "{ran}");
        let mut lines = ran.stderr.lines().skip_while(|line| line.starts_with("note: "));
        let first = lines.next().unwrap_or_default();
        assert!(first.starts_with("error: ") && !first.ends_with('`'), "{ran}");
        let known = |line: &str| line.starts_with("help: ") || line.starts_with("  ");
        assert!(lines.all(known), "{ran}");
    }
    place
        .run("report nowhere --out - --json")
        .exits(2)
        .says("error: both the HTML page and the JSON document would go to standard output");
    place.train("pets", "--validation-split 0.4").succeeds();
    place
        .run("predict run pets --exif")
        .exits(2)
        .says("error: --exif adds to a table or a JSON document");
    // What to do is never a part of what is wrong.
    place
        .run("train pets")
        .exits(2)
        .says("help: `--validation-split 0.2`, or `pelage organize ");
    place
        .run("train pets --epoch 3")
        .exits(2)
        .says("help: a similar argument exists: '--epochs'");
}

/// What a program reads is as it was written, whatever the terminal.
#[cfg(unix)]
#[test]
fn a_recipe_or_a_script_is_printed_to_the_letter() {
    let place = Place::new("pets/{cat,dog}/{1..8}.png");
    for verb in ["recipes show strong", "completions bash"] {
        let wide = place.run(verb).succeeds().stdout;
        let narrow = place.shell(&format!("COLUMNS=40 pelage {verb} --color always"));
        assert!(narrow.succeeds().stdout == wide, "{verb}");
        place.shell(&format!("pelage {verb} | true")).succeeds();
    }
    place
        .shell("COLUMNS=40 pelage recipes show quick > quick.toml; pelage train pets --config quick.toml --epochs 1 --image-size 32 --validation-split 0.25 --out run")
        .succeeds();
}
