//! Pictures in a request: the body itself, or the files of a form. Memory is set aside before a byte is read.

use axum::body::{Body, to_bytes};
use axum::extract::{FromRequest, Multipart, Request};
use axum::http::{HeaderMap, StatusCode, header};
use bytes::Bytes;
use http_body_util::LengthLimitError;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::timeout;

use crate::app::App;
use crate::engine::Picture;
use crate::limits::Limits;
use crate::problem::{Cause, Problem};

/// The longest name of a picture, in characters.
const NAME: usize = 255;

/// What a request has brought, and the memory that it was promised.
pub(super) struct Uploaded {
    pub(super) pictures: Vec<Picture>,
    /// Free again when this is dropped.
    _held: OwnedSemaphorePermit,
}

/// Reads the pictures of a request, one at least.
///
/// # Errors
/// Too large, too slow, too many at once, or no picture at all.
pub(super) async fn read(app: &App, request: Request) -> Result<Uploaded, Problem> {
    read_up_to(app, request, app.options.limits.pictures).await
}

/// The same for another number of pictures.
///
/// # Errors
/// As [`read`].
pub(super) async fn read_up_to(app: &App, request: Request, pictures: usize) -> Result<Uploaded, Problem> {
    let limits = &app.options.limits;
    let is_form = is_form(request.headers());
    let most = if is_form {
        limits.request_bytes
    } else {
        limits.picture_bytes
    };
    let promised = length(request.headers());
    if promised.is_some_and(|length| length > most as u64) {
        return Err(too_large(most));
    }
    // Who does not say how much may send as much as is allowed.
    let length = promised.map_or(most, |length| length as usize);
    let kibibytes = length.div_ceil(1024) as u32;
    let held = app.held.clone().try_acquire_many_owned(kibibytes);
    let held =
        held.map_err(|_| Problem::new(Cause::Busy, "other requests fill the memory that is set aside for them"))?;
    let reading = async {
        match is_form {
            true => form(request, limits, pictures).await,
            false => raw(request.into_body(), limits).await,
        }
    };
    let slow = |_| Problem::new(Cause::Slow, "the body was not whole in time");
    let pictures = timeout(limits.body, reading).await.map_err(slow)??;
    if pictures.is_empty() {
        let detail = "send the bytes of a picture as the body, or files as multipart/form-data";
        return Err(Problem::new(Cause::Unreadable, detail));
    }
    Ok(Uploaded { pictures, _held: held })
}

/// The same for a request with one picture.
///
/// # Errors
/// As [`read`]; more than one.
pub(super) async fn read_one(app: &App, request: Request) -> Result<(Picture, Uploaded), Problem> {
    let mut uploaded = read(app, request).await?;
    match (uploaded.pictures.pop(), uploaded.pictures.is_empty()) {
        (Some(picture), true) => Ok((picture, uploaded)),
        _ => Err(Problem::new(Cause::Option, "one picture at a time")),
    }
}

fn is_form(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    kind.is_some_and(|kind| kind.to_ascii_lowercase().starts_with("multipart/"))
}

fn length(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

async fn raw(body: Body, limits: &Limits) -> Result<Vec<Picture>, Problem> {
    let bytes = to_bytes(body, limits.picture_bytes).await.map_err(|failure| {
        let source = std::error::Error::source(&failure);
        match source.is_some_and(|source| source.is::<LengthLimitError>()) {
            true => too_large(limits.picture_bytes),
            false => Problem::new(Cause::Malformed, "the body breaks off"),
        }
    })?;
    let picture = |bytes: Bytes| Picture {
        name: "picture".into(),
        field: String::new(),
        bytes,
    };
    Ok((!bytes.is_empty()).then(|| picture(bytes)).into_iter().collect())
}

async fn form(request: Request, limits: &Limits, most: usize) -> Result<Vec<Picture>, Problem> {
    let refused = |failure: axum::extract::multipart::MultipartError| match failure.status() {
        StatusCode::PAYLOAD_TOO_LARGE => too_large(limits.request_bytes),
        _ => Problem::new(
            Cause::Malformed,
            format!("the form cannot be read: {}", failure.body_text()),
        ),
    };
    let mut form = Multipart::from_request(request, &())
        .await
        .map_err(|failure| Problem::new(Cause::Malformed, failure.body_text()))?;
    let (mut pictures, mut all) = (Vec::new(), 0);
    while let Some(mut field) = form.next_field().await.map_err(refused)? {
        let Some(name) = field.file_name() else {
            let name: String = field.name().unwrap_or_default().chars().take(NAME).collect();
            let detail = format!("'{name}' of the form is no file; options go into the address");
            return Err(Problem::new(Cause::Malformed, detail));
        };
        if pictures.len() == most {
            let detail = format!("more than {most} pictures in one request");
            return Err(Problem::new(Cause::Large, detail));
        }
        let (name, mut bytes) = (name.chars().take(NAME).collect(), Vec::new());
        let kind = field.name().unwrap_or_default().chars().take(NAME).collect();
        while let Some(chunk) = field.chunk().await.map_err(refused)? {
            all += chunk.len();
            if all > limits.request_bytes {
                return Err(too_large(limits.request_bytes));
            }
            if bytes.len() + chunk.len() > limits.picture_bytes {
                return Err(too_large(limits.picture_bytes));
            }
            bytes.extend_from_slice(&chunk);
        }
        let bytes = Bytes::from(bytes);
        pictures.push(Picture {
            name,
            field: kind,
            bytes,
        });
    }
    Ok(pictures)
}

fn too_large(most: usize) -> Problem {
    let detail = format!("more than {:.1} MB", most as f64 / 1e6);
    Problem::new(Cause::Large, detail)
}
