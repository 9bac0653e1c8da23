//! How far an image lies from the training set: the Mahalanobis distance of its embedding to the nearest class mean
//! (Lee et al. 2018, equation 2), under one covariance that all classes share.

use rayon::prelude::*;

/// The largest dimension of an embedding: its factor takes 34 MB, and fitting it minutes.
pub const MAX_DIMENSION: usize = 4096;

/// Class means and within-class covariance of embeddings.
#[derive(Clone, Debug, PartialEq)]
pub struct Density {
    /// Values per embedding.
    dimension: usize,
    /// `[classes, dimension]`; f32, as they are saved, so that a loaded density gives the same distances.
    means: Vec<f32>,
    /// The lower Cholesky factor of the covariance, row by row, each up to its diagonal.
    factor: Vec<f32>,
    /// The means, whitened.
    white: Vec<f64>,
}

impl Density {
    /// Fits `embeddings` `[n, dimension]` of images with these classes.
    ///
    /// # Errors
    /// A message if a class has no image, or the embeddings are too wide, not finite, or all the same.
    pub fn fit(embeddings: &[f32], labels: &[usize], classes: &[String]) -> Result<Self, String> {
        let dimension = embeddings.len() / labels.len().max(1);
        check_dimension(dimension)?;
        if embeddings.iter().any(|value| !value.is_finite()) {
            return Err("some embeddings hold values that are not finite".into());
        }
        let means = class_means(embeddings, labels, classes)?;
        let (mut covariance, shrinkage) = within(embeddings, labels, &means, dimension);
        shrink(&mut covariance, shrinkage, dimension);
        let factor = cholesky(covariance, dimension).ok_or("the embeddings do not differ enough from each other")?;
        let means = means.into_iter().map(|value| value as f32).collect();
        Self::new(
            means,
            factor.into_iter().map(|value| value as f32).collect(),
            classes.len(),
        )
    }

    /// From the class means `[classes, dimension]` and the packed lower factor of the covariance.
    ///
    /// # Errors
    /// A message if they do not fit each other, or are not finite.
    pub fn new(means: Vec<f32>, factor: Vec<f32>, classes: usize) -> Result<Self, String> {
        let dimension = means.len() / classes.max(1);
        if dimension == 0 || means.len() != classes * dimension || factor.len() != start(dimension) {
            return Err("its means and its covariance do not fit each other".into());
        }
        let diagonal = (0..dimension).all(|i| factor[start(i) + i] > 0.0);
        if !diagonal || means.iter().chain(&factor).any(|value| !value.is_finite()) {
            return Err("its values are not finite, or its covariance is not positive definite".into());
        }
        let mut density = Density {
            dimension,
            means,
            factor,
            white: Vec::new(),
        };
        let rows = density.means.par_chunks(dimension);
        density.white = rows.flat_map_iter(|mean| density.whiten(mean)).collect();
        Ok(density)
    }

    /// Values per embedding.
    pub fn dimension(&self) -> usize {
        self.dimension
    }

    /// `[classes, dimension]`.
    pub fn means(&self) -> &[f32] {
        &self.means
    }

    /// The lower Cholesky factor of the covariance, row by row, each up to its diagonal.
    pub fn factor(&self) -> &[f32] {
        &self.factor
    }

    /// The distance of an embedding to the nearest class mean, in standard deviations; infinite if it is not finite, or
    /// of another dimension.
    pub fn distance(&self, embedding: &[f32]) -> f64 {
        if embedding.len() != self.dimension {
            return f64::INFINITY;
        }
        let white = self.whiten(embedding);
        let squared = |mean: &[f64]| white.iter().zip(mean).map(|(a, b)| (a - b).powi(2)).sum::<f64>();
        let least = self
            .white
            .chunks(self.dimension)
            .map(squared)
            .fold(f64::INFINITY, f64::min);
        least.sqrt()
    }

    /// The distance of each of the `embeddings` `[n, dimension]`.
    pub fn distances(&self, embeddings: &[f32]) -> Vec<f64> {
        embeddings
            .par_chunks(self.dimension)
            .map(|row| self.distance(row))
            .collect()
    }

    /// The inverse of the factor times `values`, by forward substitution.
    fn whiten(&self, values: &[f32]) -> Vec<f64> {
        let mut white: Vec<f64> = Vec::with_capacity(self.dimension);
        for (i, &value) in values.iter().enumerate() {
            let row = &self.factor[start(i)..start(i + 1)];
            white.push((f64::from(value) - dot(&row[..i], &white)) / f64::from(row[i]));
        }
        white
    }
}

/// Refuses embeddings of too many values.
///
/// # Errors
/// A message that names the limit.
pub fn check_dimension(dimension: usize) -> Result<(), String> {
    match (1..=MAX_DIMENSION).contains(&dimension) {
        true => Ok(()),
        false => Err(format!(
            "its embeddings have {dimension} values, a covariance is estimated for 1 to {MAX_DIMENSION}"
        )),
    }
}

/// Where row `i` begins in a packed triangle.
fn start(i: usize) -> usize {
    i * (i + 1) / 2
}

fn class_means(embeddings: &[f32], labels: &[usize], classes: &[String]) -> Result<Vec<f64>, String> {
    let dimension = embeddings.len() / labels.len();
    let (mut sums, mut counts) = (vec![0.0; classes.len() * dimension], vec![0usize; classes.len()]);
    for (row, &label) in embeddings.chunks(dimension).zip(labels) {
        counts[label] += 1;
        let sum = &mut sums[label * dimension..(label + 1) * dimension];
        sum.iter_mut()
            .zip(row)
            .for_each(|(sum, &value)| *sum += f64::from(value));
    }
    if let Some(class) = counts.iter().position(|&count| count == 0) {
        return Err(format!("there is no training image of class '{}'", classes[class]));
    }
    for (sum, count) in sums.chunks_mut(dimension).zip(counts) {
        sum.iter_mut().for_each(|value| *value /= count as f64);
    }
    Ok(sums)
}

/// The packed covariance of the embeddings around their class means (divided by n), and its shrinkage towards a
/// multiple of the identity: Ledoit and Wolf 2004, as scikit-learn's `ledoit_wolf(assume_centered=True)`.
fn within(embeddings: &[f32], labels: &[usize], means: &[f64], dimension: usize) -> (Vec<f64>, f64) {
    let (n, p) = (labels.len() as f64, dimension as f64);
    let centered = |i: usize, into: &mut [f64]| {
        let mean = &means[labels[i] * dimension..(labels[i] + 1) * dimension];
        let row = &embeddings[i * dimension..(i + 1) * dimension];
        for ((into, &value), mean) in into.iter_mut().zip(row).zip(mean) {
            *into = f64::from(value) - mean;
        }
    };
    // Sixteen rows of the triangle at once: the embeddings are read once for all of them.
    let blocks = (0..dimension)
        .step_by(16)
        .collect::<Vec<_>>()
        .into_par_iter()
        .map(|first| {
            let end = (first + 16).min(dimension);
            let (mut sums, mut row) = (vec![0.0; start(end) - start(first)], vec![0.0; dimension]);
            for i in 0..labels.len() {
                centered(i, &mut row);
                for j in first..end {
                    let (value, at) = (row[j], start(j) - start(first));
                    let sums = &mut sums[at..=at + j];
                    sums.iter_mut().zip(&row).for_each(|(sum, other)| *sum += value * other);
                }
            }
            sums.iter_mut().for_each(|sum| *sum /= n);
            sums
        });
    let covariance = blocks.collect::<Vec<_>>().concat();
    let mut row = vec![0.0; dimension];
    let mut lengths = 0.0;
    for i in 0..labels.len() {
        centered(i, &mut row);
        lengths += row.iter().map(|value| value * value).sum::<f64>().powi(2);
    }
    let rows = || (0..dimension).map(|i| &covariance[start(i)..start(i + 1)]);
    let trace: f64 = rows().map(|row| row[row.len() - 1]).sum();
    // Each value off the diagonal stands twice in the full matrix.
    let squares = |row: &[f64]| 2.0 * row.iter().map(|value| value * value).sum::<f64>() - row[row.len() - 1].powi(2);
    let squared: f64 = rows().map(squares).sum();
    let spread = (squared - trace * trace / p) / p;
    let noise = ((lengths / n - squared) / (p * n)).min(spread);
    let shrinkage = if noise > 0.0 { noise / spread } else { 0.0 };
    (covariance, shrinkage)
}

/// Mixes the covariance with the identity times its mean variance.
fn shrink(covariance: &mut [f64], shrinkage: f64, dimension: usize) {
    let trace: f64 = (0..dimension).map(|i| covariance[start(i) + i]).sum();
    covariance.iter_mut().for_each(|value| *value *= 1.0 - shrinkage);
    for i in 0..dimension {
        covariance[start(i) + i] += shrinkage * trace / dimension as f64;
    }
}

/// The lower factor of a packed symmetric matrix, in place; `None` if the matrix is not positive definite.
fn cholesky(mut matrix: Vec<f64>, dimension: usize) -> Option<Vec<f64>> {
    for i in 0..dimension {
        let (above, row) = matrix.split_at_mut(start(i));
        for j in 0..i {
            let other = &above[start(j)..start(j + 1)];
            row[j] = (row[j] - dot(&row[..j], &other[..j])) / other[j];
        }
        let rest = row[i] - dot(&row[..i], &row[..i]);
        // Relative to its variance, so that the scale of the embeddings does not matter.
        if rest.is_nan() || rest <= 1e-12 * row[i] {
            return None;
        }
        row[i] = rest.sqrt();
    }
    Some(matrix)
}

/// In eight sums, which the compiler keeps in vector registers.
fn dot<T: Copy + Into<f64>>(a: &[T], b: &[f64]) -> f64 {
    let (mut sums, whole) = ([0.0; 8], a.len() / 8 * 8);
    for (a, b) in a[..whole].chunks_exact(8).zip(b[..whole].chunks_exact(8)) {
        for lane in 0..8 {
            sums[lane] += a[lane].into() * b[lane];
        }
    }
    let rest: f64 = a[whole..].iter().zip(&b[whole..]).map(|(&a, b)| a.into() * b).sum();
    sums.iter().sum::<f64>() + rest
}
