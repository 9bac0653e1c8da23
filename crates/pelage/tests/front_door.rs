//! The library as its users see it: a model that many threads share, and training on images of their own.

use std::sync::Arc;

use pelage::data::cache::{Cache, CacheMode};
use pelage::data::dataset::{Dataset, Image, Subset, split};
use pelage::data::memory::InMemory;
use pelage::features::Features;
use pelage::train::backbone::backbone;
use pelage::train::transfer::Transfer;
use pelage::train::{Sets, train};
use pelage::{Architecture, Control, Error, Event, Model, Recipe, device};

/// Stripes, vertical or horizontal.
fn stripes(count: usize) -> InMemory {
    let mut images = InMemory::new(["upright", "level"]);
    for i in 0..count {
        let value = |x: usize, y: usize| {
            if ((if i % 2 == 0 { x } else { y }) + i / 2) % 4 < 2 {
                200
            } else {
                40
            }
        };
        let pixels = (0..16 * 16).flat_map(|at| [value(at % 16, at / 16) as u8; 3]);
        let image = Image::rgb(16, 16, pixels.collect()).unwrap();
        images.push(format!("{i}"), i % 2, image).unwrap();
    }
    images
}

fn recipe() -> Recipe {
    Recipe {
        image_size: 16,
        epochs: 12,
        patience: 0,
        ema_momentum: 0.0,
        ..Recipe::default()
    }
}

fn trained(recipe: &Recipe, sets: &Sets) -> pelage::Result<Model> {
    let mut go_on = |_: &Event| Control::Continue;
    Ok(train(recipe, sets, CacheMode::Auto, &device::cpu()?, &mut go_on)?.0)
}

#[test]
fn a_model_trained_in_memory_predicts_the_same_on_every_thread() {
    let images: Arc<dyn Dataset> = Arc::new(stripes(160));
    let model = trained(&recipe(), &split(images.clone(), 0.25, 0).unwrap().into()).unwrap();
    let ask = |i: usize| {
        let Ok(Image::Rgb(image)) = images.image(i) else {
            panic!("an image in memory")
        };
        model.predict_image(images.name(i), &image)
    };
    let alone: Vec<_> = (0..40).map(ask).collect();
    let correct = alone
        .iter()
        .enumerate()
        .filter(|(i, one)| one.answer() == Some(&images.classes()[i % 2]));
    assert!(correct.count() >= 36, "{alone:?}");
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| (0..40).for_each(|i| assert_eq!(ask(i), alone[i])));
        }
    });

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("stripes.safetensors");
    pelage::save(&model, &path).unwrap();
    let read = Model::open(&path).unwrap();
    let Ok(Image::Rgb(image)) = images.image(7) else {
        panic!("an image in memory")
    };
    assert_eq!(read.predict_image("7", &image), alone[7]);
    // Nothing else was written there, and nothing else is needed.
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn features_keep_their_labels_with_broken_images_and_equal_names() {
    let mut images = InMemory::new(["dark", "light"]);
    for i in 0..24u8 {
        let image = match i {
            9 => Image::Encoded(vec![0xFF, 0xD8]),
            _ => Image::rgb(32, 32, vec![if i % 2 == 0 { 10 } else { 240 }; 32 * 32 * 3]).unwrap(),
        };
        images.push("upload", usize::from(i % 2), image).unwrap();
    }
    let images: Arc<dyn Dataset> = Arc::new(images);
    let transfer = Transfer::new(None);
    let recipe = Recipe {
        image_size: 32,
        ..Recipe::transfer(Architecture::ResNet18, transfer.clone())
    };
    let device = device::cpu().unwrap();
    let backbone = backbone(&transfer, &recipe, 2, &device).unwrap();
    let extractor = backbone.extractor(&transfer, &backbone.network);
    let cache = Cache {
        folder: "never/written".into(),
        ..Cache::new(CacheMode::Auto)
    };
    let features = Features::open(&images, &extractor, &cache, &device, &|_| {}).unwrap();
    assert_eq!((features.len(), features.unreadable().len()), (23, 1));
    // All dark images are the same, and all light ones.
    let row = |i: usize| &features.values()[i * 512..(i + 1) * 512];
    for i in 0..23 {
        let same = (0..23).find(|&j| row(j) == row(i)).unwrap();
        assert_eq!(features.label(i), features.label(same), "image {i}");
    }
    assert_ne!(row(0), row(1));
    assert!(!std::path::Path::new("never").exists());
}

#[test]
fn an_image_without_pixels_has_a_reason() {
    let model = trained(
        &Recipe { epochs: 1, ..recipe() },
        &split(Arc::new(stripes(16)), 0.5, 0).unwrap().into(),
    );
    let empty = pelage::data::RgbImage::new(0, 0);
    let answer = model.unwrap().predict_image("empty", &empty);
    assert_eq!(answer.error.as_deref(), Some("it has no pixels"));
}

#[test]
fn an_unusable_data_set_is_rejected_before_training() {
    let refused = |train: InMemory, validation: InMemory| {
        let sets = Sets {
            train: Arc::new(train),
            validation: Arc::new(validation),
            groups: None,
        };
        trained(&recipe(), &sets).err().unwrap().to_string()
    };
    let one = |classes: &[&str]| {
        let mut images = InMemory::new(classes.iter().copied());
        for _ in 0..4 {
            images.push("one", 0, Image::rgb(1, 1, vec![1, 2, 3]).unwrap()).unwrap();
        }
        images
    };
    assert!(refused(one(&["a"]), one(&["a"])).contains("only one class"));
    assert!(refused(one(&["a", "b"]), one(&["a", "b"])).contains("no picture of class 'b'"));
    assert!(refused(stripes(8), one(&["a", "b"])).contains("same"));
    let broken = |count| {
        let mut images = InMemory::new(["a", "b"]);
        for i in 0..count {
            images.push("broken", i % 2, Image::Encoded(vec![0xFF, 0xD8])).unwrap();
        }
        images
    };
    assert!(refused(broken(8), broken(8)).contains("cannot be read"));
    let images: Arc<dyn Dataset> = Arc::new(stripes(8));
    let half = Subset::new(images.clone(), vec![0, 1, 2, 3]).unwrap();
    let sets = Sets::from([half.clone(), half]);
    let nonsense = Recipe {
        momentum: 2.0,
        ..recipe()
    };
    let failure = trained(&nonsense, &sets).err().unwrap();
    assert!(matches!(failure, Error::Setting { name: "momentum", .. }), "{failure}");
}
