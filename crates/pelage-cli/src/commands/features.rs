//! `pelage features`.

use std::path::PathBuf;

use clap::Args;
use pelage::data::Progress;
use pelage::data::growing::{Earlier, Sharing};
use pelage::data::shard::Shard;
use pelage::features::export::{Exported, export};
use pelage::features::growing::grow;
use pelage::model::networks::{BACKBONES, Head};
use pelage::{Architecture, Recipe};

use super::compute::Caching;
use super::train::Choosing;
use super::written::earlier;
use crate::failure::{Failure, Outcome};
use crate::options::{LABEL_LEVEL, Networks, new_folder};
use crate::progress::Task;
use crate::signals;
use crate::table::{count, some};
use crate::terminal::{answer, quoted};

/// Features of pictures from a pretrained network, as arrays for numpy
///
/// Writes NAME.npy (float32, one row per picture, in the order of NAME.csv: path, class, label) for each part (train,
/// validation, test) of an organized folder, else `features.npy`. Features are cached, so a second call is immediate.
/// With --shard, --resume or --force they are not: they are written as they come, however many there are.
#[derive(Args)]
pub(super) struct Arguments {
    /// An organized folder, or any folder, zip or tar of labelled pictures
    data: PathBuf,
    #[arg(long, value_name = "N", help = LABEL_LEVEL)]
    label_level: Option<usize>,
    /// The network
    #[arg(long, value_name = "NAME", value_parser = Networks(&BACKBONES))]
    backbone: Architecture,
    /// The folder to write to
    #[arg(long, value_name = "FOLDER", default_value = "features", value_parser = new_folder())]
    out: PathBuf,
    /// Only part I of N of each set, by the order of the pictures: 1/8 to 8/8; `pelage merge` puts the folders together
    #[arg(long, value_name = "I/N")]
    shard: Option<Shard>,
    /// Go on with the features of an interrupted call; begin where there are none, and do nothing where they are whole
    #[arg(long, conflicts_with = "force")]
    resume: bool,
    /// Begin again where the features of an interrupted call are, which are lost
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    choosing: Choosing,
    /// Side of the square that pictures are resized to, in pixels [default: the backbone's]
    #[arg(long, value_name = "PX")]
    image_size: Option<u32>,
    #[command(flatten)]
    caching: Caching,
}

pub(super) fn run(arguments: &Arguments) -> Outcome {
    let transfer = arguments.choosing.transfer(&[arguments.backbone], Head::linear())?;
    let mut recipe = Recipe::transfer(arguments.backbone, transfer);
    recipe.image_size = arguments.image_size.unwrap_or(recipe.image_size);
    let (task, compute) = (Task::new(), arguments.caching.compute());
    let (data, level, out) = (&arguments.data, arguments.label_level, &arguments.out);
    let show = |progress: Progress| task.show(progress);
    let earlier = earlier(arguments.resume, arguments.force);
    let exported = match (arguments.shard, earlier) {
        (None, Earlier::Refused) => export(data, level, &recipe, out, &compute, &show),
        (shard, earlier) => {
            signals::stop_on_signal();
            let sharing = Sharing {
                shard: shard.unwrap_or(Shard::WHOLE),
                earlier,
            };
            let is_stopped = || signals::interrupted().is_some();
            match grow(data, level, &recipe, out, &compute, sharing, &show, &is_stopped) {
                Ok(None) => {
                    task.finish();
                    let kept = "interrupted; what was computed is kept, and the same call with `--resume` goes on";
                    return Err(Failure::interrupted(signals::interrupted().unwrap_or_default(), kept));
                }
                Ok(Some(exported)) => Ok(exported),
                Err(failure) => Err(failure),
            }
        }
    };
    task.finish();
    Ok(answer(&exported?, |exported| exported.iter().map(described).collect())?)
}

fn described(exported: &Exported) -> String {
    let [h, w, c] = exported.shape;
    let text = format!(
        "{0}.npy, {0}.csv: {1}, {h} x {w} x {c} each\n",
        quoted(&exported.path),
        count(exported.images, "picture")
    );
    if exported.unreadable.is_empty() {
        return text;
    }
    let skipped = exported
        .unreadable
        .iter()
        .map(|one| format!("{}: {}", one.path, one.reason));
    text + &format!(
        "{} skipped:\n{}",
        count(exported.unreadable.len(), "file"),
        some(skipped, 10)
    )
}
