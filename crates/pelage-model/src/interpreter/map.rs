//! The output of an operation, for one image.

use std::ops::Range;

use pelage_kernels::pooling;

/// `[h, w, c]`.
#[derive(Clone, Debug)]
pub(super) struct Map {
    pub(super) size: [usize; 2],
    pub(super) channels: usize,
    pub(super) values: Vec<f32>,
}

impl Map {
    /// `[1, 1, c]`.
    pub(super) fn flat(values: Vec<f32>) -> Map {
        Map {
            size: [1, 1],
            channels: values.len(),
            values,
        }
    }

    /// Left and right exchanged.
    pub(super) fn mirrored(&self) -> Map {
        let rows = self.values.chunks(self.size[1] * self.channels);
        let pixels = rows.flat_map(|row| row.chunks(self.channels).rev().flatten());
        Map {
            values: pixels.copied().collect(),
            ..*self
        }
    }

    /// The mean of each channel.
    pub(super) fn means(&self) -> Map {
        let pixels = self.size[0] * self.size[1];
        Map::flat(pooling::global_average_forward(pixels, self.channels, &self.values))
    }

    /// Means over a grid of `side` x `side` parts, which may overlap.
    pub(super) fn average_pool(&self, side: usize) -> Map {
        let part = |length: usize, at: usize| at * length / side..((at + 1) * length).div_ceil(side);
        let mut values = Vec::with_capacity(side * side * self.channels);
        for row in 0..side {
            for column in 0..side {
                values.extend(self.mean_of(part(self.size[0], row), part(self.size[1], column)));
            }
        }
        Map {
            size: [side; 2],
            channels: self.channels,
            values,
        }
    }

    fn mean_of(&self, rows: Range<usize>, columns: Range<usize>) -> Vec<f32> {
        let mut sums = vec![0.0; self.channels];
        for (row, column) in rows
            .clone()
            .flat_map(|row| columns.clone().map(move |column| (row, column)))
        {
            let pixel = &self.values[(row * self.size[1] + column) * self.channels..][..self.channels];
            sums.iter_mut().zip(pixel).for_each(|(sum, value)| *sum += value);
        }
        let share = 1.0 / (rows.len() * columns.len()) as f32;
        sums.iter_mut().for_each(|sum| *sum *= share);
        sums
    }

    /// The channels of all, pixel by pixel; one at least.
    pub(super) fn concatenated(all: &[&Map]) -> Map {
        let channels = all.iter().map(|map| map.channels).sum();
        let size = all[0].size;
        let pixels = size[0] * size[1];
        let mut values = Vec::with_capacity(pixels * channels);
        for pixel in 0..pixels {
            for map in all {
                values.extend_from_slice(&map.values[pixel * map.channels..][..map.channels]);
            }
        }
        Map { size, channels, values }
    }
}
