//! `pelage explain`.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use pelage::data::cache::{Pictures, default_dir};
use pelage::data::source;
use pelage::explain::explained::Explained;
use pelage::explain::folder::{Options, explain};
use pelage::runs::images;
use pelage::{Compute, Model};

use super::compute::Caching;
use crate::failure::{Failure, Outcome};
use crate::progress::Task;
use crate::table::{count, some, table};

/// Show what a model looks at in pictures
///
/// Writes a folder of PNGs and index.html, a page that shows them: Grad-CAM, Grad-CAM++ and occlusion over each picture,
/// what excites the strongest channels, the feature maps of every layer, the filters of the first. The exit code is 1
/// where no picture could be read.
#[derive(Args)]
pub(super) struct Arguments {
    /// A run folder or a model file
    run: PathBuf,
    /// Pictures, folders or zips
    #[arg(required = true, value_name = "PICTURE")]
    pictures: Vec<PathBuf>,
    /// The folder to write: a new one, or one that this command has made
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// The class to explain [default: the predicted one]
    #[arg(long, value_name = "NAME")]
    class: Option<String>,
    /// The layer to look at [default: the last feature map, and the feature maps of all layers]
    #[arg(long, value_name = "NAME")]
    layer: Option<String>,
    /// Labelled pictures, of which those are shown that excite the layer's channels most
    #[arg(long, value_name = "DATA")]
    dataset: Option<PathBuf>,
    /// Side of the square that hides a part of the picture, in pixels of the model's input [default: a fifth of it]
    #[arg(long, value_name = "PX")]
    patch: Option<usize>,
    /// Pixels that the square moves at a time [default: a third of its side]
    #[arg(long, value_name = "PX")]
    stride: Option<usize>,
    #[command(flatten)]
    caching: Caching,
}

pub(super) fn run(arguments: Arguments) -> Outcome {
    let compute = arguments.caching.compute();
    let model = Model::load(&arguments.run, &compute.open()?)?;
    let mut entries = Vec::new();
    for path in &arguments.pictures {
        entries.extend(source::list(path)?);
    }
    if entries.is_empty() {
        return Err(Failure::Failed("there are no pictures to explain".into()));
    }
    let task = Task::new();
    let dataset = arguments
        .dataset
        .as_deref()
        .map(|path| open(path, &model, &compute, &task))
        .transpose();
    let options = Options {
        class: arguments.class,
        layer: arguments.layer,
        patch: arguments.patch,
        stride: arguments.stride,
    };
    let explained = dataset.and_then(|dataset| {
        let show = &mut |progress| task.show(progress);
        explain(&model, &entries, dataset.as_ref(), &options, &arguments.out, show)
    });
    task.finish();
    let explained = explained?;
    let unreadable: Vec<_> = explained
        .iter()
        .filter_map(|one| Some(format!("{}: {}", one.path, one.error.as_ref()?)))
        .collect();
    if unreadable.len() == explained.len() {
        let reasons = some(unreadable.into_iter(), 5);
        return Err(Failure::Failed(format!(
            "no picture could be read\n{}",
            reasons.trim_end()
        )));
    }
    Ok(described(&explained, unreadable, &arguments.out))
}

fn open(path: &Path, model: &Model, compute: &Compute, task: &Task) -> pelage::Result<Arc<Pictures>> {
    let (catalog, preprocessing) = (images::validation_part(path)?, &model.facts.preprocessing);
    let show = &|progress| task.show(progress);
    let pictures = Pictures::open(&catalog, preprocessing, compute.cache, &default_dir(), show)?;
    Ok(Arc::new(pictures))
}

fn described(explained: &[Explained], unreadable: Vec<String>, out: &Path) -> String {
    let rows = explained.iter().filter(|one| one.error.is_none()).map(|one| {
        let likely = one.classes.first();
        let likely = likely.map(|(class, probability)| format!("{class} {:.1} %", 100.0 * probability));
        vec![one.path.clone(), likely.unwrap_or_default(), one.class.clone()]
    });
    let mut text = table(&["picture", "class", "explained"], 0..0, rows);
    if !unreadable.is_empty() {
        text += &format!("{} could not be read\n", count(unreadable.len(), "picture"));
        text += &some(unreadable.into_iter(), 5);
    }
    text + &format!("{}\n", out.join("index.html").display())
}
