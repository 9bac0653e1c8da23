//! How many images a second an architecture goes through.

use pelage_model::networks::Architecture;
use serde::Serialize;

use crate::{Error, Result};

/// One architecture at one batch size.
#[derive(Clone, Debug, Serialize)]
pub struct Throughput {
    /// Its name.
    pub architecture: &'static str,
    /// Side of the input in pixels.
    pub size: usize,
    /// Batch size.
    pub batch: usize,
    /// Images per second.
    pub images_per_second: f64,
}

impl Throughput {
    /// That of a batch in so many seconds.
    pub(super) fn of(architecture: Architecture, size: usize, batch: usize, seconds: f64) -> Self {
        Throughput {
            architecture: architecture.name(),
            size,
            batch,
            images_per_second: batch as f64 / seconds,
        }
    }
}

/// Side in pixels of the images that a network is measured with: `asked`, or that of the network.
///
/// # Errors
/// One that the network does not take.
pub(super) fn side(architecture: Architecture, asked: Option<usize>) -> Result<usize> {
    if let Some(side) = asked {
        let refused = |reason| Error::Settings(format!("{}: {reason}", architecture.name()));
        architecture.check_size([side; 2]).map_err(refused)?;
        return Ok(side);
    }
    Ok(match architecture {
        // The size of the reference recipe, also for the tutorial's VGG16.
        Architecture::Vgg16 => 150,
        _ => architecture.input_size() as usize,
    })
}
