//! Groups of images that look the same.
//!
//! A group is what can be reached from one image by steps to near ones. From each image that is reached, all near ones
//! that have not been reached before are looked for, among those whose hashes could be near; and once an image is
//! reached, it is never looked for again. So ten thousand frames of one scene take little more than one look at each.

use rayon::prelude::*;

use super::look::{Look, NEAR_BITS};

/// Images in a part of the index from which it is searched by all threads.
const MANY: usize = 8192;

/// Parts of a hash, of a byte each. Two hashes at most [`NEAR_BITS`] apart have one part at least in common.
const PARTS: usize = 8;
const _: () = assert!((NEAR_BITS as usize) < PARTS);

/// Groups of images that look the same, by the number that stands beside each; each in order, and so are they.
pub(crate) fn near_groups(looks: &[(usize, &Look)]) -> Vec<Vec<usize>> {
    let mut index = Index::of(looks);
    let mut groups = Vec::new();
    for first in 0..looks.len() {
        if index.reached[first] || looks[first].1.is_flat() {
            continue;
        }
        index.reach(first);
        let mut group = vec![first];
        let mut at = 0;
        while at < group.len() {
            index.take_near(looks, group[at], &mut group);
            at += 1;
        }
        if group.len() > 1 {
            group.sort_unstable();
            groups.push(group.into_iter().map(|at| looks[at].0).collect());
        }
    }
    groups
}

/// The images that have not been reached.
struct Index {
    /// For each part and each byte that it can be, the images whose hashes are so there.
    buckets: Vec<Bucket>,
    /// All of them: of one scene, the buckets of a hash have more images together than there are.
    all: Bucket,
    reached: Vec<bool>,
    count_reached: usize,
}

/// Hashes and places of images, those among them that are reached since the last time that these were left out.
#[derive(Clone, Default)]
struct Bucket {
    images: Vec<(u64, u32)>,
    count_reached: usize,
}

impl Index {
    fn of(looks: &[(usize, &Look)]) -> Index {
        let mut index = Index {
            buckets: vec![Bucket::default(); PARTS << 8],
            all: Bucket::default(),
            reached: vec![false; looks.len()],
            count_reached: 0,
        };
        for (place, (_, look)) in (0..).zip(looks) {
            // All flat images look alike, and none is a copy of another.
            if !look.is_flat() {
                let image = (look.hash, place);
                (0..PARTS).for_each(|part| index.buckets[bucket(look.hash, part)].images.push(image));
                index.all.images.push(image);
            }
        }
        index
    }

    fn reach(&mut self, place: usize) {
        self.reached[place] = true;
        self.count_reached += 1;
    }

    /// Adds to `group` all images near the one at `from` that have not been reached.
    fn take_near(&mut self, looks: &[(usize, &Look)], from: usize, group: &mut Vec<usize>) {
        let look = looks[from].1;
        let parts = (0..PARTS).map(|part| bucket(look.hash, part));
        let in_parts: usize = parts.clone().map(|part| self.buckets[part].images.len()).sum();
        if in_parts > self.all.images.len() {
            let found = self.all.near(looks, look, &self.reached, self.count_reached);
            found.iter().for_each(|&place| self.reach(place));
            group.extend(found);
            return;
        }
        for part in parts {
            let found = self.buckets[part].near(looks, look, &self.reached, self.count_reached);
            found.iter().for_each(|&place| self.reach(place));
            group.extend(found);
        }
    }
}

impl Bucket {
    /// The places of images near `look`, of those that are not reached.
    fn near(&mut self, looks: &[(usize, &Look)], look: &Look, reached: &[bool], count_reached: usize) -> Vec<usize> {
        // Not each time: that is as much work as looking at them.
        if 8 * (count_reached - self.count_reached) > self.images.len() {
            self.images.retain(|(_, place)| !reached[*place as usize]);
            self.count_reached = count_reached;
        }
        let near = |(hash, place): &&(u64, u32)| {
            let place = *place as usize;
            (hash ^ look.hash).count_ones() <= NEAR_BITS && !reached[place] && look.is_near(looks[place].1)
        };
        let place = |(_, place): &(u64, u32)| *place as usize;
        match self.images.len() < MANY {
            true => self.images.iter().filter(near).map(place).collect(),
            false => {
                let images = self.images.par_iter().with_min_len(1024);
                images.filter(near).map(place).collect()
            }
        }
    }
}

/// Which bucket of all parts' `hash` is in for one part.
fn bucket(hash: u64, part: usize) -> usize {
    part << 8 | (hash >> (8 * part)) as usize & 0xFF
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::super::look::NEAR_CORRELATION;
    use super::*;

    /// Every pair compared.
    fn by_force(looks: &[(usize, &Look)]) -> Vec<Vec<usize>> {
        let mut leader: Vec<usize> = (0..looks.len()).collect();
        for i in 0..looks.len() {
            for j in 0..i {
                let (a, b) = (looks[i].1, looks[j].1);
                let alike = (a.hash ^ b.hash).count_ones() <= NEAR_BITS && a.correlation(b) >= NEAR_CORRELATION;
                if !a.is_flat() && !b.is_flat() && alike {
                    let (from, to) = (leader[i].max(leader[j]), leader[i].min(leader[j]));
                    leader.iter_mut().filter(|one| **one == from).for_each(|one| *one = to);
                }
            }
        }
        let mut groups: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for (i, &leader) in leader.iter().enumerate() {
            groups.entry(leader).or_default().push(looks[i].0);
        }
        groups.into_values().filter(|group| group.len() > 1).collect()
    }

    /// Images that go astray from a few scenes step by step, so that some are near only by way of others.
    fn drifting(seed: u64, count: usize, scenes: usize, bits: u64, noise: u64) -> Vec<Look> {
        let mut state = seed;
        let mut random = move || {
            state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
            pelage_kernels::split_mix::mix(state)
        };
        let mut scenes: Vec<(u64, [u8; 256])> = (0..scenes)
            .map(|_| (random(), std::array::from_fn(|_| (random() % 256) as u8)))
            .collect();
        (0..count)
            .map(|_| {
                let count = scenes.len() as u64;
                let (hash, thumbnail) = &mut scenes[(random() % count) as usize];
                for _ in 0..random() % (bits + 1) {
                    *hash ^= 1 << (random() % 64);
                }
                for gray in thumbnail.iter_mut() {
                    let by = (random() % (noise + 1)) as i32 - (noise / 2) as i32;
                    *gray = (i32::from(*gray) + by).clamp(0, 255) as u8;
                }
                Look::new(*hash, *thumbnail)
            })
            .collect()
    }

    fn numbered(looks: &[Look]) -> Vec<(usize, &Look)> {
        looks.iter().enumerate().map(|(i, look)| (3 * i, look)).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn groups_are_those_of_all_pairs(
            seed: u64, count in 0usize..150, scenes in 1usize..8, bits in 0u64..12, noise in 0u64..90,
        ) {
            let mut looks = drifting(seed, count, scenes, bits, noise);
            looks.extend((0..3).map(|i| Look::new(0, [100 * i; 256])));
            let looks = numbered(&looks);
            prop_assert_eq!(near_groups(&looks), by_force(&looks));
        }
    }

    /// So many that all threads search, of one scene whose thumbnails are alike or not.
    #[test]
    fn groups_of_many_are_those_of_all_pairs() {
        for noise in [2, 60] {
            let looks = drifting(noise, MANY + 500, 3, 1, noise);
            let looks = numbered(&looks);
            assert_eq!(near_groups(&looks), by_force(&looks), "{noise}");
        }
    }

    /// Prints how long the worst cases take: `cargo test --release -p pelage-data --lib -- --ignored --nocapture`.
    #[test]
    #[ignore = "measures, and asserts nothing"]
    fn a_hundred_thousand_frames() {
        for (what, count, scenes, bits, noise) in [
            ("one scene", 100_000, 1, 1, 2),
            ("as many scenes as images", 100_000, 100_000, 0, 0),
            ("hashes alike and thumbnails nothing but noise", 20_000, 1, 0, 120),
        ] {
            let looks = drifting(1, count, scenes, bits, noise);
            let start = std::time::Instant::now();
            let groups = near_groups(&numbered(&looks));
            println!(
                "{what}: {} groups, {:.1} s",
                groups.len(),
                start.elapsed().as_secs_f64()
            );
        }
    }
}
