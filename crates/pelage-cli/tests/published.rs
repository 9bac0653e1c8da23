//! A data set as Hugging Face publishes it, from the command line.

mod common;

use std::path::{Path, PathBuf};

#[cfg(feature = "parquet")]
use common::succeed;

fn pets() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../pelage-data/tests/fixtures/parquet/pets")
}

#[test]
#[cfg(not(feature = "parquet"))]
fn a_build_without_it_says_what_to_build() {
    let folder = tempfile::tempdir().unwrap();
    let told = common::fail(folder.path(), &["train", pets().to_str().unwrap()], 1);
    assert!(told.contains("with the feature `parquet`"), "{told}");
}

#[test]
#[cfg(feature = "parquet")]
fn it_is_trained_on_and_predicted_as_the_same_pictures_in_a_folder() {
    let folder = tempfile::tempdir().unwrap();
    let (place, pets) = (folder.path(), pets());
    let pets = pets.to_str().unwrap();
    let settings = [
        "--epochs",
        "2",
        "--image-size",
        "16",
        "--batch-size",
        "4",
        "--threads",
        "1",
    ];
    let trained = succeed(place, &[&["train", pets, "--out", "run"], &settings[..]].concat());
    assert!(
        trained.contains("2 classes (cat, dog), 16 training and 6 validation pictures"),
        "{trained}"
    );

    // Organizing copies the pictures out of it.
    let validation = format!("{pets}/data/validation-00000-of-00001.parquet");
    succeed(place, &["organize", &validation, "--out", "copied", "--ratio", "0.5"]);
    // In the order of their names: `100.png` is row 0.
    let rows = |source: &str, table: &str| -> Vec<String> {
        succeed(place, &["predict", "run", source, "--csv", table]);
        let mut table = csv::Reader::from_path(place.join(table)).unwrap();
        let class = table
            .headers()
            .unwrap()
            .iter()
            .position(|name| name == "class")
            .unwrap();
        let probability = class + 1;
        let row = |row: csv::StringRecord| {
            let name = row[0].rsplit('/').next().unwrap().to_string();
            (name, format!("{} {}", &row[class], &row[probability]))
        };
        let mut rows: Vec<_> = table.records().map(|record| row(record.unwrap())).collect();
        rows.sort();
        rows.into_iter().map(|(_, answer)| answer).collect()
    };
    let published = rows(&validation, "published.csv");
    assert_eq!(published.len(), 6);
    assert_eq!(published, rows("copied", "copied.csv"));
}
