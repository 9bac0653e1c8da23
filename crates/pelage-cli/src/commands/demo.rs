//! `pelage demo`.

use std::path::{Path, PathBuf};

use clap::Args;
use pelage::data::catalog::Columns;
use pelage::data::organize::{self, Link};
use pelage::data::{lock, sample, source};
use pelage::runs::images::{self, Wanted};
use pelage::train::recipe::OptimizerKind;
use pelage::{Config, Model, Recipe, Run, evaluate, predict};
use serde::Serialize;

use super::compute::Caching;
use super::{organize as organize_verb, train};
use crate::failure::{Failure, Outcome};
use crate::options::new_folder;
use crate::progress::Task;
use crate::table::count;
use crate::terminal::{answer, quoted, tell};

/// Pictures per class, their side in pixels, and epochs: a good model in under two minutes on two cores.
const PER_CLASS: usize = 1000;
const SIZE: u32 = 64;
const EPOCHS: usize = 28;

/// The whole job on drawn cats and dogs: organize, train, evaluate, predict
///
/// Draws a sample set, so it needs no download and no pictures of your own.
#[derive(Args)]
pub(super) struct Arguments {
    /// The folder to create [default: pelage-demo, or the next free one, pelage-demo-2]
    #[arg(long, value_name = "FOLDER", value_parser = new_folder())]
    out: Option<PathBuf>,
    /// Seed of drawing, split and training
    #[arg(long, default_value_t = 0)]
    seed: u64,
    #[command(flatten)]
    caching: Caching,
}

/// What the demo has made.
#[derive(Serialize)]
struct Done {
    run: PathBuf,
    /// Those that it was evaluated on.
    pictures: usize,
    accuracy: f64,
}

pub(super) fn run(arguments: &Arguments) -> Outcome {
    let compute = arguments.caching.compute();
    compute.open()?;
    let (_claimed, out) = match &arguments.out {
        Some(out) if std::fs::read_dir(out).is_ok_and(|mut inside| inside.next().is_some()) => {
            return Err(Failure::usage(format!("{} is not empty", quoted(out))).help("give another --out"));
        }
        Some(out) => (None, out.clone()),
        None => {
            // An earlier demo's run may be of use to somebody by now.
            let numbered = (2..).map(|number: usize| format!("pelage-demo-{number}"));
            let names = std::iter::once("pelage-demo".to_string()).chain(numbered);
            let claimed = lock::first_free(names.map(PathBuf::from))?;
            let out = claimed.to_path_buf();
            (Some(claimed), out)
        }
    };
    // Removes its file in the end.
    let _lock = lock::FolderLock::take(&out)?;
    // The pictures in it are nobody's data, should it lie among some.
    source::mark(&out)?;
    let [drawn, data, folder] = ["drawn", "data", "run"].map(|name| out.join(name));
    step(
        1,
        &format!("draw {} into {}", count(2 * PER_CLASS, "picture"), quoted(&drawn)),
    );
    let task = Task::new();
    let made = sample::write(&drawn, PER_CLASS, arguments.seed, SIZE, &|progress| task.show(progress));
    task.finish();
    made?;

    step(
        2,
        &format!("pelage organize {} --out {}", quoted(&drawn), quoted(&data)),
    );
    let options = organize::Options {
        source: drawn,
        out: data.clone(),
        ratio: 0.2,
        test: None,
        group_by: None,
        label_level: None,
        limit: None,
        seed: arguments.seed,
        rename: Vec::new(),
        link: Link::Copy,
        labels: None,
        columns: Columns::default(),
        force: false,
    };
    let organized = organize::organize(&options, &|progress| task.show(progress));
    task.finish();
    tell(organize_verb::described(&organized?));

    step(3, &format!("pelage train {} --out {}", quoted(&data), quoted(&folder)));
    let recipe = Recipe {
        image_size: SIZE,
        epochs: EPOCHS,
        optimizer: OptimizerKind::Adam,
        learning_rate: 0.001,
        patience: 0,
        seed: arguments.seed,
        ..Recipe::default()
    };
    let config = Config {
        compute: compute.clone(),
        recipe,
        ..Config::new(&data)
    };
    let run = Run::create(config, &folder, &|progress| task.show(progress));
    task.finish();
    tell(train::train(&run?, train::Lines::none())?);

    step(4, &format!("pelage evaluate {}", quoted(&folder)));
    let report = evaluate::evaluate(&folder, Wanted::Validated, None, &compute, &|_| {})?;
    tell(super::evaluate::described(&report.evaluation));

    let model = Model::open_on(&folder, &compute.open()?, None)?;
    let catalog = images::to_evaluate(&[(&folder, &model.facts)], Wanted::Validated)?.images;
    let some: Vec<_> = catalog
        .items
        .iter()
        .step_by((catalog.items.len() / 6).max(1))
        .take(6)
        .collect();
    step(5, &format!("pelage predict {} PICTURE...", quoted(&folder)));
    let entries: Vec<_> = some
        .iter()
        .map(|item| source::Entry::new(item.name.clone(), item.location.clone()))
        .collect();
    let predictions = predict::predict(&model, &entries, &mut |_| {});
    tell(super::predict::described(&model, &predictions));
    let done = Done {
        run: folder,
        pictures: report.evaluation.images,
        accuracy: report.evaluation.accuracy,
    };
    Ok(answer(&done, |done| next(&out, done))?)
}

fn step(number: usize, what: &str) {
    tell(format_args!("\n[{number}/5] {what}\n"));
}

fn next(out: &Path, Done { run, accuracy, .. }: &Done) -> String {
    format!(
        "\ndemo done: {:.1} % of the validation pictures classified correctly\n\
         look at   curves.png in {folder} and the pictures of {}\n\
         next      pelage organize YOUR_PICTURES --out data    (a folder per class, names like cat.0.jpg, or a zip)\n\
         \x20         pelage train data\n\
         \x20         pelage weights fetch mobilenet_v2 && pelage train data --backbone mobilenet_v2    (pretrained: \
         more right with fewer pictures, in seconds)\n",
        100.0 * accuracy,
        quoted(&out.join("drawn")),
        folder = quoted(run)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn its_last_lines_lead_to_a_pretrained_network() {
        let done = Done {
            run: "my demo/run".into(),
            pictures: 400,
            accuracy: 0.9,
        };
        let told = next(Path::new("my demo"), &done);
        assert!(
            told.contains("curves.png in 'my demo/run' and the pictures of 'my demo/drawn'"),
            "{told}"
        );
        assert!(told.contains("pelage train data --backbone mobilenet_v2"), "{told}");
    }
}
