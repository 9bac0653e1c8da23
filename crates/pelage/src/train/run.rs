//! A run folder: `config.toml`, `history.csv`, `curves.svg`, `curves.png`, `best.safetensors`, `last.safetensors`, `split.csv`.

use std::path::Path;

use pelage_data::catalog::Split;

use super::{Outcome, Recipe};
use crate::report::{curves, history};
use crate::{Error, Result, atomic};

/// Makes the folder of a new run and writes its settings and, where pelage split the pictures, the split.
///
/// # Errors
/// A folder that holds a run already, or cannot be written.
pub fn create(folder: &Path, recipe: &Recipe, split: &Split) -> Result<()> {
    if folder.join("config.toml").exists() {
        return Err(Error::Input(format!(
            "{0} holds a run already; go on with it by `--resume {0}`, or give another `--out`",
            folder.display()
        )));
    }
    std::fs::create_dir_all(folder).map_err(Error::io(folder))?;
    if recipe.validation_split.is_some() {
        atomic::write(&folder.join("split.csv"), manifest(split)?.as_slice())?;
    }
    atomic::write(&folder.join("config.toml"), recipe.to_toml()?.as_bytes())
}

fn manifest(split: &Split) -> Result<Vec<u8>> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let failed = |failure: String| Error::Input(format!("cannot write the split: {failure}"));
    writer.write_record(["path", "class", "set"]).map_err(|e| failed(e.to_string()))?;
    for (set, catalog) in [("train", &split.train), ("validation", &split.validation)] {
        for item in &catalog.items {
            let class = &catalog.classes[item.label];
            writer.write_record([&item.name, class, set]).map_err(|e| failed(e.to_string()))?;
        }
    }
    writer.into_inner().map_err(|e| failed(e.to_string()))
}

/// Writes `history.csv`, `curves.svg` and `curves.png`.
///
/// # Errors
/// A full disk, or a figure that cannot be drawn.
pub fn write_results(folder: &Path, title: &str, outcome: &Outcome) -> Result<()> {
    let path = folder.join("history.csv");
    history::write_csv(&path, &outcome.history).map_err(Error::io(&path))?;
    if outcome.history.is_empty() {
        return Ok(());
    }
    let drawn = |reason: String| Error::Input(format!("cannot draw the curves: {reason}"));
    let svg = curves::curves_svg(title, &outcome.history, outcome.best_epoch).map_err(drawn)?;
    let png = curves::curves_png(&svg, 2.0).map_err(drawn)?;
    atomic::write(&folder.join("curves.svg"), svg.as_bytes())?;
    atomic::write(&folder.join("curves.png"), &png)
}
