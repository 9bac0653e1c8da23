//! A network that somebody else described: as a graph, without its classifier, by a name of its own.

mod sound;
mod written;

use std::sync::{Mutex, PoisonError};

use super::graph::{Graph, Value};
use super::head::Head;

/// The most operations of a network, and the most bytes of the line that describes one.
pub const MOST_NODES: usize = 5000;
const LONGEST_LINE: usize = 2000;

/// A network up to its last feature map.
#[derive(Debug, PartialEq)]
pub struct Added {
    name: String,
    /// Rows and columns of the images that it was made for.
    input_size: u32,
    graph: Graph,
}

/// Checked, its numbers are never NaN.
impl Eq for Added {}

/// Every one that was read. An architecture is a plain value wherever it goes, so what it is described by lasts as long
/// as the program; the same description is kept once.
static KNOWN: Mutex<Vec<&'static Added>> = Mutex::new(Vec::new());

impl Added {
    /// The network called `name`, whose last feature map is the output of the last node of `graph`, for images of
    /// `input_size` rows and columns.
    ///
    /// # Errors
    /// A graph that cannot be computed, as a message.
    pub(super) fn of(name: &str, input_size: u32, mut graph: Graph) -> Result<&'static Added, String> {
        if !(1..=4096).contains(&input_size) {
            return Err(format!("images of {input_size} pixels are none; 1 to 4096 are allowed"));
        }
        graph.end_features(Value(graph.nodes().len() - 1));
        graph.check_for([input_size as usize; 2])?;
        let added = Added {
            name: name.into(),
            input_size,
            graph,
        };
        let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(same) = known.iter().find(|same| ***same == added) {
            return Ok(same);
        }
        let added: &'static Added = Box::leak(Box::new(added));
        known.push(added);
        Ok(added)
    }

    /// The name by which it was added.
    pub const fn name(&self) -> &str {
        self.name.as_str()
    }

    /// Side in pixels of the images that it was made for.
    pub fn input_size(&self) -> u32 {
        self.input_size
    }

    /// Its operations, a line each.
    pub fn lines(&self) -> Vec<String> {
        self.graph.lines()
    }

    /// Refuses images of `size` `[h, w]`, for which some operation cannot be computed.
    pub(super) fn check(&self, size: [usize; 2]) -> Result<(), String> {
        self.graph.check_for(size)
    }

    /// Under a linear head.
    pub(super) fn graph(&self, size: [usize; 2], classes: usize) -> Graph {
        let mut graph = self.graph.clone();
        Head::linear().put_on(&mut graph, size, classes);
        graph
    }
}
