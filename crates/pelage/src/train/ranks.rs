//! The processes that train one network together, each on its part of every batch. They hold the same weights all the
//! time, since each makes the same update by the same sums, bit for bit.
//!
//! Numbers that they have to agree on are summed by [`Ranks::agree`], always of one length, so that a process that has
//! failed meets the others wherever they are: it says so in place of what they expect.

use std::sync::Arc;

use pelage_data::shard::Shard;
use pelage_model::ops::Gather;

use crate::{Error, Result};

/// Replaces numbers by their sums over all processes, each of which gives as many. It returns when all have called it,
/// with the same sums everywhere.
pub type Sum<T> = Arc<dyn Fn(&mut [T]) + Send + Sync>;

/// Numbers of an agreement, at most.
const NUMBERS: usize = 4;

/// This process among those that train together.
#[derive(Clone)]
pub struct Ranks {
    rank: usize,
    size: usize,
    sums: Option<(Sum<f32>, Sum<f64>)>,
}

impl Ranks {
    /// The only process.
    pub fn alone() -> Ranks {
        Ranks {
            rank: 0,
            size: 1,
            sums: None,
        }
    }

    /// Process `rank`, from 0, of `size`. A single one sums nothing.
    pub fn new(rank: usize, size: usize, floats: Sum<f32>, doubles: Sum<f64>) -> Ranks {
        let sums = (size > 1).then_some((floats, doubles));
        Ranks { rank, size, sums }
    }

    /// Its number, from 0.
    pub fn rank(&self) -> usize {
        self.rank
    }

    /// How many there are.
    pub fn size(&self) -> usize {
        self.size
    }

    /// Whether it is the one that writes and tells.
    pub fn is_first(&self) -> bool {
        self.rank == 0
    }

    /// Whether it is the only one.
    pub fn is_alone(&self) -> bool {
        self.sums.is_none()
    }

    /// Its part of every batch.
    pub fn part(&self) -> Shard {
        Shard {
            number: self.rank + 1,
            count: self.size,
        }
    }

    /// Replaces `numbers`, at most four, by their sums over all ranks.
    ///
    /// # Errors
    /// Another rank has failed.
    pub fn agree(&self, numbers: &mut [f64]) -> Result<()> {
        match self.exchange(numbers, false) {
            Some(rank) => Err(Error::Elsewhere { rank }),
            None => Ok(()),
        }
    }

    /// Tells the others that this one has failed, in place of what they agree on next. Returns the first of all that
    /// have, which is the one to say why.
    pub fn fail(&self) -> usize {
        self.exchange(&mut [], true).unwrap_or(self.rank)
    }

    /// Sums numbers, and tells which rank is the first that has failed.
    fn exchange(&self, numbers: &mut [f64], failed: bool) -> Option<usize> {
        let (_, doubles) = self.sums.as_ref()?;
        let mut all = vec![0.0; NUMBERS + self.size];
        all[..numbers.len()].copy_from_slice(numbers);
        all[NUMBERS + self.rank] = f64::from(u8::from(failed));
        doubles(&mut all);
        numbers.copy_from_slice(&all[..numbers.len()]);
        all[NUMBERS..].iter().position(|&failed| failed > 0.0)
    }

    /// Sums values over all ranks; right behind an agreement, where none can have failed.
    pub fn sum(&self, values: &mut [f32]) {
        if let Some((floats, _)) = &self.sums {
            floats(values);
        }
    }

    /// What batch norms sum their statistics over, where there are others.
    pub fn gather(&self) -> Option<Gather> {
        self.sums.as_ref().map(|(_, doubles)| Gather(doubles.clone()))
    }

    /// The same of counts.
    pub fn sum_counts(&self, counts: &mut [f64]) {
        if let Some((_, doubles)) = &self.sums {
            doubles(counts);
        }
    }

    /// Whether all ranks have the same of each of these, by their hashes; the first that they have not is named.
    ///
    /// # Errors
    /// Ranks that differ; or as [`Ranks::agree`].
    pub fn check_same(&self, hashes: [(&'static str, blake3::Hash); NUMBERS]) -> Result<()> {
        let own = hashes.map(|(_, hash)| {
            let bytes = hash.as_bytes();
            // As many bits as a sum over all ranks holds exactly.
            f64::from(u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
        });
        let mut sums = own;
        self.agree(&mut sums)?;
        let differs = |i: &usize| sums[*i] != own[*i] * self.size as f64;
        match (0..NUMBERS).find(differs) {
            Some(i) => Err(Error::Apart { what: hashes[i].0 }),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Barrier, Mutex};

    use super::*;

    /// What each of `size` threads, as a rank, returns by `work`.
    fn among<T: Send>(size: usize, work: impl Fn(Ranks) -> T + Sync) -> Vec<T> {
        let (barrier, shared) = (
            Arc::new(Barrier::new(size)),
            Arc::new(Mutex::new(vec![Vec::new(); size])),
        );
        let doubles = |rank: usize| -> Sum<f64> {
            let (barrier, shared) = (barrier.clone(), shared.clone());
            Arc::new(move |values: &mut [f64]| {
                shared.lock().unwrap()[rank] = values.to_vec();
                barrier.wait();
                for (i, value) in values.iter_mut().enumerate() {
                    *value = shared.lock().unwrap().iter().map(|values| values[i]).sum();
                }
                barrier.wait();
            })
        };
        std::thread::scope(|scope| {
            let started: Vec<_> = (0..size)
                .map(|rank| {
                    let ranks = (rank, doubles(rank));
                    let work = &work;
                    scope.spawn(move || work(Ranks::new(ranks.0, size, Arc::new(|_: &mut [f32]| {}), ranks.1)))
                })
                .collect();
            started.into_iter().map(|thread| thread.join().unwrap()).collect()
        })
    }

    #[test]
    fn who_fails_is_known_wherever_the_others_are() {
        let told = among(4, |ranks| {
            let mut numbers = [ranks.rank() as f64, 1.0];
            ranks.agree(&mut numbers).unwrap();
            assert_eq!(numbers, [6.0, 4.0]);
            match ranks.rank() {
                1 | 3 => ranks.fail(),
                0 => match ranks.check_same([("weights", blake3::hash(b"")); NUMBERS]) {
                    Err(Error::Elsewhere { rank }) => rank,
                    other => panic!("{other:?}"),
                },
                _ => match ranks.agree(&mut []) {
                    Err(Error::Elsewhere { rank }) => rank,
                    other => panic!("{other:?}"),
                },
            }
        });
        assert_eq!(told, [1; 4]);
    }

    #[test]
    fn what_differs_is_named_by_all_who_see_it() {
        let named = among(3, |ranks| {
            let own = blake3::hash(&[u8::from(ranks.rank() == 2)]);
            let same = blake3::hash(b"same");
            let hashes = [("settings", same), ("pictures", own), ("CPU", same), ("weights", own)];
            match ranks.check_same(hashes) {
                Err(Error::Apart { what }) => what,
                other => panic!("{other:?}"),
            }
        });
        assert_eq!(named, ["pictures"; 3]);
    }

    #[test]
    fn alone_nothing_is_summed() {
        let never: Sum<f64> = Arc::new(|_: &mut [f64]| panic!("nobody is there to sum with"));
        for ranks in [
            Ranks::alone(),
            Ranks::new(0, 1, Arc::new(|_: &mut [f32]| panic!()), never),
        ] {
            let mut numbers = [0.1];
            ranks.agree(&mut numbers).unwrap();
            ranks.sum(&mut [0.5]);
            ranks.sum_counts(&mut [0.5]);
            assert_eq!((numbers, ranks.fail(), ranks.part()), ([0.1], 0, Shard::WHOLE));
        }
    }
}
