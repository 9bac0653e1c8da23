//! Classes that stand beside pictures in a tar, as WebDataset has them: `000.jpg` with `000.cls` or `000.json`.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::class_keys::KEYS;
use super::entry::is_image_name;
use super::tar_archive::TarArchive;

/// The most bytes of a class's name.
const MOST_NAME: u64 = 4096;

/// The most bytes of what is told of one picture.
const MOST_TOLD: u64 = 1 << 20;

/// The classes of an archive's pictures.
#[derive(Default)]
pub(super) struct Samples<'a> {
    labels: HashMap<&'a str, Arc<str>>,
    /// The members that they were read from.
    taken: HashSet<usize>,
}

impl<'a> Samples<'a> {
    /// Reads them: from members `.cls`, or where there are none from `.json`, if the first of these tells one.
    pub(super) fn of(archive: &'a TarArchive) -> Samples<'a> {
        let read = |member: usize| archive.read(member, MOST_TOLD).unwrap_or_default();
        let by_class = Samples::beside(archive, "cls", |member| {
            let is_short = archive.size(member) <= MOST_NAME;
            let bytes = is_short.then(|| read(member))?;
            let text = std::str::from_utf8(&bytes).ok()?.trim();
            (!text.is_empty()).then(|| text.to_string())
        });
        match by_class.labels.is_empty() {
            true => Samples::beside(archive, "json", |member| {
                let told: serde_json::Value = serde_json::from_slice(&read(member)).ok()?;
                KEYS.iter().find_map(|key| match told.get(key)? {
                    serde_json::Value::String(name) => Some(name.clone()),
                    serde_json::Value::Number(number) => number.as_u64().map(|number| number.to_string()),
                    _ => None,
                })
            }),
            false => by_class,
        }
    }

    /// Those that `label` reads from members of this `extension`.
    fn beside(archive: &'a TarArchive, extension: &str, label: impl Fn(usize) -> Option<String>) -> Samples<'a> {
        let mut samples = Samples::default();
        let all = || (0..archive.len()).map(|member| (member, archive.member_name(member)));
        let of_extension = all().filter_map(|(member, name)| {
            let (key, own) = key(name)?;
            own.eq_ignore_ascii_case(extension).then_some((key, member))
        });
        let told: HashMap<&str, usize> = of_extension.collect();
        if told.is_empty() {
            return samples;
        }
        let mut known: HashSet<Arc<str>> = HashSet::new();
        for (_, name) in all().filter(|(_, name)| is_image_name(name)) {
            let Some((key, &member)) = key(name).and_then(|(key, _)| told.get_key_value(key)) else {
                continue;
            };
            if samples.taken.contains(&member) {
                continue;
            }
            let Some(label) = label(member) else {
                // One of many that tells none is an oversight; the first one's kind tells none at all.
                match samples.labels.is_empty() {
                    true => break,
                    false => continue,
                }
            };
            let label = match known.get(&*label) {
                Some(known) => known.clone(),
                None => {
                    let label: Arc<str> = label.into();
                    known.insert(label.clone());
                    label
                }
            };
            samples.labels.insert(key, label);
            samples.taken.insert(member);
        }
        samples
    }

    /// Whether a picture's class was read from this member.
    pub(super) fn is_taken(&self, member: usize) -> bool {
        self.taken.contains(&member)
    }

    /// The class of the picture of this name.
    pub(super) fn label(&self, name: &str) -> Option<Arc<str>> {
        let (key, _) = key(name).filter(|_| is_image_name(name))?;
        self.labels.get(key).cloned()
    }
}

/// A sample's key and what a member is of it: all before the first dot of a file's name, and behind it.
fn key(name: &str) -> Option<(&str, &str)> {
    let file = name.rfind('/').map_or(0, |slash| slash + 1);
    let dot = file + name[file..].find('.')?;
    Some((&name[..dot], &name[dot + 1..]))
}
