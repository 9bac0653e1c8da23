//! Counter-based inverted dropout (Srivastava et al. 2014): whether value `i` is dropped depends only on the seed and
//! `i`. So the backward pass regenerates the mask instead of storing it, and the number of threads does not matter.

use rayon::prelude::*;

use crate::isa::{Isa, for_each_isa};
use crate::split_mix::hash;

/// Values per parallel chunk; affects speed only, never the result.
const PIECE: usize = 1 << 14;

/// Writes `input` to `output` with each value dropped (times 0) with the given probability, 0 to 1, or kept (times
/// 1 / (1 - probability)). The backward pass is the same, with the same seed, on the gradient.
///
/// # Panics
/// If the slices' lengths differ.
pub fn apply(isa: Isa, seed: u64, probability: f32, input: &[f32], output: &mut [f32]) {
    assert_eq!(input.len(), output.len(), "length of output");
    let pieces = input.par_chunks(PIECE).zip(output.par_chunks_mut(PIECE)).enumerate();
    pieces.for_each(|(piece, (input, output))| {
        output.copy_from_slice(input);
        scale_piece(isa, Draw::new(seed, probability, piece), output);
    });
}

/// [`apply`] in place.
pub fn apply_in_place(isa: Isa, seed: u64, probability: f32, values: &mut [f32]) {
    apply_from(isa, seed, probability, 0, values);
}

/// The same for a part of the values, which begins at value `first` of all of them.
pub fn apply_from(isa: Isa, seed: u64, probability: f32, first: usize, values: &mut [f32]) {
    // Pieces begin where those of all values do.
    let (begun, into) = (first / PIECE, first % PIECE);
    let (head, rest) = values.split_at_mut(values.len().min(PIECE - into));
    scale_piece(isa, Draw::new(seed, probability, begun).skip(into), head);
    let pieces = rest.par_chunks_mut(PIECE).enumerate();
    pieces.for_each(|(piece, values)| scale_piece(isa, Draw::new(seed, probability, begun + 1 + piece), values));
}

/// What the factors are drawn from; for a device whose memory the kernels cannot access, too: there the factor of value
/// `i` below 2^32 is 0 where `mix(mix(i ^ keys[0]) ^ keys[1]) >> 8` is less than `threshold`, else `keep`. `mix` goes
/// over [`ROUNDS`] and ends with an exclusive or of its value and that value shifted right by 15.
#[derive(Clone, Copy, Debug)]
pub struct Draw {
    /// One of each half of a hash of the seed.
    pub keys: [u32; 2],
    first: u32,
    /// Out of 2^24, the resolution of f32 probabilities.
    pub threshold: u32,
    /// The factor of what is kept.
    pub keep: f32,
}

/// Shift to the right, exclusive or of both, times the factor: twice.
pub const ROUNDS: [(u32, u32); 2] = [(16, 0x21F0_AAAD), (15, 0x735A_2D97)];

impl Draw {
    /// Of the first 2^32 values.
    pub fn of(seed: u64, probability: f32) -> Self {
        Draw::new(seed, probability, 0)
    }

    fn new(seed: u64, probability: f32, piece: usize) -> Self {
        let first = (piece * PIECE) as u64;
        // Counters have 32 bits; each further 2^32 values have their own keys.
        let keys = hash(hash(seed).wrapping_add(first >> 32));
        Draw {
            keys: [keys as u32, (keys >> 32) as u32],
            first: first as u32,
            threshold: (f64::from(probability) * f64::from(1 << 24)).round() as u32,
            keep: 1.0 / (1.0 - probability),
        }
    }

    /// The same from value `count` of its chunk on.
    fn skip(self, count: usize) -> Self {
        Draw {
            first: self.first + count as u32,
            ..self
        }
    }
}

for_each_isa!(fused scale_piece, scale_body, (draw: Draw, values: &mut [f32]));

#[inline(always)]
fn scale_body<const FUSED: bool>(draw: Draw, values: &mut [f32]) {
    for (i, value) in values.iter_mut().enumerate() {
        let random = mix32(mix32((draw.first + i as u32) ^ draw.keys[0]) ^ draw.keys[1]) >> 8;
        // A product, so that NaN propagates.
        *value *= if random < draw.threshold { 0.0 } else { draw.keep };
    }
}

/// A permutation of the 32-bit integers, the least biased known with two multiplications ("lowbias32", found by
/// Wellons's hash-prospector, 2018; constants improved by TheIronBorn, 2022). Applied twice, with a key before each,
/// it is a small Even-Mansour block cipher; with a single key, the draws of two seeds would be permutations of each
/// other.
#[inline(always)]
fn mix32(mut x: u32) -> u32 {
    for (shift, factor) in ROUNDS {
        x = (x ^ (x >> shift)).wrapping_mul(factor);
    }
    x ^ (x >> 15)
}
