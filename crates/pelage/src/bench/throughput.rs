//! How many images a second an architecture goes through.

use pelage_model::networks::Architecture;
use serde::Serialize;

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
    pub(super) fn of(architecture: Architecture, batch: usize, seconds: f64) -> Self {
        Throughput {
            architecture: architecture.name(),
            size: side(architecture),
            batch,
            images_per_second: batch as f64 / seconds,
        }
    }
}

/// Side in pixels of the images that a network is measured with.
pub(super) fn side(architecture: Architecture) -> usize {
    match architecture {
        // The size of the reference recipe, also for the tutorial's VGG16.
        Architecture::Vgg16 => 150,
        _ => architecture.input_size() as usize,
    }
}
