//! Calibrating a model: a temperature fitted on validation images, a density fitted on training images.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use burn::Tensor;
use pelage_data::Progress;
use pelage_data::catalog::{self, Catalog, Opening, Split};
use pelage_data::lock::FolderLock;
use pelage_model::saved::Member;
use pelage_model::trust::Calibration;
use pelage_model::trust::calibration::Facts;
use pelage_model::trust::density::{self, Density};
use pelage_model::{input, paths, saved};

use crate::compute::Compute;
use crate::evaluate::temperature::Scaling;
use crate::evaluate::{self, Embeddings, Scores};
use crate::runs::images::{self, Familiar, Labelled};
use crate::runs::own::{self, Needed};
use crate::runs::run::CONFIG;
use crate::{Error, Model, Result, atomic};

/// A calibration, and what it was fitted on.
pub struct Calibrated {
    /// The model's new calibration.
    pub calibration: Calibration,
    /// What is known about its temperature.
    pub scaling: Scaling,
    /// The model's scores of the validation images, with embeddings.
    pub validation: Scores,
    /// How many of the images the model was trained on; `None` where that was not recorded.
    pub familiar: Option<Familiar>,
    /// The model file that it became part of.
    pub path: PathBuf,
}

/// Calibrates the model of `run` on the images in `data` (by default those that it was trained on, those for training
/// as far as they are still there), and writes the result into the model file. `coverage` is the fraction of the
/// validation images, above 0 and at most 1, that should be near enough to be answered. A temperature is kept only if
/// it makes the probabilities better, see [`Scaling`].
///
/// # Errors
/// A coverage out of range; a run that another process trains; missing images; embeddings that are too wide or all the
/// same; a file that cannot be written, or was replaced meanwhile.
pub fn calibrate(
    run: &Path,
    data: Option<Labelled>,
    coverage: f64,
    compute: &Compute,
    progress: &(dyn Fn(Progress) + Sync),
) -> Result<Calibrated> {
    check_coverage(coverage)?;
    let device = compute.open()?;
    let path = paths::model(run);
    // Before the model is loaded: if it is replaced meanwhile, that is noticed below.
    let hash = hash_of(&path);
    let model = Model::load(run, &device)?;
    let hash = hash?;
    // Before minutes of scoring.
    atomic::Unfinished::new(&path).map_err(Error::io(&path))?;
    let _lock = locked(&path)?;
    check_dimension(&model).map_err(|reason| refused(run, reason))?;
    let split = open(run, data, &model)?;
    let familiar = match data {
        Some(_) => images::familiar(run, &model.facts, &split)?,
        // They were found to be its own when they were opened.
        None => Some(Familiar {
            train: split.train.items.len(),
            validation: 0,
        }),
    };
    let score = |catalog: Catalog, what| {
        let dataset = Arc::new(catalog);
        evaluate::open_and_score(&model, dataset, compute.cache, Embeddings::Keep, what, progress)
    };
    let validation = score(split.validation, "validation")?;
    let train = score(split.train, "training")?;
    let (calibration, scaling) = fit(&train, &validation, coverage).map_err(|reason| refused(run, reason))?;
    // A training that went on meanwhile may have written better weights: they must neither be lost, nor get this.
    if hash_of(&path)? != hash {
        return Err(Error::model(
            path,
            "was replaced while it was being calibrated; calibrate it again",
        ));
    }
    keep(&calibration, run)?;
    Ok(Calibrated {
        calibration,
        scaling,
        validation,
        familiar,
        path,
    })
}

/// The right to write the run whose model is at `path`: while it is trained, its next best weights would take the place
/// of what is calibrated. `None` for a model that is in no run's folder.
fn locked(path: &Path) -> Result<Option<FolderLock>> {
    let folder = path.parent().filter(|_| path.ends_with(paths::BEST));
    let run = folder.filter(|folder| folder.join(CONFIG).exists());
    Ok(run.map(FolderLock::take).transpose()?)
}

/// Makes `calibration` part of the model file of `run`, atomically, in place of an earlier one.
///
/// # Errors
/// A file that is no model's; a full disk or a folder that cannot be written.
pub fn keep(calibration: &Calibration, run: &Path) -> Result<()> {
    let path = paths::model(run);
    let bytes = std::fs::read(&path).map_err(Error::io(&path))?;
    let bytes = saved::with_calibration(&bytes, calibration).map_err(|reason| Error::model(&path, reason))?;
    atomic::write(&path, &bytes)?;
    // An older one has had its day: it is tied to the bytes of the file that was replaced.
    let older = paths::calibration(run);
    match std::fs::remove_file(&older) {
        Err(failure) if failure.kind() != std::io::ErrorKind::NotFound => Err(Error::io(older)(failure)),
        _ => Ok(()),
    }
}

fn hash_of(file: &Path) -> Result<blake3::Hash> {
    Ok(blake3::hash(&std::fs::read(file).map_err(Error::io(file))?))
}

/// The images to calibrate a model on: those that it was trained on, or those of `data`, in their parts.
///
/// # Errors
/// As [`own::trained_on`] and [`Opening::open`].
pub(crate) fn open(run: &Path, data: Option<Labelled>, model: &Model) -> Result<Split> {
    let own = |data| {
        let needed = Needed::ValidationBesideTheRest;
        Ok(own::trained_on(run, &model.facts, data, needed)?.split)
    };
    let Some(Labelled { path: data, level }) = data else {
        return own(None);
    };
    let settings = own::settings(&model.facts).unwrap_or_default();
    let opening = Opening {
        label_level: level.or(settings.label_level),
        ..Opening::default()
    };
    let opened = match opening.open(data, &|_| {}) {
        // The run's level of folders, which these data have not.
        Err(pelage_data::Error::Setting { .. }) if level.is_none() => catalog::open_dataset(data, None, 0),
        opened => opened,
    };
    match opened {
        Err(failure @ pelage_data::Error::NoValidation { .. }) => match settings.validation_split {
            Some(_) => own(Some(data)),
            None => Err(failure.into()),
        },
        opened => Ok(opened?),
    }
}

/// Fits temperature and distance on `validation` and the density on `train`, both with embeddings.
///
/// # Errors
/// A message if there are no images, or their embeddings are too wide or all the same.
pub fn fit(train: &Scores, validation: &Scores, coverage: f64) -> std::result::Result<(Calibration, Scaling), String> {
    let density = Density::fit(&train.embeddings, &train.labels, &train.classes)?;
    let distances = density.distances(&validation.embeddings);
    let scaling = Scaling::of(validation);
    let facts = Facts {
        temperature: scaling.temperature,
        distance: quantile(distances, coverage).ok_or("there are no validation images")?,
        coverage,
        train_images: train.len(),
        validation_images: validation.len(),
    };
    Ok((Calibration::new(facts, density)?, scaling))
}

fn refused(run: &Path, reason: String) -> Error {
    Error::model(run, format!("cannot be calibrated: {reason}"))
}

fn check_coverage(coverage: f64) -> Result<()> {
    match coverage > 0.0 && coverage <= 1.0 {
        true => Ok(()),
        false => Err(Error::setting("coverage", coverage, "above 0 and at most 1")),
    }
}

/// Refuses what [`fit`] would, before minutes of scoring.
fn check_dimension(model: &Model) -> std::result::Result<(), String> {
    let blank = |member: Member| {
        let [height, width, channels] = input::shape(&member.preprocessing);
        Tensor::zeros([1, height, width, channels], &model.device())
    };
    let blank = model.facts.members().into_iter().map(blank).collect();
    density::check_dimension(model.logits_and_embedding(blank).1.dims()[1])
}

/// The smallest of `values` that at least the fraction `share` of them does not exceed.
fn quantile(mut values: Vec<f64>, share: f64) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let wanted = (share * values.len() as f64 - 1e-6).ceil() as usize;
    values.get(wanted.max(1) - 1).copied()
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;
    use pelage_model::Error;
    use pelage_model::networks::{Architecture, Network, parameters};
    use pelage_model::trust::Judge;

    use super::*;
    use crate::data::preprocess::Preprocessing;

    /// Two classes along one axis of as many as the embeddings of [`model`] have; noise by a fixed formula.
    fn scores(images: usize) -> Scores {
        let noise = |i: usize| ((i * 7919 + 13) % 101) as f32 / 50.0 - 1.0;
        Scores {
            classes: vec!["a".into(), "b".into()],
            names: (0..images).map(|i| i.to_string()).collect(),
            labels: (0..images).map(|i| i % 2).collect(),
            logits: (0..images)
                .flat_map(|i| [noise(i), noise(i + 1) + (i % 2) as f32])
                .collect(),
            embeddings: (0..images)
                .flat_map(|i| {
                    (0..64).map(move |j| match j {
                        0 => 5.0 * (i % 2) as f32 + noise(3 * i),
                        _ => noise(i + 17 * j + i * j),
                    })
                })
                .collect(),
            ..Scores::default()
        }
    }

    /// A small model that was never trained.
    fn model() -> Model {
        let facts = pelage_model::saved::Facts {
            architecture: Architecture::Cnn3,
            head: None,
            flip: false,
            classes: vec!["a".into(), "b".into()],
            preprocessing: Preprocessing::new(8),
            together: None,
            training: serde_json::json!({"epoch": 1}),
        };
        Model {
            network: Network::new(Architecture::Cnn3, [8, 8], 2, 0, &Device::flex()),
            others: Vec::new(),
            facts,
            judge: Judge::default(),
            narrow: None,
        }
    }

    fn fitted() -> Calibration {
        fit(&scores(200), &scores(40), 0.9).unwrap().0
    }

    #[test]
    fn a_model_file_copied_alone_is_as_calibrated_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("best.safetensors");
        crate::save(&model(), &path).unwrap();
        assert_eq!(Model::open(folder.path()).unwrap().judge.calibration(), None);
        let older = paths::calibration(folder.path());
        std::fs::write(&older, b"of an earlier state").unwrap();
        keep(&fitted(), folder.path()).unwrap();
        assert!(!older.exists());
        let copied = folder.path().join("elsewhere.safetensors");
        std::fs::copy(&path, &copied).unwrap();
        let found = Model::open(&copied).unwrap();
        assert_eq!(found.judge.calibration(), Some(&fitted()));
        assert_eq!(found.facts, model().facts);
        assert_eq!(parameters::read(&found.network), parameters::read(&model().network));
        // Saved again it has it too; a new one replaces it.
        crate::save(&found, folder.path().join("again.safetensors")).unwrap();
        assert_eq!(
            std::fs::read(folder.path().join("again.safetensors")).unwrap(),
            std::fs::read(&path).unwrap()
        );
        let other = fit(&scores(100), &scores(40), 0.5).unwrap().0;
        keep(&other, folder.path()).unwrap();
        assert_eq!(Model::open(&path).unwrap().judge.calibration(), Some(&other));
        let lone = paths::calibration(Path::new("models/cats.safetensors"));
        assert_eq!(lone, Path::new("models/cats.calibration.safetensors"));
    }

    #[test]
    fn a_calibration_that_cannot_be_meant_is_refused() {
        let fitted = fitted();
        let of = |calibration| Model {
            judge: Judge::new(Some(calibration)),
            ..model()
        };
        for temperature in [1e5, 1e-5, 0.0, -1.0, f64::NAN, f64::INFINITY] {
            let facts = Facts {
                temperature,
                ..fitted.facts.clone()
            };
            let refused = Calibration::new(facts.clone(), fitted.density.clone()).unwrap_err();
            assert!(refused.contains("temperature"), "{refused}");
            // Nor is it read.
            let odd = Calibration {
                facts,
                density: fitted.density.clone(),
            };
            let bytes = of(odd).encode().unwrap();
            assert!(Model::decode(&bytes, &Device::flex()).is_err(), "{temperature}");
        }
        let of_another = fit(
            &Scores {
                embeddings: scores(200)
                    .embeddings
                    .chunks(64)
                    .flat_map(|row| row[..3].to_vec())
                    .collect(),
                ..scores(200)
            },
            &Scores {
                embeddings: scores(40)
                    .embeddings
                    .chunks(64)
                    .flat_map(|row| row[..3].to_vec())
                    .collect(),
                ..scores(40)
            },
            0.9,
        );
        let bytes = of(of_another.unwrap().0).encode().unwrap();
        let refused = Model::decode(&bytes, &Device::flex()).unwrap_err();
        assert!(refused.contains("another network"), "{refused}");
    }

    #[test]
    fn the_distance_keeps_as_many_as_was_asked_for() {
        let validation = scores(40);
        for coverage in [0.025, 0.5, 0.9, 0.95, 1.0] {
            let fitted = fit(&scores(200), &validation, coverage).unwrap().0;
            let distances = fitted.density.distances(&validation.embeddings);
            let kept = distances.iter().filter(|&&d| d <= fitted.facts.distance).count();
            // Images at the same distance are kept together.
            let others = distances.iter().filter(|&&d| d < fitted.facts.distance).count();
            assert!(kept as f64 >= 40.0 * coverage - 1e-6, "{kept} of 40 at {coverage}");
            assert!((others as f64) < 40.0 * coverage, "{others} of 40 at {coverage}");
        }
        for coverage in [0.0, 1.5, f64::NAN] {
            assert!(check_coverage(coverage).is_err());
        }
    }

    #[test]
    fn doubts_name_their_reason() {
        let folder = tempfile::tempdir().unwrap();
        let plain = Judge::default();
        let refused = plain.clone().open(folder.path(), Some(0.5)).unwrap_err();
        assert!(matches!(refused, Error::Uncalibrated { .. }), "{refused}");
        let known = Judge::new(Some(fitted()));
        assert!(known.clone().open(folder.path(), Some(1.5)).is_err());
        let judge = known.clone().open(folder.path(), Some(0.9)).unwrap();
        let (near, far) = (fitted().density.means()[..64].to_vec(), [100.0; 64]);
        assert_eq!(judge.doubt(0.9, &near), None);
        let unsure = judge.doubt(0.61, &near).unwrap();
        assert_eq!(unsure.to_string(), "confidence 0.61 below 0.9");
        let far_away = judge.doubt(0.99, &far).unwrap();
        assert!(far_away.to_string().starts_with("distance "), "{far_away}");
        let json = serde_json::to_value(unsure).unwrap();
        assert_eq!(json["unknown"], true);
        let lenient = known.open(folder.path(), None).unwrap();
        assert_eq!(lenient.doubt(0.0, &far), None);
    }
}
