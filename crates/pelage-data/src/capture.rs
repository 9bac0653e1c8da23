//! When, by which camera and where a picture was taken, as its EXIF data say.

use std::io::Cursor;

use exif::{Exif, In, Reader, Tag, Value};
use jiff::civil::DateTime;

use crate::decode::{Limits, quietly};
use crate::source::Location;

/// What a picture says of how it was taken.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Capture {
    /// When, by the camera's clock.
    pub(crate) time: Option<DateTime>,
    /// Maker, model and serial number, as far as they are told.
    pub(crate) camera: String,
    /// Whether it says where, legibly or not.
    pub(crate) has_place: bool,
    /// Degrees north and east.
    place: Option<[f64; 2]>,
}

impl Capture {
    /// What the EXIF data of a file say; nothing where there are none.
    pub fn of(bytes: &[u8]) -> Capture {
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
                place: place(&exif),
            })
    }

    /// What was noted of one: when, and whether it says where.
    pub(crate) fn noted(time: Option<DateTime>, has_place: bool) -> Capture {
        Capture {
            time,
            has_place,
            ..Capture::default()
        }
    }

    /// The same of a file that is read for it; of one that cannot be read nothing is known.
    pub fn at(location: &Location) -> Capture {
        location.read_with(|bytes| Capture::of(&bytes)).unwrap_or_default()
    }

    /// When it was taken, by the camera's clock: `2024-05-01T06:30:00`.
    pub fn time(&self) -> Option<String> {
        self.time.map(|time| time.to_string())
    }

    /// Where it was taken, in degrees: latitude, to the north, and longitude, to the east.
    pub fn place(&self) -> Option<[f64; 2]> {
        self.place
    }
}

/// Latitude and longitude in degrees, where both are told and can be.
fn place(exif: &Exif) -> Option<[f64; 2]> {
    let latitude = degrees(exif, Tag::GPSLatitude, Tag::GPSLatitudeRef, "S")?;
    let longitude = degrees(exif, Tag::GPSLongitude, Tag::GPSLongitudeRef, "W")?;
    let possible = latitude.abs() <= 90.0 && longitude.abs() <= 180.0;
    possible.then_some([latitude, longitude])
}

/// Degrees, minutes and seconds as degrees; negative where the field `side` says `negative`.
fn degrees(exif: &Exif, tag: Tag, side: Tag, negative: &str) -> Option<f64> {
    let Value::Rational(parts) = &exif.get_field(tag, In::PRIMARY)?.value else {
        return None;
    };
    let parts: Vec<_> = parts.iter().map(|part| part.to_f64()).collect();
    let sum: f64 = parts
        .iter()
        .zip([1.0, 60.0, 3600.0])
        .map(|(part, unit)| part / unit)
        .sum();
    let sign = match text(exif, side)?.eq_ignore_ascii_case(negative) {
        true => -1.0,
        false => 1.0,
    };
    (!parts.is_empty() && sum.is_finite()).then_some(sign * sum)
}

fn read(bytes: &[u8]) -> Option<Exif> {
    // Of a TIFF all of it is copied.
    let is_tiff = bytes.starts_with(b"II*\0") || bytes.starts_with(b"MM\0*");
    let length = bytes.len() as u64;
    let copied = is_tiff.then(|| Limits::default().hold_copy(length, length));
    let refused = |reason: &String| log::warn!("a TIFF's time and place are not read: {reason}");
    let _held = copied.transpose().inspect_err(refused).ok()?;
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
