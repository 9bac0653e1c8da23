//! What `inspect` finds.

mod support;

use image::imageops::{self, FilterType};
use image::{ImageFormat, RgbImage};
use pelage_data::inspect::{Report, inspect};
use support::{class_folders, encoded, png, scene, write};

fn look(path: &std::path::Path) -> Report {
    inspect(path, &|_| {}).unwrap()
}

#[test]
fn counts_sizes_and_formats() {
    let folder = tempfile::tempdir().unwrap();
    for (i, size) in [(20, 30), (40, 10), (60, 50)].into_iter().enumerate() {
        write(folder.path().join(format!("cat/{i}.jpg")), &encoded(&scene(i as u64, size.0, size.1), ImageFormat::Jpeg));
    }
    // Told by content, whatever the name says.
    write(folder.path().join("dog/1.jpg"), &encoded(&scene(10, 8, 8), ImageFormat::Png));
    write(folder.path().join("dog/empty.jpg"), b"");
    write(folder.path().join("dog/text.jpg"), b"hello");
    write(folder.path().join("dog/notes.txt"), b"hello");
    let report = look(folder.path());
    assert_eq!((report.pictures, report.imbalance), (6, 1.0));
    assert_eq!(report.formats.iter().map(|(k, v)| (&k[..], *v)).collect::<Vec<_>>(), [("jpg", 3), ("png", 1)]);
    assert_eq!((report.classes[0].width, report.classes[0].height), ([20, 40, 60], [10, 30, 50]));
    assert_eq!((report.classes[1].set, report.classes[1].pictures, report.classes[1].unreadable), ("all", 3, 2));
    assert_eq!(report.unlabelled, ["dog/notes.txt"]);
    let reasons: Vec<_> = report.unreadable.iter().map(|one| (one.path.rsplit('/').next().unwrap(), &one.reason[..8])).collect();
    assert_eq!(reasons, [("empty.jpg", "empty fi"), ("text.jpg", "not a pi")]);
}

#[test]
fn leaks_across_parts_even_where_training_would_refuse_the_tree() {
    let folder = tempfile::tempdir().unwrap();
    class_folders(&folder.path().join("train"), 6);
    write(folder.path().join("validation/cat/copy.png"), &png(3));
    write(folder.path().join("test/dog/copy.png"), &png(10_002));
    let report = look(folder.path());
    let sets: Vec<_> = report.classes.iter().map(|class| (class.set, &class.name[..])).collect();
    assert_eq!(sets, [("train", "cat"), ("train", "dog"), ("validation", "cat"), ("test", "dog")]);
    assert_eq!((report.exact_duplicates.len(), report.leaks.len()), (2, 2));
    assert!(report.leaks[0][1].ends_with("validation/cat/copy.png"), "{:?}", report.leaks);
    assert!(report.near_duplicates.is_empty(), "{:?}", report.near_duplicates);
}

fn brighter(picture: &RgbImage, factor: f32, plus: f32) -> RgbImage {
    let mut picture = picture.clone();
    picture.iter_mut().for_each(|value| *value = (f32::from(*value) * factor + plus).clamp(0.0, 255.0) as u8);
    picture
}

#[test]
fn near_duplicates_and_only_these() {
    let folder = tempfile::tempdir().unwrap();
    let mut expected = Vec::new();
    for seed in 0..40 {
        let picture = scene(seed, 200, 150);
        let copy = match seed % 5 {
            0 => imageops::resize(&picture, 97, 71, FilterType::Triangle),
            1 => brighter(&picture, 1.0, 0.0),
            2 => brighter(&picture, 0.8, 25.0),
            3 => imageops::crop_imm(&picture, 3, 2, 194, 146).to_image(),
            _ => continue,
        };
        write(folder.path().join(format!("train/a/{seed}.png")), &encoded(&picture, ImageFormat::Png));
        let format = if seed % 5 == 1 { ImageFormat::Jpeg } else { ImageFormat::Png };
        write(folder.path().join(format!("validation/b/{seed}.png")), &encoded(&copy, format));
        expected.push(seed);
    }
    for seed in 1000..1300 {
        write(folder.path().join(format!("train/b/{seed}.png")), &encoded(&scene(seed, 100, 80), ImageFormat::Png));
    }
    // Flat pictures look alike, but say nothing.
    for value in [0, 90, 255] {
        let flat = RgbImage::from_pixel(30, 30, image::Rgb([value; 3]));
        write(folder.path().join(format!("validation/a/{value}.png")), &encoded(&flat, ImageFormat::Png));
    }
    let report = look(folder.path());
    let number = |path: &String| path.rsplit('/').next().unwrap().trim_end_matches(".png").parse::<u64>().unwrap();
    for group in &report.near_duplicates {
        assert!(group.len() == 2 && number(&group[0]) == number(&group[1]), "{group:?}");
    }
    let found: Vec<u64> = report.near_duplicates.iter().map(|group| number(&group[0])).collect();
    assert_eq!(found, expected);
    assert_eq!(report.leaks.len(), expected.len());
}
