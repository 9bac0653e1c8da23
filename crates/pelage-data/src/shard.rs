//! A part of a list, for one of several processes: the parts of all of them are the list, in order.

use std::ops::Range;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// One of `count` parts of a list, by its number from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shard {
    /// From 1 to `count`.
    pub number: usize,
    /// How many there are.
    pub count: usize,
}

impl Shard {
    /// All of a list.
    pub const WHOLE: Shard = Shard { number: 1, count: 1 };

    /// The positions in a list of `total` that are this part's: neighbors, and as many as in any other part, or one
    /// more.
    pub fn range(self, total: usize) -> Range<usize> {
        // Neither the product nor the sum of the parts' lengths can be wrong in 128 bits.
        let end = |number: usize| (number as u128 * total as u128 / self.count as u128) as usize;
        end(self.number - 1)..end(self.number)
    }
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Shard, String> {
        let parts = text.split_once('/');
        let numbers = parts.and_then(|(number, count)| Some((number.parse().ok()?, count.parse().ok()?)));
        match numbers {
            Some((number, count)) if (1..=count).contains(&number) => Ok(Shard { number, count }),
            _ => Err("a part is given as its number and how many there are: 1/8 to 8/8".into()),
        }
    }
}

impl std::fmt::Display for Shard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.number, self.count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn parts_are_the_list(total in 0usize..100_000, count in 1usize..300) {
            let ranges: Vec<_> = (1..=count).map(|number| Shard { number, count }.range(total)).collect();
            prop_assert_eq!((ranges[0].start, ranges[count - 1].end), (0, total));
            prop_assert!(ranges.windows(2).all(|pair| pair[0].end == pair[1].start));
            prop_assert!(ranges.iter().all(|range| [total / count, total / count + 1].contains(&range.len())));
        }
    }

    #[test]
    fn names_of_parts() {
        assert_eq!("3/8".parse(), Ok(Shard { number: 3, count: 8 }));
        for wrong in ["0/8", "9/8", "3", "a/b", "3/0", "-1/2", "1/2/3"] {
            assert!(wrong.parse::<Shard>().is_err(), "{wrong}");
        }
        let last = Shard {
            number: usize::MAX,
            count: usize::MAX,
        };
        assert_eq!(last.range(5), 4..5);
    }
}
