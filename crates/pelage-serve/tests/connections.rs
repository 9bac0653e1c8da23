//! Clients that are slow, silent, too many, or gone; and the end of the server.

use std::io::{Read, Write};
use std::time::Duration;

use common::{Answer, Server, models, picture};
use pelage_serve::{Limits, Options};

mod common;

fn server(limits: Limits) -> (tempfile::TempDir, Server) {
    let folder = tempfile::tempdir().unwrap();
    let models = models(folder.path());
    let options = Options {
        limits,
        ..Options::default()
    };
    let server = Server::start(&models[..1], options);
    (folder, server)
}

#[test]
fn silent_clients_stop_neither_others_nor_the_end() {
    let (_folder, mut server) = server(Limits {
        connections: 16,
        // Longer than the test waits: only making room and the end close these.
        head: Duration::from_secs(600),
        drain: Duration::from_secs(600),
        ..Limits::default()
    });
    let mut silent: Vec<_> = (0..200).map(|_| server.connect()).collect();
    for stream in &mut silent {
        // Some are closed already.
        let _ = stream.write_all(b"GET / HTTP/1.1\r\nHost: local");
    }
    for _ in 0..20 {
        assert_eq!(server.post("/api/predict", &picture(1)).status, 200);
    }
    assert!(
        server
            .get("/metrics")
            .text()
            .contains("pelage_evicted_connections_total")
    );
    server.stop();
    server.wait();
}

#[test]
fn what_does_not_arrive_in_time_is_cut_off() {
    let (_folder, server) = server(Limits {
        head: Duration::from_millis(300),
        body: Duration::from_millis(300),
        ..Limits::default()
    });
    let mut half_a_head = server.connect();
    half_a_head.write_all(b"GET / HTTP/1.1\r\nHost: local").unwrap();
    let mut half_a_body = server.connect();
    let head = format!(
        "POST /api/predict HTTP/1.1\r\nHost: {}\r\nContent-Length: 100\r\n\r\nhalf",
        server.address
    );
    half_a_body.write_all(head.as_bytes()).unwrap();
    // An answer or none, but an end.
    assert_ne!(Answer::read(&mut half_a_head).status, 200);
    let slow = Answer::read(&mut half_a_body);
    assert_eq!(slow.status, 408, "{slow:?}");
    let mut gone = server.connect();
    gone.write_all(head.as_bytes()).unwrap();
    drop(gone);
    assert_eq!(server.post("/api/predict", &picture(1)).status, 200);
}

#[test]
fn a_head_without_end_is_refused() {
    let (_folder, server) = server(Limits::default());
    let long = "x".repeat(100_000);
    let refused = server.ask("GET", "/", &[("X-Long", &long)], b"");
    assert!([431, 0].contains(&refused.status), "{}", refused.status);
    assert_eq!(server.get("/healthz").status, 200);
}

#[test]
fn what_is_under_way_is_finished_and_nothing_new_is_begun() {
    let (_folder, mut server) = server(Limits::default());
    let mut under_way = server.connect();
    let bytes = picture(2);
    let head = format!(
        "POST /api/predict HTTP/1.1\r\nHost: {}\r\nContent-Length: {}\r\n\r\n",
        server.address,
        bytes.len()
    );
    under_way.write_all(head.as_bytes()).unwrap();
    // The server has seen the head once it counts what it holds; a request beside it shows that it runs.
    while !server.get("/metrics").text().contains("pelage_connections 2") {
        std::thread::sleep(Duration::from_millis(10));
    }
    std::thread::sleep(Duration::from_millis(200));
    server.stop();
    std::thread::sleep(Duration::from_millis(200));
    under_way.write_all(&bytes).unwrap();
    let answer = Answer::read(&mut under_way);
    assert_eq!(answer.status, 200, "{answer:?}");
    server.wait();
}

#[test]
fn the_end_does_not_wait_for_a_client_that_never_ends() {
    let (_folder, mut server) = server(Limits {
        body: Duration::from_secs(600),
        drain: Duration::from_millis(300),
        ..Limits::default()
    });
    let mut never = server.connect();
    let head = format!(
        "POST /api/predict HTTP/1.1\r\nHost: {}\r\nContent-Length: 9\r\n\r\nx",
        server.address
    );
    never.write_all(head.as_bytes()).unwrap();
    std::thread::sleep(Duration::from_millis(200));
    server.stop();
    server.wait();
}

#[test]
fn who_asks_nothing_more_makes_room_and_who_listens_does_not() {
    let folder = tempfile::tempdir().unwrap();
    let limits = Limits {
        connections: 8,
        head: Duration::from_secs(600),
        ..Limits::default()
    };
    let runs = pelage_serve::Runs::new(vec![folder.path().to_path_buf()]);
    let server = Server::start(
        &[],
        Options {
            limits,
            runs,
            ..Options::default()
        },
    );
    let ask = |path: &str| {
        let mut stream = server.connect();
        let head = format!("GET {path} HTTP/1.1\r\nHost: {}\r\n\r\n", server.address);
        stream.write_all(head.as_bytes()).unwrap();
        let mut first = [0; 12];
        stream.read_exact(&mut first).unwrap();
        assert_eq!(&first, b"HTTP/1.1 200");
        stream
    };
    let mut listening = ask("/api/runs/events");
    let kept: Vec<_> = (0..30).map(|_| ask("/healthz")).collect();
    let silent: Vec<_> = (0..30).map(|_| server.connect()).collect();
    for _ in 0..10 {
        assert_eq!(server.get("/healthz").status, 200);
    }
    // Nothing more comes, but not an end either.
    listening.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
    let mut rest = Vec::new();
    assert!(listening.read_to_end(&mut rest).is_err(), "the stream has ended");
    assert!(String::from_utf8_lossy(&rest).contains("data: []"), "{rest:?}");
    drop((kept, silent));
}
