//! Where a verb computes: the same options with the same meaning for every verb.

use clap::Args;
use pelage::data::cache::CacheMode;
use pelage::model::precision::Precision;
use pelage::{Compute, device};

use crate::options::one_of;

/// The device and the threads.
#[derive(Args)]
pub(super) struct Computing {
    /// Where to compute: cpu, or a GPU as cuda, rocm, metal, vulkan or wgpu, with a number where there are several, as
    /// cuda:1; `pelage devices` lists those that are here [default: cpu]
    #[arg(long, hide_short_help = true, value_parser = name_of_device)]
    pub(super) device: Option<String>,
    /// CPU threads, at most 1024; 0 means all [default: all]
    #[arg(long, hide_short_help = true, value_name = "N")]
    pub(super) threads: Option<usize>,
}

/// What a model computes in.
#[derive(Args)]
pub(super) struct Precise {
    /// What to compute in: f32; int8 with a model that `pelage quantize` has made, which of a run is found in its
    /// folder; or bf16, of any other model, on a CPU with AVX512-BF16 [default: as the model file is]
    #[arg(long, hide_possible_values = true, value_name = "f32|int8|bf16",
        value_parser = one_of::<Precision>(Precision::NAMES.iter().copied()))]
    pub(super) precision: Option<Precision>,
}

/// Device and threads, and where what was made of the pictures is cached.
#[derive(Args)]
pub(super) struct Caching {
    #[command(flatten)]
    pub(super) computing: Computing,
    /// Where decoded pictures, and a frozen backbone's features, are cached [default: auto]
    #[arg(long, hide_short_help = true, value_parser = one_of::<CacheMode>(CacheMode::NAMES.iter().copied()))]
    pub(super) cache: Option<CacheMode>,
}

/// Refuses what is the name of no device anywhere.
fn name_of_device(name: &str) -> Result<String, pelage::Error> {
    device::check(name).map(|()| name.to_string())
}

impl Computing {
    pub(super) fn compute(&self) -> Compute {
        let mut compute = Compute::default();
        self.apply(&mut compute);
        compute
    }

    /// Applies the given options.
    pub(super) fn apply(&self, compute: &mut Compute) {
        if let Some(device) = &self.device {
            compute.device.clone_from(device);
        }
        compute.threads = self.threads.unwrap_or(compute.threads);
    }
}

impl Caching {
    pub(super) fn compute(&self) -> Compute {
        let mut compute = Compute::default();
        self.apply(&mut compute);
        compute
    }

    /// Applies the given options.
    pub(super) fn apply(&self, compute: &mut Compute) {
        self.computing.apply(compute);
        compute.cache = self.cache.unwrap_or(compute.cache);
    }
}
