//! Work on a search: the next thing to do, decided while nobody else decides, and done. Several trials at once are
//! several workers, which know of each other by the record alone, as processes do.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use pelage_data::Progress;

use super::job::Next;
use super::settings::Search;
pub use super::told::{End, Told};
use crate::train::Control;
use crate::{Error, Result};

/// How long to wait for others before looking again.
const PAUSE: Duration = Duration::from_millis(500);
/// The most trials at once in one process.
const MOST: usize = 64;

impl Search {
    /// Works until all trials are done, `until` is over, or `observe` asks to stop. `progress` reports decoding.
    ///
    /// `jobs` trials are trained at once, each on its share of the threads. What comes of a trial does not depend on
    /// that, but which ones are tried does, since each is chosen by what the others have come to by then.
    ///
    /// # Errors
    /// Images, a disk or a record that fail; only failed trials. A setting that diverges is a failed trial, not an
    /// error.
    pub fn work(
        &self,
        jobs: usize,
        until: Option<Instant>,
        progress: &(dyn Fn(Progress) + Sync),
        observe: &mut (dyn FnMut(&Told) -> Control + Send),
    ) -> Result<End> {
        match jobs {
            1 => self.worker(&Mutex::new(()), until, progress, observe),
            2..=MOST => self.workers(jobs, until, progress, observe),
            _ => Err(Error::setting("jobs", jobs, format!("1 to {MOST}"))),
        }
    }

    /// Several at once. What ends one of them ends all.
    fn workers(
        &self,
        jobs: usize,
        until: Option<Instant>,
        progress: &(dyn Fn(Progress) + Sync),
        observe: &mut (dyn FnMut(&Told) -> Control + Send),
    ) -> Result<End> {
        self.base.compute.open()?;
        let threads = rayon::current_num_threads();
        let pool = |worker: usize| {
            let share = (threads / jobs + usize::from(worker < threads % jobs)).max(1);
            let built = rayon::ThreadPoolBuilder::new().num_threads(share).build();
            built.map_err(|failure| Error::Settings(format!("no threads for a trial: {failure}")))
        };
        let pools = (0..jobs).map(pool).collect::<Result<Vec<_>>>()?;
        let (observe, stop, opening) = (Mutex::new(observe), AtomicBool::new(false), Mutex::new(()));
        let work = || {
            let ended = self.worker(&opening, until, progress, &mut |told| {
                if stop.load(Ordering::SeqCst) {
                    return Control::Stop;
                }
                let control = observe.lock().unwrap_or_else(PoisonError::into_inner)(told);
                if control == Control::Stop {
                    stop.store(true, Ordering::SeqCst);
                }
                control
            });
            if ended.is_err() {
                stop.store(true, Ordering::SeqCst);
            }
            ended
        };
        let ends: Vec<Result<End>> = std::thread::scope(|scope| {
            let workers: Vec<_> = pools.iter().map(|pool| scope.spawn(|| pool.install(work))).collect();
            let lost = |_| Err(Error::Settings("a trial ended without a result".into()));
            workers
                .into_iter()
                .map(|worker| worker.join().unwrap_or_else(lost))
                .collect()
        });
        let ends = ends.into_iter().collect::<Result<Vec<_>>>()?;
        let all = [End::Stopped, End::OutOfTime]
            .into_iter()
            .find(|end| ends.contains(end));
        Ok(all.unwrap_or(End::Done))
    }

    /// One trial at a time; `opening` is held by whoever decodes.
    fn worker(
        &self,
        opening: &Mutex<()>,
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
                    if self.train(&job, &mut journal, opening, &over, progress, observe)? == Control::Stop {
                        return Ok(End::Stopped);
                    }
                }
            }
        }
    }
}
