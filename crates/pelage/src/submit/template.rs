//! A competition's `sample_submission.csv`: its columns and ids, to be filled in.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use pelage_data::shown;
use pelage_data::source::Entry;

use super::{Columns, Label, Layout, file_name, refuse, stem};
use crate::{Error, Result};

/// A template, as in its file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    /// The column names, the id's first.
    pub(super) header: Vec<String>,
    /// The lines, each with as many fields as the header.
    rows: Vec<Vec<String>>,
}

impl Template {
    /// Reads a CSV with a header; a byte order mark, line endings, empty lines and spaces around fields do not matter.
    ///
    /// # Errors
    /// A file that cannot be read, is not a CSV, or has no line; ids that are empty or duplicated.
    pub fn read(path: &Path) -> Result<Self> {
        let refused = |reason: String| Error::Settings(format!("{}: {reason}", shown::path(path)));
        let bytes = std::fs::read(path).map_err(Error::io(path))?;
        let mut reader = csv::ReaderBuilder::new()
            .trim(csv::Trim::All)
            .from_reader(bytes.as_slice());
        let fields = |record: &csv::StringRecord| record.iter().map(String::from).collect::<Vec<_>>();
        let header = fields(reader.headers().map_err(|failure| refused(failure.to_string()))?);
        let mut rows = Vec::new();
        for record in reader.records() {
            let row = fields(&record.map_err(|failure| refused(failure.to_string()))?);
            // A line of only commas or spaces, as spreadsheets leave them.
            if row.iter().any(|field| !field.is_empty()) {
                rows.push(row);
            }
        }
        if rows.is_empty() {
            return Err(refused("has no line with an id".into()));
        }
        let mut seen = HashSet::new();
        let wrong = rows
            .iter()
            .map(|row| row[0].as_str())
            .filter(|id| id.is_empty() || !seen.insert(*id));
        let wrong = wrong.map(|id| format!("'{id}'")).collect();
        refuse(
            &format!("ids in {} that are empty or duplicated", shown::path(path)),
            wrong,
        )?;
        Ok(Template { header, rows })
    }

    /// The values beside the ids, for a model of `classes`. If the template leaves a choice, `label` and `positive`
    /// make it, see [`Columns::one`].
    ///
    /// # Errors
    /// Columns that are not understood; a choice that the template does not leave.
    pub fn columns(&self, classes: &[String], label: Option<Label>, positive: Option<&str>) -> Result<Columns> {
        match &self.header[1..] {
            [one] => {
                let label = match label {
                    Some(label) => label,
                    None => self.label(classes)?,
                };
                // A column named after a class holds its probability.
                let own = heading(one, classes).filter(|_| label == Label::Probability);
                let own = own.map(|class| classes[class].as_str());
                Columns::one(classes, label, positive.or(own))
            }
            each => {
                let order: Vec<_> = each.iter().filter_map(|name| heading(name, classes)).collect();
                let distinct: HashSet<_> = order.iter().collect();
                if each.len() != classes.len() || distinct.len() != classes.len() {
                    return Err(Error::Settings(format!(
                        "the template's columns are {}; understood are an id and one more, or an id and one for each \
                         class of the model: {}",
                        self.header.join(", "),
                        classes.join(", ")
                    )));
                }
                if label.is_some() || positive.is_some() {
                    let name = if label.is_some() { "label" } else { "positive" };
                    let allowed = "left out: the template has a column for each class";
                    return Err(Error::setting(name, "given", allowed));
                }
                Ok(Columns::EachClass(order))
            }
        }
    }

    /// What the one column beside the ids holds: names of classes, or numbers.
    ///
    /// # Errors
    /// Words that are no classes of the model, which nobody can tell how to write.
    fn label(&self, classes: &[String]) -> Result<Label> {
        let values = || self.rows.iter().map(|row| row[1].as_str());
        let is_class = |value: &str| classes.iter().any(|class| class == value);
        if values().all(|value| is_class(value) && value.parse::<f64>().is_err()) {
            return Ok(Label::Class);
        }
        let mut words: Vec<_> = values()
            .filter(|value| !value.is_empty() && value.parse::<f64>().is_err() && !is_class(value))
            .collect();
        words.sort_unstable();
        words.dedup();
        if words.is_empty() {
            return Ok(Label::Probability);
        }
        words.truncate(5);
        Err(Error::Settings(format!(
            "the template's column {} holds names that are no classes of the model: {}; the model has {}. A submission \
             with other names than the template's would score nothing: call the folders of the classes as the \
             template does and train again, or say whether the label is a class, as the model calls it, or a \
             probability",
            self.header[1],
            words.join(", "),
            classes.join(", ")
        )))
    }

    /// The lines of a submission, with the template's ids in its order. An id is an image's path within its source,
    /// else its file name, else that without extension.
    ///
    /// # Errors
    /// Ids without an image or with several, images without an id.
    pub fn layout(&self, images: Vec<Entry>, columns: Columns) -> Result<Layout> {
        let keys: [fn(&str) -> &str; 3] = [|name| name, file_name, stem];
        let indices = keys.map(|key| {
            let mut index: HashMap<&str, Vec<usize>> = HashMap::new();
            for (i, entry) in images.iter().enumerate() {
                index.entry(key(&entry.name)).or_default().push(i);
            }
            index
        });
        let (mut missing, mut ambiguous, mut chosen) = (Vec::new(), Vec::new(), Vec::new());
        let mut used = vec![None; images.len()];
        for id in self.rows.iter().map(|row| &row[0]) {
            match indices
                .iter()
                .find_map(|index| index.get(id.as_str()))
                .map(Vec::as_slice)
            {
                None => missing.push(id.clone()),
                Some([one]) => {
                    if let Some(other) = used[*one].replace(id) {
                        ambiguous.push(format!("{}: the picture of '{other}' and of '{id}'", images[*one].name));
                    }
                    chosen.push(*one);
                }
                Some(several) => {
                    let names: Vec<_> = several.iter().take(3).map(|&i| images[i].name.as_str()).collect();
                    ambiguous.push(format!("{id}: {}", names.join(", ")));
                }
            }
        }
        let surplus = images.iter().zip(&used).filter(|(_, id)| id.is_none());
        let surplus = surplus.map(|(entry, _)| entry.name.clone()).collect();
        refuse("ids of the template without a picture", missing)?;
        refuse(
            "ids of the template with several pictures, or pictures with several ids",
            ambiguous,
        )?;
        refuse("pictures without an id in the template", surplus)?;
        Ok(Layout {
            header: self.header.clone(),
            columns,
            ids: self.rows.iter().map(|row| row[0].clone()).collect(),
            images: chosen.into_iter().map(|i| images[i].clone()).collect(),
        })
    }
}

/// The class that a heading names: as it is written, or the only one that differs from it in capitals alone, since the
/// heading itself is kept.
fn heading(name: &str, classes: &[String]) -> Option<usize> {
    let exactly = classes.iter().position(|class| class == name);
    exactly.or_else(|| {
        let same = |class: &String| class.to_lowercase() == name.to_lowercase();
        let mut found = (0..classes.len()).filter(|&class| same(&classes[class]));
        found.next().filter(|_| found.next().is_none())
    })
}

#[cfg(test)]
mod tests {
    use super::super::tests::entries;
    use super::*;

    fn template(text: &str) -> Result<Template> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sample.csv");
        std::fs::write(&path, text).unwrap();
        Template::read(&path)
    }

    fn refusal<T>(result: Result<T>) -> String {
        result.err().expect("should be refused").to_string()
    }

    #[test]
    fn reads_what_spreadsheets_write() {
        let plain = template("id,label\n1,0.5\n2,0.5\n").unwrap();
        let odd = "\u{FEFF}id,label\r\n1, 0.5\r\n\r\n2,0.5\r\n,\r\n";
        assert_eq!(template(odd).unwrap(), plain);
        for (text, word) in [
            ("", "no line"),
            ("id,label\n", "no line"),
            ("id,label\n1,0\n1,0\n", "duplicated"),
            ("id,label\n,0\n", "empty"),
            ("id,label\n1,0,7\n", "sample.csv"),
        ] {
            assert!(refusal(template(text)).contains(word), "{text:?}");
        }
    }

    #[test]
    fn columns_say_what_is_wanted() {
        let classes = ["cat", "dog"].map(String::from);
        let columns = |text, label, positive| template(text).unwrap().columns(&classes, label, positive);
        let (some, class) = (Some(Label::Probability), Some(Label::Class));
        assert_eq!(columns("id,label\n1,0.5", None, None).unwrap(), Columns::Probability(1));
        assert_eq!(columns("id,label\n1,", None, None).unwrap(), Columns::Probability(1));
        assert_eq!(
            columns("id,label\n1,0", None, Some("cat")).unwrap(),
            Columns::Probability(0)
        );
        assert_eq!(columns("id,cat\n1,0", None, None).unwrap(), Columns::Probability(0));
        assert_eq!(columns("id,label\n1,dog", None, None).unwrap(), Columns::Class);
        assert_eq!(columns("id,label\n1,dog", some, None).unwrap(), Columns::Probability(1));
        assert_eq!(columns("id,label\n1,0", class, None).unwrap(), Columns::Class);
        assert_eq!(
            columns("id,dog,cat\n1,0,0", None, None).unwrap(),
            Columns::EachClass(vec![1, 0])
        );
        assert!(refusal(columns("id\n1", None, None)).contains("understood"));
        assert!(refusal(columns("id,dog,cow\n1,0,0", None, None)).contains("understood"));
        assert!(refusal(columns("id,dog,dog\n1,0,0", None, None)).contains("understood"));
        assert!(refusal(columns("id,dog,cat\n1,0,0", class, None)).contains("label is given"));
        assert!(refusal(columns("id,label\n1,dog", None, Some("dog"))).contains("positive"));
        assert!(refusal(columns("id,label\n1,0", None, Some("cow"))).contains("cat, dog"));
    }

    #[test]
    fn names_that_are_no_classes_are_told() {
        let classes = ["cats", "dogs"].map(String::from);
        let columns = |text, label| template(text).unwrap().columns(&classes, label, None);
        for text in [
            "id,label\n1,Cat\n2,Dog",
            "id,label\n1,cats\n2,Dog",
            "id,label\n1,Dogs",
            "id,label\n1,0.5\n2,Dog",
        ] {
            let refused = refusal(columns(text, None));
            assert!(
                refused.contains("Dog") && refused.contains("cats, dogs"),
                "{text:?}: {refused}"
            );
        }
        // Who says what is wanted gets it.
        let text = "id,label\n1,Cat\n2,Dog";
        assert_eq!(columns(text, Some(Label::Class)).unwrap(), Columns::Class);
        let probability = columns(text, Some(Label::Probability)).unwrap();
        assert_eq!(probability, Columns::Probability(1));
        // Headings are the template's, whatever their capitals.
        assert_eq!(columns("id,Cats\n1,0", None).unwrap(), Columns::Probability(0));
        let each = columns("id,DOGS,Cats\n1,0,0", None).unwrap();
        assert_eq!(each, Columns::EachClass(vec![1, 0]));
        let alike = ["A", "a"].map(String::from);
        assert_eq!(heading("a", &alike), Some(1));
        assert_eq!(heading("á", &alike), None);
        assert_eq!(heading("Ä", &["ä".to_string()]), Some(0));
    }

    #[test]
    fn every_id_has_one_image_and_every_image_an_id() {
        let layout = |ids: &[&str], names: &[&str]| {
            let lines: String = ids.iter().map(|id| format!("{id},0\n")).collect();
            let text = format!("id,label\n{lines}");
            template(&text).unwrap().layout(entries(names), Columns::Class)
        };
        let names = |layout: Layout| layout.images.into_iter().map(|entry| entry.name).collect::<Vec<_>>();
        let names_of = |ids: &[&str], images: &[&str]| names(layout(ids, images).unwrap());
        // By stem, by file name, by path; in the template's order.
        assert_eq!(names_of(&["b", "a"], &["t/a.jpg", "t/b.jpg"]), ["t/b.jpg", "t/a.jpg"]);
        assert_eq!(
            names_of(&["a.png", "a.jpg"], &["a.jpg", "t/a.png"]),
            ["t/a.png", "a.jpg"]
        );
        assert_eq!(
            names_of(&["u/a.jpg", "t/a.jpg"], &["t/a.jpg", "u/a.jpg"]),
            ["u/a.jpg", "t/a.jpg"]
        );
        assert!(refusal(layout(&["a", "c"], &["a.jpg"])).contains("\n  c"));
        assert!(refusal(layout(&["a"], &["a.jpg", "a.png"])).contains("a: a.jpg, a.png"));
        assert!(refusal(layout(&["a"], &["a.jpg", "b.jpg"])).contains("\n  b.jpg"));
        assert!(refusal(layout(&["a", "a.jpg"], &["a.jpg"])).contains("'a' and of 'a.jpg'"));
        // Numbers are compared as text.
        assert!(refusal(layout(&["1"], &["01.jpg"])).contains("\n  1"));
    }
}
