//! `POST /api/predict`.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::Response;
use axum::routing::post;
use pelage::Prediction;
use pelage::predict::UNKNOWN;
use serde::Serialize;
use serde_json::Value;

use super::options::Options;
use super::{Described, Route, Takes, upload};
use crate::app::App;
use crate::problem::{Cause, Problem};

const OPTIONS: [(&str, &str); 3] = [
    ("model", "the name of a model; by default the first"),
    ("top", "how many classes to tell, most likely first; by default all"),
    ("format", "pelage, or huggingface for lists of label and score"),
];

pub(super) fn routes() -> Vec<Route> {
    vec![Route {
        path: "/api/predict",
        handler: post(predict),
        described: Described {
            takes: Takes::Pictures,
            summary: "Classify pictures: one as the body, or several as the files of a form. Answers come in the order \
                      of the pictures; one that cannot be read has an error instead of classes.",
            options: &OPTIONS,
            answer: ("application/json", Some(example("cnn3-1"))),
        },
    }]
}

/// An answer, for the description of a route.
pub(super) fn example(model: &str) -> Value {
    let prediction = Prediction {
        path: "cat.jpg".into(),
        classes: vec![("cat".into(), 0.75), ("dog".into(), 0.25)],
        temperature: None,
        doubt: None,
        error: None,
    };
    let answer = Answer {
        model,
        predictions: &[prediction],
    };
    serde_json::to_value(answer).unwrap_or_default()
}

/// What `pelage predict` prints for each picture, and which model says so.
#[derive(Serialize)]
struct Answer<'a> {
    model: &'a str,
    predictions: &'a [Prediction],
}

async fn predict(State(app): State<Arc<App>>, request: Request) -> Result<Response, Problem> {
    let options = Options::of(request.uri(), &OPTIONS)?;
    let model = app.models.find(options.get("model"))?;
    let top = options.parsed("top", usize::MAX, "a number of classes")?.max(1);
    let format = options.get("format").unwrap_or("pelage").to_string();
    if !["pelage", "huggingface"].contains(&format.as_str()) {
        let detail = format!("format is '{format}'; it must be pelage or huggingface");
        return Err(Problem::new(Cause::Option, detail));
    }
    let uploaded = upload::read(&app, request).await?;
    let mut predictions = readable(app.engine.predict(model, uploaded.pictures).await?)?;
    predictions.iter_mut().for_each(|one| one.classes.truncate(top));
    if format == "huggingface" {
        return match &predictions[..] {
            [one] => super::json(&labels(one)),
            all => super::json(&all.iter().map(labels).collect::<Vec<_>>()),
        };
    }
    super::json(&Answer {
        model: &app.models.served(model).name,
        predictions: &predictions,
    })
}

/// The answer of a model that is called `model`.
///
/// # Errors
/// If no picture could be read.
pub(super) fn answer(model: &str, predictions: Vec<Prediction>) -> Result<Response, Problem> {
    let predictions = &readable(predictions)?[..];
    super::json(&Answer { model, predictions })
}

/// The predictions, unless there is none: then why.
fn readable(predictions: Vec<Prediction>) -> Result<Vec<Prediction>, Problem> {
    if predictions.iter().any(|one| one.error.is_none()) {
        return Ok(predictions);
    }
    if let [prediction] = &predictions[..] {
        return Err(Problem::new(
            Cause::Unreadable,
            prediction.error.clone().unwrap_or_default(),
        ));
    }
    let reasons = predictions.iter().take(5);
    let reasons = reasons.map(|one| format!("{}: {}", one.path, one.error.as_deref().unwrap_or_default()));
    Err(Problem::new(Cause::Unreadable, reasons.collect::<Vec<_>>().join("; ")))
}

/// An answer as Hugging Face's clients know it.
#[derive(Serialize)]
#[serde(untagged)]
enum Labels<'a> {
    Read(Vec<Label<'a>>),
    Unreadable { error: &'a str },
}

#[derive(Serialize)]
struct Label<'a> {
    label: &'a str,
    score: f32,
}

/// Where the answer is not to be trusted, "unknown" comes first, without a score of its own.
fn labels(prediction: &Prediction) -> Labels<'_> {
    if let Some(error) = &prediction.error {
        return Labels::Unreadable { error };
    }
    let doubted = prediction.doubt.map(|_| Label {
        label: UNKNOWN,
        score: 0.0,
    });
    let classes = prediction.classes.iter();
    let classes = classes.map(|(label, score)| Label { label, score: *score });
    Labels::Read(doubted.into_iter().chain(classes).collect())
}
