//! Image sizes over the epochs of a run: small images first, since what is learnt of them cheaply serves for larger
//! ones too (progressive resizing, Howard 2018; Tan and Le 2021, section 4).

use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Sides in pixels, each with its number of epochs, in order. Written `96:12,128:10,160:3`; empty: one size throughout.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Stages(Vec<(u32, usize)>);

impl Stages {
    /// Whether one size is used throughout.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Epochs of all stages.
    pub fn epochs(&self) -> usize {
        self.0.iter().map(|(_, epochs)| epochs).sum()
    }

    /// The sides, in order.
    pub fn sides(&self) -> impl Iterator<Item = u32> {
        self.0.iter().map(|(side, _)| *side)
    }

    /// The side in epoch `epoch`, from 0; the last one's also beyond the last stage.
    pub fn side(&self, epoch: usize) -> Option<u32> {
        let mut end = 0;
        let current = self.0.iter().find(|(_, epochs)| {
            end += epochs;
            epoch < end
        });
        current.or(self.0.last()).map(|(side, _)| *side)
    }

    /// The same stages in the same proportion over `epochs` epochs; a stage for which none is left is left out.
    pub fn scaled(&self, epochs: usize) -> Stages {
        let total = self.epochs().max(1);
        let (mut before, mut stages) = (0, Vec::new());
        let ends = self.0.iter().scan(0, |end, (side, count)| {
            *end += count;
            Some((*side, *end))
        });
        for (side, end) in ends {
            let end = (end as f64 * epochs as f64 / total as f64).round() as usize;
            if end > before {
                stages.push((side, end - before));
            }
            before = end;
        }
        Stages(stages)
    }
}

impl FromStr for Stages {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let stage = |part: &str| {
            let (side, epochs) = part.trim().split_once(':')?;
            Some((side.parse().ok()?, epochs.parse().ok().filter(|&epochs| epochs > 0)?))
        };
        let parts = text.split(',').filter(|_| !text.trim().is_empty());
        let stages: Option<Vec<_>> = parts.map(stage).collect();
        let stages = stages.filter(|stages| stages.iter().all(|&(_, epochs): &(u32, usize)| epochs <= 1_000_000));
        stages
            .map(Stages)
            .ok_or_else(|| format!("'{text}' is no list of sides and epochs such as 96:12,128:10,160:3"))
    }
}

impl TryFrom<String> for Stages {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Stages> for String {
    fn from(stages: Stages) -> String {
        let parts: Vec<_> = stages
            .0
            .iter()
            .map(|(side, epochs)| format!("{side}:{epochs}"))
            .collect();
        parts.join(",")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stages_are_read_as_they_are_written_and_say_the_side_of_each_epoch() {
        let stages: Stages = "96:2,128:1,160:3".parse().unwrap();
        assert_eq!(String::from(stages.clone()), "96:2,128:1,160:3");
        let sides: Vec<_> = (0..8).filter_map(|epoch| stages.side(epoch)).collect();
        assert_eq!(sides, [96, 96, 128, 160, 160, 160, 160, 160]);
        assert_eq!(stages.epochs(), 6);
        assert_eq!("".parse(), Ok(Stages::default()));
        assert_eq!(Stages::default().side(0), None);
        for wrong in ["96", "96:0", "96:x", ":3", "96:1,", "96:1;128:1", "96:-1"] {
            assert!(wrong.parse::<Stages>().unwrap_err().contains("96:12"), "{wrong}");
        }
    }

    #[test]
    fn scaled_stages_keep_their_proportion_and_fill_all_epochs() {
        let stages: Stages = "96:12,128:10,160:3".parse().unwrap();
        assert_eq!(String::from(stages.scaled(50)), "96:24,128:20,160:6");
        for epochs in 1..40 {
            assert_eq!(stages.scaled(epochs).epochs(), epochs);
        }
        assert_eq!(String::from(stages.scaled(1)), "128:1");
    }
}
