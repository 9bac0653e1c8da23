//! What `inspect` finds.

mod support;

use image::codecs::jpeg::JpegEncoder;
use image::imageops::{self, FilterType};
use image::{ImageFormat, RgbImage};
use pelage_data::inspect::{Report, inspect};
use pelage_data::sample::{Animal, draw};
use support::{class_folders, encoded, png, scene, write};

fn look(path: &std::path::Path) -> Report {
    inspect(path, None, &|_| {}).unwrap()
}

#[test]
fn counts_sizes_and_formats() {
    let folder = tempfile::tempdir().unwrap();
    for (i, size) in [(20, 30), (40, 10), (60, 50)].into_iter().enumerate() {
        write(
            folder.path().join(format!("cat/{i}.jpg")),
            &encoded(&scene(i as u64, size.0, size.1), ImageFormat::Jpeg),
        );
    }
    // Told by content, whatever the name says.
    write(
        folder.path().join("dog/1.jpg"),
        &encoded(&scene(10, 8, 8), ImageFormat::Png),
    );
    write(folder.path().join("dog/empty.jpg"), b"");
    write(folder.path().join("dog/text.jpg"), b"hello");
    write(folder.path().join("dog/notes.txt"), b"hello");
    let report = look(folder.path());
    assert_eq!((report.images, report.imbalance), (6, Some(1.0)));
    assert_eq!(
        report.formats.iter().map(|(k, v)| (&k[..], *v)).collect::<Vec<_>>(),
        [("jpg", 3), ("png", 1)]
    );
    assert_eq!(
        (report.classes[0].width, report.classes[0].height),
        ([20, 40, 60], [10, 30, 50])
    );
    assert_eq!(
        (
            report.classes[1].set,
            report.classes[1].images,
            report.classes[1].unreadable
        ),
        ("all", 3, 2)
    );
    let [note] = &report.left_out[..] else {
        panic!("{:?}", report.left_out)
    };
    assert!(note.path.ends_with("dog/notes.txt") && note.reason == "not a picture");
    let reasons: Vec<_> = report
        .unreadable
        .iter()
        .map(|one| (one.path.rsplit('/').next().unwrap(), &one.reason[..8]))
        .collect();
    assert_eq!(reasons, [("empty.jpg", "empty fi"), ("text.jpg", "not a pi")]);
}

#[test]
fn leaks_across_parts_even_where_training_would_refuse_the_tree() {
    let folder = tempfile::tempdir().unwrap();
    class_folders(&folder.path().join("train"), 6);
    write(folder.path().join("validation/cat/copy.png"), &png(3));
    write(folder.path().join("test/dog/copy.png"), &png(10_002));
    let report = look(folder.path());
    let sets: Vec<_> = report
        .classes
        .iter()
        .map(|class| (class.set, &class.name[..]))
        .collect();
    assert_eq!(
        sets,
        [
            ("train", "cat"),
            ("train", "dog"),
            ("validation", "cat"),
            ("test", "dog")
        ]
    );
    assert_eq!((report.exact_duplicates.len(), report.leaks.len()), (2, 2));
    assert!(
        report.leaks[0][1].ends_with("validation/cat/copy.png"),
        "{:?}",
        report.leaks
    );
    assert!(report.near_duplicates.is_empty(), "{:?}", report.near_duplicates);
}

fn brighter(image: &RgbImage, factor: f32, plus: f32) -> RgbImage {
    let mut image = image.clone();
    image
        .iter_mut()
        .for_each(|value| *value = (f32::from(*value) * factor + plus).clamp(0.0, 255.0) as u8);
    image
}

#[test]
fn near_duplicates_and_only_these() {
    let folder = tempfile::tempdir().unwrap();
    let mut expected = Vec::new();
    for seed in 0..40 {
        let image = scene(seed, 200, 150);
        let copy = match seed % 5 {
            0 => imageops::resize(&image, 97, 71, FilterType::Triangle),
            1 => brighter(&image, 1.0, 0.0),
            2 => brighter(&image, 0.8, 25.0),
            3 => imageops::crop_imm(&image, 3, 2, 194, 146).to_image(),
            _ => continue,
        };
        write(
            folder.path().join(format!("train/a/{seed}.png")),
            &encoded(&image, ImageFormat::Png),
        );
        let format = if seed % 5 == 1 {
            ImageFormat::Jpeg
        } else {
            ImageFormat::Png
        };
        write(
            folder.path().join(format!("validation/b/{seed}.png")),
            &encoded(&copy, format),
        );
        expected.push(seed);
    }
    for seed in 1000..1300 {
        write(
            folder.path().join(format!("train/b/{seed}.png")),
            &encoded(&scene(seed, 100, 80), ImageFormat::Png),
        );
    }
    // Flat images look alike, but say nothing.
    for value in [0, 90, 255] {
        let flat = RgbImage::from_pixel(30, 30, image::Rgb([value; 3]));
        write(
            folder.path().join(format!("validation/a/{value}.png")),
            &encoded(&flat, ImageFormat::Png),
        );
    }
    let report = look(folder.path());
    let number = |path: &String| {
        path.rsplit('/')
            .next()
            .unwrap()
            .trim_end_matches(".png")
            .parse::<u64>()
            .unwrap()
    };
    for group in &report.near_duplicates {
        assert!(group.len() == 2 && number(&group[0]) == number(&group[1]), "{group:?}");
    }
    let found: Vec<u64> = report.near_duplicates.iter().map(|group| number(&group[0])).collect();
    assert_eq!(found, expected);
    assert_eq!(report.leaks.len(), expected.len());
}

fn jpeg(image: &RgbImage, quality: u8) -> Vec<u8> {
    let mut bytes = Vec::new();
    JpegEncoder::new_with_quality(&mut bytes, quality)
        .encode_image(image)
        .unwrap();
    bytes
}

/// Two animals of one kind on like grounds are two images; one compressed anew or made smaller stays one.
#[test]
fn drawn_animals_differ_and_their_copies_do_not() {
    let folder = tempfile::tempdir().unwrap();
    for animal in [Animal::Cat, Animal::Dog] {
        for index in 0..200 {
            let (name, image) = (animal.name(), draw(animal, index, 0, 96));
            write(
                folder.path().join(format!("train/{name}/{index}.jpg")),
                &jpeg(&image, 92),
            );
            if index < 10 {
                let small = imageops::resize(&image, 64, 64, FilterType::Triangle);
                write(
                    folder.path().join(format!("validation/{name}/{index}.jpg")),
                    &jpeg(&small, 60),
                );
            }
        }
    }
    let report = look(folder.path());
    let in_class = |path: &String| path.rsplit('/').take(2).map(str::to_string).collect::<Vec<_>>();
    for group in &report.near_duplicates {
        assert!(
            group.len() == 2 && in_class(&group[0]) == in_class(&group[1]),
            "{group:?}"
        );
    }
    assert_eq!((report.near_duplicates.len(), report.leaks.len()), (20, 20));
}

/// A card with a few marks on a plain ground, as sites put in the place of a missing photograph. All of its ground is
/// noise of compression and nothing else.
#[test]
fn cards_on_a_plain_ground() {
    let card = |seed: u64, ground: u8| {
        let mut image = RgbImage::from_pixel(200, 200, image::Rgb([ground; 3]));
        let marks = scene(seed, 8, 1);
        for (i, mark) in marks.pixels().enumerate() {
            let (left, top) = (10 + 22 * i as u32, 80 + u32::from(mark[0]) % 20);
            let bar = RgbImage::from_pixel(4 + u32::from(mark[1]) % 14, 30, image::Rgb([200, 20, 20]));
            imageops::replace(&mut image, &bar, i64::from(left), i64::from(top));
        }
        image
    };
    let folder = tempfile::tempdir().unwrap();
    for seed in 0..20 {
        let ground = 235 + seed as u8;
        write(
            folder.path().join(format!("train/cat/{seed}.jpg")),
            &jpeg(&card(seed, ground), 95),
        );
        // The same, scanned: an uneven ground of two grays more or less.
        let mut copy = card(seed, ground);
        let noise = scene(500 + seed, 25, 25);
        for (x, y, pixel) in copy.enumerate_pixels_mut() {
            let by = noise.get_pixel(x / 8, y / 8)[0] % 3;
            pixel.0.iter_mut().for_each(|value| *value = value.saturating_sub(by));
        }
        write(folder.path().join(format!("train/dog/{seed}.jpg")), &jpeg(&copy, 70));
    }
    let report = look(folder.path());
    let number = |path: &String| path.rsplit('/').next().unwrap().to_string();
    let both = |seed: u64| {
        report.near_duplicates.iter().any(|group| {
            group
                .iter()
                .filter(|path| number(path) == format!("{seed}.jpg"))
                .count()
                == 2
        })
    };
    assert!((0..20).all(both), "{:#?}", report.near_duplicates);
}

#[test]
fn images_without_a_label_are_looked_at() {
    let folder = tempfile::tempdir().unwrap();
    class_folders(&folder.path().join("pets"), 2);
    write(folder.path().join("pets/loose.png"), b"broken");
    let report = look(&folder.path().join("pets"));
    assert_eq!(
        (report.images, report.unreadable.len(), report.imbalance),
        (5, 1, Some(1.0))
    );
    let last = report.classes.last().unwrap();
    assert_eq!((&last.name[..], last.images, last.unreadable), ("", 1, 1));
    assert!(report.left_out.is_empty(), "{:?}", report.left_out);
    // A test set has no labels at all.
    let flat = tempfile::tempdir().unwrap();
    (0..3).for_each(|i| write(flat.path().join(format!("{i}.png")), &png(i)));
    assert_eq!(look(flat.path()).images, 3);
}
