//! The site of `pelage export web` as a person uses it, in a real browser: it says what `pelage predict` says.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use browser::Browser;
use common::{data, fail, stripes, succeed};
use files::Files;
use look::{TABLE, answers, look};
use serde_json::{Value, json};

#[path = "common/browser.rs"]
mod browser;
mod common;
#[path = "common/files.rs"]
mod files;
#[path = "common/look.rs"]
mod look;

/// Name, answer and probabilities of each picture, as the page's table has them.
type Answers = BTreeMap<String, (String, Vec<f64>)>;

fn told(browser: &Browser) -> Answers {
    browser.run(&format!("window.table = null; {TABLE}"));
    browser.click("#csv");
    let table = browser.wait("return window.table");
    let lines = table.as_str().unwrap().lines().skip(1);
    let one = |line: &str| {
        let cells: Vec<_> = line.split(',').map(|cell| cell.trim_matches('"')).collect();
        let shares = cells[5..].iter().filter_map(|share| share.parse().ok());
        (cells[0].to_string(), (cells[2].to_string(), shares.collect()))
    };
    lines.map(one).collect()
}

/// The same by the command line, of classes in the order of their names.
fn expected(folder: &Path, arguments: &[&str]) -> Answers {
    let told = succeed(folder, &[&["predict", "--json"], arguments].concat());
    let told: Vec<Value> = serde_json::from_str(&told).unwrap();
    let one = |told: &Value| {
        let classes: Vec<(String, f64)> = serde_json::from_value(told["classes"].clone()).unwrap();
        let answer = match told["unknown"] == true {
            true => "unknown".to_string(),
            false => classes.first().map(|(name, _)| name.clone()).unwrap_or_default(),
        };
        let shares: BTreeMap<_, _> = classes.into_iter().collect();
        let name = told["path"].as_str().unwrap().rsplit('/').next().unwrap();
        (name.to_string(), (answer, shares.into_values().collect()))
    };
    told.iter().map(one).collect()
}

fn assert_same(ours: &Answers, truth: &Answers) {
    assert_eq!(ours.keys().collect::<Vec<_>>(), truth.keys().collect::<Vec<_>>());
    for (name, (answer, shares)) in ours {
        let (wanted, truth) = &truth[name];
        assert_eq!((answer, shares.len()), (wanted, truth.len()), "{name}");
        for (share, truth) in shares.iter().zip(truth) {
            assert!((share - truth).abs() < 1e-4, "{name}: {share} instead of {truth}");
        }
    }
}

fn loaded(browser: &Browser) {
    browser.wait(
        "return document.querySelector('#try-title')?.textContent && !document.querySelector('#loading').textContent",
    );
}

fn enter(browser: &Browser, folder: &Path, names: &[&str]) {
    let paths = names.iter().map(|name| folder.join(name).display().to_string());
    browser.enter("#files", &paths.collect::<Vec<_>>().join("\n"));
}

/// Pictures of several formats and sizes, and one that is none.
fn pictures(folder: &Path) -> Vec<&'static str> {
    let names = ["level.png", "upright.jpg", "large.jpg", "small.bmp", "broken.png"];
    stripes(1, 7, 60).save(folder.join(names[0])).unwrap();
    stripes(0, 3, 90).save(folder.join(names[1])).unwrap();
    stripes(1, 2, 700).save(folder.join(names[2])).unwrap();
    stripes(0, 5, 24).save(folder.join(names[3])).unwrap();
    fs::write(folder.join(names[4]), "no picture").unwrap();
    names.to_vec()
}

#[test]
fn a_model_answers_in_the_browser_as_here_and_without_a_network() {
    let folder = tempfile::tempdir().unwrap();
    let Some(browser) = Browser::start(&folder.path().join("profile"), &["--lang=en"]) else {
        return;
    };
    data(folder.path(), 16, 8);
    let names = pictures(folder.path());
    let train = "train data --epochs 2 --image-size 24 --batch-size 8 --patience 0 --out run";
    succeed(folder.path(), &train.split(' ').collect::<Vec<_>>());
    succeed(folder.path(), &["calibrate", "run"]);
    fs::create_dir(folder.path().join("host")).unwrap();
    let export = ["export", "web", "run", "--out", "host/deep", "--reject", "0.6"];
    assert!(succeed(folder.path(), &export).contains("files"));
    let host = Files::serve(&folder.path().join("host"));

    browser.screen(1280, 900, "light");
    browser.open(&format!("http://{}/deep/", host.address));
    loaded(&browser);
    look(&browser, "site-empty");
    enter(&browser, folder.path(), &names);
    answers(&browser, names.len());
    let truth = expected(folder.path(), &[&["run", "--reject", "0.6"], &names[..]].concat());
    assert_same(&told(&browser), &truth);
    let refused = browser.run("return document.querySelector('#results .bad').textContent");
    assert!(refused.as_str().unwrap().starts_with("not a picture"), "{refused}");
    look(&browser, "site-pictures");
    browser.click("nav a[href='#model']");
    browser.run("for (const details of document.querySelectorAll('details')) details.open = true");
    browser.wait("return document.querySelector('#cards .white img')?.naturalWidth > 100");
    look(&browser, "site-model");
    let hosts =
        "return [...new Set(performance.getEntriesByType('resource').map((entry) => new URL(entry.name).host))]";
    assert_eq!(
        browser.run(hosts),
        json!([host.address.to_string()]),
        "nothing from elsewhere"
    );
    assert_eq!(browser.complaints(), Vec::<String>::new());

    // The host is gone, and the page is there.
    browser.wait("return navigator.serviceWorker.controller");
    host.leave();
    browser.open("about:blank");
    browser.open(&format!("http://{}/deep/", host.address));
    loaded(&browser);
    enter(&browser, folder.path(), &names[..2]);
    answers(&browser, 2);
    let truth = truth.into_iter().filter(|(name, _)| names[..2].contains(&&name[..]));
    assert_same(&told(&browser), &truth.collect());
}

#[test]
fn a_network_with_a_frozen_backbone_answers_the_same_and_many_pictures_come_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let Some(browser) = Browser::start(&folder.path().join("profile"), &["--lang=en"]) else {
        return;
    };
    data(folder.path(), 16, 8);
    let names = pictures(folder.path());
    let train = "train data --backbone mobilenet_v2 --weights random --image-size 96 --tta flip --epochs 2 --out run";
    succeed(folder.path(), &train.split(' ').collect::<Vec<_>>());
    succeed(folder.path(), &["export", "web", "run", "--out", "site"]);
    let host = Files::serve(&folder.path().join("site"));
    browser.open(&format!("http://{}/", host.address));
    // Before the model is there.
    browser.wait("return document.querySelector('#try-title')?.textContent");
    enter(&browser, folder.path(), &names);
    answers(&browser, names.len());
    assert_same(
        &told(&browser),
        &expected(folder.path(), &[&["run"], &names[..]].concat()),
    );
    assert_eq!(browser.complaints(), Vec::<String>::new());
}

#[test]
fn weights_of_half_the_size_answer_nearly_the_same() {
    let folder = tempfile::tempdir().unwrap();
    data(folder.path(), 16, 8);
    let names = pictures(folder.path());
    let train = "train data --epochs 2 --image-size 24 --batch-size 8 --patience 0 --out run";
    succeed(folder.path(), &train.split(' ').collect::<Vec<_>>());
    succeed(folder.path(), &["calibrate", "run"]);
    succeed(folder.path(), &["export", "web", "run", "--out", "whole"]);
    succeed(
        folder.path(),
        &["export", "web", "run", "--out", "half", "--weights", "f16"],
    );
    let bytes = |site: &str| {
        let file = folder.path().join(site).join("model.safetensors");
        fs::metadata(file).unwrap().len()
    };
    let (whole, half) = (bytes("whole"), bytes("half"));
    assert!(half * 100 < whole * 60, "{half} of {whole} bytes");
    let [site, larger] = ["half", "whole"].map(|site| {
        let told = fs::read(folder.path().join(site).join("site.json")).unwrap();
        serde_json::from_slice::<Value>(&told).unwrap()
    });
    assert_eq!(site["model_bytes"], half);
    assert!(
        site["memory_bytes"].as_u64() >= larger["memory_bytes"].as_u64(),
        "it takes as much memory"
    );
    // Its own answers, here: of the same pictures, nearly those of the run, and not the very same.
    let exact = expected(folder.path(), &[&["run"], &names[..]].concat());
    let rounded = expected(folder.path(), &[&["half/model.safetensors"], &names[..]].concat());
    let gaps = exact.iter().flat_map(|(name, (answer, shares))| {
        assert_eq!(*answer, rounded[name].0, "{name}");
        shares.iter().zip(&rounded[name].1).map(|(a, b)| (a - b).abs())
    });
    let largest = gaps.fold(0.0, f64::max);
    assert!(largest > 0.0 && largest < 5e-3, "{largest}");

    let Some(browser) = Browser::start(&folder.path().join("profile"), &["--lang=en"]) else {
        return;
    };
    let host = Files::serve(&folder.path().join("half"));
    browser.open(&format!("http://{}/", host.address));
    loaded(&browser);
    enter(&browser, folder.path(), &names);
    answers(&browser, names.len());
    assert_same(&told(&browser), &rounded);
    assert_eq!(browser.complaints(), Vec::<String>::new());
}

#[test]
fn a_site_replaces_itself_and_nothing_else_and_tells_nothing_of_its_data() {
    let folder = tempfile::tempdir().unwrap();
    data(folder.path(), 16, 8);
    let train = "train data --epochs 1 --image-size 24 --patience 0 --out run";
    succeed(folder.path(), &train.split(' ').collect::<Vec<_>>());
    let export = ["export", "web", "run", "--out", "site"];
    succeed(folder.path(), &export);
    let read = |name: &str| fs::read(folder.path().join("site").join(name)).unwrap();
    let first = ["service-worker.js", "model.safetensors", "site.json"].map(read);
    succeed(folder.path(), &export);
    assert_eq!(["service-worker.js", "model.safetensors", "site.json"].map(read), first);
    let weights = String::from_utf8_lossy(&first[1]).into_owned();
    let card: Value = serde_json::from_slice(&first[2]).unwrap();
    let path = folder.path().to_str().unwrap();
    assert!(
        weights.contains("upright") && !weights.contains("recipe") && !weights.contains(path),
        "classes, and neither settings nor paths"
    );
    assert_eq!(card["models"][0]["data"], Value::Null);
    assert_eq!(card["models"][0]["classes"], json!(["level", "upright"]));
    // Whatever changes is another version, which visitors get: what is told of the model, and the model.
    let history = folder.path().join("run/history.csv");
    let mut rows = fs::read_to_string(&history).unwrap();
    rows += &rows.lines().last().unwrap().replacen('1', "2", 1);
    fs::write(&history, rows).unwrap();
    succeed(folder.path(), &export);
    let worker = read("service-worker.js");
    assert!(worker != first[0] && read("model.safetensors") == first[1]);
    let told = fail(
        folder.path(),
        &["export", "web", "run", "--out", "new", "--reject", "0.9"],
        2,
    );
    assert!(told.contains("calibrate"), "{told}");
    assert!(!folder.path().join("new").exists());
    succeed(folder.path(), &["calibrate", "run"]);
    succeed(folder.path(), &export);
    assert!(read("service-worker.js") != worker && read("model.safetensors") != first[1]);
    // A model as any other.
    let told = succeed(folder.path(), &["summary", "site/model.safetensors"]);
    assert!(told.contains("conv1"), "{told}");

    let told = fail(folder.path(), &["export", "web", "run", "--out", "data"], 2);
    assert!(told.contains("other files"), "{told}");
}
