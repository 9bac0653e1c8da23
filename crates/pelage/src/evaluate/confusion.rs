//! Which classes are taken for which, where a matrix has too many to be read.

use super::Evaluation;
use crate::{Result, table};

/// Images of one class that were called another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Confused {
    /// The true class, by its index.
    pub label: usize,
    /// What they were called.
    pub predicted: usize,
    /// Number of these images.
    pub count: usize,
}

impl Evaluation {
    /// All pairs of classes that were confused, the most frequent first.
    pub fn most_confused(&self) -> Vec<Confused> {
        let cells = self.confusion_matrix.iter().enumerate();
        let mut pairs: Vec<_> = cells
            .flat_map(|(label, row)| {
                row.iter()
                    .enumerate()
                    .map(move |(predicted, &count)| (label, predicted, count))
            })
            .filter(|&(label, predicted, count)| label != predicted && count > 0)
            .map(|(label, predicted, count)| Confused {
                label,
                predicted,
                count,
            })
            .collect();
        // Stable: pairs of one count stay in the order of the classes.
        pairs.sort_by_key(|pair| std::cmp::Reverse(pair.count));
        pairs
    }

    /// The whole matrix as CSV: a row for each true class, a column for each that images were called.
    ///
    /// # Errors
    /// None in practice: its rows are of one length.
    pub fn confusion_csv(&self) -> Result<Vec<u8>> {
        let called = self.classes.iter().map(|class| format!("called {}", class.name));
        let head = std::iter::once("class".to_string()).chain(called).collect();
        let rows = self.classes.iter().zip(&self.confusion_matrix).map(|(class, row)| {
            let counts = row.iter().map(usize::to_string);
            std::iter::once(format!("is {}", class.name)).chain(counts).collect()
        });
        table::csv(std::iter::once::<Vec<_>>(head).chain(rows))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_frequent_come_first_and_the_table_holds_all() {
        let names = ["a", "b", "c"].map(String::from);
        let labels = [0, 0, 0, 1, 2, 2];
        let called = [1, 1, 0, 0, 2, 0];
        let probabilities: Vec<f32> = called
            .iter()
            .flat_map(|&called| (0..3).map(move |class| if class == called { 0.8 } else { 0.1 }))
            .collect();
        let evaluation = Evaluation::new(&names, &labels, &probabilities, Vec::new());
        let pairs: Vec<_> = evaluation
            .most_confused()
            .iter()
            .map(|pair| (pair.label, pair.predicted, pair.count))
            .collect();
        assert_eq!(pairs, [(0, 1, 2), (1, 0, 1), (2, 0, 1)]);
        let csv = String::from_utf8(evaluation.confusion_csv().unwrap()).unwrap();
        assert_eq!(
            csv,
            "class,called a,called b,called c\nis a,1,2,0\nis b,1,0,0\nis c,1,0,1\n"
        );
    }
}
