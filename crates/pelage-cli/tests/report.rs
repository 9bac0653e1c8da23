//! `pelage report` through the binary, without a browser.

use std::fs;

use common::{fail, succeed, trained};

mod common;

#[test]
fn a_report_has_every_part_and_says_what_is_missing() {
    let folder = tempfile::tempdir().unwrap();
    trained(folder.path(), 16, 8);
    let missing = fail(folder.path(), &["report", "run", "--out", "pages/first.html"], 1);
    assert!(missing.contains("no such folder"), "{missing}");
    fs::create_dir(folder.path().join("pages")).unwrap();
    let said = succeed(folder.path(), &["report", "run", "--out", "pages/first.html"]);
    assert!(said.contains("pages/first.html"), "{said}");
    let page = fs::read_to_string(folder.path().join("pages/first.html")).unwrap();
    for part in [
        "Confusion matrix",
        "ROC curve",
        "Reliability diagram",
        "temperature",
        "Top losses",
        "Likely label errors",
        "Called level, most certain",
        "Unreadable files",
        "learning_rate = 0.01",
    ] {
        assert!(page.contains(part), "{part}");
    }

    // A lone model file has no history; the images can be named.
    fs::copy(
        folder.path().join("run/best.safetensors"),
        folder.path().join("lone.safetensors"),
    )
    .unwrap();
    succeed(
        folder.path(),
        &["report", "lone.safetensors", "data/validation", "--out", "lone.html"],
    );
    assert!(
        fs::read_to_string(folder.path().join("lone.html"))
            .unwrap()
            .contains("no history beside this model")
    );

    // What flatters the accuracy stands beside it, not at the end.
    let head = |page: &str| page.split("Contents").next().unwrap().to_string();
    assert!(head(&page).contains("95 % interval") && head(&page).contains("most frequent class: 50.00 %"));
    assert!(!head(&page).contains("In training too") && !head(&page).contains("Balanced accuracy"));
    for i in 0..8 {
        let [from, to] = [
            format!("train/level/{i}.png"),
            format!("validation/level/again-{i}.png"),
        ];
        let data = folder.path().join("data");
        fs::copy(data.join(from), data.join(to)).unwrap();
    }
    succeed(folder.path(), &["report", "run", "data", "--out", "leak.html"]);
    let page = fs::read_to_string(folder.path().join("leak.html")).unwrap();
    assert!(head(&page).contains("In training too") && head(&page).contains("Balanced accuracy"));
    let said = succeed(folder.path(), &["evaluate", "run", "data"]);
    assert!(
        said.contains("95 % interval") && said.contains("always the most frequent class: accuracy 66.67 %"),
        "{said}"
    );
    assert!(said.contains("balanced accuracy of this model"), "{said}");

    fs::rename(folder.path().join("data"), folder.path().join("moved")).unwrap();
    let message = fail(folder.path(), &["report", "run"], 1);
    assert!(
        message.contains("data any more") && message.contains("DATA after the run"),
        "{message}"
    );
    let message = fail(folder.path(), &["report", "run", "nowhere"], 1);
    assert!(message.contains("nowhere"), "{message}");
    fs::create_dir_all(folder.path().join("other/horses")).unwrap();
    fs::copy(
        folder.path().join("moved/validation/level/0.png"),
        folder.path().join("other/horses/0.png"),
    )
    .unwrap();
    let message = fail(folder.path(), &["report", "run", "other"], 2);
    assert!(message.contains("horses"), "{message}");
}
