//! A file that a user has named: looked at before the work, so that hours do not end at a missing folder, and so that
//! a mistyped name does not replace a picture.

use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use crate::{Error, Result, atomic, source};

/// What is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format<'a> {
    /// A table whose heading begins with this.
    Table(&'a str),
    /// A figure of lines.
    Svg,
    /// A figure of pixels.
    Png,
    /// A page.
    Html,
    /// A network for other programs.
    Onnx,
    /// Weights for other programs.
    Weights,
    /// A model of ours: hours of work, which nothing takes the place of unasked.
    Model,
    /// A model of ours in bytes, which is soon made again of the one it was made of.
    Quantized,
    /// A table that people go through and edit, likewise.
    Edited,
}

impl Format<'_> {
    /// Its name, after "a" or "an".
    pub fn name(self) -> &'static str {
        match self {
            Format::Table(_) | Format::Edited => "CSV table",
            Format::Svg => "SVG figure",
            Format::Png => "PNG figure",
            Format::Html => "HTML page",
            Format::Onnx => "ONNX network",
            Format::Weights => "file of exported weights",
            Format::Model => "model file",
            Format::Quantized => "quantized model",
        }
    }

    /// What it takes the place of, after "no".
    fn replaced(self) -> &'static str {
        match self {
            Format::Table(_) => "CSV table of pelage's with these columns",
            Format::Svg => "SVG figure of pelage's",
            Format::Png => "PNG figure of pelage's",
            Format::Html => "HTML page of pelage's",
            Format::Model | Format::Edited => "empty file",
            other => other.name(),
        }
    }

    /// Whether a file that begins with `head` is of this kind; of figures and pages, which people have others of, one
    /// of ours.
    fn is(self, head: &[u8]) -> bool {
        let text = || String::from_utf8_lossy(head).to_lowercase();
        match self {
            Format::Table(heading) => is_table(head) && head.starts_with(heading.as_bytes()),
            Format::Svg => source::is_marked_svg(head),
            Format::Png => source::is_marked_png(head),
            Format::Html => text().starts_with("<!doctype html") && text().contains(GENERATOR),
            Format::Onnx => is_onnx(head),
            Format::Weights => is_safetensors(head, &format!("\"{EXPORTED}\":")),
            Format::Quantized => is_safetensors(head, "\"pelage\":") && text().contains(IN_BYTES),
            Format::Model | Format::Edited => false,
        }
    }
}

/// Whether a file is one of safetensors, behind the length of whose header these metadata come.
fn is_safetensors(head: &[u8], metadata: &str) -> bool {
    let begin = format!("{{\"__metadata__\":{{{metadata}");
    head.get(8..).is_some_and(|head| head.starts_with(begin.as_bytes()))
}

/// Whether there is no file at `path`, an empty one, or one of the same kind.
fn replaceable(path: &Path, format: Format<'_>) -> std::io::Result<bool> {
    let file = match File::open(path) {
        Err(missing) if missing.kind() == std::io::ErrorKind::NotFound => return Ok(true),
        opened => opened?,
    };
    let mut head = Vec::new();
    file.take(HEAD as u64).read_to_end(&mut head)?;
    Ok(head.is_empty() || format.is(&head))
}

/// Whether text has the same two or more cells in each of its first lines.
fn is_table(head: &[u8]) -> bool {
    if head.iter().any(|&byte| byte < b' ' && !b"\t\r\n".contains(&byte)) {
        return false;
    }
    // The last line may be cut.
    let whole = match head.len() < HEAD {
        true => head.len(),
        false => head.iter().rposition(|&byte| byte == b'\n').unwrap_or(0),
    };
    let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(&head[..whole]);
    let mut rows = reader.byte_records().peekable();
    let several = matches!(rows.peek(), Some(Ok(first)) if first.len() > 1);
    several && rows.all(|row| row.is_ok())
}

/// Whether a Protocol Buffers message begins with a small number, the version of the format, and then the name of the
/// program that wrote it, in letters, or the operators or the graph, as long as neither is empty.
fn is_onnx(head: &[u8]) -> bool {
    let [8, 1..32, field, length, rest @ ..] = head else {
        return false;
    };
    let length = usize::from(*length);
    match field {
        0x12 => (1..rest.len()).contains(&length) && rest[..length].iter().all(|byte| (b' '..=b'~').contains(byte)),
        0x3a | 0x42 => length > 0,
        _ => false,
    }
}

/// What the header of a model in bytes says, in a text within a text.
const IN_BYTES: &str = r#"\"precision\":\"int8\""#;

/// What the header of exported weights says, see [`Format::Weights`].
pub const EXPORTED: &str = "pelage.export";

/// What a page of ours says in its head of what made it.
const GENERATOR: &str = "name=\"generator\" content=\"pelage";

/// What a run keeps in its folder, beside its settings: no output takes the place of one.
const RUN: [&str; 10] = [
    "best.safetensors",
    "last.safetensors",
    "calibration.safetensors",
    "split.csv",
    "history.csv",
    "confusion.csv",
    "unreadable.csv",
    "curves.svg",
    "curves.png",
    "log.txt",
];

/// The same of a cross-validation.
const FOLDS: [&str; 2] = ["out-of-fold.csv", "ensemble.safetensors"];

/// Whether a file is part of a run or of a cross-validation.
fn is_record(file: &Path) -> bool {
    let named = |names: &[&str]| names.iter().any(|name| file.ends_with(name));
    let beside = |settings: &str| file.with_file_name(settings).exists();
    (named(&RUN) && beside("config.toml")) || (named(&FOLDS) && beside("folds.toml"))
}

/// Number of bytes of an earlier file that are looked at.
const HEAD: usize = 4096;

/// A file to write.
#[derive(Debug)]
pub struct Output {
    shown: PathBuf,
    target: Target,
}

#[derive(Debug)]
enum Target {
    /// `-`.
    Standard,
    /// A pipe or device, which keeps being one.
    Through,
    /// A file, with links followed.
    File(PathBuf),
}

impl Output {
    /// Looks at what `path` names: `-` is standard output, pipes and devices are written to, links are followed. An
    /// earlier file is replaced if it is of the same `format` or empty, others only by `force`.
    ///
    /// # Errors
    /// [`Error::OtherKind`] where a file of another kind is there, [`Error::Record`] where it is a run's own;
    /// [`Error::Io`] where a folder is missing, cannot be written, or is what `path` names.
    pub fn new(path: &Path, format: Format<'_>, force: bool) -> Result<Self> {
        let io = |kind, reason: &str| Error::io(path)(std::io::Error::new(kind, reason));
        let output = |target| Output {
            shown: path.to_path_buf(),
            target,
        };
        if [Path::new("-"), Path::new("/dev/stdout")].contains(&path) {
            return Ok(output(Target::Standard));
        }
        let file = match std::fs::metadata(path) {
            Err(missing) if missing.kind() == std::io::ErrorKind::NotFound => atomic::followed(path),
            Err(failure) => Err(failure),
            Ok(told) if told.is_dir() => {
                let reason = "it is a folder; give the name of a file";
                return Err(io(std::io::ErrorKind::IsADirectory, reason));
            }
            // What is open already (/dev/fd/3) is written to as well: replaced, it would be another file.
            Ok(told) if !told.is_file() || path.starts_with("/dev/fd") || path.starts_with("/proc") => {
                return Ok(output(Target::Through));
            }
            Ok(_) => path.canonicalize(),
        };
        let file = file.map_err(Error::io(path))?;
        if !force && file.exists() && is_record(&file) {
            return Err(Error::Record { path: path.into() });
        }
        if !force && !replaceable(&file, format).map_err(Error::io(path))? {
            return Err(Error::OtherKind {
                path: path.into(),
                wanted: format.replaced(),
            });
        }
        // Nothing but an attempt tells whether a folder can be written.
        match atomic::Unfinished::new(&file) {
            Err(missing) if missing.kind() == std::io::ErrorKind::NotFound => {
                Err(io(missing.kind(), "there is no such folder to write to"))
            }
            attempt => attempt.map(|_| output(Target::File(file))).map_err(Error::io(path)),
        }
    }

    /// Whether it is standard output, which then holds nothing else.
    pub fn is_standard(&self) -> bool {
        matches!(self.target, Target::Standard)
    }

    /// As it was named.
    pub fn path(&self) -> &Path {
        &self.shown
    }

    /// The file that it is, with links followed; none for standard output, pipes and devices.
    pub fn file(&self) -> Option<&Path> {
        match &self.target {
            Target::File(file) => Some(file),
            _ => None,
        }
    }

    /// What takes bytes as they come, where it is no file.
    ///
    /// # Errors
    /// [`Error::Io`] where it cannot be opened.
    pub fn through(&self) -> Result<Box<dyn Write>> {
        match self.is_standard() {
            true => Ok(Box::new(std::io::stdout())),
            false => match File::options().write(true).open(&self.shown) {
                Ok(file) => Ok(Box::new(file)),
                Err(failure) => Err(Error::io(&self.shown)(failure)),
            },
        }
    }

    /// Writes what `fill` gives, piece by piece: a file whole or not at all.
    ///
    /// # Errors
    /// As [`Output::write`], and what `fill` fails with.
    pub fn write_by(&self, fill: &mut dyn FnMut(&mut dyn Write) -> Result<()>) -> Result<()> {
        let written = |done: std::io::Result<()>| done.map_err(Error::io(&self.shown));
        match &self.target {
            Target::Standard | Target::Through => {
                let mut out = self.through()?;
                match fill(&mut out) {
                    Err(Error::Io { source, .. }) if self.is_enough(&source) => Ok(()),
                    filled => filled.and_then(|()| written(self.unless_enough(out.flush()))),
                }
            }
            Target::File(file) => {
                let mut out = atomic::Unfinished::new(file).map_err(Error::io(&self.shown))?;
                fill(&mut out)?;
                written(out.sync_and_finish())
            }
        }
    }

    /// Whether writing failed because whoever reads standard output has enough, as `head` has, which is no failure.
    pub fn is_enough(&self, failure: &std::io::Error) -> bool {
        self.is_standard() && failure.kind() == std::io::ErrorKind::BrokenPipe
    }

    fn unless_enough(&self, written: std::io::Result<()>) -> std::io::Result<()> {
        written.or_else(|failure| if self.is_enough(&failure) { Ok(()) } else { Err(failure) })
    }

    /// Writes all of it: a file whole or not at all.
    ///
    /// # Errors
    /// [`Error::Io`] where a disk is full, or a reader has gone.
    pub fn write(&self, bytes: &[u8]) -> Result<()> {
        let written = match &self.target {
            Target::Standard => {
                let mut out = std::io::stdout().lock();
                self.unless_enough(out.write_all(bytes).and_then(|()| out.flush()))
            }
            Target::Through => File::options()
                .write(true)
                .open(&self.shown)
                .and_then(|mut file| file.write_all(bytes)),
            Target::File(file) => return atomic::write(file, bytes),
        };
        written.map_err(Error::io(&self.shown))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A PNG up to the end of its header.
    const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\0\0\0\0\x3a\x7e\x9b\x55";

    #[test]
    fn what_a_run_keeps_is_not_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let table = b"path,class\na,b\n";
        for (settings, name) in [("config.toml", "split.csv"), ("folds.toml", "out-of-fold.csv")] {
            let path = folder.path().join(name);
            std::fs::write(&path, table).unwrap();
            let format = Format::Table("path,class");
            Output::new(&path, format, false).unwrap();
            std::fs::write(folder.path().join(settings), b"").unwrap();
            let refused = Output::new(&path, format, false).unwrap_err();
            assert!(matches!(refused, Error::Record { .. }), "{refused}");
            Output::new(&path, format, true).unwrap();
        }
        Output::new(&folder.path().join("other.csv"), Format::Html, false).unwrap();
    }

    /// The beginning of a safetensors file.
    fn tensors(metadata: &str) -> Vec<u8> {
        let header = format!("{{\"__metadata__\":{{{metadata}}}}}");
        [&(header.len() as u64).to_le_bytes(), header.as_bytes()].concat()
    }

    #[test]
    fn a_file_of_another_kind_is_not_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x");
        let csv = b"path,class\n\"a, b.jpg\",cat\n".as_slice();
        let long = b"path,class\n".repeat(1000);
        for (format, same) in [
            (Format::Table("path,class"), csv),
            (Format::Table("path,class"), &long),
            (Format::Table("path,class"), b""),
            (Format::Svg, source::mark_svg("<svg xmlns=\"\"/>").as_bytes()),
            (Format::Png, &source::mark_png(PNG.to_vec())),
            (
                Format::Html,
                b"<!DOCTYPE html><html><meta name=\"generator\" content=\"pelage report\">",
            ),
            (Format::Onnx, b"\x08\x07\x12\x06pelage\x1a\x050.1.0"),
            (Format::Model, b""),
            (Format::Edited, b""),
            (Format::Weights, &tensors(r#""pelage.export":"{}""#)),
        ] {
            std::fs::write(&path, same).unwrap();
            Output::new(&path, format, false).unwrap().write(b"new").unwrap();
            assert_eq!(std::fs::read(&path).unwrap(), b"new");
            for other in [
                b"\xff\xd8\xff\xe0\x00\x10JFIF,,\n,,".as_slice(),
                b"to do: bread\nmilk, tea\n",
                b"one line",
                b"\0\0,",
                b"other,columns\na,b\n",
                // A user's own of the same format.
                PNG,
                b"<svg xmlns=\"\"/>",
                b"<!DOCTYPE html><html><meta name=\"generator\" content=\"Hugo\">",
                &tensors(r#""pelage":"{\"kind\":\"checkpoint\"}""#),
                &tensors(r#""pelage":"{\"kind\":\"model\"}""#),
            ] {
                std::fs::write(&path, other).unwrap();
                let refused = Output::new(&path, format, false).unwrap_err();
                assert!(
                    matches!(refused, Error::OtherKind { .. }),
                    "{format:?} {other:?}: {refused}"
                );
                assert_eq!(std::fs::read(&path).unwrap(), other);
                Output::new(&path, format, true).unwrap();
            }
        }
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_cannot_be_written_is_told_at_once() {
        let folder = tempfile::tempdir().unwrap();
        for (path, reason) in [("missing/x.csv", "no such folder"), ("", "a folder")] {
            let refused = Output::new(&folder.path().join(path), Format::Table("a"), true).unwrap_err();
            assert!(refused.to_string().contains(reason), "{refused}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn links_are_followed_and_pipes_stay_pipes() {
        use std::os::unix::fs::FileTypeExt;
        let folder = tempfile::tempdir().unwrap();
        let [file, link, dangling, later] = ["file", "link", "dangling", "later"].map(|name| folder.path().join(name));
        std::fs::write(&file, b"a,b\n").unwrap();
        std::os::unix::fs::symlink("file", &link).unwrap();
        std::os::unix::fs::symlink(&later, &dangling).unwrap();
        for (link, file) in [(&link, &file), (&dangling, &later)] {
            Output::new(link, Format::Table("a,b"), false)
                .unwrap()
                .write(b"a,b\n1,2\n")
                .unwrap();
            assert!(std::fs::symlink_metadata(link).unwrap().is_symlink());
            assert_eq!(std::fs::read(file).unwrap(), b"a,b\n1,2\n");
        }

        let pipe = folder.path().join("pipe");
        let made = std::process::Command::new("mkfifo").arg(&pipe).status().unwrap();
        assert!(made.success());
        let output = Output::new(&pipe, Format::Table("a"), false).unwrap();
        std::thread::scope(|scope| {
            let reader = scope.spawn(|| std::fs::read(&pipe).unwrap());
            output.write(b"through").unwrap();
            assert_eq!(reader.join().unwrap(), b"through");
        });
        assert!(std::fs::symlink_metadata(&pipe).unwrap().file_type().is_fifo());
    }
}
