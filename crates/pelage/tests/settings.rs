//! Every setting of training changes something, and every combination trains or is refused before the first step. The
//! list of settings is the recipe's own, so that none can be forgotten.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, OnceLock};

use pelage::data::augment::FillMode;
use pelage::data::cache::CacheMode;
use pelage::data::dataset::Image;
use pelage::data::memory::InMemory;
use pelage::data::preprocess::ResizeFilter;
use pelage::model::networks::{Head, Pooling, parameters};
use pelage::search::Space;
use pelage::train::named::DESCRIBED;
use pelage::train::recipe::{ClassWeights, Loss, OptimizerKind, Schedule};
use pelage::train::transfer::{Beside, Transfer, Unfreeze};
use pelage::train::{self, Sets};
use pelage::{Architecture, Control, Event, Outcome, Recipe, device};
use proptest::prelude::*;

/// What a training begins from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Begin {
    Scratch,
    Frozen,
    Unfrozen,
}
use Begin::{Frozen, Scratch, Unfrozen};

/// A setting: where it means something, and values of which every two must make a difference there.
struct Case {
    name: &'static str,
    begin: Begin,
    given: &'static [(&'static str, &'static str)],
    values: Vec<&'static str>,
}

fn case(
    name: &'static str,
    begin: Begin,
    given: &'static [(&'static str, &'static str)],
    values: impl AsRef<[&'static str]>,
) -> Case {
    let values = values.as_ref().to_vec();
    Case {
        name,
        begin,
        given,
        values,
    }
}

/// A network that takes images of any size.
const ANY_SIZE: &[(&str, &str)] = &[("model", "lynx"), ("image_size", "32"), ("epochs", "1")];
const SHIFTED: &[(&str, &str)] = &[("width_shift_range", "0.4"), ("height_shift_range", "0.4")];
const SHIFTED_AGAINST: &[(&str, &str)] = &[("width_shift_range", "0.4"), ("fill_mode", "constant")];
const CNN: &[(&str, &str)] = &[("model", "cnn")];
const PLAIN: &[(&str, &str)] = &[("optimizer", "sgd"), ("ema_momentum", "0.0")];
const DECAYING: &[(&str, &str)] = &[("weight_decay", "0.1"), ("ema_momentum", "0.0")];
/// Steps that are too long, so that some epochs are no better than others.
const RESTLESS: &[(&str, &str)] = &[("learning_rate", "0.3"), ("ema_momentum", "0.0"), ("epochs", "8")];

fn cases() -> Vec<Case> {
    let switch = ["false", "true"];
    vec![
        case("model", Scratch, ANY_SIZE, ["cnn3", "lynx"]),
        case("blocks", Scratch, CNN, ["4", "4,8"]),
        case("kernel", Scratch, CNN, ["1", "3", "5"]),
        case("dense", Scratch, CNN, ["none", "8", "8,4"]),
        case("dropout", Scratch, CNN, ["0.0", "0.3"]),
        case("head", Frozen, &[], Head::NAMES),
        case("pooling", Frozen, &[("image_size", "64")], Pooling::NAMES),
        case("logistic", Frozen, &[("epochs", "1")], switch),
        case("flip", Frozen, &[], switch),
        case("unfreeze", Unfrozen, &[], ["none", "last-2", "all"]),
        case("backbone_rate", Unfrozen, &[], ["0.1", "0.5"]),
        case("layer_rate", Unfrozen, &[], ["1.0", "0.5"]),
        case("fixed_norms", Unfrozen, &[], switch),
        case("image_size", Scratch, &[], ["16", "24"]),
        case("image_sizes", Scratch, ANY_SIZE, ["32:1,48:1", "48:1,32:1"]),
        case("evaluation_size", Scratch, ANY_SIZE, ["none", "48"]),
        case("evaluation_flip", Scratch, ANY_SIZE, switch),
        case("resize_filter", Scratch, &[], ResizeFilter::NAMES),
        case("epochs", Scratch, &[], ["1", "2"]),
        case("batch_size", Scratch, &[], ["4", "5"]),
        case("accumulate", Scratch, &[], ["1", "2"]),
        case("optimizer", Scratch, DECAYING, OptimizerKind::NAMES),
        case("learning_rate", Scratch, &[], ["0.01", "0.03"]),
        case("momentum", Scratch, PLAIN, ["0.0", "0.9"]),
        case("nesterov", Scratch, PLAIN, switch),
        case("weight_decay", Scratch, &[], ["0.0", "0.1"]),
        case("decay_norms", Scratch, DECAYING, switch),
        case("head_rate", Scratch, &[], ["1.0", "0.1"]),
        case("clip_norm", Scratch, &[], ["0.0", "0.1"]),
        case("schedule", Scratch, RESTLESS, Schedule::NAMES),
        case("warm_up", Scratch, &[], ["0.0", "1.5"]),
        case("ema_momentum", Scratch, &[], ["0.0", "0.5", "0.999"]),
        case("average_last", Scratch, &[], ["0.0", "0.9"]),
        case("loss", Scratch, &[], Loss::NAMES),
        case("label_smoothing", Scratch, &[], ["0.0", "0.2"]),
        case("class_weights", Scratch, &[], ClassWeights::NAMES),
        case("patience", Scratch, RESTLESS, ["0", "1"]),
        case("min_delta", Scratch, &[("patience", "1")], ["0.0", "10.0"]),
        case("seed", Scratch, &[], ["0", "1"]),
        case("rotation_range", Scratch, &[], ["0.0", "30.0"]),
        case("width_shift_range", Scratch, &[], ["0.0", "0.3", "2.0"]),
        case("height_shift_range", Scratch, &[], ["0.0", "0.3", "2.0"]),
        case("shear_range", Scratch, &[], ["0.0", "20.0"]),
        case("zoom_range", Scratch, &[], ["0.0", "0.3"]),
        case("channel_shift_range", Scratch, &[], ["0.0", "40.0"]),
        case("brightness_range", Scratch, &[], ["none", "0.5,1.5"]),
        case("horizontal_flip", Scratch, &[], switch),
        case("alternating_flip", Scratch, &[], switch),
        case("vertical_flip", Scratch, &[], switch),
        case("random_resized_crop", Scratch, &[], ["none", "0.3,1.0"]),
        case("trivial_augment", Scratch, &[], switch),
        case("rand_augment", Scratch, &[], ["none", "1,20", "2,9"]),
        case("random_erasing", Scratch, &[], ["0.0", "1.0"]),
        case("mixup", Scratch, &[], ["0.0", "0.4"]),
        case("cutmix", Scratch, &[], ["0.0", "1.0"]),
        case("fill_mode", Scratch, SHIFTED, FillMode::NAMES),
        case("fill_value", Scratch, SHIFTED_AGAINST, ["0.0", "200.0"]),
    ]
}

/// Settings that are files, or lists of tables; `what_lies_elsewhere_changes_something` is about them. The last one
/// means something among several processes, see `ranks.rs`.
const ELSEWHERE: [&str; 4] = ["weights", "head_from", "beside", "sync_batch_norm"];
/// What is no setting: tables whose parts are, and a record of what a run began with.
const NO_SETTING: [&str; 3] = ["augmentation", "transfer", "weights_hash"];

/// The settings that a recipe has.
fn settings() -> BTreeSet<String> {
    let json = |recipe: Recipe| serde_json::to_value(recipe).unwrap();
    let keys = |value: &serde_json::Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    let joined = Transfer {
        beside: vec![Beside {
            architecture: Architecture::ResNet18,
            weights: None,
            weights_hash: None,
        }],
        ..Transfer::new(None)
    };
    let recipe = json(Recipe::transfer(Architecture::ResNet18, joined));
    let mut all = keys(&recipe);
    all.extend(keys(&recipe["augmentation"]));
    all.extend(keys(&recipe["transfer"]));
    all.extend(DESCRIBED.map(String::from));
    all.push("pooling".into());
    let mut all: BTreeSet<String> = all.into_iter().collect();
    NO_SETTING.iter().for_each(|name| _ = all.remove(*name));
    all
}

/// A tiny training: eighteen steps at most from scratch.
fn base(begin: Begin) -> Recipe {
    let mut recipe = match begin {
        Scratch => Recipe {
            image_size: 16,
            ..Recipe::default()
        },
        Frozen | Unfrozen => Recipe {
            image_size: 32,
            ..Recipe::transfer(Architecture::MobileNetV2, Transfer::new(None))
        },
    };
    if let (Some(transfer), Unfrozen) = (&mut recipe.transfer, begin) {
        transfer.unfreeze = Unfreeze::Last(2);
    }
    recipe.augmentation = Default::default();
    recipe.patience = 0;
    recipe.batch_size = 4;
    recipe.epochs = match begin {
        Scratch => 6,
        Frozen => 2,
        Unfrozen => 1,
    };
    recipe
}

/// Pictures of another size than any training asks for, of three classes, which have not as many each.
fn sets() -> Sets {
    static MADE: OnceLock<Sets> = OnceLock::new();
    let made = |counts: [usize; 3], first: usize| {
        let mut images = InMemory::new(["level", "slanted", "upright"]);
        for (class, count) in counts.into_iter().enumerate() {
            for i in first..first + count {
                let value = |j: usize| {
                    let (x, y) = (j / 3 % 21, j / 3 / 21);
                    let along = [y, x + y, x][class] + i;
                    let stripe = if along % 6 < 3 { 60 } else { 170 };
                    (stripe + (j * 7 + i * 13) % 40) as u8
                };
                let pixels = (0..21 * 21 * 3).map(value).collect();
                let image = Image::rgb(21, 21, pixels).unwrap();
                images.push(format!("{class}-{i}"), class, image).unwrap();
            }
        }
        Arc::new(images)
    };
    let make = || Sets {
        train: made([6, 4, 2], 0),
        validation: made([3, 3, 2], 50),
        groups: None,
    };
    MADE.get_or_init(make).clone()
}

/// What can be told of a training from outside, but for its speed: its history, and its weights.
fn told(recipe: &Recipe) -> pelage::Result<(String, Outcome)> {
    let device = device::cpu()?;
    let train = train::train(recipe, &sets(), CacheMode::Ram, &device, &mut |_| Control::Continue);
    let (model, outcome) = train?;
    let mut hasher = DefaultHasher::new();
    for (name, values) in parameters::read(&model.network) {
        name.hash(&mut hasher);
        values.data.iter().for_each(|value| value.to_bits().hash(&mut hasher));
    }
    let mut text = format!("{:x}", hasher.finish());
    for row in &outcome.history {
        text += &format!(
            " {} {} {} {} {} {}",
            row.step,
            row.learning_rate,
            row.train_loss,
            row.train_accuracy,
            row.validation_loss,
            row.validation_accuracy
        );
    }
    Ok((text, outcome))
}

/// Trains until the first epoch has been validated; whether a step was done, and what went wrong.
fn begun(recipe: &Recipe) -> (bool, pelage::Result<()>) {
    let mut steps = false;
    let trained = train::train(recipe, &sets(), CacheMode::Ram, &device::cpu().unwrap(), &mut |event| {
        steps |= matches!(event, Event::Batch { .. } | Event::Solved { .. });
        match event {
            Event::EpochEnd { .. } => Control::Stop,
            _ => Control::Continue,
        }
    });
    (steps, trained.map(|_| ()))
}

fn given(begin: Begin, settings: &[(&str, &str)]) -> Recipe {
    let mut recipe = base(begin);
    for (name, text) in settings {
        recipe
            .assign(name, text)
            .unwrap_or_else(|allowed| panic!("{name} {text}: {allowed}"));
    }
    recipe
}

#[test]
fn no_setting_is_forgotten() {
    let mut here: Vec<String> = cases().iter().map(|case| case.name.to_string()).collect();
    here.extend(ELSEWHERE.map(String::from));
    assert_eq!(here.iter().collect::<BTreeSet<_>>().len(), here.len(), "once each");
    assert_eq!(here.into_iter().collect::<BTreeSet<_>>(), settings());
}

#[test]
fn every_setting_changes_something() {
    let mut wrong = Vec::new();
    for case in cases() {
        let mut seen = BTreeMap::new();
        for value in &case.values {
            let mut recipe = given(case.begin, case.given);
            recipe
                .assign(case.name, value)
                .unwrap_or_else(|allowed| panic!("{} {value}: {allowed}", case.name));
            assert_eq!(
                recipe.text_of(case.name).map(|text| same(&text, value)),
                Some(true),
                "{} {value}",
                case.name
            );
            match told(&recipe) {
                Ok((told, _)) => {
                    if let Some(other) = seen.insert(told, value) {
                        wrong.push(format!("{}: {value} does what {other} does", case.name));
                    }
                }
                Err(failure) => wrong.push(format!("{} {value}: {failure}", case.name)),
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Whether two texts are one value.
fn same(a: &str, b: &str) -> bool {
    let numbers = |text: &str| {
        text.split(',')
            .map(|one| one.parse::<f64>().ok())
            .collect::<Option<Vec<_>>>()
    };
    a == b || (numbers(a).is_some() && numbers(a) == numbers(b))
}

#[test]
fn a_search_takes_every_setting_or_says_why_not() {
    for case in cases() {
        let base = given(case.begin, case.given);
        let choices: Vec<String> = case.values.iter().map(|value| format!("{value:?}")).collect();
        let text = format!("[{}]\nchoices = [{}]\n", case.name, choices.join(", "));
        let space = match Space::read(&text, &base) {
            Ok(space) => space,
            Err(told) => {
                assert!(told.contains("it cannot be searched: "), "{told}");
                assert!(
                    ["epochs", "patience", "min_delta", "seed"].contains(&case.name),
                    "{told}"
                );
                continue;
            }
        };
        for (place, value) in case.values.iter().enumerate() {
            let chosen = BTreeMap::from([(case.name.to_string(), place as f64)]);
            let mut expected = base.clone();
            expected.assign(case.name, value).unwrap();
            // As it is given, it is found again: the first trial of a search is this one.
            assert_eq!(space.of(&expected), (chosen.clone(), true), "{} {value}", case.name);
            // A plan of sizes is one of as many epochs as all trials have.
            expected.assign("epochs", &base.epochs.to_string()).unwrap();
            assert_eq!(space.recipe(&base, &chosen).unwrap(), expected, "{} {value}", case.name);
        }
    }
}

#[test]
fn what_lies_elsewhere_changes_something() {
    let place = tempfile::tempdir().unwrap();
    let unfrozen = base(Unfrozen);
    let (plain, _) = told(&unfrozen).unwrap();
    // A trained model is weights, too; its head is one to begin with.
    let more = Recipe {
        seed: 7,
        ..base(Unfrozen)
    };
    let train = train::train(&more, &sets(), CacheMode::Ram, &device::cpu().unwrap(), &mut |_| {
        Control::Continue
    });
    let path = place.path().join("other.safetensors");
    pelage::save(&train.unwrap().0, &path).unwrap();
    let with = |change: &dyn Fn(&mut Transfer)| {
        let mut recipe = unfrozen.clone();
        recipe.transfer.iter_mut().for_each(change);
        recipe
    };
    let of_head = told(&with(&|transfer| transfer.head_from = Some(path.clone())))
        .unwrap()
        .0;
    assert_ne!(of_head, plain);
    let frozen = base(Frozen);
    let joined = Recipe {
        transfer: Some(Transfer {
            beside: vec![Beside {
                architecture: Architecture::ResNet18,
                weights: None,
                weights_hash: None,
            }],
            ..Transfer::new(None)
        }),
        ..frozen.clone()
    };
    assert_ne!(told(&joined).unwrap().0, told(&frozen).unwrap().0);
    // What would be passed over is refused.
    let mut refused = frozen.clone();
    refused.transfer.as_mut().unwrap().head_from = Some(path);
    assert!(told(&refused).unwrap_err().to_string().contains("head_from"));
    let refused = Recipe {
        head_rate: 0.5,
        ..frozen
    };
    assert!(told(&refused).unwrap_err().to_string().contains("head_rate"));
}

/// The settings that a combination may have, each with the values above and some more.
fn values(begin: Begin) -> Vec<(&'static str, Vec<&'static str>)> {
    let mut all: Vec<_> = cases().into_iter().map(|case| (case.name, case.values)).collect();
    for (name, values) in &mut all {
        let more: &[&str] = match *name {
            "model" => &["cnn"],
            "image_size" | "evaluation_size" => &["32", "48"],
            "batch_size" => &["1", "12"],
            "accumulate" => &["7"],
            "momentum" => &["0.99"],
            "warm_up" => &["9.0"],
            "clip_norm" => &["5.0"],
            "weight_decay" => &["0.001"],
            "learning_rate" => &["0.0001"],
            "zoom_range" => &["0.9"],
            "random_resized_crop" => &["0.05,0.1"],
            "rand_augment" => &["14,30"],
            _ => &[],
        };
        match begin {
            Scratch => values.extend(more),
            // Fewer, since each training takes a hundred times as long.
            _ if *name == "model" => *values = vec!["mobilenet_v2"],
            _ => values.truncate(2),
        }
    }
    all
}

/// `settings` on what they begin from, or why not.
fn combined(begin: Begin, settings: &[(&str, &str)]) -> Result<Recipe, String> {
    let mut recipe = base(begin);
    for (name, text) in settings {
        let told = |allowed| format!("{name} is {text}; it must be {allowed}");
        recipe.assign(name, text).map_err(told)?;
    }
    let checked = recipe.validate().and_then(|()| recipe.check_augmentation());
    checked.map(|()| recipe).map_err(|failure| failure.to_string())
}

/// That a combination trains, or is refused before the first step with a reason that names a setting.
fn trains_or_is_refused(begin: Begin, settings: &[(&str, &str)]) -> Result<bool, String> {
    let named = |told: &str| {
        let is_setting = told.contains("must") && self::settings().iter().any(|name| told.contains(name.as_str()));
        match is_setting || told.starts_with("a frozen backbone sees every picture once") {
            true => Ok(false),
            false => Err(format!("{begin:?} {settings:?}: no clear reason: {told}")),
        }
    };
    match combined(begin, settings) {
        Err(told) => named(&told),
        Ok(recipe) => match begun(&recipe) {
            (true, Ok(())) => Ok(true),
            (false, Err(failure)) => named(&failure.to_string()),
            (steps, result) => Err(format!("{begin:?} {settings:?}: {result:?} after steps: {steps}")),
        },
    }
}

/// Numbers by chance, the same in every run.
fn numbers() -> impl FnMut(usize) -> usize {
    let mut state = 1u64;
    move |below| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below
    }
}

/// Every two values of two settings are together in a combination that trains, or are refused for themselves.
fn every_pair(begin: Begin) {
    let values = values(begin);
    let mut random = numbers();
    let mut left = BTreeSet::new();
    for (a, (_, of_a)) in values.iter().enumerate() {
        for (b, (_, of_b)) in values.iter().enumerate().skip(a + 1) {
            left.extend((0..of_a.len()).flat_map(|i| (0..of_b.len()).map(move |j| ((a, i), (b, j)))));
        }
    }
    let (all, mut trained, mut wrong) = (left.len(), 0, Vec::new());
    while let Some(&(first, second)) = left.first() {
        let text = |chosen: &[(usize, usize)]| {
            let mut chosen = chosen.to_vec();
            chosen.sort();
            chosen
                .into_iter()
                .map(|(setting, value)| (values[setting].0, values[setting].1[value]))
                .collect::<Vec<_>>()
        };
        let mut row = vec![first, second];
        left.pop_first();
        if combined(begin, &text(&row)).is_err() {
            wrong.extend(trains_or_is_refused(begin, &text(&row)).err());
            continue;
        }
        let mut others: Vec<usize> = (0..values.len())
            .filter(|&one| one != first.0 && one != second.0)
            .collect();
        while !others.is_empty() {
            let setting = others.swap_remove(random(others.len()));
            // The value with most that is still left, of two drawn.
            let drawn = [0; 2].map(|_| (setting, random(values[setting].1.len())));
            let pair = |a: (usize, usize), b| if a < b { (a, b) } else { (b, a) };
            let gain = |one: &(usize, usize)| row.iter().filter(|other| left.contains(&pair(*one, **other))).count();
            let best = *drawn.iter().max_by_key(|one| gain(one)).unwrap();
            row.push(best);
            if combined(begin, &text(&row)).is_err() {
                row.pop();
            }
        }
        trained += 1;
        wrong.extend(trains_or_is_refused(begin, &text(&row)).err());
        row.sort();
        for (at, &a) in row.iter().enumerate() {
            row[at + 1..].iter().for_each(|&b| _ = left.remove(&(a, b)));
        }
    }
    assert!(wrong.is_empty(), "of {trained} trainings: {wrong:#?}");
    assert!(all > 1000 && trained > 10, "{all} pairs, {trained} trainings");
}

#[test]
fn every_pair_of_settings_trains_or_is_refused_from_scratch() {
    every_pair(Scratch);
}

#[test]
fn every_pair_of_settings_trains_or_is_refused_on_a_frozen_backbone() {
    every_pair(Frozen);
}

#[test]
fn every_pair_of_settings_trains_or_is_refused_on_an_unfrozen_backbone() {
    every_pair(Unfrozen);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    /// Any number of settings at once: mostly refused, and then in words.
    #[test]
    fn any_combination_trains_or_is_refused(
        begin in 0..2usize,
        row in proptest::collection::vec((0..64usize, 0..8usize), 0..12),
    ) {
        let begin = [Scratch, Frozen][begin];
        let values = values(begin);
        let settings: Vec<_> = row
            .iter()
            .map(|(setting, value)| {
                let (name, values) = &values[setting % values.len()];
                (*name, values[value % values.len()])
            })
            .collect();
        let trained = trains_or_is_refused(begin, &settings);
        prop_assert!(trained.is_ok(), "{}", trained.unwrap_err());
    }
}
