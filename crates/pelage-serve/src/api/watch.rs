//! What changes while somebody watches, as server-sent events: all of it at first, then what has changed.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::stream;
use serde::Serialize;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::sleep;

use crate::app::App;
use crate::problem::{Cause, Problem};

/// How often changes are looked for.
const EVERY: Duration = Duration::from_secs(1);
/// How often a stream says something, so that either end notices when the other has gone.
const SIGN: Duration = Duration::from_secs(15);

/// How what is watched is read.
type Reading<T> = fn(&App) -> Arc<Vec<T>>;

/// Reads it where it holds up nobody.
pub(super) async fn read<T: Send + Sync + 'static>(
    app: &Arc<App>,
    reading: Reading<T>,
) -> Result<Arc<Vec<T>>, Problem> {
    let app = app.clone();
    let told = tokio::task::spawn_blocking(move || reading(&app)).await;
    told.map_err(|failure| Problem::new(Cause::Failed, failure.to_string()))
}

/// Where a stream stands.
struct Watching<T> {
    app: Arc<App>,
    reading: Reading<T>,
    name: fn(&T) -> &str,
    known: HashMap<String, T>,
    spoke: Instant,
    first: bool,
    /// One of a bounded number of streams.
    _place: OwnedSemaphorePermit,
}

/// A stream of what `reading` tells, each by its `name`.
pub(super) fn stream<T>(app: Arc<App>, reading: Reading<T>, name: fn(&T) -> &str) -> Result<Response, Problem>
where
    T: Clone + PartialEq + Serialize + Send + Sync + 'static,
{
    let place = app.streams.clone().try_acquire_owned();
    let place = place.map_err(|_| Problem::new(Cause::Busy, "as many as the server allows are watching"))?;
    let start = Watching {
        app,
        reading,
        name,
        known: HashMap::new(),
        spoke: Instant::now(),
        first: true,
        _place: place,
    };
    let body = Body::from_stream(stream::unfold(start, next));
    Ok(([("content-type", "text/event-stream")], body).into_response())
}

/// The next event; none once the server stops.
async fn next<T>(mut watching: Watching<T>) -> Option<(Result<Bytes, Infallible>, Watching<T>)>
where
    T: Clone + PartialEq + Serialize + Send + Sync + 'static,
{
    let mut stopping = watching.app.stopping();
    let name = watching.name;
    loop {
        if *stopping.borrow_and_update() {
            return None;
        }
        let told = read(&watching.app, watching.reading).await.ok()?;
        let changed: Vec<&T> = told
            .iter()
            .filter(|one| watching.known.get(name(one)) != Some(one))
            .collect();
        let text = if !changed.is_empty() || watching.first {
            let text = format!("data: {}\n\n", serde_json::to_string(&changed).ok()?);
            let named = changed.into_iter().map(|one| (name(one).to_string(), one.clone()));
            watching.known.extend(named);
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
