//! Teaching on the page: a head on a frozen backbone learns the classes of a handful of pictures, in the background,
//! one lesson at a time. What is learnt stays in memory until the next lesson.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use pelage::data::cache::CacheMode;
use pelage::data::dataset::{Dataset, Image, split};
use pelage::data::memory::InMemory;
use pelage::evaluate::wilson;
use pelage::train::facts::Training;
use pelage::train::transfer::Transfer;
use pelage::train::{Sets, train};
use pelage::{Architecture, Compute, Control, Error, Event, Model, Recipe, Result};
use serde::Serialize;
use tokio::sync::watch;

use crate::problem::{Cause, Problem};

/// The share of the pictures that a lesson is validated on.
const VALIDATION: f64 = 0.2;
/// Pictures of each class that a lesson needs.
pub(crate) const LEAST: usize = 5;

/// The backbone of lessons.
#[derive(Clone, Debug)]
pub struct Backbone {
    /// The network.
    pub architecture: Architecture,
    /// The file of its weights; none: random ones, to try things out.
    pub weights: Option<PathBuf>,
}

/// A picture to learn from: its class, and its bytes.
pub(crate) type Example = (String, Vec<u8>);

/// The lessons of a server.
pub struct School {
    backbone: Backbone,
    compute: Compute,
    /// Ends a lesson with the server.
    stopping: watch::Receiver<bool>,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    lesson: Lesson,
    model: Option<Arc<Model>>,
}

/// How the latest lesson stands.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Lesson {
    /// `none`, `learning`, `done` or `failed`.
    state: &'static str,
    classes: Vec<String>,
    pictures: usize,
    epoch: usize,
    epochs: usize,
    /// On pictures set aside, 0 to 1, and its 95 % interval.
    accuracy: Option<(f64, [f64; 2])>,
    validated: usize,
    error: Option<String>,
}

impl School {
    /// A school on this backbone; nothing is loaded before the first lesson.
    pub(crate) fn new(backbone: Backbone, compute: Compute, stopping: watch::Receiver<bool>) -> School {
        let lesson = Lesson {
            state: "none",
            ..Lesson::default()
        };
        let state = State { lesson, model: None };
        School {
            backbone,
            compute,
            stopping,
            state: Arc::new(Mutex::new(state)),
        }
    }

    /// The name of the backbone.
    pub(crate) fn backbone(&self) -> &'static str {
        self.backbone.architecture.name()
    }

    /// How the latest lesson stands.
    pub(crate) fn lesson(&self) -> Lesson {
        lock(&self.state).lesson.clone()
    }

    /// What was learnt last.
    pub(crate) fn model(&self) -> Option<Arc<Model>> {
        lock(&self.state).model.clone()
    }

    /// Begins a lesson.
    ///
    /// # Errors
    /// Another one that is not over; too few classes or pictures; no thread.
    pub(crate) fn begin(&self, examples: Vec<Example>) -> std::result::Result<(), Problem> {
        let mut classes: Vec<String> = Vec::new();
        for (class, _) in &examples {
            if !classes.contains(class) {
                classes.push(class.clone());
            }
        }
        let of = |class: &String| examples.iter().filter(|(other, _)| other == class).count();
        if classes.len() < 2 {
            return Err(Problem::new(Cause::Option, "a lesson needs two classes"));
        }
        if let Some(class) = classes.iter().find(|class| of(class) < LEAST) {
            let detail = format!("'{class}' has {} pictures, and a lesson needs {LEAST}", of(class));
            return Err(Problem::new(Cause::Option, detail));
        }
        {
            let mut state = lock(&self.state);
            if state.lesson.state == "learning" {
                return Err(Problem::new(Cause::Busy, "another lesson is under way"));
            }
            state.lesson = Lesson {
                state: "learning",
                classes: classes.clone(),
                pictures: examples.len(),
                ..Lesson::default()
            };
        }
        let (backbone, compute, stopping) = (self.backbone.clone(), self.compute.clone(), self.stopping.clone());
        let state = self.state.clone();
        let work = move || {
            let learn = || learn(&backbone, &compute, classes, examples, &stopping, &state);
            let learnt = std::panic::catch_unwind(std::panic::AssertUnwindSafe(learn));
            let mut state = lock(&state);
            match learnt {
                Ok(Ok(model)) => {
                    let training = Training::of(&model.facts);
                    let (share, images) = (training.validation_accuracy, training.validation_images);
                    state.lesson.accuracy = Some((share, wilson(share, images)));
                    state.lesson.validated = images;
                    state.lesson.state = "done";
                    state.model = Some(Arc::new(model));
                }
                Ok(Err(failure)) => failed(&mut state.lesson, failure.to_string()),
                Err(_) => failed(&mut state.lesson, "the lesson broke off".into()),
            }
        };
        let started = thread::Builder::new().name("teach".into()).spawn(work);
        started.map(drop).map_err(|failure| {
            failed(&mut lock(&self.state).lesson, failure.to_string());
            Problem::new(Cause::Failed, failure.to_string())
        })
    }

    /// What was learnt last, as a model file.
    pub(crate) fn file(&self) -> Option<std::result::Result<Vec<u8>, String>> {
        self.model().map(|model| model.encode())
    }
}

fn failed(lesson: &mut Lesson, reason: String) {
    lesson.state = "failed";
    lesson.error = Some(reason);
}

/// Nothing that holds the lock leaves the state half changed.
fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

fn learn(
    backbone: &Backbone,
    compute: &Compute,
    classes: Vec<String>,
    examples: Vec<Example>,
    stopping: &watch::Receiver<bool>,
    state: &Mutex<State>,
) -> Result<Model> {
    let mut images = InMemory::new(classes);
    for (i, (class, bytes)) in examples.into_iter().enumerate() {
        images.push(format!("picture {}", i + 1), class.as_str(), Image::Encoded(bytes))?;
    }
    let images: Arc<dyn Dataset> = Arc::new(images);
    let sets: Sets = split(images, VALIDATION, 0)?.into();
    let recipe = Recipe {
        // A handful of pictures: small steps, many of them.
        batch_size: 16,
        ..Recipe::transfer(backbone.architecture, Transfer::new(backbone.weights.clone()))
    };
    let mut observe = |event: &Event| {
        if let Event::EpochEnd { history, epochs, .. } = event {
            let lesson = &mut lock(state).lesson;
            (lesson.epoch, lesson.epochs) = (history.len(), *epochs);
        }
        match *stopping.borrow() {
            true => Control::Stop,
            false => Control::Continue,
        }
    };
    let (model, _) = train(&recipe, &sets, CacheMode::Ram, &compute.open()?, &mut observe)?;
    match *stopping.borrow() {
        true => Err(Error::Settings("the server stops".into())),
        false => Ok(model),
    }
}
