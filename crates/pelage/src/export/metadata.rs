//! What a file says about its model: under the keys that other programs read, and under ours.

use pelage_model::Model;
use serde_json::json;

use super::messages::Entry;
use super::{Input, Output};

/// The metadata of `model`.
pub(super) fn entries(model: &Model, input: Input, output: Output) -> Vec<Entry> {
    let (classes, preprocessing) = (&model.facts.classes, &model.facts.preprocessing);
    let text = |value: &str| value.to_string();
    let mut entries = vec![
        // As Ultralytics writes them and others read them.
        ("task", text("classify")),
        ("names", names(classes)),
        ("imgsz", format!("[{}, {}]", preprocessing.height, preprocessing.width)),
        ("stride", text("1")),
        ("batch", text("1")),
        ("pelage.architecture", text(model.facts.architecture.name())),
        ("pelage.classes", json!(classes).to_string()),
        ("pelage.preprocessing", json!(preprocessing).to_string()),
        ("pelage.input", text(input.name())),
        ("pelage.output", text(output.name())),
    ];
    if let Some(temperature) = model.judge.temperature() {
        entries.push(("pelage.temperature", temperature.to_string()));
    }
    let entry = |(key, value): (&str, String)| Entry { key: text(key), value };
    entries.into_iter().map(entry).collect()
}

/// Class names by number, as Python writes it: `{0: 'cat', 1: 'dog'}`.
fn names(classes: &[String]) -> String {
    let quoted = |name: &str| name.replace('\\', "\\\\").replace('\'', "\\'");
    let names = classes.iter().enumerate();
    let names: Vec<_> = names.map(|(i, name)| format!("{i}: '{}'", quoted(name))).collect();
    format!("{{{}}}", names.join(", "))
}

#[cfg(test)]
mod tests {
    #[test]
    fn class_names_are_written_as_python_reads_them() {
        let classes = ["cat", "it's", "a\\b", "Käfer"].map(String::from);
        assert_eq!(super::names(&classes), r"{0: 'cat', 1: 'it\'s', 2: 'a\\b', 3: 'Käfer'}");
    }
}
