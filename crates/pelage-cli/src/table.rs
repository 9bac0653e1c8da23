//! Tables and numbers as text.

pub(crate) use pelage::draw::text::{duration, thousands};

use std::collections::BTreeMap;

use comfy_table::{CellAlignment, ContentArrangement, LineStyle, Table, TableStyle};
use pelage::data::source::LeftOut;

/// Lines at the top, below the heading, and at the bottom.
const STYLE: TableStyle = TableStyle::new()
    .top_border(RULE)
    .header_separator(RULE)
    .bottom_border(RULE);
const RULE: LineStyle = LineStyle::none().fill('─').junction('─');

/// A table with a heading; columns in `right` (from 0) hold numbers and are right-aligned.
pub(crate) fn table(head: &[&str], right: std::ops::Range<usize>, rows: impl Iterator<Item = Vec<String>>) -> String {
    let mut table = Table::new();
    table
        .load_style(STYLE)
        .set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header(head.iter().copied());
    rows.for_each(|row| {
        table.add_row(row);
    });
    for column in right {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    // The border already ends the last line.
    format!("{table}\n")
}

/// `1 picture`, `2 pictures`.
pub(crate) fn count(number: usize, noun: &str) -> String {
    format!(
        "{} {noun}{}",
        thousands(number as u64),
        if number == 1 { "" } else { "s" }
    )
}

/// 18.8 MB.
pub(crate) fn megabytes(bytes: u64) -> String {
    format!("{:.1} MB", bytes as f64 / 1e6)
}

/// The first few items of a list, one per line, and the number of the rest.
pub(crate) fn some(lines: impl ExactSizeIterator<Item = String>, most: usize) -> String {
    let total = lines.len();
    let mut text: String = lines.take(most).map(|line| format!("  {line}\n")).collect();
    if total > most {
        text += &format!("  and {} more\n", total - most);
    }
    text
}

/// What was left out, a line for each reason, with some of the files.
pub(crate) fn left_out(left_out: &[LeftOut]) -> String {
    let mut by_reason: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    left_out
        .iter()
        .for_each(|one| by_reason.entry(&one.reason).or_default().push(&one.path));
    if by_reason.is_empty() {
        return String::new();
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
