//! Which part of a data set is meant, and which folders are its classes.

use crate::place::Place;

#[test]
fn evaluation_never_takes_what_was_trained_on() {
    let place = Place::new(
        "pets/{cat,dog}/{1..6}.png
         flat/{1..3}.png
         tested/Train/{cat,dog}/{1..4}.png
         tested/Test/{cat,dog}/{1..3}.png
         uneven/Train/{cat,dog}/{1..4}.png
         uneven/Valid/cat/{1..2}.png
         alone/train/{cat,dog}/{1..4}.png
         zipped.zip: data/Train/{cat,dog}/{1..4}.png data/Test/{cat,dog}/{1..3}.png",
    );
    place.train("pets", "--validation-split 0.3").succeeds();
    place
        .run("evaluate run pets")
        .succeeds()
        .prints("of pets those that the run was not trained on")
        .prints("4 pictures:");
    place
        .run("evaluate run tested")
        .succeeds()
        .prints("test part of tested")
        .prints("6 pictures:");
    place
        .run("evaluate run zipped.zip")
        .succeeds()
        .prints("test part of")
        .prints("6 pictures:");
    place
        .run("evaluate run uneven")
        .succeeds()
        .prints("validation part")
        .prints("2 pictures:");
    // Of another data set's training part it was trained on nothing.
    place.run("evaluate run alone").succeeds().prints("8 pictures:");
    place.run("evaluate run flat").exits(1).says("no labelled pictures");
    for verb in [
        "compare run run --data",
        "report run",
        "explain run pets/cat/1.png --out e --dataset",
    ] {
        place.run(&format!("{verb} alone")).succeeds();
        place.run(&format!("{verb} flat")).exits(1).says("no labelled pictures");
    }
}

#[test]
fn parts_of_any_name_are_no_classes() {
    let place = Place::new(
        "a/train/{A,B}/{1..5}.png
         a/val_data/{A,B}/{1..2}.png
         b/train/{A,B}/{1..5}.png
         b/later/{A,B}/{1..2}.png
         c/{2023,2024}/{A,B}/{1..5}.png",
    );
    let small = "--epochs 1 --image-size 32";
    let train = |data: &str, more: &str| place.run(&format!("train {data} --out {data}-run {small} {more}"));
    train("a", "--validation-split 0.3")
        .exits(2)
        .says("has a validation part already");
    train("a", "")
        .succeeds()
        .says("2 classes (A, B), 10 training and 4 validation pictures");
    train("b", "--validation-split 0.2")
        .succeeds()
        .says("2 classes (A, B), 8 training and 2 validation pictures")
        .says("4 beside the parts of the data set");
    train("c", "--validation-split 0.3")
        .exits(1)
        .says("2023, 2024 hold the same, A, B")
        .says("--labels labels.csv");
}

#[test]
fn a_class_folder_is_no_riddle_of_file_names() {
    let place = Place::new("pets/cats/{IMG,DSC}_{1..9}.png");
    let ran = place.train("pets", "--validation-split 0.3").exits(1);
    ran.says("only one class, 'cats'");
}

#[test]
fn parts_that_do_not_hold_all_of_the_same_are_asked_about() {
    let place = Place::new(
        "a/foo/{A,B,C}/{1..4}.png
         a/bar/{A,B}/{1..4}.png
         b/2023/{A,B,C}/{1..4}.png
         b/2024/{A,B,D}/{1..4}.png
         c/train/{cat,dog}.{0..5}.png
         c/extra/{cat,dog}.{6..9}.png",
    );
    for (data, within) in [("a", "A, B"), ("b", "A, B"), ("c", "cat, dog")] {
        let ran = place.train(data, "--validation-split 0.3").exits(1);
        ran.says(&format!("hold the same, {within}")).says("--label-level");
    }
}

/// Root may read everything.
#[cfg(unix)]
#[test]
fn a_class_that_cannot_be_read_is_told_as_such() {
    let place = Place::new("pets/{cat,dog}/{1..4}.png");
    let ran = place.shell(
        "chmod 755 . && chmod 000 pets/cat || exit 9
         if [ $(id -u) = 0 ]; then
             setpriv --reuid=65534 --regid=65534 --clear-groups pelage doctor >/dev/null 2>&1; [ $? -lt 2 ] || exit 8
             nobody='setpriv --reuid=65534 --regid=65534 --clear-groups'
         fi
         mkdir -m 777 out; cd out
         $nobody pelage train ../pets --validation-split 0.3; code=$?; chmod 755 ../pets/cat; exit $code",
    );
    if ran.code != Some(8) {
        ran.exits(1).says("pets/cat").says("cannot be read: Permission denied");
    }
}
