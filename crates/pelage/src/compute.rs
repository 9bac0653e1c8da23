//! Where work runs: the device, the CPU threads, and where decoded images are kept meanwhile.

use std::sync::OnceLock;

use burn::tensor::Device;
use pelage_data::cache::CacheMode;
use serde::{Deserialize, Serialize};

use crate::{Error, Result, device};

/// Where work runs. Threads and cache do not affect the result, and the device only within rounding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Compute {
    /// A device of [`device::names`].
    pub device: String,
    /// CPU threads; 0 means all.
    pub threads: usize,
    /// Where decoded images are kept.
    pub cache: CacheMode,
}

impl Default for Compute {
    fn default() -> Self {
        Compute {
            device: "cpu".into(),
            threads: 0,
            cache: CacheMode::Auto,
        }
    }
}

/// The threads that the process computes on.
static STARTED: OnceLock<usize> = OnceLock::new();

impl Compute {
    /// Opens the device, and on the first call sets the number of threads of this process: Rayon's global pool, which
    /// is built once.
    ///
    /// # Errors
    /// An unknown or missing device, more than 1024 threads, or another number than the pool was built with.
    pub fn open(&self) -> Result<Device> {
        let device = device::open(&self.device)?;
        if self.threads > 1024 {
            return Err(Error::setting("threads", self.threads, "0 (all) to 1024"));
        }
        let built = rayon::ThreadPoolBuilder::new().num_threads(self.threads).build_global();
        let running = *STARTED.get_or_init(|| {
            let threads = match (&built, self.threads) {
                (Ok(()), threads @ 1..) => threads,
                _ => rayon::current_num_threads(),
            };
            let why = if self.threads == 0 { "all there are" } else { "as asked" };
            let kernels = device::instruction_set().unwrap_or_default();
            log::info!(
                "device: {} (kernels for {kernels}), {threads} threads ({why})",
                self.device
            );
            threads
        });
        match built {
            Err(_) if self.threads != 0 && self.threads != running => {
                let allowed = format!("0 or {running}, the number of threads that this process has started with");
                Err(Error::setting("threads", self.threads, allowed))
            }
            _ => Ok(device),
        }
    }
}
