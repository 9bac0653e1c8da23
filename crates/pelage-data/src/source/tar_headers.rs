//! The headers of a tar archive, one after the other; what lies between them is passed over.

use tar::{EntryType, Header};

use super::shared_file::SharedFile;
use crate::error::shortened;

/// What every header begins at a multiple of.
const BLOCK: u64 = 512;

/// The most bytes of one extended header, which holds a name, and perhaps what a file system knows beside it.
const MOST_EXTENDED: u64 = 1 << 20;

/// The most bytes of a name: more than any file system takes.
const MOST_NAME: usize = 65_535;

/// How far behind the end of an archive something is looked for.
const BEHIND: u64 = 1 << 20;

/// One member.
pub(super) struct Member {
    /// Its name as it stands there, whatever it leads to.
    pub(super) name: Vec<u8>,
    pub(super) kind: Kind,
    /// Where its bytes begin.
    pub(super) start: u64,
    /// How many they are.
    pub(super) size: u64,
}

/// What a member is.
pub(super) enum Kind {
    File,
    Folder,
    /// Another name for the member that the archive calls so.
    HardLink(Vec<u8>),
    /// The name of another file, as seen from this one.
    SymbolicLink(Vec<u8>),
    /// Nothing that could be read as a file, and why.
    Other(&'static str),
    /// A file whose bytes are not there as they are, and why.
    Unreadable(&'static str),
}

/// What extended headers say of the member that comes next.
#[derive(Default)]
struct Extended {
    name: Option<Vec<u8>>,
    link: Option<Vec<u8>>,
    size: Option<u64>,
    is_sparse: bool,
}

/// Hands each member to `take`, in the archive's order; whether there is something behind the archive's end.
///
/// # Errors
/// Where the archive is damaged, and how.
pub(super) fn walk(file: &SharedFile, take: &mut dyn FnMut(Member)) -> Result<bool, String> {
    let (mut at, mut extended) = (0u64, None::<Extended>);
    loop {
        let block = block(file, at)?.filter(|block| block.iter().any(|&byte| byte != 0));
        let Some(block) = block else {
            return match extended {
                None => Ok(at < file.len() && is_behind(file, at)),
                Some(_) => Err("ends behind a name".into()),
            };
        };
        let header = Header::from_byte_slice(&block);
        if !is_whole(header) {
            return Err(match at {
                0 => "not a tar archive".into(),
                _ => format!("damaged at byte {at}"),
            });
        }
        let damaged = |failure: std::io::Error| format!("damaged at byte {at}: {failure}");
        let told = header.entry_size().map_err(damaged)?;
        let entry_type = header.entry_type();
        at += BLOCK;
        if matches!(entry_type.as_byte(), b'L' | b'K' | b'x' | b'X' | b'g') {
            let data = data(file, at, told)?;
            at += padded(told).unwrap_or(told);
            // Of all members: no name and no size.
            if entry_type.as_byte() == b'g' {
                continue;
            }
            let extended = extended.get_or_insert_default();
            match entry_type.as_byte() {
                b'L' => extended.name = Some(text(&data)),
                b'K' => extended.link = Some(text(&data)),
                _ => extended
                    .read(&data)
                    .ok_or_else(|| format!("damaged before byte {at}"))?,
            }
            continue;
        }
        let extended = extended.take().unwrap_or_default();
        let names = [&extended.name, &extended.link].into_iter().flatten();
        if let Some(name) = names.into_iter().find(|name| name.len() > MOST_NAME) {
            return Err(format!("damaged before byte {at}: a name of {} bytes", name.len()));
        }
        let size = extended.size.unwrap_or(told);
        let name = extended.name.unwrap_or_else(|| header.path_bytes().into_owned());
        let link = || {
            let own = header.link_name_bytes().map(|name| name.into_owned());
            extended.link.clone().or(own).unwrap_or_default()
        };
        let is_old_folder = size == 0 && name.ends_with(b"/");
        let kind = match entry_type {
            _ if extended.is_sparse => Kind::Unreadable(SPARSE),
            EntryType::Regular | EntryType::Continuous if is_old_folder => Kind::Folder,
            EntryType::Regular | EntryType::Continuous => Kind::File,
            EntryType::Directory => Kind::Folder,
            EntryType::Link => Kind::HardLink(link()),
            EntryType::Symlink => Kind::SymbolicLink(link()),
            EntryType::Char | EntryType::Block | EntryType::Fifo => Kind::Other("a pipe, a socket or a device"),
            EntryType::GNUSparse => {
                at = behind_map(file, &block, at)?;
                Kind::Unreadable(SPARSE)
            }
            _ => match entry_type.as_byte() {
                b'V' => Kind::Other("the archive's label"),
                b'M' => Kind::Unreadable("the rest of a file that begins in another volume of the archive"),
                b'D' => Kind::Folder,
                _ => Kind::Other("a member of an unknown kind"),
            },
        };
        // As other readers have it: behind links, folders and devices there are none, whatever their headers say.
        let stored = match entry_type.as_byte() {
            b'1'..=b'6' => 0,
            _ => size,
        };
        let end = at.checked_add(stored).filter(|&end| end <= file.len());
        let Some(end) = end else {
            let name = String::from_utf8_lossy(&name);
            return Err(format!("ends in the middle of {}", shortened(&name)));
        };
        take(Member {
            name,
            kind,
            start: at,
            size: stored,
        });
        at = padded(end).unwrap_or(end);
    }
}

/// Why a sparse file is not read.
const SPARSE: &str = "a sparse file, of which the archive holds pieces alone; pack it again as a whole";

/// The block at `at`; none at the end.
fn block(file: &SharedFile, at: u64) -> Result<Option<[u8; BLOCK as usize]>, String> {
    let mut block = [0; BLOCK as usize];
    match file.fill_at(&mut block, at).map_err(|failure| failure.to_string())? {
        0 => Ok(None),
        count if count == block.len() => Ok(Some(block)),
        _ => Err("ends in the middle of a header".into()),
    }
}

/// The data of an extended header.
fn data(file: &SharedFile, at: u64, size: u64) -> Result<Vec<u8>, String> {
    if size > MOST_EXTENDED {
        return Err(format!("damaged at byte {at}: a name of {size} bytes"));
    }
    let mut data = vec![0; size as usize];
    match file.fill_at(&mut data, at).map_err(|failure| failure.to_string())? {
        count if count == data.len() => Ok(data),
        _ => Err("ends in the middle of a name".into()),
    }
}

/// The next multiple of a block's size.
fn padded(size: u64) -> Option<u64> {
    size.checked_next_multiple_of(BLOCK)
}

/// Text up to its end.
fn text(data: &[u8]) -> Vec<u8> {
    data.split(|&byte| byte == 0).next().unwrap_or_default().to_vec()
}

/// Whether a header's checksum is that of its bytes, as whole numbers or, as some old programs have it, signed ones.
fn is_whole(header: &Header) -> bool {
    let bytes = header.as_bytes();
    let summed = |value: fn(u8) -> i64| -> i64 {
        let checked = bytes.iter().enumerate();
        checked
            .map(|(i, &byte)| if (148..156).contains(&i) { 32 } else { value(byte) })
            .sum()
    };
    let told = header.cksum().map(i64::from);
    told.is_ok_and(|told| told == summed(i64::from) || told == summed(|byte| i64::from(byte as i8)))
}

/// Where the map of an old GNU sparse file ends, which goes on behind its header.
fn behind_map(file: &SharedFile, header: &[u8; BLOCK as usize], mut at: u64) -> Result<u64, String> {
    let mut goes_on = header[482] != 0;
    while goes_on {
        let more = block(file, at)?.ok_or("ends in the middle of a sparse file")?;
        goes_on = more[504] != 0;
        at += BLOCK;
    }
    Ok(at)
}

/// Whether there is something behind the end at `at`, as where archives were joined.
fn is_behind(file: &SharedFile, at: u64) -> bool {
    let mut rest = vec![0; BEHIND.min(file.len() - at) as usize];
    file.fill_at(&mut rest, at).is_ok() && rest.iter().any(|&byte| byte != 0)
}

impl Extended {
    /// Takes what the records of a pax header say: each its length in decimal, a space, `key=value`, a line feed.
    fn read(&mut self, mut records: &[u8]) -> Option<()> {
        while !matches!(records, [] | [0, ..]) {
            let space = records.iter().position(|&byte| byte == b' ')?;
            let length: usize = std::str::from_utf8(&records[..space]).ok()?.parse().ok()?;
            let (record, rest) = records.split_at_checked(length)?;
            let record = record.get(space + 1..)?.strip_suffix(b"\n")?;
            records = rest;
            let equals = record.iter().position(|&byte| byte == b'=')?;
            let (key, value) = (&record[..equals], &record[equals + 1..]);
            match key {
                b"path" | b"GNU.sparse.name" => self.name = Some(value.to_vec()),
                b"linkpath" => self.link = Some(value.to_vec()),
                b"size" => self.size = Some(std::str::from_utf8(value).ok()?.parse().ok()?),
                _ => self.is_sparse |= key.starts_with(b"GNU.sparse."),
            }
        }
        Some(())
    }
}
