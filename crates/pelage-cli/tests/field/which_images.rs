//! Which images a run was trained on, wherever it is used from and whatever happened to them since.

use crate::place::Place;

fn trained() -> Place {
    let place = Place::new("a/data/{cat,dog}/{1..10}.png");
    let train = "train data --out run --validation-split 0.3 --epochs 1 --image-size 32";
    place.run_in("a", train).succeeds();
    place
}

#[test]
fn another_working_directory_has_other_data() {
    let place = trained();
    place.add("b/data/{cat,dog}/{11..15}.png");
    place
        .run_in("b", "evaluate ../a/run")
        .succeeds()
        .prints("the pictures that the run was validated on 6 pictures:");
    let from = |below: &str, run: &str| {
        place
            .run_in(below, &format!("compare {run} {run} --json"))
            .succeeds()
            .stdout
    };
    assert_eq!(from("b", "../a/run").replace("../a/run", "run"), from("a", "run"));
    place.run_in("b", "report ../a/run --out r.html").succeeds();
    assert!(place.text("b/r.html").contains("of 6 pictures"));
}

#[test]
fn the_folder_of_one_class_is_told_as_one() {
    let place = trained();
    for given in ["a/data/cat", "a/data/cat/", "a/data/dog/../cat"] {
        let ran = place.run(&format!("evaluate a/run {given}")).exits(1);
        ran.says("the folder of one class, 'cat'")
            .says("give the folder above it");
    }
    // What is no class of the model is no such folder.
    place.add("owls/{1..3}.png");
    place.run("evaluate a/run owls").exits(1).says("one folder per class");
}

#[test]
fn what_was_trained_on_is_not_scored() {
    let place = trained();
    place.add("a/data/cat/new.png");
    // The whole folder, by any path: the 6 of validation, and the new one.
    place
        .run("evaluate a/run a/data")
        .succeeds()
        .prints("those that the run was not trained on; 14 pictures that it was are left out")
        .prints("7 pictures:");
    place
        .run("evaluate a/run a/data --with-training")
        .succeeds()
        .prints("the run was trained on 14 of these: the figures flatter it")
        .prints("21 pictures:");
    // Of several, what any was trained on.
    place
        .run_in(
            "a",
            "train data --out two --seed 2 --validation-split 0.6 --epochs 1 --image-size 32",
        )
        .succeeds();
    let out = |runs: &str| {
        let said = place
            .run(&format!("compare {runs} --data a/data --json"))
            .succeeds()
            .stdout;
        let said: serde_json::Value = serde_json::from_str(&said).unwrap();
        said["trained_out"].as_u64().unwrap()
    };
    let both = out("a/run a/two");
    assert!(both > out("a/run a/run").max(out("a/two a/two")), "{both}");
    assert_eq!(out("a/two a/run"), both);
    std::fs::rename(place.path("a/data"), place.path("elsewhere")).unwrap();
    place.run("evaluate a/run elsewhere").succeeds().prints("7 pictures:");
    place.run("evaluate a/run").exits(1).says("any more");
    place
        .run("evaluate a/run elsewhere --json")
        .succeeds()
        .prints("\"trained_out\": 14");
}

#[test]
fn images_that_were_added_change_nothing_and_others_are_refused() {
    let place = trained();
    let validated = || place.run("evaluate a/run").succeeds().stdout;
    let before = validated();
    place.add("a/data/{cat,dog}/{90..95}.png");
    assert_eq!(validated(), before);
    place
        .run("train --resume a/run --epochs 2")
        .succeeds()
        .says("12 pictures added since the run began");
    // Moved: they are named.
    std::fs::rename(place.path("a/data"), place.path("moved")).unwrap();
    place.run("train --resume a/run --epochs 3").exits(1).says("any more");
    place.run("train --resume a/run moved --epochs 3").succeeds();
    place.run("evaluate a/run").succeeds();
    // One was replaced, one is missing.
    let one = in_set(&place, "validation").remove(0);
    let other = std::fs::read(place.path("moved/dog/95.png")).unwrap();
    place.write(&format!("moved/{one}"), &other);
    for verb in ["evaluate a/run", "calibrate a/run", "train --resume a/run --epochs 4"] {
        place
            .run(verb)
            .exits(1)
            .says(&format!("1 is others by now: {one}; put back"));
    }
    std::fs::remove_file(place.path(&format!("moved/{one}"))).unwrap();
    place
        .run("evaluate a/run")
        .exits(1)
        .says(&format!("1 of those for validation is missing: {one}; put back"))
        .says("help: DATA after the run");
    place
        .run("train --resume a/run --epochs 4")
        .exits(1)
        .says(&format!("1 of 20 is missing: {one}; put back what was there"));
}

/// The names of the pictures of a set, by the run's record.
fn in_set(place: &Place, set: &str) -> Vec<String> {
    let record = place.text("a/run/split.csv");
    let rows = record.lines().filter(|row| row.contains(&format!(",{set},")));
    rows.map(|row| row.split(',').next().unwrap().to_string()).collect()
}

/// Evaluation looks at the pictures of validation alone.
#[test]
fn training_pictures_that_are_gone_stop_no_evaluation() {
    let place = trained();
    let verbs = ["evaluate a/run", "compare a/run a/run", "report a/run --out r.html"];
    let before = place.run("evaluate a/run").succeeds().stdout;
    let train = in_set(&place, "train");
    let (gone, replaced) = train.split_at(3);
    std::fs::remove_file(place.path(&format!("a/data/{}", gone[0]))).unwrap();
    for verb in verbs {
        place
            .run(verb)
            .succeeds()
            .says("note: 1 training picture of a/run is gone; it is not needed here");
    }
    gone[1..]
        .iter()
        .for_each(|name| std::fs::remove_file(place.path(&format!("a/data/{name}"))).unwrap());
    place.write(&format!("a/data/{}", replaced[0]), b"something else");
    for verb in verbs {
        place
            .run(verb)
            .succeeds()
            .says("note: 3 training pictures of a/run are gone; they are not needed here");
    }
    assert_eq!(place.run("evaluate a/run").succeeds().stdout, before);
    // The page says what it could not look at.
    assert!(place.text("r.html").contains("3 are gone."), "{}", place.text("r.html"));
    for name in replaced {
        std::fs::remove_file(place.path(&format!("a/data/{name}"))).unwrap();
    }
    let after = place.run("evaluate a/run").succeeds();
    assert_eq!(after.stdout, before);
}

/// Each verb needs what it works with, and no more.
#[test]
fn what_is_gone_stops_only_what_cannot_do_without_it() {
    let place = trained();
    let train = in_set(&place, "train");
    let [dogs, cats] = ["dog/", "cat/"].map(|class| train.iter().filter(move |name| name.starts_with(class)));
    let (mut dogs, cats): (Vec<_>, Vec<_>) = (dogs.collect(), cats.collect());
    let remove = |name: &str| std::fs::remove_file(place.path(&format!("a/data/{name}"))).unwrap();
    dogs[..4].iter().for_each(|name| remove(name));
    // Distances are measured from what is left of the same pictures; a temperature needs none of them.
    let calibrated = place.run("calibrate a/run").succeeds();
    calibrated
        .says("note: 4 training pictures of a/run are gone or others by now; they are left out")
        .prints("from 10 training pictures")
        .prints("of 6 validation pictures");
    place.write(&format!("a/data/{}", cats[0]), b"something else");
    place
        .run("calibrate a/run")
        .succeeds()
        .prints("from 9 training pictures");
    // Each picture is judged for itself, those for validation too.
    let validation = in_set(&place, "validation");
    remove(&validation[0]);
    place
        .run("suspects a/run --csv s.csv --page s.html")
        .succeeds()
        .says("note: 6 pictures of a/run are gone or others by now; they are left out, 14 are looked at")
        .prints("of 14 pictures");
    place
        .run("suspects a/run --csv s.csv --page s.html --force --json")
        .succeeds()
        .prints("\"gone\": 6,");
    place.run("calibrate a/run").exits(1).says(&format!(
        "1 of those for validation is missing: {}; put back",
        validation[0]
    ));
    // Training goes on with the same pictures or not at all.
    dogs.truncate(4);
    let resumed = place.run("train --resume a/run --epochs 2").exits(1);
    let mut named: Vec<_> = dogs.into_iter().chain(validation.first()).collect();
    named.sort_by_key(|name| (validation.contains(name), train.iter().position(|one| one == *name)));
    resumed
        .says(&format!(
            "5 of 20 are missing: {}, {}, {} and 2 more; put back",
            named[0], named[1], named[2]
        ))
        .says("help: DATA after the run");
    // Without one of a class there is nothing to measure from.
    let place = trained();
    let train = in_set(&place, "train");
    let cats = train.iter().filter(|name| name.starts_with("cat/"));
    cats.for_each(|name| std::fs::remove_file(place.path(&format!("a/data/{name}"))).unwrap());
    place
        .run("calibrate a/run")
        .exits(1)
        .says("there is no training image of class 'cat'");
}

#[test]
fn all_of_it_trained_on_is_nothing_to_score() {
    let place = trained();
    let split = place.text("a/run/split.csv");
    for row in split.lines().filter(|row| row.contains(",train,")) {
        let name = row.split(',').next().unwrap();
        place.write(
            &format!("seen/{name}"),
            &std::fs::read(place.path(&format!("a/data/{name}"))).unwrap(),
        );
    }
    place
        .run("evaluate a/run seen")
        .exits(2)
        .says("all 14 images at seen are ones that the run was trained on");
    // In parts what is said to be the validation part is taken for it, and told.
    std::fs::create_dir(place.path("parts")).unwrap();
    std::fs::rename(place.path("seen"), place.path("parts/validation")).unwrap();
    place.add("parts/train/{cat,dog}/{1..3}.png");
    place
        .run("evaluate a/run parts")
        .succeeds()
        .prints("trained on 14 of these");
}

#[test]
fn a_record_that_was_changed_is_not_believed() {
    let place = trained();
    let record = place.text("a/run/split.csv");
    let exchanged = record.replace(",train,", ",?,").replace(",validation,", ",train,");
    let exchanged = exchanged.replace(",?,", ",validation,");
    let without = |set: &str| -> String {
        let kept = record.split_inclusive('\n').filter(|row| !row.contains(set));
        kept.collect()
    };
    let without = [",train,", ",validation,"].map(without);
    for (damaged, why) in [
        ("", "names no training images"),
        (&without[0], "names no training images"),
        (&without[1], "names no validation images"),
        (&exchanged, "not what was written when the run began"),
    ] {
        place.write("a/run/split.csv", damaged.as_bytes());
        for verb in [
            "evaluate a/run",
            "evaluate a/run a/data",
            "report a/run",
            "compare a/run a/run",
            "calibrate a/run",
            "train --resume a/run --epochs 2",
        ] {
            let ran = place.run(verb).exits(1);
            ran.says("split.csv").says(why);
        }
    }
    // Lost, it is drawn again, as long as it is the same.
    std::fs::remove_file(place.path("a/run/split.csv")).unwrap();
    place.run("evaluate a/run").succeeds().prints("6 pictures:");
    place.add("a/data/cat/new.png");
    place.run("evaluate a/run").exits(1).says("cannot be told");
}

#[test]
fn what_one_of_the_runs_was_trained_on_is_not_compared() {
    let place = trained();
    place.add("a/data/{cat,dog}/{90..95}.png");
    place
        .run("compare a/run a/run --data a/data")
        .succeeds()
        .prints("left out: 14 pictures that a run was trained on")
        .prints("on the same 18 pictures");
    place
        .run("compare a/run a/run --data a/data --json")
        .succeeds()
        .prints("\"trained_out\": 14");
}

/// A model file alone does not know which images were for training, but knows whether they are the same.
#[test]
fn a_model_without_its_record_says_so() {
    let place = trained();
    std::fs::copy(place.path("a/run/best.safetensors"), place.path("lone.safetensors")).unwrap();
    place.run("evaluate lone.safetensors").succeeds().prints("6 pictures:");
    // As long as the split is drawn again as it was, it knows all.
    place
        .run("evaluate lone.safetensors a/data")
        .succeeds()
        .prints("6 pictures:");
    std::fs::remove_file(place.path("a/data/cat/1.png")).unwrap();
    place
        .run("evaluate lone.safetensors a/data")
        .succeeds()
        .prints("it is not recorded which of these the model was trained on");
    place
        .run("compare a/run lone.safetensors --data a/data")
        .succeeds()
        .prints("not recorded which of these lone.safetensors was trained on");
    place.add("a/data/cat/1.png");
    place
        .run("calibrate lone.safetensors")
        .succeeds()
        .says_nothing_of("not recorded");
    place.add("a/data/cat/new.png");
    for verb in ["evaluate", "calibrate", "report"] {
        let ran = place.run(&format!("{verb} lone.safetensors")).exits(1);
        ran.says("which images were for training")
            .says("help: DATA after the run");
    }
}

#[test]
fn what_a_model_is_calibrated_on_is_told() {
    let place = trained();
    place.add("other/{train,validation}/{cat,dog}/{40..45}.png");
    place
        .run("calibrate a/run")
        .succeeds()
        .says_nothing_of("note: the model");
    place
        .run("calibrate a/run other")
        .succeeds()
        .prints("the model was trained on none of these pictures");
    std::fs::copy(place.path("a/run/best.safetensors"), place.path("lone.safetensors")).unwrap();
    std::fs::remove_file(place.path("a/data/cat/1.png")).unwrap();
    place
        .run("calibrate lone.safetensors other")
        .succeeds()
        .prints("it is not recorded which pictures the model was trained on");
    place.add("a/data/cat/1.png");
    std::fs::create_dir(place.path("turned")).unwrap();
    std::fs::rename(place.path("a/data"), place.path("turned/validation")).unwrap();
    std::fs::rename(place.path("other/train"), place.path("turned/train")).unwrap();
    place.add("turned/train/{cat,dog}/1.png");
    let record = place.text("a/run/split.csv");
    let seen = record.lines().find(|row| row.contains(",train,")).unwrap();
    let name = seen.split(',').next().unwrap();
    std::fs::copy(
        place.path(&format!("turned/validation/{name}")),
        place.path(&format!("turned/train/{name}")),
    )
    .unwrap();
    place
        .run("calibrate a/run turned")
        .succeeds()
        .prints("trained on 14 pictures of those for validation");
}

#[test]
fn a_run_that_is_being_trained_is_not_calibrated() {
    let place = trained();
    let _training = pelage::data::lock::FolderLock::take(&place.path("a/run")).unwrap();
    for run in ["a/run", "a/run/best.safetensors"] {
        place.run(&format!("calibrate {run}")).exits(1).says("another process");
    }
}

/// Several models have learnt what each has.
#[test]
fn what_is_made_of_runs_knows_what_they_were_trained_on() {
    let place = trained();
    place.run("ensemble a/run a/run --out both.safetensors").succeeds();
    place
        .run("evaluate both.safetensors a/data")
        .succeeds()
        .prints("6 pictures:");
    let folds = "train data --folds 2 --out folds --epochs 1 --image-size 32";
    place.run_in("a", folds).succeeds();
    let all = place.run("evaluate a/folds/ensemble.safetensors a/data").exits(2);
    all.says("all 20 images at a/data are ones that the run was trained on");
    // A model is hours of work.
    place
        .run("ensemble a/run a/run --out both.safetensors")
        .exits(2)
        .says("--force");
}

/// As Kaggle publishes them.
#[test]
fn a_training_part_alone_is_asked_about_where_it_is_known_what_was_learnt() {
    let place = trained();
    place.add("new/train/{cat,dog}/{101..103}.png");
    place.run("evaluate a/run new").succeeds().prints("6 pictures:");
    std::fs::copy(place.path("a/run/best.safetensors"), place.path("lone.safetensors")).unwrap();
    std::fs::remove_dir_all(place.path("a")).unwrap();
    place
        .run("evaluate lone.safetensors new")
        .exits(1)
        .says("nothing to score");
    place
        .run("evaluate lone.safetensors new --with-training")
        .succeeds()
        .prints("6 pictures:");
}

#[test]
fn a_part_without_labels_is_no_reason_to_score_the_training_part() {
    let place = trained();
    place.add("e/train/{cat,dog}/{11..15}.png");
    for empty in ["validation", "test"] {
        place.add(&format!("e/{empty}/{{16..18}}.png"));
        place.run("evaluate a/run e").exits(1).says_nothing_of("accuracy");
        std::fs::remove_dir_all(place.path(&format!("e/{empty}"))).unwrap();
    }
    // All there is; the run was trained on none of it.
    place.run("evaluate a/run e").succeeds().prints("10 pictures");
}
