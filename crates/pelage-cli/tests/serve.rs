//! `pelage serve` as its users meet it: what it refuses, that it says what `predict` says, and how it ends.

use std::io::Write;
use std::sync::atomic::{AtomicUsize, Ordering};

use common::{fail, stripes, succeed, trained};
use serde_json::Value;
use server::{Server, answer};

mod common;
#[path = "common/server.rs"]
mod server;

fn png(class: usize, seed: u64) -> Vec<u8> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    stripes(class, seed, 24)
        .write_to(&mut bytes, image::ImageFormat::Png)
        .unwrap();
    bytes.into_inner()
}

#[test]
fn it_listens_where_it_may_and_says_what_to_type() {
    let folder = tempfile::tempdir().unwrap();
    trained(folder.path(), 8, 8);
    let refused = fail(folder.path(), &["serve", "run", "--host", "0.0.0.0", "--port", "0"], 2);
    assert!(refused.contains("--token") && refused.contains("--public"), "{refused}");
    let weak = fail(folder.path(), &["serve", "run", "--port", "0", "--token", "short"], 2);
    assert!(weak.contains("--token") && !weak.contains("short"), "{weak}");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    assert!(fail(folder.path(), &["serve", "run", "--port", &port], 1).contains("--port"));
    assert!(fail(folder.path(), &["serve", "nothing", "--port", "0"], 1).contains("nothing"));
    fail(folder.path(), &["serve"], 2);
}

#[test]
fn it_says_what_predict_says_and_ends_when_it_is_told_to() {
    let folder = tempfile::tempdir().unwrap();
    trained(folder.path(), 8, 8);
    let mut server = Server::start(folder.path(), &["run"]);
    for picture in ["data/validation/level/1.png", "data/validation/upright/2.png"] {
        let (status, told) = server.post("/api/predict", &std::fs::read(folder.path().join(picture)).unwrap());
        let told: Value = serde_json::from_slice(&told).unwrap();
        let mut expected: Value =
            serde_json::from_str(&succeed(folder.path(), &["predict", "run", picture, "--json"])).unwrap();
        expected[0]["path"] = "picture".into();
        assert_eq!(
            (status, &told["predictions"], &told["model"]),
            (200, &expected, &"run".into())
        );
    }
    let port = server.address.split(':').nth(1).unwrap().to_string();
    assert_eq!(
        succeed(folder.path(), &["serve", "--check", "--port", &port]),
        "alive\n"
    );
    let nobody = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    fail(folder.path(), &["serve", "--check", "--port", &nobody.to_string()], 1);
    // Heads that never end hold it up neither for others nor at its end.
    let mut silent: Vec<_> = (0..300).map(|_| server.connect()).collect();
    silent
        .iter_mut()
        .for_each(|stream| stream.write_all(b"GET / HT").unwrap());
    assert_eq!(server.get("/readyz").0, 200);
    let killed = std::process::Command::new("kill")
        .arg(server.process.id().to_string())
        .status();
    if killed.is_ok_and(|status| status.success()) {
        assert_eq!(server.process.wait().unwrap().code(), Some(0));
    }
}

#[test]
fn it_ends_where_nobody_reads_what_it_says() {
    let folder = tempfile::tempdir().unwrap();
    trained(folder.path(), 8, 8);
    let mut process = common::pelage(folder.path())
        .args(["serve", "run", "--port", "0"])
        .stderr(std::process::Stdio::piped())
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let mut first = [0];
    let mut said = process.stderr.take().unwrap();
    std::io::Read::read_exact(&mut said, &mut first).unwrap();
    drop(said);
    // The handler of signals is there before the line that says where it serves.
    let killed = std::process::Command::new("kill")
        .arg(process.id().to_string())
        .status();
    if !killed.is_ok_and(|status| status.success()) {
        process.kill().unwrap();
    }
    for _ in 0..600 {
        if process.try_wait().unwrap().is_some() {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    process.kill().unwrap();
    panic!("it does not end");
}

#[test]
fn hostile_clients_among_others_harm_nobody() {
    soak(16, 20);
}

#[test]
fn ten_thousand_requests_of_which_one_in_twenty_is_hostile() {
    soak(64, 100);
}

/// Run by `.ci/extra`.
#[test]
#[ignore = "wants a thousand open files beside those of other tests"]
fn a_thousand_heads_that_never_end_hold_up_nobody() {
    let folder = tempfile::tempdir().unwrap();
    trained(folder.path(), 8, 8);
    let mut server = Server::start(folder.path(), &["run"]);
    let mut silent = Vec::new();
    for number in 0..1000 {
        let mut stream = server.connect();
        // One that had to give way to a later one may be gone.
        let _ = stream.write_all(b"POST /api/predict HT");
        silent.push(stream);
        if number % 50 == 0 {
            assert_eq!(server.post("/api/predict", &png(0, number)).0, 200);
        }
    }
    assert_eq!(server.get("/readyz").0, 200);
    let killed = std::process::Command::new("kill")
        .arg(server.process.id().to_string())
        .status();
    assert!(killed.unwrap().success());
    assert_eq!(server.process.wait().unwrap().code(), Some(0));
}

/// Four rounds of 40 requests of so many clients each; of `among` requests, five are hostile.
fn soak(clients: usize, among: usize) {
    const ROUNDS: usize = 4;
    const EACH: usize = 40;
    let folder = tempfile::tempdir().unwrap();
    trained(folder.path(), 8, 8);
    let model = pelage::Model::open(folder.path().join("run")).unwrap();
    let pictures: Vec<_> = (0..EACH).map(|i| png(i % 2, i as u64)).collect();
    let expected: Vec<Value> = pictures
        .iter()
        .map(|bytes| serde_json::to_string(&[model.predict_bytes("picture", bytes)]).unwrap())
        .map(|text| serde_json::from_str(&text).unwrap())
        .collect();
    // A few kilobytes, and 52 million pixels.
    let mut bomb = std::io::Cursor::new(Vec::new());
    image::GrayImage::new(7200, 7200)
        .write_to(&mut bomb, image::ImageFormat::Png)
        .unwrap();
    let bomb = bomb.into_inner();
    let server = Server::start(folder.path(), &["run"]);
    let (busy, mut memory) = (AtomicUsize::new(0), Vec::new());
    for _ in 0..ROUNDS {
        std::thread::scope(|scope| {
            for client in 0..clients {
                let (server, pictures, expected, bomb, busy) = (&server, &pictures, &expected, &bomb, &busy);
                scope.spawn(move || {
                    for i in 0..EACH {
                        let good = (client + i) % EACH;
                        match (i * clients + client) % among {
                            0 => assert_eq!(server.post("/api/predict", &pictures[good][..150]).0, 422),
                            1 => assert_eq!(server.post("/api/predict", bomb).0, 422),
                            2 => assert_eq!(server.post("/api/predict", b"GIF89a, but no more").0, 422),
                            3 => {
                                let head = format!("POST /api/predict HTTP/1.1\r\nHost: {}\r\n", server.address);
                                let mut gone = server.connect();
                                gone.write_all(format!("{head}Content-Length: 1000\r\n\r\nhalf").as_bytes())
                                    .unwrap();
                            }
                            4 => {
                                let mut nonsense = server.connect();
                                nonsense.write_all(b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n").unwrap();
                                assert_ne!(answer(&mut nonsense).0, 200);
                            }
                            _ => match server.post("/api/predict", &pictures[good]) {
                                (200, told) => {
                                    let told: Value = serde_json::from_slice(&told).unwrap();
                                    assert_eq!(told["predictions"], expected[good], "picture {good}");
                                }
                                (503, _) => drop(busy.fetch_add(1, Ordering::Relaxed)),
                                (status, told) => panic!("{status}: {}", String::from_utf8_lossy(&told)),
                            },
                        }
                    }
                });
            }
        });
        memory.push(server.memory());
    }
    assert_eq!(busy.into_inner(), 0, "the queue holds more than there are clients");
    let growth = memory[ROUNDS - 1].saturating_sub(memory[0]);
    assert!(growth < 64 << 10, "it grows: {memory:?} kB");
    let (_, counts) = server.get("/metrics");
    let counts = String::from_utf8(counts).unwrap();
    assert!(counts.contains("pelage_waiting_pictures 0"), "{counts}");
}
