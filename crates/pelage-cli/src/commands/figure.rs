//! The figure that a verb writes to a file, as its name ends.

use std::path::Path;

use clap::Args;
use pelage::data::output::{Format, Output};
use pelage::data::shown;
use pelage::data::source;
use pelage::draw::png::svg_to_png;

use super::written::{Written, output};
use crate::failure::Failure;

/// Replacing a figure.
#[derive(Args)]
pub(super) struct Replacing {
    /// Let --out replace a file that is no figure of pelage's
    #[arg(long, requires = "out")]
    pub(super) force: bool,
}

/// A file that a figure goes to.
pub(super) struct Figure {
    format: Format<'static>,
    output: Output,
}

impl Replacing {
    /// The figure that will be written to `out`, whose name tells its format.
    pub(super) fn figure(&self, out: &Path) -> Result<Figure, Failure> {
        let extension = out
            .extension()
            .map(|extension| extension.to_string_lossy().to_lowercase());
        let format = match extension.as_deref() {
            Some("svg") => Format::Svg,
            Some("png") => Format::Png,
            _ => {
                let out = shown::path(out);
                return Err(Failure::usage(format!("{out}: its name tells no kind of figure"))
                    .help("give a name that ends in .svg or .png"));
            }
        };
        let output = output(out, format, self.force)?;
        Ok(Figure { format, output })
    }
}

impl Figure {
    /// Writes the figure; as PNG twice as large, for print and for screens of high density.
    pub(super) fn write(&self, svg: String) -> Result<Written, Failure> {
        let out = self.output.path();
        let bytes = match self.format {
            Format::Png => svg_to_png(&svg, 2.0)
                .map_err(|reason| Failure::failed(format!("{}: cannot be drawn: {reason}", shown::path(out))))?,
            _ => source::mark_svg(&svg).into_bytes(),
        };
        self.output.write(&bytes)?;
        Ok(Written {
            file: out.to_path_buf(),
            bytes: bytes.len(),
        })
    }
}
