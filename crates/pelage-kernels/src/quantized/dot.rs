//! Dot products of four bytes each, by instruction set, exact in all of them: sums are integers, and what follows them
//! is the same arithmetic in the same order.
//!
//! # Safety
//! As in [`crate::vector`]: holding a [`Has<D>`] proves that the CPU has the instructions of `D`, and so does holding
//! what was made from one.

use std::marker::PhantomData;

use crate::isa::{Isa, Kind};

/// Proof that this CPU has the instructions of `D`.
#[derive(Clone, Copy)]
pub(super) struct Has<D>(PhantomData<D>);

impl<D: Dot> Has<D> {
    /// # Safety
    /// The CPU must have the instructions of `D`.
    #[inline(always)]
    pub(super) unsafe fn new() -> Self {
        Has(PhantomData)
    }
}

/// Which instructions compute dot products.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Arm {
    /// AVX-512 with VNNI: four products and their sum in one instruction.
    #[cfg(target_arch = "x86_64")]
    Vnni,
    /// Products of 16 bits: the instruction for bytes saturates.
    #[cfg(target_arch = "x86_64")]
    Avx2,
    Portable,
}

impl Arm {
    /// The one that goes with `isa` on this CPU.
    pub(super) fn of(isa: Isa) -> Arm {
        match isa.0 {
            #[cfg(target_arch = "x86_64")]
            Kind::Avx512 if has_vnni() => Arm::Vnni,
            // Whoever has AVX-512 has AVX2; asked all the same, since an `Isa` of that kind does not prove it.
            #[cfg(target_arch = "x86_64")]
            Kind::Avx512 if !is_x86_feature_detected!("avx2") => Arm::Portable,
            #[cfg(target_arch = "x86_64")]
            Kind::Avx512 | Kind::Avx2 => Arm::Avx2,
            #[cfg(target_arch = "aarch64")]
            Kind::Neon => Arm::Portable,
            #[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
            Kind::Simd128 => Arm::Portable,
            #[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
            Kind::Portable => Arm::Portable,
        }
    }

    /// Lanes of a vector.
    pub(super) fn lanes(self) -> usize {
        match self {
            #[cfg(target_arch = "x86_64")]
            Arm::Vnni => super::x86::Vnni::LANES,
            #[cfg(target_arch = "x86_64")]
            Arm::Avx2 => super::x86::Avx2::LANES,
            Arm::Portable => Portable::LANES,
        }
    }

    /// Vectors of the widest tile.
    pub(super) fn widest(self) -> usize {
        match self {
            #[cfg(target_arch = "x86_64")]
            Arm::Vnni => super::x86::Vnni::WIDEST,
            #[cfg(target_arch = "x86_64")]
            Arm::Avx2 => super::x86::Avx2::WIDEST,
            Arm::Portable => Portable::WIDEST,
        }
    }
}

#[cfg(target_arch = "x86_64")]
fn has_vnni() -> bool {
    is_x86_feature_detected!("avx512vnni") && is_x86_feature_detected!("avx512bw")
}

/// Compiles `$body`, an `#[inline(always)]` generic function, for each [`Arm`], and defines `$name(arm, arguments)`,
/// which dispatches among them. The sizes are those of register tiles.
macro_rules! for_each_arm {
    (
        $name:ident, $body:ident,
        [vnni: $($vnni:literal),*; avx2: $($avx2:literal),*; portable: $($portable:literal),*],
        ($($arg:ident: $type:ty),* $(,)?)
    ) => {
        pub(super) fn $name(arm: $crate::quantized::dot::Arm, $($arg: $type),*) {
            use $crate::quantized::dot::{Arm, Has, Portable};
            #[cfg(target_arch = "x86_64")]
            use $crate::quantized::x86::{Avx2, Vnni};
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx512f,avx512vl,avx512bw,avx512vnni,avx2,fma")]
            fn vnni($($arg: $type),*) {
                // SAFETY: only called if the CPU has the instructions.
                $body::<Vnni, $($vnni),*>(unsafe { Has::new() }, $($arg),*)
            }
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2,fma")]
            fn avx2($($arg: $type),*) {
                // SAFETY: as above.
                $body::<Avx2, $($avx2),*>(unsafe { Has::new() }, $($arg),*)
            }
            match arm {
                // SAFETY: an `Arm` of this kind is only made after detecting these features.
                #[cfg(target_arch = "x86_64")]
                Arm::Vnni => unsafe { vnni($($arg),*) },
                // SAFETY: as above.
                #[cfg(target_arch = "x86_64")]
                Arm::Avx2 => unsafe { avx2($($arg),*) },
                // SAFETY: every CPU has them.
                Arm::Portable => $body::<Portable, $($portable),*>(unsafe { Has::new() }, $($arg),*),
            }
        }
    };
}
pub(super) use for_each_arm;

/// The channel that a lane of a vector of a tile of `vectors` is, counted from the first of the tile: the order in
/// which narrowing the vectors to bytes leaves the bytes in order.
pub(super) fn channel(vectors: usize, vector: usize, lane: usize) -> usize {
    4 * vectors * (lane / 4) + 4 * vector + lane % 4
}

/// How sums become bytes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Rescale {
    /// The byte that means 0.
    pub(super) zero: u8,
    /// The least and the greatest byte.
    pub(super) limits: [u8; 2],
    /// The byte that means 0 among those that are added, and what they are multiplied by.
    pub(super) residual: Option<(u8, f32)>,
}

/// A vector of sums, one a lane.
pub(super) trait Dot: Copy {
    const LANES: usize;
    /// Vectors of the widest tile: 4 or 2.
    const WIDEST: usize;
    /// Four bytes for each lane, made ready.
    type Values: Copy;
    type Weights: Copy;

    /// # Safety
    /// [`Self::LANES`] sums must be readable at `from`.
    unsafe fn load_at(has: Has<Self>, from: *const i32) -> Self;
    /// The same four values for all lanes.
    ///
    /// # Safety
    /// Four values must be readable at `from`.
    unsafe fn broadcast(has: Has<Self>, from: *const u8) -> Self::Values;
    /// # Safety
    /// Four weights for each lane must be readable at `from`.
    unsafe fn weights(has: Has<Self>, from: *const i8) -> Self::Weights;
    /// One value of each of four rows, for `N` vectors of channels in the order of [`channel`].
    ///
    /// # Safety
    /// N vectors' lanes of bytes must be readable at each of `rows`.
    unsafe fn interleave<const N: usize>(has: Has<Self>, rows: [*const u8; 4]) -> [Self::Values; N];
    /// `self` and the products of the four values with the four weights.
    fn add_dot(self, values: Self::Values, weights: Self::Weights) -> Self;
    /// Writes the bytes of `N` vectors of sums: each times its multiplier, plus the residual, rounded to the nearest
    /// (halves to even), plus the zero, within the limits.
    ///
    /// # Safety
    /// N vectors' lanes of multipliers, of bytes at `residual` if there is one, and of room at `to` must be there.
    unsafe fn finish<const N: usize>(
        sums: [Self; N],
        multipliers: *const f32,
        rescale: &Rescale,
        residual: Option<*const u8>,
        to: *mut u8,
    );
}

/// Plain Rust, which specifies the others.
#[derive(Clone, Copy)]
pub(super) struct Portable([i32; 8]);

impl Dot for Portable {
    const LANES: usize = 8;
    const WIDEST: usize = 2;
    type Values = [[i32; 8]; 4];
    type Weights = [[i32; 8]; 4];

    #[inline(always)]
    unsafe fn load_at(_: Has<Self>, from: *const i32) -> Self {
        // SAFETY: guaranteed by the caller; an array has the alignment of its elements.
        Portable(unsafe { *from.cast() })
    }
    #[inline(always)]
    unsafe fn broadcast(_: Has<Self>, from: *const u8) -> Self::Values {
        // SAFETY: as above.
        let values: [u8; 4] = unsafe { *from.cast() };
        values.map(|value| [value.into(); 8])
    }
    #[inline(always)]
    unsafe fn weights(_: Has<Self>, from: *const i8) -> Self::Weights {
        // SAFETY: as above.
        let weights: [[i8; 4]; 8] = unsafe { *from.cast() };
        std::array::from_fn(|k| std::array::from_fn(|lane| weights[lane][k].into()))
    }
    #[inline(always)]
    unsafe fn interleave<const N: usize>(_: Has<Self>, rows: [*const u8; 4]) -> [Self::Values; N] {
        std::array::from_fn(|vector| {
            // SAFETY: a channel is below N * LANES, and the caller guarantees so many bytes.
            rows.map(|row| std::array::from_fn(|lane| unsafe { *row.add(channel(N, vector, lane)) }.into()))
        })
    }
    #[inline(always)]
    fn add_dot(self, values: Self::Values, weights: Self::Weights) -> Self {
        let mut sums = self.0;
        for (values, weights) in values.iter().zip(&weights) {
            for lane in 0..8 {
                sums[lane] += values[lane] * weights[lane];
            }
        }
        Portable(sums)
    }
    #[inline(always)]
    unsafe fn finish<const N: usize>(
        sums: [Self; N],
        multipliers: *const f32,
        rescale: &Rescale,
        residual: Option<*const u8>,
        to: *mut u8,
    ) {
        /// Adding 1.5 * 2^23 leaves an integer in the low bits, rounded to the nearest.
        const ROUND: f32 = 12_582_912.0;
        let [low, high] = rescale.limits.map(i32::from);
        for (vector, sums) in sums.iter().enumerate() {
            for (lane, sum) in sums.0.iter().enumerate() {
                let channel = channel(N, vector, lane);
                // SAFETY: guaranteed by the caller.
                let mut value = *sum as f32 * unsafe { *multipliers.add(vector * 8 + lane) };
                if let (Some(residual), Some((zero, factor))) = (residual, rescale.residual) {
                    // SAFETY: as above.
                    let added = i32::from(unsafe { *residual.add(channel) }) - i32::from(zero);
                    value += added as f32 * factor;
                }
                // What is out of this range is out of the limits.
                let rounded = value.clamp(-40_000.0, 40_000.0) + ROUND;
                let whole = rounded.to_bits() as i32 - ROUND.to_bits() as i32;
                let byte = (whole + i32::from(rescale.zero)).clamp(low, high);
                // SAFETY: as above.
                unsafe { *to.add(channel) = byte as u8 };
            }
        }
    }
}
