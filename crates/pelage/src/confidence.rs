//! How far an answer can be trusted: what is learnt about a model after its training, and kept beside it. A temperature
//! makes its probabilities honest; a density of what it saw in training tells pictures that are like none of them.

pub mod density;
pub mod rejection;

use std::path::{Path, PathBuf};

use burn::Tensor;
use burn::tensor::Device;
use serde::ser::SerializeStruct;
use serde::{Deserialize, Serialize, Serializer};

use crate::bundle::{self, Model, tensors};
use crate::evaluate::{Scores, calibration};
use crate::model::parameters::{Named, Values};
use crate::{Error, Result, atomic};
use density::Density;

/// What is known about one model's answers.
#[derive(Clone, Debug, PartialEq)]
pub struct Calibration {
    /// The numbers beside the density.
    pub facts: Facts,
    /// Of the embeddings of the training pictures.
    pub density: Density,
}

/// See [`Calibration`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Facts {
    /// What the logits are divided by, see [`calibration::fit_temperature`].
    pub temperature: f64,
    /// Pictures farther away than this are like none of training.
    pub distance: f64,
    /// Share of the validation pictures, 0 to 1, that were to be within `distance`.
    pub coverage: f64,
    /// BLAKE3 of the model file, in hexadecimal.
    pub model: String,
    /// Pictures that the density was fitted on.
    pub train_images: usize,
    /// Pictures that temperature and distance were fitted on.
    pub validation_images: usize,
}

impl Calibration {
    /// Fits temperature and distance on `validation`, and the density on `train`, both with embeddings, of the model
    /// whose file has the hash `model`.
    ///
    /// # Errors
    /// A coverage that is not above 0 and at most 1; no pictures; embeddings too wide or all the same.
    pub fn fit(train: &Scores, validation: &Scores, coverage: f64, model: String) -> Result<Self> {
        check_coverage(coverage)?;
        let density = Density::fit(&train.embeddings, &train.labels, &train.classes).map_err(refused)?;
        let distances = density.distances(&validation.embeddings);
        let facts = Facts {
            temperature: calibration::fit_temperature(validation),
            distance: quantile(distances, coverage)
                .ok_or_else(|| refused("there are no validation pictures".into()))?,
            coverage,
            model,
            train_images: train.len(),
            validation_images: validation.len(),
        };
        Self { facts, density }.checked().map_err(refused)
    }

    fn checked(self) -> std::result::Result<Self, String> {
        let Facts {
            temperature, distance, ..
        } = self.facts;
        let sound = temperature.is_finite() && temperature > 0.0 && distance.is_finite() && distance >= 0.0;
        match sound {
            true => Ok(self),
            false => Err(format!("temperature {temperature} or distance {distance} is none")),
        }
    }

    /// Writes it beside the model of `run`, atomically; where to.
    ///
    /// # Errors
    /// A full disk or a folder that cannot be written.
    pub fn save_beside(&self, run: &Path) -> Result<PathBuf> {
        let path = path_beside(run);
        let density = &self.density;
        let classes = density.means().len() / density.dimension();
        let tensors = [
            ("factor", vec![density.factor().len()], density.factor()),
            ("means", vec![classes, density.dimension()], density.means()),
        ];
        let named = tensors.map(|(name, shape, data)| {
            let data = data.to_vec();
            (name.to_string(), Values { shape, data })
        });
        let named = Named::from(named);
        let bytes = tensors::encode(
            named.iter().map(|(name, values)| (name.clone(), values)),
            "calibration",
            &self.facts,
        );
        atomic::write(&path, &bytes.map_err(|reason| Error::model(&path, reason))?)?;
        Ok(path)
    }

    fn decode(bytes: &[u8], model: &str) -> std::result::Result<Self, String> {
        let (mut named, facts) = tensors::decode::<Facts>(bytes, "calibration")?;
        if facts.model != model {
            return Err("belongs to another model, or to this one before it was trained further".into());
        }
        let mut take = |name: &str| named.remove(name).ok_or_else(|| format!("has no tensor '{name}'"));
        let (factor, means) = (take("factor")?, take("means")?);
        let classes = means.shape.first().copied().unwrap_or(0);
        let density = Density::new(means.data, factor.data, classes)?;
        Calibration { facts, density }.checked()
    }
}

fn refused(reason: String) -> Error {
    Error::Input(format!("the model cannot be calibrated: {reason}"))
}

fn check_coverage(coverage: f64) -> Result<()> {
    match coverage > 0.0 && coverage <= 1.0 {
        true => Ok(()),
        false => Err(Error::Input(format!(
            "--coverage is {coverage}, it must be above 0 and at most 1"
        ))),
    }
}

/// Refuses what [`Calibration::fit`] would, before the minutes that its scores take.
///
/// # Errors
/// A coverage out of range, or a model with embeddings too wide.
pub fn check(model: &Model, coverage: f64, device: &Device) -> Result<()> {
    check_coverage(coverage)?;
    let side = &model.facts.preprocessing;
    let blank = Tensor::zeros([1, side.height as usize, side.width as usize, 3], device);
    let dimension = model.logits_and_embedding(blank).1.dims()[1];
    density::check_dimension(dimension).map_err(refused)
}

/// The smallest of `values` that at least `share` of them do not exceed.
fn quantile(mut values: Vec<f64>, share: f64) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let wanted = (share * values.len() as f64 - 1e-6).ceil() as usize;
    values.get(wanted.max(1) - 1).copied()
}

/// Where the calibration of a run folder or a model file lies: `calibration.safetensors` in a run folder, else
/// `NAME.calibration.safetensors` beside `NAME.safetensors`.
pub fn path_beside(run: &Path) -> PathBuf {
    let file = bundle::file(run);
    match file.file_name().is_some_and(|name| name == "best.safetensors") {
        true => file.with_file_name("calibration.safetensors"),
        false => file.with_extension("calibration.safetensors"),
    }
}

/// The hash of the model file of `run`, by which a calibration knows it.
///
/// # Errors
/// A file that cannot be read.
pub fn model_hash(run: &Path) -> Result<String> {
    let file = bundle::file(run);
    let bytes = std::fs::read(&file).map_err(Error::io(&file))?;
    Ok(blake3::hash(&bytes).to_hex().to_string())
}

/// The calibration beside the model of `run`; `None` where there is none.
///
/// # Errors
/// A file that is damaged, or of another model.
pub fn load_beside(run: &Path) -> Result<Option<Calibration>> {
    let path = path_beside(run);
    let bytes = match std::fs::read(&path) {
        Err(failure) if failure.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        read => read.map_err(Error::io(&path))?,
    };
    let loaded = Calibration::decode(&bytes, &model_hash(run)?);
    loaded.map(Some).map_err(|reason| {
        let remedy = format!("run `pelage calibrate {}` again, or remove the file", run.display());
        Error::model(&path, format!("{reason}; {remedy}"))
    })
}

/// What is done with a model's answers before they are given; by default nothing.
#[derive(Clone, Debug, Default)]
pub struct Judge {
    calibration: Option<Calibration>,
    reject: Option<f64>,
}

impl Judge {
    /// With what lies beside the model of `run`. `reject`: answers below this confidence, 0 to 1, and those to pictures
    /// too far from training are doubted.
    ///
    /// # Errors
    /// See [`load_beside`]; `reject` out of range, or without a calibration.
    pub fn open(run: &Path, reject: Option<f64>) -> Result<Self> {
        if let Some(reject) = reject.filter(|reject| !(0.0..=1.0).contains(reject)) {
            return Err(Error::Input(format!("--reject is {reject}, it must be 0 to 1")));
        }
        let calibration = load_beside(run)?;
        if reject.is_some() && calibration.is_none() {
            return Err(Error::Input(format!(
                "--reject needs a calibrated model; run `pelage calibrate {}` first",
                run.display()
            )));
        }
        Ok(Judge { calibration, reject })
    }

    /// What is known about the model.
    pub fn calibration(&self) -> Option<&Calibration> {
        self.calibration.as_ref()
    }

    /// What logits are divided by, where the model is calibrated.
    pub fn temperature(&self) -> Option<f64> {
        self.calibration.as_ref().map(|known| known.facts.temperature)
    }

    /// Whether there can be doubts, for which embeddings are needed.
    pub fn rejects(&self) -> bool {
        self.reject.is_some()
    }

    /// Why an answer of this calibrated `confidence`, on a picture with this `embedding`, should not be given.
    pub fn doubt(&self, confidence: f64, embedding: &[f32]) -> Option<Doubt> {
        let (least, known) = (self.reject?, self.calibration.as_ref()?);
        if confidence < least {
            return Some(Doubt::Confidence { confidence, least });
        }
        let (distance, most) = (known.density.distance(embedding), known.facts.distance);
        (distance > most).then_some(Doubt::Distance { distance, most })
    }
}

/// Why the answer is "unknown".
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Doubt {
    /// The model is not certain.
    Confidence {
        /// Calibrated probability of the predicted class, 0 to 1.
        confidence: f64,
        /// What was asked for.
        least: f64,
    },
    /// The picture is like none of training.
    Distance {
        /// Its distance, see [`Density::distance`].
        distance: f64,
        /// The largest that is answered.
        most: f64,
    },
}

impl std::fmt::Display for Doubt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Doubt::Confidence { confidence, least } => write!(f, "confidence {confidence:.2} below {least}"),
            Doubt::Distance { distance, most } => write!(f, "distance {distance:.1} above {most:.1}"),
        }
    }
}

/// As `"unknown": true` and `"reason"`.
impl Serialize for Doubt {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        let mut doubt = serializer.serialize_struct("Doubt", 2)?;
        doubt.serialize_field("unknown", &true)?;
        doubt.serialize_field("reason", &self.to_string())?;
        doubt.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two classes along one axis; noise by a fixed formula.
    fn scores(pictures: usize) -> Scores {
        let noise = |i: usize| ((i * 7919 + 13) % 101) as f32 / 50.0 - 1.0;
        Scores {
            classes: vec!["a".into(), "b".into()],
            names: (0..pictures).map(|i| i.to_string()).collect(),
            labels: (0..pictures).map(|i| i % 2).collect(),
            logits: (0..pictures)
                .flat_map(|i| [noise(i), noise(i + 1) + (i % 2) as f32])
                .collect(),
            embeddings: (0..pictures)
                .flat_map(|i| [noise(i), 5.0 * (i % 2) as f32 + noise(3 * i), 0.0])
                .collect(),
            ..Scores::default()
        }
    }

    fn saved(folder: &Path) -> (PathBuf, Calibration) {
        let model = folder.join("best.safetensors");
        std::fs::write(&model, b"any bytes will do").unwrap();
        let hash = model_hash(&model).unwrap();
        let fitted = Calibration::fit(&scores(200), &scores(40), 0.9, hash).unwrap();
        (fitted.save_beside(folder).unwrap(), fitted)
    }

    #[test]
    fn comes_back_as_it_was_and_knows_its_model() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(load_beside(folder.path()).unwrap(), None);
        let (path, fitted) = saved(folder.path());
        assert_eq!(path, folder.path().join("calibration.safetensors"));
        assert_eq!(load_beside(folder.path()).unwrap().as_ref(), Some(&fitted));
        assert_eq!(
            load_beside(&folder.path().join("best.safetensors")).unwrap(),
            Some(fitted)
        );
        std::fs::write(folder.path().join("best.safetensors"), b"another model").unwrap();
        let refused = load_beside(folder.path()).unwrap_err().to_string();
        assert!(
            refused.contains("another model") && refused.contains("pelage calibrate"),
            "{refused}"
        );
        let lone = path_beside(Path::new("models/cats.safetensors"));
        assert_eq!(lone, Path::new("models/cats.calibration.safetensors"));
    }

    #[test]
    fn a_damaged_file_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let (path, fitted) = saved(folder.path());
        let whole = std::fs::read(&path).unwrap();
        for length in [0, 7, 60, whole.len() - 1] {
            std::fs::write(&path, &whole[..length]).unwrap();
            let refused = load_beside(folder.path()).unwrap_err().to_string();
            assert!(refused.contains("pelage calibrate"), "{length}: {refused}");
        }
        let mut infinite = whole;
        let end = infinite.len();
        infinite[end - 4..].copy_from_slice(&f32::INFINITY.to_le_bytes());
        std::fs::write(&path, &infinite).unwrap();
        let refused = load_beside(folder.path()).unwrap_err().to_string();
        assert!(refused.contains("not finite"), "{refused}");
        let negative = Facts {
            temperature: -1.0,
            ..fitted.facts
        };
        let density = fitted.density;
        let odd = Calibration {
            facts: negative,
            density,
        };
        odd.save_beside(folder.path()).unwrap();
        assert!(load_beside(folder.path()).is_err());
    }

    #[test]
    fn the_distance_keeps_as_many_as_was_asked_for() {
        let validation = scores(40);
        for coverage in [0.025, 0.5, 0.9, 0.95, 1.0] {
            let fitted = Calibration::fit(&scores(200), &validation, coverage, String::new()).unwrap();
            let distances = fitted.density.distances(&validation.embeddings);
            let kept = distances.iter().filter(|&&d| d <= fitted.facts.distance).count();
            // Pictures with the same distance are kept together.
            let others = distances.iter().filter(|&&d| d < fitted.facts.distance).count();
            assert!(kept as f64 >= 40.0 * coverage - 1e-6, "{kept} of 40 at {coverage}");
            assert!((others as f64) < 40.0 * coverage, "{others} of 40 at {coverage}");
        }
        for coverage in [0.0, 1.5, f64::NAN] {
            assert!(Calibration::fit(&scores(200), &validation, coverage, String::new()).is_err());
        }
    }

    #[test]
    fn doubts_name_their_reason() {
        let folder = tempfile::tempdir().unwrap();
        let refused = Judge::open(folder.path(), Some(0.5)).unwrap_err().to_string();
        assert!(refused.contains("pelage calibrate"), "{refused}");
        saved(folder.path());
        assert!(Judge::open(folder.path(), Some(1.5)).is_err());
        let judge = Judge::open(folder.path(), Some(0.9)).unwrap();
        assert_eq!(judge.doubt(0.9, &[0.0, 0.0, 0.0]), None);
        let unsure = judge.doubt(0.61, &[0.0; 3]).unwrap();
        assert_eq!(unsure.to_string(), "confidence 0.61 below 0.9");
        let far = judge.doubt(0.99, &[0.0, 100.0, 0.0]).unwrap();
        assert!(far.to_string().starts_with("distance "), "{far}");
        let json = serde_json::to_value(unsure).unwrap();
        assert_eq!(json["unknown"], true);
        let lenient = Judge::open(folder.path(), None).unwrap();
        assert_eq!(lenient.doubt(0.0, &[0.0, 100.0, 0.0]), None);
    }
}
