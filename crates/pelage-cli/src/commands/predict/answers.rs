//! What is told of predictions: a table for people, a JSON document, and totals, for which rows need not be kept.

use std::collections::HashMap;
use std::path::PathBuf;

use pelage::data::capture::Capture;
use pelage::data::output::Output;
use pelage::data::source::LeftOut;
use pelage::predict::{UNKNOWN, class_cell};
use pelage::{Model, Prediction};
use serde::Serialize;

use crate::failure::{Failure, Outcome};
use crate::table::{count, left_out, some, table, thousands};
use crate::terminal::{answer, is_json, quoted, unbroken};

/// As many rows as anybody looks at, where a file has them all.
const SHOWN: usize = 1000;

/// Reasons why nothing could be read.
const REASONS: usize = 5;

/// What was answered.
pub(super) struct Answers<'a> {
    model: &'a Model,
    top: usize,
    /// Where all rows are, if they go to a file.
    file: Option<PathBuf>,
    /// Whether rows go to standard output, which then has nothing else.
    is_standard: bool,
    shown: Vec<Prediction>,
    captures: Option<Vec<Capture>>,
    reasons: Vec<String>,
    /// What a class is called, by its cell in a table.
    named: HashMap<String, &'a str>,
    totals: Totals,
}

/// How many pictures there were.
#[derive(Default)]
struct Totals {
    all: usize,
    unreadable: usize,
    /// By class, or [`UNKNOWN`].
    answers: HashMap<String, usize>,
}

impl Totals {
    fn add(&mut self, answer: Option<&str>) {
        self.all += 1;
        match answer {
            None => self.unreadable += 1,
            Some(answer) => match self.answers.get_mut(answer) {
                Some(total) => *total += 1,
                None => _ = self.answers.insert(answer.into(), 1),
            },
        }
    }
}

impl<'a> Answers<'a> {
    /// None yet; of a table in a file no more rows are kept than anybody looks at.
    pub(super) fn new(model: &'a Model, top: usize, csv: Option<&Output>) -> Self {
        let mut named = HashMap::new();
        let classes = model.facts.classes.iter().map(String::as_str);
        for name in classes.chain([UNKNOWN]) {
            named.entry(class_cell(name)).or_insert(name);
        }
        let file = csv.filter(|csv| csv.file().is_some() && !is_json());
        Answers {
            model,
            top: top.max(1),
            file: file.map(|csv| csv.path().into()),
            is_standard: csv.is_some_and(Output::is_standard),
            shown: Vec::new(),
            captures: None,
            reasons: Vec::new(),
            named,
            totals: Totals::default(),
        }
    }

    /// Counts a row that was written before, by its cells.
    pub(super) fn count(&mut self, class: &str, error: &str) {
        let named = self.named.get(class).copied();
        self.totals.add(named.filter(|_| error.is_empty()));
    }

    /// Adds predictions, with when and where their pictures were taken if that is asked for.
    pub(super) fn add(&mut self, predictions: Vec<Prediction>, captures: Option<Vec<Capture>>) {
        for mut prediction in predictions {
            self.totals.add(prediction.answer());
            if let Some(reason) = prediction.error.as_ref().filter(|_| self.reasons.len() < REASONS) {
                self.reasons.push(format!("{}: {reason}", prediction.path));
            }
            let is_shown = match (&self.file, self.is_standard) {
                (_, true) => false,
                (Some(_), _) => self.shown.len() < SHOWN,
                (None, _) => true,
            };
            if is_shown {
                prediction.classes.truncate(self.top);
                self.shown.push(prediction);
            }
        }
        if let (Some(captures), true) = (captures, is_json()) {
            self.captures.get_or_insert_default().extend(captures);
        }
    }

    /// The document.
    pub(super) fn told(self, passed_over: &[LeftOut]) -> Outcome {
        let Totals { all, unreadable, .. } = self.totals;
        if unreadable == all && all > 0 {
            let more = match unreadable.saturating_sub(self.reasons.len()) {
                0 => String::new(),
                more => format!("  ... and {} more\n", thousands(more as u64)),
            };
            let reasons = some(self.reasons.into_iter(), REASONS);
            let found = format!("no picture could be read\n{reasons}{more}{}", left_out(passed_over));
            return Err(Failure::failed(found.trim_end().to_string()));
        }
        if self.is_standard {
            return Ok(String::new());
        }
        if let (true, Some(captures)) = (is_json(), &self.captures) {
            let taken = self.shown.iter().zip(captures).map(Taken::of);
            return Ok(answer(&taken.collect::<Vec<_>>(), |_| String::new())?);
        }
        let calibrated = match self.model.judge.temperature() {
            None => String::new(),
            // Its calibration tells how far a picture is from training, and no more.
            Some(1.0) => "probabilities are as trained: no temperature was known to make them better\n".into(),
            Some(temperature) => format!("probabilities are calibrated (temperature {temperature:.3})\n"),
        };
        Ok(answer(&self.shown, |shown| {
            let more = match (&self.file, all - shown.len()) {
                (Some(file), more @ 1..) => {
                    format!("and {} more: {}\n", thousands(more as u64), quoted(file))
                }
                _ => String::new(),
            };
            rows(shown) + &more + &totals(self.model, &self.totals) + &calibrated + &left_out(passed_over)
        })?)
    }
}

/// A prediction, and when and where its picture was taken.
#[derive(Serialize)]
struct Taken<'a> {
    #[serde(flatten)]
    prediction: &'a Prediction,
    taken: Option<String>,
    latitude: Option<f64>,
    longitude: Option<f64>,
}

impl<'a> Taken<'a> {
    fn of((prediction, capture): (&'a Prediction, &Capture)) -> Self {
        let place = capture.place();
        Taken {
            prediction,
            taken: capture.time(),
            latitude: place.map(|place| place[0]),
            longitude: place.map(|place| place[1]),
        }
    }
}

/// Predictions as text.
pub(in crate::commands) fn described(model: &Model, predictions: &[Prediction]) -> String {
    let mut all = Totals::default();
    predictions.iter().for_each(|prediction| all.add(prediction.answer()));
    rows(predictions) + &totals(model, &all)
}

fn rows(predictions: &[Prediction]) -> String {
    if predictions.is_empty() {
        return String::new();
    }
    let percent = |&(ref class, probability): &(String, f32)| format!("{class} {:.1} %", 100.0 * probability);
    let rows = predictions.iter().map(|prediction| {
        let (answer, rest) = match (&prediction.error, &prediction.doubt) {
            (Some(reason), _) => ("-".into(), reason.clone()),
            (None, Some(doubt)) => {
                let seen: Vec<_> = prediction.classes.iter().map(percent).collect();
                (UNKNOWN.into(), format!("{doubt}; {}", seen.join(", ")))
            }
            (None, None) => {
                let others: Vec<_> = prediction.classes.iter().skip(1).map(percent).collect();
                let first = prediction.classes.first().map(percent).unwrap_or_default();
                (first, others.join(", "))
            }
        };
        vec![unbroken(&prediction.path), answer, rest]
    });
    let mut rows: Vec<_> = rows.collect();
    let mut head = vec!["picture", "class", "others"];
    // As where one class is asked for.
    if rows.iter().all(|row: &Vec<String>| row[2].is_empty()) {
        head.truncate(2);
        rows.iter_mut().for_each(|row| row.truncate(2));
    }
    table(&head, 0..0, rows.into_iter())
}

/// How many of each class, where there is more than one picture.
fn totals(model: &Model, totals: &Totals) -> String {
    if totals.all < 2 {
        return String::new();
    }
    let named = model.facts.classes.iter().map(String::as_str);
    let doubted = totals.answers.contains_key(UNKNOWN);
    let all = named.chain(doubted.then_some(UNKNOWN)).map(|name| {
        let total = totals.answers.get(name).copied().unwrap_or_default();
        format!("{name} {total}")
    });
    let all: Vec<_> = all.collect();
    let unreadable = match totals.unreadable {
        0 => String::new(),
        unreadable => format!(", unreadable {unreadable}"),
    };
    format!("{}: {}{unreadable}\n", count(totals.all, "picture"), all.join(", "))
}
