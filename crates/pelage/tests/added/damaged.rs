//! Files that are damaged.

use std::fs;

use pelage::export::messages::Model as File;
use pelage::model::interpreter::Interpreter;
use pelage::model::networks::parameters;
use pelage::model::values::to_vec;
use pelage::zoo::AddedNetwork;
use pelage_kernels::split_mix;
use proptest::test_runner::Config;
use prost::Message;

use crate::files::{attribute, graph, read};
use crate::place;
use crate::place::{adding, cases, folder, network, pixels, store};
use crate::support::formula;

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
    // It can be removed all the same, and nothing outside of the store.
    for name in ["downloads", "..", "../weights", "other"] {
        store.remove(name).unwrap_err();
    }
    let removed = store.remove("own").unwrap();
    assert_eq!((&removed.architecture[..], &removed.path), ("own", path));
    assert!(!path.exists());
    assert!(
        store
            .remove("own")
            .unwrap_err()
            .to_string()
            .contains("no architecture is called 'own'")
    );
}

/// Changes a number, a reader or the order in a network.
fn mutated(model: &mut File, below: &mut impl FnMut(usize) -> usize) {
    let number = [0, 1, -1, 2, 7, 1 << 40, i64::MAX][below(7)];
    let (nodes, weights) = (&mut graph(model).node, below(6));
    let [one, other] = [below(nodes.len()), below(nodes.len())];
    let count = nodes[one].attribute.len();
    match weights {
        0 if count > 0 => {
            let attribute = &mut nodes[one].attribute[below(count)];
            match attribute.ints.len() {
                0 => attribute.i = Some(number),
                several => attribute.ints[below(several)] = number,
            }
        }
        1 => nodes.swap(one, other),
        2 => {
            nodes[one].op_type = "Concat".into();
            nodes[one].attribute = vec![attribute("axis", Some(1), &[], None)];
        }
        3 if !nodes[other].input.is_empty() => {
            let input = nodes[other].input[0].clone();
            nodes[one].input.push(input);
        }
        4 if !nodes[one].input.is_empty() => {
            let at = below(nodes[one].input.len());
            nodes[one].input[at] = nodes[other].output[0].clone();
        }
        _ => {
            let all = &mut graph(model).initializer;
            let at = below(all.len());
            let axes = all[at].dims.len();
            if axes > 0 {
                all[at].dims[below(axes)] = number;
            }
            if below(2) == 0 {
                all[at].raw_data = Vec::new().into();
            }
        }
    }
}

#[test]
fn no_file_makes_the_reader_panic() {
    let (folder, store) = store();
    let path = folder.path().join("mutated.onnx");
    let mut state = 11;
    let mut below = |most: usize| (split_mix::next(&mut state) % most as u64) as usize;
    let files: Vec<Vec<u8>> = cases()
        .iter()
        .map(|case| fs::read(place::folder().join(&case.file)).unwrap())
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
            computed(&network);
            added += 1;
        }
    }
    assert!(added > 0);
}

/// What was added can be computed.
fn computed(added: &AddedNetwork) {
    let side = added.added.preprocessing.height as usize;
    if side <= 64 {
        let network = network(added);
        to_vec(network.features(pixels(side)));
        let values = parameters::read(&network);
        let without = Interpreter::new(network.graph().clone(), values, [side; 2]).unwrap();
        without.run(formula::pixels(side * side * 3), false);
    }
}

#[test]
fn no_network_makes_the_reader_panic() {
    let (folder, store) = store();
    let path = folder.path().join("mutated.onnx");
    let mut state = 13;
    let mut below = |most: usize| (split_mix::next(&mut state) % most as u64) as usize;
    let files: Vec<File> = cases().iter().map(|case| read(&case.file)).collect();
    let mut added = 0;
    for _ in 0..Config::default().cases * 8 {
        let mut file = files[below(files.len())].clone();
        for _ in 0..1 + below(3) {
            mutated(&mut file, &mut below);
        }
        fs::write(&path, file.encode_to_vec()).unwrap();
        if let Ok(network) = store.add_onnx(&path, &adding("mutated", None)) {
            computed(&network);
            added += 1;
        }
    }
    assert!(added > 0);
}
