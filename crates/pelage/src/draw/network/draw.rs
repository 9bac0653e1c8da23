//! The boxes and lines as SVG.

use super::blocks::{Ink, Item, Segment};
use super::label::{LINES, lines, shape};
use super::layout::{BOX, Column, GAP, GUTTER, PADDING, Placed, SHORTCUT, extent};
use crate::draw::markup::escaped;
use crate::draw::text::thousands;

/// Margin of the drawing.
const MARGIN: f64 = 28.0;
/// Height of the title and the legend.
const HEAD: f64 = 124.0;

/// Fill, border and name of each color.
fn ink(ink: Ink) -> (&'static str, &'static str, &'static str) {
    match ink {
        Ink::Convolution => ("#e1ecf7", "#5584ad", "convolution"),
        Ink::Depthwise => ("#dcf0ee", "#459a93", "depthwise convolution"),
        Ink::Pooling => ("#e6f1dd", "#6f9a50", "pooling"),
        Ink::Dense => ("#fcebd9", "#c98b47", "dense"),
        Ink::Other => ("#f4f4f4", "#8c8c8c", "no parameters"),
    }
}

/// The whole drawing.
pub(super) fn svg(name: &str, items: &[Item], columns: &[Column]) -> String {
    let (content, height) = extent(columns);
    let parameters: u64 = items.iter().map(|item| item.parameters).sum();
    let multiply_adds: u64 = items.iter().map(|item| item.multiply_adds).sum();
    let facts = format!(
        "input {} · {} parameters · {} multiply-adds",
        shape(&items[0]),
        thousands(parameters),
        thousands(multiply_adds)
    );
    let legend = legend(items);
    let width = content.max(facts.chars().count() as f64 * 7.4).max(legend.1) + 2.0 * MARGIN;
    let height = height + HEAD + MARGIN + GAP;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width:.0}\" height=\"{height:.0}\" \
         viewBox=\"0 0 {width:.0} {height:.0}\" font-family=\"DejaVu Sans, Verdana, sans-serif\" fill=\"#22272c\" \
         role=\"img\">\n\
         <title>{name}</title>\n<desc>The layers of {name}: {facts}</desc>\n\
         <defs><marker id=\"tip\" viewBox=\"0 0 8 8\" refX=\"7\" refY=\"4\" markerWidth=\"7\" markerHeight=\"7\" \
         orient=\"auto\"><path d=\"M0 0.8 L7.5 4 L0 7.2 z\" fill=\"#6b737b\"/></marker></defs>\n\
         <rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n\
         <text x=\"{MARGIN}\" y=\"44\" font-size=\"22\" font-weight=\"bold\">{name}</text>\n\
         <text x=\"{MARGIN}\" y=\"66\" font-size=\"12\" fill=\"#5a636c\">{facts}</text>\n{}",
        legend.0,
        name = escaped(name),
    );
    let mut left = (width - content) / 2.0;
    for (i, column) in columns.iter().enumerate() {
        let reach = column.reach();
        let axis = left + reach[0];
        let mut top = HEAD;
        for (j, placed) in column.segments.iter().enumerate() {
            svg += &segment(items, placed, axis, top, j > 0 || i > 0);
            top += placed.height + GAP;
        }
        left = axis + reach[1] + GUTTER;
        if let Some(next) = columns.get(i + 1) {
            let first = next.segments.first().map_or(0.0, way_in);
            svg += &onwards(
                axis,
                top - GAP,
                left - GUTTER / 2.0,
                left + next.reach()[0],
                HEAD + first,
            );
        }
    }
    svg + "</svg>\n"
}

/// The legend of the colors in use, and its width.
fn legend(items: &[Item]) -> (String, f64) {
    let (mut svg, mut x) = (String::new(), MARGIN);
    let all = [Ink::Convolution, Ink::Depthwise, Ink::Pooling, Ink::Dense, Ink::Other];
    for used in all.into_iter().filter(|&one| items.iter().any(|item| item.ink == one)) {
        let (fill, stroke, name) = ink(used);
        svg += &format!(
            "<rect x=\"{x}\" y=\"80\" width=\"14\" height=\"11\" rx=\"3\" fill=\"{fill}\" stroke=\"{stroke}\"/>\
             <text x=\"{}\" y=\"89.5\" font-size=\"10.5\" fill=\"#5a636c\">{name}</text>\n",
            x + 20.0
        );
        x += 20.0 + name.len() as f64 * 6.2 + 20.0;
    }
    if items.iter().any(|item| item.kind.contains("BN")) {
        svg += &format!("<text x=\"{x}\" y=\"89.5\" font-size=\"10.5\" fill=\"#5a636c\">BN: batch norm</text>\n");
        x += 100.0;
    }
    (svg, x - MARGIN)
}

/// Where a line from above ends: at the box, or inside a frame where it forks.
fn way_in(placed: &Placed) -> f64 {
    let heads = placed
        .places
        .iter()
        .filter(|place| place.y == placed.places[0].y)
        .count();
    match placed.segment.is_framed() && heads > 1 {
        true => placed.places[0].y - GAP,
        false => placed.places[0].y,
    }
}

/// A frame with its boxes and lines, and the line that enters from above if `follows`.
fn segment(items: &[Item], placed: &Placed, axis: f64, top: f64, follows: bool) -> String {
    let Placed {
        segment, places, width, ..
    } = placed;
    let (mut svg, mut sums) = (String::new(), String::new());
    let first = segment.blocks[0][0];
    if segment.is_framed() {
        svg += &frame(items, placed, axis, top);
        let foot = places.last().map_or(0.0, |last| last.y + BOX);
        svg += &line(&format!("M{axis:.1} {:.1} V{:.1}", top + foot, top + placed.height), "");
    }
    let at = |item: usize| places.iter().find(|place| place.item == item);
    let heads: Vec<_> = places
        .iter()
        .filter(|place| items[place.item].inputs.iter().all(|&i| i < first))
        .collect();
    if follows {
        let enters = top + way_in(placed);
        // The first box of a column has its line from the gutter, see `onwards`.
        let tip = if heads.len() > 1 { "" } else { TIP };
        svg += &line(
            &format!("M{axis:.1} {:.1} V{enters:.1}", (top - GAP).max(HEAD - 1.0)),
            tip,
        );
        if heads.len() > 1 {
            for head in &heads {
                let (x, y) = (axis + head.x, top + head.y);
                svg += &line(
                    &format!("M{axis:.1} {enters:.1} {}", step(axis, enters + GAP * 0.3, x, y)),
                    TIP,
                );
            }
        }
    }
    for place in places {
        let (x, y) = (axis + place.x, top + place.y);
        let merges = items[place.item].inputs.len() == 2;
        for (n, &input) in items[place.item].inputs.iter().enumerate() {
            match at(input) {
                // The second input of a sum enters from the side.
                Some(from) if merges && n == 1 => {
                    let (x1, y1) = (axis + from.x, top + from.y + BOX);
                    svg += &line(&bend(x1, y1, x + width / 2.0 + 8.0, y + BOX / 2.0), TIP);
                    sums += &plus(x + width / 2.0, y + BOX / 2.0);
                }
                Some(from) => {
                    let (x1, y1) = (axis + from.x, top + from.y + BOX);
                    // First straight down, past the boxes of other lanes.
                    let corner = y - GAP * 0.6;
                    svg += &line(&format!("M{x1:.1} {y1:.1} {}", step(x1, corner, x, y)), TIP);
                }
                None if merges && n == 1 => {
                    let (start, beside) = (top + places[0].y - GAP * 0.5, x + width / 2.0 + SHORTCUT);
                    svg += &format!("<circle cx=\"{axis:.1}\" cy=\"{start:.1}\" r=\"2.2\" fill=\"#6b737b\"/>\n");
                    svg += &line(
                        &format!(
                            "M{axis:.1} {start:.1} H{:.1} q8 0 8 8 {}",
                            beside - 8.0,
                            bend_on(beside, x + width / 2.0 + 8.0, y + BOX / 2.0)
                        ),
                        TIP,
                    );
                    sums += &plus(x + width / 2.0, y + BOX / 2.0);
                }
                None => {}
            }
        }
    }
    places
        .iter()
        .for_each(|place| svg += &boxed(items, segment, place.item, axis + place.x, top + place.y, *width));
    svg + &sums
}

fn frame(items: &[Item], placed: &Placed, axis: f64, top: f64) -> String {
    let (left, width) = (axis - placed.reach[0], placed.reach[0] + placed.reach[1]);
    let (height, count) = (placed.height, placed.segment.blocks.len());
    let mut svg = String::new();
    // A second sheet behind the first stands for the repetitions.
    if count > 1 {
        svg += &format!(
            "<rect x=\"{:.1}\" y=\"{:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" rx=\"10\" \
             fill=\"#f0f2f4\" stroke=\"#c5ccd3\"/>\n",
            left + 5.0,
            top + 5.0
        );
    }
    svg += &format!(
        "<rect x=\"{left:.1}\" y=\"{top:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" rx=\"10\" \
         fill=\"#fafbfc\" stroke=\"#c5ccd3\"/>\n\
         <text x=\"{:.1}\" y=\"{:.1}\" font-size=\"11\" font-weight=\"bold\" fill=\"#5a636c\">{}</text>\n",
        left + PADDING,
        top + 18.0,
        escaped(&placed.segment.title(items))
    );
    if count > 1 {
        svg += &format!(
            "<text x=\"{:.1}\" y=\"{:.1}\" font-size=\"13\" font-weight=\"bold\" \
             text-anchor=\"end\">× {count}</text>\n",
            left + width - PADDING,
            top + 19.0
        );
    }
    svg
}

fn boxed(items: &[Item], segment: &Segment, i: usize, middle: f64, top: f64, width: f64) -> String {
    let place = segment.blocks[0].iter().position(|&item| item == i).unwrap_or(0);
    let names: String = segment
        .blocks
        .iter()
        .map(|block| escaped(&items[block[place]].name) + "\n")
        .collect();
    let (item, lines, (fill, stroke, _)) = (&items[i], lines(items, segment, i), ink(items[i].ink));
    let mut svg = format!(
        "<g><title>{names}{}: {}</title>\n\
         <rect class=\"box\" x=\"{:.1}\" y=\"{top:.1}\" width=\"{width:.1}\" height=\"{BOX}\" rx=\"6\" \
         fill=\"{fill}\" stroke=\"{stroke}\"/>\n",
        item.kind,
        lines[2],
        middle - width / 2.0
    );
    let styles = ["font-weight=\"bold\"", "", "fill=\"#5a636c\""];
    for ((line, size), (style, down)) in lines.iter().zip(LINES).zip(styles.iter().zip([17.0, 31.5, 45.5])) {
        svg += &format!(
            "<text x=\"{middle:.1}\" y=\"{:.1}\" font-size=\"{size}\" text-anchor=\"middle\" {style}>{}</text>\n",
            top + down,
            escaped(line)
        );
    }
    svg + "</g>\n"
}

const TIP: &str = " marker-end=\"url(#tip)\"";

fn line(path: &str, tip: &str) -> String {
    format!("<path d=\"{path}\" fill=\"none\" stroke=\"#6b737b\" stroke-width=\"1.3\"{tip}/>\n")
}

/// From one point down to another with two rounded corners; `corner_y` is the height of the horizontal part.
fn step(x1: f64, corner_y: f64, x2: f64, y2: f64) -> String {
    let round = ((x2 - x1).abs() / 2.0).min(6.0).min(y2 - corner_y);
    let side = round * (x2 - x1).signum();
    if round == 0.0 {
        return format!("V{y2:.1}");
    }
    format!(
        "V{:.1} q0 {round:.1} {side:.1} {round:.1} H{:.1} q{side:.1} 0 {side:.1} {round:.1} V{y2:.1}",
        corner_y - round,
        x2 - side
    )
}

/// From a point down and around a corner to the left.
fn bend(x1: f64, y1: f64, x2: f64, y2: f64) -> String {
    format!("M{x1:.1} {y1:.1} {}", bend_on(x1, x2, y2))
}

fn bend_on(x1: f64, x2: f64, y2: f64) -> String {
    let corner = (x1 - x2).clamp(0.0, 8.0);
    format!("V{:.1} q0 {corner:.1} -{corner:.1} {corner:.1} H{x2:.1}", y2 - corner)
}

/// The plus sign of a sum.
fn plus(x: f64, y: f64) -> String {
    format!(
        "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"7\" fill=\"white\" stroke=\"#6b737b\"/>\
         <path d=\"M{:.1} {y:.1} h7 m-3.5 -3.5 v7\" stroke=\"#6b737b\" stroke-width=\"1.3\" fill=\"none\"/>\n",
        x - 3.5
    )
}

/// From the bottom of a column through the gutter to the top of the next.
fn onwards(x1: f64, foot: f64, gutter: f64, x2: f64, enters: f64) -> String {
    let (below, above) = (foot + 4.0, HEAD - 16.0);
    line(
        &format!(
            "M{x1:.1} {foot:.1} V{below:.1} q0 8 8 8 H{:.1} q8 0 8 -8 V{:.1} q0 -8 8 -8 H{:.1} q8 0 8 8 V{enters:.1}",
            gutter - 8.0,
            above + 8.0,
            x2 - 8.0
        ),
        TIP,
    )
}
