//! The record of a search, as Optuna's journal storage: a line of JSON for each thing that happens, appended and never
//! changed, so that `optuna.load_study` and `optuna-dashboard` read it while it grows. It is the truth about a search.
//!
//! A process that is killed while it appends leaves a torn line; it is cut off before the next one is appended, since
//! two halves of lines would make the file unreadable.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use super::distribution::Distribution;
use super::journal_lock::JournalLock;
use super::space::Parameters;
use super::study::{Metric, State, Trial};
use crate::{Error, Result};

/// Something that happens in a search.
#[derive(Clone, Debug, PartialEq)]
pub enum Entry {
    /// It begins.
    Study {
        /// What it is called.
        name: String,
        /// What is measured.
        metric: Metric,
    },
    /// A trial begins. One line says all of it, so that there is none without its settings.
    Trial {
        /// The settings.
        parameters: Parameters,
        /// What they were chosen from.
        distributions: BTreeMap<String, Distribution>,
        /// What else is to be noted of it.
        notes: Map<String, Value>,
    },
    /// A trial changes its state.
    State {
        /// Its number.
        number: usize,
        /// The new state.
        state: State,
        /// Its value, where it has come to its end.
        value: Option<f64>,
    },
    /// A trial has done an epoch.
    Epoch {
        /// Its number.
        number: usize,
        /// Epochs done.
        epoch: usize,
        /// The metric.
        value: f64,
    },
    /// Something is noted of a trial.
    Note {
        /// Its number.
        number: usize,
        /// What is noted.
        name: &'static str,
        /// How it is.
        value: Value,
    },
}

/// The numbers of Optuna's operations.
const CREATE_STUDY: u64 = 0;
const STUDY_SYSTEM_ATTRIBUTE: u64 = 3;
const CREATE_TRIAL: u64 = 4;
const PARAMETER: u64 = 5;
const STATE: u64 = 6;
const INTERMEDIATE: u64 = 7;
const TRIAL_ATTRIBUTE: u64 = 8;

/// A journal, and what has been read of it.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    worker: String,
    /// Bytes that have been read, up to the end of a line.
    read: u64,
    /// The study of each trial in the file: Optuna counts over all of them, and anybody may add another study.
    studies: Vec<u64>,
    trials: Vec<Trial>,
}

impl Journal {
    /// Opens the journal at `path`, or begins it.
    ///
    /// # Errors
    /// A file that cannot be read or written, or is no journal.
    pub fn open(path: &Path) -> Result<Journal> {
        File::options()
            .create(true)
            .append(true)
            .open(path)
            .map_err(Error::io(path))?;
        Journal::read(path)
    }

    /// Reads the journal at `path`, and changes nothing.
    ///
    /// # Errors
    /// A file that cannot be read, or is no journal.
    pub fn read(path: &Path) -> Result<Journal> {
        let mut journal = Journal {
            path: path.to_path_buf(),
            worker: format!("{}-{}", std::process::id(), jiff::Timestamp::now().as_nanosecond()),
            read: 0,
            studies: Vec::new(),
            trials: Vec::new(),
        };
        journal.sync()?;
        Ok(journal)
    }

    /// The trials, as far as they have been read.
    pub fn trials(&self) -> &[Trial] {
        &self.trials
    }

    /// Whether nothing has happened yet.
    pub fn is_empty(&self) -> bool {
        self.read == 0
    }

    /// Reads what has been added; a last line that is not whole yet is left for later.
    ///
    /// # Errors
    /// A file that cannot be read, or a line that no journal has.
    pub fn sync(&mut self) -> Result<()> {
        let attempt = || {
            let mut file = File::open(&self.path)?;
            file.seek(SeekFrom::Start(self.read))?;
            let mut added = Vec::new();
            file.read_to_end(&mut added)?;
            Ok(added)
        };
        let added = attempt().map_err(Error::io(&self.path))?;
        let whole = added.iter().rposition(|&byte| byte == b'\n').map_or(0, |end| end + 1);
        for line in added[..whole].split_inclusive(|&byte| byte == b'\n') {
            let entry = serde_json::from_slice(line).map_err(|failure| failure.to_string());
            entry.and_then(|entry| self.apply(&entry)).map_err(|reason| {
                let told = format!("at byte {}, the search's record is damaged: {reason}", self.read);
                Error::model(&self.path, told)
            })?;
            self.read += line.len() as u64;
        }
        Ok(())
    }

    /// Decides about the newest state of things and writes down what is decided, while nobody else can.
    ///
    /// # Errors
    /// A file that cannot be read or written, and any error of `decide`.
    pub fn decide<T>(&mut self, decide: impl FnOnce(&[Trial]) -> Result<(Vec<Entry>, T)>) -> Result<T> {
        let _lock = JournalLock::take(&self.path)?;
        self.sync()?;
        let (entries, decided) = decide(&self.trials)?;
        let mut text = String::new();
        for entry in &entries {
            for line in self.lines(entry) {
                text += &line.to_string();
                text += "\n";
            }
        }
        if text.is_empty() {
            return Ok(decided);
        }
        let attempt = || {
            let mut file = File::options().write(true).open(&self.path)?;
            // Whatever is behind the last whole line was left by a process that was killed.
            file.set_len(self.read)?;
            file.seek(SeekFrom::End(0))?;
            file.write_all(text.as_bytes())?;
            file.sync_data()
        };
        attempt().map_err(Error::io(&self.path))?;
        self.sync()?;
        Ok(decided)
    }

    /// Writes down what happened.
    ///
    /// # Errors
    /// A file that cannot be read or written.
    pub fn append(&mut self, entries: Vec<Entry>) -> Result<()> {
        self.decide(|_| Ok((entries, ())))
    }

    /// The lines of an entry.
    fn lines(&self, entry: &Entry) -> Vec<Value> {
        let now = now();
        // Our trials' places among all in the file.
        let id = |number: usize| {
            let ours = self.studies.iter().enumerate().filter(|(_, study)| **study == 0);
            ours.map(|(id, _)| id).nth(number).unwrap_or(number)
        };
        let line = |operation: u64, fields: Value| {
            let mut line = json!({ "op_code": operation, "worker_id": self.worker });
            if let (Some(line), Value::Object(fields)) = (line.as_object_mut(), fields) {
                line.extend(fields);
            }
            line
        };
        match entry {
            Entry::Study { name, metric } => {
                let direction = if metric.score(1.0) > 0.0 { 1 } else { 2 };
                let names = json!({ "study:metric_names": [metric.words()] });
                vec![
                    line(CREATE_STUDY, json!({ "study_name": name, "directions": [direction] })),
                    line(STUDY_SYSTEM_ATTRIBUTE, json!({ "study_id": 0, "system_attr": names })),
                ]
            }
            Entry::Trial {
                parameters,
                distributions,
                notes,
            } => {
                let distributions: BTreeMap<_, _> =
                    distributions.iter().map(|(name, one)| (name, one.to_json())).collect();
                let fields = json!({
                    "study_id": 0, "datetime_start": now, "state": State::Running, "params": parameters,
                    "distributions": distributions, "user_attrs": notes,
                });
                vec![line(CREATE_TRIAL, fields)]
            }
            Entry::State { number, state, value } => {
                let mut fields = json!({
                    "trial_id": id(*number), "state": state, "values": value.map(|value| [value]),
                });
                if state.is_finished() {
                    fields["datetime_complete"] = now.into();
                } else if *state == State::Running {
                    fields["datetime_start"] = now.into();
                }
                vec![line(STATE, fields)]
            }
            Entry::Epoch { number, epoch, value } => {
                let fields = json!({ "trial_id": id(*number), "step": epoch, "intermediate_value": value });
                vec![line(INTERMEDIATE, fields)]
            }
            Entry::Note { number, name, value } => {
                let note = Map::from_iter([(name.to_string(), value.clone())]);
                vec![line(
                    TRIAL_ATTRIBUTE,
                    json!({ "trial_id": id(*number), "user_attr": note }),
                )]
            }
        }
    }

    /// Takes in a line; what it says of other studies, and of what is no business of ours, is passed over.
    fn apply(&mut self, line: &Value) -> std::result::Result<(), String> {
        let operation = line["op_code"].as_u64().ok_or("a line without an operation")?;
        if operation == CREATE_TRIAL {
            let study = line["study_id"].as_u64().ok_or("a trial of no study")?;
            self.studies.push(study);
            if study == 0 {
                let number = self.trials.len();
                self.trials.push(trial(line, number)?);
            }
            return Ok(());
        }
        let Some(trial) = self.trial_of(line) else {
            return Ok(());
        };
        // As Optuna has it: what is finished stays as it is.
        if trial.state.is_finished() {
            return Ok(());
        }
        match operation {
            PARAMETER => {
                let name = line["param_name"].as_str().ok_or("a setting without a name")?;
                let value = line["param_value_internal"]
                    .as_f64()
                    .ok_or("a setting without a value")?;
                let distribution = distribution(&line["distribution"])?;
                if !distribution.holds(value) {
                    return Err(format!("{name} is none of its values"));
                }
                trial.parameters.insert(name.into(), value);
                trial.distributions.insert(name.into(), distribution);
            }
            STATE => {
                trial.state = state(&line["state"])?;
                if let (Some(value), true) = (line["values"][0].as_f64(), trial.values.is_empty()) {
                    trial.values.insert(1, value);
                }
                if let Some(ended) = line["datetime_complete"].as_str() {
                    trial.ended = Some(ended.into());
                }
            }
            INTERMEDIATE => {
                let epoch = line["step"].as_u64().ok_or("an epoch without a number")?;
                if let Some(value) = line["intermediate_value"].as_f64() {
                    trial.values.insert(epoch as usize, value);
                }
            }
            TRIAL_ATTRIBUTE => {
                let notes = line["user_attr"].as_object().into_iter().flatten();
                trial
                    .notes
                    .extend(notes.map(|(name, value)| (name.clone(), value.clone())));
            }
            _ => {}
        }
        Ok(())
    }

    fn trial_of(&mut self, line: &Value) -> Option<&mut Trial> {
        let id = line["trial_id"].as_u64()? as usize;
        let ours = *self.studies.get(id)? == 0;
        let number = self.studies[..id].iter().filter(|study| **study == 0).count();
        self.trials.get_mut(number).filter(|_| ours)
    }
}

/// A trial as the line that begins it says.
fn trial(line: &Value, number: usize) -> std::result::Result<Trial, String> {
    let numbers = line["params"].as_object().into_iter().flatten();
    let parameters =
        numbers.map(|(name, value)| Ok((name.clone(), value.as_f64().ok_or("a setting without a value")?)));
    let described = line["distributions"].as_object().into_iter().flatten();
    let distributions = described.map(|(name, value)| Ok((name.clone(), distribution(value)?)));
    let state = match &line["state"] {
        Value::Null => State::Running,
        given => state(given)?,
    };
    let parameters: Parameters = parameters.collect::<std::result::Result<_, String>>()?;
    let distributions: BTreeMap<String, Distribution> = distributions.collect::<std::result::Result<_, String>>()?;
    for (name, value) in &parameters {
        match distributions.get(name).is_some_and(|one| one.holds(*value)) {
            true => {}
            false => return Err(format!("{name} is none of its values")),
        }
    }
    Ok(Trial {
        number,
        state,
        parameters,
        distributions,
        values: BTreeMap::new(),
        notes: line["user_attrs"]
            .as_object()
            .into_iter()
            .flatten()
            .map(|(a, b)| (a.clone(), b.clone()))
            .collect(),
        started: line["datetime_start"].as_str().map(String::from),
        ended: None,
    })
}

fn state(value: &Value) -> std::result::Result<State, String> {
    serde_json::from_value(value.clone()).map_err(|failure| failure.to_string())
}

fn distribution(value: &Value) -> std::result::Result<Distribution, String> {
    let text = value.as_str().ok_or("a setting without its distribution")?;
    let read: Distribution = serde_json::from_str(text).map_err(|failure| failure.to_string())?;
    let (low, high) = read.bounds();
    match low <= high && read.step().is_none_or(|step| step > 0.0) {
        true => Ok(read),
        false => Err("a setting has no values".into()),
    }
}

/// The time, as Optuna writes it.
fn now() -> String {
    jiff::Timestamp::now()
        .strftime("%Y-%m-%dT%H:%M:%S%.6f+00:00")
        .to_string()
}

#[cfg(test)]
mod tests {
    use super::super::distribution::Choice;
    use super::*;

    fn begun(folder: &Path) -> Journal {
        let mut journal = Journal::open(&folder.join("journal.log")).unwrap();
        let name = "a search".into();
        journal
            .append(vec![Entry::Study {
                name,
                metric: Metric::ValidationLoss,
            }])
            .unwrap();
        journal
    }

    fn new_trial() -> Entry {
        let choices = ["16,32", "none"].map(|text| Choice::Text(text.into())).to_vec();
        Entry::Trial {
            parameters: Parameters::from([("learning_rate".into(), 0.1 + 0.2), ("dense".into(), 1.0)]),
            distributions: BTreeMap::from([
                (
                    "learning_rate".into(),
                    Distribution::Float {
                        low: 1e-4,
                        high: 1.0,
                        log: true,
                        step: None,
                    },
                ),
                ("dense".into(), Distribution::Categorical { choices }),
            ]),
            notes: Map::from_iter([("baseline".into(), true.into())]),
        }
    }

    #[test]
    fn it_reads_back_what_it_wrote() {
        let folder = tempfile::tempdir().unwrap();
        let mut journal = begun(folder.path());
        let epoch = |number, epoch, value| Entry::Epoch { number, epoch, value };
        let state = |number, state, value| Entry::State { number, state, value };
        let reason = Entry::Note {
            number: 2,
            name: "failure",
            value: "NaN".into(),
        };
        journal.append(vec![new_trial(), new_trial(), new_trial()]).unwrap();
        journal
            .append(vec![epoch(0, 1, 0.1 + 0.7), epoch(0, 2, 0.5), epoch(1, 1, 0.9)])
            .unwrap();
        journal
            .append(vec![
                state(0, State::Complete, Some(0.5)),
                state(1, State::Waiting, None),
            ])
            .unwrap();
        journal.append(vec![reason, state(2, State::Failed, None)]).unwrap();
        // What is finished stays as it is.
        journal
            .append(vec![epoch(2, 1, 0.1), state(0, State::Running, None)])
            .unwrap();
        let other = Journal::open(&folder.path().join("journal.log")).unwrap();
        assert_eq!(other.trials(), journal.trials());
        let [complete, paused, failed] = other.trials() else {
            panic!("{:?}", other.trials())
        };
        let Entry::Trial {
            parameters,
            distributions,
            ..
        } = new_trial()
        else {
            unreachable!()
        };
        assert_eq!(
            (&complete.parameters, &complete.distributions),
            (&parameters, &distributions)
        );
        assert_eq!(
            (complete.state, complete.value(), complete.epochs()),
            (State::Complete, Some(0.5), 2)
        );
        assert_eq!(complete.value_at(1), Some(0.1 + 0.7));
        assert_eq!(
            (paused.state, paused.value(), failed.state),
            (State::Waiting, Some(0.9), State::Failed)
        );
        assert_eq!((failed.values.len(), &failed.notes["failure"]), (0, &"NaN".into()));
        assert!(complete.started.is_some() && complete.ended.as_ref().unwrap().ends_with("+00:00"));
        assert!(!folder.path().join("journal.log.lock").is_symlink());
    }

    #[test]
    fn wherever_a_kill_tears_it_the_next_line_is_whole() {
        let folder = tempfile::tempdir().unwrap();
        let mut journal = begun(folder.path());
        let path = folder.path().join("journal.log");
        let before = std::fs::read(&path).unwrap();
        journal.append(vec![new_trial()]).unwrap();
        let whole = std::fs::read(&path).unwrap();
        for end in before.len()..whole.len() {
            std::fs::write(&path, &whole[..end]).unwrap();
            let mut journal = Journal::open(&path).unwrap();
            assert!(journal.trials().is_empty());
            journal.append(vec![new_trial()]).unwrap();
            assert_eq!(Journal::open(&path).unwrap().trials(), journal.trials());
            assert_eq!(journal.trials().len(), 1);
        }
    }

    #[test]
    fn many_writers_lose_nothing_and_decide_one_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        begun(folder.path());
        let path = folder.path().join("journal.log");
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let mut journal = Journal::open(&path).unwrap();
                    for _ in 0..25 {
                        let seen = journal.decide(|trials| Ok((vec![new_trial()], trials.len()))).unwrap();
                        assert!(journal.trials().len() > seen);
                    }
                });
            }
        });
        let journal = Journal::open(&path).unwrap();
        assert_eq!(journal.trials().len(), 100);
    }

    #[test]
    fn others_may_write_into_it_and_damage_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let mut journal = begun(folder.path());
        journal.append(vec![new_trial()]).unwrap();
        let path = folder.path().join("journal.log");
        let add = |line: &str| {
            let mut text = std::fs::read_to_string(&path).unwrap();
            text += line;
            std::fs::write(&path, text + "\n").unwrap();
        };
        // Another study with a trial, a note by the dashboard, an operation of a later version.
        add(r#"{"op_code":0,"worker_id":"x","study_name":"other","directions":[1]}"#);
        add(r#"{"op_code":4,"worker_id":"x","study_id":1,"datetime_start":null}"#);
        add(r#"{"op_code":8,"worker_id":"x","trial_id":0,"user_attr":{"seen":true}}"#);
        add(r#"{"op_code":7,"worker_id":"x","trial_id":1,"step":1,"intermediate_value":0.1}"#);
        add(r#"{"op_code":99,"worker_id":"x"}"#);
        journal.append(vec![new_trial()]).unwrap();
        journal
            .append(vec![Entry::Epoch {
                number: 1,
                epoch: 1,
                value: 0.25,
            }])
            .unwrap();
        assert_eq!(journal.trials().len(), 2);
        assert_eq!(journal.trials()[0].notes["seen"], true);
        // Of the second trial of ours, which is the third of all.
        assert_eq!(
            (journal.trials()[0].value(), journal.trials()[1].value()),
            (None, Some(0.25))
        );
        let place = r#""{\"name\":\"CategoricalDistribution\",\"attributes\":{\"choices\":[1,2]}}""#;
        let far = format!(r#"{{"op_code":4,"study_id":0,"params":{{"a":2}},"distributions":{{"a":{place}}}}}"#);
        let none = far.replace("[1,2]", "[]").replace(":2}", ":0}");
        for damage in ["no JSON", "{}", r#"{"op_code":6,"trial_id":0,"state":9}"#, &far, &none] {
            let text = std::fs::read(&path).unwrap();
            add(damage);
            let told = journal.append(vec![new_trial()]).unwrap_err().to_string();
            assert!(
                told.contains("record is damaged") && told.contains("journal.log"),
                "{told}"
            );
            std::fs::write(&path, text).unwrap();
        }
    }
}
