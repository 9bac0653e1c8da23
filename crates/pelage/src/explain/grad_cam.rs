//! Which parts of an image support a class: Grad-CAM and Grad-CAM++.

use burn::Tensor;
use burn::module::Module;
use burn::tensor::TensorData;
use pelage_model::networks::{Mode, Network};
use pelage_model::values::to_vec;

use super::heat::Heatmap;
use crate::Model;
use crate::{Error, Result};

/// How gradients become channel weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Variant {
    /// Their means over the map: Selvaraju et al. 2017, *Grad-CAM*, equations 1 and 2.
    GradCam,
    /// Their positive parts, weighted so that several instances of a class all show: Chattopadhay et al. 2018,
    /// *Grad-CAM++*, equations 9 and 19, for the exponential of the logit as in section 3.2.
    PlusPlus,
}

/// Grad-CAM of one image `[1, h, w, 3]` for the logit of `class`, over the last feature map.
///
/// # Errors
/// An unknown class.
pub fn grad_cam(model: &Model, pixels: Tensor<4>, class: usize) -> Result<Heatmap> {
    one(model, pixels, class, Variant::GradCam)
}

/// The same with the weights of Grad-CAM++.
///
/// # Errors
/// An unknown class.
pub fn grad_cam_plus_plus(model: &Model, pixels: Tensor<4>, class: usize) -> Result<Heatmap> {
    one(model, pixels, class, Variant::PlusPlus)
}

fn one(model: &Model, pixels: Tensor<4>, class: usize, variant: Variant) -> Result<Heatmap> {
    model.alone("explained")?;
    let network = &model.network;
    let layer = super::layer(network.graph(), None)?;
    Ok(heatmaps(network, pixels, &[class], layer, variant)?.swap_remove(0))
}

/// The heat maps of images `[n, h, w, 3]`, each for its own class, over the output of node `layer` (see
/// [`super::layer`]). The network must be without autodiff.
///
/// # Errors
/// An unknown class.
pub fn heatmaps(
    network: &Network,
    pixels: Tensor<4>,
    classes: &[usize],
    layer: usize,
    variant: Variant,
) -> Result<Vec<Heatmap>> {
    let nodes = network.graph().nodes();
    let count = nodes.last().map_or(0, |node| node.channels);
    if let Some(class) = classes.iter().find(|&&class| class >= count) {
        return Err(Error::setting(
            "class",
            class,
            format!("below {count}, the model's number of classes"),
        ));
    }
    let [_, rows, columns, _] = pixels.dims();
    let patches = super::patches(network.graph(), layer, [rows, columns]);
    let network = network.clone().unfused().train().with_frozen(|_| true);
    let mut leaf = None;
    let logits = network.forward_with(Tensor::from_inner(pixels), Mode::Infer, &mut |name, value| {
        if name != nodes[layer].name {
            return value;
        }
        let value = value.detach().require_grad();
        leaf = Some(value.clone());
        value
    });
    let mut chosen = vec![0.0; classes.len() * count];
    classes
        .iter()
        .enumerate()
        .for_each(|(i, class)| chosen[i * count + class] = 1.0);
    let chosen = Tensor::from_data(TensorData::new(chosen, [classes.len(), count]), &logits.device());
    let gradients = (logits * chosen).sum().backward();
    // The layer precedes the logits, which depend on it.
    let map = leaf.unwrap_or_else(|| unreachable!("node {layer} has not been computed"));
    let [_, height, width, channels] = map.dims();
    let gradient = map.grad(&gradients).map(to_vec).unwrap_or_default();
    let map = to_vec(map.inner());
    let each = height * width * channels;
    // The first token is of no place.
    let (first, [height, width]) = patches.map_or((0, [height, width]), |patches| (channels, patches));
    let of_places = |values: &[f32]| values[first..].to_vec();
    let maps = map.chunks(each).zip(gradient.chunks(each));
    let maps = maps.map(|(map, gradient)| (of_places(map), of_places(gradient)));
    Ok(maps
        .map(|(map, gradient)| {
            let weights = weights(&map, &gradient, channels, variant);
            let heat = |at: &[f32]| at.iter().zip(&weights).map(|(&a, w)| f64::from(a) * w).sum::<f64>();
            let values = map.chunks(channels).map(|at| heat(at).max(0.0) as f32).collect();
            Heatmap::scaled(height, width, values)
        })
        .collect())
}

/// The weight of each channel of a map `[h, w, c]`.
fn weights(map: &[f32], gradient: &[f32], channels: usize, variant: Variant) -> Vec<f64> {
    let of = |values: &[f32], k: usize| values.iter().skip(k).step_by(channels).map(|&v| f64::from(v)).collect();
    let weight = |k: usize| {
        let gradient: Vec<f64> = of(gradient, k);
        match variant {
            Variant::GradCam => gradient.iter().sum::<f64>() / gradient.len() as f64,
            Variant::PlusPlus => {
                let sum: f64 = of(map, k).iter().sum();
                // Equation 19 is g^2 / (2 g^2 + sum g^3), since the factor exp(logit) cancels.
                let share = |g: f64| match 2.0 + sum * g {
                    // Only maps with negative values come close.
                    divisor if divisor.abs() < 1e-9 => g,
                    divisor => g / divisor,
                };
                gradient.iter().filter(|&&g| g > 0.0).map(|&g| share(g)).sum()
            }
        }
    };
    (0..channels).map(weight).collect()
}
