//! What the API answers: the same as the library, whoever asks beside, and problems where it cannot.

use std::collections::BTreeSet;
use std::path::PathBuf;

use common::{Server, encoded, image, models, open, picture};
use image::ImageFormat;
use pelage_serve::{Audience, Limits, Options};
use serde_json::{Value, json};

mod common;

/// A server with other limits.
fn limited(models: &[PathBuf], limits: Limits) -> Server {
    let options = Options {
        limits,
        ..Options::default()
    };
    Server::start(models, options)
}

#[test]
fn answers_are_the_librarys_to_the_last_digit_alone_and_in_any_batch() {
    let folder = tempfile::tempdir().unwrap();
    let paths = models(folder.path());
    let limits = Limits {
        waiting: 1000,
        ..Limits::default()
    };
    let server = limited(&paths, limits);
    for path in &paths {
        let (model, name) = (open(path), path.file_stem().unwrap().to_str().unwrap());
        let expected = |number: u32, name: &str| -> Value {
            serde_json::from_str(&serde_json::to_string(&model.predict_bytes(name, &picture(number))).unwrap()).unwrap()
        };
        let address = format!("/api/predict?model={name}");
        let alone = server.post(&address, &picture(1));
        assert_eq!(
            (alone.status, alone.header("content-type")),
            (200, Some("application/json")),
            "{alone:?}"
        );
        assert_eq!(
            alone.json(),
            json!({"model": name, "predictions": [expected(1, "picture")]})
        );

        // Many clients, one or several pictures each: who is in a batch with whom is chance.
        std::thread::scope(|scope| {
            for client in 0..8 {
                let (server, address, expected) = (&server, &address, &expected);
                scope.spawn(move || {
                    for round in 0..6 {
                        let first = 100 * client + 7 * round;
                        let count = [1, 2, 5, 1, 40, 3][round as usize];
                        let files: Vec<_> = (first..first + count)
                            .map(|n| (format!("{n}.png"), picture(n)))
                            .collect();
                        let files: Vec<_> = files.iter().map(|(name, bytes)| (name.as_str(), &bytes[..])).collect();
                        let answer = server.form(address, &files);
                        assert_eq!(answer.status, 200, "{answer:?}");
                        let wanted = (first..first + count).map(|n| expected(n, &format!("{n}.png")));
                        assert_eq!(answer.json()["predictions"], wanted.collect::<Value>());
                    }
                });
            }
        });
    }
}

#[test]
fn a_broken_picture_among_others_has_its_reason() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(&models(folder.path())[..1], Options::default());
    let answer = server.form(
        "/api/predict",
        &[("a.png", &picture(1)), ("b.png", b"nothing"), ("c.png", &picture(2))],
    );
    assert_eq!(answer.status, 200);
    let told = &answer.json()["predictions"];
    assert_eq!(
        [&told[0]["path"], &told[1]["path"], &told[2]["path"]],
        ["a.png", "b.png", "c.png"]
    );
    assert!(
        told[1]["error"].as_str().unwrap().starts_with("not a picture"),
        "{told}"
    );
    assert!(told[0].get("error").is_none() && told[2]["classes"].as_array().unwrap().len() == 2);

    let labels = server.post("/api/predict?format=huggingface&top=1", &picture(1)).json();
    assert_eq!(
        labels,
        json!([{"label": told[0]["classes"][0][0], "score": told[0]["classes"][0][1]}])
    );
    let several = server
        .form(
            "/api/predict?format=huggingface",
            &[("a", &picture(1)), ("b", b"nothing")],
        )
        .json();
    assert_eq!(
        (several[0].as_array().unwrap().len(), &several[1]["error"]),
        (2, &told[1]["error"])
    );
}

#[test]
fn what_cannot_be_answered_is_a_problem_with_a_cause() {
    let folder = tempfile::tempdir().unwrap();
    let limits = Limits {
        picture_bytes: 4000,
        request_bytes: 10_000,
        pictures: 3,
        decode: pelage::data::decode::Limits {
            max_pixels: 5000,
            max_alloc_bytes: 1 << 20,
            damaged: pelage::data::decode::Damaged::Skip,
        },
        ..Limits::default()
    };
    let server = limited(&models(folder.path())[..1], limits);
    let (good, cut) = (picture(3), &picture(3)[..200]);
    let bomb = encoded(&image::RgbImage::new(100, 51), ImageFormat::Png);
    let large = vec![0; 4001];
    let files = |count: usize| vec![("a.png", &good[..]); count];
    let many = vec![("a.png", &large[..3000]); 4];
    let cases = [
        (server.post("/api/predict", b""), 422, "unreadable"),
        (server.post("/api/predict", b"no picture"), 422, "unreadable"),
        (server.post("/api/predict", cut), 422, "unreadable"),
        (server.post("/api/predict", &bomb), 422, "unreadable"),
        (server.post("/api/predict", &large), 413, "large"),
        (server.form("/api/predict", &files(4)), 413, "large"),
        (server.form("/api/predict", &[("a.png", &large)]), 413, "large"),
        (server.form("/api/predict", &many[..3]), 422, "unreadable"),
        (server.form("/api/predict", &many), 413, "large"),
        (server.form("/api/predict", &[]), 422, "unreadable"),
        (server.form("/api/explain", &files(2)), 400, "option"),
        (server.post("/api/explain", cut), 422, "unreadable"),
        (server.post("/api/explain", &bomb), 422, "unreadable"),
        (server.post("/api/explain?class=bird", &good), 400, "option"),
        (server.post("/api/explain?over=there", &good), 400, "option"),
        (server.post("/api/maps?layer=conv9", &good), 400, "option"),
        (server.post("/api/predict?model=none", &good), 404, "not-found"),
        (server.post("/api/predict?modle=own", &good), 400, "option"),
        (server.post("/api/predict?top=many", &good), 400, "option"),
        (server.post("/api/predict?top=1&top=2", &good), 400, "option"),
        (server.post("/api/predict?format=xml", &good), 400, "option"),
        (server.get("/api/predict"), 405, "method"),
        (server.get("/../Cargo.toml"), 404, "not-found"),
        (server.get("/api"), 404, "not-found"),
        (
            server.ask(
                "POST",
                "/api/predict",
                &[("Content-Type", "multipart/form-data")],
                &good,
            ),
            400,
            "malformed",
        ),
        (
            server.ask(
                "POST",
                "/api/predict",
                &[("Content-Type", "multipart/form-data; boundary=x")],
                &good,
            ),
            400,
            "malformed",
        ),
    ];
    for (i, (answer, status, cause)) in cases.into_iter().enumerate() {
        assert_eq!(answer.status, status, "case {i}: {answer:?}");
        assert_eq!(
            answer.header("content-type"),
            Some("application/problem+json"),
            "case {i}"
        );
        let problem = answer.json();
        assert_eq!(
            problem["type"],
            format!("urn:pelage:problem:{cause}"),
            "case {i}: {problem}"
        );
        assert_eq!(problem["status"], status);
        assert!(problem["title"].is_string() && problem["detail"].is_string());
    }
    let counted = server.get("/metrics");
    for line in [
        "pelage_refusals_total{cause=\"large\"} 4",
        "pelage_refusals_total{cause=\"busy\"} 0",
    ] {
        assert!(counted.text().contains(line), "{line}: {}", counted.text());
    }
    assert!(counted.text().ends_with("# EOF\n"));
}

#[test]
fn more_than_fits_is_refused_and_comes_again_later() {
    let folder = tempfile::tempdir().unwrap();
    let limits = Limits {
        waiting: 3,
        ..Limits::default()
    };
    let server = limited(&models(folder.path())[..1], limits);
    let bytes = picture(1);
    let refused = server.form("/api/predict", &[("a.png", &bytes[..]); 4]);
    assert_eq!(
        (refused.status, refused.header("retry-after")),
        (503, Some("1")),
        "{refused:?}"
    );
    assert_eq!(refused.json()["type"], "urn:pelage:problem:busy");
    assert_eq!(server.form("/api/predict", &[("a.png", &bytes[..]); 3]).status, 200);

    let limits = Limits {
        held_bytes: 64 << 10,
        ..Limits::default()
    };
    let small = limited(&models(folder.path())[..1], limits);
    assert_eq!(small.post("/api/predict", &vec![0; 65 << 10]).status, 503);
    assert_eq!(small.post("/api/predict", &bytes).status, 200);

    // Nobody computes for whom it is too late.
    let limits = Limits {
        answer: std::time::Duration::ZERO,
        ..Limits::default()
    };
    let late = limited(&models(folder.path())[..1], limits);
    let expired = late.post("/api/predict", &bytes);
    assert_eq!(
        (expired.status, expired.header("retry-after")),
        (503, Some("1")),
        "{expired:?}"
    );
    assert!(late.get("/metrics").text().contains("pelage_batch_pictures_count 0"));
}

#[test]
fn pictures_of_what_a_model_looks_at() {
    let folder = tempfile::tempdir().unwrap();
    let paths = models(folder.path());
    let server = Server::start(&paths, Options::default());
    let bytes = encoded(&image(5, 60, 40), ImageFormat::Png);
    let drawn = |path: &str| {
        let answer = server.post(path, &bytes);
        assert_eq!(
            (answer.status, answer.header("content-type")),
            (200, Some("image/png")),
            "{path}"
        );
        image::load_from_memory(&answer.body).unwrap().into_rgb8()
    };
    let model = open(&paths[0]);
    let input = pelage::explain::Input::decode(&bytes, &model.facts.preprocessing, &model.device()).unwrap();
    let heat = pelage::explain::grad_cam::grad_cam(&model, input.pixels, 1).unwrap();
    let over = drawn("/api/explain?class=upright");
    assert_eq!(over, pelage::explain::heat::overlay(&input.shown, &heat));
    assert_eq!(drawn("/api/explain?class=upright&over=none").dimensions(), (24, 24));
    let likely = model.predict_bytes("", &bytes).classes[0].0.clone();
    assert_eq!(drawn("/api/explain"), drawn(&format!("/api/explain?class={likely}")));

    let cards = server.get("/api/models").json();
    for card in cards["models"].as_array().unwrap() {
        let name = card["name"].as_str().unwrap();
        for layer in card["layers"].as_array().unwrap() {
            drawn(&format!("/api/maps?model={name}&layer={}", layer.as_str().unwrap()));
        }
        let svg = server.get(&format!("/api/architecture?model={name}"));
        assert!(svg.status == 200 && svg.text().contains("</svg>"));
    }
}

#[test]
fn models_and_routes_are_described_as_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(&models(folder.path()), Options::default());
    let cards = server.get("/api/models").json();
    let card = &cards["models"][0];
    assert_eq!(card["classes"], json!(["level", "upright"]));
    assert_eq!((&card["name"], &card["validation_images"]), (&json!("own"), &json!(4)));
    let [low, high] = [0, 1].map(|end| card["accuracy"][1][end].as_f64().unwrap());
    let share = card["accuracy"][0].as_f64().unwrap();
    assert!(
        low >= 0.0 && low <= share && share <= high && high <= 1.0 && low < high,
        "{card}"
    );

    let document = server.get("/api/openapi.json").json();
    assert_eq!(document["openapi"], "3.1.0");
    // What the document says of answers holds for them.
    let schema = |path: &str, method: &str| {
        document["paths"][path][method]["responses"]["200"]["content"]["application/json"]["schema"].clone()
    };
    fits(&cards, &schema("/api/models", "get"));
    fits(
        &server.post("/api/predict", &picture(1)).json(),
        &schema("/api/predict", "post"),
    );
    let problem = server.get("/nothing").json();
    fits(&problem, &document["components"]["schemas"]["Problem"]);
    // Every path is there, with its method; those that never end are tested by themselves.
    for (path, methods) in document["paths"].as_object().unwrap() {
        for method in methods.as_object().unwrap().keys() {
            if !path.ends_with("/events") {
                let answer = server.ask(&method.to_uppercase(), path, &[], b"");
                let nowhere = answer.status == 405 || answer.text().contains("see /api/openapi.json");
                assert!(!nowhere, "{method} {path}: {answer:?}");
            }
        }
    }
}

/// Whether a value has a schema, as far as the schemas of the document go.
fn fits(value: &Value, schema: &Value) {
    match schema["type"].as_str() {
        None => {}
        Some("object") => {
            for name in schema["required"].as_array().unwrap() {
                assert!(
                    value.get(name.as_str().unwrap()).is_some(),
                    "{name} is missing: {value}"
                );
            }
            let properties = schema["properties"].as_object().unwrap();
            for (name, inner) in value.as_object().unwrap() {
                if let Some(known) = properties.get(name) {
                    fits(inner, known);
                }
            }
        }
        Some("array") => {
            for (i, item) in value.as_array().unwrap().iter().enumerate() {
                fits(item, schema.get("items").unwrap_or(&schema["prefixItems"][i]));
            }
        }
        // A number that is not known is null.
        Some("number") => assert!(value.is_number() || value.is_null(), "{value}"),
        Some("integer") => assert!(value.is_u64() || value.is_null(), "{value}"),
        Some("string") => assert!(value.is_string() || value.is_null(), "{value}"),
        Some("boolean") => assert!(value.is_boolean(), "{value}"),
        Some(other) => panic!("a type '{other}'"),
    }
}

#[test]
fn only_its_own_page_and_those_with_the_token_are_answered() {
    let folder = tempfile::tempdir().unwrap();
    let paths = &models(folder.path())[..1];
    let options = Options {
        audience: Audience::Token("correct-horse".into()),
        names: vec!["cats.example".into()],
        ..Options::default()
    };
    let server = Server::start(paths, options);
    let bytes = picture(1);
    let post = |headers: &[(&str, &str)]| server.ask("POST", "/api/predict", headers, &bytes).status;
    let token = ("Authorization", "Bearer correct-horse");
    assert_eq!(post(&[token]), 200);
    assert_eq!(
        post(&[
            token,
            ("Host", "Cats.Example:8000"),
            ("Origin", "https://cats.example:8000")
        ]),
        200
    );
    for wrong in [
        "",
        "Bearer",
        "Bearer ",
        "Bearer correct-hors",
        "Bearer correct-horse!",
        "Basic correct-horse",
    ] {
        assert_eq!(post(&[("Authorization", wrong)]), 401, "{wrong}");
    }
    assert_eq!(post(&[token, ("Host", "evil.example")]), 403);
    assert_eq!(post(&[token, ("Origin", "http://evil.example")]), 403);
    assert_eq!(post(&[token, ("Sec-Fetch-Site", "cross-site")]), 403);
    assert_eq!(post(&[token, ("Host", "a b")]), 400);
    for (path, status) in [
        ("/metrics", 401),
        ("/api/models", 401),
        ("/healthz", 200),
        ("/readyz", 200),
        ("/", 200),
    ] {
        assert_eq!(server.get(path).status, status, "{path}");
    }
    assert_eq!(
        server.ask("GET", "/healthz", &[("Host", "pod.cluster")], b"").status,
        200
    );

    let page = server.get("/");
    let policy = page.header("content-security-policy").unwrap();
    assert!(
        policy.starts_with("default-src 'none'; script-src 'self'") && !policy.contains("unsafe"),
        "{policy}"
    );
    assert_eq!(page.header("x-content-type-options"), Some("nosniff"));
    assert_eq!(page.header("referrer-policy"), Some("no-referrer"));
    let again = server.ask("GET", "/", &[("If-None-Match", page.header("etag").unwrap())], b"");
    assert_eq!((again.status, again.body.len()), (304, 0));
    let names: BTreeSet<_> = page.head.lines().filter_map(|line| line.split(": ").next()).collect();
    assert!(names.contains("permissions-policy") && names.contains("cross-origin-opener-policy"));
}

#[test]
fn lessons_are_bounded_and_one_at_a_time() {
    let options = |teach| Options {
        teach,
        limits: Limits {
            lesson_pictures: 20,
            ..Limits::default()
        },
        ..Options::default()
    };
    let deaf = Server::start(&[], options(None));
    for path in ["/api/teach/lesson", "/api/teach/model"] {
        assert_eq!(deaf.get(path).status, 404);
    }
    let backbone = pelage_serve::teach::Backbone {
        architecture: pelage::Architecture::ResNet18,
        weights: None,
    };
    let server = Server::start(&[], options(Some(backbone)));
    assert_eq!(server.get("/api/teach/lesson").json()["state"], "none");
    assert_eq!(server.get("/api/teach/model").status, 404);
    assert_eq!(server.post("/api/teach/predict", &picture(1)).status, 404);

    let lesson = |classes: &[(&str, u32)]| {
        let mut body = Vec::new();
        for (at, (class, count)) in classes.iter().enumerate() {
            for i in 0..*count {
                let head = format!("Content-Disposition: form-data; name=\"{class}\"; filename=\"{i}.png\"");
                body.extend_from_slice(format!("--limit\r\n{head}\r\n\r\n").as_bytes());
                body.extend_from_slice(&picture(100 * at as u32 + i));
                body.extend_from_slice(b"\r\n");
            }
        }
        body.extend_from_slice(b"--limit--\r\n");
        server.ask(
            "POST",
            "/api/teach",
            &[("Content-Type", "multipart/form-data; boundary=limit")],
            &body,
        )
    };
    assert_eq!(lesson(&[("a", 8)]).status, 400);
    assert_eq!(lesson(&[("a", 8), ("b", 4)]).status, 400);
    assert_eq!(lesson(&[("", 8), ("b", 8)]).status, 400);
    assert_eq!(lesson(&[("a", 11), ("b", 10)]).status, 413);
    assert_eq!(
        server.post("/api/teach", &picture(1)).status,
        400,
        "a picture without a class"
    );
    assert_eq!(server.get("/api/teach/lesson").json()["state"], "none");

    let begun = lesson(&[("a", 8), ("b", 8)]);
    assert_eq!(
        (begun.status, &begun.json()["state"]),
        (200, &json!("learning")),
        "{begun:?}"
    );
    assert_eq!(lesson(&[("a", 8), ("b", 8)]).status, 503);
    let told = loop {
        let told = server.get("/api/teach/lesson").json();
        if told["state"] != "learning" {
            break told;
        }
        std::thread::sleep(std::time::Duration::from_millis(20));
    };
    assert_eq!(
        (&told["state"], &told["classes"]),
        (&json!("done"), &json!(["a", "b"])),
        "{told}"
    );
    let answer = server.post("/api/teach/predict", &picture(1)).json();
    assert_eq!(answer["predictions"][0]["classes"].as_array().unwrap().len(), 2);
    assert_eq!(server.post("/api/teach/predict", b"no picture").status, 422);
}
