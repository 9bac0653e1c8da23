//! Organizing end to end: layouts, splits, duplicates, kills, refusals; the source is never changed.

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::Stdio;

use common::{fail, pelage, stripes, succeed};

/// Every file below a folder with its bytes, without hidden ones and the table of origins.
fn tree(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(&next).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(folder).unwrap().to_str().unwrap().to_string();
            if path.is_dir() {
                folders.push(path);
            } else if !name.rsplit('/').next().unwrap().starts_with('.') && name != "origins.csv" {
                found.insert(name, fs::read(path).unwrap());
            }
        }
    }
    found
}

/// Kaggle's flat names, `count` per class; every tenth dog is a byte-identical copy of the one before it.
fn kaggle(folder: &Path, count: u64) {
    fs::create_dir_all(folder).unwrap();
    for i in 0..count {
        stripes(0, i, 16).save(folder.join(format!("cat.{i}.png"))).unwrap();
        let copied = if i % 10 == 9 { i - 1 } else { i };
        stripes(1, copied, 16)
            .save(folder.join(format!("dog.{i}.png")))
            .unwrap();
    }
}

fn zip(path: &Path, members: &BTreeMap<String, Vec<u8>>) {
    let mut writer = zip::ZipWriter::new(fs::File::create(path).unwrap());
    for (name, bytes) in members {
        writer
            .start_file(name, zip::write::SimpleFileOptions::default())
            .unwrap();
        writer.write_all(bytes).unwrap();
    }
    writer.finish().unwrap();
}

#[test]
fn the_split_is_stratified_seeded_and_keeps_duplicates_together() {
    let folder = tempfile::tempdir().unwrap();
    let source = folder.path().join("source");
    kaggle(&source, 50);
    let before = tree(&source);
    for (out, seed) in [("a", "3"), ("b", "3"), ("c", "4")] {
        succeed(
            folder.path(),
            &["organize", "source", "--out", out, "--ratio", "0.3", "--seed", seed],
        );
    }
    assert_eq!(tree(&source), before, "the source has changed");
    let [a, b, c] = ["a", "b", "c"].map(|out| tree(&folder.path().join(out)));
    assert!(a == b && a != c);
    let count = |prefix: &str| a.keys().filter(|name| name.starts_with(prefix)).count();
    let counts = ["train/cat/", "train/dog/", "validation/cat/", "validation/dog/"].map(count);
    assert_eq!(counts, [35, 35, 15, 15]);
    // Every image is there once, with its original bytes.
    let sorted = |bytes: Vec<&Vec<u8>>| bytes.into_iter().cloned().collect::<BTreeSet<_>>();
    assert_eq!(a.len(), before.len());
    assert_eq!(sorted(a.values().collect()), sorted(before.values().collect()));
    let side = |set: &str| {
        a.iter()
            .filter(|(name, _)| name.starts_with(set))
            .map(|(_, bytes)| bytes.clone())
            .collect()
    };
    let [train, validation]: [BTreeSet<Vec<u8>>; 2] = ["train/", "validation/"].map(side);
    assert!(train.is_disjoint(&validation), "a duplicate is on both sides");
    let said = succeed(folder.path(), &["inspect", "a", "--json"]);
    let report: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert_eq!(report["exact_duplicates"].as_array().unwrap().len(), 5, "{said}");
}

#[test]
fn every_layout_gives_the_same_classes() {
    let folder = tempfile::tempdir().unwrap();
    let flat = folder.path().join("flat");
    kaggle(&flat, 10);
    let files = tree(&flat);
    zip(
        &folder.path().join("train.zip"),
        &files
            .iter()
            .map(|(name, bytes)| (format!("train/{name}"), bytes.clone()))
            .collect(),
    );
    let inner = fs::read(folder.path().join("train.zip")).unwrap();
    let more = BTreeMap::from([
        ("train.zip".to_string(), inner),
        ("sample.csv".to_string(), b"id,label\n".to_vec()),
    ]);
    zip(&folder.path().join("dogs-vs-cats.zip"), &more);
    for (name, bytes) in &files {
        let class = if name.starts_with("cat") { "cat" } else { "dog" };
        let place = folder.path().join("PetImages").join(class);
        fs::create_dir_all(&place).unwrap();
        fs::write(place.join(name.split('.').nth(1).unwrap().to_string() + ".png"), bytes).unwrap();
    }
    fs::write(folder.path().join("PetImages/cat/Thumbs.db"), b"junk").unwrap();
    fs::create_dir(folder.path().join("plain")).unwrap();
    let mut csv = String::from("path,label\n");
    for (i, (name, bytes)) in files.iter().enumerate() {
        fs::write(folder.path().join(format!("plain/{i}.png")), bytes).unwrap();
        csv += &format!("{i}.png,{}\n", &name[..3]);
    }
    fs::write(folder.path().join("labels.csv"), csv).unwrap();
    for (source, more) in [
        ("flat", vec![]),
        ("train.zip", vec![]),
        ("dogs-vs-cats.zip", vec![]),
        ("PetImages", vec![]),
        ("plain", vec!["--labels", "labels.csv"]),
    ] {
        let out = format!("out-{source}");
        let said = succeed(
            folder.path(),
            &[&["organize", source, "--out", &out, "--json"][..], &more].concat(),
        );
        let report: serde_json::Value = serde_json::from_str(&said).unwrap();
        let classes: Vec<_> = report["classes"]
            .as_array()
            .unwrap()
            .iter()
            .map(|class| {
                (
                    class["name"].as_str().unwrap(),
                    class["train"].as_u64().unwrap(),
                    class["validation"].as_u64().unwrap(),
                )
            })
            .collect();
        assert_eq!(classes, [("cat", 8, 2), ("dog", 8, 2)], "{source}");
    }
}

#[test]
fn killed_at_any_moment_and_called_again_it_ends_the_same() {
    let folder = tempfile::tempdir().unwrap();
    kaggle(&folder.path().join("source"), 700);
    succeed(folder.path(), &["organize", "source", "--out", "whole"]);
    let whole = tree(&folder.path().join("whole"));
    let killed = folder.path().join("killed");
    let written =
        || ["cat", "dog"].map(|class| fs::read_dir(killed.join("train").join(class)).map_or(0, Iterator::count));
    let mut kills = 0;
    for round in 0..8 {
        let mut child = pelage(folder.path())
            .args(["organize", "source", "--out", "killed"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        // Killed by what it has written, not by the clock, or a fast machine would finish unharmed.
        while written().iter().sum::<usize>() < round * 120 && child.try_wait().unwrap().is_none() {}
        kills += usize::from(child.try_wait().unwrap().is_none());
        child.kill().unwrap();
        child.wait().unwrap();
    }
    assert!(kills >= 2, "{kills} kills");
    succeed(folder.path(), &["organize", "source", "--out", "killed"]);
    assert!(tree(&killed) == whole);
    // Nothing half-written stays, not even hidden.
    let mut left = Vec::new();
    for class in ["train/cat", "train/dog", "validation/cat", "validation/dog"] {
        let names = fs::read_dir(killed.join(class)).unwrap();
        left.extend(
            names
                .map(|entry| entry.unwrap().file_name())
                .filter(|name| name.to_string_lossy().starts_with('.')),
        );
    }
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn what_it_refuses_it_names() {
    let folder = tempfile::tempdir().unwrap();
    kaggle(&folder.path().join("source"), 10);
    fs::create_dir(folder.path().join("full")).unwrap();
    fs::write(folder.path().join("full/thesis.txt"), b"mine").unwrap();
    assert!(fail(folder.path(), &["organize", "source", "--out", "full"], 2).contains("not empty"));
    assert!(fail(folder.path(), &["organize", "source", "--out", "full", "--force"], 2).contains("not"));
    assert_eq!(fs::read(folder.path().join("full/thesis.txt")).unwrap(), b"mine");
    assert!(fail(folder.path(), &["organize", "source", "--out", "source/data"], 2).contains("lie within each other"));
    assert!(fail(folder.path(), &["organize", "nowhere", "--out", "data"], 1).contains("nowhere"));
    assert!(
        fail(
            folder.path(),
            &["organize", "source", "--out", "data", "--ratio", "1.5"],
            2
        )
        .contains("--ratio")
    );
    assert!(
        fail(
            folder.path(),
            &["organize", "source", "--out", "data", "--rename", "bird=birds"],
            2
        )
        .contains("bird")
    );
    fs::write(folder.path().join("broken.zip"), b"PK not a zip").unwrap();
    assert!(fail(folder.path(), &["organize", "broken.zip", "--out", "data"], 1).contains("broken.zip"));

    succeed(folder.path(), &["organize", "source", "--out", "data"]);
    let said = fail(
        folder.path(),
        &["organize", "source", "--out", "data", "--seed", "9"],
        2,
    );
    assert!(said.contains("--force"), "{said}");
    // With a foreign file among its own, it removes nothing at all.
    let (notes, made) = (folder.path().join("data/notes.txt"), tree(&folder.path().join("data")));
    let force = ["organize", "source", "--out", "data", "--seed", "9", "--force"];
    fs::write(&notes, b"mine too").unwrap();
    assert!(fail(folder.path(), &force, 2).contains("notes.txt"));
    assert_eq!(fs::read(&notes).unwrap(), b"mine too");
    fs::remove_file(&notes).unwrap();
    assert!(tree(&folder.path().join("data")) == made);
    succeed(folder.path(), &force);
    assert!(tree(&folder.path().join("data")) != made);
}

#[test]
fn hostile_names_stay_inside() {
    let folder = tempfile::tempdir().unwrap();
    let png = |class, seed| {
        let mut bytes = std::io::Cursor::new(Vec::new());
        stripes(class, seed, 16)
            .write_to(&mut bytes, image::ImageFormat::Png)
            .unwrap();
        bytes.into_inner()
    };
    let mut members = BTreeMap::new();
    for i in 0..6 {
        members.insert(format!("../../cat/../cat/{i}.png"), png(0, i));
        members.insert(format!("/dog/{i}.png"), png(1, i));
    }
    zip(&folder.path().join("evil.zip"), &members);
    let outside = || {
        fs::read_dir(folder.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect::<BTreeSet<_>>()
    };
    let before = outside();
    let output = common::run(folder.path(), &["organize", "evil.zip", "--out", "data"]);
    let after: BTreeSet<_> = outside()
        .into_iter()
        .filter(|name| name != "data" && name != "cache")
        .collect();
    assert_eq!(before, after);
    assert!(!String::from_utf8_lossy(&output.stderr).contains("panicked"));
}
