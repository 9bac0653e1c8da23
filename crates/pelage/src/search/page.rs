//! A search as a page: one file, which needs nothing else.

use maud::{Markup, PreEscaped, html};

use super::digits::{cell, significant};
use super::figures::{parallel, slices, spread};
use super::report::{Report, Row};
use super::settings::Search;
use super::space::Space;
use crate::draw::chart::{self, Axis, Chart, Mark, Series};
use crate::draw::text::{fixed, percent};
use crate::page::page;
use crate::{Error, Result, atomic};

/// The page in the search's folder.
pub const PAGE: &str = "search.html";

/// The frame of the page that is a file.
const FRAME: &str = "
:root { color-scheme: light dark; --ink: #1d2126; --ground: #fbfbfa; --card: #fff; --line: #dfe2e5 }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e7e9ec; --ground: #15181b; --card: #1d2125; --line: #33393f }
}
* { box-sizing: border-box }
body { margin: 0 auto; max-width: 76rem; padding: 1.5rem 1rem 4rem; background: var(--ground); color: var(--ink);
  font: 1rem/1.5 system-ui, sans-serif }
h1 { font-size: 1.5rem; margin: 0 0 .25rem; overflow-wrap: anywhere }
";

/// The looks of [`Search::part`], wherever it stands; the page around it has the colors `--ink`, `--card` and `--line`.
pub const STYLE: &str = "
.search { --soft: #5d6671; --grid: #dfe2e5; --hue0: #3a76a8; --hue1: #c98b2b; --best: #c2410c }
@media (prefers-color-scheme: dark) {
  .search { --soft: #9aa4af; --grid: #33393f; --hue0: #6ba6d6; --hue1: #d9a441; --best: #fb923c }
}
.search h2 { font-size: 1.15rem; margin: 0 0 .5rem }
.search p { margin: 0 0 .75rem } .search .soft { color: var(--soft); font-size: .9rem }
.search section { background: var(--card); border: 1px solid var(--line); border-radius: .6rem; padding: 1rem;
  margin: 1.25rem 0 }
.search .wide { overflow-x: auto } .search table { border-collapse: collapse; font-size: .9rem }
.search :is(th, td) { text-align: left; padding: .25rem .6rem; border-bottom: 1px solid var(--line);
  white-space: nowrap }
.search :is(td, th).number { text-align: right; font-variant-numeric: tabular-nums }
.search svg { max-width: 100%; height: auto } .search svg.parallel { max-width: none }
.search :is(.parallel, .slices) line { stroke: var(--grid) }
.search :is(.parallel, .slices) text { fill: var(--soft); font: 11px system-ui, sans-serif; paint-order: stroke;
  stroke: var(--card); stroke-width: 3px }
.search .parallel text.name { fill: var(--ink); text-anchor: middle; font-weight: 600 }
.search .slices text.left { text-anchor: end } .search .slices text.below { text-anchor: middle }
.search .parallel polyline { fill: none; stroke: var(--soft); stroke-opacity: .3 }
.search .parallel polyline.good { stroke: var(--hue0); stroke-opacity: .6; stroke-width: 1.5 }
.search .parallel polyline.best { stroke: var(--best); stroke-opacity: 1; stroke-width: 2.5 }
.search .parallel polyline:hover { stroke-opacity: 1; stroke-width: 4 }
.search .slices circle { fill: var(--soft); fill-opacity: .45 }
.search .slices circle.good { fill: var(--hue0); fill-opacity: .7 }
.search .slices circle.best { fill: var(--best); fill-opacity: 1 }
.search .slices { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 17rem), 1fr)); gap: 1rem }
.search figure { margin: 0 } .search figcaption { text-align: center; font-weight: 600; font-size: .9rem }
.search .bars { display: grid; grid-template-columns: max-content minmax(4rem, 30rem) max-content; gap: .25rem .75rem;
  align-items: center; font-size: .95rem }
.search .bars progress { width: 100%; accent-color: var(--hue0) }
";

impl Search {
    /// Writes the page into the search's folder.
    ///
    /// # Errors
    /// A folder that cannot be written.
    pub fn write_page(&self, report: &Report) -> Result<()> {
        let html = self.html(report)?;
        Ok(atomic::write(&self.folder.join(PAGE), html.as_bytes())?)
    }

    fn html(&self, report: &Report) -> Result<String> {
        let title = format!("Search: {}", report.folder.display());
        let body = html! { h1 { (title) } (self.body(report)?) };
        Ok(page("pelage search", &title, &[FRAME, STYLE].concat(), &body))
    }

    /// What the page has below its title, as HTML for another page, which has the [`STYLE`]; nothing in it is run. What
    /// has `data-text` is a fixed text of that name, in English, which the other page may put into its own words.
    ///
    /// # Errors
    /// A figure that cannot be drawn.
    pub fn part(&self, report: &Report) -> Result<String> {
        Ok(self.body(report)?.into_string())
    }

    fn body(&self, report: &Report) -> Result<Markup> {
        let data = self.base.shown_data().display().to_string();
        let valued = report.trials.iter().filter(|row| row.value.is_some()).count();
        Ok(html! { div.search {
            p.soft lang="en" {
                (self.base.recipe.name()) " on " (data) ": " (report.trials.len()) " trials of at most "
                (self.base.recipe.epochs) " epochs, chosen by " (report.sampler) ", cut short by " (report.pruner)
                "; measured by " (self.settings.metric.words())
            }
            section {
                h2 data-text="theBest" { "The best" }
                p lang="en" { (report.note()) }
                (table(report, &self.space))
            }
            @if valued > 1 {
                section {
                    h2 data-text="bestSoFar" { "Best so far" }
                    (best_so_far(report, self.settings.metric.words())?)
                }
                section {
                    h2 data-text="parallel" { "Parallel coordinates" }
                    p.soft data-text="parallelHint" {
                        "A line is a trial: the best tenth strong, the best third blue. What does not apply to \
                        a trial runs below the axis."
                    }
                    div.wide { (parallel(report, &self.space)) }
                }
                (importance(report))
                section {
                    h2 data-text="slices" { "Slices" }
                    p.soft data-text="slicesHint" {
                        "A dot is a trial: its value over one setting, all others as they were. The worst tenth lies \
                        at the edge."
                    }
                    (slices(report, &self.space))
                }
            }
        } })
    }
}

fn table(report: &Report, space: &Space) -> Markup {
    let cells = |row: &Row| {
        let one = |name: &String| cell(space, name, row.settings.get(name).map_or("-", String::as_str));
        report.differing.iter().map(one).collect::<Vec<_>>()
    };
    html! {
        div.wide { table {
            thead { tr {
                th.number data-text="trial" { "trial" } th.number data-text=(report.metric) { (report.metric) }
                th.number data-text="epochs" { "epochs" } th data-text="trialState" { "state" }
                @for name in &report.differing { th { (name) } }
            } }
            tbody { @for row in &report.trials { tr title=[row.failure.as_ref()] {
                td.number { (row.trial) @if row.is_baseline { " (base)" } }
                td.number { (row.value.map_or("-".into(), significant)) }
                td.number { (row.epochs) }
                td data-text={ "trial-" (row.state) } { (row.state) }
                @for cell in cells(row) { td { (cell) } }
            } } }
        } }
    }
}

/// Every trial, and the best until then, over their numbers.
fn best_so_far(report: &Report, words: &str) -> Result<Markup> {
    let mut points: Vec<(f64, f64)> = report
        .trials
        .iter()
        .filter_map(|row| Some((row.trial as f64, row.value?)))
        .collect();
    points.sort_by(|a, b| a.0.total_cmp(&b.0));
    let lower = report.metric == "validation-loss";
    let mut best = None;
    let mut steps = Vec::new();
    for &(trial, value) in &points {
        let better = |old: f64| if lower { value < old } else { value > old };
        if best.is_none_or(better) {
            steps.extend(best.map(|old| (trial, old)));
            best = Some(value);
        }
        steps.extend(best.map(|best| (trial, best)));
    }
    let (low, high) = spread(report);
    let margin = 0.05 * (high - low).max(1e-6);
    let inside = |(_, value): &(f64, f64)| (low - margin..=high + margin).contains(value);
    points.retain(inside);
    steps.retain(inside);
    let series = |name: &str, points, mark| Series {
        name: name.into(),
        points,
        mark,
        intervals: Vec::new(),
    };
    let axis = |label, from, to, is_whole| Axis {
        label,
        from,
        to,
        is_whole,
    };
    let last = report.trials.iter().map(|row| row.trial).max().unwrap_or(1);
    let svg = chart::svg(&Chart {
        title: "Best so far",
        description: "The value of every trial, and the best until then, over the number of the trial.",
        x: axis("trial", 0.0, last.max(1) as f64, true),
        y: axis(words, low - margin, high + margin, false),
        series: vec![
            series("best so far", steps, Mark::Line),
            series("trial", points, Mark::Points),
        ],
        diagonal: false,
    });
    let svg = svg.map_err(|reason| Error::Rendering {
        what: "the best so far",
        reason,
    })?;
    Ok(PreEscaped(svg))
}

fn importance(report: &Report) -> Markup {
    html! {
        @if !report.importance.is_empty() {
            section {
                h2 data-text="importance" { "What matters" }
                p.soft data-text="importanceHint" {
                    "Permutation importance: how much worse a random forest predicts the place of a trial among all, \
                    once the values of a setting are exchanged among the trials; as shares of all settings."
                }
                div.bars {
                    @for one in &report.importance {
                        span { (one.setting) }
                        progress max="1" value=(fixed(one.share, 4)) aria-label=(one.setting) {}
                        span { (percent(one.share, 0)) }
                    }
                }
            }
        }
    }
}
