//! The page, in the binary.

use std::hash::{DefaultHasher, Hash, Hasher};

use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};

/// A file of the page.
pub(crate) struct Asset {
    pub(crate) path: &'static str,
    kind: &'static str,
    text: &'static str,
}

const HTML: &str = "text/html; charset=utf-8";

const SCRIPT: &str = "text/javascript; charset=utf-8";

/// All files of the page.
pub(crate) const ALL: &[Asset] = &[
    file("/", HTML, include_str!("assets/index.html")),
    file(
        "/style.css",
        "text/css; charset=utf-8",
        include_str!("assets/style.css"),
    ),
    file("/icon.svg", "image/svg+xml", include_str!("assets/icon.svg")),
    file("/app.js", SCRIPT, include_str!("assets/app.js")),
    file("/camera.js", SCRIPT, include_str!("assets/camera.js")),
    file("/charts.js", SCRIPT, include_str!("assets/charts.js")),
    file("/docs.js", SCRIPT, include_str!("assets/docs.js")),
    file("/dom.js", SCRIPT, include_str!("assets/dom.js")),
    file("/feedback.js", SCRIPT, include_str!("assets/feedback.js")),
    file("/layers.js", SCRIPT, include_str!("assets/layers.js")),
    file("/model.js", SCRIPT, include_str!("assets/model.js")),
    file("/pictures.js", SCRIPT, include_str!("assets/pictures.js")),
    file("/runs.js", SCRIPT, include_str!("assets/runs.js")),
    file("/teach.js", SCRIPT, include_str!("assets/teach.js")),
    file("/text.js", SCRIPT, include_str!("assets/text.js")),
];

const fn file(path: &'static str, kind: &'static str, text: &'static str) -> Asset {
    Asset { path, kind, text }
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
