//! Labels in the names of files.

use super::part;

/// What cameras, telephones and programs call their files; a label has another word.
const CAMERA: [&str; 38] = [
    "img",
    "image",
    "images",
    "imgs",
    "dsc",
    "dscn",
    "dscf",
    "dcim",
    "pict",
    "pic",
    "picture",
    "photo",
    "photos",
    "p",
    "mvimg",
    "pxl",
    "gopr",
    "gp",
    "dji",
    "sam",
    "imag",
    "cimg",
    "hpim",
    "kif",
    "vid",
    "scan",
    "screenshot",
    "screen",
    "shot",
    "whatsapp",
    "whats",
    "app",
    "signal",
    "fb",
    "wa",
    "at",
    "am",
    "pm",
];

/// `cat` of `cat.0.jpg`, `cat_0.jpg`, `cat-0.jpg`, `cat (1).jpg`: what stands before the number, unless it is a
/// camera's name for its files, or a date.
pub(super) fn label(name: &str) -> Option<String> {
    let file = name.rsplit('/').next().unwrap_or(name);
    let (stem, _extension) = file.rsplit_once('.')?;
    let label = stem
        .trim_end_matches(')')
        .trim_end_matches(|c: char| c.is_ascii_digit());
    let separators = ['.', '_', '-', ' ', '('];
    let cut = label.trim_end_matches(separators);
    let numbered = label.len() < stem.len() && cut.len() < label.len();
    let telling = || part::words(cut).iter().any(|word| !CAMERA.contains(&word.as_str()));
    (numbered && telling()).then(|| cut.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_from_file_names() {
        let label = |name: &str| label(name).unwrap_or_default();
        assert_eq!(label("train/cat.0.jpg"), "cat");
        assert_eq!(label("great_dane_12.jpg"), "great_dane");
        assert_eq!(label("dog (7).png"), "dog");
        assert_eq!(label("image_cat_7.png"), "image_cat");
        for name in [
            "1.jpg",
            "readme.txt",
            "IMG_1234.JPG",
            "DSC-0001.jpg",
            "PXL_20230101_1.jpg",
            "20200101_120000.jpg",
            "2020-01-01 12.00.01.jpg",
            "Screenshot 2020-01-01 at 10.00.01.png",
            "WhatsApp Image 2020-01-01 at 10.00.01.jpeg",
            "photo (3).jpg",
        ] {
            assert_eq!(label(name), "", "{name}");
        }
    }
}
