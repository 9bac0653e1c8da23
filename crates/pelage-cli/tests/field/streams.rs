//! `-`, pipes and devices, where something is to be written.

use crate::place::Place;

/// Where one file is written, `-` is standard output, and nothing else goes there.
#[test]
fn a_dash_is_standard_output() {
    let place = Place::new("pets/{cat,dog}/{1..8}.png");
    place.train("pets", "--validation-split 0.25").succeeds();
    for verb in [
        "plot-model cnn3 --out -",
        "plot-model run --out /dev/stdout",
        "compare run run --out -",
        "find-rate pets --image-size 32 --steps 20 --validation-split 0.25 --out -",
    ] {
        let ran = place.run(verb).succeeds();
        let figure = ran.stdout.trim();
        assert!(figure.starts_with("<svg") && figure.ends_with("</svg>"), "{ran}");
    }
    place.run("compare run run --out -").says("against the first");
    place
        .run("plot-model cnn3 --out drawing")
        .exits(2)
        .says("its name tells no kind of figure")
        .says("or - for SVG on standard output");
    assert!(!place.path("-").exists());
}

/// Where a folder is written, it is a mistake.
#[test]
fn a_dash_is_no_folder() {
    let place = Place::new("pets/{cat,dog}/{1..8}.png");
    place.train("pets", "--validation-split 0.25").succeeds();
    for verb in [
        "features pets --backbone mobilenet_v2 --weights random --image-size 32 --out -",
        "train pets --validation-split 0.25 --epochs 1 --out -",
        "search pets --validation-split 0.25 --trials 1 --out -",
        "organize pets --out -",
        "explain run pets/cat/1.png --out -",
        "export web run --out -",
        "demo --out -",
        "man --out -",
        "serve run --collect -",
    ] {
        place
            .run(verb)
            .exits(2)
            .says("- is standard output, and a folder is written");
    }
    assert!(!place.path("-").exists());
}

#[cfg(unix)]
#[test]
fn a_reader_that_has_enough_is_no_failure() {
    let place = Place::new("pets/{cat,dog}/{1..8}.png");
    place.train("pets", "--validation-split 0.25").succeeds();
    for verb in [
        "report run --out -",
        "predict run pets pets pets --csv -",
        "export onnx run --out -",
    ] {
        place
            .shell(&format!(
                "pelage {verb} 2>messages | head -c 1 >/dev/null; cat messages"
            ))
            .succeeds()
            .says_nothing_of("error")
            .says_nothing_of("roken pipe");
    }
}
