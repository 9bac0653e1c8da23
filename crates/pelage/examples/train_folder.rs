//! Trains on the images in `pictures/` (one folder per class, or class names in file names) and keeps the run.

use pelage::{Config, Control, Event, Recipe, Run};

pub(crate) fn main() -> pelage::Result<()> {
    let recipe = Recipe {
        image_size: 64,
        epochs: 2,
        ..Recipe::default()
    };
    let config = Config {
        validation_split: Some(0.2),
        recipe,
        ..Config::new("pictures")
    };
    let run = Run::create(config, "runs/mine", &|_progress| {})?;
    let outcome = run.train(&mut |event| {
        if let Event::EpochEnd { history, .. } = event {
            println!("{:?}", history.last());
        }
        Control::Continue
    })?;
    println!("{:?}, best epoch {:?}", outcome.reason, outcome.best_epoch);
    Ok(())
}
