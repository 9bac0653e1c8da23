//! What a model file says about its model.

use pelage_data::preprocess::Preprocessing;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::check::check_classes;
use super::together::{Member, Together};
use crate::input;
use crate::networks::graph::Graph;
use crate::networks::summary::{self, Layer};
use crate::networks::{Architecture, Head};

/// What a model file says about its model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Facts {
    /// The network.
    pub architecture: Architecture,
    /// The head that replaces the architecture's own, if one does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub head: Option<Head>,
    /// Whether the features of an image and its mirror image are averaged.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub flip: bool,
    /// Class names in the order of the logits.
    pub classes: Vec<String>,
    /// How images become input.
    pub preprocessing: Preprocessing,
    /// Further networks, and how all of them answer together, where this one is not alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub together: Option<Together>,
    /// How the weights were trained, for people and for later runs; not needed for prediction.
    #[serde(default)]
    pub training: Value,
}

impl Facts {
    /// The operations of the network described here; of several, of the first.
    pub fn graph(&self) -> Graph {
        self.first().graph(self.classes.len())
    }

    /// The networks, one or more, in their order.
    pub fn members(&self) -> Vec<Member> {
        let others = self.together.iter().flat_map(|together| together.others.clone());
        std::iter::once(self.first()).chain(others).collect()
    }

    /// The input of each network, one after the other, as `make` makes it of a preprocessing: of equal ones once.
    pub(crate) fn inputs(&self, make: impl Fn(&Preprocessing) -> Result<Vec<f32>, String>) -> Result<Vec<f32>, String> {
        let mut input = make(&self.preprocessing)?;
        let others = self.together.iter().flat_map(|together| &together.others);
        // Those made so far, and where each begins.
        let mut made = vec![(&self.preprocessing, 0)];
        for Member { preprocessing, .. } in others {
            let (start, length) = (input.len(), input::shape(preprocessing).iter().product::<usize>());
            match made.iter().find(|(same, _)| *same == preprocessing) {
                Some(&(_, same)) => input.extend_from_within(same..same + length),
                None => {
                    input.extend(make(preprocessing)?);
                    made.push((preprocessing, start));
                }
            }
        }
        Ok(input)
    }

    fn first(&self) -> Member {
        Member {
            architecture: self.architecture,
            head: self.head.clone(),
            flip: self.flip,
            preprocessing: self.preprocessing.clone(),
        }
    }

    /// What the model is called by its networks: the names of their architectures.
    pub fn name(&self) -> String {
        let names = self.members().into_iter().map(|member| member.architecture.name());
        names.collect::<Vec<_>>().join("+")
    }

    /// The layers of all networks.
    pub fn layers(&self) -> Vec<Layer> {
        let of_one = |member: &Member| {
            let [height, width, _] = input::shape(&member.preprocessing);
            summary::of(&member.graph(self.classes.len()), [height, width])
        };
        self.members().iter().flat_map(of_one).collect()
    }

    /// Values of an embedding by the network that they come from: the inputs of the last dense layers.
    pub fn embedding_widths(&self) -> Vec<usize> {
        let of_one = |member: &Member| {
            let graph = member.graph(self.classes.len());
            let last = graph.nodes().last().and_then(|node| node.inputs.first());
            last.map_or(0, |&input| graph.nodes()[input].channels)
        };
        self.members().iter().map(of_one).collect()
    }

    /// Refuses the description of an absurdly large or empty network, and what no training writes.
    ///
    /// # Errors
    /// Says what is wrong.
    pub fn check(&self) -> std::result::Result<(), String> {
        self.first().check()?;
        if let Some(together) = &self.together {
            together.check()?;
        }
        check_classes(&self.classes)
    }
}
