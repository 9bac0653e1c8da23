//! The figures of a search's page: parallel coordinates, and a slice for each setting.

use maud::{Markup, html};

use super::digits::significant;
use super::distribution::Distribution;
use super::report::{Report, Row};
use super::space::{Setting, Space};
use crate::draw::text::fixed;

/// Sizes in pixels: of the parallel coordinates an axis' distance and height, of a slice its plot.
const APART: f64 = 118.0;
const TALL: f64 = 260.0;
const TOP: f64 = 40.0;
const SLICE: (f64, f64) = (250.0, 150.0);
/// The longest label that has room.
const LABEL: usize = 14;

/// Where a value stands on an axis, from 0 at the bottom to 1 at the top; `None` where the setting does not apply.
fn place(setting: &Setting, row: &Row) -> Option<f64> {
    let value = setting.distribution.inside(row.settings.get(&setting.name)?)?;
    let (low, high) = setting.distribution.bounds();
    let value = if setting.distribution.is_log() {
        value.ln()
    } else {
        value
    };
    Some(if high > low { (value - low) / (high - low) } else { 0.5 })
}

/// Labels of an axis, with their places.
fn ticks(distribution: &Distribution) -> Vec<(f64, String)> {
    let short = |number: f64| match number.abs() {
        size if size >= 1000.0 || (size > 0.0 && size < 0.01) => format!("{number:.0e}"),
        _ => fixed(number, 3).trim_end_matches('0').trim_end_matches('.').to_string(),
    };
    if let Some(choices) = distribution.choices() {
        let last = choices.len().max(2) as f64 - 1.0;
        let cut = |text: String| text.chars().take(LABEL).collect::<String>();
        let labels = choices.iter().enumerate();
        return labels
            .map(|(i, choice)| (i as f64 / last, cut(choice.to_string())))
            .collect();
    }
    let (low, high) = distribution.bounds();
    let label = |share: f64| {
        let value = low + share * (high - low);
        let value = if distribution.is_log() { value.exp() } else { value };
        (share, short(distribution.nearest(value)))
    };
    [0.0, 0.5, 1.0].map(label).to_vec()
}

/// The trials that have a value, the worst first, so that the best are drawn over them; each with its rank from 0 for
/// the best to 1.
fn drawn(report: &Report) -> Vec<(f64, &Row, f64)> {
    let valued: Vec<_> = report.trials.iter().filter_map(|row| Some((row, row.value?))).collect();
    let last = (valued.len().max(2) - 1) as f64;
    let ranked = valued
        .into_iter()
        .enumerate()
        .map(|(i, (row, value))| (i as f64 / last, row, value));
    let mut ranked: Vec<_> = ranked.collect();
    ranked.reverse();
    ranked
}

/// The range of the metric without the worst tenth, which would leave no room for the others.
pub(super) fn spread(report: &Report) -> (f64, f64) {
    let mut values: Vec<f64> = report.trials.iter().filter_map(|row| row.value).collect();
    values.sort_by(f64::total_cmp);
    let tenth = values.len() / 10;
    let kept = match report.metric {
        "validation-loss" => &values[..values.len() - tenth],
        _ => &values[tenth..],
    };
    let (low, high) = (
        kept.first().copied().unwrap_or(0.0),
        kept.last().copied().unwrap_or(1.0),
    );
    (low, if high > low { high } else { low + 1e-6 })
}

fn class(rank: f64) -> &'static str {
    match rank {
        rank if rank <= 0.1 => "best",
        rank if rank <= 0.34 => "good",
        _ => "rest",
    }
}

fn title(row: &Row, value: f64) -> Markup {
    html! { title { "trial " (row.trial) ": " (significant(value)) " after " (row.epochs) " epochs" } }
}

/// A line a trial over an axis for each setting, and one for the metric.
pub(super) fn parallel(report: &Report, space: &Space) -> Markup {
    let differing = |setting: &&Setting| report.differing.contains(&setting.name);
    let settings: Vec<&Setting> = space.settings.iter().filter(differing).collect();
    let (low, high) = spread(report);
    let across = |axis: usize| 60.0 + APART * axis as f64;
    let down = |share: f64| TOP + TALL * (1.0 - share);
    let wide = across(settings.len()) + 90.0;
    let line = |row: &Row, value: f64| {
        let points = settings.iter().enumerate().map(|(axis, setting)| {
            // What does not apply runs below the axis.
            let y = place(setting, row).map_or(TOP + TALL + 18.0, down);
            format!("{:.1},{y:.1}", across(axis))
        });
        let share = ((value - low) / (high - low)).clamp(0.0, 1.0);
        let end = format!("{:.1},{:.1}", across(settings.len()), down(share));
        points.chain([end]).collect::<Vec<_>>().join(" ")
    };
    let metric = [0.0, 0.5, 1.0].map(|share| (share, fixed(low + share * (high - low), 3)));
    let axes = settings
        .iter()
        .map(|setting| (setting.name.as_str(), ticks(&setting.distribution)));
    let axes: Vec<_> = axes.chain([(report.metric, metric.to_vec())]).collect();
    html! {
        svg.parallel role="img" aria-label="Parallel coordinates" width=(wide) height=(TOP + TALL + 40.0)
            viewBox={ "0 0 " (wide) " " (TOP + TALL + 40.0) } {
            @for (rank, row, value) in drawn(report) {
                polyline class=(class(rank)) points=(line(row, value)) { (title(row, value)) }
            }
            @for (axis, (name, ticks)) in axes.iter().enumerate() {
                line x1=(across(axis)) x2=(across(axis)) y1=(TOP) y2=(TOP + TALL) {}
                text.name x=(across(axis)) y=(TOP - if axis % 2 == 0 { 12.0 } else { 26.0 }) { (name) }
                @for (share, label) in ticks {
                    text x=(across(axis) + 5.0) y=(down(*share) + 4.0) { (label) }
                }
            }
        }
    }
}

/// The metric over the values of each setting that differs.
pub(super) fn slices(report: &Report, space: &Space) -> Markup {
    let differing = |setting: &&Setting| report.differing.contains(&setting.name);
    let (low, high) = spread(report);
    let (wide, tall) = SLICE;
    let across = |share: f64| 52.0 + 14.0 + (wide - 28.0) * share;
    let down = |value: f64| 10.0 + tall * (1.0 - ((value - low) / (high - low)).clamp(0.0, 1.0));
    html! {
        div.slices {
            @for setting in space.settings.iter().filter(differing) {
                figure {
                    svg role="img" aria-label={ "Slice of " (setting.name) } viewBox={ "0 0 " (wide + 92.0) " 196" } {
                        line x1="52" x2="52" y1="10" y2=(10.0 + tall) {}
                        line x1="52" x2=(52.0 + wide) y1=(10.0 + tall) y2=(10.0 + tall) {}
                        @for value in [low, high] {
                            text.left x="47" y=(down(value) + 4.0) { (fixed(value, 3)) }
                        }
                        @for (i, (share, label)) in ticks(&setting.distribution).into_iter().enumerate() {
                            text.below x=(across(share)) y=(10.0 + tall + if i % 2 == 0 { 15.0 } else { 29.0 }) {
                                (label)
                            }
                        }
                        @for (rank, row, value) in drawn(report) {
                            @if let Some(share) = place(setting, row) {
                                @let (cx, cy) = (fixed(across(share), 1), fixed(down(value), 1));
                                circle class=(class(rank)) cx=(cx) cy=(cy) r="4" {
                                    (title(row, value))
                                }
                            }
                        }
                    }
                    figcaption { (setting.name) }
                }
            }
        }
    }
}
