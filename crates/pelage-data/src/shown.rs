//! How messages show a path.

use std::path::Path;

/// A path as a part of a sentence: in quotes where its end, or what is in it, could not be seen without.
pub fn path(path: &(impl AsRef<Path> + ?Sized)) -> String {
    let path = path.as_ref().display().to_string();
    let plain = |c: char| !c.is_whitespace() && !c.is_control() && !"'\"`".contains(c);
    match !path.is_empty() && path.chars().all(plain) {
        true => path,
        false => quoted(&path),
    }
}

/// `text` in quotes, as a shell takes it.
pub fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_blanks_is_in_quotes() {
        for (given, expected) in [
            ("runs/cnn3-1", "runs/cnn3-1"),
            ("data/Käfer (2)!a,b.jpg", "'data/Käfer (2)!a,b.jpg'"),
            ("data/Käfer(2)!a,b.jpg", "data/Käfer(2)!a,b.jpg"),
            (r"C:\data", r"C:\data"),
            ("my pets", "'my pets'"),
            ("it's", r"'it'\''s'"),
            ("two\nlines", "'two\nlines'"),
            ("", "''"),
        ] {
            assert_eq!(path(given), expected);
        }
    }
}
