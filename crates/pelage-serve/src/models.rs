//! The models that are served, by name.

use std::path::{Path, PathBuf};

pub use pelage::card::Card;
use pelage::model::precision::Precision;
use pelage::{Compute, Error, Model, Result, card, quantize};

use crate::problem::{Cause, Problem};

/// The models of a server, the first being the one that answers where none is named.
pub struct Models(Vec<Served>);

/// A model under its name.
pub struct Served {
    /// The name of its run folder or file.
    pub name: String,
    /// What a page says about it.
    pub card: Card,
    pub(crate) model: Model,
}

impl Models {
    /// Opens run folders and model files. `reject`: answers below this calibrated confidence, and those for pictures
    /// unlike all of training, are "unknown"; a model without a calibration cannot tell, and answers all. They compute
    /// in `precision`, see [`quantize::open`].
    ///
    /// # Errors
    /// As there; a confidence that is none.
    pub fn open(
        paths: &[PathBuf],
        compute: &Compute,
        reject: Option<f64>,
        precision: Option<Precision>,
    ) -> Result<Models> {
        let device = compute.open()?;
        let mut models = Models(Vec::with_capacity(paths.len()));
        for path in paths {
            let model = match quantize::open(path, &device, reject, precision) {
                Err(Error::Uncalibrated { .. }) => quantize::open(path, &device, None, precision)?,
                opened => opened?,
            };
            models.push(path, model)?;
        }
        Ok(models)
    }

    fn push(&mut self, path: &Path, model: Model) -> Result<()> {
        let name = card::name(path);
        let free = |name: &String| self.0.iter().all(|other| other.name != *name);
        // Two models of one name: the second gets a number.
        let numbered = (2..).map(|number| format!("{name}-{number}"));
        let name = std::iter::once(name.clone()).chain(numbered).find(free).unwrap_or(name);
        let card = Card::of(&name, path, &model)?;
        self.0.push(Served { name, card, model });
        Ok(())
    }

    /// Every model, in order.
    pub fn iter(&self) -> impl Iterator<Item = &Served> {
        self.0.iter()
    }

    /// The number of the model called `name`, or the first.
    ///
    /// # Errors
    /// An unknown name; no model at all.
    pub(crate) fn find(&self, name: Option<&str>) -> std::result::Result<usize, Problem> {
        let found = match name {
            Some(name) => self.0.iter().position(|served| served.name == name),
            None => (!self.0.is_empty()).then_some(0),
        };
        found.ok_or_else(|| {
            let names: Vec<_> = self.0.iter().map(|served| served.name.as_str()).collect();
            let known = format!("known: {}", names.join(", "));
            Problem::new(
                Cause::NotFound,
                match name {
                    Some(_) if !names.is_empty() => format!("there is no model of that name; {known}"),
                    _ => "no model is served here".into(),
                },
            )
        })
    }

    pub(crate) fn get(&self, number: usize) -> &Model {
        &self.0[number].model
    }

    pub(crate) fn served(&self, number: usize) -> &Served {
        &self.0[number]
    }
}
