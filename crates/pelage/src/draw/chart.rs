//! A small SVG chart for a page: lines or points over two axes, in colors that follow the page's theme.

use plotters::prelude::*;

use super::markup::escaped;

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
    /// The corner of the legend.
    pub legend: Corner,
}

/// An axis.
pub struct Axis<'a> {
    /// Its label.
    pub label: &'a str,
    /// The smallest value shown.
    pub from: f64,
    /// The largest value shown.
    pub to: f64,
    /// Decimals of the tick labels.
    pub decimals: usize,
}

/// A series of points.
pub struct Series {
    /// Its name in the legend.
    pub name: String,
    /// The points, from left to right.
    pub points: Vec<(f64, f64)>,
    /// How the points are drawn.
    pub mark: Mark,
}

/// How points are drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// Joined by a line.
    Line,
    /// Joined by a line, with a dot at each.
    Dots,
    /// A bar from the bottom to each point, as wide as the spacing of the points.
    Bars,
}

/// A corner of the chart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Corner {
    /// Bottom right.
    LowerRight,
    /// Bottom left.
    LowerLeft,
    /// Top right.
    UpperRight,
    /// Top left.
    UpperLeft,
}

/// Width and height in pixels: small, so that text stays legible on a phone.
const SIZE: (u32, u32) = (460, 340);

/// Placeholder colors, which [`svg`] replaces by the page's.
const INK: RGBColor = RGBColor(1, 1, 1);
const GRID: RGBColor = RGBColor(2, 2, 2);
const PAPER: RGBColor = RGBColor(3, 3, 3);
/// Number of hues; later series reuse them.
const HUES: usize = 6;

fn hue(i: usize) -> RGBColor {
    RGBColor(4, 4, 4 + (i % HUES) as u8)
}

/// The chart as SVG whose colors are the CSS variables `--ink`, `--grid`, `--paper` and `--hue0` to `--hue5`.
///
/// # Errors
/// If the chart library fails.
pub fn svg(chart: &Chart) -> Result<String, String> {
    let mut svg = String::new();
    draw(chart, &mut svg).map_err(|failure| failure.to_string())?;
    let named = |color: RGBColor| format!("\"#{:02X}{:02X}{:02X}\"", color.0, color.1, color.2);
    for (color, name) in [(INK, "ink"), (GRID, "grid"), (PAPER, "paper")] {
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
    let mut plot = ChartBuilder::on(&root)
        .margin(10)
        .margin_right(18)
        .x_label_area_size(46)
        .y_label_area_size(58)
        .build_cartesian_2d(x.from..x.to, y.from..y.to)?;
    let text = |size: i32| ("sans-serif", size).into_font().color(&INK);
    plot.configure_mesh()
        .x_desc(x.label)
        .y_desc(y.label)
        .axis_desc_style(text(17))
        .label_style(text(16))
        .light_line_style(TRANSPARENT)
        .max_light_lines(0)
        .bold_line_style(GRID)
        .axis_style(GRID)
        .x_labels(6)
        .y_labels(6)
        .x_label_formatter(&|value| format!("{value:.*}", x.decimals))
        .y_label_formatter(&|value| format!("{value:.*}", y.decimals))
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
            let bars =
                points().map(|(at, high)| Rectangle::new([(at - half, y.from), (at + half, high)], color.filled()));
            plot.draw_series(bars)?;
            continue;
        }
        plot.draw_series(LineSeries::new(points(), color.stroke_width(2)))?
            .label(series.name.clone())
            .legend(move |(x, y)| PathElement::new(vec![(x, y), (x + 20, y)], color.stroke_width(3)));
        if series.mark == Mark::Dots {
            plot.draw_series(points().map(|point| Circle::new(point, 3, color.filled())))?;
        }
    }
    if chart.series.len() > 1 {
        let corner = match chart.legend {
            Corner::LowerRight => SeriesLabelPosition::LowerRight,
            Corner::LowerLeft => SeriesLabelPosition::LowerLeft,
            Corner::UpperRight => SeriesLabelPosition::UpperRight,
            Corner::UpperLeft => SeriesLabelPosition::UpperLeft,
        };
        plot.configure_series_labels()
            .position(corner)
            .background_style(PAPER.mix(0.85))
            .border_style(GRID)
            .label_font(text(16))
            .draw()?;
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
        };
        let axis = |label| Axis {
            label,
            from: 0.0,
            to: 1.0,
            decimals: 1,
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
            legend: Corner::LowerRight,
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

    #[test]
    fn thinning_keeps_the_ends_and_the_shape() {
        let points: Vec<_> = (0..=1000).map(|i| (f64::from(i) / 1000.0, 0.5)).collect();
        let kept = thinned(&points, 0.01);
        assert_eq!((kept[0], *kept.last().unwrap()), (points[0], points[1000]));
        assert!((90..=110).contains(&kept.len()), "{}", kept.len());
        assert!(thinned(&[], 0.1).is_empty());
    }
}
