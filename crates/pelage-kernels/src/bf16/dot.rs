//! Dot products of two values of bf16 each, by instruction set.
//!
//! # Safety
//! As in [`crate::vector`]: holding a [`Has<D>`] proves that the CPU has the instructions of `D`, and so does holding
//! what was made from one.

use std::marker::PhantomData;

use crate::convolution::{Activation, activate_piece};
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

/// What computes in bf16: a value can only be made of instructions that this CPU has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Instructions(pub(super) Arm);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Arm {
    /// AVX-512 with BF16: two products and their sums in one instruction.
    #[cfg(target_arch = "x86_64")]
    Avx512,
    Portable,
}

impl Instructions {
    /// Those of this CPU that are made for bf16, if it has them and they go with `isa`.
    pub fn of(isa: Isa) -> Option<Instructions> {
        match isa.0 {
            #[cfg(target_arch = "x86_64")]
            Kind::Avx512 if is_x86_feature_detected!("avx512bf16") && is_x86_feature_detected!("avx512bw") => {
                Some(Instructions(Arm::Avx512))
            }
            _ => None,
        }
    }

    /// The same arithmetic without such instructions, many times slower: for tests.
    pub fn portable() -> Instructions {
        Instructions(Arm::Portable)
    }
}

/// Compiles `$body`, an `#[inline(always)]` generic function, for each [`Arm`], and defines
/// `$name(instructions, arguments)`, which dispatches among them. The sizes are those of register tiles.
macro_rules! for_each_arm {
    (
        $name:ident, $body:ident, [avx512: $($avx512:literal),*; portable: $($portable:literal),*],
        ($($arg:ident: $type:ty),* $(,)?)
    ) => {
        pub(super) fn $name(instructions: $crate::bf16::Instructions, $($arg: $type),*) {
            use $crate::bf16::dot::{Arm, Has, Portable};
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx512f,avx512vl,avx512bw,avx512bf16,avx2,fma")]
            fn avx512($($arg: $type),*) {
                // SAFETY: only called if the CPU has the instructions.
                $body::<$crate::bf16::x86::Avx512, $($avx512),*>(unsafe { Has::new() }, $($arg),*)
            }
            match instructions.0 {
                // SAFETY: an `Arm` of this kind is only made after detecting these features.
                #[cfg(target_arch = "x86_64")]
                Arm::Avx512 => unsafe { avx512($($arg),*) },
                // SAFETY: every CPU has them.
                Arm::Portable => $body::<Portable, $($portable),*>(unsafe { Has::new() }, $($arg),*),
            }
        }
    };
}
pub(super) use for_each_arm;

/// Lanes of a vector of sums.
pub(super) const LANES: usize = 16;

/// The channel that a lane is, of two vectors that [`Dot::interleave`] makes, counted from their first.
pub(super) fn channel(vector: usize, lane: usize) -> usize {
    8 * (lane / 4) + 4 * vector + lane % 4
}

/// A vector of sums, one a lane.
pub(super) trait Dot: Copy {
    /// Two values for each lane.
    type Pairs: Copy;

    /// The instruction set that goes with it.
    fn isa(has: Has<Self>) -> Isa;
    /// # Safety
    /// [`LANES`] numbers must be readable at `from`.
    unsafe fn load_at(has: Has<Self>, from: *const f32) -> Self;
    /// # Safety
    /// [`LANES`] numbers must be writable at `to`.
    unsafe fn store_at(self, to: *mut f32);
    /// The same two values for all lanes.
    ///
    /// # Safety
    /// Two values must be readable at `from`.
    unsafe fn broadcast(has: Has<Self>, from: *const u16) -> Self::Pairs;
    /// # Safety
    /// Two values for each lane must be readable at `from`.
    unsafe fn pairs(has: Has<Self>, from: *const u16) -> Self::Pairs;
    /// One value of each of two rows, for two vectors of channels in the order of [`channel`], of which there are
    /// `count`; the others are 0.
    ///
    /// # Safety
    /// `count` values, at most two for each lane, must be readable at each of `rows`.
    unsafe fn interleave(has: Has<Self>, rows: [*const u16; 2], count: usize) -> [Self::Pairs; 2];
    /// The second values.
    fn second(pairs: Self::Pairs) -> Self;
    /// The second values times the second weights and `self`, rounded; then the same of the first ones.
    fn add_dot(self, values: Self::Pairs, weights: Self::Pairs) -> Self;
    fn add(self, other: Self) -> Self;
    /// Within `low` and `high`; NaN propagates.
    fn clamp(self, low: f32, high: f32) -> Self;
    /// The first `count` numbers at `from`; the others are 0.
    ///
    /// # Safety
    /// `count` values must be readable at `from`.
    unsafe fn widen_at(has: Has<Self>, from: *const u16, count: usize) -> Self;
    /// Writes the first `count` lanes.
    ///
    /// # Safety
    /// `count` values must be writable at `to`.
    unsafe fn narrow_at(self, to: *mut u16, count: usize);
    /// Writes the first `count` lanes of two vectors, one after the other or, if `IN_CHANNELS`, in the order of
    /// [`channel`].
    ///
    /// # Safety
    /// `count` values must be writable at `to`.
    unsafe fn narrow_two_at<const IN_CHANNELS: bool>(both: [Self; 2], to: *mut u16, count: usize);
}

/// The activation of `P` pixels of `N` vectors.
///
/// Loops, not `map`: the compiler might not inline closures into a function compiled for an instruction set.
#[inline(always)]
pub(super) fn activated<D: Dot, const N: usize, const P: usize>(
    has: Has<D>,
    mut sums: [[D; N]; P],
    activation: Activation,
) -> [[D; N]; P] {
    if let Some([low, high]) = activation.limits() {
        for p in 0..P {
            for n in 0..N {
                sums[p][n] = sums[p][n].clamp(low, high);
            }
        }
        return sums;
    }
    let mut spread = [[[0.0; LANES]; N]; P];
    // SAFETY: there is room for each vector.
    unsafe {
        for p in 0..P {
            for n in 0..N {
                sums[p][n].store_at(spread[p][n].as_mut_ptr());
            }
        }
        // A function of its own: here the compiler would not inline its closures.
        activate_piece(D::isa(has), activation, spread.as_flattened_mut().as_flattened_mut());
        for p in 0..P {
            for n in 0..N {
                sums[p][n] = D::load_at(has, spread[p][n].as_ptr());
            }
        }
    }
    sums
}

/// Writes the `valid` first values of each of `P` pixels, which are `stride` values apart.
///
/// # Safety
/// So many must be writable at `to`.
#[inline(always)]
pub(super) unsafe fn store<D: Dot, const N: usize, const P: usize, const IN_CHANNELS: bool>(
    sums: [[D; N]; P],
    to: *mut u16,
    stride: usize,
    valid: usize,
) {
    // SAFETY: guaranteed by the caller.
    unsafe {
        for p in 0..P {
            let to = to.add(p * stride);
            if N == 1 {
                sums[p][0].narrow_at(to, valid.min(LANES));
            }
            for n in 0..N / 2 {
                let left = valid.saturating_sub(2 * n * LANES).min(2 * LANES);
                D::narrow_two_at::<IN_CHANNELS>([sums[p][2 * n], sums[p][2 * n + 1]], to.add(2 * n * LANES), left);
            }
        }
    }
}

/// The nearest value (of two as near, the even one); NaN stays NaN.
#[inline(always)]
pub(super) fn nearest(number: f32) -> u16 {
    let bits = number.to_bits();
    let rounded = bits.wrapping_add(0x7fff + (bits >> 16 & 1)) >> 16;
    let is_nan = bits & 0x7fff_ffff > 0x7f80_0000;
    (if is_nan { bits >> 16 | 0x40 } else { rounded }) as u16
}

/// The number that a value is.
#[inline(always)]
pub(super) fn number(value: u16) -> f32 {
    f32::from_bits(u32::from(value) << 16)
}

/// Plain Rust, which specifies the other.
#[derive(Clone, Copy)]
pub(super) struct Portable([f32; LANES]);

impl Dot for Portable {
    type Pairs = [[f32; 2]; LANES];

    fn isa(_: Has<Self>) -> Isa {
        Isa::best()
    }
    unsafe fn load_at(_: Has<Self>, from: *const f32) -> Self {
        // SAFETY: guaranteed by the caller, here and below; an array has the alignment of its elements.
        Portable(unsafe { *from.cast() })
    }
    unsafe fn store_at(self, to: *mut f32) {
        // SAFETY: as above.
        unsafe { *to.cast() = self.0 }
    }
    unsafe fn broadcast(_: Has<Self>, from: *const u16) -> Self::Pairs {
        // SAFETY: as above.
        let values: [u16; 2] = unsafe { *from.cast() };
        [values.map(number); LANES]
    }
    unsafe fn pairs(_: Has<Self>, from: *const u16) -> Self::Pairs {
        // SAFETY: as above.
        let values: [[u16; 2]; LANES] = unsafe { *from.cast() };
        values.map(|pair| pair.map(number))
    }
    unsafe fn interleave(_: Has<Self>, rows: [*const u16; 2], count: usize) -> [Self::Pairs; 2] {
        let value = |row: *const u16, channel: usize| match channel < count {
            // SAFETY: as above.
            true => number(unsafe { *row.add(channel) }),
            false => 0.0,
        };
        let pairs = |vector| std::array::from_fn(|lane| rows.map(|row| value(row, channel(vector, lane))));
        [pairs(0), pairs(1)]
    }
    fn second(pairs: Self::Pairs) -> Self {
        Portable(pairs.map(|pair| pair[1]))
    }
    fn add_dot(self, values: Self::Pairs, weights: Self::Pairs) -> Self {
        Portable(std::array::from_fn(|lane| {
            let ([a, b], [v, w]) = (values[lane], weights[lane]);
            (self.0[lane] + b * w) + a * v
        }))
    }
    fn add(self, other: Self) -> Self {
        Portable(std::array::from_fn(|lane| self.0[lane] + other.0[lane]))
    }
    fn clamp(self, low: f32, high: f32) -> Self {
        Portable(self.0.map(|x| {
            let x = if low > x { low } else { x };
            if high < x { high } else { x }
        }))
    }
    unsafe fn widen_at(_: Has<Self>, from: *const u16, count: usize) -> Self {
        Portable(std::array::from_fn(|lane| match lane < count {
            // SAFETY: as above.
            true => number(unsafe { *from.add(lane) }),
            false => 0.0,
        }))
    }
    unsafe fn narrow_at(self, to: *mut u16, count: usize) {
        for (lane, sum) in self.0.into_iter().enumerate().take(count) {
            // SAFETY: as above.
            unsafe { *to.add(lane) = nearest(sum) };
        }
    }
    unsafe fn narrow_two_at<const IN_CHANNELS: bool>(both: [Self; 2], to: *mut u16, count: usize) {
        for (vector, sums) in both.iter().enumerate() {
            for (lane, sum) in sums.0.into_iter().enumerate() {
                let at = if IN_CHANNELS {
                    channel(vector, lane)
                } else {
                    vector * LANES + lane
                };
                if at < count {
                    // SAFETY: as above.
                    unsafe { *to.add(at) = nearest(sum) };
                }
            }
        }
    }
}
