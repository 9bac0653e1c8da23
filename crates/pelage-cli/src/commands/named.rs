//! A network as named by the user: a run folder, a model file, or an architecture's name.

use std::path::Path;

use clap::Args;
use pelage::model::networks::graph::Graph;
use pelage::model::precision::Precision;
use pelage::train::named::DESCRIBED;
use pelage::zoo::store::Store;
use pelage::{Architecture, Model, Recipe};

use crate::failure::Failure;
use crate::options::flag;

/// The network.
#[derive(Args)]
pub(super) struct Named {
    /// A run folder, a model file, or the name of an architecture
    model: String,
    /// Side of the input in pixels, for an architecture's name [default: what it was designed for]
    #[arg(long, value_name = "PX")]
    image_size: Option<usize>,
    /// The channels after each block of the network cnn [default: 32,32,64]
    #[arg(long, value_name = "CHANNELS,...")]
    blocks: Option<String>,
    /// Rows and columns of its convolutions [default: 3]
    #[arg(long, value_name = "N")]
    kernel: Option<String>,
    /// The widths of its hidden dense layers, or none [default: 64]
    #[arg(long, value_name = "WIDTH,...")]
    dense: Option<String>,
    /// Its dropout [default: 0.5]
    #[arg(long, value_name = "SHARE")]
    dropout: Option<String>,
    /// Number of classes, for an architecture's name [default: 2 for cnn3, cnn and lynx, else ImageNet's 1000]
    #[arg(long, value_name = "N")]
    classes: Option<usize>,
}

/// The network as data.
pub(super) struct Found {
    pub(super) architecture: Architecture,
    pub(super) graph: Graph,
    /// Rows and columns of the input.
    pub(super) size: [usize; 2],
    pub(super) classes: Vec<String>,
    /// What a model computes in.
    pub(super) precision: Precision,
}

impl Named {
    /// What is said of the network cnn.
    fn description(&self) -> impl Iterator<Item = (&'static str, &String)> {
        let given = [&self.blocks, &self.kernel, &self.dense, &self.dropout];
        DESCRIBED
            .into_iter()
            .zip(given)
            .filter_map(|(name, given)| Some((name, given.as_ref()?)))
    }

    /// `architecture` with that.
    fn described(&self, architecture: Architecture) -> Result<Architecture, Failure> {
        let mut recipe = Recipe {
            model: architecture,
            ..Recipe::default()
        };
        self.description().try_for_each(|(name, text)| recipe.set(name, text))?;
        Ok(recipe.model)
    }

    pub(super) fn find(&self) -> Result<Found, Failure> {
        let path = Path::new(&self.model);
        let (is_file, is_path) = (
            path.exists(),
            path.components().count() > 1 || path.extension().is_some(),
        );
        let known = match self.model.parse::<Architecture>() {
            Err(_) if !is_file => Store::default()
                .named(&self.model)
                .map_err(|unknown| unknown.to_string()),
            known => known,
        };
        match known {
            Ok(architecture) => {
                let architecture = self.described(architecture)?;
                let smallest = architecture.smallest_size();
                let side = self.image_size.unwrap_or(architecture.input_size() as usize);
                let usual = if architecture.is_backbone() { 1000 } else { 2 };
                let classes = self.classes.unwrap_or(usual);
                if !(smallest..=4096).contains(&side) || classes < 2 {
                    let name = architecture.name();
                    return Err(Failure::usage(format!(
                        "{name} takes {smallest} to 4096 pixels and 2 or more classes"
                    )));
                }
                architecture.check_size([side; 2]).map_err(Failure::usage)?;
                Ok(Found {
                    architecture,
                    graph: architecture.graph([side; 2], classes),
                    size: [side; 2],
                    classes: (0..classes).map(|i| i.to_string()).collect(),
                    precision: Precision::F32,
                })
            }
            // What can only be a file is one that is missing, as for every verb.
            Err(unknown) if !is_file && !is_path => Err(Failure::usage(format!(
                "there is no file or folder of that name, and {unknown}"
            ))),
            Err(_) => {
                if let Some((name, _)) = self.description().next() {
                    let told = format!("{} is of the network cnn, and a model has its own", flag(name));
                    return Err(Failure::usage(told).help("leave it out"));
                }
                let model = Model::load(Path::new(&self.model), &pelage::device::cpu()?)?;
                model.single("shown layer by layer")?;
                let precision = model.precision();
                let facts = model.facts;
                let (graph, side) = (facts.graph(), facts.preprocessing);
                Ok(Found {
                    architecture: facts.architecture,
                    graph,
                    size: [side.height as usize, side.width as usize],
                    classes: facts.classes,
                    precision,
                })
            }
        }
    }
}
