//! What columns of labels are usually called.

use csv::StringRecord;

use crate::catalog::part::{self, Named, Part};

/// Usual names of the column of paths, the most telling first.
pub(super) const PATHS: [&[&str]; 5] = [
    &[
        "path",
        "filepath",
        "file_path",
        "image_path",
        "img_path",
        "imagepath",
        "relative_path",
        "full_path",
        "photo_path",
    ],
    &[
        "file",
        "filename",
        "file_name",
        "files",
        "filenames",
        "image_file",
        "image_filename",
        "image_name",
        "img_name",
        "imagename",
        "fname",
    ],
    &["image", "images", "img", "picture", "photo", "pic"],
    &["image_id", "img_id", "imageid", "photo_id", "picture_id", "file_id"],
    &["id", "name", "key"],
];

/// The column of paths in a heading, by its usual names.
pub(super) fn path_column(head: &[String]) -> Option<usize> {
    let column = |name: &str| head.iter().position(|cell| plain(cell) == name);
    PATHS.iter().copied().flatten().find_map(|name| column(name))
}

/// Usual names of the column of labels.
pub(super) const LABELS: [&[&str]; 2] = [
    &[
        "label",
        "labels",
        "class",
        "classes",
        "category",
        "target",
        "class_name",
        "classname",
        "label_name",
        "category_name",
    ],
    &[
        "y",
        "tag",
        "breed",
        "species",
        "diagnosis",
        "dx",
        "ground_truth",
        "annotation",
        "variety",
        "kind",
        "type",
    ],
];

/// Usual names of the column of parts.
pub(super) const SPLITS: [&[&str]; 1] = [&["split", "set", "subset", "partition", "part", "data_set", "dataset"]];

/// Whether a row has a usual name of any column.
pub(super) fn is_any(row: &StringRecord) -> bool {
    let mut names = PATHS.iter().chain(&LABELS).copied().flatten();
    names.any(|usual| row.iter().any(|cell| plain(cell) == **usual))
}

/// A column's name for comparison.
pub(super) fn plain(name: &str) -> String {
    name.trim().to_lowercase().replace([' ', '-', '.'], "_")
}

/// The part that a cell names.
pub(super) fn part_of(text: &str) -> Option<Part> {
    match part::of_folder(text)? {
        Named::Part(part) => Some(part),
        Named::Held => Some(Part::Test),
    }
}
