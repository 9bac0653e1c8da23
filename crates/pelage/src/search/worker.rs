//! Work on a search: the next thing to do, decided while nobody else decides, and done.

use std::time::{Duration, Instant};

use pelage_data::Progress;

use super::job::Next;
use super::settings::Search;
pub use super::told::{End, Told};
use crate::Result;
use crate::train::Control;

/// How long to wait for others before looking again.
const PAUSE: Duration = Duration::from_millis(500);

impl Search {
    /// Works until all trials are done, `until` is over, or `observe` asks to stop. `progress` reports decoding.
    ///
    /// # Errors
    /// Images, a disk or a record that fail; only failed trials. A setting that diverges is a failed trial, not an
    /// error.
    pub fn work(
        &self,
        until: Option<Instant>,
        progress: &(dyn Fn(Progress) + Sync),
        observe: &mut dyn FnMut(&Told) -> Control,
    ) -> Result<End> {
        let mut journal = self.journal()?;
        let over = || until.is_some_and(|until| Instant::now() >= until);
        loop {
            if over() {
                return Ok(End::OutOfTime);
            }
            match journal.decide(|trials| self.next(trials))? {
                Next::Done => return Ok(End::Done),
                Next::Wait => {
                    if observe(&Told::Waiting) == Control::Stop {
                        return Ok(End::Stopped);
                    }
                    std::thread::sleep(PAUSE);
                }
                Next::Train(job) => {
                    if self.train(&job, &mut journal, &over, progress, observe)? == Control::Stop {
                        return Ok(End::Stopped);
                    }
                }
            }
        }
    }
}
