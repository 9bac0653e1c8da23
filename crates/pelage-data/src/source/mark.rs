//! Folders that pelage has written, which are never read as pictures again.

use std::io::Read;
use std::path::{Component, Path};

use super::leftovers;
use crate::{Error, Result, atomic, lock};

/// Where the first chunk of a PNG ends, its header.
const HEADER_END: usize = 33;

/// What a figure's chunk of text says: the keyword that the PNG standard has for that, and its value.
const SOFTWARE: &[u8] = b"Software\0pelage";

/// The same of a figure of lines: an attribute of its outermost element.
const SVG: &str = "<svg data-generator=\"pelage\"";

/// Why what pelage has written is passed over.
pub(super) const WRITTEN: &str = "written by pelage";

/// Marks a folder whose pictures are no data. Hidden, so that it is not taken for a part of what it lies in.
pub const MARK: &str = ".pelage-output";

/// What it says to whoever looks at it.
const TEXT: &[u8] = b"pelage wrote this folder. Where it lies within a folder of pictures, it is passed over.\n";

/// Marks a folder as made by `organize`, and says by what plan and which files, so that a killed call can be finished
/// and nothing else is removed where it is made anew.
pub(crate) const PLAN: &str = ".pelage-organize.json";

/// Beside it, a table for people: where each file came from.
pub(crate) const ORIGINS: &str = "origins.csv";

/// What that table begins with, by which it is known.
pub(crate) const ORIGINS_HEADING: [&str; 5] = ["path", "origin", "part", "class", "group"];

/// A run's settings, and what else lies in the folder of a run that was made before folders were marked.
const RUN: [&str; 4] = ["config.toml", "history.csv", "best.safetensors", "last.safetensors"];

/// The page in a folder of explanations, and a figure beside it that it always has.
const EXPLANATIONS: [&str; 2] = ["index.html", "filters.png"];

/// How names of a cache's files end, behind a key of 32 hexadecimal digits.
const CACHED: [&str; 2] = [".pictures", ".features"];

/// Marks `folder`, which is there: what is written into it is passed over where the folder lies within a source.
///
/// # Errors
/// A folder that cannot be written.
pub fn mark(folder: &Path) -> Result<()> {
    let path = folder.join(MARK);
    match path.exists() {
        true => Ok(()),
        false => atomic::write(&path, TEXT),
    }
}

/// Whether `folder` is marked, empty or not there: what is written into it takes nothing of others with it.
///
/// # Errors
/// A folder that cannot be read.
pub fn is_ours(folder: &Path) -> Result<bool> {
    let children = match std::fs::read_dir(folder) {
        Err(missing) if missing.kind() == std::io::ErrorKind::NotFound => return Ok(true),
        children => children.map_err(Error::io(folder))?,
    };
    let mut names = children.flatten().map(|child| child.file_name());
    Ok(folder.join(MARK).exists() || names.all(|name| leftovers::is_leftover(&name.to_string_lossy())))
}

/// What `by` has noted as written into `folder`, see [`note_written`]: of a folder, the name has a slash at the end.
pub fn written(folder: &Path, by: &str) -> Vec<String> {
    let text = std::fs::read_to_string(folder.join(MARK)).unwrap_or_default();
    let names = text
        .lines()
        .filter_map(|line| line.strip_prefix(by)?.strip_prefix(": "));
    // Whoever has changed the list removes nothing elsewhere by it.
    let is_inside = |name: &&str| {
        let mut parts = Path::new(name).components();
        matches!((parts.next(), parts.next()), (Some(Component::Normal(_)), None))
    };
    names.filter(is_inside).map(String::from).collect()
}

/// Marks `folder`, and notes that `by` has written the files and folders `names` into it, in place of what it has noted
/// before.
///
/// # Errors
/// A folder that cannot be written.
pub fn note_written(folder: &Path, by: &str, names: &[String]) -> Result<()> {
    let path = folder.join(MARK);
    let before = std::fs::read_to_string(&path).unwrap_or_default();
    let of_others = before
        .lines()
        .skip(1)
        .filter(|line| !line.starts_with(&format!("{by}: ")));
    let mut text = String::from_utf8_lossy(TEXT).into_owned();
    of_others.for_each(|line| text += &format!("{line}\n"));
    names.iter().for_each(|name| text += &format!("{by}: {name}\n"));
    atomic::write(&path, text.as_bytes())
}

/// Removes files of these `names` from `folder`; of folders, only figures of ours, and the folder where that leaves
/// nothing.
///
/// # Errors
/// A file that cannot be removed.
pub fn remove_written(folder: &Path, names: &[String]) -> Result<()> {
    let remove = |path: &Path| match std::fs::remove_file(path) {
        Err(failure) if failure.kind() != std::io::ErrorKind::NotFound => Err(Error::io(path)(failure)),
        _ => Ok(()),
    };
    for name in names {
        let path = folder.join(name.trim_end_matches('/'));
        let is_folder = std::fs::symlink_metadata(&path).is_ok_and(|told| told.is_dir());
        match (name.ends_with('/'), is_folder) {
            (false, false) => remove(&path)?,
            (true, true) => {
                let children = std::fs::read_dir(&path).map_err(Error::io(&path))?.flatten();
                for child in children.map(|child| child.path()).filter(|child| is_figure(child)) {
                    remove(&child)?;
                }
                // Only if it is empty.
                let _ = std::fs::remove_dir(&path);
            }
            _ => {}
        }
    }
    Ok(())
}

fn is_figure(path: &Path) -> bool {
    let mut head = Vec::new();
    let read = std::fs::File::open(path).and_then(|file| file.take(512).read_to_end(&mut head));
    read.is_ok() && is_marked_png(&head)
}

/// A PNG with a mark by which it is known not to be data, should it lie among pictures: a chunk `tEXt` behind its
/// header, which every program reads over.
pub fn mark_png(png: Vec<u8>) -> Vec<u8> {
    if !png.starts_with(b"\x89PNG") || png.len() < HEADER_END {
        return png;
    }
    [&png[..HEADER_END], &text_chunk(), &png[HEADER_END..]].concat()
}

/// An SVG with the same mark.
pub fn mark_svg(svg: &str) -> String {
    svg.replacen("<svg", SVG, 1)
}

/// Whether a file that begins with `head` is a figure of lines that pelage has written.
pub(crate) fn is_marked_svg(head: &[u8]) -> bool {
    String::from_utf8_lossy(head).contains(SVG)
}

/// Whether a file that begins with `head` is a figure that pelage has written.
pub(crate) fn is_marked_png(head: &[u8]) -> bool {
    head.starts_with(b"\x89PNG")
        && head
            .get(HEADER_END..)
            .is_some_and(|rest| rest.starts_with(&text_chunk()))
}

/// A chunk: the length of its data, its kind, these data, and a checksum of the latter two.
fn text_chunk() -> Vec<u8> {
    let checked = [b"tEXt", SOFTWARE].concat();
    let length = (SOFTWARE.len() as u32).to_be_bytes();
    let checksum = crc32fast::hash(&checked).to_be_bytes();
    [&length[..], &checked, &checksum].concat()
}

/// Whether pelage has written a folder that has files of these names: it is marked, or a run or explanations from
/// before there was a mark.
pub(super) fn is_marked(has: impl Fn(&str) -> bool) -> bool {
    has(MARK) || has(RUN[0]) && RUN[1..].iter().any(|name| has(name)) || EXPLANATIONS.iter().all(|name| has(name))
}

/// The name of a file without which [`is_marked`] says no.
pub(super) fn is_sign(name: &str) -> bool {
    [MARK, RUN[0], EXPLANATIONS[0]].contains(&name)
}

/// Whether [`is_marked`] asks for a file of this name.
pub(super) fn tells(name: &str) -> bool {
    [MARK, PLAN].contains(&name) || RUN.contains(&name) || EXPLANATIONS.contains(&name)
}

/// Whether a file of this name is a note of pelage's own, of which nobody needs to be told; `is_organized` says whether
/// it lies in a folder that `organize` made.
pub(super) fn is_note(name: &str, is_organized: bool) -> bool {
    [MARK, PLAN, lock::NAME].contains(&name) || is_organized && name == ORIGINS
}

/// Whether a file of this name is a cache's.
pub(crate) fn is_cache_file(name: &str) -> bool {
    let is_key = |key: &str| key.len() == 32 && key.bytes().all(|byte| byte.is_ascii_hexdigit());
    CACHED.iter().any(|end| name.strip_suffix(end).is_some_and(is_key))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_removed_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        assert!(is_ours(&at("missing")).unwrap() && is_ours(folder.path()).unwrap());
        std::fs::create_dir(at("001-a")).unwrap();
        let figure = mark_png([b"\x89PNG\r\n\x1a\n".as_slice(), &[0; 40]].concat());
        for (name, bytes) in [
            ("001-a/x.png", &figure[..]),
            ("001-a/y.png", b"own"),
            ("a.csv", b""),
            ("b.csv", b""),
        ] {
            std::fs::write(at(name), bytes).unwrap();
        }
        assert!(!is_ours(folder.path()).unwrap());
        let names = ["001-a/", "a.csv", "../outside", "/etc/nothing", "link/x.csv"].map(String::from);
        note_written(folder.path(), "explain", &names).unwrap();
        note_written(folder.path(), "features", &["b.csv".into()]).unwrap();
        assert!(is_ours(folder.path()).unwrap());
        let noted = written(folder.path(), "explain");
        assert_eq!(noted, ["001-a/", "a.csv"]);
        remove_written(folder.path(), &noted).unwrap();
        assert!(at("b.csv").exists() && at("001-a/y.png").exists());
        assert!(!at("a.csv").exists() && !at("001-a/x.png").exists());
        note_written(folder.path(), "explain", &[]).unwrap();
        assert_eq!(written(folder.path(), "features"), ["b.csv"]);
    }

    /// Another program's reader finds the mark, and the same pixels.
    #[test]
    fn a_marked_figure_is_a_png_that_says_so() {
        let mut plain = Vec::new();
        let mut encoder = png::Encoder::new(&mut plain, 2, 1);
        encoder.set_color(png::ColorType::Rgb);
        let pixels = [1, 2, 3, 4, 5, 6];
        encoder.write_header().unwrap().write_image_data(&pixels).unwrap();
        let marked = mark_png(plain.clone());
        assert!(is_marked_png(&marked[..64]) && !is_marked_png(&plain) && !is_marked_png(&marked[..40]));
        let mut reader = png::Decoder::new(std::io::Cursor::new(&marked)).read_info().unwrap();
        let texts = &reader.info().uncompressed_latin1_text;
        assert_eq!((&texts[0].keyword[..], &texts[0].text[..]), ("Software", "pelage"));
        let mut buffer = [0; 6];
        reader.next_frame(&mut buffer).unwrap();
        assert_eq!(buffer, pixels);
        assert_eq!(mark_png(b"no figure".to_vec()), b"no figure");
    }
}
