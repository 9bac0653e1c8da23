//! What a batch should be taken for.

/// The truth about the images of a batch.
#[derive(Clone, Debug, PartialEq)]
pub enum Targets {
    /// The class of each image, `[n]`.
    Classes(Vec<usize>),
    /// The probabilities of the classes, `[n, classes]`, each row summing to 1: of images that were mixed.
    Distributions {
        /// Classes per row.
        classes: usize,
        /// Row after row.
        values: Vec<f32>,
    },
}

impl Default for Targets {
    fn default() -> Self {
        Targets::Classes(Vec::new())
    }
}

impl Targets {
    /// Images.
    pub fn len(&self) -> usize {
        match self {
            Targets::Classes(labels) => labels.len(),
            Targets::Distributions { classes, values } => values.len() / (*classes).max(1),
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The class of each image, or its most probable one, of equals the first.
    pub fn labels(&self) -> Vec<usize> {
        match self {
            Targets::Classes(labels) => labels.clone(),
            Targets::Distributions { classes, values } => values
                .chunks((*classes).max(1))
                .map(|row| (1..row.len()).fold(0, |best, i| if row[i] > row[best] { i } else { best }))
                .collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_distribution_counts_as_its_most_probable_class() {
        let mixed = Targets::Distributions {
            classes: 3,
            values: vec![0.2, 0.5, 0.3, 0.5, 0.5, 0.0],
        };
        assert_eq!((mixed.len(), mixed.labels()), (2, vec![1, 0]));
        assert_eq!(Targets::Classes(vec![2, 0]).labels(), [2, 0]);
        assert!(Targets::default().is_empty());
    }
}
