//! The charts, each with its values in a table beside it.

use maud::{Markup, PreEscaped, html};

use crate::draw::chart::{Axis, Chart, Interval, Mark, Series, svg, thinned};
use crate::draw::curves::{epochs, spread};
use crate::draw::text::{fixed, percent};
use crate::evaluate::calibration::{BINS, Bin, brier_score, expected_calibration_error, log_loss, merged, reliability};
use crate::evaluate::curves::Ranking;
use crate::evaluate::metrics::wilson;
use crate::evaluate::temperature::{Scaling, Verdict};
use crate::report::findings::Findings;
use crate::train::history::HistoryRow;

/// Number of classes with curves drawn, if there are more than two.
const CURVES: usize = 6;
/// Pictures of a point of the reliability diagram, so that its accuracy says something.
const ENOUGH: usize = 10;

fn figure(chart: &Chart, caption: &str) -> Result<Markup, String> {
    let drawn = svg(chart)?;
    Ok(html! { figure { (PreEscaped(drawn)) figcaption { (caption) } } })
}

/// From 0 to 1 with some room, so that a line along the edge is seen.
fn share(label: &str) -> Axis<'_> {
    Axis {
        label,
        from: -0.02,
        to: 1.02,
        is_whole: false,
    }
}

/// Loss and accuracy over the epochs.
pub(super) fn curves(found: &Findings) -> Result<Markup, String> {
    let history = &found.history;
    if history.is_empty() {
        return Ok(html! { p { "There is no history beside this model." } });
    }
    let best = found.training.epoch;
    let panel = |name: &str, train: fn(&HistoryRow) -> f64, validation: fn(&HistoryRow) -> f64| {
        let points = |value: fn(&HistoryRow) -> f64| -> Vec<(f64, f64)> {
            let all = history.iter().map(|row| (row.epoch as f64, value(row)));
            all.filter(|(_, y)| y.is_finite()).collect()
        };
        let validation_value = validation;
        let (train, validation) = (points(train), points(validation));
        let (low, high) = spread(train.iter().chain(&validation).map(|(_, y)| *y));
        let margin = 0.06 * (high - low).max(0.02);
        let named = |name: &str, points| Series {
            name: name.into(),
            points,
            mark: Mark::Dots,
            intervals: Vec::new(),
        };
        let last = history.last().map_or(1, |row| row.epoch) as f64;
        let (from, to) = epochs(last);
        let chart = Chart {
            title: name,
            description: &format!(
                "{name} of training and validation over {last} epochs; the table below has the values."
            ),
            x: Axis {
                label: "epoch",
                from,
                to,
                is_whole: true,
            },
            y: Axis {
                label: name,
                from: low - margin,
                to: high + margin,
                is_whole: false,
            },
            series: vec![named("training", train), named("validation", validation)],
            diagonal: false,
        };
        let kept = history.iter().find(|row| row.epoch == best).map(validation_value);
        let kept = kept.map_or(String::new(), |value| {
            format!(" (validation {name} {})", fixed(value, 4))
        });
        figure(
            &chart,
            &format!(
                "The {name}; that of training is measured during the epoch, with any dropout and augmentation. The \
                 weights kept are those of epoch {best}{kept}."
            ),
        )
    };
    let loss = panel("loss", |row| row.train_loss, |row| row.validation_loss)?;
    let accuracy = panel("accuracy", |row| row.train_accuracy, |row| row.validation_accuracy)?;
    let heads = [
        "Epoch",
        "Learning rate",
        "Training loss",
        "Training accuracy",
        "Validation loss",
        "Validation accuracy",
        "Seconds",
    ];
    Ok(html! {
        div.charts { (loss) (accuracy) }
        details { summary { "All epochs" } div.scroll { table.sortable {
            thead { tr { @for head in heads { th scope="col" { (head) } } } }
            tbody { @for row in history { tr {
                td { (row.epoch) } td { (format!("{:.6}", row.learning_rate)) }
                td { (fixed(row.train_loss, 4)) }
                td data-value=(row.train_accuracy) { (percent(row.train_accuracy, 2)) }
                td { (fixed(row.validation_loss, 4)) }
                td data-value=(row.validation_accuracy) { (percent(row.validation_accuracy, 2)) }
                td { (format!("{:.1}", row.seconds)) }
            } } }
        } } }
    })
}

/// ROC and precision-recall curves: of the second class for two classes, else of the classes with the worst results.
pub(super) fn ranking(found: &Findings) -> Result<Markup, String> {
    let (labels, classes) = (&found.scores.labels, found.scores.classes.len());
    let mut chosen: Vec<usize> = if classes == 2 { vec![1] } else { (0..classes).collect() };
    let area = |class: usize| found.evaluation.classes[class].auc.unwrap_or(2.0);
    chosen.sort_by(|&a, &b| area(a).total_cmp(&area(b)));
    chosen.truncate(CURVES);
    let rankings: Vec<_> = chosen
        .iter()
        .map(|&class| (class, Ranking::of_class(labels, &found.probabilities, classes, class)))
        .collect();
    let series = |curve: &dyn Fn(&Ranking) -> Vec<(f64, f64)>, area: &dyn Fn(usize) -> Option<f64>| {
        let mut drawn: Vec<(Vec<usize>, Vec<(f64, f64)>)> = Vec::new();
        for (class, ranking) in &rankings {
            let points = thinned(&curve(ranking), 0.004);
            // Of the same curves, such as perfect ones, only the last would be seen.
            match drawn.iter_mut().find(|(_, others)| *others == points) {
                Some((classes, _)) => classes.push(*class),
                None => drawn.push((vec![*class], points)),
            }
        }
        let one = |(classes, points): (Vec<usize>, Vec<(f64, f64)>)| Series {
            name: named(&classes, found, area(classes[0])),
            points,
            mark: Mark::Line,
            intervals: Vec::new(),
        };
        drawn.into_iter().map(one).collect::<Vec<_>>()
    };
    let which = match classes {
        2 => format!("'{}' against '{}'", found.scores.classes[1], found.scores.classes[0]),
        _ if classes > CURVES => format!("the {CURVES} classes with the smallest areas, each against the rest"),
        _ => "each class against the rest".to_string(),
    };
    let roc = Chart {
        title: "ROC curve",
        description: &format!("True positive rate over false positive rate, {which}."),
        x: share("false positive rate"),
        y: share("true positive rate"),
        series: series(&Ranking::roc, &|class| found.evaluation.classes[class].auc),
        diagonal: true,
    };
    let precision_recall = Chart {
        title: "Precision-recall curve",
        description: &format!("Precision over recall, {which}."),
        x: share("recall"),
        y: share("precision"),
        series: series(&Ranking::precision_recall, &|class| {
            found.evaluation.classes[class].average_precision
        }),
        diagonal: false,
    };
    Ok(html! {
        div.charts {
            (figure(&roc, &format!("ROC curve: {which}{}. The dashed line is chance.", beside(&roc, "area")))?)
            (figure(
                &precision_recall,
                &format!("Precision-recall curve: {which}{}.", beside(&precision_recall, "average precision"))
            )?)
        }
        p.note { "The table of classes has the areas under both curves." }
    })
}

/// The classes of one curve, with the area below it.
fn named(classes: &[usize], found: &Findings, area: Option<f64>) -> String {
    const MOST: usize = 3;
    let names: Vec<_> = classes
        .iter()
        .take(MOST)
        .map(|&class| found.scores.classes[class].as_str())
        .collect();
    let more = match classes.len().saturating_sub(MOST) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    // First, since long names are cut.
    let area = area.map_or(String::new(), |area| format!("{} ", fixed(area, 3)));
    format!("{area}{}{more}", names.join(", "))
}

/// What the numbers of a legend are, where there is one.
fn beside(chart: &Chart, what: &str) -> String {
    match chart.series.len() {
        0 | 1 => String::new(),
        _ => format!("; before the names the {what}"),
    }
}

/// Whether the probabilities are calibrated: as trained, and as the calibration of the model makes them, or as one
/// would.
pub(super) fn calibration(found: &Findings) -> Result<Markup, String> {
    let (labels, classes) = (&found.scores.labels, found.scores.classes.len());
    let raw = found.scores.probabilities(1.0);
    let mut states = vec![("as trained", &raw)];
    match (found.temperature, found.scaling.verdict) {
        (Some(1.0), _) | (None, Verdict::FewErrors { .. }) => {}
        (Some(_), _) => states.push(("calibrated", &found.probabilities)),
        (None, _) => states.push(("temperature scaled", &found.scaling.cross_fitted)),
    }
    let reliable = |probabilities| reliability(labels, probabilities, classes, BINS);
    let bins: Vec<_> = states
        .iter()
        .map(|&(name, probabilities)| (name, reliable(probabilities)))
        .collect();
    let interval = |bin: &Bin| {
        let [low, high] = wilson(bin.accuracy, bin.count);
        let label = short(bin.count);
        Interval { low, high, label }
    };
    let series = |(name, bins): &(&str, Vec<Bin>)| {
        let bins = merged(bins, ENOUGH);
        Series {
            name: name.to_string(),
            points: bins.iter().map(|bin| (bin.confidence, bin.accuracy)).collect(),
            mark: Mark::Dots,
            intervals: bins.iter().map(interval).collect(),
        }
    };
    let least = 1.0 / classes as f64;
    let from = (10.0 * least).floor() / 10.0;
    let axis = |label| Axis {
        label,
        from,
        to: 1.02,
        is_whole: false,
    };
    let diagram = Chart {
        title: "Reliability diagram",
        description: "Accuracy over confidence, in bins, with intervals; the dashed line is perfect calibration.",
        x: axis("confidence"),
        y: share("accuracy"),
        series: bins.iter().map(series).collect(),
        diagonal: true,
    };
    let total = found.scores.len().max(1) as f64;
    // Empty bins as well, so that all have the same width.
    let width = 1.0 / BINS as f64;
    let bar = |i: usize| {
        let middle = (i as f64 + 0.5) * width;
        let mut found = bins[0].1.iter().filter(|bin| bin.from < middle && middle < bin.to);
        (middle, found.next().map_or(0.0, |bin| bin.count as f64 / total))
    };
    let bars: Vec<_> = (0..BINS)
        .map(bar)
        .filter(|&(middle, _)| middle + width / 2.0 > from)
        .collect();
    let top = bars.iter().map(|(_, y)| *y).fold(0.0, f64::max).max(0.1);
    let histogram = Chart {
        title: "Confidences",
        description: "Share of the pictures over confidence, in bins.",
        x: axis("confidence"),
        y: Axis {
            label: "share of pictures",
            from: 0.0,
            to: 1.08 * top,
            is_whole: false,
        },
        series: vec![Series {
            name: "as trained".into(),
            points: bars,
            mark: Mark::Bars,
            intervals: Vec::new(),
        }],
        diagonal: false,
    };
    let figures = states.iter().zip(&bins).map(|((name, probabilities), (_, bins))| {
        let error = expected_calibration_error(bins);
        (
            *name,
            error,
            log_loss(labels, probabilities, classes),
            brier_score(labels, probabilities, classes),
        )
    });
    Ok(html! {
        p { (scaled(found)) }
        div.scroll { table {
            thead { tr {
                th { "Probabilities" } th { "Expected calibration error" } th { "Log loss" } th { "Brier score" }
            } }
            tbody { @for (name, error, loss, brier) in figures { tr {
                td { (name) } td { (percent(error, 2)) } td { (fixed(loss, 4)) } td { (format!("{brier:.4}")) }
            } } }
        } }
        div.charts {
            (figure(
                &diagram,
                &format!(
                    "Reliability diagram: accuracy over confidence in {BINS} bins of equal width, neighbors put \
                     together to at least {ENOUGH} pictures. Above, the number of pictures in each; the strokes are \
                     95 % intervals: one that meets the dashed line is no sign of bad calibration."
                )
            )?)
            (figure(&histogram, "Distribution of the confidences, as trained.")?)
        }
        details { summary { "Bins" } div.scroll { table {
            thead { tr {
                th { "Probabilities" } th { "Confidence" } th { "Pictures" } th { "Mean confidence" } th { "Accuracy" }
            } }
            tbody { @for (name, bins) in &bins { @for bin in bins { tr {
                td { (name) } td { (format!("{:.2} to {:.2}", bin.from, bin.to)) } td { (bin.count) }
                td { (percent(bin.confidence, 1)) } td { (percent(bin.accuracy, 1)) }
            } } } }
        } } }
    })
}

/// A count in few characters: 950, 1.2k, 12k.
fn short(count: usize) -> String {
    match count {
        0..1_000 => count.to_string(),
        1_000..9_950 => format!("{:.1}k", count as f64 / 1e3),
        _ => format!("{:.0}k", count as f64 / 1e3),
    }
}

/// The temperature of the model, or one that would be, in words.
fn scaled(found: &Findings) -> String {
    let Scaling {
        temperature, verdict, ..
    } = &found.scaling;
    match found.temperature {
        Some(1.0) => "The calibration of this model left its probabilities as they were trained.".into(),
        Some(own) => format!(
            "This model is calibrated: it divides its logits by {own:.3}, and all probabilities on this page are \
             calibrated unless they are said to be as trained."
        ),
        None if *verdict == Verdict::Better => format!(
            "Dividing the logits by the temperature {temperature:.3} fits the validation pictures best ({}). Each \
             picture is scored at a temperature that was fitted without it. This model is not calibrated: all other \
             probabilities on this page are as trained.",
            match *temperature {
                above if above > 1.02 => "above 1: the model is overconfident",
                below if below < 0.98 => "below 1: the model is underconfident",
                _ => "close to 1: the model is well calibrated",
            }
        ),
        None => format!("No temperature would make the probabilities better for sure: {verdict}."),
    }
}
