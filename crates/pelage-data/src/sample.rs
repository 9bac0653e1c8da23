//! The sample set: procedurally drawn cats and dogs, for trying everything without a data set. Every image is a
//! function of a few numbers. Coats, eyes, poses, backgrounds and light have the same distributions for both classes,
//! so only shape tells them apart.

mod background;
mod body;
mod camera;
mod canvas;
mod cat;
mod coat;
mod dog;
mod face;
mod palette;
mod random;

use std::io::Write;
use std::path::Path;

use image::RgbImage;
use image::codecs::jpeg::JpegEncoder;
use rayon::prelude::*;

use crate::atomic::Unfinished;
use crate::progress::{Counter, Progress};
use crate::{Error, Result};

use background::Scene;
use body::{GROUND, Pose};
use canvas::{Canvas, Point, ellipse, limb, place, radial};
use coat::Coat;
use face::{Face, View};
use palette::{alpha, bright, hex, shade};
use random::Random;

/// The animal to draw.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Animal {
    /// Pointed ears, whiskers, a short face.
    Cat,
    /// A long muzzle, ears of many kinds.
    Dog,
}

impl Animal {
    /// The class: "cat" or "dog".
    pub fn name(self) -> &'static str {
        match self {
            Animal::Cat => "cat",
            Animal::Dog => "dog",
        }
    }
}

/// Draws one image of `size` x `size` pixels, determined by the arguments alone.
pub fn draw(animal: Animal, index: u64, seed: u64, size: u32) -> RgbImage {
    render(
        animal,
        &mut Random::new([seed, animal as u64, index]),
        size.max(1),
        size.max(1),
    )
}

/// Writes `per_class` images of each class to `folder`, which is created if needed, with Kaggle's names: `cat.0.jpg`,
/// `dog.0.jpg` and so on. Sides are `size` pixels or up to a third more. An existing file is kept if it is identical.
///
/// # Errors
/// If `size` is 0 or above 2048, a file of that name exists with other content, or the folder cannot be written.
pub fn write(
    folder: &Path,
    per_class: usize,
    seed: u64,
    size: u32,
    progress: &(dyn Fn(Progress) + Sync),
) -> Result<()> {
    if !(1..=2048).contains(&size) {
        return Err(Error::setting("size", size, "1 to 2048 pixels"));
    }
    std::fs::create_dir_all(folder).map_err(Error::io(folder))?;
    let total = 2 * per_class;
    let counter = Counter::new("drawing", total, progress);
    (0..total).into_par_iter().try_for_each(|i| {
        let (animal, index) = (if i % 2 == 0 { Animal::Cat } else { Animal::Dog }, i / 2);
        let mut random = Random::new([seed, animal as u64, index as u64]);
        let mut side = || size + (size as f32 * random.range(-0.2, 0.33).max(0.0)) as u32;
        let (width, height) = (side(), side());
        let path = folder.join(format!("{}.{index}.jpg", animal.name()));
        place_file(
            &path,
            &jpeg(&render(animal, &mut random, width, height)).map_err(Error::io(&path))?,
        )?;
        counter.count();
        Ok(())
    })
}

fn jpeg(image: &RgbImage) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let written = JpegEncoder::new_with_quality(&mut bytes, 92).encode_image(image);
    written.map_err(std::io::Error::other)?;
    Ok(bytes)
}

/// Writes the file, but never overwrites one.
fn place_file(path: &Path, bytes: &[u8]) -> Result<()> {
    if path.exists() {
        return match std::fs::read(path).map_err(Error::io(path))? == bytes {
            true => Ok(()),
            false => Err(Error::Exists { path: path.into() }),
        };
    }
    let attempt = || {
        let mut file = Unfinished::new(path)?;
        file.write_all(bytes)?;
        file.finish_new()
    };
    attempt().map(drop).map_err(Error::io(path))
}

/// Draws a scene with the animal in it, as a camera would capture it.
fn render(animal: Animal, random: &mut Random, width: u32, height: u32) -> RgbImage {
    use Pose::{Lying, Portrait, SittingFront, SittingSide, Standing};
    let mut canvas = Canvas::new(width, height);
    let coat = Coat::draw(random);
    let pose = random.pick(&[
        Portrait,
        Portrait,
        Portrait,
        SittingFront,
        SittingFront,
        SittingFront,
        SittingSide,
        Standing,
        Standing,
        Lying,
    ]);
    let scale = random.range(0.95, 1.12);
    let room = 50.0 - 40.0 * scale;
    let middle = (
        canvas.width / 2.0 + random.around(room.max(0.0) + 4.0),
        canvas.height / 2.0 + 4.0 + random.around(4.0),
    );
    let ground = middle.1 + GROUND * scale;
    let scene = Scene::draw(&mut canvas, ground, coat.brightness(), random);
    if pose != Portrait {
        let shadow = (middle.0, ground);
        let dark = hex(0x1c1424);
        let spread = [alpha(dark, 0.42), alpha(dark, 0.0)];
        canvas.within(place(shadow, (1.0, 0.2), 0.0), |canvas| {
            canvas.fill(
                &[ellipse((0.0, 0.0), 40.0 * scale, 40.0 * scale)],
                radial((0.0, 0.0), 38.0 * scale, spread),
            );
        });
    }
    let facing = if random.chance(0.5) { 1.0 } else { -1.0 };
    let tilt = random.around(6.0);
    canvas.within(place(middle, (facing * scale, scale), tilt), |canvas| {
        figure(canvas, animal, pose, &coat, random)
    });
    scene.foreground(&mut canvas, ground, random);
    camera::shoot(canvas, width, height, random)
}

/// Draws the animal itself, centered at (0, 0).
fn figure(canvas: &mut Canvas, animal: Animal, pose: Pose, coat: &Coat, random: &mut Random) {
    let profile = match pose {
        Pose::Portrait => random.chance(0.15),
        Pose::SittingFront => false,
        _ => random.chance(0.45),
    };
    let view = if profile {
        View::Profile
    } else {
        View::Front(random.around(1.0))
    };
    let face = Face::draw(random, view);
    let build = match animal {
        Animal::Cat => cat::build(random),
        Animal::Dog => dog::build(random),
    };
    let head = pose.paint(canvas, &build, coat, random);
    if random.chance(0.35) {
        collar(canvas, head.at, head.scale, random);
    }
    canvas.within(
        place(head.at, (head.scale, head.scale), random.around(9.0)),
        |canvas| match animal {
            Animal::Cat => cat::Head::draw(random).paint(canvas, &face, coat, head.scale, random),
            Animal::Dog => dog::Head::draw(random).paint(canvas, &face, coat, head.scale, random),
        },
    );
}

/// Draws a collar with a tag below the head.
fn collar(canvas: &mut Canvas, (x, y): Point, scale: f32, random: &mut Random) {
    let (color, s) = (bright(random), scale);
    let band = [
        (x - 7.0 * s, y + 7.6 * s, 1.2 * s),
        (x, y + 10.6 * s, 1.3 * s),
        (x + 6.0 * s, y + 8.0 * s, 1.2 * s),
    ];
    canvas.blot(limb(&band), color);
    canvas.blot(
        ellipse((x, y + 12.4 * s), 1.5 * s, 1.5 * s),
        shade(hex(0xf0c040), random.around(0.2)),
    );
}
