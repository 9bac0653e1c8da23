//! `GET /api/searches` and what belongs to it: searches as they go on.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde_json::json;

use super::options::Options;
use super::{Described, Route, Takes, watch};
use crate::app::App;
use crate::problem::{Cause, Problem};
use crate::runs::SearchStatus;

const PAGE: [(&str, &str); 1] = [("search", "the name of a search")];

pub(super) fn routes() -> Vec<Route> {
    let example = json!([{
        "name": "1", "state": "running", "metric": "validation-loss", "sampler": "tpe", "pruner": "hyperband",
        "data": "data", "most": 50,
        "trials": { "running": 1, "complete": 4, "paused": 9, "pruned": 0, "failed": 1 },
        "best": { "trial": 7, "value": 0.31, "epochs": 27 }, "updated": 1_790_000_000,
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
            "/api/searches",
            get(searches),
            "The searches of the served folders: how each stands, and its best trial.",
            &[],
            ("application/json", Some(example)),
        ),
        route(
            "/api/searches/events",
            get(events),
            "The same as server-sent events: all searches at first, then those that have changed.",
            &[],
            ("text/event-stream", None),
        ),
        route(
            "/api/searches/part",
            get(part),
            "The trials and figures of a search as they are now, as HTML for a page that has /search.css.",
            &PAGE,
            ("text/html", None),
        ),
    ]
}

async fn searches(State(app): State<Arc<App>>) -> Result<Response, Problem> {
    super::json(&*watch::read(&app, |app| app.options.runs.read_searches()).await?)
}

async fn events(State(app): State<Arc<App>>) -> Result<Response, Problem> {
    watch::stream(
        app,
        |app| app.options.runs.read_searches(),
        |search: &SearchStatus| &search.name,
    )
}

async fn part(State(app): State<Arc<App>>, request: Request) -> Result<Response, Problem> {
    let options = Options::of(request.uri(), &PAGE)?;
    let name = options.get("search").unwrap_or_default().to_string();
    let draw = move || {
        let missing = || Problem::new(Cause::NotFound, "there is no such search");
        let read = app.options.runs.search(&name).ok_or_else(missing)?;
        let failed = |failure: String| Problem::new(Cause::Failed, failure);
        let report = read.report().map_err(failed)?;
        read.search.part(report).map_err(|failure| failed(failure.to_string()))
    };
    let drawn = tokio::task::spawn_blocking(draw).await;
    let part = drawn.map_err(|failure| Problem::new(Cause::Failed, failure.to_string()))??;
    Ok(([("content-type", "text/html; charset=utf-8")], part).into_response())
}
