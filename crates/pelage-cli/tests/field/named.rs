//! What was named on the command line and is not there.

use crate::place::Place;

/// As of `cat`: what is there is answered, and the exit code says that not all was.
#[test]
fn what_is_named_and_missing_is_no_success() {
    let place = Place::new("pets/{cat,dog}/{1..6}.png\nempty/\nhalf/1.png\nhalf/2.png = no picture");
    place.train("pets", "--validation-split 0.3").succeeds();
    let named = "predict run pets/cat/1.png gone.jpg pets/dog/2.png";
    place
        .run(named)
        .exits(1)
        .prints("pets/cat/1.png")
        .prints("gone.jpg - No such file")
        .prints("pets/dog/2.png")
        .prints("3 pictures:")
        .says("error: gone.jpg is not there, or cannot be opened");
    let ran = place.run(&format!("{named} --json")).exits(1);
    let rows: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(rows.as_array().unwrap().len(), 3, "{ran}");
    let ran = place.run(&format!("{named} no.jpg --csv -")).exits(1);
    assert_eq!(ran.stdout.lines().count(), 5, "{ran}");
    ran.says("error: 2 named paths are not there, or cannot be opened gone.jpg no.jpg");
    let ran = place.run(&format!("{named} --csv p.csv")).exits(1);
    assert_eq!(place.text("p.csv").lines().count(), 4, "{ran}");
    // What is there and no picture is a row.
    place.run("predict run half").succeeds().prints("unreadable 1");
    place.run("predict run half/2.png half/1.png").succeeds();
    place.run("predict run empty half/1.png").succeeds();
    // Others begin nothing.
    place
        .run("explain run pets/cat/1.png gone.jpg --out e")
        .exits(1)
        .says("gone.jpg");
    assert!(!place.path("e").exists());
    for verb in [
        "inspect gone",
        "features gone --backbone resnet18 --weights random --out f",
        "evaluate run gone",
        "organize gone --out o",
        "train gone --validation-split 0.2",
        "compare run gone",
        "report gone",
        "summary gone",
    ] {
        let ran = place.run(verb);
        assert!(ran.code == Some(1) || ran.code == Some(2), "{ran}");
        ran.says("gone");
    }
}
