//! `POST /api/feedback`: what a picture really shows.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::Response;
use axum::routing::post;
use serde_json::json;

use super::options::Options;
use super::{Described, Route, Takes, upload};
use crate::app::App;
use crate::collect::NEITHER;
use crate::problem::{Cause, Problem};

const OPTIONS: [(&str, &str); 2] = [
    ("model", "the name of a model; by default the first"),
    ("class", "a class of that model, or neither"),
];

pub(super) fn routes() -> Vec<Route> {
    vec![Route {
        path: "/api/feedback",
        handler: post(feedback),
        described: Described {
            takes: Takes::Pictures,
            summary: "Keep a picture as one of a class, for training; 404 unless the server collects.",
            options: &OPTIONS,
            answer: ("application/json", Some(json!({ "kept": "cat" }))),
        },
    }]
}

async fn feedback(State(app): State<Arc<App>>, request: Request) -> Result<Response, Problem> {
    let options = Options::of(request.uri(), &OPTIONS)?;
    if app.collection.is_none() {
        return Err(Problem::new(Cause::NotFound, "this server collects no corrections"));
    }
    let model = app.models.find(options.get("model"))?;
    let class = options.get("class").unwrap_or_default().to_string();
    let known = &app.models.get(model).facts.classes;
    if class != NEITHER && !known.contains(&class) {
        let detail = format!("class is '{class}'; it must be one of {}, {NEITHER}", known.join(", "));
        return Err(Problem::new(Cause::Option, detail));
    }
    let (picture, held) = upload::read_one(&app, request).await?;
    let (engine, name) = (app.clone(), class.clone());
    let keep = move || {
        let _held = held;
        let limits = &app.options.limits.decode;
        match &app.collection {
            Some(collection) => collection.keep(&name, &picture.bytes, limits),
            None => Ok(()),
        }
    };
    engine.engine.run(keep).await??;
    super::json(&json!({ "kept": class }))
}
