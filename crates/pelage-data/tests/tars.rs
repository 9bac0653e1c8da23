//! Tar archives and shards of data sets as sources.

mod support;

use std::collections::BTreeMap;
use std::path::Path;

use pelage_data::catalog::{Catalog, Part, open_parts};
use pelage_data::source::{find, list, on_disk};
use proptest::prelude::*;
use support::{png, write, zip};
use tar::{Builder, EntryType, Header};

/// A tar of these members.
fn tar(members: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut builder = Builder::new(Vec::new());
    for (name, bytes) in members {
        append(&mut builder, name, EntryType::Regular, bytes);
    }
    builder.into_inner().unwrap()
}

fn append(builder: &mut Builder<Vec<u8>>, name: &str, kind: EntryType, bytes: &[u8]) {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_size(bytes.len() as u64);
    header.set_mode(0o644);
    // As it stands, whatever it leads to.
    match name.len() < 100 {
        true => {
            header.as_gnu_mut().unwrap().name[..name.len()].copy_from_slice(name.as_bytes());
            header.set_cksum();
            builder.append(&header, bytes).unwrap();
        }
        false => builder.append_data(&mut header, name, bytes).unwrap(),
    }
}

fn names(path: &Path) -> Vec<String> {
    list(path).unwrap().into_iter().map(|entry| entry.name).collect()
}

/// Names and bytes.
fn contents(path: &Path) -> Vec<(String, Vec<u8>)> {
    let entries = list(path).unwrap().into_iter();
    entries
        .map(|entry| (entry.name, entry.location.read().unwrap()))
        .collect()
}

#[test]
fn members_are_those_that_pythons_tarfile_finds() {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/tar");
    let told = std::fs::read(fixtures.join("members.json")).unwrap();
    let told: BTreeMap<String, Vec<(String, usize, usize)>> = serde_json::from_slice(&told).unwrap();
    for (format, members) in told {
        let path = fixtures.join(format!("{format}.tar"));
        let bytes = std::fs::read(&path).unwrap();
        let mut expected: Vec<_> = (members.into_iter())
            .map(|(name, start, size)| (name, bytes[start..start + size].to_vec()))
            .collect();
        // Links stand for what they lead to.
        expected.push(("dog/hard.png".into(), b"again".to_vec()));
        expected.push(("dog/symbolic.png".into(), vec![b'x'; 512]));
        if format != "ustar" {
            expected.push(("link to a long name".into(), b"long".to_vec()));
        }
        let mut found: Vec<_> = (list(&path).unwrap().into_iter())
            .map(|entry| (entry.name.clone(), entry.location.read_all()))
            .collect();
        expected.sort();
        found.sort();
        assert_eq!(found, expected, "{format}");
        let left_out = find(&path).unwrap().left_out;
        assert_eq!(left_out.len(), 1, "{left_out:?}");
        assert!(left_out[0].path.ends_with("!dog/pipe"));
    }
}

/// The bytes of an entry whose content is no picture.
trait ReadAll {
    fn read_all(&self) -> Vec<u8>;
}

impl ReadAll for pelage_data::source::Location {
    fn read_all(&self) -> Vec<u8> {
        self.read().unwrap_or_default()
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_member_is_found_where_it_lies(
        members in prop::collection::vec(("[a-z]{1,6}(/[a-zé]{1,80}){0,3}\\.jpg", prop::collection::vec(any::<u8>(), 0..1500)), 0..12),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.tar");
        let listed: Vec<_> = members.iter().map(|(name, bytes)| (&**name, bytes.clone())).collect();
        write(&path, &tar(&listed));
        let mut expected = members.clone();
        let mut found = contents(&path);
        expected.sort();
        found.sort();
        prop_assert_eq!(found, expected);
    }

    /// Whatever is wrong with an archive is told, without a panic and without end.
    #[test]
    fn damage_is_told(at in 0usize..6000, value in any::<u8>(), cut in 0usize..8000) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.tar");
        let long = "long/".repeat(40) + "1.jpg";
        let mut bytes = tar(&[("a/1.jpg", vec![1; 700]), (&long, vec![2; 30]), ("b/2.jpg", vec![3; 600])]);
        let end = bytes.len();
        if at < end {
            bytes[at] = value;
        }
        bytes.truncate(cut.min(end));
        write(&path, &bytes);
        match list(&path) {
            Ok(entries) => entries.iter().for_each(|entry| _ = entry.location.read()),
            Err(failure) => prop_assert!(failure.to_string().contains("a.tar")),
        }
    }
}

#[test]
fn hostile_archives() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.tar");
    // Names that lead elsewhere, and two of one.
    let odd = [
        "./cat/1.png",
        "../cat/2.png",
        "/cat/3.png",
        "cat//4.png",
        "cat/../cat/6.png",
        "cat/1.png",
    ];
    let members: Vec<_> = odd.iter().zip(0..).map(|(name, seed)| (*name, png(seed))).collect();
    write(&path, &tar(&members));
    let expected = [
        "cat/1.png",
        "cat/1.png",
        "cat/2.png",
        "cat/3.png",
        "cat/4.png",
        "cat/cat/6.png",
    ];
    assert_eq!(names(&path), expected);
    // Links out of the archive, to nowhere and to themselves.
    let mut builder = Builder::new(Vec::new());
    append(&mut builder, "cat/1.png", EntryType::Regular, &png(1));
    for (name, kind, target) in [
        ("out.png", EntryType::Symlink, "../../etc/passwd"),
        ("absolute.png", EntryType::Symlink, "/etc/passwd"),
        ("nowhere.png", EntryType::Link, "missing.png"),
        ("itself.png", EntryType::Symlink, "itself.png"),
        ("good.png", EntryType::Symlink, "./cat/1.png"),
        ("folder.png", EntryType::Link, "./cat/1.png"),
    ] {
        let mut header = Header::new_gnu();
        header.set_entry_type(kind);
        header.set_size(0);
        header.set_link_name_literal(target).unwrap();
        builder.append_data(&mut header, name, &[][..]).unwrap();
    }
    for (name, kind) in [
        ("device.png", EntryType::Char),
        ("pipe.png", EntryType::Fifo),
        ("sparse.png", EntryType::GNUSparse),
    ] {
        append(&mut builder, name, kind, b"");
    }
    let bytes = builder.into_inner().unwrap();
    write(&path, &bytes);
    let found = find(&path).unwrap();
    let entries: Vec<_> = found.entries.iter().map(|entry| &*entry.name).collect();
    assert_eq!(entries, ["cat/1.png", "folder.png", "good.png", "sparse.png"]);
    assert_eq!(found.entries[2].location.read().unwrap(), png(1));
    let told = found.entries[3].location.read().unwrap_err().to_string();
    assert!(
        told.contains("a.tar!sparse.png") && told.contains("pack it again"),
        "{told}"
    );
    assert_eq!(found.left_out.len(), 6);
    // A size beyond the file, one that no number is, and a name that would fill the memory.
    for (field, value, told) in [
        (124, &b"77777777777\0"[..], "in the middle of cat/1.png"),
        (124, b"\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF", "a.tar"),
        (156, b"L", "behind a name"),
        (156, b"x", "behind a name"),
    ] {
        let mut header = Header::new_gnu();
        header.set_path("cat/1.png").unwrap();
        header.set_size(100);
        header.as_mut_bytes()[field..field + value.len()].copy_from_slice(value);
        header.set_cksum();
        write(&path, &[&header.as_bytes()[..], &[0; 1024]].concat());
        let failure = list(&path).map(|entries| entries.len()).unwrap_err().to_string();
        assert!(
            failure.contains(told) && failure.contains("is the download complete?"),
            "{failure}"
        );
    }
    // A name longer than any file system takes.
    let mut builder = Builder::new(Vec::new());
    append(
        &mut builder,
        "long",
        EntryType::GNULongName,
        "a/".repeat(32_768).as_bytes(),
    );
    append(&mut builder, "short.png", EntryType::Regular, &png(1));
    write(&path, &builder.into_inner().unwrap());
    let told = list(&path).map(|entries| entries.len()).unwrap_err().to_string();
    assert!(told.contains("a name of 65536 bytes"), "{told}");
    // Headers of all members, and no member.
    let mut builder = Builder::new(Vec::new());
    append(&mut builder, "all", EntryType::XGlobalHeader, b"15 comment=all\n");
    write(&path, &builder.into_inner().unwrap());
    assert_eq!(names(&path), [""; 0]);
    // No tar at all.
    write(&path, b"<html>not found</html>");
    assert!(
        list(&path)
            .unwrap_err()
            .to_string()
            .contains("in the middle of a header")
    );
    write(&path, &[7; 2048]);
    assert!(list(&path).unwrap_err().to_string().contains("not a tar archive"));
    // Archives that were joined: what is behind the first one's end is told.
    write(&path, &[bytes.clone(), bytes].concat());
    assert_eq!(find(&path).unwrap().left_out.len(), 7);
}

#[test]
fn records_of_pax_headers_are_read_by_their_length() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.tar");
    let with = |records: &str| {
        let mut builder = Builder::new(Vec::new());
        append(&mut builder, "extended", EntryType::XHeader, records.as_bytes());
        append(&mut builder, "short.png", EntryType::Regular, &png(1));
        builder.into_inner().unwrap()
    };
    // The length counts itself.
    let record = |text: &str| {
        let length =
            (text.len() + 3..text.len() + 6).find(|length| length.to_string().len() + text.len() + 2 == *length);
        format!("{} {text}\n", length.unwrap())
    };
    // A line feed within a value begins no record.
    let comment = record("comment=12 path=wrong.png\n20 path=wrong.png");
    write(&path, &with(&(comment + &record("path=cat/long.png"))));
    assert_eq!(contents(&path), [("cat/long.png".into(), png(1))]);
    write(&path, &with(&record("GNU.sparse.major=1")));
    let told = list(&path).unwrap()[0].location.read().unwrap_err().to_string();
    assert!(told.contains("a sparse file"), "{told}");
    for damaged in [
        "99 path=cat/long.png\n",
        "x path=1\n",
        "2 path=1\n",
        "0 path=1\n",
        "20 size=-1\n",
        "9 path 1\n",
        "9 path=x",
        "8 path=x",
    ] {
        write(&path, &with(damaged));
        assert!(
            list(&path).unwrap_err().to_string().contains("damaged before byte"),
            "{damaged}"
        );
    }
}

#[test]
fn archives_within_archives() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("all.tar");
    // As ImageNet is published: a tar for each class, in one tar.
    let cats = tar(&[("1.png", png(1)), ("2.png", png(2))]);
    let dogs = zip(&[("1.png", png(3))]);
    write(
        &path,
        &tar(&[
            ("cat.tar", cats.clone()),
            ("dog.zip", dogs),
            ("bad.tar", cats[..600].to_vec()),
        ]),
    );
    let entries = list(&path).unwrap();
    let entries: Vec<_> = entries.iter().map(|entry| &*entry.name).collect();
    assert_eq!(entries, ["bad.tar", "cat/1.png", "cat/2.png", "dog/1.png"]);
    let listed = list(&path).unwrap();
    assert!(listed[1].location.to_string().ends_with("all.tar!cat.tar!1.png"));
    assert_eq!(listed[2].location.read().unwrap(), png(2));
    assert_eq!(listed[3].location.read().unwrap(), png(3));
    // And in a zip.
    let path = folder.path().join("all.zip");
    write(&path, &zip(&[("cat.tar", cats)]));
    assert_eq!(
        contents(&path),
        [("cat/1.png".into(), png(1)), ("cat/2.png".into(), png(2))]
    );
    // By another name, and compressed as a whole.
    let path = folder.path().join("pets");
    write(&path, &tar(&[("cat/1.png", png(1))]));
    assert_eq!(names(&path), ["cat/1.png"]);
    let path = folder.path().join("pets.tar.gz");
    write(&path, b"\x1F\x8B\x08\0\0");
    let told = list(&path).unwrap_err().to_string();
    assert!(told.contains("without unpacking all that lies before them"), "{told}");
}

/// Names with classes, and the part of each.
fn labelled(catalog: &Catalog) -> Vec<(&str, &str)> {
    let items = catalog.items.iter();
    items.map(|item| (&*item.name, &*catalog.classes[item.label])).collect()
}

#[test]
fn classes_in_folders_of_a_tar() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pets.tar");
    write(
        &path,
        &tar(&[
            ("pets/cat/1.png", png(1)),
            ("pets/dog/1.png", png(2)),
            ("pets/.DS_Store", vec![0]),
        ]),
    );
    let catalog = Catalog::from_source(&path, None).unwrap();
    assert_eq!(
        labelled(&catalog),
        [("pets/cat/1.png", "cat"), ("pets/dog/1.png", "dog")]
    );
    assert_eq!(catalog.left_out[0].reason, "hidden");
}

#[test]
fn classes_beside_pictures_of_shards() {
    let folder = tempfile::tempdir().unwrap();
    // A `!` in a path is no archive's end.
    let at = |name: &str| folder.path().join("new!").join(name);
    let text = |text: &str| text.as_bytes().to_vec();
    let shard = |first: u64| {
        let (a, b, c) = (
            format!("{first:03}"),
            format!("{:03}", first + 1),
            format!("{:03}", first + 2),
        );
        tar(&[
            (&format!("{a}.cls"), text("1\n")),
            (&format!("{a}.png"), png(first)),
            (&format!("{b}.png"), png(first + 1)),
            (&format!("{b}.cls"), text("0")),
            (&format!("{c}.png"), png(first + 2)),
        ])
    };
    for (name, first) in [("train-000", 0), ("train-001", 3), ("val-000", 10)] {
        write(at(&format!("data/{name}.tar")), &shard(first));
    }
    // By number, then by the names beside the shards.
    let parts = open_parts(&at("data")).unwrap();
    let (train, validation) = (parts.train.unwrap(), parts.validation.unwrap());
    let expected = [
        ("train/000.png", "1"),
        ("train/001.png", "0"),
        ("train/003.png", "1"),
        ("train/004.png", "0"),
    ];
    assert_eq!(labelled(&train), expected);
    assert_eq!(labelled(&validation).len(), 2);
    assert_eq!(train.left_out.len(), 2);
    assert_eq!(train.left_out[0].reason, "no class beside it");
    write(at("classnames.txt"), b"a cat\na dog\n");
    let pattern = at("data/train-{000..001}.tar");
    assert_eq!(on_disk(&pattern), at("data/train-000.tar"));
    assert_eq!(on_disk(&at("data")), at("data"));
    let catalog = Catalog::from_source(&pattern, None).unwrap();
    let expected: Vec<_> = expected
        .iter()
        .zip(["a dog", "a cat", "a dog", "a cat"])
        .map(|(one, class)| (one.0, class))
        .collect();
    assert_eq!(labelled(&catalog), expected);
    // Names beside the shards win; two classes of one name stay two.
    write(at("data/classes.json"), br#"{"0": "crane", "1": "crane"}"#);
    let catalog = Catalog::from_source(&pattern, None).unwrap();
    assert_eq!(catalog.classes, ["crane (0)", "crane (1)"]);
    // A list that does not name all of them is none of theirs.
    write(at("data/classes.json"), br#"["crane"]"#);
    assert_eq!(Catalog::from_source(&pattern, None).unwrap().classes, ["0", "1"]);
    let missing = Catalog::from_source(&at("data/train-{000..002}.tar"), None)
        .unwrap_err()
        .to_string();
    assert!(missing.contains("train-002.tar"), "{missing}");
    // By JSON, and of one tar alone.
    let json = |class: &str| text(&format!(r#"{{"caption": "x", "label": {class}}}"#));
    write(
        at("one.tar"),
        &tar(&[
            ("a.png", png(1)),
            ("a.json", json("\"cat\"")),
            ("b.png", png(2)),
            ("b.json", json("\"dog\"")),
        ]),
    );
    let catalog = Catalog::from_source(&at("one.tar"), None).unwrap();
    assert_eq!(labelled(&catalog), [("a.png", "cat"), ("b.png", "dog")]);
    let parts = [Some(Part::Train), None];
    assert!(catalog.items.iter().all(|item| item.part == parts[1]));
}

#[test]
fn shards_of_the_same_names_stay_apart() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let shard = |seed| tar(&[("cat/1.png", png(seed)), ("dog/1.png", png(seed + 1))]);
    write(at("shards/000.tar"), &shard(1));
    assert_eq!(names(&at("shards")), ["cat/1.png", "dog/1.png"]);
    write(at("shards/001.tar"), &shard(3));
    assert_eq!(
        names(&at("shards")),
        ["000/cat/1.png", "000/dog/1.png", "001/cat/1.png", "001/dog/1.png"]
    );
    let catalog = Catalog::at_level(&at("shards"), Some(2)).unwrap();
    assert_eq!(catalog.classes, ["cat", "dog"]);
    // A damaged one leaves the others.
    write(at("shards/002.tar"), &shard(5)[..700]);
    let entries = list(&at("shards")).unwrap();
    assert_eq!(entries.len(), 5);
    let told = entries[4].location.read().unwrap_err().to_string();
    assert!(
        told.contains("002.tar") && told.contains("is the download complete?"),
        "{told}"
    );
    // Beside pictures a tar is a copy of them.
    write(at("shards/cat.png"), &png(9));
    assert_eq!(names(&at("shards")), ["000.tar", "001.tar", "002.tar", "cat.png"]);
}
