//! What a report shows, gathered once: the model's scores of the validation images, and the images worth a look.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use pelage_data::Progress;
use pelage_data::Unreadable;
use pelage_data::cache::DecodedImages;
use pelage_data::catalog::{Catalog, Item, Part};
use pelage_data::dataset::Dataset;
use pelage_data::inspect;
use pelage_model::input;
use pelage_model::networks::summary::Layer;
use pelage_model::saved::Facts;
use rayon::prelude::*;

use super::thumbnail;
use crate::compute::Compute;
use crate::evaluate::doubtful::{self, Seen};
use crate::evaluate::temperature::Scaling;
use crate::evaluate::{self, Embeddings, Evaluation, Scores};
use crate::explain::{grad_cam, heat};
use crate::runs::history;
use crate::runs::images::{self, Labelled, Wanted};
use crate::runs::own;
use crate::train::facts::Training;
use crate::train::history::HistoryRow;
use crate::{Model, Result};

/// The content of a report.
pub struct Findings {
    /// The run folder or model file.
    pub run: PathBuf,
    /// Path of the images.
    pub data: PathBuf,
    /// What the model file says about its model.
    pub facts: Facts,
    /// How its weights were trained.
    pub training: Training,
    /// The settings of the run as TOML; empty if the file does not hold them.
    pub settings: String,
    /// The layers of the network.
    pub layers: Vec<Layer>,
    /// The epochs; empty for a lone model file.
    pub history: Vec<HistoryRow>,
    /// The model's scores of the validation images.
    pub scores: Scores,
    /// The temperature of its calibration, if it is calibrated.
    pub temperature: Option<f64>,
    /// Its probabilities `[n, classes]`, as it predicts: calibrated, if it is.
    pub probabilities: Vec<f32>,
    /// The metrics of these.
    pub evaluation: Evaluation,
    /// What a temperature that is fitted now would do.
    pub scaling: Scaling,
    /// The largest losses, with Grad-CAM.
    pub top_losses: Vec<Seen>,
    /// Likely label errors, most confident first.
    pub label_errors: Vec<Seen>,
    /// For each class, up to [`CLASSES`]: the most and the least confident images predicted as it.
    pub certain: Vec<[Vec<Seen>; 2]>,
    /// Images of one class predicted as another, the most frequent pairs first.
    pub confusions: Vec<Confusion>,
    /// Number of training images that are gone, in which nothing was looked for; `None` if none are known.
    pub gone: Option<usize>,
    /// The part of the data set that the images are, if it has parts.
    pub part: Option<Part>,
    /// Number of images of the data set that were left out because the model was trained on them.
    pub trained_out: usize,
    /// Number of images that the model was trained on and that count nevertheless.
    pub trained_in: usize,
    /// Groups of images that are in both train and validation, with thumbnails.
    pub leaks: Vec<Vec<Leaked>>,
    /// Files that could not be read.
    pub unreadable: Vec<Unreadable>,
    /// Thumbnails as `data:` addresses, by index in the scores.
    pub thumbnails: HashMap<usize, String>,
    /// The same with Grad-CAM of the predicted class, of those where anything supports it.
    pub overlays: HashMap<usize, String>,
}

/// An image of a group: its name, and a thumbnail as a `data:` address.
pub type Leaked = (String, Option<String>);

/// Images of one class predicted as another.
pub struct Confusion {
    /// Their class.
    pub label: usize,
    /// The predicted class.
    pub predicted: usize,
    /// Number of images.
    pub count: usize,
    /// Those with the largest losses.
    pub seen: Vec<Seen>,
}

/// Images shown with the largest losses.
const TOP_LOSSES: usize = 24;
/// Likely label errors shown as images.
pub const LABEL_ERRORS: usize = 16;
/// Classes whose most and least confident images are shown.
pub const CLASSES: usize = 12;
/// Images shown per class, or per pair of classes.
const EACH: usize = 8;
/// Pairs of classes whose confusions are shown.
const PAIRS: usize = 12;

impl Findings {
    /// Evaluates the model of `run` on the validation part of `data`; by default that of the images it was trained on.
    ///
    /// # Errors
    /// No model, no images, classes that the model does not know.
    pub fn gather(
        run: &Path,
        data: Option<Labelled>,
        compute: &Compute,
        progress: &(dyn Fn(Progress) + Sync),
    ) -> Result<Findings> {
        let model = Model::open_on(run, &compute.open()?, None)?;
        let history = history::of(run)?.unwrap_or_default();
        let level = data.and_then(|data| data.level);
        let Opened {
            data,
            validation,
            train,
            gone,
            part,
            trained_out,
            trained_in,
        } = open(run, &model.facts, data)?;
        let looked = inspect::inspect(&data, level, progress)?;
        let preprocessing = &model.facts.preprocessing;
        let dataset: Arc<dyn Dataset> = Arc::new(validation.clone());
        let seen_by = evaluate::open(&model, &dataset, compute.cache, progress)?;
        let images = &seen_by[0];
        let total = images.len();
        let scores = evaluate::score(&model, &seen_by, Embeddings::Drop, &mut |done| {
            let what = "evaluating";
            progress(Progress { done, total, what });
        })?;
        let temperature = model.judge.temperature();
        let probabilities = scores.probabilities(temperature.unwrap_or(1.0));
        let seen = doubtful::all(&scores, &probabilities);
        let classes = scores.classes.len();
        let certain = (0..classes.min(CLASSES)).map(|class| {
            [
                doubtful::most_certain(&seen, class, EACH),
                doubtful::least_certain(&seen, class, EACH),
            ]
        });
        let mut found = Findings {
            run: run.to_path_buf(),
            leaks: match &train {
                Some(train) => leaks(&looked, train, &validation, &model),
                None => Vec::new(),
            },
            gone: train.as_ref().map(|_| gone),
            part,
            trained_out,
            trained_in,
            data,
            layers: model.facts.layers(),
            history,
            temperature,
            evaluation: Evaluation::new(
                &scores.classes,
                &scores.labels,
                &probabilities,
                scores.unreadable.clone(),
            ),
            scaling: Scaling::of(&scores),
            top_losses: doubtful::top_losses(&seen, TOP_LOSSES),
            label_errors: doubtful::label_errors(&scores, &probabilities),
            probabilities,
            certain: certain.collect(),
            confusions: confusions(&seen),
            unreadable: looked.unreadable,
            thumbnails: HashMap::new(),
            overlays: HashMap::new(),
            training: Training::of(&model.facts),
            settings: own::settings(&model.facts)
                .and_then(|settings| settings.to_toml())
                .unwrap_or_default(),
            facts: model.facts.clone(),
            scores,
        };
        let shown: Vec<_> = found.shown().into_iter().collect();
        let small = |&image: &usize| {
            // By index: names need not be an image's alone.
            let item = &validation.items[images.index(image)];
            // A file that has gone since it was evaluated has no thumbnail, but counts in the metrics.
            let small = thumbnail::read(&item.location, preprocessing).ok()?;
            Some((image, small))
        };
        let small: HashMap<usize, image::RgbImage> = shown.par_iter().filter_map(small).collect();
        // What several networks look at together has no one map.
        if model.alone("explained").is_ok() {
            found.overlays = overlays(&model, images, &found.top_losses, &small, progress)?;
        }
        let address = |(image, small): (&usize, &image::RgbImage)| Some((*image, thumbnail::address(small).ok()?));
        found.thumbnails = small.par_iter().filter_map(address).collect();
        Ok(found)
    }

    /// The images that some part of the page shows.
    fn shown(&self) -> BTreeSet<usize> {
        let certain = self.certain.iter().flatten().flatten();
        let suspects = self.label_errors.iter().take(LABEL_ERRORS);
        let confused = self.confusions.iter().flat_map(|pair| &pair.seen);
        let all = certain.chain(suspects).chain(confused).chain(&self.top_losses);
        all.map(|one| one.image).collect()
    }
}

/// The images that a report is about.
struct Opened {
    /// Where they are.
    data: PathBuf,
    validation: Catalog,
    /// Those for training, as far as they are known and there.
    train: Option<Catalog>,
    /// Number of those for training that are gone.
    gone: usize,
    part: Option<Part>,
    trained_out: usize,
    trained_in: usize,
}

fn open(run: &Path, facts: &Facts, data: Option<Labelled>) -> Result<Opened> {
    let (path, wanted) = match data {
        Some(data) => (data.path.to_path_buf(), Wanted::Unseen(data)),
        None => (own::settings(facts)?.data, Wanted::Validated),
    };
    let scored = images::to_evaluate(&[(run, facts)], wanted)?;
    Ok(Opened {
        data: path,
        validation: scored.images,
        train: scored.train,
        gone: scored.gone,
        part: scored.part,
        trained_out: scored.trained_out,
        trained_in: scored.trained_in,
    })
}

/// Groups of the same image with members on both sides, with thumbnails.
fn leaks(looked: &inspect::Report, train: &Catalog, validation: &Catalog, model: &Model) -> Vec<Vec<Leaked>> {
    let by_path = |catalog: &Catalog| -> HashMap<String, Item> {
        let items = catalog.items.iter();
        items.map(|item| (item.location.to_string(), item.clone())).collect()
    };
    let sides = [by_path(train), by_path(validation)];
    let leaked = |path: &String| {
        let item = sides.iter().find_map(|side| side.get(path))?;
        let small = thumbnail::read(&item.location, &model.facts.preprocessing);
        let address = small.and_then(|small| thumbnail::address(&small));
        Some((item.name.clone(), address.ok()))
    };
    let groups = looked.exact_duplicates.iter().chain(&looked.near_duplicates);
    let crossing = groups.filter(|group| {
        sides
            .iter()
            .all(|side| group.iter().any(|path| side.contains_key(path)))
    });
    crossing
        .map(|group| group.iter().filter_map(leaked).collect())
        .collect()
}

fn confusions(seen: &[Seen]) -> Vec<Confusion> {
    let mut pairs: BTreeMap<(usize, usize), Vec<Seen>> = BTreeMap::new();
    for one in seen.iter().filter(|one| one.label != one.predicted) {
        pairs.entry((one.label, one.predicted)).or_default().push(*one);
    }
    let confusion = |((label, predicted), seen): ((usize, usize), Vec<Seen>)| Confusion {
        label,
        predicted,
        count: seen.len(),
        seen: doubtful::top_losses(&seen, EACH),
    };
    let mut found: Vec<_> = pairs.into_iter().map(confusion).collect();
    found.sort_by_key(|pair| std::cmp::Reverse(pair.count));
    found.truncate(PAIRS);
    found
}

fn overlays(
    model: &Model,
    images: &DecodedImages,
    top: &[Seen],
    small: &HashMap<usize, image::RgbImage>,
    progress: &(dyn Fn(Progress) + Sync),
) -> Result<HashMap<usize, String>> {
    let (preprocessing, device) = (&model.facts.preprocessing, model.device());
    let mut overlays = HashMap::new();
    for (done, one) in top.iter().enumerate() {
        let values = input::normalized(&images.pixels(one.image)?, preprocessing);
        let pixels = input::images(values, preprocessing, &device);
        let heatmap = grad_cam::grad_cam(model, pixels, one.predicted)?;
        if let Some(Ok(address)) = small
            .get(&one.image)
            .filter(|_| !heatmap.is_zero())
            .map(|small| thumbnail::address(&heat::overlay(small, &heatmap)))
        {
            overlays.insert(one.image, address);
        }
        progress(Progress {
            done: done + 1,
            total: top.len(),
            what: "explaining",
        });
    }
    Ok(overlays)
}
