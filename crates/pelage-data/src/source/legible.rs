//! Names that are no text, as text.

use std::ffi::OsStr;

/// A name as text, in which bytes that are no UTF-8 stand as `\\xE4`: two names stay two, since where there is such an
/// escape, or what looks like one, a backslash of the name's own is doubled.
pub(super) fn legible(name: &OsStr) -> String {
    // Elsewhere a backslash stands between folders.
    let is_escaped = cfg!(unix) && name.to_str().is_none_or(|name| name.contains("\\x"));
    escaped(name.as_encoded_bytes(), is_escaped)
}

fn escaped(name: &[u8], is_escaped: bool) -> String {
    let mut text = String::new();
    for chunk in name.utf8_chunks() {
        match is_escaped {
            true => text += &chunk.valid().replace('\\', "\\\\"),
            false => text += chunk.valid(),
        }
        (chunk.invalid().iter()).for_each(|byte| text += &format!("\\x{byte:02X}"));
    }
    text
}

/// The same of a name in an archive.
pub(super) fn legible_bytes(name: &[u8]) -> String {
    match std::str::from_utf8(name) {
        Ok(name) if !name.contains("\\x") => name.to_string(),
        _ => escaped(name, true),
    }
}
