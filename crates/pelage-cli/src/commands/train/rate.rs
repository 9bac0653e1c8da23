//! The learning rate by a range test.

use pelage::Config;
use pelage::runs::range::{STEPS, Tested, test_rates};
use pelage::train::range_test;

use crate::failure::Failure;
use crate::progress::Task;
use crate::signals::{end_on_signal, interrupted, stop_on_signal};
use crate::table::{count, fixed};
use crate::terminal::tell;

/// The test of what `config` describes, under a bar.
pub(in crate::commands) fn tested(config: &Config, steps: usize) -> Result<Tested, Failure> {
    let task = Task::new();
    let tested = test_rates(config, steps, &|progress| task.show(progress), &mut |done| {
        // Until then, while images are decoded, a signal ends the process as ever.
        stop_on_signal();
        task.show(pelage::data::Progress {
            done,
            total: steps,
            what: "steps",
        });
        interrupted().is_none()
    });
    end_on_signal();
    task.finish();
    match (tested?, interrupted()) {
        (_, Some(signal)) => Err(Failure::interrupted(signal, "interrupted; nothing was written")),
        (tested, None) => Ok(tested),
    }
}

/// The rate that `--learning-rate auto` takes.
pub(super) fn found(config: &Config) -> Result<f64, Failure> {
    let tested = tested(config, STEPS)?;
    let points = &tested.points;
    let found = range_test::suggestions(points).ok_or_else(|| {
        Failure::failed("the loss fell at no learning rate, so that none can be suggested")
            .help("give --learning-rate RATE")
    })?;
    tell(format_args!(
        "learning rate: {:.2e}, by a range test of {} steps (`pelage find-rate` draws it)\n",
        found.valley,
        points.len()
    ));
    if let Some(told) = chance(&tested) {
        tell(format_args!("note: {told}\n"));
    }
    Ok(found.valley)
}

/// That nothing was learnt by which a rate could be told from another, where that is so.
pub(in crate::commands) fn chance(tested: &Tested) -> Option<String> {
    let chance = tested.chance.filter(|_| tested.is_learnt() == Some(false))?;
    Some(format!(
        "the loss never came clearly below {}, that of always answering the shares of the classes: nothing was \
         learnt in {}, and the rate is little more than a guess",
        fixed(chance, 4),
        count(tested.points.len(), "step")
    ))
}
