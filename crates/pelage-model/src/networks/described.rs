//! An architecture as it is written in settings and model files: its name, or a table where a description is needed.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use super::{Added, Architecture};
use super::cnn::{Cnn, Widths};
use super::graph::Graph;

/// Both ways.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Written {
    Name(String),
    Table(Table),
    Added(AddedTable),
}

/// A network of somebody else's, see [`Added`].
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct AddedTable {
    name: String,
    input_size: u32,
    layers: Vec<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    name: String,
    #[serde(default = "blocks")]
    blocks: Several,
    #[serde(default = "kernel")]
    kernel: u16,
    #[serde(default = "dense")]
    dense: Several,
    #[serde(default = "dropout")]
    dropout: f32,
}

/// One width, several, or none.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Several {
    One(u16),
    Many(Vec<u16>),
    Word(String),
}

/// No dense layer, where an empty list cannot be written.
pub const NONE: &str = "none";

fn blocks() -> Several {
    written(&Cnn::THREE_BLOCKS.blocks)
}

fn kernel() -> u16 {
    Cnn::THREE_BLOCKS.kernel
}

fn dense() -> Several {
    written(&Cnn::THREE_BLOCKS.dense)
}

fn dropout() -> f32 {
    Cnn::THREE_BLOCKS.dropout
}

fn written<const MOST: usize>(widths: &Widths<MOST>) -> Several {
    Several::Many(widths.as_slice().to_vec())
}

fn read<const MOST: usize>(name: &str, several: Several) -> Result<Widths<MOST>, String> {
    let widths = match several {
        Several::One(width) => vec![width],
        Several::Many(widths) => widths,
        Several::Word(word) if word == NONE => Vec::new(),
        Several::Word(word) => return Err(format!("{name} is '{word}', which is no list of widths")),
    };
    match widths.len() <= MOST {
        true => Ok(Widths::new(&widths)),
        false => Err(format!(
            "{name} names {} layers; at most {MOST} are allowed",
            widths.len()
        )),
    }
}

impl Serialize for Architecture {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let name = self.name().to_string();
        let written = match self {
            Architecture::Cnn(cnn) => Written::Table(Table {
                name,
                blocks: written(&cnn.blocks),
                kernel: cnn.kernel,
                dense: written(&cnn.dense),
                dropout: cnn.dropout,
            }),
            Architecture::Added(added) => Written::Added(AddedTable {
                name,
                input_size: added.input_size(),
                layers: added.lines(),
            }),
            _ => Written::Name(name),
        };
        written.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Architecture {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let known = |name: &str| name.parse::<Architecture>();
        let read = match Written::deserialize(deserializer) {
            Ok(Written::Name(name)) => known(&name),
            Ok(Written::Table(table)) => match known(&table.name) {
                Ok(Architecture::Cnn(_)) => described(table),
                Ok(other) => Err(format!("{} is no network that is described by a table", other.name())),
                Err(unknown) => Err(unknown),
            },
            Ok(Written::Added(table)) => Graph::read(&table.layers)
                .and_then(|graph| Architecture::added(&table.name, table.input_size, graph)),
            Err(_) => Err("a network is written as its name, as a table with the name cnn, and blocks, kernel, dense \
                           and dropout, or as one with a name, input_size and layers"
                .into()),
        };
        read.map_err(D::Error::custom)
    }
}

fn described(table: Table) -> Result<Architecture, String> {
    let cnn = Cnn {
        blocks: read("blocks", table.blocks)?,
        kernel: table.kernel,
        dense: read("dense", table.dense)?,
        dropout: table.dropout,
    };
    let refused = |(name, allowed): (&str, String)| format!("{name} must be {allowed}");
    cnn.check().map_err(refused)?;
    Ok(Architecture::Cnn(cnn))
}

/// The most bytes of the name of a network of somebody else's.
const LONGEST_NAME: usize = 60;

impl Architecture {
    /// The network of somebody else's that is called `name`, whose last feature map is the output of the last node of
    /// `graph`, for images of `input_size` rows and columns.
    ///
    /// # Errors
    /// A name that cannot be one, or a graph that cannot be computed, as a message.
    pub fn added(name: &str, input_size: u32, graph: Graph) -> Result<Architecture, String> {
        check_name(name)?;
        Added::of(name, input_size, graph).map(Architecture::Added)
    }
}

/// Refuses what cannot be the name of a network of somebody else's: a name that others have, or one that is no name of
/// a folder everywhere.
///
/// # Errors
/// Says what a name is.
pub fn check_name(name: &str) -> Result<(), String> {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let sound = name.starts_with(plain)
        && name.ends_with(plain)
        && name.len() <= LONGEST_NAME
        && name.chars().all(|c| plain(c) || "._-".contains(c));
    if !sound {
        return Err(format!(
            "'{}' is no name for a network: it begins and ends with one of a to z or 0 to 9, and has beside these \
             only '.', '_' and '-', {LONGEST_NAME} characters at most",
            name.escape_debug()
        ));
    }
    let taken = Architecture::ALL.into_iter().any(|known| known.name() == name);
    match taken || ["downloads", "random", "none"].contains(&name) {
        true => Err(format!("'{name}' is the name of something else; choose another one")),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Architecture, String> {
        serde_json::from_str(text).map_err(|failure| failure.to_string())
    }

    #[test]
    fn names_stay_names_and_descriptions_come_back() {
        for architecture in Architecture::ALL {
            let text = serde_json::to_string(&architecture).unwrap();
            assert_eq!(read(&text), Ok(architecture));
            assert_eq!(
                text.starts_with('"'),
                !matches!(architecture, Architecture::Cnn(_)),
                "{text}"
            );
        }
        let cnn = Architecture::Cnn(Cnn {
            blocks: Widths::new(&[16, 24]),
            kernel: 5,
            dense: Widths::new(&[]),
            dropout: 0.3,
        });
        assert_eq!(read(&serde_json::to_string(&cnn).unwrap()), Ok(cnn));
        assert_eq!(
            read(r#"{"name":"cnn","blocks":[16,24],"kernel":5,"dense":"none","dropout":0.3}"#),
            Ok(cnn)
        );
        assert_eq!(read(r#"{"name":"cnn"}"#), read(r#""cnn""#));
    }

    #[test]
    fn hostile_descriptions_are_refused() {
        let many = vec!["4096"; 100_000].join(",");
        for (text, reason) in [
            (r#"{"name":"cnn","blocks":[65535]}"#, "blocks must be 1 to 8"),
            (r#"{"name":"cnn","blocks":[]}"#, "blocks must be 1 to 8"),
            (
                &format!(r#"{{"name":"cnn","blocks":[{many}]}}"#),
                "100000 layers; at most 8",
            ),
            (r#"{"name":"cnn","dense":[1,2,3,4,5]}"#, "5 layers; at most 4"),
            (r#"{"name":"cnn","dense":"many"}"#, "no list"),
            (r#"{"name":"cnn","kernel":2}"#, "kernel must be an odd"),
            (r#"{"name":"cnn","kernel":70000}"#, "written as"),
            (r#"{"name":"cnn","dropout":-1}"#, "dropout must be"),
            (r#"{"name":"cnn","depth":3}"#, "written as"),
            (r#"{"name":"cnn3","kernel":5}"#, "cnn3 is no network"),
            (r#"{"name":"cnn9"}"#, "no architecture is called"),
            (r#""cnn9""#, "no architecture is called"),
            ("3", "written as"),
        ] {
            let told = read(text).unwrap_err();
            assert!(told.contains(reason), "{told}");
        }
    }
}
