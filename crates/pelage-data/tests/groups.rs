//! Groups, and splits that leave each of them on one side.

mod support;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;

use image::{ImageFormat, RgbImage};
use pelage_data::catalog::{Catalog, Opening, Split, open_parts_at};
use pelage_data::dataset::{Dataset, Image, folds, split, split_grouped};
use pelage_data::groups::{self, GroupBy};
use pelage_data::memory::InMemory;
use pelage_data::organize::Options;
use pelage_data::{Error, Result, inspect::inspect};
use proptest::prelude::*;
use support::exif::tagged;
use support::organizing::{Scratch, counts, expected, refused, run};
use support::{class_folders, encoded, png, scene, write};

/// Images in memory, by class and content.
fn in_memory(classes: usize, images: &[(usize, u64)]) -> InMemory {
    let mut memory = InMemory::new((0..classes).map(|class| class.to_string()));
    for (i, (class, content)) in images.iter().enumerate() {
        let bytes = content.to_le_bytes().to_vec();
        memory.push(i.to_string(), *class, Image::Encoded(bytes)).unwrap();
    }
    memory
}

/// Whether each image is in validation.
fn sides(parted: &[pelage_data::dataset::Subset; 2], count: usize) -> Vec<bool> {
    let [train, validation] = parted;
    let mut sides = vec![None; count];
    for (set, is_validation) in [(train, false), (validation, true)] {
        for index in 0..set.len() {
            let number: usize = set.name(index).parse().unwrap();
            assert!(sides[number].replace(is_validation).is_none());
        }
    }
    sides.into_iter().map(Option::unwrap).collect()
}

/// The split before there were groups, as it was written then.
fn without_groups(classes: usize, images: &[(usize, u64)], ratio: f64, seed: u64) -> Option<Vec<bool>> {
    let mut by_content: HashMap<blake3::Hash, Vec<usize>> = HashMap::new();
    for (i, (_, content)) in images.iter().enumerate() {
        by_content
            .entry(blake3::hash(&content.to_le_bytes()))
            .or_default()
            .push(i);
    }
    let mut counts = vec![0; classes];
    images.iter().for_each(|(label, _)| counts[*label] += 1);
    let share = |&count: &usize| {
        ((count as f64 * ratio).round() as usize).clamp(usize::from(count > 1), count.saturating_sub(1))
    };
    let mut wanted: Vec<usize> = counts.iter().map(share).collect();
    let mut units: Vec<(u8, [u8; 32], Vec<usize>)> = by_content
        .into_iter()
        .map(|(hash, members)| {
            let key = *blake3::hash(&[&seed.to_le_bytes()[..], hash.as_bytes()].concat()).as_bytes();
            let chance = f64::from(u32::from_le_bytes([key[0], key[1], key[2], key[3]])) / f64::from(u32::MAX);
            let turn = match members.len() {
                1 => 1,
                _ if chance < ratio => 0,
                _ => 2,
            };
            (turn, key, members)
        })
        .collect();
    units.sort_unstable();
    let (mut chosen, mut of_class) = (vec![false; images.len()], vec![0; classes]);
    for (_, _, members) in units {
        let mut needs: BTreeMap<usize, usize> = BTreeMap::new();
        members
            .iter()
            .for_each(|&i| *needs.entry(images[i].0).or_default() += 1);
        if needs.iter().all(|(&label, &need)| wanted[label] >= need) {
            for (&label, &need) in &needs {
                wanted[label] -= need;
                of_class[label] += need;
            }
            members.iter().for_each(|&i| chosen[i] = true);
        }
    }
    of_class.iter().all(|count| *count > 0).then_some(chosen)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn without_groups_the_split_is_what_it_always_was(
        images in prop::collection::vec((0usize..3, 0u64..80), 10..150), ratio in 0.05f64..0.95, seed in 0u64..9,
    ) {
        let parted = split(Arc::new(in_memory(3, &images)), ratio, seed);
        let found = parted.ok().map(|parted| sides(&parted, images.len()));
        prop_assert_eq!(found, without_groups(3, &images, ratio, seed));
    }

    /// Groups of one class or several, of any size, some images of which are byte-identical to others.
    #[test]
    fn no_group_is_on_both_sides(
        images in prop::collection::vec((0usize..3, 0u64..400, 0usize..25), 30..200),
        ratio in 0.1f64..0.5,
        seed in 0u64..9,
        one_class: bool,
    ) {
        let images: Vec<_> = images.into_iter().map(|(class, content, group)| {
            // Contents of one class and group, so that they join nothing.
            let group = if one_class { group * 3 + class } else { group };
            let content = if one_class { content * 1000 + group as u64 } else { content };
            (class, content, group)
        }).collect();
        let contents: Vec<_> = images.iter().map(|(class, content, _)| (*class, *content)).collect();
        let groups: Vec<_> = images.iter().map(|(_, _, group)| *group).collect();
        let memory = Arc::new(in_memory(3, &contents));
        let parted = match split_grouped(memory.clone(), &groups, ratio, seed) {
            Ok(parted) => parted,
            Err(Error::Split { .. }) => return Ok(()),
            Err(other) => return Err(TestCaseError::fail(other.to_string())),
        };
        let in_validation = sides(&parted, images.len());
        for (a, (_, content, group)) in images.iter().enumerate() {
            for (b, (_, other_content, other_group)) in images.iter().enumerate() {
                if content == other_content || group == other_group {
                    prop_assert_eq!(in_validation[a], in_validation[b]);
                }
            }
        }
        for class in 0..3 {
            let of = |keep: &dyn Fn(usize) -> bool| (0..images.len()).filter(|&i| images[i].0 == class && keep(i)).count();
            let (all, chosen) = (of(&|_| true), of(&|i| in_validation[i]));
            prop_assert!(chosen > 0 && chosen < all, "class {}: {} of {}", class, chosen, all);
            if one_class {
                // As near to the share as the largest group allows.
                let largest = (0..75).map(|group| of(&|i| images[i].2 == group)).max().unwrap();
                let off = (chosen as f64 - all as f64 * ratio).abs();
                prop_assert!(off <= largest as f64 + 1.0, "{} of {}, groups of up to {}", chosen, all, largest);
            }
        }
        // The numbers of groups do not matter, nor does which images come first.
        let renumbered: Vec<_> = groups.iter().map(|group| 7777 - group).collect();
        let other = split_grouped(memory, &renumbered, ratio, seed).unwrap();
        prop_assert_eq!(&sides(&other, images.len()), &in_validation);
        let turned: Vec<_> = contents.iter().rev().copied().collect();
        let groups: Vec<_> = groups.into_iter().rev().collect();
        let parted = split_grouped(Arc::new(in_memory(3, &turned)), &groups, ratio, seed).unwrap();
        let mut other = sides(&parted, images.len());
        other.reverse();
        prop_assert_eq!(other, in_validation);
    }

    /// Folds have the same share of each class, but for one image, and whatever is the same or belongs together is in one.
    #[test]
    fn folds_are_even_and_disjoint(
        images in prop::collection::vec((0usize..3, 0u64..400), 30..150), of in 2usize..8, seed in 0u64..9, grouped: bool,
    ) {
        let memory = in_memory(3, &images);
        // Groups of some classes, of up to three.
        let groups: Vec<_> = images.iter().enumerate().map(|(i, (class, _))| i / 5 * 3 + class).collect();
        let folds = match folds(&memory, grouped.then_some(&groups[..]), of, seed) {
            Ok(folds) => folds,
            Err(Error::Split { .. }) => return Ok(()),
            Err(other) => return Err(TestCaseError::fail(other.to_string())),
        };
        for a in 0..images.len() {
            for b in 0..a {
                if images[a].1 == images[b].1 || grouped && groups[a] == groups[b] {
                    prop_assert_eq!(folds[a], folds[b]);
                }
            }
        }
        let alone = images.iter().map(|(_, content)| content).collect::<HashSet<_>>().len() == images.len();
        for class in 0..3 {
            let count = |fold: usize| (0..images.len()).filter(|&i| images[i].0 == class && folds[i] == fold).count();
            let counts: Vec<_> = (0..of).map(count).collect();
            let (least, most) = (*counts.iter().min().unwrap(), *counts.iter().max().unwrap());
            prop_assert!(least > 0, "{:?}", counts);
            prop_assert!(grouped || !alone || most - least <= 1, "{:?}", counts);
        }
    }

    /// Two sides can be had of any two groups that both have every class.
    #[test]
    fn whatever_can_be_split_is(size in 1usize..40, groups in 2usize..6, ratio in 0.05f64..0.5, seed in 0u64..9) {
        let images: Vec<_> = (0..2 * size * groups).map(|i| (i % 2, i as u64)).collect();
        let groups: Vec<_> = (0..images.len()).map(|i| i / 2 % groups).collect();
        split_grouped(Arc::new(in_memory(2, &images)), &groups, ratio, seed).unwrap();
    }
}

/// Uneven places and uneven classes, as camera traps have them: the shares come out well all the same.
#[test]
fn shares_of_groups_of_many_classes() {
    let mut images = Vec::new();
    let mut groups = Vec::new();
    for place in 0..40usize {
        for (class, count) in [(0, 30 + place * 37 % 50), (1, place * 13 % 20), (2, place * 7 % 5)] {
            for _ in 0..count {
                images.push((class, images.len() as u64));
                groups.push(place);
            }
        }
    }
    for seed in 0..5 {
        let memory = Arc::new(in_memory(3, &images));
        let in_validation = sides(&split_grouped(memory, &groups, 0.2, seed).unwrap(), images.len());
        for class in 0..3 {
            let of =
                |keep: &dyn Fn(usize) -> bool| (0..images.len()).filter(|&i| images[i].0 == class && keep(i)).count();
            let share = of(&|i| in_validation[i]) as f64 / of(&|_| true) as f64;
            assert!((share - 0.2).abs() < 0.05, "seed {seed}, class {class}: {share}");
        }
    }
}

#[test]
fn what_cannot_be_grouped_or_split_is_told() {
    let memory = Arc::new(in_memory(2, &[(0, 1), (0, 2), (1, 3), (1, 4)]));
    let told = |groups: &[usize]| split_grouped(memory.clone(), groups, 0.5, 0).err().unwrap().to_string();
    assert!(told(&[1, 1, 2, 3]).contains("class '0' cannot be split: its 2 pictures are all of one group"));
    assert!(told(&[1, 2]).contains("2 groups were given for 4 images"));
    for (text, part) in [
        (
            "near",
            "expected near-duplicates, folder, regex:PATTERN, csv:FILE or exif-time:60s",
        ),
        ("regex:(", "no regular expression"),
        ("exif-time:soon", "such as 60s"),
        ("exif-time:99999999h", "such as 60s"),
        ("csv:", "expected near-duplicates"),
    ] {
        let told = text.parse::<GroupBy>().unwrap_err();
        assert!(told.contains(part), "{told}");
    }
    for text in [
        "near-duplicates",
        "folder",
        "regex:^(.*)_\\d+",
        "csv:a:b.csv",
        "exif-time:60s",
    ] {
        let by: GroupBy = text.parse().unwrap();
        assert_eq!(by.to_string(), text);
    }
    assert_eq!("exif-time:2min".parse(), Ok(GroupBy::ExifTime(120)));
}

/// The groups of the images in a folder, each by the names of its images.
fn grouped(folder: &Path, by: &str) -> Result<Vec<Vec<String>>> {
    let catalog = Catalog::from_source(folder, None)?;
    let numbers = groups::of(&catalog, folder, &by.parse().unwrap(), &|_| {})?;
    let mut groups: BTreeMap<usize, Vec<String>> = BTreeMap::new();
    for (item, number) in catalog.items.iter().zip(numbers) {
        groups.entry(number).or_default().push(item.name.clone());
    }
    let mut groups = Vec::from_iter(groups.into_values());
    groups.retain(|group| group.len() > 1);
    groups.sort();
    Ok(groups)
}

#[test]
fn groups_by_folder_pattern_and_csv() {
    let folder = tempfile::tempdir().unwrap();
    for (i, name) in [
        "cat/a/x_1.png",
        "cat/a/x_2.png",
        "cat/b/y_1.png",
        "dog/c/x_3.png",
        "dog/z.png",
    ]
    .iter()
    .enumerate()
    {
        write(folder.path().join(name), &png(i as u64));
    }
    let groups = |by: &str| grouped(folder.path(), by).unwrap();
    assert_eq!(groups("folder"), [["cat/a/x_1.png", "cat/a/x_2.png"]]);
    let animal_x = [["cat/a/x_1.png", "cat/a/x_2.png", "dog/c/x_3.png"]];
    assert_eq!(groups(r"regex:([xy])_\d"), animal_x);
    assert_eq!(
        groups(r"regex:/._"),
        [["cat/a/x_1.png", "cat/a/x_2.png", "dog/c/x_3.png"]]
    );
    assert_eq!(groups(r"regex:^(\w+)/(\w)/"), [["cat/a/x_1.png", "cat/a/x_2.png"]]);
    let told = grouped(folder.path(), "regex:nothing").unwrap_err().to_string();
    assert!(
        told.contains("matches the path of no picture, not cat/a/x_1.png for one"),
        "{told}"
    );

    let csv = folder.path().join("groups.csv");
    let by = format!("csv:{}", csv.display());
    write(
        &csv,
        b"site;path;group\n1;x_1.png;g\n1;cat/a/x_2.png;\n2;./cat/b/y_1.png;g\n2;gone.png;g\n3;dog/z.png;h\n",
    );
    assert_eq!(groups(&by), [["cat/a/x_1.png", "cat/b/y_1.png"]]);
    for (text, part) in [
        (
            "path,burst\nx_1.png,1\n",
            "must name the columns path and group; it has path, burst",
        ),
        (
            "path,group\nx_1.png,1\nx_1.png,2\n",
            "line 3: 'x_1.png' is in group '2' here and in '1' before",
        ),
        ("path,group\nnone.png,1\n", "gives none of the pictures a group"),
    ] {
        write(&csv, text.as_bytes());
        let told = grouped(folder.path(), &by).unwrap_err().to_string();
        assert!(told.contains(part), "{told}");
    }
    assert!(matches!(
        grouped(folder.path(), "csv:/no/such.csv"),
        Err(Error::Io { .. })
    ));
}

fn jpeg(seed: u64) -> Vec<u8> {
    encoded(&scene(seed, 64, 48), ImageFormat::Jpeg)
}

#[test]
fn groups_by_time_are_bursts_of_one_camera() {
    let folder = tempfile::tempdir().unwrap();
    let times = [
        ("cat/1.jpg", Some("2024:05:01 23:59:30"), "trap A"),
        ("cat/2.jpg", Some("2024:05:02 00:00:20"), "trap A"),
        ("dog/3.jpg", Some("2024:05:02 00:01:20"), "trap A"),
        ("dog/4.jpg", Some("2024:05:02 00:02:21"), "trap A"),
        ("cat/5.jpg", Some("2024:05:02 00:00:20"), "trap B"),
        ("cat/6.jpg", None, "trap A"),
        ("cat/7.jpg", Some("0000:00:00 00:00:00"), "trap A"),
        ("cat/8.jpg", Some("2024:05:02 00:00:21"), "trap A "),
    ];
    for (i, (name, time, camera)) in times.iter().enumerate() {
        write(folder.path().join(name), &tagged(&jpeg(i as u64), *time, camera, false));
    }
    write(folder.path().join("dog/none.png"), &png(99));
    let groups = grouped(folder.path(), "exif-time:60s").unwrap();
    assert_eq!(groups, [["cat/1.jpg", "cat/2.jpg", "cat/8.jpg", "dog/3.jpg"]]);
    let plain = tempfile::tempdir().unwrap();
    class_folders(plain.path(), 3);
    let told = grouped(plain.path(), "exif-time:60s").unwrap_err().to_string();
    assert!(told.contains("no picture says when it was taken"), "{told}");
}

/// Bursts: each scene five times, brighter and noisier; and a scene that is in both classes.
fn bursts(folder: &Path) {
    for class in ["cat", "dog"] {
        for burst in 0..12u64 {
            for shot in 0..5u64 {
                let seed = if burst == 0 {
                    900
                } else {
                    100 * burst + u64::from(class == "dog")
                };
                let mut image: RgbImage = scene(seed, 96, 72);
                image
                    .pixels_mut()
                    .for_each(|pixel| pixel.0.iter_mut().for_each(|v| *v = v.saturating_add(shot as u8)));
                write(
                    folder.join(format!("{class}/{burst}_{shot}.png")),
                    &encoded(&image, ImageFormat::Png),
                );
            }
        }
    }
}

#[test]
fn what_is_grouped_by_looks_does_not_leak() {
    let scratch = Scratch::new(0);
    bursts(&scratch.source());
    let organized = |group_by: Option<GroupBy>| {
        run(&Options {
            group_by,
            test: Some(0.2),
            force: true,
            ..scratch.options()
        })
        .unwrap();
        inspect(&scratch.out(), None, &|_| {}).unwrap().leaks.len()
    };
    assert!(organized(None) > 10);
    assert_eq!(organized(Some(GroupBy::NearDuplicates)), 0);
    let found = counts(&scratch.out());
    assert!(found.values().all(|count| count % 5 == 0), "{found:?}");
    for part in ["validation", "test"] {
        assert!((10..=15).contains(&found[&format!("{part}/cat")]), "{found:?}");
    }
    // The same of a folder that is trained on as it is.
    let opening = Opening {
        validation_split: Some(0.25),
        group_by: Some(GroupBy::Regex(r"(\w+/\d+)_".into())),
        ..Opening::default()
    };
    let Split { train, validation } = opening.open(&scratch.source(), &|_| {}).unwrap();
    let of = |catalog: &Catalog| -> HashSet<String> {
        catalog
            .items
            .iter()
            .map(|item| item.name.split('_').next().unwrap().to_string())
            .collect()
    };
    assert_eq!((validation.counts(), train.counts()), (vec![15, 15], vec![45, 45]));
    assert!(of(&train).is_disjoint(&of(&validation)));
    let opening = Opening {
        validation_split: None,
        ..opening
    };
    let told = opening.open(&scratch.source(), &|_| {}).unwrap_err().to_string();
    assert!(told.contains("left out where no share"), "{told}");
}

#[test]
fn a_test_part_beside_a_validation_that_stays_the_same() {
    let scratch = Scratch::new(20);
    let organized = |test: Option<f64>| {
        run(&Options {
            test,
            force: true,
            ..scratch.options()
        })
        .unwrap();
        support::files(&scratch.out())
    };
    let (without, with) = (organized(None), organized(Some(0.1)));
    let validation = |files: &BTreeMap<_, _>| -> Vec<String> {
        let names = files.keys().map(|name: &String| name.to_string());
        names.filter(|name| name.starts_with("validation/")).collect()
    };
    assert_eq!(validation(&without), validation(&with));
    let parts = [("train", 14), ("validation", 4), ("test", 2)];
    let all: Vec<_> = parts
        .iter()
        .flat_map(|(part, count)| ["cat", "dog"].map(|c| (format!("{part}/{c}"), *count)))
        .collect();
    let all: Vec<_> = all.iter().map(|(name, count)| (name.as_str(), *count)).collect();
    assert_eq!(counts(&scratch.out()), expected(&all));
    for (test, part) in [
        (0.8, "below 0.8"),
        (0.0, "between 0 and 1"),
        (f64::NAN, "between 0 and 1"),
    ] {
        let told = refused(&Options {
            test: Some(test),
            force: true,
            ..scratch.options()
        });
        assert!(told.contains(part), "{told}");
    }
    // The folder of the earlier part goes with it.
    organized(None);
    assert!(!scratch.out().join("test/cat").exists());
    let few = Scratch::new(2);
    let told = refused(&Options {
        test: Some(0.1),
        ..few.options()
    });
    assert!(told.contains("it has 2 pictures for 3 parts"), "{told}");
}

#[test]
fn labels_at_a_level() {
    let folder = tempfile::tempdir().unwrap();
    let mut seed = 0;
    for place in ["north", "south"] {
        for species in ["fox", "hare"] {
            for i in 0..4 {
                seed += 1;
                write(folder.path().join(format!("{place}/{species}/{i}.png")), &png(seed));
            }
        }
    }
    write(folder.path().join("north/unsorted.png"), &png(99));
    let classes = |level| Catalog::at_level(folder.path(), level).map(|catalog| (catalog.classes.clone(), catalog));
    assert!(matches!(classes(None), Err(Error::Ambiguous { .. })));
    let names = |names: [&str; 2]| names.map(String::from).to_vec();
    let (species, catalog) = classes(Some(2)).unwrap();
    assert_eq!((species, catalog.counts()), (names(["fox", "hare"]), vec![8, 8]));
    assert_eq!(catalog.left_out[0].reason, "in no class folder");
    assert_eq!(classes(Some(1)).unwrap().0, names(["north", "south"]));
    for (level, part) in [(0, "from 1 to 2"), (3, "from 1 to 2")] {
        let told = classes(Some(level)).unwrap_err().to_string();
        assert!(told.contains(part), "{told}");
    }
    // A place is one group of all species.
    let opening = Opening {
        validation_split: Some(0.2),
        group_by: Some(GroupBy::Regex("^([^/]*)/".into())),
        label_level: Some(2),
        ..Opening::default()
    };
    let split = opening.open(folder.path(), &|_| {}).unwrap();
    assert_eq!(
        (split.train.counts(), split.validation.counts()),
        (vec![4, 4], vec![4, 4])
    );

    // Below parts.
    let parts = tempfile::tempdir().unwrap();
    for part in ["train", "val"] {
        for species in ["fox", "hare"] {
            seed += 1;
            write(parts.path().join(format!("{part}/north/{species}/1.png")), &png(seed));
            write(
                parts.path().join(format!("{part}/south/{species}/1.png")),
                &png(100 + seed),
            );
        }
    }
    let found = open_parts_at(parts.path(), Some(3)).unwrap().to_evaluate().unwrap();
    assert_eq!(
        (found.images.classes.clone(), found.images.counts()),
        (names(["fox", "hare"]), vec![2, 2])
    );
}
