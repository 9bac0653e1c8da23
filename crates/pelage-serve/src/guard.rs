//! Whom a request may come from, and what browsers may do with an answer.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use axum::extract::{MatchedPath, Request, State};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use subtle::ConstantTimeEq;

use crate::access::Audience;
use crate::app::App;
use crate::problem::{Cause, Problem};

/// Nothing from elsewhere, nothing written in the page itself, in nobody's frame.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; \
                      connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Refuses what may not come here, counts every answer, and adds the headers that each has.
pub(crate) async fn guard(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let started = Instant::now();
    let route = request.extensions().get::<MatchedPath>().cloned();
    let mut response = match check(&app, &request) {
        Ok(()) => next.run(request).await,
        Err(problem) => problem.into_response(),
    };
    let route = route.as_ref().map_or("other", MatchedPath::as_str);
    let cause = response.extensions().get::<Cause>().copied();
    app.metrics.answered(route, response.status(), cause, started.elapsed());
    secure(response.headers_mut());
    response
}

fn check(app: &App, request: &Request) -> Result<(), Problem> {
    let path = request.uri().path();
    // Whoever looks after the server asks by whatever name it has.
    if path == "/healthz" || path == "/readyz" {
        return Ok(());
    }
    let headers = request.headers();
    let host = host(headers)?;
    if !is_known(&host, &app.options.names) {
        let name = host.host();
        let detail = format!("'{name}' is not among its names; a page of another site may be behind this request");
        return Err(Problem::new(Cause::Host, detail));
    }
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        check_origin(headers, &host)?;
    }
    // The page itself is no secret, and without it nobody could enter a token.
    let guarded = path.starts_with("/api/") || path == "/metrics";
    match &app.options.audience {
        Audience::Token(token) if guarded && path != "/api/openapi.json" => check_token(headers, token),
        _ => Ok(()),
    }
}

fn host(headers: &HeaderMap) -> Result<Authority, Problem> {
    let mut hosts = headers.get_all(header::HOST).iter();
    let host = hosts.next().and_then(|host| Authority::try_from(host.as_bytes()).ok());
    match (host, hosts.next()) {
        (Some(host), None) => Ok(host),
        _ => Err(Problem::new(Cause::Malformed, "one Host header is needed")),
    }
}

/// Whether a name is the server's. A page of another site can make its own name stand for this machine, but not an
/// address.
fn is_known(host: &Authority, names: &[String]) -> bool {
    let name = host.host().trim_end_matches('.');
    let ip = name.trim_start_matches('[').trim_end_matches(']');
    ip.parse::<IpAddr>().is_ok()
        || name.eq_ignore_ascii_case("localhost")
        || names.iter().any(|known| name.eq_ignore_ascii_case(known))
}

/// What changes or computes anything is for the server's own pages, and for programs, which say no origin.
fn check_origin(headers: &HeaderMap, host: &Authority) -> Result<(), Problem> {
    let foreign = || Problem::new(Cause::Origin, "only the server's own page may ask this");
    if let Some(origin) = headers.get(header::ORIGIN) {
        let origin = origin.to_str().unwrap_or_default();
        let of = origin
            .strip_prefix("http://")
            .or_else(|| origin.strip_prefix("https://"));
        if !of.is_some_and(|of| of.eq_ignore_ascii_case(host.as_str())) {
            return Err(foreign());
        }
    }
    match headers.get("sec-fetch-site").map(HeaderValue::as_bytes) {
        None | Some(b"same-origin" | b"none") => Ok(()),
        Some(_) => Err(foreign()),
    }
}

fn check_token(headers: &HeaderMap, token: &str) -> Result<(), Problem> {
    let given = headers
        .get(header::AUTHORIZATION)
        .map_or(&b""[..], HeaderValue::as_bytes);
    let given = given.strip_prefix(b"Bearer ").unwrap_or_default();
    // Takes as long for a wrong first letter as for a wrong last one.
    match bool::from(given.ct_eq(token.as_bytes())) {
        true => Ok(()),
        false => Err(Problem::new(Cause::Token, "send it as 'Authorization: Bearer TOKEN'")),
    }
}

/// The headers of every answer, less those that it has set itself.
fn secure(headers: &mut HeaderMap) {
    const ALL: [(HeaderName, &str); 7] = [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-store"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
        (
            HeaderName::from_static("permissions-policy"),
            "camera=(self), microphone=(), geolocation=(), browsing-topics=()",
        ),
    ];
    for (name, value) in ALL {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_known_by_list_and_addresses_always() {
        let names = ["cats.example".to_string()];
        let known = |host: &str| is_known(&host.parse().unwrap(), &names);
        for host in [
            "localhost:8000",
            "LOCALHOST",
            "127.0.0.1:1",
            "[::1]:8000",
            "10.1.2.3",
            "Cats.Example:80",
        ] {
            assert!(known(host), "{host}");
        }
        for host in [
            "evil.example",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "cats.example.org",
        ] {
            assert!(!known(host), "{host}");
        }
    }

    #[test]
    fn pages_of_other_sites_are_refused() {
        let host = "localhost:8000".parse().unwrap();
        let allowed = |pairs: &[(&'static str, &'static str)]| {
            let pairs = pairs
                .iter()
                .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
            check_origin(&pairs.collect(), &host).is_ok()
        };
        assert!(allowed(&[]) && allowed(&[("origin", "http://localhost:8000"), ("sec-fetch-site", "same-origin")]));
        for origin in [
            "http://localhost",
            "http://localhost:8001",
            "https://evil.example",
            "null",
            "",
        ] {
            assert!(!allowed(&[("origin", origin)]), "{origin}");
        }
        assert!(!allowed(&[("sec-fetch-site", "cross-site")]) && !allowed(&[("sec-fetch-site", "same-site")]));
    }
}
