//! A zip archive: its members, whatever their names are, and their bytes.

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::{Read, Result as IoResult};

use zip::ZipReadOptions;
use zip::read::{Config, OwnedZipFileEntry};
use zip::result::{ZipError, ZipResult};
use zip::unstable::read::ZipIterable;

use super::archives;
use super::member_names::{linked, plain};
use super::shared_file::SharedFile;
use crate::error::shortened;
use crate::{Error, Result};

/// How many times its own size an archive may unpack to, beside [`ANY_BYTES`]: far more than pictures shrink.
const MOST_TIMES: u64 = 200;

/// What any archive may unpack to, in bytes.
const ANY_BYTES: u64 = 1 << 30;

/// How many times its size deflated data unpack to at most.
const MOST_DEFLATED: u64 = 1032;

/// The longest path that a link leads along, in bytes.
const MAX_LINK_BYTES: u64 = 4096;

/// An open zip archive whose directory was read once; clones share it.
pub struct Archive {
    name: String,
    file: SharedFile,
    members: Vec<OwnedZipFileEntry>,
}

impl Archive {
    /// Reads the directory of the archive that `name` is.
    ///
    /// # Errors
    /// A damaged archive, or one that unpacks to more than pictures ever shrink from.
    pub(super) fn open(file: SharedFile, name: String) -> Result<Archive> {
        let members = || -> ZipResult<Vec<_>> {
            let mut all = ZipIterable::try_new(file.clone(), Config::default())?;
            all.files()?.map(|member| member.map(OwnedZipFileEntry::from)).collect()
        };
        let members = members().map_err(|failure| damaged(&name, &failure))?;
        let size = members
            .iter()
            .fold(0u64, |sum, member| sum.saturating_add(member.size()));
        let most = file.len().saturating_mul(MOST_TIMES).saturating_add(ANY_BYTES);
        if size > most {
            let reason = format!(
                "unpacks to {} MiB, over {MOST_TIMES} times its size; not opened",
                size >> 20
            );
            return Err(Error::data(name, reason));
        }
        Ok(Archive { name, file, members })
    }

    /// Where it is; of one within another, behind that one's name and `!`.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Its members, in its order; several may have one name.
    pub(super) fn members(&self) -> &[OwnedZipFileEntry] {
        &self.members
    }

    /// The first `limit` bytes of a member.
    pub(super) fn read(&self, member: usize, limit: u64) -> IoResult<Vec<u8>> {
        let (member, mut file, mut bytes) = (&self.members[member], self.file.clone(), Vec::new());
        let (declared, packed) = (member.size(), member.compressed_size());
        let mut read = || {
            let member = member.as_ref().with_reader(&mut file, ZipReadOptions::default())?;
            // One byte more, so that the end is seen, where the checksum is compared.
            let most = limit.min(declared.saturating_add(1));
            // As long as the member, of what it can be: growing, it would take twice that.
            let length = most.min(packed.saturating_mul(MOST_DEFLATED).saturating_add(1));
            bytes.try_reserve_exact(usize::try_from(length).unwrap_or(usize::MAX))?;
            member.take(most).read_to_end(&mut bytes)
        };
        // How a member is packed may turn out only when it is read.
        read().map_err(archives::explained)?;
        match bytes.len() as u64 > declared {
            true => Err(std::io::Error::other("larger than its archive says")),
            false => Ok(bytes),
        }
    }

    /// A member that is an archive itself, called `name`, as an unnamed temporary file, which the operating system
    /// removes with the last handle.
    pub(super) fn unpack(&self, member: usize, name: &str) -> Result<File> {
        let mut inner = tempfile::tempfile().map_err(Error::io(std::env::temp_dir()))?;
        let (member, mut file) = (&self.members[member], self.file.clone());
        // An archive hardly shrinks when it is packed again, unless it is a bomb.
        let limit = member.compressed_size().saturating_mul(16).saturating_add(1 << 20);
        let packed = member.as_ref().with_reader(&mut file, ZipReadOptions::default());
        let packed = packed.map_err(|failure| damaged(name, &failure))?;
        let size = std::io::copy(&mut packed.take(limit), &mut inner).map_err(Error::io(name))?;
        match size == limit {
            true => {
                let reason = format!("unpacks to more than {} MiB, not opened", limit >> 20);
                Err(Error::data(name, reason))
            }
            false => Ok(inner),
        }
    }

    /// Members that share bytes with others. No archiver does that; a small archive unpacks to any size by it.
    pub(super) fn overlapping(&self) -> HashSet<usize> {
        // The fixed part of a local header, and the name, which it repeats.
        let span = |member: &OwnedZipFileEntry| {
            let size = 30 + member.name_raw().len() as u64 + member.compressed_size();
            [member.header_start(), member.header_start().saturating_add(size)]
        };
        let mut spans: Vec<_> = self.members.iter().map(span).zip(0..).collect();
        spans.sort_unstable();
        let (mut overlapping, mut last) = (HashSet::new(), None::<(u64, usize)>);
        for ([start, end], member) in spans {
            match last {
                Some((other_end, other)) if start < other_end => overlapping.extend([other, member]),
                _ => {}
            }
            if last.is_none_or(|(other_end, _)| end > other_end) {
                last = Some((end, member));
            }
        }
        overlapping
    }

    /// The member that the link `member` leads to, over further links if need be; or why not.
    pub(super) fn linked(&self, member: usize, by_name: &HashMap<String, usize>) -> std::result::Result<usize, String> {
        let mut at = member;
        for _ in 0..8 {
            let target = self.read(at, MAX_LINK_BYTES).map_err(|failure| failure.to_string())?;
            let target = String::from_utf8_lossy(&target).replace('\\', "/");
            let from = plain_name(&self.members[at]).unwrap_or_default();
            let nowhere = || format!("a link to {}, which the archive does not hold", shortened(&target));
            let name = linked(&from, &target).ok_or_else(nowhere)?;
            at = *by_name.get(&name).ok_or_else(nowhere)?;
            if !self.members[at].is_symlink() {
                return Ok(at);
            }
        }
        Err("a link to itself".into())
    }
}

fn damaged(archive: &str, failure: &ZipError) -> Error {
    let reason = format!("not a readable zip archive ({failure}); is the download complete?");
    Error::data(archive, reason)
}

/// The member's name without `.`, `..` and what is empty between slashes: where it would be unpacked to. None where
/// that leaves nothing.
pub(super) fn plain_name(member: &OwnedZipFileEntry) -> Option<String> {
    plain(&member.name().ok()?.replace('\\', "/"))
}
