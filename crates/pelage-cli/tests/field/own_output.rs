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

#[test]
fn a_search_and_a_site_among_the_pictures_are_no_class() {
    let place = Place::new("pets/{cat,dog}/{1..8}.png");
    let small = "--validation-split 0.25 --image-size 32 --epochs 1";
    for _ in 0..2 {
        place
            .run_in("pets", &format!("search . --trials 1 {small}"))
            .succeeds()
            .says_nothing_of("no pictures");
    }
    place.train("pets", "--validation-split 0.25").succeeds();
    place.run("export web run --out pets/web").succeeds();
    // A second one takes the place of the first, and one that was begun goes on.
    place.run("export web run --out pets/web").succeeds();
    let more = place.run(&format!("train pets --out more {small}")).succeeds();
    more.says("2 classes (cat, dog), 12 training and 4 validation pictures")
        .says("written by pelage");
}

#[test]
fn a_name_for_a_folder_that_came_to_nothing_is_given_back() {
    let place = Place::new("pets/cat/{1..8}.png");
    place
        .run_in("pets", "search . --trials 1 --validation-split 0.25 --epochs 1")
        .exits(1);
    assert!(!place.path("pets/searches").exists());
    place
        .run_in("pets", "train . --validation-split 0.25 --epochs 1")
        .exits(1);
    assert!(!place.path("pets/runs").exists());
}

#[test]
fn figures_of_ours_are_predicted_only_by_their_names() {
    let place = Place::new("pets/{cat,dog}/{1..8}.png");
    place.train("pets", "--validation-split 0.25").succeeds();
    place.run("plot-model cnn3 --out pets/cnn3.svg").succeeds();
    place.run("plot-model cnn3 --out pets/cnn3.png").succeeds();
    place
        .run("predict run pets")
        .succeeds()
        .prints("16 pictures:")
        .prints("2 written by pelage");
    place
        .run("predict run pets/cnn3.png")
        .succeeds()
        .prints("pets/cnn3.png");
    place
        .run("explain run pets --out explained")
        .succeeds()
        .says_nothing_of("cnn3");
}

#[test]
fn features_that_fail_leave_nothing() {
    let place = Place::new("pets/{cat,dog}/{1..2}.png\nempty/\nkept/\ntext/notes.txt");
    for (data, out) in [("empty", "new"), ("text", "new"), ("missing", "new"), ("empty", "kept")] {
        let features = "--backbone mobilenet_v2 --weights random --image-size 32";
        place.run(&format!("features {data} {features} --out {out}")).exits(1);
        place
            .run(&format!("features {data} {features} --out {out} --resume"))
            .exits(1);
    }
    assert!(!place.path("new").exists());
    assert_eq!(std::fs::read_dir(place.path("kept")).unwrap().count(), 0);
}
