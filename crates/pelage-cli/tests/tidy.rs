//! The rules of the house that a compiler does not know.

use std::fs;
use std::path::{Path, PathBuf};

/// Lines a source file may have without its tests.
const MOST_LINES: usize = 400;

/// The workspace's crates in the order in which data meets them; each may use only those before it.
const CRATES: [&str; 8] = [
    "pelage-kernels",
    "pelage-data",
    "pelage-model",
    "pelage-wasm",
    "pelage",
    "pelage-serve",
    "pelage-cli",
    "pelage-python",
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// The sources of one crate's library or binary, with their text up to the tests.
fn code(name: &str) -> Vec<(String, String)> {
    let folder = root().join("crates").join(name).join("src");
    let mut found = Vec::new();
    sources(&folder, &mut found);
    assert!(!found.is_empty(), "{name} has no sources");
    let text = |path: PathBuf| {
        let text = fs::read_to_string(&path).unwrap();
        let code = text.split("#[cfg(test)]").next().unwrap_or_default().to_string();
        (
            path.strip_prefix(root().join("crates")).unwrap().display().to_string(),
            code,
        )
    };
    found.into_iter().map(text).collect()
}

#[test]
fn the_list_of_crates_is_whole() {
    let mut there: Vec<_> = fs::read_dir(root().join("crates"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    let mut listed = CRATES.map(String::from).to_vec();
    there.sort();
    listed.sort();
    assert_eq!(there, listed);
}

#[test]
fn files_stay_readable() {
    let long: Vec<_> = CRATES
        .iter()
        .flat_map(|name| code(name))
        .filter(|(_, text)| text.lines().count() > MOST_LINES)
        .map(|(name, text)| format!("{name}: {} lines", text.lines().count()))
        .collect();
    assert!(long.is_empty(), "more than {MOST_LINES} lines without tests: {long:#?}");
}

#[test]
fn dependencies_point_one_way() {
    for (i, name) in CRATES.iter().enumerate() {
        let manifest = fs::read_to_string(root().join("crates").join(name).join("Cargo.toml")).unwrap();
        let dependencies = manifest.split("\n[dependencies]").nth(1).unwrap_or_default();
        let dependencies = dependencies.split("\n[").next().unwrap_or_default();
        for later in &CRATES[i..] {
            assert!(
                !dependencies.contains(&format!("\n{later}.workspace"))
                    && !dependencies.contains(&format!("\n{later} = ")),
                "{name} must not use {later}"
            );
        }
        let burn = dependencies.contains("\nburn");
        let knows = ["pelage-model", "pelage"].contains(name);
        assert_eq!(burn, knows, "only pelage-model and pelage know Burn: {name}");
    }
}

#[test]
fn unsafe_code_lives_in_the_kernels() {
    for name in &CRATES[1..] {
        // What PyO3 generates is unsafe, and none of ours.
        if *name == "pelage-python" {
            for (file, text) in code(name) {
                assert!(!text.contains("unsafe"), "{file} has unsafe code");
            }
            continue;
        }
        let text = fs::read_to_string(root().join("crates").join(name).join("src/lib.rs")).unwrap();
        if *name == "pelage-wasm" {
            // What JavaScript calls has a name that is seen from outside, and nothing else is unsafe there.
            let code = text.replace("#[unsafe(no_mangle)]", "");
            let code: String = code.lines().filter(|line| !line.starts_with("//!")).collect();
            let code = code.replace("unsafe_code", "");
            assert!(
                text.contains("#![deny(unsafe_code)]") && !code.contains("unsafe"),
                "{name}"
            );
            continue;
        }
        assert!(
            text.contains("#![forbid(unsafe_code)]"),
            "{name} does not forbid unsafe code"
        );
    }
}

/// What a finished model needs compiles for a browser, where none of these would.
#[test]
fn inference_brings_no_network_no_figures_and_no_temporary_files() {
    let manifest = fs::read_to_string(root().join("crates/pelage-model/Cargo.toml")).unwrap();
    let dependencies = manifest.split("\n[dependencies]").nth(1).unwrap_or_default();
    let dependencies = dependencies.split("\n[").next().unwrap_or_default();
    for heavy in ["ureq", "hdf5", "resvg", "plotters", "tempfile", "maud", "csv", "toml"] {
        assert!(!dependencies.contains(&format!("\n{heavy}")), "{heavy}");
    }
    // Files, zips and temporary files are a feature of pelage-data, which inference leaves off.
    assert!(!dependencies.contains("\"files\""), "{dependencies}");
    let workspace = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let data = workspace
        .lines()
        .find(|line| line.starts_with("pelage-data = "))
        .unwrap();
    assert!(data.contains("default-features = false"), "{data}");
}

/// A library that is called from a server or from Python must not tell its user to type something.
#[test]
fn libraries_name_no_flags_and_no_verbs() {
    for (name, text) in CRATES[..6].iter().flat_map(|name| code(name)) {
        let lines = text.lines().filter(|line| !line.trim_start().starts_with("//"));
        for line in lines {
            let flag = line.match_indices("--").any(|(at, _)| {
                let (before, after) = (&line[..at], &line[at + 2..]);
                let name = after.trim_start_matches(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
                // Pages have custom properties: `--name: value`, `var(--name)`.
                let css = name.starts_with(':') || before.ends_with("var(");
                let bare = before
                    .chars()
                    .next_back()
                    .is_none_or(|c| !c.is_alphanumeric() && c != '-');
                bare && !css && after.starts_with(|c: char| c.is_ascii_lowercase())
            });
            assert!(!flag && !line.contains("`pelage "), "{name}: {line}");
        }
    }
}

/// A path with blanks is told in quotes, by the one function that knows when.
#[test]
fn errors_show_paths_by_one_function() {
    for (name, text) in CRATES[..6].iter().flat_map(|name| code(name)) {
        for (at, _) in text.match_indices("#[error(") {
            let attribute = text[at..].split(")]").next().unwrap_or_default();
            assert!(!attribute.contains("display()"), "{name}: {attribute}");
        }
        for line in text.lines().filter(|line| line.contains(".display()")) {
            assert!(!line.contains("format!(\"{}"), "{name}: {line}");
        }
    }
}

#[test]
fn lines_stay_short() {
    for (name, text) in CRATES.iter().flat_map(|name| code(name)) {
        let long: Vec<_> = text.lines().filter(|line| line.chars().count() > 120).collect();
        assert!(long.is_empty(), "{name}: {long:#?}");
    }
}

#[test]
fn only_the_command_line_prints() {
    for (name, text) in CRATES[..6].iter().flat_map(|name| code(name)) {
        let text: String = text.lines().filter(|line| !line.starts_with("//!")).collect();
        for word in ["println!", "eprintln!", "print!", "dbg!"] {
            assert!(!text.contains(word), "{name}: {word}");
        }
    }
}

#[test]
fn nothing_is_left_for_later() {
    // Put together here so that this file does not find itself.
    let words = [["TO", "DO"], ["FIX", "ME"], ["todo", "!("]].map(|parts| parts.concat());
    for (name, text) in CRATES.iter().flat_map(|name| code(name)) {
        for word in &words {
            assert!(!text.contains(word.as_str()), "{name}: {word}");
        }
    }
}

#[test]
fn documents_are_there_and_link_to_files_that_exist() {
    for name in [
        "README.md",
        "ARCHITECTURE.md",
        "CONTRIBUTING.md",
        "CHANGELOG.md",
        "docs/BACKBONES.md",
        "docs/BENCHMARKS.md",
        "docs/CLUSTER.md",
        "docs/JSON.md",
        "docs/PRETRAINED.md",
        "docs/SEARCH.md",
        "docs/SERVING.md",
    ] {
        let path = root().join(name);
        let text = fs::read_to_string(&path).unwrap_or_else(|failure| panic!("{name}: {failure}"));
        let links = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
        for link in links.filter(|link| !link.contains("://") && !link.starts_with('#')) {
            let file = link.split('#').next().unwrap_or(link);
            assert!(
                path.parent().unwrap().join(file).exists(),
                "{name} links to {link}, which is not there"
            );
        }
    }
}
