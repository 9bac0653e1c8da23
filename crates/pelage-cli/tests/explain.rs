//! `explain` and `plot-model` through the binary.

mod common;

use std::fs;
use std::path::Path;

use common::{data, fail, stripes, succeed};

/// A folder with `data` and a model `run` of 24 pixels.
fn trained() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    data(folder.path(), 12, 4);
    succeed(
        folder.path(),
        &["train", "data", "--epochs", "1", "--image-size", "24", "--out", "run"],
    );
    folder
}

/// Every file that the page shows, which must exist, be a PNG, and have an alternative text.
fn shown(folder: &Path) -> Vec<String> {
    let page = fs::read_to_string(folder.join("index.html")).unwrap();
    assert!(page.contains("prefers-color-scheme: dark") && page.contains("width=device-width"));
    let tags: Vec<_> = page
        .split("<img ")
        .skip(1)
        .map(|rest| rest.split('>').next().unwrap())
        .collect();
    tags.iter()
        .map(|tag| {
            let value = |name: &str| {
                tag.split(&format!("{name}=\""))
                    .nth(1)
                    .and_then(|rest| rest.split('"').next())
            };
            let file = value("src").unwrap();
            assert!(value("alt").is_some_and(|words| words.len() > 8), "{tag}");
            let drawn = image::open(folder.join(file)).unwrap_or_else(|failure| panic!("{file}: {failure}"));
            assert!(file.ends_with(".png") && drawn.width() > 0);
            file.to_string()
        })
        .collect()
}

#[test]
fn a_page_with_all_its_images() {
    let folder = trained();
    let at = |name: &str| folder.path().join(name);
    fs::create_dir(at("mine")).unwrap();
    stripes(1, 5, 40).save(at("mine/0.png")).unwrap();
    let hostile = "<b>&\"'.png";
    stripes(0, 6, 30).save(at(hostile)).unwrap();
    fs::write(at("mine/broken.jpg"), b"no picture").unwrap();
    let arguments = [
        "explain",
        "run",
        "data/validation/level/0.png",
        "mine",
        hostile,
        "--out",
        "out",
        "--dataset",
        "data",
        "--stride",
        "6",
    ];
    let said = succeed(folder.path(), &arguments);
    assert!(
        said.contains("1 picture could not be read") && said.contains("broken.jpg"),
        "{said}"
    );
    let files = shown(&at("out"));
    // Two images with the same name, and the one with quotes, make three folders.
    let count = |wanted: &str| files.iter().filter(|file| file.ends_with(wanted)).count();
    for file in [
        "picture.png",
        "grad-cam.png",
        "grad-cam-plus-plus.png",
        "occlusion.png",
        "projection.png",
    ] {
        assert_eq!(count(&format!("/{file}")), 3, "{file}");
    }
    for layer in ["conv1", "pool1", "conv2", "pool2", "conv3", "pool3"] {
        assert_eq!(count(&format!("-{layer}.png")), 3, "{layer}");
    }
    assert_eq!(files.iter().filter(|file| file.starts_with("channel-")).count(), 16);
    assert_eq!(count("filters.png"), 1);
    let page = fs::read_to_string(at("out/index.html")).unwrap();
    assert!(
        page.contains("&lt;b&gt;&amp;&quot;'.png") && !page.contains("<b>&"),
        "names are escaped"
    );
    assert!(page.contains("broken.jpg"), "what could not be read is named");
    let different: std::collections::BTreeSet<_> = files.iter().filter(|file| file.ends_with("/picture.png")).collect();
    assert_eq!(different.len(), 3);

    // The same folder again, with one layer and one class.
    let arguments = [
        "explain",
        "run",
        "mine/0.png",
        "--out",
        "out",
        "--layer",
        "conv2",
        "--class",
        "upright",
    ];
    succeed(folder.path(), &arguments);
    let files = shown(&at("out"));
    assert_eq!(
        files.iter().filter(|file| file.contains("/layer-")).count(),
        1,
        "{files:?}"
    );
    let page = fs::read_to_string(at("out/index.html")).unwrap();
    assert!(page.contains("what supports upright") && page.contains("<b>conv2</b>"));
}

#[test]
fn wrong_usage_is_refused_and_nothing_is_overwritten() {
    let folder = trained();
    let with = |more: &[&str], code| {
        let fixed = ["explain", "run", "data/validation/level/0.png", "--out", "out"];
        fail(folder.path(), &[&fixed, more].concat(), code)
    };
    assert!(with(&["--layer", "conv9"], 2).contains("conv1, pool1"));
    assert!(with(&["--class", "cats"], 2).contains("level, upright"));
    assert!(with(&["--patch", "0"], 2).contains("1 to 24"));
    assert!(with(&["--patch", "25"], 2).contains("24 x 24"));
    assert!(with(&["--stride", "0"], 2).contains("1 to 24"));
    assert!(with(&["--dataset", "nowhere"], 1).contains("nowhere"));
    assert!(!folder.path().join("out").exists(), "nothing was begun");

    let explain = |image: &str, out: &str, code| fail(folder.path(), &["explain", "run", image, "--out", out], code);
    let page = folder.path().join("data/index.html");
    fs::write(&page, "mine").unwrap();
    assert!(explain("data/validation/level/0.png", "data", 2).contains("other files"));
    assert_eq!(fs::read_to_string(&page).unwrap(), "mine");
    fs::write(folder.path().join("file"), "mine").unwrap();
    assert!(explain("data/validation/level/0.png", "file", 1).contains("file"));
    fs::write(folder.path().join("broken.jpg"), "").unwrap();
    assert!(explain("broken.jpg", "other", 1).contains("no picture could be read"));
    assert!(explain("nowhere.jpg", "third", 1).contains("nowhere.jpg"));
    assert!(fail(folder.path(), &["explain", "run", "broken.jpg"], 2).contains("--out"));
}

#[test]
fn networks_are_drawn_from_names_and_from_models() {
    let folder = trained();
    let plot = |model: &str, out: &str| succeed(folder.path(), &["plot-model", model, "--out", out]);
    plot("run", "run.svg");
    let svg = fs::read_to_string(folder.path().join("run.svg")).unwrap();
    for words in [
        "conv1",
        "pool3",
        "dense2",
        "softmax",
        "24 × 24 × 3",
        "896 parameters",
        "</svg>",
    ] {
        assert!(svg.contains(words), "{words}");
    }
    plot("resnet50", "large.png");
    let drawn = image::open(folder.path().join("large.png")).unwrap();
    assert!(drawn.width() > 1000 && drawn.height() > 1000);
    plot("googlenet", "googlenet.SVG");
    let fail = |arguments: &[&str]| fail(folder.path(), &[&["plot-model"], arguments].concat(), 2);
    assert!(fail(&["cnn4", "--out", "x.svg"]).contains("cnn3"));
    assert!(fail(&["cnn3", "--out", "x.jpg"]).contains(".svg or .png"));
    assert!(fail(&["cnn3", "--out", "x.svg", "--image-size", "4"]).contains("8 to 4096"));
}
