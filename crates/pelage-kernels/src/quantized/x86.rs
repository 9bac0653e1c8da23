//! Dot products of bytes on x86.

use std::arch::x86_64::*;

use super::dot::{Dot, Has, Rescale};

/// AVX-512 with VNNI.
#[derive(Clone, Copy)]
pub(super) struct Vnni(__m512i);

impl Vnni {
    /// 16 * N bytes, so that each 128-bit lane begins with its 4 * N.
    ///
    /// # Safety
    /// As [`Dot::interleave`].
    #[inline(always)]
    unsafe fn spread<const N: usize>(from: *const u8) -> __m512i {
        // SAFETY: the CPU has the instructions, and the caller guarantees the bytes.
        unsafe {
            match N {
                4 => _mm512_loadu_si512(from.cast()),
                2 => {
                    let bytes = _mm512_castsi256_si512(_mm256_loadu_si256(from.cast()));
                    _mm512_permutexvar_epi64(_mm512_set_epi64(3, 3, 2, 2, 1, 1, 0, 0), bytes)
                }
                _ => {
                    let bytes = _mm512_castsi128_si512(_mm_loadu_si128(from.cast()));
                    let order = _mm512_set_epi32(3, 3, 3, 3, 2, 2, 2, 2, 1, 1, 1, 1, 0, 0, 0, 0);
                    _mm512_permutexvar_epi32(order, bytes)
                }
            }
        }
    }

    /// Bytes of four rows that were [`Vnni::spread`], interleaved.
    #[inline(always)]
    fn interleaved<const N: usize>(rows: [__m512i; 4]) -> [__m512i; N] {
        let [a, b, c, d] = rows;
        // SAFETY: the CPU has the instructions.
        unsafe {
            let (ab, cd) = (_mm512_unpacklo_epi8(a, b), _mm512_unpacklo_epi8(c, d));
            let mut mixed = [_mm512_unpacklo_epi16(ab, cd); N];
            if N > 1 {
                mixed[1] = _mm512_unpackhi_epi16(ab, cd);
            }
            if N > 2 {
                let (ab, cd) = (_mm512_unpackhi_epi8(a, b), _mm512_unpackhi_epi8(c, d));
                mixed[2] = _mm512_unpacklo_epi16(ab, cd);
                mixed[3] = _mm512_unpackhi_epi16(ab, cd);
            }
            mixed
        }
    }
}

impl Dot for Vnni {
    const LANES: usize = 16;
    const WIDEST: usize = 4;
    type Values = __m512i;
    type Weights = __m512i;

    #[inline(always)]
    unsafe fn load_at(_: Has<Self>, from: *const i32) -> Self {
        // SAFETY: the CPU has the instruction, and the caller guarantees the values; also below.
        Vnni(unsafe { _mm512_loadu_si512(from.cast()) })
    }
    #[inline(always)]
    unsafe fn broadcast(_: Has<Self>, from: *const u8) -> __m512i {
        // SAFETY: as above.
        unsafe { _mm512_set1_epi32(from.cast::<i32>().read_unaligned()) }
    }
    #[inline(always)]
    unsafe fn weights(_: Has<Self>, from: *const i8) -> __m512i {
        // SAFETY: as above.
        unsafe { _mm512_loadu_si512(from.cast()) }
    }
    #[inline(always)]
    unsafe fn interleave<const N: usize>(_: Has<Self>, rows: [*const u8; 4]) -> [__m512i; N] {
        // SAFETY: as above. Not `map`: its closure might not be inlined into a function for the instruction set.
        unsafe {
            let [a, b, c, d] = rows;
            let rows = [
                Self::spread::<N>(a),
                Self::spread::<N>(b),
                Self::spread::<N>(c),
                Self::spread::<N>(d),
            ];
            Self::interleaved(rows)
        }
    }
    #[inline(always)]
    fn add_dot(self, values: __m512i, weights: __m512i) -> Self {
        // SAFETY: the CPU has the instruction.
        Vnni(unsafe { _mm512_dpbusd_epi32(self.0, values, weights) })
    }
    #[inline(always)]
    unsafe fn finish<const N: usize>(
        sums: [Self; N],
        multipliers: *const f32,
        rescale: &Rescale,
        residual: Option<*const u8>,
        to: *mut u8,
    ) {
        // SAFETY: as above.
        unsafe {
            let mut scaled = [_mm512_setzero_ps(); N];
            for n in 0..N {
                scaled[n] = _mm512_mul_ps(_mm512_cvtepi32_ps(sums[n].0), _mm512_loadu_ps(multipliers.add(16 * n)));
            }
            if let (Some(residual), Some((zero, factor))) = (residual, rescale.residual) {
                let nothing = _mm512_setzero_si512();
                let added: [__m512i; N] = Self::interleaved([Self::spread::<N>(residual), nothing, nothing, nothing]);
                let (zero, factor) = (_mm512_set1_epi32(zero.into()), _mm512_set1_ps(factor));
                for n in 0..N {
                    let added = _mm512_cvtepi32_ps(_mm512_sub_epi32(added[n], zero));
                    scaled[n] = _mm512_add_ps(scaled[n], _mm512_mul_ps(added, factor));
                }
            }
            let mut whole = [_mm512_setzero_si512(); N];
            for n in 0..N {
                whole[n] = _mm512_cvtps_epi32(scaled[n]);
            }
            let zero = _mm512_set1_epi16(rescale.zero.into());
            let (low, high) = (rescale.limits[0] as i8, rescale.limits[1] as i8);
            // Narrowing saturates, at 16 bits far out of the limits.
            match N {
                4 => {
                    let first = _mm512_adds_epi16(_mm512_packs_epi32(whole[0], whole[1]), zero);
                    let second = _mm512_adds_epi16(_mm512_packs_epi32(whole[2], whole[3]), zero);
                    let bytes = _mm512_packus_epi16(first, second);
                    let bytes = _mm512_max_epu8(bytes, _mm512_set1_epi8(low));
                    _mm512_storeu_si512(to.cast(), _mm512_min_epu8(bytes, _mm512_set1_epi8(high)));
                }
                2 => {
                    let words = _mm512_adds_epi16(_mm512_packs_epi32(whole[0], whole[1]), zero);
                    let bytes = _mm512_packus_epi16(words, words);
                    let bytes = _mm512_permutexvar_epi64(_mm512_set_epi64(6, 6, 6, 6, 6, 4, 2, 0), bytes);
                    let bytes = _mm256_max_epu8(_mm512_castsi512_si256(bytes), _mm256_set1_epi8(low));
                    _mm256_storeu_si256(to.cast(), _mm256_min_epu8(bytes, _mm256_set1_epi8(high)));
                }
                _ => {
                    let words = _mm512_adds_epi16(_mm512_packs_epi32(whole[0], whole[0]), zero);
                    let bytes = _mm512_packus_epi16(words, words);
                    let order = _mm512_set_epi32(12, 12, 12, 12, 12, 12, 12, 12, 12, 12, 12, 12, 12, 8, 4, 0);
                    let bytes = _mm512_castsi512_si128(_mm512_permutexvar_epi32(order, bytes));
                    let bytes = _mm_max_epu8(bytes, _mm_set1_epi8(low));
                    _mm_storeu_si128(to.cast(), _mm_min_epu8(bytes, _mm_set1_epi8(high)));
                }
            }
        }
    }
}

/// AVX2: even and odd bytes apart, as 16 bits, since multiplying bytes saturates.
#[derive(Clone, Copy)]
pub(super) struct Avx2(__m256i);

impl Avx2 {
    /// 8 * N bytes, so that each 128-bit lane begins with its 4 * N.
    ///
    /// # Safety
    /// As [`Dot::interleave`].
    #[inline(always)]
    unsafe fn spread<const N: usize>(from: *const u8) -> __m256i {
        // SAFETY: the CPU has the instructions, and the caller guarantees the bytes.
        unsafe {
            match N {
                2 => {
                    let bytes = _mm256_castsi128_si256(_mm_loadu_si128(from.cast()));
                    _mm256_permute4x64_epi64::<0b01_01_00_00>(bytes)
                }
                _ => {
                    let bytes = _mm256_castsi128_si256(_mm_loadl_epi64(from.cast()));
                    _mm256_permutevar8x32_epi32(bytes, _mm256_set_epi32(1, 1, 1, 1, 0, 0, 0, 0))
                }
            }
        }
    }

    #[inline(always)]
    fn interleaved<const N: usize>(rows: [__m256i; 4]) -> [__m256i; N] {
        assert!(N <= 2, "no tile of so many vectors");
        let [a, b, c, d] = rows;
        // SAFETY: the CPU has the instructions.
        unsafe {
            let (ab, cd) = (_mm256_unpacklo_epi8(a, b), _mm256_unpacklo_epi8(c, d));
            let mut mixed = [_mm256_unpacklo_epi16(ab, cd); N];
            if N > 1 {
                mixed[1] = _mm256_unpackhi_epi16(ab, cd);
            }
            mixed
        }
    }

    /// Even and odd bytes, without a sign.
    #[inline(always)]
    fn apart(bytes: __m256i) -> [__m256i; 2] {
        // SAFETY: the CPU has the instructions.
        unsafe {
            [
                _mm256_and_si256(bytes, _mm256_set1_epi16(0xff)),
                _mm256_srli_epi16::<8>(bytes),
            ]
        }
    }
}

impl Dot for Avx2 {
    const LANES: usize = 8;
    const WIDEST: usize = 2;
    type Values = [__m256i; 2];
    type Weights = [__m256i; 2];

    #[inline(always)]
    unsafe fn load_at(_: Has<Self>, from: *const i32) -> Self {
        // SAFETY: the CPU has the instruction, and the caller guarantees the values; also below.
        Avx2(unsafe { _mm256_loadu_si256(from.cast()) })
    }
    #[inline(always)]
    unsafe fn broadcast(_: Has<Self>, from: *const u8) -> Self::Values {
        // SAFETY: as above.
        Self::apart(unsafe { _mm256_set1_epi32(from.cast::<i32>().read_unaligned()) })
    }
    #[inline(always)]
    unsafe fn weights(_: Has<Self>, from: *const i8) -> Self::Weights {
        // SAFETY: as above.
        unsafe {
            let bytes = _mm256_loadu_si256(from.cast());
            [
                _mm256_srai_epi16::<8>(_mm256_slli_epi16::<8>(bytes)),
                _mm256_srai_epi16::<8>(bytes),
            ]
        }
    }
    #[inline(always)]
    unsafe fn interleave<const N: usize>(_: Has<Self>, rows: [*const u8; 4]) -> [Self::Values; N] {
        // SAFETY: as above.
        unsafe {
            let [a, b, c, d] = rows;
            let rows = [
                Self::spread::<N>(a),
                Self::spread::<N>(b),
                Self::spread::<N>(c),
                Self::spread::<N>(d),
            ];
            let mixed: [__m256i; N] = Self::interleaved(rows);
            let mut values = [[_mm256_setzero_si256(); 2]; N];
            for n in 0..N {
                values[n] = Self::apart(mixed[n]);
            }
            values
        }
    }
    #[inline(always)]
    fn add_dot(self, values: Self::Values, weights: Self::Weights) -> Self {
        // SAFETY: the CPU has the instructions.
        unsafe {
            let even = _mm256_madd_epi16(values[0], weights[0]);
            let odd = _mm256_madd_epi16(values[1], weights[1]);
            Avx2(_mm256_add_epi32(self.0, _mm256_add_epi32(even, odd)))
        }
    }
    #[inline(always)]
    unsafe fn finish<const N: usize>(
        sums: [Self; N],
        multipliers: *const f32,
        rescale: &Rescale,
        residual: Option<*const u8>,
        to: *mut u8,
    ) {
        // SAFETY: as above.
        unsafe {
            let mut scaled = [_mm256_setzero_ps(); N];
            for n in 0..N {
                scaled[n] = _mm256_mul_ps(_mm256_cvtepi32_ps(sums[n].0), _mm256_loadu_ps(multipliers.add(8 * n)));
            }
            if let (Some(residual), Some((zero, factor))) = (residual, rescale.residual) {
                let nothing = _mm256_setzero_si256();
                let added: [__m256i; N] = Self::interleaved([Self::spread::<N>(residual), nothing, nothing, nothing]);
                let (zero, factor) = (_mm256_set1_epi32(zero.into()), _mm256_set1_ps(factor));
                for n in 0..N {
                    let added = _mm256_cvtepi32_ps(_mm256_sub_epi32(added[n], zero));
                    scaled[n] = _mm256_add_ps(scaled[n], _mm256_mul_ps(added, factor));
                }
            }
            let mut whole = [_mm256_setzero_si256(); N];
            for n in 0..N {
                whole[n] = _mm256_cvtps_epi32(scaled[n]);
            }
            let words = _mm256_packs_epi32(whole[0], whole[N - 1]);
            let words = _mm256_adds_epi16(words, _mm256_set1_epi16(rescale.zero.into()));
            let bytes = _mm256_packus_epi16(words, words);
            let bytes = match N {
                2 => _mm256_permute4x64_epi64::<0b00_00_10_00>(bytes),
                _ => _mm256_permutevar8x32_epi32(bytes, _mm256_set_epi32(4, 4, 4, 4, 4, 4, 4, 0)),
            };
            let [low, high] = rescale.limits;
            let bytes = _mm_max_epu8(_mm256_castsi256_si128(bytes), _mm_set1_epi8(low as i8));
            let bytes = _mm_min_epu8(bytes, _mm_set1_epi8(high as i8));
            match N {
                2 => _mm_storeu_si128(to.cast(), bytes),
                _ => _mm_storel_epi64(to.cast(), bytes),
            }
        }
    }
}
