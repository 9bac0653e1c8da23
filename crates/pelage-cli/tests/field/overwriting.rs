//! Runs and files that are there already, and outputs that cannot be written.

use crate::place::Place;

const TRAIN: &str = "--validation-split 0.3 --epochs 1 --image-size 32";

fn pets() -> Place {
    Place::new("pets/{cat,dog}/{1..6}.png")
}

#[cfg(unix)]
#[test]
fn runs_that_begin_at_once_have_folders_of_their_own() {
    let place = pets();
    let train = format!("pelage train pets {TRAIN} --learning-rate");
    let script = format!("for rate in 0.01 0.02 0.03 0.04; do {train} $rate & done; wait");
    place.shell(&script).succeeds();
    let mut rates: Vec<_> = (1..=4)
        .map(|number| place.text(&format!("runs/cnn3-{number}/config.toml")))
        .map(|text| {
            text.lines()
                .find(|line| line.starts_with("learning_rate"))
                .unwrap()
                .to_string()
        })
        .collect();
    rates.sort();
    assert_eq!(
        rates,
        [0.01, 0.02, 0.03, 0.04].map(|rate| format!("learning_rate = {rate}"))
    );
}

#[cfg(unix)]
#[test]
fn one_folder_has_one_run() {
    let place = pets();
    let train = format!("pelage train pets {TRAIN} --out run");
    let both = place.shell(&format!(
        "{train} 2>one & one=$!; {train} 2>two; echo $?; wait $one; echo $?"
    ));
    let mut codes: Vec<_> = both.stdout.lines().filter(|line| line.parse::<u8>().is_ok()).collect();
    codes.sort_unstable();
    // The second was refused while the first wrote (1), or after it (2).
    assert!(codes == ["0", "1"] || codes == ["0", "2"], "{both}");
    let told = place.text("one") + &place.text("two");
    assert!(
        told.contains("another process") || told.contains("holds a run already"),
        "{told}"
    );
    // Two that resume it are one after the other, or one is told; never do both train.
    let resume = "pelage train --resume run --epochs 3";
    place
        .shell(&format!("{resume} & one=$!; {resume}; wait $one"))
        .says_nothing_of("damaged");
    place.run("train --resume run --epochs 3").succeeds();
    let log = place.text("run/log.txt");
    assert_eq!(log.matches("epoch 3/3 begins").count(), 1, "{log}");
}

#[test]
fn a_run_that_does_not_begin_leaves_nothing() {
    let place = pets();
    place.run("train pets").exits(2).says("--validation-split");
    assert!(!place.path("runs").exists());
}

#[cfg(unix)]
#[test]
fn what_is_not_of_the_kind_is_not_replaced() {
    use std::os::unix::fs::FileTypeExt;
    let place = pets();
    place.train("pets", "--validation-split 0.3").succeeds();
    place.add("flat/{1..3}.png\nnotes.csv = one thing\nmodel.svg -> drawn.svg");
    let picture = std::fs::read(place.path("flat/1.png")).unwrap();
    for verb in [
        "predict run --csv flat/1.png flat/2.png",
        "predict run --csv notes.csv flat/2.png",
        "submit run flat --out flat/1.png",
        "report run --out flat/1.png",
        "compare run run --out drawn/1.svg",
        "plot-model run --out run/best.safetensors.svg",
    ] {
        place.add("drawn/1.svg = no figure\nrun/best.safetensors.svg = no figure");
        place.run(verb).exits(2).says("is there already").says("--force");
    }
    assert_eq!(std::fs::read(place.path("flat/1.png")).unwrap(), picture);
    assert_eq!(place.text("notes.csv"), "one thing");
    place.run("predict run --csv notes.csv flat/2.png --force").succeeds();
    assert!(place.text("notes.csv").starts_with("path,class"));
    // And again, now that it is one.
    place.run("predict run --csv notes.csv flat/3.png").succeeds();
    assert!(place.text("notes.csv").contains("flat/3.png"));

    // A link is followed, also where it leads to nothing yet; a pipe is written to.
    place.run("plot-model run --out model.svg").succeeds();
    assert!(place.text("drawn.svg").starts_with("<svg") && place.path("model.svg").is_symlink());
    place
        .shell("mkfifo pipe; cat pipe > through & pelage predict run flat --csv pipe; wait")
        .succeeds();
    assert!(place.text("through").starts_with("path,class"));
    assert!(std::fs::metadata(place.path("pipe")).unwrap().file_type().is_fifo());
    place.run("predict run flat --csv /dev/null").succeeds();
    assert!(std::fs::metadata("/dev/null").unwrap().file_type().is_char_device());

    // On standard output there is nothing but what was asked for.
    for verb in [
        "predict run flat --csv -",
        "submit run flat --out -",
        "predict run flat --csv /dev/stdout",
    ] {
        let table = place.run(verb).succeeds().stdout;
        assert_eq!(table.lines().count(), 4, "{verb}: {table}");
    }
    assert!(!place.path("-").exists());
    assert!(
        place
            .run("report run --out -")
            .succeeds()
            .stdout
            .starts_with("<!DOCTYPE html>")
    );
}

#[test]
fn outputs_are_looked_at_before_the_work() {
    let place = pets();
    // Nothing else is there: neither a model nor pictures are opened first.
    for verb in [
        "predict run flat --csv missing/p.csv",
        "submit run flat --out missing/s.csv",
        "report run --out missing/r.html",
        "predict run flat --csv pets",
    ] {
        place.run(verb).exits(1).says(if verb.ends_with("pets") {
            "a folder"
        } else {
            "no such folder"
        });
    }
}

#[test]
fn one_bad_path_takes_nothing_with_it() {
    let place = pets();
    place.train("pets", "--validation-split 0.3").succeeds();
    place.add("empty/\nbroken.png = no picture");
    let some = "pets/cat/1.png gone.png empty broken.png pets/dog/2.png";
    place
        .run(&format!("predict run {some} --csv p.csv"))
        .exits(1)
        .prints("unreadable 3");
    let rows = place.text("p.csv");
    let reasons: Vec<_> = rows.lines().skip(1).map(|row| row.split(',').nth(3).unwrap()).collect();
    assert!(reasons[0].is_empty() && reasons[4].is_empty(), "{rows}");
    assert!(
        reasons[1].contains("No such file") && reasons[2].contains("no files"),
        "{rows}"
    );
    place
        .run("predict run gone.png empty")
        .exits(1)
        .says("gone.png")
        .says("no picture could be read");
}

/// A picture that a user has drawn or taken, and a page or table that is theirs, are none of ours.
#[test]
fn what_is_anothers_of_the_same_kind_is_not_replaced() {
    let place = pets();
    place.train("pets", "--validation-split 0.3").succeeds();
    place.add(
        "own/photo.png
         own/figure.svg = <svg xmlns=\"http://www.w3.org/2000/svg\"/>
         own/page.html = <!DOCTYPE html><html><body>mine</body></html>
         own/labels.csv = path,class\\n1.png,cat",
    );
    for (verb, file) in [
        ("plot-model run --out", "own/photo.png"),
        ("compare run run --out", "own/photo.png"),
        (
            "find-rate pets --validation-split 0.3 --image-size 32 --out",
            "own/photo.png",
        ),
        ("plot-model run --out", "own/figure.svg"),
        ("report run --out", "own/page.html"),
        ("predict run pets --csv", "own/labels.csv"),
        ("evaluate run --confusion", "own/labels.csv"),
        ("suspects run --page s.html --csv", "own/labels.csv"),
        ("predict run pets --csv", "run/split.csv"),
        ("submit run pets --out", "run/history.csv"),
        ("evaluate run --confusion", "run/confusion.csv"),
        ("plot-model run --out", "run/curves.png"),
        ("ensemble run run --out", "run/best.safetensors"),
    ] {
        let before = std::fs::read(place.path(file)).unwrap();
        place.run(&format!("{verb} {file}")).exits(2).says("--force");
        assert!(std::fs::read(place.path(file)).unwrap() == before, "{verb} {file}");
    }
    // What is ours is.
    for verb in [
        "plot-model run --out m.png",
        "plot-model run --out m.svg",
        "compare run run --out c.svg",
        "report run --out r.html",
        "predict run pets --csv p.csv",
        "evaluate run --confusion m.csv",
    ] {
        place.run(verb).succeeds();
        place.run(verb).succeeds();
    }
}

#[test]
fn a_run_takes_no_folder_that_has_something_in_it() {
    let place = pets();
    let train = format!("train pets {TRAIN} --out");
    place
        .run(&format!("{train} pets/cat"))
        .exits(2)
        .says("give a new folder for the run");
    place
        .run(&format!("{train} pets/cat --folds 2").replace("--validation-split 0.3", ""))
        .exits(2)
        .says("give a new folder for the folds");
    place
        .run("features pets --backbone mobilenet_v2 --weights random --image-size 32 --out pets/cat")
        .exits(2)
        .says("give a new folder");
    place.run(&format!("{train} pets/cat/1.png")).exits(1).says("is a file");
    place.run("inspect pets").succeeds().prints("png 12");
}

#[test]
fn what_an_earlier_call_has_written_does_not_stay_beside_the_new() {
    let place = Place::new(
        "parted/{train,validation}/{cat,dog}/{1..4}.png
         whole/{cat,dog}/{1..4}.png",
    );
    let features = "--backbone mobilenet_v2 --weights random --image-size 32 --out ff";
    place.run(&format!("features parted {features}")).succeeds();
    place.add("ff/notes.txt = mine");
    place.run(&format!("features whole {features}")).succeeds();
    for (name, there) in [
        ("features.npy", true),
        ("notes.txt", true),
        ("validation.npy", false),
        ("train.csv", false),
    ] {
        assert_eq!(place.path(&format!("ff/{name}")).exists(), there, "{name}");
    }
    place.train("whole", "--validation-split 0.5").succeeds();
    place
        .run("explain run whole/cat/1.png whole/cat/2.png --out e")
        .succeeds();
    place.add("e/002-2/notes.txt = mine\ne/own.png");
    place.run("explain run whole/cat/1.png --out e").succeeds();
    let left: Vec<_> = std::fs::read_dir(place.path("e/002-2")).unwrap().flatten().collect();
    assert!(left.len() == 1 && place.path("e/own.png").exists(), "{left:?}");
    assert!(place.path("e/001-1/picture.png").exists());
    place
        .run("explain run whole/cat/1.png --out e --dataset parted --layer gone")
        .exits(2);
    assert!(place.path("e/001-1/picture.png").exists());
}

#[test]
fn what_organized_nothing_leaves_nothing() {
    let place = Place::new("pets.zip: {cat,dog}/{1..5}.png");
    place.run("organize pets.zip --out data --link symbolic").exits(2);
    assert!(!place.path("data").exists());
    place.add("other/");
    place.run("organize pets.zip --out other --link hard").exits(2);
    place.run("organize pets.zip --out other").succeeds();
}
