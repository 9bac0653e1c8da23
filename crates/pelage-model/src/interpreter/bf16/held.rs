//! The output of an operation, in bf16 or in f32, for several images.

use std::borrow::Cow;

use pelage_kernels::bf16 as kernel;

use super::super::map::Map;

/// The output of an operation.
#[derive(Clone, Debug)]
pub(super) enum Held {
    Narrow(Batch<u16>),
    Wide(Batch<f32>),
}

/// Maps `[n, h, w, c]`, in bf16 with [`kernel::stride`].
#[derive(Clone, Debug)]
pub(super) struct Batch<T> {
    pub(super) count: usize,
    pub(super) size: [usize; 2],
    pub(super) channels: usize,
    pub(super) values: Vec<T>,
}

impl Held {
    pub(super) fn count(&self) -> usize {
        match self {
            Held::Narrow(Batch { count, .. }) | Held::Wide(Batch { count, .. }) => *count,
        }
    }

    pub(super) fn size(&self) -> [usize; 2] {
        match self {
            Held::Narrow(Batch { size, .. }) | Held::Wide(Batch { size, .. }) => *size,
        }
    }

    pub(super) fn channels(&self) -> usize {
        match self {
            Held::Narrow(Batch { channels, .. }) | Held::Wide(Batch { channels, .. }) => *channels,
        }
    }

    /// Pieces of `images` each; the last one may have fewer.
    pub(super) fn split(self, images: usize) -> Vec<Held> {
        match self {
            whole if whole.count() <= images => vec![whole],
            Held::Narrow(batch) => batch.split(images).map(Held::Narrow).collect(),
            Held::Wide(batch) => batch.split(images).map(Held::Wide).collect(),
        }
    }

    /// What was split, all in bf16 or all in f32.
    pub(super) fn joined(mut pieces: Vec<Held>) -> Held {
        if pieces.len() == 1 {
            return pieces.remove(0);
        }
        let (mut narrow, mut wide) = (Vec::new(), Vec::new());
        for piece in pieces {
            match piece {
                Held::Narrow(batch) => narrow.push(batch),
                Held::Wide(batch) => wide.push(batch),
            }
        }
        match narrow.is_empty() {
            true => Held::Wide(Batch::joined(&wide)),
            false => Held::Narrow(Batch::joined(&narrow)),
        }
    }
}

impl<T: Copy> Batch<T> {
    /// The same maps in other values.
    pub(super) fn with<U>(&self, values: Vec<U>) -> Batch<U> {
        Batch {
            count: self.count,
            size: self.size,
            channels: self.channels,
            values,
        }
    }

    /// The values of each image.
    pub(super) fn images(&self) -> impl Iterator<Item = &[T]> {
        self.values.chunks((self.values.len() / self.count.max(1)).max(1))
    }

    fn split(self, images: usize) -> impl Iterator<Item = Batch<T>> {
        let each = self.values.len() / self.count.max(1);
        let pieces = self.values.chunks((images * each).max(1));
        let pieces: Vec<Batch<T>> = pieces
            .map(|values| Batch {
                count: values.len() / each,
                ..self.with(values.to_vec())
            })
            .collect();
        pieces.into_iter()
    }

    fn joined(pieces: &[Batch<T>]) -> Batch<T> {
        let values: Vec<&[T]> = pieces.iter().map(|piece| &piece.values[..]).collect();
        Batch {
            count: pieces.iter().map(|piece| piece.count).sum(),
            ..pieces[0].with(values.concat())
        }
    }
}

impl Batch<f32> {
    /// `[n, 1, 1, c]`.
    pub(super) fn flat(count: usize, values: Vec<f32>) -> Batch<f32> {
        Batch {
            count,
            size: [1, 1],
            channels: values.len() / count.max(1),
            values,
        }
    }

    /// Of maps of one shape; one at least.
    pub(super) fn of(maps: Vec<Map>) -> Batch<f32> {
        Batch {
            count: maps.len(),
            size: maps[0].size,
            channels: maps[0].channels,
            values: maps.iter().map(|map| &map.values[..]).collect::<Vec<_>>().concat(),
        }
    }

    /// The map of each image.
    pub(super) fn maps(&self) -> Vec<Map> {
        let map = |values: &[f32]| Map {
            size: self.size,
            channels: self.channels,
            values: values.to_vec(),
        };
        self.images().map(map).collect()
    }

    /// Each value and the other's of its image, which has the same shape or one pixel.
    pub(super) fn combined(mut self, other: &Batch<f32>, function: impl Fn(f32, f32) -> f32) -> Batch<f32> {
        let each = self.values.len() / self.count.max(1);
        for (image, other) in self.values.chunks_mut(each.max(1)).zip(other.images()) {
            for part in image.chunks_mut(other.len()) {
                part.iter_mut().zip(other).for_each(|(a, b)| *a = function(*a, *b));
            }
        }
        self
    }

    /// Left and right exchanged.
    pub(super) fn mirrored(&self) -> Batch<f32> {
        Batch::of(self.maps().iter().map(Map::mirrored).collect())
    }
}

/// Whether the values of a map lie as those of one pixel would.
pub(super) fn is_tight(channels: usize, size: [usize; 2]) -> bool {
    size == [1, 1] || kernel::stride(channels) == channels
}

/// The channels of all, pixel by pixel; one at least.
pub(super) fn concatenated(all: &[Cow<Batch<u16>>]) -> Batch<u16> {
    let channels = all.iter().map(|batch| batch.channels).sum();
    let (first, each) = (&all[0], kernel::stride(channels));
    let pixels = first.count * first.size[0] * first.size[1];
    let mut values = vec![0; pixels * each];
    let mut start = 0;
    for batch in all {
        let rows = batch.values.chunks_exact(kernel::stride(batch.channels));
        for (to, from) in values.chunks_exact_mut(each).zip(rows) {
            to[start..][..batch.channels].copy_from_slice(&from[..batch.channels]);
        }
        start += batch.channels;
    }
    Batch {
        count: first.count,
        size: first.size,
        channels,
        values,
    }
}
