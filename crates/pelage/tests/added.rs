//! Networks that are added from ONNX files compute what onnxruntime computes of them (`fixtures/added/make.py`); what
//! is not supported is refused by name, and no file makes the reader panic.

use std::fs;
use std::path::{Path, PathBuf};

use burn::Tensor;
use burn::tensor::{Device, TensorData};
use pelage::data::preprocess::Preprocessing;
use pelage::export::messages::{
    Attribute, Graph, I64, INTEGER, INTEGERS, Model as File, Node, OperatorSet, Tensor as TensorMessage,
};
use pelage::export::{Input, Output, onnx};
use pelage::model::interpreter::Interpreter;
use pelage::model::networks::{Head, Network, parameters};
use pelage::model::saved::Facts;
use pelage::model::trust::Judge;
use pelage::model::values::{Named, to_vec};
use pelage::zoo::store::Store;
use pelage::zoo::{AddedNetwork, Adding, Reading, load};
use pelage::{Architecture, Model};
use pelage_kernels::split_mix;
use proptest::test_runner::Config;
use prost::Message;
use serde::Deserialize;
use serde_json::Value;
use support::formula;
use tempfile::TempDir;

mod support;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/added")
}

/// What `make.py` records.
#[derive(Deserialize)]
struct Case {
    file: String,
    side: usize,
    output: Option<String>,
    features: String,
    shape: Vec<usize>,
    values: Vec<f32>,
}

fn cases() -> Vec<Case> {
    serde_json::from_str(&fs::read_to_string(folder().join("added.json")).unwrap()).unwrap()
}

fn adding(name: &str, output: Option<&str>) -> Adding {
    Adding {
        name: name.into(),
        reading: Reading {
            image_size: None,
            output: output.map(String::from),
        },
        mean: Some([0.0; 3]),
        std: Some([1.0; 3]),
        filter: None,
    }
}

fn store() -> (TempDir, Store) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::new(folder.path());
    (folder, store)
}

/// A network that was added, under a linear head of two classes.
fn network(added: &AddedNetwork) -> Network {
    let kept = &added.added.kept;
    let side = added.added.preprocessing.height as usize;
    let pretrained = load(&kept.path, kept.architecture).unwrap();
    pretrained.with_head(&Head::linear(), [side; 2], 2, 0, &Device::flex())
}

fn pixels(side: usize) -> Tensor<4> {
    let data = TensorData::new(formula::pixels(side * side * 3), [1, side, side, 3]);
    Tensor::from_data(data, &Device::flex())
}

/// The largest difference, relative to the largest value.
fn gap(found: &[f32], wanted: &[f32]) -> f32 {
    assert_eq!(found.len(), wanted.len());
    let most = wanted.iter().fold(0f32, |most, value| most.max(value.abs()));
    let gaps = found.iter().zip(wanted).map(|(a, b)| (a - b).abs());
    gaps.fold(
        0f32,
        |most, gap| if gap.is_nan() { f32::INFINITY } else { most.max(gap) },
    ) / most
}

/// The mean of each channel of a map.
fn means(values: &[f32], channels: usize) -> Vec<f32> {
    let pixels = values.len() / channels;
    let mean = |channel| values.iter().skip(channel).step_by(channels).sum::<f32>() / pixels as f32;
    (0..channels).map(mean).collect()
}

#[test]
fn features_are_those_of_onnxruntime_with_burn_and_without() {
    let (_folder, store) = store();
    for case in cases() {
        let what = format!("{} up to {}", case.file, case.features);
        let output = case.output.as_deref();
        let added = store.add_onnx(&folder().join(&case.file), &adding("network", output));
        let added = added.unwrap_or_else(|failure| panic!("{what}: {failure}"));
        assert_eq!(
            added.classifier.is_some(),
            output.is_none() && case.file != "windows.onnx",
            "{what}"
        );
        let channels = *case.shape.last().unwrap();
        assert_eq!(added.shape[2], channels, "{what}");
        let network = network(&added);
        let found = to_vec(network.features(pixels(case.side)));
        // A head takes means of a map itself, so that the map before a pooling is kept.
        let (found_means, wanted_means) = (means(&found, channels), means(&case.values, channels));
        assert!(
            gap(&found_means, &wanted_means) < 2e-5,
            "{what}: {}",
            gap(&found_means, &wanted_means)
        );
        if case.shape.len() == 3 && added.shape[..2] == case.shape[..2] {
            assert!(
                gap(&found, &case.values) < 2e-5,
                "{what}: {}",
                gap(&found, &case.values)
            );
        }
        let values = parameters::read(&network);
        let without = Interpreter::new(network.graph().clone(), values, [case.side; 2]).unwrap();
        let answer = without.run(formula::pixels(case.side * case.side * 3), false);
        assert!(gap(&answer.embedding, &wanted_means) < 2e-5, "{what}");
        // Without fusion it is the same.
        let plain = to_vec(network.unfused().features(pixels(case.side)));
        assert!(gap(&plain, &found) < 1e-5, "{what}");
    }
}

/// A model under a linear head, its weights a function of their names or those of `values`.
fn model(architecture: Architecture, side: u32, values: Option<Named>) -> Model {
    let facts = Facts {
        architecture,
        head: Some(Head::linear()),
        flip: false,
        classes: ["cat", "dog"].map(String::from).to_vec(),
        preprocessing: Preprocessing {
            mean: [0.485, 0.456, 0.406],
            std: [0.229, 0.224, 0.225],
            ..Preprocessing::new(side)
        },
        together: None,
        training: Value::Null,
    };
    let graph = facts.graph();
    let values = values.unwrap_or_else(|| {
        let tensors = graph.nodes().iter().flat_map(|node| graph.tensors(node));
        tensors
            .map(|(name, shape)| (name.clone(), formula::values(&name, &shape)))
            .collect()
    });
    Model {
        network: Network::assemble(graph, values, &Device::flex())
            .unwrap()
            .folded(|_| true),
        others: Vec::new(),
        facts,
        judge: Judge::default(),
    }
}

#[test]
fn what_pelage_exports_is_added_again_and_sees_the_same() {
    let (folder, store) = store();
    let side = 64usize;
    let levels: Vec<u8> = (0..side * side * 3).map(|i| ((i * 2_654_435_761) >> 9) as u8).collect();
    for architecture in Architecture::ALL {
        let name = architecture.name();
        let model = model(architecture, side as u32, None);
        let path = folder.path().join("again.onnx");
        fs::write(&path, onnx(&model, Input::Tensor, Output::Probabilities).unwrap()).unwrap();
        // How it takes pixels is in the file.
        let again = Adding {
            mean: None,
            std: None,
            ..adding("again", None)
        };
        let added = store
            .add_onnx(&path, &again)
            .unwrap_or_else(|failure| panic!("{name}: {failure}"));
        assert!(added.classifier.is_some(), "{name}");
        let own = &model.facts.preprocessing;
        let of = |preprocessing: &Preprocessing| {
            let values = pelage::model::input::normalized(&levels, preprocessing);
            pelage::model::input::images(values, preprocessing, &Device::flex())
        };
        let wanted = to_vec(model.network.pooled_features(of(own)));
        let found = to_vec(network(&added).pooled_features(of(&added.added.preprocessing)));
        assert!(gap(&found, &wanted) < 1e-5, "{name}: {}", gap(&found, &wanted));
    }
}

#[test]
fn a_model_on_an_added_network_is_whole_and_exported_as_others_are() {
    let (folder, store) = store();
    for file in ["mobile.onnx", "windows.onnx", "keras.onnx", "residual.onnx"] {
        let added = store
            .add_onnx(&crate::folder().join(file), &adding("network", None))
            .unwrap();
        let architecture = added.added.kept.architecture;
        let side = added.added.preprocessing.height;
        let network = network(&added);
        let model = model(architecture, side, Some(parameters::read(&network)));
        // Another program opens it, without the store.
        let bytes = model.encode().unwrap();
        let opened = Model::decode(&bytes, &Device::flex()).unwrap();
        let x = pixels(side as usize);
        let wanted = to_vec(model.logits(x.clone()));
        assert!(gap(&to_vec(opened.logits(x.clone())), &wanted) < 1e-5, "{file}");
        assert_eq!(opened.facts, model.facts);
        // Exported with its head and added again, it sees the same.
        let path = folder.path().join("whole.onnx");
        fs::write(&path, onnx(&model, Input::Tensor, Output::Logits).unwrap()).unwrap();
        let whole = Adding {
            mean: Some([0.485, 0.456, 0.406]),
            std: Some([0.229, 0.224, 0.225]),
            ..adding("whole", Some("logits"))
        };
        let whole = store
            .add_onnx(&path, &whole)
            .unwrap_or_else(|failure| panic!("{file}: {failure}"));
        // The file normalizes pixels itself.
        let deviations = Tensor::<1>::from_floats([0.229, 0.224, 0.225], &Device::flex()).reshape([1, 1, 1, 3]);
        let means = Tensor::<1>::from_floats([0.485, 0.456, 0.406], &Device::flex()).reshape([1, 1, 1, 3]);
        let found = to_vec(crate::network(&whole).features(x * deviations + means));
        assert!(gap(&found, &wanted) < 1e-5, "{file}: {}", gap(&found, &wanted));
    }
}

fn read(file: &str) -> File {
    File::decode(&fs::read(folder().join(file)).unwrap()[..]).unwrap()
}

/// What is said of `file` after `change`.
fn told(file: &str, change: impl Fn(&mut File)) -> String {
    let (folder, store) = store();
    let mut model = read(file);
    change(&mut model);
    let path = folder.path().join("changed.onnx");
    fs::write(&path, model.encode_to_vec()).unwrap();
    match store.add_onnx(&path, &adding("changed", None)) {
        Ok(_) => "added".into(),
        Err(failure) => {
            assert!(store.list().unwrap().is_empty());
            failure.to_string()
        }
    }
}

fn graph(model: &mut File) -> &mut Graph {
    model.graph.as_mut().unwrap()
}

fn node<'a>(model: &'a mut File, operator: &str) -> &'a mut Node {
    graph(model)
        .node
        .iter_mut()
        .find(|node| node.op_type == operator)
        .unwrap()
}

/// The weights of the first convolution.
fn weight(model: &mut File) -> &mut TensorMessage {
    let name = node(model, "Conv").input[1].clone();
    let all = &mut graph(model).initializer;
    all.iter_mut().find(|tensor| tensor.name == name).unwrap()
}

fn set(node: &mut Node, name: &str, i: Option<i64>, ints: &[i64]) {
    node.attribute.retain(|attribute| attribute.name != name);
    node.attribute.push(Attribute {
        name: name.into(),
        i,
        ints: ints.to_vec(),
        kind: if i.is_some() { INTEGER } else { INTEGERS },
        ..Attribute::default()
    });
}

#[test]
fn what_is_not_supported_is_refused_by_the_name_of_the_node() {
    assert_eq!(told("residual.onnx", |_| ()), "added");
    type Change = Box<dyn Fn(&mut File)>;
    let all: Vec<(&str, Change, &[&str])> = vec![
        (
            "residual.onnx",
            Box::new(|file| node(file, "MaxPool").op_type = "LSTM".into()),
            &["node '/MaxPool' (LSTM)", "not supported", "Conv"],
        ),
        (
            "residual.onnx",
            Box::new(|file| node(file, "Relu").domain = "com.example".into()),
            &["node '/Relu' (Relu)", "com.example"],
        ),
        (
            "residual.onnx",
            Box::new(|file| set(node(file, "Conv"), "dilations", None, &[2, 2])),
            &["node '/stem/Conv' (Conv)", "dilations"],
        ),
        (
            "residual.onnx",
            Box::new(|file| set(node(file, "Conv"), "strides", None, &[1, 2])),
            &["node '/stem/Conv' (Conv)", "strides", "equal"],
        ),
        (
            "residual.onnx",
            Box::new(|file| set(node(file, "Conv"), "group", Some(2), &[])),
            &["node '/stem/Conv' (Conv)", "channels"],
        ),
        (
            "residual.onnx",
            Box::new(|file| set(node(file, "Conv"), "pads", None, &[-1, 0, 0, 0])),
            &["node '/stem/Conv' (Conv)", "pads", "-1"],
        ),
        (
            "residual.onnx",
            Box::new(|file| set(node(file, "MaxPool"), "kernel_shape", None, &[400, 400])),
            &["node '/MaxPool' (MaxPool)", "400", "not supported"],
        ),
        (
            "residual.onnx",
            Box::new(|file| set(node(file, "MaxPool"), "strides", None, &[0, 0])),
            &["node '/MaxPool' (MaxPool)", "0 apart", "not supported"],
        ),
        (
            "keras.onnx",
            Box::new(|file| set(node(file, "BatchNormalization"), "training_mode", Some(1), &[])),
            &["node 'net/n1' (BatchNormalization)", "training"],
        ),
        (
            "keras.onnx",
            Box::new(|file| set(node(file, "Transpose"), "perm", None, &[3, 2, 1, 0])),
            &["node 'net/first' (Transpose)", "[3, 2, 1, 0]"],
        ),
        (
            "residual.onnx",
            Box::new(|file| graph(file).initializer.clear()),
            &["node '/stem/Conv' (Conv)", "nothing before it gives"],
        ),
        (
            "residual.onnx",
            Box::new(|file| weight(file).dims[0] = 1 << 60),
            &["the constant '"],
        ),
        (
            "residual.onnx",
            Box::new(|file| graph(file).node.reverse()),
            &["nothing before it gives"],
        ),
        (
            "residual.onnx",
            Box::new(|file| {
                let copy = graph(file).input[0].clone();
                graph(file).input.push(pelage::export::messages::Value {
                    name: "more".into(),
                    ..copy
                });
            }),
            &["2 inputs"],
        ),
        (
            "residual.onnx",
            Box::new(|file| {
                graph(file).input[0]
                    .kind
                    .as_mut()
                    .unwrap()
                    .tensor
                    .as_mut()
                    .unwrap()
                    .element = I64
            }),
            &["f32"],
        ),
        (
            "residual.onnx",
            Box::new(|file| {
                let tensor = graph(file).input[0].kind.as_mut().unwrap().tensor.as_mut().unwrap();
                tensor.shape.as_mut().unwrap().axes[1].length = Some(4);
            }),
            &["three channels"],
        ),
        (
            "residual.onnx",
            Box::new(|file| {
                let tensor = graph(file).input[0].kind.as_mut().unwrap().tensor.as_mut().unwrap();
                tensor.shape.as_mut().unwrap().axes[3].length = None;
            }),
            &["does not say for which size"],
        ),
        (
            "residual.onnx",
            Box::new(|file| {
                file.opset_import = vec![OperatorSet {
                    domain: String::new(),
                    version: 6,
                }];
            }),
            &["version 6", "newer"],
        ),
        (
            "residual.onnx",
            Box::new(|file| file.graph = None),
            &["no network in it"],
        ),
        (
            "residual.onnx",
            Box::new(|file| graph(file).output.clear()),
            &["gives nothing"],
        ),
        (
            "residual.onnx",
            Box::new(|file| {
                let data = &mut weight(file).raw_data;
                *data = data
                    .chunks(4)
                    .flat_map(|_| f32::NAN.to_le_bytes())
                    .collect::<Vec<_>>()
                    .into();
            }),
            &["not finite"],
        ),
    ];
    for (file, change, parts) in all {
        let told = told(file, change);
        for part in parts {
            assert!(told.contains(part), "'{part}' is not in: {told}");
        }
    }
}

#[test]
fn names_outputs_and_normalization_are_asked_for_and_checked() {
    let (_folder, store) = store();
    let file = folder().join("residual.onnx");
    let refused = |adding: Adding| store.add_onnx(&file, &adding).unwrap_err().to_string();
    for (name, part) in [
        ("resnet18", "something else"),
        ("downloads", "something else"),
        ("", "no name"),
        ("../x", "no name"),
        ("a+b", "no name"),
        ("Upper", "no name"),
        (".hidden", "no name"),
    ] {
        assert!(refused(adding(name, None)).contains(part), "{name}");
    }
    assert!(refused(adding("own", Some("nowhere"))).contains("no node called 'nowhere'"));
    assert!(refused(adding("own", Some("images"))).contains("no node called 'images'"));
    let unsaid = Adding {
        mean: None,
        ..adding("own", None)
    };
    assert!(refused(unsaid).contains("0.485,0.456,0.406"));
    let zero = Adding {
        std: Some([0.0; 3]),
        ..adding("own", None)
    };
    assert!(refused(zero).contains("deviation 0"));
    let mut small = adding("own", None);
    small.reading.image_size = Some(0);
    assert!(refused(small).contains("0 pixels"));
    assert!(store.list().unwrap().is_empty());
    assert!(
        store
            .named("own")
            .unwrap_err()
            .to_string()
            .contains("no architecture is called 'own'")
    );

    store.add_onnx(&file, &adding("own", None)).unwrap();
    let first = store.named("own").unwrap();
    assert_eq!((first.name(), first.input_size()), ("own", 40));
    assert_eq!(store.list().unwrap()[0].architecture, first);
    let unknown = store.named("owl").unwrap_err().to_string();
    assert!(unknown.contains("added: own"), "{unknown}");
    // Another one under the same name takes its place, and who meant the first is told.
    let again = store
        .add_onnx(&folder().join("dense.onnx"), &adding("own", None))
        .unwrap();
    assert!(again.added.replaced.is_some());
    assert_ne!(store.named("own").unwrap(), first);
    let other = load(&again.added.kept.path, first).unwrap_err().to_string();
    assert!(other.contains("added anew"), "{other}");
    store.remove(store.named("own").unwrap()).unwrap();
    assert!(store.list().unwrap().is_empty());
}

#[test]
fn a_damaged_kept_network_is_refused() {
    let (_folder, store) = store();
    let added = store
        .add_onnx(&folder().join("dense.onnx"), &adding("own", None))
        .unwrap();
    let path = &added.added.kept.path;
    let mut bytes = fs::read(path).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    fs::write(path, bytes).unwrap();
    assert!(store.named("own").unwrap_err().to_string().contains("checksum"));
    assert!(store.list().unwrap().is_empty());
}

#[test]
fn no_file_makes_the_reader_panic() {
    let (folder, store) = store();
    let path = folder.path().join("mutated.onnx");
    let mut state = 11;
    let mut below = |most: usize| (split_mix::next(&mut state) % most as u64) as usize;
    let files: Vec<Vec<u8>> = cases()
        .iter()
        .map(|case| fs::read(crate::folder().join(&case.file)).unwrap())
        .collect();
    let mut added = 0;
    for _ in 0..Config::default().cases * 8 {
        let mut bytes = files[below(files.len())].clone();
        for _ in 0..1 + below(4) {
            let at = below(bytes.len());
            match below(6) {
                0 => bytes[at] ^= 1 << below(8),
                1 => bytes[at] = below(256) as u8,
                2 => bytes.insert(at, below(256) as u8),
                3 => _ = bytes.remove(at),
                4 => bytes[at] = [0, 1, 2, 3, 127, 128, 255][below(7)],
                _ if below(10) == 0 => bytes.truncate(at.max(1)),
                _ => bytes[at] = bytes[at].wrapping_add(1),
            }
        }
        fs::write(&path, &bytes).unwrap();
        if let Ok(network) = store.add_onnx(&path, &adding("mutated", None)) {
            // What was added can be computed.
            let side = network.added.preprocessing.height as usize;
            if side <= 64 {
                to_vec(self::network(&network).features(pixels(side)));
            }
            added += 1;
        }
    }
    assert!(added > 0);
}
