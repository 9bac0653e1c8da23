//! One open file, or a part of one, that several threads read at once.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::sync::Arc;

/// A part of an open file that can be cloned, each clone with its own position: threads read one archive at once, and
/// one that lies within another where it lies.
#[derive(Clone)]
pub(super) struct SharedFile {
    file: Arc<File>,
    start: u64,
    len: u64,
    position: u64,
}

impl SharedFile {
    pub(super) fn new(file: File) -> std::io::Result<Self> {
        let len = file.metadata()?.len();
        Ok(SharedFile {
            file: Arc::new(file),
            start: 0,
            len,
            position: 0,
        })
    }

    /// The `len` bytes from `start` on, as far as there are some.
    pub(super) fn part(&self, start: u64, len: u64) -> SharedFile {
        let start = start.min(self.len);
        SharedFile {
            file: self.file.clone(),
            start: self.start + start,
            len: len.min(self.len - start),
            position: 0,
        }
    }

    /// Bytes in it.
    pub(super) fn len(&self) -> u64 {
        self.len
    }

    /// Fills `buffer` with the bytes from `position` on; how many there are, fewer at the end.
    pub(super) fn fill_at(&self, buffer: &mut [u8], position: u64) -> std::io::Result<usize> {
        let left = usize::try_from(self.len.saturating_sub(position)).unwrap_or(usize::MAX);
        let wanted = buffer.len().min(left);
        let mut done = 0;
        while done < wanted {
            let at = self.start + position + done as u64;
            match read_at(&self.file, &mut buffer[done..wanted], at) {
                Ok(0) => break,
                Ok(count) => done += count,
                Err(failure) if failure.kind() == std::io::ErrorKind::Interrupted => {}
                Err(failure) => return Err(failure),
            }
        }
        Ok(done)
    }
}

/// Reads at a position without moving a cursor that others share.
pub(crate) fn read_at(file: &File, buffer: &mut [u8], position: u64) -> std::io::Result<usize> {
    #[cfg(unix)]
    return std::os::unix::fs::FileExt::read_at(file, buffer, position);
    #[cfg(windows)]
    return std::os::windows::fs::FileExt::seek_read(file, buffer, position);
}

impl Read for SharedFile {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let left = usize::try_from(self.len.saturating_sub(self.position)).unwrap_or(usize::MAX);
        let wanted = buffer.len().min(left);
        let count = read_at(&self.file, &mut buffer[..wanted], self.start + self.position)?;
        self.position += count as u64;
        Ok(count)
    }
}

impl Seek for SharedFile {
    fn seek(&mut self, to: SeekFrom) -> std::io::Result<u64> {
        let target = match to {
            SeekFrom::Start(position) => Some(position),
            SeekFrom::End(offset) => self.len.checked_add_signed(offset),
            SeekFrom::Current(offset) => self.position.checked_add_signed(offset),
        };
        self.position = target.ok_or(std::io::ErrorKind::InvalidInput)?;
        Ok(self.position)
    }
}
