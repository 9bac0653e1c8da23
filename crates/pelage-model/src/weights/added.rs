//! The file of a network that was added: its graph, its tensors, how images become its input, and where it came from.
//! It has the checksum of all files of ours, and as little in it is believed unchecked.

use std::path::Path;

use pelage_data::preprocess::Preprocessing;
use serde::{Deserialize, Serialize};

use super::Pretrained;
use crate::networks::Architecture;
use crate::saved::check_input;
use crate::tensors::{self, Precision};
use crate::values::Named;
use crate::{Error, Result};

/// What such a file is in its description.
const KIND: &str = "backbone";

/// What the file says of a network beside its tensors.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Facts {
    /// The network.
    pub architecture: Architecture,
    /// How images become its input.
    pub preprocessing: Preprocessing,
    /// Where it came from.
    pub source: Source,
}

/// The file that a network was made of.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// The name of the file.
    pub file: String,
    /// Its SHA-256, hexadecimal.
    pub sha256: String,
    /// What in it is the last feature map.
    pub features: String,
}

impl Facts {
    /// The bytes of a file of this network.
    ///
    /// # Errors
    /// Tensors that are not exactly those of the network, or not finite.
    pub fn encode(&self, named: &Named) -> std::result::Result<Vec<u8>, String> {
        self.check(named)?;
        let named = named.iter();
        tensors::encode(
            named.map(|(name, values)| (name.clone(), values, Precision::F32)),
            KIND,
            self,
        )
    }

    fn check(&self, named: &Named) -> std::result::Result<(), String> {
        check_input(self.architecture, &self.preprocessing)?;
        if !matches!(self.architecture, Architecture::Added(_)) {
            return Err(format!(
                "holds {}, which is no network that was added",
                self.architecture.name()
            ));
        }
        let side = &self.preprocessing;
        let mut graph = self.architecture.graph([side.height as usize, side.width as usize], 2);
        graph.behead();
        graph.check(named)?;
        tensors::check_finite(named)
    }
}

/// The facts in `bytes`, as [`Facts::encode`] makes them, and the tensors, both checked.
///
/// # Errors
/// Says what is damaged.
pub fn decode(bytes: &[u8]) -> std::result::Result<(Facts, Named), String> {
    let (named, facts) = tensors::decode::<Facts>(bytes, KIND)?;
    facts.check(&named)?;
    Ok((facts, named))
}

/// The facts in the file `path`, and its tensors, both checked.
///
/// # Errors
/// A file that cannot be read, is damaged, or of another kind.
pub fn read(path: &Path) -> Result<(Facts, Named)> {
    let bytes = std::fs::read(path).map_err(Error::io(path))?;
    decode(&bytes).map_err(|reason| Error::model(path, reason))
}

/// The weights of `architecture`, a network that was added, in the file `path`.
pub(super) fn load(path: &Path, architecture: Architecture) -> Result<Pretrained> {
    let (facts, values) = read(path)?;
    if facts.architecture != architecture {
        let (found, wanted) = (facts.architecture.name(), architecture.name());
        let reason = match found == wanted {
            true => format!("holds another network called {found}; under that name it was added anew"),
            false => format!("holds {found}, not {wanted}"),
        };
        return Err(Error::model(path, reason));
    }
    Ok(Pretrained {
        architecture,
        layout: None,
        classes: None,
        preprocessing: facts.preprocessing,
        values,
    })
}
