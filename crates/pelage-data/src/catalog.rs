//! Labelled images of a source, and which of them are kept for validation.

mod checks;
mod file_name;
mod fold;
mod items;
mod layout;
mod listing;
mod opening;
mod part;
mod parts;
mod split;
mod table;

use std::path::Path;

use crate::Result;

pub(crate) use checks::{check_classes, no_labels};
pub use fold::Fold;
pub use items::{Catalog, Item};
pub(crate) use listing::{Listing, SAME_NAME};
pub use opening::{Opening, open_dataset};
pub use part::Part;
pub use parts::{Parts, Scored, open_parts, open_parts_at};
pub use split::{Split, split};
pub(crate) use table::groups_of_csv;
pub use table::{Columns, named_by_csv};

impl Catalog {
    /// Reads the labels of a source from a CSV, see [`Catalog::from_csv`]; or from the names of its class folders
    /// (`PetImages/Cat/1.jpg`); or where there are none from the names of its files (`cat.0.jpg`). Parts `train` and
    /// `validation` are taken together, a part `test` is left out.
    ///
    /// # Errors
    /// An unreadable or empty source; folders of which nobody can tell which are the classes; as [`Catalog::from_csv`].
    pub fn from_source(path: &Path, labels_csv: Option<&Path>) -> Result<Catalog> {
        if let Some(csv) = labels_csv {
            return Catalog::from_csv(path, csv, &Columns::default());
        }
        Catalog::at_level(path, None)
    }

    /// As [`Catalog::from_source`] without a CSV, where the folders at the `level` are the classes, if one is given: 1
    /// for those in the source, 2 for those in these, and so on.
    ///
    /// # Errors
    /// As there; a level at which no image lies in a folder.
    pub fn at_level(path: &Path, level: Option<usize>) -> Result<Catalog> {
        let listing = Listing::read(path, level)?;
        listing.check_clear()?;
        let whole = !listing.has_parts();
        Ok(listing.catalog(|part| match part {
            Some(part) => part != Part::Test,
            None => whole,
        }))
    }

    /// Reads the labels of a source from a CSV, and the parts where it says these: from columns of the usual names, or
    /// of those in `columns`.
    ///
    /// # Errors
    /// An unreadable or empty source; a CSV that names missing files, or does not tell which column holds what.
    pub fn from_csv(path: &Path, csv: &Path, columns: &Columns) -> Result<Catalog> {
        Listing::read(path, None)?.labelled_by(csv, columns)
    }
}
