//! `pelage devices`.

use clap::Args;
use pelage::{bench, device};
use serde::Serialize;

use super::doctor::memory;
use crate::failure::Outcome;
use crate::table::{megabytes, table};
use crate::terminal::answer;

/// List where can be computed, CPU and GPUs, and how to get what is missing
///
/// Each GPU is opened and computes something, so that one in this list works.
#[derive(Args)]
pub(super) struct Arguments {}

#[derive(Serialize)]
struct Devices {
    devices: Vec<Usable>,
    missing: Vec<device::Missing>,
}

/// A device of this machine.
#[derive(Serialize)]
struct Usable {
    name: String,
    model: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    instruction_set: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    threads: Option<usize>,
    memory_bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    free_memory_bytes: Option<u64>,
    largest_tensor_bytes: Option<u64>,
}

pub(super) fn run() -> Outcome {
    let cpu = Usable {
        name: "cpu".into(),
        model: bench::processor(),
        instruction_set: Some(device::instruction_set()?),
        threads: Some(std::thread::available_parallelism().map_or(1, usize::from)),
        memory_bytes: memory("MemTotal"),
        free_memory_bytes: memory("MemAvailable"),
        largest_tensor_bytes: None,
    };
    let (found, missing) = device::gpus();
    let gpus = found.into_iter().map(|gpu| Usable {
        name: gpu.name,
        model: Some(gpu.model),
        instruction_set: None,
        threads: None,
        memory_bytes: gpu.memory,
        free_memory_bytes: None,
        largest_tensor_bytes: Some(gpu.largest),
    });
    let devices = Devices {
        devices: std::iter::once(cpu).chain(gpus).collect(),
        missing,
    };
    Ok(answer(&devices, described)?)
}

fn described(found: &Devices) -> String {
    let rows = found.devices.iter().map(|device| {
        let cpu = device.instruction_set.zip(device.threads);
        let details = match (cpu, device.largest_tensor_bytes) {
            (Some((set, threads)), _) => format!("{set}, {threads} threads"),
            (None, Some(largest)) => format!("tensors of at most {}", megabytes(largest)),
            (None, None) => String::new(),
        };
        let memory = match (device.memory_bytes, device.free_memory_bytes) {
            (Some(all), Some(free)) => format!("{}, {} free", megabytes(all), megabytes(free)),
            (Some(all), None) => megabytes(all),
            (None, _) => "unknown".into(),
        };
        let model = device.model.clone().unwrap_or_else(|| "unknown".into());
        vec![device.name.clone(), model, memory, details]
    });
    let mut text = table(&["device", "what it is", "memory", ""], 0..0, rows);
    for missing in &found.missing {
        text += &format!("no {}: {}; {}\n", missing.kind, missing.reason, missing.remedy);
    }
    text
}
