//! Listing folders and zips, and the order of names.

mod support;

use std::cmp::Ordering;

use pelage_data::source::{find, list, mark, natural_order};
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
    let [inner] = &list(&path).unwrap()[..] else { panic!() };
    let told = inner.location.read().unwrap_err().to_string();
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

#[test]
fn one_damaged_zip_within_leaves_the_others() {
    let folder = tempfile::tempdir().unwrap();
    let inner = zip(&[("cat.0.jpg", png(0))]);
    let path = folder.path().join("a.zip");
    write(
        &path,
        &zip(&[("good.zip", inner.clone()), ("bad.zip", inner[..40].to_vec())]),
    );
    assert_eq!(names(&path), ["bad.zip", "good/cat.0.jpg"]);
    let told = list(&path).unwrap()[0].location.read().unwrap_err().to_string();
    assert!(
        told.contains("a.zip!bad.zip") && told.contains("is the download complete?"),
        "{told}"
    );
}

#[test]
fn every_member_is_found_whatever_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.zip");
    let odd = [
        "./cat/1.png",
        "../cat/2.png",
        "/cat/3.png",
        "cat//4.png",
        "dog\\5.png",
        "cat/../cat/6.png",
    ];
    let members: Vec<_> = odd.iter().zip(0..).map(|(name, seed)| (*name, png(seed))).collect();
    write(&path, &zip(&members));
    let found = [
        "cat/1.png",
        "cat/2.png",
        "cat/3.png",
        "cat/4.png",
        "cat/cat/6.png",
        "dog/5.png",
    ];
    assert_eq!(names(&path), found);
    // Those of one name are not one.
    let mut bytes = zip(&[("1.png", png(1)), ("2.png", png(2)), ("3.png", png(3))]);
    let at = |bytes: &[u8], name: &[u8]| {
        bytes
            .windows(name.len())
            .enumerate()
            .filter(|(_, part)| *part == name)
            .map(|(at, _)| at)
            .collect::<Vec<_>>()
    };
    for name in [&b"2.png"[..], b"3.png"] {
        at(&bytes, name).into_iter().for_each(|at| bytes[at] = b'1');
    }
    write(&path, &bytes);
    let entries = list(&path).unwrap();
    let contents: Vec<_> = entries.iter().map(|entry| entry.location.read().unwrap()).collect();
    assert_eq!(
        (names(&path), contents),
        (vec!["1.png".to_string(); 3], vec![png(1), png(2), png(3)])
    );
}

#[test]
fn links_in_a_zip_are_followed_within_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.zip");
    let mut writer = ::zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let options = ::zip::write::SimpleFileOptions::default();
    std::io::Write::write_all(&mut start(&mut writer, "cat/1.png"), &png(1)).unwrap();
    for (name, target) in [
        ("cat/2.png", "1.png"),
        ("dog/3.png", "../cat/2.png"),
        ("dog/4.png", "../../etc/passwd"),
        ("a", "b"),
        ("b", "a"),
    ] {
        writer.add_symlink(name, target, options).unwrap();
    }
    write(&path, &writer.finish().unwrap().into_inner());
    let found = find(&path).unwrap();
    let read = |entry: &pelage_data::source::Entry| (entry.name.clone(), entry.location.read().unwrap() == png(1));
    assert_eq!(
        found.entries.iter().map(read).collect::<Vec<_>>(),
        ["cat/1.png", "cat/2.png", "dog/3.png"].map(|name| (name.to_string(), true))
    );
    let reasons: Vec<_> = found.left_out.iter().map(|one| one.reason.as_str()).collect();
    let nowhere = "a link to ../../etc/passwd, which the archive does not hold";
    assert_eq!(reasons, ["a link to itself", "a link to itself", nowhere]);
}

fn start<'a>(writer: &'a mut ::zip::ZipWriter<std::io::Cursor<Vec<u8>>>, name: &str) -> &'a mut impl std::io::Write {
    writer
        .start_file(name, ::zip::write::SimpleFileOptions::default())
        .unwrap();
    writer
}

/// Two names for the same bytes: with many names a small archive unpacks to any size.
#[test]
fn members_that_share_bytes_are_not_unpacked() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.zip");
    let mut bytes = zip(&[("1.png", png(1)), ("2.png", png(2)), ("3.png", png(3))]);
    // The directory's second entry leads to the first member.
    let entries: Vec<_> = (0..bytes.len() - 4)
        .filter(|&at| bytes[at..at + 4] == *b"PK\x01\x02")
        .collect();
    bytes.copy_within(entries[0] + 42..entries[0] + 46, entries[1] + 42);
    write(&path, &bytes);
    let read: Vec<_> = list(&path)
        .unwrap()
        .iter()
        .map(|entry| entry.location.read().is_ok())
        .collect();
    assert_eq!(read, [false, false, true]);
    let told = list(&path).unwrap()[1].location.read().unwrap_err().to_string();
    assert!(told.contains("shares bytes with another member"), "{told}");
}

#[test]
fn what_others_leave_is_passed_over_and_told() {
    let folder = tempfile::tempdir().unwrap();
    let left = [
        ("cat/@eaDir/1.png/SYNOPHOTO_THUMB_M.jpg", "left by network storage"),
        ("lost+found/#1.png", "left by Linux"),
        (".trash/1.png", "hidden"),
        ("cat/1.png_original", "a picture editor's backup"),
        ("cat/2.png~", "a backup"),
        ("cat/3.png.part", "an unfinished download"),
        ("cat/GOPR1.THM", "a camera's thumbnail"),
    ];
    let kept = ["cat/1.png", "old/2.png", "photo.old/3.png"];
    left.iter()
        .map(|(name, _)| name)
        .chain(&kept)
        .for_each(|name| write(folder.path().join(name), &png(1)));
    let members: Vec<_> = left
        .iter()
        .map(|(name, _)| *name)
        .chain(kept)
        .map(|name| (name, png(1)))
        .collect();
    let path = folder.path().join(".all.zip");
    write(&path, &zip(&members));
    for source in [folder.path(), &path] {
        assert_eq!(names(source), kept);
        let mut found: Vec<_> = find(source)
            .unwrap()
            .left_out
            .into_iter()
            .map(|one| one.reason)
            .collect();
        found.retain(|reason| source == path || reason != "hidden");
        let mut expected: Vec<_> = left.iter().map(|(_, why)| why.to_string()).collect();
        expected.retain(|reason| source == path || reason != "hidden");
        found.sort();
        expected.sort();
        assert_eq!(found, expected);
    }
}

#[test]
fn what_pelage_wrote_is_passed_over() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path().join("cat/1.png"), &png(1));
    write(folder.path().join("explained/1.png"), &png(2));
    mark(&folder.path().join("explained")).unwrap();
    // A run from before folders were marked.
    for name in ["config.toml", "history.csv", "curves.png"] {
        write(folder.path().join("runs/cnn3-1").join(name), &png(3));
    }
    // A cache.
    write(folder.path().join("cache").join("0".repeat(32) + ".pictures"), b"BM");
    write(folder.path().join("web/index.html"), b"mine");
    write(folder.path().join("web/config.toml"), b"mine");
    assert_eq!(names(folder.path()), ["cat/1.png", "web/config.toml", "web/index.html"]);
    let left = find(folder.path()).unwrap().left_out;
    assert!(
        left.len() == 3 && left.iter().all(|one| one.reason == "written by pelage"),
        "{left:?}"
    );
    // Whoever names it wants it.
    assert_eq!(names(&folder.path().join("explained")), ["1.png"]);
    let members = [
        "cat/1.png",
        "runs/a/config.toml",
        "runs/a/history.csv",
        "runs/a/curves.png",
    ]
    .map(|name| (name, png(1)));
    let path = folder.path().join("packed.zip");
    write(&path, &zip(&members));
    assert_eq!(names(&path), ["cat/1.png"]);
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

/// The memory that is counted is what a file takes: growing while it is read, it would take twice that.
#[test]
fn a_file_takes_as_much_memory_as_it_is_long() {
    let folder = tempfile::tempdir().unwrap();
    let mut bytes = b"BM".to_vec();
    bytes.resize((3 << 20) + 7, 0);
    std::fs::write(folder.path().join("1.bmp"), &bytes).unwrap();
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    zip.start_file("1.bmp", zip::write::SimpleFileOptions::default())
        .unwrap();
    std::io::Write::write_all(&mut zip, &bytes).unwrap();
    std::fs::write(folder.path().join("1.zip"), zip.finish().unwrap().into_inner()).unwrap();
    for name in ["1.bmp", "1.zip"] {
        let found = pelage_data::source::list(&folder.path().join(name)).unwrap();
        let read = found[0].location.read().unwrap();
        assert!(
            read.len() == bytes.len() && read.capacity() < bytes.len() + 4096,
            "{name}: {}",
            read.capacity()
        );
    }
}
