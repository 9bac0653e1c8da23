//! The processes that `mpirun` or `srun` has started together, as [`Ranks`].

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use mpi::Threading;
use mpi::collective::SystemOperation;
use mpi::environment::{Universe, processor_name};
use mpi::topology::SimpleCommunicator;
use mpi::traits::{Communicator, CommunicatorCollectives, Equivalence};

use super::ranks::Ranks;
use crate::{Error, Result};

/// Values that are summed at once: enough for the full speed of any network, and few to hold twice.
const PIECE: usize = 1 << 22;

/// How long a process that has failed waits for the others to hear of it: less than anyone waits for the job to end.
const GRACE: Duration = Duration::from_secs(10);

/// All processes of a job. When it is dropped they wait for each other to end; in a panic it ends all of them at once,
/// since the others would wait for ever.
pub struct World {
    ranks: Ranks,
    host: String,
    _universe: Universe,
}

impl World {
    /// Joins the job. A process that was started alone is the only one of its own.
    ///
    /// # Errors
    /// A process that has joined before.
    pub fn join() -> Result<World> {
        let Some((universe, _)) = mpi::initialize_with_threading(Threading::Serialized) else {
            return Err(Error::Settings(
                "this process trains together with others already".into(),
            ));
        };
        let world = universe.world();
        Ok(World {
            ranks: Ranks::new(
                world.rank() as usize,
                world.size() as usize,
                Arc::new(sum::<f32>),
                Arc::new(sum::<f64>),
            ),
            host: processor_name().unwrap_or_default(),
            _universe: universe,
        })
    }

    /// This process among them.
    pub fn ranks(&self) -> &Ranks {
        &self.ranks
    }

    /// The name of this machine.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Tells the others that this process has failed, and waits until all know. The first of those that have failed
    /// says why, by `tell`. Where the others are busy for longer, this process ends by `code`, and the job with it.
    pub fn fail(&self, code: u8, tell: impl Fn() + Clone + Send + 'static) {
        let met = Arc::new(AtomicBool::new(false));
        let (late, last) = (met.clone(), tell.clone());
        std::thread::spawn(move || {
            std::thread::sleep(GRACE);
            if !late.swap(true, Ordering::SeqCst) {
                last();
                std::process::exit(code.into());
            }
        });
        let first = self.ranks.fail();
        if !met.swap(true, Ordering::SeqCst) && first == self.ranks.rank() {
            tell();
        }
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if std::thread::panicking() {
            SimpleCommunicator::world().abort(101);
        }
    }
}

fn sum<T: Equivalence + Clone + Default>(values: &mut [T]) {
    let world = SimpleCommunicator::world();
    let mut sums = vec![T::default(); values.len().min(PIECE)];
    for values in values.chunks_mut(PIECE) {
        let sums = &mut sums[..values.len()];
        world.all_reduce_into(&*values, sums, SystemOperation::sum());
        values.clone_from_slice(sums);
    }
}
