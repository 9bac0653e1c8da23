//! An architecture as it is written in settings and model files: its name, or a table where a description is needed.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use super::cnn::{Cnn, Widths};
use super::graph::Graph;
use super::{Added, Architecture};

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
            Ok(Written::Added(table)) => {
                Graph::read(&table.layers).and_then(|graph| Architecture::added(&table.name, table.input_size, graph))
            }
            Err(_) => Err(
                "a network is written as its name, as a table with the name cnn, and blocks, kernel, dense \
                           and dropout, or as one with a name, input_size and layers"
                    .into(),
            ),
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

    const LAYERS: [&str; 13] = [
        "c1 = convolution(input) channels=8 kernel=3 stride=2 padding=same groups=1 activation=relu6",
        "p1 = maximum(c1) kernel=3 stride=2 padding=0,0,1,1 ceil=true",
        "c2 = convolution(p1) channels=8 kernel=5 stride=1 padding=2 groups=8 activation=none",
        "f2 = hard_swish(c2)",
        "s1 = average(f2)",
        "s2 = convolution(s1) channels=8 kernel=1 stride=1 padding=0 groups=1 activation=silu",
        "s3 = hard_sigmoid(s2) slope=0.2 shift=0.5",
        "m = multiply(f2, s3)",
        "c3 = convolution(m, p1) channels=8 kernel=1 stride=1 padding=0 groups=1 activation=none",
        "x = clip(c3) low=-1 high=inf",
        "a = add(x, m)",
        "pad = pad(a) padding=1,0,0,1",
        "out = mean(pad) kernel=2 stride=1 padding=0",
    ];

    fn added(layers: &[String]) -> Result<Architecture, String> {
        let table = serde_json::json!({"name": "own", "input_size": 40, "layers": layers});
        read(&table.to_string())
    }

    #[test]
    fn an_added_network_is_read_as_it_is_written() {
        let layers = LAYERS.map(String::from);
        let found = added(&layers).unwrap();
        let Architecture::Added(network) = found else {
            panic!("{found:?}")
        };
        assert_eq!(
            (network.name(), network.input_size(), network.lines()),
            ("own", 40, layers.to_vec())
        );
        assert_eq!(read(&serde_json::to_string(&found).unwrap()), Ok(found));
        let graph = found.graph([40, 40], 3);
        assert_eq!(graph.sizes([40, 40])[graph.features()], [10, 10]);
        assert!(found.is_backbone() && graph.averages() && graph.takes_any_size());
        assert!(found.check_size([56, 40]).is_ok());
        assert!(found.check_size([1, 40]).unwrap_err().contains("not for own"));
    }

    #[test]
    fn layers_that_cannot_be_computed_are_named() {
        for (line, reason) in [
            ("y", "not written as"),
            ("y = conv(c1)", "does not know"),
            ("y = add(c1, nowhere)", "reads 'nowhere'"),
            ("y = add(c1, p1)", "different shapes"),
            ("y = add(c1)", "1 inputs"),
            ("y = multiply(s1, f2)", "different shapes"),
            ("y = concatenate(c1, p1)", "different sizes"),
            ("y = sigmoid(c1) slope=1", "has a slope"),
            ("y = clip(c1) low=2 high=1", "above"),
            ("y = clip(c1) low=NaN high=1", "no number"),
            ("y = maximum(c1) kernel=60 stride=1 padding=0", "larger than its map"),
            ("y = maximum(c1) kernel=3 stride=1 padding=3", "around the map"),
            ("y = maximum(c1) kernel=3 stride=0 padding=0", "0 apart"),
            ("y = maximum(c1) kernel=0 stride=1 padding=same", "0 pixels"),
            ("y = maximum(c1) kernel=99999999 stride=1 padding=0", "too large"),
            ("y = maximum(c1) kernel=-1 stride=1 padding=0", "no number"),
            ("y = pad(c1) padding=1", "none"),
            ("y = pad(c1) padding=999999,0,0,0", "no added network"),
            (
                "y = convolution(c1) channels=6 kernel=1 stride=1 padding=0 groups=5 activation=none",
                "5 groups",
            ),
            (
                "y = convolution(c1) channels=900000 kernel=1 stride=1 padding=0 groups=1 activation=none",
                "900000",
            ),
            ("c1 = sigmoid(c1)", "no name of its own"),
            ("head = sigmoid(c1)", "no name of its own"),
            ("Y = sigmoid(c1)", "no name of its own"),
            ("../y = sigmoid(c1)", "no name of its own"),
        ] {
            let mut layers = LAYERS.map(String::from).to_vec();
            layers.push(line.into());
            let told = added(&layers).unwrap_err();
            assert!(told.contains(reason), "{line}: {told}");
        }
        assert!(added(&[]).unwrap_err().contains("0 operations"));
        let many = vec!["y = sigmoid(input)".to_string(); 5000];
        assert!(added(&many).unwrap_err().contains("5000 operations"));
        let sideless = serde_json::json!({"name": "own", "input_size": 0, "layers": LAYERS});
        assert!(read(&sideless.to_string()).unwrap_err().contains("0 pixels"));
        let taken = serde_json::json!({"name": "vgg16", "input_size": 40, "layers": LAYERS});
        assert!(read(&taken.to_string()).unwrap_err().contains("something else"));
    }

    #[test]
    fn no_lines_make_it_panic() {
        let mut state = 5;
        let mut below = |most: usize| (pelage_kernels::split_mix::next(&mut state) % most as u64) as usize;
        let pieces = [
            "0", "1", "9", "99999", "-1", "same", ",", " ", "=", "(", ")", "input", "c1", "s1", "inf",
        ];
        for _ in 0..3000 {
            let mut layers = LAYERS.map(String::from).to_vec();
            for _ in 0..1 + below(3) {
                let at = below(layers.len());
                let line = layers[at].clone();
                let (from, to) = (below(line.len()), below(line.len()));
                let (from, to) = (from.min(to), from.max(to).min(from.min(to) + 6));
                layers[at] = format!("{}{}{}", &line[..from], pieces[below(pieces.len())], &line[to..]);
            }
            if let Ok(found) = added(&layers) {
                // What is said to be sound is.
                found.graph([40, 40], 2).sizes([40, 40]);
            }
        }
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
