//! What the server accepts, and how long it waits: every bound in one place.

use std::time::Duration;

use pelage::data::decode;

/// The bounds of a server.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Bytes of one picture.
    pub picture_bytes: usize,
    /// Bytes of a request.
    pub request_bytes: usize,
    /// Pictures of a request.
    pub pictures: usize,
    /// Pictures of a lesson.
    pub lesson_pictures: usize,
    /// What decoding one picture may cost.
    pub decode: decode::Limits,
    /// Bytes of all requests that are held at once.
    pub held_bytes: usize,
    /// Pictures that wait or are computed; more are refused.
    pub waiting: usize,
    /// Explanations and the like that wait.
    pub waiting_tasks: usize,
    /// How long a request may wait for its answer.
    pub answer: Duration,
    /// How long a client may take to send a request's head.
    pub head: Duration,
    /// How long it may take to send the body.
    pub body: Duration,
    /// How long it may leave what was sent to it unread.
    pub unread: Duration,
    /// Streams of events at once.
    pub streams: usize,
    /// Bytes of all corrections that are kept.
    pub collected_bytes: u64,
    /// Their number.
    pub collected_pictures: usize,
    /// Connections at once.
    pub connections: usize,
    /// How long requests are waited for when the server stops.
    pub drain: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Limits {
            picture_bytes: 20 << 20,
            request_bytes: 64 << 20,
            pictures: 64,
            lesson_pictures: 1000,
            decode: decode::Limits {
                max_pixels: 50_000_000,
                max_alloc_bytes: 640 << 20,
                damaged: decode::Damaged::current(),
            },
            held_bytes: 256 << 20,
            waiting: 256,
            waiting_tasks: 8,
            answer: seconds(30),
            head: seconds(10),
            body: seconds(30),
            unread: seconds(30),
            streams: 64,
            collected_bytes: 1 << 30,
            collected_pictures: 10_000,
            connections: 512,
            drain: seconds(10),
        }
    }
}
