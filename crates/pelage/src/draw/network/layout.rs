//! Box placement. A segment has rows, by depth, and lanes, which keep chains straight; its input and output lie on one
//! axis. Segments are stacked on a common axis, in as many columns as give a handy page.

use super::blocks::{self, Item, Segment};
use super::label;

/// Height of a box.
pub(super) const BOX: f64 = 54.0;
/// Gap between rows, and between segments.
pub(super) const GAP: f64 = 22.0;
/// Gap between lanes.
const LANE_GAP: f64 = 22.0;
/// Padding of a frame at the sides and at the bottom.
pub(super) const PADDING: f64 = 14.0;
/// Padding of a frame at the top, below its title.
pub(super) const TITLE: f64 = 40.0;
/// Room beside the boxes for a shortcut.
pub(super) const SHORTCUT: f64 = 22.0;
/// Gap between columns.
pub(super) const GUTTER: f64 = 44.0;
/// Target ratio of page height to width: a portrait sheet.
const ASPECT: f64 = 1.3;
/// A single column may always be this high.
const LOW: f64 = 13.0 * (BOX + GAP);

/// A box within its segment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub(super) item: usize,
    /// Its center, relative to the axis.
    pub(super) x: f64,
    /// Its top, relative to the segment's.
    pub(super) y: f64,
}

/// A segment with its boxes.
#[derive(Clone, Debug)]
pub(super) struct Placed {
    pub(super) segment: Segment,
    pub(super) places: Vec<Place>,
    /// Width of each box.
    pub(super) width: f64,
    /// Its extent from the axis to the left and to the right.
    pub(super) reach: [f64; 2],
    pub(super) height: f64,
}

/// Stacked segments.
#[derive(Clone, Debug, Default)]
pub(super) struct Column {
    pub(super) segments: Vec<Placed>,
}

impl Column {
    pub(super) fn height(&self) -> f64 {
        self.segments.iter().map(|placed| placed.height + GAP).sum::<f64>() - GAP
    }

    /// Its extent from the axis to the left and to the right.
    pub(super) fn reach(&self) -> [f64; 2] {
        [0, 1].map(|side| {
            self.segments
                .iter()
                .map(|placed| placed.reach[side])
                .fold(0.0, f64::max)
        })
    }
}

/// All segments, in the number of columns whose page comes nearest to [`ASPECT`]; in one if that is not too high.
pub(super) fn columns(items: &[Item]) -> Vec<Column> {
    let segments = blocks::segments(items);
    let drawn = segments
        .iter()
        .flat_map(|segment| segment.blocks[0].iter().map(move |&i| (segment, i)));
    let width = drawn
        .map(|(segment, i)| label::box_width(items, segment, i))
        .fold(0.0, f64::max);
    let placed: Vec<_> = segments
        .into_iter()
        .map(|segment| place(items, segment, width))
        .collect();
    let badness = |columns: &Vec<Column>| {
        let (width, height) = extent(columns);
        (height / width / ASPECT).ln().abs()
    };
    let one = cut(&placed, 1);
    if extent(&one).1 <= LOW {
        return one;
    }
    let choices = (1..=6).map(|count| cut(&placed, count));
    choices.min_by(|a, b| badness(a).total_cmp(&badness(b))).unwrap_or(one)
}

/// Width and height of all columns side by side.
pub(super) fn extent(columns: &[Column]) -> (f64, f64) {
    let widths = columns.iter().map(|column| column.reach().iter().sum::<f64>() + GUTTER);
    let heights = columns.iter().map(Column::height);
    (widths.sum::<f64>() - GUTTER, heights.fold(0.0, f64::max))
}

/// `count` columns, the highest of them as low as possible.
fn cut(placed: &[Placed], count: usize) -> Vec<Column> {
    let fill = |most: f64| {
        let mut columns = vec![Column::default()];
        for one in placed {
            // There is a first column from the start, and each begins with a segment.
            if let Some(last) = columns.last_mut() {
                if last.segments.is_empty() || last.height() + GAP + one.height <= most {
                    last.segments.push(one.clone());
                } else {
                    columns.push(Column {
                        segments: vec![one.clone()],
                    });
                }
            }
        }
        columns
    };
    let (mut low, mut high) = (0.0, placed.iter().map(|one| one.height + GAP).sum::<f64>());
    while high - low > 1.0 {
        let middle = (low + high) / 2.0;
        if fill(middle).len() <= count {
            high = middle;
        } else {
            low = middle;
        }
    }
    fill(high)
}

/// Places a segment's boxes, each `width` wide, in rows and lanes.
fn place(items: &[Item], segment: Segment, width: f64) -> Placed {
    let block = &segment.blocks[0];
    let inside = |i: usize| {
        let inputs = items[i].inputs.iter();
        inputs
            .filter_map(|input| input.checked_sub(block[0]))
            .collect::<Vec<_>>()
    };
    let (mut rows, mut lanes) = (Vec::<usize>::new(), Vec::<f64>::new());
    let mut next_lane = 0.0;
    let mut continued = vec![false; block.len()];
    for &i in block {
        let inputs = inside(i);
        rows.push(inputs.iter().map(|&input| rows[input] + 1).max().unwrap_or(0));
        let lane = match inputs[..] {
            // Many branches end here: centered below them.
            [_, _, _, ..] => {
                let (least, most) = inputs.iter().fold((f64::MAX, f64::MIN), |(a, b), &input| {
                    (a.min(lanes[input]), b.max(lanes[input]))
                });
                (least + most) / 2.0
            }
            [first, ..] if !continued[first] => {
                continued[first] = true;
                lanes[first]
            }
            _ => {
                next_lane += 1.0;
                next_lane - 1.0
            }
        };
        lanes.push(lane);
    }
    // The output lies on the axis. A branch left of it moves to the other side, unless the output is the center of all.
    let axis = lanes.last().copied().unwrap_or(0.0);
    let on_a_lane = axis.fract() == 0.0 && (next_lane <= 2.0);
    for lane in &mut lanes {
        *lane -= axis;
        if on_a_lane {
            *lane = lane.abs();
        }
    }

    let top = if segment.is_framed() { TITLE } else { 0.0 };
    let places: Vec<_> = block
        .iter()
        .zip(rows.iter().zip(&lanes))
        .map(|(&item, (&row, &lane))| Place {
            item,
            x: lane * (width + LANE_GAP),
            y: top + row as f64 * (BOX + GAP),
        })
        .collect();
    let rows = rows.iter().max().map_or(1, |most| most + 1) as f64;
    let (mut reach, mut height) = ([width / 2.0; 2], rows * (BOX + GAP) - GAP);
    for place in &places {
        reach = [reach[0].max(width / 2.0 - place.x), reach[1].max(width / 2.0 + place.x)];
    }
    if segment.is_framed() {
        // A shortcut from outside runs beside the boxes.
        let passes = |i: &usize| items[*i].inputs.len() == 2 && inside(*i).len() == 1;
        reach[1] += if block.iter().any(passes) { SHORTCUT } else { 0.0 };
        reach = reach.map(|side| side + PADDING);
        height += TITLE + PADDING;
    }
    Placed {
        segment,
        places,
        width,
        reach,
        height,
    }
}
