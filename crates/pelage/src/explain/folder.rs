//! A folder with every explanation of a network and some images: PNGs, and a page that shows them.

use std::fs::DirEntry;
use std::io::Cursor;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use burn::tensor::Device;
use image::{ImageFormat, RgbImage};
use pelage_data::Progress;
use pelage_data::cache::{Cache, DecodedImages};
use pelage_data::catalog;
use pelage_data::lock::create_folder;
use pelage_data::source::{self, Entry};
use pelage_model::probability::argmax;
use pelage_model::saved;
use pelage_model::values::to_vec;

use super::deconvnet::{self, Stop};
use super::explained::Explained;
use super::feature_maps::{self, FeatureMap};
use super::grad_cam::{self, Variant};
use super::occlusion::{self, Square};
use super::page::{self, Page, Section};
use super::receptive_field::receptive_field;
use super::sheet::{self, Tile};
use super::strongest::{self, Most};
use super::{Input, filters, heat, unsaturated};
use crate::compute::Compute;
use crate::runs::images::{self, Labelled};
use crate::{Error, Model, Result, atomic};

/// What to explain.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Options {
    /// The class to explain; by default each image's predicted one.
    pub class: Option<String>,
    /// The layer for heat maps, projections and the strongest images, whose feature maps alone are drawn; by default
    /// the last feature map, and the feature maps of all layers.
    pub layer: Option<String>,
    /// Side of the square that hides a part of the image, see [`Square::usual`].
    pub patch: Option<usize>,
    /// Stride of the square; by default a third of its side.
    pub stride: Option<usize>,
    /// The level of the folders that are the classes of a data set, see [`catalog::open_parts_at`].
    pub label_level: Option<usize>,
}

/// By which name files are noted as written here.
const VERB: &str = "explain";
/// Number of an image's channels that are projected back to its pixels.
const PROJECTED: usize = 8;
/// Approximate side of a drawn projection in pixels.
const SIDE: u32 = 128;

/// Explains the predictions of the model of `run` for `images` (files, folders or archives), and shows the images of
/// `dataset`, if given, that excite it most: of its validation part, or of all. Writes into `folder`, which must be
/// new, empty, or made by this function: `index.html`, `filters.png`, a folder for each image. An image that cannot be
/// read is named on the page and in the result.
///
/// # Errors
/// No model, no images; an unknown class or layer; a square that does not fit; a folder with other content, or one that
/// cannot be written.
pub fn explain(
    run: &Path,
    images: &[PathBuf],
    dataset: Option<&Path>,
    options: &Options,
    folder: &Path,
    compute: &Compute,
    progress: &(dyn Fn(Progress) + Sync),
) -> Result<Vec<Explained>> {
    let model = Model::open_on(run, &compute.open()?, None)?;
    model.alone("explained")?;
    let mut entries = Vec::new();
    for path in images {
        entries.extend(source::find(path)?.without_own_figures(path).entries);
    }
    if entries.is_empty() {
        return Err(pelage_data::Error::Dataset("it has no pictures to explain".into()).into());
    }
    let job = Job::new(&model, options, folder)?;
    let labelled = |path| Labelled {
        path,
        level: options.label_level,
    };
    let open = |path| images::part_of(labelled(path), &model.facts, true);
    let scored = dataset.map(open).transpose()?;
    // Before minutes of decoding.
    claim(folder, &entries)?;
    let decode = |scored: catalog::Scored| {
        let (images, cache) = (Arc::new(scored.images), Cache::new(compute.cache));
        DecodedImages::open(images, &model.facts.preprocessing, &cache, progress).map(Arc::new)
    };
    let explained = || {
        let dataset = scored.map(decode).transpose()?;
        write_folder(&job, &entries, dataset.as_ref(), &mut |one| progress(one))
    };
    let explained = explained();
    if explained.is_err() {
        give_up(folder);
    }
    explained
}

/// Removes what was written so far: half a page is none. That it stays matters less than why.
fn give_up(folder: &Path) {
    let _ = source::remove_written(folder, &source::written(folder, VERB));
    let _ = source::note_written(folder, VERB, &[]);
    if std::fs::read_dir(folder)
        .is_ok_and(|mut children| children.all(|child| child.is_ok_and(|child| is_mark(&child))))
    {
        let _ = std::fs::remove_file(folder.join(source::MARK));
        // Only if it is empty.
        let _ = std::fs::remove_dir(folder);
    }
}

fn is_mark(child: &DirEntry) -> bool {
    child.file_name() == source::MARK
}

fn write_folder(
    job: &Job,
    entries: &[Entry],
    dataset: Option<&Arc<DecodedImages>>,
    observe: &mut dyn FnMut(Progress),
) -> Result<Vec<Explained>> {
    let &Job { model, folder, .. } = job;
    let (side, device) = (&model.facts.preprocessing, model.device());
    write(&folder.join(page::FILTERS), &filters::filter_sheet(&model.network)?)?;
    let (mut explained, mut sections, total) = (Vec::new(), Vec::new(), entries.len());
    for (i, entry) in entries.iter().enumerate() {
        observe(Progress {
            done: i,
            total,
            what: "explaining",
        });
        let path = entry.location.to_string();
        let read = entry.location.read().map_err(|failure| failure.reason());
        match read.and_then(|bytes| Input::decode(&bytes, side, &device)) {
            Err(reason) => explained.push(Explained {
                path,
                classes: Vec::new(),
                class: String::new(),
                error: Some(reason),
            }),
            Ok(image) => {
                let section = job.section(path, &section_name(i, entry), &image)?;
                explained.push(Explained {
                    path: section.path.clone(),
                    classes: section.classes.clone(),
                    class: section.class.clone(),
                    error: None,
                });
                sections.push(section);
            }
        }
    }
    let page = Page {
        model,
        layer: &model.network.graph().nodes()[job.layer].name,
        sections: &sections,
        explained: &explained,
        channels: &match dataset {
            Some(images) => job.dataset(images, entries, &device, observe)?,
            None => Vec::new(),
        },
    };
    // Last, so that everything it shows exists.
    atomic::write(&folder.join(page::INDEX), page.html().as_bytes())?;
    Ok(explained)
}

/// What all images share.
struct Job<'a> {
    model: &'a Model,
    options: &'a Options,
    class: Option<usize>,
    layer: usize,
    square: Square,
    folder: &'a Path,
}

impl<'a> Job<'a> {
    /// Checks what is asked for, before anything is written.
    fn new(model: &'a Model, options: &'a Options, folder: &'a Path) -> Result<Self> {
        let side = &model.facts.preprocessing;
        Ok(Job {
            model,
            options,
            class: options.class.as_deref().map(|name| class(model, name)).transpose()?,
            layer: super::layer(model.network.graph(), options.layer.as_deref())?,
            square: square(options, [side.height as usize, side.width as usize])?,
            folder,
        })
    }

    fn section(&self, path: String, name: &str, image: &Input) -> Result<Section> {
        let (network, names) = (&self.model.network, &self.model.facts.classes);
        let (folder, shown) = (self.folder.join(name), &image.shown);
        std::fs::create_dir_all(&folder).map_err(Error::io(&folder))?;
        let probabilities = to_vec(self.model.probabilities(image.pixels.clone()));
        saved::check_answer(&probabilities).map_err(|reason| Error::model(&path, reason))?;
        let mut classes: Vec<_> = names.iter().cloned().zip(probabilities.iter().copied()).collect();
        let class = self.class.unwrap_or_else(|| argmax(&probabilities));
        classes.sort_by(|a, b| b.1.total_cmp(&a.1));

        write(&folder.join(page::PICTURE), shown)?;
        let mut unsupported = Vec::new();
        for (file, variant) in [(page::GRAD_CAM, Variant::GradCam), (page::PLUS_PLUS, Variant::PlusPlus)] {
            let maps = grad_cam::heatmaps(network, image.pixels.clone(), &[class], self.layer, variant)?;
            write(&folder.join(file), &heat::overlay(shown, &maps[0]))?;
            if maps[0].is_zero() {
                unsupported.push(file);
            }
        }
        let hidden = occlusion::occlusion(self.model, image.pixels.clone(), class, self.square)?;
        write(&folder.join(page::OCCLUSION), &heat::overlay(shown, &hidden.heatmap))?;

        let layers = match &self.options.layer {
            Some(_) => vec![self.layer],
            None => super::layers(network.graph()),
        };
        let mut maps = Vec::with_capacity(layers.len());
        for (i, map) in feature_maps::feature_maps(network, image.pixels.clone(), &layers)
            .iter()
            .enumerate()
        {
            let file = format!("layer-{:02}-{}.png", i + 1, map.layer);
            write(&folder.join(&file), &map.sheet()?)?;
            maps.push((map.layer.clone(), map.shape, file));
            if map.layer == network.graph().nodes()[self.layer].name {
                write(&folder.join(page::PROJECTION), &self.projections(image, map)?)?;
            }
        }
        Ok(Section {
            path,
            folder: name.to_string(),
            size: shown.dimensions(),
            class: names[class].clone(),
            classes,
            probability: hidden.probability,
            least: hidden.least,
            unsupported,
            maps,
        })
    }

    /// The strongest channels of an image, projected back to its pixels: what each channel's peak sees and its
    /// projection; above them, its place in the image, unless it covers most of it.
    fn projections(&self, image: &Input, map: &FeatureMap) -> Result<RgbImage> {
        let network = &self.model.network;
        let ranked = FeatureMap {
            values: to_vec(unsaturated(network, image.pixels.clone(), self.layer)),
            ..map.clone()
        };
        let (channels, stops) = (ranked.strongest(PROJECTED), Stop::useful(network.graph(), self.layer));
        let pixels = image.pixels.clone().repeat_dim(0, channels.len());
        let size = [image.seen.height(), image.seen.width()].map(|side| side as usize);
        let tile = |image, label: String| Tile { image, label };
        let (mut whole, mut seen, mut back, mut small) = (Vec::new(), Vec::new(), Vec::new(), true);
        for &stop in stops {
            let projections = deconvnet::project(network, pixels.clone(), self.layer, &channels, stop)?;
            for (projection, channel) in projections.iter().zip(&channels) {
                let field = receptive_field(network.graph(), size, self.layer, projection.position);
                let label = match stop {
                    Stop::Guided => format!("channel {channel}"),
                    Stop::Deconvnet => String::new(),
                };
                back.push(tile(sheet::part(&projection.image(), &field, SIDE), label));
                if seen.len() < channels.len() {
                    seen.push(tile(sheet::part(&image.seen, &field, SIDE), String::new()));
                    whole.push(tile(sheet::framed(&image.seen, &field, SIDE), String::new()));
                    small &= 2 * field[0].len() * field[1].len() < size[0] * size[1];
                }
            }
        }
        if !small {
            whole.clear();
        }
        let tiles: Vec<_> = whole.into_iter().chain(seen).chain(back).collect();
        let lines = [
            format!("{}: its {} strongest channels", map.layer, channels.len()),
            match stops {
                [Stop::Guided] => "what the peak of each sees, and its guided projection; gray is zero",
                _ => "what the peak of each sees, and its projection: deconvnet, then guided; gray is zero",
            }
            .to_string(),
        ];
        sheet::sheet(&lines, &tiles, channels.len())
    }

    /// The channels that a data set excites most, as number and file.
    fn dataset(
        &self,
        images: &Arc<DecodedImages>,
        entries: &[Entry],
        device: &Device,
        observe: &mut dyn FnMut(Progress),
    ) -> Result<Vec<(usize, String)>> {
        let total = images.len();
        let show = &mut |done| {
            observe(Progress {
                done,
                total,
                what: "looking",
            })
        };
        let found = strongest::strongest(self.model, images, self.layer, Most::default(), device, show)?;
        let named = |channel: usize| (channel, format!("channel-{channel}.png"));
        let channels: Vec<_> = found.iter().map(|channel| named(channel.channel)).collect();
        let files = channels.iter().map(|(_, file)| file.clone());
        // Before they are there, or what fails in between would leave some.
        source::note_written(
            self.folder,
            VERB,
            &names(entries).into_iter().chain(files).collect::<Vec<_>>(),
        )?;
        for (channel, (_, file)) in found.iter().zip(&channels) {
            let sheet = strongest::channel_sheet(self.model, images, self.layer, channel, device)?;
            write(&self.folder.join(file), &sheet)?;
        }
        Ok(channels)
    }
}

fn class(model: &Model, name: &str) -> Result<usize> {
    let known = &model.facts.classes;
    known.iter().position(|class| class == name).ok_or_else(|| {
        let known = known.join(", ");
        Error::setting("class", format!("'{name}'"), format!("a class of the model: {known}"))
    })
}

fn square(options: &Options, size: [usize; 2]) -> Result<Square> {
    let side = options.patch.unwrap_or(Square::usual(size).side);
    let stride = options.stride.unwrap_or(side.div_ceil(3));
    let square = Square { side, stride };
    occlusion::check(square, size)?;
    Ok(square)
}

/// The folder of an image.
fn section_name(index: usize, entry: &Entry) -> String {
    format!("{:03}-{}", index + 1, slug(&entry.name))
}

/// What is written for these images.
fn names(entries: &[Entry]) -> Vec<String> {
    let sections = entries.iter().enumerate();
    let sections = sections.map(|(i, entry)| section_name(i, entry) + "/");
    [page::INDEX, page::FILTERS]
        .map(String::from)
        .into_iter()
        .chain(sections)
        .collect()
}

/// Creates the folder, or checks that it is ours, and then removes what an earlier call has written; a page in it marks
/// it even if the rest fails.
fn claim(folder: &Path, entries: &[Entry]) -> Result<()> {
    create_folder(folder)?;
    // A call that failed may have left its mark.
    let mut children = std::fs::read_dir(folder).map_err(Error::io(folder))?.flatten();
    let empty = children.all(|child| is_mark(&child));
    // If it cannot be read, it is not ours.
    let mark = format!("name=\"generator\" content=\"{}\"", page::GENERATOR);
    let ours = || std::fs::read_to_string(folder.join(page::INDEX)).is_ok_and(|page| page.contains(&mark));
    if empty || ours() {
        source::remove_written(folder, &source::written(folder, VERB))?;
        source::note_written(folder, VERB, &names(entries))?;
        return Ok(atomic::write(&folder.join(page::INDEX), page::unfinished().as_bytes())?);
    }
    Err(Error::folder(folder, "holds other files already; give a new folder"))
}

fn write(path: &Path, image: &RgbImage) -> Result<()> {
    let mut bytes = Cursor::new(Vec::new());
    image
        .write_to(&mut bytes, ImageFormat::Png)
        .map_err(|failure| Error::io(path)(std::io::Error::other(failure)))?;
    Ok(atomic::write(path, &source::mark_png(bytes.into_inner()))?)
}

/// The part of an image's name that is valid in a folder name on every system: letters of every language are, while of
/// ASCII much is not.
fn slug(name: &str) -> String {
    let file = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let stem = file.rsplit_once('.').map_or(file, |(stem, _)| stem);
    // Accents may be characters of their own, beside letters; directions of writing and spaces without width may not.
    let is_accent = |c: char| ('\u{300}'..='\u{36F}').contains(&c);
    let safe = |c: char| match c.is_alphanumeric() || "-_.".contains(c) || is_accent(c) {
        true => c,
        false => '-',
    };
    let slug: String = stem.chars().take(40).map(safe).collect();
    slug.trim_end_matches('.').to_string()
}

#[cfg(test)]
mod tests {
    use super::slug;

    #[test]
    fn folders_keep_the_letters_of_every_language() {
        for (name, folder) in [
            ("Tiere/Kühe & Käfer.jpg", "Kühe---Käfer"),
            ("Ku\u{308}he.jpg", "Ku\u{308}he"),
            ("猫/子猫 1.png", "子猫-1"),
            ("a\\Ёж?.jpg", "Ёж-"),
            ("x\u{202E}gpj.exe", "x-gpj"),
            ("<b>&\"'.png", "-b----"),
            ("dots...jpg", "dots"),
        ] {
            assert_eq!(slug(name), folder, "{name:?}");
        }
    }
}
