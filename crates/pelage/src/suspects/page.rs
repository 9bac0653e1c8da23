//! The likely wrong labels as one self-contained page.

use maud::{Markup, html};
use pelage_data::preprocess::Preprocessing;
use rayon::prelude::*;

use super::find::{Suspect, Suspects};
use crate::draw::text::{percent, thousands};
use crate::page::page;
use crate::report::thumbnail;

/// Suspects that are shown as images.
const SHOWN: usize = 200;
/// The size of what is shown is the thumbnail's own; this only says that nothing is cut off.
const WHOLE: u32 = 160;

const STYLE: &str = "
    body { font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 75rem; padding: 0 1rem; }
    :root { color-scheme: light dark; }
    ol { display: grid; gap: 1rem; grid-template-columns: repeat(auto-fill, minmax(11rem, 1fr)); }
    ol { padding: 0; list-style: none; }
    figure { margin: 0; }
    img { max-width: 100%; }
    figcaption { font-size: 0.875rem; overflow-wrap: anywhere; }
";

/// The page.
pub fn html(found: &Suspects, title: &str) -> String {
    let shown: Vec<_> = found.suspects.iter().take(SHOWN).collect();
    let pictures: Vec<Markup> = shown.par_iter().map(|suspect| figure(found, suspect)).collect();
    let title = format!("Likely wrong labels: {title}");
    let body = html! {
        h1 { (title) }
        p {
            (thousands(found.suspects.len() as u64)) " of " (thousands(found.images as u64))
            " pictures, the likeliest first. Each was judged by a classifier that has not seen it."
            @if found.suspects.len() > shown.len() { " The first " (shown.len()) " are shown." }
        }
        ol { @for picture in &pictures { li { (picture) } } }
    };
    page("pelage suspects", &title, STYLE, &body)
}

fn figure(found: &Suspects, suspect: &Suspect) -> Markup {
    let location = &found.catalog.items[suspect.item].location;
    let small = thumbnail::read(location, &Preprocessing::new(WHOLE));
    let address = small.and_then(|small| thumbnail::address(&small));
    html! {
        figure {
            @match address {
                Ok(address) => {
                    img src=(address) alt={ (suspect.path) ", a picture of '" (suspect.class) "'" } loading="lazy";
                }
                Err(_) => p { "no picture" },
            }
            figcaption {
                (suspect.rank) ". is " (suspect.class) " (" (percent(suspect.probability, 1)) "), seems "
                b { (suspect.suggested) } " (" (percent(suspect.suggested_probability, 1)) ")"
                br; (suspect.path)
            }
        }
    }
}
