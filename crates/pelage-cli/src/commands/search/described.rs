//! What a search has found, as a table and a few sentences.

use pelage::search::Search;
use pelage::search::page::PAGE;
use pelage::search::report::{Report, Row};

use crate::table::{count, fixed, table};
use crate::terminal::quoted;

/// Trials in the table.
const SHOWN: usize = 20;

/// The best trials, what is to be thought of them, and what to type next.
pub(super) fn described(search: &Search, report: &Report) -> String {
    let cells = |row: &Row| {
        let base = if row.is_baseline { " (base)" } else { "" };
        let fixed_cells = [
            format!("{}{base}", row.trial),
            row.value.map_or_else(|| "-".into(), |value| fixed(value, 4)),
            row.epochs.to_string(),
            row.state.to_string(),
        ];
        let settings = report
            .differing
            .iter()
            .map(|name| row.settings.get(name).cloned().unwrap_or("-".into()));
        fixed_cells.into_iter().chain(settings.map(short)).collect::<Vec<_>>()
    };
    let head = ["trial", report.metric, "epochs", "state"];
    let head: Vec<&str> = head
        .into_iter()
        .chain(report.differing.iter().map(String::as_str))
        .collect();
    let mut text = table(&head, 0..3, report.trials.iter().take(SHOWN).map(cells));
    if report.trials.len() > SHOWN {
        text += &format!("and {} more\n", count(report.trials.len() - SHOWN, "trial"));
    }
    text += &format!("{}\n", report.note());
    let shares: Vec<_> = report
        .importance
        .iter()
        .take(5)
        .map(|one| format!("{} {:.0} %", one.setting, 100.0 * one.share))
        .collect();
    if !shares.is_empty() {
        text += &format!("what matters (permutation importance): {}\n", shares.join(", "));
    }
    text += &format!("{}: figures\n", quoted(&search.folder.join(PAGE)));
    if let Some(best) = report.trials.first().filter(|row| row.value.is_some()) {
        let config = quoted(&best.run.join("config.toml"));
        text += &format!("next: `pelage train --config {config} --out RUN`\n");
    }
    if report.confirmed.is_none() {
        text += &format!(
            "how much is luck: `pelage search --resume {} --confirm 2`\n",
            quoted(&search.folder)
        );
    }
    text
}

/// Numbers with as many digits as tell something.
fn short(text: String) -> String {
    match text.parse::<f64>() {
        Ok(number) if text.len() > 7 => {
            let size = number.abs();
            if size > 0.0 && !(0.001..10_000.0).contains(&size) {
                format!("{number:.2e}")
            } else {
                fixed(number, 4)
            }
        }
        _ => text,
    }
}
