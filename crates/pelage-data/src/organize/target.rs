//! The folder that `organize` fills: what may be there already, and how files get into it.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::whole::write_whole;
use super::{Link, Options, Refusal, origins};
use crate::atomic::is_unfinished;
use crate::catalog::{Columns, Item, Part};
use crate::lock::FolderLock;
use crate::source::{self, Location, ORIGINS, PLAN, is_leftover};
use crate::{Error, Result};

/// What is to be made.
#[derive(Serialize, Deserialize, PartialEq)]
pub(super) struct Plan {
    /// All that decides about the files: options, and the images' contents.
    settings: String,
    /// Paths relative to the target, with slashes.
    pub(super) files: Vec<String>,
}

impl Plan {
    pub(super) fn new(options: &Options, contents: &[blake3::Hash]) -> Result<Plan> {
        let source = source::on_disk(&options.source);
        let source = source.canonicalize().map_err(Error::io(&options.source))?;
        let mut all = blake3::Hasher::new();
        contents.iter().for_each(|content| _ = all.update(content.as_bytes()));
        let mut settings = format!(
            "{source:?} {} {:?} {} {:?} {:?} {:?} {}",
            options.ratio,
            options.limit,
            options.seed,
            options.rename,
            options.link,
            options.labels,
            all.finalize()
        );
        if options.columns != Columns::default() {
            settings += &format!(" {:?}", options.columns);
        }
        if let Some(test) = options.test {
            settings += &format!(" test {test}");
        }
        if let Some(by) = &options.group_by {
            settings += &format!(" group by {by}");
        }
        if let Some(level) = options.label_level {
            settings += &format!(" label level {level}");
        }
        Ok(Plan {
            settings,
            files: Vec::new(),
        })
    }
}

/// The folder, held for this call alone once it is prepared.
pub(super) struct Target {
    folder: PathBuf,
    /// Whether nothing that was organized was there before.
    is_new: bool,
    _lock: Option<FolderLock>,
}

impl Target {
    /// Neither may lie in the other: what is written would be read back, or what is read removed.
    pub(super) fn new(out: &Path, source: &Path) -> Result<Target> {
        let real_source = source::on_disk(source).canonicalize().map_err(Error::io(source))?;
        // Of what is not there yet, the nearest folder above that is.
        let absolute = std::path::absolute(out).map_err(Error::io(out))?;
        let there = absolute.ancestors().find(|folder| folder.exists()).unwrap_or(&absolute);
        let missing = absolute.strip_prefix(there).unwrap_or(Path::new(""));
        let real_out = there.canonicalize().map_err(Error::io(there))?.join(missing);
        for (inner, outer) in [(&real_out, &real_source), (&real_source, &real_out)] {
            if inner.starts_with(outer) {
                return Err(Refusal::Within {
                    out: out.into(),
                    data: source.into(),
                }
                .into());
            }
        }
        Ok(Target {
            folder: out.to_path_buf(),
            is_new: false,
            _lock: None,
        })
    }

    /// Makes the folder ready for `plan`: empty, or holding a part of just this plan.
    pub(super) fn prepare(mut self, plan: &Plan, force: bool, sources: &[Item]) -> Result<Target> {
        let out = &self.folder;
        self._lock = Some(FolderLock::take(out)?);
        let earlier: Option<Plan> = std::fs::read(out.join(PLAN))
            .ok()
            .and_then(|bytes| serde_json::from_slice(&bytes).ok());
        let mut present = Vec::new();
        files_below(out, "", &mut present)?;
        let (unfinished, present): (Vec<_>, Vec<_>) =
            present.into_iter().partition(|name| is_unfinished(Path::new(name)));
        match &earlier {
            Some(old) if old == plan && !force => {}
            Some(old) if force => remove(out, old, &present, sources)?,
            Some(_) => return Err(Refusal::Earlier { out: out.clone() }.into()),
            None => {
                if let Some(file) = present.iter().find(|name| !is_leftover(name)) {
                    return Err(not_empty(out, file));
                }
            }
        }
        for name in unfinished {
            let path = out.join(name);
            std::fs::remove_file(&path).map_err(Error::io(path))?;
        }
        let bytes = serde_json::to_vec(plan).map_err(|failure| Error::io(out.join(PLAN))(failure.into()))?;
        write_whole(&out.join(PLAN), &bytes)?;
        let folders: HashSet<&Path> = plan.files.iter().filter_map(|name| Path::new(name).parent()).collect();
        for folder in folders {
            std::fs::create_dir_all(out.join(folder)).map_err(Error::io(out.join(folder)))?;
        }
        self.is_new = earlier.is_none();
        Ok(self)
    }

    /// Takes back what [`Target::prepare`] has made where nothing was put in its place: a record of it would be in the
    /// way of another plan.
    pub(super) fn leave(&self, plan: &Plan) {
        if !self.is_new {
            return;
        }
        let _ = std::fs::remove_file(self.folder.join(PLAN));
        let folders = plan.files.iter().flat_map(|name| Path::new(name).ancestors().skip(1));
        let mut folders: Vec<&Path> = folders.filter(|folder| *folder != Path::new("")).collect();
        folders.sort();
        folders.dedup();
        for folder in folders.iter().rev() {
            // Fails, as it should, where anything is in it.
            let _ = std::fs::remove_dir(self.folder.join(folder));
        }
    }

    /// Puts one image in its place; whether it was not there yet.
    pub(super) fn place(&self, from: &Location, name: &str, content: &blake3::Hash, link: Link) -> Result<bool> {
        let target = &self.folder.join(name);
        if target.symlink_metadata().is_ok() {
            let same = std::fs::read(target).is_ok_and(|bytes| blake3::hash(&bytes) == *content);
            return match same {
                true => Ok(false),
                false => Err(Refusal::Changed { path: target.clone() }.into()),
            };
        }
        match (from, link) {
            (Location::File(from), Link::Hard) => std::fs::hard_link(from, target).map_err(|source| {
                let path = target.clone();
                Refusal::HardLink { path, source }
            })?,
            (Location::File(from), Link::Symbolic) => {
                let from = from.canonicalize().map_err(Error::io(from))?;
                #[cfg(unix)]
                std::os::unix::fs::symlink(from, target).map_err(Error::io(target))?;
                #[cfg(windows)]
                std::os::windows::fs::symlink_file(from, target).map_err(Error::io(target))?;
            }
            (Location::Zip { .. } | Location::Tar { .. }, Link::Hard | Link::Symbolic) => {
                let allowed = "copy, since pictures in an archive cannot be linked";
                return Err(Error::setting("link", link.name(), allowed));
            }
            #[cfg(feature = "parquet")]
            (Location::Parquet { .. }, Link::Hard | Link::Symbolic) => {
                let allowed = "copy, since pictures in a Parquet file cannot be linked";
                return Err(Error::setting("link", link.name(), allowed));
            }
            (from, _) => from.read_whole(|bytes| write_whole(target, &bytes))??,
        }
        Ok(true)
    }
}

/// Every file below `folder`, also hidden ones, by its path relative to the first folder; links are not followed.
fn files_below(folder: &Path, prefix: &str, files: &mut Vec<String>) -> Result<()> {
    for entry in std::fs::read_dir(folder).map_err(Error::io(folder))? {
        let entry = entry.map_err(Error::io(folder))?;
        let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
        if entry.file_type().map_err(Error::io(entry.path()))?.is_dir() {
            files_below(&entry.path(), &format!("{name}/"), files)?;
        } else {
            files.push(name);
        }
    }
    Ok(())
}

fn not_empty(out: &Path, file: &str) -> Error {
    let (out, file) = (out.into(), file.into());
    Refusal::NotEmpty { out, file }.into()
}

/// Removes the files of an earlier plan, and folders that this leaves empty; nothing where other files are among them.
fn remove(out: &Path, plan: &Plan, present: &[String], sources: &[Item]) -> Result<()> {
    let table = Some(ORIGINS).filter(|name| origins::is_ours(&out.join(name)));
    let ours: HashSet<&str> = plan.files.iter().map(String::as_str).chain(table).collect();
    if let Some(file) = present
        .iter()
        .find(|name| !ours.contains(name.as_str()) && !is_leftover(name))
    {
        return Err(not_empty(out, file));
    }
    let real_out = out.canonicalize().map_err(Error::io(out))?;
    for item in sources {
        if let Location::File(path) = &item.location
            && path.canonicalize().is_ok_and(|real| real.starts_with(&real_out))
        {
            return Err(Refusal::LinkedInto {
                link: path.clone(),
                out: out.into(),
            }
            .into());
        }
    }
    for name in present.iter().filter(|name| ours.contains(name.as_str())) {
        std::fs::remove_file(out.join(name)).map_err(Error::io(out.join(name)))?;
    }
    for set in [Part::Train, Part::Validation, Part::Test].map(Part::name) {
        for folder in std::fs::read_dir(out.join(set)).into_iter().flatten().flatten() {
            // Fails, as it should, where anything is left.
            let _ = std::fs::remove_dir(folder.path());
        }
    }
    Ok(())
}
