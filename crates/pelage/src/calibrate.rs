//! Calibrating a model: a temperature fitted on validation images, a density fitted on training images.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use burn::Tensor;
use pelage_data::Progress;
use pelage_data::catalog::{self, Catalog, Split};
use pelage_model::trust::calibration::Facts;
use pelage_model::trust::density::{self, Density};
use pelage_model::trust::{Calibration, model_hash};
use pelage_model::{input, paths};

use crate::compute::Compute;
use crate::evaluate::{self, Embeddings, Scores, calibration};
use crate::runs::{Config, images};
use crate::{Error, Model, Result, atomic};

/// A calibration, and what it was fitted on.
pub struct Calibrated {
    /// The model's new calibration.
    pub calibration: Calibration,
    /// The model's scores of the validation images, with embeddings.
    pub validation: Scores,
    /// The file that it was written to.
    pub path: PathBuf,
}

/// Calibrates the model of `run` on the images in `data` (by default those that it was trained on), and keeps the
/// result beside it. `coverage` is the fraction of the validation images, above 0 and at most 1, that should be near
/// enough to be answered.
///
/// # Errors
/// A coverage out of range; missing images; embeddings that are too wide or all the same; a folder that cannot be
/// written.
pub fn calibrate(
    run: &Path,
    data: Option<&Path>,
    coverage: f64,
    compute: &Compute,
    progress: &(dyn Fn(Progress) + Sync),
) -> Result<Calibrated> {
    check_coverage(coverage)?;
    let device = compute.open()?;
    // Before the model is loaded: if it is replaced meanwhile, the calibration will not be taken for the new one's.
    let hash = model_hash(run);
    let model = Model::load(run, &device)?;
    check_dimension(&model).map_err(|reason| refused(run, reason))?;
    let split = open(data, &model)?;
    let score = |catalog: Catalog, what| {
        let dataset = Arc::new(catalog);
        evaluate::open_and_score(&model, dataset, compute.cache, Embeddings::Keep, what, progress)
    };
    let validation = score(split.validation, "validation")?;
    let train = score(split.train, "training")?;
    let calibration = fit(&train, &validation, coverage, hash?).map_err(|reason| refused(run, reason))?;
    Ok(Calibrated {
        path: save_beside(&calibration, run)?,
        calibration,
        validation,
    })
}

fn open(data: Option<&Path>, model: &Model) -> Result<Split> {
    let Some(data) = data else {
        return Ok(images::trained_on(&model.facts)?.1);
    };
    match catalog::open_dataset(data, None, 0) {
        Err(failure @ pelage_data::Error::NoValidation { .. }) => match images::settings(&model.facts) {
            Ok(settings) if settings.validation_split.is_some() => Config {
                data: data.into(),
                ..settings
            }
            .split(),
            _ => Err(failure.into()),
        },
        opened => Ok(opened?),
    }
}

/// Fits temperature and distance on `validation` and the density on `train`, both with embeddings, for the model whose
/// file has the hash `model`.
///
/// # Errors
/// A message if there are no images, or their embeddings are too wide or all the same.
pub fn fit(
    train: &Scores,
    validation: &Scores,
    coverage: f64,
    model: String,
) -> std::result::Result<Calibration, String> {
    let density = Density::fit(&train.embeddings, &train.labels, &train.classes)?;
    let distances = density.distances(&validation.embeddings);
    let facts = Facts {
        temperature: calibration::fit_temperature(validation),
        distance: quantile(distances, coverage).ok_or("there are no validation images")?,
        coverage,
        model,
        train_images: train.len(),
        validation_images: validation.len(),
    };
    Calibration::new(facts, density)
}

/// Writes `calibration` beside the model of `run`, atomically, and returns the path.
///
/// # Errors
/// A full disk or a folder that cannot be written.
pub fn save_beside(calibration: &Calibration, run: &Path) -> Result<PathBuf> {
    let path = paths::calibration(run);
    let bytes = calibration.encode().map_err(|reason| Error::model(&path, reason))?;
    atomic::write(&path, &bytes)?;
    Ok(path)
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
    let [height, width, channels] = input::shape(&model.facts.preprocessing);
    let blank = Tensor::zeros([1, height, width, channels], &model.device());
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
    use pelage_model::trust::{Judge, load_beside};

    use super::*;

    /// Two classes along one axis; noise by a fixed formula.
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
                .flat_map(|i| [noise(i), 5.0 * (i % 2) as f32 + noise(3 * i), 0.0])
                .collect(),
            ..Scores::default()
        }
    }

    fn saved(folder: &Path) -> (PathBuf, Calibration) {
        let model = folder.join("best.safetensors");
        std::fs::write(&model, b"any bytes will do").unwrap();
        let hash = model_hash(&model).unwrap();
        let fitted = fit(&scores(200), &scores(40), 0.9, hash).unwrap();
        (save_beside(&fitted, folder).unwrap(), fitted)
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
            refused.contains("another model") && refused.contains("calibrate again"),
            "{refused}"
        );
        let lone = paths::calibration(Path::new("models/cats.safetensors"));
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
            assert!(refused.contains("calibrate again"), "{length}: {refused}");
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
        save_beside(&odd, folder.path()).unwrap();
        assert!(load_beside(folder.path()).is_err());
    }

    #[test]
    fn the_distance_keeps_as_many_as_was_asked_for() {
        let validation = scores(40);
        for coverage in [0.025, 0.5, 0.9, 0.95, 1.0] {
            let fitted = fit(&scores(200), &validation, coverage, String::new()).unwrap();
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
        let refused = Judge::open(folder.path(), Some(0.5)).unwrap_err().to_string();
        assert!(refused.contains("only a calibrated model"), "{refused}");
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
