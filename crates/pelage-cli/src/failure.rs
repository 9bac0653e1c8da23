//! How a command can fail, with its exit code.

use pelage::data::organize::Refusal;
use pelage::model::error::Wanted;

use crate::options::flag;
use crate::terminal::{quoted, quoted_text};

/// The result of a command: the document for stdout.
pub(crate) type Outcome = Result<String, Failure>;

/// Why a command failed, and what to do about it.
#[derive(Debug)]
pub struct Failure {
    kind: Kind,
    message: String,
    help: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// The command was used wrongly.
    Usage,
    /// The command was valid, but failed: what it names is not there, for one.
    Failed,
    /// The signal of this number stopped it; what was done is kept, and the message says how to go on.
    Interrupted(u8),
    /// What failed was told already, here or by another process; the exit code.
    Told(u8),
}

impl Failure {
    /// The command was used wrongly.
    pub(crate) fn usage(message: impl Into<String>) -> Failure {
        Failure::new(Kind::Usage, message)
    }

    /// The command was valid, but failed.
    pub(crate) fn failed(message: impl Into<String>) -> Failure {
        Failure::new(Kind::Failed, message)
    }

    /// A signal stopped it: its number, and what is kept and how to go on.
    pub(crate) fn interrupted(signal: u8, kept: impl Into<String>) -> Failure {
        Failure::new(Kind::Interrupted(signal), kept)
    }

    /// Nothing is left to say of it.
    pub(crate) fn told(code: u8) -> Failure {
        Failure::new(Kind::Told(code), "")
    }

    fn new(kind: Kind, message: impl Into<String>) -> Failure {
        let (message, help) = (short(&message.into()), Vec::new());
        Failure { kind, message, help }
    }

    /// The same, with something to do about it.
    pub(crate) fn help(mut self, remedy: impl Into<String>) -> Failure {
        self.help.push(short(&remedy.into()));
        self
    }

    /// The exit code: 1 if the command was valid and failed, 2 if it was used wrongly, above 128 if a signal ended it.
    pub fn exit_code(&self) -> u8 {
        match self.kind {
            Kind::Usage => 2,
            Kind::Failed => 1,
            // What shells give to a command that a signal ended.
            Kind::Interrupted(signal) => 128 + signal,
            Kind::Told(code) => code,
        }
    }

    /// Whether nothing is left to say of it.
    #[cfg(feature = "mpi")]
    pub(crate) fn is_told(&self) -> bool {
        matches!(self.kind, Kind::Told(_))
    }

    /// Whether a signal stopped it.
    #[cfg(feature = "mpi")]
    pub(crate) fn is_interruption(&self) -> bool {
        matches!(self.kind, Kind::Interrupted(_))
    }

    /// What is wrong.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// What to do about it, each a sentence or a command to type.
    pub fn remedies(&self) -> &[String] {
        &self.help
    }
}

/// A word of a message is no longer than this: what was given may be of any length.
const LONGEST: usize = 400;

/// `text` with its longest words cut in the middle.
fn short(text: &str) -> String {
    let word = |piece: &str| match piece.chars().count() {
        length if length > LONGEST => {
            let begin: String = piece.chars().take(LONGEST / 4).collect();
            let end: String = piece.chars().skip(length - LONGEST / 4).collect();
            format!("{begin}...{end}")
        }
        _ => piece.to_string(),
    };
    text.split_inclusive(char::is_whitespace).map(word).collect()
}

/// As it is told: `error: ...`, then `help: ...` for each remedy.
impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let Kind::Told(_) = self.kind {
            return Ok(());
        }
        if !matches!(self.kind, Kind::Interrupted(_)) {
            f.write_str("error: ")?;
        }
        writeln!(f, "{}", self.message.trim_end())?;
        self.help.iter().try_for_each(|remedy| writeln!(f, "help: {remedy}"))
    }
}

impl From<serde_json::Error> for Failure {
    fn from(error: serde_json::Error) -> Self {
        Failure::failed(error.to_string())
    }
}

/// Adds what to type, since the library does not know the command line.
impl From<pelage::Error> for Failure {
    fn from(error: pelage::Error) -> Self {
        use pelage::Error;
        let told = error.to_string();
        let (usage, failed) = (|| Failure::usage(told.clone()), || Failure::failed(told.clone()));
        match error {
            Error::Data(error) => error.into(),
            Error::Setting { name, value, allowed } => setting(name, &value, &allowed),
            Error::Settings(_) | Error::Folder { .. } => usage(),
            Error::Elsewhere { .. } => Failure::told(1),
            Error::Frozen => usage().help("`--no-augmentation`, or `--unfreeze last-3`"),
            Error::Images(_) => failed().help("DATA after the run, or `--data DATA` where there are several"),
            Error::DifferentImages => usage().help("`pelage compare --data DATA` compares them on others"),
            Error::Unreadable(_) => failed().help("`--fill-unreadable` gives them equal probabilities"),
            Error::Uncalibrated { ref model } => {
                usage().help(format!("calibrate it first: `pelage calibrate {}`", quoted(model)))
            }
            Error::Unquantized { ref model } => {
                usage().help(format!("quantize it first: `pelage quantize {}`", quoted(model)))
            }
            Error::Diverged { rate, .. } => {
                failed().help(format!("`--learning-rate {:.0e}`, `pelage inspect`", rate / 10.0))
            }
            Error::Device { name, reason, remedy } => Failure::failed(format!("device {name}: {reason}"))
                .help(remedy)
                .help("`pelage devices` lists what is here, `--device cpu` does without"),
            Error::DeviceMemory { .. } => failed()
                .help("smaller batches by `--batch-size`, smaller pictures by `--image-size`, or `--device cpu`"),
            Error::Calibration { ref model, .. } => failed().help(format!("`pelage calibrate {}`", quoted(model))),
            Error::Weights {
                wanted: Some(ref wanted),
                ..
            } => failed().help(bring(wanted)),
            _ => failed(),
        }
    }
}

/// A setting out of its range.
fn setting(name: &str, value: &str, allowed: &str) -> Failure {
    let flag = match name {
        // Another flag sets it too.
        "evaluation_flip" => "--tta, or --evaluation-flip,".into(),
        _ => flag(name),
    };
    Failure::usage(format!("{flag} is {value}; it must be {allowed}"))
}

/// How to get a file of weights.
fn bring(wanted: &Wanted) -> String {
    let Wanted {
        architecture,
        file,
        source,
        downloadable,
    } = wanted;
    let bring = format!("get the file {file} from {source} and run `pelage weights add {file} --model {architecture}`");
    match downloadable {
        true => format!("run `pelage weights fetch {architecture}`, or, without a network here, {bring}"),
        false => bring,
    }
}

impl From<pelage::data::Error> for Failure {
    fn from(error: pelage::data::Error) -> Self {
        use pelage::data::Error;
        let told = error.to_string();
        let (usage, failed) = (|| Failure::usage(told.clone()), || Failure::failed(told.clone()));
        match error {
            Error::Setting { name, value, allowed } => setting(name, &value, &allowed),
            Error::Busy { .. } => failed().help("wait for it, or choose another folder"),
            Error::OtherKind { .. } | Error::Record { .. } => usage().help("give another name; `--force` replaces it"),
            Error::Unfinished { .. } => usage().help("`--resume` goes on with it, `--force` begins again"),
            Error::OtherOrigin { .. } => usage().help("give what it was made with, or begin again by `--force`"),
            Error::OtherPart { .. } => usage().help("make it again as the others were made, or leave it out"),
            Error::Holes { .. } => usage().help("give all parts, each once"),
            Error::Exists { .. } | Error::Labels { .. } => usage(),
            Error::NoValidation { path, .. } => usage().help(format!(
                "`--validation-split 0.2`, or `pelage organize {} --out data`",
                quoted(&path)
            )),
            Error::HasValidation { .. } => usage().help("leave --validation-split out"),
            Error::NoLabels { nested: None, .. } | Error::OneClass { .. } => {
                failed().help("`pelage organize --labels labels.csv`")
            }
            Error::Ambiguous { level, .. } => failed()
                .help(which_level(level))
                .help("or name the classes in a file: `pelage organize --labels labels.csv`"),
            Error::Columns { .. } => usage().help("name it by `--path-column`, `--label-column` or `--split-column`"),
            Error::MissingClass { .. } => failed().help("`pelage organize`"),
            Error::TooManyUnreadable { .. } | Error::UnreadableClass { .. } => {
                failed().help("see them all by `pelage inspect`")
            }
            Error::Cache { .. } => failed().help("`--cache ram`, `--cache off`, or another PELAGE_CACHE"),
            Error::DamagedCache { .. } => failed().help("`pelage cache clear`"),
            Error::Organize(refusal) => refused(&refusal, told),
            _ => failed(),
        }
    }
}

/// The same for a folder that `organize` refused.
fn refused(refusal: &Refusal, told: String) -> Failure {
    let (usage, failed) = (Failure::usage(told.clone()), Failure::failed(told));
    match refusal {
        Refusal::Within { .. } | Refusal::NotEmpty { .. } | Refusal::LinkedInto { .. } => {
            usage.help("give another --out")
        }
        Refusal::Earlier { .. } | Refusal::Changed { .. } => usage.help("`--force` replaces it, or give another --out"),
        Refusal::HardLink { .. } => failed.help("`--link copy` or `--link symbolic`"),
        Refusal::FolderName { class } => failed.help(renaming(class, "NAME")),
        Refusal::FolderCase { class, other } => failed.help(renaming(class, other)),
        _ => usage,
    }
}

/// Which folders are the classes, where the outer ones that may be are at `level`.
pub(crate) fn which_level(level: usize) -> String {
    format!(
        "`--label-level {}` takes the inner ones for classes, `--label-level {level}` the outer ones",
        level + 1
    )
}

/// What to type so that a class gets another name, as a shell takes it.
fn renaming(class: &str, name: &str) -> String {
    format!("`--rename={}`", quoted_text(&format!("{class}={name}")))
}
