//! ONNX files say what the model says: by naive loops, and in other programs where `python3` has `onnx` and
//! `onnxruntime`. Without them that part prints that it was skipped, unless `PELAGE_ONNX=required`.

use std::path::Path;
use std::process::Command;

use burn::tensor::Device;
use image::RgbImage;
use pelage::data::preprocess::{Fit, Preprocessing, ResizeFilter};
use pelage::data::sample::{Animal, draw};
use pelage::export::{Input, Output, onnx};
use pelage::model::input;
use pelage::model::networks::{Head, Network};
use pelage::model::saved::Facts;
use pelage::model::trust::{Judge, calibration, density::Density};
use pelage::model::values::{Values, to_vec};
use pelage::zoo::store::Store;
use pelage::zoo::{Adding, Reading};
use pelage::{Architecture, Model};
use serde_json::{Value, json};
use support::formula;
use support::naive_onnx::{Array, run};

mod support;

const CLASSES: [&str; 3] = ["cat", "it's a dog", "Fuchs \\ ünd"];
const TEMPERATURE: f64 = 1.75;

/// A model whose weights are a function of their names.
fn model(architecture: Architecture, head: Option<Head>, flip: bool, [height, width]: [u32; 2]) -> Model {
    let facts = Facts {
        architecture,
        head,
        flip,
        classes: CLASSES.map(String::from).to_vec(),
        preprocessing: Preprocessing {
            width,
            height,
            mean: [0.485, 0.456, 0.406],
            std: [0.229, 0.224, 0.225],
            ..Preprocessing::new(width)
        },
        together: None,
        training: Value::Null,
    };
    let graph = facts.graph();
    let tensors = graph.nodes().iter().flat_map(|node| graph.tensors(node));
    let named = tensors.map(|(name, shape)| {
        let values = formula::values(&name, &shape);
        (name, values)
    });
    let named = named.collect::<std::collections::BTreeMap<String, Values>>();
    let network = Network::assemble(graph, named, &Device::flex()).unwrap();
    Model {
        network: network.folded(|_| true),
        others: Vec::new(),
        facts,
        judge: Judge::default(),
        narrow: None,
    }
}

/// The same with a temperature.
fn calibrated(model: Model) -> Model {
    let facts = calibration::Facts {
        temperature: TEMPERATURE,
        distance: 1.0,
        coverage: 0.95,
        train_images: 1,
        validation_images: 1,
    };
    let density = Density::new(vec![0.0; 3], vec![1.0], 3).unwrap();
    let calibration = calibration::Calibration::new(facts, density).unwrap();
    Model {
        judge: Judge::new(Some(calibration)),
        ..model
    }
}

/// Levels of 0 to 255 of `count` images at the model's size.
fn levels(model: &Model, count: usize) -> Vec<u8> {
    let numbers = 0..count * model.facts.preprocessing.len();
    numbers.map(|i| ((i * 2_654_435_761) >> 9) as u8).collect()
}

/// What a file takes for these levels: 0 to 1, channels first.
fn images(model: &Model, levels: &[u8]) -> (Vec<usize>, Vec<f32>) {
    let [h, w, c] = input::shape(&model.facts.preprocessing);
    let mut values = Vec::new();
    for image in levels.chunks(h * w * c) {
        for channel in 0..c {
            values.extend(
                image
                    .iter()
                    .skip(channel)
                    .step_by(c)
                    .map(|&level| f32::from(level) / 255.0),
            );
        }
    }
    (vec![levels.len() / (h * w * c), c, h, w], values)
}

/// The model's own answers.
fn answers(model: &Model, levels: &[u8], output: Output) -> Vec<f32> {
    let preprocessing = &model.facts.preprocessing;
    let pixels = input::images(input::normalized(levels, preprocessing), preprocessing, &model.device());
    to_vec(match output {
        Output::Logits => model.logits(pixels),
        Output::Probabilities => model.probabilities(pixels),
    })
}

/// Every network with its own head, except where that is large, and each kind of other head.
fn models() -> Vec<(String, Model)> {
    let size = [48, 64];
    let mut models: Vec<_> = Architecture::ALL
        .into_iter()
        .map(|architecture| {
            let head = (architecture == Architecture::Vgg19).then(Head::linear);
            (architecture.name().to_string(), model(architecture, head, false, size))
        })
        .collect();
    let others = [
        ("mobilenet_v2, mlp", Architecture::MobileNetV2, Head::mlp(), false, size),
        (
            "mobilenet_v2, article",
            Architecture::MobileNetV2,
            Head::article(),
            false,
            size,
        ),
        ("vgg16, article", Architecture::Vgg16, Head::article(), false, [64, 96]),
        (
            "efficientnet_lite0, flip",
            Architecture::EfficientNetLite0,
            Head::linear(),
            true,
            size,
        ),
        (
            "resnet18, mlp, flip",
            Architecture::ResNet18,
            Head::mlp(),
            true,
            [65, 51],
        ),
    ];
    models.extend(
        others.map(|(name, architecture, head, flip, size)| {
            (name.to_string(), model(architecture, Some(head), flip, size))
        }),
    );
    models
}

#[test]
fn a_file_evaluated_by_naive_loops_answers_as_the_model_does() {
    let own = |architecture, size| model(architecture, None, false, size);
    let flip = model(Architecture::EfficientNetLite0, Some(Head::linear()), true, [33, 40]);
    for model in [
        own(Architecture::Cnn3, [16, 24]),
        own(Architecture::GoogLeNet, [33, 40]),
        own(Architecture::ResNet18, [32, 32]),
        model(Architecture::MobileNetV2, Some(Head::article()), false, [40, 64]),
        calibrated(flip),
    ] {
        let levels = levels(&model, 2);
        for output in [Output::Logits, Output::Probabilities] {
            let (shape, values) = images(&model, &levels);
            let values = values.into_iter().map(f64::from).collect();
            let found = run(
                &onnx(&model, Input::Tensor, output).unwrap(),
                Array::new(&shape, values),
            );
            let expected = answers(&model, &levels, output);
            assert_eq!(found.shape, [2, CLASSES.len()]);
            let largest = expected.iter().fold(0f32, |largest, value| largest.max(value.abs()));
            for (found, expected) in found.data.iter().zip(&expected) {
                let difference = (found - f64::from(*expected)).abs() / f64::from(largest);
                assert!(difference < 1e-5, "{:?}: {found} {expected}", model.facts.architecture);
            }
        }
    }
}

#[test]
fn mirror_images_and_temperature_make_a_difference() {
    let with = |flip| model(Architecture::EfficientNetLite0, Some(Head::linear()), flip, [32, 32]);
    let model = with(true);
    let (levels, length) = (levels(&model, 1), |model: &Model| {
        onnx(model, Input::Tensor, Output::Probabilities).unwrap().len()
    });
    assert!(length(&model) > length(&with(false)));
    assert!(length(&calibrated(with(true))) > length(&model));
    let both = [true, false].map(|flip| answers(&with(flip), &levels, Output::Logits));
    assert_ne!(both[0], both[1]);
}

/// Cases for `fixtures/onnx/check.py`, in a folder.
struct Cases<'a> {
    folder: &'a Path,
    cases: Vec<Value>,
}

impl Cases<'_> {
    fn file(&self, name: &str, bytes: &[u8]) -> String {
        let name = format!("{}-{name}", self.cases.len());
        std::fs::write(self.folder.join(&name), bytes).unwrap();
        name
    }

    fn tensor(&mut self, name: &str, model: &Model, output: Output) {
        let levels = levels(model, 3);
        let (shape, values) = images(model, &levels);
        self.cases.push(json!({
            "name": name,
            "file": self.file("model.onnx", &onnx(model, Input::Tensor, output).unwrap()),
            "classes": CLASSES,
            "input": self.file("images", &bytes(&values)),
            "type": "float32",
            "shape": shape,
            "expected": self.file("answers", &bytes(&answers(model, &levels, output))),
        }));
    }

    fn pixels(&mut self, name: &str, model: &Model, image: &RgbImage) {
        let filter = model.facts.preprocessing.filter;
        let resized = model.facts.preprocessing.resize(image).unwrap();
        let prediction = model.predict_image("image", image);
        let probability = |class: &&str| {
            let mut known = prediction.classes.iter();
            known.find(|(name, _)| name == class).unwrap().1
        };
        self.cases.push(json!({
            "name": name,
            "file": self.file("model.onnx", &onnx(model, Input::Pixels, Output::Probabilities).unwrap()),
            "classes": CLASSES,
            "input": self.file("pixels", image.as_raw()),
            "type": "uint8",
            "shape": [1, image.height(), image.width(), 3],
            "expected": self.file("answers", &bytes(&CLASSES.each_ref().map(probability))),
            "resized": if filter == ResizeFilter::Nearest { "columns/resized" } else { "columns/levels" },
            "levels": self.file("levels", &resized),
        }));
    }

    /// What the script finds, if it can run: case, runtime, difference, levels.
    fn check(&self) -> Option<Vec<Value>> {
        let needed = Command::new("python3")
            .args(["-c", "import onnx, onnxruntime"])
            .output();
        if !needed.is_ok_and(|needed| needed.status.success()) {
            let required = std::env::var_os("PELAGE_ONNX").is_some_and(|wanted| wanted == "required");
            assert!(!required, "python3 has no onnx and onnxruntime");
            eprintln!("SKIPPED: python3 has no onnx and onnxruntime");
            return None;
        }
        std::fs::write(
            self.folder.join("cases.json"),
            Value::from(self.cases.clone()).to_string(),
        )
        .unwrap();
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/onnx/check.py");
        let output = Command::new("python3").arg(script).arg(self.folder).output().unwrap();
        let [told, failed] = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
        assert!(output.status.success(), "{told}{failed}");
        let found: Vec<Value> = told.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert!(found.len() >= 2 * self.cases.len(), "{told}");
        eprintln!("{told}");
        Some(found)
    }
}

fn bytes(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

#[test]
fn other_runtimes_answer_as_the_model_does() {
    let folder = tempfile::tempdir().unwrap();
    let mut cases = Cases {
        folder: folder.path(),
        cases: Vec::new(),
    };
    for (name, model) in models() {
        cases.tensor(&name, &model, Output::Logits);
    }
    // Networks of others, as they were added.
    let store = Store::new(folder.path());
    for (file, side) in [("next", 24), ("shuffled", 20), ("apart", 19)] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/fixtures/added/{file}.onnx"));
        let adding = Adding {
            name: file.into(),
            reading: Reading::default(),
            mean: Some([0.0; 3]),
            std: Some([1.0; 3]),
            filter: None,
        };
        let architecture = store.add_onnx(&path, &adding).unwrap().added.kept.architecture;
        let model = model(architecture, Some(Head::linear()), false, [side; 2]);
        cases.tensor(file, &model, Output::Logits);
    }
    let model = calibrated(model(Architecture::ResNet18, None, false, [64, 64]));
    cases.tensor("resnet18, calibrated", &model, Output::Probabilities);
    for found in cases.check().into_iter().flatten() {
        // OpenCV adds up in an order of its own: VGG16 with a wide head ends 1.02e-5 apart there, in ONNX Runtime 3e-6.
        let most = match found["runtime"].as_str().unwrap().starts_with("opencv") {
            true => 2e-5,
            false => 1e-5,
        };
        assert!(found["difference"].as_f64().unwrap() < most, "{found}");
    }
}

#[test]
fn pictures_of_any_size_are_resized_in_the_graph_as_by_the_model() {
    let folder = tempfile::tempdir().unwrap();
    let mut cases = Cases {
        folder: folder.path(),
        cases: Vec::new(),
    };
    let picture = draw(Animal::Cat, 3, 1, 520);
    let sizes = [[520, 333], [97, 415], [40, 31], [1, 1], [3, 500], [64, 48], [200, 48]];
    for filter in ResizeFilter::NAMES {
        for fit in [Fit::Squash, Fit::Crop] {
            let mut model = calibrated(model(Architecture::Cnn3, None, false, [48, 64]));
            model.facts.preprocessing.filter = filter.parse().unwrap();
            model.facts.preprocessing.fit = fit;
            for [width, height] in sizes {
                let image = image::imageops::crop_imm(&picture, 5, 7, width, height).to_image();
                cases.pixels(&format!("{filter}, {}, {width} x {height}", fit.name()), &model, &image);
            }
        }
    }
    for found in cases.check().into_iter().flatten() {
        // The lobes of Lanczos's filter are of both signs, and weights rounded to 16 bits in one of the two.
        let (most, levels) = match found["case"].as_str().unwrap().starts_with("lanczos3") {
            true => (2e-3, 2.0),
            false => (1e-3, 1.0),
        };
        assert!(found["difference"].as_f64().unwrap() < most, "{found}");
        assert!(found["levels"].as_f64().unwrap_or(0.0) <= levels, "{found}");
    }
}
