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
    for name in [&b"K\xE4fer.png"[..], b"K\xF6fer.png"] {
        let path = place.path("odd").join(std::ffi::OsStr::from_bytes(name));
        std::fs::write(path, &picture).unwrap();
    }
    let table = place.run("predict run odd --csv -").succeeds().stdout;
    assert!(
        table.contains("odd/K\\xE4fer.png,") && table.contains("odd/K\\xF6fer.png,"),
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
