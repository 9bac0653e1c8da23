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
pub(super) const SPLITS: [&str; 14] = [
    "split",
    "set",
    "subset",
    "partition",
    "part",
    "data_set",
    "dataset",
    "data_split",
    "split_name",
    "phase",
    "usage",
    "train_or_test",
    "train_test",
    "train_val",
];

/// Usual names of columns that say yes or no, and the part that yes means.
pub(super) const FLAGS: [(&str, Part); 5] = [
    ("is_valid", Part::Validation),
    ("is_validation", Part::Validation),
    ("is_val", Part::Validation),
    ("is_test", Part::Test),
    ("is_holdout", Part::Test),
];

/// Usual names of columns that number folds.
pub(super) const FOLDS: [&str; 6] = ["fold", "folds", "kfold", "k_fold", "fold_id", "fold_number"];

/// Usual names of what is measured of a picture or a box in it.
const MEASURES: [&str; 42] = [
    "width",
    "height",
    "w",
    "h",
    "size",
    "bytes",
    "filesize",
    "depth",
    "channels",
    "resolution",
    "dpi",
    "area",
    "x",
    "y",
    "xmin",
    "ymin",
    "xmax",
    "ymax",
    "x_min",
    "y_min",
    "x_max",
    "y_max",
    "x1",
    "y1",
    "x2",
    "y2",
    "cx",
    "cy",
    "left",
    "top",
    "right",
    "bottom",
    "bbox",
    "score",
    "confidence",
    "probability",
    "prob",
    "lat",
    "latitude",
    "lon",
    "longitude",
    "timestamp",
];

/// Words before the name of a measure: `image_width`.
const OF: [&str; 5] = ["image_", "img_", "file_", "box_", "bbox_"];

/// Whether a column's name is that of a measure, which is no label.
pub(super) fn is_measure(name: &str) -> bool {
    let name = plain(name);
    let bare = OF.iter().find_map(|of| name.strip_prefix(of)).unwrap_or(&name);
    MEASURES.contains(&bare)
}

/// What a cell says that is yes or no.
pub(super) fn truth(cell: &str) -> Option<bool> {
    match cell.to_lowercase().as_str() {
        "true" | "t" | "yes" | "y" | "1" | "1.0" => Some(true),
        "false" | "f" | "no" | "n" | "0" | "0.0" => Some(false),
        _ => None,
    }
}

/// Whether a row has a usual name of any column.
pub(super) fn is_any(row: &StringRecord) -> bool {
    let mut names = PATHS.iter().chain(&LABELS).copied().flatten();
    names.any(|usual| row.iter().any(|cell| plain(cell) == **usual))
}

/// A column's name for comparison.
pub(super) fn plain(name: &str) -> String {
    name.trim().to_lowercase().replace([' ', '-', '.'], "_")
}

/// The part that a cell names: also `PublicTest`, as competitions have it.
pub(super) fn part_of(text: &str) -> Option<Part> {
    let mut words = part::words(text);
    words.retain(|word| !["public", "private"].contains(&word.as_str()));
    match part::of_folder(text).or_else(|| part::of_words(&words))? {
        Named::Part(part) => Some(part),
        Named::Held => Some(Part::Test),
    }
}
