//! A network as named by the user: a run folder, a model file, or an architecture's name.

use std::path::Path;

use clap::Args;
use pelage::model::networks::BACKBONES;
use pelage::model::networks::graph::Graph;
use pelage::{Architecture, Model};

use crate::failure::Failure;

/// The network.
#[derive(Args)]
pub(super) struct Named {
    /// A run folder, a model file, or the name of an architecture
    model: String,
    /// Side of the input in pixels, for an architecture's name [default: what it was designed for]
    #[arg(long, value_name = "PX")]
    image_size: Option<usize>,
    /// Number of classes, for an architecture's name [default: 2 for cnn3 and lynx, else ImageNet's 1000]
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
}

impl Named {
    pub(super) fn find(&self) -> Result<Found, Failure> {
        match self.model.parse::<Architecture>() {
            Ok(architecture) => {
                let smallest = architecture.smallest_size();
                let side = self.image_size.unwrap_or(architecture.input_size() as usize);
                let usual = if BACKBONES.contains(&architecture) { 1000 } else { 2 };
                let classes = self.classes.unwrap_or(usual);
                if !(smallest..=4096).contains(&side) || classes < 2 {
                    let name = architecture.name();
                    return Err(Failure::usage(format!(
                        "{name} takes {smallest} to 4096 pixels and 2 or more classes"
                    )));
                }
                Ok(Found {
                    architecture,
                    graph: architecture.graph([side; 2], classes),
                    size: [side; 2],
                    classes: (0..classes).map(|i| i.to_string()).collect(),
                })
            }
            Err(unknown) if !Path::new(&self.model).exists() => Err(Failure::usage(format!(
                "there is no file or folder of that name, and {unknown}"
            ))),
            Err(_) => {
                let model = Model::load(Path::new(&self.model), &pelage::device::cpu()?)?;
                model.alone("shown layer by layer")?;
                let facts = model.facts;
                let (graph, side) = (facts.graph(), facts.preprocessing);
                Ok(Found {
                    architecture: facts.architecture,
                    graph,
                    size: [side.height as usize, side.width as usize],
                    classes: facts.classes,
                })
            }
        }
    }
}
