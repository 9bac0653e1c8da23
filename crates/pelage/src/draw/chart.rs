//! A small SVG chart for a page: lines or points over two axes, in colors that follow the page's theme.

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::legend::{Key, Legend};
use super::markup::escaped;
use super::text::fixed;
use super::ticks::decimals;

/// A chart.
pub struct Chart<'a> {
    /// Title, for screen readers.
    pub title: &'a str,
    /// Description, for screen readers.
    pub description: &'a str,
    /// The horizontal axis.
    pub x: Axis<'a>,
    /// The vertical axis.
    pub y: Axis<'a>,
    /// The series, in the order of the hues.
    pub series: Vec<Series>,
    /// Whether to draw a dashed diagonal: chance, or perfect calibration.
    pub diagonal: bool,
}

/// An axis.
pub struct Axis<'a> {
    /// Its label.
    pub label: &'a str,
    /// The smallest value shown.
    pub from: f64,
    /// The largest value shown.
    pub to: f64,
    /// Whether only whole numbers mean something.
    pub is_whole: bool,
}

/// A series of points.
pub struct Series {
    /// Its name in the legend.
    pub name: String,
    /// The points, from left to right.
    pub points: Vec<(f64, f64)>,
    /// How the points are drawn.
    pub mark: Mark,
    /// An interval around each point; none, or as many as points.
    pub intervals: Vec<Interval>,
}

/// Where a point could lie as well.
pub struct Interval {
    /// The least value.
    pub low: f64,
    /// The largest value.
    pub high: f64,
    /// A short text at the top of the chart.
    pub label: String,
}

/// How points are drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// Joined by a line.
    Line,
    /// Joined by a line, with a dot at each.
    Dots,
    /// A dot at each.
    Points,
    /// A bar from the bottom to each point, as wide as the spacing of the points.
    Bars,
}

/// Width and height in pixels: small, so that text stays legible on a phone.
const SIZE: (u32, u32) = (460, 340);

/// Placeholder colors, which [`svg`] replaces by the page's.
const INK: RGBColor = RGBColor(1, 1, 1);
const GRID: RGBColor = RGBColor(2, 2, 2);
/// Size of the text of legends and ticks, and of the labels of intervals.
const TEXT: i32 = 16;
const SMALL: i32 = 12;
/// Most ticks of an axis.
const TICKS: usize = 6;
/// Number of hues; later series reuse them.
const HUES: usize = 6;

fn hue(i: usize) -> RGBColor {
    RGBColor(4, 4, 4 + (i % HUES) as u8)
}

/// The chart as SVG whose colors are the CSS variables `--ink`, `--grid` and `--hue0` to `--hue5`.
///
/// # Errors
/// If the chart library fails.
pub fn svg(chart: &Chart) -> Result<String, String> {
    let mut svg = String::new();
    draw(chart, &mut svg).map_err(|failure| failure.to_string())?;
    let named = |color: RGBColor| format!("\"#{:02X}{:02X}{:02X}\"", color.0, color.1, color.2);
    for (color, name) in [(INK, "ink"), (GRID, "grid")] {
        svg = svg.replace(&named(color), &format!("\"var(--{name})\""));
    }
    for i in 0..HUES {
        svg = svg.replace(&named(hue(i)), &format!("\"var(--hue{i})\""));
    }

    let (title, words) = (escaped(chart.title), escaped(chart.description));
    let open = format!("<svg role=\"img\" aria-label=\"{title}\"");
    svg = svg.replacen("<svg", &open, 1);
    let body = svg.find('>').map_or(0, |end| end + 1);
    svg.insert_str(body, &format!("<title>{title}</title><desc>{words}</desc>"));
    // A table beside the chart has its values and names; line breaks would only make the page longer.
    Ok(svg.replace('\n', ""))
}

fn draw(chart: &Chart, svg: &mut String) -> Result<(), Box<dyn std::error::Error>> {
    let root = SVGBackend::with_string(svg, SIZE).into_drawing_area();
    let (x, y) = (&chart.x, &chart.y);
    let named = chart.series.iter().enumerate().map(|(i, series)| Key {
        name: series.name.clone(),
        color: hue(i),
    });
    // A lone series is what the axes say.
    let keys = if chart.series.len() > 1 {
        named.collect()
    } else {
        Vec::new()
    };
    let label = |axis: &Axis, value: f64| match axis.is_whole && value.fract().abs() > 1e-6 {
        true => String::new(),
        false if axis.is_whole => fixed(value, 0),
        false => fixed(value, decimals(axis.from, axis.to, TICKS)),
    };
    // Space for the longest label, about ten pixels a character, and beside it the name of the axis.
    let longest = [y.from, y.to].map(|value| label(y, value).chars().count());
    let left = 28 + 10 * longest[0].max(longest[1]).max(3) as u32;
    let legend = Legend::new(keys, SIZE.0 - left - 28, TEXT);
    let labelled = chart.series.iter().filter(|series| !series.intervals.is_empty());
    let labels = labelled.count() as u32 * (SMALL as u32 + 3);
    legend.draw(&root, (left as i32 + 10, 6), INK)?;
    let mut plot = ChartBuilder::on(&root)
        .margin(10)
        .margin_top(10 + legend.height() + labels)
        .margin_right(18)
        .x_label_area_size(46)
        .y_label_area_size(left)
        .build_cartesian_2d(x.from..x.to, y.from..y.to)?;
    let text = |size: i32| ("sans-serif", size).into_font().color(&INK);
    plot.configure_mesh()
        .x_desc(x.label)
        .y_desc(y.label)
        .axis_desc_style(text(17))
        .label_style(text(TEXT))
        .light_line_style(TRANSPARENT)
        .max_light_lines(0)
        .bold_line_style(GRID)
        .axis_style(GRID)
        .x_labels(TICKS)
        .y_labels(TICKS)
        .x_label_formatter(&|value| label(x, *value))
        .y_label_formatter(&|value| label(y, *value))
        .draw()?;
    if chart.diagonal {
        let (from, to) = (x.from.max(y.from), x.to.min(y.to));
        let ends = [(from, from), (to, to)];
        plot.draw_series(DashedLineSeries::new(ends, 5, 5, INK.mix(0.6).stroke_width(1)))?;
    }
    for (i, series) in chart.series.iter().enumerate() {
        let color = hue(i);
        let points = || series.points.iter().copied();
        if series.mark == Mark::Bars {
            let apart = series.points.windows(2).map(|pair| pair[1].0 - pair[0].0);
            let half = 0.45 * apart.fold(x.to - x.from, f64::min);
            let bars = points().map(|(at, high)| {
                Rectangle::new([((at - half).max(x.from), y.from), (at + half, high)], color.filled())
            });
            plot.draw_series(bars)?;
            continue;
        }
        // Earlier lines are wider, so that one below another shows at its sides.
        let width = 2 + (chart.series.len() - 1 - i).min(3) as u32;
        if series.mark != Mark::Points {
            plot.draw_series(LineSeries::new(points(), color.stroke_width(width)))?;
        }
        if matches!(series.mark, Mark::Dots | Mark::Points) {
            plot.draw_series(points().map(|point| Circle::new(point, 3, color.filled())))?;
        }
    }
    let mut row = 10 + legend.height() as i32;
    for (i, series) in chart
        .series
        .iter()
        .enumerate()
        .filter(|(_, series)| !series.intervals.is_empty())
    {
        let color = hue(i);
        for (&(at, _), interval) in series.points.iter().zip(&series.intervals) {
            let ends = vec![(at, interval.low), (at, interval.high)];
            plot.draw_series(std::iter::once(PathElement::new(ends, color.stroke_width(1))))?;
            let (across, _) = plot.backend_coord(&(at, y.to));
            let anchor = Pos::new(HPos::Center, VPos::Top);
            let style = ("sans-serif", SMALL).into_font().color(&color).pos(anchor);
            root.draw(&Text::new(interval.label.clone(), (across, row), style))?;
        }
        row += SMALL + 3;
    }
    root.present()?;
    Ok(())
}

/// Drops points that would overlap their neighbors: keeps those at least `step` apart, the first and the last.
pub fn thinned(points: &[(f64, f64)], step: f64) -> Vec<(f64, f64)> {
    let mut kept: Vec<(f64, f64)> = Vec::new();
    for (i, &point) in points.iter().enumerate() {
        let far = kept
            .last()
            .is_none_or(|last| (last.0 - point.0).abs() + (last.1 - point.1).abs() >= step);
        if far || i + 1 == points.len() {
            kept.push(point);
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colors_are_the_page_s_and_names_are_escaped() {
        let series = |name: &str, mark| Series {
            name: name.into(),
            points: (0..10).map(|i| (f64::from(i) / 9.0, f64::from(i * i) / 81.0)).collect(),
            mark,
            intervals: Vec::new(),
        };
        let axis = |label| Axis {
            label,
            from: 0.0,
            to: 1.0,
            is_whole: false,
        };
        let chart = Chart {
            title: "a < b & c",
            description: "it rises",
            x: axis("across"),
            y: axis("up"),
            series: vec![
                series("<one>", Mark::Line),
                series("two", Mark::Dots),
                series("three", Mark::Bars),
            ],
            diagonal: true,
        };
        let svg = svg(&chart).unwrap();
        for part in [
            "a &lt; b &amp; c",
            "it rises",
            "&lt;one&gt;",
            "--ink",
            "--grid",
            "--hue0",
            "--hue2",
            "across",
        ] {
            assert!(svg.contains(part), "{part}: {svg}");
        }
        assert!(!svg.contains("#0"), "every color is named: {svg}");
        // It is well-formed.
        resvg::usvg::Tree::from_str(&svg, &resvg::usvg::Options::default()).unwrap();
    }

    /// The texts of an SVG, with their places.
    fn texts(svg: &str) -> Vec<(f64, f64, String)> {
        let tree = svg.split("<text ").skip(1);
        tree.map(|text| {
            let number = |name: &str| {
                text.split(&format!("{name}=\""))
                    .nth(1)
                    .unwrap()
                    .split('"')
                    .next()
                    .unwrap()
            };
            let body = text.split('>').nth(1).unwrap().split('<').next().unwrap();
            (
                number("x").parse().unwrap(),
                number("y").parse().unwrap(),
                body.trim().to_string(),
            )
        })
        .collect()
    }

    #[test]
    fn the_legend_stands_above_the_plot_and_ticks_differ() {
        let series = |name: &str| Series {
            name: name.into(),
            points: vec![(0.0, 1.0), (1.0, 1.0)],
            mark: Mark::Dots,
            intervals: vec![
                Interval {
                    low: 0.5,
                    high: 1.0,
                    label: "7".into(),
                },
                Interval {
                    low: 0.8,
                    high: 1.0,
                    label: "12k".into(),
                },
            ],
        };
        let chart = Chart {
            title: "t",
            description: "d",
            x: Axis {
                label: "x",
                from: 0.0,
                to: 1.0,
                is_whole: false,
            },
            y: Axis {
                label: "y",
                from: 0.0,
                to: 0.108,
                is_whole: false,
            },
            series: vec![series("one"), series("two")],
            diagonal: false,
        };
        let texts = texts(&svg(&chart).unwrap());
        let at = |wanted: &str| {
            texts
                .iter()
                .filter(|(.., text)| text == wanted)
                .map(|(_, y, _)| *y)
                .collect::<Vec<_>>()
        };
        let ticks: Vec<_> = texts.iter().filter(|(x, ..)| *x < 75.0).collect();
        let mut labels: Vec<_> = ticks.iter().map(|(.., text)| text).collect();
        let count = labels.len();
        labels.sort();
        labels.dedup();
        assert!(count > 4 && labels.len() == count, "{ticks:?}");
        let top = ticks.iter().map(|(_, y, _)| *y).fold(f64::MAX, f64::min);
        for wanted in ["one", "two", "7", "12k"] {
            let found = at(wanted);
            assert!(
                !found.is_empty() && found.iter().all(|y| *y < top),
                "{wanted}: {texts:?}"
            );
        }
    }

    #[test]
    fn epochs_have_whole_labels() {
        for to in [3.0, 4.0, 15.0] {
            let axis = |from, to, is_whole| Axis {
                label: "axis",
                from,
                to,
                is_whole,
            };
            let chart = Chart {
                title: "t",
                description: "d",
                x: axis(1.0, to, true),
                y: axis(5.0, 6.0, false),
                series: Vec::new(),
                diagonal: false,
            };
            let texts = texts(&svg(&chart).unwrap());
            let bottom = texts
                .iter()
                .filter(|(x, _, text)| *x > 80.0 && text != "axis" && !text.is_empty());
            let labels: Vec<f64> = bottom.map(|(.., text)| text.parse().unwrap()).collect();
            assert!(
                labels.len() > 1 && labels.windows(2).all(|pair| pair[0] != pair[1]),
                "{labels:?}"
            );
            assert!(labels.iter().all(|label| label.fract() == 0.0), "{labels:?}");
        }
    }

    #[test]
    fn thinning_keeps_the_ends_and_the_shape() {
        let points: Vec<_> = (0..=1000).map(|i| (f64::from(i) / 1000.0, 0.5)).collect();
        let kept = thinned(&points, 0.01);
        assert_eq!((kept[0], *kept.last().unwrap()), (points[0], points[1000]));
        assert!((90..=110).contains(&kept.len()), "{}", kept.len());
        assert!(thinned(&[], 0.1).is_empty());
    }
}
