//! Errors as clients see them: `application/problem+json`, RFC 9457.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

/// Why a request was refused. The name is the last part of the problem's type, and the label in the metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// There is nothing at the path.
    NotFound,
    /// The path has other methods.
    Method,
    /// The request contradicts itself or breaks off.
    Malformed,
    /// An option, or its value, is unknown.
    Option,
    /// It came by a name that is not the server's.
    Host,
    /// It came from a page of another site.
    Origin,
    /// It lacks the token.
    Token,
    /// It is too large.
    Large,
    /// It took too long to arrive.
    Slow,
    /// No picture could be read.
    Unreadable,
    /// There is no room to keep it.
    Full,
    /// The queue is full.
    Busy,
    /// The answer was not ready in time.
    Expired,
    /// Computing failed.
    Failed,
}

impl Cause {
    /// All of them.
    pub const ALL: [Cause; 14] = [
        Cause::NotFound,
        Cause::Method,
        Cause::Malformed,
        Cause::Option,
        Cause::Host,
        Cause::Origin,
        Cause::Token,
        Cause::Large,
        Cause::Slow,
        Cause::Unreadable,
        Cause::Full,
        Cause::Busy,
        Cause::Expired,
        Cause::Failed,
    ];

    /// Its name.
    pub fn name(self) -> &'static str {
        self.facts().0
    }

    /// The status of the answer.
    pub fn status(self) -> StatusCode {
        self.facts().1
    }

    fn facts(self) -> (&'static str, StatusCode, &'static str) {
        match self {
            Cause::NotFound => ("not-found", StatusCode::NOT_FOUND, "There is nothing here"),
            Cause::Method => ("method", StatusCode::METHOD_NOT_ALLOWED, "This path has other methods"),
            Cause::Malformed => ("malformed", StatusCode::BAD_REQUEST, "The request cannot be read"),
            Cause::Option => ("option", StatusCode::BAD_REQUEST, "An option cannot have this value"),
            Cause::Host => ("host", StatusCode::FORBIDDEN, "The server is not known by this name"),
            Cause::Origin => ("origin", StatusCode::FORBIDDEN, "Pages of other sites may not do this"),
            Cause::Token => ("token", StatusCode::UNAUTHORIZED, "A token is needed"),
            Cause::Large => ("large", StatusCode::PAYLOAD_TOO_LARGE, "The request is too large"),
            Cause::Slow => (
                "slow",
                StatusCode::REQUEST_TIMEOUT,
                "The request took too long to arrive",
            ),
            Cause::Unreadable => (
                "unreadable",
                StatusCode::UNPROCESSABLE_ENTITY,
                "No picture could be read",
            ),
            Cause::Full => ("full", StatusCode::INSUFFICIENT_STORAGE, "There is no room to keep it"),
            Cause::Busy => ("busy", StatusCode::SERVICE_UNAVAILABLE, "The server is busy"),
            Cause::Expired => ("expired", StatusCode::SERVICE_UNAVAILABLE, "The server is busy"),
            Cause::Failed => ("failed", StatusCode::INTERNAL_SERVER_ERROR, "The server failed"),
        }
    }
}

/// An error as an answer.
#[derive(Clone, Debug)]
pub struct Problem {
    /// Why.
    pub cause: Cause,
    /// This time, in words.
    pub detail: String,
}

impl Problem {
    /// For this cause, in these words.
    pub fn new(cause: Cause, detail: impl Into<String>) -> Self {
        Problem {
            cause,
            detail: detail.into(),
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let (name, status, title) = self.cause.facts();
        let body = json!({
            "type": format!("urn:pelage:problem:{name}"),
            "title": title,
            "status": status.as_u16(),
            "detail": self.detail,
        });
        let mut response = (status, body.to_string()).into_response();
        let headers = response.headers_mut();
        let kind = HeaderValue::from_static("application/problem+json");
        headers.insert(header::CONTENT_TYPE, kind);
        match self.cause {
            Cause::Busy | Cause::Expired => {
                headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
            }
            Cause::Token => {
                headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            }
            _ => {}
        }
        // For the counts by cause.
        response.extensions_mut().insert(self.cause);
        response
    }
}
