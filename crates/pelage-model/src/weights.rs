//! Pretrained weights from other projects' files: PyTorch's `.pth` (all its forms) and `.safetensors`; or from tensors
//! read elsewhere, such as Keras's. No code of a file is ever run, and every tensor is accounted for.

pub mod added;
mod layout;
mod names;
#[cfg(feature = "pytorch")]
mod pickle;
#[cfg(feature = "pytorch")]
mod pytorch;
mod renamed;
mod safetensors;
mod tensor;

use std::collections::{BTreeMap, HashSet};
use std::io::Read;
use std::path::Path;

use burn::tensor::Device;
use pelage_data::preprocess::Preprocessing;

use crate::networks::graph::{Graph, Operation};
use crate::networks::{Architecture, Head, Network};
use crate::values::{Named, Values};
use crate::{Error, Result};
pub use layout::Layout;
pub use renamed::renamed;
pub use tensor::Tensor;

/// The tensors of a file by their project's names.
pub type Tensors = BTreeMap<String, Tensor>;

/// Weights that fit an architecture, under pelage's names.
#[derive(Clone, Debug)]
pub struct Pretrained {
    /// The architecture.
    pub architecture: Architecture,
    /// Whose names the tensors had, and so which preprocessing they were trained with; none of a network that was
    /// added, see [`added`].
    pub layout: Option<Layout>,
    /// Number of classes of the head in the file; `None` if it holds only the backbone.
    pub classes: Option<usize>,
    /// The preprocessing that these weights were trained with.
    pub preprocessing: Preprocessing,
    values: Named,
}

/// Reads the weights of `architecture` from a `.pth` or `.safetensors` file; the content, not the file's name, tells
/// the format.
///
/// # Errors
/// A file that cannot be read, is damaged or of another kind, or holds code or values that are not finite; a missing,
/// surplus or misshapen tensor, which the message names.
pub fn load(path: &Path, architecture: Architecture) -> Result<Pretrained> {
    if let Architecture::Added(_) = architecture {
        return added::load(path, architecture);
    }
    let tensors = match head(path)?[..] {
        [_, _, _, _, _, _, _, _, b'{', ..] => safetensors::tensors(std::fs::read(path).map_err(Error::io(path))?),
        _ => pickled(path),
    };
    tensors
        .and_then(|tensors| fit(tensors, architecture))
        .map_err(|reason| Error::model(path, reason))
}

#[cfg(feature = "pytorch")]
fn pickled(path: &Path) -> std::result::Result<Tensors, String> {
    pytorch::tensors(path)
}

#[cfg(not(feature = "pytorch"))]
fn pickled(_: &Path) -> std::result::Result<Tensors, String> {
    Err("is not a .safetensors file, and this build reads no other format".into())
}

/// The first bytes of a file, which identify its format.
///
/// # Errors
/// A path that cannot be read or is not a file.
pub fn head(path: &Path) -> Result<Vec<u8>> {
    let mut head = Vec::new();
    let file = std::fs::File::open(path).map_err(Error::io(path))?;
    if !file.metadata().map_err(Error::io(path))?.is_file() {
        let reason = "is not a file; give a .pth, .safetensors or .h5 file of weights";
        return Err(Error::model(path, reason));
    }
    file.take(16).read_to_end(&mut head).map_err(Error::io(path))?;
    Ok(head)
}

/// The weights of `architecture` among tensors under their project's names.
///
/// # Errors
/// As [`load`], as a message.
pub fn fit(tensors: Tensors, architecture: Architecture) -> std::result::Result<Pretrained, String> {
    convert(without_wrapper(tensors), architecture)
}

/// The same from values in memory.
///
/// # Errors
/// As [`load`], as a message.
pub fn from_named(tensors: Named, architecture: Architecture) -> std::result::Result<Pretrained, String> {
    let tensors = tensors
        .into_iter()
        .map(|(name, values)| (name, Tensor::new(values.shape, move || Ok(values.data))));
    fit(tensors.collect(), architecture)
}

/// Strips the prefix that wrappers put before every name: `module.` (PyTorch's `DataParallel`).
fn without_wrapper(tensors: Tensors) -> Tensors {
    const WRAPPER: &str = "module.";
    match tensors.keys().all(|name| name.starts_with(WRAPPER)) {
        true => tensors
            .into_iter()
            .map(|(name, tensor)| (name[WRAPPER.len()..].to_string(), tensor))
            .collect(),
        false => tensors,
    }
}

impl Pretrained {
    /// The network with the head from the file.
    ///
    /// # Errors
    /// If the file holds only the backbone.
    pub fn network(self, device: &Device) -> std::result::Result<Network, String> {
        let Some(classes) = self.classes else {
            return Err(format!(
                "these weights of {} have no head; choose one",
                self.architecture.name()
            ));
        };
        Network::assemble(self.architecture.graph(self.size(), classes), self.values, device)
    }

    /// The network with a freshly initialized head for images of `size` `[h, w]`.
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
    /// Pairs the tensors that `architecture` needs with those of a file in `layout`.
    fn new(file: &Tensors, architecture: Architecture, layout: Layout) -> Self {
        let preprocessing = layout.preprocessing(architecture);
        let size = [preprocessing.height, preprocessing.width].map(|side| side as usize);
        let mut graph = architecture.graph(size, 1);
        let last = layout.layers(architecture, &graph).pop();
        // Rows of the last layer; if it is missing, the check below names it.
        let rows = last.and_then(|(_, prefixes)| file.get(&prefixes.tensor("weight"))?.shape.first().copied());
        let has_head = layout != Layout::Keras && (rows.is_some() || architecture != Architecture::DinoV2Small);
        let classes = has_head.then(|| rows.unwrap_or(1000));
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

    /// How many of the needed names the file has.
    fn found(&self, file: &Tensors) -> usize {
        self.tensors
            .iter()
            .filter(|(_, theirs, _)| file.contains_key(theirs))
            .count()
    }

    /// Names the first missing, misshapen or surplus tensor.
    fn check(&self, file: &Tensors, architecture: Architecture) -> std::result::Result<(), String> {
        for (_, theirs, wanted) in &self.tensors {
            match file.get(theirs) {
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

/// Whether a tensor can be taken as one of shape `wanted`: a dense layer over a 7x7 map is a 7x7 convolution, one over
/// a single pixel a 1x1 convolution, and a factor for each channel a depthwise one; the values lie in the same order.
fn fits(shape: &[usize], wanted: &[usize]) -> bool {
    let is_dense = |shape: &[usize]| shape.len() == 2;
    let columns = |shape: &[usize]| shape[1..].iter().try_fold(1usize, |product, &n| product.checked_mul(n));
    let longer = |shape: &[usize]| shape.iter().copied().filter(|&n| n != 1).collect::<Vec<_>>();
    longer(shape) == longer(wanted)
        || shape.len() > 1
            && shape[0] == wanted[0]
            && is_dense(shape) != is_dense(wanted)
            && columns(shape) == columns(wanted)
}

/// Every layout that has weights of `architecture`, the one with the most names in common with the file last.
fn matches(file: &Tensors, architecture: Architecture) -> Vec<Match> {
    let layouts = Layout::ALL.into_iter().filter(|layout| layout.knows(architecture));
    let mut matches: Vec<_> = layouts.map(|layout| Match::new(file, architecture, layout)).collect();
    matches.sort_by_key(|found| found.found(file));
    matches
}

/// Takes each tensor of the architecture out of the file, if they all fit.
fn convert(mut file: Tensors, architecture: Architecture) -> std::result::Result<Pretrained, String> {
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
        let Some(tensor) = file.remove(&theirs) else {
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
        // These weights expect BGR, pelage's pixels are RGB.
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
        layout: Some(layout),
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

/// Says why a file does not hold the weights of `wanted`: those of another architecture, or damaged ones.
fn foreign(file: &Tensors, wanted: Architecture, found: usize, problem: String) -> String {
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
        .keys()
        .take(3)
        .map(|name| format!("'{name}'"))
        .collect::<Vec<_>>()
        .join(", ");
    let count = file.len();
    format!(
        "holds no weights of {} under names that pelage knows; its {count} tensors are {few} …",
        wanted.name()
    )
}
