//! The order in which nodes are computed, and how long their outputs are kept.

use super::Interpreter;

impl Interpreter {
    /// Runs the nodes after `from`, whose output is `start`, up to `to`. `compute` gives the output of a node, or of a
    /// chain that it ends, for its inputs; where it gives none, `changed` makes it of the first of them.
    pub(super) fn walk<M: Clone>(
        &self,
        start: M,
        (from, to): (usize, usize),
        compute: impl Fn(usize, &[&M]) -> Option<M>,
        changed: impl Fn(usize, M) -> M,
    ) -> M {
        let nodes = self.graph.nodes();
        let mut maps: Vec<Option<M>> = vec![None; to + 1];
        maps[from] = Some(start);
        // Computed together with a later one.
        let inner = |i: usize| {
            let mut chains = self.chains.iter().filter(|(last, _)| **last <= to);
            chains.any(|(&last, chain)| last != i && chain.contains(&i))
        };
        for i in from + 1..=to {
            if inner(i) {
                continue;
            }
            let first = self.chains.get(&i).map_or(i, |chain| chain[0]);
            let read: Vec<usize> = nodes[first].inputs[..1]
                .iter()
                .chain(nodes[i].inputs.get(1..).unwrap_or_default())
                .copied()
                .collect();
            // A node reads earlier ones, and each is kept until its last reader.
            let inputs: Vec<&M> = read
                .iter()
                .map(|&input| maps[input].as_ref().unwrap_or_else(|| dropped(input)))
                .collect();
            let computed = compute(i, &inputs);
            let is_last = |input: usize| self.last_readers[input] == i;
            let map = computed.unwrap_or_else(|| {
                let passed_on = match is_last(read[0]) {
                    true => maps[read[0]].take(),
                    false => maps[read[0]].clone(),
                };
                changed(i, passed_on.unwrap_or_else(|| dropped(read[0])))
            });
            for input in read.into_iter().filter(|&input| is_last(input)) {
                maps[input] = None;
            }
            maps[i] = Some(map);
        }
        maps[to]
            .take()
            .unwrap_or_else(|| unreachable!("node {to} was computed"))
    }
}

fn dropped(node: usize) -> ! {
    unreachable!("node {node} has been dropped")
}
