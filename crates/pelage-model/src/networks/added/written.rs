//! A graph as lines of text, one for each operation, as settings and model files have it:
//! `conv2 = convolution(conv1, input) channels=64 kernel=3 stride=1 padding=1 groups=1 activation=relu`.

use std::collections::HashMap;
use std::fmt::Display;
use std::str::FromStr;

use super::super::function::Function;
use super::super::graph::{Convolution, Graph, Node, Operation, Pool, Value};
use super::super::windows::Padding;
use super::MOST_NODES;
use crate::options::Activation;

impl Graph {
    /// A line for each operation but the input.
    pub(in super::super) fn lines(&self) -> Vec<String> {
        self.nodes().iter().skip(1).map(|node| line(self, node)).collect()
    }

    /// The graph of these lines; whether it can be computed is another question.
    ///
    /// # Errors
    /// Names the first line that says nothing.
    pub(in super::super) fn read(lines: &[String]) -> Result<Graph, String> {
        if lines.len() >= MOST_NODES {
            return Err(format!(
                "it has {} operations; at most {MOST_NODES} are allowed",
                lines.len()
            ));
        }
        let (mut graph, input) = Graph::new();
        let mut known = HashMap::from([("input", input)]);
        for text in lines {
            let refused = |reason: String| {
                let begin: String = text.chars().take(60).collect();
                format!("the operation '{}' {reason}", begin.escape_debug())
            };
            let (name, value) = add(&mut graph, &known, text).map_err(refused)?;
            known.insert(name, value);
        }
        Ok(graph)
    }
}

fn line(graph: &Graph, node: &Node) -> String {
    let inputs: Vec<_> = node.inputs.iter().map(|&i| graph.nodes()[i].name.as_str()).collect();
    let written = |what: &str, options: &str| format!("{} = {what}({}){options}", node.name, inputs.join(", "));
    let pool = |pool: &Pool| {
        let ceil = if pool.ceil { " ceil=true" } else { "" };
        let padding = padding(pool.padding);
        format!(" kernel={} stride={} padding={padding}{ceil}", pool.kernel, pool.stride)
    };
    match &node.operation {
        Operation::Convolution(c) => written(
            "convolution",
            &format!(
                " channels={} kernel={} stride={} padding={} groups={} activation={}",
                c.channels,
                c.kernel,
                c.stride,
                padding(c.padding),
                c.groups,
                activation(c.activation)
            ),
        ),
        Operation::MaxPool(one) => written("maximum", &pool(one)),
        Operation::MeanPool(one) => written("mean", &pool(one)),
        Operation::Concatenate => written("concatenate", ""),
        Operation::Add => written("add", ""),
        Operation::Multiply => written("multiply", ""),
        Operation::Pad(sides) => written("pad", &format!(" padding={}", padding(Padding::Sides(*sides)))),
        Operation::Channels { first, count } => written("channels", &format!(" first={first} count={count}")),
        Operation::Shuffle { groups } => written("shuffle", &format!(" groups={groups}")),
        Operation::LayerNorm { epsilon } => written("layer_norm", &format!(" epsilon={epsilon}")),
        Operation::Function(function) => match function {
            Function::Clip { low, high } => written("clip", &format!(" low={low} high={high}")),
            Function::Erf => written("erf", ""),
            Function::Gelu => written("gelu", ""),
            Function::HardSigmoid { slope, shift } => written("hard_sigmoid", &format!(" slope={slope} shift={shift}")),
            Function::HardSwish => written("hard_swish", ""),
            Function::Sigmoid => written("sigmoid", ""),
            Function::Silu => written("silu", ""),
        },
        // What else there is no added network has, see `sound`.
        _ => written("average", ""),
    }
}

fn padding(padding: Padding) -> String {
    match padding {
        Padding::Same => "same".into(),
        Padding::Each(side) => side.to_string(),
        Padding::Sides(sides) => sides.map(|side| side.to_string()).join(","),
    }
}

fn activation(activation: Activation) -> &'static str {
    match activation {
        Activation::None => "none",
        Activation::Relu => "relu",
        Activation::Relu6 => "relu6",
        Activation::Silu => "silu",
        Activation::HardSwish => "hard_swish",
        Activation::Gelu => "gelu",
    }
}

/// What is said of an operation behind its inputs.
struct Options<'a>(HashMap<&'a str, &'a str>);

impl<'a> Options<'a> {
    fn text(&mut self, key: &str) -> Result<&'a str, String> {
        self.0.remove(key).ok_or_else(|| format!("does not say its {key}"))
    }

    fn take<T: FromStr + Display>(&mut self, key: &str) -> Result<T, String> {
        let text = self.text(key)?;
        text.parse().map_err(|_| format!("has a {key} that is no number"))
    }

    /// A number of at most five digits, so that sums and products of a few are numbers too.
    fn count(&mut self, key: &str) -> Result<usize, String> {
        self.take::<u32>(key).and_then(|count| small(count, key))
    }

    /// A number to multiply by or to add.
    fn finite(&mut self, key: &str) -> Result<f32, String> {
        let number = self.number(key)?;
        match number.is_finite() {
            true => Ok(number),
            false => Err(format!("has a {key} that is not finite")),
        }
    }

    /// A number to compare with, which may be infinite.
    fn number(&mut self, key: &str) -> Result<f32, String> {
        let number: f32 = self.take(key)?;
        match number.is_nan() {
            true => Err(format!("has a {key} that is no number")),
            false => Ok(number),
        }
    }

    fn padding(&mut self) -> Result<Padding, String> {
        let text = self.text("padding")?;
        let sides = |text: &str| {
            let side = |side: &str| side.parse().map_err(|_| "has a padding that is none".to_string());
            let side = |one: &str| side(one).and_then(|side| small(side, "padding"));
            text.split(',').map(side).collect::<Result<Vec<_>, _>>()
        };
        match text {
            "same" => Ok(Padding::Same),
            _ => match sides(text)?[..] {
                [side] => Ok(Padding::Each(side)),
                [top, left, bottom, right] => Ok(Padding::Sides([top, left, bottom, right])),
                _ => Err("has a padding that is none".into()),
            },
        }
    }

    fn pool(&mut self) -> Result<Pool, String> {
        Ok(Pool {
            kernel: self.count("kernel")?,
            stride: self.count("stride")?,
            padding: self.padding()?,
            ceil: self.0.contains_key("ceil") && self.take::<bool>("ceil")?,
        })
    }

    fn activation(&mut self) -> Result<Activation, String> {
        let text = self.text("activation")?;
        let all = Activation::ALL;
        let found = all.into_iter().find(|known| activation(*known) == text);
        found.ok_or_else(|| "has an activation that is none".into())
    }
}

fn small(count: u32, what: &str) -> Result<usize, String> {
    match count {
        0..1_000_000 => Ok(count as usize),
        _ => Err(format!("has a {what} of {count}, which is too large")),
    }
}

/// Adds the operation of a line to `graph`; `known` are those before it.
fn add<'a>(graph: &mut Graph, known: &HashMap<&str, Value>, text: &'a str) -> Result<(&'a str, Value), String> {
    let unread = || "is not written as name = what(inputs) and options".to_string();
    let (name, rest) = text.split_once(" = ").ok_or_else(unread)?;
    let (what, rest) = rest.split_once('(').ok_or_else(unread)?;
    let (inputs, options) = rest.split_once(')').ok_or_else(unread)?;
    let read = |input: &str| {
        known
            .get(input)
            .copied()
            .ok_or(format!("reads '{}'", input.escape_debug()))
    };
    let inputs: Vec<Value> = inputs.split(", ").map(read).collect::<Result<_, _>>()?;
    let options = options.split_whitespace().map(|option| option.split_once('='));
    let mut options = Options(options.collect::<Option<_>>().ok_or_else(unread)?);
    let operation = match what {
        "convolution" => Operation::Convolution(Convolution {
            channels: options.count("channels")?,
            kernel: options.count("kernel")?,
            stride: options.count("stride")?,
            padding: options.padding()?,
            groups: options.count("groups")?,
            bias: true,
            norm: None,
            activation: options.activation()?,
        }),
        "maximum" => Operation::MaxPool(options.pool()?),
        "mean" => Operation::MeanPool(options.pool()?),
        "average" => Operation::AveragePool { side: 1 },
        "concatenate" => Operation::Concatenate,
        "add" => Operation::Add,
        "multiply" => Operation::Multiply,
        "pad" => match options.padding()? {
            Padding::Sides(sides) => Operation::Pad(sides),
            _ => return Err("has a padding that is none".into()),
        },
        "channels" => Operation::Channels {
            first: options.count("first")?,
            count: options.count("count")?,
        },
        "shuffle" => Operation::Shuffle {
            groups: options.count("groups")?,
        },
        "layer_norm" => Operation::LayerNorm {
            epsilon: options.finite("epsilon")?,
        },
        "clip" => match (options.number("low")?, options.number("high")?) {
            (low, high) if low <= high => Operation::Function(Function::Clip { low, high }),
            _ => return Err("has a low that is above its high".into()),
        },
        "erf" => Operation::Function(Function::Erf),
        "gelu" => Operation::Function(Function::Gelu),
        "hard_sigmoid" => Operation::Function(Function::HardSigmoid {
            slope: options.finite("slope")?,
            shift: options.finite("shift")?,
        }),
        "hard_swish" => Operation::Function(Function::HardSwish),
        "sigmoid" => Operation::Function(Function::Sigmoid),
        "silu" => Operation::Function(Function::Silu),
        _ => return Err("computes what this version does not know".into()),
    };
    if let Some(surplus) = options.0.keys().min() {
        return Err(format!("has a {}, which it does not take", surplus.escape_debug()));
    }
    Ok((name, graph.put(name, operation, &inputs)))
}
