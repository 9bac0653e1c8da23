//! The frame of a page that is one file: what is written beside a run, and opened by whoever gets it.

use maud::{DOCTYPE, Markup, PreEscaped, html};

/// The page with this title, style sheet and body; `generator` says in its head what made it.
pub(crate) fn page(generator: &str, title: &str, style: &str, body: &Markup) -> String {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="generator" content=(generator);
                title { (title) }
                // Without one, browsers ask a server for it.
                link rel="icon" href="data:,";
                style { (PreEscaped(style)) }
            }
            body { (body) }
        }
    };
    page.into_string()
}
