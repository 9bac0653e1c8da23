//! Images to look at, and the files behind them.

use maud::{Markup, html};

use crate::draw::text::{fixed, percent, thousands};
use crate::evaluate::doubtful::Seen;
use crate::report::findings::{CLASSES, Findings, LABEL_ERRORS};

/// The name of an image, in which a line is broken behind a folder rather than anywhere.
fn path(name: &str) -> Markup {
    html! { @for part in name.split_inclusive('/') { (part) wbr; } }
}

/// So many of something, of which one is called `one`.
fn number(count: usize, one: &str, many: &str) -> String {
    match count {
        1 => format!("1 {one}"),
        _ => format!("{} {many}", thousands(count as u64)),
    }
}

/// One image with its prediction; with `explained`, Grad-CAM of the predicted class beside it.
fn card(found: &Findings, one: &Seen, explained: bool) -> Markup {
    let (name, classes) = (&found.scores.names[one.image], &found.scores.classes);
    let (label, predicted) = (&classes[one.label], &classes[one.predicted]);
    html! {
        figure {
            div.pictures {
                @match found.thumbnails.get(&one.image) {
                    Some(address) => img src=(address) alt={ (name) ", a picture of '" (label) "'" } loading="lazy";,
                    None => p.note { "no picture" },
                }
                @if explained && found.thumbnails.contains_key(&one.image) {
                    @match found.overlays.get(&one.image) {
                        Some(address) => {
                            img src=(address) alt={ "where '" (predicted) "' was seen in it, by Grad-CAM" }
                                loading="lazy";
                        }
                        None => p.note { "nothing in it supports '" (predicted) "', by Grad-CAM" },
                    }
                }
            }
            figcaption {
                "called " b { (predicted) } " (" (percent(one.confidence, 1)) "), "
                @if one.label == one.predicted { span.correct { "is\u{a0}" (label) } }
                @else { span.wrong { "is\u{a0}" (label) } }
                @if explained { ", loss " (fixed(one.loss, 2)) }
                br; (path(name))
            }
        }
    }
}

fn gallery<'a>(found: &Findings, seen: impl Iterator<Item = &'a Seen>) -> Markup {
    html! { div.gallery { @for one in seen { (card(found, one, false)) } } }
}

/// The largest losses, with Grad-CAM.
pub(super) fn top_losses(found: &Findings) -> Markup {
    html! {
        p {
            "The pictures with the largest losses: hard, odd, or labelled wrongly. Bright parts of the right-hand \
             picture supported the predicted class (Grad-CAM, Selvaraju et al. 2017)."
        }
        div.gallery.wide { @for one in &found.top_losses { (card(found, one, true)) } }
    }
}

/// Likely label errors.
pub(super) fn label_errors(found: &Findings) -> Markup {
    let suspects = &found.label_errors;
    html! {
        @if suspects.is_empty() {
            p { "None: no picture gets another class with the confidence that this class usually gets." }
        } @else {
            p {
                (number(suspects.len(), "picture gets", "pictures get"))
                " another class with at least the confidence that this class usually gets on its own \
                 pictures (confident learning, Northcutt et al. 2021). The most confident come first; look before you \
                 believe it: a model that is often wrong suspects many."
            }
            (gallery(found, suspects.iter().take(LABEL_ERRORS)))
            details { summary { "All " (thousands(suspects.len() as u64)) } div.scroll { table.sortable {
                thead { tr {
                    @for head in ["Picture", "Label", "Called", "Confidence"] { th scope="col" { (head) } }
                } }
                tbody { @for one in suspects.iter().take(500) { tr {
                    td.wide { (found.scores.names[one.image]) } td { (found.scores.classes[one.label]) }
                    td { (found.scores.classes[one.predicted]) }
                    td data-value=(one.confidence) { (percent(one.confidence, 1)) }
                } } }
            } } }
        }
    }
}

/// The pairs of classes that are confused most often.
pub(super) fn confused(found: &Findings) -> Markup {
    let classes = &found.scores.classes;
    html! {
        @if found.confusions.is_empty() { p { "None: every picture was classified correctly." } }
        @for pair in &found.confusions {
            h3 id=(format!("confused-{}-{}", pair.label, pair.predicted)) {
                (classes[pair.label]) " called " (classes[pair.predicted]) ": " (thousands(pair.count as u64))
            }
            (gallery(found, pair.seen.iter()))
        }
    }
}

/// The most and the least confident images of each class.
pub(super) fn certainty(found: &Findings) -> Markup {
    let classes = &found.scores.classes;
    html! {
        @for (name, [most, least]) in classes.iter().zip(&found.certain) {
            h3 { "Called " (name) ", most certain" } (gallery(found, most.iter()))
            h3 { "Called " (name) ", least certain" } (gallery(found, least.iter()))
        }
        @if classes.len() > CLASSES { p.note { "The first " (CLASSES) " of " (classes.len()) " classes." } }
    }
}

/// Files that could not be read, and images on both sides of the split.
pub(super) fn data(found: &Findings) -> Markup {
    html! {
        h3 { "Unreadable files" }
        @if found.unreadable.is_empty() { p { "None." } } @else {
            div.scroll { table.sortable {
                thead { tr { th scope="col" { "File" } th.left scope="col" { "Why" } } }
                tbody { @for one in &found.unreadable { tr { td.wide { (one.path) } td.wide { (one.reason) } } } }
            } }
        }
        h3 { "The same picture in training and validation" }
        @match found.gone {
            None => p { "Not looked for: there are no pictures here that the model is known to be trained on." },
            Some(0) => {},
            Some(gone) => p {
                "Looked for among the training pictures that are still there; "
                (number(gone, "is gone", "are gone")) "."
            },
        }
        @if found.leaks.is_empty() { @if found.gone.is_some() { p { "None found." } } } @else {
            p {
                (number(found.leaks.len(), "group of pictures", "groups of pictures"))
                " that are identical, or look the same, lie on both sides of the split; the validation then rewards \
                 memorizing."
            }
            div.groups { @for group in &found.leaks {
                div.group { @for (name, address) in group { figure {
                    @if let Some(address) = address { div.pictures { img src=(address) alt=(name) loading="lazy"; } }
                    figcaption { (path(name)) }
                } } }
            } }
        }
    }
}
