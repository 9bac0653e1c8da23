//! Camera raw: what a sensor has seen, before it is a picture. Most of these files are TIFFs, whose first image is a
//! preview of some hundred pixels.

/// Tags of TIFF 6.0 and of Adobe's DNG 1.7.
const KIND: u16 = 254;
const PHOTOMETRIC: u16 = 262;
const MAKE: u16 = 271;
const INNER: u16 = 330;
const DNG_VERSION: u16 = 50706;

/// Of KIND: a reduced version of another image in the file.
const REDUCED: u32 = 1;

/// Of PHOTOMETRIC: a color filter array, and what DNG makes of one.
const UNDEVELOPED: [u32; 2] = [32803, 34892];

/// The name of the kind of camera raw that a file is, and how its name ends.
pub(super) fn camera_raw(bytes: &[u8]) -> Option<(&'static str, &'static str)> {
    let starts = |magic: &[u8]| bytes.starts_with(magic);
    match () {
        _ if bytes.get(8..10) == Some(b"CR") && (starts(b"II*\0") || starts(b"MM\0*")) => {
            Some(("camera raw (Canon CR2)", "cr2"))
        }
        _ if bytes.get(4..12) == Some(b"ftypcrx ") => Some(("camera raw (Canon CR3)", "cr3")),
        _ if starts(b"FUJIFILMCCD-RAW") => Some(("camera raw (Fujifilm RAF)", "raf")),
        _ if starts(b"IIU\0") => Some(("camera raw (Panasonic RW2)", "rw2")),
        _ if starts(b"IIRO") || starts(b"IIRS") || starts(b"MMOR") => Some(("camera raw (Olympus ORF)", "orf")),
        _ => in_tiff(bytes),
    }
}

/// The same of a TIFF, by the directory of its first image.
fn in_tiff(bytes: &[u8]) -> Option<(&'static str, &'static str)> {
    let (short, long): (fn([u8; 2]) -> u16, fn([u8; 4]) -> u32) = match bytes.first_chunk()? {
        b"II*\0" => (u16::from_le_bytes, u32::from_le_bytes),
        b"MM\0*" => (u16::from_be_bytes, u32::from_be_bytes),
        _ => return None,
    };
    let short = |at: usize| Some(short(*bytes.get(at..)?.first_chunk()?));
    let long = |at: usize| Some(long(*bytes.get(at..)?.first_chunk()?));
    let directory = long(4)? as usize;
    let entries = (0..usize::from(short(directory)?)).map(|i| directory.saturating_add(2 + 12 * i));
    // Tag, type, count, value: twelve bytes each.
    let entry = |tag: u16| entries.clone().find(|&at| short(at) == Some(tag));
    let value = |tag: u16| {
        let at = entry(tag)?;
        match short(at + 2)? {
            3 => short(at + 8).map(u32::from),
            _ => long(at + 8),
        }
    };
    if entry(DNG_VERSION).is_some() {
        return Some(("camera raw (DNG)", "dng"));
    }
    let is_preview = value(KIND).is_some_and(|kind| kind & REDUCED > 0) && entry(INNER).is_some();
    if !is_preview && !value(PHOTOMETRIC).is_some_and(|kind| UNDEVELOPED.contains(&kind)) {
        return None;
    }
    let make = entry(MAKE).and_then(|at| bytes.get(long(at + 8)? as usize..)?.get(..5));
    Some(match make {
        Some(b"NIKON") => ("camera raw (Nikon NEF)", "nef"),
        Some(b"SONY " | b"SONY\0") => ("camera raw (Sony ARW)", "arw"),
        _ => ("camera raw", "raw"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A TIFF of one directory with these entries, of long values.
    fn tiff(entries: &[(u16, u32)]) -> Vec<u8> {
        let mut bytes = b"II*\0\x08\0\0\0".to_vec();
        bytes.extend((entries.len() as u16).to_le_bytes());
        for (tag, value) in entries {
            bytes.extend(tag.to_le_bytes());
            bytes.extend(4u16.to_le_bytes());
            bytes.extend(1u32.to_le_bytes());
            bytes.extend(value.to_le_bytes());
        }
        bytes.extend([0; 4]);
        bytes
    }

    #[test]
    fn raws_are_told_by_what_is_in_them() {
        let named = |bytes: &[u8]| camera_raw(bytes).map(|(_, extension)| extension);
        let mut nikon = tiff(&[(KIND, 1), (MAKE, 58), (INNER, 0)]);
        assert_eq!(nikon.len(), 8 + 2 + 36 + 4);
        nikon.resize(58, 0);
        nikon.extend(b"NIKON CORPORATION\0");
        for (bytes, extension) in [
            (&nikon[..], "nef"),
            (&tiff(&[(DNG_VERSION, 1)]), "dng"),
            (&tiff(&[(PHOTOMETRIC, 32803)]), "raw"),
            (b"II*\0\x10\0\0\0CR\x02\0", "cr2"),
            (b"\0\0\0\x18ftypcrx \0\0\0\x01", "cr3"),
            (b"FUJIFILMCCD-RAW 0201", "raf"),
            (b"IIU\0\x18\0\0\0", "rw2"),
            (b"IIRO\x08\0\0\0", "orf"),
        ] {
            assert_eq!(named(bytes), Some(extension));
        }
        // Pictures: plain ones, with a smaller one inside, of several pages.
        for bytes in [
            &tiff(&[(PHOTOMETRIC, 2)])[..],
            &tiff(&[(KIND, 0), (INNER, 9)]),
            &tiff(&[(KIND, 1)]),
            b"II*\0",
        ] {
            assert_eq!(named(bytes), None);
        }
        for cut in 0..nikon.len() {
            let _ = camera_raw(&nikon[..cut]);
        }
    }
}
