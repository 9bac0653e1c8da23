//! How much of a JPEG is missing that decoders fill in without a word: rows behind data that ends early, and rows made
//! of zeros that a disk or a broken download left in the place of data.
//!
//! Huffman codes are read as a decoder does, without making pixels of them. That takes time, and is done only where
//! something makes one suspicious.

use std::ops::Range;

use image::RgbImage;

use super::huffman::{Bits, Block, Codes, Stop};
use super::segments::{DHT, DQT, DRI, SOS, Segment, segments};
use super::structure::{Frame, Structure};

/// Zero bytes in a row that data of the usual tables never has.
const ZEROS: usize = 64;

/// The same in the scans of a progressive file that refine, where one code ends many blocks.
const ZEROS_IN_DETAILS: usize = 256;

/// Zero bytes that are more than a unit of an image needs, unless these bits are taken for details of it.
const ZEROS_IN_A_UNIT: usize = 32;

/// Why an image should not be taken for whole, from its data alone.
pub(super) fn reason(bytes: &[u8], structure: &Structure) -> Option<String> {
    let frame = structure.frame.as_ref()?;
    if frame.progressive() {
        let share = share_of_zeros(bytes);
        return (share > 0.0).then(|| format!("damaged JPEG: {} % of its data are zeros", percent(share)));
    }
    let data = segments(bytes).filter(|segment| segment.marker == SOS);
    // A block takes a bit to say that its mean is as before, and one to say that this is all.
    let blocks = structure.visits;
    let mut suspicious = false;
    let mut bits = 0;
    for scan in data {
        bits += 8 * scan.data.len() as u64;
        suspicious |= !zero_runs(scan.data, ZEROS).is_empty();
    }
    (suspicious || bits < 2 * blocks).then(|| rows(bytes, frame)).flatten()
}

/// Whether next to nothing of an image is there.
pub(super) fn all(bytes: &[u8], frame: &Frame) -> bool {
    let scans = segments(bytes).filter(|segment| segment.marker == SOS);
    let share = match frame.progressive() {
        true => share_of_zeros(bytes),
        false => share_missing(bytes, frame),
    };
    scans.map(|scan| scan.data.len()).sum::<usize>() == 0 || share > 0.99
}

/// The share of zeros that no image needs in the data of a progressive one.
fn share_of_zeros(bytes: &[u8]) -> f64 {
    let scans = || segments(bytes).filter(|segment| segment.marker == SOS);
    // All coefficients but the mean: of a header's components come the first and last of these.
    let details = scans().filter(|scan| scan.payload.iter().rev().nth(2).is_some_and(|&first| first > 0));
    let zeros: usize = details
        .flat_map(|scan| zero_runs(scan.data, ZEROS_IN_DETAILS))
        .map(|run| run.len())
        .sum();
    let all: usize = scans().map(|scan| scan.data.len()).sum();
    zeros as f64 / all.max(1) as f64
}

/// As [`reason`], of an image that was decoded at a part of its size in eighths: where its last units look alike, they
/// may be what a decoder makes of nothing.
pub(super) fn reason_by_pixels(bytes: &[u8], structure: &Structure, image: &RgbImage, eighths: u32) -> Option<String> {
    let frame = structure.frame.as_ref().filter(|frame| !frame.progressive())?;
    let step = (frame.largest()[0] * eighths) as usize;
    let last_row = image.rows().next_back()?;
    let mut places = last_row.rev().step_by(step).take(4);
    let last = places.next()?;
    let alike = places.all(|pixel| (0..3).all(|c| pixel[c].abs_diff(last[c]) <= 2));
    alike.then(|| rows(bytes, frame)).flatten()
}

fn percent(share: f64) -> u64 {
    ((100.0 * share).round() as u64).max(1)
}

/// Why an image should not be taken for whole, by all of its data, of which sequential coding alone is understood.
pub(super) fn rows(bytes: &[u8], frame: &Frame) -> Option<String> {
    let share = if frame.progressive() {
        0.0
    } else {
        share_missing(bytes, frame)
    };
    (share > 0.0).then(|| format!("damaged JPEG: {} % of rows missing", percent(share)))
}

/// Ranges of at least `least` zero bytes.
fn zero_runs(data: &[u8], least: usize) -> Vec<Range<usize>> {
    let mut runs = Vec::new();
    let mut at = least - 1;
    while at < data.len() {
        if data[at] != 0 {
            at += least;
            continue;
        }
        let start = data[..at]
            .iter()
            .rposition(|&byte| byte != 0)
            .map_or(0, |found| found + 1);
        let end = data[at..]
            .iter()
            .position(|&byte| byte != 0)
            .map_or(data.len(), |found| at + found);
        if end - start >= least {
            runs.push(start..end);
        }
        at = end + least - 1;
    }
    runs
}

/// The tables that are known so far; how often the data restarts.
struct Tables {
    codes: [Option<Codes>; 8],
    mean_steps: [i32; 4],
    restart: u64,
}

/// The share of an image's units that its data lacks, of all scans.
fn share_missing(bytes: &[u8], frame: &Frame) -> f64 {
    let mut tables = Tables {
        codes: Default::default(),
        mean_steps: [1; 4],
        restart: 0,
    };
    let (mut missing, mut total) = (0, 0);
    for Segment {
        marker, payload, data, ..
    } in segments(bytes)
    {
        match marker {
            DHT => {
                for (kind, codes) in Codes::read(payload) {
                    tables.codes[usize::from(kind >> 4 & 1) * 4 + usize::from(kind & 3)] = Some(codes);
                }
            }
            DQT => read_steps(payload, &mut tables.mean_steps),
            DRI => {
                tables.restart = payload
                    .first_chunk()
                    .map_or(0, |pair| u64::from(u16::from_be_bytes(*pair)));
            }
            SOS => {
                let Some(scan) = Scan::new(frame, payload, &tables) else {
                    continue;
                };
                total += scan.units * scan.blocks.len() as u64;
                missing += scan.missing(data, tables.restart) * scan.blocks.len() as u64;
            }
            _ => {}
        }
    }
    missing as f64 / (total as f64).max(1.0)
}

/// The step of the mean in each quantization table of a segment.
fn read_steps(mut payload: &[u8], steps: &mut [i32; 4]) {
    while let Some((&kind, rest)) = payload.split_first() {
        let wide = kind >> 4 != 0;
        let step = match (wide, rest) {
            (false, [low, ..]) => i32::from(*low),
            (true, [high, low, ..]) => i32::from(u16::from_be_bytes([*high, *low])),
            _ => break,
        };
        steps[usize::from(kind & 3)] = step;
        payload = rest.get(if wide { 128 } else { 64 }..).unwrap_or_default();
    }
}

/// A scan of a sequential image.
struct Scan<'a> {
    units: u64,
    /// The component of each block of a unit.
    blocks: Vec<usize>,
    /// By component: tables, and the step of the mean.
    tables: Vec<Option<(&'a Codes, &'a Codes, i32)>>,
}

impl<'a> Scan<'a> {
    fn new(frame: &Frame, header: &[u8], tables: &'a Tables) -> Option<Self> {
        let scanned = frame.scanned(header);
        let [across, down] = frame.units();
        let units = match scanned[..] {
            [] => return None,
            // A component alone comes in blocks, and these are not filled up to whole units.
            [(index, _)] => {
                let (component, largest) = (frame.components[index], frame.largest());
                let blocks = |side: u32, part: u32, of: u32| u64::from((side * part).div_ceil(of).div_ceil(8));
                blocks(frame.width, component.across, largest[0]) * blocks(frame.height, component.down, largest[1])
            }
            _ => u64::from(across) * u64::from(down),
        };
        let mut scan = Scan {
            units,
            blocks: Vec::new(),
            tables: vec![None; frame.components.len()],
        };
        for &(index, numbers) in &scanned {
            let component = frame.components[index];
            let count = if scanned.len() == 1 {
                1
            } else {
                component.across * component.down
            };
            scan.blocks.extend(std::iter::repeat_n(index, count as usize));
            let dc = tables.codes[usize::from(numbers >> 4 & 3)].as_ref()?;
            let ac = tables.codes[4 + usize::from(numbers & 3)].as_ref()?;
            scan.tables[index] = Some((dc, ac, tables.mean_steps[component.quantization & 3]));
        }
        Some(scan)
    }

    /// Units that `data` lacks.
    fn missing(&self, data: &[u8], restart: u64) -> u64 {
        let interval = if restart == 0 { self.units } else { restart };
        let (mut done, mut missing, mut from, mut expected) = (0, 0, 0, 0);
        while done < self.units {
            let length = next_restart(&data[from..]);
            let part = &data[from..from + length];
            let units = interval.min(self.units - done);
            missing += self.missing_in(part, units);
            done += units;
            from += length;
            let Some(&code) = data.get(from + 1) else { break };
            from += 2;
            // Restarts are counted from 0 to 7: where some are left out, so is what was between them.
            let skipped = u64::from((code & 7).wrapping_sub(expected) & 7);
            if skipped < 4 {
                let lost = (skipped * interval).min(self.units - done);
                missing += lost;
                done += lost;
            }
            expected = (code + 1) & 7;
        }
        missing + (self.units - done.min(self.units))
    }

    /// Of `units` between two restarts.
    fn missing_in(&self, data: &[u8], units: u64) -> u64 {
        let runs = zero_runs(data, ZEROS);
        let mut bits = Bits::new(data);
        let mut means = vec![0i64; self.tables.len()];
        let mut missing = 0;
        for unit in 0..units {
            if bits.is_over() {
                return missing + units - unit;
            }
            let start = bits.place();
            match self.unit(&mut bits, &mut means) {
                Ok(plausible) => {
                    let end = bits.place();
                    let within = |run: &Range<usize>| run.end.min(end).saturating_sub(run.start.max(start));
                    let zeros = runs.iter().map(within).max().unwrap_or(0);
                    // Of plain areas the data may be zeros, with tables made for the image.
                    let replaced = zeros >= ZEROS_IN_A_UNIT || all_zero(&runs, start, end);
                    missing += u64::from(!plausible && replaced);
                }
                // The rest of one that was begun is next to nothing.
                Err(Stop::Ended) => return missing + units - unit - 1,
                Err(Stop::Unknown) => return missing + units - unit,
            }
        }
        missing
    }

    /// Reads one unit: whether all of it is plain and its means are such as an image can have.
    fn unit(&self, bits: &mut Bits, means: &mut [i64]) -> Result<bool, Stop> {
        let mut plausible = true;
        for &index in &self.blocks {
            let (dc, ac, step) = self.tables[index].ok_or(Stop::Unknown)?;
            let Block { change, detailed } = bits.block(dc, ac)?;
            means[index] += i64::from(change);
            // Eight times the distance of a mean from the middle gray, and as much again for rounding.
            plausible &= !detailed && means[index].abs() * i64::from(step) <= 2048;
        }
        Ok(plausible)
    }
}

fn all_zero(runs: &[Range<usize>], start: usize, end: usize) -> bool {
    runs.iter().any(|run| run.start <= start && end <= run.end)
}

/// The length of the data before the next restart marker, or of all.
fn next_restart(data: &[u8]) -> usize {
    let restart = data
        .windows(2)
        .position(|pair| pair[0] == 0xFF && matches!(pair[1], 0xD0..=0xD7));
    restart.unwrap_or(data.len())
}
