//! Squeeze and excitation: Hu et al. 2018, *Squeeze-and-Excitation Networks*, figure 3.

use super::function::Function;
use super::graph::{Convolution, Graph, Operation, Value};
use crate::options::Activation;

/// `x`, each channel times a factor between 0 and 1 that two layers make of the means of all channels: the first has
/// `width` outputs and an `activation`, the second goes through `gate`. Their names are `name.squeeze` and
/// `name.excite`.
pub(super) fn squeeze_and_excite(
    g: &mut Graph,
    name: &str,
    x: Value,
    width: usize,
    activation: Activation,
    gate: Function,
) -> Value {
    let means = g.average_pool(format!("{name}.means"), x, 1);
    let squeeze = Convolution::new(1, width).activation(activation);
    let squeezed = g.convolution(format!("{name}.squeeze"), means, squeeze);
    let excite = Convolution::new(1, g.channels(x));
    let excited = g.convolution(format!("{name}.excite"), squeezed, excite);
    let factors = g.put(format!("{name}.gate"), Operation::Function(gate), &[excited]);
    g.put(format!("{name}.scale"), Operation::Multiply, &[x, factors])
}
