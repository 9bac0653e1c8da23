//! `POST /api/explain` and `POST /api/maps`: what a model looks at, as PNG.

use std::io::Cursor;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use image::{ImageFormat, RgbImage};
use pelage::explain::grad_cam::grad_cam;
use pelage::explain::heat::{color, overlay};
use pelage::explain::{self, Input, feature_maps};
use pelage::model::probability::argmax;
use pelage::model::values::to_vec;
use pelage::{Error, Model};

use super::options::Options;
use super::{Described, Route, Takes, upload};
use crate::app::App;
use crate::problem::{Cause, Problem};

const EXPLAIN: [(&str, &str); 3] = [
    ("model", "the name of a model; by default the first"),
    ("class", "the class to explain; by default the most likely one"),
    (
        "over",
        "picture: the map over the picture; none: the map alone, to be laid over it",
    ),
];
const MAPS: [(&str, &str); 2] = [
    ("model", "the name of a model; by default the first"),
    ("layer", "a layer of the model, see /api/models; by default the last"),
];

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route {
            path: "/api/explain",
            handler: post(explained),
            described: Described {
                takes: Takes::Pictures,
                summary: "Show which parts of a picture support a class: Grad-CAM.",
                options: &EXPLAIN,
                answer: ("image/png", None),
            },
        },
        Route {
            path: "/api/maps",
            handler: post(maps),
            described: Described {
                takes: Takes::Pictures,
                summary: "Show the output of a layer for a picture, channel by channel.",
                options: &MAPS,
                answer: ("image/png", None),
            },
        },
    ]
}

async fn explained(State(app): State<Arc<App>>, request: Request) -> Result<Response, Problem> {
    let options = Options::of(request.uri(), &EXPLAIN)?;
    let model = app.models.find(options.get("model"))?;
    let classes = &app.models.get(model).facts.classes;
    let class = options.get("class").map(|name| {
        let found = classes.iter().position(|class| class == name);
        let unknown = || format!("class is '{name}'; it must be one of {}", classes.join(", "));
        found.ok_or_else(|| Problem::new(Cause::Option, unknown()))
    });
    let class = class.transpose()?;
    let over = match options.get("over").unwrap_or("picture") {
        "picture" => true,
        "none" => false,
        other => {
            let detail = format!("over is '{other}'; it must be picture or none");
            return Err(Problem::new(Cause::Option, detail));
        }
    };
    drawn(&app, model, request, move |model, input| {
        let class = match class {
            Some(class) => class,
            None => argmax(&to_vec(model.logits(input.pixels.clone()))),
        };
        let heat = grad_cam(model, input.pixels, class)?;
        Ok(match over {
            true => overlay(&input.shown, &heat),
            false => {
                let (width, height) = input.seen.dimensions();
                let part = |at: u32, all: u32| (at as f32 + 0.5) / all as f32;
                RgbImage::from_fn(width, height, |x, y| color(heat.at(part(y, height), part(x, width))))
            }
        })
    })
    .await
}

async fn maps(State(app): State<Arc<App>>, request: Request) -> Result<Response, Problem> {
    let options = Options::of(request.uri(), &MAPS)?;
    let model = app.models.find(options.get("model"))?;
    let graph = app.models.get(model).network.graph();
    let layer = explain::layer(graph, options.get("layer"));
    let layer = layer.map_err(|failure| Problem::new(Cause::Option, failure.to_string()))?;
    drawn(&app, model, request, move |model, input| {
        let maps = feature_maps::feature_maps(&model.network, input.pixels, &[layer]);
        let missing = || Error::Settings("the layer has no map".into());
        maps.first().ok_or_else(missing)?.sheet()
    })
    .await
}

/// Reads the picture of `request` and answers with what `draw` makes of it.
async fn drawn(
    app: &Arc<App>,
    model: usize,
    request: Request,
    draw: impl FnOnce(&Model, Input) -> pelage::Result<RgbImage> + Send + 'static,
) -> Result<Response, Problem> {
    let several = |failure: Error| Problem::new(Cause::Option, failure.to_string());
    app.models.get(model).alone("explained").map_err(several)?;
    let (picture, held) = upload::read_one(app, request).await?;
    let (models, limits) = (app.models.clone(), app.options.limits.decode);
    let task = move || {
        let _held = held;
        let model = models.get(model);
        let unreadable = |reason| Problem::new(Cause::Unreadable, reason);
        let failed = |failure: Error| Problem::new(Cause::Failed, failure.to_string());
        let preprocessing = &model.facts.preprocessing;
        let input = Input::decode_within(&picture.bytes, preprocessing, &limits, &model.device());
        let image = draw(model, input.map_err(unreadable)?).map_err(failed)?;
        let mut png = Cursor::new(Vec::new());
        let encoded = image.write_to(&mut png, ImageFormat::Png);
        encoded.map_err(|failure| Problem::new(Cause::Failed, failure.to_string()))?;
        Ok(png.into_inner())
    };
    let png = app.engine.run(task).await??;
    Ok(([("content-type", "image/png")], png).into_response())
}
