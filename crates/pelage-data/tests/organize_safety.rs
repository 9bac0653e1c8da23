//! Organizing that is refused, killed, or meets what is not its own: nothing is lost.

mod support;

use std::path::Path;
use std::process::Child;

use pelage_data::Error;
use pelage_data::lock::FolderLock;
use pelage_data::organize::{Link, Options};
use support::organizing::{Scratch, counts, options, refused, run};
use support::{SmallDisk, child, files, png, state_of, write};

#[test]
fn one_call_at_a_time_fills_a_folder() {
    let scratch = Scratch::new(5);
    let held = FolderLock::take(&scratch.out()).unwrap();
    assert!(matches!(run(&scratch.options()), Err(Error::Busy { path }) if path == scratch.out()));
    drop(held);
    run(&scratch.options()).unwrap();
    assert!(files(&scratch.out()).keys().all(|name| !name.contains("lock")));
}

#[test]
fn nothing_foreign_is_replaced() {
    let scratch = Scratch::new(5);
    write(scratch.out().join("mine.txt"), b"precious");
    for force in [false, true] {
        let told = refused(&Options {
            force,
            ..scratch.options()
        });
        assert!(told.contains("is not empty") && told.contains("mine.txt"), "{told}");
    }
    assert_eq!(files(&scratch.out()).len(), 1);
    std::fs::remove_file(scratch.out().join("mine.txt")).unwrap();

    run(&scratch.options()).unwrap();
    let other = Options {
        seed: 9,
        ..scratch.options()
    };
    assert!(refused(&other).contains("or have it replaced"));
    write(scratch.out().join("train/cat/mine.png"), &png(999));
    let before = files(&scratch.out());
    assert!(
        refused(&Options {
            force: true,
            ..other.clone()
        })
        .contains("train/cat/mine.png")
    );
    assert_eq!(files(&scratch.out()), before);
    std::fs::remove_file(scratch.out().join("train/cat/mine.png")).unwrap();
    run(&Options {
        force: true,
        ..other.clone()
    })
    .unwrap();

    // An image that the user has changed is not taken for the source's, nor lost.
    let name = files(&scratch.out())
        .into_keys()
        .find(|name| name.ends_with("png"))
        .unwrap();
    write(scratch.out().join(&name), b"edited");
    let told = refused(&other);
    assert!(told.contains(&name) && told.contains("not the same picture"), "{told}");
    assert_eq!(std::fs::read(scratch.out().join(&name)).unwrap(), b"edited");
    // Neither are images that were added to the source.
    write(scratch.source().join("cat/new.png"), &png(1234));
    assert!(refused(&other).contains("from other pictures"));
}

#[test]
fn source_and_target_within_each_other() {
    let scratch = Scratch::new(5);
    let before = state_of(&scratch.source());
    for out in [
        scratch.source(),
        scratch.source().join("out"),
        scratch.source().join("cat"),
        scratch.folder.path().into(),
    ] {
        let told = refused(&options(&scratch.source(), &out));
        assert!(told.contains("within each other"), "{told}");
    }
    // Links into the target: emptying it would destroy what they lead to.
    run(&scratch.options()).unwrap();
    let links = scratch.folder.path().join("links");
    run(&Options {
        link: Link::Symbolic,
        ..options(&scratch.out(), &links)
    })
    .unwrap();
    let made = files(&scratch.out());
    let told = refused(&Options {
        force: true,
        ..options(&links, &scratch.out())
    });
    assert!(told.contains("is a link into"), "{told}");
    assert_eq!(files(&scratch.out()), made);
    assert_eq!(state_of(&scratch.source()), before);
}

#[test]
fn unreadable_files_are_left_out_and_named() {
    let scratch = Scratch::new(10);
    #[cfg(unix)]
    std::os::unix::fs::symlink("nowhere", scratch.source().join("cat/lost.png")).unwrap();
    let report = run(&scratch.options()).unwrap();
    assert_eq!((report.written, report.unreadable.len()), (20, 1));
    assert!(
        report.unreadable[0].path.ends_with("cat/lost.png"),
        "{:?}",
        report.unreadable
    );
    for i in 0..3 {
        #[cfg(unix)]
        std::os::unix::fs::symlink("nowhere", scratch.source().join(format!("dog/lost{i}.png"))).unwrap();
    }
    let told = refused(&options(&scratch.source(), &scratch.folder.path().join("other")));
    assert!(
        told.contains("4 of 24 pictures cannot be read, more than a tenth") && told.contains("lost.png"),
        "{told}"
    );
}

#[test]
fn an_unwritable_target() {
    let scratch = Scratch::new(5);
    write(scratch.folder.path().join("file"), b"");
    let told = refused(&options(&scratch.source(), &scratch.folder.path().join("file/out")));
    assert!(told.contains("file/out"), "{told}");
}

#[test]
fn a_full_disk_and_then_a_larger_one() {
    let Some(disk) = SmallDisk::new("160k") else { return };
    let scratch = Scratch::new(60);
    let options = options(&scratch.source(), &disk.0.path().join("out"));
    let told = refused(&options);
    assert!(
        told.contains("No space left") && told.contains("goes on from there"),
        "{told}"
    );
    disk.enlarge("8m");
    let report = run(&options).unwrap();
    assert!(report.written < 120 && report.written + report.already_there == 120);
    assert_eq!(counts(&options.out).values().sum::<usize>(), 120);
}

/// Waits until there are `count` files in `out`, kills, and tells whether it was still running.
fn kill_at(mut child: Child, out: &Path, count: usize) -> bool {
    loop {
        let ended = child.try_wait().unwrap().is_some();
        let there = out.exists() && walked(out) >= count;
        if ended || there {
            child.kill().unwrap();
            child.wait().unwrap();
            return !ended;
        }
    }
}

fn walked(folder: &Path) -> usize {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .map(|entry| {
            if entry.path().is_dir() {
                walked(&entry.path())
            } else {
                1
            }
        })
        .sum()
}

#[test]
fn killed_half_way() {
    if let Some(folder) = std::env::var_os("PELAGE_ORGANIZE") {
        let folder = Path::new(&folder);
        run(&options(&folder.join("source"), &folder.join("out"))).unwrap();
        return;
    }
    let scratch = Scratch::new(400);
    let whole = scratch.folder.path().join("whole");
    run(&options(&scratch.source(), &whole)).unwrap();
    let mut killed = 0;
    for count in [0, 1, 2, 3, 50, 51, 200, 300, 500, 700] {
        let child = child("killed_half_way", "PELAGE_ORGANIZE", scratch.folder.path())
            .spawn()
            .unwrap();
        killed += usize::from(kill_at(child, &scratch.out(), count));
    }
    assert!(killed >= 3, "killed only {killed} times");
    // What a kill while an image is written leaves, whether or not one of the kills above hit that moment.
    write(scratch.out().join("train/cat/.writing-x.tmp"), b"half");
    run(&scratch.options()).unwrap();
    let images = |out: &Path| {
        files(out)
            .into_iter()
            .filter(|(name, _)| name != ".pelage-organize.json")
            .collect::<Vec<_>>()
    };
    assert_eq!(images(&scratch.out()), images(&whole));
}

#[test]
fn killed_before_the_first_image() {
    let scratch = Scratch::new(5);
    write(scratch.out().join(".writing-x.tmp"), b"half a plan");
    assert_eq!(run(&scratch.options()).unwrap().written, 10);
    assert!(!scratch.out().join(".writing-x.tmp").exists());
}

/// Nothing else would notice it before training.
#[test]
fn what_begins_as_no_image_is_left_out_and_named() {
    let scratch = Scratch::new(20);
    for (name, bytes) in [("1.jpg", &b"x"[..]), ("2.png", b""), ("3.jpg", b"<html>")] {
        write(scratch.source().join("cat").join(format!("odd{name}")), bytes);
    }
    let report = run(&scratch.options()).unwrap();
    assert_eq!(
        (report.written, report.unreadable.len()),
        (40, 3),
        "{:?}",
        report.unreadable
    );
}
