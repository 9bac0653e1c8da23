//! The files of a run folder or model file.

use std::path::{Path, PathBuf};

/// The model file in a run folder.
pub const BEST: &str = "best.safetensors";

/// The same model in bytes, in a run folder.
pub const INT8: &str = "int8.safetensors";

/// Where the model at `path`, a run folder or a model file, is kept in bytes: `int8.safetensors` in a run folder, else
/// `NAME.int8.safetensors` beside `NAME.safetensors`.
pub fn quantized(path: &Path) -> PathBuf {
    let file = model(path);
    match file.file_name().is_some_and(|name| name == BEST) {
        true => file.with_file_name(INT8),
        false => file.with_extension("int8.safetensors"),
    }
}

/// The model file at `path`: the file itself, or the best model of a run folder.
pub fn model(path: &Path) -> PathBuf {
    match path.is_dir() {
        true => path.join(BEST),
        false => path.to_path_buf(),
    }
}

/// Where the calibration of a run folder or model file was kept before it was part of the model file:
/// `calibration.safetensors` in a run folder, else `NAME.calibration.safetensors` beside `NAME.safetensors`.
pub fn calibration(path: &Path) -> PathBuf {
    let file = model(path);
    match file.file_name().is_some_and(|name| name == BEST) {
        true => file.with_file_name("calibration.safetensors"),
        false => file.with_extension("calibration.safetensors"),
    }
}
