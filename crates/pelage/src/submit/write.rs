//! From a model and a test set to the submitted file.

use std::path::PathBuf;

use pelage_data::Progress;
use pelage_data::output::Output;
use pelage_data::shown;

use super::template::Template;
use super::{Columns, Label, Layout, Unreadable, check_clip, images};
use crate::compute::Compute;
use crate::{Error, Model, Result, predict};

/// What to submit.
#[derive(Clone, Debug)]
pub struct Submission {
    /// A run folder or model file.
    pub run: PathBuf,
    /// The test set: a folder or an archive.
    pub source: PathBuf,
    /// A competition's template, for ids, their order and the columns.
    pub sample: Option<PathBuf>,
    /// The value beside the id; by default a probability, or what the template holds.
    pub label: Option<Label>,
    /// The class whose probability is written; by default the second of two.
    pub positive: Option<String>,
    /// Probabilities are clipped to `clip` to 1 - `clip`; by default 0.01 divided by the number of classes.
    pub clip: Option<f64>,
    /// Answers below this calibrated confidence, 0 to 1, and those for images too far from the training set are
    /// unknown.
    pub reject: Option<f64>,
    /// What to do with unreadable images.
    pub unreadable: Unreadable,
}

/// What was written.
#[derive(Clone, Debug)]
pub struct Written {
    /// The columns.
    pub layout: Layout,
    /// Class names of the model.
    pub classes: Vec<String>,
    /// What probabilities were clipped to; `None` if classes are named.
    pub clip: Option<f64>,
    /// What logits were divided by, if the model is calibrated.
    pub temperature: Option<f64>,
    /// Number of unknown images.
    pub unknown: usize,
    /// Number of unreadable images.
    pub unreadable: usize,
}

impl Submission {
    /// Predicts the test set and writes `out`. Everything that can be checked before prediction is.
    ///
    /// # Errors
    /// No model, no images; ids that do not fit; settings out of range; a file that cannot be written, or is read from;
    /// unreadable images, if they are refused.
    pub fn write(&self, out: &Output, compute: &Compute, progress: &(dyn Fn(Progress) + Sync)) -> Result<Written> {
        self.check_out(out)?;
        let model = Model::open_on(&self.run, &compute.open()?, self.reject)?;
        let classes = model.facts.classes.clone();
        let clip = self.clip.unwrap_or(0.01 / classes.len() as f64);
        check_clip(clip, classes.len())?;
        let layout = self.layout(&classes)?;
        let total = layout.images.len();
        let predictions = predict::predict(&model, &layout.images, &mut |done| {
            progress(Progress {
                done,
                total,
                what: "predicting",
            })
        });
        out.write(&layout.encode(&classes, &predictions, clip, self.unreadable)?)?;
        Ok(Written {
            clip: (layout.columns != Columns::Class).then_some(clip),
            temperature: model.judge.temperature(),
            unknown: predictions.iter().filter(|one| one.doubt.is_some()).count(),
            unreadable: predictions.iter().filter(|one| one.error.is_some()).count(),
            layout,
            classes,
        })
    }

    fn layout(&self, classes: &[String]) -> Result<Layout> {
        let positive = self.positive.as_deref();
        match &self.sample {
            Some(sample) => {
                let template = Template::read(sample)?;
                let columns = template.columns(classes, self.label, positive)?;
                template.layout(images(&self.source)?, columns)
            }
            None => {
                let columns = Columns::one(classes, self.label.unwrap_or(Label::Probability), positive)?;
                Layout::numbered(images(&self.source)?, columns)
            }
        }
    }

    /// A submission must not overwrite its own input.
    fn check_out(&self, out: &Output) -> Result<()> {
        let written = out.path().canonicalize();
        let same = |read: &PathBuf| {
            let written = written.as_ref().ok();
            written.is_some_and(|written| read.canonicalize().is_ok_and(|read| *written == read))
        };
        match same(&self.source) || self.sample.as_ref().is_some_and(same) {
            true => Err(Error::setting(
                "out",
                shown::path(out.path()),
                "another name, since this one is read from",
            )),
            false => Ok(()),
        }
    }
}
