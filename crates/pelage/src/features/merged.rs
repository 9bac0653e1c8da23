//! Parts of features put together.

use std::fs::File;
use std::io::{BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use pelage_data::atomic::Unfinished;
use pelage_data::growing::{self, Merged};
use pelage_data::output::{Format, Output};

use super::export::{NAMES, Written, into_folder};
use super::npy;
use crate::{Error, Result};

/// Puts the tables and arrays in the folders `parts` together, into the folder `out`: what one process would have
/// written. Nothing is kept in memory.
///
/// # Errors
/// As [`growing::merge`]; a part's array that is not the one its table was made with.
pub fn merge(parts: &[PathBuf], out: &Path) -> Result<Vec<Merged>> {
    into_folder(out, || into(parts, out))
}

fn into(parts: &[PathBuf], out: &Path) -> Result<Vec<Merged>> {
    let table = |folder: &Path, name: &str| folder.join(name).with_extension("csv");
    let is_there = |name: &&str| {
        let mut parts = parts.iter().map(|part| table(part, name));
        parts.any(|table| table.exists() || growing::part(&table).exists())
    };
    let mut sets = Vec::new();
    for name in NAMES.iter().copied().filter(is_there) {
        let tables: Vec<_> = parts.iter().map(|part| table(part, name)).collect();
        growing::order(&tables)?;
        sets.push((name, tables));
    }
    let written = Written::begin(out, sets.iter().map(|(name, _)| *name))?;
    // A table without its array would be taken for a whole set.
    for (name, tables) in &sets {
        join(&growing::order(tables)?, &out.join(name).with_extension("npy"))?;
    }
    let mut all = Vec::new();
    for (name, tables) in &sets {
        let output = Output::new(&table(out, name), Format::Table("path,class,label"), false)?;
        all.push(growing::merge(tables, &output)?);
    }
    match all.is_empty() {
        true => Err(Error::folder(&parts[0], "holds no features")),
        false => written.end().map(|()| all),
    }
}

/// Writes the arrays beside these tables, one behind the other, to `path`.
fn join(tables: &[(&Path, Option<String>)], path: &Path) -> Result<()> {
    let arrays: Vec<_> = tables
        .iter()
        .map(|(table, hash)| (table.with_extension("npy"), hash))
        .collect();
    let mut rows = 0;
    let mut shape = Vec::new();
    for (array, _) in &arrays {
        let of_part = shape_in(array)?;
        rows += of_part[0];
        shape = of_part;
    }
    shape[0] = rows;
    let mut file = BufWriter::new(Unfinished::new(path).map_err(Error::io(path))?);
    let header = npy::header(&shape).map_err(Error::io(path))?;
    file.write_all(&header).map_err(Error::io(path))?;
    for (array, hash) in &arrays {
        let mut from = BufReader::with_capacity(1 << 16, File::open(array).map_err(Error::io(array))?);
        let (mut hasher, mut piece, mut is_header) = (blake3::Hasher::new(), vec![0; 1 << 16], true);
        loop {
            let wanted = if is_header { npy::HEADER } else { piece.len() };
            let count = from.read(&mut piece[..wanted]).map_err(Error::io(array))?;
            if count == 0 {
                break;
            }
            hasher.update(&piece[..count]);
            if !std::mem::take(&mut is_header) {
                file.write_all(&piece[..count]).map_err(Error::io(path))?;
            }
        }
        if hash.as_deref() != Some(hasher.finalize().to_hex().as_str()) {
            return Err(Error::folder(array, "changed since it was made; make this part again"));
        }
    }
    let file = file
        .into_inner()
        .map_err(|failure| Error::io(path)(failure.into_error()))?;
    file.sync_and_finish().map_err(Error::io(path))
}

/// The shape that an array's header tells.
fn shape_in(path: &Path) -> Result<Vec<usize>> {
    let mut header = vec![0; npy::HEADER];
    let read = File::open(path).and_then(|mut file| file.read_exact(&mut header));
    read.map_err(Error::io(path))?;
    let text = String::from_utf8_lossy(&header);
    let shape = text
        .split_once("'shape': (")
        .and_then(|(_, rest)| rest.split_once(')'))
        .map(|(shape, _)| shape.split(',').map(str::trim).filter(|length| !length.is_empty()));
    let shape = shape.and_then(|lengths| {
        lengths
            .map(|length| length.parse().ok())
            .collect::<Option<Vec<usize>>>()
    });
    let of_features = shape.filter(|shape| shape.len() > 1);
    of_features.ok_or_else(|| Error::folder(path, "is no array of features"))
}
