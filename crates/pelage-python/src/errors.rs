//! Errors as Python's exceptions, which `pelage/_errors.py` declares.

use pelage_cli::Failure;
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;

/// The exception for what the library says.
pub(crate) fn failed(error: pelage::Error) -> PyErr {
    let setting = match &error {
        pelage::Error::Setting { name, value, allowed } => Some([name.to_string(), value.clone(), allowed.clone()]),
        _ => None,
    };
    raised(&Failure::from(error), setting)
}

/// The exception for what the command line says.
pub(crate) fn refused(failure: &Failure) -> PyErr {
    raised(failure, None)
}

/// The exception for a message without a kind.
pub(crate) fn told(message: impl std::fmt::Display) -> PyErr {
    raised(&Failure::from(pelage::Error::Settings(message.to_string())), None)
}

fn raised(failure: &Failure, setting: Option<[String; 3]>) -> PyErr {
    let made = Python::attach(|py| {
        let class = match failure.exit_code() {
            2 => "UsageError",
            _ => "Error",
        };
        let class = py.import("pelage._errors")?.getattr(class)?;
        let error = class.call1((failure.message(), failure.remedies().to_vec()))?;
        if let Some([name, value, allowed]) = setting {
            error.setattr("name", name)?;
            error.setattr("value", value)?;
            error.setattr("allowed", allowed)?;
        }
        Ok(PyErr::from_value(error))
    });
    made.unwrap_or_else(|failure: PyErr| failure)
}

/// What is raised where work ended by a fault of ours.
pub(crate) fn internal(panic: &(dyn std::any::Any + Send)) -> PyErr {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
    PyRuntimeError::new_err(format!(
        "pelage has a fault: {}",
        text.unwrap_or("it does not say which")
    ))
}
