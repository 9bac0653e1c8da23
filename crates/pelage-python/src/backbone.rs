//! The features of a frozen backbone.

use std::path::PathBuf;
use std::sync::Arc;

use numpy::PyArray2;
use pelage::model::input;
use pelage::model::networks::pooled::BATCH;
use pelage::model::values::to_vec;
use pelage::train::backbone::{self, backbone};
use pelage::train::transfer::Transfer;
use pelage::zoo::store::Store;
use pelage::{Compute, Recipe};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use rayon::prelude::*;

use crate::errors::failed;
use crate::inputs::{Input, One, rows};
use crate::work::watched;

/// Pictures that are decoded together.
const TOGETHER: usize = 64;

/// A pretrained network without its head.
#[pyclass(module = "pelage._pelage", frozen)]
pub(crate) struct Backbone {
    inner: Arc<backbone::Backbone>,
    transfer: Transfer,
}

#[pymethods]
impl Backbone {
    /// Opens an architecture with the weights of a file, with random ones, or with those that `pelage weights` keeps.
    #[new]
    #[pyo3(signature = (architecture, weights, image_size, flip))]
    fn new(
        py: Python<'_>,
        architecture: &str,
        weights: Option<PathBuf>,
        image_size: Option<u32>,
        flip: bool,
    ) -> PyResult<Backbone> {
        let architecture = Store::default().named(architecture);
        let architecture = architecture.map_err(|unknown| PyValueError::new_err(unknown.to_string()))?;
        let open = |_: &_| {
            let weights = match weights {
                Some(path) if path.as_os_str() == "random" => None,
                Some(path) => Some(path),
                None => Some(Store::default().find(architecture)?),
            };
            let transfer = Transfer {
                flip,
                ..Transfer::new(weights)
            };
            let mut recipe = Recipe::transfer(architecture, transfer.clone());
            recipe.image_size = image_size.unwrap_or(recipe.image_size);
            recipe.validate()?;
            let mut opened = backbone(&transfer, &recipe, 2, &Compute::default().open()?)?;
            opened.network = opened.network.folded(|_| true);
            Ok((opened, transfer))
        };
        let (opened, transfer) = watched(py, None, open)?.map_err(failed)?;
        let inner = Arc::new(opened);
        Ok(Backbone { inner, transfer })
    }

    /// The channel means of the last feature map for pictures, a row each.
    fn features<'py>(&self, py: Python<'py>, inputs: Vec<Input>) -> PyResult<Bound<'py, PyArray2<f32>>> {
        let (opened, preprocessing) = (&*self.inner, &self.inner.preprocessing);
        let extractor = opened.extractor(&self.transfer, &opened.network);
        let device = opened.network.device();
        let read = |one: &One| {
            one.read(
                |bytes| input::decode(bytes, preprocessing),
                |image| input::resize(image, preprocessing),
            )
        };
        let few = |few: &[Vec<f32>]| to_vec(extractor.forward(input::images(few.concat(), preprocessing, &device)));
        let compute = |inputs: &[Vec<f32>]| inputs.par_chunks(BATCH).map(few).collect::<Vec<_>>().concat();
        rows(py, inputs, TOGETHER, read, compute)
    }
}
