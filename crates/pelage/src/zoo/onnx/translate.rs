//! What is known of a file's values while its nodes become layers.

use std::collections::HashMap;
use std::path::Path;
use std::rc::Rc;

use super::constant::{Constant, MOST_NUMBERS};
use super::layers::{Layers, Read};
use super::node::{attribute, input};
use crate::export::messages::{Graph, Node, Tensor};

/// What a value of a file is here.
#[derive(Clone)]
pub(super) enum Seen {
    Constant(Rc<Constant>),
    Map(Map),
}

/// The output of a layer.
#[derive(Clone, Copy)]
pub(super) struct Map {
    pub(super) layer: usize,
    /// How the file has its values in a row.
    pub(super) order: Order,
    /// How many nodes read the layer's output under other names.
    others: usize,
}

/// The value in a file that stands for the images.
pub(super) struct Images<'a> {
    pub(super) name: &'a str,
    pub(super) order: Order,
    /// How many there are, if the file says it.
    pub(super) batch: Option<i64>,
}

/// The axes of a map in a file.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Order {
    /// `[n, c, h, w]`.
    ChannelsFirst,
    /// `[n, h, w, c]`.
    ChannelsLast,
    /// `[n, c * h * w]`.
    Flat,
    /// `[n, h * w * c]`.
    FlatLast,
    /// `[n, groups, c / groups, h, w]`, or `[n, groups, c / groups, h * w]` with the pixels joined.
    Grouped { groups: usize, joined: bool },
    /// `[c * h * w]`, of a single image.
    Row,
}

impl Map {
    /// With its axes in another order.
    pub(super) fn ordered(self, order: Order) -> Map {
        Map { order, ..self }
    }
}

/// The state of a translation.
pub(super) struct Translation<'a> {
    pub(super) layers: Layers,
    constants: HashMap<&'a str, &'a Tensor>,
    seen: HashMap<&'a str, Seen>,
    readers: HashMap<&'a str, usize>,
    /// How many numbers are in the constants that nodes have given.
    given: usize,
    folder: &'a Path,
    /// How many images the file says that it takes at a time.
    batch: Option<i64>,
}

impl<'a> Translation<'a> {
    /// Of `graph`, of which the file lies in `folder`, for images of `side` rows and columns.
    pub(super) fn new(graph: &'a Graph, folder: &'a Path, images: Images<'a>, side: usize) -> Self {
        let Images { name, order, batch } = images;
        let map = Map {
            layer: 0,
            order,
            others: 0,
        };
        Translation {
            layers: Layers::new(side),
            constants: graph
                .initializer
                .iter()
                .map(|tensor| (&tensor.name[..], tensor))
                .collect(),
            seen: HashMap::from([(name, Seen::Map(map))]),
            readers: HashMap::new(),
            given: 0,
            folder,
            batch,
        }
    }

    /// Counts who reads what among `nodes`, which are all that are translated.
    pub(super) fn count_readers(&mut self, nodes: &[&'a Node]) {
        let inputs = nodes.iter().flat_map(|node| &node.input);
        inputs.for_each(|name| *self.readers.entry(name).or_default() += 1);
    }

    /// Notes what the value `name` is.
    ///
    /// # Errors
    /// If constants that nodes gave are more than a file can hold: one that is in the file once, copied by many.
    pub(super) fn note(&mut self, name: &'a str, seen: Seen) -> Result<(), String> {
        if let Seen::Constant(constant) = &seen {
            self.given = self.given.saturating_add(constant.len());
            if self.given > MOST_NUMBERS {
                return Err("it gives a constant, of which there are too many".into());
            }
        }
        self.seen.insert(name, seen);
        Ok(())
    }

    /// Whether `count` can stand for the number of images in a shape.
    pub(super) fn is_batch(&self, count: i64) -> bool {
        matches!(count, -1..=1) || self.batch == Some(count)
    }

    /// What the value `name` was found to be.
    pub(super) fn found(&self, name: &str) -> Option<&Seen> {
        self.seen.get(name)
    }

    /// What the input of `node` at `index` is.
    pub(super) fn value(&mut self, node: &'a Node, index: usize) -> Result<Seen, String> {
        let name = input(node, index).ok_or_else(|| format!("its input {index} is missing"))?;
        if let Some(seen) = self.seen.get(name) {
            let mut seen = seen.clone();
            if let Seen::Map(map) = &mut seen {
                // What goes on under another name is read by whoever reads that.
                map.others += self.readers.get(name).copied().unwrap_or(1).saturating_sub(1);
            }
            return Ok(seen);
        }
        let Some(tensor) = self.constants.get(name) else {
            let shown = name.escape_debug();
            return Err(format!("it reads '{shown}', which nothing before it gives"));
        };
        let constant = Constant::read(tensor, self.folder);
        let constant = constant.map_err(|reason| format!("the constant '{}' {reason}", name.escape_debug()))?;
        Ok(Seen::Constant(Rc::new(constant)))
    }

    /// The input of `node` at `index`, which depends on the images.
    pub(super) fn map(&mut self, node: &'a Node, index: usize) -> Result<Map, String> {
        match self.value(node, index)? {
            Seen::Map(map) => Ok(map),
            Seen::Constant(_) => Err(format!("its input {index} does not depend on the images")),
        }
    }

    /// The same as a map `[n, c, h, w]`.
    pub(super) fn first(&mut self, node: &'a Node, index: usize) -> Result<Map, String> {
        let map = self.map(node, index)?;
        match map.order {
            Order::ChannelsFirst => Ok(map),
            other => Err(format!(
                "its input has the axes of {other:?}, where ChannelsFirst are supported"
            )),
        }
    }

    /// The input of `node` at `index`, which must be known before the network runs.
    pub(super) fn constant(&mut self, node: &'a Node, index: usize) -> Result<Rc<Constant>, String> {
        match self.value(node, index)? {
            Seen::Constant(constant) => Ok(constant),
            Seen::Map(_) => Err(format!("its input {index} is computed; only a constant is supported")),
        }
    }

    /// Whole numbers that are an input of newer versions of an operator and an attribute of older ones.
    pub(super) fn wholes(&mut self, node: &'a Node, name: &str, index: usize) -> Result<Option<Vec<i64>>, String> {
        if let Some(found) = attribute(node, name) {
            return Ok(Some(found.ints.clone()));
        }
        match input(node, index) {
            Some(_) => Ok(Some(self.constant(node, index)?.wholes()?.to_vec())),
            None => Ok(None),
        }
    }

    /// A layer as its readers see it.
    pub(super) fn read(&self, map: Map) -> Read {
        Read {
            layer: map.layer,
            readers: 1 + map.others,
        }
    }

    /// Whether something reads the output of `node` at `index`.
    pub(super) fn is_read(&self, node: &Node, index: usize) -> bool {
        let output = node.output.get(index).map_or("", |output| &output[..]);
        !output.is_empty() && self.readers.contains_key(output)
    }

    /// The output of a layer that is new, or was changed for the only one who reads it.
    pub(super) fn made(layer: usize, order: Order) -> Seen {
        Seen::Map(Map {
            layer,
            order,
            others: 0,
        })
    }

    /// What a node that is a constant holds.
    pub(super) fn constant_of(&self, node: &Node) -> Result<Constant, String> {
        let [attribute] = &node.attribute[..] else {
            return Err("it has several values".into());
        };
        match (&attribute.name[..], &attribute.t, attribute.f, attribute.i) {
            ("value", Some(tensor), ..) => {
                Constant::read(tensor, self.folder).map_err(|reason| format!("its value {reason}"))
            }
            ("value_int", _, _, Some(whole)) => Ok(Constant {
                shape: Vec::new(),
                ..Constant::row(vec![whole])
            }),
            ("value_ints", ..) => Ok(Constant::row(attribute.ints.clone())),
            ("value_float", _, Some(real), _) => Ok(Constant::reals_of(Vec::new(), vec![real])),
            ("value_floats", ..) => {
                let reals = attribute.floats.clone();
                Ok(Constant::reals_of(vec![reals.len()], reals))
            }
            _ => Err("its value is of a kind that no network for images needs".into()),
        }
    }
}
