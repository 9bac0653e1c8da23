//! What a newcomer asks for first.

use crate::place::Place;

#[test]
fn the_short_help_of_training_fits_one_screen() {
    let place = Place::new("");
    let short = place.run("train -h").succeeds().stdout;
    assert!(short.lines().count() <= 50, "{} lines\n{short}", short.lines().count());
    let long = place.run("train --help").succeeds().stdout;
    for flag in ["--epochs", "--backbone", "--resume"] {
        assert!(short.contains(flag) && long.contains(flag), "{flag}");
    }
    assert!(long.contains("--nesterov") && !short.contains("--nesterov"));
}

#[test]
fn the_doctor_finds_what_is_wrong() {
    let place = Place::new("file = no folder");
    let well = place
        .run("doctor")
        .succeeds()
        .prints("nothing is wrong")
        .prints("threads");
    assert!(well.stdout.contains(std::env::consts::ARCH), "{well}");
    let found: serde_json::Value = serde_json::from_str(&place.run("doctor --json").succeeds().stdout).unwrap();
    assert_eq!(found["problems"], serde_json::json!([]));
    assert_eq!(found["devices"][0], "cpu");
}

#[cfg(unix)]
#[test]
fn a_cache_that_cannot_be_written_and_a_wrong_instruction_set_are_told() {
    let place = Place::new("file = no folder");
    place
        .shell("PELAGE_CACHE=file/cache PELAGE_ISA=mmx pelage doctor")
        .exits(1)
        .says("PELAGE_CACHE")
        .says("mmx");
}

#[cfg(unix)]
#[test]
fn a_limit_of_the_cache_that_is_no_number_is_told() {
    let place = Place::new("");
    let looked = |limit: &str| place.shell(&format!("PELAGE_CACHE_LIMIT='{limit}' pelage doctor"));
    looked("5").succeeds().prints("of at most 5.0 GB");
    for wrong in ["20 GB", "-1", "NaN", "much"] {
        looked(wrong).exits(1).prints("of at most 20.0 GB").says(&format!(
            "error: PELAGE_CACHE_LIMIT is '{wrong}', which is no number of gigabytes; 20 are taken"
        ));
    }
}

#[cfg(unix)]
#[test]
fn shells_and_man_understand_what_is_written_for_them() {
    let place = Place::new("");
    place.shell("pelage completions bash > c && bash -n c").succeeds();
    place.shell("COLUMNS=40 pelage completions bash | cmp - c").succeeds();
    place.run("man --out pages").succeeds();
    let page = place.text("pages/pelage-train.1");
    assert!(page.starts_with(".ie") || page.starts_with(".TH"), "{page}");
    assert!(page.contains("\\-\\-epochs"), "{page}");
}

#[test]
fn the_cache_is_listed_and_cleared_by_age() {
    let place = Place::new("pets/{cat,dog}/{1..6}.png");
    place.train("pets", "--validation-split 0.3 --cache disk").succeeds();
    let listed = place
        .run("cache show")
        .succeeds()
        .prints("decoded pictures")
        .prints("of at most 20.0 GB");
    assert!(listed.stdout.contains("0 min ago"), "{listed}");
    place.run("cache clear --older-than 1").succeeds();
    place.run("cache show").prints("decoded pictures");
    place.run("cache clear --older-than -1").exits(2);
    place.run("cache clear").succeeds();
    place.run("cache show").succeeds().says_nothing_of("decoded pictures");
}

#[cfg(unix)]
#[test]
fn what_a_killed_run_left_is_swept() {
    let place = Place::new("pets/{cat,dog}/{1..6}.png");
    place.train("pets", "--validation-split 0.3").succeeds();
    place.add("run/.writing-abc.tmp = half");
    place.run("train --resume run --epochs 2").succeeds();
    assert!(!place.path("run/.writing-abc.tmp").exists() && !place.path("run/.pelage-lock").exists());
}
