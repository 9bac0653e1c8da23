//! The learning rate by a range test.

use pelage::Config;
use pelage::runs::range::{STEPS, test_rates};
use pelage::train::range_test::{self, Point};

use crate::failure::Failure;
use crate::progress::Task;
use crate::signals::{interrupted, stop_on_signal};
use crate::terminal::tell;

/// The test of what `config` describes, under a bar.
pub(in crate::commands) fn tested(config: &Config, steps: usize) -> Result<Vec<Point>, Failure> {
    let task = Task::new();
    let points = test_rates(config, steps, &|progress| task.show(progress), &mut |done| {
        // Until then, while images are decoded, a signal ends the process as ever.
        stop_on_signal();
        task.show(pelage::data::Progress {
            done,
            total: steps,
            what: "steps",
        });
        interrupted().is_none()
    });
    task.finish();
    match (points?, interrupted()) {
        (_, Some(signal)) => Err(Failure::interrupted(signal, "interrupted; nothing was written")),
        (points, None) => Ok(points),
    }
}

/// The rate that `--learning-rate auto` takes.
pub(super) fn found(config: &Config) -> Result<f64, Failure> {
    let points = tested(config, STEPS)?;
    let found = range_test::suggestions(&points).ok_or_else(|| {
        Failure::failed("the loss fell at no learning rate, so that none can be suggested")
            .help("give --learning-rate RATE")
    })?;
    tell(format_args!(
        "learning rate: {:.2e}, by a range test of {} steps (`pelage find-rate` draws it)\n",
        found.valley,
        points.len()
    ));
    Ok(found.valley)
}
