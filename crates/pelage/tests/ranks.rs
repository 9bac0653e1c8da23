//! Training by several ranks, here threads of this process, which share nothing but sums: the same as by one, as far as
//! rounding goes; the same on every rank, bit for bit; and all of them end alike, whatever happens to one.

use std::sync::{Arc, Barrier, Mutex};

use pelage::data::augment::Augmentation;
use pelage::data::cache::CacheMode;
use pelage::data::dataset::Image;
use pelage::data::memory::InMemory;
use pelage::model::networks::{Head, Network, parameters};
use pelage::model::values::Named;
use pelage::train::checkpoint::Snapshot;
use pelage::train::keep::Keep;
use pelage::train::progress::Progress;
use pelage::train::ranks::{Ranks, Sum};
use pelage::train::recipe::{ClassWeights, OptimizerKind};
use pelage::train::transfer::Transfer;
use pelage::train::{Sets, fit, start};
use pelage::{Architecture, Control, Error, Event, Outcome, Recipe, Result, device};

/// Sums by memory that all threads share, in the order of ranks.
fn sum<T: Copy + Default + std::iter::Sum<T> + Send + 'static>(size: usize) -> impl Fn(usize) -> Sum<T> {
    let (barrier, shared) = (
        Arc::new(Barrier::new(size)),
        Arc::new(Mutex::new(vec![Vec::<T>::new(); size])),
    );
    move |rank| {
        let (barrier, shared) = (barrier.clone(), shared.clone());
        Arc::new(move |values: &mut [T]| {
            shared.lock().unwrap()[rank] = values.to_vec();
            barrier.wait();
            let all = shared.lock().unwrap().clone();
            barrier.wait();
            assert!(
                all.iter().all(|one| one.len() == values.len()),
                "ranks sum different things"
            );
            for (i, value) in values.iter_mut().enumerate() {
                *value = all.iter().map(|one| one[i]).sum();
            }
        })
    }
}

/// What each of `size` ranks returns by `work`.
fn among<T: Send>(size: usize, work: impl Fn(&Ranks) -> T + Sync) -> Vec<T> {
    let (floats, doubles) = (sum::<f32>(size), sum::<f64>(size));
    std::thread::scope(|scope| {
        let start = |rank| {
            let (work, floats, doubles) = (&work, floats(rank), doubles(rank));
            scope.spawn(move || work(&Ranks::new(rank, size, floats, doubles)))
        };
        let started: Vec<_> = (0..size).map(start).collect();
        started.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
}

/// Two classes that differ in color, and noise; 38 images for training are batches of 16, 16 and 6.
fn sets() -> Sets {
    let made = |count: usize, seed: usize| {
        let mut images = InMemory::new(["one", "other"]);
        for i in 0..count {
            let value = |at: usize| {
                let noise = ((at * 2_654_435_761 + (i + seed) * 40_503) >> 7) % 150;
                (noise + if i % 2 == at % 3 { 80 } else { 0 }) as u8
            };
            let image = Image::rgb(32, 32, (0..32 * 32 * 3).map(value).collect()).unwrap();
            images.push(format!("{i}"), i % 2, image).unwrap();
        }
        Arc::new(images)
    };
    Sets {
        train: made(38, 0),
        validation: made(18, 1000),
        groups: None,
    }
}

/// Keeps the best weights, and fails at a checkpoint if it is to.
#[derive(Default)]
struct Kept {
    weights: Named,
    fails: bool,
}

impl Keep for Kept {
    fn checkpoint(&mut self, _take: &dyn Fn() -> Snapshot) -> Result<()> {
        match self.fails {
            true => Err(Error::Settings("the disk is full".into())),
            false => Ok(()),
        }
    }

    fn best(&mut self, networks: Vec<Network>, _progress: &Progress) -> Result<()> {
        self.weights = parameters::read(&networks[0]);
        Ok(())
    }
}

/// Trains as one of the ranks, and tells the others of a failure.
fn train(recipe: &Recipe, ranks: &Ranks, keep: &mut Kept, observe: impl Fn(&Event) -> Control) -> Result<Outcome> {
    let device = device::cpu()?;
    let (start, data) = start::open(recipe, &sets(), CacheMode::Ram, &device, &|_| {})?;
    let trained = fit(
        recipe,
        &start,
        &data,
        &device,
        None,
        keep,
        &mut |event| observe(event),
        ranks,
    );
    if let Err(failure) = &trained
        && !matches!(failure, Error::Elsewhere { .. })
    {
        ranks.fail();
    }
    trained
}

/// Losses in training and validation, epoch by epoch, and the weights, which are those of every rank.
fn learnt(recipe: &Recipe, size: usize) -> (Vec<[f64; 2]>, Named) {
    let mut all = among(size, |ranks| {
        let mut kept = Kept::default();
        let outcome = train(recipe, ranks, &mut kept, |_| Control::Continue).unwrap();
        let losses = outcome.history.iter().map(|row| [row.train_loss, row.validation_loss]);
        (losses.collect::<Vec<_>>(), kept.weights)
    });
    let first = all.remove(0);
    assert!(all.iter().all(|other| *other == first), "ranks came apart");
    first
}

fn recipe() -> Recipe {
    Recipe {
        image_size: 32,
        batch_size: 16,
        epochs: 2,
        patience: 0,
        ..Recipe::default()
    }
}

#[test]
fn any_number_of_ranks_learns_the_same() {
    let mixed = Augmentation {
        mixup: 0.3,
        cutmix: 1.0,
        ..Augmentation::article()
    };
    let recipes = [
        recipe(),
        Recipe {
            accumulate: 2,
            clip_norm: 0.5,
            ema_momentum: 0.9,
            class_weights: ClassWeights::Balanced,
            augmentation: mixed,
            ..recipe()
        },
        Recipe {
            batch_size: 7,
            optimizer: OptimizerKind::Adam,
            learning_rate: 1e-3,
            average_last: 0.5,
            ..recipe()
        },
        Recipe {
            batch_size: 16,
            ..Recipe::transfer(
                Architecture::ResNet18,
                Transfer {
                    head: Head::mlp(),
                    ..Transfer::new(None)
                },
            )
        },
    ];
    for (case, recipe) in recipes.into_iter().enumerate() {
        let recipe = Recipe {
            epochs: 2,
            image_size: 32,
            ..recipe
        };
        let (alone, weights) = learnt(&recipe, 1);
        // The last batch has fewer images than there are ranks.
        for size in [2, 4, 7] {
            let (losses, others) = learnt(&recipe, size);
            for (epoch, (one, several)) in alone.iter().zip(&losses).enumerate() {
                let far = [0, 1].map(|which| (one[which] - several[which]).abs());
                assert!(
                    far.iter().all(|far| *far < 1e-4),
                    "case {case}, {size} ranks, epoch {epoch}: {far:?}"
                );
            }
            assert_eq!(weights.len(), others.len());
            if size == 2 {
                assert_eq!(learnt(&recipe, 2), (losses, others), "case {case}, a second time");
            }
        }
    }
}

#[test]
fn batch_norms_by_the_parts_of_a_batch_are_the_same_on_every_rank() {
    let recipe = Recipe {
        model: Architecture::Lynx,
        epochs: 1,
        ..recipe()
    };
    let (alone, _) = learnt(&recipe, 1);
    let (several, weights) = learnt(&recipe, 3);
    assert!(several[0].iter().all(|loss| loss.is_finite()));
    assert_ne!(alone, several);
    let statistics = weights.iter().filter(|(name, _)| parameters::is_statistic(name));
    let moved = statistics.filter(|(_, values)| values.data.iter().any(|&value| value != 0.0 && value != 1.0));
    assert!(moved.count() > 4);
}

#[test]
fn batch_norms_over_all_ranks_learn_what_one_does() {
    // A second step of ResNet's says little: there the losses of AVX-512 and of the portable source are 1e-2 apart.
    for (model, image_size, batch_size) in [(Architecture::Lynx, 32, 16), (Architecture::ResNet18, 64, 38)] {
        let recipe = |sync_batch_norm| Recipe {
            model,
            image_size,
            batch_size,
            sync_batch_norm,
            epochs: 1,
            learning_rate: 1e-3,
            ..recipe()
        };
        let (alone, weights) = learnt(&recipe(true), 1);
        assert_eq!(
            (&alone, &weights),
            (&learnt(&recipe(false), 1).0, &learnt(&recipe(false), 1).1)
        );
        for size in [2, 3] {
            let (several, others) = learnt(&recipe(true), size);
            let far = [0, 1].map(|which| (alone[0][which] - several[0][which]).abs());
            assert!(far.iter().all(|far| *far < 1e-4), "{model:?}, {size} ranks: {far:?}");
            for (name, values) in weights.iter().filter(|(name, _)| parameters::is_statistic(name)) {
                for (a, b) in values.data.iter().zip(&others[name].data) {
                    assert!((a - b).abs() < 1e-3 * (1.0 + a.abs()), "{model:?} {name}: {a} {b}");
                }
            }
            let local = learnt(&recipe(false), size).0;
            assert!(
                (local[0][0] - alone[0][0]).abs() > 10.0 * far[0],
                "{model:?}: {local:?} {alone:?}"
            );
        }
    }
}

#[test]
fn whoever_asks_to_stop_stops_all_after_the_same_step() {
    let stopped = among(3, |ranks| {
        let batches = Mutex::new(0);
        let outcome = train(&recipe(), ranks, &mut Kept::default(), |event| {
            let asks = matches!(event, Event::Batch { batch: 2, .. }) && ranks.rank() == 2;
            *batches.lock().unwrap() += usize::from(matches!(event, Event::Batch { .. }));
            if asks { Control::Stop } else { Control::Continue }
        });
        (outcome.unwrap().reason, batches.into_inner().unwrap())
    });
    assert_eq!(stopped, [(pelage::train::EndReason::Interrupted, 2); 3]);
}

#[test]
fn a_full_disk_of_one_ends_all() {
    let ended = among(3, |ranks| {
        let mut kept = Kept {
            fails: ranks.is_first(),
            ..Kept::default()
        };
        train(&recipe(), ranks, &mut kept, |_| Control::Continue)
            .unwrap_err()
            .to_string()
    });
    assert_eq!(ended[0], "the disk is full");
    assert!(ended[1..].iter().all(|told| told.contains("process 0")), "{ended:?}");
}

#[test]
fn a_loss_that_explodes_ends_all_by_the_same_error() {
    let recipe = Recipe {
        learning_rate: 1e30,
        ..recipe()
    };
    let ended = among(2, |ranks| {
        train(&recipe, ranks, &mut Kept::default(), |_| Control::Continue)
            .unwrap_err()
            .to_string()
    });
    assert!(ended[0].contains("NaN") && ended[0] == ended[1], "{ended:?}");
}

#[test]
fn ranks_of_other_settings_or_pictures_do_not_begin() {
    let ended = among(2, |ranks| {
        let recipe = Recipe {
            seed: ranks.rank() as u64,
            ..recipe()
        };
        train(&recipe, ranks, &mut Kept::default(), |_| Control::Stop)
            .unwrap_err()
            .to_string()
    });
    assert!(ended.iter().all(|told| told.contains("the settings")), "{ended:?}");
}

#[test]
fn what_several_cannot_do_is_refused() {
    let refused = |recipe: &Recipe| {
        let told = among(3, |ranks| {
            train(recipe, ranks, &mut Kept::default(), |_| Control::Stop)
                .unwrap_err()
                .to_string()
        });
        assert!(told[1..].iter().all(|other| *other == told[0]));
        told[0].clone()
    };
    let few = Recipe {
        batch_size: 2,
        ..recipe()
    };
    assert!(refused(&few).starts_with("batch_size is 2; it must be 3 or more"));
    // 38 images in batches of 12 leave two for three ranks.
    let uneven = Recipe {
        batch_size: 12,
        sync_batch_norm: true,
        ..recipe()
    };
    let told = refused(&uneven);
    assert!(
        told.starts_with("batch_size is 12") && told.contains("a batch of 2"),
        "{told}"
    );
    let solved = Recipe::transfer(
        Architecture::ResNet18,
        Transfer {
            logistic: true,
            ..Transfer::new(None)
        },
    );
    let solved = Recipe {
        image_size: 32,
        ..solved
    };
    assert!(refused(&solved).contains("solved to its optimum"));
}
