//! That processes which train together are alike: their updates are the same only where all that goes into them is.

use pelage_model::device;
use pelage_model::networks::parameters;

use super::checkpoint::fingerprint;
use super::samples::Data;
use super::step::Learner;
use crate::Result;

/// Refuses ranks that differ in version or settings, in their images, in the instructions that they compute with, or,
/// by now, in their weights.
///
/// # Errors
/// What differs; another rank that has failed.
pub(super) fn check(learner: &Learner, data: &Data) -> Result<()> {
    if learner.ranks.is_alone() {
        return Ok(());
    }
    let settings = serde_json::to_vec(learner.recipe).unwrap_or_default();
    let mut weights = blake3::Hasher::new();
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
        ("the pictures", blake3::hash(fingerprint(data).as_bytes())),
        (
            "the instruction set of their CPUs, which rounds otherwise",
            blake3::hash(device::instruction_set().unwrap_or_default().as_bytes()),
        ),
        ("the weights", weights.finalize()),
    ])
}
