//! Networks of other people in the store: added from an ONNX file under a name, and found by it.

use std::path::Path;

use pelage_data::preprocess::{Fit, Preprocessing, ResizeFilter};
use pelage_data::shown;
use pelage_model::networks::Architecture;
use pelage_model::networks::described::check_name;
use pelage_model::weights::added::{self, Facts, Source};
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::onnx::{self, Reading};
use super::store::{Added, Kept, Store};
use crate::{Error, Result, atomic};

/// How to add a network.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Adding {
    /// The name that it is to have here.
    pub name: String,
    /// What to make of the file.
    pub reading: Reading,
    /// Subtracted from each channel of pixels of 0 to 1; `None`: what the file says, where one of ours does.
    pub mean: Option<[f32; 3]>,
    /// What each channel is then divided by.
    pub std: Option<[f32; 3]>,
    /// How images are brought to size; `None`: what the file says, else bilinear.
    pub filter: Option<ResizeFilter>,
}

/// The result of [`Store::add_onnx`].
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AddedNetwork {
    /// What is kept.
    #[serde(flatten)]
    pub added: Added,
    /// Where it came from.
    pub source: Source,
    /// Rows, columns and channels of its last feature map.
    pub shape: [usize; 3],
    /// The node that was taken for the classifier, and with what follows it left out.
    pub classifier: Option<String>,
}

/// The key of the preprocessing in files of ours; what it says of normalization is done by the network in the file.
const PREPROCESSING: &str = "pelage.preprocessing";

impl Store {
    /// Reads the network in the ONNX file `file`, and keeps it without its classifier under a name, replacing an
    /// earlier one of that name.
    ///
    /// # Errors
    /// A name that cannot be one, a file that cannot be read, is damaged, or has a node that is not supported, which
    /// the message names; a store that cannot be written. The earlier one then stays.
    pub fn add_onnx(&self, file: &Path, adding: &Adding) -> Result<AddedNetwork> {
        check_name(&adding.name).map_err(Error::Settings)?;
        let refused = |reason: String| Error::model(file, reason);
        let metadata = file.metadata().map_err(Error::io(file))?;
        if !metadata.is_file() || metadata.len() > onnx::MOST_BYTES {
            return Err(refused(
                "is no file, or larger than the 2 GB that an ONNX file can have".into(),
            ));
        }
        let bytes = std::fs::read(file).map_err(Error::io(file))?;
        let sha256 = Sha256::digest(&bytes)
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        let read = onnx::read(file, bytes, &adding.reading).map_err(refused)?;
        let side = read.image_size;
        let (features, last) = (read.graph.sizes([side as usize; 2]), read.graph.nodes().len() - 1);
        let [rows, columns] = features[last];
        let shape = [rows, columns, read.graph.nodes()[last].channels];
        let architecture = Architecture::added(&adding.name, side, read.graph).map_err(refused)?;
        let said = read.metadata.iter().find(|(key, _)| key == PREPROCESSING);
        let said: Option<Preprocessing> = said.and_then(|(_, value)| serde_json::from_str(value).ok());
        let own = said.is_some().then_some(([0.0; 3], [1.0; 3]));
        let (Some(mean), Some(std)) = (
            adding.mean.or(own.map(|own| own.0)),
            adding.std.or(own.map(|own| own.1)),
        ) else {
            return Err(Error::Settings(format!(
                "{} does not say how it takes pixels, so the mean and the standard deviation of each channel have to \
                 be given, for pixels of 0 to 1: 0.485,0.456,0.406 and 0.229,0.224,0.225 for most networks of \
                 torchvision and timm, 0.5,0.5,0.5 twice for values of -1 to 1, 0,0,0 and \
                 0.00392157,0.00392157,0.00392157 for values of 0 to 255, 0,0,0 and 1,1,1 for pixels as they are",
                shown::path(file)
            )));
        };
        let preprocessing = Preprocessing {
            filter: adding
                .filter
                .or(said.as_ref().map(|said| said.filter))
                .unwrap_or_default(),
            fit: said.map_or(Fit::Crop, |said| said.fit),
            mean,
            std,
            ..Preprocessing::new(side)
        };
        let facts = Facts {
            architecture,
            preprocessing,
            source: Source {
                file: file.file_name().unwrap_or_default().to_string_lossy().into_owned(),
                sha256,
                features: read.features,
            },
        };
        let kept = facts.encode(&read.values).map_err(refused)?;
        // What cannot be read again takes no earlier one's place.
        added::decode(&kept).map_err(refused)?;
        let earlier = self.files(&adding.name)?;
        let folder = self.place(&adding.name);
        std::fs::create_dir_all(&folder).map_err(Error::io(&folder))?;
        let path = folder.join(format!("{}.safetensors", adding.name));
        atomic::write(&path, &kept)?;
        for old in earlier.iter().filter(|old| **old != path) {
            std::fs::remove_file(old).map_err(Error::io(old))?;
        }
        Ok(AddedNetwork {
            added: Added {
                kept: Kept::new(architecture, path)?,
                replaced: earlier.into_iter().next(),
                classes: None,
                preprocessing: facts.preprocessing,
            },
            source: facts.source,
            shape,
            classifier: read.classifier,
        })
    }

    /// The network called `name`: one of ours, or one that was added.
    ///
    /// # Errors
    /// If there is none; the message lists those that there are.
    pub fn named(&self, name: &str) -> Result<Architecture> {
        if let Ok(known) = name.parse::<Architecture>() {
            return Ok(known);
        }
        if check_name(name).is_ok()
            && let Some(path) = self.files(name)?.into_iter().next()
        {
            return Ok(added::read(&path)?.0.architecture);
        }
        Err(self.unknown(name)?)
    }

    /// The error that nothing is called `name`.
    pub(super) fn unknown(&self, name: &str) -> Result<Error> {
        let unknown = name.parse::<Architecture>().err().unwrap_or_default();
        let added: Vec<_> = self.added()?.into_iter().map(Architecture::name).collect();
        Ok(Error::Settings(match added[..] {
            [] => unknown,
            _ => format!("{unknown}; added: {}", added.join(", ")),
        }))
    }

    /// The networks that were added, in the order of their names. A file that is none is passed over: who names it is
    /// told why.
    ///
    /// # Errors
    /// A folder that cannot be read.
    pub(super) fn added(&self) -> Result<Vec<Architecture>> {
        let entries = match std::fs::read_dir(self.folder()) {
            Ok(entries) => entries,
            Err(absent) if absent.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(failure) => return Err(Error::io(self.folder())(failure)),
        };
        let mut names = Vec::new();
        for entry in entries {
            let name = entry
                .map_err(Error::io(self.folder()))?
                .file_name()
                .to_string_lossy()
                .into_owned();
            if check_name(&name).is_ok() {
                names.push(name);
            }
        }
        names.sort();
        let mut added = Vec::new();
        for name in names {
            if let Some(path) = self.files(&name)?.into_iter().next()
                && let Ok((facts, _)) = added::read(&path)
                && facts.architecture.name() == name
            {
                added.push(facts.architecture);
            }
        }
        Ok(added)
    }
}
