//! The files of a source, and how they are laid out.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use crate::shown;
use rayon::prelude::*;

use super::items::Catalog;
use super::layout::Layout;
use super::part::{self, Part};
use super::table::{self, Columns};
use crate::error::shortened;
use crate::source::{self, Entry, Found, LeftOut, Location};
use crate::{Error, Result};

/// Why a file is left out whose name is not its own.
pub(crate) const SAME_NAME: &str = "another file has this name";

/// The files of a source, and how they are laid out.
pub(crate) struct Listing {
    path: PathBuf,
    found: Found,
    /// Of each entry: why it is no image; none where it is one.
    why_no_image: Vec<Option<String>>,
    layout: Layout,
    /// Whether classes are what the source says of each image, rather than folders.
    is_told: bool,
    /// Folders of parts that hold no image, relative to the source, and which part each is, if that is known.
    empty_parts: Vec<(String, Option<Part>)>,
}

impl Listing {
    /// Lists a source; the folders at `label_level` are the classes, if one is given: 1 for those in the source.
    pub(crate) fn read(path: &Path, label_level: Option<usize>) -> Result<Listing> {
        let found = match source::find(path) {
            Err(Error::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {
                return Err(Error::NotFound { path: path.into() });
            }
            found => found?,
        };
        if found.entries.is_empty() {
            return Err(Error::data(path, nothing(&found.left_out)));
        }
        // Of some the first bytes are read.
        let why_no_image: Vec<_> = found.entries.par_iter().map(Entry::why_no_image).collect();
        let images = found.entries.iter().zip(&why_no_image).filter(|(_, why)| why.is_none());
        let names: Vec<_> = images.map(|(entry, _)| entry.name.as_str()).collect();
        let source_name = path.file_stem().unwrap_or_default().to_string_lossy();
        let mut layout = Layout::of(&names, &source_name);
        // Of files that are no images, and of folders without files, the folders.
        let others = found.entries.iter().zip(&why_no_image).filter(|(_, why)| why.is_some());
        let others = others.map(|(entry, _)| &entry.name).chain(&found.empty);
        let empty = part::folders_named(others.map(String::as_str));
        if !empty.is_empty() {
            layout = layout.with_empty_parts(&names, &empty, &source_name);
        }
        let empty_parts = layout.parts_without(&names);
        if let Some(level) = label_level {
            layout = layout.with_labels_at(level, &names)?;
        }
        // Whoever names a level means folders.
        let is_told = label_level.is_none() && found.entries.iter().any(|entry| entry.label.is_some());
        if is_told {
            layout.ambiguous = None;
        }
        let mut listing = Listing {
            path: path.into(),
            found,
            why_no_image,
            layout,
            is_told,
            empty_parts: Vec::new(),
        };
        for (folder, part) in empty_parts {
            let why = match part {
                Some(part) => format!("the {} part, without a picture", part.name()),
                None => "a part of the data set, without a picture".into(),
            };
            let shown = listing.path.join(&folder);
            listing.found.leave_out(shown.display(), why);
            listing.empty_parts.push((folder, part));
        }
        listing.tell(label_level);
        Ok(listing)
    }

    /// Tells how the source was understood.
    fn tell(&self, label_level: Option<usize>) {
        if !log::log_enabled!(log::Level::Info) {
            return;
        }
        let path = shown::path(&self.path);
        let (files, images) = (self.found.entries.len(), self.images().count());
        let labels = match label_level {
            Some(level) => format!("its folders at level {level}, as asked"),
            None if self.is_told => "what stands beside each picture".into(),
            None => self.layout.labelled_by().into(),
        };
        log::info!("data: {path} holds {images} pictures in {files} files; classes by {labels}");
        for part in [Part::Train, Part::Validation, Part::Test] {
            if self.has(part) {
                log::info!("data: {} part of {path}: {}", part.name(), self.folders_of(part));
            }
        }
    }

    /// Refuses a source of which nobody can tell what the classes are.
    pub(crate) fn check_clear(&self) -> Result<()> {
        match &self.layout.ambiguous {
            None => Ok(()),
            Some(either) => Err(Error::Ambiguous {
                path: self.path.clone(),
                level: either.level,
                folders: either.folders.clone(),
                within: either.within.clone(),
            }),
        }
    }

    pub(crate) fn has_parts(&self) -> bool {
        self.layout.has_parts()
    }

    /// Folders of parts that hold no image, for a message.
    pub(super) fn empty_parts(&self) -> Vec<String> {
        self.empty_parts.iter().map(|(folder, _)| folder.clone()).collect()
    }

    /// Refuses a source whose training part is there, and holds no image.
    pub(super) fn check_training(&self) -> Result<()> {
        let empty = self.empty_parts.iter().find(|(_, part)| *part == Some(Part::Train));
        match empty.filter(|_| !self.has(Part::Train)) {
            None => Ok(()),
            Some((folder, _)) => {
                let reason = "the training part of the data set holds no pictures; put some into it, or give the \
                              folder of another part itself";
                Err(Error::data(self.path.join(folder), reason))
            }
        }
    }

    pub(crate) fn has(&self, part: Part) -> bool {
        self.images().any(|entry| self.layout.part(&entry.name) == Some(part))
    }

    /// Folders of a part, for a message.
    pub(super) fn folders_of(&self, part: Part) -> String {
        self.layout.folders_of(part).join(", ")
    }

    fn images(&self) -> impl Iterator<Item = &Entry> {
        let images = self.found.entries.iter().zip(&self.why_no_image);
        images.filter(|(_, why)| why.is_none()).map(|(entry, _)| entry)
    }

    /// An image's class.
    fn label(&self, entry: &Entry) -> Option<String> {
        match self.is_told {
            true => entry.label.as_deref().map(str::to_string),
            false => self.layout.label(&entry.name),
        }
    }

    /// Images without a class, of one part, or of none.
    pub(crate) fn without_label(&self, part: Option<Part>) -> Vec<&Entry> {
        let in_part = |entry: &&Entry| self.layout.part(&entry.name) == part;
        let no_label = |entry: &&Entry| self.label(entry).is_none();
        self.images().filter(in_part).filter(no_label).collect()
    }

    /// The images of the parts that are wanted; none is the part of what lies in no part. All else is accounted for.
    pub(crate) fn catalog(&self, wanted: impl Fn(Option<Part>) -> bool) -> Catalog {
        let mut catalog = self.about(wanted, |_| true);
        catalog.left_out.extend(self.found.left_out.iter().cloned());
        catalog
    }

    /// The catalog of one part; what is left out of other parts is not its business.
    pub(crate) fn part(&self, part: Part) -> Catalog {
        self.about(|of| of == Some(part), |of| of == Some(part))
    }

    /// The catalog of one part; all else is accounted for, but for what lies in the part `other`.
    pub(super) fn part_without(&self, part: Part, other: Part) -> Catalog {
        let mut catalog = self.about(|of| of == Some(part), |of| of != Some(other));
        catalog.left_out.extend(self.found.left_out.iter().cloned());
        catalog
    }

    /// The images of the parts that are wanted, and what else lies in those that it is `about`.
    fn about(&self, wanted: impl Fn(Option<Part>) -> bool, about: impl Fn(Option<Part>) -> bool) -> Catalog {
        let (mut labelled, mut left_out, mut names) = (Vec::new(), Vec::new(), HashSet::new());
        for (entry, why_no_image) in self.found.entries.iter().zip(&self.why_no_image) {
            let part = self.layout.part(&entry.name);
            if !about(part) {
                continue;
            }
            let label = || match wanted(part) {
                true => self.label(entry).ok_or_else(|| self.why_no_label(entry)),
                false => Err(part.map_or("beside the parts of the data set", Part::inside).into()),
            };
            match why_no_image.clone().map_or_else(label, Err) {
                // Members of a zip: nothing could tell them apart afterwards.
                Ok(_) if !names.insert(&entry.name) => left_out.push(left(entry, SAME_NAME.into())),
                Ok(label) => labelled.push((entry.clone(), label, part)),
                Err(reason) => left_out.push(left(entry, reason)),
            }
        }
        Catalog::new(labelled, left_out)
    }

    fn why_no_label(&self, entry: &Entry) -> String {
        match &entry.location {
            Location::Closed { reason, .. } => format!("cannot be read: {reason}"),
            _ if self.is_told => "no class beside it".into(),
            _ => self.layout.why_no_label(&entry.name).into(),
        }
    }

    /// A catalog with the labels of a CSV.
    pub(super) fn labelled_by(mut self, csv: &Path, columns: &Columns) -> Result<Catalog> {
        let labels = table::labels(csv, columns, &self.path, &self.found.entries)?;
        let (mut labelled, mut left_out, mut names) = (Vec::new(), self.found.left_out, HashSet::new());
        let entries = self.found.entries.drain(..).zip(labels).zip(self.why_no_image);
        for ((entry, label), why_no_image) in entries {
            match label {
                Some(_) if !names.insert(entry.name.clone()) => left_out.push(left(&entry, SAME_NAME.into())),
                Some((label, part)) => labelled.push((entry, label, part)),
                None => left_out.push(left(&entry, why_no_image.unwrap_or("not in the list of labels".into()))),
            }
        }
        Ok(Catalog::new(labelled, left_out))
    }

    /// A class folder without an image is a mistake that training would hide.
    pub(super) fn check_empty_folders(&self) -> Result<()> {
        if !self.path.is_dir() || self.is_told {
            return Ok(());
        }
        // Of all parts: that a class is in one alone is another mistake.
        let classes: HashSet<_> = self
            .images()
            .filter_map(|entry| self.layout.label(&entry.name))
            .collect();
        let files = self.found.entries.iter().map(|entry| &entry.name);
        for name in files.chain(&self.found.empty) {
            if let Some((class, folder)) = self.layout.class_folder(name)
                && !classes.contains(&class)
            {
                let class = shortened(&class);
                let reason = format!("class '{class}' has no pictures; fill the folder or remove it");
                return Err(Error::data(self.path.join(folder), reason));
            }
        }
        Ok(())
    }
}

fn left(entry: &Entry, reason: String) -> LeftOut {
    LeftOut {
        path: entry.location.to_string(),
        reason,
    }
}

/// What is wrong with a source without files.
fn nothing(left_out: &[LeftOut]) -> String {
    let mut text = "holds no files".to_string();
    if !left_out.is_empty() {
        text += " but what is passed over:";
        for one in left_out.iter().take(5) {
            text += &format!("\n  {}: {}", shortened(&one.path), one.reason);
        }
    }
    text
}
