//! Settings by their names, as text: flags, files and searches know them so.

use pelage_model::networks::Head;

use super::recipe::Recipe;
use crate::{Error, Result};

impl Recipe {
    /// Sets the setting `name` (a field of the recipe, its augmentation, its transfer or its described network) to the
    /// value of `text`, written as in a configuration file; lists are comma-separated, and what may be left out is
    /// `none`. A head is called by its name.
    ///
    /// # Errors
    /// [`Error::Setting`] if there is no such setting, or `text` is not one of its values. [`Recipe::validate`] checks
    /// ranges.
    pub fn set(&mut self, name: &'static str, text: &str) -> Result<()> {
        let refused = |allowed: String| Error::setting(name, format!("'{text}'"), allowed);
        self.assign(name, text).map_err(refused)
    }

    /// The same for a name that comes from a file.
    ///
    /// # Errors
    /// What the setting must be, in words.
    pub fn assign(&mut self, name: &str, text: &str) -> std::result::Result<(), String> {
        let failed = |failure: serde_json::Error| failure.to_string();
        let mut recipe = serde_json::to_value(&*self).map_err(failed)?;
        let Some(place) = place(&mut recipe, name) else {
            return Err(match DESCRIBED.contains(&name) {
                true => format!("left out but for the network cnn; this one is {}", self.model.name()),
                false => "a setting of training, which this is not".into(),
            });
        };
        let kind = kind(place);
        let before = self.epochs;
        if name == HEAD && place.is_object() {
            let head = Head::named(text).ok_or_else(|| format!("one of {}", Head::NAMES.join(", ")))?;
            *place = serde_json::to_value(head).map_err(failed)?;
        } else {
            let now = std::mem::take(place);
            // Of what may be left out; all others refuse it.
            if text == NONE
                && let Ok(without) = serde_json::from_value(recipe.clone())
            {
                *self = without;
                return Ok(());
            }
            if let Some(place) = self::place(&mut recipe, name) {
                *place = value(&now, text);
            }
        }
        *self = serde_json::from_value(recipe).map_err(|failure| {
            let told = failure.to_string();
            let range = told.strip_prefix(&format!("{name} must be "));
            match (range, kind) {
                (Some(range), _) => range.into(),
                (None, "another value") => format!("{kind}: {told}"),
                (None, _) => kind.into(),
            }
        })?;
        self.keep_plan(name, before);
        Ok(())
    }

    /// In a run of several sizes, epochs and sizes are one plan: where one changes, so does the other, and the warm-up
    /// keeps its share.
    fn keep_plan(&mut self, changed: &str, epochs_before: usize) {
        if self.image_sizes.is_empty() {
            return;
        }
        match changed {
            "image_sizes" => self.epochs = self.image_sizes.epochs(),
            "epochs" => self.image_sizes = self.image_sizes.scaled(self.epochs),
            _ => return,
        }
        self.warm_up *= self.epochs as f64 / epochs_before.max(1) as f64;
    }

    /// What it has for the setting `name`, as [`Recipe::assign`] takes it; none where there is no such setting.
    pub fn text_of(&self, name: &str) -> Option<String> {
        use serde_json::Value;
        if name == "model" {
            return Some(self.model.name().into());
        }
        if name == HEAD {
            return Some(self.transfer.as_ref()?.head.name()?.into());
        }
        Some(match self.value_of(name)? {
            Value::String(text) => text,
            Value::Null => NONE.into(),
            Value::Array(items) if items.is_empty() => NONE.into(),
            Value::Array(items) => items.iter().map(ToString::to_string).collect::<Vec<_>>().join(","),
            other => other.to_string(),
        })
    }

    /// The setting called `name`, of augmentation, transfer or a network from a description too, as JSON.
    pub(crate) fn value_of(&self, name: &str) -> Option<serde_json::Value> {
        // Through text, where an f32 is as short as it was written.
        let text = serde_json::to_string(self).ok()?;
        let mut recipe = serde_json::from_str(&text).ok()?;
        place(&mut recipe, name).cloned()
    }
}

/// The settings of a network from a description.
pub const DESCRIBED: [&str; 4] = ["blocks", "kernel", "dense", "dropout"];

/// Of a setting that may be left out.
const NONE: &str = "none";
/// A table, which is known by a name all the same, and the part of it that is a setting as well.
const HEAD: &str = "head";
const POOLING: &str = "pooling";

/// The value called `name` in a recipe as JSON.
fn place<'a>(recipe: &'a mut serde_json::Value, name: &str) -> Option<&'a mut serde_json::Value> {
    let tables = recipe.as_object_mut()?;
    if tables.contains_key(name) {
        return tables.get_mut(name);
    }
    if name == POOLING {
        return tables.get_mut("transfer")?.get_mut(HEAD)?.get_mut(name);
    }
    // A network from a description is a table, as these are.
    let parts = ["augmentation", "transfer", "model"];
    let (_, part) = tables
        .iter_mut()
        .find(|(part, inner)| parts.contains(&part.as_str()) && inner.get(name).is_some())?;
    part.get_mut(name)
}

/// `text` as JSON of the same kind as `now`; a list where there is a comma.
fn value(now: &serde_json::Value, text: &str) -> serde_json::Value {
    match now {
        serde_json::Value::String(_) => text.into(),
        _ if text.contains(',') => text.split(',').map(scalar).collect(),
        _ => scalar(text),
    }
}

/// A number, `true` or `false`, or else text.
fn scalar(text: &str) -> serde_json::Value {
    let text = text.trim();
    if let Ok(whole) = text.parse::<u64>() {
        return whole.into();
    }
    if let Ok(truth) = text.parse::<bool>() {
        return truth.into();
    }
    text.parse::<f64>()
        .map_or_else(|_| text.into(), serde_json::Value::from)
}

/// The values that may take the place of `now`, in words.
fn kind(now: &serde_json::Value) -> &'static str {
    match now {
        serde_json::Value::Bool(_) => "true or false",
        serde_json::Value::Number(number) if number.is_f64() => "a number",
        serde_json::Value::Number(_) => "a whole number, 0 or more",
        _ => "another value",
    }
}

#[cfg(test)]
mod tests {
    use pelage_data::augment::Augmentation;
    use pelage_data::preprocess::ResizeFilter;
    use pelage_model::networks::{Architecture, Cnn, Pooling, cnn::Widths};

    use super::super::recipe::OptimizerKind;
    use super::super::transfer::Transfer;
    use super::*;

    #[test]
    fn settings_are_set_by_name_wherever_they_lie() {
        let mut recipe = Recipe::default();
        for (name, text) in [
            ("learning_rate", ".001"),
            ("momentum", "1."),
            ("seed", "007"),
            ("learning_rate", "3e-4"),
            ("momentum", "0.9"),
            ("seed", "+0"),
            ("epochs", "7"),
            ("optimizer", "adamw"),
            ("nesterov", "true"),
            ("resize_filter", "nearest"),
            ("zoom_range", "0.5"),
            ("evaluation_size", "64"),
            ("evaluation_size", "none"),
            ("brightness_range", "0.5,1.5"),
            ("fill_mode", "wrap"),
            ("model", "cnn"),
            ("blocks", "16"),
            ("kernel", "5"),
            ("dense", "none"),
            ("dropout", "0.25"),
        ] {
            recipe
                .set(name, text)
                .unwrap_or_else(|failure| panic!("{name}: {failure}"));
        }
        let described = Cnn {
            blocks: Widths::new(&[16]),
            kernel: 5,
            dense: Widths::new(&[]),
            dropout: 0.25,
        };
        let expected = Recipe {
            model: Architecture::Cnn(described),
            learning_rate: 3e-4,
            epochs: 7,
            optimizer: OptimizerKind::AdamW,
            nesterov: true,
            resize_filter: Some(ResizeFilter::Nearest),
            augmentation: Augmentation {
                zoom_range: 0.5,
                brightness_range: Some([0.5, 1.5]),
                fill_mode: pelage_data::augment::FillMode::Wrap,
                ..Augmentation::article()
            },
            ..Recipe::default()
        };
        assert_eq!(recipe, expected);
        for (name, text) in [
            ("epochs", "many"),
            ("epochs", "-1"),
            ("optimizer", "sdg"),
            ("colour", "red"),
            ("kernel", "4"),
            ("blocks", "1,x"),
        ] {
            let refused = recipe.set(name, text).unwrap_err().to_string();
            assert!(refused.contains(name) && refused.contains(text), "{refused}");
        }
        assert_eq!(recipe, expected);
        let refused = Recipe::default().set("blocks", "8").unwrap_err().to_string();
        assert!(refused.contains("left out but for the network cnn"), "{refused}");
    }

    #[test]
    fn a_head_has_a_name_and_what_may_be_left_out_is_none() {
        let mut recipe = Recipe::transfer(Architecture::ResNet18, Transfer::new(None));
        for name in Head::NAMES {
            recipe.set("head", name).unwrap();
            assert_eq!(recipe.transfer.as_ref().unwrap().head, Head::named(name).unwrap());
            assert_eq!(recipe.text_of("head").as_deref(), Some(name));
        }
        recipe.set("pooling", "average").unwrap();
        assert_eq!(recipe.transfer.as_ref().unwrap().head.pooling, Pooling::Average);
        assert_eq!(recipe.text_of("head").as_deref(), Some("article"));
        let refused = recipe.set("head", "wide").unwrap_err().to_string();
        assert!(refused.contains("linear, mlp, article"), "{refused}");
        for name in ["resize_filter", "evaluation_size", "rand_augment", "weights"] {
            recipe.set(name, "none").unwrap();
            assert_eq!(recipe.text_of(name).as_deref(), Some("none"));
        }
        recipe.set("resize_filter", "bicubic").unwrap();
        assert_eq!(recipe.text_of("resize_filter").as_deref(), Some("bicubic"));
        assert!(recipe.set("momentum", "none").is_err() && recipe.set("optimizer", "none").is_err());
    }
}
