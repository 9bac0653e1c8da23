//! Work on a search as a program sees it: who is asked to stop, and what ends all who work on it.

use std::fs;
use std::path::Path;

use image::{Rgb, RgbImage};
use pelage::data::cache::CacheMode;
use pelage::search::pruner::Pruner;
use pelage::search::sampler::Sampler;
use pelage::search::study::{Metric, State};
use pelage::search::worker::{End, Told};
use pelage::search::{Search, Settings, Space};
use pelage::{Config, Control, Recipe};

/// A search of so many tiny trials of so many epochs, which all come to their end.
fn made(folder: &Path, trials: usize, epochs: usize) -> Search {
    for (part, shade) in [("train", 0), ("validation", 9)] {
        for (class, name) in ["level", "upright"].iter().enumerate() {
            let folder = folder.join("data").join(part).join(name);
            fs::create_dir_all(&folder).unwrap();
            for i in 0..4 {
                let stripe = |along: u32| if (along + i) % 6 < 3 { 60 } else { 170 };
                let image = RgbImage::from_fn(16, 16, |x, y| Rgb([stripe([y, x][class]) + shade; 3]));
                image.save(folder.join(format!("{i}.png"))).unwrap();
            }
        }
    }
    let mut base = Config::new(folder.join("data"));
    base.compute.cache = CacheMode::Ram;
    base.recipe = Recipe {
        image_size: 16,
        epochs,
        batch_size: 4,
        patience: 0,
        augmentation: Default::default(),
        ..Recipe::default()
    };
    let text = "[learning_rate]\nlow = 0.001\nhigh = 0.01\nlog = true\n";
    let space = Space::read(text, &base.recipe).unwrap();
    let settings = Settings {
        sampler: Sampler::Random,
        pruner: Pruner::None,
        metric: Metric::ValidationLoss,
        trials: Some(trials),
        seed: 0,
    };
    Search::create(&folder.join("search"), base, space, settings).unwrap()
}

fn states(search: &Search) -> Vec<State> {
    let journal = search.journal().unwrap();
    journal.trials().iter().map(|trial| trial.state).collect()
}

/// Works on it; the first time that `stops`, the observer says so, and never again. How it ended, and the trials begun.
fn stopped(search: &Search, jobs: usize, stops: fn(&Told) -> bool) -> (End, usize) {
    let (mut begun, mut asked) = (0, false);
    let mut observe = |told: &Told| {
        begun += usize::from(matches!(told, Told::Began { .. }));
        match stops(told) && !std::mem::replace(&mut asked, true) {
            true => Control::Stop,
            false => Control::Continue,
        }
    };
    let ended = search.work(jobs, None, &|_| {}, &mut observe).unwrap();
    (ended, begun)
}

#[test]
fn whom_one_is_asked_to_stop_all_do() {
    let folder = tempfile::tempdir().unwrap();
    let search = made(folder.path(), 6, 2);
    let (ended, begun) = stopped(&search, 2, |told| matches!(told, Told::Training { .. }));
    assert_eq!(ended, End::Stopped);
    assert!((1..=2).contains(&begun) && states(&search).len() <= 2, "{begun}");
    assert!(!search.folder.join("working").join("0").exists());
    // What they left is taken up again, and is no trial more.
    let ended = search.work(2, None, &|_| {}, &mut |_| Control::Continue).unwrap();
    assert_eq!((ended, states(&search)), (End::Done, vec![State::Complete; 6]));
}

#[test]
fn whenever_it_is_asked_to_it_stops() {
    let folder = tempfile::tempdir().unwrap();
    let search = made(folder.path(), 3, 1);
    let asked = stopped(&search, 1, |told| matches!(told, Told::Began { .. }));
    assert_eq!(asked, (End::Stopped, 1));
    // Nothing was trained.
    assert_eq!(states(&search), [State::Running]);
    assert!(!search.run(0).exists());
    let asked = stopped(&search, 1, |told| matches!(told, Told::Ended { .. }));
    assert_eq!(asked, (End::Stopped, 1));
    assert_eq!(states(&search), [State::Complete]);
    let asked = stopped(&search, 1, |_| false);
    assert_eq!(asked, (End::Done, 2));
    assert_eq!(states(&search), [State::Complete; 3]);
}

#[test]
fn what_cannot_be_written_ends_all() {
    let folder = tempfile::tempdir().unwrap();
    // Far longer than it takes to find out.
    let search = made(folder.path(), 2, 2000);
    fs::write(search.run(1), b"").unwrap();
    let failed = search.work(2, None, &|_| {}, &mut |_| Control::Continue).unwrap_err();
    assert!(failed.to_string().contains("trial-1"), "{failed}");
    // The other one stopped where it was.
    assert_eq!(states(&search), [State::Running; 2]);
}
