//! Pretrained weights under a head, ready for training or for computing features.

use std::path::Path;

use burn::tensor::Device;
use pelage_data::preprocess::Preprocessing;
use pelage_model::networks::Network;
use pelage_model::weights;

use super::recipe::Recipe;
use super::transfer::Transfer;
use crate::features::Extractor;
use crate::{Error, Result, zoo};

/// A backbone with pretrained weights.
pub struct Backbone {
    /// The pretrained network under the transfer's head, freshly initialized.
    pub network: Network,
    /// How images become its input.
    pub preprocessing: Preprocessing,
    /// Identifies the weights.
    pub fingerprint: String,
}

impl Backbone {
    /// The extractor of the features that a head is trained on by `transfer`; `network` is the backbone's, folded.
    pub fn extractor<'a>(&'a self, transfer: &Transfer, network: &'a Network) -> Extractor<'a> {
        Extractor {
            network,
            preprocessing: &self.preprocessing,
            fingerprint: &self.fingerprint,
            pooling: transfer.head.pooling,
            flip: transfer.flip,
        }
    }
}

/// The backbones of `transfer`, one unless several are joined; see [`backbone`].
///
/// # Errors
/// As [`backbone`].
pub fn backbones(transfer: &Transfer, recipe: &Recipe, classes: usize, device: &Device) -> Result<Vec<Backbone>> {
    let first = backbone(transfer, recipe, classes, device)?;
    let own_sizes = recipe.image_size == recipe.model.input_size();
    let beside = transfer.beside.iter().map(|beside| {
        let alone = Transfer {
            weights: beside.weights.clone(),
            weights_hash: beside.weights_hash.clone(),
            ..transfer.clone()
        };
        let recipe = Recipe {
            model: beside.architecture,
            image_size: if own_sizes {
                beside.architecture.input_size()
            } else {
                recipe.image_size
            },
            // That is of the first one.
            evaluation_size: None,
            ..recipe.clone()
        };
        backbone(&alone, &recipe, classes, device)
    });
    std::iter::once(Ok(first)).chain(beside).collect()
}

/// Reads the weights of `transfer` and puts its head on, for `classes` classes and square images of `image_size`
/// pixels.
///
/// # Errors
/// Weights that are missing, damaged, of another architecture, or not those that the run started with.
pub fn backbone(transfer: &Transfer, recipe: &Recipe, classes: usize, device: &Device) -> Result<Backbone> {
    let size = [recipe.image_size as usize; 2];
    let Some(path) = &transfer.weights else {
        let layout = weights::Layout::ALL
            .into_iter()
            .find(|layout| layout.knows(recipe.model));
        let preprocessing = layout.map_or_else(
            || Preprocessing::new(recipe.image_size),
            |layout| layout.preprocessing(recipe.model),
        );
        let network = Network::new(recipe.model, size, classes, recipe.seed, device);
        return Ok(Backbone {
            network: network.with_head(&transfer.head, size, classes, recipe.seed),
            preprocessing: recipe.preprocessing(preprocessing),
            fingerprint: format!("random {}", recipe.seed),
        });
    };
    let hash = hash_of(path)?;
    if transfer.weights_hash.as_ref().is_some_and(|noted| *noted != hash) {
        return Err(Error::model(
            path,
            "is not the file that the run began with; restore that one, or start a new run",
        ));
    }
    let pretrained = zoo::load(path, recipe.model)?;
    let preprocessing = recipe.preprocessing(pretrained.preprocessing.clone());
    Ok(Backbone {
        network: pretrained.with_head(&transfer.head, size, classes, recipe.seed, device),
        preprocessing,
        fingerprint: hash,
    })
}

/// Records in `transfer` the hashes of its files of weights, so that a resumed run accepts no other.
///
/// # Errors
/// A file that cannot be read.
pub fn note_weights(transfer: &mut Transfer) -> Result<()> {
    if let (Some(path), None) = (&transfer.weights, &transfer.weights_hash) {
        transfer.weights_hash = Some(hash_of(path)?);
    }
    for beside in &mut transfer.beside {
        if let (Some(path), None) = (&beside.weights, &beside.weights_hash) {
            beside.weights_hash = Some(hash_of(path)?);
        }
    }
    Ok(())
}

/// The hash of a file's content.
fn hash_of(path: &Path) -> Result<String> {
    let mut hasher = blake3::Hasher::new();
    let file = std::fs::File::open(path).map_err(Error::io(path))?;
    hasher.update_reader(file).map_err(Error::io(path))?;
    Ok(hasher.finalize().to_hex()[..32].to_string())
}
