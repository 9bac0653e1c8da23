//! Networks that are added from ONNX files compute what onnxruntime computes of them (`fixtures/added/make.py`); what
//! is not supported is refused by name, and no file makes the reader panic.

mod answers;
mod damaged;
mod files;
mod place;
mod refused;
#[path = "../support/mod.rs"]
mod support;
