//! What pelage wrote itself, where it lies among pictures.

use crate::place::Place;

#[test]
fn runs_among_the_pictures_are_no_class() {
    let place = Place::new("pets/{cat,dog}/{1..8}.png");
    let train = "train . --validation-split 0.25 --image-size 32 --epochs";
    place.run_in("pets", &format!("{train} 1")).succeeds();
    let again = place.run_in("pets", &format!("{train} 1")).succeeds();
    again
        .says("2 classes (cat, dog), 12 training and 4 validation pictures")
        .says("written by pelage");
    place.run_in("pets", "train --resume runs/cnn3-1 --epochs 2").succeeds();
    // As they were before folders were marked.
    std::fs::remove_file(place.path("pets/runs/cnn3-1/.pelage-output")).unwrap();
    place
        .run("inspect pets")
        .succeeds()
        .says_nothing_of("curves.png")
        .prints("2 written by pelage");
}

#[test]
fn explanations_and_features_are_no_class() {
    let place = Place::new("pets/{cat,dog}/{1..8}.png");
    place.train("pets", "--validation-split 0.25").succeeds();
    place.run("explain run pets/cat/1.png --out pets/explained").succeeds();
    let features = "features pets --backbone mobilenet_v2 --weights random --image-size 32 --out pets/features";
    place.run(features).succeeds().prints("16 pictures");
    let more = "--validation-split 0.25 --out more --epochs 1 --image-size 32";
    place
        .run(&format!("train pets {more}"))
        .succeeds()
        .says("2 classes (cat, dog)");
}

#[test]
fn notes_of_our_own_are_nobodys_business() {
    let place = Place::new("pets/{cat,dog}/{1..8}.png");
    place.run("organize pets --out data").succeeds();
    assert!(place.path("data/.pelage-organize.json").exists());
    place.train("data", "").succeeds().says_nothing_of("left out");
}
