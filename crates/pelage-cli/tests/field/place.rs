//! A folder made from a short description, and what the binary does in it.

use std::io::{Cursor, Write};
use std::path::{Path, PathBuf};
use std::process::Output;

use image::ImageFormat;

use crate::common::{SETTINGS, pelage, stripes};

/// A folder that is removed at the end.
pub(crate) struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    /// Makes what `description` says, a line each; `{cat,dog}` and `{1..9}` stand for one each of these:
    ///
    /// - `pets/{cat,dog}/{1..9}.png`: small pictures, no two the same; those in folders of one name look alike.
    /// - `labels.csv = path,label\n1.png,cat`: a file with this text.
    /// - `pets/old.png -> cat/1.png`: a symbolic link.
    /// - `pets/bird/`: an empty folder.
    /// - `pets.zip: cat/{1..9}.png notes.txt`: a zip of pictures; what is not named as one is text.
    pub(crate) fn new(description: &str) -> Place {
        let place = Place {
            folder: tempfile::tempdir().unwrap(),
        };
        place.add(description);
        place
    }

    /// Adds to it.
    pub(crate) fn add(&self, description: &str) {
        for line in description.lines().map(str::trim).filter(|line| !line.is_empty()) {
            if let Some((name, text)) = line.split_once(" = ") {
                self.write(name, text.replace("\\n", "\n").as_bytes());
            } else if let Some((name, target)) = line.split_once(" -> ") {
                self.link(name, target);
            } else if let Some((name, members)) = line.split_once(": ") {
                let members: Vec<_> = members.split_whitespace().flat_map(expanded).collect();
                let members: Vec<_> = members.iter().map(|name| (&name[..], content(name))).collect();
                self.write(name, &zip(&members));
            } else {
                for name in expanded(line) {
                    match name.ends_with('/') {
                        true => std::fs::create_dir_all(self.path(&name)).unwrap(),
                        false => self.write(&name, &content(&name)),
                    }
                }
            }
        }
    }

    /// Writes a file, with the folders above it.
    pub(crate) fn write(&self, name: &str, bytes: &[u8]) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }

    #[cfg(unix)]
    fn link(&self, name: &str, target: &str) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::os::unix::fs::symlink(target, path).unwrap();
    }

    #[cfg(not(unix))]
    fn link(&self, _name: &str, _target: &str) {
        panic!("a link is described, which this system needs rights for");
    }

    /// Where `name` is.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// What the file `name` holds, as text.
    pub(crate) fn text(&self, name: &str) -> String {
        String::from_utf8_lossy(&std::fs::read(self.path(name)).unwrap()).into_owned()
    }

    /// Runs `pelage` with `arguments`, which blanks separate.
    pub(crate) fn run(&self, arguments: &str) -> Ran {
        self.run_in("", arguments)
    }

    /// As [`Place::run`], with the folder `below` as working directory.
    pub(crate) fn run_in(&self, below: &str, arguments: &str) -> Ran {
        let mut command = pelage(self.folder.path());
        command.current_dir(self.path(below)).args(arguments.split_whitespace());
        Ran::new(format!("pelage {arguments}"), &command.output().unwrap())
    }

    /// Runs a script, in which `pelage` is the binary: for pipes and redirections.
    #[cfg(unix)]
    pub(crate) fn shell(&self, script: &str) -> Ran {
        Ran::new(script.into(), &self.script(script).output().unwrap())
    }

    /// Starts a script as [`Place::shell`] would, and does not wait for its end.
    #[cfg(unix)]
    pub(crate) fn start(&self, script: &str) -> std::process::Child {
        self.script(script).spawn().unwrap()
    }

    #[cfg(unix)]
    fn script(&self, script: &str) -> std::process::Command {
        let ours = Path::new(env!("CARGO_BIN_EXE_pelage")).parent().unwrap();
        let path = format!("{}:{}", ours.display(), std::env::var("PATH").unwrap_or_default());
        let mut command = std::process::Command::new("sh");
        command.current_dir(self.folder.path()).env("PATH", path);
        command.env("PELAGE_CACHE", self.path("cache"));
        SETTINGS.iter().for_each(|name| _ = command.env_remove(name));
        command.args(["-c", script]);
        command
    }

    /// Trains a very small run on `data` into the folder `run`; `more` are further arguments.
    pub(crate) fn train(&self, data: &str, more: &str) -> Ran {
        self.run(&format!("train {data} --out run --epochs 1 --image-size 32 {more}"))
    }
}

/// What a command did.
pub(crate) struct Ran {
    command: String,
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ran {
    /// No command panics, whatever it is given.
    fn new(command: String, output: &Output) -> Ran {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let ran = Ran {
            command,
            code: output.status.code(),
            stdout: text(&output.stdout),
            stderr: text(&output.stderr),
        };
        assert!(ran.code != Some(101) && !ran.stderr.contains("panicked"), "{ran}");
        ran
    }

    /// The exit code is 0.
    pub(crate) fn succeeds(self) -> Ran {
        self.exits(0)
    }

    /// The exit code is `code`: 1 failed, 2 wrong usage.
    pub(crate) fn exits(self, code: i32) -> Ran {
        assert_eq!(self.code, Some(code), "{self}");
        self
    }

    /// stdout holds `text`. Blanks in it stand for any, as tables have them.
    pub(crate) fn prints(self, text: &str) -> Ran {
        assert!(blanks(&self.stdout).contains(text), "no '{text}' on stdout: {self}");
        self
    }

    /// stderr holds `text`. Blanks in it stand for any.
    pub(crate) fn says(self, text: &str) -> Ran {
        assert!(blanks(&self.stderr).contains(text), "no '{text}' on stderr: {self}");
        self
    }

    /// Neither holds `text`.
    pub(crate) fn says_nothing_of(self, text: &str) -> Ran {
        let holds = [&self.stdout, &self.stderr].map(|stream| blanks(stream).contains(text));
        assert!(holds == [false; 2], "'{text}': {self}");
        self
    }
}

impl std::fmt::Display for Ran {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Ran {
            command,
            code,
            stdout,
            stderr,
        } = self;
        write!(f, "{command}: {code:?}\n--- stdout\n{stdout}\n--- stderr\n{stderr}")
    }
}

/// With one blank for each run of blanks and line ends.
fn blanks(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// `{a,b}/{1..2}` as `a/1`, `a/2`, `b/1`, `b/2`.
fn expanded(pattern: &str) -> Vec<String> {
    let Some((head, rest)) = pattern.split_once('{') else {
        return vec![pattern.to_string()];
    };
    let (inner, tail) = rest.split_once('}').expect("a brace is not closed");
    let choices: Vec<String> = match inner.split_once("..") {
        Some((first, last)) => {
            let [first, last] = [first, last].map(|number| number.parse::<u32>().unwrap());
            (first..=last).map(|number| number.to_string()).collect()
        }
        None => inner.split(',').map(String::from).collect(),
    };
    let tails = expanded(tail);
    let all = choices
        .iter()
        .flat_map(|choice| tails.iter().map(move |tail| format!("{head}{choice}{tail}")));
    all.collect()
}

/// A picture where `name` is one's, else some text.
pub(crate) fn content(name: &str) -> Vec<u8> {
    let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension);
    let format = match extension.to_lowercase().as_str() {
        "jpg" | "jpeg" => ImageFormat::Jpeg,
        "png" => ImageFormat::Png,
        _ => return format!("this is {name}\n").into_bytes(),
    };
    let number = |text: &str| {
        text.bytes()
            .fold(7u64, |sum, byte| sum.wrapping_mul(31) + u64::from(byte))
    };
    let folder = Path::new(name).parent().and_then(Path::file_name).unwrap_or_default();
    let class = number(&folder.to_string_lossy()) % 2;
    let mut bytes = Cursor::new(Vec::new());
    let picture = stripes(class as usize, number(name), 24);
    picture.write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

/// The bytes of a zip with these members, which may share a name.
pub(crate) fn zip(members: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in members {
        let options = zip::write::SimpleFileOptions::default();
        writer.start_file(*name, options).unwrap();
        writer.write_all(bytes).unwrap();
    }
    writer.finish().unwrap().into_inner()
}
