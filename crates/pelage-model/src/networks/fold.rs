//! Folding batch norm into the preceding convolution.

use super::graph::{Graph, Operation};
use crate::values::{Named, Values};

impl Graph {
    /// Without the batch norms that are folded in `values`, where a bias stands instead of a norm.
    pub(crate) fn take_folded(&mut self, values: &Named) {
        for node in &mut self.nodes {
            if let Operation::Convolution(convolution) = &mut node.operation {
                let has = |suffix: &str| values.contains_key(&format!("{}.{suffix}", node.name));
                if has("bias") && !has("norm.weight") {
                    convolution.norm = None;
                }
            }
        }
        for (norm, _, convolution) in self.norms() {
            if !values.contains_key(&format!("{}.running_mean", self.nodes[norm].name)) {
                self.fold_norm(norm, convolution);
            }
        }
    }

    /// Folds the batch norms of the layers that `choose` names into the convolutions before them, and their tensors
    /// among `values`.
    pub(crate) fn fold(&mut self, values: &mut Named, choose: impl Fn(&str) -> bool) {
        for node in &mut self.nodes {
            if let Operation::Convolution(convolution) = &mut node.operation
                && choose(&node.name)
                && let Some(epsilon) = convolution.norm.take()
            {
                fold(&node.name, &format!("{}.norm", node.name), epsilon, values);
            }
        }
        for (norm, epsilon, convolution) in self.norms() {
            let [norm_name, name] = [norm, convolution].map(|i| self.nodes[i].name.clone());
            if choose(&norm_name) {
                fold(&name, &norm_name, epsilon, values);
                self.fold_norm(norm, convolution);
            }
        }
    }
}

/// Replaces the batch norm `norm` after the convolution `name` by new weights and a bias, computed in f64:
/// `w * a` and `beta - mean * a` with `a = gamma / sqrt(variance + epsilon)` (Jacob et al. 2018, section 3.2); a norm
/// without a scale has a gamma of 1.
fn fold(name: &str, norm: &str, epsilon: f64, values: &mut Named) {
    let mut take = |suffix: &str| values.remove(&format!("{norm}.{suffix}")).unwrap_or_default().data;
    let (gamma, beta) = (take("weight"), take("bias"));
    let (mean, variance) = (take("running_mean"), take("running_var"));
    let gammas = gamma.iter().copied().chain(std::iter::repeat(1.0));
    let scales: Vec<f64> = variance
        .iter()
        .zip(gammas)
        .map(|(&v, gamma)| f64::from(gamma) / (f64::from(v) + epsilon).sqrt())
        .collect();
    if let Some(weight) = values.get_mut(&format!("{name}.weight")) {
        let each = weight.data.len() / scales.len().max(1);
        for (kernel, scale) in weight.data.chunks_mut(each.max(1)).zip(&scales) {
            kernel.iter_mut().for_each(|w| *w = (f64::from(*w) * scale) as f32);
        }
    }
    let shifted = beta.iter().zip(&mean).zip(&scales);
    let data: Vec<f32> = shifted
        .map(|((&b, &m), scale)| (f64::from(b) - f64::from(m) * scale) as f32)
        .collect();
    values.insert(
        format!("{name}.bias"),
        Values {
            shape: vec![data.len()],
            data,
        },
    );
}
