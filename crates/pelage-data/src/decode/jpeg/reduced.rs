//! A large JPEG at a half, a quarter or an eighth of its sides: the inverse transform makes 4, 2 or 1 instead of 8
//! pixels of each block side, which leaves out what is finer; at an eighth each is the mean of its block. zune-jpeg has
//! no such transform, jpeg-decoder has.

#[cfg(feature = "files")]
use std::sync::OnceLock;

use image::RgbImage;
use image::metadata::Orientation;
use jpeg_decoder::{Decoder, PixelFormat};
#[cfg(feature = "files")]
use rayon::{ThreadPool, ThreadPoolBuilder};

use super::{File, Stored};
use crate::decode::limits::{Budget, rgb_bytes};
use crate::decode::quiet::quietly;

/// At how many eighths an image of `size` is as small as neither side falls below `at_least`; none where no reduction
/// is that large.
pub(super) fn eighths([width, height]: [u32; 2], at_least: u32) -> Option<u32> {
    [1, 2, 4]
        .into_iter()
        .find(|&eighths| reduced(width.min(height), eighths) >= at_least)
}

fn reduced(side: u32, eighths: u32) -> u32 {
    (side * eighths).div_ceil(8)
}

/// The image at some eighths of its sides, as it is stored; none where that fails.
///
/// # Errors
/// It is too large even so.
pub(super) fn decode(file: &File, budget: &Budget, eighths: u32) -> Result<Option<Stored>, String> {
    let size = [file.frame.width, file.frame.height];
    let made @ [width, height] = size.map(|side| reduced(side, eighths));
    let samples = file.frame.samples();
    // All coefficients of a progressive file, and a copy of them; all samples; the image; that image upright.
    let coefficients = if file.frame.progressive() { 4 * samples } else { 0 };
    let planes = samples * u64::from(eighths * eighths) / 64;
    let held = budget.hold(
        size,
        made,
        (coefficients + planes + rgb_bytes(made)).max(2 * rgb_bytes(made)),
    )?;
    // Nor must a panic cost a file that zune-jpeg can read.
    let pixels = apart(|| quietly(|| pixels(file.bytes, width as u16, height as u16)))
        .flatten()
        .flatten();
    let image = pixels.and_then(|pixels| RgbImage::from_raw(width, height, pixels));
    Ok(image.map(|image| Stored {
        image,
        size,
        eighths,
        orientation: Orientation::NoTransforms,
        held,
    }))
}

/// Does work that the decoder shares among threads, which is a pool of their own that does nothing else; none where
/// there are no such threads. This thread does nothing meanwhile. As one of a pool it would take on other work while it
/// waits, and read images that find no memory because of this one; and where a third thread has a part of that work
/// and waits for this one's memory, both would wait for ever.
#[cfg(feature = "files")]
fn apart<T: Send>(work: impl FnOnce() -> T + Send) -> Option<T> {
    static POOL: OnceLock<Option<ThreadPool>> = OnceLock::new();
    let make = || {
        let threads = ThreadPoolBuilder::new().num_threads(rayon::current_num_threads());
        threads.build().ok()
    };
    // As many as the program has, made by a thread that belongs to no pool: one of a few would make it as small.
    let outside = || POOL.get_or_init(make).as_ref().map(|pool| pool.install(work));
    if rayon::current_thread_index().is_none() {
        return outside();
    }
    std::thread::scope(|scope| {
        let started = std::thread::Builder::new().spawn_scoped(scope, outside);
        started.ok()?.join().ok().flatten()
    })
}

/// In a browser there is one thread.
#[cfg(not(feature = "files"))]
fn apart<T>(work: impl FnOnce() -> T) -> Option<T> {
    Some(work())
}

fn pixels(bytes: &[u8], width: u16, height: u16) -> Option<Vec<u8>> {
    let mut decoder = Decoder::new(bytes);
    // It takes the smallest scale that gives one of these sides, and so both.
    if decoder.scale(width, height).ok()? != (width, height) {
        return None;
    }
    match decoder.info()?.pixel_format {
        PixelFormat::RGB24 => decoder.decode().ok(),
        PixelFormat::L8 => Some(decoder.decode().ok()?.iter().flat_map(|&gray| [gray; 3]).collect()),
        _ => None,
    }
}
