//! Listing folders and zips, and the order of names.

mod support;

use std::cmp::Ordering;

use pelage_data::source::{list, natural_order};
use proptest::prelude::*;
use support::{png, write, zip};

fn names(path: &std::path::Path) -> Vec<String> {
    list(path).unwrap().into_iter().map(|entry| entry.name).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn natural_order_is_a_total_order(a in "[ab0-2./é]{0,6}", b in "[ab0-2./é]{0,6}", c in "[ab0-2./é]{0,6}") {
        prop_assert_eq!(natural_order(&a, &b), natural_order(&b, &a).reverse());
        prop_assert_eq!(natural_order(&a, &b) == Ordering::Equal, a == b);
        if natural_order(&a, &b).is_le() && natural_order(&b, &c).is_le() {
            prop_assert!(natural_order(&a, &c).is_le());
        }
    }

    #[test]
    fn numbers_order_by_value(a in 0u32..2000, b in 0u32..2000) {
        prop_assert_eq!(natural_order(&format!("cat.{a}.jpg"), &format!("cat.{b}.jpg")), a.cmp(&b));
    }
}

#[test]
fn zips_within_a_zip() {
    let folder = tempfile::tempdir().unwrap();
    let inner = zip(&[
        ("train/cat.0.jpg", png(0)),
        ("train/dog.0.jpg", png(1)),
        ("__MACOSX/train/._cat.0.jpg", vec![1]),
    ]);
    // What lies at an inner zip's top is in a folder of that zip's name.
    let flat = zip(&[("1.jpg", png(2))]);
    let outer = zip(&[
        ("train.zip", inner),
        ("birds.ZIP", flat),
        ("sampleSubmission.csv", b"id,label".to_vec()),
    ]);
    let path = folder.path().join("all.zip");
    write(&path, &outer);
    assert_eq!(
        names(&path),
        [
            "birds/1.jpg",
            "sampleSubmission.csv",
            "train/cat.0.jpg",
            "train/dog.0.jpg"
        ]
    );
    let entries = list(&path).unwrap();
    assert_eq!(entries[2].location.read().unwrap(), png(0));
    assert!(
        entries[2]
            .location
            .to_string()
            .ends_with("all.zip!train.zip!train/cat.0.jpg")
    );
}

#[test]
fn damaged_and_hostile_zips() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.zip");
    let whole = zip(&[("cat.0.jpg", png(0)), ("dog.0.jpg", png(1))]);
    write(&path, &whole[..whole.len() - 30]);
    let told = list(&path).unwrap_err().to_string();
    assert!(
        told.contains("a.zip") && told.contains("is the download complete?"),
        "{told}"
    );
    // A zip within that unpacks to a thousand times its size.
    let bomb = zip(&[("inner.zip", vec![0; 40 << 20])]);
    write(&path, &bomb);
    let told = list(&path).unwrap_err().to_string();
    assert!(told.contains("inner.zip") && told.contains("not opened"), "{told}");
}

#[test]
fn what_is_packed_otherwise_is_told_with_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    // As another tool would have packed it: the method stands in the member's header and in the directory.
    let packed = |method: u16| {
        let mut bytes = zip(&[("cat.0.jpg", png(0))]);
        let directory = bytes.windows(4).rposition(|mark| mark == b"PK\x01\x02").unwrap();
        for at in [8, directory + 10] {
            bytes[at..at + 2].copy_from_slice(&method.to_le_bytes());
        }
        let path = folder.path().join(format!("{method}.zip"));
        write(&path, &bytes);
        list(&path).unwrap()[0].location.read().unwrap_err().to_string()
    };
    for (method, name) in [
        (9, "Deflate64"),
        (12, "bzip2"),
        (14, "LZMA"),
        (95, "xz"),
        (77, "method 77"),
    ] {
        let told = packed(method);
        assert!(
            told.contains(&format!("!cat.0.jpg: packed by {name}, which")) && told.contains("pack it again"),
            "{told}"
        );
    }
    for (name, head, kind) in [
        ("pets.tar.gz", &b"\x1F\x8B\x08\0\0"[..], "a gzip archive"),
        ("pets.7z", b"7z\xBC\xAF\x27\x1C\0", "a 7z archive"),
        ("pets", b"Rar!\x1A\x07\x01\0", "a RAR archive"),
    ] {
        let path = folder.path().join(name);
        write(&path, head);
        let told = list(&path).unwrap_err().to_string();
        assert!(
            told.contains(kind) && told.contains("unpack it and give the folder"),
            "{told}"
        );
    }
    // A zip by another name is one.
    let path = folder.path().join("pets.cbz");
    write(&path, &zip(&[("cat.0.jpg", png(0))]));
    assert_eq!(names(&path), ["cat.0.jpg"]);
}

#[cfg(unix)]
#[test]
fn links_are_followed_but_not_in_circles() {
    use std::os::unix::fs::symlink;
    let (folder, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    write(elsewhere.path().join("1.png"), &png(1));
    write(folder.path().join("dog/2.png"), &png(2));
    symlink(elsewhere.path(), folder.path().join("cat")).unwrap();
    symlink(folder.path(), folder.path().join("dog/above")).unwrap();
    symlink(folder.path().join("nowhere"), folder.path().join("dog/lost.png")).unwrap();
    assert_eq!(names(folder.path()), ["cat/1.png", "dog/2.png", "dog/lost.png"]);
}
