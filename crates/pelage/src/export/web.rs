//! A model as a web site of files alone: the page of the server, but what it asks runs in the browser, WebAssembly of
//! the same kernels and the same decoders. Pictures do not leave the device.

use std::fs::DirEntry;
use std::path::Path;

use pelage_data::source;
use serde::Serialize;
use serde_json::Value;

use crate::card::{self, Card};
use crate::draw::network;
use crate::interface;
use crate::model::input;
use crate::model::tensors::Precision;
use crate::{Error, Model, Result, atomic};

/// The model's side of the page, for browsers with WebAssembly's vectors.
const SIMD: &[u8] = include_bytes!("web/pelage.wasm");
/// The same for browsers that also have its relaxed ones, with a fused multiply-add.
const RELAXED: &[u8] = include_bytes!("web/pelage-relaxed.wasm");

const INDEX: &str = include_str!("web/index.html");
/// By this a page is known to be one of ours.
const MARK: &str = r#"name="generator" content="pelage-site""#;

/// The page's own modules, beside those of the [`interface`].
const OWN: [(&str, &str); 3] = [
    ("app.js", include_str!("web/app.js")),
    ("engine.js", include_str!("web/engine.js")),
    ("worker.js", include_str!("web/worker.js")),
];

/// What keeps the site's files in the browser; names and version are put in.
const SERVICE_WORKER: (&str, &str) = ("service-worker.js", include_str!("web/service-worker.js"));

/// The largest picture in bytes.
const PICTURE_BYTES: usize = 100_000_000;

/// A file of a site: its name, and what is in it.
pub type File = (&'static str, Vec<u8>);

/// What the page is told.
#[derive(Serialize)]
struct Site<'a> {
    models: [&'a Card; 1],
    /// Answers below this confidence are "unknown".
    reject: Option<f64>,
    picture_bytes: usize,
    model_bytes: usize,
    /// What its weights take once they are read.
    memory_bytes: usize,
    version: &'a str,
}

/// The files of a site with the model of `run`, its weights in this precision. `reject`: answers below this calibrated
/// confidence, and those for pictures unlike all of training, are "unknown". What is public with them: weights,
/// classes, and what the page says about the model; not where its data lay, nor its pictures' names.
///
/// # Errors
/// As [`Model::open_on`].
pub fn web(run: &Path, reject: Option<f64>, weights: Precision) -> Result<Vec<File>> {
    let model = Model::open_on(run, &crate::device::cpu()?, reject)?;
    model.whole("exported for a browser")?;
    let card = Card {
        data: None,
        ..Card::of(&card::name(run), run, &model)?
    };
    let [height, width, _] = input::shape(&model.facts.preprocessing);
    let drawing = network::svg(&card.name, &model.facts.graph(), [height, width]);
    let mut facts = model.facts.clone();
    facts.training = Value::Null;
    let encoded = Model { facts, ..model }.encode_as(weights);
    let encoded = encoded.map_err(|reason| Error::model(run, reason))?;
    let model_bytes = encoded.len();

    let text = |(name, text): (&'static str, &str)| (name, text.as_bytes().to_vec());
    let mut files = vec![
        text(("index.html", INDEX)),
        text(("style.css", interface::STYLE)),
        text(("icon.svg", interface::ICON)),
        ("architecture.svg", drawing.into_bytes()),
    ];
    files.extend(OWN.into_iter().chain(interface::MODULES).map(text));
    let small: Vec<_> = files.iter().map(|(name, _)| *name).collect();
    let kept = serde_json::to_string(&[&["./", "site.json"], &small[..]].concat());
    files.extend([
        ("pelage.wasm", SIMD.to_vec()),
        ("pelage-relaxed.wasm", RELAXED.to_vec()),
        ("model.safetensors", encoded),
    ]);
    let unwritable = |failure: serde_json::Error| Error::model(run, format!("cannot be described: {failure}"));
    let told = serde_json::to_vec(&(&card, reject, PICTURE_BYTES)).map_err(unwritable)?;
    let version = version(&files, &told);
    let site = Site {
        models: [&card],
        reject,
        picture_bytes: PICTURE_BYTES,
        model_bytes,
        memory_bytes: model_bytes * if weights == Precision::F16 { 2 } else { 1 },
        version: &version,
    };
    let site = serde_json::to_vec(&site).map_err(unwritable)?;
    let (name, script) = SERVICE_WORKER;
    let script = script
        .replace("{version}", &version)
        .replace("{files}", &kept.map_err(unwritable)?);
    files.extend([("site.json", site), (name, script.into_bytes())]);
    Ok(files)
}

/// A name for these contents, and what is `told` of the model, and no others.
fn version(files: &[File], told: &[u8]) -> String {
    let mut hash = blake3::Hasher::new();
    for (name, content) in files {
        for part in [name.as_bytes(), content] {
            hash.update(&(part.len() as u64).to_le_bytes()).update(part);
        }
    }
    hash.update(told);
    hash.finalize().to_hex()[..16].into()
}

/// Refuses a `folder` that is neither empty nor has the page of a site; what else lies beside a site stays.
///
/// # Errors
/// If it does, or cannot be read.
pub fn check_folder(folder: &Path) -> Result<()> {
    let mut entries = match std::fs::read_dir(folder) {
        Err(missing) if missing.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        read => read.map_err(Error::io(folder))?,
    };
    let ours = || std::fs::read_to_string(folder.join("index.html")).is_ok_and(|page| page.contains(MARK));
    let is_mark = |entry: std::io::Result<DirEntry>| entry.is_ok_and(|entry| entry.file_name() == source::MARK);
    match entries.all(is_mark) || ours() {
        true => Ok(()),
        false => Err(Error::folder(folder, "holds other files already; give a new folder")),
    }
}

/// Writes the files of a site into `folder`, which is new, empty, or a site that was written before.
///
/// # Errors
/// As [`check_folder`]; a folder that cannot be written.
pub fn write(folder: &Path, files: &[File]) -> Result<()> {
    check_folder(folder)?;
    std::fs::create_dir_all(folder).map_err(Error::io(folder))?;
    source::mark(folder)?;
    for (name, content) in files {
        atomic::write(&folder.join(name), content)?;
    }
    Ok(())
}
