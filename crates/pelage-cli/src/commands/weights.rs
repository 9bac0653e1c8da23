//! `pelage weights`.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use pelage::data::preprocess::ResizeFilter;
use pelage::model::networks::described::check_name;
use pelage::zoo::fetch::Patience;
use pelage::zoo::store::{self, Added, Kept, Removed, Store};
use pelage::zoo::{AddedNetwork, Adding, Reading};
use pelage::{Architecture, Error};

use crate::failure::{Failure, Outcome};
use crate::options::one_of;
use crate::progress::Download;
use crate::table::{megabytes, table, thousands};
use crate::terminal::{answer, quoted};

/// Add, download, list and remove pretrained weights
#[derive(Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Check a file of weights (.pth, .safetensors, .h5) and keep a copy in the cache folder; or add a network of your
    /// own from an ONNX file, without its classifier, as a backbone by a name
    Add {
        /// The file
        file: PathBuf,
        /// The architecture of the weights, for a file of weights
        #[arg(long, value_name = "NAME", conflicts_with = "network",
            value_parser = one_of::<Architecture>(Architecture::ALL.map(Architecture::name)))]
        model: Option<Architecture>,
        #[command(flatten)]
        network: Network,
    },
    /// Download published weights, check and keep them
    Fetch {
        /// The network
        #[arg(value_name = "NAME", value_parser = one_of::<Architecture>(Architecture::ALL.map(Architecture::name)))]
        model: Architecture,
        /// Which of the files that `pelage models` lists; by default the first that can be downloaded
        #[arg(long)]
        file: Option<String>,
    },
    /// List the weights that are kept here
    List,
    /// Remove the weights of a network, or a network that was added
    Remove {
        /// The network
        #[arg(value_name = "NAME")]
        model: String,
    },
}

/// How to add a network from an ONNX file.
#[derive(Args)]
#[group(id = "network", multiple = true)]
struct Network {
    /// The name that the network is to have here [default: that of the file]
    #[arg(long, value_name = "NAME", help_heading = "For an ONNX file")]
    name: Option<String>,
    /// Side of its images in pixels [default: what the file says]
    #[arg(long, value_name = "PX", help_heading = "For an ONNX file")]
    image_size: Option<u32>,
    /// Subtracted from red, green and blue of 0 to 1: 0.485,0.456,0.406 for most networks of torchvision and timm
    #[arg(long, value_name = "R,G,B", value_parser = three, help_heading = "For an ONNX file")]
    mean: Option<[f32; 3]>,
    /// What each is then divided by: 0.229,0.224,0.225 for most networks of torchvision and timm
    #[arg(long, value_name = "R,G,B", value_parser = three, help_heading = "For an ONNX file")]
    std: Option<[f32; 3]>,
    /// The node whose output are the features [default: what the last dense layer reads]
    #[arg(long, value_name = "NODE", help_heading = "For an ONNX file")]
    output: Option<String>,
    /// How pictures are brought to size [default: bilinear]
    #[arg(long, value_name = "FILTER", help_heading = "For an ONNX file",
        value_parser = one_of::<ResizeFilter>(ResizeFilter::NAMES.iter().copied()))]
    resize_filter: Option<ResizeFilter>,
}

/// Three numbers, one for each channel.
fn three(text: &str) -> Result<[f32; 3], String> {
    let number = |part: &str| part.trim().parse::<f32>().ok().filter(|number| number.is_finite());
    let numbers: Option<Vec<f32>> = text.split(',').map(number).collect();
    let three = numbers.and_then(|numbers| numbers.try_into().ok());
    three.ok_or_else(|| "three numbers are needed, for red, green and blue: 0.485,0.456,0.406".into())
}

pub(super) fn run(arguments: Arguments) -> Outcome {
    let store = Store::default();
    match arguments.verb {
        Verb::Add {
            file,
            model: Some(model),
            ..
        } => Ok(answer(&store.add(&file, model)?, described)?),
        Verb::Add { file, network, .. } => {
            let adding = network.adding(&file)?;
            let unsaid = adding.mean.is_none() || adding.std.is_none();
            let added = store.add_onnx(&file, &adding).map_err(|failure| match failure {
                Error::Settings(_) if unsaid => Failure::from(failure).help("`--mean R,G,B --std R,G,B`"),
                other => other.into(),
            })?;
            Ok(answer(&added, described_network)?)
        }
        Verb::Fetch { model, file } => {
            let weights = store::published(model, file.as_deref())?;
            let mut bar = Download::new();
            let added = store.fetch(model, &weights, &Patience::default(), &mut |done, total| {
                bar.show(done, total)
            });
            bar.finish();
            Ok(answer(&added?, described)?)
        }
        Verb::List => Ok(answer(&store.list()?, |kept| listed(store.folder(), kept))?),
        Verb::Remove { model } => {
            let removed = |Removed { path, bytes, .. }: &Removed| {
                format!("{}: removed, {} freed\n", quoted(path), megabytes(*bytes))
            };
            Ok(answer(&store.remove(&model)?, removed)?)
        }
    }
}

impl Network {
    fn adding(self, file: &Path) -> Result<Adding, Failure> {
        let is_onnx = file
            .extension()
            .is_some_and(|extension| extension.eq_ignore_ascii_case("onnx"));
        let stem = || file.file_stem().unwrap_or_default().to_string_lossy().to_lowercase();
        let name = match self.name {
            Some(name) => name,
            None if is_onnx => stem(),
            None => {
                let told = "it is not said what the file holds";
                return Err(Failure::usage(told)
                    .help("`--model NAME` for the weights of a known network, `--name NAME` for a network as ONNX"));
            }
        };
        check_name(&name).map_err(|told| Failure::usage(told).help("`--name NAME`"))?;
        Ok(Adding {
            name,
            reading: Reading {
                image_size: self.image_size,
                output: self.output,
            },
            mean: self.mean,
            std: self.std,
            filter: self.resize_filter,
        })
    }
}

fn described_network(network: &AddedNetwork) -> String {
    let AddedNetwork {
        added,
        source,
        shape: [rows, columns, channels],
        classifier,
    } = network;
    let (name, side) = (added.kept.architecture.name(), added.preprocessing.height);
    let cut = match classifier {
        Some(classifier) => format!("{classifier} was taken for the classifier and left out"),
        None => "nothing was taken for a classifier".to_string(),
    };
    format!(
        "the network {name}, {}, for {side} x {side} pixels; kept as {}\nfeatures: {rows} x {columns} x {channels}, \
         up to '{}'; \
         {cut} (`--output NODE` chooses otherwise)\nnow: `pelage train DATA --backbone {name}`\n",
        megabytes(added.kept.bytes),
        quoted(&added.kept.path),
        source.features.escape_debug(),
    )
}

fn described(added: &Added) -> String {
    let Added {
        kept,
        replaced,
        classes,
        preprocessing,
    } = added;
    let head = match classes {
        Some(classes) => format!("a head of {} classes", thousands(*classes as u64)),
        None => "no head".to_string(),
    };
    let place = match replaced {
        Some(old) if *old != kept.path => format!("; they take the place of {}", quoted(old)),
        Some(_) => "; they take the place of the earlier ones".to_string(),
        None => String::new(),
    };
    format!(
        "weights of {}, {}, {head}, for {} x {} pixels; kept as {}{place}\n",
        kept.architecture.name(),
        megabytes(kept.bytes),
        preprocessing.height,
        preprocessing.width,
        quoted(&kept.path)
    )
}

fn listed(folder: &Path, kept: &[Kept]) -> String {
    if kept.is_empty() {
        return "no weights are kept here; `pelage models` lists what there is\n".into();
    }
    let rows = kept.iter().map(|kept| {
        let name = kept.architecture.name().to_string();
        let file = kept.path.strip_prefix(folder).unwrap_or(&kept.path);
        vec![name, megabytes(kept.bytes), quoted(file)]
    });
    let table = table(&["model", "size", "file"], 1..2, rows);
    format!("{}\n{table}", quoted(folder))
}
