//! Names in one form, whichever a system or a person writes them in.

use std::borrow::Cow;

use unicode_normalization::{UnicodeNormalization, is_nfc};

/// A name in Unicode's composed form (NFC): an umlaut is one character, and not a letter with two points after it, as
/// some systems write it.
pub fn composed(name: &str) -> Cow<'_, str> {
    match is_nfc(name) {
        true => Cow::Borrowed(name),
        false => Cow::Owned(name.nfc().collect()),
    }
}
