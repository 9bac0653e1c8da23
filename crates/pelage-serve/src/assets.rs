//! The page, in the binary: what is the server's own, and what a site of files has as well.

use std::hash::{DefaultHasher, Hash, Hasher};

use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use pelage::interface;

/// A file of the page.
#[derive(Clone, Copy)]
pub(crate) struct Asset {
    /// Its path behind the first slash.
    pub(crate) name: &'static str,
    kind: &'static str,
    text: &'static str,
}

const SCRIPT: &str = "text/javascript; charset=utf-8";

/// What the server has for the page beside the [`interface`].
const OWN: [Asset; 13] = [
    file("", "text/html; charset=utf-8", include_str!("assets/index.html")),
    file("style.css", "text/css; charset=utf-8", interface::STYLE),
    file("icon.svg", "image/svg+xml", interface::ICON),
    file("app.js", SCRIPT, include_str!("assets/app.js")),
    file("docs.js", SCRIPT, include_str!("assets/docs.js")),
    file("feedback.js", SCRIPT, include_str!("assets/feedback.js")),
    file("layers.js", SCRIPT, include_str!("assets/layers.js")),
    file("looks.js", SCRIPT, include_str!("assets/looks.js")),
    file("runs.js", SCRIPT, include_str!("assets/runs.js")),
    file("search.css", "text/css; charset=utf-8", pelage::search::page::STYLE),
    file("searches.js", SCRIPT, include_str!("assets/searches.js")),
    file("server.js", SCRIPT, include_str!("assets/server.js")),
    file("teach.js", SCRIPT, include_str!("assets/teach.js")),
];

/// All files of the page.
pub(crate) fn all() -> impl Iterator<Item = Asset> {
    let shared = interface::MODULES.map(|(name, text)| file(name, SCRIPT, text));
    OWN.into_iter().chain(shared)
}

const fn file(name: &'static str, kind: &'static str, text: &'static str) -> Asset {
    Asset { name, kind, text }
}

impl Asset {
    /// The file, or that it has not changed since.
    pub(crate) fn answer(&self, asked: &HeaderMap) -> Response {
        let mut hasher = DefaultHasher::new();
        self.text.hash(&mut hasher);
        let tag = format!("\"{:016x}\"", hasher.finish());
        let known = asked
            .get(header::IF_NONE_MATCH)
            .is_some_and(|known| known.as_bytes() == tag.as_bytes());
        let headers = [
            (header::CONTENT_TYPE, self.kind.to_string()),
            (header::CACHE_CONTROL, "no-cache".into()),
            (header::ETAG, tag),
        ];
        match known {
            true => (StatusCode::NOT_MODIFIED, headers).into_response(),
            false => (headers, self.text).into_response(),
        }
    }
}
