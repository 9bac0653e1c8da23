//! An array that grows row by row in a file, `NAME.npy.part`, and gets its name when it is whole.

use std::fs::File;
use std::io::{Seek, SeekFrom, Write};
use std::path::PathBuf;

use pelage_data::{atomic, growing};

use super::npy;
use crate::{Error, Result};

/// The array.
pub(super) struct Array {
    path: PathBuf,
    part: PathBuf,
    file: File,
    /// Of one row.
    shape: [usize; 3],
    rows: usize,
}

impl Array {
    /// Opens the array that will be at `path`, with the rows that are there already if it is `continued`.
    pub(super) fn open(path: PathBuf, shape: [usize; 3], continued: bool) -> Result<Array> {
        let part = growing::part(&path);
        // It had got its name, and its table had not.
        let is_named =
            continued && !part.exists() && path.exists() && growing::part(&path.with_extension("csv")).exists();
        if is_named {
            std::fs::rename(&path, &part).map_err(Error::io(&part))?;
        }
        let open = || {
            let mut file = File::options()
                .read(true)
                .write(true)
                .create(true)
                .truncate(false)
                .open(&part)?;
            let length = file.metadata()?.len();
            let rows = length.saturating_sub(npy::HEADER as u64) / bytes_of_row(shape);
            if length < npy::HEADER as u64 {
                file.write_all(&[0; npy::HEADER])?;
            }
            Ok((file, rows as usize))
        };
        let (file, rows) = open().map_err(Error::io(&part))?;
        Ok(Array {
            path,
            part,
            file,
            shape,
            rows,
        })
    }

    /// Whole rows that are there.
    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    /// Keeps the first `rows`, behind which others come.
    pub(super) fn keep(&mut self, rows: usize) -> Result<()> {
        let end = npy::HEADER as u64 + rows as u64 * bytes_of_row(self.shape);
        let kept = self
            .file
            .set_len(end)
            .and_then(|()| self.file.seek(SeekFrom::Start(end)));
        kept.map_err(Error::io(&self.part))?;
        self.rows = rows;
        Ok(())
    }

    /// Adds the values of whole rows.
    pub(super) fn add(&mut self, values: &[f32]) -> Result<()> {
        let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.file.write_all(&bytes).map_err(Error::io(&self.part))?;
        self.rows += bytes.len() / bytes_of_row(self.shape) as usize;
        Ok(())
    }

    /// Gives the whole array its header and its name; where it is.
    pub(super) fn finish(mut self) -> Result<PathBuf> {
        let mut write = || {
            self.file.rewind()?;
            self.file.write_all(&npy::header(&shape_of(self.rows, self.shape))?)
        };
        write().map_err(Error::io(&self.part))?;
        atomic::rename(&self.part, &self.path)?;
        Ok(self.path)
    }

    /// The rows of the array that is whole already; there is none that grows.
    pub(super) fn rows_of_whole(self) -> Result<usize> {
        std::fs::remove_file(&self.part).map_err(Error::io(&self.part))?;
        let told = std::fs::metadata(&self.path).map_err(Error::io(&self.path))?;
        Ok((told.len().saturating_sub(npy::HEADER as u64) / bytes_of_row(self.shape)) as usize)
    }
}

fn bytes_of_row(shape: [usize; 3]) -> u64 {
    4 * shape.iter().product::<usize>() as u64
}

/// One value per channel makes a matrix, as scikit-learn expects.
pub(super) fn shape_of(rows: usize, shape: [usize; 3]) -> Vec<usize> {
    match shape {
        [1, 1, c] => vec![rows, c],
        [h, w, c] => vec![rows, h, w, c],
    }
}
