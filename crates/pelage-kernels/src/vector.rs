//! A vector of the instruction set at hand, for the few loops that the compiler does not reliably turn into vectors by
//! itself.
//!
//! Only [`for_each_isa`](crate::isa::for_each_isa) names the types that implement [`Vector`], each in a function
//! compiled for its instruction set and called where the CPU has it; that is what their `unsafe` rests on.

/// Some consecutive numbers, computed with at once.
pub(crate) trait Vector: Copy {
    const LANES: usize;
    /// All the same.
    fn splat(value: f32) -> Self;
    /// The first `LANES` of `from`; panics where there are fewer.
    fn load(from: &[f32]) -> Self;
    /// Into the first `LANES` of `to`; panics where there are fewer.
    fn store(self, to: &mut [f32]);
    fn add(self, other: Self) -> Self;
    /// `self * factor + addend`, fused where the instruction set has it.
    fn multiply_add(self, factor: Self, addend: Self) -> Self;
}

/// The compiler finds a vector for this one where there is one.
impl Vector for [f32; 4] {
    const LANES: usize = 4;
    #[inline(always)]
    fn splat(value: f32) -> Self {
        [value; 4]
    }
    #[inline(always)]
    fn load(from: &[f32]) -> Self {
        [from[0], from[1], from[2], from[3]]
    }
    #[inline(always)]
    fn store(self, to: &mut [f32]) {
        to[..4].copy_from_slice(&self);
    }
    #[inline(always)]
    fn add(self, other: Self) -> Self {
        std::array::from_fn(|i| self[i] + other[i])
    }
    #[inline(always)]
    fn multiply_add(self, factor: Self, addend: Self) -> Self {
        std::array::from_fn(|i| self[i] * factor[i] + addend[i])
    }
}

/// Implements [`Vector`] with the intrinsics for splat, load, store, addition and multiply-add (whose arguments are
/// given in the order that the intrinsic takes them).
macro_rules! vector {
    ($type:ty, $lanes:literal, $splat:path, $load:path, $store:path, $add:path, |$a:ident, $b:ident, $c:ident| $fma:expr) => {
        impl Vector for $type {
            const LANES: usize = $lanes;
            #[inline(always)]
            fn splat(value: f32) -> Self {
                // SAFETY: the CPU has the instruction, see the module's documentation.
                unsafe { $splat(value) }
            }
            #[inline(always)]
            fn load(from: &[f32]) -> Self {
                let from = &from[..$lanes];
                // SAFETY: as above, and `from` has as many numbers as are read.
                unsafe { $load(from.as_ptr()) }
            }
            #[inline(always)]
            fn store(self, to: &mut [f32]) {
                let to = &mut to[..$lanes];
                // SAFETY: as above, and `to` has as many numbers as are written.
                unsafe { $store(to.as_mut_ptr(), self) }
            }
            #[inline(always)]
            fn add(self, other: Self) -> Self {
                // SAFETY: as above.
                unsafe { $add(self, other) }
            }
            #[inline(always)]
            fn multiply_add(self, factor: Self, addend: Self) -> Self {
                let ($a, $b, $c) = (self, factor, addend);
                // SAFETY: as above.
                unsafe { $fma }
            }
        }
    };
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::Vector;
    use std::arch::x86_64::*;

    vector!(
        __m256,
        8,
        _mm256_set1_ps,
        _mm256_loadu_ps,
        _mm256_storeu_ps,
        _mm256_add_ps,
        |a, b, c| _mm256_fmadd_ps(a, b, c)
    );
    vector!(
        __m512,
        16,
        _mm512_set1_ps,
        _mm512_loadu_ps,
        _mm512_storeu_ps,
        _mm512_add_ps,
        |a, b, c| _mm512_fmadd_ps(a, b, c)
    );
}

#[cfg(target_arch = "aarch64")]
mod arm {
    use super::Vector;
    use std::arch::aarch64::*;

    vector!(
        float32x4_t,
        4,
        vdupq_n_f32,
        vld1q_f32,
        vst1q_f32,
        vaddq_f32,
        |a, b, c| vfmaq_f32(c, a, b)
    );
}
