//! What the parts of a server share.

use std::sync::Arc;

use std::path::PathBuf;

use pelage::{Compute, Error, Result};
use tokio::sync::{Semaphore, watch};

use crate::access::Audience;
use crate::collect::Collection;
use crate::engine::Engine;
use crate::limits::Limits;
use crate::metrics::Metrics;
use crate::models::Models;
use crate::runs::Runs;
use crate::teach::{Backbone, School};

/// How to serve.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Who may use it.
    pub audience: Audience,
    /// Names that the server is reached by, beside `localhost` and IP addresses.
    pub names: Vec<String>,
    /// Its bounds.
    pub limits: Limits,
    /// Runs to list.
    pub runs: Runs,
    /// The folder that corrections are kept in; none: they are not asked for.
    pub collect: Option<PathBuf>,
    /// What lessons begin with; none: the page teaches nothing.
    pub teach: Option<Backbone>,
    /// Where lessons compute.
    pub compute: Compute,
}

/// A running application: models, the threads that ask them, counts. Dropping it ends the threads.
pub struct App {
    pub(crate) models: Arc<Models>,
    pub(crate) engine: Engine,
    pub(crate) options: Options,
    pub(crate) metrics: Arc<Metrics>,
    /// Kibibytes of request bodies that may still be held.
    pub(crate) held: Arc<Semaphore>,
    /// Streams of events that may still be opened.
    pub(crate) streams: Arc<Semaphore>,
    pub(crate) collection: Option<Collection>,
    pub(crate) school: Option<School>,
    stopping: watch::Sender<bool>,
}

impl App {
    /// Starts the threads.
    ///
    /// # Errors
    /// A folder of corrections that cannot be used; if the system gives no thread.
    pub fn start(models: Models, options: Options) -> Result<Arc<App>> {
        let (models, metrics) = (Arc::new(models), Arc::new(Metrics::new()));
        let engine = Engine::start(models.clone(), &options.limits, metrics.clone())
            .map_err(|failure| Error::Settings(format!("no thread to compute on: {failure}")))?;
        let limits = &options.limits;
        let open = |folder: &PathBuf| Collection::open(folder, limits.collected_bytes, limits.collected_pictures);
        let collection = options.collect.as_ref().map(open).transpose()?;
        let stopping = watch::Sender::new(false);
        let school = options.teach.clone().map(|backbone| {
            let compute = options.compute.clone();
            School::new(backbone, compute, stopping.subscribe())
        });
        Ok(Arc::new(App {
            collection,
            school,
            streams: Arc::new(Semaphore::new(limits.streams)),
            models,
            engine,
            metrics,
            held: Arc::new(Semaphore::new(options.limits.held_bytes >> 10)),
            options,
            stopping,
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
