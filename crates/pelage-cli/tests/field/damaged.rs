//! Pictures of which a part is missing, and figures that nobody took.

use crate::common::tensors;
use crate::place::{Place, content};

/// Sixteen pictures, and a run on them.
fn trained() -> Place {
    let place = Place::new("pets/{cat,dog}/{1..8}.png");
    place.train("pets", "--validation-split 0.25").succeeds();
    place
}

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
        .says("note: 1 damaged picture taken as is");
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
    // Wherever the picture fell, and without being asked again.
    place.run("calibrate begun").succeeds().says("1 damaged picture taken");
    // What a run has skipped it does not take later.
    place
        .run("train pets --validation-split 0.25 --image-size 32 --epochs 1 --out skips")
        .succeeds();
    place
        .run("train --resume skips --epochs 2 --damaged take")
        .exits(2)
        .says("--damaged is take; it must be as when the run began");
}

#[test]
fn figures_are_no_data_wherever_they_lie() {
    let place = trained();
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
    let place = trained();
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

/// A PNG of one gray pixel across and a hundred million down, by its header.
const TALL: &[u8] = b"\x89\x50\x4E\x47\x0D\x0A\x1A\x0A\x00\x00\x00\x0D\x49\x48\x44\x52\x00\x00\x00\x01\x05\xF5\xE1\x00\
    \x08\x00\x00\x00\x00\xA9\xE9\xBA\x32\x00\x00\x00\x0C\x49\x44\x41\x54\x78\x9C\x63\x60\x18\x1E\x00\
    \x00\x00\xC8\x00\x01\xAD\x40\x76\x22\x00\x00\x00\x00\x49\x45\x4E\x44\xAE\x42\x60\x82";

#[test]
fn inspecting_and_predicting_have_one_verdict() {
    let place = trained();
    place.write("tall/1.png", TALL);
    for verb in ["inspect tall", "predict run tall"] {
        let ran = place.run(verb);
        let told = format!("{}{}", ran.stdout, ran.stderr);
        assert!(told.contains("too large: 1x100000000 pixels need"), "{ran}");
    }
}

/// The picture in them that a reader would find is a preview.
#[test]
fn camera_raws_and_deep_jpegs_are_named() {
    let place = trained();
    let mut deep = content("deep/1.jpg");
    let frame = deep.windows(2).position(|pair| pair == [0xFF, 0xC0]).unwrap();
    deep[frame + 4] = 12;
    place.write("odd/1.jpg", &deep);
    place.write("odd/2.CR2", b"II*\0\x10\0\0\0CR\x02\0");
    place.write("odd/3.raf", b"FUJIFILMCCD-RAW 0201FF");
    let ran = place.run("predict run odd").exits(1);
    ran.says("JPEG of 12 bits a color")
        .says("camera raw (Canon CR2), which pelage cannot read; convert it")
        .says("camera raw (Fujifilm RAF)");
}

#[test]
fn all_that_could_not_be_read_is_counted() {
    let place = trained();
    (1..=8).for_each(|i| place.write(&format!("bad/{i}.png"), b"no picture"));
    place.run("predict run bad").exits(1).says("and 3 more");
}

/// Cameras write both: what the JPEG is of is not missing because nobody reads the other.
#[test]
fn camera_raw_beside_pictures_is_left_out_and_told() {
    let place = Place::new("pets/{cat,dog}/{1..8}.jpg");
    let raw = [b"\0\0\0\x18ftypcrx \0\0\0\x01crx isom".as_slice(), &[0; 200]].concat();
    for name in ["cat/1", "cat/2", "cat/3", "dog/1"] {
        place.write(&format!("pets/{name}.CR3"), &raw);
    }
    place
        .run("inspect pets")
        .succeeds()
        .prints("4 camera raw (Canon CR3)")
        .prints("every picture can be read");
    place.train("pets", "--validation-split 0.25").succeeds();
    place.run("predict run pets/cat/1.CR3").exits(1).says("convert it");
}
