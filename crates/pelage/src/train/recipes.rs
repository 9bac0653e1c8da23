//! The recipes that come with the program, as text: each a TOML file of settings, as [`Config::read`] takes them.
//!
//! [`Config::read`]: crate::Config::read

use super::recipe::Recipe;
use crate::{Error, Result};

pelage_data::choices! {
    /// A recipe by name.
    BuiltIn {
        /// The tutorial's.
        Reference = "reference",
        /// The most accurate from scratch.
        Strong = "strong",
        /// For few pictures and little time.
        Quick = "quick",
    }
}

impl BuiltIn {
    /// All of them.
    pub const ALL: [BuiltIn; 3] = [BuiltIn::Reference, BuiltIn::Strong, BuiltIn::Quick];

    /// Its file.
    pub fn text(self) -> &'static str {
        match self {
            BuiltIn::Reference => include_str!("recipes/reference.toml"),
            BuiltIn::Strong => include_str!("recipes/strong.toml"),
            BuiltIn::Quick => include_str!("recipes/quick.toml"),
        }
    }

    /// What it is for, the first line of its file.
    pub fn purpose(self) -> &'static str {
        let first = self.text().lines().next().unwrap_or_default();
        first.trim_start_matches('#').trim()
    }

    /// Its settings.
    ///
    /// # Errors
    /// None in practice: a test reads them all.
    pub fn recipe(self) -> Result<Recipe> {
        toml::from_str(self.text()).map_err(|failure| Error::Settings(format!("recipe {}: {failure}", self.name())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_recipe_can_be_trained_by() {
        for built_in in BuiltIn::ALL {
            let recipe = built_in.recipe().unwrap();
            recipe.validate().unwrap();
            assert!(
                recipe.image_sizes.is_empty() || recipe.image_sizes.epochs() == recipe.epochs,
                "{built_in:?}"
            );
            assert!(built_in.purpose().ends_with('.'), "{built_in:?}");
        }
        assert_eq!(BuiltIn::Reference.recipe().unwrap(), Recipe::default());
    }

    #[test]
    fn a_plan_of_several_sizes_is_scaled_as_a_whole() {
        let mut recipe = BuiltIn::Strong.recipe().unwrap();
        let (epochs, warm_up) = (recipe.epochs, recipe.warm_up);
        recipe.set("epochs", "10").unwrap();
        assert_eq!((recipe.epochs, recipe.image_sizes.epochs()), (10, 10));
        assert!((recipe.warm_up - warm_up * 10.0 / epochs as f64).abs() < 1e-12);
        recipe.set("image_sizes", "64:3,96:2").unwrap();
        assert_eq!(recipe.epochs, 5);
        assert!((recipe.warm_up - warm_up * 5.0 / epochs as f64).abs() < 1e-12);
    }
}
