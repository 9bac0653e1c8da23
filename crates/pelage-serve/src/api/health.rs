//! For whoever looks after the server: `/healthz`, `/readyz`, `/metrics`.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use super::{Described, Route, Takes};
use crate::app::App;

pub(super) fn routes() -> Vec<Route> {
    let route = |path, handler, summary, kind| Route {
        path,
        handler,
        described: Described {
            takes: Takes::Nothing,
            summary,
            options: &[],
            answer: (kind, None),
        },
    };
    let text = "text/plain";
    vec![
        route(
            "/healthz",
            get(async || "alive\n"),
            "Whether the server answers at all.",
            text,
        ),
        route(
            "/readyz",
            get(ready),
            "Whether it takes requests; 503 once it stops.",
            text,
        ),
        route(
            "/metrics",
            get(metrics),
            "Counts and times in Prometheus's text format.",
            text,
        ),
    ]
}

async fn ready(State(app): State<Arc<App>>) -> (StatusCode, &'static str) {
    match *app.stopping().borrow() {
        false => (StatusCode::OK, "ready\n"),
        true => (StatusCode::SERVICE_UNAVAILABLE, "stopping\n"),
    }
}

async fn metrics(State(app): State<Arc<App>>) -> Response {
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([("content-type", kind)], app.metrics.text()).into_response()
}
