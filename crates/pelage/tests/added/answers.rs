//! What is computed.

use std::fs;

use burn::Tensor;
use burn::tensor::Device;
use pelage::data::preprocess::Preprocessing;
use pelage::export::{Input, Output, onnx};
use pelage::model::interpreter::Interpreter;
use pelage::model::networks::graph::{Node, Operation};
use pelage::model::networks::{Function, Head, Network, parameters};
use pelage::model::ops::Activation;
use pelage::model::saved::Facts;
use pelage::model::trust::Judge;
use pelage::model::values::{Named, to_vec};
use pelage::zoo::Adding;
use pelage::{Architecture, Model};
use serde_json::Value;

use crate::place::{self, adding, cases, folder, gap, network, pixels, store};
use crate::support::formula;
use crate::support::naive_onnx::{Array, run};

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
        narrow: None,
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
        let added = store.add_onnx(&path, &again);
        // Version 12 of the format has no layer norm, and of the nodes that do the same none is made.
        if matches!(architecture, Architecture::ConvNextTiny | Architecture::DinoV2Small) {
            let refused = added.map(|_| ()).unwrap_err().to_string();
            assert!(refused.contains("node '"), "{refused}");
            continue;
        }
        let added = added.unwrap_or_else(|failure| panic!("{name}: {failure}"));
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
    for file in [
        "mobile.onnx",
        "windows.onnx",
        "keras.onnx",
        "residual.onnx",
        "shuffled.onnx",
        "apart.onnx",
    ] {
        let added = store
            .add_onnx(&place::folder().join(file), &adding("network", None))
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
        let found = to_vec(place::network(&whole).features(x * deviations + means));
        assert!(gap(&found, &wanted) < 1e-5, "{file}: {}", gap(&found, &wanted));
    }
}

#[test]
fn what_has_no_operator_of_its_own_in_a_file_is_written_out() {
    let (_folder, store) = store();
    for file in ["next.onnx", "shuffled.onnx", "apart.onnx"] {
        let added = store.add_onnx(&folder().join(file), &adding("network", None)).unwrap();
        let side = added.added.preprocessing.height;
        let model = model(
            added.added.kept.architecture,
            side,
            Some(parameters::read(&network(&added))),
        );
        let x = formula::pixels((side * side * 3) as usize);
        let wanted = to_vec(model.logits(pixels(side as usize)));
        // The file takes values of 0 to 1, channels first, and normalizes them itself.
        let Preprocessing { mean, std, .. } = model.facts.preprocessing;
        let side = side as usize;
        let images = Array::of(&[1, 3, side, side], |at| {
            let (c, value) = (at[1], x[(at[2] * side + at[3]) * 3 + at[1]]);
            f64::from(value) * f64::from(std[c]) + f64::from(mean[c])
        });
        let found = run(&onnx(&model, Input::Tensor, Output::Logits).unwrap(), images);
        let found: Vec<f32> = found.data.iter().map(|&value| value as f32).collect();
        assert!(gap(&found, &wanted) < 1e-5, "{file}: {}", gap(&found, &wanted));
    }
}

#[test]
fn functions_spread_over_nodes_are_one_layer_again() {
    let (_folder, store) = store();
    for file in ["next.onnx", "next_dynamo.onnx"] {
        let added = store.add_onnx(&folder().join(file), &adding("next", None)).unwrap();
        let network = network(&added);
        let backbone = &network.graph().nodes()[..=network.graph().features()];
        // By the convolution before it, where one exporter writes that next to it.
        let is_gelu = |node: &&Node| {
            node.operation == Operation::Function(Function::Gelu) || node.activation() == Activation::Gelu
        };
        let is_function = |node: &&Node| matches!(node.operation, Operation::Function(_));
        assert_eq!(backbone.iter().filter(is_gelu).count(), 1, "{file}");
        assert!(backbone.iter().filter(is_function).count() <= 1, "{file}");
        assert_eq!(
            backbone
                .iter()
                .filter(|node| matches!(node.operation, Operation::LayerNorm { .. }))
                .count(),
            3
        );
    }
}

#[test]
fn explanations_look_at_the_last_map_of_several_pixels() {
    let (_folder, store) = store();
    // One writes a hard swish as such, one as a product.
    for file in ["mobile.onnx", "mobile_11.onnx"] {
        let added = store.add_onnx(&folder().join(file), &adding("mobile", None)).unwrap();
        let side = added.added.preprocessing.height as usize;
        let network = network(&added);
        let layer = pelage::explain::layer(network.graph(), None).unwrap();
        let [rows, columns] = network.graph().sizes([side; 2])[layer];
        assert!(rows > 1 && columns > 1, "{file}: {rows} x {columns}");
    }
}
