//! Data sets of the caller's: in memory, and such that contradict themselves.

mod support;

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;

use image::{ImageFormat, RgbImage};
use pelage_data::cache::{Cache, CacheMode, DecodedImages, fingerprint};
use pelage_data::catalog::{self, Catalog};
use pelage_data::dataset::{Dataset, Image, Subset, check, counts, labels, split};
use pelage_data::loader::{Pass, batches};
use pelage_data::memory::InMemory;
use pelage_data::preprocess::Preprocessing;
use pelage_data::{Error, Result};
use support::{class_folders, encoded, png, scene};

fn in_memory(count: u64) -> InMemory {
    let mut images = InMemory::new(["cat", "dog"]);
    for i in 0..count {
        images.push(format!("cat {i}"), "cat", Image::Encoded(png(i))).unwrap();
        images
            .push(format!("dog {i}"), 1, Image::Rgb(scene(10_000 + i, 12, 9)))
            .unwrap();
    }
    images
}

fn noise() -> Vec<u8> {
    (0..8 * 8 * 3).map(|i| (i * 37 % 256) as u8).collect()
}

/// A cache whose folder cannot be made.
fn without_a_folder(mode: CacheMode) -> Cache {
    Cache {
        folder: "/dev/null/cache".into(),
        ..Cache::new(mode)
    }
}

fn open(dataset: impl Dataset + 'static, mode: CacheMode) -> Result<DecodedImages> {
    let size = Preprocessing::new(8);
    DecodedImages::open(Arc::new(dataset), &size, &without_a_folder(mode), &|_| {})
}

fn pixels(images: &DecodedImages) -> Vec<Vec<u8>> {
    let all = (0..images.len()).map(|i| images.pixels(i).unwrap().into_owned());
    all.collect()
}

#[test]
fn images_in_memory_are_as_those_of_files() {
    let folder = tempfile::tempdir().unwrap();
    class_folders(folder.path(), 4);
    let files = open(Catalog::from_source(folder.path(), None).unwrap(), CacheMode::Ram).unwrap();
    for mode in [CacheMode::Off, CacheMode::Ram, CacheMode::Auto] {
        let memory = open(in_memory(4), mode).unwrap();
        let order: Vec<usize> = (0..4).flat_map(|i| [i, 4 + i]).collect();
        let expected: Vec<Vec<u8>> = order.iter().map(|&i| pixels(&files)[i].clone()).collect();
        assert_eq!(pixels(&memory), expected);
        assert_eq!((memory.label(3), memory.name(3)), (1, "dog 1"));
        let batch = batches(Arc::new(memory), Pass::default()).next().unwrap().unwrap();
        assert_eq!(batch.targets.labels(), [0, 1, 0, 1, 0, 1, 0, 1]);
    }
    // A disk cache is there for who asks for it, and needs its folder.
    assert!(matches!(open(in_memory(4), CacheMode::Disk), Err(Error::Cache { .. })));
    let disk = Cache {
        folder: folder.path().join("cache"),
        ..Cache::new(CacheMode::Disk)
    };
    let images = DecodedImages::open(Arc::new(in_memory(4)), &Preprocessing::new(8), &disk, &|_| {}).unwrap();
    assert_eq!(pixels(&images), pixels(&open(in_memory(4), CacheMode::Ram).unwrap()));
}

#[test]
fn a_fingerprint_is_of_pixels_and_sides() {
    let one = |width, height, bytes: Vec<u8>| {
        let mut images = InMemory::new(["a"]);
        images.push("", 0, Image::rgb(width, height, bytes).unwrap()).unwrap();
        fingerprint(&images, &Preprocessing::new(8))
    };
    let prints = [
        one(2, 1, vec![1, 2, 3, 4, 5, 6]),
        one(1, 2, vec![1, 2, 3, 4, 5, 6]),
        one(2, 1, vec![1, 2, 3, 4, 5, 7]),
        one(0, 2, vec![]),
        one(2, 0, vec![]),
    ];
    assert_eq!(prints.iter().collect::<HashSet<_>>().len(), prints.len());
    assert_eq!(prints[0], one(2, 1, vec![1, 2, 3, 4, 5, 6]));
}

#[test]
fn arrays_and_labels_that_do_not_fit() {
    for (width, height, count, needed) in [
        (2, 2, 11, "12"),
        (2, 2, 13, "12"),
        (0, 5, 1, "0"),
        (u32::MAX, u32::MAX, 9, "55340232195358851075"),
    ] {
        let told = Image::rgb(width, height, vec![0; count]).unwrap_err().to_string();
        assert!(
            told.contains(&format!("has {needed} bytes, and {count} were given")),
            "{told}"
        );
    }
    let mut images = InMemory::new(["cat", "dog"]);
    let black = || Image::rgb(1, 1, vec![0; 3]).unwrap();
    let told = images.push("x", "bird", black()).unwrap_err().to_string();
    assert!(
        told.contains("'x' is of class 'bird', and there are only cat, dog"),
        "{told}"
    );
    let told = images.push("x", 2, black()).unwrap_err().to_string();
    assert!(told.contains("'x' has the label 2, and there are 2 classes"), "{told}");
    assert!(images.is_empty());
}

#[test]
fn bytes_behind_the_last_row_are_none_of_an_image() {
    let longer = RgbImage::from_raw(8, 8, [noise(), vec![9; 50]].concat()).unwrap();
    let exact = Image::rgb(8, 8, noise()).unwrap();
    let mut images = InMemory::new(["a"]);
    images.push("longer", 0, Image::Rgb(longer)).unwrap();
    images.push("exact", 0, exact).unwrap();
    images
        .push("nothing", 0, Image::Rgb(RgbImage::from_raw(0, 8, vec![1]).unwrap()))
        .unwrap();
    images = (0..20).fold(images, |mut images, i| {
        images.push("", 0, Image::Encoded(png(i))).unwrap();
        images
    });
    let opened = open(images, CacheMode::Ram).unwrap();
    assert_eq!(pixels(&opened)[..2], [noise(), noise()]);
    assert_eq!(opened.unreadable()[0].reason, "it has no pixels");
}

#[test]
fn unreadable_images_in_memory_count_as_others() {
    let mut images = in_memory(10);
    images.push("broken", "cat", Image::Encoded(b"hello".to_vec())).unwrap();
    images.push("empty", "dog", Image::rgb(0, 7, vec![]).unwrap()).unwrap();
    let opened = open(images.clone(), CacheMode::Ram).unwrap();
    let told: Vec<_> = opened
        .unreadable()
        .iter()
        .map(|one| (&one.path[..], &one.reason[..]))
        .collect();
    assert_eq!(told[1], ("empty", "it has no pixels"));
    assert!(told[0].0 == "broken" && told[0].1.starts_with("not a picture"));
    images.push("broken too", "cat", Image::Encoded(vec![])).unwrap();
    match open(images, CacheMode::Off) {
        Err(Error::TooManyUnreadable { unreadable, total: 23 }) => assert_eq!(unreadable.len(), 3),
        other => panic!("{:?}", other.err()),
    }
    let mut images = in_memory(10);
    let mut three = InMemory::new(["cat", "dog", "bird"]);
    for index in 0..images.len() {
        three
            .push("", images.label(index), images.image(index).unwrap())
            .unwrap();
    }
    images = three;
    images.push("broken", "bird", Image::Encoded(vec![])).unwrap();
    assert!(matches!(open(images, CacheMode::Ram), Err(Error::UnreadableClass { class, .. }) if class == "bird"));
}

#[test]
fn splits_of_memory_and_of_files_are_the_same() {
    let folder = tempfile::tempdir().unwrap();
    class_folders(folder.path(), 12);
    support::write(folder.path().join("dog/again.png"), &png(3));
    let files = Catalog::from_source(folder.path(), None).unwrap();
    let mut memory = InMemory::new(files.classes.clone());
    for index in 0..files.len() {
        memory
            .push(files.name(index), files.label(index), files.image(index).unwrap())
            .unwrap();
    }
    let names = |dataset: &dyn Dataset| -> Vec<String> {
        (0..dataset.len())
            .map(|index| dataset.name(index).to_string())
            .collect()
    };
    for seed in 0..5 {
        let parted = catalog::split(&files, 0.3, seed).unwrap();
        let [train, validation] = split(Arc::new(memory.clone()), 0.3, seed).unwrap();
        assert_eq!(
            (names(&train), names(&validation)),
            (names(&parted.train), names(&parted.validation))
        );
        check(&train, &validation).unwrap();
        assert!(train.is_in_memory() && train.classes() == files.classes);
        let side = |name: &str| names(&validation).contains(&name.to_string());
        assert_eq!(side("cat/3.png"), side("dog/again.png"));
        let opened = open(validation, CacheMode::Ram).unwrap();
        assert_eq!(opened.len(), names(&parted.validation).len());
    }
    for ratio in [0.0, 1.0, -0.5, f64::NAN] {
        let failure = split(Arc::new(memory.clone()), ratio, 0).err().unwrap();
        assert!(
            matches!(
                failure,
                Error::Setting {
                    name: "validation_split",
                    ..
                }
            ),
            "{failure}"
        );
    }
    assert!(Subset::new(Arc::new(memory), vec![0, 25]).is_err());
}

/// One that says what it likes.
struct Foreign {
    classes: Vec<String>,
    labels: Vec<usize>,
    image: fn(usize) -> std::result::Result<Image, String>,
}

impl Foreign {
    fn new(classes: &[&str], labels: &[usize]) -> Foreign {
        Foreign {
            classes: classes.iter().map(|class| class.to_string()).collect(),
            labels: labels.to_vec(),
            image: |index| Ok(Image::Encoded(encoded(&scene(index as u64, 9, 9), ImageFormat::Png))),
        }
    }
}

impl Dataset for Foreign {
    fn len(&self) -> usize {
        self.labels.len()
    }

    fn classes(&self) -> &[String] {
        &self.classes
    }

    fn label(&self, index: usize) -> usize {
        self.labels[index]
    }

    fn name(&self, _: usize) -> &str {
        "same"
    }

    fn image(&self, index: usize) -> std::result::Result<Image, String> {
        (self.image)(index)
    }
}

#[test]
fn what_contradicts_itself_is_told() {
    let bad = || Foreign::new(&["a", "b"], &[0, 1, 2]);
    for failure in [
        open(bad(), CacheMode::Ram).err().unwrap(),
        split(Arc::new(bad()), 0.5, 0).err().unwrap(),
        check(&bad(), &bad()).unwrap_err(),
        counts(&bad()).unwrap_err(),
    ] {
        let told = failure.to_string();
        assert!(
            told.contains("'same' has the label 2, and there are 2 classes"),
            "{told}"
        );
    }
    let twice = labels(&Foreign::new(&["a", "a"], &[0])).unwrap_err().to_string();
    assert!(twice.contains("two of its classes have the name 'a'"), "{twice}");
    let good = Foreign::new(&["a", "b"], &[0, 1, 0, 1]);
    check(&good, &good).unwrap();
    for (train, validation, reason) in [
        (Foreign::new(&[], &[]), Foreign::new(&[], &[]), "it has no classes"),
        (
            Foreign::new(&["a"], &[0]),
            Foreign::new(&["a"], &[0]),
            "only one class, 'a'",
        ),
        (
            Foreign::new(&["a", "b"], &[0, 1]),
            Foreign::new(&["b", "a"], &[0, 1]),
            "in the same order",
        ),
        (
            Foreign::new(&["a", "b"], &[0, 0]),
            Foreign::new(&["a", "b"], &[0, 1]),
            "train has no picture of class 'b'",
        ),
        (
            Foreign::new(&["a", "b"], &[0, 1]),
            Foreign::new(&["a", "b"], &[]),
            "validation has no picture of class 'a'",
        ),
    ] {
        let told = check(&train, &validation).unwrap_err().to_string();
        assert!(told.contains(reason), "{told}");
    }
    // Nothing to divide by, and nothing to index.
    assert_eq!(open(Foreign::new(&[], &[]), CacheMode::Ram).unwrap().len(), 0);
}

#[test]
fn a_panic_of_a_data_set_ends_the_pass_and_not_the_process() {
    static OPENED: std::sync::atomic::AtomicBool = std::sync::atomic::AtomicBool::new(false);
    let mut dataset = Foreign::new(&["a", "b"], &[0, 1]);
    dataset.image = |index| {
        let opened = OPENED.load(std::sync::atomic::Ordering::Relaxed);
        assert!(!opened || index == 0, "no image {index} today");
        Ok(Image::Rgb(scene(0, 9, 9)))
    };
    let images = Arc::new(open(dataset, CacheMode::Off).unwrap());
    OPENED.store(true, std::sync::atomic::Ordering::Relaxed);
    let mut pass = batches(images, Pass::default());
    let told = pass.next().unwrap().unwrap_err().to_string();
    assert!(told.contains("panicked: no image 1 today"), "{told}");
    assert!(pass.next().is_none());
}

#[test]
fn sizes_that_cannot_be_kept() {
    let open = |preprocessing: Preprocessing, size: Option<[u32; 2]>| {
        let cache = Cache {
            size,
            ..without_a_folder(CacheMode::Ram)
        };
        DecodedImages::open(Arc::new(in_memory(2)), &preprocessing, &cache, &|_| {})
    };
    for (side, kept) in [
        (0, None),
        (8, Some([8, 7])),
        (8, Some([7, 8])),
        (8, Some([0, 0])),
        (1 << 20, None),
        (8, Some([u32::MAX; 2])),
    ] {
        let failure = open(Preprocessing::new(side), kept).err().unwrap();
        assert!(
            matches!(failure, Error::Setting { name: "image_size", .. }),
            "{failure}"
        );
    }
    let kept = open(Preprocessing::new(8), Some([16, 12])).unwrap();
    assert_eq!(kept.pixels(0).unwrap().len(), 8 * 8 * 3);
    assert!(!Path::new("/dev/null/cache").exists());
}
