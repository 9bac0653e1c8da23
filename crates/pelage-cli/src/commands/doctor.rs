//! `pelage doctor`.

use std::path::{Path, PathBuf};

use clap::Args;
use pelage::data::cache;
use pelage::data::shown;
use pelage::zoo::store::Store;
use pelage::{bench, device};
use serde::Serialize;

use crate::failure::{Failure, Outcome};
use crate::table::{megabytes, table};
use crate::terminal::{answer, quoted};

/// Look at this machine: CPU, threads, memory, devices, cache, pretrained weights, and what is wrong with them
///
/// The exit code is 1 if something is wrong.
#[derive(Args)]
pub(super) struct Arguments {}

/// What was found.
#[derive(Serialize)]
struct Findings {
    version: &'static str,
    system: String,
    cpu: Option<String>,
    instruction_set: Option<&'static str>,
    threads: usize,
    memory_bytes: Option<u64>,
    free_memory_bytes: Option<u64>,
    devices: Vec<&'static str>,
    cache: PathBuf,
    cache_bytes: u64,
    cache_most_bytes: u64,
    weights: Vec<String>,
    problems: Vec<String>,
}

pub(super) fn run() -> Outcome {
    let found = look();
    let document = answer(&found, described)?;
    match found.problems.is_empty() {
        true => Ok(document),
        false => {
            // The findings are the result; what is wrong with the machine is the failure.
            crate::terminal::print(&document)
                .map_err(|failure| Failure::failed(format!("standard output: {failure}")))?;
            Err(Failure::failed(found.problems.join("\nerror: ")))
        }
    }
}

fn look() -> Findings {
    let mut problems = Vec::new();
    let isa = device::instruction_set()
        .map_err(|failure| problems.push(failure.to_string()))
        .ok();
    if isa == Some("portable") {
        problems.push("the kernels use neither AVX2 nor NEON: training will be several times slower".into());
    }
    let folder = cache::default_dir();
    if let Err(reason) = writable(&folder) {
        problems.push(format!(
            "{}: {reason}; decoded pictures are kept there: name another folder by PELAGE_CACHE",
            shown::path(&folder)
        ));
    }
    problems.extend(cache::limit().err());
    let weights = Store::default()
        .list()
        .map_err(|failure| problems.push(failure.to_string()));
    let free = memory("MemAvailable");
    if free.is_some_and(|free| free < 512 << 20) {
        problems.push("less than 512 MB of memory are free: smaller batches and `--cache off` need less".into());
    }
    Findings {
        version: env!("CARGO_PKG_VERSION"),
        system: format!("{} on {}", std::env::consts::OS, std::env::consts::ARCH),
        cpu: bench::processor(),
        instruction_set: isa,
        threads: std::thread::available_parallelism().map_or(1, usize::from),
        memory_bytes: memory("MemTotal"),
        free_memory_bytes: free,
        devices: device::names(),
        cache_bytes: cache::kept(&folder).map_or(0, |kept| kept.iter().map(|one| one.bytes).sum()),
        cache_most_bytes: cache::most_bytes(),
        cache: folder,
        weights: weights.map_or(Vec::new(), |kept| {
            kept.iter().map(|one| one.architecture.name().to_string()).collect()
        }),
        problems,
    }
}

/// Bytes of memory, as Linux tells them; elsewhere nothing is known.
pub(super) fn memory(name: &str) -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let (_, value) = text.lines().find(|line| line.starts_with(name))?.split_once(':')?;
    let kilobytes: u64 = value.split_whitespace().next()?.parse().ok()?;
    Some(kilobytes * 1024)
}

/// Nothing but an attempt tells whether a folder can be written; it is made if need be, as training would.
fn writable(folder: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(folder)?;
    pelage::atomic::Unfinished::new(&folder.join("doctor")).map(drop)
}

fn described(found: &Findings) -> String {
    let unknown = || "unknown".to_string();
    let set = found.instruction_set.map_or(String::new(), |set| format!(", {set}"));
    let memory = match (found.memory_bytes, found.free_memory_bytes) {
        (Some(all), Some(free)) => format!("{}, {} free", megabytes(all), megabytes(free)),
        _ => unknown(),
    };
    let weights = match found.weights.is_empty() {
        true => "none yet: `pelage models` lists what there is".to_string(),
        false => found.weights.join(", "),
    };
    let rows = [
        ("pelage", format!("{}, {}", found.version, found.system)),
        ("CPU", found.cpu.clone().unwrap_or_else(unknown) + &set),
        ("threads", found.threads.to_string()),
        ("memory", memory),
        ("devices of this build", found.devices.join(", ")),
        (
            "cache",
            format!(
                "{} of at most {} in {}",
                megabytes(found.cache_bytes),
                megabytes(found.cache_most_bytes),
                quoted(&found.cache)
            ),
        ),
        ("pretrained weights", weights),
    ];
    let rows = rows.into_iter().map(|(name, value)| vec![name.to_string(), value]);
    let verdict = if found.problems.is_empty() {
        "nothing is wrong\n"
    } else {
        ""
    };
    table(&["", ""], 0..0, rows) + verdict
}
