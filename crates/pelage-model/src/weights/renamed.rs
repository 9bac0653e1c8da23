//! The other way round: a network's tensors under another project's names.

use super::Layout;
use crate::networks::Architecture;
use crate::values::Named;

/// The last layer of a head that took the place of the architecture's own.
const HEAD: &str = "head";

/// `values`, the tensors of a network with so many classes by our names, under the names and in the shapes that
/// `layout` has for those of `architecture`. A linear head goes by the name of the architecture's own, where that is
/// linear too.
///
/// # Errors
/// A message if the project has no such network, or none with this head.
pub fn renamed(mut values: Named, classes: usize, architecture: Architecture, layout: Layout) -> Result<Named, String> {
    if layout == Layout::Keras || !layout.knows(architecture) {
        return Err(format!(
            "{} has no network that is loaded as {}",
            layout.project(),
            architecture.name()
        ));
    }
    let replaced = values.contains_key(&format!("{HEAD}.weight"));
    let size = layout.preprocessing(architecture);
    let graph = architecture.graph([size.height as usize, size.width as usize], classes);
    let layers = layout.layers(architecture, &graph);
    let own_head = layers.last().map(|(layer, _)| layer.name.clone());
    let other = || {
        format!(
            "its head is another than {}'s {} has; a linear one on averaged features would fit, where that has one too",
            layout.project(),
            architecture.name()
        )
    };
    let mut renamed = Named::new();
    for (layer, prefixes) in layers {
        for (ours, shape) in graph.tensors(layer) {
            let part = &ours[layer.name.len() + 1..];
            let held = match replaced && Some(&layer.name) == own_head.as_ref() {
                true => format!("{HEAD}.{part}"),
                false => ours.clone(),
            };
            let mut tensor = values
                .remove(&held)
                .filter(|tensor| tensor.shape == shape)
                .ok_or_else(other)?;
            let theirs = prefixes.tensor(part);
            tensor.shape = prefixes.shape(&tensor.shape);
            renamed.insert(theirs, tensor);
        }
    }
    match values.is_empty() {
        true => Ok(renamed),
        false => Err(other()),
    }
}
