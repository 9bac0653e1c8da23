//! Which columns of a Parquet file are pictures and their classes, and the names of these.

use std::sync::Arc;

use parquet::basic::Type;
use parquet::file::metadata::FileMetaData;

use super::class_keys::KEYS;
use crate::error::shortened;

/// Under which Hugging Face's library keeps what it knows of the columns, as JSON.
const METADATA: &str = "huggingface";

/// Columns whose name says that they hold pictures, where nothing else does; the first of these counts.
const PICTURES: [&str; 8] = ["image", "img", "images", "picture", "photo", "jpg", "png", "bytes"];

/// What of a file is wanted, as numbers of its leaves: columns as they are stored.
#[derive(Debug, PartialEq)]
pub(super) struct Columns {
    /// The pictures' bytes.
    pub(super) bytes: usize,
    /// What the pictures were called.
    pub(super) path: Option<usize>,
    /// Their classes.
    pub(super) label: Option<usize>,
    /// The names of classes that are stored as numbers.
    pub(super) names: Vec<Arc<str>>,
}

impl Columns {
    /// Those of a file: as Hugging Face's library describes them in it, or else by their names.
    ///
    /// # Errors
    /// A file without pictures: what it holds.
    pub(super) fn of(file: &FileMetaData) -> Result<Columns, String> {
        let leaves: Vec<(String, Type)> = (file.schema_descr().columns().iter())
            .map(|leaf| (leaf.path().string(), leaf.physical_type()))
            .collect();
        let told = file.key_value_metadata().into_iter().flatten();
        let told = told
            .filter(|pair| pair.key == METADATA)
            .find_map(|pair| pair.value.as_ref());
        Columns::among(&leaves, told.map(String::as_str))
    }

    /// Those among leaves by their dotted names, and what Hugging Face's library tells of them.
    fn among(leaves: &[(String, Type)], told: Option<&str>) -> Result<Columns, String> {
        let told: serde_json::Value = told
            .and_then(|told| serde_json::from_str(told).ok())
            .unwrap_or_default();
        let features = told["info"]["features"].as_object();
        let of_type = |wanted: &str| -> Vec<&str> {
            let all = features.into_iter().flatten();
            let wanted = all.filter(|(_, feature)| feature["_type"] == wanted);
            wanted.map(|(name, _)| name.as_str()).collect()
        };
        let leaf = |name: &str, types: &[Type]| {
            let mut all = leaves.iter();
            all.position(|(own, kind)| own == name && types.contains(kind))
        };
        let bytes = |name: &str| leaf(&format!("{name}.bytes"), &[Type::BYTE_ARRAY]);
        let plain = |name: &str| bytes(name).or_else(|| leaf(name, &[Type::BYTE_ARRAY]));
        // The usual name first, where there are several.
        let usual = |names: &[&str], known: &[&'static str]| -> Option<String> {
            let named = known.iter().find(|known| names.contains(known)).copied();
            named.or(names.first().copied()).map(str::to_string)
        };
        let pictures = of_type("Image");
        let picture = match usual(&pictures, &PICTURES) {
            Some(name) => Some(name).filter(|name| plain(name).is_some()),
            None => PICTURES
                .iter()
                .find(|name| plain(name).is_some())
                .map(|name| name.to_string()),
        };
        let Some(picture) = picture else {
            let names: Vec<&str> = leaves.iter().map(|(name, _)| name.as_str()).collect();
            return Err(format!(
                "a Parquet file without pictures: its columns are {}; pelage reads those of Hugging Face's data sets, \
                 image: {{bytes, path}} with or without label",
                shortened(&names.join(", "))
            ));
        };
        if pictures.len() > 1 {
            log::info!(
                "data: of the columns {} pictures are taken from {picture}",
                pictures.join(", ")
            );
        }
        let stored = [Type::BYTE_ARRAY, Type::INT32, Type::INT64];
        let classes = of_type("ClassLabel");
        let label = usual(&classes, &KEYS).or_else(|| {
            let known = KEYS.iter().find(|name| leaf(name, &stored).is_some());
            known.map(|name| name.to_string())
        });
        let names = label
            .iter()
            .flat_map(|name| told["info"]["features"][name]["names"].as_array());
        let names = names
            .flatten()
            .filter_map(|name| name.as_str())
            .map(Arc::from)
            .collect();
        Ok(Columns {
            bytes: plain(&picture).expect("it was found"),
            path: leaf(&format!("{picture}.path"), &[Type::BYTE_ARRAY]),
            label: label.and_then(|name| leaf(&name, &stored)),
            names,
        })
    }

    /// The name of the class of this number; none for -1, which says that there is none.
    ///
    /// # Errors
    /// A number that no name belongs to.
    pub(super) fn class(&self, number: i64) -> Result<Option<Arc<str>>, String> {
        match usize::try_from(number) {
            Err(_) => Ok(None),
            Ok(number) if self.names.is_empty() => Ok(Some(number.to_string().into())),
            Ok(number) => match self.names.get(number) {
                Some(name) => Ok(Some(name.clone())),
                None => Err(format!(
                    "a picture is of class {number}, and {} are named",
                    self.names.len()
                )),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn among(leaves: &[&str], told: Option<&str>) -> Result<Columns, String> {
        let kind = |name: &&str| match name.starts_with("label") {
            true => Type::INT64,
            false => Type::BYTE_ARRAY,
        };
        let leaves: Vec<_> = leaves.iter().map(|name| (name.to_string(), kind(name))).collect();
        Columns::among(&leaves, told)
    }

    #[test]
    fn what_is_described_goes_before_what_names_suggest() {
        let told = r#"{"info": {"features": {
            "image": {"dtype": "string", "_type": "Value"},
            "photo": {"_type": "Image"},
            "labels": {"names": ["cat", "dog"], "_type": "ClassLabel"}}}}"#;
        let columns = among(&["image", "photo.bytes", "photo.path", "labels"], Some(told)).unwrap();
        assert_eq!((columns.bytes, columns.path, columns.label), (1, Some(2), Some(3)));
        assert_eq!(columns.class(1).unwrap().as_deref(), Some("dog"));
        assert_eq!(columns.class(-1).unwrap(), None);
        assert!(columns.class(2).unwrap_err().contains("2 are named"));
    }

    #[test]
    fn without_a_description_names_say_it() {
        let columns = among(&["id", "img.path", "img.bytes", "label"], None).unwrap();
        assert_eq!((columns.bytes, columns.path, columns.label), (2, Some(1), Some(3)));
        assert_eq!(columns.class(7).unwrap().as_deref(), Some("7"));
        let columns = among(&["image"], Some("no JSON")).unwrap();
        assert_eq!((columns.bytes, columns.path, columns.label), (0, None, None));
        let refused = among(&["text", "label"], None).unwrap_err();
        assert!(refused.contains("its columns are text, label"), "{refused}");
    }
}
