//! Everything needed to repeat a run: written into it as `config.toml`.

use std::path::{Component, Path, PathBuf};

use pelage_data::Progress;
use pelage_data::catalog::{Catalog, Fold, Opening, Split};
use pelage_data::decode::Damaged;
use pelage_data::groups::{self, GroupBy};
use pelage_data::shown;
use serde::de::Error as _;
use toml::{Table, Value};

use super::suspected;
use crate::compute::Compute;
use crate::train::{Recipe, Sets};
use crate::{Error, Result};

/// A run's images, its settings, and where it runs.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Config {
    /// An organized folder, or class folders or a zip together with `validation_split`.
    pub data: PathBuf,
    /// Fraction of the images for validation (0 to 1), if `data` has no validation part.
    pub validation_split: Option<f64>,
    /// The fold of a cross-validation that is for validation instead.
    pub fold: Option<Fold>,
    /// Which images stay on one side then, beside byte-identical ones.
    pub group_by: Option<GroupBy>,
    /// A CSV with a column `path` that names training images to leave out.
    pub drop_suspects: Option<PathBuf>,
    /// The level of the folders in `data` that are the classes, from 1 for the outermost; found out if it is not given.
    pub label_level: Option<usize>,
    /// What becomes of damaged images, which decides how many there are.
    pub damaged: Damaged,
    /// The checksum of the record of the run's images, once there is one: see [`super::images`].
    pub record: Option<String>,
    /// Whether to write TensorBoard event files.
    pub tensorboard: bool,
    /// Where it runs.
    pub compute: Compute,
    /// The hyperparameters.
    pub recipe: Recipe,
}

/// The keys of [`Compute`]; pelage 0.1 kept them among the settings of training.
const COMPUTE: [&str; 3] = ["device", "threads", "cache"];

impl Config {
    /// The reference recipe on the images in `data`.
    pub fn new(data: impl Into<PathBuf>) -> Self {
        Config {
            data: data.into(),
            ..Config::default()
        }
    }

    /// The images, in two parts; `progress` hears of images that are looked into to group them.
    ///
    /// # Errors
    /// As [`Opening::open`].
    pub(crate) fn split(&self, progress: &(dyn Fn(Progress) + Sync)) -> Result<Split> {
        let opening = Opening {
            validation_split: self.validation_split,
            fold: self.fold,
            group_by: self.group_by.clone(),
            label_level: self.label_level,
            seed: self.recipe.seed,
        };
        Ok(opening.open(&self.data, progress)?)
    }

    /// The same without the training images that are to be dropped, and these.
    pub(crate) fn without_suspects(&self, progress: &(dyn Fn(Progress) + Sync)) -> Result<(Split, Catalog)> {
        let mut split = self.split(progress)?;
        let dropped = match &self.drop_suspects {
            Some(file) => suspected::drop_from(&mut split.train, file, &self.data)?,
            None => Catalog::default(),
        };
        Ok((split, dropped))
    }

    /// The images as data sets, with the groups of the training images where they are asked for.
    pub(crate) fn sets(&self, split: Split, progress: &(dyn Fn(Progress) + Sync)) -> Result<Sets> {
        let by = self.group_by.as_ref().filter(|_| self.recipe.is_solved());
        let groups = by.map(|by| groups::of(&split.train, &self.data, by, progress));
        Ok(Sets {
            groups: groups.transpose()?,
            ..Sets::from(split)
        })
    }

    /// Makes its paths absolute: they are asked for again from wherever the run is used.
    ///
    /// # Errors
    /// A working directory that is gone.
    pub(crate) fn make_absolute(&mut self) -> Result<()> {
        let groups = match &mut self.group_by {
            Some(GroupBy::Csv(file)) => Some(file),
            _ => None,
        };
        let paths = [Some(&mut self.data), groups, self.drop_suspects.as_mut()];
        paths.into_iter().flatten().try_for_each(|path| {
            // What lies above is one path from wherever it is named; what is named by a link keeps its name.
            let above = path.components().any(|part| part == Component::ParentDir);
            *path = match above.then(|| path.canonicalize()) {
                Some(Ok(found)) => found,
                _ => std::path::absolute(&*path).map_err(Error::io(&*path))?,
            };
            Ok(())
        })
    }

    /// Where the images are, as people know it: relative to the working directory where it lies in that.
    pub fn shown_data(&self) -> &Path {
        let here = std::env::current_dir().ok();
        let below = here.and_then(|here| self.data.strip_prefix(here).ok());
        below
            .filter(|below| !below.as_os_str().is_empty())
            .unwrap_or(&self.data)
    }

    /// Whether the images were split for it, and not before.
    pub fn is_split(&self) -> bool {
        self.validation_split.is_some() || self.fold.is_some()
    }

    /// Checks that the settings make sense.
    ///
    /// # Errors
    /// Names the first setting out of its range, and the range.
    pub fn validate(&self) -> Result<()> {
        match self.validation_split {
            Some(split) if !(split > 0.0 && split < 1.0) => {
                Err(Error::setting("validation_split", split, "between 0 and 1"))
            }
            _ => self.recipe.validate(),
        }
    }

    /// Reads a `config.toml`; unknown keys are errors.
    ///
    /// # Errors
    /// A missing file, TOML that does not parse, unknown keys or values, with the line if it is known.
    pub fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).map_err(Error::io(path))?;
        let refused = |failure: toml::de::Error| {
            let failure = failure.to_string();
            let line = line_of(&text, &failure).map_or(String::new(), |line| format!(", line {line}"));
            Error::Settings(format!("{}{line}: {failure}", shown::path(path)))
        };
        Self::from_table(text.parse().map_err(refused)?).map_err(refused)
    }

    /// The run's settings as a model file keeps them among its training facts; `None` if there are none that this
    /// version knows.
    pub fn from_json(value: &serde_json::Value) -> Option<Self> {
        let table: Table = serde_json::from_value(without_nulls(value)).ok()?;
        Self::from_table(table).ok()
    }

    pub(crate) fn from_table(mut table: Table) -> std::result::Result<Self, toml::de::Error> {
        let mut compute = match table.remove("compute") {
            Some(Value::Table(table)) => table,
            Some(_) => return Err(toml::de::Error::custom("compute must be a table")),
            None => Table::new(),
        };
        for key in COMPUTE {
            if let Some(value) = table.remove(key) {
                compute.entry(key).or_insert(value);
            }
        }
        let data = table.remove("data").map(Value::try_into).transpose()?;
        let validation_split = table.remove("validation_split").map(Value::try_into).transpose()?;
        let fold = table.remove("fold").map(Value::try_into).transpose()?;
        let group_by = table.remove("group_by").map(Value::try_into).transpose()?;
        let drop_suspects = table.remove("drop_suspects").map(Value::try_into).transpose()?;
        let label_level = table.remove("label_level").map(Value::try_into).transpose()?;
        let damaged = table.remove("damaged").map(Value::try_into).transpose()?;
        let record = table.remove("record").map(Value::try_into).transpose()?;
        let tensorboard = table.remove("tensorboard").map(Value::try_into).transpose()?;
        Ok(Config {
            data: data.unwrap_or_default(),
            validation_split,
            fold,
            group_by,
            drop_suspects,
            label_level,
            damaged: damaged.unwrap_or_default(),
            record,
            tensorboard: tensorboard.unwrap_or_default(),
            compute: compute.try_into()?,
            recipe: table.try_into()?,
        })
    }

    /// As a table: the settings of training at the top level, those of [`Compute`] in a table of their own.
    ///
    /// # Errors
    /// If a path is not UTF-8.
    pub fn to_table(&self) -> Result<Table> {
        let refused =
            |failure: toml::ser::Error| Error::Settings(format!("cannot write the settings as TOML: {failure}"));
        let mut table = Table::new();
        table.insert("data".into(), Value::try_from(&self.data).map_err(refused)?);
        if let Some(split) = self.validation_split {
            table.insert("validation_split".into(), split.into());
        }
        if let Some(fold) = self.fold {
            table.insert("fold".into(), fold.to_string().into());
        }
        if let Some(by) = &self.group_by {
            table.insert("group_by".into(), by.to_string().into());
        }
        if let Some(file) = &self.drop_suspects {
            table.insert("drop_suspects".into(), Value::try_from(file).map_err(refused)?);
        }
        if let Some(level) = self.label_level {
            table.insert("label_level".into(), Value::try_from(level).map_err(refused)?);
        }
        if self.damaged != Damaged::default() {
            table.insert("damaged".into(), self.damaged.name().into());
        }
        if let Some(checksum) = &self.record {
            table.insert("record".into(), checksum.as_str().into());
        }
        table.insert("tensorboard".into(), self.tensorboard.into());
        // Through text, where an f32 is as short as it was written.
        let recipe = toml::to_string(&self.recipe).map_err(refused)?;
        let reread =
            |failure: toml::de::Error| Error::Settings(format!("cannot write the settings as TOML: {failure}"));
        table.extend(recipe.parse::<Table>().map_err(reread)?);
        table.insert("compute".into(), Value::try_from(&self.compute).map_err(refused)?);
        Ok(table)
    }

    /// As `config.toml`.
    ///
    /// # Errors
    /// If a path is not UTF-8.
    pub fn to_toml(&self) -> Result<String> {
        Ok(self.to_table()?.to_string())
    }
}

/// The line, from 1, of the key that an error names, where the error does not say it.
fn line_of(text: &str, failure: &str) -> Option<usize> {
    let key = failure.split('`').nth(1)?;
    let names = |line: &str| {
        let rest = line.trim_start().strip_prefix(key);
        rest.is_some_and(|rest| rest.trim_start().starts_with('='))
    };
    text.lines().position(names).map(|index| index + 1)
}

/// JSON without null entries, which TOML cannot express.
fn without_nulls(value: &serde_json::Value) -> serde_json::Value {
    use serde_json::Value;
    match value {
        Value::Object(entries) => Value::Object(
            entries
                .iter()
                .filter(|(_, value)| !value.is_null())
                .map(|(key, value)| (key.clone(), without_nulls(value)))
                .collect(),
        ),
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use pelage_data::cache::CacheMode;

    use super::*;
    use crate::train::recipe::Loss;

    fn read(text: &str) -> Result<Config> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.toml");
        std::fs::write(&path, text).unwrap();
        Config::read(&path)
    }

    #[test]
    fn comes_back_as_it_was_written() {
        let config = Config {
            validation_split: Some(0.25),
            group_by: Some(GroupBy::ExifTime(60)),
            drop_suspects: Some("suspects.csv".into()),
            label_level: Some(2),
            damaged: Damaged::Take,
            record: Some("5f".into()),
            compute: Compute {
                threads: 3,
                ..Compute::default()
            },
            recipe: Recipe {
                loss: Loss::Focal,
                ..Recipe::default()
            },
            ..Config::new("pictures")
        };
        let text = config.to_toml().unwrap();
        assert!(text.contains("shear_range = 11.46\n"), "{text}");
        assert_eq!(read(&text).unwrap(), config);
        let json = serde_json::to_value(config.to_table().unwrap()).unwrap();
        assert_eq!(Config::from_json(&json), Some(config));
    }

    #[test]
    fn unknown_keys_are_named_and_old_ones_understood() {
        for (text, line, name) in [
            ("learning_rat = 0.1", "line 1: ", "learning_rat"),
            ("[compute]\ndevise = 1", "line 2: ", "devise"),
        ] {
            let refused = read(text).unwrap_err().to_string();
            assert!(refused.contains(line) && refused.contains(name), "{refused}");
        }
        let old = read("data = \"d\"\nthreads = 2\ncache = \"off\"\ndevice = \"cpu\"\nepochs = 3").unwrap();
        assert_eq!((old.compute.threads, old.compute.cache), (2, CacheMode::Off));
        assert_eq!((old.recipe.epochs, old.data), (3, PathBuf::from("d")));
    }
}
