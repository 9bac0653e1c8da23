//! Tables over very many pictures: written as they come, gone on with after a kill, shared among processes.

mod common;

use std::fs;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};

use common::{fail, pelage, stripes, succeed, trained};

/// `count` pictures in `pictures`, one of them broken, and a trained `run`.
fn pictures(folder: &Path, count: u64) {
    trained(folder, 4, 4);
    let pictures = folder.join("pictures");
    fs::create_dir(&pictures).unwrap();
    for i in 0..count {
        let path = pictures.join(format!("{i}, \"so\".png"));
        stripes(i as usize % 2, i, 24).save(&path).unwrap();
    }
    fs::write(pictures.join("broken.jpg"), b"\xFF\xD8\xFF\xE0 nothing").unwrap();
}

fn bytes(folder: &Path, name: &str) -> Vec<u8> {
    fs::read(folder.join(name)).unwrap()
}

/// The files of a folder whose names begin with `begin`.
fn named(folder: &Path, begin: &str) -> Vec<String> {
    let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
    let names = names.map(|name| name.into_string().unwrap());
    let mut names: Vec<_> = names.filter(|name| name.starts_with(begin)).collect();
    names.sort();
    names
}

/// The length of a file, 0 of one that is not there.
fn length(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |told| told.len())
}

/// How the command ended, unless it was killed because `is_time`.
fn ended(mut command: Command, is_time: &dyn Fn() -> bool) -> Option<ExitStatus> {
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return Some(status);
        }
        if is_time() {
            child.kill().unwrap();
            child.wait().unwrap();
            return None;
        }
        std::thread::yield_now();
    }
}

#[test]
fn what_was_killed_goes_on_with_nothing_lost_or_twice() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    pictures(folder, 400);
    let whole = succeed(folder, &["predict", "run", "pictures", "--csv", "whole.csv"]);
    assert!(
        whole.contains("401 pictures") && whole.contains("unreadable 1"),
        "{whole}"
    );
    assert_eq!(named(folder, "whole"), ["whole.csv"]);
    let whole = bytes(folder, "whole.csv");
    let part = folder.join("table.csv.part");
    // Whenever it has come a little further, it is killed; and what it has written is torn.
    let (mut killed, mut seen) = (0, 0);
    for round in 0.. {
        let mut command = pelage(folder);
        command.args([
            "predict",
            "run",
            "pictures",
            "--csv",
            "table.csv",
            "--resume",
            "--threads",
            "1",
        ]);
        match ended(command, &|| length(&part) > seen + 300 * (round % 7)) {
            Some(status) => {
                assert!(status.success());
                break;
            }
            None => {
                killed += 1;
                let now = length(&part);
                if round % 2 == 1 && now > 100 {
                    let file = fs::File::options().write(true).open(&part).unwrap();
                    file.set_len(now - 37).unwrap();
                }
                seen = length(&part);
            }
        }
    }
    assert!(killed > 1, "{killed}");
    assert!(bytes(folder, "table.csv") == whole);
    assert_eq!(named(folder, "table"), ["table.csv", "table.csv.shard.json"]);
    // Whole: nothing is left to do.
    let again = succeed(
        folder,
        &["predict", "run", "pictures", "--csv", "table.csv", "--resume"],
    );
    assert!(again.contains("table.csv is whole already"), "{again}");
    // A table of which nobody knows what made it is not taken for whole.
    let told = fail(
        folder,
        &["predict", "run", "pictures", "--csv", "whole.csv", "--resume"],
        2,
    );
    assert!(told.contains("without a record") && told.contains("--force"), "{told}");
}

#[test]
fn shards_put_together_are_the_whole() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    pictures(folder, 50);
    succeed(folder, &["predict", "run", "pictures", "--csv", "whole.csv", "--exif"]);
    let shard = |number: &str, file: &str| {
        succeed(
            folder,
            &["predict", "run", "pictures", "--exif", "--shard", number, "--csv", file],
        )
    };
    for number in 1..=3 {
        shard(&format!("{number}/3"), &format!("p{number}.csv"));
    }
    let merged = succeed(folder, &["merge", "p3.csv", "p1.csv", "p2.csv", "--out", "merged.csv"]);
    assert_eq!(merged, "merged.csv: 51 files of 3 parts\n");
    assert!(bytes(folder, "merged.csv") == bytes(folder, "whole.csv"));
    let to_standard = succeed(folder, &["merge", "p1.csv", "p2.csv", "p3.csv", "--out", "-"]);
    assert!(to_standard.as_bytes() == bytes(folder, "whole.csv"));
    let refused =
        |parts: &[&str], code: i32| fail(folder, &[&["merge"], parts, &["--out", "refused.csv"]].concat(), code);
    // Holes, overlaps, and what is no part.
    let told = refused(&["p1.csv", "p3.csv"], 2);
    assert!(told.contains("missing: 2/3"), "{told}");
    let told = refused(&["p1.csv", "p2.csv", "p3.csv", "p2.csv"], 1);
    assert!(told.contains("it is part 2/3, and so is p2.csv"), "{told}");
    let told = refused(&["p1.csv", "whole.csv"], 1);
    assert!(
        told.contains("there is no record whole.csv.shard.json beside it"),
        "{told}"
    );
    let told = refused(&["p1.csv", "p9.csv"], 1);
    assert!(told.contains("there is no such part"), "{told}");
    shard("1/2", "half.csv");
    let told = refused(&["p1.csv", "half.csv"], 1);
    assert!(told.contains("of 3 parts") || told.contains("of 2 parts"), "{told}");
    // Of another model, with other settings, of other pictures.
    let small = [
        "--epochs",
        "1",
        "--image-size",
        "24",
        "--batch-size",
        "8",
        "--seed",
        "7",
    ];
    succeed(folder, &[&["train", "data", "--out", "other"], &small[..]].concat());
    succeed(
        folder,
        &[
            "predict",
            "other",
            "pictures",
            "--exif",
            "--shard",
            "2/3",
            "--csv",
            "other.csv",
        ],
    );
    let told = refused(&["p1.csv", "other.csv", "p3.csv"], 2);
    assert!(told.contains("made with another model"), "{told}");
    succeed(
        folder,
        &["predict", "run", "pictures", "--shard", "2/3", "--csv", "plain.csv"],
    );
    let told = refused(&["p1.csv", "plain.csv", "p3.csv"], 2);
    assert!(told.contains("made with exif false, not true"), "{told}");
    // Changed since.
    let mut changed = bytes(folder, "p2.csv");
    let last = changed.len() - 3;
    changed[last] ^= 1;
    fs::write(folder.join("p2.csv"), changed).unwrap();
    let told = refused(&["p1.csv", "p2.csv", "p3.csv"], 1);
    assert!(told.contains("changed since it was made"), "{told}");
    assert!(!folder.join("refused.csv").exists());
    // More parts than pictures.
    succeed(
        folder,
        &["predict", "run", "pictures", "--shard", "1/99", "--csv", "none.csv"],
    );
}

#[test]
fn an_unfinished_table_is_gone_on_with_by_what_made_it_alone() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    pictures(folder, 40);
    fn predict<'a>(more: &[&'a str]) -> Vec<&'a str> {
        [&["predict", "run", "pictures", "--csv", "t.csv"], more].concat()
    }
    succeed(folder, &predict(&["--resume"]));
    let whole = bytes(folder, "t.csv");
    // As a kill leaves it.
    let unfinished = |length: usize| {
        fs::write(folder.join("t.csv.part"), &whole[..length]).unwrap();
        let record = fs::read_to_string(folder.join("t.csv.part.json")).or_else(|_| {
            let text = fs::read_to_string(folder.join("t.csv.shard.json"))?;
            let mut record: serde_json::Value = serde_json::from_str(&text)?;
            record["content"] = serde_json::Value::Null;
            Ok::<_, std::io::Error>(record.to_string())
        });
        fs::write(folder.join("t.csv.part.json"), record.unwrap()).unwrap();
    };
    unfinished(1500);
    fs::remove_file(folder.join("t.csv")).unwrap();
    let told = fail(folder, &predict(&[]), 2);
    assert!(
        told.contains("unfinished") && told.contains("`--resume` goes on with it"),
        "{told}"
    );
    for (more, why) in [
        (&["--resume", "--exif"][..], "made with exif false, not true"),
        (&["--resume", "--shard", "1/2"], "part 1/1 of its table, not 1/2"),
        (&["--resume", "--damaged", "take"], "made with damaged"),
    ] {
        let told = fail(folder, &predict(more), 2);
        assert!(told.contains(why), "{told}");
    }
    fs::write(folder.join("pictures/more.png"), b"").unwrap();
    let told = fail(folder, &predict(&["--resume"]), 2);
    assert!(told.contains("made of 41 files, and here are 42"), "{told}");
    fs::remove_file(folder.join("pictures/more.png")).unwrap();
    // Somebody has taken a row out.
    let text = String::from_utf8(whole.clone()).unwrap();
    let lines: Vec<_> = text
        .split_inclusive('\n')
        .enumerate()
        .filter(|(i, _)| *i != 3)
        .map(|(_, line)| line)
        .collect();
    fs::write(folder.join("t.csv.part"), lines.concat()).unwrap();
    let told = fail(folder, &predict(&["--resume"]), 2);
    assert!(
        told.contains("its row 3 is not of the picture that it should be of"),
        "{told}"
    );
    for length in [0, 1, 60, 1500, whole.len() - 1, whole.len()] {
        unfinished(length);
        succeed(folder, &predict(&["--resume"]));
        assert!(bytes(folder, "t.csv") == whole, "{length}");
        fs::remove_file(folder.join("t.csv")).unwrap();
    }
    // And begun again.
    unfinished(1500);
    succeed(folder, &predict(&["--force"]));
    assert!(bytes(folder, "t.csv") == whole);
    assert_eq!(named(folder, "t.csv"), ["t.csv"]);
    // What cannot be gone on with.
    let told = fail(folder, &["predict", "run", "pictures", "--csv", "-", "--resume"], 2);
    assert!(told.contains("want a file"), "{told}");
    let told = fail(folder, &["predict", "run", "-", "--csv", "t.csv", "--resume"], 2);
    assert!(told.contains("standard input cannot be read again"), "{told}");
    fail(
        folder,
        &["predict", "run", "pictures", "--csv", "t.csv", "--shard", "3/2"],
        2,
    );
}

#[test]
fn features_put_together_are_the_whole_and_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    common::data(folder, 20, 6);
    fs::write(folder.join("data/train/level/3.png"), b"\x89PNG broken").unwrap();
    fn features<'a>(more: &[&'a str]) -> Vec<&'a str> {
        let fixed = "features data --backbone resnet18 --weights random --image-size 32";
        fixed.split(' ').chain(more.iter().copied()).collect()
    }
    let files = ["train.npy", "train.csv", "validation.npy", "validation.csv"];
    let same = |one: &str, other: &str| {
        for file in files {
            assert!(
                bytes(folder, &format!("{one}/{file}")) == bytes(folder, &format!("{other}/{file}")),
                "{file}"
            );
        }
    };
    succeed(folder, &features(&["--out", "whole"]));
    for number in 1..=3 {
        succeed(
            folder,
            &features(&["--shard", &format!("{number}/3"), "--out", &format!("p{number}")]),
        );
    }
    let merged = succeed(folder, &["merge", "p2", "p3", "p1", "--out", "merged"]);
    assert_eq!(
        merged,
        "merged/train.csv: 40 files of 3 parts\nmerged/validation.csv: 12 files of 3 parts\n"
    );
    same("merged", "whole");
    // Of another data set, what was there would be taken for a part of this one.
    let fixed = "features data/train --backbone resnet18 --weights random --image-size 32 --out other";
    for more in [&["--shard", "1/1"][..], &[]] {
        succeed(folder, &[&fixed.split(' ').collect::<Vec<_>>()[..], more].concat());
        assert!(folder.join("other/features.npy").exists());
        succeed(folder, &["merge", "p1", "p2", "p3", "--out", "other"]);
        assert!(!folder.join("other/features.npy").exists() && !folder.join("other/features.csv").exists());
    }
    same("other", "whole");
    let told = fail(folder, &["merge", "p2", "p1", "--out", "holes"], 2);
    assert!(told.contains("missing: 3/3"), "{told}");
    let told = fail(folder, &["merge", "p2", "p1/train.csv", "--out", "holes"], 2);
    assert!(told.contains("some are not"), "{told}");
    // Killed whenever it has come a little further.
    let part = folder.join("killed/train.csv.part");
    let mut killed = 0;
    for round in 1.. {
        let mut command = pelage(folder);
        command.args(features(&["--resume", "--out", "killed", "--threads", "1"]));
        let before = length(&part);
        match ended(command, &|| round < 6 && length(&part) > before) {
            Some(status) => {
                assert!(status.success());
                break;
            }
            None => {
                killed += 1;
                // What was written last may be torn, in either file.
                let file = ["train.csv.part", "train.npy.part"][round % 2];
                let path = folder.join("killed").join(file);
                let now = length(&path);
                if now > 200 {
                    fs::File::options()
                        .write(true)
                        .open(&path)
                        .unwrap()
                        .set_len(now - 11)
                        .unwrap();
                }
            }
        }
    }
    assert!(killed > 0);
    same("killed", "whole");
    let again = succeed(folder, &features(&["--resume", "--out", "killed"]));
    assert!(again.contains("train.npy, killed/train.csv: 39 pictures"), "{again}");
    assert!(
        again.contains("1 file skipped:") && again.contains("by an earlier call"),
        "{again}"
    );
    // Begun again where it was interrupted.
    fs::rename(folder.join("killed/train.csv"), folder.join("killed/train.csv.part")).unwrap();
    let told = fail(folder, &features(&["--shard", "1/1", "--out", "killed"]), 2);
    assert!(told.contains("`--force` begins again"), "{told}");
    succeed(folder, &features(&["--force", "--out", "killed"]));
    same("killed", "whole");
    // An array of another part.
    fs::copy(folder.join("p1/train.npy"), folder.join("p2/train.npy")).unwrap();
    let told = fail(folder, &["merge", "p1", "p2", "p3", "--out", "wrong"], 2);
    assert!(told.contains("changed since it was made"), "{told}");
    assert!(!folder.join("wrong/train.csv").exists());
    // More than a tenth cannot be read.
    for number in 4..9 {
        fs::write(folder.join(format!("data/train/level/{number}.png")), b"\x89PNG broken").unwrap();
    }
    let told = fail(folder, &features(&["--resume", "--out", "unreadable"]), 1);
    assert!(told.contains("pelage inspect"), "{told}");
    assert!(!folder.join("unreadable/train.npy").exists());
}

#[test]
fn a_look_in_shards_finds_what_is_there_twice_in_different_ones() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    common::data(folder, 12, 8);
    let at = |name: &str| folder.join("data").join(name);
    // Twice in one class, twice across the parts, and broken.
    fs::copy(at("train/level/0.png"), at("train/level/11.png")).unwrap();
    fs::copy(at("train/upright/3.png"), at("validation/upright/7.png")).unwrap();
    fs::write(at("train/upright/broken.png"), b"\x89PNG, no").unwrap();
    let document = |source: &str| {
        let text = succeed(folder, &["inspect", source, "--json"]);
        let mut document: serde_json::Value = serde_json::from_str(&text).unwrap();
        document.as_object_mut().unwrap().remove("left_out");
        document
    };
    let whole = document("data");
    assert_eq!(whole["exact_duplicates"].as_array().unwrap().len(), 2);
    assert_eq!(whole["leaks"].as_array().unwrap().len(), 1);
    for number in 1..=3 {
        let (shard, table) = (format!("{number}/3"), format!("part-{number}.csv"));
        let told = succeed(folder, &["inspect", "data", "--table", &table, "--shard", &shard]);
        assert!(told.contains("13 pictures") || told.contains("14 pictures"), "{told}");
    }
    succeed(
        folder,
        &["merge", "part-1.csv", "part-3.csv", "part-2.csv", "--out", "merged.csv"],
    );
    assert_eq!(document("merged.csv"), whole);
    succeed(folder, &["inspect", "data", "--table", "whole.csv", "--resume"]);
    assert!(bytes(folder, "whole.csv") == bytes(folder, "merged.csv"));
    // As a kill leaves it.
    let table = bytes(folder, "whole.csv");
    fs::rename(folder.join("whole.csv.shard.json"), folder.join("whole.csv.part.json")).unwrap();
    fs::remove_file(folder.join("whole.csv")).unwrap();
    fs::write(folder.join("whole.csv.part"), &table[..table.len() / 2]).unwrap();
    let told = fail(folder, &["inspect", "data", "--table", "whole.csv"], 2);
    assert!(told.contains("`--resume` goes on with it"), "{told}");
    succeed(folder, &["inspect", "data", "--table", "whole.csv", "--resume"]);
    assert!(bytes(folder, "whole.csv") == table);
    // A table that somebody has changed.
    fs::write(folder.join("other.csv"), [&table[..table.len() - 5], b"x\n"].concat()).unwrap();
    let told = fail(folder, &["inspect", "other.csv"], 1);
    assert!(told.contains("tells nothing of a picture"), "{told}");
    fail(folder, &["inspect", "data", "--table", "t.csv", "--json"], 2);
}
