//! Convolutions in a row, computed one band of rows at a time, see [`crate::convolution::forward_chain`].

use super::{Packed, stride, write};
use crate::convolution::{Activation, Bands, Geometry, bands};
use crate::fresh::Fresh;

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
const BAND: usize = 1 << 18;

/// Whether [`forward_chain`] takes links with these channels: an even number everywhere.
fn is_even(links: &[Link]) -> bool {
    links.iter().all(|link| {
        let channels = [link.geometry.in_channels, link.geometry.out_channels];
        channels.iter().all(|&channels| stride(channels) == channels)
    })
}

/// Computes the output of the last of `links` from the `input` of the first; `residual`, a map like it, is added before
/// the last activation. The same bits as [`forward`](super::forward) link by link.
///
/// # Panics
/// If `links` is empty, a map has the wrong length, or the sizes of two links do not match.
pub fn forward_chain(links: &[Link], input: &[u16], residual: Option<&[u16]>) -> Vec<u16> {
    if !is_even(links) {
        let (mut map, last) = (None, links.len() - 1);
        for (i, link) in links.iter().enumerate() {
            let residual = residual.filter(|_| i == last);
            let input = map.as_deref().unwrap_or(input);
            map = Some(super::forward(
                &link.geometry,
                input,
                link.packed,
                residual,
                link.activation,
                false,
            ));
        }
        return map.unwrap_or_default();
    }
    let geometries: Vec<Geometry> = links.iter().map(|link| link.geometry).collect();
    let mut output = Fresh::new(geometries[links.len() - 1].output_len());
    let shape = Bands {
        links: &geometries,
        values: BAND,
    };
    bands(
        &shape,
        input,
        residual,
        output.slots(),
        &|i, part, input, residual, output| {
            let link = &links[i];
            write(part, input, link.packed, residual, link.activation, true, output);
        },
    );
    // SAFETY: `bands` lets every value be written.
    unsafe { output.into_vec() }
}
