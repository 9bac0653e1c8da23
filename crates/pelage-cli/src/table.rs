//! Tables and numbers as text.

pub(crate) use pelage::draw::text::{duration, fixed, signed, thousands};

use std::collections::BTreeMap;

use console::{Term, measure_text_width};

use crate::terminal::{columns, is_verbose, line, wrapped};
use comfy_table::{CellAlignment, ContentArrangement, LineStyle, Table, TableStyle};
use pelage::data::source::LeftOut;

/// Lines at the top, below the heading, and at the bottom.
const STYLE: TableStyle = TableStyle::new()
    .top_border(RULE)
    .header_separator(RULE)
    .bottom_border(RULE);
const RULE: LineStyle = LineStyle::none().fill('─').junction('─');

/// A table with a heading; columns in `right` (from 0) hold numbers and are right-aligned. Where it is wider than the
/// terminal, each row becomes a paragraph.
pub(crate) fn table(head: &[&str], right: std::ops::Range<usize>, rows: impl Iterator<Item = Vec<String>>) -> String {
    let rows: Vec<_> = rows.collect();
    let table = grid(head, right, rows.iter().cloned());
    match columns(&Term::stdout()) {
        Some(columns) if !fits(&table, columns) => paragraphs(head, &rows, columns),
        _ => table,
    }
}

/// The same, however wide.
pub(crate) fn grid(head: &[&str], right: std::ops::Range<usize>, rows: impl Iterator<Item = Vec<String>>) -> String {
    let mut table = Table::new();
    table
        .load_style(STYLE)
        .set_content_arrangement(ContentArrangement::Disabled);
    if head.iter().any(|name| !name.is_empty()) {
        table.set_header(head.iter().map(|name| line(name)));
    }
    for row in rows {
        table.add_row(row.iter().map(|cell| line(cell)));
    }
    for column in right {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    // The border already ends the last line.
    format!("{table}\n")
}

/// Whether no line of `text` is longer than `columns`.
pub(crate) fn fits(text: &str, columns: usize) -> bool {
    text.lines().all(|line| measure_text_width(line) <= columns)
}

/// Each row as a paragraph: its first cell, then a line for each other one.
fn paragraphs(head: &[&str], rows: &[Vec<String>], columns: usize) -> String {
    let widest = head.iter().skip(1).map(|name| measure_text_width(name)).max();
    let indent = (widest.unwrap_or(0) + 4).min(columns / 2);
    let mut text = String::new();
    for row in rows {
        let mut cells = head.iter().zip(row);
        if let Some((name, first)) = cells.next() {
            let name = if name.is_empty() {
                String::new()
            } else {
                format!("{name} ")
            };
            text += &wrapped(&line(&format!("{name}{first}")), 2, columns);
            text.push('\n');
        }
        for (name, cell) in cells.filter(|(_, cell)| !cell.is_empty()) {
            let padding = indent.saturating_sub(2 + measure_text_width(name)).max(1);
            let told = format!("  {name}{}{}", " ".repeat(padding), line(cell));
            text += &wrapped(&told, indent, columns);
            text.push('\n');
        }
    }
    text
}

/// `1 picture`, `2 pictures`.
pub(crate) fn count(number: usize, noun: &str) -> String {
    format!(
        "{} {noun}{}",
        thousands(number as u64),
        if number == 1 { "" } else { "s" }
    )
}

/// 18.8 MB, 1.2 GB.
pub(crate) fn megabytes(bytes: u64) -> String {
    match bytes {
        0..1_000_000_000 => format!("{:.1} MB", bytes as f64 / 1e6),
        _ => format!("{:.1} GB", bytes as f64 / 1e9),
    }
}

/// The first few items of a list, one per line, and the number of the rest; all of them where everything is told.
pub(crate) fn some(lines: impl ExactSizeIterator<Item = String>, most: usize) -> String {
    let total = lines.len();
    let most = if is_verbose() { usize::MAX } else { most };
    let mut text: String = lines.take(most).map(|one| format!("  {}\n", line(&one))).collect();
    if total > most {
        text += &format!("  and {} more\n", total - most);
    }
    text
}

/// What was left out, a line for each reason, with some of the files; a line for each where everything is told.
pub(crate) fn left_out(left_out: &[LeftOut]) -> String {
    let mut by_reason: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    left_out
        .iter()
        .for_each(|one| by_reason.entry(&one.reason).or_default().push(&one.path));
    if by_reason.is_empty() {
        return String::new();
    }
    if is_verbose() {
        let each = left_out.iter().map(|one| format!("{}: {}", one.path, one.reason));
        return "left out:\n".to_string() + &some(each, usize::MAX);
    }
    let line = |(reason, paths): (&str, Vec<&str>)| {
        let (first, more) = (&paths[..paths.len().min(3)], paths.len().saturating_sub(3));
        let more = match more {
            0 => String::new(),
            more => format!(" and {} more", thousands(more as u64)),
        };
        format!(
            "  {} {reason}: {}{more}\n",
            thousands(paths.len() as u64),
            first.join(", ")
        )
    };
    "left out:\n".to_string() + &by_reason.into_iter().map(line).collect::<String>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_stay_whole() {
        let rows = [vec!["a.jpg".to_string(), "cat 98.1 %".into(), String::new()]];
        assert_eq!(
            paragraphs(&["picture", "class", "others"], &rows, 15),
            "picture a.jpg\n  class cat\n       98.1 %\n"
        );
    }

    #[test]
    fn numbers_are_readable() {
        assert_eq!(duration(59.4), "59 s");
        assert_eq!(duration(200.0), "3 min 20 s");
        assert_eq!(duration(3900.0), "1 h 05 min");
        assert_eq!(
            some(["a", "b", "c"].map(String::from).into_iter(), 2),
            "  a\n  b\n  and 1 more\n"
        );
    }
}
