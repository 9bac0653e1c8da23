//! The parts of the page, for people in a browser, that a server and a site of files share: looks, words, pictures and
//! their answers, the camera, curves. What asks a model comes from either.

/// A style sheet.
pub const STYLE: &str = include_str!("interface/style.css");

/// A drawing for the page and its tab.
pub const ICON: &str = include_str!("interface/icon.svg");

/// JavaScript modules by the names by which they import each other.
pub const MODULES: [(&str, &str); 7] = [
    ("camera.js", include_str!("interface/camera.js")),
    ("charts.js", include_str!("interface/charts.js")),
    ("dom.js", include_str!("interface/dom.js")),
    ("model.js", include_str!("interface/model.js")),
    ("pictures.js", include_str!("interface/pictures.js")),
    ("text.js", include_str!("interface/text.js")),
    ("views.js", include_str!("interface/views.js")),
];
