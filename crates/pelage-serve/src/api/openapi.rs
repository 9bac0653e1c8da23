//! The OpenAPI document, from the routes. The schema of an answer is read off an example of it.

use serde_json::{Map, Value, json};

use super::{Described, Takes};
use crate::problem::Cause;

/// OpenAPI 3.1 of these routes.
pub(super) fn document(routes: &[(&'static str, Described)]) -> Value {
    let paths: Map<_, _> = routes
        .iter()
        .map(|(path, route)| (path.to_string(), operation(route)))
        .collect();
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "pelage",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Asks image classifiers. Errors are application/problem+json (RFC 9457).",
        },
        "paths": paths,
        "components": {
            "schemas": { "Problem": schema(&json!({
                "type": "urn:pelage:problem:large", "title": "The request is too large", "status": 413,
                "detail": "more than 21.0 MB",
            })) },
            "securitySchemes": { "token": { "type": "http", "scheme": "bearer" } },
        },
    })
}

fn operation(route: &Described) -> Value {
    let parameters: Vec<_> = route
        .options
        .iter()
        .map(|(name, meaning)| {
            json!({"name": name, "in": "query", "description": meaning, "schema": { "type": "string" }})
        })
        .collect();
    let (kind, example) = &route.answer;
    let answer = match example {
        Some(example) => json!({ "schema": schema(example), "example": example }),
        None => json!({}),
    };
    let problem = json!({
        "description": Cause::ALL.map(|cause| format!("{} {}", cause.status().as_u16(), cause.name())).join(", "),
        "content": { "application/problem+json": { "schema": { "$ref": "#/components/schemas/Problem" } } },
    });
    let mut operation = json!({
        "summary": route.summary,
        "parameters": parameters,
        "responses": {
            "200": { "description": "The answer", "content": { *kind: answer } },
            "default": problem,
        },
    });
    if route.takes == Takes::Nothing {
        return json!({ "get": operation });
    }
    let files = json!({ "type": "array", "items": { "type": "string", "format": "binary" } });
    operation["requestBody"] = json!({ "required": true, "content": {
        "image/*": {},
        "multipart/form-data": { "schema": { "type": "object", "properties": { "file": files } } },
    } });
    json!({ "post": operation })
}

/// The JSON schema that an example has.
fn schema(example: &Value) -> Value {
    match example {
        Value::Null => json!({}),
        Value::Bool(_) => json!({ "type": "boolean" }),
        Value::Number(number) if number.is_f64() => json!({ "type": "number" }),
        Value::Number(_) => json!({ "type": "integer" }),
        Value::String(_) => json!({ "type": "string" }),
        Value::Array(items) => {
            let kinds: Vec<_> = items.iter().map(schema).collect();
            match &kinds[..] {
                [] => json!({ "type": "array" }),
                [first, rest @ ..] if rest.iter().all(|other| other == first) => {
                    json!({ "type": "array", "items": first })
                }
                // Each place has its own type.
                _ => json!({ "type": "array", "prefixItems": kinds }),
            }
        }
        Value::Object(fields) => {
            let properties: Map<_, _> = fields
                .iter()
                .map(|(name, value)| (name.clone(), schema(value)))
                .collect();
            json!({ "type": "object", "properties": properties, "required": fields.keys().collect::<Vec<_>>() })
        }
    }
}
