//! A chain of convolutions, computed one band of rows at a time so that the intermediate maps stay in cache. Those of
//! MobileNet's expansion, depthwise convolution and projection (Sandler et al. 2018, section 3.3) are six times as
//! large as the maps at either end.

use std::mem::MaybeUninit;
use std::ops::Range;

use super::{Activation, Geometry, Packed, Path, path, write};
use crate::fresh::{Element, Fresh, as_uninit};
use crate::isa::Isa;
use crate::scratch;
use rayon::prelude::*;

/// One convolution of a chain.
#[derive(Clone, Copy, Debug)]
pub struct Link<'a> {
    /// Its shape; its input is the output of the previous link.
    pub geometry: Geometry,
    /// Its weights.
    pub packed: &'a Packed,
    /// Applied last.
    pub activation: Activation,
}

/// Approximate number of values in a band of the intermediate maps: a typical 512 KiB L2 cache.
const BAND: usize = 1 << 17;

/// Computes the `output` of the last of `links` from the `input` of the first; `residual`, as long as `output`, is
/// added before the last activation. Intermediate rows that two bands need are computed twice. Bit-identical to
/// [`forward`](super::forward) link by link.
///
/// # Panics
/// If `links` is empty, a slice has the wrong length, the sizes of two links do not match, or a link takes
/// [`Path::Winograd`], whose rounding depends on where a map is cut.
pub fn forward_chain(isa: Isa, links: &[Link], input: &[f32], residual: Option<&[f32]>, output: &mut [f32]) {
    // SAFETY: only initialized values are written.
    write_chain(isa, links, input, residual, unsafe { as_uninit(output) });
}

/// [`forward_chain`] into possibly uninitialized memory; writes every element before reading it.
fn write_chain(isa: Isa, links: &[Link], input: &[f32], residual: Option<&[f32]>, output: &mut [MaybeUninit<f32>]) {
    let cut = |link: &Link| path(isa, &link.geometry) != Path::Winograd;
    assert!(links.iter().all(cut), "a link cannot be cut into bands");
    let geometries: Vec<Geometry> = links.iter().map(|link| link.geometry).collect();
    let shape = Bands {
        links: &geometries,
        values: BAND,
    };
    bands(&shape, input, residual, output, &|i, part, input, residual, output| {
        let link = &links[i];
        write(isa, part, input, link.packed, residual, link.activation, output);
    });
}

/// [`forward_chain`] into a new vector.
///
/// # Panics
/// As [`forward_chain`].
pub fn forward_chain_new(isa: Isa, links: &[Link], input: &[f32], residual: Option<&[f32]>) -> Vec<f32> {
    let mut output = Fresh::new(links[links.len() - 1].geometry.output_len());
    write_chain(isa, links, input, residual, output.slots());
    // SAFETY: `write_chain` writes every element.
    unsafe { output.into_vec() }
}

/// What is computed band by band.
pub(crate) struct Bands<'a> {
    /// The shapes of the convolutions; their maps are as long as these say.
    pub(crate) links: &'a [Geometry],
    /// Approximate number of values in a band of the intermediate maps.
    pub(crate) values: usize,
}

/// Computes rows of a link: its number, its shape for them, its input, what is added, and its output.
type Compute<'a, T> = dyn Fn(usize, &Geometry, &[T], Option<&[T]>, &mut [MaybeUninit<T>]) + Sync + 'a;

/// Lets `compute` write the `output` of the last link from the `input` of the first, see [`forward_chain`].
pub(crate) fn bands<T: Element + Send + Sync>(
    shape: &Bands,
    input: &[T],
    residual: Option<&[T]>,
    output: &mut [MaybeUninit<T>],
    compute: &Compute<T>,
) {
    let links = shape.links;
    let (first, last) = (links[0], links[links.len() - 1]);
    for pair in links.windows(2) {
        let (one, next) = (pair[0], pair[1]);
        let made = [one.batch, one.output_height(), one.output_width(), one.out_channels];
        assert_eq!(
            made,
            [next.batch, next.height, next.width, next.in_channels],
            "links of different sizes"
        );
    }
    assert_eq!(input.len(), first.input_len(), "length of input");
    assert_eq!(output.len(), last.output_len(), "length of output");
    assert!(
        residual.is_none_or(|residual| residual.len() == output.len()),
        "length of residual"
    );
    if output.is_empty() {
        return;
    }
    let height = last.output_height();
    let between: usize = links[..links.len() - 1].iter().map(Geometry::output_image_len).sum();
    let bands = between
        .div_ceil(shape.values)
        .max(rayon::current_num_threads().div_ceil(last.batch));
    let rows = height.div_ceil(bands);
    let row = last.output_width() * last.out_channels;
    output
        .par_chunks_mut(height * row)
        .enumerate()
        .flat_map(|(n, output)| {
            output
                .par_chunks_mut(rows * row)
                .enumerate()
                .map(move |(i, output)| (n, i, output))
        })
        .for_each(|(n, i, output)| {
            let input = &input[n * first.image_len()..][..first.image_len()];
            let start = n * height * row + i * rows * row;
            let residual = residual.map(|residual| &residual[start..][..output.len()]);
            let wanted = i * rows..i * rows + output.len() / row;
            band(links, input, residual, wanted, output, compute);
        });
}

/// Rows `wanted` of one image's output.
fn band<T: Element>(
    links: &[Geometry],
    input: &[T],
    residual: Option<&[T]>,
    wanted: Range<usize>,
    output: &mut [MaybeUninit<T>],
    compute: &Compute<T>,
) {
    let [before @ .., g] = links else { return };
    let (rows, part) = part(g, wanted);
    let row = g.width * g.in_channels;
    if before.is_empty() {
        let input = &input[rows.start * row..rows.end * row];
        return compute(0, &part, input, residual, output);
    }
    scratch::with_values(rows.len() * row, |made| {
        // A band entirely within the padding needs no input rows.
        if !rows.is_empty() {
            // SAFETY: only initialized values are written.
            band(before, input, None, rows, unsafe { as_uninit(made) }, compute);
        }
        compute(before.len(), &part, made, residual, output);
    });
}

/// The input rows that output rows `wanted` depend on, and the convolution that maps one to the other.
fn part(g: &Geometry, wanted: Range<usize>) -> (Range<usize>, Geometry) {
    let [top, left, _, right] = g.padding;
    // Rows of the padded input.
    let (start, end) = (wanted.start * g.stride[0], (wanted.end - 1) * g.stride[0] + g.kernel[0]);
    let rows = start.saturating_sub(top).min(g.height)..end.saturating_sub(top).min(g.height);
    // A band may lie entirely within the padding.
    let (above, below) = (end.min(top), start.max(top + g.height));
    let part = Geometry {
        batch: 1,
        height: rows.len(),
        padding: [above.saturating_sub(start), left, end.saturating_sub(below), right],
        ..*g
    };
    (rows, part)
}
