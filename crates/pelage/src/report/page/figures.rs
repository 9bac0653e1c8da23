//! The charts, each with its values in a table beside it.

use maud::{Markup, PreEscaped, html};

use crate::draw::chart::{Axis, Chart, Corner, Mark, Series, svg, thinned};
use crate::draw::curves::{epochs, spread};
use crate::draw::text::percent;
use crate::evaluate::calibration::{BINS, Bin, brier_score, expected_calibration_error, log_loss, reliability};
use crate::evaluate::curves::Ranking;
use crate::evaluate::temperature::{Scaling, Verdict};
use crate::report::findings::Findings;
use crate::train::history::HistoryRow;

/// Number of classes with curves drawn, if there are more than two.
const CURVES: usize = 6;

fn figure(chart: &Chart, caption: &str) -> Result<Markup, String> {
    let drawn = svg(chart)?;
    Ok(html! { figure { (PreEscaped(drawn)) figcaption { (caption) } } })
}

fn share(label: &str) -> Axis<'_> {
    Axis {
        label,
        from: 0.0,
        to: 1.0,
        decimals: 1,
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
        let (train, validation) = (points(train), points(validation));
        let (low, high) = spread(train.iter().chain(&validation).map(|(_, y)| *y));
        let margin = 0.06 * (high - low).max(0.02);
        let named = |name: &str, points| Series {
            name: name.into(),
            points,
            mark: Mark::Dots,
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
                decimals: 0,
            },
            y: Axis {
                label: name,
                from: low - margin,
                to: high + margin,
                decimals: 2,
            },
            series: vec![named("training", train), named("validation", validation)],
            diagonal: false,
            legend: if name == "loss" {
                Corner::UpperRight
            } else {
                Corner::LowerRight
            },
        };
        figure(
            &chart,
            &format!("The {name}; the weights kept are those of epoch {best}."),
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
                td { (format!("{:.4}", row.train_loss)) }
                td data-value=(row.train_accuracy) { (percent(row.train_accuracy, 2)) }
                td { (format!("{:.4}", row.validation_loss)) }
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
    let series = |curve: &dyn Fn(&Ranking) -> Vec<(f64, f64)>| -> Vec<Series> {
        let one = |(class, ranking): &(usize, Ranking)| Series {
            name: found.scores.classes[*class].clone(),
            points: thinned(&curve(ranking), 0.004),
            mark: Mark::Line,
        };
        rankings.iter().map(one).collect()
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
        series: series(&Ranking::roc),
        diagonal: true,
        legend: Corner::LowerRight,
    };
    let precision_recall = Chart {
        title: "Precision-recall curve",
        description: &format!("Precision over recall, {which}."),
        x: share("recall"),
        y: share("precision"),
        series: series(&Ranking::precision_recall),
        diagonal: false,
        legend: Corner::LowerLeft,
    };
    Ok(html! {
        div.charts {
            (figure(&roc, &format!("ROC curve: {which}. The dashed line is chance."))?)
            (figure(&precision_recall, &format!("Precision-recall curve: {which}."))?)
        }
        p.note { "The table of classes has the areas under both curves." }
    })
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
    let series = |(name, bins): &(&str, Vec<Bin>)| Series {
        name: name.to_string(),
        points: bins.iter().map(|bin| (bin.confidence, bin.accuracy)).collect(),
        mark: Mark::Dots,
    };
    let least = 1.0 / classes as f64;
    let from = (10.0 * least).floor() / 10.0;
    let axis = |label| Axis {
        label,
        from,
        to: 1.0,
        decimals: 1,
    };
    let diagram = Chart {
        title: "Reliability diagram",
        description: "Accuracy over confidence, in bins; the dashed line is perfect calibration.",
        x: axis("confidence"),
        y: Axis {
            from: 0.0,
            ..axis("accuracy")
        },
        series: bins.iter().map(series).collect(),
        diagonal: true,
        legend: Corner::UpperLeft,
    };
    let total = found.scores.len().max(1) as f64;
    let shares = |bins: &[Bin]| {
        bins.iter()
            .map(|bin| ((bin.from + bin.to) / 2.0, bin.count as f64 / total))
            .collect::<Vec<_>>()
    };
    let bars = shares(&bins[0].1);
    let top = bars.iter().map(|(_, y)| *y).fold(0.0, f64::max).max(0.1);
    let histogram = Chart {
        title: "Confidences",
        description: "Share of the pictures over confidence, in bins.",
        x: axis("confidence"),
        y: Axis {
            label: "share of pictures",
            from: 0.0,
            to: 1.08 * top,
            decimals: 1,
        },
        series: vec![Series {
            name: "as trained".into(),
            points: bars,
            mark: Mark::Bars,
        }],
        diagonal: false,
        legend: Corner::UpperLeft,
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
                td { (name) } td { (percent(error, 2)) } td { (format!("{loss:.4}")) } td { (format!("{brier:.4}")) }
            } } }
        } }
        div.charts {
            (figure(&diagram, "Reliability diagram (15 bins of equal width).")?)
            (figure(&histogram, "Distribution of the confidences.")?)
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
