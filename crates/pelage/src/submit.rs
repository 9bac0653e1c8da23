//! A Kaggle submission: a CSV with one line per image of a test set, by its id.

pub mod template;
pub mod write;

use std::collections::HashMap;
use std::path::Path;

use pelage_data::source::{self, Entry, natural_order};

use crate::predict::Prediction;
use crate::{Error, Result};
use pelage_data::table;

/// The columns that Kaggle wants where there is no template.
const HEADER: [&str; 2] = ["id", "label"];

/// The first line of a submission: that of the template `sample`, where there is one.
///
/// # Errors
/// As [`template::Template::read`].
pub fn heading(sample: Option<&Path>) -> Result<String> {
    let header = match sample {
        Some(sample) => template::Template::read(sample)?.header,
        None => HEADER.map(String::from).to_vec(),
    };
    let line = table::csv([header])?;
    Ok(String::from_utf8_lossy(&line).trim_end().to_string())
}

/// The value beside the id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Label {
    /// The probability of one class.
    Probability,
    /// The name of the most likely class.
    Class,
}

/// The values beside the id, with classes by their index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Columns {
    /// The probability of this class.
    Probability(usize),
    /// The name of the most likely class.
    Class,
    /// The probability of each class, in this order.
    EachClass(Vec<usize>),
}

/// The lines of a submission before prediction.
#[derive(Clone, Debug)]
pub struct Layout {
    /// The column names, the id's first.
    pub header: Vec<String>,
    /// The values beside the id.
    pub columns: Columns,
    /// The ids, in the order of the lines.
    pub ids: Vec<String>,
    /// The image of each id.
    pub images: Vec<Entry>,
}

/// What to do with unreadable images.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unreadable {
    /// Refuse to write; the error names the images.
    Refuse,
    /// Equal probabilities; if a class must be named, the first.
    Fill,
}

/// The images of a test set: a folder, a zip, zips in a zip.
///
/// # Errors
/// A source that cannot be read or holds no image.
pub fn images(source: &Path) -> Result<Vec<Entry>> {
    let mut entries = source::list(source)?;
    entries.retain(Entry::claims_to_be_image);
    if entries.is_empty() {
        return Err(Error::folder(source, "holds no pictures"));
    }
    Ok(entries)
}

impl Columns {
    /// One column: the name of the most likely class, or the probability of the class called `positive`, by default the
    /// second of two.
    ///
    /// # Errors
    /// An unknown class name, `positive` where a class is to be named, or none where there are more than two classes.
    pub fn one(classes: &[String], label: Label, positive: Option<&str>) -> Result<Self> {
        match (label, positive) {
            (Label::Class, None) => Ok(Columns::Class),
            (Label::Class, Some(_)) => Err(Error::setting(
                "positive",
                "given",
                "left out where the label is the name of a class: it chooses whose probability is written",
            )),
            (Label::Probability, None) if classes.len() == 2 => Ok(Columns::Probability(1)),
            (Label::Probability, None) => Err(Error::setting(
                "positive",
                "not given",
                format!(
                    "one of the {} classes of the model, since a probability tells of one of them alone: {}; or let \
                     the label be the name of the class, or take a template with a column for each",
                    classes.len(),
                    classes.join(", ")
                ),
            )),
            (Label::Probability, Some(name)) => {
                let class = classes.iter().position(|class| class == name);
                let known = || {
                    Error::setting(
                        "positive",
                        format!("'{name}'"),
                        format!("a class of the model: {}", classes.join(", ")),
                    )
                };
                class.map(Columns::Probability).ok_or_else(known)
            }
        }
    }
}

impl Layout {
    /// Kaggle's format for cats and dogs: `id,label`, where the id is the number in the file name (`12.jpg`: 12), in
    /// numeric order.
    ///
    /// # Errors
    /// Images whose names are no numbers, whose ids only a template can tell; images with the same id.
    pub fn numbered(images: Vec<Entry>, columns: Columns) -> Result<Self> {
        let is_number = |stem: &str| stem.bytes().all(|c| c.is_ascii_digit());
        let named = images.iter().filter(|entry| !is_number(stem(&entry.name)));
        refuse(
            "pictures whose names are no numbers, which ids are by default (a template says what other ids are)",
            named.map(|entry| entry.name.clone()).collect(),
        )?;
        let id = |entry: &Entry| match stem(&entry.name).trim_start_matches('0') {
            "" => "0".to_string(),
            number => number.to_string(),
        };
        let mut lines: Vec<_> = images.into_iter().map(|entry| (id(&entry), entry)).collect();
        lines.sort_by(|a, b| natural_order(&a.0, &b.0));
        let twice = lines.windows(2).filter(|pair| pair[0].0 == pair[1].0);
        let twice = twice.map(|pair| format!("{}: {} and {}", pair[0].0, pair[0].1.name, pair[1].1.name));
        refuse("ids that several pictures share", twice.collect())?;
        let (ids, images) = lines.into_iter().unzip();
        Ok(Layout {
            header: HEADER.map(String::from).to_vec(),
            columns,
            ids,
            images,
        })
    }

    /// The file's bytes, for the predictions for [`Layout::images`] in their order, by a model of `classes`.
    /// Probabilities are clipped to `clip` to 1 - `clip`; if every class has a column, they are then normalized to a
    /// sum of 1. A rejected image gets equal probabilities, but keeps its class.
    ///
    /// # Errors
    /// `clip` out of range; unreadable images, unless they are filled in; probabilities that are not finite.
    pub fn encode(
        &self,
        classes: &[String],
        predictions: &[Prediction],
        clip: f64,
        unreadable: Unreadable,
    ) -> Result<Vec<u8>> {
        check_clip(clip, classes.len())?;
        if unreadable == Unreadable::Refuse {
            let broken = predictions.iter().filter_map(|one| {
                let reason = one.error.as_ref()?;
                Some(format!("{}: {reason}", one.path))
            });
            let what = "pictures that cannot be read (they can be given equal probabilities instead)";
            refused(what, broken.collect()).map_or(Ok(()), |reason| Err(Error::Unreadable(reason)))?;
        }
        let row = |(id, prediction): (&String, &Prediction)| {
            let mut row = vec![id.clone()];
            row.extend(self.values(classes, prediction, clip)?);
            Ok(row)
        };
        let rows = self.ids.iter().zip(predictions).map(row);
        let rows = std::iter::once(Ok(self.header.clone())).chain(rows);
        Ok(table::csv(rows.collect::<Result<Vec<_>>>()?)?)
    }

    /// The values beside the id.
    fn values(&self, classes: &[String], prediction: &Prediction, clip: f64) -> Result<Vec<String>> {
        let probabilities = probabilities(classes, prediction);
        if probabilities.iter().any(|p| !p.is_finite()) {
            let path = &prediction.path;
            return Err(Error::model(path, "the model gives no finite probabilities"));
        }
        let clipped = |class: usize| probabilities[class].clamp(clip, 1.0 - clip);
        // As f32: its shortest decimal representation.
        let text = |probability: f64| (probability as f32).to_string();
        Ok(match &self.columns {
            Columns::Probability(class) => vec![text(clipped(*class))],
            Columns::EachClass(order) => {
                let sum: f64 = order.iter().map(|&class| clipped(class)).sum();
                order.iter().map(|&class| text(clipped(class) / sum)).collect()
            }
            Columns::Class => {
                let first = prediction.classes.first().map(|(class, _)| class);
                vec![first.unwrap_or(&classes[0]).clone()]
            }
        })
    }
}

/// Refuses a clip that would change the equal probabilities of `classes` classes.
///
/// # Errors
/// A clip below 0, or not below 1 / `classes`.
pub fn check_clip(clip: f64, classes: usize) -> Result<()> {
    let most = 1.0 / classes as f64;
    match (0.0..most).contains(&clip) {
        true => Ok(()),
        false => Err(Error::setting(
            "clip",
            clip,
            format!("0 or more and below {most} for {classes} classes"),
        )),
    }
}

/// By class, in the order of `classes`; all equal if nothing is known.
fn probabilities(classes: &[String], prediction: &Prediction) -> Vec<f64> {
    if prediction.doubt.is_some() || prediction.error.is_some() {
        return vec![1.0 / classes.len() as f64; classes.len()];
    }
    let known: HashMap<_, _> = prediction.classes.iter().map(|(class, p)| (class, *p)).collect();
    let probability = |class| known.get(class).copied().map_or(f64::NAN, f64::from);
    classes.iter().map(probability).collect()
}

/// A file's name without folders and extension.
fn stem(name: &str) -> &str {
    let file = file_name(name);
    match file.rsplit_once('.') {
        Some((stem, _)) if !stem.is_empty() => stem,
        _ => file,
    }
}

/// A file's name without folders.
fn file_name(name: &str) -> &str {
    name.rsplit('/').next().unwrap_or(name)
}

/// An error that lists some of `wrong`, if there are any.
fn refuse(what: &str, wrong: Vec<String>) -> Result<()> {
    refused(what, wrong).map_or(Ok(()), |reason| Err(Error::Settings(reason)))
}

/// Some of `wrong` in words, if there are any.
fn refused(what: &str, wrong: Vec<String>) -> Option<String> {
    let some: String = wrong.iter().take(5).map(|one| format!("\n  {one}")).collect();
    let more = match wrong.len() {
        0 => return None,
        1..=5 => String::new(),
        total => format!("\n  and {} more", total - 5),
    };
    Some(format!("nothing is written: there are {what}:{some}{more}"))
}

#[cfg(test)]
mod tests {
    use pelage_data::source::Location;

    use super::*;

    pub(super) fn entries(names: &[&str]) -> Vec<Entry> {
        let entry = |name: &&str| Entry::new(name.to_string(), Location::File(name.into()));
        names.iter().map(entry).collect()
    }

    fn prediction(cat: f32) -> Prediction {
        let mut classes = vec![("cat".to_string(), cat), ("dog".to_string(), 1.0 - cat)];
        classes.sort_by(|a, b| b.1.total_cmp(&a.1));
        Prediction {
            path: "x.jpg".into(),
            classes,
            temperature: None,
            doubt: None,
            error: None,
        }
    }

    fn classes() -> Vec<String> {
        ["cat", "dog"].map(String::from).to_vec()
    }

    fn lines(columns: Columns, predictions: &[Prediction], clip: f64) -> Vec<String> {
        let names: Vec<_> = (1..=predictions.len()).map(|i| format!("{i}.jpg")).collect();
        let names: Vec<_> = names.iter().map(String::as_str).collect();
        let mut layout = Layout::numbered(entries(&names), columns).unwrap();
        if let Columns::EachClass(order) = &layout.columns {
            let named = order.iter().map(|&class| classes()[class].clone());
            layout.header = std::iter::once("id".to_string()).chain(named).collect();
        }
        let bytes = layout.encode(&classes(), predictions, clip, Unreadable::Fill).unwrap();
        String::from_utf8(bytes).unwrap().lines().map(String::from).collect()
    }

    #[test]
    fn ids_are_numbers_in_numeric_order() {
        let layout = |names: &[&str]| Layout::numbered(entries(names), Columns::Class).map(|layout| layout.ids);
        assert_eq!(
            layout(&["test1/10.jpg", "test1/9.jpg", "0.png", "007.jpg"]).unwrap(),
            ["0", "7", "9", "10"]
        );
        // A cover among the pictures is no test picture, and other names are no ids that anyone asked for.
        for names in [
            &["1.jpg", "abc.jpg"][..],
            &["abc.jpg"],
            &["1.jpg", "2 (1).jpg"],
            &["-1.jpg"],
        ] {
            let refused = layout(names).unwrap_err().to_string();
            let wrong = names.last().unwrap();
            assert!(refused.contains("no numbers") && refused.contains(wrong), "{refused}");
            assert!(refused.contains("template"), "{refused}");
        }
        let refused = layout(&["1.jpg", "a/1.png", "2.jpg"]).unwrap_err().to_string();
        assert!(refused.contains("1: 1.jpg and a/1.png"), "{refused}");
        assert!(layout(&["1.jpg", "01.jpg"]).is_err());
    }

    #[test]
    fn one_probability_of_many_classes_is_of_one_that_is_named() {
        let five = ["a", "b", "c", "d", "e"].map(String::from);
        let one = |label, positive| Columns::one(&five, label, positive);
        let refused = one(Label::Probability, None).unwrap_err().to_string();
        assert!(
            refused.contains("positive") && refused.contains("a, b, c, d, e"),
            "{refused}"
        );
        assert_eq!(one(Label::Probability, Some("d")).unwrap(), Columns::Probability(3));
        assert_eq!(one(Label::Class, None).unwrap(), Columns::Class);
        let two = Columns::one(&five[..2], Label::Probability, None).unwrap();
        assert_eq!(two, Columns::Probability(1));
    }

    #[test]
    fn probabilities_are_clipped_and_doubt_is_even() {
        let doubt = pelage_model::trust::Doubt::Confidence {
            confidence: 0.6,
            least: 0.9,
        };
        let doubted = Prediction {
            doubt: Some(doubt),
            ..prediction(0.4)
        };
        let broken = Prediction {
            classes: Vec::new(),
            error: Some("not a picture".into()),
            ..prediction(0.0)
        };
        let all = [prediction(1.0), prediction(0.25), doubted, broken];
        let probability = lines(Columns::Probability(1), &all, 0.005);
        assert_eq!(probability, ["id,label", "1,0.005", "2,0.75", "3,0.5", "4,0.5"]);
        let class = lines(Columns::Class, &all, 0.005);
        assert_eq!(class[1..], ["1,cat", "2,dog", "3,dog", "4,cat"]);
        let both = lines(Columns::EachClass(vec![1, 0]), &all, 0.1);
        assert_eq!(both[1..], ["1,0.1,0.9", "2,0.75,0.25", "3,0.5,0.5", "4,0.5,0.5"]);
        let unclipped = lines(Columns::Probability(1), &all[..1], 0.0);
        assert_eq!(unclipped[1], "1,0");
    }

    #[test]
    fn what_would_be_refused_is_not_written() {
        let layout = Layout::numbered(entries(&["1.jpg"]), Columns::Probability(1)).unwrap();
        let encode = |prediction: Prediction, clip| {
            let encoded = layout.encode(&classes(), &[prediction], clip, Unreadable::Refuse);
            encoded.map_err(|failure| failure.to_string())
        };
        let broken = Prediction {
            classes: Vec::new(),
            error: Some("not a picture".into()),
            ..prediction(0.0)
        };
        let refused = encode(broken, 0.0).unwrap_err();
        assert!(refused.contains("x.jpg: not a picture"), "{refused}");
        assert!(encode(prediction(f32::NAN), 0.0).unwrap_err().contains("finite"));
        for clip in [-0.1, 0.5, 1.0, f64::NAN] {
            assert!(
                encode(prediction(0.5), clip).unwrap_err().starts_with("clip is"),
                "{clip}"
            );
        }
        assert!(encode(prediction(0.5), 0.49).is_ok());
    }
}
