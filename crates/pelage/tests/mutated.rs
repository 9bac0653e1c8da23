//! Files that were damaged, or made to do harm: each is refused, or means what it meant before; none panics.

use std::path::Path;
use std::sync::Arc;

use burn::tensor::Device;
use pelage::calibrate;
use pelage::data::cache::CacheMode;
use pelage::data::dataset::{Dataset, Image, split};
use pelage::data::memory::InMemory;
use pelage::data::preprocess::Preprocessing;
use pelage::evaluate::Scores;
use pelage::model::networks::Network;
use pelage::model::saved::{self, Facts};
use pelage::model::tensors::{self, Precision};
use pelage::model::trust::Judge;
use pelage::model::values::{Named, Values};
use pelage::train::checkpoint::Snapshot;
use pelage::train::progress::Progress;
use pelage::train::ranks::Ranks;
use pelage::train::recipe::OptimizerKind;
use pelage::train::step::Learner;
use pelage::train::{Control, Data, Keep, Sets, Start, fit, start};
use pelage::{Architecture, Config, Model, Recipe, Result};
use pelage_kernels::split_mix;
use serde_json::{Value, json};

/// Draws below `most`.
struct Draws(u64);

impl Draws {
    fn below(&mut self, most: usize) -> usize {
        (split_mix::next(&mut self.0) % most as u64) as usize
    }

    /// `bytes` with one to four places changed, half of the time in the first 2,000: there the description lies.
    fn mutated(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut bytes = bytes.to_vec();
        for _ in 0..1 + self.below(4) {
            let within = if self.below(2) == 0 {
                bytes.len().min(2000)
            } else {
                bytes.len()
            };
            let (at, byte) = (self.below(within.max(1)), self.below(256) as u8);
            if bytes.is_empty() {
                break;
            }
            match self.below(8) {
                0..3 => bytes[at] ^= 1 << (byte % 8),
                3 => bytes[at] = byte,
                4 => bytes.insert(at, byte),
                5 => _ = bytes.remove(at),
                6 => {
                    let end = bytes.len().min(at + 1 + usize::from(byte));
                    bytes[at..end].fill(0);
                }
                _ if self.below(20) == 0 => bytes.truncate(at),
                // Digits, of which numbers are made: larger ones.
                _ => bytes[at] = b"0123456789eE.-"[usize::from(byte) % 14],
            }
        }
        bytes
    }
}

/// A file's bytes with `change` made to its description.
fn described(bytes: &[u8], change: impl Fn(&mut Value)) -> Vec<u8> {
    let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let mut header: Value = serde_json::from_slice(&bytes[8..8 + length]).unwrap();
    let text = header["__metadata__"]["pelage"].as_str().unwrap();
    let mut description = serde_json::from_str(text).unwrap();
    change(&mut description);
    header["__metadata__"]["pelage"] = description.to_string().into();
    let mut header = serde_json::to_vec(&header).unwrap();
    header.resize(header.len().next_multiple_of(8), b' ');
    [&(header.len() as u64).to_le_bytes(), &header[..], &bytes[8 + length..]].concat()
}

/// As files were before they had a checksum.
fn without_checksum(bytes: &[u8]) -> Vec<u8> {
    described(bytes, |description| {
        assert!(description.as_object_mut().unwrap().remove("checksum").is_some());
    })
}

fn names() -> Vec<String> {
    ["cat", "dog", "fox"].map(String::from).to_vec()
}

/// A small calibrated model.
fn model() -> Vec<u8> {
    let facts = Facts {
        architecture: Architecture::Cnn3,
        head: None,
        flip: false,
        classes: names(),
        preprocessing: Preprocessing::new(8),
        together: None,
        training: json!({"epoch": 3, "recipe": {"epochs": 5}}),
    };
    let network = Network::new(Architecture::Cnn3, [8, 8], 3, 0, &Device::flex());
    let mut draws = Draws(5);
    let mut drawn = |count: usize| {
        (0..count)
            .map(|_| draws.below(1000) as f32 / 500.0 - 1.0)
            .collect::<Vec<_>>()
    };
    let scores = Scores {
        classes: names(),
        labels: (0..90).map(|i| i % 3).collect(),
        logits: drawn(90 * 3),
        embeddings: drawn(90 * 64),
        ..Scores::default()
    };
    let calibration = calibrate::fit(&scores, &scores, 0.9).unwrap().0;
    let model = Model {
        judge: Judge::new(Some(calibration)),
        ..Model::new(vec![network], facts)
    };
    model.encode().unwrap()
}

fn picture() -> image::RgbImage {
    image::RgbImage::from_fn(8, 8, |x, y| {
        image::Rgb([(x * 30) as u8, (y * 30) as u8, ((x + y) * 15) as u8])
    })
}

#[test]
fn a_damaged_model_is_refused_or_answers_the_same() {
    let (whole, device) = (model(), Device::flex());
    let answer = |model: &Model| {
        let prediction = model.predict_image("p", &picture());
        (prediction, model.facts.clone(), model.judge.calibration().cloned())
    };
    let truth = answer(&Model::decode(&whole, &device).unwrap());
    assert!(truth.2.is_some() && truth.0.error.is_none());
    let (mut draws, mut accepted) = (Draws(1), 0);
    for case in 0..4000 {
        let damaged = draws.mutated(&whole);
        if let Ok(model) = Model::decode(&damaged, &device) {
            assert_eq!(answer(&model), truth, "{case}");
            accepted += usize::from(damaged != whole);
        }
    }
    assert!(accepted < 40, "{accepted} damaged files were taken as whole");
    // Every bit of a weight counts.
    let mut flipped = whole.clone();
    let last = flipped.len() - 1;
    flipped[last] ^= 1;
    let refused = Model::decode(&flipped, &device).unwrap_err();
    assert!(refused.contains("checksum"), "{refused}");
}

/// The same in bytes.
fn quantized() -> Vec<u8> {
    let image = |seed: u64| {
        (0..8 * 8 * 3)
            .map(|i| ((i + seed) % 7) as f32 / 7.0)
            .collect::<Vec<f32>>()
    };
    saved::quantized(&model(), &[image(0), image(3)], json!({})).unwrap()
}

#[test]
fn a_mutated_quantized_model_is_refused_or_answers_and_never_panics() {
    let (whole, device) = (quantized(), Device::flex());
    let ask = |model: &Model| model.predict_image("p", &picture());
    let truth = ask(&Model::decode(&whole, &device).unwrap());
    assert!(truth.error.is_none());
    // Without a checksum, to reach what is behind it.
    let open = without_checksum(&whole);
    for (seed, bytes, is_whole) in [(6, &whole, true), (7, &open, false)] {
        let mut draws = Draws(seed);
        for case in 0..2000 {
            let Ok(model) = Model::decode(&draws.mutated(bytes), &device) else {
                continue;
            };
            let prediction = ask(&model);
            let sum: f32 = prediction.classes.iter().map(|(_, p)| p).sum();
            let sound = prediction.error.is_some() || (sum - 1.0).abs() < 1e-4;
            assert!(sound && (!is_whole || prediction == truth), "{case}: {prediction:?}");
        }
    }
}

#[test]
fn an_older_model_opens_and_a_mutated_one_gives_finite_answers_or_none() {
    let (whole, device) = (model(), Device::flex());
    let older = without_checksum(&whole);
    let ask = |bytes: &[u8]| Model::decode(bytes, &device).unwrap().predict_image("p", &picture());
    assert_eq!(ask(&older), ask(&whole));
    let mut draws = Draws(2);
    for case in 0..3000 {
        let Ok(model) = Model::decode(&draws.mutated(&older), &device) else {
            continue;
        };
        let prediction = model.predict_image("p", &picture());
        let sum: f32 = prediction.classes.iter().map(|(_, p)| p).sum();
        let sound = prediction.error.is_some() || (sum - 1.0).abs() < 1e-4;
        assert!(sound, "{case}: {prediction:?}");
    }
}

#[test]
fn what_no_training_writes_is_refused_by_name() {
    let (whole, device) = (without_checksum(&model()), Device::flex());
    let cases: [(&str, Value, &str); 16] = [
        ("/preprocessing/std", json!([0.0, 1.0, 1.0]), "deviation 0"),
        ("/preprocessing/std", json!([1.0, -1.0, 1.0]), "deviation -1"),
        ("/preprocessing/std", json!([1.0, 1e-30, 1.0]), "out of range"),
        ("/preprocessing/mean", json!([1e30, 0.0, 0.0]), "out of range"),
        ("/preprocessing/width", json!(100_000), "input size"),
        ("/classes", json!(["cat", "dog", "cat"]), "'cat' occurs twice"),
        ("/classes", json!(["cat", "dog", "\u{1b}[2Jfox"]), "control characters"),
        (
            "/classes",
            json!(["cat", "dog", "a\nb"]),
            "'a\\nb' is empty, or has control",
        ),
        ("/classes", json!(["cat", "dog", ""]), "is empty"),
        ("/classes", json!(["cat"]), "1 classes"),
        ("/calibration/temperature", json!(1e5), "temperature of 100000"),
        ("/calibration/temperature", json!(1e-5), "temperature of 0.00001"),
        ("/calibration/distance", json!(-1.0), "distance of -1"),
        ("/calibration/strange", json!(1), "strange"),
        ("/flip", json!(true), "mirror"),
        (
            "/head",
            json!({"pooling": "average", "hidden": [[1_000_000_000_000u64, 0.5]], "dropout": 0.0}),
            "hidden layers",
        ),
    ];
    for (place, value, told) in cases {
        let changed = described(&whole, |description| {
            let (table, key) = place.rsplit_once('/').unwrap();
            let table = description["facts"].pointer_mut(table).unwrap();
            table[key] = value.clone();
        });
        let refused = Model::decode(&changed, &device).unwrap_err();
        assert!(refused.contains(told), "{place}: {refused}");
    }
    // A calibration without its numbers, and numbers without one.
    let bare = described(&whole, |description| {
        description["facts"].as_object_mut().unwrap().remove("calibration");
    });
    let refused = Model::decode(&bare, &device).unwrap_err();
    assert!(refused.contains("calibration/factor"), "{refused}");
    let newer = described(&whole, |description| description["surplus"] = 1.into());
    assert!(Model::decode(&newer, &device).unwrap_err().contains("surplus"));
}

#[test]
fn finite_weights_without_a_finite_answer_are_told_and_others_are_not_written() {
    let (device, facts) = (Device::flex(), Model::decode(&model(), &Device::flex()).unwrap().facts);
    let (mut named, description) = tensors::decode::<Value>(&model(), "model").unwrap();
    for value in &mut named.get_mut("conv1.weight").unwrap().data {
        *value = 3e38;
    }
    let bytes = tensors::encode(
        named
            .iter()
            .map(|(name, values)| (name.clone(), values, Precision::F32)),
        "model",
        &description,
    );
    let huge = Model::decode(&bytes.unwrap(), &device).unwrap();
    let prediction = huge.predict_image("p", &picture());
    assert!(prediction.classes.is_empty() && prediction.error.unwrap().contains("finite"));

    named.get_mut("conv1.weight").unwrap().data[0] = f32::NAN;
    named.retain(|name, _| !name.starts_with("calibration/"));
    let network = Network::assemble(facts.graph(), named, &device).unwrap();
    let unwritten = Model {
        network,
        others: Vec::new(),
        facts,
        judge: Judge::default(),
        narrow: None,
    };
    let folder = tempfile::tempdir().unwrap();
    let refused = pelage::save(&unwritten, folder.path().join("m.safetensors"))
        .unwrap_err()
        .to_string();
    assert!(refused.contains("not finite"), "{refused}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

/// A small training: its images, its recipe, and the bytes of its checkpoint.
struct Trained {
    recipe: Recipe,
    start: Start,
    data: Data,
    bytes: Vec<u8>,
}

struct Last(Vec<u8>);

impl Keep for Last {
    fn checkpoint(&mut self, take: &dyn Fn() -> Snapshot) -> Result<()> {
        self.0 = take().encode().unwrap();
        Ok(())
    }

    fn best(&mut self, _: Vec<Network>, _: &Progress) -> Result<()> {
        Ok(())
    }
}

impl Trained {
    fn new(optimizer: OptimizerKind) -> Self {
        let mut images = InMemory::new(["upright", "level"]);
        let mut draws = Draws(9);
        for i in 0..40 {
            let pixels = (0..8 * 8 * 3).map(|_| draws.below(256) as u8).collect();
            let image = Image::rgb(8, 8, pixels).unwrap();
            images.push(format!("{i}"), i % 2, image).unwrap();
        }
        let recipe = Recipe {
            image_size: 8,
            epochs: 3,
            batch_size: 4,
            patience: 0,
            optimizer,
            learning_rate: 1e-3,
            ..Recipe::default()
        };
        let (images, device): (Arc<dyn Dataset>, _) = (Arc::new(images), Device::flex());
        let sets: Sets = split(images, 0.25, 0).unwrap().into();
        let (start, data) = start::open(&recipe, &sets, CacheMode::Ram, &device, &|_| {}).unwrap();
        let mut last = Last(Vec::new());
        let mut go_on = |_: &_| Control::Continue;
        fit(
            &recipe,
            &start,
            &data,
            &device,
            None,
            &mut last,
            &mut go_on,
            &Ranks::alone(),
        )
        .unwrap();
        Trained {
            recipe,
            start,
            data,
            bytes: last.0,
        }
    }

    /// The learner of a checkpoint, and its progress.
    fn restored(&self, bytes: &[u8]) -> std::result::Result<(Learner<'_>, Progress), String> {
        let fresh = Learner::new(&self.recipe, self.start.network.clone(), &self.data, &Device::flex());
        Snapshot::decode(bytes)?.restore(fresh, &self.data)
    }

    /// Why a checkpoint with `change` made to its tensors, and the checksum to match, is refused.
    fn refused(&self, change: impl Fn(&mut Named)) -> String {
        let (mut named, facts) = tensors::decode::<Value>(&self.bytes, "checkpoint").unwrap();
        change(&mut named);
        let named = named
            .iter()
            .map(|(name, values)| (name.clone(), values, Precision::F32));
        let bytes = tensors::encode(named, "checkpoint", &facts).unwrap();
        self.restored(&bytes).err().expect("a damaged checkpoint was taken")
    }
}

#[test]
fn a_damaged_checkpoint_is_refused_or_goes_on_the_same() {
    let trained = Trained::new(OptimizerKind::Adam);
    let again = |bytes: &[u8]| {
        let (learner, progress) = trained.restored(bytes)?;
        Snapshot::take(&learner, progress, &trained.data).encode()
    };
    assert!(again(&trained.bytes).unwrap() == trained.bytes);
    let (mut draws, mut accepted) = (Draws(3), 0);
    for case in 0..1500 {
        let damaged = draws.mutated(&trained.bytes);
        if let Ok(found) = again(&damaged) {
            assert!(found == trained.bytes, "{case}");
            accepted += usize::from(damaged != trained.bytes);
        }
    }
    assert!(accepted < 15, "{accepted}");
    // Older ones have no checksum: whatever is read of one, the next step does not panic.
    let older = without_checksum(&trained.bytes);
    assert!(again(&older).unwrap() == trained.bytes);
    for _ in 0..1500 {
        let Ok((learner, progress)) = trained.restored(&draws.mutated(&older)) else {
            continue;
        };
        let pass = pelage::data::loader::Pass {
            batch_size: 4,
            ..Default::default()
        };
        let batches = trained.data.train.batches(pass).take(1);
        let _ = learner.step(batches, trained.data.train.shape(), progress.step, 1e-3);
    }
}

#[test]
fn a_checkpoint_with_tensors_of_another_network_is_refused_by_name() {
    for optimizer in [OptimizerKind::Adam, OptimizerKind::Sgd] {
        let trained = Trained::new(optimizer);
        let short = |values: &mut Values| {
            values.data.pop();
            values.shape = vec![values.data.len()];
        };
        let empty = || Values {
            shape: vec![0],
            data: Vec::new(),
        };
        let check = |part: &str, change: &dyn Fn(&mut Named), told: &str| {
            let refused = trained.refused(change);
            assert!(refused.contains(told) && refused.contains(part), "{refused}");
        };
        check(
            "optimizer",
            &|named| short(named.get_mut("optimizer/conv1.weight/0").unwrap()),
            "conv1.weight/0",
        );
        check(
            "optimizer",
            &|named| _ = named.remove("optimizer/conv1.bias/0"),
            "'conv1.bias/0' is missing",
        );
        let surplus = |named: &mut Named| _ = named.insert("optimizer/conv1.bias/7".into(), empty());
        check("optimizer", &surplus, "'conv1.bias/7' is of no parameter");
        for part in ["optimizer/conv1.bias/0", "network/conv1.bias", "average/conv1.bias"] {
            let nan = |named: &mut Named| named.get_mut(part).unwrap().data[3] = f32::NAN;
            check("", &nan, "not finite");
        }
        for (part, called) in [("network", "weights"), ("average", "average")] {
            let gone = |named: &mut Named| _ = named.remove(&format!("{part}/conv1.bias"));
            check(called, &gone, "'conv1.bias' is missing");
            let surplus = |named: &mut Named| _ = named.insert(format!("{part}/odd"), empty());
            check(called, &surplus, "'odd'");
        }
        check(
            "average",
            &|named| named.retain(|name, _| !name.starts_with("average")),
            "is missing",
        );
        let facts: [(&str, Value); 7] = [
            ("/optimizer_steps", json!(0)),
            ("/progress/step", json!(u64::MAX)),
            ("/progress/batch", json!(3)),
            ("/progress/epoch", json!(99)),
            ("/progress/history", json!([])),
            ("/progress/best", json!([0.1, 77])),
            ("/progress/plateaus", json!(u64::MAX)),
        ];
        for (place, value) in facts {
            let changed = described(&without_checksum(&trained.bytes), |description| {
                *description["facts"].pointer_mut(place).unwrap() = value.clone();
            });
            assert!(trained.restored(&changed).is_err(), "{place}");
        }
    }
}

#[test]
fn mutated_settings_are_refused_or_within_their_ranges() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.toml");
    let read = |path: &Path| {
        let config = Config::read(path)?;
        config.validate()?;
        Ok::<_, pelage::Error>(config)
    };
    let transfer = pelage::train::transfer::Transfer {
        head: pelage::model::networks::Head::mlp(),
        ..pelage::train::transfer::Transfer::new(None)
    };
    let recipes = [Recipe::default(), Recipe::transfer(Architecture::ResNet18, transfer)];
    let (mut draws, mut read_again) = (Draws(4), 0);
    for recipe in recipes {
        let config = Config {
            recipe,
            ..Config::new("pictures")
        };
        let text = config.to_toml().unwrap();
        for _ in 0..3000 {
            std::fs::write(&path, draws.mutated(text.as_bytes())).unwrap();
            let Ok(Config { recipe, .. }) = read(&path) else {
                continue;
            };
            read_again += 1;
            assert!(
                (1..=1_000_000).contains(&recipe.epochs) && recipe.accumulate <= 65_536,
                "{recipe:?}"
            );
            assert!(
                (8..=4096).contains(&recipe.image_size) && recipe.batch_size <= 65_536,
                "{recipe:?}"
            );
            if let Some(transfer) = recipe.transfer {
                assert!(
                    transfer.head.hidden.iter().all(|(width, _)| *width <= 65_536),
                    "{transfer:?}"
                );
            }
        }
    }
    assert!(read_again > 50, "{read_again}");
    for (text, told) in [
        ("epochs = 5000000000", "epochs is 5000000000"),
        ("batch_size = 65536\nimage_size = 4096", "batch_size is 65536"),
        (
            "model = \"resnet18\"\n[transfer.head]\npooling = \"average\"\nhidden = [[1000000000000, 0.5]]\ndropout = 0.0\n\
             [transfer]\nflip = false\nunfreeze = \"none\"\nbackbone_rate = 0.1",
            "head is",
        ),
    ] {
        std::fs::write(&path, text).unwrap();
        let refused = read(&path).unwrap_err().to_string();
        assert!(refused.contains(told), "{refused}");
    }
}
