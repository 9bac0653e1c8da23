//! A small HTTP server that misbehaves on demand.
#![allow(dead_code, reason = "each test file uses its part")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// The response to one request; the last habit applies to all further ones.
#[derive(Clone, Copy)]
pub(crate) enum Habit {
    /// The requested range, or everything.
    Good,
    /// This many bytes of that, then the connection closes.
    Drops(usize),
    /// This many bytes of that, then silence until the client leaves.
    Stalls(usize),
    /// Everything, whatever was requested.
    IgnoresRange,
    /// This many bytes of everything, then the connection closes.
    IgnoresRangeAndDrops(usize),
    /// Everything but the first byte, whatever was requested.
    OtherRange,
    /// Everything in chunks, without a length.
    Chunked,
    /// An error.
    Status(u16),
    /// Another address on the same server.
    Redirect,
}

/// A server that lives as long as the test process.
pub(crate) struct Server {
    /// Its address, without the path.
    pub(crate) url: String,
    ranges: Arc<Mutex<Vec<Option<String>>>>,
}

impl Server {
    pub(crate) fn new(file: &[u8], habits: &[Habit]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let ranges = Arc::new(Mutex::new(Vec::new()));
        let (file, habits, seen) = (file.to_vec(), habits.to_vec(), ranges.clone());
        std::thread::spawn(move || {
            for (i, connection) in listener.incoming().enumerate() {
                let (file, seen, habit) = (file.clone(), seen.clone(), habits[i.min(habits.len() - 1)]);
                // The client may leave at any time.
                std::thread::spawn(move || answer(connection?, &file, habit, &seen));
            }
        });
        Server { url, ranges }
    }

    /// The `Range` of each request so far.
    pub(crate) fn ranges(&self) -> Vec<Option<String>> {
        self.ranges.lock().unwrap().clone()
    }
}

fn answer(
    mut connection: TcpStream,
    file: &[u8],
    habit: Habit,
    seen: &Mutex<Vec<Option<String>>>,
) -> std::io::Result<()> {
    let mut range = None;
    for line in BufReader::new(connection.try_clone()?).lines() {
        let line = line?;
        if line.is_empty() {
            break;
        }
        if let Some((name, value)) = line.split_once(": ")
            && name.eq_ignore_ascii_case("range")
        {
            range = Some(value.to_string());
        }
    }
    seen.lock().unwrap().push(range.clone());
    let from: Option<usize> = range.and_then(|range| range.strip_prefix("bytes=")?.strip_suffix('-')?.parse().ok());
    let from = match habit {
        Habit::IgnoresRange | Habit::IgnoresRangeAndDrops(_) | Habit::Chunked => None,
        Habit::OtherRange => Some(1),
        _ => from,
    };
    let total = file.len();
    let head = match (habit, from) {
        (Habit::Status(code), _) => format!("{code} Whatever\r\nContent-Length: 0"),
        (Habit::Redirect, _) => "302 Found\r\nLocation: /elsewhere\r\nContent-Length: 0".into(),
        (Habit::Chunked, _) => "200 OK\r\nTransfer-Encoding: chunked".into(),
        (_, Some(from)) if from >= total => {
            format!("416 Range Not Satisfiable\r\nContent-Range: bytes */{total}\r\nContent-Length: 0")
        }
        (_, Some(from)) => {
            let (last, length) = (total - 1, total - from);
            format!("206 Partial Content\r\nContent-Range: bytes {from}-{last}/{total}\r\nContent-Length: {length}")
        }
        _ => format!("200 OK\r\nContent-Length: {total}"),
    };
    write!(connection, "HTTP/1.1 {head}\r\nConnection: close\r\n\r\n")?;
    let body = file.get(from.unwrap_or(0)..).unwrap_or_default();
    match habit {
        Habit::Status(_) | Habit::Redirect => {}
        Habit::Chunked => {
            for chunk in body.chunks(1000) {
                write!(connection, "{:x}\r\n", chunk.len())?;
                connection.write_all(chunk)?;
                write!(connection, "\r\n")?;
            }
            write!(connection, "0\r\n\r\n")?;
        }
        Habit::Drops(count) | Habit::IgnoresRangeAndDrops(count) => {
            connection.write_all(&body[..count.min(body.len())])?;
        }
        Habit::Stalls(count) => {
            connection.write_all(&body[..count.min(body.len())])?;
            connection.flush()?;
            // Ends when the client does.
            let _ = connection.read(&mut [0]);
        }
        _ => connection.write_all(body)?,
    }
    connection.shutdown(Shutdown::Write)
}
