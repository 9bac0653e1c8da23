//! A model on a web page: a router with a page and an API, and a server that keeps its bounds.
//!
//! ```no_run
//! # fn main() -> pelage::Result<()> {
//! use pelage_serve::{App, Audience, Options, bind, models::Models, router, serve};
//!
//! let models = Models::open(&["runs/mine".into()], &pelage::Compute::default(), None, None)?;
//! let audience = Audience::Loopback;
//! let listener = bind("127.0.0.1", 8000, &audience)?;
//! let app = App::start(models, Options { audience, ..Options::default() })?;
//! // Until the future is done; here, for ever.
//! serve(listener, &app, std::future::pending())?;
//! # Ok(()) }
//! ```
//!
//! A request passes [`listen`] (connections, and how long a client may take), [`guard`] (whom it may come from), `api`
//! (what it asks for) and [`engine`] (decoding, then batches, on threads of their own).
#![forbid(unsafe_code)]

pub mod access;
mod api;
pub mod app;
mod assets;
pub mod collect;
pub mod engine;
pub mod guard;
pub mod limits;
pub mod listen;
pub mod metrics;
pub mod models;
pub mod problem;
pub mod runs;
pub mod teach;

pub use access::{Audience, bind};
pub use api::router;
pub use app::{App, Options};
pub use limits::Limits;
pub use listen::serve;
pub use runs::Runs;
