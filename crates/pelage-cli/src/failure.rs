//! What a command can fail with, and the exit code that tells it.

use std::process::ExitCode;

use pelage::model::error::Wanted;

use crate::options::flag;

/// The result of a command: the document for stdout.
pub(crate) type Outcome = Result<String, Failure>;

/// Why a command failed.
#[derive(Debug)]
pub(crate) enum Failure {
    /// It was called wrongly.
    Usage(String),
    /// It was called rightly, and could not be done.
    Failed(String),
}

impl Failure {
    pub(crate) fn exit_code(&self) -> ExitCode {
        match self {
            Failure::Usage(_) => ExitCode::from(2),
            Failure::Failed(_) => ExitCode::FAILURE,
        }
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (Failure::Usage(message) | Failure::Failed(message)) = self;
        f.write_str(message)
    }
}

/// Says what to type, where the library says what to do.
impl From<pelage::Error> for Failure {
    fn from(error: pelage::Error) -> Self {
        use pelage::Error;
        match error {
            Error::Data(error) => error.into(),
            Error::Setting { name, value, allowed } => {
                Failure::Usage(format!("{} is {value}; it must be {allowed}", flag(name)))
            }
            Error::Settings(_) => Failure::Usage(error.to_string()),
            Error::Diverged { rate, .. } => Failure::Failed(format!(
                "{error}: `--learning-rate {:.0e}`, `pelage inspect`",
                rate / 10.0
            )),
            Error::Calibration { ref model, .. } => {
                Failure::Failed(format!("{error}: `pelage calibrate {}`", model.display()))
            }
            Error::Weights {
                wanted: Some(ref wanted),
                ..
            } => Failure::Failed(format!("{error}; {}", bring(wanted))),
            _ => Failure::Failed(error.to_string()),
        }
    }
}

/// How a file of weights comes here.
fn bring(wanted: &Wanted) -> String {
    let Wanted {
        architecture,
        file,
        source,
        downloadable,
    } = wanted;
    let bring =
        format!("bring the file {file} from {source} and type `pelage weights add {file} --model {architecture}`");
    match downloadable {
        true => format!("type `pelage weights fetch {architecture}`, or, without a network here, {bring}"),
        false => bring,
    }
}

impl From<pelage::data::Error> for Failure {
    fn from(error: pelage::data::Error) -> Self {
        match error {
            pelage::data::Error::Input(_) => Failure::Usage(error.to_string()),
            _ => Failure::Failed(error.to_string()),
        }
    }
}

/// One JSON document for stdout.
pub(crate) fn json(value: &impl serde::Serialize) -> Outcome {
    let text = serde_json::to_string_pretty(value).map_err(|failure| Failure::Failed(failure.to_string()))?;
    Ok(text + "\n")
}
