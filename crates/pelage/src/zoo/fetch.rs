//! Downloads a published file of weights: resumes after an interruption, and trusts only its published SHA-256.
//!
//! A partial download is kept beside the file as `<file>.part`. A later attempt requests the rest (`Range`, RFC 9110
//! section 14); whether it belongs to the same file need not be known, since the checksum covers everything.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use pelage_data::shown;
use sha2::{Digest, Sha256};
use ureq::http::{HeaderMap, StatusCode, header};
use ureq::{Agent, Timeout};

use super::published::{Source, Weights};
use crate::{Error, Result, atomic};

/// How long to wait for a server.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// Consecutive attempts without progress before giving up.
    pub attempts: u32,
    /// The longest silence within one attempt.
    pub silence: Duration,
    /// The delay before the second attempt, doubled for each further one.
    pub pause: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Patience {
            attempts: 5,
            silence: Duration::from_secs(30),
            pause: Duration::from_secs(1),
        }
    }
}

/// Downloads `weights` to the file `to`; `progress` gets the number of bytes here and, if known, in total. The content
/// is not parsed.
///
/// # Errors
/// [`Error::Weights`] for weights that cannot be downloaded as a file, a server that cannot be reached, refuses or
/// falls silent (the partial download stays, and the next call resumes it), and a wrong checksum (nothing stays).
/// [`Error::Io`] if the file cannot be written.
pub fn fetch(
    weights: &Weights,
    to: &Path,
    patience: &Patience,
    progress: &mut dyn FnMut(u64, Option<u64>),
) -> Result<()> {
    let file = &weights.file;
    let Source::Url(url) = &weights.source else {
        return Err(Error::weights(format!(
            "{file} cannot be downloaded by itself, it is part of {}",
            weights.source
        )));
    };
    let mut part = Part::open(to)?;
    let mut found = String::new();
    // If it was pieced together, it may be from two versions of the file: worth a second download.
    for is_last in [false, true] {
        let outcome = download(url, &mut part, patience, progress);
        let in_one_go = outcome.map_err(|trouble| part.give_up(file, url, trouble))?;
        found = part.sha256()?;
        if found.starts_with(weights.sha256) {
            return Ok(atomic::rename(&part.path, to)?);
        }
        part.cut(0)?;
        if in_one_go || is_last {
            break;
        }
    }
    part.remove()?;
    Err(Error::weights(format!(
        "{file} from {url} had a wrong checksum and was deleted: its SHA-256 is {found}, the published one \
         begins with {}. Try again; if it happens again, something on the way alters your downloads",
        weights.sha256
    )))
}

/// The SHA-256 of the whole input, hexadecimal.
pub(super) fn sha256(mut file: impl Read) -> std::io::Result<String> {
    let (mut hash, mut bytes) = (Sha256::new(), vec![0; 1 << 20]);
    loop {
        match file.read(&mut bytes)? {
            0 => return Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()),
            count => hash.update(&bytes[..count]),
        }
    }
}

/// Why an attempt ended early.
enum Trouble {
    /// The connection broke or the server is busy: another attempt may help.
    Passing(String),
    /// The server cannot be reached, or this machine has no network.
    Unreachable(String),
    /// The server refuses the file.
    Refused(String),
    /// Local I/O.
    Local(Error),
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        Trouble::Local(error)
    }
}

impl From<ureq::Error> for Trouble {
    fn from(error: ureq::Error) -> Self {
        use std::io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, TimedOut, UnexpectedEof};
        match error {
            ureq::Error::Io(io) => {
                // Failed name resolution has no error kind of its own.
                let broke = [BrokenPipe, ConnectionAborted, ConnectionReset, TimedOut, UnexpectedEof];
                let trouble = if broke.contains(&io.kind()) {
                    Trouble::Passing
                } else {
                    Trouble::Unreachable
                };
                trouble(io.to_string())
            }
            ureq::Error::HostNotFound
            | ureq::Error::ConnectionFailed
            | ureq::Error::ConnectProxyFailed(_)
            | ureq::Error::Timeout(Timeout::Resolve | Timeout::Connect) => Trouble::Unreachable(error.to_string()),
            ureq::Error::Timeout(_) | ureq::Error::Protocol(_) => Trouble::Passing(error.to_string()),
            _ => Trouble::Refused(error.to_string()),
        }
    }
}

/// A partial download, locked while it is open.
struct Part {
    path: PathBuf,
    file: File,
}

impl Part {
    fn open(to: &Path) -> Result<Self> {
        let mut path = to.as_os_str().to_owned();
        path.push(".part");
        let path = PathBuf::from(path);
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(Error::io(folder))?;
        }
        let file = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path);
        let file = file.map_err(Error::io(&path))?;
        // Without locks in the file system, two downloads at once end with a wrong checksum. A file that vanished
        // before it was locked was completed by another process.
        let is_taken = matches!(file.try_lock(), Err(std::fs::TryLockError::WouldBlock)) || !path.exists();
        match is_taken {
            true => Err(Error::weights(format!(
                "{}: another process is downloading this file",
                shown::path(&path)
            ))),
            false => Ok(Part { path, file }),
        }
    }

    fn length(&self) -> Result<u64> {
        Ok(self.file.metadata().map_err(Error::io(&self.path))?.len())
    }

    /// Truncates to `length`; the next bytes are written there.
    fn cut(&mut self, length: u64) -> Result<()> {
        let cut = self
            .file
            .set_len(length)
            .and_then(|()| self.file.seek(SeekFrom::Start(length)));
        cut.map(drop).map_err(Error::io(&self.path))
    }

    fn sha256(&mut self) -> Result<String> {
        let whole = self.file.rewind().and_then(|()| sha256(&self.file));
        whole.map_err(Error::io(&self.path))
    }

    fn remove(&self) -> Result<()> {
        std::fs::remove_file(&self.path).map_err(Error::io(&self.path))
    }

    /// The error that ends a download; a partial download stays, an empty file does not.
    fn give_up(&self, file: &str, url: &str, trouble: Trouble) -> Error {
        let reason = match trouble {
            Trouble::Local(error) => return error,
            Trouble::Unreachable(reason) => format!("the server cannot be reached ({reason})"),
            Trouble::Passing(reason) | Trouble::Refused(reason) => reason,
        };
        let rest = match self.length().unwrap_or(0) {
            0 => self
                .remove()
                .map_or_else(|failure| format!("; {failure}"), |()| String::new()),
            bytes => format!(
                "; {:.1} MB are kept, and another attempt resumes from there",
                bytes as f64 / 1e6
            ),
        };
        Error::weights(format!("{file} could not be downloaded from {url}: {reason}{rest}"))
    }
}

/// Downloads what `part` lacks, and returns whether one response brought all of it.
fn download(
    url: &str,
    part: &mut Part,
    patience: &Patience,
    progress: &mut dyn FnMut(u64, Option<u64>),
) -> std::result::Result<bool, Trouble> {
    let config = Agent::config_builder()
        .user_agent(concat!("pelage/", env!("CARGO_PKG_VERSION")))
        // The bytes of the file itself, which a range counts.
        .accept_encoding("identity")
        .http_status_as_error(false)
        .timeout_resolve(Some(patience.silence))
        .timeout_connect(Some(patience.silence))
        .timeout_per_read(Some(patience.silence))
        .timeout_per_write(Some(patience.silence))
        .build();
    let agent = Agent::new_with_config(config);
    let (mut failures, mut furthest, mut was_reached) = (0, part.length()?, false);
    loop {
        let trouble = match attempt(&agent, url, part, progress) {
            Ok(start) => return Ok(start == 0),
            Err(trouble) => trouble,
        };
        let length = part.length()?;
        was_reached |= length > furthest || matches!(trouble, Trouble::Passing(_));
        failures = if length > furthest { 1 } else { failures + 1 };
        furthest = furthest.max(length);
        // A server that just answered may come back.
        let may_pass = was_reached && matches!(trouble, Trouble::Passing(_) | Trouble::Unreachable(_));
        if !may_pass || failures >= patience.attempts {
            return Err(trouble);
        }
        std::thread::sleep(patience.pause * 2u32.saturating_pow(failures - 1));
    }
}

/// Makes one request for what `part` lacks and appends the response; returns its offset in the file.
fn attempt(
    agent: &Agent,
    url: &str,
    part: &mut Part,
    progress: &mut dyn FnMut(u64, Option<u64>),
) -> std::result::Result<u64, Trouble> {
    let have = part.length()?;
    let mut request = agent.get(url);
    if have > 0 {
        request = request.header(header::RANGE, format!("bytes={have}-"));
    }
    let response = request.call()?;
    let (start, total) = match response.status() {
        // A server without range support sends everything.
        StatusCode::OK => (0, response.body().content_length()),
        StatusCode::PARTIAL_CONTENT => match content_range(response.headers()) {
            Some((start, total)) if start == have => (start, total),
            _ => {
                part.cut(0)?;
                return Err(Trouble::Passing("the server sent another range than requested".into()));
            }
        },
        // Nothing is missing: the file is complete, or another file; the checksum will tell.
        StatusCode::RANGE_NOT_SATISFIABLE if have > 0 => return Ok(have),
        status @ (StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS) => {
            return Err(Trouble::Passing(format!("the server answered {status}")));
        }
        status if status.is_server_error() => return Err(Trouble::Passing(format!("the server answered {status}"))),
        status => return Err(Trouble::Refused(format!("the server answered {status}"))),
    };
    part.cut(start)?;
    let (mut body, mut bytes, mut done) = (response.into_body().into_reader(), vec![0; 1 << 16], start);
    loop {
        progress(done, total);
        let count = body.read(&mut bytes).map_err(ureq::Error::from)?;
        if count == 0 {
            break;
        }
        part.file.write_all(&bytes[..count]).map_err(Error::io(&part.path))?;
        done += count as u64;
    }
    match total {
        Some(total) if done != total => Err(Trouble::Passing(format!("received {done} of {total} bytes"))),
        _ => Ok(start),
    }
}

/// The first byte of a partial response, and the total length if it is given: `bytes 5-9/10`.
fn content_range(headers: &HeaderMap) -> Option<(u64, Option<u64>)> {
    let (range, total) = headers
        .get(header::CONTENT_RANGE)?
        .to_str()
        .ok()?
        .strip_prefix("bytes ")?
        .split_once('/')?;
    Some((range.split_once('-')?.0.trim().parse().ok()?, total.trim().parse().ok()))
}
