//! From any source to a tree of train and validation: counts and names.

mod support;

use std::collections::HashMap;

use pelage_data::organize::{Link, Options, Report};
use support::organizing::{Scratch, counts, expected, options, refused, run};
use support::{files, png, state_of, write, zip};

#[test]
fn the_tutorials_tree_from_kaggles_zips() {
    let scratch = Scratch::new(0);
    let names: Vec<String> = (0..20)
        .flat_map(|i| [format!("train/cat.{i}.jpg"), format!("train/dog.{i}.jpg")])
        .collect();
    let members: Vec<_> = names
        .iter()
        .zip(0..)
        .map(|(name, seed)| (name.as_str(), png(seed)))
        .collect();
    let inner = zip(&members);
    let unlabelled = zip(&[("test1/1.jpg", png(90)), ("test1/2.jpg", png(91))]);
    let whole = zip(&[
        ("train.zip", inner.clone()),
        ("test1.zip", unlabelled),
        ("sampleSubmission.csv", vec![65]),
    ]);
    for (bytes, left_out) in [(inner, 0), (whole, 3)] {
        let (source, out) = (scratch.folder.path().join("dogs-vs-cats.zip"), scratch.out());
        write(&source, &bytes);
        let rename = [("cat", "cats"), ("dog", "dogs")]
            .map(|(from, to)| (from.to_string(), to.to_string()))
            .to_vec();
        let report = run(&Options {
            rename,
            ..options(&source, &out)
        })
        .unwrap();
        let tree = [
            ("train/cats", 16),
            ("train/dogs", 16),
            ("validation/cats", 4),
            ("validation/dogs", 4),
        ];
        assert_eq!(counts(&out), expected(&tree));
        assert_eq!(
            (report.written, report.already_there, report.left_out.len()),
            (40, 0, left_out)
        );
        assert_eq!((report.classes[0].train, report.classes[1].validation), (16, 4));
        std::fs::remove_dir_all(out).unwrap();
    }
}

#[test]
fn the_same_seed_gives_the_same_tree_and_another_seed_another() {
    let scratch = Scratch::new(30);
    let tree = |seed: u64, out: &str| {
        let out = scratch.folder.path().join(out);
        run(&Options {
            seed,
            ..options(&scratch.source(), &out)
        })
        .unwrap();
        files(&out)
            .into_keys()
            .filter(|name| !name.starts_with('.'))
            .collect::<Vec<_>>()
    };
    let first = tree(1, "a");
    assert_eq!(first, tree(1, "b"));
    assert_ne!(first, tree(2, "c"));
}

#[test]
fn the_source_is_never_changed() {
    for link in [Link::Copy, Link::Hard, Link::Symbolic] {
        let scratch = Scratch::new(10);
        let before = state_of(&scratch.source());
        let options = Options {
            link,
            ..scratch.options()
        };
        assert_eq!(run(&options).unwrap().written, 20);
        assert_eq!(run(&options).unwrap().already_there, 20);
        run(&Options {
            force: true,
            seed: 5,
            ..options.clone()
        })
        .unwrap();
        assert_eq!(counts(&scratch.out()).values().sum::<usize>(), 20);
        assert_eq!(state_of(&scratch.source()), before, "{link:?}");
        let any = scratch
            .out()
            .join(files(&scratch.out()).keys().find(|name| name.ends_with("png")).unwrap());
        assert_eq!(any.is_symlink(), link == Link::Symbolic);
    }
}

#[test]
fn a_zip_cannot_be_linked() {
    let scratch = Scratch::new(0);
    let source = scratch.folder.path().join("a.zip");
    write(
        &source,
        &zip(&[
            ("cat.0.jpg", png(0)),
            ("cat.1.jpg", png(1)),
            ("dog.0.jpg", png(2)),
            ("dog.1.jpg", png(3)),
        ]),
    );
    assert!(
        refused(&Options {
            link: Link::Hard,
            ..options(&source, &scratch.out())
        })
        .contains("cannot be linked")
    );
}

#[test]
fn duplicates_stay_on_one_side() {
    // Enough images that are there once to fill up the shares exactly.
    let scratch = Scratch::new(40);
    for i in 0..8 {
        // Within a class, and across classes.
        write(scratch.source().join(format!("cat/again-{i}.png")), &png(i));
        write(scratch.source().join(format!("dog/{i}-mislabelled.png")), &png(10 + i));
    }
    for seed in 0..10 {
        let out = scratch.folder.path().join(format!("{seed}"));
        run(&Options {
            seed,
            ..options(&scratch.source(), &out)
        })
        .unwrap();
        let mut sides: HashMap<String, Vec<String>> = HashMap::new();
        for (name, hash) in files(&out).into_iter().filter(|(name, _)| !name.starts_with('.')) {
            sides
                .entry(hash)
                .or_default()
                .push(name.split('/').next().unwrap().to_string());
        }
        assert!(
            sides.values().all(|side| side.iter().all(|one| *one == side[0])),
            "{sides:?}"
        );
        let tree = [
            ("train/cat", 38),
            ("train/dog", 38),
            ("validation/cat", 10),
            ("validation/dog", 10),
        ];
        assert_eq!(counts(&out), expected(&tree));
    }
}

#[test]
fn a_limit_keeps_the_shares() {
    let scratch = Scratch::new(20);
    for i in 0..2 {
        write(scratch.source().join(format!("rare/{i}.png")), &png(700 + i));
    }
    for (limit, cats) in [(6, 2), (12, 5), (21, 10), (41, 20)] {
        let out = scratch.folder.path().join(limit.to_string());
        let report = run(&Options {
            limit: Some(limit),
            ..options(&scratch.source(), &out)
        })
        .unwrap();
        let chosen: Vec<usize> = report
            .classes
            .iter()
            .map(|class| class.train + class.validation)
            .collect();
        assert_eq!((chosen.iter().sum::<usize>(), chosen[2]), (limit, 2));
        assert!(
            chosen[0].abs_diff(cats) <= 1 && chosen[1].abs_diff(cats) <= 1,
            "{chosen:?}"
        );
    }
    assert!(
        refused(&Options {
            limit: Some(5),
            ..scratch.options()
        })
        .contains("limit is 5; it must be at least 6, two pictures of each class")
    );
}

#[test]
fn classes_are_renamed_at_once_and_merged() {
    let scratch = Scratch::new(5);
    write(scratch.source().join("kitten/1.png"), &png(800));
    let renamed = |pairs: &[(&str, &str)], out: &str| {
        let rename = pairs
            .iter()
            .map(|(from, to)| (from.to_string(), to.to_string()))
            .collect();
        run(&Options {
            rename,
            ..options(&scratch.source(), &scratch.folder.path().join(out))
        })
    };
    let report = renamed(&[("cat", "dog"), ("dog", "cat"), ("kitten", "dog")], "swapped").unwrap();
    let classes: Vec<_> = report
        .classes
        .iter()
        .map(|class| (&class.name[..], class.train + class.validation))
        .collect();
    assert_eq!(classes, [("cat", 5), ("dog", 6)]);
    let told = |result: pelage_data::Result<Report>| result.err().unwrap().to_string();
    assert!(
        told(renamed(&[("bird", "x")], "a"))
            .contains("rename is bird=x; it must be of a class of the source: cat, dog, kitten")
    );
    assert!(told(renamed(&[("cat", "x"), ("cat", "y")], "b")).contains("one new name for each class"));
    assert!(told(renamed(&[("kitten", "dog"), ("cat", "dog")], "c")).contains("only one class, 'dog'"));
    assert!(told(renamed(&[("kitten", "../up")], "d")).contains("cannot be a folder's name"));
}

#[test]
fn an_organized_tree_can_be_organized_again() {
    let scratch = Scratch::new(10);
    run(&scratch.options()).unwrap();
    let again = scratch.folder.path().join("again");
    run(&Options {
        ratio: 0.5,
        ..options(&scratch.out(), &again)
    })
    .unwrap();
    let tree = [
        ("train/cat", 5),
        ("train/dog", 5),
        ("validation/cat", 5),
        ("validation/dog", 5),
    ];
    assert_eq!(counts(&again), expected(&tree));
}

#[test]
fn labels_from_a_csv_may_be_hostile() {
    let scratch = Scratch::new(3);
    let labels = scratch.folder.path().join("labels.csv");
    for class in [
        "..",
        ".",
        "../up",
        "/etc",
        "a\\b",
        "a\tb",
        "con",
        "Aux.x",
        "dog ",
        "dog.",
        ".hidden",
        &"x".repeat(300),
    ] {
        write(&labels, format!("cat/0.png,\"{class}\"\ncat/1.png,ok\n").as_bytes());
        let before = files(scratch.folder.path());
        match run(&Options {
            labels: Some(labels.clone()),
            ..scratch.options()
        }) {
            // The CSV's own spaces are trimmed.
            Err(failure) if class != "dog " => {
                let told = failure.to_string();
                assert!(
                    told.contains("cannot be a folder's name") || told.contains("255 bytes"),
                    "{told}"
                );
            }
            result => assert!(class == "dog " && result.is_err(), "{class}"),
        }
        assert_eq!(files(scratch.folder.path()), before, "{class}");
    }
    write(&labels, b"cat/0.png,Cat\ncat/1.png,cat\n");
    let told = refused(&Options {
        labels: Some(labels),
        ..scratch.options()
    });
    assert!(told.contains("classes 'Cat' and 'cat' differ in case only"), "{told}");
}

#[test]
fn hostile_names_of_images() {
    let scratch = Scratch::new(0);
    let long = format!("cat/{}.png", "é".repeat(400));
    let names = [
        "../../etc/cat/x.png",
        "/cat/x.png",
        "C:\\cat\\x.png",
        "cat/a\nb\u{1b}[31m.png",
        "cat/con.png",
        "cat/NUL",
        "cat/X.PNG",
        &long,
        "cat/a:b?.png",
        "cat/-rf.png",
        "cat/x .png. ",
    ];
    let mut members: Vec<_> = names.iter().zip(0..).map(|(name, seed)| (*name, png(seed))).collect();
    members.extend([("dog/1.png", png(50)), ("dog/2.png", png(51))]);
    let source = scratch.folder.path().join("hostile.zip");
    write(&source, &zip(&members));
    // Of `../../etc/cat/x.png` the class is `..`, which is refused.
    let told = refused(&options(&source, &scratch.out()));
    assert!(
        told.contains("class") && told.contains("cannot be a folder's name"),
        "{told}"
    );
    assert!(!scratch.out().exists());

    let members: Vec<_> = members
        .into_iter()
        .filter(|(name, _)| name.starts_with(['c', 'd']))
        .collect();
    write(&source, &zip(&members));
    let report = run(&options(&source, &scratch.out())).unwrap();
    assert_eq!(report.written, members.len());
    let made = files(&scratch.out());
    let mut lower: Vec<String> = made.keys().map(|name| name.to_lowercase()).collect();
    lower.sort();
    lower.dedup();
    // Beside them the plan and the table of origins.
    assert_eq!(lower.len(), members.len() + 2, "{made:?}");
    for name in made.keys() {
        let file = name.rsplit('/').next().unwrap();
        assert!(
            file.len() < 200 && !file.contains(|c: char| c.is_control() || ":?\\".contains(c)),
            "{name:?}"
        );
        assert!(!["con.png", "nul"].contains(&&file.to_lowercase()[..]), "{name}");
    }
    let hashes: std::collections::BTreeSet<_> = made.values().cloned().collect();
    assert!(
        members
            .iter()
            .all(|(_, bytes)| hashes.contains(&blake3::hash(bytes).to_string()))
    );
}

#[test]
fn equal_names_get_numbers() {
    let scratch = Scratch::new(0);
    for i in 0..6 {
        write(scratch.source().join(format!("cat/{i}/photo.png")), &png(i));
        write(scratch.source().join(format!("dog/{i}/photo.png")), &png(100 + i));
    }
    assert_eq!(run(&scratch.options()).unwrap().written, 12);
    assert!(scratch.out().join("train/cat/photo.png").exists() && scratch.out().join("train/cat/photo-5.png").exists());
}
