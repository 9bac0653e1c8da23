//! Windows that slide over a map, and what lies around it.

/// Zero padding around the image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Padding {
    /// The same number of pixels on each side.
    Each(usize),
    /// TensorFlow's 'SAME': the output has the input's size divided by the stride, rounded up; an odd row or column
    /// goes to bottom and right.
    Same,
    /// Top, left, bottom and right.
    Sides([usize; 4]),
}

impl Padding {
    /// Top, left, bottom and right for windows over a map of `[h, w]`.
    pub fn around(self, kernel: usize, stride: usize, [h, w]: [usize; 2]) -> [usize; 4] {
        match self {
            Padding::Each(p) => [p; 4],
            Padding::Sides(sides) => sides,
            Padding::Same => {
                let total = |i: usize| ((i.div_ceil(stride) - 1) * stride + kernel).saturating_sub(i);
                let (rows, columns) = (total(h), total(w));
                [rows / 2, columns / 2, rows - rows / 2, columns - columns / 2]
            }
        }
    }
}

/// A sliding window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pool {
    /// Rows and columns of the window.
    pub kernel: usize,
    /// Stride in pixels.
    pub stride: usize,
    /// What is around the map, which is never a maximum and in no mean.
    pub padding: Padding,
    /// Whether a window may extend over the bottom and right edge (PyTorch's `ceil_mode`).
    pub ceil: bool,
}

impl Pool {
    /// A pooling window with its stride.
    pub fn new(kernel: usize, stride: usize) -> Self {
        Pool {
            kernel,
            stride,
            padding: Padding::Each(0),
            ceil: false,
        }
    }

    /// Top, left, bottom and right for an input of `[h, w]`.
    pub fn padding(&self, size: [usize; 2]) -> [usize; 4] {
        let [top, left, bottom, right] = self.padding.around(self.kernel, self.stride, size);
        let end = |i: usize, before: usize, after: usize| {
            let last = i + before + after - self.kernel;
            let spare = last % self.stride;
            // One more window, unless it would start beyond the image and its left padding.
            let more = self.ceil && spare > 0 && last - spare + self.stride < i + before;
            after + if more { self.stride - spare } else { 0 }
        };
        [top, left, end(size[0], top, bottom), end(size[1], left, right)]
    }

    /// Rows and columns of the output for an input of `[h, w]`.
    pub fn output_size(&self, [h, w]: [usize; 2]) -> [usize; 2] {
        let [top, left, bottom, right] = self.padding([h, w]);
        [h + top + bottom, w + left + right].map(|side| (side - self.kernel) / self.stride + 1)
    }

    /// What one pixel of a window is of its mean, window by window, for an input of `[h, w]`: pixels that are not on
    /// the map do not count.
    pub(crate) fn shares(&self, size: [usize; 2]) -> Vec<f32> {
        let ([rows, columns], padding) = (self.output_size(size), self.padding(size));
        let on_map = |at: usize, axis: usize| {
            let (start, before) = (at * self.stride, padding[axis]);
            (start + self.kernel)
                .min(size[axis] + before)
                .saturating_sub(start.max(before))
        };
        let of_row = |row: usize| (0..columns).map(move |column| on_map(row, 0) * on_map(column, 1));
        let counts = (0..rows).flat_map(of_row);
        counts.map(|count| 1.0 / count.max(1) as f32).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_count_the_pixels_that_lie_on_the_map() {
        let pool = Pool {
            padding: Padding::Each(1),
            ceil: true,
            ..Pool::new(3, 2)
        };
        // Rows of 4: windows at -1, 1 and, beyond the edge, 3; columns of 3: at -1 and 1.
        assert_eq!(pool.padding([4, 3]), [1, 1, 2, 1]);
        assert_eq!(pool.output_size([4, 3]), [3, 2]);
        let counts: Vec<f32> = pool.shares([4, 3]).iter().map(|share| (1.0 / share).round()).collect();
        assert_eq!(counts, [4.0, 4.0, 6.0, 6.0, 2.0, 2.0]);
        let same = Pool {
            padding: Padding::Same,
            ..Pool::new(3, 2)
        };
        assert_eq!(same.padding([5, 6]), [1, 0, 1, 1]);
    }
}
