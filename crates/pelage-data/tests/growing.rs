//! Tables that grow, cut anywhere.

use std::path::Path;

use pelage_data::growing::{Earlier, Found, Growing, Opened, Origin, merge, part};
use pelage_data::output::{Format, Output};
use pelage_data::shard::Shard;
use proptest::prelude::*;

fn origin() -> Origin {
    Origin {
        made_by: "a test".into(),
        settings: [("model".to_string(), "1".to_string())].into(),
        files: 3,
        names: String::new(),
        shard: Shard::WHOLE,
    }
}

fn csv(rows: &[[String; 3]]) -> Vec<u8> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    rows.iter().for_each(|row| writer.write_record(row).unwrap());
    writer.into_inner().unwrap()
}

/// Goes on with the table at `path` until it is whole.
fn write(path: &Path, heading: &[u8], rows: &[[String; 3]]) -> usize {
    let mut check = |row: usize, cells: &csv::StringRecord| match rows.get(row) {
        Some(row) if *cells == row[..] => Found::Expected,
        _ => Found::Unexpected,
    };
    let opened = Growing::open(path, heading, origin(), Earlier::Continued, false, &mut check).unwrap();
    let Opened::From(done, mut growing) = opened else {
        panic!()
    };
    for row in &rows[done..] {
        growing.add(&csv(std::slice::from_ref(row))).unwrap();
    }
    growing.finish().unwrap();
    done
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_was_cut_anywhere_ends_the_same(
        rows in prop::collection::vec(["[a-c,\"\\né ]{1,9}", "[a-c,\"\\n\\r]{0,5}", "[0-9.\\n\"]{0,6}"], 1..9),
        at in 0.0f64..1.0,
    ) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t.csv");
        let heading = csv(&[["path".into(), "the \"class\"".into(), "probability".into()]]);
        prop_assert_eq!(write(&path, &heading, &rows), 0);
        let whole = std::fs::read(&path).unwrap();
        prop_assert_eq!(&whole, &[&heading[..], &csv(&rows)].concat());
        std::fs::remove_file(&path).unwrap();
        // Begun, and cut.
        let opened = Growing::open(&path, &heading, origin(), Earlier::Refused, false, &mut |_, _| Found::Expected).unwrap();
        drop(opened);
        let length = (whole.len() as f64 * at) as usize;
        std::fs::write(part(&path), &whole[..length]).unwrap();
        let done = write(&path, &heading, &rows);
        prop_assert!(done < rows.len());
        prop_assert!(length < heading.len() || [&heading[..], &csv(&rows[..done])].concat().len() <= length);
        prop_assert_eq!(std::fs::read(&path).unwrap(), whole);
    }
}

#[test]
fn two_processes_do_not_write_one_table() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.csv");
    let open = || {
        Growing::open(&path, b"a,b\n", origin(), Earlier::Continued, false, &mut |_, _| {
            Found::Expected
        })
    };
    let first = open().unwrap();
    let told = open().unwrap_err().to_string();
    assert!(
        told.contains("t.csv.part is being written by another process"),
        "{told}"
    );
    drop(first);
    open().unwrap();
}

#[test]
fn a_table_that_others_go_on_with_while_it_is_finished_stays_whole() {
    let folder = tempfile::tempdir().unwrap();
    for round in 0..50 {
        let path = folder.path().join(format!("{round}.csv"));
        let go_on = || {
            let opened = Growing::open(&path, b"a,b\n", origin(), Earlier::Continued, true, &mut |_, _| {
                Found::Expected
            });
            match opened {
                Ok(Opened::From(rows, mut growing)) => {
                    (rows..100).for_each(|_| growing.add(b"1,2\n").unwrap());
                    growing.finish().unwrap();
                }
                Ok(Opened::Whole) => {}
                Err(busy) => assert!(matches!(busy, pelage_data::Error::Busy { .. }), "{busy}"),
            }
        };
        std::thread::scope(|scope| (0..4).for_each(|_| _ = scope.spawn(go_on)));
        go_on();
        let whole = std::fs::read(&path).unwrap();
        assert!(whole == [&b"a,b\n"[..], &b"1,2\n".repeat(100)].concat());
    }
}

#[test]
fn a_whole_table_that_somebody_has_changed_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.csv");
    let open = || {
        Growing::open(&path, b"a,b\n", origin(), Earlier::Continued, true, &mut |_, _| {
            Found::Expected
        })
    };
    let Opened::From(0, growing) = open().unwrap() else {
        panic!()
    };
    growing.finish().unwrap();
    assert!(matches!(open().unwrap(), Opened::Whole));
    std::fs::write(&path, b"a,b\n1,2\n").unwrap();
    let told = open().unwrap_err().to_string();
    assert!(told.contains("somebody has changed it"), "{told}");
}

#[test]
fn of_very_many_parts_the_first_missing_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.csv");
    let origin = Origin {
        shard: "1/99999999999999".parse().unwrap(),
        ..origin()
    };
    let opened = Growing::open(&path, b"a,b\n", origin, Earlier::Refused, true, &mut |_, _| {
        Found::Expected
    });
    let Opened::From(0, growing) = opened.unwrap() else {
        panic!()
    };
    growing.finish().unwrap();
    let out = Output::new(&folder.path().join("out.csv"), Format::Table("a,b"), false).unwrap();
    let told = merge(&[path], &out).unwrap_err().to_string();
    assert!(told.ends_with("11/99999999999999 and 99999999999988 more"), "{told}");
}
