//! GPUs, which are asked before they are used: Burn opens them late, and panics then.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use burn::Tensor;
use burn::backend::DispatchDevice;
use burn::tensor::{Device, DeviceType};

use super::failures::{self, opened};
use super::{Found, Kind, Missing};
use crate::values::to_vec;
use crate::{Error, Result};

/// Memory of a device, in bytes.
struct Memory {
    /// Where it can be asked.
    all: Option<u64>,
    /// Most of one tensor.
    largest: u64,
}

/// What is known of the memory of `device`; nothing of the CPU's.
fn memory(device: &Device) -> Option<Memory> {
    match device.clone().inner().as_dispatch() {
        DispatchDevice::Cube(device) => {
            let client = device.client();
            let memory = &client.properties().memory;
            Some(Memory {
                all: memory.max_memory(),
                largest: memory.max_page_size,
            })
        }
        _ => None,
    }
}

/// See [`super::check_room`].
pub(super) fn check_room(device: &Device, largest: u64, all: u64) -> Result<()> {
    let Some(memory) = memory(device) else { return Ok(()) };
    let megabytes = |bytes: u64| format!("{:.0} MB", bytes as f64 / 1e6);
    let reason = match memory.all {
        _ if largest > memory.largest => format!(
            "a tensor of {} is needed, and none may have more than {}",
            megabytes(largest),
            megabytes(memory.largest)
        ),
        Some(there) if all > there => format!(
            "{} are needed at the least, and it has {}",
            megabytes(all),
            megabytes(there)
        ),
        _ => return Ok(()),
    };
    let open = OPEN.lock().unwrap_or_else(PoisonError::into_inner);
    let device = device.clone().inner();
    let name = open
        .iter()
        .find(|(_, one)| **one == device)
        .map(|(name, _)| name.clone());
    Err(Error::DeviceMemory {
        name: name.unwrap_or_else(|| "of this tensor".into()),
        reason,
    })
}

/// The devices of a kind, the fastest sort first.
fn enumerate(kind: &str) -> Vec<Device> {
    let devices = match kind {
        #[cfg(feature = "cuda")]
        "cuda" => Device::enumerate(DeviceType::Cuda),
        #[cfg(feature = "rocm")]
        "rocm" => Device::enumerate(DeviceType::Rocm),
        #[cfg(feature = "metal")]
        "metal" => Device::enumerate(DeviceType::Metal),
        #[cfg(feature = "vulkan")]
        "vulkan" => Device::enumerate(DeviceType::Vulkan),
        #[cfg(feature = "wgpu")]
        "wgpu" => Device::enumerate(DeviceType::Wgpu),
        _ => return Vec::new(),
    };
    devices.into_vec()
}

/// Those that were opened, by name.
static OPEN: Mutex<BTreeMap<String, Device>> = Mutex::new(BTreeMap::new());

/// Opens device `number` of `kind`, called `name`.
pub(super) fn open(kind: &Kind, name: &str, number: usize) -> Result<Device> {
    if !kind.built {
        return Err(kind.unbuilt(name));
    }
    let mut open = OPEN.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(device) = open.get(name) {
        opened(name);
        return Ok(device.clone());
    }
    let device = attempt(kind, name, || {
        let devices = enumerate(kind.name);
        let there = devices.len();
        devices.into_iter().nth(number).ok_or(there)
    })?;
    let device = device.map_err(|there| Error::Device {
        name: name.into(),
        reason: match there {
            0 => "no such device, or no driver of it, was found".into(),
            1 => format!("there is only {}:0", kind.name),
            _ => format!("there are only {}:0 to {}:{}", kind.name, kind.name, there - 1),
        },
        remedy: kind.remedy(),
    })?;
    attempt(kind, name, || works(&device))?;
    open.insert(name.into(), device.clone());
    Ok(device)
}

/// Computes something: a driver, and a compiler for its kernels, are there.
fn works(device: &Device) {
    assert_eq!(to_vec(Tensor::<1>::ones([4], device).sum()), [4.0], "one and one");
}

/// What `work` gives, as far as the machine has what it needs.
fn attempt<T>(kind: &Kind, name: &str, work: impl FnOnce() -> T) -> Result<T> {
    opened(name);
    failures::caught(work).map_err(|failure| match failure {
        Error::Device { name, reason, .. } => Error::Device {
            name,
            reason,
            remedy: kind.remedy(),
        },
        other => other,
    })
}

/// Each device of `kind`, or why it cannot be used.
pub(super) fn ask(kind: &Kind) -> Vec<std::result::Result<Found, Missing>> {
    if !kind.built {
        return vec![Err(kind.missing(super::UNBUILT))];
    }
    let devices = match attempt(kind, kind.name, || enumerate(kind.name)) {
        Ok(devices) if devices.is_empty() => {
            return vec![Err(kind.missing("no such device, or no driver of it, was found"))];
        }
        Ok(devices) => devices,
        Err(failure) => return vec![Err(kind.missing(reason(failure)))],
    };
    let each = devices.into_iter().enumerate().map(|(number, device)| {
        let name = format!("{}:{number}", kind.name);
        let asked = attempt(kind, &name, || {
            works(&device);
            (device.identity(), memory(&device))
        });
        match asked {
            Ok((identity, memory)) => Ok(Found {
                model: identity.map_or_else(|| name.clone(), |identity| identity.name),
                memory: memory.as_ref().and_then(|memory| memory.all),
                largest: memory.map_or(u64::MAX, |memory| memory.largest),
                name,
            }),
            Err(failure) => Err(kind.missing(format!("{name}: {}", reason(failure)))),
        }
    });
    each.collect()
}

/// What is wrong, without what to do.
fn reason(failure: Error) -> String {
    match failure {
        Error::Device { reason, .. } | Error::DeviceMemory { reason, .. } => reason,
        other => other.to_string(),
    }
}
