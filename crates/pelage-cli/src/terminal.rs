//! What reaches the terminal: never an escape sequence from a file's name, and never a reason to die.

use std::io::Write;

/// Writes to stderr. Where nobody reads it any more, or its disk is full, the work goes on.
pub(crate) fn tell(text: impl std::fmt::Display) {
    let _ = std::io::stderr().lock().write_all(plain(&text.to_string()).as_bytes());
}

/// `text` with its lines, but without what a terminal would obey or what would change the order of its characters: such
/// a character is written as JSON writes it, so that JSON stays JSON.
pub(crate) fn plain(text: &str) -> String {
    let obeyed =
        |c: char| (c.is_control() && c != '\n') || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let mut plain = String::with_capacity(text.len());
    for c in text.chars() {
        match obeyed(c) {
            true => plain.push_str(&format!("\\u{:04x}", u32::from(c))),
            false => plain.push(c),
        }
    }
    plain
}

/// The same for what belongs on one line: a name, a reason.
pub(crate) fn line(text: &str) -> String {
    plain(text).replace('\n', "\\n")
}

/// A path as a shell takes it, for commands to copy.
pub(crate) fn quoted(path: &std::path::Path) -> String {
    let text = path.display().to_string();
    let safe = |c: char| c.is_alphanumeric() || "/._-+,:@%=".contains(c);
    match !text.is_empty() && text.chars().all(safe) && !text.starts_with('-') {
        true => text,
        // A leading dash would be taken for a flag, quoted or not.
        false => format!(
            "'{}{}'",
            if text.starts_with('-') { "./" } else { "" },
            text.replace('\'', "'\\''")
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_would_obey_is_shown() {
        assert_eq!(
            plain("a\x1b[31mb\u{9b}2J\r\n\u{202e}gnp"),
            "a\\u001b[31mb\\u009b2J\\u000d\n\\u202egnp"
        );
        assert_eq!(line("Käfer\n🐈"), "Käfer\\n🐈");
        let json: serde_json::Value = serde_json::from_str(&plain("{\"a\": \"\u{9b}\"}")).unwrap();
        assert_eq!(json["a"], "\u{9b}");
    }

    #[cfg(unix)]
    #[test]
    fn a_shell_reads_the_path_that_was_quoted() {
        for name in [
            "runs/cnn3-1",
            "my pets",
            "it's",
            "$HOME;`x`",
            "-rf",
            "a\nb",
            "Käfer",
            "*",
        ] {
            let script = format!("printf %s {}", quoted(std::path::Path::new(name)));
            let said = std::process::Command::new("sh")
                .arg("-c")
                .arg(&script)
                .output()
                .unwrap();
            let said = String::from_utf8(said.stdout).unwrap();
            assert_eq!(said.strip_prefix("./").unwrap_or(&said), name, "{script}");
        }
    }
}
