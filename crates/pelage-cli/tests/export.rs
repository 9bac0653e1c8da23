//! Models for other programs.

use std::fs;

use common::{data, fail, frozen, run, succeed};

mod common;

#[test]
fn a_run_becomes_an_onnx_file_that_replaces_an_earlier_one_and_nothing_else() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path();
    data(folder, 8, 4);
    let train = ["train", "data", "--out", "run", "--epochs", "1", "--image-size", "16"];
    succeed(folder, &train);
    let export = ["export", "onnx", "run", "--out", "model.onnx"];
    let with = |more: &[&'static str]| [&export, more].concat();

    let said = succeed(folder, &export);
    assert!(said.contains("images: f32, 0 to 1, RGB, [batch, 3, 16, 16]"), "{said}");
    assert!(said.contains("probabilities: f32, [batch, 2]"), "{said}");
    let first = fs::read(folder.join("model.onnx")).unwrap();
    assert!(first.starts_with(b"\x08\x07\x12\x06pelage"));
    let holds = |bytes: &[u8], text: &str| bytes.windows(text.len()).any(|part| part == text.as_bytes());
    assert!(holds(&first, "{0: 'level', 1: 'upright'}"));

    let said = succeed(folder, &with(&["--input", "pixels", "--logits"]));
    assert!(
        said.contains("pixels: u8, RGB") && said.contains("logits: f32"),
        "{said}"
    );
    assert_ne!(fs::read(folder.join("model.onnx")).unwrap(), first);
    succeed(folder, &with(&["--probabilities"]));
    assert_eq!(fs::read(folder.join("model.onnx")).unwrap(), first);
    let standard = run(folder, &["export", "onnx", "run", "--out", "-"]);
    assert!(standard.status.success() && standard.stdout == first);

    fs::write(folder.join("model.onnx"), b"\x89PNG\r\n\x1a\n").unwrap();
    let refused = fail(folder, &export, 2);
    assert!(
        refused.contains("ONNX network") && refused.contains("--force"),
        "{refused}"
    );
    succeed(folder, &with(&["--force"]));
    assert_eq!(fs::read(folder.join("model.onnx")).unwrap(), first);

    fail(folder, &with(&["--logits", "--probabilities"]), 2);
    let refused = fail(folder, &with(&["--input", "jpeg"]), 2);
    assert!(refused.contains("tensor, pixels"), "{refused}");
    let refused = fail(folder, &["export", "onnx", "data", "--out", "other.onnx"], 1);
    assert!(refused.contains("there is no model"), "{refused}");
    assert!(!folder.join("other.onnx").exists());
}

#[test]
fn weights_under_torchvisions_names_are_those_of_the_model() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path();
    data(folder, 16, 40);
    succeed(folder, &frozen(&["--out", "run", "--head", "logistic"]));
    // Wrong labels, which a model that is sure of itself pays dearly for, and a temperature makes up for.
    for i in 0..12 {
        let [level, upright] =
            ["level", "upright"].map(|class| folder.join(format!("data/validation/{class}/{i}.png")));
        let kept = fs::read(&level).unwrap();
        fs::rename(&upright, &level).unwrap();
        fs::write(&upright, kept).unwrap();
    }
    succeed(folder, &["calibrate", "run", "data"]);
    let export = ["export", "safetensors", "run", "--out", "weights.safetensors"];
    let said = succeed(folder, &export);
    assert!(said.contains("resnet18 as torchvision names it, 2 classes"), "{said}");

    let model = pelage::Model::open(folder.join("run")).unwrap();
    let read =
        pelage::model::weights::load(&folder.join("weights.safetensors"), pelage::Architecture::ResNet18).unwrap();
    let device = model.network.device();
    let pixels = pelage::burn::Tensor::<4>::ones([1, 32, 32, 3], &device);
    let logits = |network: &pelage::model::networks::Network| {
        pelage::model::values::to_vec(network.forward(pixels.clone(), pelage::model::networks::Mode::Infer))
    };
    let temperature = model.judge.temperature().unwrap() as f32;
    assert!(temperature > 1.1, "{temperature}");
    for (theirs, ours) in logits(&read.network(&device).unwrap())
        .iter()
        .zip(logits(&model.network))
    {
        assert!(
            (theirs - ours / temperature).abs() < 1e-4,
            "{theirs}, not {ours} / {temperature}"
        );
    }

    // It replaces what it wrote, and no model.
    succeed(folder, &export);
    let refused = fail(
        folder,
        &["export", "safetensors", "run", "--out", "run/best.safetensors"],
        2,
    );
    assert!(refused.contains("belongs to a run"), "{refused}");
    let refused = fail(
        folder,
        &["export", "safetensors", "run", "--out", "w", "--names", "keras"],
        2,
    );
    assert!(refused.contains("torchvision, timm"), "{refused}");
}
