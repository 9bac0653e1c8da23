//! A Parquet file: what it holds, and a picture of it at a time.

use std::io::{BufReader, Read, Result as IoResult};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use parquet::basic::Compression;
use parquet::column::page::PageReader;
use parquet::column::reader::{ColumnReader, ColumnReaderImpl, get_column_reader};
use parquet::data_type::ByteArrayType;
use parquet::errors::ParquetError;
use parquet::file::metadata::{ParquetMetaData, ParquetMetaDataReader};
use parquet::file::reader::{ChunkReader, Length};
use parquet::file::serialized_reader::SerializedPageReader;

use super::parquet_columns::Columns;
use super::shared_file::SharedFile;
use crate::decode::quietly;
use crate::{Error, Result};

/// How many times its own size a column may unpack to, beside [`ANY_BYTES`].
const MOST_TIMES: i64 = 200;

/// What any column of a group of rows may unpack to, in bytes.
const ANY_BYTES: i64 = 1 << 30;

/// An open Parquet file, whose description was read once. Its pictures lie in pages, some to hundreds of them in each,
/// which are read and unpacked one at a time.
pub struct ParquetFile {
    name: String,
    file: Arc<SharedFile>,
    told: ParquetMetaData,
    pub(super) columns: Columns,
    /// The first row of each group of rows, and the number of all.
    starts: Vec<usize>,
    /// Which file it is among those that this process has opened.
    id: u64,
}

/// A column of pictures as it is read, from some row on.
struct Cursor {
    file: u64,
    group: usize,
    /// The next row, counted within its group.
    next: usize,
    reader: ColumnReaderImpl<ByteArrayType>,
}

/// Columns that are being read, of all files, those used last at the end: whoever goes on behind a row finds its page
/// unpacked. Each holds one page, so they are as many as threads that read, and a few.
static CURSORS: Mutex<Vec<Cursor>> = Mutex::new(Vec::new());

impl ParquetFile {
    /// Reads what the file that `name` is says of itself.
    ///
    /// # Errors
    /// A damaged file, one that ends too early, or one without pictures.
    pub(super) fn open(file: SharedFile, name: String) -> Result<ParquetFile> {
        static OPENED: AtomicU64 = AtomicU64::new(0);
        let file = Arc::new(file);
        let told = tried(|| ParquetMetaDataReader::new().parse_and_finish(&*file)).map_err(|reason| {
            let reason = format!("not a readable Parquet file ({reason}); is the download complete?");
            Error::data(&name, reason)
        })?;
        let columns = Columns::of(told.file_metadata()).map_err(|reason| Error::data(&name, reason))?;
        let mut starts = vec![0];
        for group in told.row_groups() {
            let column = group.column(columns.bytes);
            if let Compression::BROTLI(_) | Compression::LZO = column.compression() {
                let reason = "packed by Brotli or LZO, which pelage does not read; write it again, packed by Snappy or \
                              Zstandard";
                return Err(Error::data(name, reason));
            }
            let most = column
                .compressed_size()
                .saturating_mul(MOST_TIMES)
                .saturating_add(ANY_BYTES);
            if column.uncompressed_size() > most {
                let reason = format!("pictures in it unpack to over {MOST_TIMES} times their size; not opened");
                return Err(Error::data(name, reason));
            }
            let rows = rows_of(group.num_rows(), column.compressed_size(), file.len())
                .map_err(|reason| Error::data(&name, reason))?;
            starts.push(starts[starts.len() - 1] + rows);
        }
        let id = OPENED.fetch_add(1, Ordering::Relaxed);
        Ok(ParquetFile {
            name,
            file,
            told,
            columns,
            starts,
            id,
        })
    }

    /// Where it is.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Rows of it.
    pub(super) fn len(&self) -> usize {
        self.starts[self.starts.len() - 1]
    }

    /// What `take` makes of each value of a column, row by row; none stands for a value that is missing.
    ///
    /// # Errors
    /// Damaged data, in words.
    pub(super) fn each(
        &self,
        column: usize,
        take: &mut dyn FnMut(Option<Value<'_>>) -> std::result::Result<(), String>,
    ) -> std::result::Result<(), String> {
        for group in 0..self.told.num_row_groups() {
            let rows = self.starts[group + 1] - self.starts[group];
            let depth = self.told.file_metadata().schema_descr().column(column).max_def_level();
            let mut levels = Vec::new();
            match get_column_reader_of(self, group, column)? {
                ColumnReader::ByteArrayColumnReader(mut reader) => {
                    let mut values = Vec::new();
                    tried(|| reader.read_records(rows, Some(&mut levels), None, &mut values))?;
                    let mut values = values.iter().map(|value| Value::Bytes(value.data()));
                    spread(rows, &levels, depth, &mut values, take)?;
                }
                ColumnReader::Int64ColumnReader(mut reader) => {
                    let mut values = Vec::new();
                    tried(|| reader.read_records(rows, Some(&mut levels), None, &mut values))?;
                    spread(rows, &levels, depth, &mut values.into_iter().map(Value::Number), take)?;
                }
                ColumnReader::Int32ColumnReader(mut reader) => {
                    let mut values = Vec::new();
                    tried(|| reader.read_records(rows, Some(&mut levels), None, &mut values))?;
                    let mut values = values.into_iter().map(|value| Value::Number(value.into()));
                    spread(rows, &levels, depth, &mut values, take)?;
                }
                _ => return Err("a column of another type than text and whole numbers".into()),
            }
        }
        Ok(())
    }

    /// The picture in a row.
    pub(super) fn picture(&self, row: usize) -> IoResult<Bytes> {
        let group = self.starts.partition_point(|start| *start <= row) - 1;
        let within = row - self.starts[group];
        let mut cursor = match taken(self.id, group, within) {
            Some(cursor) => cursor,
            None => match get_column_reader_of(self, group, self.columns.bytes).map_err(std::io::Error::other)? {
                ColumnReader::ByteArrayColumnReader(reader) => Cursor {
                    file: self.id,
                    group,
                    next: 0,
                    reader,
                },
                _ => return Err(std::io::Error::other("pictures are no bytes")),
            },
        };
        let (mut levels, mut values) = (Vec::new(), Vec::new());
        // Of one that has failed nobody knows where it stands: it is given up.
        tried(|| {
            cursor.reader.skip_records(within - cursor.next)?;
            cursor.reader.read_records(1, Some(&mut levels), None, &mut values)
        })
        .map_err(|reason| std::io::Error::other(format!("{reason}; is the download complete?")))?;
        cursor.next = within + 1;
        put_back(cursor);
        match values.pop() {
            Some(value) if value.data().is_empty() => Err(std::io::Error::other("nothing: 0 bytes")),
            Some(value) => Ok(Bytes::copy_from_slice(value.data())),
            None => Err(std::io::Error::other(
                "a row without a picture, or with no more than its name",
            )),
        }
    }
}

impl Drop for ParquetFile {
    fn drop(&mut self) {
        let id = self.id;
        CURSORS
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .retain(|cursor| cursor.file != id);
    }
}

/// The rows of a group, whose pictures take `packed` bytes of a file of `length`: a picture takes one at the least, so
/// that no more memory is asked for than a file of this length may need.
///
/// # Errors
/// Numbers that cannot be, in words.
fn rows_of(rows: i64, packed: i64, length: u64) -> std::result::Result<usize, String> {
    let packed = u64::try_from(packed).unwrap_or(u64::MAX);
    match usize::try_from(rows) {
        Ok(rows) if packed <= length && rows as u64 <= packed => Ok(rows),
        _ => Err(format!(
            "it claims {rows} pictures in {packed} of {length} bytes; is the download complete?"
        )),
    }
}

/// A value of a column.
pub(super) enum Value<'a> {
    /// Text, or bytes.
    Bytes(&'a [u8]),
    /// A whole number.
    Number(i64),
}

/// Gives each of `rows` rows its value: those whose level is less than `depth` have none.
fn spread<'a>(
    rows: usize,
    levels: &[i16],
    depth: i16,
    values: &mut dyn Iterator<Item = Value<'a>>,
    take: &mut dyn FnMut(Option<Value<'_>>) -> std::result::Result<(), String>,
) -> std::result::Result<(), String> {
    if depth > 0 && levels.len() != rows {
        return Err(format!("{} of {rows} rows", levels.len()));
    }
    for row in 0..rows {
        let is_there = depth == 0 || levels[row] == depth;
        match is_there.then(|| values.next()) {
            Some(None) => return Err("fewer values than rows".into()),
            value => take(value.flatten())?,
        }
    }
    Ok(())
}

/// One of those that are being read which stands nearest before a row.
fn taken(file: u64, group: usize, row: usize) -> Option<Cursor> {
    let mut cursors = CURSORS.lock().unwrap_or_else(PoisonError::into_inner);
    let fits = |cursor: &Cursor| cursor.file == file && cursor.group == group && cursor.next <= row;
    let fitting = cursors.iter().enumerate().filter(|(_, cursor)| fits(cursor));
    let nearest = fitting.max_by_key(|(_, cursor)| cursor.next).map(|(at, _)| at)?;
    Some(cursors.remove(nearest))
}

fn put_back(cursor: Cursor) {
    let mut cursors = CURSORS.lock().unwrap_or_else(PoisonError::into_inner);
    if cursors.len() >= rayon::current_num_threads() + 2 {
        cursors.remove(0);
    }
    cursors.push(cursor);
}

/// A reader of one column of a group of rows.
fn get_column_reader_of(file: &ParquetFile, group: usize, column: usize) -> std::result::Result<ColumnReader, String> {
    tried(|| {
        let told = file.told.row_group(group).column(column);
        let rows = file.starts[group + 1] - file.starts[group];
        let pages: Box<dyn PageReader> = Box::new(SerializedPageReader::new(file.file.clone(), told, rows, None)?);
        Ok(get_column_reader(told.column_descr_ptr(), pages))
    })
}

/// What `work` gives, or what is wrong, in words: panics over hostile files among it.
fn tried<T>(work: impl FnOnce() -> std::result::Result<T, ParquetError>) -> std::result::Result<T, String> {
    match quietly(work) {
        Some(result) => result.map_err(|failure| match failure {
            ParquetError::General(reason) | ParquetError::EOF(reason) => reason,
            other => other.to_string(),
        }),
        None => Err("its data contradict themselves".into()),
    }
}

impl Length for SharedFile {
    fn len(&self) -> u64 {
        SharedFile::len(self)
    }
}

impl ChunkReader for SharedFile {
    type T = BufReader<SharedFile>;

    fn get_read(&self, start: u64) -> parquet::errors::Result<Self::T> {
        Ok(BufReader::new(self.part(start, SharedFile::len(self))))
    }

    fn get_bytes(&self, start: u64, length: usize) -> parquet::errors::Result<Bytes> {
        let left = SharedFile::len(self).saturating_sub(start);
        if length as u64 > left {
            return Err(ParquetError::EOF(format!(
                "it ends {} bytes early",
                length as u64 - left
            )));
        }
        let mut bytes = Vec::with_capacity(length);
        self.part(start, length as u64).read_to_end(&mut bytes)?;
        Ok(bytes.into())
    }
}

#[cfg(test)]
mod tests {
    use super::rows_of;

    #[test]
    fn what_a_file_claims_is_bounded_by_its_length() {
        assert_eq!(rows_of(3, 300, 1000), Ok(3));
        assert_eq!(rows_of(0, 0, 12), Ok(0));
        for (rows, packed) in [
            (i64::MAX, 300),
            (301, 300),
            (3, 1001),
            (3, -1),
            (-1, 300),
            (2000, i64::MAX),
        ] {
            assert!(
                rows_of(rows, packed, 1000).unwrap_err().contains("claims"),
                "{rows} in {packed}"
            );
        }
    }
}
