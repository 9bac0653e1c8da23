//! A model for other programs: its weights for PyTorch ([`safetensors`]), a site for browsers ([`web`]), or an ONNX
//! file, written from the network's own description, with its normalization and its calibration inside.
//!
//! Opset 12 and IR version 7, basic operators alone: what runtimes of the last years read, old ones too.

pub mod messages;
mod metadata;
mod network;
mod resize;
mod safetensors;
mod tokens;
pub mod web;
mod writer;

use pelage_kernels::pixels::Normalization;
use pelage_model::networks::parameters;
use prost::Message;

use self::messages::{F32, OperatorSet, U8};
use self::network::Exported;
use self::writer::{Writer, any, fixed, integer, value};
use crate::{Error, Model, Result};
pub use safetensors::safetensors;

pelage_data::choices! {
    /// What the file takes.
    #[derive(Default)]
    Input {
        /// Images at the size of the network, `images`: f32 of 0 to 1, `[n, 3, h, w]`, red before green before blue.
        #[default]
        Tensor = "tensor",
        /// Images of any size, `pixels`: u8, `[n, rows, columns, 3]`, red before green before blue. The graph resizes
        /// them.
        Pixels = "pixels",
    }
}

pelage_data::choices! {
    /// What the file gives, `[n, classes]`, called by this name.
    #[derive(Default)]
    Output {
        /// Probabilities, calibrated if the model is.
        #[default]
        Probabilities = "probabilities",
        /// What these are made of.
        Logits = "logits",
    }
}

/// Versions of the operators and of the format.
const VERSIONS: (i64, i64) = (12, 7);

/// The most bytes of a Protocol Buffers message, and so of a file.
const MOST_BYTES: usize = i32::MAX as usize;

/// The bytes of an ONNX file of `model`, for any number of images at a time.
///
/// # Errors
/// A model with more parameters than a file holds.
pub fn onnx(model: &Model, input: Input, output: Output) -> Result<Vec<u8>> {
    model.alone("exported")?;
    let preprocessing = &model.facts.preprocessing;
    let size = [preprocessing.height, preprocessing.width].map(|side| side as usize);
    let folded = model.network.folded(|_| true);
    let values = parameters::read(&folded);
    // The nodes take far less than a sixteenth of this.
    let bytes: usize = values.values().map(|tensor| 4 * tensor.data.len()).sum();
    if bytes > MOST_BYTES / 16 * 15 {
        return Err(Error::Settings(format!(
            "the model's parameters take {} MB, and an ONNX file holds 2 GB at most",
            bytes / 1_000_000
        )));
    }
    let mut writer = Writer::default();
    let Normalization { scale, shift } = Normalization::new(preprocessing.mean, preprocessing.std);
    let (taken, images) = match input {
        Input::Tensor => {
            let axes = vec![any("batch"), fixed(3), fixed(size[0]), fixed(size[1])];
            let scale = preprocessing.std.map(|deviation| 1.0 / deviation);
            let normalized = normalize(&mut writer, "images", scale, shift);
            (value("images", F32, axes), normalized)
        }
        Input::Pixels => {
            let axes = vec![any("batch"), any("rows"), any("columns"), fixed(3)];
            let resized = resize::write(&mut writer, "pixels", preprocessing);
            let normalized = normalize(&mut writer, &resized, scale, shift);
            (value("pixels", U8, axes), normalized)
        }
    };
    let exported = Exported {
        graph: folded.graph(),
        values,
        size,
        flip: model.facts.flip,
    };
    let logits = exported.write(&mut writer, images);
    let name = output.name();
    match output {
        Output::Logits => writer.node("Identity", name, &[&logits], Vec::new()),
        Output::Probabilities => {
            let logits = match model.judge.temperature() {
                Some(temperature) if temperature != 1.0 => {
                    let temperature = writer.numbers("temperature", &[], &[temperature as f32]);
                    writer.node("Div", "calibrated", &[&logits, &temperature], Vec::new())
                }
                _ => logits,
            };
            writer.node("Softmax", name, &[&logits], vec![integer("axis", 1)])
        }
    };
    let given = value(name, F32, vec![any("batch"), fixed(model.facts.classes.len())]);
    let (operators, format) = VERSIONS;
    let file = messages::Model {
        ir_version: format,
        producer_name: "pelage".into(),
        producer_version: env!("CARGO_PKG_VERSION").into(),
        graph: Some(writer.finish(model.facts.architecture.name(), taken, given)),
        opset_import: vec![OperatorSet {
            domain: String::new(),
            version: operators,
        }],
        metadata_props: metadata::entries(model, input, output),
    };
    Ok(file.encode_to_vec())
}

/// `images * scale + shift`, channel by channel. It must not become part of the first convolution: what that pads
/// images with is zero after it, not before.
fn normalize(writer: &mut Writer, images: &str, scale: [f32; 3], shift: [f32; 3]) -> String {
    let mut normalized = images.to_string();
    let steps = [
        ("Mul", "scale", "scaled", 1.0, scale),
        ("Add", "shift", "shifted", 0.0, shift),
    ];
    for (operator, constant, name, neutral, values) in steps {
        if values != [neutral; 3] {
            let values = writer.numbers(constant, &[1, 3, 1, 1], &values);
            normalized = writer.node(operator, name, &[&normalized, &values], Vec::new());
        }
    }
    normalized
}
