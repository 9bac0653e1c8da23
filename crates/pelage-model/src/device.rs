//! Where to compute: the CPU, or a GPU through the same code if this build has its cargo feature.

use burn::tensor::Device;
use pelage_kernels::isa::Isa;

use crate::{Error, Result};

/// The devices this build supports, `cpu` first.
pub fn names() -> Vec<&'static str> {
    KNOWN
        .iter()
        .filter(|(_, open)| open.is_some())
        .map(|(name, _)| *name)
        .collect()
}

/// The device called `name`, without autodiff.
///
/// # Errors
/// An unknown name, a device this build lacks, or a `PELAGE_ISA` that this CPU does not have.
pub fn open(name: &str) -> Result<Device> {
    checked()?;
    match KNOWN.iter().find(|(known, _)| *known == name) {
        Some((_, Some(open))) => Ok(open()),
        Some((_, None)) => {
            let allowed = format!(
                "one that this build has ({}); build pelage with its cargo feature {name}",
                names().join(", ")
            );
            Err(Error::setting("device", name, allowed))
        }
        None => {
            let known: Vec<_> = KNOWN.iter().map(|(known, _)| *known).collect();
            Err(Error::setting("device", name, format!("one of {}", known.join(", "))))
        }
    }
}

/// The CPU, without autodiff.
///
/// # Errors
/// A `PELAGE_ISA` that this CPU does not have.
pub fn cpu() -> Result<Device> {
    checked().map(|()| Device::flex())
}

fn checked() -> Result<()> {
    instruction_set().map(drop)
}

/// The instruction set that this CPU's kernels use: `avx512`, `avx2`, `neon` or `portable`.
///
/// # Errors
/// A `PELAGE_ISA` that this CPU does not have.
pub fn instruction_set() -> Result<&'static str> {
    let isa = Isa::from_environment().map_err(|unavailable| Error::Settings(unavailable.to_string()))?;
    Ok(isa.name())
}

type Open = Option<fn() -> Device>;

const KNOWN: [(&str, Open); 6] = [("cpu", Some(Device::flex)), CUDA, ROCM, METAL, VULKAN, WEBGPU];

#[cfg(feature = "cuda")]
const CUDA: (&str, Open) = ("cuda", Some(|| Device::cuda(0)));
#[cfg(not(feature = "cuda"))]
const CUDA: (&str, Open) = ("cuda", None);
#[cfg(feature = "rocm")]
const ROCM: (&str, Open) = ("rocm", Some(|| Device::rocm(0)));
#[cfg(not(feature = "rocm"))]
const ROCM: (&str, Open) = ("rocm", None);
#[cfg(feature = "metal")]
const METAL: (&str, Open) = ("metal", Some(|| Device::metal(Default::default())));
#[cfg(not(feature = "metal"))]
const METAL: (&str, Open) = ("metal", None);
#[cfg(feature = "vulkan")]
const VULKAN: (&str, Open) = ("vulkan", Some(|| Device::vulkan(Default::default())));
#[cfg(not(feature = "vulkan"))]
const VULKAN: (&str, Open) = ("vulkan", None);
#[cfg(feature = "webgpu")]
const WEBGPU: (&str, Open) = ("webgpu", Some(|| Device::webgpu(Default::default())));
#[cfg(not(feature = "webgpu"))]
const WEBGPU: (&str, Open) = ("webgpu", None);
