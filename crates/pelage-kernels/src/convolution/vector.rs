//! Vectors of numbers, one type for each instruction set, so that sums surely stay in registers.

/// A vector register. All functions are compiled into their caller, which has to be compiled for the instruction set.
pub(crate) trait Vector: Copy {
    /// Numbers in it.
    const LANES: usize;
    /// Whether `multiply_add` rounds once.
    const FUSED: bool;

    /// All lanes `x`.
    ///
    /// # Safety
    /// The CPU has the instruction set; so for all functions here.
    unsafe fn splat(x: f32) -> Self;
    /// # Safety
    /// [`Self::LANES`] numbers may be read at `from`.
    unsafe fn load(from: *const f32) -> Self;
    /// # Safety
    /// [`Self::LANES`] numbers may be written at `to`.
    unsafe fn store(self, to: *mut f32);
    /// `self + other`.
    ///
    /// # Safety
    /// As for [`Self::splat`].
    unsafe fn add(self, other: Self) -> Self;
    /// `self - other`.
    ///
    /// # Safety
    /// As for [`Self::splat`].
    unsafe fn sub(self, other: Self) -> Self;
    /// `a * b + self`.
    ///
    /// # Safety
    /// As for [`Self::splat`].
    unsafe fn multiply_add(self, a: Self, b: Self) -> Self;
    /// `self` where the byte of the lane is `byte`, else 0.
    ///
    /// # Safety
    /// As for [`Self::splat`], and [`Self::LANES`] bytes may be read at `bytes`.
    unsafe fn where_equal(self, bytes: *const u8, byte: u8) -> Self;
    /// `self` between `low` and `high`; a NaN stays one.
    ///
    /// # Safety
    /// As for [`Self::splat`].
    unsafe fn clamp(self, low: Self, high: Self) -> Self;
}

/// Plain Rust, the specification of the others.
#[derive(Clone, Copy)]
pub(crate) struct Portable([f32; 4]);

impl Vector for Portable {
    const LANES: usize = 4;
    const FUSED: bool = false;
    #[inline(always)]
    unsafe fn splat(x: f32) -> Self {
        Portable([x; 4])
    }
    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // SAFETY: the caller's promise; an array of numbers needs no more than their alignment.
        Portable(unsafe { *from.cast() })
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        // SAFETY: the caller's promise.
        unsafe { *to.cast() = self.0 }
    }
    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        Portable(std::array::from_fn(|i| self.0[i] + other.0[i]))
    }
    #[inline(always)]
    unsafe fn sub(self, other: Self) -> Self {
        Portable(std::array::from_fn(|i| self.0[i] - other.0[i]))
    }
    #[inline(always)]
    unsafe fn multiply_add(self, a: Self, b: Self) -> Self {
        Portable(std::array::from_fn(|i| a.0[i] * b.0[i] + self.0[i]))
    }
    #[inline(always)]
    unsafe fn where_equal(self, bytes: *const u8, byte: u8) -> Self {
        // SAFETY: the caller's promise.
        let bytes: [u8; 4] = unsafe { *bytes.cast() };
        Portable(std::array::from_fn(|i| if bytes[i] == byte { self.0[i] } else { 0.0 }))
    }
    #[inline(always)]
    unsafe fn clamp(self, low: Self, high: Self) -> Self {
        Portable(std::array::from_fn(|i| {
            let x = if low.0[i] > self.0[i] { low.0[i] } else { self.0[i] };
            if high.0[i] < x { high.0[i] } else { x }
        }))
    }
}

/// A fused multiply-add, its addend the last or the first operand.
macro_rules! fused {
    ($name:ident last; $sum:expr, $a:expr, $b:expr) => {
        $name($a, $b, $sum)
    };
    ($name:ident first; $sum:expr, $a:expr, $b:expr) => {
        $name($sum, $a, $b)
    };
}

/// Makes `$name` of the intrinsics of an instruction set.
macro_rules! vector {
    ($name:ident, $register:ty, $lanes:literal, $splat:ident, $load:ident, $store:ident, $add:ident, $sub:ident,
        $max:ident, $min:ident, $where_equal:ident, ($($fused:tt)*)) => {
        #[derive(Clone, Copy)]
        pub(crate) struct $name($register);

        #[allow(unused_unsafe, reason = "where the instruction set is always there, its intrinsics are safe")]
        impl Vector for $name {
            const LANES: usize = $lanes;
            const FUSED: bool = true;
            #[inline(always)]
            unsafe fn splat(x: f32) -> Self {
                // SAFETY: the CPU has the instruction set, by the caller's promise; so below.
                $name(unsafe { $splat(x) })
            }
            #[inline(always)]
            unsafe fn load(from: *const f32) -> Self {
                // SAFETY: as above, and so many numbers may be read.
                $name(unsafe { $load(from) })
            }
            #[inline(always)]
            unsafe fn store(self, to: *mut f32) {
                // SAFETY: as above, and so many numbers may be written.
                unsafe { $store(to, self.0) }
            }
            #[inline(always)]
            unsafe fn add(self, other: Self) -> Self {
                // SAFETY: as above.
                $name(unsafe { $add(self.0, other.0) })
            }
            #[inline(always)]
            unsafe fn sub(self, other: Self) -> Self {
                // SAFETY: as above.
                $name(unsafe { $sub(self.0, other.0) })
            }
            #[inline(always)]
            unsafe fn multiply_add(self, a: Self, b: Self) -> Self {
                // SAFETY: as above.
                $name(unsafe { fused!($($fused)*; self.0, a.0, b.0) })
            }
            #[inline(always)]
            unsafe fn where_equal(self, bytes: *const u8, byte: u8) -> Self {
                // SAFETY: as above, and so many bytes may be read.
                $name(unsafe { $where_equal(self.0, bytes, byte) })
            }
            #[inline(always)]
            unsafe fn clamp(self, low: Self, high: Self) -> Self {
                // SAFETY: as above. The instructions give their second operand where either is a NaN.
                $name(unsafe { $min(high.0, $max(low.0, self.0)) })
            }
        }
    };
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::Vector;
    use std::arch::x86_64::*;

    /// # Safety
    /// That of [`Vector::where_equal`]; so below.
    #[inline(always)]
    unsafe fn where_equal_avx2(values: __m256, bytes: *const u8, byte: u8) -> __m256 {
        // SAFETY: the caller's promise.
        unsafe {
            let bytes = _mm256_cvtepu8_epi32(_mm_loadl_epi64(bytes.cast()));
            let equal = _mm256_cmpeq_epi32(bytes, _mm256_set1_epi32(byte.into()));
            _mm256_and_ps(values, _mm256_castsi256_ps(equal))
        }
    }

    /// # Safety
    /// As above.
    #[inline(always)]
    unsafe fn where_equal_avx512(values: __m512, bytes: *const u8, byte: u8) -> __m512 {
        // SAFETY: the caller's promise.
        unsafe {
            let bytes = _mm512_cvtepu8_epi32(_mm_loadu_si128(bytes.cast()));
            let equal = _mm512_cmpeq_epi32_mask(bytes, _mm512_set1_epi32(byte.into()));
            _mm512_maskz_mov_ps(equal, values)
        }
    }

    vector!(Avx2, __m256, 8, _mm256_set1_ps, _mm256_loadu_ps, _mm256_storeu_ps, _mm256_add_ps, _mm256_sub_ps,
        _mm256_max_ps, _mm256_min_ps, where_equal_avx2, (_mm256_fmadd_ps last));
    vector!(Avx512, __m512, 16, _mm512_set1_ps, _mm512_loadu_ps, _mm512_storeu_ps, _mm512_add_ps, _mm512_sub_ps,
        _mm512_max_ps, _mm512_min_ps, where_equal_avx512, (_mm512_fmadd_ps last));
}
#[cfg(target_arch = "x86_64")]
pub(crate) use x86::{Avx2, Avx512};

#[cfg(target_arch = "aarch64")]
mod arm {
    use super::Vector;
    use std::arch::aarch64::*;

    /// # Safety
    /// That of [`Vector::where_equal`].
    #[inline(always)]
    unsafe fn where_equal_neon(values: float32x4_t, bytes: *const u8, byte: u8) -> float32x4_t {
        // SAFETY: the caller's promise.
        unsafe {
            let bytes: [u8; 4] = *bytes.cast();
            let bytes = vld1q_u32(bytes.map(u32::from).as_ptr());
            let equal = vceqq_u32(bytes, vdupq_n_u32(byte.into()));
            vreinterpretq_f32_u32(vandq_u32(vreinterpretq_u32_f32(values), equal))
        }
    }

    vector!(Neon, float32x4_t, 4, vdupq_n_f32, vld1q_f32, vst1q_f32, vaddq_f32, vsubq_f32,
        vmaxq_f32, vminq_f32, where_equal_neon, (vfmaq_f32 first));
}
#[cfg(target_arch = "aarch64")]
pub(crate) use arm::Neon;
