//! `pelage evaluate`.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use pelage::bundle;
use pelage::data::cache::{CacheMode, Pictures, default_dir};
use pelage::data::source::Progress;
use pelage::evaluate::{self, Embeddings, Evaluation};

use super::use_threads;
use crate::failure::{Outcome, json};
use crate::progress::Task;
use crate::table::{count, some, table, thousands};

/// How well a model does on labelled pictures
///
/// Prints loss, accuracy, area under the ROC curve, precision, recall and F1 of each class, and the confusion matrix.
#[derive(Args)]
pub(super) struct Arguments {
    /// A run folder or a model file
    run: PathBuf,
    /// An organised folder (its validation part is used), or any folder or zip of labelled pictures
    data: PathBuf,
    /// CPU threads [default: all]
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    threads: usize,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments) -> Outcome {
    use_threads(arguments.threads)?;
    let device = pelage::device::open("cpu")?;
    let model = bundle::load(&arguments.run, &device)?;
    let catalog = evaluate::catalog(&arguments.data)?;
    let task = Task::new();
    let preprocessing = &model.facts.preprocessing;
    let scored = Pictures::open(&catalog, preprocessing, CacheMode::Auto, &default_dir(), &|progress| {
        task.show(progress)
    })
    .map_err(pelage::Error::from)
    .and_then(|pictures| {
        let total = pictures.len();
        let show = &mut |done| {
            task.show(Progress {
                done,
                total,
                what: "evaluating",
            })
        };
        evaluate::score(&model, Arc::new(pictures), &device, Embeddings::Drop, show)
    });
    task.finish();
    let evaluation = Evaluation::of(&scored?);
    if arguments.json {
        json(&evaluation)
    } else {
        Ok(described(&evaluation))
    }
}

/// The evaluation for people.
pub(super) fn described(evaluation: &Evaluation) -> String {
    let mut text = format!(
        "{}: accuracy {:.2} %, log loss {:.4}{}, Brier score {:.4}, calibration error {:.2} %\n",
        count(evaluation.images, "picture"),
        100.0 * evaluation.accuracy,
        evaluation.log_loss,
        evaluation.auc.map_or(String::new(), |auc| format!(", AUC {auc:.4}")),
        evaluation.brier_score,
        100.0 * evaluation.expected_calibration_error,
    );
    let rows = evaluation.classes.iter().map(|class| {
        let shares = [class.precision, class.recall, class.f1].map(|share| format!("{share:.4}"));
        [
            vec![class.name.clone()],
            shares.to_vec(),
            vec![thousands(class.support as u64)],
        ]
        .concat()
    });
    text += &table(&["class", "precision", "recall", "F1", "pictures"], 1..5, rows);
    let names: Vec<_> = evaluation
        .classes
        .iter()
        .map(|class| format!("called {}", class.name))
        .collect();
    let head: Vec<&str> = std::iter::once("confusion matrix")
        .chain(names.iter().map(String::as_str))
        .collect();
    let rows = evaluation
        .classes
        .iter()
        .zip(&evaluation.confusion_matrix)
        .map(|(class, row)| {
            let numbers = row.iter().map(|number| thousands(*number as u64));
            std::iter::once(format!("is {}", class.name)).chain(numbers).collect()
        });
    text += &table(&head, 1..head.len(), rows);
    if !evaluation.unreadable.is_empty() {
        text += &format!(
            "{} could not be read and do not count:\n",
            count(evaluation.unreadable.len(), "file")
        );
        text += &some(
            evaluation
                .unreadable
                .iter()
                .map(|one| format!("{}: {}", one.path, one.reason)),
            10,
        );
    }
    text
}
