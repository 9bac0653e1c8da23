//! Dropout masks from a counter: value `i` depends on the seed and on `i` alone, whatever the number of threads.

use rayon::prelude::*;

/// Values a parallel piece; a detail of speed, the result does not depend on it.
const PIECE: usize = 1 << 14;

/// Fills `out` with 0 (with the given probability, 0 to 1) or 1 / (1 - probability).
pub fn mask(seed: u64, probability: f32, out: &mut [f32]) {
    let keep = 1.0 / (1.0 - probability);
    let threshold = (f64::from(probability) * 4_294_967_296.0) as u64;
    out.par_chunks_mut(PIECE).enumerate().for_each(|(piece, out)| {
        for (i, value) in out.iter_mut().enumerate() {
            let random = mix(seed.wrapping_add(((piece * PIECE + i) as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15)));
            *value = if (random >> 32) < threshold { 0.0 } else { keep };
        }
    });
}

/// The finalizer of SplitMix64 (Steele, Lea and Flood 2014).
fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn share_scale_and_independence() {
        let mut a = vec![0.0; 100_000];
        mask(7, 0.25, &mut a);
        let dropped = a.iter().filter(|&&v| v == 0.0).count() as f64 / a.len() as f64;
        assert!((dropped - 0.25).abs() < 0.01, "{dropped}");
        assert!(a.iter().all(|&v| v == 0.0 || v == 1.0 / 0.75));
        let (mut part, mut other) = (vec![0.0; 20_000], vec![0.0; 100_000]);
        mask(7, 0.25, &mut part);
        assert_eq!(part, a[..20_000]);
        mask(8, 0.25, &mut other);
        let same = a.iter().zip(&other).filter(|(x, y)| x == y).count() as f64 / a.len() as f64;
        assert!((same - 0.625).abs() < 0.01, "{same}");
    }
}
