//! Vectors of one instruction set, for loops whose sums have to stay in registers.
//!
//! # Safety
//! Holding a value is the proof. A [`Simd<V>`] exists only if the CPU has the instruction set of `V`: only
//! [`for_each_isa`](crate::isa::for_each_isa) makes one, from an [`Isa`](crate::isa::Isa), which has been checked.
//! A vector is made from a `Simd` or from other vectors, and its register is private to this module, so it proves the
//! same. Hence arithmetic is safe, and so are loads from and stores to slices, which check the length. Those on
//! pointers, for loops where one check covers many accesses, are `unsafe`: the caller guarantees valid memory, and
//! nothing else.
//!
//! All functions are inlined into their caller. In a caller that is not compiled for the instruction set they would be
//! slow, not wrong: the intrinsics would be calls, and Rust passes vectors to calls through memory.

use std::marker::PhantomData;
use std::mem::MaybeUninit;

/// Proof that this CPU has the instruction set of `V`.
#[derive(Clone, Copy)]
pub(crate) struct Simd<V>(PhantomData<V>);

impl<V: Vector> Simd<V> {
    /// # Safety
    /// The CPU must have the instruction set of `V`.
    #[inline(always)]
    pub(crate) unsafe fn new() -> Self {
        Simd(PhantomData)
    }
}

/// A vector register of [`Self::LANES`] values.
pub(crate) trait Vector: Copy {
    /// Values per vector.
    const LANES: usize;
    /// Whether `multiply_add` rounds once.
    const FUSED: bool;

    /// A vector with `value` in all lanes.
    fn splat(simd: Simd<Self>, value: f32) -> Self;
    /// # Safety
    /// [`Self::LANES`] values must be readable at `from`.
    unsafe fn load_at(simd: Simd<Self>, from: *const f32) -> Self;
    /// # Safety
    /// [`Self::LANES`] values must be writable at `to`.
    unsafe fn store_at(self, to: *mut f32);
    /// `self + other`.
    fn add(self, other: Self) -> Self;
    /// `self - other`.
    fn sub(self, other: Self) -> Self;
    /// `a * b + self`, fused where the instruction set has it.
    fn multiply_add(self, a: Self, b: Self) -> Self;
    /// `self` clamped to `low` and `high`; NaN propagates.
    fn clamp(self, low: Self, high: Self) -> Self;
    /// `self` in lanes whose byte is `byte`, else 0; panics if there are fewer bytes than lanes.
    fn where_equal(self, bytes: &[u8], byte: u8) -> Self;

    /// Loads the first values of `from`; panics if there are too few.
    #[inline(always)]
    fn load(simd: Simd<Self>, from: &[f32]) -> Self {
        let from = &from[..Self::LANES];
        // SAFETY: `from` has enough values.
        unsafe { Self::load_at(simd, from.as_ptr()) }
    }
    /// Stores to the first values of `to`; panics if there are too few.
    #[inline(always)]
    fn store(self, to: &mut [f32]) {
        let to = &mut to[..Self::LANES];
        // SAFETY: `to` has enough values.
        unsafe { self.store_at(to.as_mut_ptr()) }
    }
    /// Like [`Self::store`], to possibly uninitialized memory.
    #[inline(always)]
    fn write(self, to: &mut [MaybeUninit<f32>]) {
        let to = &mut to[..Self::LANES];
        // SAFETY: `to` has room for enough values.
        unsafe { self.store_at(to.as_mut_ptr().cast()) }
    }
}

/// Plain Rust, which specifies the others; the compiler vectorizes it where it can.
#[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
#[derive(Clone, Copy)]
pub(crate) struct Portable([f32; 4]);

#[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
impl Vector for Portable {
    const LANES: usize = 4;
    const FUSED: bool = false;
    #[inline(always)]
    fn splat(_: Simd<Self>, value: f32) -> Self {
        Portable([value; 4])
    }
    #[inline(always)]
    unsafe fn load_at(_: Simd<Self>, from: *const f32) -> Self {
        // SAFETY: guaranteed by the caller; an array has the alignment of its elements.
        Portable(unsafe { *from.cast() })
    }
    #[inline(always)]
    unsafe fn store_at(self, to: *mut f32) {
        // SAFETY: as above.
        unsafe { *to.cast() = self.0 }
    }
    #[inline(always)]
    fn add(self, other: Self) -> Self {
        Portable(std::array::from_fn(|i| self.0[i] + other.0[i]))
    }
    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        Portable(std::array::from_fn(|i| self.0[i] - other.0[i]))
    }
    #[inline(always)]
    fn multiply_add(self, a: Self, b: Self) -> Self {
        Portable(std::array::from_fn(|i| a.0[i] * b.0[i] + self.0[i]))
    }
    #[inline(always)]
    fn clamp(self, low: Self, high: Self) -> Self {
        Portable(std::array::from_fn(|i| {
            let x = if low.0[i] > self.0[i] { low.0[i] } else { self.0[i] };
            if high.0[i] < x { high.0[i] } else { x }
        }))
    }
    #[inline(always)]
    fn where_equal(self, bytes: &[u8], byte: u8) -> Self {
        let bytes = &bytes[..Self::LANES];
        Portable(std::array::from_fn(|i| if bytes[i] == byte { self.0[i] } else { 0.0 }))
    }
}

/// Defines the vector `$name` by an instruction set's intrinsics; multiply-add and comparison are expressions, since
/// their form differs between instruction sets.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64", target_arch = "wasm32"))]
macro_rules! vector {
    (
        $name:ident, $register:ty, $lanes:literal, fused: $fused:literal,
        $splat:ident, $load:ident, $store:ident, $add:ident, $sub:ident, $max:ident, $min:ident,
        multiply_add: |$sum:ident, $a:ident, $b:ident| $multiply_add:expr,
        where_equal: |$values:ident, $bytes:ident, $byte:ident| $where_equal:expr $(,)?
    ) => {
        #[derive(Clone, Copy)]
        pub(crate) struct $name($register);

        // In all of them, `simd` or `self` proves that the CPU has the instructions.
        #[allow(
            unused_unsafe,
            reason = "intrinsics are safe where the instruction set is always available"
        )]
        impl Vector for $name {
            const LANES: usize = $lanes;
            const FUSED: bool = $fused;
            #[inline(always)]
            fn splat(_: Simd<Self>, value: f32) -> Self {
                // SAFETY: the CPU has the instruction.
                $name(unsafe { $splat(value) })
            }
            #[inline(always)]
            unsafe fn load_at(_: Simd<Self>, from: *const f32) -> Self {
                // SAFETY: the CPU has the instruction, and the caller guarantees the values.
                $name(unsafe { $load(from) })
            }
            #[inline(always)]
            unsafe fn store_at(self, to: *mut f32) {
                // SAFETY: as above.
                unsafe { $store(to, self.0) }
            }
            #[inline(always)]
            fn add(self, other: Self) -> Self {
                // SAFETY: the CPU has the instruction.
                $name(unsafe { $add(self.0, other.0) })
            }
            #[inline(always)]
            fn sub(self, other: Self) -> Self {
                // SAFETY: the CPU has the instruction.
                $name(unsafe { $sub(self.0, other.0) })
            }
            #[inline(always)]
            fn multiply_add(self, a: Self, b: Self) -> Self {
                let ($sum, $a, $b) = (self.0, a.0, b.0);
                // SAFETY: the CPU has the instruction.
                $name(unsafe { $multiply_add })
            }
            #[inline(always)]
            fn clamp(self, low: Self, high: Self) -> Self {
                // SAFETY: the CPU has the instructions. They return their second operand if either is NaN.
                $name(unsafe { $min(high.0, $max(low.0, self.0)) })
            }
            #[inline(always)]
            fn where_equal(self, bytes: &[u8], $byte: u8) -> Self {
                let ($values, $bytes) = (self.0, bytes[..$lanes].as_ptr());
                // SAFETY: the CPU has the instructions, and there is a byte for each lane.
                $name(unsafe { $where_equal })
            }
        }
    };
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::{Simd, Vector};
    use std::arch::x86_64::*;

    vector!(
        Avx2, __m256, 8, fused: true,
        _mm256_set1_ps, _mm256_loadu_ps, _mm256_storeu_ps, _mm256_add_ps, _mm256_sub_ps, _mm256_max_ps, _mm256_min_ps,
        multiply_add: |sum, a, b| _mm256_fmadd_ps(a, b, sum),
        where_equal: |values, bytes, byte| {
            let bytes = _mm256_cvtepu8_epi32(_mm_loadl_epi64(bytes.cast()));
            let equal = _mm256_cmpeq_epi32(bytes, _mm256_set1_epi32(byte.into()));
            _mm256_and_ps(values, _mm256_castsi256_ps(equal))
        },
    );
    vector!(
        Avx512, __m512, 16, fused: true,
        _mm512_set1_ps, _mm512_loadu_ps, _mm512_storeu_ps, _mm512_add_ps, _mm512_sub_ps, _mm512_max_ps, _mm512_min_ps,
        multiply_add: |sum, a, b| _mm512_fmadd_ps(a, b, sum),
        where_equal: |values, bytes, byte| {
            let bytes = _mm512_cvtepu8_epi32(_mm_loadu_si128(bytes.cast()));
            let equal = _mm512_cmpeq_epi32_mask(bytes, _mm512_set1_epi32(byte.into()));
            _mm512_maskz_mov_ps(equal, values)
        },
    );
}
#[cfg(target_arch = "x86_64")]
pub(crate) use x86::{Avx2, Avx512};

#[cfg(target_arch = "aarch64")]
mod arm {
    use super::{Simd, Vector};
    use std::arch::aarch64::*;

    vector!(
        Neon, float32x4_t, 4, fused: true,
        vdupq_n_f32, vld1q_f32, vst1q_f32, vaddq_f32, vsubq_f32, vmaxq_f32, vminq_f32,
        multiply_add: |sum, a, b| vfmaq_f32(sum, a, b),
        where_equal: |values, bytes, byte| {
            let bytes: [u8; 4] = *bytes.cast();
            let bytes = vld1q_u32(bytes.map(u32::from).as_ptr());
            let equal = vceqq_u32(bytes, vdupq_n_u32(byte.into()));
            vreinterpretq_f32_u32(vandq_u32(vreinterpretq_u32_f32(values), equal))
        },
    );
}
#[cfg(target_arch = "aarch64")]
pub(crate) use arm::Neon;

#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
mod web {
    use super::{Simd, Vector};
    use std::arch::wasm32::*;

    // Scalars know no fused multiply-add, and what the relaxed one of vectors does is up to the engine.
    vector!(
        Simd128, v128, 4, fused: false,
        f32x4_splat, load, store, f32x4_add, f32x4_sub, maximum, minimum,
        multiply_add: |sum, a, b| multiply_add(sum, a, b),
        where_equal: |values, bytes, byte| {
            let bytes: [u8; 4] = *bytes.cast();
            let [a, b, c, d] = bytes.map(u32::from);
            v128_and(values, u32x4_eq(u32x4(a, b, c, d), u32x4_splat(byte.into())))
        },
    );

    /// # Safety
    /// Four values must be readable at `from`.
    #[inline(always)]
    unsafe fn load(from: *const f32) -> v128 {
        // SAFETY: guaranteed by the caller; no alignment is needed.
        unsafe { v128_load(from.cast()) }
    }

    /// # Safety
    /// Four values must be writable at `to`.
    #[inline(always)]
    unsafe fn store(to: *mut f32, values: v128) {
        // SAFETY: as above.
        unsafe { v128_store(to.cast(), values) }
    }

    #[inline(always)]
    fn multiply_add(sum: v128, a: v128, b: v128) -> v128 {
        #[cfg(target_feature = "relaxed-simd")]
        return f32x4_relaxed_madd(a, b, sum);
        #[cfg(not(target_feature = "relaxed-simd"))]
        f32x4_add(sum, f32x4_mul(a, b))
    }

    // One instruction each on x86, and the second operand where either is NaN, as the macro wants it.
    #[inline(always)]
    fn maximum(low: v128, values: v128) -> v128 {
        f32x4_pmax(values, low)
    }
    #[inline(always)]
    fn minimum(high: v128, values: v128) -> v128 {
        f32x4_pmin(values, high)
    }
}
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
pub(crate) use web::Simd128;

#[cfg(test)]
mod tests {
    use super::{Simd, Vector};
    use crate::isa::{Isa, for_each_isa};

    for_each_isa!(vectors check, check_body, (lanes: usize));

    fn check_body<V: Vector>(simd: Simd<V>, lanes: usize) {
        assert_eq!(V::LANES, lanes);
        // Small integers, so that rounding once or twice makes no difference.
        let numbers = |from: f32| -> Vec<f32> { (0..lanes).map(|i| from + i as f32).collect() };
        let (mut a, b, c) = (numbers(-3.0), numbers(5.0), numbers(2.0));
        a[1] = f32::NAN;
        let bytes: Vec<u8> = (0..lanes as u8).map(|i| i % 3).collect();
        let is = |result: V, truth: &dyn Fn(usize) -> f32| {
            let mut values = vec![0.0; lanes];
            result.store(&mut values);
            for (i, value) in values.into_iter().enumerate() {
                assert!(
                    value == truth(i) || value.is_nan() && truth(i).is_nan(),
                    "lane {i}: {value}"
                );
            }
        };
        let [x, y, z] = [&a, &b, &c].map(|values| V::load(simd, values));
        is(V::splat(simd, 7.0), &|_| 7.0);
        is(x.add(y), &|i| a[i] + b[i]);
        is(y.sub(z), &|i| b[i] - c[i]);
        is(x.multiply_add(y, z), &|i| b[i] * c[i] + a[i]);
        is(x.clamp(V::splat(simd, -2.0), V::splat(simd, 0.0)), &|i| {
            a[i].clamp(-2.0, 0.0)
        });
        is(y.where_equal(&bytes, 1), &|i| if bytes[i] == 1 { b[i] } else { 0.0 });
    }

    #[test]
    fn operations_equal_their_definitions() {
        for isa in Isa::available() {
            check(isa, isa.lanes());
        }
    }
}
