//! Tables and numbers as text.

pub(crate) use pelage::draw::text::{duration, fixed, signed, thousands};

use std::collections::BTreeMap;
use std::ops::Range;

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
/// terminal, a few rows of many columns are turned, else each row becomes a paragraph.
pub(crate) fn table(head: &[&str], right: Range<usize>, rows: impl Iterator<Item = Vec<String>>) -> String {
    let rows: Vec<_> = rows.collect();
    let whole = grid(head, right, rows.iter().cloned());
    match too_wide(&whole) {
        Some(columns) => narrow(head, &rows, columns),
        None => whole,
    }
}

/// The columns of the terminal, where they are too few for this table.
fn too_wide(table: &str) -> Option<usize> {
    columns(&Term::stdout()).filter(|&columns| !fits(table, columns))
}

/// The same; where it is too wide, the columns in `spare` are left out first, the first one first.
pub(crate) fn table_without(
    spare: &[&str],
    head: &[&str],
    right: Range<usize>,
    rows: impl Iterator<Item = Vec<String>>,
) -> String {
    let rows: Vec<_> = rows.collect();
    let whole = grid(head, right.clone(), rows.iter().cloned());
    let Some(columns) = too_wide(&whole) else { return whole };
    for left_out in 1..=spare.len() {
        let spare = &spare[..left_out];
        let kept: Vec<usize> = (0..head.len()).filter(|&i| !spare.contains(&head[i])).collect();
        let of = |row: &Vec<String>| kept.iter().map(|&i| row[i].clone()).collect();
        let first = kept.iter().position(|i| right.contains(i)).unwrap_or(0);
        let right = first..first + kept.iter().filter(|i| right.contains(i)).count();
        let head: Vec<&str> = kept.iter().map(|&i| head[i]).collect();
        let table = grid(&head, right, rows.iter().map(of));
        if fits(&table, columns) {
            return table + &format!("a wider terminal also shows: {}\n", spare.join(", "));
        }
    }
    narrow(head, &rows, columns)
}

/// The same as [`table`]; where it is too wide, the words of the column `folded` go on below each other.
pub(crate) fn table_folding(
    folded: usize,
    head: &[&str],
    right: Range<usize>,
    rows: impl Iterator<Item = Vec<String>>,
) -> String {
    let rows: Vec<_> = rows.collect();
    let whole = grid(head, right.clone(), rows.iter().cloned());
    let Some(columns) = too_wide(&whole) else { return whole };
    let widest = |text: &str| text.lines().map(measure_text_width).max().unwrap_or(0);
    let cell = rows
        .iter()
        .map(|row| measure_text_width(&row[folded]))
        .max()
        .unwrap_or(0);
    let left = columns.saturating_sub(widest(&whole).saturating_sub(cell));
    // At most four lines.
    if 4 * left < cell + FOLDED {
        return narrow(head, &rows, columns);
    }
    let fold = |row: &Vec<String>| {
        let mut row: Vec<String> = row.iter().map(|cell| line(cell)).collect();
        row[folded] = wrapped(&row[folded], 0, left);
        row
    };
    let table = grid_of(head, right, rows.iter().map(fold), |cell| cell.to_string());
    match fits(&table, columns) {
        true => table,
        false => narrow(head, &rows, columns),
    }
}

/// What a column that is folded loses where lines end.
const FOLDED: usize = 16;

/// Rows that are read side by side.
const TURNED: usize = 4;

/// What is too wide for a table.
fn narrow(head: &[&str], rows: &[Vec<String>], columns: usize) -> String {
    if rows.len() <= TURNED && head.len() > TURNED {
        let turned = turned(head, rows);
        if fits(&turned, columns) {
            return turned;
        }
    }
    paragraphs(head, rows, columns)
}

/// A column for each row.
fn turned(head: &[&str], rows: &[Vec<String>]) -> String {
    let cells = |column: usize| rows.iter().map(move |row| row[column].as_str());
    let first: Vec<&str> = head.iter().take(1).copied().chain(cells(0)).collect();
    let others = (1..head.len()).filter(|&column| cells(column).any(|cell| !cell.is_empty()));
    let line = |column: usize| {
        std::iter::once(head[column])
            .chain(cells(column))
            .map(String::from)
            .collect()
    };
    grid(&first, 1..first.len(), others.map(line))
}

/// The same, however wide.
pub(crate) fn grid(head: &[&str], right: Range<usize>, rows: impl Iterator<Item = Vec<String>>) -> String {
    grid_of(head, right, rows, line)
}

fn grid_of(
    head: &[&str],
    right: Range<usize>,
    rows: impl Iterator<Item = Vec<String>>,
    shown: impl Fn(&str) -> String,
) -> String {
    let mut table = Table::new();
    table
        .load_style(STYLE)
        .set_content_arrangement(ContentArrangement::Disabled);
    if head.iter().any(|name| !name.is_empty()) {
        table.set_header(head.iter().map(|name| line(name)));
    }
    for row in rows {
        table.add_row(row.iter().map(|cell| shown(cell)));
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
    fn a_few_wide_rows_are_read_side_by_side() {
        let rows = ["a", "b"].map(|run| [run, "1", "", "3", "4"].map(String::from).to_vec());
        let turned = narrow(&["run", "one", "two", "three", "four"], &rows, 30);
        let told: Vec<String> = turned
            .lines()
            .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
            .collect();
        let told: Vec<_> = told.iter().filter(|line| !line.starts_with('─')).collect();
        assert_eq!(told, ["run a b", "one 1 1", "three 3 3", "four 4 4"], "{turned}");
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
