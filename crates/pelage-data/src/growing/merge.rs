//! Parts of a table put together.

use std::collections::HashSet;
use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};

use crate::shown;
use serde::Serialize;

use super::paths::{of_table, part};
use super::record::Record;
use crate::output::Output;
use crate::shard::Shard;
use crate::{Error, Result};

/// What was put together.
#[derive(Clone, Debug, Serialize)]
pub struct Merged {
    /// The table.
    pub file: PathBuf,
    /// How many parts it has.
    pub parts: usize,
    /// How many files have a row in it.
    pub files: usize,
}

/// Writes the table whose parts these are to `out`: what one process would have written. Nothing is kept in memory.
///
/// # Errors
/// A part that is missing, there twice, unfinished, changed, or of another origin than the first; [`Error::Io`].
pub fn merge(parts: &[PathBuf], out: &Output) -> Result<Merged> {
    let known = known(parts)?;
    out.write_by(&mut |to| {
        for (part, record) in &known {
            copy(part, record, out.path(), to)?;
        }
        Ok(())
    })?;
    Ok(Merged {
        file: out.path().into(),
        parts: known.len(),
        files: known[0].1.origin.files,
    })
}

/// The parts of a table in their order, each with the hash of a file that belongs to it, if there is one.
///
/// # Errors
/// As [`merge`], but for a part that was changed.
pub fn order(parts: &[PathBuf]) -> Result<Vec<(&Path, Option<String>)>> {
    let known = known(parts)?.into_iter();
    Ok(known.map(|(path, record)| (path, record.beside)).collect())
}

/// The parts in their order, at least one, each with its record.
fn known(parts: &[PathBuf]) -> Result<Vec<(&Path, Record)>> {
    let mut known: Vec<(&Path, Record)> = Vec::new();
    for path in parts {
        let record = read(path)?;
        if let Some((first, other)) = known.first()
            && let Some(reason) = record.origin.difference_beside_shard(&other.origin)
        {
            let reason = format!("{reason}, as {} is", shown::path(first));
            return Err(Error::OtherPart {
                path: path.clone(),
                reason,
            });
        }
        known.push((path.as_path(), record));
    }
    known.sort_by_key(|(_, record)| record.origin.shard.number);
    let Some((_, first)) = known.first() else {
        return Err(Error::Setting {
            name: "parts",
            value: "empty".into(),
            allowed: "at least one table".into(),
        });
    };
    check(&known, first.origin.shard.count)?;
    Ok(known)
}

/// The record of a part, which must be whole.
fn read(path: &Path) -> Result<Record> {
    let found = Record::read(&of_table(path))?.filter(Record::is_whole);
    found.ok_or_else(|| {
        let reason = match (part(path).exists(), path.exists()) {
            (true, _) => "it is unfinished; go on with it first".to_string(),
            (false, false) => "there is no such part".to_string(),
            (false, true) => {
                let record = of_table(path);
                let name = record.file_name().unwrap_or_default().display().to_string();
                format!("no part of a table: there is no record {name} beside it")
            }
        };
        Error::data(path, reason)
    })
}

/// Refuses holes and what is there twice.
fn check(known: &[(&Path, Record)], count: usize) -> Result<()> {
    let shard = |record: &Record| record.origin.shard;
    if let Some((part, record)) = known.iter().find(|(_, record)| shard(record).count != count) {
        let reason = format!("it is part {}, and others are of {count} parts", shard(record));
        return Err(Error::data(*part, reason));
    }
    if let Some([(a, record), (b, _)]) = known.array_windows().find(|[a, b]| shard(&a.1) == shard(&b.1)) {
        let reason = format!("it is part {}, and so is {}", shard(record), shown::path(a));
        return Err(Error::data(*b, reason));
    }
    let numbers = known.iter().map(|(_, record)| shard(record).number);
    let there: HashSet<usize> = numbers.filter(|number| (1..=count).contains(number)).collect();
    let first: Vec<_> = (1..=count)
        .filter(|number| !there.contains(number))
        .take(10)
        .map(|number| Shard { number, count }.to_string())
        .collect();
    match first.is_empty() {
        true => Ok(()),
        false => {
            let more = match count - there.len() - first.len() {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            Err(Error::Holes {
                missing: first.join(", ") + &more,
            })
        }
    }
}

/// Copies a part's rows to the table at `out`, with the heading if it is the first; its bytes must be those of its
/// record.
fn copy(part: &Path, record: &Record, out: &Path, to: &mut dyn Write) -> Result<()> {
    let io = |failure| Error::io(part)(failure);
    let mut reader = BufReader::with_capacity(1 << 16, File::open(part).map_err(io)?);
    let (mut hasher, mut bytes) = (blake3::Hasher::new(), 0);
    let mut heading = Vec::new();
    // No name of a class has a line feed in it, unless quoted; then quotes are open at the end of the line.
    while reader.read_until(b'\n', &mut heading).map_err(io)? > 0 {
        if heading.iter().filter(|&&byte| byte == b'"').count() % 2 == 0 {
            break;
        }
    }
    hasher.update(&heading);
    bytes += heading.len() as u64;
    if record.origin.shard.number == 1 {
        to.write_all(&heading).map_err(Error::io(out))?;
    }
    loop {
        let piece = reader.fill_buf().map_err(io)?;
        if piece.is_empty() {
            break;
        }
        hasher.update(piece);
        to.write_all(piece).map_err(Error::io(out))?;
        let length = piece.len();
        bytes += length as u64;
        reader.consume(length);
    }
    let content = hasher.finalize().to_hex().to_string();
    match (Some(bytes), Some(content)) == (record.bytes, record.content.clone()) {
        true => Ok(()),
        false => Err(Error::data(part, "changed since it was made; make this part again")),
    }
}
