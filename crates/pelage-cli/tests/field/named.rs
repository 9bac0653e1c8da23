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

/// What is named and not there is a failure, whichever verb reads it; wrong usage is what no file would make right.
#[test]
fn what_is_missing_has_one_exit_code_for_all_verbs() {
    let place = Place::new("pets/{cat,dog}/{1..6}.png");
    place.train("pets", "--validation-split 0.3").succeeds();
    let split = "train pets --validation-split 0.3";
    for missing in [
        "inspect nowhere",
        "inspect nowhere --table out --shard 1/2",
        "features nowhere --backbone resnet18 --weights random --out out",
        "organize nowhere --out out",
        "organize pets --labels nowhere.csv --out out",
        "train nowhere --validation-split 0.2",
        "train nowhere --folds 2 --out out",
        "train --resume nowhere",
        &format!("{split} --config nowhere.toml"),
        &format!("{split} --group-by csv:nowhere.csv"),
        &format!("{split} --drop-suspects nowhere.csv"),
        &format!("{split} --backbone resnet18 --weights nowhere.pth"),
        &format!("{split} --backbone resnet18 --weights random --unfreeze all --head-from nowhere"),
        "find-rate nowhere",
        "search nowhere",
        "search pets --validation-split 0.3 --space nowhere.toml",
        "search --resume nowhere",
        "summary nowhere/best.safetensors",
        "plot-model nowhere.safetensors --out out.svg",
        "evaluate nowhere",
        "evaluate run nowhere",
        "predict nowhere pets",
        "predict run nowhere",
        "merge nowhere.csv --out out.csv",
        "explain nowhere pets/cat/1.png --out out",
        "explain run nowhere --out out",
        "explain run pets/cat/1.png --dataset nowhere --out out",
        "export onnx nowhere --out out.onnx",
        "export safetensors nowhere --out out.safetensors",
        "export web nowhere --out out",
        "report nowhere",
        "report run nowhere",
        "serve nowhere",
        "calibrate nowhere",
        "calibrate run nowhere",
        "submit nowhere pets",
        "submit run nowhere",
        "submit run pets --sample nowhere.csv",
        "compare nowhere run",
        "compare run run --data nowhere",
        "ensemble nowhere run --out out.safetensors",
        "ensemble run run --data nowhere --out out.safetensors",
        "suspects nowhere",
        "suspects run nowhere",
        "weights add nowhere.pth --model resnet18",
        "weights add nowhere.onnx",
    ] {
        place.run(missing).exits(1).says("error: ");
    }
    // A name that is none of those known.
    for wrong in ["summary nowhere", "recipes show nowhere", "weights remove nowhere"] {
        place.run(wrong).exits(2).says("nowhere");
    }
    // What was there once, too.
    std::fs::rename(place.path("pets"), place.path("moved")).unwrap();
    for verb in [
        "evaluate run",
        "report run",
        "calibrate run",
        "suspects run",
        "compare run run",
        "ensemble run run --out out.safetensors",
        "train --resume run --epochs 2",
    ] {
        place
            .run(verb)
            .exits(1)
            .says("any more")
            .says("help: DATA after the run");
    }
    assert!(!place.path("out").exists());
}
