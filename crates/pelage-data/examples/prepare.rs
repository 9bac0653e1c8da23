//! From an encoded image to a network's input: all that inference needs of this crate. It runs in a browser as well:
//! `.ci/wasm` builds it for WebAssembly and sees to it that nothing has to be imported.

use pelage_data::preprocess::Preprocessing;

fn main() {
    let encoded = include_bytes!("../tests/fixtures/pillow/rgb.jpg");
    let preprocessing = Preprocessing::new(32);
    let pixels = preprocessing.decode(encoded).expect("a JPEG");
    let mut input = vec![0.0; preprocessing.len()];
    preprocessing.normalize(&pixels, &mut input);
    assert!(input.iter().all(|value| (0.0..=1.0).contains(value)));
    println!("mean {:.3}", input.iter().sum::<f32>() / input.len() as f32);
}
