//! That processes which train together are alike: their updates are the same only where all that goes into them is.

use blake3::{Hash, Hasher};
use pelage_model::device;
use pelage_model::networks::parameters;

use super::checkpoint::fingerprint;
use super::ranks::Ranks;
use super::samples::Data;
use super::step::Learner;
use crate::Result;

/// A hash of the names and classes of all images, and of what each looks like; of nothing where nobody has others.
///
/// # Errors
/// A damaged file of the cache.
pub(super) fn pictures(ranks: &Ranks, data: &Data) -> Result<Hash> {
    let mut hash = Hasher::new();
    if !ranks.is_alone() {
        hash.update(fingerprint(data).as_bytes());
        for samples in [&data.train, &data.validation] {
            for look in samples.looks()?.iter() {
                hash.update(look.to_text().as_bytes());
            }
        }
    }
    Ok(hash.finalize())
}

/// Refuses ranks that differ in version or settings, in their [`pictures`], in the instructions that they compute with,
/// or, by now, in their weights.
///
/// # Errors
/// What differs; another rank that has failed.
pub(super) fn check(learner: &Learner, pictures: Hash) -> Result<()> {
    if learner.ranks.is_alone() {
        return Ok(());
    }
    let settings = serde_json::to_vec(learner.recipe).unwrap_or_default();
    let mut weights = Hasher::new();
    for (name, values) in parameters::read(&learner.network) {
        weights.update(name.as_bytes());
        values
            .data
            .iter()
            .for_each(|value| _ = weights.update(&value.to_le_bytes()));
    }
    learner.ranks.check_same([
        (
            "the version of pelage, or the settings",
            blake3::hash(&[env!("CARGO_PKG_VERSION").as_bytes(), &settings].concat()),
        ),
        ("the pictures", pictures),
        (
            "the instruction set of their CPUs, which rounds otherwise",
            blake3::hash(device::instruction_set().unwrap_or_default().as_bytes()),
        ),
        ("the weights", weights.finalize()),
    ])
}
