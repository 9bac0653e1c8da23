//! Several networks that answer as one model: backbones whose features are joined under one linear head, ensembles, and
//! ensembles of such.
//!
//! A linear function of features that stand side by side is a sum of linear functions, one of each backbone's features.
//! So every network here is whole, with a head of its own: those of a voice add up their logits, and the voices
//! average their probabilities.

use pelage_data::preprocess::Preprocessing;
use serde::{Deserialize, Serialize};

use super::check;
use crate::networks::graph::Graph;
use crate::networks::{Architecture, Head};
use crate::trust::calibration::TEMPERATURES;
use crate::values::Named;

/// The most networks of a model.
pub const MOST: usize = 16;

/// One network of a model, and how pictures become its input.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Member {
    /// The network.
    pub architecture: Architecture,
    /// The head that replaces the architecture's own, if one does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub head: Option<Head>,
    /// Whether the features of an image and its mirror image are averaged.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub flip: bool,
    /// How images become input.
    pub preprocessing: Preprocessing,
}

/// How the networks of a model answer together.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Together {
    /// The networks after the first.
    pub others: Vec<Member>,
    /// What is averaged: each takes so many of the networks, in their order.
    pub voices: Vec<Voice>,
}

/// Networks whose logits are added up, and what their probabilities count in the mean over all voices.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Voice {
    /// Number of networks.
    pub networks: usize,
    /// What the sum of their logits is divided by.
    pub temperature: f64,
    /// Its share of the mean, 0 to 1.
    pub weight: f64,
}

impl Member {
    /// The operations of its network, for `classes` classes.
    pub fn graph(&self, classes: usize) -> Graph {
        let side = &self.preprocessing;
        let size = [side.height as usize, side.width as usize];
        self.architecture.graph_with(self.head.as_ref(), size, classes)
    }

    /// Refuses the description of an absurdly large or empty network, and what no training writes.
    pub(super) fn check(&self) -> Result<(), String> {
        check::check_input(self.architecture, &self.preprocessing)?;
        if let Some(head) = &self.head {
            check::check_head(head).map_err(|allowed| format!("its head must have {allowed}"))?;
        }
        match self.flip && !self.graph(2).averages() {
            true => Err("it averages the features of mirror images, which its head cannot do".into()),
            false => Ok(()),
        }
    }
}

impl Together {
    /// `others` beside a first network, whose logits are all added up.
    pub fn sum(others: Vec<Member>) -> Self {
        let voice = Voice {
            networks: 1 + others.len(),
            temperature: 1.0,
            weight: 1.0,
        };
        Together {
            others,
            voices: vec![voice],
        }
    }

    /// Whether probabilities are averaged.
    pub fn is_ensemble(&self) -> bool {
        self.voices.len() > 1
    }

    /// Refuses what does not fit together, and what nothing writes.
    pub(super) fn check(&self) -> Result<(), String> {
        if !(1..MOST).contains(&self.others.len()) {
            return Err(format!(
                "it has {} networks; 2 to {MOST} answer together",
                1 + self.others.len()
            ));
        }
        self.others.iter().try_for_each(Member::check)?;
        let each = |voice: &Voice| {
            voice.networks > 0
                && TEMPERATURES.contains(&voice.temperature)
                && (0.0..=1.0).contains(&voice.weight)
                && (self.is_ensemble() || *voice == Together::sum(self.others.clone()).voices[0])
        };
        let networks = self
            .voices
            .iter()
            .try_fold(0usize, |sum, voice| sum.checked_add(voice.networks));
        let weights: f64 = self.voices.iter().map(|voice| voice.weight).sum();
        let fit = networks == Some(1 + self.others.len()) && (weights - 1.0).abs() < 1e-6;
        match fit && self.voices.iter().all(each) {
            true => Ok(()),
            false => Err("what it says of how its networks answer together contradicts itself".into()),
        }
    }
}

/// The tensors of each of `networks`, of those of a file: the first one's are called as if it were alone, those of the
/// second `2/conv1.weight` and so on.
pub(super) fn split(named: Named, networks: usize) -> Vec<Named> {
    let mut split = vec![Named::new(); networks];
    for (name, values) in named {
        let number = name
            .split_once('/')
            .and_then(|(number, rest)| Some((number.parse().ok()?, rest)));
        match number {
            Some((number, rest)) if (2..=networks).contains(&number) => split[number - 1].insert(rest.into(), values),
            // Of no network, so that it is named as surplus.
            _ => split[0].insert(name, values),
        };
    }
    split
}

/// The same the other way round.
pub(super) fn joined(split: Vec<Named>) -> Named {
    let named = split.into_iter().enumerate().flat_map(|(network, named)| {
        named.into_iter().map(move |(name, values)| match network {
            0 => (name, values),
            _ => (format!("{}/{name}", network + 1), values),
        })
    });
    named.collect()
}

#[cfg(test)]
mod tests {
    use burn::Tensor;
    use burn::tensor::{Device, TensorData};

    use super::*;
    use crate::probability::softmax;
    use crate::values::to_vec;

    fn member() -> Member {
        Member {
            architecture: Architecture::Cnn3,
            head: None,
            flip: false,
            preprocessing: Preprocessing::new(8),
        }
    }

    #[test]
    fn voices_average_probabilities_and_their_networks_add_up_logits() {
        let voice = |networks, temperature, weight| Voice {
            networks,
            temperature,
            weight,
        };
        let together = Together {
            others: vec![member(), member()],
            voices: vec![voice(2, 2.0, 0.25), voice(1, 1.0, 0.75)],
        };
        together.check().unwrap();
        let logits = [[1.0, -3.0], [0.5, 400.0], [30.0, 2.0]];
        let tensors = logits.map(|row: [f32; 2]| Tensor::from_data(TensorData::from([row]), &Device::flex()));
        let found = softmax(&to_vec(together.answer(tensors.to_vec())), 1.0);
        let first = softmax(&[1.5, 397.0], 2.0);
        let second = softmax(&[30.0, 2.0], 1.0);
        for class in 0..2 {
            let mean = 0.25 * first[class] + 0.75 * second[class];
            assert!((found[class] - mean).abs() < 1e-6, "{found:?} {mean}");
        }
        let sum = to_vec(Together::sum(vec![member(), member()]).answer(tensors.to_vec()));
        assert_eq!(sum, [31.5, 399.0]);
        // What nothing writes.
        for voices in [
            vec![],
            vec![voice(3, 1.0, 0.5)],
            vec![voice(3, 2.0, 1.0)],
            vec![voice(2, 1.0, 1.0)],
            vec![voice(2, 1.0, 0.5), voice(1, 0.0, 0.5)],
            vec![voice(2, 1.0, 1.5), voice(1, 1.0, -0.5)],
            vec![voice(usize::MAX, 1.0, 0.5), voice(4, 1.0, 0.5)],
            vec![voice(3, 1.0, 1.0), voice(0, 1.0, 0.0)],
        ] {
            let others = together.others.clone();
            assert!(Together { others, voices }.check().unwrap_err().contains("contradicts"));
        }
        assert!(Together::sum(Vec::new()).check().unwrap_err().contains("1 networks"));
        assert!(Together::sum(vec![member(); 16]).check().is_err());
    }

    #[test]
    fn tensors_are_of_the_network_that_their_name_says() {
        let named = |names: &[&str]| {
            names
                .iter()
                .map(|name| (name.to_string(), Default::default()))
                .collect::<Named>()
        };
        let apart = vec![
            named(&["a.weight", "b.bias"]),
            named(&["a.weight"]),
            named(&["c.weight"]),
        ];
        let whole = named(&["a.weight", "b.bias", "2/a.weight", "3/c.weight"]);
        assert_eq!(joined(apart.clone()), whole);
        assert_eq!(split(whole, 3), apart);
        // Of a network that is not there: surplus of the first.
        assert!(split(named(&["4/a.weight", "x/y"]), 3)[0].len() == 2);
    }
}
