//! What a command can fail with, and the exit code that tells it.

use std::process::ExitCode;

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

impl From<pelage::Error> for Failure {
    fn from(error: pelage::Error) -> Self {
        match error {
            pelage::Error::Input(_) | pelage::Error::Data(pelage::data::Error::Input(_)) => {
                Failure::Usage(error.to_string())
            }
            _ => Failure::Failed(error.to_string()),
        }
    }
}

impl From<pelage::data::Error> for Failure {
    fn from(error: pelage::data::Error) -> Self {
        pelage::Error::from(error).into()
    }
}

/// One JSON document for stdout.
pub(crate) fn json(value: &impl serde::Serialize) -> Outcome {
    let text = serde_json::to_string_pretty(value).map_err(|failure| Failure::Failed(failure.to_string()))?;
    Ok(text + "\n")
}
