//! The pages that are written to files in a real browser, at phone and desktop size.

use std::path::Path;

use browser::Browser;
use common::{data, succeed};
use serde_json::json;

#[path = "common/browser.rs"]
mod browser;
mod common;

/// Faults of the page as it is laid out: figures without size or text, images that did not load, missing alternative
/// texts, a page wider than the screen.
const FAULTS: &str = r#"
const faults = [];
for (const details of document.querySelectorAll("details")) details.open = true;
for (const svg of document.querySelectorAll("svg")) {
  const box = svg.getBoundingClientRect();
  if (box.width < 100 || box.height < 80) faults.push(`a figure of ${box.width} x ${box.height}`);
  if (!svg.querySelector("text")?.textContent.trim()) faults.push("a figure without text");
  if (!svg.querySelector("title")?.textContent.trim()) faults.push("a figure without title");
}
for (const img of document.querySelectorAll("img")) {
  img.loading = "eager";
  if (!img.alt) faults.push("an image without alternative text");
}
for (const table of document.querySelectorAll("table"))
  if (!table.rows.length) faults.push("an empty table");
for (const link of document.querySelectorAll("a[href^='#']"))
  if (!document.getElementById(link.getAttribute("href").slice(1))) faults.push(`a link to nowhere: ${link.href}`);
const wide = document.documentElement.scrollWidth - document.documentElement.clientWidth;
if (wide > 0) faults.push(`${wide} pixels wider than the screen`);
return faults;
"#;

const UNLOADED: &str =
    "return [...document.images].filter((img) => !(img.complete && img.naturalWidth > 0)).map((img) => img.alt)";

/// Looks at `page` at two widths, in both color schemes.
fn look(browser: &Browser, page: &Path, name: &str) {
    for (width, height, scheme) in [(390, 844, "dark"), (1280, 900, "light")] {
        browser.screen(width, height, scheme);
        browser.open(&format!("file://{}", page.display()));
        assert_eq!(browser.run(FAULTS), json!([]), "{name} at {width}");
        // Lazy images load now.
        let mut unloaded = json!(null);
        for _ in 0..50 {
            unloaded = browser.run(UNLOADED);
            if unloaded == json!([]) {
                break;
            }
            std::thread::sleep(std::time::Duration::from_millis(100));
        }
        assert_eq!(unloaded, json!([]), "{name} at {width}");
        browser.screenshot(&format!("{name}-{width}-{scheme}.png"));
        assert_eq!(browser.complaints(), Vec::<String>::new(), "{name} at {width}");
    }
}

#[test]
fn pages_look_right_on_a_phone_and_on_a_desk() {
    let folder = tempfile::tempdir().unwrap();
    let Some(browser) = Browser::start(&folder.path().join("profile"), &[]) else {
        return;
    };
    data(folder.path(), 24, 12);
    // One label is wrong, one file unreadable, one image on both sides.
    let at = |path: &str| folder.path().join("data").join(path);
    std::fs::rename(at("validation/level/0.png"), at("validation/upright/wrong & <odd>.png")).unwrap();
    std::fs::write(at("validation/level/broken.png"), "no picture").unwrap();
    std::fs::copy(at("train/level/1.png"), at("validation/level/again.png")).unwrap();
    let train = [
        "train",
        "data",
        "--epochs",
        "3",
        "--image-size",
        "24",
        "--batch-size",
        "8",
        "--optimizer",
        "adam",
    ];
    let rest = ["--learning-rate", "0.003", "--ema-momentum", "0", "--out", "run"];
    succeed(folder.path(), &[&train[..], &rest].concat());

    succeed(folder.path(), &["report", "run", "--out", "report.html"]);
    let page = folder.path().join("report.html");
    look(&browser, &page, "report");
    let text = std::fs::read_to_string(&page).unwrap();
    for part in ["wrong &amp; &lt;odd&gt;.png", "broken.png", "again.png"] {
        assert!(text.contains(part), "{part}");
    }
    for outside in ["src=\"http", "href=\"http", "url(http", "@import"] {
        assert!(!text.contains(outside), "the page needs nothing else: {outside}");
    }

    // A click on a heading sorts: the table of the classes by their number of images, ascending and descending.
    let sorted = r##"
      const table = document.querySelector("#classes table");
      const press = () => table.tHead.rows[0].cells[1].querySelector("button").click();
      const column = () => [...table.tBodies[0].rows].map((row) => +row.cells[1].dataset.value);
      press();
      const up = column();
      press();
      return [up, column(), table.tHead.rows[0].cells[1].getAttribute("aria-sort")];
    "##;
    // 12 and one again, less one moved; 12 and one moved here.
    assert_eq!(browser.run(sorted), json!([[12, 13], [13, 12], "descending"]));

    let explain = [
        "explain",
        "run",
        "data/validation/level/1.png",
        "data/validation/upright/1.png",
    ];
    succeed(
        folder.path(),
        &[&explain[..], &["--dataset", "data", "--out", "explained"]].concat(),
    );
    look(&browser, &folder.path().join("explained/index.html"), "explain");

    let search = "search data --trials 12 --epochs 3 --image-size 16 --no-augmentation --confirm 1 --out search";
    succeed(folder.path(), &search.split(' ').collect::<Vec<_>>());
    let page = folder.path().join("search/search.html");
    look(&browser, &page, "search");
    let drawn = "return [\".parallel polyline\", \".bars progress\", \".slices circle\", \"tbody tr\"].map(\
                 (what) => document.querySelectorAll(what).length)";
    let drawn = browser.run(drawn);
    // A line and a row a trial, a bar for each of 14 settings, dots in each slice.
    assert_eq!([&drawn[0], &drawn[1], &drawn[3]], [12, 14, 12]);
    assert!(drawn[2].as_u64().unwrap() > 12 * 10, "{drawn}");
    let text = std::fs::read_to_string(&page).unwrap();
    for outside in ["src=\"http", "href=\"http", "url(http", "@import"] {
        assert!(!text.contains(outside), "the page needs nothing else: {outside}");
    }
}

/// What is cut off or covered: cells of tables, links of the contents, names below pictures.
const CUT: &str = r#"
const faults = [], width = document.documentElement.clientWidth;
if (document.documentElement.scrollWidth > width) faults.push("the page is wider than the screen");
for (const scroll of document.querySelectorAll(".scroll"))
  if (scroll.scrollWidth > scroll.clientWidth) {
    const words = scroll.textContent.trim().slice(0, 40);
    faults.push(`to be scrolled, ${scroll.scrollWidth} of ${scroll.clientWidth}: ${words}`);
  }
const parts = "nav a, table.confusion th, table.confusion td, figcaption, dl.tiles div";
for (const part of document.querySelectorAll(parts)) {
  if (!part.checkVisibility()) continue;
  const box = part.getBoundingClientRect();
  const isCut = part.scrollWidth > part.clientWidth + 1 && getComputedStyle(part).display !== "inline";
  if (box.left < 0 || box.right > width || isCut) faults.push(`cut: ${part.textContent.trim().slice(0, 60)}`);
}
return faults;
"#;

#[test]
fn a_report_on_five_classes_is_whole_on_a_desk() {
    let folder = tempfile::tempdir().unwrap();
    let Some(browser) = Browser::start(&folder.path().join("profile"), &[]) else {
        return;
    };
    let classes = [
        "Dama_dama",
        "Capreolus capreolus",
        "Nyctereutes procyonoides viverrinus",
        "Sus scrofa",
        "Vulpes",
    ];
    for (at, class) in classes.iter().enumerate() {
        for (part, count) in [("train", 6), ("validation", 12)] {
            let at_class = folder.path().join("data").join(part).join(class);
            std::fs::create_dir_all(&at_class).unwrap();
            for i in 0..count {
                let seed = 1000 * at as u64 + i + if part == "train" { 500 } else { 0 };
                let name = format!("{i}-a_long_name_without_any_place_to_break_it_{at}.png");
                common::stripes(at % 2, seed, 24).save(at_class.join(name)).unwrap();
            }
        }
    }
    let train = "train data --image-size 24 --epochs 1 --out run";
    succeed(folder.path(), &train.split(' ').collect::<Vec<_>>());
    succeed(folder.path(), &["report", "run", "--out", "report.html"]);
    let page = folder.path().join("report.html");
    look(&browser, &page, "report-five");
    browser.screen(1280, 900, "light");
    browser.open(&format!("file://{}", page.display()));
    assert_eq!(browser.run(CUT), json!([]));
    let columns = browser.run("return document.querySelectorAll('table.confusion thead th').length");
    assert_eq!(columns, 6);
    // Below a picture stands which it is: names of files recur in classes.
    let named = "return [...document.querySelectorAll('.gallery figcaption')].every(\
                 (caption) => /\\/[^/]+-a_long_name_without_any_place_to_break_it_[0-4].png$/.test(\
                 caption.innerText.trim()))";
    assert_eq!(browser.run(named), true);
    let first = browser.run("return document.querySelector('.gallery figcaption').innerText");
    assert!(first.as_str().unwrap().contains("\nvalidation/"), "{first}");
}
