//! A trained model.

use std::path::PathBuf;
use std::sync::Arc;

use numpy::PyArray2;
use pelage::Compute;
use pelage::data::decode::{Damaged, Limits};
use pelage::evaluate::{self as evaluation, Labelled, Wanted};
use pelage::explain::{Input as Shown, grad_cam, heat};
use pelage::export::{self, Input as Takes, Output as Gives};
use pelage::predict::BATCH;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use rayon::prelude::*;

use crate::errors::{failed, told};
use crate::inputs::{Input, One, matrix, pictures, rows};
use crate::work::{Watch, watched};

/// A trained model, in memory.
#[pyclass(module = "pelage._pelage", frozen)]
pub(crate) struct Model {
    inner: Arc<pelage::Model>,
}

impl Model {
    pub(crate) fn of(model: pelage::Model) -> Self {
        Model { inner: Arc::new(model) }
    }
}

#[pymethods]
impl Model {
    /// Opens a run folder or a model file.
    #[staticmethod]
    #[pyo3(signature = (path, reject, threads))]
    fn open(py: Python<'_>, path: PathBuf, reject: Option<f64>, threads: usize) -> PyResult<Model> {
        let compute = Compute {
            threads,
            ..Compute::default()
        };
        let open = |_: &_| pelage::Model::open_on(&path, &compute.open()?, reject);
        Ok(Model::of(watched(py, None, open)?.map_err(failed)?))
    }

    /// The model of a file's content.
    #[staticmethod]
    #[pyo3(signature = (content, reject))]
    fn from_bytes(py: Python<'_>, content: &[u8], reject: Option<f64>) -> PyResult<Model> {
        let decode = || {
            let device = Compute::default().open().map_err(|error| error.to_string())?;
            let model = pelage::Model::decode(content, &device)?;
            let judge = model.judge.rejecting(reject);
            Ok::<_, String>(pelage::Model { judge, ..model })
        };
        Ok(Model::of(py.detach(decode).map_err(told)?))
    }

    /// The content of a model file.
    fn to_bytes<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        let bytes = py.detach(|| self.inner.encode()).map_err(told)?;
        Ok(PyBytes::new(py, &bytes))
    }

    /// The classes, in the order of logits.
    #[getter]
    fn classes(&self) -> Vec<String> {
        self.inner.facts.classes.clone()
    }

    /// The names of its networks.
    #[getter]
    fn architecture(&self) -> String {
        self.inner.facts.name()
    }

    /// Size, filter, fit, mean and standard deviation, as JSON.
    fn preprocessing(&self) -> PyResult<String> {
        serde_json::to_string(&self.inner.facts.preprocessing).map_err(told)
    }

    /// What is known of its training, as JSON.
    fn training(&self) -> String {
        self.inner.facts.training.to_string()
    }

    /// What logits are divided by, if it is calibrated.
    #[getter]
    fn temperature(&self) -> Option<f64> {
        self.inner.judge.temperature()
    }

    /// The predictions for pictures, in order, as the JSON of `pelage predict`.
    fn predict(&self, py: Python<'_>, inputs: Vec<Input>) -> PyResult<String> {
        let model = &*self.inner;
        let work = |watch: &Watch| {
            // An earlier run may have taken what is damaged.
            Damaged::default().set();
            let pictures = pictures(inputs);
            let mut predictions = Vec::with_capacity(pictures.len());
            for chunk in pictures.chunks(BATCH).take_while(|_| !watch.is_stopped()) {
                let inputs = chunk.par_iter().map(|one| input(model, one)).collect();
                predictions.extend(model.predict_inputs(chunk.iter().map(|one| one.name().to_string()), inputs));
            }
            serde_json::to_string(&predictions)
        };
        watched(py, None, work)?.map_err(told)
    }

    /// The input of the last dense layer for pictures, a row each.
    fn features<'py>(&self, py: Python<'py>, inputs: Vec<Input>) -> PyResult<Bound<'py, PyArray2<f32>>> {
        let model = &*self.inner;
        let compute = |inputs: &[Vec<f32>]| model.embeddings(&inputs.iter().map(Vec::as_slice).collect::<Vec<_>>());
        rows(py, inputs, BATCH, |one| input(model, one), compute)
    }

    /// Grad-CAM of one picture for `class`, or for the likeliest: the map, the picture with the map over it as PNG, and
    /// the class.
    #[pyo3(signature = (input, class))]
    fn explain<'py>(
        &self,
        py: Python<'py>,
        input: Input,
        class: Option<String>,
    ) -> PyResult<(Bound<'py, PyArray2<f32>>, Bound<'py, PyBytes>, String)> {
        let model = &*self.inner;
        let work = |_: &_| {
            model.alone("explained")?;
            let explained = pictures(vec![input]);
            let [one] = &explained[..] else {
                return Err(pelage::Error::Settings("one picture is explained at a time".into()));
            };
            let unreadable = |reason| pelage::Error::Unreadable(format!("{}: {reason}", one.name()));
            let (preprocessing, device) = (&model.facts.preprocessing, model.device());
            let decode = |bytes: &[u8]| Shown::decode(bytes, preprocessing, &device);
            // What is shown of pixels is what they are, as a file would have them.
            let shown = one.read(decode, |image| {
                let mut png = std::io::Cursor::new(Vec::new());
                let written = image.write_to(&mut png, image::ImageFormat::Png);
                written.map_err(|failure| failure.to_string())?;
                decode(png.get_ref())
            });
            let shown = shown.map_err(unreadable)?;
            let classes = &model.facts.classes;
            let number = match &class {
                Some(class) => classes.iter().position(|own| own == class).ok_or_else(|| {
                    let known = classes.join(", ");
                    pelage::Error::Settings(format!("the model has no class '{class}'; it has {known}"))
                })?,
                None => {
                    let logits = pelage::model::values::to_vec(model.logits(shown.pixels.clone()));
                    pelage::model::probability::argmax(&logits)
                }
            };
            let map = grad_cam::grad_cam(model, shown.pixels, number)?;
            let mut png = std::io::Cursor::new(Vec::new());
            let over = heat::overlay(&shown.shown, &map);
            let written = over.write_to(&mut png, image::ImageFormat::Png);
            written.map_err(|failure| pelage::Error::Settings(failure.to_string()))?;
            Ok((map, png.into_inner(), classes[number].clone()))
        };
        let (map, png, class) = watched(py, None, work)?.map_err(failed)?;
        Ok((matrix(py, map.height, map.values)?, PyBytes::new(py, &png), class))
    }

    /// The model as ONNX.
    fn onnx<'py>(&self, py: Python<'py>, takes: &str, logits: bool) -> PyResult<Bound<'py, PyBytes>> {
        let takes: Takes = takes.parse().map_err(PyValueError::new_err)?;
        let gives = if logits { Gives::Logits } else { Gives::Probabilities };
        let bytes = py.detach(|| export::onnx(&self.inner, takes, gives)).map_err(failed)?;
        Ok(PyBytes::new(py, &bytes))
    }
}

/// The input of each network of `model`.
fn input(model: &pelage::Model, one: &One) -> Result<Vec<f32>, String> {
    let limits = Limits::default();
    one.read(
        |bytes| model.prepare(bytes, &limits),
        |image| model.prepare_image(image),
    )
}

/// Evaluates the model of a run folder or model file, as the JSON of `pelage evaluate`.
#[pyfunction]
#[pyo3(signature = (run, data, label_level, reject, all))]
pub(crate) fn evaluate(
    py: Python<'_>,
    run: PathBuf,
    data: Option<PathBuf>,
    label_level: Option<usize>,
    reject: Option<f64>,
    all: bool,
) -> PyResult<String> {
    let work = |_: &_| {
        Damaged::default().set();
        let labelled = data.as_deref().map(|path| Labelled {
            path,
            level: label_level,
        });
        let wanted = match (labelled, all) {
            (Some(data), true) => Wanted::All(data),
            (Some(data), false) => Wanted::Unseen(data),
            (None, _) => Wanted::Validated,
        };
        evaluation::evaluate(&run, wanted, reject, &Compute::default(), &|_| {})
    };
    let report = watched(py, None, work)?.map_err(failed)?;
    serde_json::to_string(&report).map_err(told)
}
