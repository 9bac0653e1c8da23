//! The report as one self-contained HTML file.

mod confusion;
mod figures;
mod galleries;
mod tables;

use maud::{Markup, PreEscaped, html};
use pelage_model::networks::summary::Layer;

use super::findings::Findings;
use crate::draw::text::{duration, fixed, percent, thousands};
use crate::page::page;

const STYLE: &str = include_str!("page/style.css");
const SORT: &str = include_str!("page/sort.js");

/// The page.
///
/// # Errors
/// If the chart library fails.
pub fn html(found: &Findings) -> Result<String, String> {
    let title = format!("Report: {}", name(found));
    let parts: Vec<(&str, &str, Markup)> = vec![
        ("settings", "Run", settings(found)),
        ("curves", "Curves", figures::curves(found)?),
        ("confusion", "Confusion matrix", confusion::confusion(found)),
        ("classes", "Classes", tables::classes(found)),
        ("ranking", "ROC and precision-recall", figures::ranking(found)?),
        ("calibration", "Calibration", figures::calibration(found)?),
        ("thresholds", "Thresholds", tables::thresholds(found)),
        ("losses", "Top losses", galleries::top_losses(found)),
        ("labels", "Likely label errors", galleries::label_errors(found)),
        ("confused", "Confused pairs", galleries::confused(found)),
        ("certainty", "Most and least certain", galleries::certainty(found)),
        ("data", "Data", galleries::data(found)),
    ];
    let body = html! {
        header {
            h1 { (title) }
            p.faint { (subtitle(found)) }
            (tiles(found))
        }
        nav aria-label="Contents" {
            ul { @for (id, name, _) in &parts { li { a href={ "#" (id) } { (name) } } } }
        }
        main { @for (id, name, part) in &parts { section id=(id) { h2 { (name) } (part) } } }
        footer {
            "Made by pelage " (env!("CARGO_PKG_VERSION")) ", "
            (jiff::Timestamp::now().strftime("%Y-%m-%d %H:%M UTC").to_string()) "."
        }
        script { (PreEscaped(SORT)) }
    };
    Ok(page("pelage report", &title, STYLE, &body))
}

fn name(found: &Findings) -> String {
    let path = found.run.file_name().unwrap_or(found.run.as_os_str());
    path.to_string_lossy().into_owned()
}

fn subtitle(found: &Findings) -> String {
    let architecture = found.facts.name();
    let classes = found.scores.classes.len();
    let (pictures, out) = (thousands(found.scores.len() as u64), found.trained_out);
    let (part, left_out) = match found.part {
        Some(part) => (format!("{} ", part.name()), String::new()),
        None if out > 0 => (
            "unseen ".into(),
            format!(", without {} that the model was trained on", thousands(out as u64)),
        ),
        None => (String::new(), String::new()),
    };
    format!(
        "{architecture}, {classes} classes, on the {pictures} readable {part}pictures of {}{left_out}",
        found.data.display()
    )
}

fn tiles(found: &Findings) -> Markup {
    let evaluation = &found.evaluation;
    let [low, high] = evaluation.accuracy_interval;
    let interval = format!(
        "95 % interval {:.2} to {:.2} %; always the most frequent class: {}",
        100.0 * low,
        100.0 * high,
        percent(evaluation.majority_share, 2)
    );
    let calibrated = match found.temperature {
        Some(temperature) if temperature != 1.0 => "natural logarithm, calibrated",
        _ => "natural logarithm",
    };
    let leaks = found.leaks.len();
    let tile =
        |name: &str, value: String, note: String| html! { div { dt { (name) } dd { (value) small { (note) } } } };
    html! {
        dl.tiles {
            (tile("Accuracy", percent(evaluation.accuracy, 2), interval))
            @if leaks > 0 {
                (tile(
                    "In training too",
                    thousands(leaks as u64),
                    match leaks {
                        1 => "group of the same pictures, which flatters the accuracy: see Data".into(),
                        _ => "groups of the same pictures, which flatter the accuracy: see Data".into(),
                    }
                ))
            }
            @if found.trained_in > 0 {
                (tile(
                    "Trained on",
                    thousands(found.trained_in as u64),
                    "of these pictures, which flatters the accuracy".into()
                ))
            }
            @if evaluation.is_uneven() {
                (tile("Balanced accuracy", percent(evaluation.balanced_accuracy, 2), "mean over the classes".into()))
            }
            (tile("Log loss", fixed(evaluation.log_loss, 4), calibrated.into()))
            @if let Some(auc) = evaluation.auc { (tile("AUC", format!("{auc:.4}"), "area under the ROC curve".into())) }
            (tile("Calibration error", percent(evaluation.expected_calibration_error, 2), "expected, 15 bins".into()))
            (tile(
                "Wrong",
                thousands((evaluation.images - correct(found)) as u64),
                format!("of {} pictures", thousands(evaluation.images as u64))
            ))
        }
    }
}

/// What the loss of training is called: with class weights or smoothed labels it is no log loss of the pictures.
fn loss_then(found: &Findings) -> &'static str {
    let settings = &found.training.settings;
    let is_smoothed = settings["label_smoothing"].as_f64().is_some_and(|share| share > 0.0);
    match (settings["class_weights"].as_str(), is_smoothed) {
        (Some("balanced"), false) => "Validation loss then, weighted by class",
        (Some("balanced"), true) => "Validation loss then, weighted by class, of smoothed labels",
        (_, true) => "Validation loss then, of smoothed labels",
        _ => "Validation loss then",
    }
}

fn correct(found: &Findings) -> usize {
    let matrix = &found.evaluation.confusion_matrix;
    (0..matrix.len()).map(|class| matrix[class][class]).sum()
}

/// The classes, or the first of very many, all of which the table of classes lists.
fn some(classes: &[String]) -> String {
    const MOST: usize = 40;
    match classes.len().checked_sub(MOST) {
        Some(more @ 1..) => format!("{} and {more} more", classes[..MOST].join(", ")),
        _ => classes.join(", "),
    }
}

fn settings(found: &Findings) -> Markup {
    let (facts, training) = (&found.facts, &found.training);
    let side = &facts.preprocessing;
    let sum = |value: fn(&Layer) -> u64| found.layers.iter().map(value).sum::<u64>();
    let seconds: f64 = found.history.iter().map(|row| row.seconds).sum();
    let mut rows = vec![
        ("Architecture", facts.name()),
        ("Parameters", thousands(sum(|layer| layer.parameters))),
        ("Multiply-adds per picture", thousands(sum(|layer| layer.multiply_adds))),
        ("Classes", some(&facts.classes)),
        (
            "Input",
            format!("{} x {} pixels, {:?} resize", side.width, side.height, side.filter).to_lowercase(),
        ),
        ("Training pictures", thousands(training.train_images as u64)),
        ("Validation pictures then", thousands(training.validation_images as u64)),
        (
            "Epoch of these weights",
            format!(
                "{} of {} trained",
                training.epoch,
                found.history.len().max(training.epoch)
            ),
        ),
        (loss_then(found), fixed(training.validation_loss, 4)),
        ("Validation accuracy then", percent(training.validation_accuracy, 2)),
    ];
    if seconds > 0.0 {
        rows.push(("Training time", duration(seconds)));
    }
    html! {
        div.scroll { table { tbody { @for (name, value) in rows {
            tr { th scope="row" { (name) } td.wide { (value) } }
        } } } }
        details { summary { "All settings (config.toml)" } pre { (found.settings) } }
        details {
            summary { "Layers" }
            div.scroll { table {
                thead { tr {
                    th { "Layer" } th.left { "Kind" } th { "Output" } th { "Parameters" } th { "Multiply-adds" }
                } }
                tbody { @for layer in &found.layers { tr {
                    td { (layer.name) } td.left { (layer.kind) }
                    td { (layer.output_shape.iter().map(usize::to_string).collect::<Vec<_>>().join(" x ")) }
                    td { (thousands(layer.parameters)) } td { (thousands(layer.multiply_adds)) }
                } } }
            } }
        }
    }
}
