//! Positions of patches that were learnt on one grid, for another: resampled by cubic interpolation that averages where
//! the grid is coarser, as `torch.nn.functional.interpolate` does with `antialias`, and as timm does it.

/// The weights `[to, from]` by which a row of `from` values becomes one of `to`; each row of them sums to 1.
pub(crate) fn weights(from: usize, to: usize) -> Vec<f32> {
    let scale = from as f64 / to as f64;
    // A coarser grid takes wider means.
    let stretch = scale.max(1.0);
    let mut all = Vec::with_capacity(from * to);
    for i in 0..to {
        let center = scale * (i as f64 + 0.5);
        let reach = 2.0 * stretch;
        let first = ((center - reach + 0.5).max(0.0)) as usize;
        let last = ((center + reach + 0.5) as usize).min(from);
        let weight = |j: usize| match (first..last).contains(&j) {
            true => cubic((j as f64 - center + 0.5) / stretch),
            false => 0.0,
        };
        let sum: f64 = (0..from).map(weight).sum();
        all.extend((0..from).map(|j| (weight(j) / sum) as f32));
    }
    all
}

/// Keys's cubic kernel with a = -1/2 (Keys 1981, equation 15).
fn cubic(x: f64) -> f64 {
    const A: f64 = -0.5;
    let x = x.abs();
    match x {
        _ if x < 1.0 => ((A + 2.0) * x - (A + 3.0)) * x * x + 1.0,
        _ if x < 2.0 => (((x - 5.0) * x + 8.0) * x - 4.0) * A,
        _ => 0.0,
    }
}

/// What a row of tokens has beside its patches, `[1 + h * w, c]`: the token `first` `[c]`, and to each its position, of
/// `positions` `[1 + grid * grid, c]` on a grid of `[h, w]`; the first of these is of no place.
pub fn beside_patches(first: &[f32], positions: &[f32], grid: usize, [h, w]: [usize; 2]) -> Vec<f32> {
    let channels = first.len();
    let (unplaced, placed) = positions.split_at(channels);
    let (down, across) = (weights(grid, h), weights(grid, w));
    let mut all: Vec<f32> = first
        .iter()
        .zip(unplaced)
        .map(|(token, position)| token + position)
        .collect();
    for row in down.chunks(grid) {
        // The columns of this row of the new grid.
        let mut columns = vec![0.0f32; grid * channels];
        for (weight, line) in row.iter().zip(placed.chunks(grid * channels)) {
            columns
                .iter_mut()
                .zip(line)
                .for_each(|(sum, value)| *sum += weight * value);
        }
        for row in across.chunks(grid) {
            let mut pixel = vec![0.0f32; channels];
            for (weight, column) in row.iter().zip(columns.chunks(channels)) {
                pixel
                    .iter_mut()
                    .zip(column)
                    .for_each(|(sum, value)| *sum += weight * value);
            }
            all.extend(pixel);
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_grid_changes_nothing_and_constants_stay() {
        let positions: Vec<f32> = (0..2 * 10).map(|i| (i * i % 7) as f32).collect();
        assert_eq!(beside_patches(&[0.0; 2], &positions, 3, [3, 3]), positions);
        let found = beside_patches(&[5.0, -1.0], &positions, 3, [3, 3]);
        assert_eq!((found[..2].to_vec(), &found[2..]), (vec![5.0, 0.0], &positions[2..]));
        for size in [[2, 5], [1, 1], [7, 3]] {
            let found = beside_patches(&[0.0; 2], &[0.25; 2 * 10], 3, size);
            assert_eq!(found.len(), 2 * (1 + size[0] * size[1]));
            assert!(found.iter().all(|value| (value - 0.25).abs() < 1e-6), "{found:?}");
        }
    }

    /// `torch.nn.functional.interpolate(x, size, mode="bicubic", antialias=True)` of 0, 1, 4, 9, 16 in PyTorch 2.15.
    #[test]
    fn rows_are_those_of_pytorch() {
        let values = [0.0f32, 1.0, 4.0, 9.0, 16.0];
        let of = |to: usize| -> Vec<f32> {
            let rows = weights(5, to);
            rows.chunks(5)
                .map(|row| row.iter().zip(values).map(|(w, v)| w * v).sum())
                .collect()
        };
        for (to, expected) in [(2, &PYTORCH_2[..]), (3, &PYTORCH_3), (8, &PYTORCH_8)] {
            let found = of(to);
            for (a, b) in found.iter().zip(expected) {
                assert!((a - b).abs() < 1e-5, "{to}: {found:?}, not {expected:?}");
            }
        }
    }

    const PYTORCH_2: [f32; 2] = [1.135134, 10.280912];
    const PYTORCH_3: [f32; 3] = [0.169231, 4.195349, 13.338459];
    const PYTORCH_8: [f32; 8] = [
        -0.071956, 0.243749, 1.128906, 2.847656, 5.347656, 8.628906, 13.488184, 16.503689,
    ];
}
