//! The loader: the same batches however they are made, each image once, errors in their place, and a clean end.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use image::{Rgb, RgbImage};
use pelage_data::augment::Augmentation;
use pelage_data::cache::{Cache, CacheMode, DecodedImages};
use pelage_data::catalog::Catalog;
use pelage_data::loader::{Batch, Order, Pass, batches};
use pelage_data::preprocess::Preprocessing;
use pelage_data::shard::Shard;
use pelage_data::targets::Targets;

const COUNT: usize = 23;
const SHUFFLED: Order = Order::Shuffled { seed: 5, epoch: 2 };

/// A folder of `COUNT` images in two classes.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for i in 0..COUNT {
        let class = folder.path().join(if i < 10 { "cats" } else { "dogs" });
        std::fs::create_dir_all(&class).unwrap();
        let pixel = |x: u32, y: u32| Rgb([(i * 10) as u8, (x * 13) as u8, (y * 17) as u8]);
        RgbImage::from_fn(14, 12, pixel)
            .save(class.join(format!("{i:02}.png")))
            .unwrap();
    }
    folder
}

fn open(folder: &Path, mode: CacheMode) -> Arc<DecodedImages> {
    let catalog = Arc::new(Catalog::from_source(folder, None).unwrap());
    let preprocessing = Preprocessing {
        width: 14,
        height: 12,
        mean: [0.5, 0.4, 0.3],
        std: [0.2, 0.25, 0.3],
        ..Preprocessing::new(1)
    };
    Arc::new(DecodedImages::open(catalog, &preprocessing, &Cache::new(mode), &|_| {}).unwrap())
}

fn in_fours() -> Pass {
    Pass {
        batch_size: 4,
        ..Pass::default()
    }
}

fn images() -> Arc<DecodedImages> {
    open(folder().path(), CacheMode::Ram)
}

fn all(images: &Arc<DecodedImages>, batch_size: usize, order: Order, first_batch: usize) -> Vec<Batch> {
    let augmentation = Some(Augmentation {
        rotation_range: 20.0,
        ..Augmentation::article()
    });
    let pass = Pass {
        batch_size,
        order,
        augmentation,
        first_batch,
        ..Pass::default()
    };
    batches(images.clone(), pass).map(Result::unwrap).collect()
}

#[test]
fn sequential_batches_are_the_images_normalized() {
    let images = images();
    let batches = all(&images, 4, Order::Sequential, 0);
    assert_eq!(
        batches
            .iter()
            .map(|batch| batch.targets.labels().len())
            .collect::<Vec<_>>(),
        [4, 4, 4, 4, 4, 3]
    );
    let indices: Vec<usize> = batches.iter().flat_map(|batch| batch.indices.clone()).collect();
    assert_eq!(indices, (0..COUNT).collect::<Vec<_>>());
    for batch in batches {
        for (n, (&index, &label)) in batch.indices.iter().zip(&batch.targets.labels()).enumerate() {
            assert_eq!(label, usize::from(index >= 10));
            let (row, column) = (7, 5);
            let pixel = &batch.pixels[((n * 12 + row) * 14 + column) * 3..][..3];
            let truth = [
                (index as f32 * 10.0 / 255.0 - 0.5) / 0.2,
                (column as f32 * 13.0 / 255.0 - 0.4) / 0.25,
                (row as f32 * 17.0 / 255.0 - 0.3) / 0.3,
            ];
            assert!(
                pixel.iter().zip(truth).all(|(a, b)| (a - b).abs() < 1e-5),
                "{pixel:?}, not {truth:?}"
            );
        }
    }
}

#[test]
fn a_shuffled_pass_has_each_image_once_in_an_order_of_its_own() {
    let images = images();
    let order = |seed, epoch| -> Vec<usize> {
        let batches = all(&images, 4, Order::Shuffled { seed, epoch }, 0);
        batches.iter().flat_map(|batch| batch.indices.clone()).collect()
    };
    let first = order(5, 2);
    let mut sorted = first.clone();
    sorted.sort();
    assert_eq!(sorted, (0..COUNT).collect::<Vec<_>>());
    assert_eq!(first, order(5, 2));
    for other in [order(5, 3), order(6, 2), (0..COUNT).collect()] {
        assert_ne!(first, other);
    }
}

#[test]
fn the_same_batches_on_any_number_of_threads() {
    let images = images();
    let truth = all(&images, 4, SHUFFLED, 0);
    for threads in [1, 2, 5] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        // From within the pool, which has no thread to spare where there is one.
        assert_eq!(
            truth,
            pool.install(|| all(&images, 4, SHUFFLED, 0)),
            "{threads} threads"
        );
    }
}

#[test]
fn the_same_batches_from_the_middle_on() {
    let images = images();
    let truth = all(&images, 4, SHUFFLED, 0);
    for first in 0..=truth.len() + 1 {
        assert_eq!(
            all(&images, 4, SHUFFLED, first),
            truth[first.min(truth.len())..],
            "from {first}"
        );
    }
}

#[test]
fn augmentation_depends_on_seed_epoch_and_image_alone() {
    let images = images();
    let by_image = |batch_size, order| -> Vec<Vec<f32>> {
        let mut all: Vec<_> = all(&images, batch_size, order, 0)
            .iter()
            .flat_map(|batch| {
                let pixels = batch.pixels.chunks(12 * 14 * 3).map(<[f32]>::to_vec);
                batch.indices.iter().copied().zip(pixels).collect::<Vec<_>>()
            })
            .collect();
        all.sort_by_key(|(index, _)| *index);
        all.into_iter().map(|(_, pixels)| pixels).collect()
    };
    let truth = by_image(4, SHUFFLED);
    assert_eq!(truth, by_image(7, SHUFFLED));
    let others = by_image(4, Order::Shuffled { seed: 5, epoch: 3 });
    assert!(truth.iter().zip(&others).all(|(a, b)| a != b));
}

#[test]
fn an_error_comes_in_its_place_and_ends_the_pass() {
    let folder = folder();
    let images = open(folder.path(), CacheMode::Off);
    std::fs::remove_file(folder.path().join("dogs/13.png")).unwrap();
    let mut source = batches(images, in_fours());
    for first in [0, 4, 8] {
        assert_eq!(source.next().unwrap().unwrap().indices[0], first);
    }
    let message = source.next().unwrap().unwrap_err().to_string();
    assert!(message.contains("13.png"), "{message}");
    assert!(source.next().is_none());
    assert!(source.next().is_none());
}

#[test]
fn ranges_that_make_no_sense_are_an_error() {
    let augmentation = Augmentation {
        rotation_range: f32::NAN,
        ..Augmentation::default()
    };
    let pass = Pass {
        order: SHUFFLED,
        augmentation: Some(augmentation),
        ..in_fours()
    };
    let mut source = batches(images(), pass);
    assert!(
        source
            .next()
            .unwrap()
            .unwrap_err()
            .to_string()
            .contains("rotation_range")
    );
    assert!(source.next().is_none());
}

/// Of each image its target, as a distribution over the two classes.
fn distributions(targets: &Targets) -> Vec<f32> {
    match targets {
        Targets::Classes(labels) => labels
            .iter()
            .flat_map(|&label| [0, 1].map(|class| f32::from(u8::from(class == label))))
            .collect(),
        Targets::Distributions { values, .. } => values.clone(),
    }
}

#[test]
fn parts_of_batches_are_the_batches() {
    let images = images();
    let mixed = |mixup, cutmix| Augmentation {
        mixup,
        cutmix,
        ..Augmentation::article()
    };
    for augmentation in [mixed(0.0, 0.0), mixed(0.4, 0.0), mixed(0.0, 1.0)] {
        let pass = |part| Pass {
            batch_size: 5,
            order: SHUFFLED,
            augmentation: Some(augmentation.clone()),
            part,
            ..Pass::default()
        };
        let made = |part| {
            batches(images.clone(), pass(part))
                .map(Result::unwrap)
                .collect::<Vec<_>>()
        };
        let whole = made(Shard::WHOLE);
        assert!(
            whole
                .iter()
                .all(|batch| (batch.first, batch.whole) == (0, batch.indices.len()))
        );
        // The last batch has three images, which are fewer than the parts.
        for count in [2, 3, 4] {
            let parts: Vec<_> = (1..=count).map(|number| made(Shard { number, count })).collect();
            for (number, whole) in whole.iter().enumerate() {
                let (mut pixels, mut targets, mut indices) = (Vec::new(), Vec::new(), Vec::new());
                for part in parts.iter().map(|part| &part[number]) {
                    assert_eq!((part.first, part.whole), (indices.len(), whole.indices.len()));
                    assert_eq!(part.targets.len(), part.indices.len());
                    pixels.extend_from_slice(&part.pixels);
                    targets.extend(distributions(&part.targets));
                    indices.extend_from_slice(&part.indices);
                }
                assert_eq!((&pixels, &indices), (&whole.pixels, &whole.indices), "{count} parts");
                assert_eq!(targets, distributions(&whole.targets), "{count} parts");
            }
        }
    }
}

#[test]
fn dropped_early_nothing_goes_on() {
    let images = images();
    for taken in 0..4 {
        let pass = Pass {
            batch_size: 2,
            order: SHUFFLED,
            augmentation: Some(Augmentation::article()),
            ..Pass::default()
        };
        let mut source = batches(images.clone(), pass);
        source.by_ref().take(taken).for_each(|batch| drop(batch.unwrap()));
    }
    let started = Instant::now();
    while Arc::strong_count(&images) > 1 {
        assert!(
            started.elapsed() < Duration::from_secs(20),
            "somebody still holds the pictures"
        );
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// The images of [`folder`], kept at `size` for batches of 14 x 12 pixels.
fn kept_at(size: [u32; 2], mode: CacheMode, folder: &Path) -> Arc<DecodedImages> {
    let catalog = Arc::new(Catalog::from_source(folder, None).unwrap());
    let preprocessing = Preprocessing {
        width: 14,
        height: 12,
        ..Preprocessing::new(1)
    };
    let cache = Cache {
        mode,
        folder: folder.join("cache"),
        size: Some(size),
    };
    Arc::new(DecodedImages::open(catalog, &preprocessing, &cache, &|_| {}).unwrap())
}

/// The images' slopes are the same at any size but for rounding, wherever they are kept.
#[test]
fn batches_of_larger_images_are_resized_as_evaluation_does() {
    let folder = folder();
    let images = [CacheMode::Ram, CacheMode::Off, CacheMode::Disk].map(|mode| kept_at([28, 24], mode, folder.path()));
    let pass = |order, size| Pass {
        order,
        size,
        ..in_fours()
    };
    for (order, size) in [
        (Order::Sequential, None),
        (SHUFFLED, None),
        (Order::Sequential, Some([7, 6])),
        (Order::Sequential, Some([28, 24])),
    ] {
        let [width, height] = size.unwrap_or([14, 12]);
        let each = (width * height * 3) as usize;
        let made = images.clone().map(|images| {
            batches(images, pass(order, size))
                .map(Result::unwrap)
                .collect::<Vec<_>>()
        });
        assert!(made[0] == made[1] && made[0] == made[2]);
        for batch in &made[0] {
            for (&index, pixels) in batch.indices.iter().zip(batch.pixels.chunks(each)) {
                // Red is the image's own, green grows with the column, blue with the row.
                let at = |row: u32, column: u32| &pixels[((row * width + column) * 3) as usize..][..3];
                let (row, column) = (height / 2, width / 2);
                let truth = |middle: u32, side: u32, of: f32| (middle as f32 + 0.5) / side as f32 * of - 0.5;
                let expected = [
                    index as f32 * 10.0,
                    truth(column, width, 14.0) * 13.0,
                    truth(row, height, 12.0) * 17.0,
                ];
                for (value, expected) in at(row, column).iter().zip(expected) {
                    assert!(
                        (value * 255.0 - expected).abs() < 1.5,
                        "{value} of {index}, not {expected}"
                    );
                }
            }
        }
    }
}

#[test]
fn augmented_batches_come_at_any_size_up_to_that_which_is_kept() {
    let folder = folder();
    let images = kept_at([28, 24], CacheMode::Ram, folder.path());
    let pass = |size| Pass {
        order: SHUFFLED,
        augmentation: Some(Augmentation::article()),
        size,
        ..in_fours()
    };
    for (size, each) in [
        (None, 14 * 12),
        (Some([7, 6]), 7 * 6),
        (Some([28, 24]), 28 * 24),
        (Some([1, 1]), 1),
    ] {
        for batch in batches(images.clone(), pass(size)).map(Result::unwrap) {
            assert_eq!(batch.pixels.len(), batch.targets.labels().len() * each * 3);
            // Red is the same all over each image, whatever moves.
            for (&index, pixels) in batch.indices.iter().zip(batch.pixels.chunks(each * 3)) {
                let red = index as f32 * 10.0 / 255.0;
                assert!(pixels.iter().step_by(3).all(|value| (value - red).abs() < 1e-5));
            }
        }
    }
    for size in [[29, 24], [28, 25], [0, 24], [28, 0]] {
        let mut pass = batches(images.clone(), pass(Some(size)));
        let told = pass.next().unwrap().unwrap_err().to_string();
        assert!(told.contains("it must be 1 x 1 to 28 x 24 pixels"), "{told}");
        assert!(pass.next().is_none());
    }
}
