//! Validation loss and accuracy of several runs over their epochs, as one figure.

use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::curves::{Drawing, INK, TICKS, describe, draw_mesh, epochs, margin, spread};
use super::text::fixed;
use super::ticks::decimals;
use crate::train::history::HistoryRow;

/// Width of a panel without its labels, and height, in pixels.
const PANEL: (u32, u32) = (490, 470);
/// Maximum number of characters of a name.
const LONGEST: usize = 30;
/// Height of a label in pixels.
const LINE: i32 = 17;
/// Okabe and Ito's palette without yellow, which is too pale for a line.
const COLORS: [RGBColor; 7] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(230, 159, 0),
    RGBColor(86, 180, 233),
    RGBColor(0, 0, 0),
];

/// One run of the figure.
#[derive(Clone, Copy, Debug)]
pub struct Curve<'a> {
    /// The label of its line.
    pub name: &'a str,
    /// Its epochs.
    pub history: &'a [HistoryRow],
    /// The epoch whose weights were kept.
    pub best_epoch: usize,
}

/// A run's line in one panel.
struct Line<'a> {
    name: &'a str,
    color: RGBColor,
    points: Vec<(f64, f64)>,
    best: Option<(f64, f64)>,
}

/// The figure as SVG: validation loss on the left, accuracy on the right, one line per run with its name and
/// a ring at the kept epoch, whose value stands beside the name.
///
/// # Errors
/// If the chart library fails.
pub fn comparison_svg(title: &str, curves: &[Curve<'_>]) -> Result<String, String> {
    let last_epoch = curves
        .iter()
        .flat_map(|curve| curve.history.last())
        .map(|row| row.epoch);
    let last_epoch = last_epoch.max().unwrap_or(1) as f64;
    // Two digits of the label font are 16 pixels; the value beside the name has seven.
    let longest = curves.iter().map(|curve| shortened(curve.name).chars().count()).max();
    let names = 8 * (longest.unwrap_or(0) as u32 + 7) + 30;
    let size = (2 * (PANEL.0 + names), PANEL.1);
    let loss = lines(curves, |row| row.validation_loss);
    let accuracy = lines(curves, |row| 100.0 * row.validation_accuracy);
    let mut svg = String::new();
    {
        let root = SVGBackend::with_string(&mut svg, size).into_drawing_area();
        draw(&root, title, [&loss, &accuracy], last_epoch, names).map_err(|failure| failure.to_string())?;
    }
    let names: Vec<_> = curves.iter().map(|curve| curve.name).collect();
    let what = format!("Validation loss and accuracy over the epochs of {}.", names.join(", "));
    describe(&mut svg, title, &what);
    Ok(svg)
}

fn lines<'a>(curves: &[Curve<'a>], value: impl Fn(&HistoryRow) -> f64) -> Vec<Line<'a>> {
    let line = |(i, curve): (usize, &Curve<'a>)| {
        let all = curve.history.iter().map(|row| (row.epoch as f64, value(row)));
        let points: Vec<_> = all.filter(|(_, y)| y.is_finite()).collect();
        Line {
            name: curve.name,
            color: COLORS[i % COLORS.len()],
            best: points.iter().find(|(x, _)| *x as usize == curve.best_epoch).copied(),
            points,
        }
    };
    curves.iter().enumerate().map(line).collect()
}

fn draw(
    root: &DrawingArea<SVGBackend<'_>, Shift>,
    title: &str,
    [loss, accuracy]: [&[Line<'_>]; 2],
    last_epoch: f64,
    names: u32,
) -> Drawing {
    root.fill(&WHITE)?;
    let root = root.titled(title, ("sans-serif", 19).into_font().color(&INK))?;
    let panels = [("Validation loss", 4, loss), ("Validation accuracy (%)", 2, accuracy)];
    for (area, (title, digits, lines)) in root.split_evenly((1, 2)).iter().zip(panels) {
        draw_panel(area, title, digits, lines, last_epoch, names)?;
    }
    root.present()?;
    Ok(())
}

fn draw_panel(
    area: &DrawingArea<SVGBackend<'_>, Shift>,
    title: &str,
    digits: usize,
    lines: &[Line<'_>],
    last_epoch: f64,
    names: u32,
) -> Drawing {
    let (low, high) = spread(lines.iter().flat_map(|line| &line.points).map(|(_, y)| *y));
    let margin = margin(low, high);
    let (from, to) = epochs(last_epoch);
    let pad = 0.03 * (to - from);
    let mut chart = ChartBuilder::on(area)
        .margin(12)
        .margin_right(names)
        .x_label_area_size(44)
        .y_label_area_size(64)
        .build_cartesian_2d(from - pad..to + pad, low - margin..high + margin)?;
    let ticks = decimals(low - margin, high + margin, TICKS);
    draw_mesh(&mut chart, title, last_epoch, ticks)?;
    for line in lines {
        let style = line.color.stroke_width(2);
        chart.draw_series(LineSeries::new(line.points.iter().copied(), style))?;
        let dot = |point: &(f64, f64)| Circle::new(*point, 2, line.color.filled());
        chart.draw_series(line.points.iter().map(dot))?;
        chart.draw_series(line.best.iter().map(|best| Circle::new(*best, 6, style)))?;
    }
    let (right, bottom) = {
        let (x, y) = chart.plotting_area().get_pixel_range();
        (x.end, y.end)
    };
    let mut ends: Vec<_> = lines
        .iter()
        .filter_map(|line| {
            // A label stands at the value that it names.
            let named = line.best.or(line.points.last().copied())?;
            Some((line, named.1, chart.backend_coord(&named)))
        })
        .collect();
    ends.sort_by_key(|(_, _, (_, y))| *y);
    let levels = apart(ends.iter().map(|(_, _, (_, y))| *y), bottom);
    let (left, top) = area.get_base_pixel();
    for ((line, value, (x, y)), level) in ends.into_iter().zip(levels) {
        let place = |x: i32, y: i32| (x - left, y - top);
        // From the ring to the label, past the epochs after it.
        let leader = vec![place(x + 7, y), place(right + 2, y), place(right + 14, level)];
        area.draw(&PathElement::new(leader, line.color.mix(0.45).stroke_width(1)))?;
        let anchor = Pos::new(HPos::Left, VPos::Center);
        let style = ("sans-serif", 14).into_font().color(&line.color).pos(anchor);
        area.draw(&Text::new(
            format!("{} {}", shortened(line.name), fixed(value, digits)),
            place(right + 18, level),
            style,
        ))?;
    }
    Ok(())
}

/// A name that fits beside a panel: its end, since names tend to differ there.
fn shortened(name: &str) -> String {
    let length = name.chars().count();
    match length > LONGEST {
        true => std::iter::once('…')
            .chain(name.chars().skip(length + 1 - LONGEST))
            .collect(),
        false => name.to_string(),
    }
}

/// Heights near the wanted ones (ascending), a line height apart and not below `bottom`.
fn apart(wanted: impl Iterator<Item = i32>, bottom: i32) -> Vec<i32> {
    let mut levels: Vec<i32> = Vec::new();
    for level in wanted {
        let free = levels.last().map_or(i32::MIN, |last| last + LINE);
        levels.push(level.max(free));
    }
    let mut limit = bottom;
    for level in levels.iter_mut().rev() {
        *level = (*level).min(limit);
        limit = *level - LINE;
    }
    levels
}

#[cfg(test)]
mod tests {
    use super::*;

    fn history(epochs: usize, scale: f64) -> Vec<HistoryRow> {
        let row = |epoch: usize| HistoryRow {
            epoch,
            step: epoch as u64,
            learning_rate: 0.01,
            train_loss: scale,
            train_accuracy: 0.5,
            validation_loss: scale / epoch as f64,
            validation_accuracy: 1.0 - scale / epoch as f64,
            seconds: 1.0,
            images_per_second: 1.0,
        };
        (1..=epochs).map(row).collect()
    }

    #[test]
    fn every_run_has_its_name_at_a_place_of_its_own() {
        let (long, short, broken) = (history(30, 0.7), history(3, 0.7), history(2, f64::NAN));
        let curve = |name, history, best_epoch| Curve {
            name,
            history,
            best_epoch,
        };
        let curves = [
            curve("a<b", &long[..], 28),
            curve("short", &short, 3),
            curve("twin", &short, 3),
            curve("broken", &broken, 1),
            curve("none", &[], 0),
        ];
        let svg = comparison_svg("five & more", &curves).unwrap();
        for text in [
            "a&lt;b 0.025",
            "short 0.233",
            "twin 0.233",
            "short 76.67",
            "five &amp; more",
        ] {
            assert!(svg.contains(text), "{text}");
        }
        crate::draw::png::svg_to_png(&svg, 1.0).unwrap();
    }

    #[test]
    fn a_label_stands_at_the_value_that_it_names() {
        let mut rising = history(20, 0.7);
        rising.iter_mut().skip(5).for_each(|row| row.validation_loss = 0.5);
        let other = history(20, 1.4);
        let curve = |name, history, best_epoch| Curve {
            name,
            history,
            best_epoch,
        };
        let svg = comparison_svg("x", &[curve("early", &rising[..], 5), curve("late", &other, 20)]).unwrap();
        let number = |element: &str, name: &str| -> f64 {
            let value = element.split(&format!(" {name}=\"")).nth(1).unwrap();
            value.split('"').next().unwrap().parse().unwrap()
        };
        let rings = svg.split("<circle").skip(1).filter(|one| number(one, "r") == 6.0);
        let mut rings: Vec<_> = rings.map(|one| number(one, "cy")).collect();
        let texts = svg
            .split("<text")
            .skip(1)
            .filter(|one| one.contains("early") || one.contains("late"));
        let mut labels: Vec<_> = texts.map(|one| number(one, "y")).collect();
        rings.sort_by(f64::total_cmp);
        labels.sort_by(f64::total_cmp);
        assert_eq!((rings.len(), labels.len()), (4, 4), "{svg}");
        for (ring, label) in rings.iter().zip(&labels) {
            assert!((ring - label).abs() < 20.0, "{rings:?}: {labels:?}");
        }
    }

    #[test]
    fn long_names_keep_their_end() {
        let long = format!("{}-seed1", "x".repeat(60));
        assert_eq!(shortened(&long).chars().count(), LONGEST);
        assert!(shortened(&long).starts_with('…') && shortened(&long).ends_with("-seed1"));
        assert_eq!(shortened("short"), "short");
    }

    #[test]
    fn names_do_not_lie_on_each_other_or_outside() {
        assert_eq!(apart([10, 12, 80].into_iter(), 100), [10, 10 + LINE, 80]);
        assert_eq!(apart([99, 100].into_iter(), 100), [100 - LINE, 100]);
    }
}
