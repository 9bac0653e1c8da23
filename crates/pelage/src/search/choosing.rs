//! What samplers know but the trials.

use super::space::Space;
use super::study::Metric;
use crate::train::Recipe;

/// What a new trial is chosen by.
pub struct Choosing<'a> {
    /// What is searched.
    pub space: &'a Space,
    /// All other settings.
    pub base: &'a Recipe,
    /// What is measured.
    pub metric: Metric,
    /// Of the search.
    pub seed: u64,
    /// Whether the search ends by time, so that what trials cost counts: not where their number is given.
    pub by_time: bool,
}
