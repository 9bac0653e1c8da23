//! From images to ranked classes by name: none dropped, none reordered.

use burn::Tensor;
use image::RgbImage;
use pelage_data::decode::Limits;
use rayon::prelude::*;

use crate::input;
pub use crate::prediction::{Prediction, UNKNOWN};
use crate::saved::{Member, Model, check_answer};
use crate::values::to_vec;

/// Images per forward pass.
pub const BATCH: usize = 32;

impl Model {
    /// The prediction for one encoded image (JPEG, PNG and so on), called `name` in the answer.
    pub fn predict_bytes(&self, name: &str, bytes: &[u8]) -> Prediction {
        self.predict_one(name, self.prepare(bytes, &Limits::default()))
    }

    /// The prediction for one image in memory, called `name` in the answer.
    pub fn predict_image(&self, name: &str, image: &RgbImage) -> Prediction {
        self.predict_one(name, self.prepare_image(image))
    }

    /// The embedding of an encoded image: the input of the last dense layer.
    ///
    /// # Errors
    /// Why the image cannot be read.
    pub fn embedding(&self, bytes: &[u8]) -> Result<Vec<f32>, String> {
        let input = self.prepare(bytes, &Limits::default())?;
        Ok(self.embeddings(&[&input]))
    }

    /// Decodes and normalizes one file within `limits`: the input of each network, one after the other.
    ///
    /// # Errors
    /// Why the file cannot be read.
    pub fn prepare(&self, bytes: &[u8], limits: &Limits) -> Result<Vec<f32>, String> {
        self.facts.inputs(|side| input::decode_within(bytes, side, limits))
    }

    /// The same of an image in memory.
    ///
    /// # Errors
    /// An image without pixels.
    pub fn prepare_image(&self, image: &RgbImage) -> Result<Vec<f32>, String> {
        self.facts.inputs(|side| input::resize(image, side))
    }

    /// The embeddings of images that were prepared before, see [`Model::prepare`]: the inputs of the last dense layer,
    /// one after the other.
    pub fn embeddings(&self, inputs: &[&[f32]]) -> Vec<f32> {
        match inputs {
            [] => Vec::new(),
            inputs => to_vec(self.logits_and_embedding(self.pixels(inputs)).1),
        }
    }

    /// The pixels of each network, of inputs by [`Model::prepare`].
    fn pixels(&self, inputs: &[&[f32]]) -> Vec<Tensor<4>> {
        let mut start = 0;
        let one = |member: Member| {
            let length = input::shape(&member.preprocessing).iter().product::<usize>();
            let values = inputs.iter().flat_map(|input| &input[start..start + length]);
            let values = values.copied().collect();
            start += length;
            input::images(values, &member.preprocessing, &self.device())
        };
        self.facts.members().into_iter().map(one).collect()
    }

    /// The predictions for many encoded images, in their order; each a name with the bytes, or with why there are none.
    /// All threads decode; the images go through the network in batches.
    pub fn predict_batch(&self, images: &[(String, Result<Vec<u8>, String>)]) -> Vec<Prediction> {
        self.predict_each(
            images,
            |(name, _)| name.clone(),
            |(_, bytes), prepare| prepare(bytes.as_ref().map_err(String::clone)?),
        )
    }

    /// As [`Model::predict_batch`], of images that `read` brings into memory, each on the thread that decodes it and no
    /// longer than that takes: it hands its bytes to the function that it is given, and returns what that returns.
    pub fn predict_each<T: Sync>(
        &self,
        images: &[T],
        name: impl Fn(&T) -> String,
        read: impl Fn(&T, &dyn Fn(&[u8]) -> Result<Vec<f32>, String>) -> Result<Vec<f32>, String> + Sync,
    ) -> Vec<Prediction> {
        let prepare = |bytes: &[u8]| self.prepare(bytes, &Limits::default());
        let mut predictions = Vec::with_capacity(images.len());
        for chunk in images.chunks(BATCH) {
            let inputs: Vec<_> = chunk.par_iter().map(|image| read(image, &prepare)).collect();
            predictions.extend(self.predict_inputs(chunk.iter().map(&name), inputs));
        }
        predictions
    }

    fn predict_one(&self, name: &str, input: Result<Vec<f32>, String>) -> Prediction {
        self.predict_inputs(std::iter::once(name.to_string()), vec![input])
            .remove(0)
    }

    /// The predictions for images that were decoded before, see [`Model::prepare`], in one forward pass; each with its
    /// name, and with why there is no input where there is none.
    pub fn predict_inputs(
        &self,
        names: impl Iterator<Item = String>,
        inputs: Vec<Result<Vec<f32>, String>>,
    ) -> Vec<Prediction> {
        let readable: Vec<&[f32]> = inputs.iter().flatten().map(Vec::as_slice).collect();
        let count = readable.len();
        let (logits, embeddings) = match count {
            0 => Default::default(),
            _ => {
                let (logits, embeddings) = self.logits_and_embedding(self.pixels(&readable));
                (to_vec(logits), to_vec(embeddings))
            }
        };
        let width = (embeddings.len() / count.max(1)).max(1);
        let mut rows = logits.chunks(self.facts.classes.len()).zip(embeddings.chunks(width));
        let one = |(path, input): (String, Result<Vec<f32>, String>)| {
            let row = input.and_then(|_| {
                let (logits, embedding) = rows.next().unwrap_or_default();
                check_answer(logits).map(|()| (logits, embedding))
            });
            match row {
                Ok((logits, embedding)) => Prediction::new(path, &self.facts.classes, &self.judge, logits, embedding),
                Err(reason) => Prediction::failed(path, reason),
            }
        };
        names.zip(inputs).map(one).collect()
    }
}
