//! `pelage train` as one of several processes, of which the first writes and tells.

use pelage::Run;
use pelage::train::Control;
use pelage::train::ranks::Ranks;

use super::arguments::{Arguments, config, extension};
use crate::failure::{Failure, Outcome};
use crate::signals::{end_on_signal, interrupted, stop_on_signal};

/// Does `work` as one of the processes that were started together, or alone.
#[cfg(feature = "mpi")]
pub(super) fn among(work: impl FnOnce(&Ranks) -> Outcome) -> Outcome {
    use crate::terminal::{silence, warn};

    let world = pelage::train::mpi::World::join()?;
    let ranks = world.ranks();
    if ranks.is_alone() {
        return work(ranks);
    }
    if !ranks.is_first() {
        silence();
    }
    let told = |failure: &Failure| match ranks.rank() {
        0 => failure.to_string(),
        rank => format!("process {rank} of {}, on {}:\n{failure}", ranks.size(), world.host()),
    };
    // The others end when this one has said what it has to say, and not before.
    match work(ranks) {
        Ok(document) => ranks.agree(&mut []).map(|()| document).map_err(Failure::from),
        Err(failure) if failure.is_told() => Err(failure),
        Err(failure) if failure.is_interruption() => {
            ranks.agree(&mut [])?;
            warn(told(&failure));
            Err(Failure::told(failure.exit_code()))
        }
        Err(failure) => {
            let text = told(&failure);
            world.fail(failure.exit_code(), move || warn(&text));
            Err(Failure::told(failure.exit_code()))
        }
    }
}

/// The same in a program that knows no other processes.
#[cfg(not(feature = "mpi"))]
pub(super) fn among(work: impl FnOnce(&Ranks) -> Outcome) -> Outcome {
    // What Open MPI, and MPICH or Slurm, tell each of the processes that they start.
    let sizes = ["OMPI_COMM_WORLD_SIZE", "PMI_SIZE"].map(|name| std::env::var(name).ok()?.parse().ok());
    match sizes.into_iter().flatten().max() {
        Some(2usize..) => Err(Failure::usage(
            "several processes were started to train together, and this pelage was built without MPI",
        )
        .help("build it by `cargo build --release --features pelage-cli/mpi`, or start one process")),
        _ => work(&Ranks::alone()),
    }
}

/// Refuses what several processes cannot do together.
pub(super) fn check(arguments: &Arguments, ranks: &Ranks) -> Result<(), Failure> {
    match arguments.of_several_runs().filter(|_| !ranks.is_alone()) {
        Some(option) => Err(Failure::usage(format!(
            "{option} takes more than one run, and {} processes train one",
            ranks.size()
        ))
        .help("do it in one process")),
        None => Ok(()),
    }
}

/// As one of the processes that write and tell nothing.
pub(super) fn joined(arguments: &Arguments, ranks: &Ranks) -> Outcome {
    let run = match &arguments.resume {
        Some(folder) => Run::join_resumed(folder, extension(arguments)?, &|_| {}),
        None => {
            let config = config(arguments)?;
            config.recipe.check_together(ranks.size())?;
            Run::join(config, &|_| {})
        }
    }?;
    stop_on_signal();
    let trained = run.train_among(ranks, &mut |_| match interrupted() {
        Some(_) => Control::Stop,
        None => Control::Continue,
    });
    end_on_signal();
    trained?;
    Ok(String::new())
}
