//! Keras's `.h5`: one group per layer with the kernel `[kh, kw, ci, co]` and the bias, under any names.

use std::collections::BTreeMap;
use std::path::Path;
use std::rc::Rc;

use hdf5_reader::group::Group;
use hdf5_reader::{Dataset, Hdf5File};
use pelage_model::weights::Tensor;

/// Maximum depth of nested groups.
const DEPTH: usize = 4;

/// The tensors of `path` as `layer.weight` (in PyTorch's order of axes) and `layer.bias`.
pub(super) fn tensors(path: &Path) -> Result<BTreeMap<String, Tensor>, String> {
    let damaged = |failure: hdf5_reader::error::Error| format!("not an HDF5 file, or damaged: {failure}");
    let file = Hdf5File::open(path).map_err(damaged)?;
    let root = file.root_group().map_err(damaged)?;
    // `model.save` puts the weights into a group of their own, `save_weights` does not.
    let root = root.group("model_weights").unwrap_or(root);
    let mut tensors = BTreeMap::new();
    for layer in root.groups().map_err(damaged)? {
        let name = layer.name().trim_start_matches('/').to_string();
        let mut datasets = Vec::new();
        collect(&layer, DEPTH, &mut datasets).map_err(damaged)?;
        for dataset in datasets {
            let shape = dataset
                .shape()
                .iter()
                .map(|&n| usize::try_from(n).unwrap_or(usize::MAX))
                .collect::<Vec<_>>();
            let (suffix, shape, order) = match shape[..] {
                [rows, columns, inputs, outputs] => (
                    "weight",
                    vec![outputs, inputs, rows, columns],
                    Some([rows, columns, inputs, outputs]),
                ),
                [inputs, outputs] => ("weight", vec![outputs, inputs], Some([1, 1, inputs, outputs])),
                [_] => ("bias", shape, None),
                _ => return Err(format!("layer '{name}' holds a tensor of shape {shape:?}")),
            };
            let dataset = Rc::new(dataset);
            let tensor = Tensor::new(shape, move || read(&dataset, order));
            if tensors.insert(format!("{name}.{suffix}"), tensor).is_some() {
                return Err(format!("layer '{name}' holds two tensors that could be its {suffix}"));
            }
        }
    }
    Ok(tensors)
}

fn collect(group: &Group, depth: usize, datasets: &mut Vec<Dataset>) -> Result<(), hdf5_reader::error::Error> {
    let (groups, found) = group.members()?;
    datasets.extend(found);
    if depth > 0 {
        groups
            .iter()
            .try_for_each(|inner| collect(inner, depth - 1, datasets))?;
    }
    Ok(())
}

/// The values; of a kernel, as `[co, ci, kh, kw]`.
fn read(dataset: &Dataset, order: Option<[usize; 4]>) -> Result<Vec<f32>, String> {
    let count = dataset.num_elements().map_err(|failure| failure.to_string())?;
    let mut values = vec![0.0f32; usize::try_from(count).map_err(|failure| failure.to_string())?];
    dataset.read_into(&mut values).map_err(|failure| failure.to_string())?;
    let Some([rows, columns, inputs, outputs]) = order else {
        return Ok(values);
    };
    let mut ordered = Vec::with_capacity(values.len());
    for output in 0..outputs {
        for input in 0..inputs {
            ordered.extend((0..rows * columns).map(|position| values[(position * inputs + input) * outputs + output]));
        }
    }
    Ok(ordered)
}
