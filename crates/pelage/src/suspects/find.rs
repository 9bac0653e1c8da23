//! Finding them.

use std::path::Path;
use std::sync::Arc;

use pelage_data::Progress;
use pelage_data::catalog::{Catalog, Item};
use pelage_data::dataset::Dataset;
use pelage_data::readable::Readable;
use serde::Serialize;

use crate::compute::Compute;
use crate::evaluate::doubtful::{self, Seen};
use crate::evaluate::{self, Embeddings, Scores};
use crate::features::Features;
use crate::logistic::{self, Samples};
use crate::runs::own::{self, Images, Needed};
use crate::train::groups::groups;
use crate::train::{Sets, start};
use crate::{Error, Model, Result};
use pelage_data::table;

/// The likely wrong labels of a run's images.
pub struct Suspects {
    /// The run's images, those of training first.
    pub catalog: Catalog,
    /// Number of readable images that were looked at.
    pub images: usize,
    /// Number of the run's images that are gone, or others by now.
    pub gone: usize,
    /// Where the features come from that the classifier judges by.
    pub judged_by: JudgedBy,
    /// The likely wrong labels, the likeliest first.
    pub suspects: Vec<Suspect>,
}

/// Where features come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum JudgedBy {
    /// From a frozen backbone, which knows none of the labels.
    Backbone,
    /// From the run's own network, which was trained on the labels and may have learnt wrong ones by heart.
    Network,
}

/// A likely wrong label.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Suspect {
    /// From 1, the likeliest.
    pub rank: usize,
    /// The image's name in its data set.
    pub path: String,
    /// Its class.
    pub class: String,
    /// The class that it seems to be of.
    pub suggested: String,
    /// Probability of its class.
    pub probability: f64,
    /// Probability of the suggested one.
    pub suggested_probability: f64,
    /// The part of the run's images that it is in.
    pub set: &'static str,
    /// Its number in the catalog.
    #[serde(skip)]
    pub item: usize,
}

/// What a cross-validated logistic regression says of the readable images, by their numbers in the catalog.
struct Judged {
    readable: Vec<usize>,
    labels: Vec<usize>,
    choice: logistic::Choice,
}

/// Looks for wrong labels among the images of `run`, both those that it was trained and those that it was validated on.
/// Each is judged by a logistic regression on features of the other images, groups of a kind apart. The images lie at
/// `data` now, or where they were; those that are gone since, as what was found wrong before, are left out.
///
/// # Errors
/// A model that does not know its images, or too few of these to judge by.
pub fn find(
    run: &Path,
    data: Option<&Path>,
    compute: &Compute,
    progress: &(dyn Fn(Progress) + Sync),
) -> Result<Suspects> {
    let device = compute.open()?;
    let model = Model::open_on(run, &device, None)?;
    let mut config = own::settings(&model.facts)?;
    if let Some(data) = data {
        config.data = data.to_path_buf();
    }
    let Images { split, gone, .. } = own::trained_on(run, &model.facts, data, Needed::TheRest)?;
    let train = split.train.items.len();
    let catalog = Catalog {
        classes: split.train.classes.clone(),
        items: split
            .train
            .items
            .iter()
            .chain(&split.validation.items)
            .cloned()
            .collect(),
        left_out: Vec::new(),
    };
    let by = config.group_by.as_ref();
    let given = by
        .map(|by| pelage_data::groups::of(&catalog, &config.data, by, progress))
        .transpose()?;
    let (judged_by, judged) = match config.recipe.learns_from_features() {
        true => {
            // A head that is solved would ask for the groups of the training images, and they are needed of all.
            config
                .recipe
                .transfer
                .iter_mut()
                .for_each(|transfer| transfer.logistic = false);
            let sets = Sets::from(split);
            let (_, data) = start::open(&config.recipe, &sets, compute.cache, &device, progress)?;
            let parts = [data.train.features(), data.validation.features()];
            let [Some(first), Some(second)] = parts else {
                return Err(Error::Settings("its backbone gives no features".into()));
            };
            (
                JudgedBy::Backbone,
                of_features(first, second, train, &catalog, given.as_deref())?,
            )
        }
        false => {
            let dataset: Arc<dyn Dataset> = Arc::new(catalog.clone());
            let seen = evaluate::open(&model, &dataset, compute.cache, progress)?;
            let total = seen[0].len();
            let scores = evaluate::score(&model, &seen, Embeddings::Keep, &mut |done| {
                let what = "scoring";
                progress(Progress { done, total, what });
            })?;
            let blocks = model.facts.embedding_widths();
            let label = |i: usize| seen[0].label(i);
            let labels: Vec<_> = (0..total).map(label).collect();
            let readable: &Readable = &seen[0];
            let groups = groups(&catalog, readable, given.as_deref());
            let numbers = (0..total).map(|i| readable.index(i)).collect();
            (
                JudgedBy::Network,
                judge(&scores.embeddings, numbers, labels, groups, &blocks, &catalog)?,
            )
        }
    };
    let scores = Scores {
        classes: catalog.classes.clone(),
        labels: judged.labels,
        logits: judged.choice.logits,
        ..Scores::default()
    };
    let probabilities = scores.probabilities(1.0);
    let found = doubtful::label_errors(&scores, &probabilities);
    let classes = catalog.classes.len();
    let suspect = |(place, seen): (usize, &Seen)| {
        let item = judged.readable[seen.image];
        let row = &probabilities[seen.image * classes..(seen.image + 1) * classes];
        let Item { name, .. } = &catalog.items[item];
        Suspect {
            rank: place + 1,
            path: name.clone(),
            class: catalog.classes[seen.label].clone(),
            suggested: catalog.classes[seen.predicted].clone(),
            probability: f64::from(row[seen.label]),
            suggested_probability: seen.confidence,
            set: if item < train { "train" } else { "validation" },
            item,
        }
    };
    let suspects = found.iter().enumerate().map(suspect).collect();
    Ok(Suspects {
        images: scores.labels.len(),
        gone,
        suspects,
        judged_by,
        catalog,
    })
}

/// Judges the features of two parts of `catalog`, of which the first has `train` images.
fn of_features(
    first: &Features,
    second: &Features,
    train: usize,
    catalog: &Catalog,
    given: Option<&[usize]>,
) -> Result<Judged> {
    let values = [first.values(), second.values()].concat();
    let own = (0..first.len()).map(|i| first.index(i));
    let numbers: Vec<_> = own.chain((0..second.len()).map(|i| train + second.index(i))).collect();
    let labels: Vec<_> = numbers.iter().map(|&item| catalog.items[item].label).collect();
    // A readable view of both would decode them again; whether an image can be read is known by now.
    let reasons = (0..catalog.items.len()).map(|item| match numbers.binary_search(&item) {
        Ok(_) => None,
        Err(_) => Some("it could not be read".to_string()),
    });
    let readable = Readable::new(Arc::new(catalog.clone()), reasons, first.preprocessing().clone())?;
    let groups = groups(catalog, &readable, given);
    judge(&values, numbers, labels, groups, first.blocks(), catalog)
}

fn judge(
    features: &[f32],
    readable: Vec<usize>,
    labels: Vec<usize>,
    groups: Vec<usize>,
    blocks: &[usize],
    catalog: &Catalog,
) -> Result<Judged> {
    let classes = catalog.classes.len();
    let samples = Samples {
        features,
        labels: &labels,
        classes,
        blocks,
        class_weights: None,
        label_smoothing: 0.0,
    };
    let choice = logistic::choose(&samples, &logistic::folds(&labels, &groups, classes, 0));
    match choice.logits.is_empty() {
        true => Err(pelage_data::Error::Dataset(
            "some class has too few images to judge one of them by the others".into(),
        )
        .into()),
        false => Ok(Judged {
            readable,
            labels,
            choice,
        }),
    }
}

impl Suspects {
    /// As a table: one line a suspect, the likeliest first. A cell that a spreadsheet would take for a formula gets a
    /// prefix: `./` a path, `'` a class.
    ///
    /// # Errors
    /// None in practice: its rows are of one length.
    pub fn csv(&self) -> Result<Vec<u8>> {
        let head = [
            "rank",
            "path",
            "class",
            "suggested",
            "probability",
            "suggested_probability",
            "set",
        ];
        let rows = self.suspects.iter().map(|one| {
            [
                one.rank.to_string(),
                table::prefixed("./", &one.path),
                table::prefixed("'", &one.class),
                table::prefixed("'", &one.suggested),
                one.probability.to_string(),
                one.suggested_probability.to_string(),
                one.set.to_string(),
            ]
        });
        Ok(table::csv(std::iter::once(head.map(String::from)).chain(rows))?)
    }
}
