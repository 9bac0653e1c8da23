//! The page of `pelage serve` as a person uses it, in a real browser.

use std::fs;
use std::path::Path;

use browser::Browser;
use common::{data, stripes, succeed, trained};
use look::{TABLE, answers, choose_language, look};
use serde_json::{Value, json};
use server::Server;

#[path = "common/browser.rs"]
mod browser;
mod common;
#[path = "common/look.rs"]
mod look;
#[path = "common/server.rs"]
mod server;

const TAB: &str = "\u{E004}";
const ENTER: &str = "\u{E007}";

/// The answer that is shown for a picture, with its probability.
fn shown(browser: &Browser, name: &str) -> Value {
    browser.run(&format!(
        "const all = [...document.querySelectorAll('#results > li')]; \
         const one = all.find((li) => li.querySelector('.name').firstChild.data === {}); \
         return [one.querySelector('.answer').textContent, one.querySelector('.share').textContent]",
        json!(name)
    ))
}

fn expected(folder: &Path, picture: &str) -> Value {
    let told: Value = serde_json::from_str(&succeed(folder, &["predict", "run", picture, "--json"])).unwrap();
    let [class, share] = [0, 1].map(|at| told[0]["classes"][0][at].clone());
    json!([class, format!("{:.1} %", 100.0 * share.as_f64().unwrap())])
}

#[test]
fn a_person_tries_a_model_and_watches_a_run() {
    let folder = tempfile::tempdir().unwrap();
    let camera = [
        "--use-fake-device-for-media-stream",
        "--use-fake-ui-for-media-stream",
        "--lang=en",
    ];
    let Some(browser) = Browser::start(&folder.path().join("profile"), &camera) else {
        return;
    };
    let at = |path: &str| folder.path().join(path);
    data(folder.path(), 16, 8);
    let train = [
        "train",
        "data",
        "--epochs",
        "2",
        "--image-size",
        "24",
        "--batch-size",
        "8",
        "--patience",
        "0",
        "--out",
    ];
    succeed(folder.path(), &[&train[..], &["run"]].concat());
    fs::create_dir(at("runs")).unwrap();
    succeed(folder.path(), &[&train[..], &["runs/one"]].concat());
    succeed(folder.path(), &["report", "runs/one", "--out", "runs/one/report.html"]);
    stripes(1, 7, 60).save(at("level.png")).unwrap();
    fs::write(at("=broken,\"odd\".png"), "no picture").unwrap();
    let server = Server::start(folder.path(), &["run", "runs", "--collect", "corrections"]);
    let address = format!("http://{}/", server.address);

    browser.screen(1280, 900, "light");
    browser.open(&address);
    browser.wait("return document.querySelector('#try-title')?.textContent === 'What does run see?'");
    look(&browser, "serve-empty");
    assert_eq!(browser.complaints(), Vec::<String>::new());
    let sizes = "return performance.getEntries().reduce((sum, entry) => sum + (entry.transferSize ?? 0), 0)";
    let bytes = browser.run(sizes).as_f64().unwrap();
    assert!(
        bytes > 10_000.0 && bytes < 150_000.0,
        "the first view takes {bytes} bytes"
    );
    let hosts =
        "return [...new Set(performance.getEntriesByType('resource').map((entry) => new URL(entry.name).host))]";
    assert_eq!(browser.run(hosts), json!([server.address]), "nothing from elsewhere");

    // Chosen, pasted, dropped, photographed; one is broken.
    let chosen = [at("level.png"), at("=broken,\"odd\".png")].map(|path| path.display().to_string());
    browser.enter("#files", &chosen.join("\n"));
    answers(&browser, 2);
    assert_eq!(shown(&browser, "level.png"), expected(folder.path(), "level.png"));
    let refused = browser.run("return document.querySelector('#results .bad').textContent");
    assert!(refused.as_str().unwrap().starts_with("not a picture"), "{refused}");
    let hand_over = |event: &str| {
        format!(
            "const canvas = document.createElement('canvas'); canvas.getContext('2d').fillRect(5, 5, 50, 40); \
             canvas.toBlob((blob) => {{ const data = new DataTransfer(); \
             data.items.add(new File([blob], '{event}.png', {{ type: 'image/png' }})); document.dispatchEvent({}) }})",
            match event {
                "paste" => "new ClipboardEvent('paste', { clipboardData: data })",
                _ => "new DragEvent('drop', { dataTransfer: data, cancelable: true })",
            }
        )
    };
    browser.run(&hand_over("paste"));
    answers(&browser, 3);
    browser.run(&hand_over("drop"));
    answers(&browser, 4);
    browser.click("#photo");
    browser.wait("return !document.querySelector('#shoot').disabled");
    browser.screenshot("serve-camera.png");
    browser.click("#shoot");
    answers(&browser, 5);

    // What it looks at, by keyboard alone: Tab reaches everything, Enter presses.
    browser.run("document.querySelector('#main').focus()");
    let mut reached = Vec::new();
    for _ in 0..40 {
        browser.press(TAB);
        let focused =
            browser.run("const at = document.activeElement; return at.id || at.dataset.key || at.textContent");
        reached.push(focused.as_str().unwrap().to_string());
        if reached.last().is_some_and(|key| key == "heat-run") {
            break;
        }
    }
    for id in ["choose", "photo", "csv", "clear", "remove", "heat-run"] {
        assert!(reached.iter().any(|key| key == id), "{id}: {reached:?}");
    }
    browser.press(ENTER);
    browser.wait("return document.querySelector('#results img.heat')?.naturalWidth === 24");
    let focused = browser.run("return document.activeElement.dataset.key");
    assert_eq!(focused, "heat-run", "the focus stays where it was");
    browser.press(TAB);
    browser.press(TAB);
    for _ in 0..3 {
        // To the right.
        browser.press("\u{E014}");
    }
    assert_eq!(
        browser.run("return document.querySelector('img.heat').style.opacity"),
        "0.63"
    );
    browser.wait("return document.querySelector('#results > li:last-child .frame img')?.naturalWidth === 60");

    // Layer by layer.
    browser.click("#results > li .says .buttons button:last-child");
    browser.wait("return document.querySelector('#layers img').alt.startsWith('conv1')");
    browser.click("#layer-next");
    browser.wait("return document.querySelector('#layers img').alt.startsWith('pool1')");
    browser.screenshot("serve-layers.png");
    browser.click("#layers [data-close]");

    // What it really is, and what it is after all.
    for (button, class, others) in [(1, "level", "upright"), (2, "upright", "level")] {
        browser.click(&format!("#results > li:last-child .below button:nth-child({button})"));
        let held = |class: &str| fs::read_dir(at("corrections").join(class)).map_or(0, Iterator::count);
        for _ in 0..200 {
            if (held(class), held(others)) == (1, 0) {
                break;
            }
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
        assert_eq!(
            (held(class), held(others)),
            (1, 0),
            "a picture is one of one class: {class}"
        );
    }
    browser.wait("return document.querySelector('#results > li:last-child .below > p:last-child.quiet')");

    // The history as a table.
    browser.run(TABLE);
    browser.click("#csv");
    let table = browser.wait("return window.table");
    let lines: Vec<_> = table.as_str().unwrap().lines().collect();
    assert_eq!((lines.len(), lines[0].split(',').count()), (6, 7), "{lines:#?}");
    assert!(
        lines[2].starts_with("\"'=broken,\"\"odd\"\".png\",\"run\",\"\""),
        "{}",
        lines[2]
    );
    assert!(lines[0].contains("probability of level"), "{}", lines[0]);
    look(&browser, "serve-pictures");

    browser.click("nav a[href='#model']");
    browser.run("for (const details of document.querySelectorAll('details')) details.open = true");
    browser.wait("return document.querySelector('#cards .white img')?.naturalWidth > 100");
    assert_eq!(
        browser.run("return document.querySelectorAll('#cards svg.chart path').length"),
        4
    );
    look(&browser, "serve-model");
    browser.click("nav a[href='#api']");
    browser.wait("return document.querySelectorAll('#routes article').length > 8");
    look(&browser, "serve-api");
    browser.click("nav a[href='#runs']");
    browser.wait("return document.querySelectorAll('#run-list article').length === 1");
    look(&browser, "serve-runs");

    // Another process trains; its curves grow by themselves.
    let more = [
        "train",
        "data",
        "--epochs",
        "3",
        "--image-size",
        "24",
        "--patience",
        "0",
        "--out",
        "runs/two",
    ];
    succeed(folder.path(), &more);
    browser.wait("return document.querySelectorAll('#run-list article').length === 2");
    browser.run("location.hash = 'runs/two'");
    for words in ["Epoch 3 of 3", "finished"] {
        browser.wait(&format!(
            "return document.querySelector('#run-list dl')?.textContent.includes('{words}')"
        ));
    }
    let counts = "return [...document.querySelectorAll('#run-list .confusion td')].map((cell) => +cell.textContent)";
    let counts: Vec<u64> = serde_json::from_value(browser.run(counts)).unwrap();
    assert_eq!(
        (counts.len(), counts.iter().sum::<u64>()),
        (4, 16),
        "all of the validation part: {counts:?}"
    );
    look(&browser, "serve-run");
    let (status, report) = server.get("/api/runs/report?run=one");
    assert!(status == 200 && String::from_utf8_lossy(&report).contains("</html>"));
    assert_eq!(server.get("/api/runs/report?run=..").0, 404);

    // The browser itself reports the refused picture, and nothing else.
    let complaints = browser.complaints();
    assert!(complaints.iter().all(|one| one.contains("422")), "{complaints:#?}");
}

#[test]
fn a_token_is_asked_for_and_taken_from_the_address() {
    let folder = tempfile::tempdir().unwrap();
    let Some(browser) = Browser::start(&folder.path().join("profile"), &["--lang=en"]) else {
        return;
    };
    trained(folder.path(), 8, 8);
    let server = Server::start(folder.path(), &["run", "--token", "correct-horse"]);
    let address = format!("http://{}/", server.address);
    browser.open(&address);
    browser.wait("return !document.querySelector('#token').hidden");
    browser.enter("#token input", "wrong-horse");
    browser.press(ENTER);
    browser.wait("return !document.querySelector('#token [role=alert]').hidden");
    browser.run("document.querySelector('#token input').value = ''");
    browser.enter("#token input", "correct-horse");
    browser.press(ENTER);
    browser.wait("return document.querySelector('#try-title').textContent");

    stripes(1, 7, 60).save(folder.path().join("level.png")).unwrap();
    browser.enter("#files", &folder.path().join("level.png").display().to_string());
    answers(&browser, 1);
    look(&browser, "serve-token");

    browser.run("sessionStorage.clear()");
    browser.open("about:blank");
    browser.open(&format!("{address}#token=correct-horse"));
    browser.wait("return document.querySelector('#try-title').textContent");
    assert_eq!(
        browser.run("return location.href"),
        address,
        "it does not stay in the address"
    );
}

#[test]
fn two_classes_are_taught_tried_and_taken_away() {
    let folder = tempfile::tempdir().unwrap();
    let Some(browser) = Browser::start(&folder.path().join("profile"), &["--lang=en"]) else {
        return;
    };
    let server = Server::start(folder.path(), &["--teach=resnet18", "--weights", "random"]);
    browser.screen(1280, 900, "light");
    browser.open(&format!("http://{}/", server.address));
    browser.wait("return document.querySelectorAll('#classes li').length === 2");
    assert_eq!(browser.run("return document.querySelector('#learn').disabled"), true);
    for (class, name) in ["upright", "level"].iter().enumerate() {
        browser.enter(&format!("#class-{class}"), name);
        let paths: Vec<_> = (0..8)
            .map(|i| {
                let path = folder.path().join(format!("{name}-{i}.png"));
                stripes(class, i, 40).save(&path).unwrap();
                path.display().to_string()
            })
            .collect();
        let input = format!("#classes > li:nth-child({}) input[type=file]", class + 1);
        browser.enter(&input, &paths.join("\n"));
        browser.wait(&format!(
            "return document.querySelectorAll('#classes > li:nth-child({}) .thumbnails img').length === 8",
            class + 1
        ));
    }
    look(&browser, "serve-teach");
    browser.click("#learn");
    browser.wait("return !document.querySelector('#taught').hidden");
    browser.enter(
        "#taught-input",
        &folder.path().join("level-1.png").display().to_string(),
    );
    browser.wait("return document.querySelector('#taught-answer .answer')");
    look(&browser, "serve-taught");
    assert_eq!(browser.complaints(), Vec::<String>::new());

    // What is taken away is a model as any other, and says the same.
    let (status, bytes) = server.get("/api/teach/model");
    assert_eq!(status, 200);
    fs::write(folder.path().join("taught.safetensors"), bytes).unwrap();
    let told = succeed(
        folder.path(),
        &["predict", "taught.safetensors", "level-1.png", "--json"],
    );
    let told: Value = serde_json::from_str(&told).unwrap();
    let shown = browser.run("return document.querySelector('#taught-answer .answer').textContent");
    assert_eq!(told[0]["classes"][0][0], shown);
}

#[test]
fn a_search_is_watched_as_it_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let Some(browser) = Browser::start(&folder.path().join("profile"), &["--lang=en"]) else {
        return;
    };
    data(folder.path(), 16, 8);
    let begin = "search data --trials 3 --epochs 3 --image-size 16 --no-augmentation --out searches/one";
    succeed(folder.path(), &begin.split(' ').collect::<Vec<_>>());
    let server = Server::start(folder.path(), &["searches"]);
    browser.screen(1280, 900, "light");
    browser.open(&format!("http://{}/", server.address));
    // It is what there is to see.
    browser.wait("return document.querySelectorAll('#search-list article').length === 1");
    assert_eq!(browser.run("return document.querySelector('#searches').hidden"), false);
    look(&browser, "serve-searches");
    browser.click("#search-list article a");
    let lines = |count: usize| {
        browser.wait(&format!(
            "return document.querySelectorAll('#search-part .parallel polyline').length === {count}"
        ));
    };
    lines(3);
    // Another process goes on with it; the figures grow by themselves, and stay where they were scrolled to.
    browser.run("document.querySelector('#search-part .wide:has(.parallel)').scrollLeft = 40");
    let more = "search --resume searches/one --trials 14";
    succeed(folder.path(), &more.split(' ').collect::<Vec<_>>());
    lines(14);
    browser.wait("return document.querySelectorAll('#search-part .bars progress').length === 14");
    browser.wait("return document.querySelector('#search-list dl').textContent.includes('finished')");
    let scrolled = "return document.querySelector('#search-part .wide:has(.parallel)').scrollLeft";
    assert_eq!(browser.run(scrolled), 40);
    let slices = browser.run("return document.querySelectorAll('#search-part .slices circle').length");
    assert!(slices.as_u64().unwrap() > 14 * 10, "{slices}");
    // What its best settings come to with another seed is told as well; fixed texts in either language.
    let again = "search --resume searches/one --confirm 1";
    succeed(folder.path(), &again.split(' ').collect::<Vec<_>>());
    browser
        .wait("return document.querySelector('#search-part').textContent.includes('Trained again with another seed')");
    choose_language(&browser, "zh");
    let headings = "return [...document.querySelectorAll('#search-part h2')].map((one) => one.textContent).join()";
    assert_eq!(browser.run(headings), "最佳试验,目前最佳,平行坐标,什么最重要,切面");
    look(&browser, "serve-search");
    for (width, scheme) in [(360, "dark"), (360, "light"), (1600, "dark"), (1600, "light")] {
        browser.screen(width, 1000, scheme);
        for part in ["section:nth-of-type(2)", ".slices"] {
            browser.run(&format!(
                "document.querySelector('#search-part {part}').scrollIntoView()"
            ));
            let name = part
                .trim_matches(|one: char| !one.is_alphabetic())
                .split(':')
                .next()
                .unwrap_or_default();
            browser.screenshot(&format!("serve-search-{name}-{width}-{scheme}.png"));
        }
    }
    browser.click("#search-list a");
    browser.wait(
        "return document.querySelectorAll('#search-list article').length === 1 && \
                  document.querySelector('#search-part').childElementCount === 0",
    );
    assert_eq!(browser.complaints(), Vec::<String>::new());
}
