//! What each channel is multiplied by: the scale of a layer norm, and that of a block's result. Either is a convolution
//! here, of one value for each channel, so that it is packed, fused and learnt like any other.

use super::graph::{Convolution, Graph, Operation, Value};

/// Layer norm (Ba et al. 2016) over the channels of each pixel; scale and shift are the layer `name.norm_scale`.
pub(super) fn norm(g: &mut Graph, name: &str, x: Value, epsilon: f32) -> Value {
    let normalized = g.put(format!("{name}.norm"), Operation::LayerNorm { epsilon }, &[x]);
    let scale = Convolution::new(1, g.channels(x)).depthwise();
    g.convolution(format!("{name}.norm_scale"), normalized, scale)
}

/// `input` and `x`, the result of a block that begins with it, with a factor for each channel (Touvron et al. 2021,
/// *Going Deeper with Image Transformers*, section 2), the layer `name.scale`.
pub(super) fn scaled_residual(g: &mut Graph, name: &str, x: Value, input: Value) -> Value {
    let scale = Convolution::new(1, g.channels(x)).depthwise().without_bias();
    g.residual(format!("{name}.scale"), x, input, scale)
}
