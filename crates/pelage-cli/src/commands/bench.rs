//! `pelage bench`.

use clap::{Args, ValueEnum};
use pelage::Architecture;
use pelage::bench::kernels::{self, Speed};
use pelage::bench::training::{self, Training};
use pelage::bench::{self, Machine, Throughput, inference, steps};
use pelage::data::Progress;
use pelage::model::precision::Precision;
use serde::Serialize;

use super::compute::Computing;
use crate::failure::Outcome;
use crate::options::one_of;
use crate::progress::Task;
use crate::table::table;
use crate::terminal::answer;

/// How fast this machine is: kernels, training, inference
///
/// Measures kernels against the machine's multiply-add peak; the reference recipe's training step, input pipeline and
/// epoch on drawn pictures; and inference of every architecture. Everything takes about a minute. Other work on the
/// machine lowers the figures. `steps`, which is not among them, measures training steps of the same architectures.
#[derive(Args)]
pub(super) struct Arguments {
    /// What to measure [default: all but steps]
    #[arg(value_enum)]
    parts: Vec<Part>,
    /// Architectures for inference and steps [default: cnn3, vgg16, resnet50, mobilenet_v2, efficientnet_lite0]
    #[arg(long = "model", value_name = "NAME",
        value_parser = one_of::<Architecture>(Architecture::ALL.map(Architecture::name)))]
    models: Vec<Architecture>,
    /// Batch size of inference and steps [default: 1 and 16 in inference, 32 in steps]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    batch_size: Option<u16>,
    /// Side of the images in inference and steps, in pixels [default: each network's own]
    #[arg(long, value_name = "PX")]
    image_size: Option<usize>,
    /// What inference computes in: f32, int8, or, on a CPU with AVX512-BF16, bf16
    #[arg(long, hide_possible_values = true, value_name = "f32|int8|bf16", default_value = Precision::F32.name(),
        value_parser = one_of::<Precision>(Precision::NAMES.iter().copied()))]
    precision: Precision,
    #[command(flatten)]
    computing: Computing,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// Convolutions and batch norms
    Kernels,
    /// Step, input pipeline, epoch
    Training,
    /// Inference by architecture and batch size
    Inference,
    /// Training steps by architecture
    Steps,
}

/// The measurements.
#[derive(Serialize)]
struct Measured {
    machine: Machine,
    precision: Precision,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    kernels: Vec<Speed>,
    #[serde(skip_serializing_if = "Option::is_none")]
    training: Option<Training>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    inference: Vec<Throughput>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    steps: Vec<Throughput>,
}

/// The networks measured by default.
const USUAL: [Architecture; 5] = [
    Architecture::Cnn3,
    Architecture::Vgg16,
    Architecture::ResNet50,
    Architecture::MobileNetV2,
    Architecture::EfficientNetLite0,
];

pub(super) fn run(arguments: &Arguments) -> Outcome {
    let device = arguments.computing.compute().open()?;
    let wanted = |part| match arguments.parts.is_empty() {
        true => part != Part::Steps,
        false => arguments.parts.contains(&part),
    };
    let batch = arguments.batch_size.map(usize::from);
    let size = arguments.image_size;
    let batches = batch.map_or(inference::BATCHES.to_vec(), |batch| vec![batch]);
    let models = if arguments.models.is_empty() {
        &USUAL[..]
    } else {
        &arguments.models
    };
    let total = [
        (Part::Kernels, kernels::COUNT),
        (Part::Training, training::STAGES),
        (Part::Inference, models.len() * batches.len()),
        (Part::Steps, models.len()),
    ];
    let total = total
        .iter()
        .filter(|(part, _)| wanted(*part))
        .map(|(_, count)| count)
        .sum();
    let (task, mut done) = (Task::new(), 0);
    let mut show = |what| {
        done += 1;
        task.show(Progress { done, total, what });
    };
    let mut measured = Measured {
        machine: bench::machine(),
        precision: arguments.precision,
        kernels: Vec::new(),
        training: None,
        inference: Vec::new(),
        steps: Vec::new(),
    };
    if wanted(Part::Kernels) {
        measured.kernels = kernels::kernels(&measured.machine, &mut |_| show("measuring kernels"));
    }
    if wanted(Part::Training) {
        measured.training = Some(training::training(&device, &mut show)?);
    }
    if wanted(Part::Inference) {
        measured.inference = inference::inference(models, &batches, size, arguments.precision, &device, &mut |_| {
            show("measuring inference")
        })?;
    }
    if wanted(Part::Steps) {
        let batch = batch.unwrap_or(steps::BATCH);
        measured.steps = steps::steps(models, batch, size, &device, &mut |_| show("measuring training steps"))?;
    }
    task.finish();
    Ok(answer(&measured, described)?)
}

fn described(measured: &Measured) -> String {
    let machine = &measured.machine;
    let mut text = format!(
        "{}, {} threads, {}: multiply-add peak {:.0} GFLOP/s\n",
        machine.processor, machine.threads, machine.isa, machine.peak_gflops
    );
    if !measured.kernels.is_empty() {
        let row = |speed: &Speed| {
            vec![
                speed.name.clone(),
                format!("{:.2}", speed.milliseconds),
                format!("{:.0}", speed.gflops),
                format!("{:.0} %", 100.0 * speed.share_of_peak),
            ]
        };
        text += &table(
            &["kernel", "ms", "GFLOP/s", "of peak"],
            1..4,
            measured.kernels.iter().map(row),
        );
    }
    if let Some(training) = &measured.training {
        let rows = [
            ("step alone", training.step),
            ("decoding JPEGs of 200 px", training.decode),
            ("augmenting decoded pictures", training.augment),
            ("epoch, training and validation", training.epoch),
        ];
        let rows = rows
            .iter()
            .map(|(name, speed)| vec![name.to_string(), format!("{speed:.0}")]);
        text += &table(&["cnn3, 150 px, batches of 32", "images/s"], 1..2, rows);
    }
    let inference = match measured.precision {
        Precision::F32 => "inference",
        Precision::Int8 => "inference, int8",
        Precision::Bf16 => "inference, bf16",
    };
    text + &throughputs(inference, &measured.inference) + &throughputs("training steps", &measured.steps)
}

/// A table of them, if there are any.
fn throughputs(what: &str, measured: &[Throughput]) -> String {
    if measured.is_empty() {
        return String::new();
    }
    let row = |one: &Throughput| {
        vec![
            one.architecture.to_string(),
            one.size.to_string(),
            one.batch.to_string(),
            format!("{:.1}", one.images_per_second),
        ]
    };
    table(&[what, "px", "batch", "images/s"], 1..4, measured.iter().map(row))
}
