//! `GET /api/runs`, as they change: `/api/runs/events`, and the report of one.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use bytes::Bytes;
use futures_util::stream;
use serde_json::json;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::sleep;

use super::options::Options;
use super::{Described, Route, Takes};
use crate::app::App;
use crate::problem::{Cause, Problem};
use crate::runs::{Status, Told};

/// How often changes are looked for.
const EVERY: Duration = Duration::from_secs(1);
/// How often a stream says something, so that either end notices when the other has gone.
const SIGN: Duration = Duration::from_secs(15);
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

/// Reads the runs where it holds up nobody.
async fn read(app: &Arc<App>) -> Result<Told, Problem> {
    let app = app.clone();
    let told = tokio::task::spawn_blocking(move || app.options.runs.read()).await;
    told.map_err(|failure| Problem::new(Cause::Failed, failure.to_string()))
}

async fn runs(State(app): State<Arc<App>>) -> Result<Response, Problem> {
    super::json(&*read(&app).await?)
}

/// Where a stream stands.
struct Watching {
    app: Arc<App>,
    known: HashMap<String, Status>,
    spoke: Instant,
    first: bool,
    /// One of a bounded number of streams.
    _place: OwnedSemaphorePermit,
}

async fn events(State(app): State<Arc<App>>) -> Result<Response, Problem> {
    let place = app.streams.clone().try_acquire_owned();
    let place = place.map_err(|_| Problem::new(Cause::Busy, "as many as the server allows are watching"))?;
    let start = Watching {
        app,
        known: HashMap::new(),
        spoke: Instant::now(),
        first: true,
        _place: place,
    };
    let body = Body::from_stream(stream::unfold(start, next));
    Ok(([("content-type", "text/event-stream")], body).into_response())
}

/// The next event; none once the server stops.
async fn next(mut watching: Watching) -> Option<(Result<Bytes, Infallible>, Watching)> {
    let mut stopping = watching.app.stopping();
    loop {
        if *stopping.borrow_and_update() {
            return None;
        }
        let told = read(&watching.app).await.ok()?;
        let changed: Vec<_> = told
            .iter()
            .filter(|run| watching.known.get(&run.name) != Some(run))
            .collect();
        let text = if !changed.is_empty() || watching.first {
            let text = format!("data: {}\n\n", serde_json::to_string(&changed).ok()?);
            watching
                .known
                .extend(changed.into_iter().map(|run| (run.name.clone(), run.clone())));
            watching.first = false;
            Some(text)
        } else {
            (watching.spoke.elapsed() > SIGN).then(|| ":\n\n".into())
        };
        if let Some(text) = text {
            watching.spoke = Instant::now();
            return Some((Ok(text.into()), watching));
        }
        // Whichever comes first: a change of the time, or the end.
        let stop = std::pin::pin!(stopping.changed());
        let _ = futures_util::future::select(std::pin::pin!(sleep(EVERY)), stop).await;
    }
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
