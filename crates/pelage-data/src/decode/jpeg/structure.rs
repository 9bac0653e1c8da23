//! What a JPEG's markers say.

use super::segments::{EOI, SOS, Segment, segments};

/// What the markers say.
#[derive(Default)]
pub(super) struct Structure {
    /// There is an end-of-image marker behind a scan. One in an embedded thumbnail does not count, nor does what
    /// cameras append behind it matter.
    pub(super) ended: bool,
    pub(super) frame: Option<Frame>,
    pub(super) scans: usize,
    /// Blocks that all scans go over, those counted anew that several refine.
    pub(super) visits: u64,
    /// Not progressive, and its only scan holds all components.
    pub(super) lone_baseline_scan: bool,
    /// Bytes between the segments that belong to nothing.
    pub(super) stray: bool,
    /// Bytes of segments that no decoder needs.
    pub(super) unused: usize,
}

/// The frame header.
#[derive(Clone)]
pub(super) struct Frame {
    /// Its marker's code, which says how the image is coded.
    pub(super) process: u8,
    /// Bits of a value.
    pub(super) precision: u8,
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) components: Vec<Component>,
}

/// A color, or brightness.
#[derive(Clone, Copy)]
pub(super) struct Component {
    pub(super) id: u8,
    /// Blocks in each unit of several components, across and down.
    pub(super) across: u32,
    pub(super) down: u32,
    /// Which quantization table.
    pub(super) quantization: usize,
}

impl Frame {
    fn read(process: u8, payload: &[u8]) -> Option<Frame> {
        let [precision, height, height_low, width, width_low, count, components @ ..] = payload else {
            return None;
        };
        let components: Vec<Component> = components
            .as_chunks::<3>()
            .0
            .iter()
            .take(usize::from(*count))
            .map(|[id, sampling, table]| Component {
                id: *id,
                across: u32::from(sampling >> 4),
                down: u32::from(sampling & 15),
                quantization: usize::from(*table),
            })
            .collect();
        let whole = components.len() == usize::from(*count)
            && components
                .iter()
                .all(|one| (1..=4).contains(&one.across) && (1..=4).contains(&one.down));
        whole.then(|| Frame {
            process,
            precision: *precision,
            width: u32::from(u16::from_be_bytes([*width, *width_low])),
            height: u32::from(u16::from_be_bytes([*height, *height_low])),
            components,
        })
    }

    pub(super) fn progressive(&self) -> bool {
        self.process == 0xC2
    }

    /// The most blocks of a component in a unit, across and down.
    pub(super) fn largest(&self) -> [u32; 2] {
        let most = |side: fn(&Component) -> u32| self.components.iter().map(side).max().unwrap_or(1);
        [most(|one| one.across), most(|one| one.down)]
    }

    /// Units of all components, across and down.
    pub(super) fn units(&self) -> [u32; 2] {
        let [across, down] = self.largest();
        [self.width.div_ceil(8 * across), self.height.div_ceil(8 * down)]
    }

    /// Blocks of `component`, filled up to whole units.
    fn blocks(&self, component: &Component) -> u64 {
        let [across, down] = self.units();
        u64::from(across * component.across) * u64::from(down * component.down)
    }

    /// Samples of all components, filled up to whole units.
    pub(super) fn samples(&self) -> u64 {
        64 * self.components.iter().map(|one| self.blocks(one)).sum::<u64>()
    }

    /// The components of a scan by its header, each with the numbers of its tables.
    pub(super) fn scanned(&self, header: &[u8]) -> Vec<(usize, u8)> {
        let count = header.first().map_or(0, |count| usize::from(*count));
        let pairs = header.get(1..).unwrap_or_default().as_chunks::<2>().0;
        let index = |id: u8| self.components.iter().position(|one| one.id == id);
        let listed = pairs.iter().take(count);
        listed.filter_map(|[id, tables]| Some((index(*id)?, *tables))).collect()
    }
}

impl Structure {
    pub(super) fn of(bytes: &[u8]) -> Structure {
        let mut found = Structure::default();
        for segment in segments(bytes) {
            if segment.is_unused() {
                found.unused += segment.payload.len();
            }
            let Segment {
                marker, payload, stray, ..
            } = segment;
            // Behind the data of a scan some writers pad, which decoders know.
            found.stray |= !stray.is_empty();
            match marker {
                0xC0..=0xC3 | 0xC5..=0xC7 | 0xC9..=0xCB | 0xCD..=0xCF | 0xF7 if found.frame.is_none() => {
                    found.frame = Frame::read(marker, payload);
                }
                SOS => {
                    found.scans += 1;
                    let frame = found.frame.as_ref();
                    let scanned = frame.map_or(Vec::new(), |frame| frame.scanned(payload));
                    let all = frame.is_some_and(|frame| scanned.len() == frame.components.len());
                    found.lone_baseline_scan =
                        found.scans == 1 && all && frame.is_some_and(|frame| !frame.progressive());
                    found.visits += frame.map_or(0, |frame| {
                        let blocks = |(index, _): &(usize, u8)| frame.blocks(&frame.components[*index]);
                        scanned.iter().map(blocks).sum()
                    });
                }
                EOI => found.ended = found.scans > 0,
                _ => {}
            }
        }
        found
    }
}

/// Hands over the parts of the file without bytes between its segments that belong to nothing, without segments that no
/// decoder needs and what follows the image, and says how many bytes these are.
pub(super) fn without_unused(bytes: &[u8], mut take: impl FnMut(&[u8])) -> u64 {
    let (mut count, mut from, mut end) = (0, 0, bytes.len());
    let mut give = |part: &[u8]| {
        count += part.len() as u64;
        take(part);
    };
    for segment in segments(bytes) {
        give(&bytes[from..segment.stray.start]);
        from = if segment.is_unused() {
            segment.end
        } else {
            segment.stray.end
        };
        if segment.marker == EOI {
            end = segment.end;
        }
    }
    give(&bytes[from..end]);
    count
}
