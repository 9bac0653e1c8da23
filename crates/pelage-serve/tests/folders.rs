//! Folders that are watched, and the one that is written to.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;

use common::{Server, models, picture};
use pelage::runs::history;
use pelage::search::pruner::Pruner;
use pelage::search::sampler::Sampler;
use pelage::search::study::Metric;
use pelage::search::{Search, Settings, Space};
use pelage::train::history::HistoryRow;
use pelage::{Config, Control, Recipe};
use pelage_serve::{Limits, Options, Runs};
use serde_json::{Value, json};

mod common;

fn row(epoch: usize) -> HistoryRow {
    HistoryRow {
        epoch,
        step: 10 * epoch as u64,
        learning_rate: 0.01,
        train_loss: 0.6,
        train_accuracy: 0.7,
        validation_loss: if epoch == 2 { 0.4 } else { 0.5 },
        validation_accuracy: 0.8,
        seconds: 100.0,
        images_per_second: 50.0,
    }
}

/// A run as training leaves it after so many epochs.
fn run(folder: &Path, epochs: usize, log: &str) {
    fs::create_dir_all(folder).unwrap();
    fs::write(folder.join("config.toml"), Config::new("pictures").to_toml().unwrap()).unwrap();
    fs::write(folder.join("log.txt"), log).unwrap();
    let rows: Vec<_> = (1..=epochs).map(row).collect();
    history::write_csv(&folder.join("history.csv"), &rows).unwrap();
}

#[test]
fn runs_are_told_as_they_change_and_a_stream_ends_with_the_server() {
    let folder = tempfile::tempdir().unwrap();
    let runs = folder.path().join("runs");
    run(&runs.join("done"), 3, "t  ended: Finished, best epoch Some(2)\n");
    run(&runs.join("going"), 1, "t  epoch 2/50 begins, 9 batches\n");
    fs::create_dir(runs.join("other")).unwrap();
    let confused = "class,called cat,called dog\nis cat,3,1\nis dog,0,4\n";
    fs::write(runs.join("going/confusion.csv"), confused).unwrap();
    let mut server = Server::start(
        &[],
        Options {
            runs: Runs::new(vec![runs.clone()]),
            ..Options::default()
        },
    );
    let told = server.get("/api/runs").json();
    let facts = |run: &Value| {
        json!([
            run["name"],
            run["state"],
            run["best_epoch"],
            run["history"].as_array().unwrap().len()
        ])
    };
    assert_eq!(
        (told.as_array().unwrap().len(), facts(&told[0])),
        (2, json!(["done", "finished", 2, 3]))
    );
    assert_eq!(facts(&told[1]), json!(["going", "running", 1, 1]));
    let left = told[1]["seconds_left"].as_f64().unwrap();
    assert!((48.0 * 100.0..=49.0 * 100.0).contains(&left), "{left}");
    assert_eq!(told[0]["seconds_left"], Value::Null);
    assert_eq!(
        (&told[0]["confusion"], &told[1]["confusion"]),
        (
            &Value::Null,
            &json!({ "classes": ["cat", "dog"], "counts": [[3, 1], [0, 4]] })
        )
    );

    let mut stream = server.connect();
    let ask = format!("GET /api/runs/events HTTP/1.1\r\nHost: {}\r\n\r\n", server.address);
    stream.write_all(ask.as_bytes()).unwrap();
    let mut lines = BufReader::new(stream.try_clone().unwrap())
        .lines()
        .map_while(Result::ok);
    let mut event = move || -> Value {
        let line = lines.find(|line| line.starts_with("data: ")).expect("an event");
        serde_json::from_str(&line[6..]).unwrap()
    };
    assert_eq!(event(), told);
    run(&runs.join("going"), 2, "t  epoch 3/50 begins, 9 batches\n");
    // Several files are written: one event or two.
    let mut changed = event();
    while changed[0]["history"].as_array().unwrap().len() < 2 {
        changed = event();
    }
    assert_eq!(changed.as_array().unwrap().len(), 1, "only what has changed");
    assert_eq!(facts(&changed[0]), json!(["going", "running", 2, 2]));

    assert_eq!(server.get("/api/runs/report?run=done").status, 404);
    fs::write(folder.path().join("report.html"), "secret").unwrap();
    assert_eq!(server.get("/api/runs/report?run=..").status, 404);
    fs::write(runs.join("done/report.html"), "<p>fine").unwrap();
    let report = server.get("/api/runs/report?run=done");
    assert_eq!((report.status, report.text()), (200, "<p>fine"));
    assert!(report.header("content-security-policy").unwrap().starts_with("sandbox"));
    // Without a model the rest still answers.
    assert_eq!(server.post("/api/predict", &picture(1)).status, 404);

    server.stop();
    server.wait();
    let mut rest = Vec::new();
    let _ = stream.read_to_end(&mut rest);
}

#[test]
fn corrections_are_kept_once_and_within_bounds() {
    let folder = tempfile::tempdir().unwrap();
    let kept = folder.path().join("kept");
    let start = || {
        let limits = Limits {
            collected_pictures: 2,
            ..Limits::default()
        };
        let collect = Some(kept.clone());
        Server::start(
            &models(folder.path())[..1],
            Options {
                limits,
                collect,
                ..Options::default()
            },
        )
    };
    let server = start();
    let count = |class: &str| fs::read_dir(kept.join(class)).map_or(0, Iterator::count);
    let post =
        |server: &Server, class: &str, bytes: &[u8]| server.post(&format!("/api/feedback?class={class}"), bytes).status;
    assert_eq!(post(&server, "level", &picture(1)), 200);
    assert_eq!(post(&server, "upright", &picture(1)), 200);
    assert_eq!((count("level"), count("upright")), (0, 1), "the last word counts");
    assert_eq!(post(&server, "bird", &picture(2)), 400);
    assert_eq!(post(&server, "..%2Fbird", &picture(2)), 400);
    assert_eq!(post(&server, "level", b"no picture"), 422);
    assert_eq!(post(&server, "neither", &picture(2)), 200);
    assert_eq!(post(&server, "level", &picture(3)), 507);
    assert_eq!(
        post(&server, "level", &picture(2)),
        200,
        "what is there can still be corrected"
    );
    // Counted again after a start.
    drop(server);
    let server = start();
    assert_eq!(post(&server, "level", &picture(3)), 507);
    drop(server);
    let all: Vec<_> = ["level", "upright", "neither"].map(count).to_vec();
    assert_eq!(all, [1, 1, 0]);
    let one = fs::read_dir(kept.join("level"))
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .path();
    assert_eq!(fs::read(one).unwrap(), picture(2), "byte for byte");

    let server = Server::start(&models(folder.path())[..1], Options::default());
    assert_eq!(post(&server, "level", &picture(1)), 404, "unless it is asked for");
}

/// A search of tiny trials in `folder`, gone on with up to `trials` of them.
fn searched(folder: &Path, trials: usize) {
    let at = folder.join("searches/tiny");
    if !Search::is_in(&at) {
        for part in ["train", "validation"] {
            for (class, name) in ["level", "upright"].iter().enumerate() {
                fs::create_dir_all(folder.join("data").join(part).join(name)).unwrap();
                for i in 0..4 {
                    let number = (10 * class + i + if part == "train" { 0 } else { 100 }) as u32;
                    let file = format!("data/{part}/{name}/{i}.png");
                    fs::write(folder.join(file), picture(number)).unwrap();
                }
            }
        }
        let mut base = Config::new(folder.join("data"));
        base.compute.cache = pelage::data::cache::CacheMode::Ram;
        base.recipe = Recipe {
            image_size: 16,
            epochs: 2,
            batch_size: 4,
            augmentation: Default::default(),
            ..Recipe::default()
        };
        let text = "[learning_rate]\nlow = 0.001\nhigh = 0.1\nlog = true\n[momentum]\nlow = 0.1\nhigh = 0.9\n";
        let space = Space::read(text, &base.recipe).unwrap();
        let settings = Settings {
            sampler: Sampler::Random,
            pruner: Pruner::None,
            metric: Metric::ValidationLoss,
            trials: Some(trials),
            seed: 0,
        };
        Search::create(&at, base, space, settings).unwrap();
    }
    let search = Search::open(&at, Some(trials)).unwrap();
    search.work(1, None, &|_| {}, &mut |_| Control::Continue).unwrap();
}

#[test]
fn searches_are_told_and_drawn_as_they_go_on_and_nothing_is_written() {
    let folder = tempfile::tempdir().unwrap();
    searched(folder.path(), 3);
    let searches = folder.path().join("searches");
    fs::create_dir(searches.join("other")).unwrap();
    let names = |folder: &Path| {
        let mut names: Vec<_> = fs::read_dir(folder)
            .unwrap()
            .map(|one| one.unwrap().file_name())
            .collect();
        names.sort();
        names
    };
    let before = names(&searches.join("tiny"));
    let runs = Runs::new(vec![searches.clone()]);
    let server = Server::start(
        &[],
        Options {
            runs,
            ..Options::default()
        },
    );
    let offered = server.get("/api/models").json();
    assert_eq!((&offered["runs"], &offered["searches"]), (&false.into(), &true.into()));
    let told = server.get("/api/searches").json();
    assert_eq!(told.as_array().unwrap().len(), 1);
    let facts = |search: &Value| {
        json!([
            search["name"],
            search["state"],
            search["most"],
            search["trials"]["complete"]
        ])
    };
    assert_eq!(facts(&told[0]), json!(["tiny", "finished", 3, 3]));
    assert!(told[0]["best"]["value"].as_f64().unwrap() > 0.0, "{told}");
    assert_eq!(told[0]["metric"], "validation-loss");

    let mut stream = server.connect();
    let ask = format!("GET /api/searches/events HTTP/1.1\r\nHost: {}\r\n\r\n", server.address);
    stream.write_all(ask.as_bytes()).unwrap();
    let mut lines = BufReader::new(stream).lines().map_while(Result::ok);
    let mut event = move || -> Value {
        let line = lines.find(|line| line.starts_with("data: ")).expect("an event");
        serde_json::from_str(&line[6..]).unwrap()
    };
    assert_eq!(event(), told);
    let lines_of = |part: &str| {
        let parallel = part
            .split("class=\"parallel\"")
            .nth(1)
            .and_then(|rest| rest.split("</svg>").next());
        parallel.unwrap_or_default().matches("<polyline").count()
    };
    let part = server.get("/api/searches/part?search=tiny");
    assert_eq!((part.status, lines_of(part.text())), (200, 3));
    for inside in ["Best so far", "Parallel coordinates", "Slices", "learning_rate"] {
        assert!(part.text().contains(inside), "{inside}");
    }
    // The page's policy would not let it.
    assert!(!part.text().contains("style=") && !part.text().contains("<script"));
    assert_eq!(names(&searches.join("tiny")), before);

    searched(folder.path(), 12);
    let mut changed = event();
    while facts(&changed[0]) != json!(["tiny", "finished", 12, 12]) {
        changed = event();
    }
    let part = server.get("/api/searches/part?search=tiny");
    assert_eq!(lines_of(part.text()), 12);
    assert!(!part.text().contains("style="));
    assert_eq!(server.get("/api/searches/part?search=..").status, 404);
    assert_eq!(server.get("/api/searches/part?search=other").status, 404);
    // A record that is damaged is a search that cannot be told of, and no more.
    let record = searches.join("tiny/journal.log");
    fs::write(&record, fs::read_to_string(&record).unwrap() + "no record\n").unwrap();
    let mut told = server.get("/api/searches/part?search=tiny");
    for _ in 0..200 {
        if told.status == 404 {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
        told = server.get("/api/searches/part?search=tiny");
    }
    assert_eq!((told.status, server.get("/api/searches").json()), (404, json!([])));
}
