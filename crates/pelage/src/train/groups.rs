//! Which training images belong together, so that cross-validation asks nothing about one that was learnt from another.

use std::collections::HashMap;

use pelage_data::dataset::{self, Dataset};
use pelage_data::readable::Readable;
use rayon::prelude::*;

/// The group of each readable image of `set`: what `given` says of its data set, and what has the same content.
pub fn groups(set: &dyn Dataset, readable: &Readable, given: Option<&[usize]>) -> Vec<usize> {
    let indices = (0..readable.len()).into_par_iter().map(|i| readable.index(i));
    let contents: Vec<_> = indices.map(|index| dataset::content(set, index).ok()).collect();
    // Whatever belongs to one of the images of a group belongs to all: each points to an earlier one, or is the first.
    let mut first: Vec<usize> = (0..contents.len()).collect();
    let (mut of_content, mut of_group) = (HashMap::new(), HashMap::new());
    for (i, content) in contents.into_iter().enumerate() {
        let same = content.map(|content| *of_content.entry(content).or_insert(i));
        let group = given.and_then(|given| given.get(readable.index(i)));
        let together = group.map(|&group| *of_group.entry(group).or_insert(i));
        for other in [same, together].into_iter().flatten() {
            let (a, b) = (root(&first, i), root(&first, other));
            first[a.max(b)] = a.min(b);
        }
    }
    (0..first.len()).map(|i| root(&first, i)).collect()
}

fn root(first: &[usize], mut i: usize) -> usize {
    while first[i] != i {
        i = first[i];
    }
    i
}
