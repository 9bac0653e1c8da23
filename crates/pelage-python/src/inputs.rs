//! Pictures as Python gives them: `(name, path)`, `(name, bytes)` or `(name, array)`.

use std::path::PathBuf;

use image::RgbImage;
use numpy::{IntoPyArray, PyArray2, PyArrayMethods, PyReadonlyArray3, PyUntypedArrayMethods};
use pelage::data::dataset::Image;
use pelage::data::source::{self, Location};
use pyo3::prelude::*;
use rayon::prelude::*;

use crate::errors::told;
use crate::work::{Watch, watched};

/// A picture, or a place with some.
pub(crate) enum Input {
    /// A file, a folder, a zip or a tar.
    Path(PathBuf),
    /// A file's content.
    Bytes(String, Vec<u8>),
    /// Rows, columns and red, green, blue.
    Pixels(String, RgbImage),
}

impl<'py> FromPyObject<'_, 'py> for Input {
    type Error = PyErr;

    fn extract(given: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        let (name, value): (String, Bound<'py, PyAny>) = given.extract()?;
        if let Ok(bytes) = value.extract::<Vec<u8>>()
            && value.is_instance_of::<pyo3::types::PyBytes>()
        {
            return Ok(Input::Bytes(name, bytes));
        }
        if let Ok(array) = value.extract::<PyReadonlyArray3<u8>>() {
            let [height, width, _] = *array.shape() else {
                return Err(shape(&name));
            };
            let (height, width) = (u32::try_from(height)?, u32::try_from(width)?);
            // In the order of rows, whatever the strides are.
            let pixels = array.as_array().iter().copied().collect();
            let image = RgbImage::from_raw(width, height, pixels).filter(|image| !image.is_empty());
            return Ok(Input::Pixels(name.clone(), image.ok_or_else(|| shape(&name))?));
        }
        Ok(Input::Path(value.extract()?))
    }
}

fn shape(name: &str) -> PyErr {
    pyo3::exceptions::PyValueError::new_err(format!("{name}: expected an array of rows x columns x 3"))
}

/// A single picture of what was given, or why there is none.
pub(crate) enum One {
    /// A file, in a folder or in an archive.
    File(String, Location),
    /// A file's content.
    Bytes(String, Vec<u8>),
    /// Pixels.
    Pixels(String, RgbImage),
    /// Nothing to read.
    Missing(String, String),
}

/// Each picture, in order: those of folders and archives one by one.
pub(crate) fn pictures(inputs: Vec<Input>) -> Vec<One> {
    let one = |input| match input {
        Input::Bytes(name, bytes) => vec![One::Bytes(name, bytes)],
        Input::Pixels(name, image) => vec![One::Pixels(name, image)],
        Input::Path(path) => {
            let shown = path.display().to_string();
            match source::find(&path).map(|found| found.without_own_figures(&path)) {
                Ok(found) if found.entries.is_empty() => vec![One::Missing(shown, "there are no files in it".into())],
                Ok(found) => {
                    let files = found.entries.into_iter();
                    files
                        .map(|entry| One::File(entry.location.to_string(), entry.location))
                        .collect()
                }
                Err(failure) => vec![One::Missing(shown, failure.reason())],
            }
        }
    };
    inputs.into_iter().flat_map(one).collect()
}

impl One {
    pub(crate) fn name(&self) -> &str {
        let (One::File(name, _) | One::Bytes(name, _) | One::Pixels(name, _) | One::Missing(name, _)) = self;
        name
    }

    /// What `decode` makes of its file, or `resize` of its pixels.
    pub(crate) fn read<T>(
        &self,
        decode: impl Fn(&[u8]) -> Result<T, String>,
        resize: impl Fn(&RgbImage) -> Result<T, String>,
    ) -> Result<T, String> {
        match self {
            One::File(_, location) => {
                let read = location.read_with(|bytes| decode(&bytes));
                read.map_err(|failure| failure.to_string()).and_then(|made| made)
            }
            One::Bytes(_, bytes) => decode(bytes),
            One::Pixels(_, image) => resize(image),
            One::Missing(_, reason) => Err(reason.clone()),
        }
    }

    /// As a picture to train on.
    pub(crate) fn image(self) -> Result<(String, Image), String> {
        match self {
            One::File(name, location) => {
                let read = location.read_with(|bytes| bytes.to_vec());
                let bytes = read.map_err(|failure| format!("{name}: {failure}"))?;
                Ok((name, Image::Encoded(bytes)))
            }
            One::Bytes(name, bytes) => Ok((name, Image::Encoded(bytes))),
            One::Pixels(name, image) => Ok((name, Image::Rgb(image))),
            One::Missing(name, reason) => Err(format!("{name}: {reason}")),
        }
    }
}

/// A row for each picture, as an array: what `compute` makes of what `read` has made of `batch` of them.
///
/// # Errors
/// The first picture that cannot be read, and why.
pub(crate) fn rows<'py>(
    py: Python<'py>,
    inputs: Vec<Input>,
    batch: usize,
    read: impl Fn(&One) -> Result<Vec<f32>, String> + Sync,
    compute: impl Fn(&[Vec<f32>]) -> Vec<f32> + Sync,
) -> PyResult<Bound<'py, PyArray2<f32>>> {
    let named = |one: &One| read(one).map_err(|reason| format!("{}: {reason}", one.name()));
    let work = |watch: &Watch| {
        let (pictures, mut values) = (pictures(inputs), Vec::new());
        for chunk in pictures.chunks(batch).take_while(|_| !watch.is_stopped()) {
            let inputs = chunk.par_iter().map(named).collect::<Result<Vec<_>, _>>()?;
            values.extend(compute(&inputs));
        }
        Ok::<_, String>((pictures.len(), values))
    };
    let (count, values) = watched(py, None, work)?.map_err(told)?;
    matrix(py, count, values)
}

/// Rows of the same length as an array, without a copy.
pub(crate) fn matrix(py: Python<'_>, rows: usize, values: Vec<f32>) -> PyResult<Bound<'_, PyArray2<f32>>> {
    let columns = values.len() / rows.max(1);
    values.into_pyarray(py).reshape([rows, columns])
}
