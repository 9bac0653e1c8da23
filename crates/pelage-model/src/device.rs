//! Where to compute: the CPU, or a GPU through the same code if this build has its cargo feature.

#[cfg(feature = "gpu")]
mod failures;
#[cfg(feature = "gpu")]
mod gpu;

use burn::tensor::Device;
use pelage_kernels::isa::Isa;
use serde::Serialize;

use crate::{Error, Result};

/// A kind of GPU.
struct Kind {
    /// Its name, which is also that of the cargo feature.
    name: &'static str,
    /// Whether this build has it.
    built: bool,
    /// What it needs of the machine.
    driver: &'static str,
}

const GPUS: [Kind; 5] = [
    Kind {
        name: "cuda",
        built: cfg!(feature = "cuda"),
        driver: "NVIDIA's driver, and of the CUDA toolkit NVRTC and the headers, where CUDA_PATH says",
    },
    Kind {
        name: "rocm",
        built: cfg!(feature = "rocm"),
        driver: "AMD's driver and ROCm",
    },
    Kind {
        name: "metal",
        built: cfg!(feature = "metal"),
        driver: "a Mac with Metal",
    },
    Kind {
        name: "vulkan",
        built: cfg!(feature = "vulkan"),
        driver: "a Vulkan driver and its loader: NVIDIA's own, for others Debian's mesa-vulkan-drivers and libvulkan1",
    },
    Kind {
        name: "wgpu",
        built: cfg!(feature = "wgpu"),
        driver: "a driver for Vulkan, Metal or DirectX 12",
    },
];

/// The kinds of devices that this build supports, `cpu` first.
pub fn names() -> Vec<&'static str> {
    let built = GPUS.iter().filter(|kind| kind.built).map(|kind| kind.name);
    std::iter::once("cpu").chain(built).collect()
}

/// Runs `work`, which computes on `device`, on one of the threads that the CPU's kernels share their work among. From
/// another thread, each of its kernels would wake one of these up and then wait for it, which takes a tenth of the time
/// that a network has for a single image. While it waits for a kernel, its thread may begin other work of this kind: no
/// lock may be held that such work takes.
pub fn in_pool<R: Send>(device: &Device, work: impl FnOnce() -> R + Send) -> R {
    match *device == Device::flex() {
        true => rayon::scope(|_| work()),
        false => work(),
    }
}

/// A GPU of this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// What [`open`] takes: `cuda:0`.
    pub name: String,
    /// What it calls itself.
    pub model: String,
    /// Its memory in bytes, where it can be asked.
    pub memory: Option<u64>,
    /// Most bytes of one tensor.
    pub largest: u64,
}

/// A kind of GPU without one that can be used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Missing {
    /// Its name.
    pub kind: &'static str,
    /// Whether this build has it.
    pub built: bool,
    /// Why there is none.
    pub reason: String,
    /// How to get it.
    pub remedy: String,
}

/// The GPUs that this build and machine have, each opened to ask it, and what is missing of the other kinds.
pub fn gpus() -> (Vec<Found>, Vec<Missing>) {
    let (mut found, mut missing) = (Vec::new(), Vec::new());
    for kind in &GPUS {
        let asked = kind.ask();
        missing.extend(asked.iter().filter_map(|one| one.as_ref().err().cloned()));
        found.extend(asked.into_iter().flatten());
    }
    (found, missing)
}

/// Kind and number of the device `name`: `cuda:1`; a name alone is the first one. The CPU is no kind of GPU.
fn parsed(name: &str) -> Result<Option<(&'static Kind, usize)>> {
    let unknown = || {
        let gpus = GPUS.map(|kind| format!("{}[:N]", kind.name));
        Error::setting("device", name, format!("one of cpu, {}", gpus.join(", ")))
    };
    if name == "cpu" {
        return Ok(None);
    }
    let (kind, number) = name.split_once(':').unwrap_or((name, "0"));
    // Not "+1".
    let digits = number.bytes().all(|byte| byte.is_ascii_digit());
    let number = number.parse().ok().filter(|_| digits).ok_or_else(unknown)?;
    let kind = GPUS.iter().find(|known| known.name == kind).ok_or_else(unknown)?;
    Ok(Some((kind, number)))
}

/// Refuses what is no name of a device, in this build or another.
///
/// # Errors
/// A message with those that there are.
pub fn check(name: &str) -> Result<()> {
    parsed(name).map(drop)
}

/// The device called `name`, without autodiff. A GPU is opened, and has computed something: what is missing of its
/// driver is known now.
///
/// # Errors
/// An unknown name, a device that this build or machine lacks, or a `PELAGE_ISA` that this CPU does not have.
pub fn open(name: &str) -> Result<Device> {
    instruction_set()?;
    match parsed(name)? {
        None => Ok(Device::flex()),
        Some((kind, number)) => kind.open(name, number),
    }
}

/// The CPU, without autodiff.
///
/// # Errors
/// A `PELAGE_ISA` that this CPU does not have.
pub fn cpu() -> Result<Device> {
    instruction_set().map(|_| Device::flex())
}

/// The instruction set that this CPU's kernels use: `avx512`, `avx2`, `neon` or `portable`.
///
/// # Errors
/// A `PELAGE_ISA` that this CPU does not have.
pub fn instruction_set() -> Result<&'static str> {
    let isa = Isa::from_environment().map_err(|unavailable| Error::Settings(unavailable.to_string()))?;
    Ok(isa.name())
}

/// What `work` gives. Where a GPU fails meanwhile (memory that is not there, a device that is lost), Burn panics: this
/// becomes an error. Any other panic goes on.
///
/// # Errors
/// A GPU that failed.
pub fn caught<T>(work: impl FnOnce() -> T) -> Result<T> {
    #[cfg(feature = "gpu")]
    return failures::caught(work);
    #[cfg(not(feature = "gpu"))]
    Ok(work())
}

/// Refuses what is known not to fit: a tensor of `largest` bytes on `device`, or `all` bytes together, which is at most
/// what will be needed. Of the CPU nothing is known.
///
/// # Errors
/// Too little memory.
pub fn check_room(device: &Device, largest: u64, all: u64) -> Result<()> {
    #[cfg(feature = "gpu")]
    return gpu::check_room(device, largest, all);
    #[cfg(not(feature = "gpu"))]
    {
        let _ = (device, largest, all);
        Ok(())
    }
}

impl Kind {
    /// How to get it.
    fn remedy(&self) -> String {
        let driver = self.driver;
        match self.built {
            true => format!("it needs {driver}"),
            false => format!("build pelage with its cargo feature {}; it needs {driver}", self.name),
        }
    }

    fn missing(&self, reason: impl Into<String>) -> Missing {
        Missing {
            kind: self.name,
            built: self.built,
            reason: reason.into(),
            remedy: self.remedy(),
        }
    }

    #[cfg(feature = "gpu")]
    fn open(&self, name: &str, number: usize) -> Result<Device> {
        gpu::open(self, name, number)
    }

    #[cfg(not(feature = "gpu"))]
    fn open(&self, name: &str, _number: usize) -> Result<Device> {
        Err(self.unbuilt(name))
    }

    #[cfg(feature = "gpu")]
    fn ask(&self) -> Vec<std::result::Result<Found, Missing>> {
        gpu::ask(self)
    }

    #[cfg(not(feature = "gpu"))]
    fn ask(&self) -> Vec<std::result::Result<Found, Missing>> {
        vec![Err(self.missing(UNBUILT))]
    }

    fn unbuilt(&self, name: &str) -> Error {
        Error::Device {
            name: name.into(),
            reason: UNBUILT.into(),
            remedy: self.remedy(),
        }
    }
}

const UNBUILT: &str = "this build of pelage does not have it";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_computes_on_the_cpu_does_so_on_a_thread_of_the_pool() {
        assert_eq!(rayon::current_thread_index(), None);
        let inside = in_pool(&Device::flex(), rayon::current_thread_index);
        assert!(inside.is_some());
        // From within, on the same one.
        let nested = in_pool(&Device::flex(), || {
            let outer = rayon::current_thread_index();
            in_pool(&Device::flex(), || (outer, rayon::current_thread_index()))
        });
        assert_eq!(nested.0, nested.1);
    }

    #[test]
    fn names_are_a_kind_and_a_number() {
        let number = |name: &str| parsed(name).unwrap().map(|(kind, number)| (kind.name, number));
        assert_eq!(number("cpu"), None);
        assert_eq!(number("cuda"), Some(("cuda", 0)));
        assert_eq!(number("vulkan:3"), Some(("vulkan", 3)));
        for wrong in [
            "",
            "gpu",
            "cpu:0",
            "cuda:",
            "cuda:-1",
            "cuda:+1",
            "cuda:1:2",
            "webgpu",
            "CUDA",
            "cuda:99999999999999999999",
        ] {
            let told = check(wrong).unwrap_err().to_string();
            assert!(
                told.contains("cpu, cuda[:N]") && told.contains("wgpu[:N]"),
                "{wrong}: {told}"
            );
        }
    }

    #[test]
    fn what_a_build_lacks_is_an_error_that_says_how_to_get_it() {
        for kind in GPUS.iter().filter(|kind| !kind.built) {
            let told = open(kind.name).unwrap_err().to_string();
            assert!(told.contains(&format!("cargo feature {}", kind.name)), "{told}");
            assert!(
                gpus()
                    .1
                    .iter()
                    .any(|missing| missing.kind == kind.name && !missing.built)
            );
        }
        assert_eq!(names()[0], "cpu");
        assert!(open("cpu").is_ok());
    }

    #[test]
    fn a_panic_of_ours_goes_on() {
        assert_eq!(caught(|| 3).unwrap(), 3);
        let own = std::panic::catch_unwind(|| caught(|| -> u8 { panic!("of ours") }));
        assert!(own.is_err());
    }
}
