//! Renders SVG to pixels, with a bundled font so that text looks the same everywhere.

use std::sync::{Arc, OnceLock};

use pelage_data::source;
use resvg::usvg::fontdb::Database;
use resvg::{tiny_skia, usvg};

/// An SVG figure as PNG, `scale` times as large, with the mark of what pelage writes.
///
/// # Errors
/// If `svg` does not parse or the image would be too large.
pub fn svg_to_png(svg: &str, scale: f32) -> Result<Vec<u8>, String> {
    let png = render(svg, scale)?
        .encode_png()
        .map_err(|failure| failure.to_string())?;
    Ok(source::mark_png(png))
}

/// The same as pixels.
pub(crate) fn render(svg: &str, scale: f32) -> Result<tiny_skia::Pixmap, String> {
    let options = usvg::Options {
        fontdb: fonts(),
        ..usvg::Options::default()
    };
    let tree = usvg::Tree::from_str(svg, &options).map_err(|failure| failure.to_string())?;
    let size = tree
        .size()
        .to_int_size()
        .scale_by(scale)
        .ok_or("the figure has no size")?;
    let mut image = tiny_skia::Pixmap::new(size.width(), size.height()).ok_or("the figure is too large")?;
    resvg::render(
        &tree,
        tiny_skia::Transform::from_scale(scale, scale),
        &mut image.as_mut(),
    );
    Ok(image)
}

fn fonts() -> Arc<Database> {
    static FONTS: OnceLock<Arc<Database>> = OnceLock::new();
    let load = || {
        let mut fonts = Database::new();
        fonts.load_font_data(dejavu::sans::regular().to_vec());
        fonts.load_font_data(dejavu::sans::bold().to_vec());
        fonts.set_sans_serif_family("DejaVu Sans");
        Arc::new(fonts)
    };
    FONTS.get_or_init(load).clone()
}
