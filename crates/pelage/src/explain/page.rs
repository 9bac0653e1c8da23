//! The page that shows what has been found, in plain HTML.

use super::folder::Explained;
use crate::bundle::Model;
use crate::report::markup::escaped;

pub(super) const INDEX: &str = "index.html";
pub(super) const FILTERS: &str = "filters.png";
pub(super) const PICTURE: &str = "picture.png";
pub(super) const GRAD_CAM: &str = "grad-cam.png";
pub(super) const PLUS_PLUS: &str = "grad-cam-plus-plus.png";
pub(super) const OCCLUSION: &str = "occlusion.png";
pub(super) const PROJECTION: &str = "projection.png";
/// Tells our pages from others.
pub(super) const MARK: &str = "<meta name=\"generator\" content=\"pelage explain\">";

const STYLE: &str = "
:root { color-scheme: light dark; --ink: #1d2126; --soft: #5d6671; --ground: #fbfbfa; --card: #fff; --line: #dfe2e5; --bar: #3a76a8 }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e7e9ec; --soft: #9aa4af; --ground: #15181b; --card: #1d2125; --line: #33393f; --bar: #6ba6d6 }
}
* { box-sizing: border-box }
body { margin: 0 auto; max-width: 76rem; padding: 1.5rem 1rem 4rem; background: var(--ground); color: var(--ink);
  font: 1rem/1.5 system-ui, sans-serif }
h1 { font-size: 1.5rem; margin: 0 0 .25rem } h2 { font-size: 1.15rem; margin: 0 0 .5rem; overflow-wrap: anywhere }
p { margin: 0 0 .75rem } .soft { color: var(--soft); font-size: .9rem }
section { background: var(--card); border: 1px solid var(--line); border-radius: .6rem; padding: 1rem; margin: 1.25rem 0 }
.views { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 8.5rem), 1fr)); gap: .9rem; margin: 1rem 0 }
figure { margin: 0 } figcaption { color: var(--soft); font-size: .85rem; margin-top: .35rem } figcaption b { color: var(--ink) }
img { max-width: 100%; height: auto; display: block; border-radius: .3rem }
.views img { width: 100% } .sheet { overflow-x: auto; margin: .75rem 0 1.25rem } .sheet img { max-width: none; background: #fff }
.classes { display: grid; grid-template-columns: max-content minmax(4rem, 16rem) max-content; gap: .2rem .75rem; align-items: center;
  margin: 0 0 .5rem; font-size: .95rem }
.classes i { display: block; height: .55rem; border-radius: .3rem; background: var(--bar); min-width: 1px }
details { border-top: 1px solid var(--line); padding: .6rem 0 } summary { cursor: pointer; font-weight: 600 }
.scale { height: .6rem; max-width: 16rem; border-radius: .3rem; margin-bottom: .3rem;
  background: linear-gradient(90deg, #000004, #3d0965, #8a226a, #d04545, #f98c0a, #f9c932, #fcffa4) }
li { overflow-wrap: anywhere }
";

/// What stands in the page's place until it is done.
pub(super) fn unfinished() -> String {
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n{MARK}\n<title>Not finished</title>\n<p>This page is not finished.</p>\n</html>\n"
    )
}

/// All that the page shows.
pub(super) struct Page<'a> {
    pub(super) model: &'a Model,
    pub(super) layer: &'a str,
    pub(super) sections: &'a [Section],
    /// Those of them that could not be read are listed.
    pub(super) explained: &'a [Explained],
    /// The channels that a data set excites most, and where they are drawn.
    pub(super) channels: &'a [(usize, String)],
}

/// One picture.
pub(super) struct Section {
    pub(super) path: String,
    /// Where its files are.
    pub(super) folder: String,
    /// Width and height of the picture shown.
    pub(super) size: (u32, u32),
    pub(super) class: String,
    pub(super) classes: Vec<(String, f32)>,
    pub(super) probability: f32,
    pub(super) least: f32,
    /// Layer, rows, columns and channels, and file of each sheet of feature maps.
    pub(super) maps: Vec<(String, [usize; 3], String)>,
}

impl Page<'_> {
    pub(super) fn html(&self) -> String {
        let facts = &self.model.facts;
        let (side, name) = (&facts.preprocessing, facts.architecture.name());
        let mut html = format!(
            "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n{MARK}\n\
             <title>What {name} looks at</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<header>\n\
             <h1>What {name} looks at</h1>\n\
             <p class=\"soft\">Pictures of {} x {} pixels; {} classes: {}. Heat maps and projections are of layer <b>{}</b>.</p>\n\
             <div class=\"scale\" role=\"img\" aria-label=\"Color scale from black through violet, red and orange to pale yellow\"></div>\n\
             <p class=\"soft\">Dark: does not matter. Bright: matters most. Each heat map has its own scale.</p>\n</header>\n<main>\n",
            side.width,
            side.height,
            facts.classes.len(),
            escaped(&some(&facts.classes)),
            escaped(self.layer),
        );
        let failed: Vec<_> = self
            .explained
            .iter()
            .filter_map(|one| Some((&one.path, one.error.as_ref()?)))
            .collect();
        if !failed.is_empty() {
            html += "<section>\n<h2>Could not be read</h2>\n<ul>\n";
            for (path, reason) in failed {
                html += &format!("<li><b>{}</b>: {}</li>\n", escaped(path), escaped(reason));
            }
            html += "</ul>\n</section>\n";
        }
        self.sections
            .iter()
            .for_each(|section| html += &section.html(self.layer));
        html += "<section>\n<h2>The whole network</h2>\n";
        html += &details(
            "Filters of the first layer",
            &sheet(FILTERS, "The weights of the first convolution as small pictures"),
        );
        if !self.channels.is_empty() {
            let words = "<p class=\"soft\">For each channel the pictures of the data set that excite it most, cut to what its \
                         strongest number sees, with that number; below each, what comes back of it: by the deconvnet of Zeiler \
                         and Fergus, then by guided backpropagation, which says more where there is little pooling.</p>\n";
            let alt = |channel| format!("The pictures that excite channel {channel} of {} most", self.layer);
            let sheets = self.channels.iter().map(|(channel, file)| sheet(file, &alt(*channel)));
            html += &details(
                &format!("Strongest channels of {} over the data set", self.layer),
                &(words.to_string() + &sheets.collect::<String>()),
            );
        }
        html + "</section>\n</main>\n</body>\n</html>\n"
    }
}

impl Section {
    fn html(&self, layer: &str) -> String {
        let (path, class) = (escaped(&self.path), escaped(&self.class));
        let percent = |probability: f32| format!("{:.1} %", 100.0 * probability);
        let mut html = format!("<section>\n<h2>{path}</h2>\n<div class=\"classes\">\n");
        for (name, probability) in self.classes.iter().take(5) {
            html += &format!(
                "<span>{}</span><i style=\"width:{:.1}%\"></i><span>{}</span>\n",
                escaped(name),
                100.0 * probability,
                percent(*probability)
            );
        }
        html += "</div>\n<div class=\"views\">\n";
        let hiding = match self.probability - self.least > 0.001 {
            true => format!(
                "what hiding it costs; at worst {class} falls from {} to {}",
                percent(self.probability),
                percent(self.least)
            ),
            false => format!("what hiding it costs; never more than 0.1 % of {class}"),
        };
        let views = [
            (
                PICTURE,
                "Picture",
                "as the network sees it, in its own proportions".to_string(),
            ),
            (GRAD_CAM, "Grad-CAM", format!("what speaks for {class}")),
            (
                PLUS_PLUS,
                "Grad-CAM++",
                format!("the same, where {class} may be there more than once"),
            ),
            (OCCLUSION, "Occlusion", hiding),
        ];
        for (file, title, words) in views {
            let (folder, (width, height)) = (&self.folder, self.size);
            html += &format!(
                "<figure><img src=\"{folder}/{file}\" width=\"{width}\" height=\"{height}\" alt=\"{title} of {path}\">\
                 <figcaption><b>{title}</b>: {words}</figcaption></figure>\n"
            );
        }
        html += "</div>\n";
        let at = |file: &str| format!("{}/{file}", self.folder);
        html += &details(
            &format!("What the strongest channels of {layer} see"),
            &sheet(&at(PROJECTION), &format!("Deconvnet projections of {}", self.path)),
        );
        let maps = self.maps.iter().map(|(layer, [h, w, c], file)| {
            let map = sheet(
                &at(file),
                &format!("Feature maps of {layer}, {h} x {w} x {c}, for {}", self.path),
            );
            match self.maps.len() {
                1 => map,
                _ => details(&format!("{layer}, {h} x {w} x {c}"), &map),
            }
        });
        html += &details("Feature maps", &maps.collect::<String>());
        html + "</section>\n"
    }
}

fn details(title: &str, content: &str) -> String {
    format!(
        "<details>\n<summary>{}</summary>\n{content}</details>\n",
        escaped(title)
    )
}

fn sheet(file: &str, alt: &str) -> String {
    format!(
        "<div class=\"sheet\"><img src=\"{file}\" loading=\"lazy\" alt=\"{}\"></div>\n",
        escaped(alt)
    )
}

/// The first few names, and how many more there are.
fn some(names: &[String]) -> String {
    const MOST: usize = 8;
    let more = if names.len() > MOST {
        format!(" and {} more", names.len() - MOST)
    } else {
        String::new()
    };
    names[..names.len().min(MOST)].join(", ") + &more
}
