//! How shards of a data set are called.

/// What all shards of a row are called: the name, with its folders, without the number at its end.
pub(super) fn row(stem: &str) -> String {
    let digits = |text: &str| text.trim_end_matches(|c: char| c.is_ascii_digit()).len();
    let mut end = digits(stem);
    if end == stem.len() {
        return stem.to_string();
    }
    // train-00000-of-00010
    if let Some(before) = stem[..end].strip_suffix("-of-") {
        let start = digits(before);
        if start < before.len() {
            end = start;
        }
    }
    match stem[..end].chars().next_back() {
        None => String::new(),
        Some('-' | '_' | '.') => stem[..end - 1].to_string(),
        Some('/') => stem[..end - 1].to_string(),
        // n01440764: a name that ends with digits.
        Some(_) => stem.to_string(),
    }
}

/// The number of a shard in its row, as it is written: `00003` of `train-00003-of-00010`.
#[cfg(feature = "parquet")]
pub(super) fn number(stem: &str) -> &str {
    let rest = stem[row(stem).len()..].trim_start_matches(['-', '_', '.', '/']);
    rest.split_once("-of-").map_or(rest, |(number, _)| number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_shards() {
        for (stem, expected) in [
            ("train-000", "train"),
            ("000", ""),
            ("data/train-00000-of-00010", "data/train"),
            ("train/000", "train"),
            ("n01440764", "n01440764"),
            ("imagenet_train.0001", "imagenet_train"),
            ("pets", "pets"),
        ] {
            assert_eq!(row(stem), expected, "{stem}");
        }
    }
}
