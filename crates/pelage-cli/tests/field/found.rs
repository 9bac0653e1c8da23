//! Every file that is found is accounted for in words.

use crate::place::Place;

#[test]
fn what_systems_leave_is_no_picture() {
    let place = Place::new(
        "pets/{cat,dog}/{1..4}.png
         pets/cat/@eaDir/1.png/SYNOPHOTO_THUMB_M.jpg
         pets/lost+found/1.png
         pets/#recycle/cat/2.png
         pets/dog/1.png_original",
    );
    let ran = place.train("pets", "--validation-split 0.25").succeeds();
    ran.says("6 training and 2 validation")
        .says("2 left by network storage")
        .says("1 left by Linux");
}

#[cfg(unix)]
#[test]
fn organize_says_what_it_left_out() {
    let place = Place::new(
        "pets/{cat,dog}/{1..12}.png
         pets/cat/99.png -> nowhere
         pets/dog/notes.txt",
    );
    place.write("pets/dog/98.jpg", b"x");
    let ran = place.run("organize pets --out data").succeeds();
    ran.prints("2 unreadable pictures left out")
        .prints("cat/99.png")
        .prints("dog/98.jpg")
        .prints("1 not a picture:");
}

#[test]
fn inspect_looks_at_all_pictures_and_shows_all_that_is_wrong() {
    let place = Place::new("flat/{1..3}.png\nmany/{cat,dog}/{1..3}.png");
    place
        .run("inspect flat")
        .succeeds()
        .prints("(no label)")
        .prints("every picture can be read")
        .says_nothing_of("imbalance");
    place.write("many/loose.png", b"broken");
    (100..130).for_each(|i| place.write(&format!("many/cat/{i}.jpg"), b"broken"));
    let ran = place.run("inspect many").succeeds();
    ran.prints("cat/129.jpg")
        .prints("many/loose.png")
        .says_nothing_of("every picture can be read");
}

#[test]
fn of_a_large_group_some_are_shown_and_the_others_counted() {
    let place = Place::new("pets/{cat,dog}/{1..3}.png");
    let one = std::fs::read(place.path("pets/cat/1.png")).unwrap();
    (10..40).for_each(|i| place.write(&format!("pets/cat/{i}.png"), &one));
    let ran = place.run("inspect pets").succeeds();
    let ran = ran.prints("and 23 more").prints("pets/cat/15.png");
    assert!(!ran.stdout.contains("pets/cat/39.png"), "{ran}");
    for whole in ["inspect pets --json", "inspect pets --verbose"] {
        place.run(whole).succeeds().prints("pets/cat/39.png");
    }
}
