//! How a command can fail, with its exit code.

use std::process::ExitCode;

use pelage::data::organize::Refusal;
use pelage::model::error::Wanted;

use crate::options::flag;
use crate::terminal::quoted;

/// The result of a command: the document for stdout.
pub(crate) type Outcome = Result<String, Failure>;

/// Why a command failed.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The command was used wrongly.
    Usage(String),
    /// The command was valid, but failed.
    Failed(String),
    /// A signal stopped it; what was done is kept.
    Interrupted {
        /// The number of the signal.
        signal: u8,
        /// What is kept, and how to go on.
        kept: String,
    },
}

impl Failure {
    pub(crate) fn exit_code(&self) -> ExitCode {
        match self {
            Failure::Usage(_) => ExitCode::from(2),
            Failure::Failed(_) => ExitCode::FAILURE,
            // What shells give to a command that a signal ended.
            Failure::Interrupted { signal, .. } => ExitCode::from(128 + signal),
        }
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (Failure::Usage(message) | Failure::Failed(message) | Failure::Interrupted { kept: message, .. }) = self;
        f.write_str(message)
    }
}

/// Adds what to type, since the library does not know the command line.
impl From<pelage::Error> for Failure {
    fn from(error: pelage::Error) -> Self {
        use pelage::Error;
        match error {
            Error::Data(error) => error.into(),
            Error::Setting { name, value, allowed } => {
                Failure::Usage(format!("{} is {value}; it must be {allowed}", flag(name)))
            }
            Error::Settings(_) | Error::Folder { .. } => Failure::Usage(error.to_string()),
            Error::Frozen => Failure::Usage(format!("{error}: `--no-augmentation`, or `--unfreeze last-3`")),
            Error::Images(_) => Failure::Usage(format!("{error}: DATA after the run")),
            Error::Unreadable(_) => {
                Failure::Failed(format!("{error}\n`--fill-unreadable` gives them equal probabilities"))
            }
            Error::Uncalibrated { ref model } => Failure::Usage(format!(
                "{error}; calibrate it first: `pelage calibrate {}`",
                quoted(model)
            )),
            Error::Diverged { rate, .. } => Failure::Failed(format!(
                "{error}: `--learning-rate {:.0e}`, `pelage inspect`",
                rate / 10.0
            )),
            Error::Calibration { ref model, .. } => {
                Failure::Failed(format!("{error}: `pelage calibrate {}`", quoted(model)))
            }
            Error::Weights {
                wanted: Some(ref wanted),
                ..
            } => Failure::Failed(format!("{error}; {}", bring(wanted))),
            _ => Failure::Failed(error.to_string()),
        }
    }
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
        let with = |remedy: String| format!("{told}: {remedy}");
        match error {
            Error::Setting { name, value, allowed } => {
                Failure::Usage(format!("{} is {value}; it must be {allowed}", flag(name)))
            }
            Error::Busy { .. } => Failure::Failed(with("wait for it, or choose another folder".into())),
            Error::OtherKind { .. } => Failure::Usage(with("give another name; `--force` replaces it".into())),
            Error::NotFound { .. } | Error::Exists { .. } | Error::Labels { .. } => Failure::Usage(told),
            Error::NoValidation { path } => Failure::Usage(format!(
                "{told}: `--validation-split 0.2`, or `pelage organize {} --out data`",
                quoted(&path)
            )),
            Error::HasValidation { .. } => Failure::Usage(with("leave --validation-split out".into())),
            Error::NoLabels { nested: None, .. } | Error::OneClass { .. } => {
                Failure::Failed(with("`pelage organize --labels labels.csv`".into()))
            }
            Error::Ambiguous { .. } => Failure::Failed(with(
                "`--label-level 2` of `pelage organize` and `pelage train` takes the inner ones for classes, \
                 `--label-level 1` the outer ones; or `pelage organize --labels labels.csv`"
                    .into(),
            )),
            Error::Columns { .. } => Failure::Usage(with(
                "name it by `--path-column`, `--label-column` or `--split-column`".into(),
            )),
            Error::MissingClass { .. } => Failure::Failed(with("`pelage organize`".into())),
            Error::TooManyUnreadable { .. } | Error::UnreadableClass { .. } => {
                Failure::Failed(format!("{told}\nsee them all by `pelage inspect`"))
            }
            Error::Cache { .. } => {
                Failure::Failed(with("`--cache ram`, `--cache off`, or another PELAGE_CACHE".into()))
            }
            Error::DamagedCache { .. } => Failure::Failed(with("`pelage cache clear`".into())),
            Error::Organize(refusal) => refused(&refusal, told),
            _ => Failure::Failed(told),
        }
    }
}

/// The same for a folder that `organize` refused.
fn refused(refusal: &Refusal, told: String) -> Failure {
    let remedy = match refusal {
        Refusal::Within { .. } => "give another --out".to_string(),
        Refusal::Earlier { .. } | Refusal::Changed { .. } => "`--force` replaces it, or give another --out".into(),
        Refusal::NotEmpty { .. } | Refusal::LinkedInto { .. } => "give another --out".into(),
        Refusal::HardLink { .. } => "`--link copy` or `--link symbolic`".into(),
        Refusal::FolderName { class } => format!("`--rename {}=NAME`", class.escape_debug()),
        Refusal::FolderCase { class, other } => {
            format!("`--rename {}={}`", class.escape_debug(), other.escape_debug())
        }
        _ => return Failure::Usage(told),
    };
    let message = format!("{told}: {remedy}");
    match refusal {
        Refusal::HardLink { .. } | Refusal::FolderName { .. } | Refusal::FolderCase { .. } => Failure::Failed(message),
        _ => Failure::Usage(message),
    }
}

/// One JSON document for stdout.
pub(crate) fn json(value: &impl serde::Serialize) -> Outcome {
    let text = serde_json::to_string_pretty(value).map_err(|failure| Failure::Failed(failure.to_string()))?;
    Ok(text + "\n")
}
