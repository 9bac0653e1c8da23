//! Features of very many images: computed and written a few at a time, so that they need not fit into memory, gone on
//! with after a kill, and shared among processes.

use std::cell::LazyCell;
use std::path::{Path, PathBuf};

use burn::tensor::Device;
use csv::StringRecord;
use pelage_data::catalog::{Catalog, Item};
use pelage_data::growing::{Earlier, Found, Growing, Opened, Origin, Sharing};
use pelage_data::readable::check_unreadable;
use pelage_data::{Progress, Unreadable};
use pelage_model::networks::pooled::BATCH;
use pelage_model::values::to_vec;
use pelage_model::{input, networks::Pooling};
use rayon::prelude::*;

use super::array::Array;
use super::export::{Exported, Written, into_folder, sets};
use super::{Extractor, PHASE};
use crate::compute::Compute;
use crate::train::backbone::backbone;
use crate::train::recipe::Recipe;
use crate::{Error, Result};
use pelage_data::table;

/// Images that are decoded at a time.
const DECODED: usize = 32;

/// As [`export`](super::export::export), but nothing is cached, and no more than a few images are in memory. The parts
/// are put together by [`merge`](super::merged::merge). When `is_stopped` says so, what is there is kept, and the
/// answer is none.
///
/// # Errors
/// As there; an unfinished part of another origin.
pub fn grow(
    data: &Path,
    label_level: Option<usize>,
    recipe: &Recipe,
    out: &Path,
    compute: &Compute,
    sharing: Sharing,
    progress: &(dyn Fn(Progress) + Sync),
    is_stopped: &dyn Fn() -> bool,
) -> Result<Option<Vec<Exported>>> {
    recipe.validate()?;
    // Before minutes of computing.
    into_folder(out, || {
        into(data, label_level, recipe, out, compute, sharing, progress, is_stopped)
    })
}

fn into(
    data: &Path,
    label_level: Option<usize>,
    recipe: &Recipe,
    out: &Path,
    compute: &Compute,
    sharing: Sharing,
    progress: &(dyn Fn(Progress) + Sync),
    is_stopped: &dyn Fn() -> bool,
) -> Result<Option<Vec<Exported>>> {
    let Some(transfer) = &recipe.transfer else {
        return Err(Error::Settings("features come from a backbone; choose one".into()));
    };
    let device = compute.open()?;
    let backbone = backbone(transfer, recipe, 2, &device)?;
    let network = backbone.network.folded(|_| true);
    let extractor = backbone.extractor(transfer, &network);
    let settings = [
        ("backbone", recipe.model.name().to_string()),
        ("weights", backbone.fingerprint.clone()),
        ("preprocessing", format!("{:?}", backbone.preprocessing)),
        ("features", format!("{:?}, flip {}", extractor.pooling, extractor.flip)),
        ("device", compute.device.clone()),
    ];
    let sets = sets(data, label_level)?;
    let written = Written::begin(out, sets.iter().map(|(name, _)| *name))?;
    let mut exported = Vec::new();
    for (name, catalog) in sets {
        let part = Part {
            catalog: &catalog,
            own: &catalog.items[sharing.shard.range(catalog.items.len())],
            path: out.join(name),
        };
        let names = part
            .catalog
            .items
            .iter()
            .map(|item| format!("{} {}", item.name, item.label));
        let classes = [("classes", catalog.classes.join(", "))];
        let origin = Origin::new("features", &[&settings[..], &classes].concat(), names, sharing.shard);
        match part.grow(origin, sharing.earlier, &extractor, &device, progress, is_stopped)? {
            Some(done) => exported.push(done),
            None => return Ok(None),
        }
    }
    written.end()?;
    Ok(Some(exported))
}

/// The rows of one set that are this process's.
struct Part<'a> {
    catalog: &'a Catalog,
    own: &'a [Item],
    /// Without an ending.
    path: PathBuf,
}

impl Part<'_> {
    fn grow(
        &self,
        origin: Origin,
        earlier: Earlier,
        extractor: &Extractor,
        device: &Device,
        progress: &(dyn Fn(Progress) + Sync),
        is_stopped: &dyn Fn() -> bool,
    ) -> Result<Option<Exported>> {
        let shape = shape(extractor, device);
        let heading = table::csv([["path", "class", "label"]])?;
        let (table, path) = (self.path.with_extension("csv"), self.path.with_extension("npy"));
        // Looked at when nobody else writes it.
        let whole_rows = LazyCell::new(|| Array::rows_at(&path, shape));
        let mut exported = Exported {
            path: self.path.clone(),
            images: 0,
            shape,
            unreadable: Vec::new(),
        };
        let mut next = 0;
        let opened = Growing::open(
            &table,
            &heading,
            origin,
            earlier,
            true,
            &mut |row, cells| match row >= *whole_rows {
                true => Found::Beyond,
                false => self.pass(cells, &mut next, &mut exported.unreadable),
            },
        )?;
        let Opened::From(rows, mut growing) = opened else {
            exported.images = *whole_rows;
            exported.unreadable = self.unreadable_beside(&table)?;
            return Ok(Some(exported));
        };
        let mut array = Array::open(path.clone(), shape, rows)?;
        while next < self.own.len() {
            if is_stopped() {
                return Ok(None);
            }
            let chunk = &self.own[next..(next + DECODED).min(self.own.len())];
            let (values, rows) = self.computed(chunk, extractor, device, &mut exported.unreadable)?;
            // A row without its values would be a row lost.
            array.add(&values)?;
            growing.add(&rows)?;
            next += chunk.len();
            progress(Progress {
                done: next,
                total: self.own.len(),
                what: PHASE,
            });
        }
        check_unreadable(&exported.unreadable, self.own.len())?;
        exported.images = array.rows();
        let array = array.finish()?;
        growing.finish_with(Some(&array))?;
        Ok(Some(exported))
    }

    /// Goes on behind the picture that a row is of; those before it could not be read.
    fn pass(&self, cells: &StringRecord, next: &mut usize, unreadable: &mut Vec<Unreadable>) -> Found {
        let cell = cells.get(0).unwrap_or_default();
        let mut left = self.own[*next..].iter();
        let found = left.position(|item| table::prefixed("./", &item.name) == cell);
        let Some(behind) = found else {
            return Found::Unexpected;
        };
        unreadable.extend(self.own[*next..*next + behind].iter().map(unread));
        *next += behind + 1;
        Found::Expected
    }

    /// The pictures that have no row in the whole table.
    fn unreadable_beside(&self, table: &Path) -> Result<Vec<Unreadable>> {
        let damaged = |failure: csv::Error| Error::folder(table, failure.to_string());
        let mut reader = csv::Reader::from_path(table).map_err(damaged)?;
        let (mut row, mut next, mut unreadable) = (StringRecord::new(), 0, Vec::new());
        while reader.read_record(&mut row).map_err(damaged)? {
            self.pass(&row, &mut next, &mut unreadable);
        }
        unreadable.extend(self.own[next..].iter().map(unread));
        Ok(unreadable)
    }

    /// Values and rows of those of these images that can be read.
    fn computed(
        &self,
        items: &[Item],
        extractor: &Extractor,
        device: &Device,
        unreadable: &mut Vec<Unreadable>,
    ) -> Result<(Vec<f32>, Vec<u8>)> {
        let decoded = items.par_iter().map(|item| {
            let read = item
                .location
                .read_with(|bytes| input::decode(&bytes, extractor.preprocessing));
            read.map_err(|failure| failure.reason()).and_then(|decoded| decoded)
        });
        let decoded: Vec<_> = decoded.collect();
        let (mut inputs, mut rows) = (Vec::new(), Vec::new());
        for (item, decoded) in items.iter().zip(decoded) {
            match decoded {
                Ok(input) => {
                    inputs.push(input);
                    let class = table::prefixed("'", &self.catalog.classes[item.label]);
                    rows.push([table::prefixed("./", &item.name), class, item.label.to_string()]);
                }
                Err(reason) => unreadable.push(Unreadable {
                    path: item.location.to_string(),
                    reason,
                }),
            }
        }
        let mut values = Vec::new();
        for batch in inputs.chunks(BATCH) {
            let pixels = input::images(batch.concat(), extractor.preprocessing, device);
            values.extend(to_vec(extractor.forward(pixels)));
        }
        Ok((values, table::csv(rows)?))
    }
}

/// A picture that an earlier call has skipped.
fn unread(item: &Item) -> Unreadable {
    Unreadable {
        path: item.location.to_string(),
        reason: "could not be read by an earlier call".into(),
    }
}

/// Rows, columns and channels of one image's features.
fn shape(extractor: &Extractor, device: &Device) -> [usize; 3] {
    let blank = vec![0.0; input::shape(extractor.preprocessing).iter().product()];
    let [_, h, w, c] = extractor
        .forward(input::images(blank, extractor.preprocessing, device))
        .dims();
    match extractor.pooling {
        Pooling::Average => [1, 1, c],
        Pooling::Flatten => [h, w, c],
    }
}
