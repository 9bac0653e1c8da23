//! Tables as CSV, in memory.

use serde::Serialize;

use crate::{Error, Result};

/// The rows, the heading first, all of the same length.
///
/// # Errors
/// Rows of different lengths.
pub fn csv<R>(rows: impl IntoIterator<Item = R>) -> Result<Vec<u8>>
where
    R: IntoIterator<Item: AsRef<[u8]>>,
{
    written(|writer| rows.into_iter().try_for_each(|row| writer.write_record(row)))
}

/// The same of records, whose fields are the heading.
///
/// # Errors
/// Records that are no rows.
pub fn csv_of(records: &[impl Serialize]) -> Result<Vec<u8>> {
    written(|writer| records.iter().try_for_each(|record| writer.serialize(record)))
}

fn written(write: impl FnOnce(&mut csv::Writer<Vec<u8>>) -> csv::Result<()>) -> Result<Vec<u8>> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let done = write(&mut writer).and_then(|()| Ok(writer.into_inner().map_err(|failure| failure.into_error())?));
    done.map_err(|failure| Error::Dataset(format!("a table cannot be written: {failure}")))
}

/// `cell` with `prefix` where a spreadsheet would compute it (OWASP, "CSV Injection").
pub fn prefixed(prefix: &str, cell: &str) -> String {
    match cell.starts_with(['=', '+', '-', '@', '\t', '\r']) && cell != "-" {
        true => format!("{prefix}{cell}"),
        false => cell.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_quoted_and_rows_are_of_one_length() {
        let rows = [["path", "class"], ["a, b.jpg", "the \"cat\""]];
        assert_eq!(csv(rows).unwrap(), b"path,class\n\"a, b.jpg\",\"the \"\"cat\"\"\"\n");
        assert!(csv([vec!["one"], vec!["one", "two"]]).is_err());
    }
}
