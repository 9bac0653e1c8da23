//! SplitMix64 (Steele, Lea and Flood 2014): tiny, and the same on every platform.

/// What the generator adds to its state before each draw.
const GAMMA: u64 = 0x9E37_79B9_7F4A_7C15;

/// The finalizer: a well-mixing permutation of the 64-bit integers.
pub fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// The first output of a generator in this state: a hash of `state`.
pub fn hash(state: u64) -> u64 {
    mix(state.wrapping_add(GAMMA))
}

/// The generator's next output; advances its state.
pub fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_add(GAMMA);
    mix(*state)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first outputs of the authors' program for seed 1234567, as published with Java's SplittableRandom and on
    /// Rosetta Code.
    #[test]
    fn it_draws_what_its_authors_do() {
        let mut state = 1_234_567;
        let drawn = [0; 3].map(|_: u64| next(&mut state));
        assert_eq!(
            drawn,
            [
                6_457_827_717_110_365_317,
                3_203_168_211_198_807_973,
                9_817_491_932_198_370_423
            ]
        );
        assert_eq!(hash(1_234_567), drawn[0]);
    }
}
