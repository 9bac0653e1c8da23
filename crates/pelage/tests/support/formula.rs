//! `uniform`, `values` and `pixels` of `fixtures/torch/zoo.py`.

use pelage::model::values::Values;

/// Values of 24 bits in [-1, 1): splitmix64 (Steele et al. 2014) seeded by the FNV-1a hash of the name.
fn uniform(name: &str, count: usize) -> impl Iterator<Item = f64> {
    let seed = name.bytes().fold(0xCBF2_9CE4_8422_2325u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01B3)
    });
    (1..=count as u64).map(move |i| {
        let z = seed.wrapping_add(i.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        let z = z ^ (z >> 31);
        (z >> 40) as f64 / 8_388_608.0 - 1.0
    })
}

/// A tensor of weights.
pub(crate) fn values(name: &str, shape: &[usize]) -> Values {
    let inputs: usize = shape.iter().skip(1).product();
    let limit = (6.0 / inputs as f64).sqrt();
    let kind = |u: f64| match shape.len() {
        _ if name == "pos_embed" => u / 2.0,
        2.. => u * limit,
        _ if name.ends_with("running_var") => 1.0 + u / 2.0,
        1 if name.ends_with("weight") => 0.75 + u / 4.0,
        _ => u / 8.0,
    };
    let data = uniform(name, shape.iter().product()).map(|u| kind(u) as f32).collect();
    Values {
        shape: shape.to_vec(),
        data,
    }
}

/// The values of a batch of pixels.
pub(crate) fn pixels(count: usize) -> Vec<f32> {
    uniform("pixels", count).map(|u| (2.0 * u) as f32).collect()
}
