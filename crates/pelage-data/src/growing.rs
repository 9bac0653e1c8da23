//! A table that is written row by row, over hours or days: what is there is never lost, and a killed process's part is
//! gone on with. It grows under a name of its own, `FILE.part`, and gets its name when it is whole.

mod merge;
mod paths;
mod record;

use std::fs::{File, TryLockError};
use std::io::{BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use crate::shard::Shard;
use crate::{Error, Result, atomic, lock};

pub use merge::{Merged, merge, order};
pub use paths::part;
use paths::{of_part, of_table};
pub use record::Origin;
use record::Record;

/// What is done about an unfinished table of the same name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Earlier {
    /// It is gone on with, if there is one; a finished one is left as it is.
    Continued,
    /// It is told.
    Refused,
    /// It is lost.
    Replaced,
}

/// How the work is shared and gone on with.
#[derive(Clone, Copy, Debug)]
pub struct Sharing {
    /// The part of it that is done.
    pub shard: Shard,
    /// What is done about an unfinished table.
    pub earlier: Earlier,
}

/// A table to which rows are added.
#[derive(Debug)]
pub struct Growing {
    path: PathBuf,
    file: File,
    record: Record,
    is_kept: bool,
}

/// What a row that is there already is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// The one that belongs there.
    Expected,
    /// Another one.
    Unexpected,
    /// One of those that are to be made again, as all behind it.
    Beyond,
}

/// What there is to do.
#[derive(Debug)]
pub enum Opened {
    /// Nothing: the table is whole.
    Whole,
    /// The rows from this one on.
    From(usize, Growing),
}

impl Growing {
    /// Opens the table that will be at `path`, in place of any file there, with its heading. Rows that are there
    /// already go to `check`, with their position among this table's rows, which says whether they are what it expects.
    /// With `is_kept`, the finished table has its record beside it, by which [`merge`] knows it.
    ///
    /// # Errors
    /// [`Error::Unfinished`] where one is there and `earlier` refuses it; [`Error::OtherOrigin`] where one is to be
    /// gone on with that has another origin or other rows; [`Error::Busy`] where another process writes it.
    pub fn open(
        path: &Path,
        heading: &[u8],
        origin: Origin,
        earlier: Earlier,
        is_kept: bool,
        check: &mut dyn FnMut(usize, &csv::StringRecord) -> Found,
    ) -> Result<Opened> {
        let part = part(path);
        let is_there = part.exists();
        if is_there && earlier == Earlier::Refused {
            return Err(Error::Unfinished { path: part });
        }
        if earlier == Earlier::Continued && !is_there && path.exists() {
            if is_whole(path, &origin)? {
                return Ok(Opened::Whole);
            }
            let reason = "a table without a record of what made it, so that nobody can tell whether it is whole";
            return Err(Error::OtherOrigin {
                path: path.into(),
                reason: reason.into(),
            });
        }
        let file = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&part);
        let file = file.map_err(Error::io(&part))?;
        // Where a file system has no locks, nobody can tell.
        if let Err(TryLockError::WouldBlock) = file.try_lock() {
            return Err(Error::Busy { path: part });
        }
        // Its last owner has given the table its name meanwhile.
        if !lock::is_at(&file, &part) {
            return Err(Error::Busy { path: part });
        }
        let is_new = file.metadata().map_err(Error::io(&part))?.len() == 0;
        if earlier == Earlier::Continued && is_new && path.exists() && is_whole(path, &origin)? {
            remove(&part)?;
            return Ok(Opened::Whole);
        }
        let mut growing = Growing {
            path: path.into(),
            file,
            record: Record::new(origin),
            is_kept,
        };
        let rows = match is_there && earlier == Earlier::Continued {
            true => growing.go_on(heading, check)?,
            false => growing.begin(heading).map(|()| 0)?,
        };
        Ok(Opened::From(rows, growing))
    }

    fn begin(&mut self, heading: &[u8]) -> Result<()> {
        let part = part(&self.path);
        let emptied = self.file.set_len(0).and_then(|()| self.file.rewind());
        emptied.map_err(Error::io(&part))?;
        self.record.write(&of_part(&self.path))?;
        self.add(heading)
    }

    /// Reads what is there and cuts a last row off that is not whole; the number of rows.
    fn go_on(&mut self, heading: &[u8], check: &mut dyn FnMut(usize, &csv::StringRecord) -> Found) -> Result<usize> {
        let part = part(&self.path);
        let other = |reason: &str| Error::OtherOrigin {
            path: part.clone(),
            reason: reason.into(),
        };
        let Some(record) = Record::read(&of_part(&self.path))? else {
            // Killed before anything was written.
            return self.begin(heading).map(|()| 0);
        };
        record.check(&self.record.origin, &part)?;
        let length = self.file.metadata().map_err(Error::io(&part))?.len();
        let mut begin = Vec::new();
        self.file.rewind().map_err(Error::io(&part))?;
        (&self.file)
            .take(heading.len() as u64)
            .read_to_end(&mut begin)
            .map_err(Error::io(&part))?;
        if begin != heading {
            return match heading.starts_with(&begin) {
                true => self.begin(heading).map(|()| 0),
                false => Err(other("its heading is another one")),
            };
        }
        let mut last = [0];
        (&self.file)
            .seek(SeekFrom::End(-1))
            .and_then(|_| (&self.file).read_exact(&mut last))
            .and_then(|()| self.file.rewind())
            .map_err(Error::io(&part))?;
        let mut reader = csv::ReaderBuilder::new()
            .flexible(true)
            .from_reader(BufReader::new(&self.file));
        let columns = reader.headers().map_err(|failure| other(&failure.to_string()))?.len();
        let (mut row, mut rows, mut end) = (csv::StringRecord::new(), 0, heading.len() as u64);
        loop {
            match reader.read_record(&mut row) {
                Ok(false) => break,
                // A torn row may end within a letter.
                Err(_) if reader.position().byte() >= length => break,
                Err(failure) => return Err(other(&failure.to_string())),
                Ok(true) => {}
            }
            let until = reader.position().byte();
            let is_last = until >= length;
            // A line feed within quotes ends no row.
            let is_within = || row.iter().next_back().is_some_and(|cell| cell.ends_with('\n'));
            let is_torn = is_last && (last != *b"\n" || is_within());
            if row.len() != columns || is_torn {
                if is_last {
                    break;
                }
                return Err(other("a row of it has another length"));
            }
            match check(rows, &row) {
                Found::Expected => {}
                Found::Beyond => break,
                Found::Unexpected => {
                    let reason = format!("its row {} is not of the picture that it should be of", rows + 1);
                    return Err(other(&reason));
                }
            }
            rows += 1;
            end = until;
        }
        self.file.set_len(end).map_err(Error::io(&part))?;
        self.file.seek(SeekFrom::Start(end)).map_err(Error::io(&part))?;
        Ok(rows)
    }

    /// Adds rows, which another process sees from then on.
    ///
    /// # Errors
    /// A full disk.
    pub fn add(&mut self, rows: &[u8]) -> Result<()> {
        self.file.write_all(rows).map_err(Error::io(part(&self.path)))
    }

    /// Gives the whole table its name.
    ///
    /// # Errors
    /// A full disk, a folder that cannot be written.
    pub fn finish(self) -> Result<()> {
        self.finish_with(None)
    }

    /// The same, where a file at `beside` belongs to the table.
    ///
    /// # Errors
    /// As there.
    pub fn finish_with(mut self, beside: Option<&Path>) -> Result<()> {
        let part = part(&self.path);
        self.file.sync_all().map_err(Error::io(&part))?;
        self.file.rewind().map_err(Error::io(&part))?;
        let record = of_table(&self.path);
        match self.is_kept {
            true => {
                self.record.end(&self.file, beside).map_err(Error::io(&part))?;
                self.record.write(&record)?;
            }
            // That of a part which this takes the place of would be wrong.
            false => remove(&record)?,
        }
        atomic::rename(&part, &self.path)?;
        remove(&of_part(&self.path))
    }
}

/// Whether the table at `path` has a record that says so; it must be of this origin then.
fn is_whole(path: &Path, origin: &Origin) -> Result<bool> {
    let Some(whole) = Record::read(&of_table(path))?.filter(Record::is_whole) else {
        return Ok(false);
    };
    whole.check(origin, path)?;
    let told = std::fs::metadata(path).map_err(Error::io(path))?;
    if whole.bytes != Some(told.len()) {
        return Err(Error::OtherOrigin {
            path: path.into(),
            reason: "somebody has changed it since it was made".into(),
        });
    }
    // A kill between its name and this.
    let _ = std::fs::remove_file(of_part(path));
    Ok(true)
}

fn remove(path: &Path) -> Result<()> {
    match std::fs::remove_file(path) {
        Err(failure) if failure.kind() != std::io::ErrorKind::NotFound => Err(Error::io(path)(failure)),
        _ => Ok(()),
    }
}
