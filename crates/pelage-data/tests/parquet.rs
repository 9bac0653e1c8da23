//! Parquet files as sources, written by `datasets` and pyarrow (`fixtures/parquet/make.py`).

mod support;

use std::path::{Path, PathBuf};

use pelage_data::source::find;

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/parquet")
}

/// Without the feature, what to do is said, of a file and of a folder of them.
#[test]
#[cfg(not(feature = "parquet"))]
fn a_build_without_it_says_what_to_build() {
    for path in ["snappy-1.0.parquet", "pets"] {
        let failure = find(&fixtures().join(path)).unwrap_err().to_string();
        assert!(failure.contains("build it with the feature `parquet`"), "{failure}");
    }
    // Beside pictures it is a table that nobody asked for.
    let folder = tempfile::tempdir().unwrap();
    support::write(folder.path().join("cat/1.png"), &support::png(1));
    std::fs::copy(fixtures().join("text.parquet"), folder.path().join("about.parquet")).unwrap();
    assert_eq!(find(folder.path()).unwrap().entries.len(), 2);
}

#[cfg(feature = "parquet")]
mod built {
    use std::collections::BTreeMap;

    use pelage_data::catalog::Opening;
    use pelage_data::organize::Link;
    use pelage_data::source::{Entry, list};
    use rayon::prelude::*;

    use super::*;
    use support::organizing::{counts, options, refused, run};

    /// CRC-32 of every picture of each file, by Python.
    fn expected() -> BTreeMap<String, Vec<u32>> {
        serde_json::from_slice(&std::fs::read(fixtures().join("expected.json")).unwrap()).unwrap()
    }

    fn sum(entry: &Entry) -> u32 {
        entry.location.read_with(|bytes| crc32fast::hash(&bytes)).unwrap_or(0)
    }

    fn names(entries: &[Entry]) -> Vec<&str> {
        entries.iter().map(|entry| entry.name.as_str()).collect()
    }

    fn labels(entries: &[Entry]) -> Vec<&str> {
        entries
            .iter()
            .map(|entry| entry.label.as_deref().unwrap_or("-"))
            .collect()
    }

    #[test]
    fn pictures_are_those_that_python_finds_in_any_order_on_all_threads() {
        for (name, expected) in expected() {
            let Ok(mut found) = find(&fixtures().join(&name)) else {
                assert!(
                    ["text.parquet", "beyond.parquet", "brotli-1.0.parquet"].contains(&&*name),
                    "{name}"
                );
                continue;
            };
            // By name `9.png` is before `10.png`, as in the file.
            assert_eq!(found.entries.iter().map(sum).collect::<Vec<_>>(), expected, "{name}");
            let at_once: Vec<u32> = found.entries.par_iter().map(sum).collect();
            assert_eq!(at_once, expected, "{name}, on all threads");
            found.entries.reverse();
            let backwards: Vec<u32> = found.entries.iter().map(sum).rev().collect();
            assert_eq!(backwards, expected, "{name}, backwards");
        }
    }

    #[test]
    fn a_published_data_set_has_its_parts_classes_and_names() {
        let pets = fixtures().join("pets");
        let found = find(&pets).unwrap();
        assert_eq!(found.entries.len(), 22);
        assert_eq!(found.entries[0].name, "data/train/0.png");
        assert_eq!(labels(&found.entries[..3]), ["cat", "dog", "cat"]);
        let shown = found.entries[9].location.to_string();
        assert!(shown.ends_with("train-00001-of-00002.parquet!row 1"), "{shown}");

        let split = Opening::default().open(&pets, &|_| {}).unwrap();
        assert_eq!((split.train.items.len(), split.validation.items.len()), (16, 6));
        assert_eq!(split.train.classes, ["cat", "dog"]);

        // The shards by a pattern, and one of them alone.
        let pattern = pets.join("data/train-{00000..00001}-of-00002.parquet");
        assert_eq!(list(&pattern).unwrap().len(), 16);
        let one = list(&pets.join("data/train-00001-of-00002.parquet")).unwrap();
        assert_eq!(names(&one)[..2], ["8.png", "9.png"]);
    }

    #[test]
    fn without_classes_and_names_rows_have_numbers() {
        let test = find(&fixtures().join("unlabeled")).unwrap();
        assert_eq!(
            names(&test.entries)[..2],
            ["data/test/00000-000000", "data/test/00000-000001"]
        );
        assert_eq!(labels(&test.entries), ["-"; 4]);
        assert!(test.entries.iter().all(Entry::claims_to_be_image));
        let twice = list(&fixtures().join("twice-00003-of-00004.parquet")).unwrap();
        assert_eq!(names(&twice), ["00003-000000", "00003-000001", "00003-000002"]);
        assert_eq!(labels(&list(&fixtures().join("no-classes.parquet")).unwrap()), ["-"; 2]);
        // Classes that are text, one of them missing.
        let told = list(&fixtures().join("zstd-2.0.parquet")).unwrap();
        assert_eq!(labels(&told)[..5], ["a", "b", "-", "c", "a"]);
    }

    #[test]
    fn rows_without_a_picture_are_told_one_by_one() {
        let entries = list(&fixtures().join("missing.parquet")).unwrap();
        let read: Vec<_> = entries.iter().map(|entry| entry.location.read()).collect();
        assert!(read[0].is_ok());
        for (row, reason) in [(1, "without a picture"), (2, "no more than its name"), (3, "0 bytes")] {
            let failure = read[row].as_ref().unwrap_err().to_string();
            assert!(
                failure.contains(reason) && failure.contains(&format!("row {row}")),
                "{failure}"
            );
        }
    }

    #[test]
    fn what_is_no_data_set_is_refused_with_what_it_is() {
        for (name, reason) in [
            ("text.parquet", "its columns are text, stars; pelage reads"),
            ("beyond.parquet", "of class 2, and 2 are named"),
            ("brotli-1.0.parquet", "packed by Brotli or LZO"),
        ] {
            let failure = find(&fixtures().join(name)).unwrap_err().to_string();
            assert!(failure.contains(reason) && failure.contains(name), "{failure}");
        }
    }

    #[test]
    fn a_damaged_file_is_an_error_and_never_a_panic() {
        let whole = std::fs::read(fixtures().join("snappy-1.0.parquet")).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.parquet");
        for length in [0, 3, 4, 11, 12, whole.len() / 2, whole.len() - 5, whole.len() - 1] {
            std::fs::write(&path, &whole[..length]).unwrap();
            let failure = find(&path).unwrap_err().to_string();
            assert!(failure.contains("is the download complete?"), "{length}: {failure}");
        }
        // Each byte of the description, and many of the data, is another one.
        for at in (0..whole.len()).step_by(23) {
            for flip in [0x01, 0x80, 0xff] {
                let mut damaged = whole.clone();
                damaged[at] ^= flip;
                std::fs::write(&path, &damaged).unwrap();
                let Ok(found) = find(&path) else { continue };
                // Fewer than the memory that a number in it could ask for.
                found.entries.iter().take(40).for_each(|entry| _ = sum(entry));
            }
        }
    }

    #[test]
    fn pictures_are_copied_out_of_it_and_not_linked() {
        let out = tempfile::tempdir().unwrap();
        let mut options = options(
            &fixtures().join("pets/data/train-00000-of-00002.parquet"),
            &out.path().join("data"),
        );
        options.link = Link::Hard;
        let failure = refused(&options);
        assert!(failure.contains("cannot be linked"), "{failure}");
        options.link = Link::Copy;
        assert_eq!(run(&options).unwrap().unreadable.len(), 0);
        assert_eq!(counts(&options.out).values().sum::<usize>(), 8);
    }
}
