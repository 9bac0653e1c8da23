//! The drawn sample set: a function of its arguments, no two alike, and with the classes told by shape alone.

use image::RgbImage;
use image::imageops::{FilterType, resize};
use pelage_data::sample::{Animal, draw};
use rayon::prelude::*;

const SIDE: u32 = 64;

fn drawn(animal: Animal, indices: std::ops::Range<u64>) -> Vec<RgbImage> {
    indices
        .into_par_iter()
        .map(|index| draw(animal, index, 0, SIDE))
        .collect()
}

/// Pixels of an image made `side` wide, -1 to 1.
fn pixels(image: &RgbImage, side: u32) -> Vec<f32> {
    let small = resize(image, side, side, FilterType::Triangle);
    small
        .as_raw()
        .iter()
        .map(|value| f32::from(*value) / 127.5 - 1.0)
        .collect()
}

#[test]
fn the_same_arguments_give_the_same_bytes_and_others_do_not() {
    let image = draw(Animal::Cat, 3, 7, SIDE);
    assert!(image == draw(Animal::Cat, 3, 7, SIDE));
    for other in [
        draw(Animal::Cat, 4, 7, SIDE),
        draw(Animal::Cat, 3, 8, SIDE),
        draw(Animal::Dog, 3, 7, SIDE),
    ] {
        assert!(image != other);
    }
}

#[test]
fn no_two_are_nearly_alike() {
    let all = [drawn(Animal::Cat, 0..150), drawn(Animal::Dog, 0..150)].concat();
    let small: Vec<_> = all.iter().map(|image| pixels(image, 16)).collect();
    let apart = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| (a - b).abs()).sum::<f32>() / a.len() as f32;
    let nearest = (0..small.len())
        .flat_map(|i| (0..i).map(move |j| (i, j)))
        .map(|(i, j)| apart(&small[i], &small[j]))
        .fold(f32::MAX, f32::min);
    // Of 2, the whole range from black to white.
    assert!(nearest > 0.05, "two pictures differ by only {nearest}");
}

/// Mean color and contrast of the classes agree within what chance allows: a z-test on 600 images of each.
#[test]
fn color_and_contrast_give_nothing_away() {
    let facts = |animal| -> Vec<[f64; 4]> {
        let fact = |image: &RgbImage| {
            let count = f64::from(SIDE * SIDE);
            let mean = |c: usize| image.pixels().map(|pixel| f64::from(pixel[c])).sum::<f64>() / count;
            let means = [mean(0), mean(1), mean(2)];
            let gray = (means[0] + means[1] + means[2]) / 3.0;
            let spread = image.pixels().map(|p| (f64::from(p[0]) - gray).powi(2)).sum::<f64>() / count;
            [means[0], means[1], means[2], spread.sqrt()]
        };
        drawn(animal, 0..600).iter().map(fact).collect()
    };
    let (cats, dogs) = (facts(Animal::Cat), facts(Animal::Dog));
    for (i, what) in ["red", "green", "blue", "contrast"].iter().enumerate() {
        let moments = |all: &[[f64; 4]]| {
            let mean = all.iter().map(|fact| fact[i]).sum::<f64>() / all.len() as f64;
            let variance = all.iter().map(|fact| (fact[i] - mean).powi(2)).sum::<f64>() / all.len() as f64;
            (mean, variance / all.len() as f64)
        };
        let ((a, va), (b, vb)) = (moments(&cats), moments(&dogs));
        let z = (a - b) / (va + vb).sqrt();
        println!("{what}: cats {a:.1}, dogs {b:.1}, z {z:.2}");
        assert!(z.abs() < 4.5, "{what}: cats {a:.1}, dogs {b:.1}, z {z:.2}");
    }
}

/// Logistic regression on pixels, with the best of several strengths of regularization: it must stay under 80 %.
#[test]
fn a_linear_model_on_pixels_is_not_enough() {
    let features = |indices: std::ops::Range<u64>| -> Vec<(Vec<f32>, f32)> {
        let labelled = |target: f32| move |image: &RgbImage| (pixels(image, 20), target);
        let (cats, dogs) = (drawn(Animal::Cat, indices.clone()), drawn(Animal::Dog, indices));
        cats.iter()
            .map(labelled(0.0))
            .chain(dogs.iter().map(labelled(1.0)))
            .collect()
    };
    let (train, test) = (features(0..800), features(800..1000));
    let accuracy = |decay: f32| {
        let mut weights = vec![0.0f32; train[0].0.len() + 1];
        let logit = |weights: &[f32], x: &[f32]| {
            x.iter().zip(weights).map(|(x, w)| x * w).sum::<f32>() + weights[weights.len() - 1]
        };
        for _ in 0..400 {
            let mut gradient: Vec<f32> = weights.iter().map(|weight| decay * weight).collect();
            for (x, target) in &train {
                let error = (1.0 / (1.0 + (-logit(&weights, x)).exp()) - target) / train.len() as f32;
                gradient.iter_mut().zip(x).for_each(|(sum, x)| *sum += error * x);
                *gradient.last_mut().unwrap() += error;
            }
            weights
                .iter_mut()
                .zip(&gradient)
                .for_each(|(weight, gradient)| *weight -= 0.1 * gradient);
        }
        let right = test
            .iter()
            .filter(|(x, target)| (logit(&weights, x) > 0.0) == (*target > 0.5));
        right.count() as f64 / test.len() as f64
    };
    let all: Vec<f64> = [0.0, 0.003, 0.03, 0.3].into_par_iter().map(accuracy).collect();
    println!("accuracy by strength of regularization: {all:?}");
    assert!(all.iter().all(|accuracy| *accuracy < 0.8), "{all:?}");
}
