//! Every verb with `--json`, compared with what docs/JSON.md says of it.

mod common;
#[path = "../../pelage-data/tests/support/exif.rs"]
mod exif;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use common::{data, frozen, pelage, stripes, succeed};
use serde_json::Value;

/// What is documented and not run, since it takes a minute.
const NOT_RUN: [&str; 1] = ["pelage demo"];
/// Verbs without a document.
const NO_DOCUMENT: [&str; 3] = ["serve", "completions", "help"];
/// Fields that would take long to see, or a machine with something wrong.
const NOT_SEEN: [&str; 3] = ["kernels", "training", "problems[]"];

fn documented() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/JSON.md");
    fs::read_to_string(path).unwrap()
}

/// A field: its types, and whether it may be missing.
#[derive(Debug)]
struct Field {
    types: Vec<String>,
    may_be_missing: bool,
}

/// The fields of a document, by their paths, and those of them that were seen.
#[derive(Debug, Default)]
struct Schema {
    fields: BTreeMap<String, Field>,
    seen: BTreeSet<String>,
}

/// The schemas, by heading: `pelage train`, or `pelage train/epoch` for a line.
fn schemas(text: &str) -> BTreeMap<String, Schema> {
    let (mut schemas, mut verb, mut name): (BTreeMap<String, Schema>, _, _) = Default::default();
    for line in text.lines() {
        if let Some(heading) = line.strip_prefix("## `") {
            verb = heading.trim_end_matches('`').to_string();
            name = verb.clone();
        } else if let Some(heading) = line.strip_prefix("### `") {
            name = format!("{verb}/{}", heading.trim_end_matches('`'));
        } else if let Some(row) = line.strip_prefix("| `") {
            let (path, rest) = row.split_once("` | ").unwrap();
            let (types, meaning) = rest.split_once(" | ").unwrap();
            assert!(meaning.trim_end_matches(" |").len() > 1, "{line}");
            let field = Field {
                may_be_missing: types.ends_with('?'),
                types: types.trim_end_matches('?').split(" or ").map(String::from).collect(),
            };
            let fields = &mut schemas.entry(name.clone()).or_default().fields;
            assert!(fields.insert(path.to_string(), field).is_none(), "{name}: {path} twice");
        }
    }
    schemas
}

impl Schema {
    /// Whether `path` itself is described, or something in it.
    fn knows(&self, path: &str) -> bool {
        let within = |field: &String| {
            let rest = field.strip_prefix(path);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
        };
        path.is_empty() || self.fields.keys().any(within)
    }

    /// What is wrong with `value` at `path`.
    fn check(&mut self, value: &Value, path: &str, wrong: &mut Vec<String>) {
        if let Some(field) = self.fields.get(path) {
            self.seen.insert(path.to_string());
            if !field.types.iter().any(|name| is(value, name)) {
                wrong.push(format!("{path} is {value}, and should be {}", field.types.join(" or ")));
            }
            if field.types == ["any"] {
                return;
            }
        }
        match value {
            Value::Object(fields) => {
                for (name, value) in fields {
                    let [own, any] = [name.as_str(), "*"].map(|name| match path {
                        "" => name.to_string(),
                        path => format!("{path}.{name}"),
                    });
                    match [own, any].into_iter().find(|path| self.knows(path)) {
                        Some(path) => self.check(value, &path, wrong),
                        None => wrong.push(format!("{path}: {name} is not described")),
                    }
                }
                for name in self.required(path) {
                    if !fields.contains_key(&name) {
                        wrong.push(format!("{path}: {name} is missing"));
                    }
                }
            }
            Value::Array(items) => {
                for (i, item) in items.iter().enumerate() {
                    let [own, each] = [format!("{path}[{i}]"), format!("{path}[]")];
                    match [own, each].into_iter().find(|path| self.knows(path)) {
                        Some(path) => self.check(item, &path, wrong),
                        None => wrong.push(format!("{path}: item {i} is not described")),
                    }
                }
            }
            _ => {}
        }
    }

    /// The fields that an object at `path` must have.
    fn required(&self, path: &str) -> BTreeSet<String> {
        let prefix = if path.is_empty() {
            String::new()
        } else {
            format!("{path}.")
        };
        let below = self.fields.iter().filter_map(|(field, described)| {
            let rest = field.strip_prefix(&prefix)?;
            let name = rest.split(['.', '[']).next()?;
            // What has a line of its own says there whether it may be missing.
            let own = self.fields.get(&format!("{prefix}{name}")).unwrap_or(described);
            (!name.is_empty() && name != "*" && !own.may_be_missing).then(|| name.to_string())
        });
        below.collect()
    }
}

fn is(value: &Value, name: &str) -> bool {
    match name {
        "string" => value.is_string(),
        "integer" => value.is_u64() || value.is_i64(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        "object" => value.is_object(),
        "array" => value.is_array(),
        "any" => true,
        other => panic!("'{other}' is no type"),
    }
}

/// What is compared.
struct Checked {
    folder: tempfile::TempDir,
    schemas: BTreeMap<String, Schema>,
    run: BTreeSet<String>,
}

impl Checked {
    /// Runs `verb` with `arguments` and `--json`, and compares what it prints.
    fn verb(&mut self, verb: &str, arguments: &str) -> Vec<Value> {
        let all = format!("{verb} {arguments} --json");
        let output = pelage(self.folder.path())
            .args(all.split_whitespace())
            .output()
            .unwrap();
        let printed = String::from_utf8(output.stdout).unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{all}: {said}");
        // One document, or a line each.
        let documents: Vec<Value> = match verb {
            "train" => printed
                .lines()
                .map(|line| serde_json::from_str(line).unwrap())
                .collect(),
            _ => vec![serde_json::from_str(&printed).unwrap_or_else(|failure| panic!("{all}: {failure}: {printed}"))],
        };
        for document in &documents {
            let name = match document.get("event").filter(|_| verb == "train") {
                Some(event) => format!("pelage {verb}/{}", event.as_str().unwrap()),
                None => format!("pelage {verb}"),
            };
            let schema = self
                .schemas
                .get_mut(&name)
                .unwrap_or_else(|| panic!("{name} is not described"));
            let mut wrong = Vec::new();
            schema.check(document, "", &mut wrong);
            assert!(wrong.is_empty(), "{all}: {wrong:#?}\n{document:#}");
            self.run.insert(name);
        }
        documents
    }
}

/// The names of subcommands that a help lists.
fn commands(help: &str) -> Vec<String> {
    let listed = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    let listed = listed.take_while(|line| line.starts_with("  "));
    // What a description goes on with is further to the right.
    let listed = listed.filter(|line| !line.starts_with("   "));
    listed
        .filter_map(|line| line.split_whitespace().next().map(String::from))
        .collect()
}

/// `data`, of which some validation pictures are labelled wrongly, so that a temperature helps; with something of each
/// kind that verbs tell of: unreadable, left out, twice there, alike, in two parts, with EXIF data. And `pets`, to be
/// organized, `odd`, of which some are unknown, and `numbered`.
fn pictures(folder: &Path) {
    let data = data(folder, 40, 20);
    for (class, name) in ["level", "upright"].iter().enumerate() {
        for i in 0..6 {
            let wrong = data.join(format!("validation/{name}/wrong-{i}.png"));
            stripes(class, 20_000 + i, 24).save(wrong).unwrap();
        }
    }
    for (name, text) in [("broken.png", "no picture"), ("notes.txt", "of nothing")] {
        for part in ["train", "validation"] {
            fs::write(data.join(part).join("level").join(name), text).unwrap();
        }
    }
    let copy = |from: &str, to: &str| fs::copy(data.join(from), data.join(to)).map(drop).unwrap();
    copy("train/level/0.png", "train/level/twice.png");
    copy("train/level/1.png", "validation/level/leak.png");
    let alike = data.join("train/upright/alike.jpg");
    image::open(data.join("train/upright/0.png"))
        .unwrap()
        .save(&alike)
        .unwrap();
    let jpeg = exif::tagged(&fs::read(&alike).unwrap(), Some("2024:05:01 06:30:00"), "Model", true);
    fs::write(data.join("train/upright/tagged.jpg"), &jpeg).unwrap();

    for name in ["pets/level", "pets/upright", "odd", "numbered"] {
        fs::create_dir_all(folder.join(name)).unwrap();
    }
    for i in 0..12 {
        stripes(0, 300 + i, 24)
            .save(folder.join(format!("pets/upright/{i}.png")))
            .unwrap();
        stripes(1, 300 + i, 24)
            .save(folder.join(format!("pets/level/{i}.png")))
            .unwrap();
        stripes(1, 400 + i, 24)
            .save(folder.join(format!("numbered/{i}.png")))
            .unwrap();
    }
    for name in ["pets/level/broken.png", "pets/level/notes.txt", "odd/broken.png"] {
        fs::write(folder.join(name), "no picture").unwrap();
    }
    fs::write(folder.join("odd/tagged.jpg"), jpeg).unwrap();
    // A checkerboard of colors that no stripe has.
    let odd = image::RgbImage::from_fn(24, 24, |x, y| match (x / 3 + y / 3) % 2 {
        0 => image::Rgb([255, 0, 0]),
        _ => image::Rgb([0, 0, 255]),
    });
    odd.save(folder.join("odd/checkerboard.png")).unwrap();
}

#[test]
fn every_document_is_what_is_described() {
    let mut checked = Checked {
        folder: tempfile::tempdir().unwrap(),
        schemas: schemas(&documented()),
        run: BTreeSet::new(),
    };
    let folder = checked.folder.path().to_path_buf();
    pictures(&folder);
    let torch = Path::new(env!("CARGO_MANIFEST_DIR")).join("../pelage/tests/fixtures/torch");

    checked.verb("organize", "pets --out sorted --test 0.2");
    checked.verb("inspect", "data");
    // Places, and in them species, are not clear.
    for class in ["a/level", "a/upright", "b/level", "b/upright"] {
        fs::create_dir_all(folder.join("places").join(class)).unwrap();
        stripes(0, 1, 24)
            .save(folder.join("places").join(class).join("1.png"))
            .unwrap();
    }
    checked.verb("inspect", "places");
    let learning = "--epochs 6 --patience 0 --image-size 24 --optimizer adam --learning-rate 0.003";
    let lines = checked.verb("train", &format!("data --out run {learning} --cache disk"));
    let events: Vec<_> = lines.iter().map(|line| line["event"].as_str().unwrap()).collect();
    assert_eq!(events[0], "started");
    assert_eq!(events[events.len() - 3..], ["epoch", "epoch", "finished"]);
    checked.verb("train", "data --out other --epochs 1 --image-size 24");
    checked.verb("train", "data --out folds --folds 2 --epochs 1 --image-size 24");
    checked.verb("summary", "run");
    checked.verb("plot-model", "cnn3 --out model.svg");
    checked.verb("features", "data --backbone resnet18 --weights random --image-size 32");
    checked.verb("predict", "run odd --exif");
    checked.verb("calibrate", "run");
    checked.verb("quantize", "run --images 16");
    checked.verb("evaluate", "run data --reject 0.5");
    checked.verb("predict", "run odd --reject 0.999");
    checked.verb("explain", "run odd --out explained");
    checked.verb("export onnx", "run --out model.onnx");
    succeed(&folder, &frozen(&["--epochs", "1", "--out", "head"]));
    checked.verb("export safetensors", "head --out model.safetensors");
    checked.verb("export web", "run --out site");
    checked.verb("ensemble", "run other --out both.safetensors");
    checked.verb("compare", "run both.safetensors --data data");
    // A model elsewhere, of data that is gone, does not know what it was trained on.
    fs::rename(folder.join("data"), folder.join("moved")).unwrap();
    checked.verb("compare", "run both.safetensors --data moved");
    fs::rename(folder.join("moved"), folder.join("data")).unwrap();
    let solved = "--backbone resnet18 --weights random --image-size 32 --head logistic";
    checked.verb("train", &format!("data --out solved {solved}"));
    checked.verb("suspects", "solved --csv suspects.csv --page suspects.html");
    checked.verb("find-rate", "data --image-size 24 --steps 40");
    fs::write(
        folder.join("space.toml"),
        "[learning_rate]\nlow = 0.001\nhigh = 0.1\n[kernel]\nchoices = [1, 3]\n",
    )
    .unwrap();
    let small = "--image-size 16 --epochs 1 --blocks 4 --model cnn --no-augmentation --batch-size 64";
    checked.verb(
        "search",
        &format!("data --space space.toml --trials 11 --confirm 1 {small}"),
    );
    checked.verb("recipes", "");
    checked.verb("recipes show", "strong");
    checked.verb("report", "run --out report.html");
    checked.verb("predict", "run odd --csv shard.csv --shard 1/1");
    checked.verb("merge", "shard.csv --out merged.csv");
    checked.verb("submit", "run numbered --out submission.csv");
    checked.verb("compare", "run other --data data");
    for _ in 0..2 {
        let file = torch.join("resnet18.pth");
        checked.verb("weights add", &format!("{} --model resnet18", file.display()));
    }
    let added = torch.join("../added");
    for (file, name) in [("mobile.onnx", "mobile"), ("windows.onnx", "windows")] {
        let file = added.join(file);
        checked.verb(
            "weights add",
            &format!("{} --name {name} --mean 0,0,0 --std 1,1,1", file.display()),
        );
    }
    checked.verb("weights list", "");
    checked.verb("models", "");
    checked.verb("doctor", "");
    checked.verb("devices", "");
    checked.verb("weights remove", "resnet18");
    checked.verb("cache show", "");
    checked.verb("cache clear", "");
    checked.verb("bench", "inference steps --model cnn3 --batch-size 2 --threads 1");
    checked.verb("man", "--out pages");

    for (name, schema) in &checked.schemas {
        if NOT_RUN.contains(&name.as_str()) {
            continue;
        }
        assert!(checked.run.contains(name), "{name} is described, and was not run");
        let unseen = schema.fields.keys().filter(|field| !schema.seen.contains(*field));
        let rare = |field: &&String| NOT_SEEN.iter().any(|name| field.starts_with(name));
        let unseen: Vec<_> = unseen.filter(|field| !rare(field)).collect();
        assert!(unseen.is_empty(), "{name} never had {unseen:?}");
    }
    for verb in commands(&succeed(&folder, &["--help"])) {
        let described = |schema: &String| schema.split(['/', ' ']).nth(1) == Some(&verb);
        let known = NO_DOCUMENT.contains(&verb.as_str()) || checked.schemas.keys().any(described);
        assert!(known, "{verb} is not described");
    }
}
