//! What a search has found, as a table and a few sentences.

use pelage::search::Search;
use pelage::search::digits::{cell, significant};
use pelage::search::page::PAGE;
use pelage::search::report::{Report, Row};

use crate::table::{count, table};
use crate::terminal::quoted;

/// Trials in the table.
const SHOWN: usize = 20;

/// The best trials, what is to be thought of them, and what to type next.
pub(super) fn described(search: &Search, report: &Report) -> String {
    let cells = |row: &Row| {
        let base = if row.is_baseline { " (base)" } else { "" };
        let own = [
            format!("{}{base}", row.trial),
            row.value.map_or_else(|| "-".into(), significant),
            row.epochs.to_string(),
            row.state.to_string(),
        ];
        let settings = report
            .differing
            .iter()
            .map(|name| cell(&search.space, name, row.settings.get(name).map_or("-", String::as_str)));
        own.into_iter().chain(settings).collect::<Vec<_>>()
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
    let best = report.trials.first().filter(|row| row.value.is_some());
    if let Some(best) = best {
        let config = quoted(&best.run.join("config.toml"));
        text += &format!("next: `pelage train --config {config} --out RUN`\n");
    }
    // Where nothing was gained, nothing is luck.
    if report.confirmed.is_none() && best.is_some() && report.gain().is_none_or(|gain| gain > 0.0) {
        text += &format!(
            "how much is luck: `pelage search --resume {} --confirm 2`\n",
            quoted(&search.folder)
        );
    }
    text
}
