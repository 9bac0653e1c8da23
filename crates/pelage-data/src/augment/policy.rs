//! Which operator changes an image, and how much: TrivialAugmentWide (Müller and Hutter 2021) and RandAugment (Cubuk et
//! al. 2020), with torchvision's operators and magnitudes.

use super::operators::{Kind, Operator};
use super::random::Random;

/// Steps from no change to the most.
const BINS: usize = 31;

/// How an operator's magnitude grows.
#[derive(Clone, Copy)]
enum Range {
    /// It has none.
    None,
    /// From 0 to this, either way.
    Signed(f32),
    /// From 8 bits down to this.
    Bits(f32),
    /// From 255 down to 0.
    Threshold,
}

/// The most of each operator.
struct Space {
    shear: f32,
    /// Columns and rows.
    translate: [f32; 2],
    rotate: f32,
    enhance: f32,
    bits: f32,
}

impl Space {
    /// TrivialAugment's wide one.
    const WIDE: Space = Space {
        shear: 0.99,
        translate: [32.0; 2],
        rotate: 135.0,
        enhance: 0.99,
        bits: 2.0,
    };

    /// RandAugment's, for an image of `[rows, columns]`.
    fn rand([rows, columns]: [usize; 2]) -> Space {
        Space {
            shear: 0.3,
            translate: [columns, rows].map(|side| (150.0 / 331.0 * side as f64) as f32),
            rotate: 30.0,
            enhance: 0.9,
            bits: 4.0,
        }
    }

    fn range(&self, kind: Kind) -> Range {
        match kind {
            Kind::Identity | Kind::AutoContrast | Kind::Equalize => Range::None,
            Kind::ShearX | Kind::ShearY => Range::Signed(self.shear),
            Kind::TranslateX => Range::Signed(self.translate[0]),
            Kind::TranslateY => Range::Signed(self.translate[1]),
            Kind::Rotate => Range::Signed(self.rotate),
            Kind::Brightness | Kind::Color | Kind::Contrast | Kind::Sharpness => Range::Signed(self.enhance),
            Kind::Posterize => Range::Bits(self.bits),
            Kind::Solarize => Range::Threshold,
        }
    }

    /// The magnitude of an operator at `bin`, and whether it goes either way.
    fn magnitude(&self, kind: Kind, bin: usize) -> (f32, bool) {
        let last = BINS - 1;
        match self.range(kind) {
            Range::None => (0.0, false),
            Range::Signed(most) => (linspace(0.0, most, bin), true),
            Range::Bits(least) => {
                let lost = (bin as f32 / (last as f32 / (8.0 - least))).round_ties_even();
                (8.0 - lost, false)
            }
            Range::Threshold => (linspace(255.0, 0.0, bin), false),
        }
    }

    fn draw(&self, bin: Option<usize>, random: &mut Random) -> Operator {
        let kind = Kind::ALL[random.below(Kind::ALL.len())];
        let drawn = random.below(BINS);
        let negative = random.unit() < 0.5;
        let (magnitude, signed) = self.magnitude(kind, bin.unwrap_or(drawn));
        let magnitude = if signed && negative { -magnitude } else { magnitude };
        Operator { kind, magnitude }
    }
}

/// The number at `bin` of [`BINS`] from `start` to `end`, counted from the nearer of the two and rounded
/// once, as `torch.linspace` does.
fn linspace(start: f32, end: f32, bin: usize) -> f32 {
    let (last, step) = (BINS - 1, (end - start) / (BINS - 1) as f32);
    match bin < BINS / 2 {
        true => step.mul_add(bin as f32, start),
        false => (-step).mul_add((last - bin) as f32, end),
    }
}

/// One operator with a random magnitude.
pub(crate) fn trivial(random: &mut Random) -> Operator {
    Space::WIDE.draw(None, random)
}

/// `count` operators at `bin` for an image of `[rows, columns]`.
pub(crate) fn rand(count: usize, bin: usize, size: [usize; 2], random: &mut Random) -> Vec<Operator> {
    let space = Space::rand(size);
    (0..count)
        .map(|_| space.draw(Some(bin.min(BINS - 1)), random))
        .collect()
}

/// The magnitudes of an operator by TrivialAugmentWide, from the least to the most.
pub fn trivial_magnitudes(kind: Kind) -> [f32; BINS] {
    std::array::from_fn(|bin| Space::WIDE.magnitude(kind, bin).0)
}

/// The same by RandAugment for an image of `[rows, columns]`.
pub fn rand_magnitudes(kind: Kind, size: [usize; 2]) -> [f32; BINS] {
    std::array::from_fn(|bin| Space::rand(size).magnitude(kind, bin).0)
}
