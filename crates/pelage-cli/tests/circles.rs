//! No file imports another that, over any number of steps, imports it: read off the `use` lines of every crate. A name
//! that a file only hands on (`pub use`) counts as imported from where it is defined.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

type Module = Vec<String>;

/// One crate: its files by module path, each with what it imports and what it hands on.
#[derive(Default)]
struct House {
    files: BTreeMap<Module, Imports>,
}

#[derive(Default)]
struct Imports {
    uses: Vec<Module>,
    /// `pub use`: a name, and the path that it stands for.
    handed_on: BTreeMap<String, Module>,
}

fn sources(folder: &Path, module: &Module, house: &mut House) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let stem = path.file_stem().unwrap().to_string_lossy().into_owned();
        let mut inner = module.clone();
        if stem != "lib" && stem != "main" {
            inner.push(stem);
        }
        if path.is_dir() {
            sources(&path, &inner, house);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let imports = imports(&fs::read_to_string(&path).unwrap(), &inner);
            house.files.insert(inner, imports);
        }
    }
}

/// The `use` statements of a file, less those of its tests.
fn imports(text: &str, module: &Module) -> Imports {
    let code = text.split("#[cfg(test)]").next().unwrap_or_default();
    let mut found = Imports::default();
    for statement in code.split("\nuse ").skip(1) {
        let tree = statement.split(';').next().unwrap_or_default();
        found
            .uses
            .extend(paths(tree).into_iter().filter_map(|path| absolute(&path, module)));
    }
    for visibility in ["\npub use ", "\npub(crate) use ", "\npub(super) use "] {
        for statement in code.split(visibility).skip(1) {
            let tree = statement.split(';').next().unwrap_or_default();
            for path in paths(tree).iter().filter_map(|path| absolute(path, module)) {
                found.handed_on.insert(path.last().unwrap().clone(), path);
            }
        }
    }
    found
}

/// `a::{b, c::{self, d}}` as `a::b`, `a::c`, `a::c::d`.
fn paths(tree: &str) -> Vec<Module> {
    // What a name is called here does not matter.
    let mut words = tree.split_whitespace();
    let mut tree = String::new();
    while let Some(word) = words.next() {
        match word {
            "as" => {
                let renamed = words.next().unwrap_or_default();
                tree.extend(renamed.chars().filter(|c| ",{}".contains(*c)));
            }
            _ => tree += word,
        }
    }
    let Some((head, rest)) = tree.split_once('{') else {
        return vec![tree.split("::").map(String::from).collect()];
    };
    let head: Module = head
        .split("::")
        .filter(|part| !part.is_empty())
        .map(String::from)
        .collect();
    let rest = rest.strip_suffix('}').unwrap_or(rest);
    let (mut depth, mut parts, mut part) = (0, Vec::new(), String::new());
    for character in rest.chars() {
        match character {
            ',' if depth == 0 => parts.push(std::mem::take(&mut part)),
            _ => {
                depth += i32::from(character == '{') - i32::from(character == '}');
                part.push(character);
            }
        }
    }
    parts.push(part);
    let inner = parts
        .iter()
        .filter(|part| !part.is_empty())
        .flat_map(|part| paths(part));
    inner
        .map(|path| {
            head.iter()
                .cloned()
                .chain(path.into_iter().filter(|part| part != "self"))
                .collect()
        })
        .collect()
}

/// A path from the crate's root; none where it leads to another crate. Paths that begin with a child module's name are
/// the file's own.
fn absolute(path: &Module, module: &Module) -> Option<Module> {
    let mut base = module.clone();
    let mut rest = &path[..];
    match rest.first().map(String::as_str) {
        Some("crate") => {
            base.clear();
            rest = &rest[1..];
        }
        Some("super") => {
            while rest.first().is_some_and(|part| part == "super") {
                base.pop();
                rest = &rest[1..];
            }
        }
        Some("self") => rest = &rest[1..],
        _ => {}
    }
    base.extend(rest.iter().cloned());
    (!base.is_empty()).then_some(base)
}

impl House {
    /// The file that defines what `path` names.
    fn file(&self, path: &Module) -> Option<&Module> {
        let (mut path, mut steps) = (path.clone(), 0);
        loop {
            let (file, imports) = (0..=path.len())
                .rev()
                .find_map(|length| self.files.get_key_value(&path[..length]))?;
            steps += 1;
            match path.get(file.len()).and_then(|name| imports.handed_on.get(name)) {
                Some(target) if steps < 9 && *target != path => {
                    let rest = path.split_off(file.len() + 1);
                    path = target.iter().cloned().chain(rest).collect();
                }
                _ => return Some(file),
            }
        }
    }

    fn arrows(&self) -> BTreeMap<&Module, BTreeSet<&Module>> {
        let arrows = self.files.iter().map(|(from, imports)| {
            let own = |path: &&Module| {
                // The name of another crate, seen from a file that has no such child.
                let local = self.files.keys().any(|file| path.starts_with(file) && !file.is_empty());
                local || path.len() == 1
            };
            let to = imports.uses.iter().filter(own).filter_map(|path| self.file(path));
            (from, to.filter(|to| *to != from).collect())
        });
        arrows.collect()
    }
}

/// The files that can be reached from themselves.
fn circles<'a>(arrows: &BTreeMap<&'a Module, BTreeSet<&'a Module>>) -> Vec<&'a Module> {
    let reaches = |from: &&'a Module| {
        let (mut seen, mut waiting) = (BTreeSet::new(), arrows[from].iter().collect::<Vec<_>>());
        while let Some(next) = waiting.pop() {
            if seen.insert(*next) {
                waiting.extend(&arrows[next]);
            }
        }
        seen.contains(from)
    };
    arrows.keys().copied().filter(reaches).collect()
}

fn crates() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    fs::read_dir(root)
        .unwrap()
        .map(|entry| entry.unwrap().path().join("src"))
        .collect()
}

#[test]
fn no_file_imports_itself_over_others() {
    let mut all = 0;
    for folder in crates() {
        let mut house = House::default();
        sources(&folder, &Vec::new(), &mut house);
        let arrows = house.arrows();
        all += arrows.values().map(BTreeSet::len).sum::<usize>();
        let found = circles(&arrows);
        let shown = found.iter().map(|file| {
            let to = arrows[file]
                .iter()
                .filter(|to| found.contains(to))
                .map(|to| to.join("::"));
            format!("{} -> {}", file.join("::"), to.collect::<Vec<_>>().join(", "))
        });
        assert!(
            found.is_empty(),
            "{}: {:#?}",
            folder.display(),
            shown.collect::<Vec<_>>()
        );
    }
    // The arrows are really seen.
    assert!(all > 500, "{all} imports");
}

#[test]
fn circles_are_seen_where_they_are() {
    let mut house = House::default();
    let file = |path: &str| {
        path.split("::")
            .filter(|part| !part.is_empty())
            .map(String::from)
            .collect::<Module>()
    };
    for (name, text) in [
        ("", "\npub mod a;\npub use a::b::Thing;"),
        ("a", "\nuse a::b::{self, Other};"),
        ("a::b", "\nuse crate::c::{C, D};\nuse serde::Serialize;"),
        ("c", "\nuse crate::Thing;\nuse std::fs;"),
        ("d", "\nuse super::c::C;"),
        ("e", "\nuse crate::{c as other, f::{F as G, H}};"),
        ("f", "\nuse crate::{d as one, e};"),
    ] {
        house.files.insert(file(name), imports(text, &file(name)));
    }
    let arrows = house.arrows();
    assert_eq!(circles(&arrows), ["a::b", "c", "e", "f"].map(file).each_ref());
}
