//! The pictures in a Parquet file.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::entry::{Entry, Found, Location};
use super::legible::legible_bytes;
use super::member_names::plain;
use super::parquet_file::{ParquetFile, Value};
use super::shard_names;
use super::shared_file::SharedFile;
use crate::{Error, Result};

/// Adds all rows of a Parquet file, each with its class. They are called as the file says, where it names all of them
/// differently, or else by their numbers, behind that of the file among its like.
pub(super) fn list(file: SharedFile, file_name: String, stem: &str, found: &mut Found) -> Result<()> {
    let file = Arc::new(ParquetFile::open(file, file_name)?);
    let damaged = |reason: String| {
        let reason = format!("not a readable Parquet file ({reason}); is the download complete?");
        Error::data(file.name(), reason)
    };
    let names = names(&file).map_err(damaged)?;
    let labels = labels(&file).map_err(damaged)?;
    let number = shard_names::number(stem);
    let separator = if number.is_empty() { "" } else { "-" };
    found.entries.reserve(file.len());
    for row in 0..file.len() {
        let name = match &names {
            Some(names) => names[row].clone(),
            None => format!("{number}{separator}{row:06}"),
        };
        let location = Location::Parquet {
            file: file.clone(),
            row,
        };
        let label = labels.as_ref().and_then(|labels| labels[row].clone());
        found.entries.push(Entry { name, location, label });
    }
    Ok(())
}

/// What the rows are called, where all of them are, and differently.
fn names(file: &ParquetFile) -> std::result::Result<Option<Vec<String>>, String> {
    let Some(column) = file.columns.path else {
        return Ok(None);
    };
    let mut names = Vec::with_capacity(file.len());
    file.each(column, &mut |value| {
        let name = match value {
            Some(Value::Bytes(name)) => plain(&legible_bytes(name).replace('\\', "/")),
            _ => None,
        };
        names.push(name.unwrap_or_default());
        Ok(())
    })?;
    let different: HashSet<&String> = names.iter().collect();
    Ok((different.len() == names.len() && !different.contains(&String::new())).then_some(names))
}

/// The classes of the rows, where there is a column of them.
fn labels(file: &ParquetFile) -> std::result::Result<Option<Vec<Option<Arc<str>>>>, String> {
    let Some(column) = file.columns.label else {
        return Ok(None);
    };
    let (mut labels, mut known) = (Vec::with_capacity(file.len()), HashMap::<Vec<u8>, Arc<str>>::new());
    file.each(column, &mut |value| {
        labels.push(match value {
            None => None,
            Some(Value::Number(number)) => file.columns.class(number)?,
            Some(Value::Bytes([])) => None,
            Some(Value::Bytes(name)) => match known.get(name) {
                Some(label) => Some(label.clone()),
                None => {
                    let label: Arc<str> = legible_bytes(name).into();
                    known.insert(name.to_vec(), label.clone());
                    Some(label)
                }
            },
        });
        Ok(())
    })?;
    Ok(Some(labels))
}
