//! The page that shows the explanations, in plain HTML.

use maud::{Markup, html};

use super::deconvnet::Stop;
use super::explained::Explained;
use crate::Model;
use crate::page::page;

pub(super) const INDEX: &str = "index.html";
pub(super) const FILTERS: &str = "filters.png";
pub(super) const PICTURE: &str = "picture.png";
pub(super) const GRAD_CAM: &str = "grad-cam.png";
pub(super) const PLUS_PLUS: &str = "grad-cam-plus-plus.png";
pub(super) const OCCLUSION: &str = "occlusion.png";
pub(super) const PROJECTION: &str = "projection.png";
/// Marks our pages.
pub(super) const GENERATOR: &str = "pelage explain";

const STYLE: &str = "
:root { color-scheme: light dark; --ink: #1d2126; --soft: #5d6671; --ground: #fbfbfa; --card: #fff; --line: #dfe2e5;
  --bar: #3a76a8 }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e7e9ec; --soft: #9aa4af; --ground: #15181b; --card: #1d2125; --line: #33393f; --bar: #6ba6d6 }
}
* { box-sizing: border-box }
body { margin: 0 auto; max-width: 76rem; padding: 1.5rem 1rem 4rem; background: var(--ground); color: var(--ink);
  font: 1rem/1.5 system-ui, sans-serif }
h1 { font-size: 1.5rem; margin: 0 0 .25rem } h2 { font-size: 1.15rem; margin: 0 0 .5rem; overflow-wrap: anywhere }
p { margin: 0 0 .75rem } .soft { color: var(--soft); font-size: .9rem }
section { background: var(--card); border: 1px solid var(--line); border-radius: .6rem; padding: 1rem;
  margin: 1.25rem 0 }
.views { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 8.5rem), 1fr)); gap: .9rem;
  margin: 1rem 0 }
figure { margin: 0 } figcaption { color: var(--soft); font-size: .85rem; margin-top: .35rem }
figcaption b { color: var(--ink) }
img { max-width: 100%; height: auto; display: block; border-radius: .3rem }
.views img { width: 100% } .sheet { overflow-x: auto; margin: .75rem 0 1.25rem }
.sheet img { max-width: none; background: #fff }
.classes { display: grid; grid-template-columns: max-content minmax(4rem, 16rem) max-content; gap: .2rem .75rem;
  align-items: center; margin: 0 0 .5rem; font-size: .95rem }
.classes i { display: block; height: .55rem; border-radius: .3rem; background: var(--bar); min-width: 1px }
details { border-top: 1px solid var(--line); padding: .6rem 0 } summary { cursor: pointer; font-weight: 600 }
.scale { height: .6rem; max-width: 16rem; border-radius: .3rem; margin-bottom: .3rem;
  background: linear-gradient(90deg, #000004, #3d0965, #8a226a, #d04545, #f98c0a, #f9c932, #fcffa4) }
li { overflow-wrap: anywhere }
";

/// The page until the real one is complete.
pub(super) fn unfinished() -> String {
    page(
        GENERATOR,
        "Not finished",
        "",
        &html! { p { "This page is not finished." } },
    )
}

/// The content of the page.
pub(super) struct Page<'a> {
    pub(super) model: &'a Model,
    pub(super) layer: &'a str,
    pub(super) sections: &'a [Section],
    /// All images; those that could not be read are listed.
    pub(super) explained: &'a [Explained],
    /// The channels that a data set excites most, with the files of their drawings.
    pub(super) channels: &'a [(usize, String)],
}

/// One image.
pub(super) struct Section {
    pub(super) path: String,
    /// The folder of its files.
    pub(super) folder: String,
    /// Width and height of the image shown.
    pub(super) size: (u32, u32),
    pub(super) class: String,
    pub(super) classes: Vec<(String, f32)>,
    pub(super) probability: f32,
    pub(super) least: f32,
    /// The files of heat maps that are zero everywhere.
    pub(super) unsupported: Vec<&'static str>,
    /// Layer, rows, columns and channels, and file of each sheet of feature maps.
    pub(super) maps: Vec<(String, [usize; 3], String)>,
}

impl Page<'_> {
    pub(super) fn html(&self) -> String {
        let facts = &self.model.facts;
        let side = &facts.preprocessing;
        let title = format!("What {} looks at", facts.architecture.name());
        let failed: Vec<_> = self
            .explained
            .iter()
            .filter_map(|one| Some((&one.path, one.error.as_ref()?)))
            .collect();
        let body = html! {
            header {
                h1 { (title) }
                p.soft {
                    "Pictures of " (side.width) " x " (side.height) " pixels; "
                    (facts.classes.len()) " classes: " (some(&facts.classes))
                    ". Heat maps and projections are of layer " b { (self.layer) } "."
                }
                div.scale role="img"
                    aria-label="Color scale from black through violet, red and orange to pale yellow" {}
                p.soft {
                    "Dark: does not matter. Bright: matters most. A map of Grad-CAM has a scale of its own; \
                     of occlusion, black is a place that costs nothing, and pale yellow one that costs all of \
                     the probability, in every picture."
                }
            }
            main {
                @if !failed.is_empty() { section {
                    h2 { "Could not be read" }
                    ul { @for (path, reason) in failed { li { b { (path) } ": " (reason) } } }
                } }
                @for section in self.sections { (section.html(self.layer, self.has_deconvnet())) }
                (self.network())
            }
        };
        page(GENERATOR, &title, STYLE, &body)
    }

    fn network(&self) -> Markup {
        let filters = sheet(FILTERS, "The weights of the first convolution as small pictures");
        let alt = |channel| format!("The pictures that excite channel {channel} of {} most", self.layer);
        let channels = html! {
            p.soft {
                "For each channel the pictures of the data set that excite it most, cut to what its peak sees, with \
                 its value (before a ReLU6, which would make many equal); below each, the projection of the peak "
                @if self.has_deconvnet() {
                    "by the deconvnet of Zeiler and Fergus, then by guided backpropagation, which says more where \
                     there is little pooling."
                } @else {
                    "by guided backpropagation. " (WITHOUT_POOLING)
                }
            }
            @for (channel, file) in self.channels { (sheet(file, &alt(*channel))) }
        };
        html! { section {
            h2 { "The whole network" }
            (details("Filters of the first layer", &filters))
            @if !self.channels.is_empty() {
                (details(&format!("Strongest channels of {} over the data set", self.layer), &channels))
            }
        } }
    }
}

/// Why there is no deconvnet.
const WITHOUT_POOLING: &str = "The deconvnet of Zeiler and Fergus is left out: it needs the positions of max-pooling, \
    and without it shows the same grid for every channel.";

impl Page<'_> {
    /// Whether projections of the deconvnet say anything about this layer.
    fn has_deconvnet(&self) -> bool {
        let graph = self.model.network.graph();
        let layer = graph.nodes().iter().position(|node| node.name == self.layer);
        layer.is_some_and(|layer| Stop::useful(graph, layer).contains(&Stop::Deconvnet))
    }
}

impl Section {
    fn html(&self, layer: &str, has_deconvnet: bool) -> Markup {
        let (class, (width, height)) = (&self.class, self.size);
        let percent = |probability: f32| format!("{:.1} %", 100.0 * probability);
        let (before, after) = (percent(self.probability), percent(self.least));
        let hiding = match self.probability - self.least > 0.001 {
            true => format!("what hiding it costs; at worst {class} falls from {before} to {after}"),
            false => format!("what hiding it costs; never more than 0.1 % of {class}"),
        };
        let whole = "as the network sees it, in its own proportions".to_string();
        let several = format!("the same, for several instances of {class}");
        let nothing = |file: &str, words: String| match self.unsupported.contains(&file) {
            true => format!("nothing: no part of {layer} supports {class}"),
            false => words,
        };
        let views = [
            (PICTURE, "Picture", whole),
            (
                GRAD_CAM,
                "Grad-CAM",
                nothing(GRAD_CAM, format!("what supports {class}")),
            ),
            (PLUS_PLUS, "Grad-CAM++", nothing(PLUS_PLUS, several)),
            (OCCLUSION, "Occlusion", hiding),
        ];
        let at = |file: &str| format!("{}/{file}", self.folder);
        let map = |(layer, [h, w, c], file): &(String, [usize; 3], String)| {
            let shape = format!("{layer}, {h} x {w} x {c}");
            let map = sheet(&at(file), &format!("Feature maps of {shape}, for {}", self.path));
            match self.maps.len() {
                1 => map,
                _ => details(&shape, &map),
            }
        };
        let projection = html! {
            (sheet(&at(PROJECTION), &format!("Projections of the strongest channels for {}", self.path)))
            @if !has_deconvnet { p.soft { (WITHOUT_POOLING) } }
        };
        html! { section {
            h2 { (self.path) }
            div.classes { @for (name, probability) in self.classes.iter().take(5) {
                span { (name) }
                i style=(format!("width:{:.1}%", 100.0 * probability)) {}
                span { (percent(*probability)) }
            } }
            div.views { @for (file, title, words) in views { figure {
                img src=(at(file)) width=(width) height=(height) alt={ (title) " of " (self.path) };
                figcaption { b { (title) } ": " (words) }
            } } }
            (details(&format!("What the strongest channels of {layer} see"), &projection))
            (details("Feature maps", &html! { @for one in &self.maps { (map(one)) } }))
        } }
    }
}

fn details(title: &str, content: &Markup) -> Markup {
    html! { details { summary { (title) } (content) } }
}

fn sheet(file: &str, alt: &str) -> Markup {
    html! { div.sheet { img src=(file) loading="lazy" alt=(alt); } }
}

/// The first few names, and the number of the rest.
fn some(names: &[String]) -> String {
    const MOST: usize = 8;
    let more = if names.len() > MOST {
        format!(" and {} more", names.len() - MOST)
    } else {
        String::new()
    };
    names[..names.len().min(MOST)].join(", ") + &more
}
