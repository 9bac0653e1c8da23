//! Few images, and uneven classes.

use crate::place::Place;

/// The loss of always answering the shares of the classes, as its formula has it.
#[test]
fn a_range_test_tells_whether_it_is_better_than_chance() {
    let place =
        Place::new("pets/train/dog/{1..30}.png\npets/train/cat/{1..10}.png\npets/validation/{cat,dog}/{1..3}.png");
    let found = |more: &str| {
        let small = "--image-size 24 --steps 20 --no-augmentation --json";
        let ran = place.run(&format!("find-rate pets {small} {more}")).succeeds();
        serde_json::from_str::<serde_json::Value>(&ran.stdout).unwrap()
    };
    let entropy = |shares: [f64; 2]| -shares.iter().map(|share| share * share.ln()).sum::<f64>();
    for (more, shares) in [
        ("", [0.25, 0.75]),
        ("--class-weights balanced", [0.5, 0.5]),
        ("--label-smoothing 0.2", [0.25 * 0.8 + 0.1, 0.75 * 0.8 + 0.1]),
    ] {
        let chance = found(more)["chance"].as_f64().unwrap();
        assert!((chance - entropy(shares)).abs() < 1e-9, "{more}: {chance}");
    }
    assert!(found("--loss focal")["chance"].is_null());
    // Of one picture in all classes there is nothing to learn.
    let one = std::fs::read(place.path("pets/train/dog/1.png")).unwrap();
    (1..=30).for_each(|i| place.write(&format!("pets/train/dog/{i}.png"), &one));
    (1..=10).for_each(|i| place.write(&format!("pets/train/cat/{i}.png"), &one));
    let told = "find-rate pets --image-size 24 --steps 20 --batch-size 64 --no-augmentation";
    place
        .run(told)
        .succeeds()
        .prints("the loss never came clearly below 0.5623")
        .prints("nothing was learnt in")
        .says_nothing_of("the one to take");
    assert_eq!(found("--batch-size 64")["is_learnt"], false);
}

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
    // No mean over the pictures, and not called so.
    weighted
        .prints("class-weighted validation loss")
        .says_nothing_of("--class-weights");
    std::fs::remove_dir_all(place.path("run")).unwrap();
    place
        .train("pets", "--validation-split 0.3 --label-smoothing 0.1")
        .succeeds()
        .prints(": label-smoothed validation loss");
}
