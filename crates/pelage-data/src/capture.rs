//! When, by which camera and whether with its place a picture was taken, as its EXIF data say.

use std::io::Cursor;

use exif::{Exif, In, Reader, Tag, Value};
use jiff::civil::DateTime;

use crate::decode::quietly;

/// What a picture says of how it was taken.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Capture {
    /// When, by the camera's clock.
    pub(crate) time: Option<DateTime>,
    /// Maker, model and serial number, as far as they are told.
    pub(crate) camera: String,
    /// Whether it says where.
    pub(crate) has_place: bool,
}

impl Capture {
    /// What the EXIF data of a file say; nothing where there are none.
    pub(crate) fn of(bytes: &[u8]) -> Capture {
        quietly(|| read(bytes))
            .flatten()
            .map_or(Capture::default(), |exif| Capture {
                time: [Tag::DateTimeOriginal, Tag::DateTimeDigitized]
                    .into_iter()
                    .find_map(|tag| DateTime::strptime("%Y:%m:%d %H:%M:%S", text(&exif, tag)?).ok()),
                camera: [Tag::Make, Tag::Model, Tag::BodySerialNumber]
                    .map(|tag| text(&exif, tag).unwrap_or_default())
                    .join("\n"),
                has_place: [Tag::GPSLatitude, Tag::GPSLongitude]
                    .iter()
                    .all(|tag| exif.get_field(*tag, In::PRIMARY).is_some()),
            })
    }
}

fn read(bytes: &[u8]) -> Option<Exif> {
    let mut reader = Reader::new();
    // One field that is damaged says nothing about the others.
    let read = reader
        .continue_on_error(true)
        .read_from_container(&mut Cursor::new(bytes));
    read.or_else(|failure| failure.distill_partial_result(|_| {})).ok()
}

/// The text of a field, without what it is padded with.
fn text(exif: &Exif, tag: Tag) -> Option<String> {
    match &exif.get_field(tag, In::PRIMARY)?.value {
        Value::Ascii(texts) => {
            let text = String::from_utf8_lossy(texts.first()?);
            Some(text.trim_matches(['\0', ' ']).to_string())
        }
        _ => None,
    }
}
