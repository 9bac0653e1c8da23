//! A small random forest (Breiman 2001) that predicts a number from a few others.

use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Trees, rows in a leaf at least, and how deep a tree may grow.
const TREES: usize = 64;
const LEAF: usize = 2;
const DEPTH: usize = 8;

/// A column of what is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Numbers in an order.
    Ordered,
    /// Places among choices, which have none.
    Choice,
}

/// What a split asks.
#[derive(Clone, Copy, Debug)]
struct Split {
    column: usize,
    kind: Kind,
    at: f64,
}

enum Tree {
    Leaf(f64),
    Fork(Split, Box<Tree>, Box<Tree>),
}

impl Split {
    fn is_left(self, row: &[f64]) -> bool {
        match self.kind {
            Kind::Ordered => row[self.column] <= self.at,
            Kind::Choice => row[self.column] == self.at,
        }
    }
}

impl Tree {
    fn predict(&self, row: &[f64]) -> f64 {
        match self {
            Tree::Leaf(mean) => *mean,
            Tree::Fork(split, left, right) => if split.is_left(row) { left } else { right }.predict(row),
        }
    }
}

/// How much worse the forest predicts the rows that a tree has not seen, once the values of a column are exchanged
/// among them: the mean increase of the squared error, one number for each column.
pub(super) fn permutation_importance(rows: &[Vec<f64>], truth: &[f64], kinds: &[Kind], seed: u64) -> Vec<f64> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut increase = vec![0.0; kinds.len()];
    for _ in 0..TREES {
        let drawn: Vec<usize> = (0..rows.len()).map(|_| random.random_range(0..rows.len())).collect();
        let tree = grow(rows, truth, kinds, &drawn, DEPTH, &mut random);
        let unseen: Vec<usize> = (0..rows.len()).filter(|i| !drawn.contains(i)).collect();
        if unseen.len() < 2 {
            continue;
        }
        let error = |row: &[f64], i: usize| (tree.predict(row) - truth[i]).powi(2);
        let before: f64 = unseen.iter().map(|&i| error(&rows[i], i)).sum();
        for (column, increase) in increase.iter_mut().enumerate() {
            let mut others = unseen.clone();
            others.shuffle(&mut random);
            let exchanged = unseen.iter().zip(&others).map(|(&i, &other)| {
                let mut row = rows[i].clone();
                row[column] = rows[other][column];
                error(&row, i)
            });
            *increase += (exchanged.sum::<f64>() - before) / unseen.len() as f64 / TREES as f64;
        }
    }
    increase
}

fn grow(
    rows: &[Vec<f64>],
    truth: &[f64],
    kinds: &[Kind],
    here: &[usize],
    depth: usize,
    random: &mut ChaCha8Rng,
) -> Tree {
    let mean = here.iter().map(|&i| truth[i]).sum::<f64>() / here.len().max(1) as f64;
    let mut columns: Vec<usize> = (0..kinds.len()).collect();
    columns.shuffle(random);
    // A third of the columns, as is usual where a number is predicted.
    columns.truncate(kinds.len().div_ceil(3));
    let best = columns
        .into_iter()
        .filter_map(|column| best_split(rows, truth, kinds, here, column))
        .min_by(|a, b| a.0.total_cmp(&b.0));
    let Some((_, split)) = best.filter(|_| depth > 0 && here.len() >= 2 * LEAF) else {
        return Tree::Leaf(mean);
    };
    let (left, right): (Vec<usize>, Vec<usize>) = here.iter().partition(|&&i| split.is_left(&rows[i]));
    let mut grown = |part: &[usize]| Box::new(grow(rows, truth, kinds, part, depth - 1, random));
    Tree::Fork(split, grown(&left), grown(&right))
}

/// The split of a column that leaves the least squared error, with that error.
fn best_split(rows: &[Vec<f64>], truth: &[f64], kinds: &[Kind], here: &[usize], column: usize) -> Option<(f64, Split)> {
    let mut values: Vec<f64> = here.iter().map(|&i| rows[i][column]).collect();
    values.sort_by(f64::total_cmp);
    values.dedup();
    let kind = kinds[column];
    let places: Vec<f64> = match kind {
        Kind::Ordered => values.windows(2).map(|pair| 0.5 * (pair[0] + pair[1])).collect(),
        Kind::Choice if values.len() > 1 => values,
        Kind::Choice => Vec::new(),
    };
    let error = |at: f64| {
        let split = Split { column, kind, at };
        let mut sums = [[0.0; 3]; 2];
        for &i in here {
            let side = &mut sums[usize::from(split.is_left(&rows[i]))];
            for (sum, value) in side.iter_mut().zip([1.0, truth[i], truth[i] * truth[i]]) {
                *sum += value;
            }
        }
        let enough = sums.iter().all(|[count, ..]| *count >= LEAF as f64);
        let error = sums
            .iter()
            .map(|[count, sum, squares]| squares - sum * sum / count)
            .sum::<f64>();
        enough.then_some((error, split))
    };
    places.into_iter().filter_map(error).min_by(|a, b| a.0.total_cmp(&b.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_decides_is_found_and_what_does_not_is_not() {
        let mut random = ChaCha8Rng::seed_from_u64(1);
        let rows: Vec<Vec<f64>> = (0..120)
            .map(|_| {
                vec![
                    random.random(),
                    f64::from(random.random_range(0..3u8)),
                    random.random(),
                    random.random(),
                ]
            })
            .collect();
        let truth: Vec<f64> = rows
            .iter()
            .map(|row| 2.0 * row[0] + if row[1] == 1.0 { 1.0 } else { 0.0 } + 0.01 * row[3])
            .collect();
        let kinds = [Kind::Ordered, Kind::Choice, Kind::Ordered, Kind::Ordered];
        let found = permutation_importance(&rows, &truth, &kinds, 0);
        assert!(
            found[0] > found[1] && found[1] > 5.0 * found[2].abs().max(found[3].abs()),
            "{found:?}"
        );
        assert_eq!(found, permutation_importance(&rows, &truth, &kinds, 0));
        let nothing = permutation_importance(&rows[..1], &truth[..1], &kinds, 0);
        assert!(nothing.iter().all(|one| *one == 0.0));
    }
}
