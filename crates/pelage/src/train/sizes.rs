//! Which sizes of images a recipe asks for: in training, in validation, in the model.

use pelage_model::networks::{Architecture, summary};

use super::recipe::{Recipe, Schedule};
use crate::{Error, Result};

/// The most values that a layer of a network from a description may make of a batch.
const MOST_OUTPUTS: u64 = 1 << 33;
/// The most parameters of a network from a description: as many again are gradients, and twice as many the optimizer's.
const MOST_PARAMETERS: u64 = 200_000_000;

impl Recipe {
    /// Side of the training images in epoch `epoch`, from 0.
    pub fn side(&self, epoch: usize) -> u32 {
        self.image_sizes.side(epoch).unwrap_or(self.image_size)
    }

    /// The largest side of training images.
    pub fn largest_side(&self) -> u32 {
        self.image_sizes.sides().max().unwrap_or(self.image_size)
    }

    /// Side of the images in evaluation and prediction.
    pub fn evaluation_side(&self) -> u32 {
        self.evaluation_size.unwrap_or(self.side(self.epochs - 1))
    }

    /// Side at which training images are kept: as large as they are needed, and as parts of them are, enlarged.
    pub fn kept_side(&self) -> u32 {
        let crops = self.augmentation().is_some_and(|one| one.random_resized_crop.is_some());
        let side = if crops {
            self.largest_side() * 5 / 4
        } else {
            self.largest_side()
        };
        side.max(self.evaluation_side())
    }

    /// Whether the validation after `epoch`, from 0, is that of a finished model. In a run of several sizes, only the
    /// last one is: the others would take more time than they are worth.
    pub fn is_measured(&self, epoch: usize) -> bool {
        self.image_sizes.is_empty() || epoch + 1 >= self.epochs
    }

    /// Side of the images in the validation after `epoch`, and whether their mirror images count as well.
    pub fn validation(&self, epoch: usize) -> (u32, bool) {
        match self.is_measured(epoch) {
            true => (self.evaluation_side(), self.evaluation_flip),
            false => (self.side(epoch).min(self.evaluation_side()), false),
        }
    }

    /// Checks the sizes of images, and that the network takes several where there are.
    pub(super) fn check_sizes(&self) -> Result<()> {
        if let Architecture::Cnn(cnn) = self.model {
            let shown = || serde_json::to_string(&self.model).unwrap_or_default();
            cnn.check()
                .map_err(|(name, allowed)| Error::setting(name, shown(), allowed))?;
        }
        let beside = self.transfer.iter().flat_map(|transfer| &transfer.beside);
        let smallest = beside.map(|beside| beside.architecture.smallest_size()).max();
        let smallest = smallest.unwrap_or(0).max(self.model.smallest_size()) as u32;
        let named = |name: &'static str, side: u32| {
            let allowed = format!("{smallest} to 4096 pixels for {}", self.name());
            match (smallest..=4096).contains(&side) {
                true => Ok(()),
                false => Err(Error::setting(name, side, allowed)),
            }
        };
        named("image_size", self.image_size)?;
        self.image_sizes
            .sides()
            .try_for_each(|side| named("image_sizes", side))?;
        self.evaluation_size
            .map_or(Ok(()), |side| named("evaluation_size", side))?;
        let sides = self
            .image_sizes
            .sides()
            .chain([self.image_size])
            .chain(self.evaluation_size);
        let own = self.image_size == self.model.input_size();
        let beside = self
            .transfer
            .iter()
            .flat_map(|transfer| &transfer.beside)
            .map(|beside| match own {
                true => (beside.architecture, beside.architecture.input_size()),
                false => (beside.architecture, self.image_size),
            });
        for (architecture, side) in sides.map(|side| (self.model, side)).chain(beside) {
            architecture.check_size([side as usize; 2]).map_err(Error::Settings)?;
        }
        let head = self.transfer.as_ref().map(|transfer| &transfer.head);
        let graph = self.model.graph_with(head, [self.image_size as usize; 2], 2);
        let scratch = self.transfer.is_none();
        if matches!(self.model, Architecture::Cnn(_)) {
            let side = self.largest_side() as usize;
            let layers = summary::layers(self.model, [side; 2], 2);
            let parameters: u64 = layers.iter().map(|one| one.parameters).sum();
            if parameters > MOST_PARAMETERS {
                let allowed = format!(
                    "a smaller one: of images of {side} pixels it has {parameters} parameters, more than \
                     {MOST_PARAMETERS}"
                );
                return Err(Error::setting("model", self.model.name(), allowed));
            }
            let maps = layers
                .iter()
                .map(|one| one.output_shape.iter().product::<usize>() as u64);
            let most = MOST_OUTPUTS / maps.max().unwrap_or(0).max(1);
            if self.batch_size as u64 > most {
                let allowed = format!("{most} at most for this network and images of {side} pixels");
                return Err(Error::setting("batch_size", self.batch_size, allowed));
            }
        }
        let one_size = !graph.takes_any_size() || self.learns_from_features();
        let sizes = "for a network that learns itself and takes images of any size";
        if !self.image_sizes.is_empty() && one_size {
            let given = String::from(self.image_sizes.clone());
            return Err(Error::setting("image_sizes", given, sizes));
        }
        let compared = "where there is one size of images: losses of different sizes are not compared";
        if !self.image_sizes.is_empty() && self.patience > 0 {
            return Err(Error::setting("patience", self.patience, format!("0, but {compared}")));
        }
        if !self.image_sizes.is_empty() && self.schedule == Schedule::Plateau {
            let name = self.schedule.name();
            return Err(Error::setting("schedule", name, format!("another, but {compared}")));
        }
        match self.evaluation_size {
            Some(side) if side != self.image_size && one_size => Err(Error::setting("evaluation_size", side, sizes)),
            _ if self.evaluation_flip && !(graph.averages() && scratch) => {
                let allowed = "false but for a network from scratch whose head begins with channel means";
                Err(Error::setting("evaluation_flip", true, allowed))
            }
            _ => Ok(()),
        }
    }
}
