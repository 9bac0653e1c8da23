//! What is refused, and in which words.

use std::fs;

use pelage::export::messages::{I64, Model as File, OperatorSet};
use pelage::zoo::{Adding, load};
use prost::Message;

use crate::files::{append, attribute, doubled, flattened, graph, node, read, set, told, weight};
use crate::place::{self, adding, folder, store};

#[test]
fn no_few_nodes_ask_for_much_memory() {
    let told_of_maps = told("residual.onnx", |file| {
        let first = node(file, "Relu").output[0].clone();
        let last = doubled(file, &first, 1);
        let factor = attribute("value_float", None, &[], Some(2.0));
        append(file, "Constant", &[], "factor", vec![factor]);
        append(file, "Mul", &[last, "factor".into()], "product", Vec::new());
    });
    assert!(
        told_of_maps.contains("(Concat)") && told_of_maps.contains("makes a map"),
        "{told_of_maps}"
    );
    let told_of_shapes = told("residual.onnx", |file| {
        let map = node(file, "Relu").output[0].clone();
        append(
            file,
            "Constant",
            &[],
            "one",
            vec![attribute("value_ints", None, &[1], None)],
        );
        let shape = doubled(file, "one", 0);
        append(file, "Reshape", &[map, shape], "flat", Vec::new());
    });
    assert!(told_of_shapes.contains("a few whole numbers"), "{told_of_shapes}");
}

#[test]
fn a_concatenation_has_as_many_and_as_long_names_as_it_has() {
    let (folder, store) = store();
    let mut file = read("residual.onnx");
    let map = node(&mut file, "Relu").output[0].clone();
    let name = |i: usize| format!("{}{i}", "branch".repeat(12));
    for i in 0..60 {
        append(&mut file, "Sigmoid", std::slice::from_ref(&map), &name(i), Vec::new());
    }
    let all: Vec<String> = (0..60).map(name).collect();
    append(
        &mut file,
        "Concat",
        &all,
        "all",
        vec![attribute("axis", Some(1), &[], None)],
    );
    let path = folder.path().join("wide.onnx");
    fs::write(&path, file.encode_to_vec()).unwrap();
    let added = store.add_onnx(&path, &adding("wide", Some("all"))).unwrap();
    assert_eq!(store.named("wide").unwrap(), added.added.kept.architecture);
    // What cannot be added leaves what was there.
    let earlier = fs::read(&added.added.kept.path).unwrap();
    let zero = Adding {
        std: Some([0.0; 3]),
        ..adding("wide", None)
    };
    store.add_onnx(&place::folder().join("dense.onnx"), &zero).unwrap_err();
    assert_eq!(fs::read(&added.added.kept.path).unwrap(), earlier);
}

#[test]
fn the_number_of_images_in_a_shape_is_theirs() {
    let told_of = |declared: Option<i64>, shape: i64| {
        told("keras.onnx", |file| {
            let tensor = graph(file).input[0].kind.as_mut().unwrap().tensor.as_mut().unwrap();
            tensor.shape.as_mut().unwrap().axes[0].length = declared;
            flattened(file, [shape, 96]);
        })
    };
    assert_eq!(told_of(None, 1), "added");
    assert_eq!(told_of(Some(7), 7), "added");
    let refused = told_of(None, 7);
    assert!(
        refused.contains("(Reshape)") && refused.contains("[7, 96]"),
        "{refused}"
    );
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
            Box::new(|file| set(node(file, "Conv"), "dilations", None, &[2, 0])),
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
            Box::new(|file| node(file, "BatchNormalization").output.push("statistics".into())),
            &["node 'net/n1' (BatchNormalization)", "training"],
        ),
        (
            "computed.onnx",
            Box::new(|file| {
                let alpha = attribute("alpha", None, &[], Some(f32::INFINITY));
                node(file, "HardSigmoid").attribute = vec![alpha];
            }),
            &["(HardSigmoid)", "not finite"],
        ),
        (
            "residual.onnx",
            Box::new(|file| {
                let weight = weight(file);
                weight.dims[0] = 0;
                weight.raw_data = Vec::new().into();
                node(file, "Conv").input.truncate(2);
            }),
            &["node '/stem/Conv' (Conv)", "0 channels"],
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
    store.remove("own").unwrap();
    assert!(store.list().unwrap().is_empty());
}
