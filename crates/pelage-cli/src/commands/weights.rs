//! `pelage weights`.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use pelage::Architecture;
use pelage::zoo::fetch::Patience;
use pelage::zoo::store::{self, Added, Kept, Store};

use crate::failure::Outcome;
use crate::options::one_of;
use crate::progress::Download;
use crate::table::{megabytes, table, thousands};
use crate::terminal::answer;

/// Add, download, list and remove pretrained weights
#[derive(Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Check a file of weights (.pth, .safetensors, .h5) and keep a copy in the cache folder
    Add {
        /// The file
        file: PathBuf,
        /// The architecture of the weights
        #[arg(long, value_name = "NAME",
            value_parser = one_of::<Architecture>(Architecture::ALL.map(Architecture::name)))]
        model: Architecture,
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
    /// Remove the weights of a network
    Remove {
        /// The network
        #[arg(value_name = "NAME", value_parser = one_of::<Architecture>(Architecture::ALL.map(Architecture::name)))]
        model: Architecture,
    },
}

pub(super) fn run(arguments: Arguments) -> Outcome {
    let store = Store::default();
    match arguments.verb {
        Verb::Add { file, model } => Ok(answer(&store.add(&file, model)?, described)?),
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
            let removed =
                |Kept { path, bytes, .. }: &Kept| format!("{}: removed, {} freed\n", path.display(), megabytes(*bytes));
            Ok(answer(&store.remove(model)?, removed)?)
        }
    }
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
        Some(old) if *old != kept.path => format!("; they take the place of {}", old.display()),
        Some(_) => "; they take the place of the earlier ones".to_string(),
        None => String::new(),
    };
    format!(
        "weights of {}, {}, {head}, for {} x {} pixels; kept as {}{place}\n",
        kept.architecture.name(),
        megabytes(kept.bytes),
        preprocessing.height,
        preprocessing.width,
        kept.path.display()
    )
}

fn listed(folder: &Path, kept: &[Kept]) -> String {
    if kept.is_empty() {
        return "no weights are kept here; `pelage models` lists what there is\n".into();
    }
    let rows = kept.iter().map(|kept| {
        let name = kept.architecture.name().to_string();
        let file = kept.path.strip_prefix(folder).unwrap_or(&kept.path);
        vec![name, megabytes(kept.bytes), file.display().to_string()]
    });
    let table = table(&["model", "size", "file"], 1..2, rows);
    format!("{}\n{table}", folder.display())
}
