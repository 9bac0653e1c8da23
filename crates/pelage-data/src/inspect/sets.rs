//! The pictures of a data set, set by set.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;

use super::report::Unclear;
use super::seen::{Picture, SETS, look_at};
use crate::catalog::{self, Catalog, Listing, Part, SAME_NAME};
use crate::source::{LeftOut, Location};
use crate::{Error, Result};

/// One picture that is to be looked at.
pub(super) struct Listed {
    pub(super) location: Location,
    /// One of [`SETS`].
    pub(super) set: &'static str,
    /// Empty for one without a label.
    pub(super) class: Arc<str>,
}

impl Listed {
    /// The picture, decoded and looked at.
    pub(super) fn looked_at(&self) -> Picture {
        Picture {
            path: self.location.to_string(),
            set: self.set,
            class: self.class.clone(),
            seen: look_at(&self.location),
        }
    }
}

/// What a data set holds.
pub(super) struct Found {
    /// Its pictures, labelled or not.
    pub(super) listed: Vec<Listed>,
    /// What else was found.
    pub(super) left_out: Vec<LeftOut>,
    /// Why it is not clear which folders are the classes.
    pub(super) unclear: Option<Unclear>,
}

/// What there is at `path`.
pub(super) fn list(path: &Path, label_level: Option<usize>) -> Result<Found> {
    let listing = Listing::read(path, label_level)?;
    let unclear = match listing.check_clear() {
        Err(ref error @ Error::Ambiguous { level, .. }) => Some(Unclear {
            level,
            reason: error.to_string(),
        }),
        _ => None,
    };
    let parts = [Part::Train, Part::Validation, Part::Test];
    let mut listed = Vec::new();
    for (set, part) in SETS.into_iter().zip(parts).filter(|(_, part)| listing.has(*part)) {
        add(&mut listed, set, listing.part(part), &listing, Some(part));
    }
    if !parts.into_iter().any(|part| listing.has(part)) {
        add(&mut listed, SETS[3], listing.catalog(|_| true), &listing, None);
    }
    let all = listing.catalog(|_| true);
    if listed.is_empty() {
        return Err(catalog::no_labels(&all, path));
    }
    let mut left_out = all.left_out;
    let paths: HashSet<&str> = left_out.iter().map(|one| one.path.as_str()).collect();
    let looked_at = listed.iter().map(|one| one.location.to_string());
    let looked_at: HashSet<String> = looked_at.filter(|path| paths.contains(path.as_str())).collect();
    // Of several members of one name, one is looked at, and the others are told.
    left_out.retain(|one| one.reason == SAME_NAME || !looked_at.contains(&one.path));
    Ok(Found {
        listed,
        left_out,
        unclear,
    })
}

/// Adds the images of a set, and then those of it that have no label.
fn add(listed: &mut Vec<Listed>, set: &'static str, catalog: Catalog, listing: &Listing, part: Option<Part>) {
    let classes: Vec<Arc<str>> = catalog.classes.iter().map(|class| class.as_str().into()).collect();
    listed.extend(catalog.items.into_iter().map(|item| Listed {
        location: item.location,
        set,
        class: classes[item.label].clone(),
    }));
    let unlabelled: Arc<str> = "".into();
    listed.extend(listing.without_label(part).into_iter().map(|entry| Listed {
        location: entry.location.clone(),
        set,
        class: unlabelled.clone(),
    }));
}
