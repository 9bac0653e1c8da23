//! The confusion matrix: as a table of numbers, or of many classes as a picture beside a list of pairs.

use std::fmt::Write;

use maud::{Markup, PreEscaped, html};

use crate::draw::markup::escaped;
use crate::draw::text::{percent, thousands};
use crate::evaluate::Evaluation;
use crate::report::findings::Findings;

/// The largest number of classes of which numbers can be read.
const NUMBERS: usize = 20;
/// The largest number of classes whose table has room for shares beside the numbers.
const SHARES: usize = 8;
/// Pairs that are listed.
const PAIRS: usize = 500;

/// The confusion matrix; what is shown of it links to its images.
pub(super) fn confusion(found: &Findings) -> Markup {
    let evaluation = &found.evaluation;
    let shown = |label: usize, predicted: usize| {
        let mut pairs = found.confusions.iter();
        let is_shown = pairs.any(|pair| (pair.label, pair.predicted) == (label, predicted));
        is_shown.then(|| format!("#confused-{label}-{predicted}"))
    };
    match evaluation.classes.len() {
        0..=NUMBERS => table(evaluation, &shown),
        _ => html! { div.heat { (figure(evaluation)) (pairs(evaluation, &shown)) } },
    }
}

/// A link to the images of one cell, where they are shown.
type Link<'a> = &'a dyn Fn(usize, usize) -> Option<String>;

fn table(evaluation: &Evaluation, link: Link) -> Markup {
    let (classes, matrix) = (&evaluation.classes, &evaluation.confusion_matrix);
    let wide = classes.len() <= SHARES;
    let cell = |label: usize, predicted: usize| {
        let (number, share) = (matrix[label][predicted], share(evaluation, label, predicted));
        let words = told(evaluation, label, predicted);
        html! {
            td.right[label == predicted] style=(format!("--share:{share:.3}")) title=(words) {
                @let number = thousands(number as u64);
                @if let Some(link) = link(label, predicted) { a href=(link) { (number) } } @else { (number) }
                @if wide { small { (percent(share, 1)) } }
            }
        }
    };
    html! {
        div.scroll { table.confusion.narrow[!wide] {
            caption {
                "Pictures of each class (rows) and what they were called (columns)"
                @if wide { ", with the share of the row" } @else { ", colored by the share of the row" }
                ". A number links to its pictures."
            }
            thead { tr { th {} @for class in classes { th scope="col" { span { "called " (class.name) } } } } }
            tbody { @for (label, class) in classes.iter().enumerate() { tr {
                th scope="row" { "is " (class.name) }
                @for predicted in 0..classes.len() { (cell(label, predicted)) }
            } } }
        } }
    }
}

/// The share of a class's images that got that name.
fn share(evaluation: &Evaluation, label: usize, predicted: usize) -> f64 {
    let row = &evaluation.confusion_matrix[label];
    row[predicted] as f64 / row.iter().sum::<usize>().max(1) as f64
}

/// One cell in words.
fn told(evaluation: &Evaluation, label: usize, predicted: usize) -> String {
    let name = |class: usize| &evaluation.classes[class].name;
    format!(
        "is {}, called {}: {} of {} ({})",
        name(label),
        name(predicted),
        thousands(evaluation.confusion_matrix[label][predicted] as u64),
        thousands(evaluation.confusion_matrix[label].iter().sum::<usize>() as u64),
        percent(share(evaluation, label, predicted), 1)
    )
}

/// Side of the matrix, and the space for names at its left and above it, in units of the drawing.
const SIDE: f64 = 800.0;
const NAMES: f64 = 150.0;
/// The most names along one side, and the smallest side of a cell off the diagonal: what is smaller is not seen.
const NAMED: usize = 40;
const SEEN: f64 = 3.5;

/// The matrix as a picture: a square for each cell that is not zero, its class and number in a title.
fn figure(evaluation: &Evaluation) -> Markup {
    let classes = &evaluation.classes;
    let cell = SIDE / classes.len() as f64;
    let words = format!("Confusion matrix of {} classes", classes.len());
    let all = NAMES + SIDE + 4.0;
    let mut svg = format!(
        "<svg role=\"img\" aria-label=\"{words}\" viewBox=\"0 0 {all} {all}\" font-family=\"sans-serif\" \
         font-size=\"13\"><title>{words}</title><g fill=\"var(--ink)\">"
    );
    for class in (0..classes.len()).step_by(classes.len().div_ceil(NAMED)) {
        let name: String = classes[class].name.chars().take(20).collect();
        let (name, middle) = (escaped(&name), NAMES + (class as f64 + 0.5) * cell);
        let edge = NAMES - 6.0;
        // Writing to a string cannot fail.
        let _ = write!(
            svg,
            "<text x=\"{edge}\" y=\"{:.1}\" text-anchor=\"end\">{name}</text>\
             <text transform=\"translate({:.1} {edge}) rotate(-90)\">{name}</text>",
            middle + 4.5,
            middle + 4.5
        );
    }
    let _ = write!(
        svg,
        "</g><rect x=\"{NAMES}\" y=\"{NAMES}\" width=\"{SIDE}\" height=\"{SIDE}\" fill=\"var(--card)\" \
         stroke=\"var(--grid)\"/>"
    );
    // The diagonal first, so that it covers no mistake.
    for (is_right, hue) in [(true, 0), (false, 1)] {
        let _ = write!(svg, "<g fill=\"var(--hue{hue})\">");
        let side = if is_right { cell } else { cell.max(SEEN) };
        for (label, row) in evaluation.confusion_matrix.iter().enumerate() {
            let cells = row.iter().enumerate();
            for (predicted, _) in cells.filter(|&(predicted, &count)| count > 0 && (predicted == label) == is_right) {
                // The least share is seen as well.
                let shade = 0.25 + 0.75 * share(evaluation, label, predicted);
                let place = |class: usize| NAMES + (class as f64 + 0.5) * cell - side / 2.0;
                let _ = write!(
                    svg,
                    "<rect x=\"{:.1}\" y=\"{:.1}\" width=\"{side:.1}\" height=\"{side:.1}\" \
                     fill-opacity=\"{shade:.2}\"><title>{}</title></rect>",
                    place(predicted),
                    place(label),
                    escaped(&told(evaluation, label, predicted))
                );
            }
        }
        svg += "</g>";
    }
    svg += "</svg>";
    html! {
        figure {
            (PreEscaped(svg))
            figcaption {
                "Each row a class, each column what its pictures were called; the darker, the larger the share of the \
                 row. On the diagonal is what is right. Names and numbers appear under the pointer"
                @if classes.len() > NAMED {
                    "; along the edges stands the name of every " (every(classes.len())) " class"
                }
                "."
            }
        }
    }
}

/// Which of so many classes are named at the edges: second, 3rd, 21st.
fn every(classes: usize) -> String {
    match classes.div_ceil(NAMED) {
        2 => "second".into(),
        number @ (11..=13) => format!("{number}th"),
        number => format!(
            "{number}{}",
            match number % 10 {
                1 => "st",
                2 => "nd",
                3 => "rd",
                _ => "th",
            }
        ),
    }
}

/// The pairs of classes that were confused, the most frequent first.
fn pairs(evaluation: &Evaluation, link: Link) -> Markup {
    let pairs = evaluation.most_confused();
    let name = |class: usize| &evaluation.classes[class].name;
    html! {
        div.pairs tabindex="0" role="region" aria-label="Confused pairs" { table.sortable {
            caption {
                (thousands(pairs.len() as u64)) " pairs of classes were confused"
                @if pairs.len() > PAIRS { "; the " (PAIRS) " most frequent" }
                ". A number links to its pictures. Click a heading to sort."
            }
            thead { tr {
                th scope="col" { "Is" } th.left scope="col" { "Called" } th scope="col" { "Pictures" }
                th scope="col" { "Share" }
            } }
            tbody { @for pair in pairs.iter().take(PAIRS) { tr {
                @let share = share(evaluation, pair.label, pair.predicted);
                td { (name(pair.label)) } td.left { (name(pair.predicted)) }
                td data-value=(pair.count) {
                    @let number = thousands(pair.count as u64);
                    @if let Some(link) = link(pair.label, pair.predicted) { a href=(link) { (number) } }
                    @else { (number) }
                }
                td data-value=(share) { (percent(share, 1)) }
            } } }
        } }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two images of each of so many classes, of which every third class's second is called the next class.
    fn evaluation(classes: usize) -> Evaluation {
        let names: Vec<_> = (0..classes).map(|class| format!("<{class}> & so")).collect();
        let labels: Vec<_> = (0..2 * classes).map(|image| image / 2).collect();
        let called = |image: usize| match (image % 2, image / 2 % 3) {
            (1, 0) => (image / 2 + 1) % classes,
            _ => image / 2,
        };
        let probabilities: Vec<f32> = (0..2 * classes)
            .flat_map(|image| (0..classes).map(move |class| f32::from(u8::from(class == called(image)))))
            .collect();
        Evaluation::new(&names, &labels, &probabilities, Vec::new())
    }

    #[test]
    fn many_classes_are_a_picture_of_what_is_not_zero() {
        for classes in [21, 300] {
            let evaluation = evaluation(classes);
            let drawn = figure(&evaluation).into_string();
            let wrong = classes.div_ceil(3);
            // The frame, the diagonal and the mistakes; each but the frame says what it is.
            assert_eq!(drawn.matches("<rect").count(), 1 + classes + wrong);
            assert_eq!(drawn.matches("<rect").count(), drawn.matches("<title>").count());
            assert!(drawn.contains("is &lt;3&gt; &amp; so, called &lt;4&gt; &amp; so: 1 of 2 (50.0 %)"));
            let svg = &drawn[drawn.find("<svg").unwrap()..drawn.find("</svg>").unwrap() + 6];
            let svg = svg.replacen("<svg", "<svg xmlns=\"http://www.w3.org/2000/svg\"", 1);
            resvg::usvg::Tree::from_str(&svg, &resvg::usvg::Options::default()).unwrap();
            // Names along both edges, not on each other.
            let names = drawn.matches("<text").count();
            assert!((2 * NAMED / 2..=2 * NAMED).contains(&names), "{names}");
            let listed = pairs(&evaluation, &|label, _| (label == 3).then(|| "#there".into())).into_string();
            assert_eq!(listed.matches("<tr>").count(), 1 + wrong);
            assert_eq!(listed.matches("#there").count(), 1);
        }
        assert_eq!(
            [41, 121, 440, 810, 880].map(every),
            ["second", "4th", "11th", "21st", "22nd"]
        );
    }

    #[test]
    fn few_classes_are_numbers() {
        let wide = table(&evaluation(5), &|_, _| None).into_string();
        assert_eq!((wide.matches("<td").count(), wide.matches("<small").count()), (25, 25));
        let narrow = table(&evaluation(20), &|_, _| None).into_string();
        assert_eq!(
            (narrow.matches("<td").count(), narrow.matches("<small").count()),
            (400, 0)
        );
        assert!(narrow.contains("title=\"is &lt;0&gt; &amp; so, called &lt;1&gt; &amp; so: 1 of 2 (50.0 %)\""));
    }
}
