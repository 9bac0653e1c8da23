//! Pretrained weights from files of other projects: PyTorch's `.pth` (every form that it ever wrote), `.safetensors` and
//! Keras's `.h5`. Nothing of a file is ever run, and every tensor is accounted for.

pub mod fetch;
mod file;
mod keras;
mod layout;
mod pytorch;
mod safetensors;
pub mod store;

use std::collections::HashSet;
use std::path::Path;

use burn::tensor::Device;
use pelage_data::preprocess::Preprocessing;

use crate::model::graph::{Graph, Operation};
use crate::model::parameters::{Named, Values};
use crate::model::{Architecture, Head, Network};
use crate::{Error, Result};
use file::{File, Tensor};
pub use layout::Layout;

/// Weights that fit an architecture, under pelage's names.
#[derive(Clone, Debug)]
pub struct Pretrained {
    /// The architecture.
    pub architecture: Architecture,
    /// Who named the tensors, and so which preprocessing they were trained with.
    pub layout: Layout,
    /// Classes of the head that came with the weights; none where the file holds only the backbone.
    pub classes: Option<usize>,
    /// How pictures become input for these weights.
    pub preprocessing: Preprocessing,
    values: Named,
}

/// Reads the weights of `architecture` from `path`; the format is told by the content, not the file's name.
///
/// # Errors
/// A file that cannot be read, is damaged or of another kind, holds code or numbers that are not finite; a missing,
/// surplus or misshapen tensor, which the message names.
pub fn load(path: &Path, architecture: Architecture) -> Result<Pretrained> {
    let file = file::open(path)?;
    convert(file, architecture).map_err(|reason| Error::model(path, reason))
}

/// The same from tensors in memory, under the names that their project gives them.
///
/// # Errors
/// As [`load`], as a message.
pub fn from_named(tensors: Named, architecture: Architecture) -> std::result::Result<Pretrained, String> {
    let tensors = tensors
        .into_iter()
        .map(|(name, values)| (name, Tensor::new(values.shape, move || Ok(values.data))));
    convert(
        File {
            tensors: tensors.collect(),
        },
        architecture,
    )
}

impl Pretrained {
    /// The network with the head that came with the weights.
    ///
    /// # Errors
    /// Where the file held only the backbone.
    pub fn network(self, device: &Device) -> std::result::Result<Network, String> {
        let Some(classes) = self.classes else {
            return Err(format!(
                "these weights of {} come without a head; give it one",
                self.architecture.name()
            ));
        };
        Network::assemble(self.architecture.graph(self.size(), classes), self.values, device)
    }

    /// The network with a freshly initialized head for pictures of `size` `[h, w]`.
    pub fn with_head(self, head: &Head, size: [usize; 2], classes: usize, seed: u64, device: &Device) -> Network {
        let mut backbone = self.architecture.graph(size, classes);
        backbone.behead();
        let known = names(&backbone);
        let values = self
            .values
            .into_iter()
            .filter(|(name, _)| known.contains(name))
            .collect();
        Network::build(backbone, values, device).with_head(head, size, classes, seed)
    }

    fn size(&self) -> [usize; 2] {
        [self.preprocessing.height, self.preprocessing.width].map(|side| side as usize)
    }
}

fn names(graph: &Graph) -> Vec<String> {
    graph
        .nodes()
        .iter()
        .flat_map(|node| graph.tensors(node))
        .map(|(name, _)| name)
        .collect()
}

/// How the tensors of a file fit an architecture.
struct Match {
    layout: Layout,
    graph: Graph,
    classes: Option<usize>,
    /// Our name, the file's name and the shape of each tensor.
    tensors: Vec<(String, String, Vec<usize>)>,
}

impl Match {
    /// Pairs the tensors that `architecture` wants with those of a file in `layout`.
    fn new(file: &File, architecture: Architecture, layout: Layout) -> Self {
        let preprocessing = layout.preprocessing(architecture);
        let size = [preprocessing.height, preprocessing.width].map(|side| side as usize);
        let mut graph = architecture.graph(size, 1);
        let last = layout.layers(architecture, &graph).pop();
        // Rows of the last layer; a file without it is told below, by the name of what is missing.
        let rows = last.and_then(|(_, prefixes)| file.tensors.get(&prefixes.tensor("weight"))?.shape.first().copied());
        let classes = (layout != Layout::Keras).then(|| rows.unwrap_or(1000));
        match classes {
            Some(classes) => graph = architecture.graph(size, classes),
            None => drop(graph.behead()),
        }
        let layers = layout.layers(architecture, &graph).into_iter();
        let tensors = layers.flat_map(|(layer, prefixes)| {
            let theirs = move |name: &str| prefixes.tensor(&name[layer.name.len() + 1..]);
            let named = graph.tensors(layer).into_iter();
            named
                .map(move |(name, shape)| (name.clone(), theirs(&name), shape))
                .collect::<Vec<_>>()
        });
        let tensors = tensors.collect();
        Match {
            layout,
            graph,
            classes,
            tensors,
        }
    }

    /// How many of the tensors the file has by name.
    fn found(&self, file: &File) -> usize {
        self.tensors
            .iter()
            .filter(|(_, theirs, _)| file.tensors.contains_key(theirs))
            .count()
    }

    /// Names the first missing, misshapen or surplus tensor.
    fn check(&self, file: &File, architecture: Architecture) -> std::result::Result<(), String> {
        for (_, theirs, wanted) in &self.tensors {
            match file.tensors.get(theirs) {
                Some(tensor) if fits(&tensor.shape, wanted) => {}
                Some(tensor) => {
                    return Err(format!(
                        "tensor '{theirs}' has shape {:?}, expected {wanted:?}",
                        tensor.shape
                    ));
                }
                None => return Err(format!("tensor '{theirs}' is missing")),
            }
        }
        let known: HashSet<&str> = self.tensors.iter().map(|(_, theirs, _)| theirs.as_str()).collect();
        let surplus = file
            .tensors
            .keys()
            .find(|name| !known.contains(name.as_str()) && !self.layout.is_known_surplus(architecture, name));
        match surplus {
            Some(name) => Err(format!(
                "has a tensor '{name}' that {} does not know",
                architecture.name()
            )),
            None => Ok(()),
        }
    }
}

/// Whether a tensor can be taken as one of shape `wanted`: a dense layer over a 7x7 map is a 7x7 convolution, and a
/// dense layer over one pixel a 1x1 convolution; the numbers lie in the same order.
fn fits(shape: &[usize], wanted: &[usize]) -> bool {
    let is_dense = |shape: &[usize]| shape.len() == 2;
    let columns = |shape: &[usize]| shape[1..].iter().try_fold(1usize, |product, &n| product.checked_mul(n));
    shape == wanted
        || shape.len() > 1
            && shape[0] == wanted[0]
            && is_dense(shape) != is_dense(wanted)
            && columns(shape) == columns(wanted)
}

/// Every layout that has weights of `architecture`, the one with the most names in common with the file last.
fn matches(file: &File, architecture: Architecture) -> Vec<Match> {
    let layouts = Layout::ALL.into_iter().filter(|layout| layout.knows(architecture));
    let mut matches: Vec<_> = layouts.map(|layout| Match::new(file, architecture, layout)).collect();
    matches.sort_by_key(|found| found.found(file));
    matches
}

/// Takes each tensor of the architecture out of the file, where they all fit.
fn convert(mut file: File, architecture: Architecture) -> std::result::Result<Pretrained, String> {
    file.strip_prefixes();
    let Some(found) = matches(&file, architecture).pop() else {
        return Err(format!("there are no known weights of {}", architecture.name()));
    };
    if let Err(problem) = found.check(&file, architecture) {
        return Err(foreign(&file, architecture, found.found(&file), problem));
    }
    let Match {
        layout,
        graph,
        classes,
        tensors,
    } = found;
    let mut values = Named::new();
    for (name, theirs, shape) in tensors {
        let Some(tensor) = file.tensors.remove(&theirs) else {
            return Err(format!("tensor '{theirs}' is wanted twice"));
        };
        let data = tensor
            .read()
            .map_err(|reason| format!("tensor '{theirs}' cannot be read: {reason}"))?;
        if let Some(bad) = data.iter().find(|value| !value.is_finite()) {
            return Err(format!(
                "tensor '{theirs}' holds {bad}; the file is damaged or its training diverged"
            ));
        }
        values.insert(name, Values { shape, data });
    }
    if layout == Layout::Keras {
        // These weights want blue first, pelage's pixels come red first.
        let stem = graph
            .nodes()
            .iter()
            .find(|node| matches!(node.operation, Operation::Convolution(_)));
        if let Some(weight) = stem.and_then(|node| values.get_mut(&format!("{}.weight", node.name))) {
            reverse_input_channels(weight);
        }
    }
    Ok(Pretrained {
        architecture,
        layout,
        classes,
        preprocessing: layout.preprocessing(architecture),
        values,
    })
}

fn reverse_input_channels(weight: &mut Values) {
    let [_, channels, rows, columns] = weight.shape[..] else {
        return;
    };
    for kernel in weight.data.chunks_exact_mut(channels * rows * columns) {
        let planes: Vec<f32> = kernel.rchunks_exact(rows * columns).flatten().copied().collect();
        kernel.copy_from_slice(&planes);
    }
}

/// Says what is wrong with a file that is not the weights of `wanted`: those of another architecture, or damaged ones.
fn foreign(file: &File, wanted: Architecture, found: usize, problem: String) -> String {
    let is = |known: &Architecture| {
        matches(file, *known)
            .iter()
            .any(|found| found.check(file, *known).is_ok())
    };
    if let Some(other) = Architecture::ALL.into_iter().find(is) {
        return format!("holds weights of {}, not of {}", other.name(), wanted.name());
    }
    if found > 0 {
        return problem;
    }
    let few = file
        .tensors
        .keys()
        .take(3)
        .map(|name| format!("'{name}'"))
        .collect::<Vec<_>>()
        .join(", ");
    let count = file.tensors.len();
    format!(
        "holds no weights of {} under names that pelage knows; its {count} tensors are {few} …",
        wanted.name()
    )
}
