//! What answers instead of the networks of a model: the same networks in a narrower precision.

use pelage_kernels::bf16::Instructions;
use pelage_kernels::isa::Isa;

use super::quantize::InBytes;
use super::together::Member;
use crate::interpreter::{Answer, Bf16};
use crate::networks::{Network, parameters};
use crate::precision::Precision;
use crate::{Error, Result, input};

/// The networks of a model in another precision than f32.
#[derive(Debug)]
pub enum Narrow {
    /// In bytes. The model's networks are then those that the bytes stand for.
    Int8(InBytes),
    /// In bf16, of the model's networks.
    Bf16(Vec<Bf16>),
}

impl Narrow {
    /// What it computes in.
    pub(super) fn precision(&self) -> Precision {
        match self {
            Narrow::Int8(_) => Precision::Int8,
            Narrow::Bf16(_) => Precision::Bf16,
        }
    }

    /// What a network says about images, by its number.
    pub(super) fn run(&self, network: usize, images: &[&[f32]], flip: bool) -> Vec<Answer> {
        match self {
            Narrow::Int8(in_bytes) => in_bytes.networks[network].run(images, flip),
            Narrow::Bf16(networks) => networks[network].run(images, flip),
        }
    }
}

/// What computes in bf16 on this CPU.
///
/// # Errors
/// If it has no instructions for that, or `PELAGE_ISA` forbids them.
pub fn bf16_instructions() -> Result<Instructions> {
    let isa = Isa::best();
    Instructions::of(isa).ok_or_else(|| {
        let reason = match Isa::available().into_iter().any(|isa| Instructions::of(isa).is_some()) {
            true => format!("PELAGE_ISA is {}, which leaves out AVX512-BF16", isa.name()),
            false => "this CPU has no AVX512-BF16 instructions".into(),
        };
        Error::Settings(format!(
            "bf16 cannot be computed here: {reason}; compute in f32, or quantize the model and compute in int8"
        ))
    })
}

/// `networks`, which `members` describe, in bf16.
///
/// # Errors
/// As [`bf16_instructions`].
pub(super) fn in_bf16<'a>(networks: impl Iterator<Item = &'a Network>, members: &[Member]) -> Result<Narrow> {
    let instructions = bf16_instructions()?;
    let networks = networks.zip(members).map(|(network, member)| {
        let [height, width, _] = input::shape(&member.preprocessing);
        let (graph, values) = (network.graph().clone(), parameters::read(network));
        Bf16::new(instructions, graph, values, [height, width])
    });
    let networks = networks.collect::<std::result::Result<_, _>>();
    Ok(Narrow::Bf16(networks.map_err(Error::Settings)?))
}
