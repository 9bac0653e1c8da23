//! What a picture's class is called where it stands among other facts.

/// Keys of a JSON object, and columns; the first of these counts.
pub(super) const KEYS: [&str; 5] = ["cls", "label", "class", "class_name", "label_name"];
