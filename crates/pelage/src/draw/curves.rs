//! Loss and accuracy over the epochs, as one figure.

use plotters::coord::Shift;
use plotters::coord::types::RangedCoordf64;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::legend::{Key, Legend};
use super::markup::escaped;
use super::text::fixed;
use super::ticks::decimals;
use crate::train::history::HistoryRow;

/// Width and height in pixels.
const SIZE: (u32, u32) = (1100, 480);
/// Most ticks of the vertical axis.
pub(super) const TICKS: usize = 7;
/// Space above a panel in pixels, for the line about its best epoch.
const HEAD: u32 = 28;
/// Okabe and Ito's blue and vermilion: distinguishable with every kind of color vision.
const TRAIN: RGBColor = RGBColor(0, 114, 178);
const VALIDATION: RGBColor = RGBColor(213, 94, 0);
pub(super) const INK: RGBColor = RGBColor(40, 40, 40);

/// One panel of the figure.
struct Panel<'a> {
    title: &'a str,
    /// What its value at the best epoch is called.
    value: &'a str,
    unit: &'a str,
    train: Vec<(f64, f64)>,
    validation: Vec<(f64, f64)>,
    best: Option<(f64, f64)>,
}

/// The figure as SVG: loss on the left, accuracy on the right, training and validation, the best epoch marked.
///
/// # Errors
/// If the chart library fails.
pub fn curves_svg(title: &str, history: &[HistoryRow], best_epoch: Option<usize>) -> Result<String, String> {
    let points = |value: &dyn Fn(&HistoryRow) -> f64| -> Vec<(f64, f64)> {
        let all = history.iter().map(|row| (row.epoch as f64, value(row)));
        all.filter(|(_, y)| y.is_finite()).collect()
    };
    let best = |points: &[(f64, f64)]| points.iter().find(|(x, _)| Some(*x as usize) == best_epoch).copied();
    let validation_loss = points(&|row| row.validation_loss);
    let validation_accuracy = points(&|row| 100.0 * row.validation_accuracy);
    let panels = [
        Panel {
            title: "Loss",
            value: "validation loss",
            unit: "",
            train: points(&|row| row.train_loss),
            best: best(&validation_loss),
            validation: validation_loss,
        },
        Panel {
            title: "Accuracy (%)",
            value: "validation accuracy",
            unit: " %",
            train: points(&|row| 100.0 * row.train_accuracy),
            best: best(&validation_accuracy),
            validation: validation_accuracy,
        },
    ];
    let last_epoch = history.last().map_or(1, |row| row.epoch) as f64;
    let mut svg = String::new();
    {
        let root = SVGBackend::with_string(&mut svg, SIZE).into_drawing_area();
        draw(&root, title, &panels, last_epoch).map_err(|failure| failure.to_string())?;
    }
    let what = format!("Loss and accuracy of training and validation over {last_epoch} epochs.");
    describe(&mut svg, title, &what);
    Ok(svg)
}

/// Adds title and description for screen readers, which the chart library does not support.
pub(super) fn describe(svg: &mut String, title: &str, what: &str) {
    let words = format!("<title>{}</title>\n<desc>{}</desc>\n", escaped(title), escaped(what));
    let body = svg
        .find("<svg")
        .and_then(|start| svg[start..].find('>').map(|end| start + end + 1));
    svg.insert_str(body.unwrap_or(0), &format!("\n{words}"));
}

pub(super) type Drawing = Result<(), Box<dyn std::error::Error>>;

fn draw(root: &DrawingArea<SVGBackend<'_>, Shift>, title: &str, panels: &[Panel<'_>], last_epoch: f64) -> Drawing {
    root.fill(&WHITE)?;
    let root = root.titled(title, ("sans-serif", 19).into_font().color(&INK))?;
    let key = |name: &str, color| Key {
        name: name.into(),
        color,
    };
    // What is measured while weights change is no match for what is measured afterwards.
    let keys = vec![
        key("training, during the epoch, with any dropout and augmentation", TRAIN),
        key("validation, after the epoch", VALIDATION),
    ];
    let (left, width) = (76, root.dim_in_pixel().0);
    let legend = Legend::new(keys, width - left, 14);
    legend.draw(&root, (left as i32, 4), INK)?;
    let root = root.margin(legend.height() + 6, 0, 0, 0);
    for (area, panel) in root.split_evenly((1, panels.len())).iter().zip(panels) {
        draw_panel(area, panel, last_epoch)?;
    }
    root.present()?;
    Ok(())
}

fn draw_panel(area: &DrawingArea<SVGBackend<'_>, Shift>, panel: &Panel<'_>, last_epoch: f64) -> Drawing {
    let values = panel.train.iter().chain(&panel.validation).map(|(_, y)| *y);
    let (low, high) = spread(values);
    let margin = margin(low, high);
    let (from, to) = epochs(last_epoch);
    let pad = 0.03 * (to - from);
    let mut chart = ChartBuilder::on(area)
        .margin(12)
        .margin_top(HEAD)
        .margin_right(24)
        .x_label_area_size(44)
        .y_label_area_size(64)
        .build_cartesian_2d(from - pad..to + pad, low - margin..high + margin)?;
    let decimals = decimals(low - margin, high + margin, TICKS);
    draw_mesh(&mut chart, panel.title, last_epoch, decimals)?;
    if let Some((x, y)) = panel.best {
        let gray = RGBColor(110, 110, 110);
        let line = DashedLineSeries::new([(x, low - margin), (x, high + margin)], 5, 4, gray.stroke_width(1));
        chart.draw_series(line)?;
        // Above the plot, where it covers no line.
        let digits = if panel.unit.is_empty() { 4 } else { 2 };
        let text = format!("kept: epoch {x:.0}, {} {}{}", panel.value, fixed(y, digits), panel.unit);
        let anchor = Pos::new(HPos::Left, VPos::Top);
        let style = ("sans-serif", 14).into_font().color(&gray).pos(anchor);
        area.draw(&Text::new(text, (76, 4), style))?;
    }
    for (points, color) in [(&panel.train, TRAIN), (&panel.validation, VALIDATION)] {
        chart.draw_series(LineSeries::new(points.iter().copied(), color.stroke_width(2)))?;
        chart.draw_series(points.iter().map(|point| Circle::new(*point, 3, color.filled())))?;
    }
    if let Some(best) = panel.best {
        chart.draw_series(std::iter::once(Circle::new(best, 6, VALIDATION.stroke_width(2))))?;
    }
    Ok(())
}

/// The smallest and the largest of `values`; 0 and 1 if there are none.
pub(crate) fn spread(values: impl Iterator<Item = f64>) -> (f64, f64) {
    let (low, high) = values.fold((f64::MAX, f64::MIN), |(low, high), y| (low.min(y), high.max(y)));
    if low > high { (0.0, 1.0) } else { (low, high) }
}

/// Space above and below values from `low` to `high`.
pub(super) fn margin(low: f64, high: f64) -> f64 {
    if high > low {
        0.08 * (high - low)
    } else {
        0.05 * high.abs().max(0.1)
    }
}

/// The range of the epoch axis.
pub(crate) fn epochs(last_epoch: f64) -> (f64, f64) {
    if last_epoch > 1.0 {
        (1.0, last_epoch)
    } else {
        (0.5, 1.5)
    }
}

/// A panel of a figure: its drawing area, its epochs and its values.
pub(super) type Chart<'a, 'b> = ChartContext<'a, SVGBackend<'b>, Cartesian2d<RangedCoordf64, RangedCoordf64>>;

/// Axes and grid of a panel over epochs, with values of this many `decimals`.
pub(super) fn draw_mesh(chart: &mut Chart<'_, '_>, title: &str, last_epoch: f64, decimals: usize) -> Drawing {
    // Only whole epochs, at most ten of them.
    let every = (last_epoch / 10.0).ceil().max(1.0);
    chart
        .configure_mesh()
        .x_desc("Epoch")
        .y_desc(title)
        .axis_desc_style(("sans-serif", 15).into_font().color(&INK))
        .label_style(("sans-serif", 14).into_font().color(&INK))
        .light_line_style(WHITE)
        .bold_line_style(RGBColor(228, 228, 228))
        .axis_style(RGBColor(150, 150, 150))
        .x_labels((last_epoch / every) as usize + 2)
        .x_label_formatter(&|x| {
            if (x - x.round()).abs() < 1e-6 {
                format!("{x:.0}")
            } else {
                String::new()
            }
        })
        .y_labels(TICKS)
        .y_label_formatter(&|y| fixed(*y, decimals))
        .draw()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn history(epochs: usize) -> Vec<HistoryRow> {
        let row = |epoch: usize| HistoryRow {
            epoch,
            step: 400 * epoch as u64,
            learning_rate: 0.01,
            train_loss: 0.7 / (1.0 + 0.12 * epoch as f64),
            train_accuracy: 0.95 - 0.4 / (1.0 + 0.3 * epoch as f64),
            validation_loss: 0.68 / (1.0 + 0.09 * epoch as f64) + 0.01 * (epoch as f64 * 1.7).sin(),
            validation_accuracy: 0.92 - 0.35 / (1.0 + 0.3 * epoch as f64),
            seconds: 20.0,
            images_per_second: 800.0,
        };
        (1..=epochs).map(row).collect()
    }

    #[test]
    fn holds_both_series_and_the_best_epoch() {
        for epochs in [1, 2, 7, 50] {
            let svg = curves_svg("cats & dogs", &history(epochs), Some(epochs)).unwrap();
            for text in ["training", "augmentation", "validation", "cats &amp; dogs"] {
                assert!(svg.contains(text), "{text} in {epochs} epochs");
            }
            let last = history(epochs).pop().unwrap();
            let [loss, accuracy] = [last.validation_loss, 100.0 * last.validation_accuracy];
            for text in [
                format!("validation loss {loss:.4}"),
                format!("validation accuracy {accuracy:.2} %"),
            ] {
                assert!(svg.contains(&format!("kept: epoch {epochs}, {text}")), "{text}: {svg}");
            }
            let png = crate::draw::png::svg_to_png(&svg, 2.0).unwrap();
            let image = resvg::tiny_skia::Pixmap::decode_png(&png).unwrap();
            assert_eq!((image.width(), image.height()), (2200, 960));
            let dark = image.pixels().iter().filter(|pixel| pixel.red() < 100).count();
            assert!(dark > 2000, "text and lines are drawn: {dark}");
        }
    }

    #[test]
    fn nothing_is_written_over_the_data() {
        // Lines from corner to corner, and losses that differ little.
        for epochs in [2, 7, 50] {
            let svg = curves_svg("x", &history(epochs), Some(epochs / 2)).unwrap();
            // Of each panel, the circles are at its data.
            let number = |element: &str, name: &str| -> f64 {
                let value = element.split(&format!(" {name}=\"")).nth(1).unwrap();
                value.split('"').next().unwrap().parse().unwrap()
            };
            let circles: Vec<_> = svg.split("<circle").skip(1).map(|one| number(one, "cy")).collect();
            let top = circles.iter().copied().fold(f64::MAX, f64::min);
            let bottom = circles.iter().copied().fold(f64::MIN, f64::max);
            for text in svg
                .split("<text")
                .skip(1)
                .filter(|text| text.contains("training") || text.contains("valid"))
            {
                let y = number(text, "y");
                assert!(y < top - 8.0 || y > bottom, "{y} of {top} to {bottom}: {text}");
            }
        }
    }

    #[test]
    fn nan_is_left_out() {
        let mut history = history(3);
        history[1].validation_loss = f64::NAN;
        history[2].train_loss = f64::INFINITY;
        assert!(curves_svg("x", &history, None).unwrap().contains("</svg>"));
    }
}
