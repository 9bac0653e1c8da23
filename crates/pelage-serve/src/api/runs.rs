//! `GET /api/runs`, as they change: `/api/runs/events`, and the report of one.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde_json::json;

use super::options::Options;
use super::{Described, Route, Takes, watch};
use crate::app::App;
use crate::problem::{Cause, Problem};
use crate::runs::Status;

const REPORT: [(&str, &str); 1] = [("run", "the name of a run")];

pub(super) fn routes() -> Vec<Route> {
    let example = json!([{
        "name": "cnn3-1", "state": "running", "model": "cnn3", "data": "data", "epochs": 50,
        "best_epoch": 1, "seconds_left": 612.0, "updated": 1_790_000_000, "report": false,
        "confusion": { "classes": ["cat", "dog"], "counts": [[1000, 600], [648, 952]] },
        "history": [{
            "epoch": 1, "step": 400, "learning_rate": 0.01, "train_loss": 0.69, "train_accuracy": 0.53,
            "validation_loss": 0.66, "validation_accuracy": 0.61, "seconds": 12.5, "images_per_second": 1024.0,
        }],
    }]);
    let route = |path, handler, summary, options, answer| Route {
        path,
        handler,
        described: Described {
            takes: Takes::Nothing,
            summary,
            options,
            answer,
        },
    };
    vec![
        route(
            "/api/runs",
            get(runs),
            "The runs of the served folders: how each stands, and its history.",
            &[],
            ("application/json", Some(example)),
        ),
        route(
            "/api/runs/events",
            get(events),
            "The same as server-sent events: all runs at first, then those that have changed.",
            &[],
            ("text/event-stream", None),
        ),
        route(
            "/api/runs/report",
            get(report),
            "The report in the folder of a run.",
            &REPORT,
            ("text/html", None),
        ),
    ]
}

async fn runs(State(app): State<Arc<App>>) -> Result<Response, Problem> {
    super::json(&*watch::read(&app, |app| app.options.runs.read()).await?)
}

async fn events(State(app): State<Arc<App>>) -> Result<Response, Problem> {
    watch::stream(app, |app| app.options.runs.read(), |run: &Status| &run.name)
}

async fn report(State(app): State<Arc<App>>, request: Request) -> Result<Response, Problem> {
    let options = Options::of(request.uri(), &REPORT)?;
    let name = options.get("run").unwrap_or_default().to_string();
    let missing = || Problem::new(Cause::NotFound, "there is no report of such a run");
    let read = move || std::fs::read(app.options.runs.folder(&name)?.join("report.html")).ok();
    let page = tokio::task::spawn_blocking(read)
        .await
        .ok()
        .flatten()
        .ok_or_else(missing)?;
    // A page of its own, which may style itself and sort its tables, and can do nothing here.
    let policy = "sandbox allow-scripts; default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; \
                  img-src data:; frame-ancestors 'none'";
    let headers = [
        ("content-type", "text/html; charset=utf-8"),
        ("content-security-policy", policy),
    ];
    Ok((headers, page).into_response())
}
