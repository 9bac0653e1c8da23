//! A finished model in a browser: a few functions for JavaScript, which see numbers alone. Bytes go through one buffer:
//! [`room`] says where to write them, [`load`] and [`predict`] take them from there, and leave theirs in another, which
//! [`said`] and [`said_length`] find. One thread calls.
//!
//! Nothing here reads or writes memory by address; all that is unsafe is that these names are seen from outside.
#![deny(unsafe_code)]

use std::cell::RefCell;

use pelage_model::interpreter::Model;

/// What is kept between calls.
#[derive(Default)]
struct State {
    /// What JavaScript has written.
    given: Vec<u8>,
    /// What the last call says.
    said: String,
    model: Option<Model>,
}

thread_local! {
    static STATE: RefCell<State> = RefCell::default();
}

/// The address of a buffer for `length` bytes, to be written before the next call.
#[allow(unsafe_code, reason = "a name that is seen from outside")]
#[unsafe(no_mangle)]
pub extern "C" fn room(length: usize) -> *mut u8 {
    STATE.with_borrow_mut(|state| {
        // Exactly as large, and never copied: a model may fill most of the memory.
        state.given = Vec::new();
        state.given.reserve_exact(length);
        state.given.resize(length, 0);
        state.given.as_mut_ptr()
    })
}

/// Takes the bytes as a model file; answers below the confidence `reject`, 0 to 1, are "unknown"; without one (NaN)
/// none is. Gives 1, or 0 where it is no model, and says why.
#[allow(unsafe_code, reason = "a name that is seen from outside")]
#[unsafe(no_mangle)]
pub extern "C" fn load(reject: f64) -> u32 {
    STATE.with_borrow_mut(|state| {
        let bytes = std::mem::take(&mut state.given);
        let reject = Some(reject).filter(|reject| !reject.is_nan());
        match Model::decode(&bytes, reject) {
            Ok(model) => {
                state.model = Some(model);
                state.said = String::new();
                1
            }
            Err(reason) => {
                state.said = reason;
                0
            }
        }
    })
}

/// Takes the bytes as an encoded picture, and says what the model sees in it: a prediction as JSON.
#[allow(unsafe_code, reason = "a name that is seen from outside")]
#[unsafe(no_mangle)]
pub extern "C" fn predict() {
    STATE.with_borrow_mut(|state| {
        let bytes = std::mem::take(&mut state.given);
        state.said = match &state.model {
            Some(model) => serde_json::to_string(&model.predict_bytes("picture", &bytes)).unwrap_or_default(),
            None => r#"{"path":"picture","classes":[],"error":"no model was loaded"}"#.into(),
        };
    });
}

/// The address of what the last call says, in UTF-8.
#[allow(unsafe_code, reason = "a name that is seen from outside")]
#[unsafe(no_mangle)]
pub extern "C" fn said() -> *const u8 {
    STATE.with_borrow(|state| state.said.as_ptr())
}

/// Its length in bytes.
#[allow(unsafe_code, reason = "a name that is seen from outside")]
#[unsafe(no_mangle)]
pub extern "C" fn said_length() -> usize {
    STATE.with_borrow(|state| state.said.len())
}
