//! From a model and a test set to the submitted file.

use std::path::{Path, PathBuf};

use pelage_data::Progress;

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
    /// The file to write.
    pub out: PathBuf,
    /// A competition's template, for ids, their order and the columns.
    pub sample: Option<PathBuf>,
    /// The value beside the id; by default a probability, or what the template holds.
    pub label: Option<Label>,
    /// The class whose probability is written; by default the second.
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
    /// Predicts the test set and writes the file. Everything that can be checked before prediction is.
    ///
    /// # Errors
    /// No model, no images; ids that do not fit; settings out of range; a folder that cannot be written; unreadable
    /// images, if they are refused.
    pub fn write(&self, compute: &Compute, progress: &(dyn Fn(Progress) + Sync)) -> Result<Written> {
        self.check_out()?;
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
        layout.write(&self.out, &classes, &predictions, clip, self.unreadable)?;
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

    /// Minutes of work must not end at a missing folder, nor overwrite their own input.
    fn check_out(&self) -> Result<()> {
        let shown = self.out.display();
        let folder = self.out.parent().filter(|folder| !folder.as_os_str().is_empty());
        if let Some(folder) = folder.filter(|folder| !folder.is_dir()) {
            return Err(Error::folder(folder, "there is no such folder to write to"));
        }
        let same = |other: &Path| {
            let out = self.out.canonicalize();
            out.is_ok_and(|out| other.canonicalize().is_ok_and(|other| out == other))
        };
        let read = [Some(&self.source), self.sample.as_ref()];
        match read.into_iter().flatten().any(|path| same(path)) {
            true => Err(Error::setting(
                "out",
                shown,
                "another name, since this one is read from",
            )),
            false => Ok(()),
        }
    }
}
