//! Every route: its handler beside its description, from which the OpenAPI document is made.

mod explain;
mod feedback;
mod health;
mod models;
mod openapi;
mod options;
mod predict;
mod runs;
mod searches;
mod teach;
mod upload;
mod watch;

use std::sync::Arc;

use axum::extract::DefaultBodyLimit;
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get};
use axum::{Router, middleware};

use crate::app::App;
use crate::assets;
use crate::guard::guard;
use crate::problem::{Cause, Problem};

/// A route of the API.
struct Route {
    /// As Axum and OpenAPI both write it.
    path: &'static str,
    handler: MethodRouter<Arc<App>>,
    described: Described,
}

/// What it does, in words.
struct Described {
    /// GET, or POST with pictures.
    takes: Takes,
    summary: &'static str,
    /// Names and meanings of the options in the address.
    options: &'static [(&'static str, &'static str)],
    /// The type of the answer, and an example where that is JSON.
    answer: (&'static str, Option<serde_json::Value>),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Takes {
    Nothing,
    Pictures,
}

/// The routes of the API.
fn routes() -> Vec<Route> {
    [
        predict::routes(),
        explain::routes(),
        models::routes(),
        feedback::routes(),
        runs::routes(),
        searches::routes(),
        teach::routes(),
        health::routes(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// The application as a router: the page, the API, and whom it may be asked by.
pub fn router(app: Arc<App>) -> Router {
    let mut router = Router::new();
    let mut described = Vec::new();
    for route in routes() {
        described.push((route.path, route.described));
        router = router.route(route.path, route.handler);
    }
    let document = openapi::document(&described).to_string();
    router = router.route("/api/openapi.json", get(async move || json_text(document.clone())));
    for asset in assets::all() {
        router = router.route(
            &format!("/{}", asset.name),
            get(async move |headers: axum::http::HeaderMap| asset.answer(&headers)),
        );
    }
    let nothing = || async { Problem::new(Cause::NotFound, "see /api/openapi.json") };
    let method = || async { Problem::new(Cause::Method, "see /api/openapi.json") };
    router
        .fallback(nothing)
        .method_not_allowed_fallback(method)
        // Bodies are bounded where they are read.
        .layer(DefaultBodyLimit::disable())
        .layer(middleware::from_fn_with_state(app.clone(), guard))
        .with_state(app)
}

/// `value` as an answer.
fn json(value: &impl serde::Serialize) -> Result<Response, Problem> {
    let text = serde_json::to_string(value);
    text.map(json_text)
        .map_err(|failure| Problem::new(Cause::Failed, failure.to_string()))
}

fn json_text(text: String) -> Response {
    ([("content-type", "application/json")], text).into_response()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn routes_are_described_once() {
        let paths: Vec<_> = routes().iter().map(|route| route.path).collect();
        assert_eq!(paths.iter().collect::<BTreeSet<_>>().len(), paths.len());
    }
}
