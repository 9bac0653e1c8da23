//! The output of an operation, for one image.

use std::ops::Range;

use pelage_kernels::isa::Isa;
use pelage_kernels::{attention, pooling};

use crate::networks::graph::Pool;

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

    /// The mean of each window, of its pixels on the map.
    pub(super) fn mean_pool(&self, pool: &Pool) -> Map {
        let (size, [top, left, ..]) = (pool.output_size(self.size), pool.padding(self.size));
        let part = |at: usize, before: usize, length: usize| {
            let start = at * pool.stride;
            start.saturating_sub(before)..(start + pool.kernel).saturating_sub(before).min(length)
        };
        let mut values = Vec::with_capacity(size[0] * size[1] * self.channels);
        for row in 0..size[0] {
            for column in 0..size[1] {
                values.extend(self.mean_of(part(row, top, self.size[0]), part(column, left, self.size[1])));
            }
        }
        Map {
            size,
            channels: self.channels,
            values,
        }
    }

    /// Each value and the other's, which is of the same shape or has one pixel.
    pub(super) fn with(&self, other: &Map, function: impl Fn(f32, f32) -> f32) -> Map {
        let values = self.values.iter().zip(other.values.iter().cycle());
        Map {
            values: values.map(|(&a, &b)| function(a, b)).collect(),
            ..*self
        }
    }

    /// With zeros around it: top, left, bottom, right.
    pub(super) fn padded(&self, [top, left, bottom, right]: [usize; 4]) -> Map {
        let size = [self.size[0] + top + bottom, self.size[1] + left + right];
        let mut values = vec![0.0; size[0] * size[1] * self.channels];
        let wide = size[1] * self.channels;
        for (row, pixels) in self.values.chunks(self.size[1] * self.channels).enumerate() {
            values[(top + row) * wide + left * self.channels..][..pixels.len()].copy_from_slice(pixels);
        }
        Map {
            size,
            channels: self.channels,
            values,
        }
    }

    /// A token that is nothing and those of all pixels, in a row, with `positions` added.
    pub(super) fn tokens(&self, positions: &[f32]) -> Map {
        let (first, others) = positions.split_at(self.channels);
        let others = others
            .iter()
            .zip(&self.values)
            .map(|(position, value)| position + value);
        Map {
            size: [1, 1 + self.size[0] * self.size[1]],
            channels: self.channels,
            values: first.iter().copied().chain(others).collect(),
        }
    }

    /// Attention among all pixels.
    pub(super) fn attended(&self, isa: Isa, heads: usize) -> Map {
        let channels = self.channels / 3;
        let shape = attention::Shape {
            batch: 1,
            tokens: self.size[0] * self.size[1],
            heads,
            depth: channels / heads,
        };
        Map {
            channels,
            values: attention::forward(isa, shape, &self.values),
            ..*self
        }
    }

    /// The channels from `first` on.
    pub(super) fn some_channels(&self, first: usize, count: usize) -> Map {
        let pixels = self.values.chunks(self.channels);
        Map {
            channels: count,
            values: pixels.flat_map(|pixel| &pixel[first..first + count]).copied().collect(),
            ..*self
        }
    }

    /// The first channel of each group, then the second of each, and so on.
    pub(super) fn shuffled(&self, groups: usize) -> Map {
        let each = self.channels / groups;
        let order: Vec<usize> = (0..self.channels).map(|i| i % groups * each + i / groups).collect();
        let pixels = self.values.chunks(self.channels);
        Map {
            values: pixels.flat_map(|pixel| order.iter().map(|&i| pixel[i])).collect(),
            ..*self
        }
    }

    /// Gives the channels of each pixel mean 0 and variance 1.
    pub(super) fn normalize(&mut self, epsilon: f32) {
        let count = self.channels as f32;
        for pixel in self.values.chunks_mut(self.channels) {
            let mean = pixel.iter().sum::<f32>() / count;
            pixel.iter_mut().for_each(|value| *value -= mean);
            let variance = pixel.iter().map(|value| value * value).sum::<f32>() / count;
            let factor = 1.0 / (variance + epsilon).sqrt();
            pixel.iter_mut().for_each(|value| *value *= factor);
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
