//! `GET /api/models`, and the picture of a model's architecture.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use pelage::draw::network;
use pelage::model::input;
use serde::Serialize;
use serde_json::json;

use super::options::Options;
use super::{Described, Route, Takes};
use crate::access::Audience;
use crate::app::App;
use crate::models::Card;
use crate::problem::{Cause, Problem};
use crate::teach::{LEAST, School};

const ARCHITECTURE: [(&str, &str); 1] = [("model", "the name of a model; by default the first")];

pub(super) fn routes() -> Vec<Route> {
    let example = json!({"models": [{
        "name": "cnn3-1", "architecture": "cnn3", "precision": "f32", "classes": ["cat", "dog"],
        "parameters": 3_453_634, "multiply_adds": 84_000_000,
        "layers": ["conv1"], "temperature": 1.2, "rejects": false,
        "train_images": 12_800, "validation_images": 3_200, "accuracy": [0.874, [0.862, 0.885]], "loss": 0.29,
        "data": "data", "written": 1_790_000_000, "epoch": 45,
    }], "picture_bytes": 20_971_520, "pictures": 64, "collects": false, "runs": true,
        "searches": false, "teaches": "mobilenet_v2", "least": 5, "token": false});
    vec![
        Route {
            path: "/api/models",
            handler: get(models),
            described: Described {
                takes: Takes::Nothing,
                summary: "The models: classes, preprocessing, accuracy, and the history of their training.",
                options: &[],
                answer: ("application/json", Some(example)),
            },
        },
        Route {
            path: "/api/architecture",
            handler: get(architecture),
            described: Described {
                takes: Takes::Nothing,
                summary: "The network of a model as a drawing.",
                options: &ARCHITECTURE,
                answer: ("image/svg+xml", None),
            },
        },
    ]
}

#[derive(Serialize)]
struct Answer<'a> {
    models: Vec<&'a Card>,
    picture_bytes: usize,
    pictures: usize,
    /// Whether corrections are kept.
    collects: bool,
    /// Whether there are runs to list.
    runs: bool,
    /// Whether there are searches.
    searches: bool,
    /// The backbone that lessons begin with, if the page teaches.
    teaches: Option<&'static str>,
    /// Pictures of each class that a lesson needs.
    least: usize,
    /// Whether a token is asked for.
    token: bool,
}

async fn models(State(app): State<Arc<App>>) -> Result<Response, Problem> {
    let folders = app.clone();
    let offered = tokio::task::spawn_blocking(move || folders.options.runs.offered()).await;
    let [runs, searches] = offered.map_err(|failure| Problem::new(Cause::Failed, failure.to_string()))?;
    super::json(&Answer {
        models: app.models.iter().map(|served| &served.card).collect(),
        picture_bytes: app.options.limits.picture_bytes,
        pictures: app.options.limits.pictures,
        collects: app.collection.is_some(),
        runs,
        searches,
        teaches: app.school.as_ref().map(School::backbone),
        least: LEAST,
        token: matches!(app.options.audience, Audience::Token(_)),
    })
}

async fn architecture(State(app): State<Arc<App>>, request: Request) -> Result<Response, Problem> {
    let options = Options::of(request.uri(), &ARCHITECTURE)?;
    let model = app.models.find(options.get("model"))?;
    let models = app.models.clone();
    let draw = move || {
        let (facts, name) = (&models.get(model).facts, &models.served(model).name);
        let [height, width, _] = input::shape(&facts.preprocessing);
        network::svg(name, &facts.graph(), [height, width])
    };
    let svg = app.engine.run(draw).await?;
    // A drawing that is opened by itself may style itself, and nothing else.
    let policy = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'";
    let headers = [("content-type", "image/svg+xml"), ("content-security-policy", policy)];
    Ok((headers, svg).into_response())
}
