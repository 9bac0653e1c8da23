//! What the data of a run suggest, before minutes are spent on it and after.

use pelage_data::alike;
use serde::Serialize;

use super::recipe::{ClassWeights, Loss, Recipe};
use super::samples::{Data, Samples};
use crate::Result;
use crate::evaluate::metrics::wilson;

/// What would serve better than the settings, or should be known of the data.
#[derive(Clone, Debug, PartialEq)]
pub enum Advice {
    /// Validation images look like training images, and are no test of what was learnt.
    Leaked {
        /// How many do.
        leaked: usize,
        /// Number of validation images.
        images: usize,
    },
    /// A network that begins with random weights has few images to learn from.
    Few {
        /// Training images of the smallest class.
        least: usize,
    },
    /// The classes differ much in size, and nothing makes up for it.
    Uneven {
        /// The smallest class and its number of training images.
        least: (String, usize),
        /// The largest.
        most: (String, usize),
    },
    /// An accuracy on so few validation images says little.
    Vague {
        /// Number of validation images.
        images: usize,
        /// Half of the width of the 95 % interval of an accuracy of 90 %.
        margin: f64,
    },
}

/// From scratch, fewer training images per class than this rarely make a useful model.
const FEW: usize = 500;
/// How much larger the largest class may be than the smallest.
const UNEVEN: usize = 3;
/// Number of validation images from which an accuracy of 90 % is certain to 3 points.
const ENOUGH: usize = 400;

/// Lines that somebody reads.
const MOST: usize = 3;

/// At most three, one of a kind, the most important first; `leaked` of the validation images look like training images.
pub fn advice(recipe: &Recipe, data: &Data, leaked: usize) -> Vec<Advice> {
    let sizes = sizes(&data.train);
    let named = |index: usize| (data.train.classes()[index].clone(), sizes[index]);
    let by_size = |index: &usize| sizes[*index];
    let (Some(least), Some(most)) = (
        (0..sizes.len()).min_by_key(by_size),
        (0..sizes.len()).max_by_key(by_size),
    ) else {
        return Vec::new();
    };
    let images = data.validation.len();
    let mut advice = Vec::new();
    if leaked > 0 {
        advice.push(Advice::Leaked { leaked, images });
    }
    if recipe.transfer.is_none() && sizes[least] < FEW {
        advice.push(Advice::Few { least: sizes[least] });
    }
    if recipe.class_weights == ClassWeights::None && sizes[most] > UNEVEN * sizes[least] {
        advice.push(Advice::Uneven {
            least: named(least),
            most: named(most),
        });
    }
    if images < ENOUGH {
        let [low, high] = wilson(0.9, images);
        let margin = (high - low) / 2.0;
        advice.push(Advice::Vague { images, margin });
    }
    advice.truncate(MOST);
    advice
}

/// How many validation images look like training images.
///
/// # Errors
/// A damaged file of the cache.
pub fn leaked(data: &Data) -> Result<usize> {
    Ok(alike::count_leaked(&data.train.looks()?, &data.validation.looks()?))
}

/// The most frequent class of some images: what always answering it would get right.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Majority {
    /// The class.
    pub class: String,
    /// Its share of the images, 0 to 1.
    pub share: f64,
    /// Number of images.
    pub pictures: usize,
}

impl Majority {
    /// That of images of which each class has so many; of several classes that are as frequent, the first.
    pub fn of(sizes: &[(&str, usize)]) -> Option<Majority> {
        let pictures = sizes.iter().map(|(_, size)| size).sum();
        let (class, most) = sizes.iter().rev().max_by_key(|(_, size)| *size)?;
        let share = *most as f64 / usize::max(1, pictures) as f64;
        let class = class.to_string();
        Some(Majority { class, share, pictures })
    }

    /// That of the validation images.
    pub fn of_validation(data: &Data) -> Option<Majority> {
        let names = data.validation.classes().iter().map(String::as_str);
        Self::of(&names.zip(sizes(&data.validation)).collect::<Vec<_>>())
    }
}

/// Whether an accuracy, 0 to 1, on `images` images may be luck beside always answering the most frequent class, of
/// `share`: its 95 % interval reaches down to that.
pub fn is_no_better(accuracy: f64, images: usize, share: f64) -> bool {
    wilson(accuracy, images)[0] <= share
}

/// The mean training loss of always answering the shares of the classes, whatever the image: what was learnt is below
/// it. None for a loss by which such an answer is not the best of its kind.
pub fn loss_of_chance(recipe: &Recipe, train: &Samples) -> Option<f64> {
    if recipe.loss != Loss::CrossEntropy {
        return None;
    }
    let (sizes, classes) = (sizes(train), train.classes().len() as f64);
    let share = |size: usize| match recipe.class_weights {
        ClassWeights::None => size as f64 / train.len().max(1) as f64,
        // Each class counts the same.
        ClassWeights::Balanced => 1.0 / classes,
    };
    let smooth = |share: f64| (1.0 - recipe.label_smoothing) * share + recipe.label_smoothing / classes;
    let shares = sizes
        .into_iter()
        .map(|size| smooth(share(size)))
        .filter(|share| *share > 0.0);
    Some(shares.map(|share| -share * share.ln()).sum())
}

/// Images of each class.
fn sizes(samples: &Samples) -> Vec<usize> {
    let mut sizes = vec![0; samples.classes().len()];
    (0..samples.len()).for_each(|i| sizes[samples.label(i)] += 1);
    sizes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_classes_that_are_as_frequent_the_first_is_the_majority() {
        let of = |sizes: &[(&str, usize)]| Majority::of(sizes).map(|one| (one.class, one.share, one.pictures));
        assert_eq!(
            of(&[("a", 1), ("b", 3), ("c", 3), ("d", 1)]),
            Some(("b".into(), 0.375, 8))
        );
        assert_eq!(of(&[]), None);
        assert_eq!(of(&[("a", 0)]), Some(("a".into(), 0.0, 0)));
    }
}
