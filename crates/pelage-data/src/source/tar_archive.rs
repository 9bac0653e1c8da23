//! A tar archive: its members, and their bytes where they lie.

use std::collections::HashMap;
use std::io::Result as IoResult;

use super::legible::legible_bytes;
use super::member_names::{linked, plain};
use super::shared_file::SharedFile;
use super::tar_headers::{self, Kind, Member};
use crate::error::shortened;
use crate::{Error, Result};

/// An open tar archive whose headers were read once; nothing of it is ever unpacked. Of a million members it takes as
/// little memory as their names and places do.
pub struct TarArchive {
    name: String,
    file: SharedFile,
    places: Vec<Place>,
    /// The names, one behind the other.
    names: String,
    links: HashMap<usize, Link>,
    other: HashMap<usize, &'static str>,
    unreadable: HashMap<usize, &'static str>,
    /// Whether there is something behind its end.
    pub(super) goes_on: bool,
}

/// Where a member is.
struct Place {
    start: u64,
    size: u64,
    /// Where its name ends among the names.
    name_end: usize,
}

/// What a link leads to.
struct Link {
    target: String,
    is_hard: bool,
}

impl TarArchive {
    /// Reads the headers of the archive that `name` is.
    ///
    /// # Errors
    /// A damaged archive, or one that ends too early.
    pub(super) fn open(file: SharedFile, name: String) -> Result<TarArchive> {
        let mut archive = TarArchive {
            name,
            file: file.clone(),
            places: Vec::new(),
            names: String::new(),
            links: HashMap::new(),
            other: HashMap::new(),
            unreadable: HashMap::new(),
            goes_on: false,
        };
        let walked = tar_headers::walk(&file, &mut |member| archive.add(member));
        archive.goes_on = walked.map_err(|reason| {
            let reason = format!("not a readable tar archive ({reason}); is the download complete?");
            Error::data(&archive.name, reason)
        })?;
        archive.places.shrink_to_fit();
        archive.names.shrink_to_fit();
        Ok(archive)
    }

    fn add(&mut self, member: Member) {
        let index = self.places.len();
        let link = |target: &[u8], is_hard| Link {
            target: legible_bytes(target),
            is_hard,
        };
        match &member.kind {
            Kind::Folder => return,
            Kind::File => {}
            Kind::HardLink(target) => _ = self.links.insert(index, link(target, true)),
            Kind::SymbolicLink(target) => _ = self.links.insert(index, link(target, false)),
            Kind::Other(why) => _ = self.other.insert(index, why),
            Kind::Unreadable(why) => _ = self.unreadable.insert(index, why),
        }
        self.names += &plain(&legible_bytes(&member.name)).unwrap_or_default();
        self.places.push(Place {
            start: member.start,
            size: member.size,
            name_end: self.names.len(),
        });
    }

    /// Where it is; of one within another, behind that one's name and `!`.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Members, but for folders.
    pub(super) fn len(&self) -> usize {
        self.places.len()
    }

    /// The name of a member without `.`, `..` and what is empty between slashes; several may have one.
    pub(super) fn member_name(&self, member: usize) -> &str {
        let start = member.checked_sub(1).map_or(0, |before| self.places[before].name_end);
        &self.names[start..self.places[member].name_end]
    }

    /// Bytes of a member.
    pub(super) fn size(&self, member: usize) -> u64 {
        self.places[member].size
    }

    /// Why a member is nothing that could be read as a file; none where it is.
    pub(super) fn why_no_file(&self, member: usize) -> Option<&'static str> {
        self.other.get(&member).copied()
    }

    /// Why a member's bytes cannot be read; none where they can.
    pub(super) fn why_unreadable(&self, member: usize) -> Option<&'static str> {
        self.unreadable.get(&member).copied()
    }

    /// Whether some member is a link.
    pub(super) fn has_links(&self) -> bool {
        !self.links.is_empty()
    }

    /// The member that another stands for: itself, or where a link leads to, over further links if need be; or why not.
    pub(super) fn resolved(&self, member: usize, by_name: &HashMap<&str, usize>) -> std::result::Result<usize, String> {
        let mut at = member;
        for _ in 0..8 {
            let Some(Link { target, is_hard }) = self.links.get(&at) else {
                return Ok(at);
            };
            let nowhere = || format!("a link to {}, which the archive does not hold", shortened(target));
            let name = match is_hard {
                true => plain(target).ok_or_else(nowhere)?,
                false => linked(self.member_name(at), target).ok_or_else(nowhere)?,
            };
            at = *by_name.get(name.as_str()).ok_or_else(nowhere)?;
        }
        Err("a link to itself".into())
    }

    /// The first `limit` bytes of a member.
    pub(super) fn read(&self, member: usize, limit: u64) -> IoResult<Vec<u8>> {
        let Place { start, size, .. } = self.places[member];
        let mut bytes = Vec::new();
        let length = usize::try_from(size.min(limit)).unwrap_or(usize::MAX);
        bytes.try_reserve_exact(length)?;
        bytes.resize(length, 0);
        match self.file.fill_at(&mut bytes, start)? == length {
            true => Ok(bytes),
            // It was as long as this when its headers were read.
            false => Err(std::io::Error::other("the archive has become shorter")),
        }
    }

    /// A member that is an archive itself, where it lies.
    pub(super) fn part(&self, member: usize) -> SharedFile {
        let Place { start, size, .. } = self.places[member];
        self.file.part(start, size)
    }
}
