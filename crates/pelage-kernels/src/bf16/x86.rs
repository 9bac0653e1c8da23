//! Dot products of bf16 on x86.

use std::arch::x86_64::*;
use std::mem::transmute;

use super::dot::{Dot, Has, LANES};
use crate::isa::{Isa, Kind};

/// AVX-512 with BF16.
#[derive(Clone, Copy)]
pub(super) struct Avx512(__m512);

/// The first `count` of 32 lanes.
#[inline(always)]
fn first(count: usize) -> u32 {
    match count {
        32.. => u32::MAX,
        _ => (1 << count) - 1,
    }
}

impl Dot for Avx512 {
    type Pairs = __m512bh;

    #[inline(always)]
    fn isa(_: Has<Self>) -> Isa {
        Isa(Kind::Avx512)
    }
    #[inline(always)]
    unsafe fn load_at(_: Has<Self>, from: *const f32) -> Self {
        // SAFETY: the CPU has the instruction, and the caller guarantees the numbers; also below.
        Avx512(unsafe { _mm512_loadu_ps(from) })
    }
    #[inline(always)]
    unsafe fn store_at(self, to: *mut f32) {
        // SAFETY: as above.
        unsafe { _mm512_storeu_ps(to, self.0) }
    }
    #[inline(always)]
    unsafe fn broadcast(_: Has<Self>, from: *const u16) -> __m512bh {
        // SAFETY: as above; both types are 64 bytes.
        unsafe { transmute(_mm512_set1_epi32(from.cast::<i32>().read_unaligned())) }
    }
    #[inline(always)]
    unsafe fn pairs(_: Has<Self>, from: *const u16) -> __m512bh {
        // SAFETY: as above.
        unsafe { transmute(_mm512_loadu_si512(from.cast())) }
    }
    #[inline(always)]
    unsafe fn interleave(_: Has<Self>, rows: [*const u16; 2], count: usize) -> [__m512bh; 2] {
        // SAFETY: as above.
        unsafe {
            let [a, b] = match count {
                32.. => [_mm512_loadu_si512(rows[0].cast()), _mm512_loadu_si512(rows[1].cast())],
                _ => [
                    _mm512_maskz_loadu_epi16(first(count), rows[0].cast()),
                    _mm512_maskz_loadu_epi16(first(count), rows[1].cast()),
                ],
            };
            [
                transmute::<__m512i, __m512bh>(_mm512_unpacklo_epi16(a, b)),
                transmute::<__m512i, __m512bh>(_mm512_unpackhi_epi16(a, b)),
            ]
        }
    }
    #[inline(always)]
    fn second(pairs: __m512bh) -> Self {
        // SAFETY: the CPU has the instruction; both types are 64 bytes.
        unsafe {
            let high = _mm512_and_si512(transmute::<__m512bh, __m512i>(pairs), _mm512_set1_epi32(0xffff << 16));
            Avx512(_mm512_castsi512_ps(high))
        }
    }
    #[inline(always)]
    fn add_dot(self, values: __m512bh, weights: __m512bh) -> Self {
        // SAFETY: the CPU has the instruction; also below.
        Avx512(unsafe { _mm512_dpbf16_ps(self.0, values, weights) })
    }
    #[inline(always)]
    fn add(self, other: Self) -> Self {
        // SAFETY: as above.
        Avx512(unsafe { _mm512_add_ps(self.0, other.0) })
    }
    #[inline(always)]
    fn clamp(self, low: f32, high: f32) -> Self {
        // SAFETY: as above. These return their second operand if either is NaN.
        Avx512(unsafe { _mm512_min_ps(_mm512_set1_ps(high), _mm512_max_ps(_mm512_set1_ps(low), self.0)) })
    }
    #[inline(always)]
    unsafe fn widen_at(_: Has<Self>, from: *const u16, count: usize) -> Self {
        // SAFETY: as above.
        unsafe {
            let values = match count {
                LANES.. => _mm256_loadu_si256(from.cast()),
                _ => _mm256_maskz_loadu_epi16(first(count) as u16, from.cast()),
            };
            Avx512(_mm512_castsi512_ps(_mm512_slli_epi32::<16>(_mm512_cvtepu16_epi32(
                values,
            ))))
        }
    }
    #[inline(always)]
    unsafe fn narrow_at(self, to: *mut u16, count: usize) {
        // SAFETY: as above; both types are 32 bytes.
        unsafe {
            let values: __m256i = transmute(_mm512_cvtneps_pbh(self.0));
            match count {
                LANES.. => _mm256_storeu_si256(to.cast(), values),
                _ => _mm256_mask_storeu_epi16(to.cast(), first(count) as u16, values),
            }
        }
    }
    #[inline(always)]
    unsafe fn narrow_two_at<const IN_CHANNELS: bool>(both: [Self; 2], to: *mut u16, count: usize) {
        // SAFETY: as above; both types are 64 bytes.
        unsafe {
            let mut values: __m512i = transmute(_mm512_cvtne2ps_pbh(both[1].0, both[0].0));
            if IN_CHANNELS {
                values = _mm512_permutexvar_epi64(_mm512_set_epi64(7, 3, 6, 2, 5, 1, 4, 0), values);
            }
            match count {
                32.. => _mm512_storeu_si512(to.cast(), values),
                _ => _mm512_mask_storeu_epi16(to.cast(), first(count), values),
            }
        }
    }
}
