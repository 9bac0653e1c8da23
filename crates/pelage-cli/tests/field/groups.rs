//! Bursts, places and near duplicates; a test part; trees of places and species.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Cursor;

use image::{ImageFormat, RgbImage};

use crate::common::stripes;
use crate::exif::tagged;
use crate::place::{Place, content};

/// Bursts of four: all shots of one but for some grays the same.
fn bursts() -> Place {
    let place = Place::new("");
    for (class, animal) in ["fox", "hare"].into_iter().enumerate() {
        for burst in 0..10 {
            // What is no burst's is smooth, as photographs are.
            let small = RgbImage::from_fn(6, 5, |x, y| {
                let mixed = (x * 7919 + y * 104_729 + burst * 1299 + class as u32 * 77) * 2_654_435_761u32 % 4093;
                image::Rgb([(mixed % 251) as u8, (mixed / 3 % 251) as u8, (mixed / 7 % 251) as u8])
            });
            let scene = image::imageops::resize(&small, 60, 50, image::imageops::FilterType::CatmullRom);
            for shot in 0..4u8 {
                let mut image = scene.clone();
                image
                    .pixels_mut()
                    .for_each(|pixel| pixel.0.iter_mut().for_each(|value| *value = value.saturating_add(shot)));
                let mut bytes = Cursor::new(Vec::new());
                image.write_to(&mut bytes, ImageFormat::Png).unwrap();
                place.write(&format!("traps/{animal}/{burst}_{shot}.png"), &bytes.into_inner());
            }
        }
    }
    place
}

/// The sets that the pictures of each burst are in, by a run's record.
fn sets(place: &Place, run: &str) -> BTreeMap<String, BTreeSet<String>> {
    let mut sets: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for row in place.text(&format!("{run}/split.csv")).lines().skip(1) {
        let cells: Vec<_> = row.split(',').collect();
        let burst = cells[0].split('_').next().unwrap().to_string();
        sets.entry(burst).or_default().insert(cells[2].to_string());
    }
    sets
}

#[test]
fn a_leak_is_told_with_its_remedy_and_mended_by_it() {
    let place = bursts();
    place
        .run("inspect traps")
        .succeeds()
        .prints("20 groups that look the same")
        .prints("`--group-by near-duplicates`");
    place.run("organize traps --out data").succeeds();
    place
        .run("inspect data")
        .succeeds()
        .prints("a leak")
        .prints("`pelage organize SOURCE --out DATA --group-by near-duplicates`");
    place
        .run("organize traps --out data --force --group-by near-duplicates --test 0.1")
        .succeeds()
        .prints("class train validation test all")
        .prints("fox 28 8 4 40");
    place
        .run("inspect data")
        .succeeds()
        .prints("nothing leaks")
        .says_nothing_of("--group-by");
    place.train("data", "").succeeds();
    place.run("evaluate run data/test").succeeds().prints("8 pictures:");
}

/// How many validation pictures are of a burst that was trained on, by a run's record.
fn of_trained_bursts(place: &Place, run: &str) -> usize {
    let crossing = sets(place, run);
    let record = place.text(&format!("{run}/split.csv"));
    let validated = record.lines().filter(|row| row.contains(",validation,"));
    let burst = |row: &str| row.split('_').next().unwrap().to_string();
    validated.filter(|row| crossing[&burst(row)].len() > 1).count()
}

/// Of pictures that are kept in memory, in a file, nowhere, and as features, computed now or before.
#[test]
fn training_tells_of_near_copies_on_both_sides_of_its_split() {
    let place = bursts();
    let frozen = "--backbone resnet18 --weights random";
    for more in [
        "--cache ram",
        "--cache disk",
        "--cache disk",
        "--cache off",
        frozen,
        frozen,
    ] {
        let ran = place
            .train("traps", &format!("--validation-split 0.25 {more}"))
            .succeeds();
        let leaked = format!(
            "{} of 20 validation pictures have near copies in training",
            of_trained_bursts(&place, "run")
        );
        assert_eq!(
            (
                ran.stderr.matches("near cop").count(),
                ran.stdout.matches("near cop").count()
            ),
            (1, 1),
            "{ran}"
        );
        ran.says(&format!(
            "note: {leaked}, which flatters every accuracy; `--group-by near-duplicates` keeps such pictures on one \
             side"
        ))
        .prints(&format!("flattered: {leaked}"));
        // And as long as it is judged by these pictures.
        for verb in ["evaluate run", "evaluate run traps"] {
            place.run(verb).succeeds().prints(&format!("flattered: {leaked}"));
        }
        place
            .run("compare run run")
            .succeeds()
            .prints(&format!("flattered: run: {leaked}"));
        std::fs::remove_dir_all(place.path("run")).unwrap();
    }
    place
        .train("traps", "--validation-split 0.25 --group-by near-duplicates")
        .succeeds()
        .says_nothing_of("near cop");
    place
        .run("evaluate run")
        .succeeds()
        .says_nothing_of("flattered")
        .prints("it is too narrow");
    let folds = "train traps --folds 2 --epochs 1 --image-size 32 --out folds";
    place
        .run(folds)
        .succeeds()
        .prints("of 80 validation pictures have near copies in training");
    // Nor is it forgotten when there is nothing left to do.
    place.run(folds).succeeds().prints("flattered: ");
    place.run("organize traps --out data").succeeds();
    std::fs::remove_dir_all(place.path("run")).unwrap();
    place
        .train("data", "")
        .succeeds()
        .says("`pelage organize SOURCE --out DATA --group-by near-duplicates` keeps such pictures");
}

#[test]
fn a_run_keeps_its_groups() {
    let place = bursts();
    place.train("traps", "--validation-split 0.25").succeeds();
    assert!(sets(&place, "run").values().any(|sets| sets.len() > 1));
    std::fs::remove_dir_all(place.path("run")).unwrap();
    let groups = "path,group\\n".to_string()
        + &(0..10)
            .map(|burst| {
                let row = |animal: &str, shot: u32| format!("{animal}/{burst}_{shot}.png,{animal} {burst}\\n");
                ["fox", "hare"]
                    .map(|animal| (0..4).map(|shot| row(animal, shot)).collect::<String>())
                    .concat()
            })
            .collect::<String>();
    place.add(&format!("bursts.csv = {groups}"));
    for by in [r"regex:(\w+/\d+)_", "csv:bursts.csv", "near-duplicates"] {
        place
            .train("traps", &format!("--validation-split 0.25 --group-by {by}"))
            .succeeds();
        let found = sets(&place, "run");
        assert!(
            found.len() == 20 && found.values().all(|sets| sets.len() == 1),
            "{by}: {found:?}"
        );
        // As its settings say, too, where its record is lost.
        let record = std::fs::read(place.path("run/split.csv")).unwrap();
        let validated = place.run("evaluate run").succeeds().stdout;
        std::fs::remove_file(place.path("run/split.csv")).unwrap();
        assert_eq!(place.run("evaluate run").succeeds().stdout, validated, "{by}");
        place.write("run/split.csv", &record);
        place.run("train --resume run --epochs 2").succeeds();
        assert_eq!(sets(&place, "run"), found, "{by}");
        place
            .run("train --resume run --group-by folder")
            .exits(2)
            .says("--resume keeps");
        std::fs::remove_dir_all(place.path("run")).unwrap();
    }
    place
        .train("traps", "--group-by folder")
        .exits(2)
        .says("--group-by is folder; it must be left out where no share");
    place
        .train("traps", "--validation-split 0.2 --group-by folder")
        .exits(1)
        .says("its 40 pictures are all of one group");
    place
        .train("traps", "--validation-split 0.2 --group-by bursts")
        .exits(2)
        .says("near-duplicates, folder, regex:PATTERN, csv:FILE or exif-time:60s");
}

#[test]
fn places_are_no_classes_where_the_level_is_given() {
    let place = Place::new("traps/{north,south,east,west}/{fox,hare}/{1..5}.png");
    let options = "--validation-split 0.25";
    place.train("traps", options).exits(1).says("`--label-level 2`");
    place
        .train("traps", &format!("{options} --label-level 2 --group-by regex:^(.*?)/"))
        .succeeds();
    let split = place.text("run/split.csv");
    let validated: BTreeSet<_> = split
        .lines()
        .filter(|row| row.contains(",validation,"))
        .map(|row| row.split('/').next().unwrap())
        .collect();
    assert_eq!(validated.len(), 1, "{split}");
    // All that the run is used for afterwards.
    place
        .run("evaluate run")
        .succeeds()
        .prints("10 pictures:")
        .prints("hare");
    place.run("evaluate run traps").succeeds().prints("10 pictures:");
    place.run("train --resume run --epochs 2").succeeds();
    place.run("report run --out r.html").succeeds();
    place.add("new/{fox,hare}/{11..14}.png");
    place.run("evaluate run new").succeeds().prints("8 pictures:");
    place
        .run("organize traps --out data --label-level 2 --group-by regex:^(.*?)/ --ratio 0.25 --test 0.25")
        .succeeds()
        .prints("fox 10 5 5 20");
    place
        .run("organize traps --out other --label-level 3")
        .exits(2)
        .says("--label-level is 3; it must be from 1 to 2");
}

#[test]
fn every_verb_that_names_data_takes_the_level() {
    let place = Place::new("traps/{north,south,east,west}/{fox,hare}/{1..5}.png\nanimals/{fox,hare}/{1..9}.png");
    place.train("animals", "--validation-split 0.25").succeeds();
    let features = "features traps --backbone mobilenet_v2 --weights random --image-size 32";
    for verb in [
        "inspect traps",
        "evaluate run traps",
        "compare run run --data traps",
        "explain run animals/fox/1.png --out explained --dataset traps",
        features,
    ] {
        let ran = place.run(&format!("{verb} --label-level 2")).succeeds();
        assert!(!format!("{}{}", ran.stdout, ran.stderr).contains("north "), "{ran}");
        place
            .run(&format!("{verb} --label-level 3"))
            .exits(2)
            .says("from 1 to 2");
    }
    place.run("inspect traps --label-level 2").prints("all fox 20");
    place.run("evaluate run traps --label-level 2").prints("40 pictures:");
    let table = place.text("features/features.csv");
    assert!(table.contains(",fox,") && !table.contains(",north,"), "{table}");
    // Of other data it says nothing.
    place.run("evaluate run --label-level 2").exits(2).says("DATA");
    place.run("evaluate run traps").exits(1).says("`--label-level 2`");
}

#[test]
fn predictions_tell_when_and_where_if_asked() {
    let place = Place::new("pets/{cat,dog}/{1..8}.png\nnew/1.png");
    place.train("pets", "--validation-split 0.25").succeeds();
    let jpeg = content("new/2.jpg");
    place.write("new/2.jpg", &tagged(&jpeg, Some("2024:05:01 06:30:00"), "Model", true));
    place.write("new/3.jpg", &tagged(&jpeg, Some("0000:00:00 00:00:00"), "Model", false));
    place.add("new/4.jpg = no picture");
    let table = place.run("predict run new --csv - --exif").succeeds().stdout;
    let rows: Vec<Vec<&str>> = table.lines().map(|row| row.split(',').collect()).collect();
    assert_eq!(
        rows[0][..7],
        [
            "path",
            "class",
            "probability",
            "error",
            "taken",
            "latitude",
            "longitude"
        ]
    );
    let taken: Vec<_> = rows[1..]
        .iter()
        .map(|row| row[row.len() - 5..row.len() - 2].to_vec())
        .collect();
    let nothing = vec![""; 3];
    // 47 degrees and 30 minutes, north and east.
    let there = vec!["2024-05-01T06:30:00", "47.500000", "47.500000"];
    assert_eq!(taken, [nothing.clone(), there, nothing.clone(), nothing]);
    let plain = place.run("predict run new --csv -").succeeds().stdout;
    assert!(!plain.contains("taken") && !plain.contains("2024"), "{plain}");
    let json = place.run("predict run new --exif --json").succeeds().stdout;
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json[1]["latitude"], 47.5);
    assert_eq!(json[0]["taken"], serde_json::Value::Null);
}

#[test]
fn labels_that_say_the_parts_leave_no_choice() {
    let place = Place::new("pets/{1..8}.png");
    let rows: String = (1..9)
        .map(|i| format!("{i}.png,{},{}\\n", ["cat", "dog"][i % 2], ["train", "val"][i / 3 % 2]))
        .collect();
    place.add(&format!("labels.csv = path,label,split\\n{rows}"));
    let organize = |more: &str| place.run(&format!("organize pets --labels labels.csv --out data {more}"));
    organize("--test 0.1")
        .exits(2)
        .says("--test is 0.1; it must be left out");
    organize("--group-by folder")
        .exits(2)
        .says("--group-by is folder; it must be left out");
    organize("").succeeds().prints("train and validation as the labels say");
}

#[test]
fn when_and_where_pictures_were_taken() {
    let place = Place::new("plain/{cat,dog}/{1..3}.png");
    place.run("inspect plain").succeeds().says_nothing_of("taken");
    for (i, (animal, minute)) in [("cat", 1), ("cat", 2), ("dog", 58), ("dog", 59)]
        .into_iter()
        .enumerate()
    {
        let time = format!("2024:05:01 06:{minute:02}:00");
        let jpeg = content(&format!("{animal}/{i}.jpg"));
        place.write(
            &format!("pets/{animal}/{i}.jpg"),
            &tagged(&jpeg, Some(&time), "trap", i == 3),
        );
    }
    let bytes = &mut Cursor::new(Vec::new());
    stripes(0, 5, 24).write_to(bytes, ImageFormat::Png).unwrap();
    place.write("pets/dog/untold.png", bytes.get_ref());
    place
        .run("inspect pets")
        .succeeds()
        .prints("taken from 2024-05-01 06:01:00 to 2024-05-01 06:59:00, as 4 pictures say")
        .prints("GPS: 1 picture with the place");
    let json = place.run("inspect pets --json").succeeds().stdout;
    let found: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(
        (&found["captured"]["with_time"], &found["captured"]["with_place"]),
        (&4.into(), &1.into())
    );
    place
        .train("pets", "--validation-split 0.4 --group-by exif-time:60s")
        .exits(1)
        .says("class 'cat' cannot be split: its 2 pictures are all of one group");
}

#[test]
fn what_is_in_no_group_is_told() {
    let place = Place::new(
        "pets/{cat,dog}/{1..6}.png
         some.csv = path,group\\ncat/1.png,a\\ncat/2.png,a\\ndog/77.png,b\\ndog/78.png,b
         none.csv = path,group\\nx/1.png,a",
    );
    let rows = "some.csv match no picture (first: dog/77.png), 10 pictures are in no group";
    for verb in [
        "organize pets --out data",
        "train pets --out run --epochs 1 --image-size 32 --validation-split 0.3",
    ] {
        place
            .run(&format!("{verb} --group-by csv:some.csv"))
            .succeeds()
            .says(rows);
    }
    let verb = "organize pets --out other --group-by";
    place
        .run(&format!("{verb} csv:none.csv"))
        .exits(1)
        .says("none of the pictures");
    let ran = place.run(&format!("{verb} regex:cat/[12]")).succeeds();
    ran.says("10 pictures do not match the pattern and are in no group");
}

/// Wherever the pictures lie, a report looks for copies among those that its run was trained on.
#[test]
fn a_report_finds_copies_wherever_the_pictures_lie() {
    let place = bursts();
    place.train("traps", "--validation-split 0.25").succeeds();
    let reported = |arguments: &str| {
        place.run(&format!("report {arguments} --out r.html")).succeeds();
        place.text("r.html")
    };
    let own = reported("run");
    let groups = own.matches("class=\"group\"").count();
    assert!(groups > 0 && own.contains("In training too"), "{own}");
    std::fs::rename(place.path("traps"), place.path("moved")).unwrap();
    let moved = reported("run moved");
    assert!(moved.contains("In training too"));
    assert_eq!(moved.matches("class=\"group\"").count(), groups);
    assert!(moved.contains(", without 60 that the model was trained on"), "{moved}");
    // Where none of them is, nothing is looked for, and nothing said of it.
    place.add("new/{fox,hare}/{1..4}.png");
    let other = reported("run new");
    assert!(
        other.contains("Not looked for") && !other.contains("None found"),
        "{other}"
    );
}
