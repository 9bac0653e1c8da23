//! What a file is that is no picture pelage can read, and what to do about it.

use super::raw;

/// Formats of pictures that are recognized only to say how to convert them, with how their files' names end.
struct Foreign {
    name: &'static str,
    extension: &'static str,
}

const HEIC: Foreign = Foreign {
    name: "HEIC",
    extension: "heic",
};
const AVIF: Foreign = Foreign {
    name: "AVIF",
    extension: "avif",
};
const JPEG_XL: Foreign = Foreign {
    name: "JPEG XL",
    extension: "jxl",
};
const JPEG_2000: Foreign = Foreign {
    name: "JPEG 2000",
    extension: "jp2",
};
/// In a browser, which does not show it either.
#[cfg(not(feature = "files"))]
const TIFF: Foreign = Foreign {
    name: "TIFF",
    extension: "tif",
};
const JPEG_LS: Foreign = Foreign {
    name: "JPEG-LS",
    extension: "jls",
};

/// The picture format that pelage knows but cannot read.
fn foreign(head: &[u8]) -> Option<Foreign> {
    if let Some((name, extension)) = raw::camera_raw(head) {
        return Some(Foreign { name, extension });
    }
    let starts = |magic: &[u8]| head.starts_with(magic);
    if head.get(4..8) == Some(b"ftyp") {
        // The brand comes first, then a number, then brands it is compatible with.
        let length = head
            .first_chunk()
            .map_or(0, |length| u32::from_be_bytes(*length) as usize);
        let brands = head[..length.min(head.len())].get(8..).unwrap_or_default();
        let mut brands = brands.chunks_exact(4);
        let has = |brand: &[u8], known: &[&[u8; 4]]| known.iter().any(|one| brand == *one);
        let first = brands.next().unwrap_or_default();
        let (avif, heif): (&[&[u8; 4]], &[&[u8; 4]]) = (
            &[b"avif", b"avis"],
            &[
                b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"mif2", b"msf1",
            ],
        );
        if has(first, avif) || has(first, heif) && brands.any(|brand| has(brand, avif)) {
            return Some(AVIF);
        }
        return has(first, heif).then_some(HEIC);
    }
    #[cfg(not(feature = "files"))]
    if starts(b"II*\0") || starts(b"MM\0*") {
        return Some(TIFF);
    }
    if starts(b"\xFF\x0A") || starts(b"\0\0\0\x0CJXL \r\n\x87\n") {
        return Some(JPEG_XL);
    }
    if starts(b"\xFF\x4F\xFF\x51") || starts(b"\0\0\0\x0CjP  \r\n\x87\n") {
        return Some(JPEG_2000);
    }
    None
}

/// Why a picture is not read that has another one in it, a preview that a reader of that format would take for it.
pub(super) fn refused(bytes: &[u8]) -> Option<String> {
    raw::camera_raw(bytes).map(|(name, extension)| cannot_read(name, extension))
}

/// Which kind of camera raw these first bytes are of.
#[cfg(feature = "files")]
pub(crate) fn camera_raw(head: &[u8]) -> Option<&'static str> {
    raw::camera_raw(head).map(|(name, _)| name)
}

/// Whether these first bytes are those of a picture, of a format that pelage can read or one that it knows.
#[cfg(feature = "files")]
pub(crate) fn is_picture(head: &[u8]) -> bool {
    super::format(head).is_some() || foreign(head).is_some()
}

/// What a file is whose content is none of the formats that can be read.
pub(crate) fn not_an_image(head: &[u8]) -> String {
    if let Some(Foreign { name, extension }) = foreign(head) {
        return cannot_read(name, extension);
    }
    let starts = |magic: &[u8]| head.starts_with(magic);
    let text = head.trim_ascii_start();
    let text_starts = |word: &str| {
        let start = text.get(..word.len());
        start.is_some_and(|start| start.eq_ignore_ascii_case(word.as_bytes()))
    };
    if text_starts("<!doctype html") || text_starts("<html") {
        return "a web page and not a picture; download the picture itself".into();
    }
    if starts(b"version https://git-lfs") {
        return "what Git LFS keeps in place of a file; fetch the file itself: git lfs pull".into();
    }
    if let Some(archive) = archive(head) {
        return format!("{archive}, not a picture; unpack it");
    }
    let document = match () {
        _ if starts(b"%PDF") => Some("PDF"),
        _ if starts(b"8BPS") => Some("Photoshop"),
        _ if text_starts("<svg") => Some("SVG"),
        _ if matches!(
            head.get(4..12),
            Some(b"ftypisom" | b"ftypmp42" | b"ftypmp41" | b"ftypqt  ")
        ) =>
        {
            Some("a video")
        }
        _ => None,
    };
    let formats = match cfg!(feature = "files") {
        true => "JPEG, PNG, WebP, GIF, BMP or TIFF",
        false => "JPEG, PNG, WebP, GIF or BMP",
    };
    match document {
        Some(name) => format!("{name}, which pelage cannot read; convert it to {formats}"),
        None => format!("not a picture (content is none of {formats})"),
    }
}

/// A picture that is a kind of JPEG no viewer shows.
pub(super) fn cannot_read_jpeg(process: u8, precision: u8) -> Option<String> {
    match process {
        // The usual kinds.
        0xC0..=0xC2 if precision != 8 => Some(cannot_read(&format!("JPEG of {precision} bits a color"), "jpg")),
        0xC3 => Some(cannot_read("lossless JPEG", "jpg")),
        0xC5..=0xC7 => Some(cannot_read("hierarchical JPEG", "jpg")),
        0xC9..=0xCB => Some(cannot_read("JPEG with arithmetic coding", "jpg")),
        0xCD..=0xCF => Some(cannot_read("hierarchical JPEG with arithmetic coding", "jpg")),
        0xF7 => Some(cannot_read(JPEG_LS.name, JPEG_LS.extension)),
        _ => None,
    }
}

fn cannot_read(name: &str, extension: &str) -> String {
    format!(
        "{name}, which pelage cannot read; convert it to PNG or JPEG, as by ImageMagick: magick IN.{extension} OUT.png"
    )
}

/// The kind of an archive, with its article.
pub(crate) fn archive(head: &[u8]) -> Option<&'static str> {
    let starts = |magic: &[u8]| head.starts_with(magic);
    match () {
        _ if starts(b"PK\x03\x04") || starts(b"PK\x05\x06") => Some("a zip archive"),
        _ if starts(b"\x1F\x8B") => Some("a gzip archive"),
        _ if starts(b"BZh") => Some("a bzip2 archive"),
        _ if starts(b"\xFD7zXZ\0") => Some("an xz archive"),
        _ if starts(b"\x28\xB5\x2F\xFD") => Some("a zstd archive"),
        _ if starts(b"7z\xBC\xAF\x27\x1C") => Some("a 7z archive"),
        _ if starts(b"Rar!\x1A\x07") => Some("a RAR archive"),
        _ if head.get(257..262) == Some(b"ustar") => Some("a tar archive"),
        _ => None,
    }
}
