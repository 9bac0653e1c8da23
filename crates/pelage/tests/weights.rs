//! Weight files: those of other projects are read; everything else is rejected with an error that says what it is.

use std::path::{Path, PathBuf};

use burn::tensor::{Device, Tensor, TensorData};
use pelage::Architecture;
use pelage::model::networks::{Head, Mode};
use pelage::model::values::{Named, to_vec};
use pelage::model::weights::{self, Layout};
use pelage::zoo;
use serde::Deserialize;
use support::formula;

mod support;

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures/torch")
        .join(name)
}

/// The error for a file with these bytes as weights of ResNet-18.
fn problem(bytes: &[u8]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("weights");
    std::fs::write(&path, bytes).unwrap();
    let message = zoo::load(&path, Architecture::ResNet18).unwrap_err().to_string();
    assert!(message.starts_with(path.to_str().unwrap()), "{message}");
    message
}

#[derive(Deserialize)]
struct Truth {
    files: Vec<f32>,
}

#[test]
fn both_formats_of_pytorch_are_read() {
    let truth: Truth = serde_json::from_str(include_str!("fixtures/torch/training.json")).unwrap();
    let device = Device::flex();
    for name in ["resnet18.pth", "resnet18-legacy.pth"] {
        let found = zoo::load(&fixture(name), Architecture::ResNet18).unwrap();
        assert_eq!((found.layout, found.classes), (Some(Layout::Torchvision), Some(10)));
        let pixels = Tensor::from_data(TensorData::new(formula::pixels(64 * 80 * 3), [1, 64, 80, 3]), &device);
        let logits = to_vec(found.network(&device).unwrap().forward(pixels, Mode::Infer));
        let largest = truth.files.iter().fold(0f32, |largest, x| largest.max(x.abs()));
        for (a, b) in logits.iter().zip(&truth.files) {
            assert!((a - b).abs() <= 1e-4 * largest, "{name}: {logits:?} {:?}", truth.files);
        }
    }
}

#[test]
fn a_pickle_that_makes_millions_of_objects_is_refused_before_it_does() {
    let millions = [&b"\x80\x02("[..], &[b'}'; 3_000_000], b"l."].concat();
    assert!(problem(&millions).contains("instructions"), "{}", problem(&millions));
    // Packed: a few thousand bytes.
    let mut archive = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    archive
        .start_file("archive/data.pkl", zip::write::SimpleFileOptions::default())
        .unwrap();
    std::io::Write::write_all(&mut archive, &millions).unwrap();
    let packed = archive.finish().unwrap().into_inner();
    assert!(packed.len() < 50_000, "{}", packed.len());
    assert!(problem(&packed).contains("instructions"), "{}", problem(&packed));
    // Behind the magic number and the version of older files.
    let whole = std::fs::read(fixture("resnet18-legacy.pth")).unwrap();
    let end = whole.windows(2).position(|pair| pair == b".\x80").unwrap() + 1;
    let behind = [&whole[..end], &millions].concat();
    assert!(problem(&behind).contains("instructions"), "{}", problem(&behind));
}

#[test]
fn a_truncated_file_is_an_error_wherever_it_ends() {
    for name in ["resnet18.pth", "resnet18-legacy.pth", "keras.h5"] {
        let bytes = std::fs::read(fixture(name)).unwrap();
        let architecture = if name == "keras.h5" {
            Architecture::Vgg16
        } else {
            Architecture::ResNet18
        };
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        let ends = (0..64)
            .chain((64..bytes.len()).step_by(151))
            .chain(bytes.len() - 64..bytes.len());
        for end in ends {
            std::fs::write(&path, &bytes[..end]).unwrap();
            assert!(zoo::load(&path, architecture).is_err(), "{name} cut at {end}");
        }
    }
}

#[test]
fn a_corrupted_byte_never_panics() {
    for name in ["resnet18.pth", "resnet18-legacy.pth"] {
        let whole = std::fs::read(fixture(name)).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        for at in (0..whole.len().min(6000)).step_by(41) {
            let mut bytes = whole.clone();
            bytes[at] ^= 0x55;
            std::fs::write(&path, &bytes).unwrap();
            // For another architecture, so that even a file that can still be read is an error.
            assert!(zoo::load(&path, Architecture::ResNet50).is_err());
        }
    }
}

#[test]
fn other_files_are_rejected() {
    assert!(problem(b"").contains("PyTorch"));
    assert!(problem(b"These are the weights, I promise.\n").contains("PyTorch"));
    assert!(problem(b"\x89PNG\r\n\x1a\n0000000000").contains("PyTorch"));
    assert!(problem(b"\x89HDF\r\n\x1a\n0000000000").contains("HDF5"));
    assert!(problem(b"PK\x03\x04 and nothing more").contains("zip"));
    // A header of 2^56 bytes.
    assert!(problem(b"\0\0\0\0\0\0\0\x01{}").contains("safetensors"));
    assert!(problem(b"\x80\x02]q\x00.").contains("a list"));
    let missing = zoo::load(Path::new("/nonexistent/weights.pth"), Architecture::ResNet18).unwrap_err();
    assert!(missing.to_string().contains("/nonexistent/weights.pth"));
    let folder = tempfile::tempdir().unwrap();
    assert!(
        zoo::load(folder.path(), Architecture::ResNet18)
            .unwrap_err()
            .to_string()
            .contains("not a file")
    );
}

#[test]
fn a_pickle_with_code_is_rejected_and_not_run() {
    let folder = tempfile::tempdir().unwrap();
    let proof = folder.path().join("proof");
    let call = format!("cposix\nsystem\n(Vtouch {}\ntR", proof.display());
    for pickle in [
        format!("{call}."),
        format!("(Vconv1.weight\n{call}d."),
        format!("(Vstate_dict\n(Vfc.bias\n{call}dd."),
    ] {
        let message = problem(pickle.as_bytes());
        assert!(
            message.contains("posix.system") && message.contains("nothing of it was run"),
            "{message}"
        );
    }
    assert!(!proof.exists());
}

#[test]
fn claimed_sizes_are_checked_before_allocating() {
    let message = zoo::load(&fixture("huge.pth"), Architecture::ResNet18)
        .unwrap_err()
        .to_string();
    assert!(
        message.contains("limit") || message.contains("conv1.weight"),
        "{message}"
    );
    let header = r#"{"conv1.weight":{"dtype":"F32","shape":[1099511627776],"data_offsets":[0,4398046511104]}}"#;
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend(header.as_bytes());
    assert!(problem(&bytes).contains("safetensors"));
}

#[derive(Deserialize)]
struct Record {
    architecture: Architecture,
    tensors: Vec<(String, Vec<usize>)>,
}

/// The tensors of ResNet-18 as torchvision names them.
fn resnet18() -> Named {
    recorded(Architecture::ResNet18)
}

fn recorded(architecture: Architecture) -> Named {
    let records: Vec<Record> = serde_json::from_str(include_str!("fixtures/torch/zoo.json")).unwrap();
    let record = records
        .into_iter()
        .find(|record| record.architecture == architecture)
        .unwrap();
    record
        .tensors
        .into_iter()
        .map(|(name, shape)| (name.clone(), formula::values(&name, &shape)))
        .collect()
}

#[test]
fn every_tensor_is_accounted_for() {
    let whole = resnet18();
    let tell = |change: &dyn Fn(&mut Named)| {
        let mut changed = whole.clone();
        change(&mut changed);
        weights::from_named(changed, Architecture::ResNet18).unwrap_err()
    };
    assert_eq!(
        tell(&|t| drop(t.remove("layer3.1.bn2.bias"))),
        "tensor 'layer3.1.bn2.bias' is missing"
    );
    let surplus = tell(&|t| drop(t.insert("layer3.1.se.weight".into(), whole["bn1.bias"].clone())));
    assert_eq!(surplus, "has a tensor 'layer3.1.se.weight' that resnet18 does not know");
    let misshapen = tell(&|t| t.get_mut("conv1.weight").unwrap().shape = vec![64, 3, 49]);
    assert_eq!(
        misshapen,
        "tensor 'conv1.weight' has shape [64, 3, 49], expected [64, 3, 7, 7]"
    );
    let nan = tell(&|t| t.get_mut("layer2.0.bn1.running_mean").unwrap().data[5] = f32::NAN);
    assert!(nan.starts_with("tensor 'layer2.0.bn1.running_mean' holds NaN"), "{nan}");
    let short = tell(&|t| t.get_mut("fc.bias").unwrap().data.truncate(3));
    assert!(short.contains("'fc.bias'"), "{short}");
}

/// DINOv2's own file has no head, and a token that only its training needed.
#[test]
fn a_backbone_without_a_head_is_one() {
    let architecture = Architecture::DinoV2Small;
    let mut whole = recorded(architecture);
    let found = weights::from_named(whole.clone(), architecture).unwrap();
    assert_eq!(found.classes, Some(10));
    whole.remove("head.weight");
    let left = weights::from_named(whole.clone(), architecture).unwrap_err();
    assert_eq!(left, "has a tensor 'head.bias' that dinov2_vits14 does not know");
    whole.remove("head.bias");
    whole.insert("mask_token".into(), formula::values("mask_token", &[1, 384]));
    let found = weights::from_named(whole, architecture).unwrap();
    assert_eq!(found.classes, None);
    let network = found.with_head(&Head::linear(), [28, 28], 2, 0, &Device::flex());
    assert!(network.graph().averages());
}

#[test]
fn weights_of_another_architecture_are_named() {
    let told = |wanted| weights::from_named(resnet18(), wanted).unwrap_err();
    for wanted in [Architecture::ResNet34, Architecture::MobileNetV2, Architecture::Vgg16] {
        assert_eq!(
            told(wanted),
            format!("holds weights of resnet18, not of {}", wanted.name())
        );
    }
    let strange = Named::from([
        ("a".to_string(), Default::default()),
        ("b".to_string(), Default::default()),
    ]);
    let told = weights::from_named(strange, Architecture::ResNet18).unwrap_err();
    assert!(told.contains("2 tensors are 'a', 'b'"), "{told}");
    assert!(
        weights::from_named(resnet18(), Architecture::Cnn3)
            .unwrap_err()
            .contains("no known weights of cnn3")
    );
}
