//! Choosing settings: many trials, each a run, and what they tell about the settings.
//!
//! A search is a folder. `journal.log` in it is the record and the truth ([`journal`]); `search.toml` and `space.toml`
//! say what is searched and how; `trial-N` is the run of trial N. Any number of processes may work on it, and each on
//! several trials at once: each worker decides what to do next while it alone may write the record ([`worker`]). A
//! trial that is paused, or that a killed process left, goes on from its checkpoint, and is never trained anew.
//!
//! What is tried is up to a [`sampler`], what is given up to a [`pruner`].
//!
//! ```no_run
//! # fn main() -> pelage::Result<()> {
//! use pelage::search::{Search, Settings, Space, pruner::Pruner, sampler::Sampler, study::Metric};
//! use pelage::{Config, train::Control};
//!
//! let base = Config::new("data");
//! let space = Space::built_in(&base.recipe)?;
//! let settings = Settings {
//!     sampler: Sampler::Tpe,
//!     pruner: Pruner::Hyperband,
//!     metric: Metric::ValidationLoss,
//!     trials: Some(50),
//!     seed: 0,
//! };
//! let search = Search::create("searches/mine".as_ref(), base, space, settings)?;
//! search.work(1, None, &|_progress| {}, &mut |_told| Control::Continue)?;
//! println!("{}", search.report()?.note());
//! # Ok(()) }
//! ```

pub mod choosing;
pub mod confirm;
pub mod digits;
pub mod distribution;
mod figures;
mod forest;
pub mod importance;
mod job;
pub mod journal;
mod journal_lock;
mod normal;
pub mod page;
pub mod parzen;
pub mod pruner;
pub mod report;
pub mod sampler;
pub mod settings;
pub mod space;
pub mod study;
mod told;
pub mod tpe;
mod trial;
pub mod worker;

pub use report::Report;
pub use settings::{Search, Settings};
pub use space::Space;
