//! Pictures of which a part is missing, and figures that nobody took.

use crate::common::tensors;
use crate::place::{Place, content};

/// A picture of which the last part did not arrive.
fn cut(place: &Place, name: &str) {
    let whole = content(name);
    let start = whole.windows(2).position(|pair| pair == [0xFF, 0xDA]).unwrap();
    place.write(name, &whole[..start + (whole.len() - start) * 2 / 3]);
}

#[test]
fn damaged_pictures_are_skipped_or_taken_and_counted() {
    let place = Place::new("pets/{cat,dog}/{1..12}.jpg");
    cut(&place, "pets/cat/3.jpg");
    let train = |more: &str| place.train("pets", &format!("--validation-split 0.25 {more}"));
    train("").succeeds().says("1 file skipped").says("truncated JPEG");
    place.run("predict run pets/cat/3.jpg").exits(1).says("truncated JPEG");
    place
        .run("predict run pets/cat/3.jpg --damaged take")
        .succeeds()
        .prints("pets/cat/3.jpg cat")
        .says("note: 1 damaged picture taken as they are");
    // Each once, however often it is decoded; and a cache that was made without them is not theirs.
    std::fs::remove_dir_all(place.path("run")).unwrap();
    train("--cache disk").succeeds().says("1 file skipped");
    std::fs::remove_dir_all(place.path("run")).unwrap();
    train("--cache disk --damaged take")
        .succeeds()
        .says_nothing_of("skipped")
        .says("1 damaged picture taken");
    place
        .run("inspect pets --damaged take")
        .succeeds()
        .prints("every picture can be read")
        .says("1 damaged picture taken");
    place.run("inspect pets").succeeds().prints("1 unreadable file");
    // What is no damage to a picture is still refused.
    place.add("odd/1.jpg = no picture");
    place
        .run("predict run odd --damaged take")
        .exits(1)
        .says("not a picture");
    place.run("inspect pets --damaged mend").exits(2).says("take");
}

/// What was decided of damaged pictures is kept with the run: without a word of it, what goes on is the same.
#[test]
fn a_run_that_took_damaged_pictures_goes_on_with_them() {
    let place = Place::new("pets/{cat,dog}/{1..12}.jpg");
    cut(&place, "pets/cat/3.jpg");
    let train = |out: &str, epochs: u32| {
        place.run(&format!(
            "train pets --validation-split 0.25 --image-size 32 --damaged take --epochs {epochs} --patience 0 --out {out}"
        ))
    };
    train("whole", 2).succeeds().says("1 damaged picture taken");
    train("begun", 1).succeeds();
    place
        .run("train --resume begun --epochs 2")
        .succeeds()
        .says_nothing_of("skipped")
        .says("1 damaged picture taken");
    let best = |run: &str| tensors(&place.path(&format!("{run}/last.safetensors")));
    assert!(best("whole") == best("begun"));
    place.run("evaluate begun").succeeds();
}

#[test]
fn figures_are_no_data_wherever_they_lie() {
    let place = Place::new("pets/{cat,dog}/{1..8}.png");
    place.train("pets", "--validation-split 0.25").succeeds();
    place.run("plot-model cnn3 --out pets/cat/model.png").succeeds();
    place.run("compare run run --out pets/dog/compared.png").succeeds();
    place.run("explain run pets/cat/1.png --out explained").succeeds();
    for (from, to) in [
        ("run/curves.png", "pets/cat/9.png"),
        ("explained/filters.png", "pets/dog/filters.png"),
    ] {
        std::fs::copy(place.path(from), place.path(to)).unwrap();
    }
    place
        .run("inspect pets")
        .succeeds()
        .prints("4 written by pelage")
        .prints("png 16");
    place
        .run("organize pets --out data")
        .succeeds()
        .prints("16 pictures in data");
    // Asked for by its own name, it is a picture like any other.
    place.run("predict run pets/cat/model.png").succeeds();
}

/// A model is written into in the end: whether that can be is known in the beginning.
#[cfg(unix)]
#[test]
fn a_run_that_cannot_be_written_is_told_before_the_work() {
    let place = Place::new("pets/{cat,dog}/{1..8}.png");
    place.train("pets", "--validation-split 0.25").succeeds();
    // Work would find none.
    std::fs::remove_dir_all(place.path("pets")).unwrap();
    // Root may write everywhere.
    let ran = place.shell(
        "chmod 755 . && chmod 555 run || exit 9
         if [ $(id -u) = 0 ]; then
             setpriv --reuid=65534 --regid=65534 --clear-groups pelage doctor >/dev/null 2>&1; [ $? -lt 2 ] || exit 8
             nobody='setpriv --reuid=65534 --regid=65534 --clear-groups'
         fi
         $nobody pelage calibrate run",
    );
    if ran.code != Some(8) {
        ran.exits(1).says("run/best.safetensors").says("ermission denied");
    }
}
