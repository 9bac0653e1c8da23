//! What reaches the terminal: as much as was asked for, in color where that is wanted, never an escape sequence from a
//! file's name, and never a reason to die.

mod options;

use std::io::Write;
use std::sync::LazyLock;

use console::{Term, measure_text_width};
use indicatif::MultiProgress;
use pelage::data::shown;

use options::settled;
#[cfg(feature = "mpi")]
pub(crate) use options::silence;
pub(crate) use options::{Options, begin, is_json, is_quiet, is_verbose};

/// All bars: text is written above them, never through them.
pub(crate) static BARS: LazyLock<MultiProgress> = LazyLock::new(|| {
    let bars = MultiProgress::new();
    if is_quiet() {
        bars.set_draw_target(indicatif::ProgressDrawTarget::hidden());
    }
    bars
});

/// Whether bars are seen.
pub(crate) fn has_bars() -> bool {
    Term::stderr().is_term() && !is_quiet()
}

/// Writes what is neither a result nor an error to stderr, unless only these are asked for.
pub(crate) fn tell(text: impl std::fmt::Display) {
    if !is_quiet() {
        warn(text);
    }
}

/// Writes to stderr, in any case. Where nobody reads it any more, or its disk is full, the work goes on.
pub(crate) fn warn(text: impl std::fmt::Display) {
    let text = colored(&fitted(&plain(&text.to_string()), &Term::stderr()));
    BARS.suspend(|| _ = anstream::stderr().lock().write_all(text.as_bytes()));
}

/// Writes a result to stdout.
///
/// # Errors
/// A full disk; not a reader that has enough: `pelage predict ... | head`.
pub(crate) fn print(document: &str) -> std::io::Result<()> {
    let text = plain(document);
    match settled().json {
        true => print_exactly(&text),
        false => write(
            &mut anstream::stdout().lock(),
            &colored(&fitted(&text, &Term::stdout())),
        ),
    }
}

/// Writes what a program will read to stdout, as it is: no line is broken, nothing is colored.
///
/// # Errors
/// As [`print()`].
pub(crate) fn print_exactly(document: &str) -> std::io::Result<()> {
    write(&mut std::io::stdout().lock(), document)
}

fn write(out: &mut impl Write, text: &str) -> std::io::Result<()> {
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(closed) if closed.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        written => written,
    }
}

/// The document of `value` where JSON is asked for, else what `described` says.
///
/// # Errors
/// A value that is no JSON, which none of ours is.
pub(crate) fn answer<T: serde::Serialize>(
    value: &T,
    described: impl FnOnce(&T) -> String,
) -> Result<String, serde_json::Error> {
    match is_json() {
        true => Ok(serde_json::to_string_pretty(value)? + "\n"),
        false => Ok(described(value)),
    }
}

/// The words that a line begins with, and how they look.
const LABELS: [(&str, anstyle::AnsiColor); 4] = [
    ("error:", anstyle::AnsiColor::Red),
    ("help:", anstyle::AnsiColor::Green),
    ("note:", anstyle::AnsiColor::Yellow),
    ("info:", anstyle::AnsiColor::Blue),
];

/// `text` with its labels in color; what the stream does not want of it is taken out when it is written.
fn colored(text: &str) -> String {
    let line = |line: &str| {
        let label = LABELS.iter().find(|(label, _)| line.starts_with(label));
        label.map_or_else(
            || line.to_string(),
            |(label, color)| {
                let style = color.on_default().bold();
                format!("{style}{label}{style:#}{}", &line[label.len()..])
            },
        )
    };
    text.split_inclusive('\n').map(line).collect()
}

/// The columns of a terminal, which `COLUMNS` overrides; `None` where it is none.
pub(crate) fn columns(terminal: &Term) -> Option<usize> {
    let set = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
    set.or_else(|| terminal.size_checked().map(|(_, columns)| usize::from(columns)))
}

/// `text` with its long lines broken between words.
fn fitted(text: &str, terminal: &Term) -> String {
    let Some(columns) = columns(terminal) else {
        return text.to_string();
    };
    let broken = text.split_inclusive('\n').map(|whole| {
        let line = whole.trim_end_matches('\n');
        let indent = line.len() - line.trim_start_matches(' ').len() + 2;
        wrapped(line, indent, columns) + &whole[line.len()..]
    });
    broken.collect()
}

/// `text` in lines of at most `columns`, broken between words; lines after the first are indented. A word that is
/// longer is left whole, and so is what is to be copied, in `` ` `` or in quotes, and a number before its `%`.
pub(crate) fn wrapped(text: &str, indent: usize, columns: usize) -> String {
    let (mut lines, mut width) = (String::new(), 0);
    for piece in pieces(text) {
        let wide = measure_text_width(piece.trim_end());
        if width > indent && width + wide > columns {
            lines.truncate(lines.trim_end_matches(' ').len());
            lines += "\n";
            lines += &" ".repeat(indent);
            width = indent;
        }
        lines += piece;
        width += measure_text_width(piece);
    }
    lines
}

/// `text` cut behind blanks, where a line may be broken.
fn pieces(text: &str) -> Vec<&str> {
    let (mut pieces, mut begin, mut inside) = (Vec::new(), 0, None);
    for (at, c) in text.char_indices() {
        let (before, after) = (&text[begin..at], &text[at + c.len_utf8()..]);
        match (c, inside) {
            ('`', None) if after.contains('`') => inside = Some('`'),
            ('`', Some('`')) => inside = None,
            ('\'', None) if is_opened(before) && closing(after) => inside = Some('\''),
            ('\'', Some('\'')) if is_closed(after) => inside = None,
            (' ', None) if !after.starts_with('%') => {
                pieces.push(&text[begin..=at]);
                begin = at + 1;
            }
            _ => {}
        }
    }
    pieces.push(&text[begin..]);
    pieces
}

/// Whether a quote behind `before` opens: as the first of a word.
fn is_opened(before: &str) -> bool {
    before.is_empty() || before.ends_with(['(', '='])
}

/// Whether a quote before `after` closes: as the last of a word, and none that a shell reads as a part of it.
fn is_closed(after: &str) -> bool {
    !after.starts_with(|c: char| c.is_alphanumeric() || c == '\\' || c == '\'')
}

/// Whether one closes somewhere in `text`.
fn closing(text: &str) -> bool {
    text.match_indices('\'').any(|(at, _)| is_closed(&text[at + 1..]))
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
    match text.starts_with('-') {
        // A leading dash would be taken for a flag, quoted or not.
        true => format!("'./{}'", text.replace('\'', "'\\''")),
        false => quoted_text(&text),
    }
}

/// A name as a cell of a table or a part of a sentence: quoted where a line could be broken within it.
pub(crate) fn unbroken(name: &str) -> String {
    match name.contains(' ') {
        true => quoted_text(name),
        false => name.to_string(),
    }
}

/// The same as [`quoted`] of any text that does not begin an argument.
pub(crate) fn quoted_text(text: &str) -> String {
    let safe = |c: char| c.is_alphanumeric() || "/._-+,:@%=".contains(c);
    match !text.is_empty() && text.chars().all(safe) {
        true => text.to_string(),
        false => shown::quoted(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_stay_whole() {
        assert_eq!(
            wrapped("the file is truncated: unexpected end of data", 4, 20),
            "the file is\n    truncated:\n    unexpected end\n    of data"
        );
        assert_eq!(wrapped("a-very-long-word b", 2, 10), "a-very-long-word\n  b");
        assert_eq!(wrapped("Käfer, 写真", 0, 11), "Käfer, 写真");
    }

    #[test]
    fn what_is_copied_stays_whole() {
        assert_eq!(
            wrapped("next: `pelage predict 'my run' a.jpg`, or not", 2, 20),
            "next:\n  `pelage predict 'my run' a.jpg`,\n  or not"
        );
        assert_eq!(wrapped("'my own run': 3 of 4", 2, 10), "'my own run':\n  3 of 4");
        // As a shell quotes what has a quote.
        assert_eq!(wrapped("in 'it'\\''s mine'; b", 2, 8), "in\n  'it'\\''s mine';\n  b");
        assert_eq!(
            wrapped("the run's own 33.3 % of it", 2, 18),
            "the run's own\n  33.3 % of it"
        );
        assert_eq!(wrapped("a ` b and 'c d", 0, 6), "a ` b\nand 'c\nd");
    }

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
