//! Names of folders and files that any file system takes. Those of classes and images come from archives and CSVs and
//! may be hostile.

use std::collections::{HashMap, HashSet};

use super::Refusal;
use crate::Result;

/// Bytes in the longest name of a class or file, well below the 255 that file systems take.
const MAX_BYTES: usize = 150;

/// Refuses class names that cannot be folder names everywhere. They are not repaired, since a class is what it is
/// called.
pub(super) fn check_folder_names(classes: &[String]) -> Result<()> {
    let mut seen: HashMap<String, &String> = HashMap::new();
    for class in classes {
        if class.is_empty() || class.starts_with('.') || class.len() > MAX_BYTES || portable(class) != *class {
            return Err(Refusal::FolderName { class: class.clone() }.into());
        }
        if let Some(other) = seen.insert(class.to_lowercase(), class) {
            return Err(Refusal::FolderCase {
                class: class.clone(),
                other: other.clone(),
            }
            .into());
        }
    }
    Ok(())
}

/// File names taken so far.
#[derive(Default)]
pub(super) struct Names(HashSet<String>);

impl Names {
    /// `folder/file.jpg` for `any/path/file.jpg`, or `folder/file-2.jpg` where that is taken.
    pub(super) fn unique(&mut self, folder: &str, name: &str) -> String {
        let file = portable(name.rsplit(['/', '\\']).next().unwrap_or(name));
        let file = file.trim_start_matches('.');
        let (stem, extension) = match file.rsplit_once('.') {
            Some((stem, extension)) if extension.len() < 16 => (stem, format!(".{extension}")),
            _ => (file, String::new()),
        };
        let stem = &stem[..stem.floor_char_boundary(MAX_BYTES)];
        let stem = if stem.is_empty() { "picture" } else { stem };
        let mut candidate = format!("{folder}/{stem}{extension}");
        let mut number = 2;
        // Lower case, since some file systems do not tell case apart.
        while !self.0.insert(candidate.to_lowercase()) {
            candidate = format!("{folder}/{stem}-{number}{extension}");
            number += 1;
        }
        candidate
    }
}

/// A name without what some system does not take: control characters, separators and wildcards, a space or point at
/// the end, the devices of Windows.
fn portable(name: &str) -> String {
    let bad = |c: char| c.is_control() || matches!(c, '/' | '\\' | ':' | '*' | '?' | '"' | '<' | '>' | '|');
    let name: String = name.chars().map(|c| if bad(c) { '_' } else { c }).collect();
    let name = name.trim_end_matches([' ', '.']);
    let device = name.split('.').next().unwrap_or(name).trim_end().to_lowercase();
    let numbered = |kind: &str| {
        device
            .strip_prefix(kind)
            .is_some_and(|n| n.len() == 1 && n.as_bytes()[0].is_ascii_digit())
    };
    if matches!(device.as_str(), "con" | "prn" | "aux" | "nul") || numbered("com") || numbered("lpt") {
        return format!("_{name}");
    }
    name.to_string()
}
