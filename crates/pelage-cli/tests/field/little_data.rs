//! Few images, and uneven classes.

use crate::place::Place;

#[test]
fn what_would_serve_is_told_before_training_and_luck_after() {
    let place = Place::new("pets/dog/{1..40}.png\npets/cat/{1..6}.png");
    let run = place.train("pets", "--validation-split 0.3").succeeds();
    let run = run
        .says("--backbone efficientnet_lite0")
        .says("--class-weights balanced");
    let notes = run.stderr.lines().filter(|line| line.starts_with("note:")).count();
    assert_eq!(notes, 3, "{run}");
    run.prints("calling every picture dog");

    let place = Place::new("pets/{dog,cat}/{1..20}.png");
    let weighted = place
        .train("pets", "--validation-split 0.3 --class-weights balanced")
        .succeeds();
    weighted.says_nothing_of("--class-weights");
}
