//! A GPU that fails while it computes: Burn has no errors for that, it panics.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind, set_hook, take_hook};
use std::sync::{Mutex, Once, PoisonError};

use crate::{Error, Result};

/// What is known of the GPU that computes.
struct State {
    /// The name of the one that was opened last.
    name: Option<String>,
    /// What the first panic over it said.
    failure: Option<String>,
}

static STATE: Mutex<State> = Mutex::new(State {
    name: None,
    failure: None,
});

fn state() -> std::sync::MutexGuard<'static, State> {
    STATE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// From now on the device `name` computes.
pub(super) fn opened(name: &str) {
    state().name = Some(name.into());
}

/// The crates between us and a driver, as they begin in the path of a source file.
const CRATES: [&str; 6] = ["burn-", "cubecl", "cubek", "wgpu", "naga-", "cudarc"];

/// Whether a panic there is one over a device.
fn is_of_device(file: &str) -> bool {
    let parts = file.split(['/', '\\']);
    parts
        .rev()
        .skip(1)
        .any(|part| CRATES.iter().any(|name| part.starts_with(name)))
}

/// See [`super::caught`]. Nothing is printed of such a panic.
pub(super) fn caught<T>(work: impl FnOnce() -> T) -> Result<T> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = take_hook();
        set_hook(Box::new(move |panic| {
            let mut state = state();
            let said = panic.payload_as_str().unwrap_or("no reason given");
            // Reading a tensor blames its caller, which is ours.
            let of_device = said.starts_with("Error while reading data")
                || panic.location().is_some_and(|at| is_of_device(at.file()));
            if state.name.is_none() || !of_device {
                drop(state);
                return before(panic);
            }
            log::debug!("a panic in {}: {said}", panic.location().map_or("", |at| at.file()));
            state.failure.get_or_insert_with(|| said.to_string());
        }));
    });
    state().failure = None;
    catch_unwind(AssertUnwindSafe(work)).or_else(|panic| {
        let (name, failure) = {
            let mut state = state();
            (state.name.clone(), state.failure.take())
        };
        match (name, failure) {
            (Some(name), Some(said)) => Err(told(name, &said)),
            _ => resume_unwind(panic),
        }
    })
}

/// The error of a panic that said this.
fn told(name: String, said: &str) -> Error {
    let reason = short(said);
    let lower = said.to_lowercase();
    let any = |words: &[&str]| words.iter().any(|word| lower.contains(word));
    if any(&[
        "out of memory",
        "outofmemory",
        "out_of_memory",
        "too big",
        "buffertoobig",
        "allocat",
    ]) {
        return Error::DeviceMemory { name, reason };
    }
    let remedy = match any(&["lost"]) {
        true => "the driver has reset it, as after a kernel that took too long: begin again, or compute on the cpu",
        false => "another driver may do, or compute on the cpu",
    };
    Error::Device {
        name,
        reason,
        remedy: remedy.into(),
    }
}

/// The innermost cause in what was said, as one line, not too long.
fn short(said: &str) -> String {
    let cause = said.rsplit("Caused by:").next().unwrap_or(said);
    let said = cause.split("No backtrace").next().unwrap_or(cause);
    let words = said.split_whitespace().collect::<Vec<_>>().join(" ");
    match words.char_indices().nth(300) {
        Some((end, _)) => format!("{} ...", &words[..end]),
        None => words,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_belongs_to_the_device_if_it_is_in_its_crates() {
        assert!(is_of_device(
            "/home/me/.cargo/registry/src/index/cubecl-wgpu-0.11.3/src/runtime.rs"
        ));
        assert!(is_of_device(r"C:\registry\burn-tensor-0.22.1\src\tensor\api.rs"));
        assert!(!is_of_device("crates/pelage-model/src/device.rs"));
        assert!(!is_of_device("/rustc/abc/library/core/src/option.rs"));
    }

    #[test]
    fn what_was_said_becomes_an_error() {
        let of = |said: &str| told("vulkan:0".into(), said);
        let large = of("called `Result::unwrap()` on an `Err` value: BufferTooBig(150994944)");
        assert!(matches!(large, Error::DeviceMemory { .. }), "{large}");
        let lost = of("Parent device is lost").to_string();
        assert!(
            lost.starts_with("device vulkan:0: Parent device is lost; the driver has reset it"),
            "{lost}"
        );
        let said = "Error while reading data: An error happened\nCaused by:\n  An IO error happened\nCaused by:\n  can't \
                    allocate buffer of size: 240000000\nNo backtrace available\nAsked at:";
        let told = of(said).to_string();
        let expected = "device vulkan:0 has too little memory: can't allocate buffer of size: 240000000";
        assert_eq!(told, expected);
        assert!(of(&"word ".repeat(1000)).to_string().len() < 500);
    }
}
