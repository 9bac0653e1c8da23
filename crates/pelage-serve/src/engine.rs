//! From bytes to answers, on threads of their own: pictures are decoded one by one, so that a broken one is nobody
//! else's matter, and what is ready goes through the network in one batch as soon as that is free. An answer does not
//! depend on its batch.

mod queue;
mod tasks;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Instant;

use bytes::Bytes;
use pelage::Prediction;
use pelage::model::predict::BATCH;
use tokio::sync::oneshot;

use crate::limits::Limits;
use crate::metrics::Metrics;
use crate::models::Models;
use crate::problem::{Cause, Problem};
use queue::{Place, Places, Queue};
use tasks::Tasks;

/// The most threads that decode: each may need as much memory as its limit allows.
const DECODERS: usize = 8;

/// A picture as it came.
pub struct Picture {
    /// Its name in the answer, and nothing else.
    pub name: String,
    /// The name of its field in a form; empty outside one.
    pub field: String,
    /// The file.
    pub bytes: Bytes,
}

/// The threads, and what waits for them.
pub struct Engine {
    shared: Arc<Shared>,
    tasks: Tasks,
    threads: Vec<JoinHandle<()>>,
}

struct Shared {
    models: Arc<Models>,
    limits: Limits,
    metrics: Arc<Metrics>,
    places: Arc<Places>,
    /// As they came.
    encoded: Queue<Job<Bytes>>,
    /// Few: these are larger.
    decoded: Queue<Job<Vec<f32>>>,
}

/// A picture on its way.
struct Job<T> {
    model: usize,
    name: String,
    content: T,
    deadline: Instant,
    answer: oneshot::Sender<Prediction>,
    /// Free again when this is dropped.
    place: Place,
}

impl<T> Job<T> {
    /// Whether nobody waits for the answer any more.
    fn is_over(&self) -> bool {
        self.answer.is_closed() || Instant::now() > self.deadline
    }
}

impl Engine {
    /// Starts the threads: one for each core to decode, up to [`DECODERS`]; one to predict, which uses all cores; one
    /// for tasks.
    pub(crate) fn start(models: Arc<Models>, limits: &Limits, metrics: Arc<Metrics>) -> std::io::Result<Engine> {
        let shared = Arc::new(Shared {
            models,
            limits: limits.clone(),
            places: Places::new(limits.waiting, metrics.waiting.clone()),
            metrics,
            encoded: Queue::new(usize::MAX),
            decoded: Queue::new(2 * BATCH),
        });
        let decoders = thread::available_parallelism().map_or(1, usize::from).min(DECODERS);
        let mut engine = Engine {
            tasks: Tasks::start(limits.waiting_tasks)?,
            threads: Vec::with_capacity(decoders + 1),
            shared,
        };
        for _ in 0..decoders {
            engine.spawn("decode", Shared::decode)?;
        }
        engine.spawn("predict", Shared::predict)?;
        Ok(engine)
    }

    fn spawn(&mut self, name: &str, work: fn(&Shared)) -> std::io::Result<()> {
        let shared = self.shared.clone();
        let thread = thread::Builder::new().name(name.into()).spawn(move || work(&shared))?;
        self.threads.push(thread);
        Ok(())
    }

    /// What model number `model` says about the pictures, in their order.
    ///
    /// # Errors
    /// A full queue, or no answer in time.
    pub async fn predict(&self, model: usize, pictures: Vec<Picture>) -> Result<Vec<Prediction>, Problem> {
        let shared = &self.shared;
        let full = || Problem::new(Cause::Busy, "more pictures are waiting than the server takes at once");
        let places = shared.places.take(pictures.len()).ok_or_else(full)?;
        let deadline = Instant::now() + shared.limits.answer;
        let mut answers = Vec::with_capacity(pictures.len());
        for (picture, place) in pictures.into_iter().zip(places) {
            let (answer, answered) = oneshot::channel();
            shared.encoded.push(Job {
                model,
                name: picture.name,
                content: picture.bytes,
                deadline,
                answer,
                place,
            });
            answers.push(answered);
        }
        let mut predictions = Vec::with_capacity(answers.len());
        for answered in answers {
            let late = || Problem::new(Cause::Expired, "the answer was not ready in time");
            match tokio::time::timeout_at(deadline.into(), answered).await {
                Ok(Ok(prediction)) => predictions.push(prediction),
                Ok(Err(_)) if Instant::now() < deadline => {
                    return Err(Problem::new(Cause::Failed, "the picture could not be computed"));
                }
                _ => return Err(late()),
            }
        }
        Ok(predictions)
    }

    /// Runs `task` after those that came before, on a thread of its own.
    ///
    /// # Errors
    /// Too many tasks, or no result in time.
    pub async fn run<T: Send + 'static>(&self, task: impl FnOnce() -> T + Send + 'static) -> Result<T, Problem> {
        self.tasks.run(self.shared.limits.answer, task).await
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.shared.encoded.close();
        self.shared.decoded.close();
        for thread in self.threads.drain(..) {
            // One that panicked has ended as well.
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn decode(&self) {
        while let Some(job) = self.encoded.next() {
            if job.is_over() {
                continue;
            }
            let model = self.models.get(job.model);
            let Job {
                model: index,
                name,
                content,
                deadline,
                answer,
                place,
            } = job;
            match model.prepare(&content, &self.limits.decode) {
                Ok(content) => self.decoded.push(Job {
                    model: index,
                    name,
                    content,
                    deadline,
                    answer,
                    place,
                }),
                Err(reason) => {
                    let told = model.predict_inputs(std::iter::once(name), vec![Err(reason)]).pop();
                    // Freed before the answer: who asks again at once finds it.
                    drop(place);
                    told.map(|told| answer.send(told));
                }
            }
        }
    }

    fn predict(&self) {
        let same = |a: &Job<_>, b: &Job<_>| a.model == b.model;
        while let Some(mut jobs) = self.decoded.next_batch(BATCH, same) {
            jobs.retain(|job| !job.is_over());
            let Some(model) = jobs.first().map(|job| self.models.get(job.model)) else {
                continue;
            };
            self.metrics.batches.observe(jobs.len() as f64);
            let (mut names, mut inputs, mut replies) = (Vec::new(), Vec::new(), Vec::new());
            for job in jobs {
                names.push(job.name);
                inputs.push(Ok(job.content));
                replies.push((job.answer, job.place));
            }
            // If it panics, these get no answer, and the next ones do.
            let predict = || model.predict_inputs(names.into_iter(), inputs);
            let Ok(predictions) = catch_unwind(AssertUnwindSafe(predict)) else {
                continue;
            };
            for (prediction, (answer, place)) in predictions.into_iter().zip(replies) {
                drop(place);
                // Who does not wait any more does not mind.
                let _ = answer.send(prediction);
            }
        }
    }
}
