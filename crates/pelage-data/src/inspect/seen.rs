//! What is known of one picture, and as cells of a table.

use std::borrow::Cow;
use std::sync::Arc;

use jiff::civil::DateTime;

use crate::alike::{self, Look};
use crate::capture::Capture;
use crate::decode;
use crate::source::Location;
use crate::table::prefixed;

/// Names of the parts of a data set, in order, and of all of one that has none.
pub(super) const SETS: [&str; 4] = ["train", "validation", "test", "all"];

/// One picture of a data set.
pub(super) struct Picture {
    pub(super) path: String,
    /// One of [`SETS`].
    pub(super) set: &'static str,
    /// Empty for one without a label.
    pub(super) class: Arc<str>,
    /// Or why it cannot be read.
    pub(super) seen: Result<Seen, String>,
}

/// What is known of a readable picture.
pub(super) struct Seen {
    pub(super) size: [u32; 2],
    pub(super) format: Cow<'static, str>,
    pub(super) content: [u8; 32],
    pub(super) look: Look,
    pub(super) capture: Capture,
}

/// The heading of a table of pictures.
pub(super) const HEADING: [&str; 11] = [
    "path",
    "set",
    "class of picture",
    "width",
    "height",
    "format",
    "content",
    "look",
    "taken",
    "has place",
    "error",
];

/// Decodes the picture at `location`.
pub(super) fn look_at(location: &Location) -> Result<Seen, String> {
    let look_at = |bytes: Vec<u8>| {
        let (size, look) = alike::look_at(&bytes)?;
        Ok(Seen {
            size,
            format: decode::format(&bytes)
                .map_or("unknown", |format| format.extensions_str()[0])
                .into(),
            content: *blake3::hash(&bytes).as_bytes(),
            look,
            capture: Capture::of(&bytes),
        })
    };
    let seen = location.read_with(look_at);
    seen.map_err(|failure| failure.reason()).and_then(|seen| seen)
}

impl Picture {
    /// Its row.
    pub(super) fn cells(&self) -> [String; HEADING.len()] {
        let [path, set, class] = [prefixed("./", &self.path), self.set.into(), prefixed("'", &self.class)];
        match &self.seen {
            Err(reason) => {
                let none = String::new;
                let reason = reason.clone();
                [
                    path,
                    set,
                    class,
                    none(),
                    none(),
                    none(),
                    none(),
                    none(),
                    none(),
                    none(),
                    reason,
                ]
            }
            Ok(seen) => [
                path,
                set,
                class,
                seen.size[0].to_string(),
                seen.size[1].to_string(),
                seen.format.to_string(),
                blake3::Hash::from(seen.content).to_hex().to_string(),
                seen.look.to_text(),
                seen.capture.time().unwrap_or_default(),
                seen.capture.has_place.to_string(),
                String::new(),
            ],
        }
    }

    /// The picture of a row; none where it is no such row. Classes that are `known` are shared.
    pub(super) fn of_cells(
        cells: &csv::StringRecord,
        known: &mut std::collections::HashSet<Arc<str>>,
    ) -> Option<Picture> {
        if cells.len() != HEADING.len() {
            return None;
        }
        let set = SETS.into_iter().find(|set| *set == &cells[1])?;
        let class = cells[2]
            .strip_prefix('\'')
            .filter(|rest| prefixed("'", rest) != **rest)
            .unwrap_or(&cells[2]);
        let class = match known.get(class) {
            Some(class) => class.clone(),
            None => {
                let class: Arc<str> = class.into();
                known.insert(class.clone());
                class
            }
        };
        let seen = match &cells[10] {
            "" => Ok(Seen {
                size: [cells[3].parse().ok()?, cells[4].parse().ok()?],
                format: cells[5].to_string().into(),
                content: *blake3::Hash::from_hex(&cells[6]).ok()?.as_bytes(),
                look: Look::of_text(&cells[7])?,
                capture: Capture::noted(time(&cells[8])?, cells[9].parse().ok()?),
            }),
            reason => Err(reason.to_string()),
        };
        let path = cells[0].to_string();
        Some(Picture { path, set, class, seen })
    }
}

/// A time, which need not be told.
fn time(text: &str) -> Option<Option<DateTime>> {
    match text {
        "" => Some(None),
        text => text.parse().ok().map(Some),
    }
}
