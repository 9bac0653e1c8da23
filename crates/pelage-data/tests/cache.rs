//! The image cache: the same pixels in each mode, and never a wrong one.

mod support;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use pelage_data::cache::{Cache, CacheMode, DecodedImages, clear};
use pelage_data::catalog::Catalog;
use pelage_data::preprocess::Preprocessing;
use pelage_data::{Error, Result};
use support::{SmallDisk, child, class_folders, crc32, png, state_of, write};

fn in_folder(mode: CacheMode, folder: &Path) -> Cache {
    Cache {
        folder: folder.into(),
        ..Cache::new(mode)
    }
}

/// Opens, and tells how many images were decoded for it.
fn open_counted(source: &Path, mode: CacheMode, cache: &Path) -> Result<(DecodedImages, usize)> {
    let catalog = Arc::new(Catalog::from_source(source, None)?);
    let decoded = AtomicUsize::new(0);
    let count = |_| _ = decoded.fetch_add(1, Ordering::Relaxed);
    let images = DecodedImages::open(catalog, &Preprocessing::new(20), &in_folder(mode, cache), &count)?;
    Ok((images, decoded.into_inner()))
}

fn open(source: &Path, mode: CacheMode, cache: &Path) -> DecodedImages {
    open_counted(source, mode, cache).unwrap().0
}

fn all(images: &DecodedImages) -> Vec<Vec<u8>> {
    (0..images.len())
        .map(|i| images.pixels(i).unwrap().into_owned())
        .collect()
}

fn cached(folder: &Path) -> Vec<PathBuf> {
    let paths = std::fs::read_dir(folder)
        .into_iter()
        .flatten()
        .map(|entry| entry.unwrap().path());
    paths
        .filter(|path| path.extension().is_some_and(|end| end == "pictures"))
        .collect()
}

fn scratch(images: u64) -> (tempfile::TempDir, PathBuf, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let (source, cache) = (folder.path().join("source"), folder.path().join("cache"));
    class_folders(&source, images);
    (folder, source, cache)
}

#[test]
fn every_mode_has_the_same_pixels_and_skips_the_same_files() {
    let (_folder, source, cache) = scratch(30);
    write(source.join("cat/5-broken.png"), b"hello");
    write(source.join("dog/0-empty.png"), b"");
    let reference = open(&source, CacheMode::Off, &cache);
    assert_eq!((reference.len(), reference.unreadable().len()), (60, 2));
    for mode in [CacheMode::Ram, CacheMode::Disk, CacheMode::Disk, CacheMode::Auto] {
        let images = open(&source, mode, &cache);
        assert!(all(&images) == all(&reference), "{mode:?}");
        assert_eq!(images.unreadable(), reference.unreadable());
        assert!((0..60).all(|i| images.name(i) == reference.name(i) && images.label(i) == reference.label(i)));
    }
}

/// Whatever is wrong with a file, it is named with a reason, and left where it is.
#[test]
fn skipped_files_are_listed_and_kept() {
    let (_folder, source, cache) = scratch(40);
    let whole = png(1);
    let mut bomb = whole.clone();
    bomb[16..24].copy_from_slice(&[0, 0, 0xEA, 0x60, 0, 0, 0xEA, 0x60]);
    let checksum = crc32(&bomb[12..29]).to_be_bytes();
    bomb[29..33].copy_from_slice(&checksum);
    let broken = [
        ("bomb.png", bomb, "too large: 60000x60000 pixels"),
        ("empty.png", Vec::new(), "empty file"),
        ("text.png", b"hello".to_vec(), "not a picture"),
        ("truncated.png", whole[..whole.len() / 2].to_vec(), "damaged PNG"),
    ];
    for (name, bytes, _) in &broken {
        write(source.join("cat").join(name), bytes);
    }
    let before = state_of(&source);
    for mode in [CacheMode::Off, CacheMode::Ram, CacheMode::Disk, CacheMode::Disk] {
        let images = open(&source, mode, &cache);
        assert_eq!(
            (images.len(), images.unreadable().len()),
            (80, broken.len()),
            "{mode:?}"
        );
        for ((name, _, reason), told) in broken.iter().zip(images.unreadable()) {
            assert!(
                told.path.ends_with(&format!("cat/{name}")) && told.reason.starts_with(reason),
                "{told:?}"
            );
        }
    }
    assert_eq!(state_of(&source), before);
}

#[test]
fn keyed_by_content_and_settings() {
    let (folder, source, cache) = scratch(10);
    assert_eq!(open_counted(&source, CacheMode::Disk, &cache).unwrap().1, 20);
    assert_eq!(open_counted(&source, CacheMode::Disk, &cache).unwrap().1, 0);
    // Moved: the same images.
    let moved = folder.path().join("moved");
    std::fs::rename(&source, &moved).unwrap();
    assert_eq!(open_counted(&moved, CacheMode::Disk, &cache).unwrap().1, 0);
    // Changed in place, with the old length and date.
    let path = moved.join("cat/3.png");
    let (mut bytes, modified) = (
        std::fs::read(&path).unwrap(),
        path.metadata().unwrap().modified().unwrap(),
    );
    let other = (100..).map(png).find(|other| other.len() == bytes.len()).unwrap();
    bytes.copy_from_slice(&other);
    write(&path, &bytes);
    File::options()
        .write(true)
        .open(&path)
        .unwrap()
        .set_modified(modified)
        .unwrap();
    let (images, decoded) = open_counted(&moved, CacheMode::Disk, &cache).unwrap();
    assert_eq!(decoded, 20);
    assert!(all(&images) == all(&open(&moved, CacheMode::Off, &cache)));
    // Another size.
    let catalog = Arc::new(Catalog::from_source(&moved, None).unwrap());
    let disk = in_folder(CacheMode::Disk, &cache);
    let images = DecodedImages::open(catalog, &Preprocessing::new(10), &disk, &|_| {}).unwrap();
    assert_eq!((images.pixels(0).unwrap().len(), cached(&cache).len()), (300, 3));
}

#[test]
fn a_damaged_file_is_noticed() {
    let (_folder, source, cache) = scratch(10);
    let reference = all(&open(&source, CacheMode::Disk, &cache));
    let path = cached(&cache).remove(0);
    let whole = std::fs::read(&path).unwrap();
    // Cut, or its end overwritten: made anew.
    let edited = |at: usize| {
        let mut bytes = whole.clone();
        bytes[at] ^= 1;
        bytes
    };
    let tail = whole.len() - 100;
    for bytes in [
        whole[..whole.len() - 1].to_vec(),
        whole[..5000].to_vec(),
        Vec::new(),
        edited(tail),
        edited(whole.len() - 1),
    ] {
        write(&path, &bytes);
        let (images, decoded) = open_counted(&source, CacheMode::Disk, &cache).unwrap();
        assert_eq!(decoded, 20);
        assert!(all(&images) == reference);
    }
    // One pixel of the third image: told when it is read.
    write(&path, &edited(2 * 1200 + 7));
    let images = open(&source, CacheMode::Disk, &cache);
    assert!(images.pixels(1).is_ok() && images.pixels(3).is_ok());
    let failure = images.pixels(2).unwrap_err();
    assert!(matches!(&failure, Error::DamagedCache { path } if path.ends_with(cached(&cache)[0].file_name().unwrap())));
    assert!(failure.to_string().contains("damaged; remove this file"), "{failure}");
}

/// A child opens the cache, over and over where it is told to.
fn as_child() -> bool {
    let Some(folder) = std::env::var_os("PELAGE_CACHE_TEST") else {
        return false;
    };
    let folder = Path::new(&folder);
    let images = open(&folder.join("source"), CacheMode::Disk, &folder.join("cache"));
    assert!(all(&images) == all(&open(&folder.join("source"), CacheMode::Off, &folder.join("cache"))));
    true
}

#[test]
fn two_processes_at_once() {
    if as_child() {
        return;
    }
    let (folder, _, cache) = scratch(300);
    let mut children: Vec<_> = (0..3)
        .map(|_| {
            child("two_processes_at_once", "PELAGE_CACHE_TEST", folder.path())
                .spawn()
                .unwrap()
        })
        .collect();
    assert!(children.iter_mut().all(|child| child.wait().unwrap().success()));
    assert_eq!(
        (cached(&cache).len(), std::fs::read_dir(&cache).unwrap().count()),
        (1, 1)
    );
}

#[test]
fn killed_while_writing() {
    if as_child() {
        return;
    }
    let (folder, source, cache) = scratch(1500);
    let unfinished = || {
        let entries = std::fs::read_dir(&cache).into_iter().flatten();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.filter(|name| name.ends_with(".tmp")).count()
    };
    let mut killed = 0;
    for round in 0..60 {
        let before = unfinished();
        let mut child = child("killed_while_writing", "PELAGE_CACHE_TEST", folder.path())
            .spawn()
            .unwrap();
        let running = |child: &mut std::process::Child| child.try_wait().unwrap().is_none();
        while unfinished() == before && cached(&cache).is_empty() && running(&mut child) {}
        std::thread::sleep(Duration::from_millis(round % 6 * 2));
        let in_time = running(&mut child);
        child.kill().unwrap();
        child.wait().unwrap();
        if in_time && cached(&cache).is_empty() {
            killed += 1;
        } else {
            // It was done before it was killed; how fast it is must not matter.
            std::fs::remove_dir_all(&cache).unwrap();
        }
        if killed == 6 {
            break;
        }
    }
    assert!(killed > 0, "never killed while it wrote");
    let images = open(&source, CacheMode::Disk, &cache);
    assert!(all(&images) == all(&open(&source, CacheMode::Off, &cache)));
}

#[test]
fn what_killed_runs_left_is_removed_but_nothing_else() {
    let (_folder, source, cache) = scratch(5);
    let long_ago = SystemTime::now() - Duration::from_secs(3600);
    let make = |name: &str| {
        write(cache.join(name), b"half");
        let file = File::options().write(true).open(cache.join(name)).unwrap();
        file.set_modified(long_ago).unwrap();
        file
    };
    make(".writing-left.tmp");
    make("other.tmp");
    make("holiday.pictures");
    let running = make(".writing-running.tmp");
    running.lock().unwrap();
    write(cache.join(".writing-new.tmp"), b"not locked yet");
    open(&source, CacheMode::Disk, &cache);
    let there = |name: &str| cache.join(name).exists();
    assert!(!there(".writing-left.tmp"));
    assert!(there("other.tmp") && there(".writing-running.tmp") && there(".writing-new.tmp"));

    assert!(clear(&cache, Duration::ZERO).unwrap() > 10 * 1200);
    assert!(cached(&cache).len() == 1 && there("holiday.pictures"));
    assert!(there("other.tmp") && there(".writing-running.tmp"));
    assert_eq!(clear(&cache.join("nothing"), Duration::ZERO).unwrap(), 0);
}

#[test]
fn a_full_disk() {
    let Some(disk) = SmallDisk::new("32k") else { return };
    let (_folder, source, _) = scratch(60);
    let failure = open_counted(&source, CacheMode::Disk, &disk.0.path().join("cache"))
        .err()
        .unwrap();
    assert!(matches!(&failure, Error::Cache { folder, .. } if folder.ends_with("cache")));
    assert!(failure.to_string().contains("No space left"), "{failure}");
    assert_eq!(std::fs::read_dir(disk.0.path().join("cache")).unwrap().count(), 0);
}

#[test]
fn too_many_unreadable() {
    let (_folder, source, cache) = scratch(10);
    for i in 0..3 {
        write(source.join(format!("cat/broken{i}.png")), b"hello");
    }
    for mode in [CacheMode::Off, CacheMode::Ram, CacheMode::Disk] {
        let told = open_counted(&source, mode, &cache).err().unwrap().to_string();
        assert!(
            told.contains("3 of 23 pictures cannot be read") && told.contains("broken0.png: not a picture"),
            "{told}"
        );
    }
    // A class of which nothing is left, though few files of all are broken.
    let (_folder, source, cache) = scratch(20);
    write(source.join("bird/1.png"), b"hello");
    let told = open_counted(&source, CacheMode::Ram, &cache).err().unwrap().to_string();
    assert!(
        told.contains("none of the pictures of class 'bird' can be read; replace them"),
        "{told}"
    );
}
