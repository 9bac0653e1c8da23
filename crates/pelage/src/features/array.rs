//! An array that grows row by row in a file, `NAME.npy.part`, and gets its name when it is whole.

use std::fs::File;
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

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
    /// Whole rows that there are of the array that will be at `path`, or is; nothing is changed.
    pub(super) fn rows_at(path: &Path, shape: [usize; 3]) -> usize {
        let length = |path: &Path| std::fs::metadata(path).map(|told| told.len());
        let length = length(&growing::part(path)).or_else(|_| length(path));
        let values = length.unwrap_or_default().saturating_sub(npy::HEADER as u64);
        (values / bytes_of_row(shape)) as usize
    }

    /// Opens the array that will be at `path`, with the first `rows` of those that are there, behind which others come.
    /// Its table is this process's alone.
    pub(super) fn open(path: PathBuf, shape: [usize; 3], rows: usize) -> Result<Array> {
        let part = growing::part(&path);
        // It had got its name, and its table had not.
        if rows > 0 && !part.exists() {
            std::fs::rename(&path, &part).map_err(Error::io(&part))?;
        }
        let end = npy::HEADER as u64 + rows as u64 * bytes_of_row(shape);
        let open = || {
            let mut file = File::options()
                .read(true)
                .write(true)
                .create(true)
                .truncate(false)
                .open(&part)?;
            file.set_len(end)?;
            file.seek(SeekFrom::Start(end))?;
            Ok(file)
        };
        let file = open().map_err(Error::io(&part))?;
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
