//! Downloads from a server that drops connections, stalls, sends wrong content and returns errors.

use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::time::Duration;

use pelage::Error;
use pelage::model::weights::Layout;
use pelage::zoo::fetch::{self, Patience};
use pelage::zoo::published::{Source, Weights};
use server::{Habit, Server};
use sha2::{Digest, Sha256};

#[path = "support/server.rs"]
mod server;

const PATIENCE: Patience = Patience {
    attempts: 3,
    silence: Duration::from_millis(400),
    pause: Duration::from_millis(1),
};

/// Without repetition, so that a shifted or repeated piece is detected.
fn content() -> Vec<u8> {
    (0..200_000u32)
        .map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8)
        .collect()
}

fn weights(url: &str, content: &[u8]) -> Weights {
    let sum: String = Sha256::digest(content)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    Weights {
        layout: Layout::Torchvision,
        file: "tiny.pth".into(),
        source: Source::Url(format!("{url}/models/tiny.pth")),
        // The prefix that published file names contain.
        sha256: sum[..8].to_string().leak(),
        top1: 0.0,
        licence: "none",
    }
}

/// A folder to download to, and what is in it.
struct Target(tempfile::TempDir);

impl Target {
    fn new() -> Self {
        Target(tempfile::tempdir().unwrap())
    }

    /// With a partial download.
    fn with(part: &[u8]) -> Self {
        let target = Target::new();
        std::fs::write(target.part(), part).unwrap();
        target
    }

    fn file(&self) -> PathBuf {
        self.0.path().join("tiny.pth")
    }

    fn part(&self) -> PathBuf {
        self.0.path().join("tiny.pth.part")
    }

    fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.0.path()).unwrap();
        entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect()
    }

    fn fetch(&self, weights: &Weights) -> Result<(), String> {
        let told = |failure| match failure {
            Error::Weights { reason: message, .. } => message,
            other => panic!("{other}"),
        };
        fetch::fetch(weights, &self.file(), &PATIENCE, &mut |_, _| {}).map_err(told)
    }

    fn is_whole(&self) {
        assert!(std::fs::read(self.file()).unwrap() == content());
        assert_eq!(self.names(), ["tiny.pth"]);
    }
}

/// The `Range` of each request: none, or from this byte.
fn from(starts: &[Option<usize>]) -> Vec<Option<String>> {
    starts
        .iter()
        .map(|start| start.map(|start| format!("bytes={start}-")))
        .collect()
}

/// Downloads to the end with these habits, and returns the requested ranges.
fn asked(habits: &[Habit]) -> Vec<Option<String>> {
    let (server, target) = (Server::new(&content(), habits), Target::new());
    target.fetch(&weights(&server.url, &content())).unwrap();
    target.is_whole();
    server.ranges()
}

#[test]
fn a_good_server_is_asked_once() {
    let (server, target, content) = (Server::new(&content(), &[Habit::Good]), Target::new(), content());
    let (heard, total) = (Cell::new(0), content.len() as u64);
    let mut progress = |done, of| {
        assert!(done >= heard.get() && of == Some(total));
        heard.set(done);
    };
    fetch::fetch(
        &weights(&server.url, &content),
        &target.file(),
        &PATIENCE,
        &mut progress,
    )
    .unwrap();
    assert_eq!(heard.get(), total);
    target.is_whole();
    assert_eq!(server.ranges(), [None]);
    assert_eq!(asked(&[Habit::Chunked]), [None]);
    assert_eq!(asked(&[Habit::Redirect, Habit::Good]), [None, None]);
}

#[test]
fn a_dropped_connection_is_resumed() {
    for cut in [1, 65_536, 100_000, 199_999] {
        assert_eq!(asked(&[Habit::Drops(cut), Habit::Good]), from(&[None, Some(cut)]));
    }
    assert_eq!(asked(&[Habit::Drops(0), Habit::Good]), from(&[None, None]));
    // As many attempts as made progress.
    let starts: Vec<_> = (0..10).map(|i| (i > 0).then_some(i * 20_000)).collect();
    assert_eq!(asked(&[Habit::Drops(20_000)]), from(&starts));
    assert_eq!(
        asked(&[Habit::Drops(9), Habit::Redirect, Habit::Good]),
        from(&[None, Some(9), Some(9)])
    );
}

#[test]
fn a_stalled_connection_counts_as_dropped() {
    assert_eq!(
        asked(&[Habit::Stalls(50_000), Habit::Good]),
        from(&[None, Some(50_000)])
    );
    let (server, target) = (Server::new(&content(), &[Habit::Stalls(0)]), Target::new());
    let told = target.fetch(&weights(&server.url, &content())).unwrap_err();
    assert!(told.contains("timeout"), "{told}");
    assert_eq!(server.ranges().len(), 3);
}

#[test]
fn a_server_without_ranges_starts_over() {
    assert_eq!(asked(&[Habit::Drops(5), Habit::IgnoresRange]), from(&[None, Some(5)]));
    assert_eq!(
        asked(&[Habit::Drops(5), Habit::OtherRange, Habit::Good]),
        from(&[None, Some(5), None])
    );
    // A server that always breaks at the same place makes no progress.
    let (server, target) = (
        Server::new(&content(), &[Habit::IgnoresRangeAndDrops(100_000)]),
        Target::new(),
    );
    let told = target.fetch(&weights(&server.url, &content())).unwrap_err();
    assert!(told.contains("0.1 MB are kept"), "{told}");
    assert_eq!(server.ranges().len(), 3);
}

#[test]
fn a_later_call_resumes_where_an_earlier_one_gave_up() {
    let server = Server::new(
        &content(),
        &[Habit::Drops(70_000), Habit::Drops(0), Habit::Drops(0), Habit::Good],
    );
    let (target, weights) = (Target::new(), weights(&server.url, &content()));
    let told = target.fetch(&weights).unwrap_err();
    assert!(
        told.contains("tiny.pth could not be downloaded from http://") && told.contains("0.1 MB are kept"),
        "{told}"
    );
    assert_eq!(target.names(), ["tiny.pth.part"]);
    target.fetch(&weights).unwrap();
    target.is_whole();
    assert_eq!(server.ranges(), from(&[None, Some(70_000), Some(70_000), Some(70_000)]));
}

#[test]
fn a_partial_download_of_another_version_is_discarded() {
    let content = content();
    let with = |part: &[u8]| {
        let (server, target) = (Server::new(&content, &[Habit::Good]), Target::with(part));
        target.fetch(&weights(&server.url, &content)).unwrap();
        target.is_whole();
        server.ranges()
    };
    assert_eq!(with(&content[..30_000]), from(&[Some(30_000)]));
    assert_eq!(with(&[7; 30_000]), from(&[Some(30_000), None]));
    // Nothing left to send: the partial file is complete, or too long.
    assert_eq!(with(&content), from(&[Some(content.len())]));
    assert_eq!(with(&[7; 300_000]), from(&[Some(300_000), None]));
}

#[test]
fn a_wrong_checksum_leaves_nothing() {
    let mut changed = content();
    changed[123_456] ^= 1;
    for (habits, part, requests) in [
        (&[Habit::Good][..], 0, 1),
        (&[Habit::Drops(1000), Habit::Good], 0, 3),
        (&[Habit::Good], 500, 2),
    ] {
        let (server, target) = (Server::new(&changed, habits), Target::with(&changed[..part]));
        let weights = weights(&server.url, &content());
        let told = target.fetch(&weights).unwrap_err();
        assert!(
            told.contains("wrong checksum and was deleted") && told.contains(weights.sha256),
            "{told}"
        );
        assert!(told.contains("tiny.pth") && told.contains(&server.url), "{told}");
        assert!(target.names().is_empty());
        assert_eq!(server.ranges().len(), requests);
    }
}

#[test]
fn the_error_has_the_status_of_the_server() {
    for (code, requests) in [(404, 1), (403, 1), (503, 3), (429, 3)] {
        let (server, target) = (Server::new(&content(), &[Habit::Status(code)]), Target::new());
        let told = target.fetch(&weights(&server.url, &content())).unwrap_err();
        assert!(told.contains(&code.to_string()) && told.contains(&server.url), "{told}");
        assert!(target.names().is_empty());
        assert_eq!(server.ranges().len(), requests, "{code}");
    }
    assert_eq!(asked(&[Habit::Status(503), Habit::Good]), [None, None]);
}

#[test]
fn an_unreachable_server_is_reported() {
    let gone = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let target = Target::with(&content()[..100_000]);
    let told = target
        .fetch(&weights(&format!("http://{gone}"), &content()))
        .unwrap_err();
    assert!(
        told.contains("the server cannot be reached") && told.contains(&gone.to_string()),
        "{told}"
    );
    assert_eq!(target.names(), ["tiny.pth.part"]);
}

#[test]
fn packages_and_concurrent_downloads_are_rejected() {
    let mut inside = weights("http://unused", b"");
    inside.source = Source::Package("some-package".into());
    let target = Target::new();
    let told = target.fetch(&inside).unwrap_err();
    assert!(
        told.contains("tiny.pth") && told.contains("the Python package some-package"),
        "{told}"
    );
    assert!(target.names().is_empty());

    let (server, target) = (Server::new(&content(), &[Habit::Good]), Target::with(b""));
    let held = std::fs::File::options().append(true).open(target.part()).unwrap();
    held.lock().unwrap();
    let told = target.fetch(&weights(&server.url, &content())).unwrap_err();
    assert!(told.contains("another process"), "{told}");
    assert!(server.ranges().is_empty());

    let blocked = Path::new("/dev/null/tiny.pth");
    let failure = fetch::fetch(&weights(&server.url, &content()), blocked, &PATIENCE, &mut |_, _| {}).unwrap_err();
    assert!(matches!(failure, Error::Io { .. }), "{failure}");
}
