//! `/api/teach`: a lesson, how it stands, what it has learnt.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use pelage::model::input;
use serde_json::json;

use super::{Described, Route, Takes, predict, upload};
use crate::app::App;
use crate::problem::{Cause, Problem};
use crate::teach::School;

pub(super) fn routes() -> Vec<Route> {
    let lesson = json!({
        "state": "done", "classes": ["cup", "glass"], "pictures": 40, "epoch": 12, "epochs": 30,
        "accuracy": [1.0, [0.68, 1.0]], "validated": 8, "error": null,
    });
    let route = |path, handler, takes, summary, answer| Route {
        path,
        handler,
        described: Described {
            takes,
            summary,
            options: &[],
            answer,
        },
    };
    vec![
        route(
            "/api/teach",
            post(begin),
            Takes::Pictures,
            "Begin a lesson: files of a form whose fields are called as the classes are. One lesson at a time.",
            ("application/json", Some(lesson.clone())),
        ),
        route(
            "/api/teach/lesson",
            get(lesson_now),
            Takes::Nothing,
            "How the latest lesson stands.",
            ("application/json", Some(lesson)),
        ),
        route(
            "/api/teach/predict",
            post(ask),
            Takes::Pictures,
            "Ask what was learnt last about one picture.",
            ("application/json", Some(predict::example("lesson"))),
        ),
        route(
            "/api/teach/model",
            get(file),
            Takes::Nothing,
            "What was learnt last, as a model file.",
            ("application/octet-stream", None),
        ),
    ]
}

fn school(app: &App) -> Result<&School, Problem> {
    let none = || Problem::new(Cause::NotFound, "this server is not to be taught");
    app.school.as_ref().ok_or_else(none)
}

fn nothing() -> Problem {
    Problem::new(Cause::NotFound, "nothing has been learnt yet")
}

async fn begin(State(app): State<Arc<App>>, request: Request) -> Result<Response, Problem> {
    let school = school(&app)?;
    let most = app.options.limits.lesson_pictures;
    let uploaded = upload::read_up_to(&app, request, most).await?;
    let mut examples = Vec::with_capacity(uploaded.pictures.len());
    for picture in uploaded.pictures {
        let class = picture.field.trim();
        if class.is_empty() || class.chars().count() > 100 {
            let detail = "a file's field is called as its class is, by 1 to 100 characters";
            return Err(Problem::new(Cause::Option, detail));
        }
        examples.push((class.to_string(), picture.bytes.to_vec()));
    }
    school.begin(examples)?;
    super::json(&school.lesson())
}

async fn lesson_now(State(app): State<Arc<App>>) -> Result<Response, Problem> {
    super::json(&school(&app)?.lesson())
}

async fn ask(State(app): State<Arc<App>>, request: Request) -> Result<Response, Problem> {
    let model = school(&app)?.model().ok_or_else(nothing)?;
    let (picture, held) = upload::read_one(&app, request).await?;
    let limits = app.options.limits.decode;
    let task = move || {
        let _held = held;
        let input = input::decode_within(&picture.bytes, &model.facts.preprocessing, &limits);
        model.predict_inputs(std::iter::once(picture.name), vec![input])
    };
    predict::answer("lesson", app.engine.run(task).await?)
}

async fn file(State(app): State<Arc<App>>) -> Result<Response, Problem> {
    let written = school(&app)?.file().ok_or_else(nothing)?;
    let bytes = written.map_err(|reason| Problem::new(Cause::Failed, reason))?;
    let headers = [
        ("content-type", "application/octet-stream"),
        ("content-disposition", "attachment; filename=\"taught.safetensors\""),
    ];
    Ok((headers, bytes).into_response())
}
