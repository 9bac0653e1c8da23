//! Classes, thresholds.

use maud::{Markup, html};

use crate::draw::text::{percent, thousands};
use crate::evaluate::curves::Ranking;
use crate::evaluate::doubtful;
use crate::report::findings::Findings;

/// Precision, recall, F1 and areas of each class.
pub(super) fn classes(found: &Findings) -> Markup {
    let heads = [
        "Class",
        "Pictures",
        "Precision",
        "Recall",
        "F1",
        "AUC",
        "Average precision",
    ];
    let optional = |value: Option<f64>| value.map_or(String::new(), |value| format!("{value:.4}"));
    html! {
        div.scroll { table.sortable {
            caption { "Click a heading to sort." }
            thead { tr { @for head in heads { th scope="col" { (head) } } } }
            tbody { @for (class, called) in found.evaluation.classes.iter().zip(found.evaluation.called()) { tr {
                td { (class.name) } td data-value=(class.support) { (thousands(class.support as u64)) }
                @for figure in class.known(called) {
                    td { (figure.map_or("-".into(), |figure| format!("{figure:.4}"))) }
                }
                td { (optional(class.auc)) } td { (optional(class.average_precision)) }
            } } }
        } }
    }
}

/// Costs and benefits of a threshold on the probability.
pub(super) fn thresholds(found: &Findings) -> Markup {
    let (labels, names) = (&found.scores.labels, &found.scores.classes);
    html! {
        @if names.len() == 2 {
            (positive(&Ranking::of_class(labels, &found.probabilities, 2, 1), &names[1], labels.len()))
        }
        h3 { "Answering only when sure" }
        p {
            "If the model may say \"unknown\" below a confidence: how many pictures it still answers, and how many of \
             those correctly."
        }
        (answered(found))
    }
}

/// One of two classes at thresholds on its probability.
fn positive(ranking: &Ranking, name: &str, total: usize) -> Markup {
    let heads = [
        "Threshold",
        "Precision",
        "Recall",
        "False positive rate",
        "Accuracy",
        "F1",
    ];
    let share = |part: usize, whole: usize| if whole == 0 { 0.0 } else { part as f64 / whole as f64 };
    let row = |threshold: f64| {
        let at = ranking.at(threshold);
        let called = at.true_positives + at.false_positives;
        let right = at.true_positives + ranking.negatives - at.false_positives;
        [
            share(at.true_positives, called),
            share(at.true_positives, ranking.positives),
            share(at.false_positives, ranking.negatives),
            share(right, total),
            share(2 * at.true_positives, called + ranking.positives),
        ]
    };
    html! {
        h3 { "Calling it '" (name) "'" }
        p { "A picture is called '" (name) "' if its probability is at least the threshold." }
        div.scroll { table.sortable {
            thead { tr { @for head in heads { th scope="col" { (head) } } } }
            tbody { @for step in 1..20 { @let threshold = f64::from(step) / 20.0; tr {
                td { (format!("{threshold:.2}")) }
                @for figure in row(threshold) { td data-value=(figure) { (percent(figure, 2)) } }
            } } }
        } }
    }
}

/// Coverage and accuracy at thresholds on the confidence.
fn answered(found: &Findings) -> Markup {
    let seen = doubtful::all(&found.scores, &found.probabilities);
    let rows = [0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99].map(|threshold| {
        let sure = || seen.iter().filter(|one| one.confidence >= threshold);
        let right = sure().filter(|one| one.label == one.predicted).count();
        (threshold, sure().count(), right)
    });
    html! {
        div.scroll { table.sortable {
            thead { tr {
                @for head in ["Confidence at least", "Answered", "Coverage", "Accuracy"] { th scope="col" { (head) } }
            } }
            tbody { @for (threshold, answered, right) in rows { tr {
                @let coverage = answered as f64 / seen.len().max(1) as f64;
                @let accuracy = right as f64 / answered.max(1) as f64;
                td { (format!("{threshold:.2}")) }
                td data-value=(answered) { (thousands(answered as u64)) }
                td data-value=(coverage) { (percent(coverage, 1)) }
                td data-value=(accuracy) { @if answered > 0 { (percent(accuracy, 2)) } @else { "" } }
            } } }
        } }
    }
}
