//! Labels, parts and splits.

mod support;

use std::collections::HashMap;
use std::path::Path;

use pelage_data::Error;
use pelage_data::catalog::{Catalog, Part, Scored, open_dataset, open_parts, split};
use proptest::prelude::*;
use support::{class_folders, png, write, zip};

fn refused<T>(result: pelage_data::Result<T>) -> String {
    result.err().expect("accepted").to_string()
}

fn parts(root: &Path, validation: &str) {
    class_folders(&root.join("train"), 4);
    for (class, seed) in [("cat", 500), ("dog", 600)] {
        write(root.join(format!("{validation}/{class}/v.png")), &png(seed));
    }
}

#[test]
fn a_tree_with_parts() {
    for validation in ["validation", "valid", "val", "Val"] {
        let folder = tempfile::tempdir().unwrap();
        parts(folder.path(), validation);
        // What else lies beside the parts is none of it.
        write(folder.path().join("runs/first/curves.png"), &png(9));
        write(folder.path().join("train/notes.txt"), b"mine");
        let split = open_dataset(folder.path(), None, 0).unwrap();
        assert_eq!(split.train.classes, ["cat", "dog"]);
        assert_eq!(
            (split.train.counts(), split.validation.counts()),
            (vec![4, 4], vec![1, 1])
        );
        let told = refused(open_dataset(folder.path(), Some(0.2), 0));
        assert!(told.contains("has a validation part already"), "{told}");
    }
}

#[test]
fn a_zip_with_parts() {
    let folder = tempfile::tempdir().unwrap();
    let members: Vec<_> = [
        "train/cat/1",
        "train/cat/2",
        "train/dog/1",
        "validation/cat/1",
        "validation/dog/1",
    ]
    .iter()
    .zip(0..)
    .map(|(name, seed)| (format!("data/{name}.png"), png(seed)))
    .collect();
    let members: Vec<_> = members
        .iter()
        .map(|(name, bytes)| (name.as_str(), bytes.clone()))
        .collect();
    let path = folder.path().join("data.zip");
    write(&path, &zip(&members));
    let split = open_dataset(&path, None, 0).unwrap();
    assert_eq!(
        (split.train.counts(), split.validation.counts()),
        (vec![2, 1], vec![1, 1])
    );
}

#[test]
fn what_is_wrong_is_told() {
    let fresh = || {
        let folder = tempfile::tempdir().unwrap();
        parts(folder.path(), "validation");
        folder
    };
    let told = |folder: &tempfile::TempDir| refused(open_dataset(folder.path(), None, 0));

    let folder = fresh();
    write(folder.path().join("validation/bird/1.png"), &png(1));
    assert!(
        told(&folder).contains("validation has a class 'bird' that training does not know"),
        "{}",
        told(&folder)
    );

    let folder = fresh();
    std::fs::remove_dir_all(folder.path().join("validation/dog")).unwrap();
    assert!(
        told(&folder).contains("validation has no picture of class 'dog'"),
        "{}",
        told(&folder)
    );

    let folder = fresh();
    write(folder.path().join("train/bird/notes.txt"), b"none yet");
    assert!(
        told(&folder).contains("class 'bird' has no pictures"),
        "{}",
        told(&folder)
    );

    let folder = fresh();
    std::fs::remove_dir_all(folder.path().join("train/dog")).unwrap();
    std::fs::remove_dir_all(folder.path().join("validation/dog")).unwrap();
    assert!(told(&folder).contains("only one class, 'cat'"), "{}", told(&folder));

    let folder = fresh();
    std::fs::remove_dir_all(folder.path().join("validation")).unwrap();
    let missing = open_dataset(folder.path(), None, 0).unwrap_err();
    assert!(matches!(&missing, Error::NoValidation { path, .. } if path == folder.path()));
    assert!(
        missing.to_string().contains("set a share of the pictures aside"),
        "{missing}"
    );

    let folder = tempfile::tempdir().unwrap();
    assert!(told(&folder).contains("holds no files"));
    write(folder.path().join("train.zip"), &zip(&[("cat.0.png", png(0))]));
    let told = refused(open_dataset(folder.path(), Some(0.5), 0));
    assert!(told.contains("give that zip itself"), "{told}");
    assert!(refused(open_dataset(&folder.path().join("nothing"), None, 0)).contains("there is no such"));
    assert!(refused(open_dataset(folder.path(), Some(1.5), 0)).contains("between 0 and 1"));
}

#[test]
fn a_split_of_the_training_part_leaves_the_test_part_alone() {
    let folder = tempfile::tempdir().unwrap();
    class_folders(&folder.path().join("train"), 10);
    class_folders(&folder.path().join("test"), 3);
    let split = open_dataset(folder.path(), Some(0.2), 0).unwrap();
    assert_eq!(
        (split.train.counts(), split.validation.counts()),
        (vec![8, 8], vec![2, 2])
    );
    assert!(
        split
            .train
            .items
            .iter()
            .chain(&split.validation.items)
            .all(|item| item.name.starts_with("train/"))
    );
}

#[test]
fn junk_is_no_class_and_images_are_told_by_content() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("PetImages");
    class_folders(&root, 3);
    for junk in [
        "Cat/Thumbs.db",
        "cat/notes.txt",
        "readme[1].txt",
        "empty.txt",
        "other/list.csv",
    ] {
        write(root.join(junk), b"");
    }
    write(folder.path().join("MSR-LA - 3467.docx"), b"PK license");
    write(root.join("cat/no_extension"), &png(77));
    write(root.join("dog/empty.jpg"), b"");
    let catalog = Catalog::from_source(folder.path(), None).unwrap();
    assert_eq!(catalog.classes, ["cat", "dog"]);
    // The empty image stays: it is told of as unreadable.
    assert_eq!(catalog.counts(), [4, 4]);
    let reasons = |reason: &str| catalog.left_out.iter().filter(|one| one.reason == reason).count();
    assert_eq!(
        [
            reasons("not a picture"),
            reasons("left by Windows"),
            catalog.left_out.len()
        ],
        [5, 1, 6],
        "{:?}",
        catalog.left_out
    );
}

fn from_csv(csv: &[u8]) -> pelage_data::Result<HashMap<String, String>> {
    let folder = tempfile::tempdir().unwrap();
    let source = folder.path().join("pictures");
    for name in ["a/1.png", "a/2.png", "b/2.png", "b/3.x.png"] {
        write(source.join(name), &png(0));
    }
    let path = folder.path().join("labels.csv");
    write(&path, csv);
    let catalog = Catalog::from_source(&source, Some(&path))?;
    Ok(catalog
        .items
        .iter()
        .map(|item| (item.name.clone(), catalog.classes[item.label].clone()))
        .collect())
}

#[test]
fn labels_from_a_csv() {
    let labels = from_csv(b"path,label\r\n1.png,cat\r\n\"a/2.png\",\"dog, small\"\r\nb\\2.png, dog \r\n").unwrap();
    assert_eq!(labels.len(), 3);
    assert_eq!(
        (&labels["a/1.png"][..], &labels["a/2.png"][..], &labels["b/2.png"][..]),
        ("cat", "dog, small", "dog")
    );
    // As Excel writes it, with a byte order mark, and as Kaggle does, without extensions.
    assert_eq!(from_csv(b"\xEF\xBB\xBF1.png,cat\n").unwrap()["a/1.png"], "cat");
    assert_eq!(from_csv(b"id,breed\n1,cat\n3.x,dog\n").unwrap()["b/3.x.png"], "dog");
    // Nobody has said yet what it is.
    let labels = from_csv(b"1.png,cat\n3.x,\n\"a/2.png\", \n").unwrap();
    assert_eq!(
        Vec::from_iter(labels.iter()),
        [(&"a/1.png".to_string(), &"cat".to_string())]
    );
    for (csv, reason) in [
        (&b"9.png,cat\n"[..], "line 1: there is no file '9.png'"),
        (
            b"1.png,cat\n../../etc/x.jpg,dog\n",
            "line 2: there is no file '../../etc/x.jpg'",
        ),
        (
            b"1.png,cat\n/etc/passwd,dog\n",
            "line 2: there is no file '/etc/passwd'",
        ),
        (b"2.png,cat\n", "fits several files"),
        (b"1.png\n", "expected two columns"),
        (
            b"1.png,cat\na/1.png,dog\n",
            "line 2: 'a/1.png' is labelled 'dog' here and 'cat' before",
        ),
        (b"1.png,\xFF\xFE\n", "line 1"),
    ] {
        let told = refused(from_csv(csv));
        assert!(told.contains("labels.csv") && told.contains(reason), "{told}");
    }
}

#[test]
fn a_class_that_cannot_be_parted() {
    let folder = tempfile::tempdir().unwrap();
    class_folders(folder.path(), 5);
    write(folder.path().join("bird/1.png"), &png(900));
    let catalog = || Catalog::from_source(folder.path(), None).unwrap();
    assert!(refused(split(&catalog(), 0.2, 0)).contains("class 'bird' cannot be split"));
    write(folder.path().join("bird/2.png"), &png(900));
    assert!(refused(split(&catalog(), 0.2, 0)).contains("byte-identical"));
    write(folder.path().join("bird/3.png"), &png(901));
    split(&catalog(), 0.2, 0).unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() })]

    /// Images are told apart by `contents`; equal ones are byte-identical.
    #[test]
    fn splits(contents in prop::collection::vec((0usize..3, 0u64..60), 30..120), ratio in 0.1f64..0.5, seed in 0u64..9) {
        let folder = tempfile::tempdir().unwrap();
        for (i, (class, content)) in contents.iter().enumerate() {
            write(folder.path().join(format!("{class}/{i}.png")), format!("\x42M{content}").as_bytes());
        }
        let catalog = Catalog::from_source(folder.path(), None).unwrap();
        let Ok(parted) = split(&catalog, ratio, seed) else { return Ok(()) };
        let names = |catalog: &Catalog| catalog.items.iter().map(|item| item.name.clone()).collect::<Vec<_>>();
        let mut all = [names(&parted.train), names(&parted.validation)].concat();
        all.sort_by(|a, b| pelage_data::source::natural_order(a, b));
        prop_assert_eq!(all, names(&catalog));
        let content = |name: &str| contents[name.split(['/', '.']).nth(1).unwrap().parse::<usize>().unwrap()].1;
        for name in names(&parted.validation) {
            prop_assert!(names(&parted.train).iter().all(|other| content(other) != content(&name)));
        }
        // Never more than the share; less only where duplicates would not fit.
        let mut times = HashMap::new();
        contents.iter().for_each(|(_, content)| *times.entry(content).or_insert(0) += 1);
        for (class, (count, chosen)) in catalog.counts().iter().zip(parted.validation.counts()).enumerate() {
            let wanted = ((*count as f64 * ratio).round() as usize).clamp(1, count - 1);
            prop_assert!(chosen <= wanted);
            let label: usize = catalog.classes[class].parse().unwrap();
            let single = contents.iter().filter(|(c, content)| *c == label && times[content] == 1).count();
            prop_assert!(chosen == wanted || single < wanted);
        }
        // The order in which files are listed does not matter.
        let mut turned = catalog.clone();
        turned.items.reverse();
        let mut other = names(&split(&turned, ratio, seed).unwrap().validation);
        other.reverse();
        prop_assert_eq!(other, names(&parted.validation));
    }
}

fn scored(path: &Path) -> pelage_data::Result<Scored> {
    open_parts(path)?.to_evaluate()
}

/// What is broken must not be evaluated on the images that were trained on.
#[test]
fn the_part_to_evaluate_on_is_validation_then_test_and_never_training() {
    let folder = tempfile::tempdir().unwrap();
    parts(folder.path(), "val");
    class_folders(&folder.path().join("test"), 3);
    let validation = scored(folder.path()).unwrap();
    assert_eq!(
        (
            validation.part,
            validation.images.items.len(),
            validation.train.unwrap().items.len()
        ),
        (Some(Part::Validation), 2, 8)
    );
    std::fs::remove_dir_all(folder.path().join("val")).unwrap();
    let test = scored(folder.path()).unwrap();
    assert_eq!((test.part, test.images.items.len()), (Some(Part::Test), 6));
    // A test part without labels, as Kaggle has it, leaves nothing.
    std::fs::remove_dir_all(folder.path().join("test")).unwrap();
    write(folder.path().join("test1/1.png"), &png(1));
    let nothing = scored(folder.path()).err();
    assert!(matches!(nothing, Some(Error::OnlyTraining { .. })), "{nothing:?}");
    let told = nothing.unwrap().to_string();
    assert!(told.contains("only the training part, train, has labels"), "{told}");
    // Whoever means the training part can name it.
    let named = scored(&folder.path().join("train")).unwrap();
    assert_eq!((named.part, named.images.items.len()), (None, 8));

    // A part that lacks a class is scored on what it has; one that training does not know is a mistake.
    let uneven = tempfile::tempdir().unwrap();
    class_folders(&uneven.path().join("Train"), 4);
    write(uneven.path().join("Valid/dog/v.png"), &png(5));
    let validation = scored(uneven.path()).unwrap().images;
    assert_eq!((validation.counts(), validation.items[0].label), (vec![0, 1], 1));
    write(uneven.path().join("Valid/bird/v.png"), &png(5));
    let told = refused(scored(uneven.path()));
    assert!(told.contains("validation has a class 'bird'"), "{told}");

    let plain = tempfile::tempdir().unwrap();
    class_folders(plain.path(), 3);
    let all = scored(plain.path()).unwrap();
    assert_eq!((all.part, all.images.items.len()), (None, 6));

    let unlabelled = tempfile::tempdir().unwrap();
    write(unlabelled.path().join("1.png"), &png(1));
    let nothing = scored(unlabelled.path()).err();
    assert!(matches!(nothing, Some(Error::NoLabels { .. })), "{nothing:?}");
    let nowhere = scored(&unlabelled.path().join("nowhere")).err();
    assert!(matches!(nowhere, Some(Error::NotFound { .. })), "{nowhere:?}");
}

#[test]
fn a_folder_of_zips_says_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["cats.zip", "dogs.zip", "birds.zip"] {
        support::write(folder.path().join(name), &support::zip(&[("1.png", support::png(1))]));
    }
    let told = open_dataset(folder.path(), Some(0.5), 0).err().unwrap().to_string();
    assert!(
        told.contains("3 zips (birds.zip, cats.zip and more); unpack each into a folder of its own"),
        "{told}"
    );
}

/// Below other folders and in zips as at the top.
#[test]
fn parts_are_told_wherever_they_lie() {
    let folder = tempfile::tempdir().unwrap();
    let names = ["Train/cat/1", "Train/dog/2", "Test/cat/3", "Test/dog/4"];
    let members: Vec<_> = names.iter().map(|name| format!("data/new/{name}.png")).collect();
    let members: Vec<_> = members
        .iter()
        .zip(0..)
        .map(|(name, seed)| (name.as_str(), png(seed)))
        .collect();
    let path = folder.path().join("data.zip");
    write(&path, &zip(&members));
    members
        .iter()
        .for_each(|(name, bytes)| write(folder.path().join(name), bytes));
    for source in [&path, &folder.path().join("data")] {
        let test = scored(source).unwrap();
        let names: Vec<_> = test
            .images
            .items
            .iter()
            .map(|item| item.name.rsplit('/').next().unwrap())
            .collect();
        assert_eq!((test.part, names), (Some(Part::Test), vec!["3.png", "4.png"]));
    }
}

/// Not two classes "train" and "val_data".
#[test]
fn a_share_of_a_part_is_taken_from_training_alone() {
    for other in ["val_data", "more"] {
        let folder = tempfile::tempdir().unwrap();
        class_folders(&folder.path().join("train"), 10);
        class_folders(&folder.path().join(other), 3);
        let told = match open_dataset(folder.path(), Some(0.2), 0) {
            Err(failure) => failure.to_string(),
            Ok(split) => {
                assert_eq!(split.train.counts(), [8, 8], "{other}");
                assert!(
                    split
                        .train
                        .left_out
                        .iter()
                        .all(|one| one.reason.contains("beside the parts"))
                );
                assert_eq!(split.train.left_out.len(), 6);
                continue;
            }
        };
        assert!(
            other == "val_data" && told.contains("has a validation part"),
            "{other}: {told}"
        );
    }
    // Nobody can tell: an error, not a guess.
    let folder = tempfile::tempdir().unwrap();
    class_folders(&folder.path().join("2023"), 3);
    class_folders(&folder.path().join("2024"), 3);
    let told = refused(open_dataset(folder.path(), Some(0.2), 0));
    assert!(told.contains("2023, 2024 hold the same, cat, dog"), "{told}");
    assert!(scored(folder.path()).is_err() && Catalog::from_source(folder.path(), None).is_err());
}
