//! Where organized files came from.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::place::Place;

/// The cells of each row, by the names of their columns.
fn rows(place: &Place, table: &str) -> Vec<BTreeMap<String, String>> {
    let text = place.text(table);
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let head = reader.headers().unwrap().clone();
    assert_eq!(
        head,
        csv::StringRecord::from(vec!["path", "origin", "part", "class", "group"])
    );
    let row = |row: csv::StringRecord| {
        head.iter()
            .map(String::from)
            .zip(row.iter().map(String::from))
            .collect()
    };
    reader.records().map(|record| row(record.unwrap())).collect()
}

#[test]
fn each_organized_file_tells_where_it_came_from() {
    // Of one name in two folders, and with a name that a spreadsheet would compute.
    let place = Place::new("traps/{north,south}/{fox,hare}/{1..5}.png\ntraps/north/fox/=1.png");
    place
        .run("organize traps --out data --label-level 2")
        .succeeds()
        .prints("data/origins.csv: where each file came from");
    let told = rows(&place, "data/origins.csv");
    assert_eq!(told.len(), 21);
    let (mut paths, mut origins) = (BTreeSet::new(), BTreeSet::new());
    for row in &told {
        let origin = PathBuf::from(&row["origin"]);
        assert!(origin.is_absolute(), "{row:?}");
        let bytes = std::fs::read(&origin).unwrap();
        assert_eq!(
            bytes,
            std::fs::read(place.path("data").join(&row["path"])).unwrap(),
            "{row:?}"
        );
        assert!(
            row["path"].contains(&format!("{}/{}/", row["part"], row["class"])),
            "{row:?}"
        );
        assert_eq!(
            origin.parent().and_then(Path::file_name).unwrap().to_str().unwrap(),
            row["class"]
        );
        assert_eq!(row["group"], "");
        paths.insert(row["path"].clone());
        origins.insert(origin);
    }
    assert_eq!((paths.len(), origins.len()), (21, 21));
    let document = place.run("organize traps --out data --label-level 2 --json").succeeds();
    document.prints("\"origins\": \"data/origins.csv\"");
    // A group's files are in one part.
    place
        .run("organize traps --out data --force --label-level 2 --group-by regex:(\\d)[.]png")
        .succeeds();
    let mut parts: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for row in rows(&place, "data/origins.csv") {
        parts
            .entry(row["group"].clone())
            .or_default()
            .insert(row["part"].clone());
    }
    assert!(
        parts.len() == 5 && parts.values().all(|parts| parts.len() == 1),
        "{parts:?}"
    );
}

#[test]
fn the_table_of_origins_is_no_table_of_labels() {
    let place = Place::new("pets/{cat,dog}/{1..6}.png");
    place.run("organize pets --out data").succeeds();
    for verb in [
        "inspect data",
        "inspect data -v",
        "train data --out run --epochs 1 --image-size 32",
    ] {
        place.run(verb).succeeds().says_nothing_of("origins.csv");
    }
    place.run("predict run data").succeeds().says_nothing_of("origins.csv");
    place
        .run("organize pets --labels data/origins.csv --out other")
        .exits(2)
        .says("data/origins.csv, line 1: it is the table of where organized files came from");
    // A tree that is organized again, and one of the user's of that name, which stays.
    place
        .run("organize data --out again")
        .succeeds()
        .says_nothing_of("left out");
    place.add("again/origins.csv = mine");
    place
        .run("organize data --out again --force")
        .exits(2)
        .says("origins.csv");
    assert_eq!(place.text("again/origins.csv"), "mine");
    place.add("pets/origins.csv = mine");
    place
        .run("inspect pets")
        .succeeds()
        .prints("not a picture: pets/origins.csv");
}

#[test]
fn members_of_an_archive_are_told_by_it() {
    let place = Place::new("pets.zip: cat/{1..6}.png dog/{1..6}.png");
    place.run("organize pets.zip --out data").succeeds();
    let told = rows(&place, "data/origins.csv");
    let origins: BTreeSet<_> = told.iter().map(|row| row["origin"].clone()).collect();
    assert!(
        origins.len() == 12 && origins.contains("pets.zip!cat/1.png"),
        "{origins:?}"
    );
}
