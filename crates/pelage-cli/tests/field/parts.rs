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

#[test]
fn species_that_recur_at_places_are_asked_about() {
    let place = Place::new(
        "a/S1/{Fuchs,Dachs}/{1..4}.png
         a/S2/{Fuchs,Reh}/{1..4}.png
         b/S1/{Fuchs,Dachs,leer}/{1..4}.png
         b/S2/{Fuchs,Dachs}/{1..4}.png
         b/S3/Fuchs/{1..4}.png
         clear/{cat,dog}/images/{1..4}.png
         clear/dog/raw/{1..4}.png",
    );
    let features = "--backbone mobilenet_v2 --weights random --image-size 32";
    place.train("clear", "--validation-split 0.3").succeeds();
    for data in ["a", "b"] {
        for verb in [
            format!("train {data} --validation-split 0.3"),
            format!("organize {data} --out data"),
            format!("features {data} {features}"),
            format!("evaluate run {data}"),
        ] {
            let ran = place.run(&verb).exits(1);
            ran.says("is S1 a class").says("`--label-level 2` takes the inner ones");
        }
        place
            .run(&format!("inspect {data}"))
            .succeeds()
            .says("`--label-level 2`");
    }
    place.run("inspect clear").succeeds().says_nothing_of("--label-level");
    place
        .run("inspect a --label-level 2")
        .succeeds()
        .says_nothing_of("--label-level");
}

#[test]
fn where_there_is_one_part_nothing_can_leak() {
    let place = Place::new("pets/train/{cat,dog}/{1..4}.png\nboth/{train,test}/cat/1.png");
    place.run("inspect pets").succeeds().says_nothing_of("leak");
    let picture = std::fs::read(place.path("both/train/cat/1.png")).unwrap();
    place.write("both/test/cat/1.png", &picture);
    place.run("inspect both").succeeds().prints("a leak");
}

#[test]
fn one_file_in_two_classes_is_told_first() {
    let place = Place::new("pets/{cat,dog}/{1..14}.png");
    let copy = |from: &str, to: &str| place.write(to, &std::fs::read(place.path(from)).unwrap());
    (1..13).for_each(|i| copy(&format!("pets/cat/{i}.png"), &format!("pets/cat/copy{i}.png")));
    copy("pets/cat/14.png", "pets/dog/14.png");
    let ran = place.run("inspect pets").succeeds();
    let ran = ran.prints("1 group of identical files of different classes");
    let [one, other] = ["of different classes", "12 groups of identical files:"].map(|text| ran.stdout.find(text));
    assert!(one.is_some() && one < other, "{ran}");
}

#[test]
fn parts_without_pictures_are_parts_and_told() {
    let place = Place::new(
        "bare/train/{A,B}/{1..8}.png
         bare/test/
         folders/train/{A,B}/{1..8}.png
         folders/test/{A,B}/
         text/train/{A,B}/{1..8}.png
         text/test/notes.txt
         valid/train/{A,B}/{1..8}.png
         valid/validation/{A,B}/
         turned/train/{A,B}/
         turned/test/{A,B}/{1..8}.png
         classes/{cat,dog}/{1..8}.png",
    );
    let small = "--epochs 1 --image-size 32";
    for data in ["bare", "folders", "text", "valid"] {
        let part = if data == "valid" { "validation" } else { "test" };
        let told = format!("the {part} part, without a picture: ");
        place
            .run(&format!("inspect {data}"))
            .succeeds()
            .prints(&told)
            .prints(&format!("{data}/{part}"));
        place
            .run(&format!(
                "train {data} --out {data}-run {small} --validation-split 0.25"
            ))
            .succeeds()
            .says(&told);
    }
    place
        .run(&format!("train valid --out x {small}"))
        .exits(2)
        .says("(validation holds no pictures)");
    place
        .run(&format!("train turned --out x {small} --validation-split 0.25"))
        .exits(1)
        .says("the training part of the data set holds no pictures");
    place
        .run("evaluate bare-run turned")
        .succeeds()
        .prints("test part of turned")
        .prints("16 pictures:");
    // Beside classes, folders without pictures take none away.
    place.add("classes/train/\nclasses/test/");
    place
        .run("inspect classes")
        .succeeds()
        .prints("all cat 8")
        .prints("all dog 8");
}
