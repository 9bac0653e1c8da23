//! `pelage explain`.

use std::path::PathBuf;

use clap::Args;
use pelage::explain::explained::Explained;
use pelage::explain::folder::{Options, explain};
use serde::Serialize;

use super::compute::Caching;
use crate::failure::{Failure, Outcome};
use crate::options::{LABEL_LEVEL, new_folder};
use crate::progress::Task;
use crate::table::{count, some, table};
use crate::terminal::{answer, quoted, unbroken};

/// Show what a model looks at in pictures
///
/// Writes a folder of PNGs and index.html, a page that shows them: Grad-CAM, Grad-CAM++ and occlusion over each
/// picture, what excites the strongest channels, the feature maps of every layer, the filters of the first. The exit
/// code is 1 if no picture could be read, or one that is named here is not there.
#[derive(Args)]
pub(super) struct Arguments {
    /// A run folder or a model file
    run: PathBuf,
    /// Pictures, folders, zips or tars
    #[arg(required = true, value_name = "PICTURE")]
    images: Vec<PathBuf>,
    /// The folder to write: a new one, or an earlier one of this command
    #[arg(long, value_name = "DIR", value_parser = new_folder())]
    out: PathBuf,
    /// The class to explain [default: the predicted one]
    #[arg(long, value_name = "NAME")]
    class: Option<String>,
    /// The layer to look at [default: the last feature map, and the feature maps of all layers]
    #[arg(long, value_name = "NAME")]
    layer: Option<String>,
    /// Labelled pictures (of a data set with parts, validation, else test); shows those that excite the layer's
    /// channels most
    #[arg(long, value_name = "DATA")]
    dataset: Option<PathBuf>,
    #[arg(long, value_name = "N", requires = "dataset", help = LABEL_LEVEL)]
    label_level: Option<usize>,
    /// Side of the square that hides a part of the picture, in pixels of the model's input [default: a fifth of it]
    #[arg(long, value_name = "PX")]
    patch: Option<usize>,
    /// Stride of the square in pixels [default: a third of its side]
    #[arg(long, value_name = "PX")]
    stride: Option<usize>,
    #[command(flatten)]
    caching: Caching,
}

/// What was written.
#[derive(Serialize)]
struct Page {
    page: PathBuf,
    pictures: Vec<Explained>,
}

pub(super) fn run(arguments: Arguments) -> Outcome {
    let (task, compute) = (Task::new(), arguments.caching.compute());
    let options = Options {
        class: arguments.class,
        layer: arguments.layer,
        patch: arguments.patch,
        stride: arguments.stride,
        label_level: arguments.label_level,
    };
    let explained = explain(
        &arguments.run,
        &arguments.images,
        arguments.dataset.as_deref(),
        &options,
        &arguments.out,
        &compute,
        &|progress| task.show(progress),
    );
    task.finish();
    let explained = explained?;
    let unreadable: Vec<_> = explained
        .iter()
        .filter_map(|one| Some(format!("{}: {}", one.path, one.error.as_ref()?)))
        .collect();
    if unreadable.len() == explained.len() {
        let reasons = some(unreadable.into_iter(), 5);
        return Err(Failure::failed(format!("no picture could be read\n{reasons}")));
    }
    let page = Page {
        page: arguments.out.join("index.html"),
        pictures: explained,
    };
    Ok(answer(&page, |page| described(page, unreadable))?)
}

fn described(Page { page, pictures }: &Page, unreadable: Vec<String>) -> String {
    let rows = pictures.iter().filter(|one| one.error.is_none()).map(|one| {
        let likely = one.classes.first();
        let likely = likely.map(|(class, probability)| format!("{class} {:.1} %", 100.0 * probability));
        vec![unbroken(&one.path), likely.unwrap_or_default(), one.class.clone()]
    });
    let mut text = table(&["picture", "class", "explained"], 0..0, rows);
    if !unreadable.is_empty() {
        text += &format!("{} could not be read\n", count(unreadable.len(), "picture"));
        text += &some(unreadable.into_iter(), 5);
    }
    text + &format!("{}\n", quoted(page))
}
