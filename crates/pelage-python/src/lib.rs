//! pelage for Python: what `pelage/__init__.py` wraps. Settings go in as the arguments of `pelage train`, documents
//! come out as the JSON of the command line, arrays as NumPy's.
//!
//! The interpreter's lock is released in all work, which runs on a thread beside the one that waits for it, so that
//! Ctrl-C is heard.

mod backbone;
mod errors;
mod inputs;
mod model;
mod train;
mod work;

use std::ffi::OsString;

use pyo3::prelude::*;

/// The native part of the package.
#[pymodule]
fn _pelage(module: &Bound<'_, PyModule>) -> PyResult<()> {
    work::note_process();
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    module.add_class::<model::Model>()?;
    module.add_class::<backbone::Backbone>()?;
    module.add_function(wrap_pyfunction!(command, module)?)?;
    module.add_function(wrap_pyfunction!(model::evaluate, module)?)?;
    module.add_function(wrap_pyfunction!(train::train, module)?)?;
    module.add_function(wrap_pyfunction!(train::train_in_memory, module)?)?;
    module.add_function(wrap_pyfunction!(train::history, module)?)?;
    module.add_function(wrap_pyfunction!(train::best, module)?)?;
    module.add_function(wrap_pyfunction!(train::curves, module)?)
}

/// Runs the command line `pelage ...` and returns its exit code.
#[pyfunction]
fn command(py: Python<'_>, arguments: Vec<OsString>) -> u8 {
    py.detach(|| pelage_cli::run(arguments))
}
