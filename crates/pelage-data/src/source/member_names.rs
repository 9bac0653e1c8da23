//! Names of an archive's members: where they would be unpacked to.

/// A name without `.`, `..` and what is empty between slashes; none where that leaves nothing.
pub(super) fn plain(name: &str) -> Option<String> {
    let parts: Vec<_> = name.split('/').filter(|part| !["", ".", ".."].contains(part)).collect();
    (!parts.is_empty()).then(|| parts.join("/"))
}

/// The name that a symbolic link in place of `from` leads to; none where that is outside of the archive.
pub(super) fn linked(from: &str, target: &str) -> Option<String> {
    let mut parts: Vec<_> = from.split('/').collect();
    parts.pop();
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => _ = parts.pop()?,
            part => parts.push(part),
        }
    }
    (!target.starts_with('/')).then(|| parts.join("/"))
}
