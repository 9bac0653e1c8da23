//! What the parts of a server share.

use std::sync::Arc;

use pelage::{Error, Result};
use tokio::sync::{Semaphore, watch};

use crate::access::Audience;
use crate::engine::Engine;
use crate::limits::Limits;
use crate::metrics::Metrics;
use crate::models::Models;

/// How to serve.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Who may use it.
    pub audience: Audience,
    /// Names that the server is reached by, beside `localhost` and IP addresses.
    pub names: Vec<String>,
    /// Its bounds.
    pub limits: Limits,
}

/// A running application: models, the threads that ask them, counts. Dropping it ends the threads.
pub struct App {
    pub(crate) models: Arc<Models>,
    pub(crate) engine: Engine,
    pub(crate) options: Options,
    pub(crate) metrics: Arc<Metrics>,
    /// Kibibytes of request bodies that may still be held.
    pub(crate) held: Arc<Semaphore>,
    stopping: watch::Sender<bool>,
}

impl App {
    /// Starts the threads.
    ///
    /// # Errors
    /// If the system gives no thread.
    pub fn start(models: Models, options: Options) -> Result<Arc<App>> {
        let (models, metrics) = (Arc::new(models), Arc::new(Metrics::new()));
        let engine = Engine::start(models.clone(), &options.limits, metrics.clone())
            .map_err(|failure| Error::Settings(format!("no thread to compute on: {failure}")))?;
        Ok(Arc::new(App {
            models,
            engine,
            metrics,
            held: Arc::new(Semaphore::new(options.limits.held_bytes >> 10)),
            options,
            stopping: watch::Sender::new(false),
        }))
    }

    /// From now on streams end, and the server is no longer ready.
    pub(crate) fn stop(&self) {
        self.stopping.send_replace(true);
    }

    /// Turns true when the server stops.
    pub(crate) fn stopping(&self) -> watch::Receiver<bool> {
        self.stopping.subscribe()
    }
}
