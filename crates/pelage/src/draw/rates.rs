//! The learning-rate range test as a figure: the loss over the rate, and what it suggests.

use plotters::prelude::*;

use super::curves::{Drawing, INK, TICKS, describe, margin, spread};
use super::legend::{Key, Legend};
use super::text::fixed;
use super::ticks::decimals;
use crate::train::range_test::{Point, Suggestions};

/// Width and height in pixels.
const SIZE: (u32, u32) = (760, 480);
/// Of the line, and of the rates that suggest themselves, see [`super::curves`].
const LOSS: RGBColor = RGBColor(0, 114, 178);
const COLORS: [RGBColor; 3] = [RGBColor(213, 94, 0), RGBColor(0, 158, 115), RGBColor(204, 121, 167)];

/// The figure as SVG: the smoothed loss over the learning rate, logarithmic, with a dashed line at each suggestion.
///
/// # Errors
/// If there are no points, or the chart library fails.
pub fn rates_svg(title: &str, points: &[Point], suggestions: Option<&Suggestions>) -> Result<String, String> {
    let mut svg = String::new();
    {
        let root = SVGBackend::with_string(&mut svg, SIZE).into_drawing_area();
        draw(&root, title, points, suggestions).map_err(|failure| failure.to_string())?;
    }
    describe(
        &mut svg,
        title,
        "Training loss over a learning rate that rises from step to step.",
    );
    Ok(svg)
}

fn draw(
    root: &DrawingArea<SVGBackend<'_>, plotters::coord::Shift>,
    title: &str,
    points: &[Point],
    suggestions: Option<&Suggestions>,
) -> Drawing {
    let [Some(first), Some(last)] = [points.first(), points.last()] else {
        return Err("there are no steps".into());
    };
    root.fill(&WHITE)?;
    let root = root.titled(title, ("sans-serif", 19).into_font().color(&INK))?;
    let marked: Vec<_> = suggestions
        .map(|found| {
            [
                ("valley", found.valley),
                ("steepest", found.steepest),
                ("minimum over ten", found.minimum_over_ten),
            ]
        })
        .into_iter()
        .flatten()
        .zip(COLORS)
        .collect();
    let keys = marked.iter().map(|&((name, rate), color)| Key {
        name: format!("{name}: {rate:.1e}"),
        color,
    });
    let left = 76;
    let legend = Legend::new(keys.collect(), SIZE.0 - left - 24, 14);
    legend.draw(&root, (left as i32, 4), INK)?;
    // What explodes at the end would flatten the rest.
    let (low, high) = spread(points.iter().map(|point| point.loss));
    let high = high.min(low + 2.0 * (first.loss - low).max(0.03 * low.abs()).max(1e-6));
    let margin = margin(low, high);
    let mut chart = ChartBuilder::on(&root)
        .margin(12)
        .margin_top(legend.height() + 12)
        .margin_right(24)
        .x_label_area_size(44)
        .y_label_area_size(64)
        .build_cartesian_2d((first.rate..last.rate * 1.001).log_scale(), low - margin..high + margin)?;
    let places = decimals(low - margin, high + margin, TICKS);
    chart
        .configure_mesh()
        .x_desc("Learning rate")
        .y_desc("Training loss, smoothed")
        .axis_desc_style(("sans-serif", 15).into_font().color(&INK))
        .label_style(("sans-serif", 14).into_font().color(&INK))
        .light_line_style(WHITE)
        .bold_line_style(RGBColor(228, 228, 228))
        .axis_style(RGBColor(150, 150, 150))
        .x_labels(8)
        .x_label_formatter(&|rate| format!("{rate:.0e}"))
        .y_labels(TICKS)
        .y_label_formatter(&|loss| fixed(*loss, places))
        .draw()?;
    let shown = points
        .iter()
        .map(|point| (point.rate, point.loss))
        .take_while(|(_, loss)| *loss <= high);
    chart.draw_series(LineSeries::new(shown, LOSS.stroke_width(2)))?;
    for ((_, rate), color) in marked {
        let ends = [(rate, low - margin), (rate, high + margin)];
        chart.draw_series(DashedLineSeries::new(ends, 6, 4, color.stroke_width(2)))?;
    }
    root.present()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::range_test::suggestions;

    #[test]
    fn every_suggestion_has_its_line() {
        let points: Vec<_> = (0..100)
            .map(|i| {
                let rate = 1e-6 * 10f64.powf(f64::from(i) * 0.07);
                let loss = 0.7 - 0.3 / (1.0 + (-(rate.log10() + 2.5) * 3.0).exp()) + (rate / 2.0).powi(4);
                Point { rate, loss }
            })
            .collect();
        let found = suggestions(&points).unwrap();
        let svg = rates_svg("cnn3 & data", &points, Some(&found)).unwrap();
        for text in [
            "valley: ",
            "steepest: ",
            "minimum over ten: ",
            "cnn3 &amp; data",
            "Learning rate",
        ] {
            assert!(svg.contains(text), "{text}");
        }
        // The first rates and the last differ by a factor of millions: a power of ten at each of a few ticks.
        assert!(svg.matches("1e-").count() > 3, "{svg}");
        assert!(rates_svg("none", &[], None).is_err());
        assert!(rates_svg("one", &points[..1], None).is_ok());
    }
}
