//! Which classes are taken for which, where a matrix has too many to be read.

use super::Evaluation;
use crate::Result;
use pelage_data::table;

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

    /// The whole matrix as CSV, see [`csv()`].
    ///
    /// # Errors
    /// None in practice: its rows are of one length.
    pub fn confusion_csv(&self) -> Result<Vec<u8>> {
        let names: Vec<_> = self.classes.iter().map(|class| class.name.as_str()).collect();
        csv(&names, &self.confusion_matrix)
    }
}

/// A confusion matrix as CSV: a row for each true class, a column for each that images were called.
///
/// # Errors
/// A matrix that is not square.
pub fn csv(classes: &[impl AsRef<str>], matrix: &[Vec<usize>]) -> Result<Vec<u8>> {
    let called = classes.iter().map(|class| format!("called {}", class.as_ref()));
    let head = std::iter::once("class".to_string()).chain(called).collect();
    let rows = classes.iter().zip(matrix).map(|(class, row)| {
        let counts = row.iter().map(usize::to_string);
        std::iter::once(format!("is {}", class.as_ref()))
            .chain(counts)
            .collect()
    });
    Ok(table::csv(std::iter::once::<Vec<_>>(head).chain(rows))?)
}

/// The classes and the matrix that [`csv()`] wrote; `None` if `bytes` are anything else.
pub fn read(bytes: &[u8]) -> Option<(Vec<String>, Vec<Vec<usize>>)> {
    let mut reader = csv::Reader::from_reader(bytes);
    let head = reader.headers().ok()?;
    let classes: Option<Vec<_>> = head
        .iter()
        .skip(1)
        .map(|name| Some(name.strip_prefix("called ")?.to_string()))
        .collect();
    let rows: Option<Vec<Vec<_>>> = reader
        .records()
        .map(|row| row.ok()?.iter().skip(1).map(|count| count.parse().ok()).collect())
        .collect();
    let (classes, rows) = (classes?, rows?);
    (!classes.is_empty() && rows.len() == classes.len()).then_some((classes, rows))
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
        let (classes, matrix) = read(csv.as_bytes()).unwrap();
        assert_eq!((&classes[..], &matrix), (&names[..], &evaluation.confusion_matrix));
        for other in ["", "a,b\n1,2\n", "class,called a\nis a,x\n", "class,called a\n"] {
            assert_eq!(read(other.as_bytes()), None, "{other}");
        }
    }
}
