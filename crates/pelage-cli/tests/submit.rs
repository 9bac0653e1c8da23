//! `pelage submit`: files that Kaggle would accept, and none that it would not.

mod common;

use std::fs;
use std::io::Write;
use std::path::Path;

use common::{data, fail, stripes, succeed};

/// A run, and a test set of three images.
fn prepared() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    data(folder.path(), 20, 8);
    let train = ["train", "data", "--epochs", "1", "--image-size", "24", "--out", "run"];
    succeed(folder.path(), &train);
    let test = folder.path().join("test");
    fs::create_dir(&test).unwrap();
    for i in [10, 9, 1] {
        stripes(i % 2, i as u64, 24)
            .save(test.join(format!("{i}.png")))
            .unwrap();
    }
    folder
}

fn lines(folder: &Path, file: &str) -> Vec<String> {
    let text = fs::read_to_string(folder.join(file)).unwrap();
    text.lines().map(String::from).collect()
}

fn numbers(line: &str) -> Vec<f64> {
    line.split(',').skip(1).map(|field| field.parse().unwrap()).collect()
}

#[test]
fn every_image_of_a_zip_has_its_line_in_numeric_order() {
    let folder = prepared();
    let folder = folder.path();
    let mut zip = zip::ZipWriter::new(fs::File::create(folder.join("test1.zip")).unwrap());
    for name in ["10.png", "9.png", "1.png"] {
        let stored = zip::write::SimpleFileOptions::default();
        zip.start_file(format!("test1/{name}"), stored).unwrap();
        zip.write_all(&fs::read(folder.join("test").join(name)).unwrap())
            .unwrap();
    }
    zip.start_file("test1/readme.txt", zip::write::SimpleFileOptions::default())
        .unwrap();
    zip.finish().unwrap();
    let said = succeed(folder, &["submit", "run", "test1.zip"]);
    assert!(
        said.contains("submission.csv: 3 pictures") && said.contains("upright"),
        "{said}"
    );
    let zipped = lines(folder, "submission.csv");
    let ids: Vec<_> = zipped.iter().map(|line| line.split(',').next().unwrap()).collect();
    assert_eq!(ids, ["id", "1", "9", "10"]);
    assert_eq!(zipped[0], "id,label");
    // Once more is no loss; a table of one's own would be.
    succeed(folder, &["submit", "run", "test1.zip"]);
    fs::write(folder.join("mine.csv"), "path,label\n1.png,cat\n").unwrap();
    let refused = fail(folder, &["submit", "run", "test", "--out", "mine.csv"], 2);
    assert!(refused.contains("with these columns"), "{refused}");

    // The probability is that of `predict`, for the second class, within the clip.
    let csv = ["predict", "run", "test", "--csv", "predictions.csv"];
    succeed(folder, &csv);
    succeed(folder, &["submit", "run", "test", "--clip", "0", "--out", "a.csv"]);
    for (line, predicted) in lines(folder, "a.csv")[1..]
        .iter()
        .zip(&lines(folder, "predictions.csv")[1..])
    {
        let upright: f64 = predicted.rsplit(',').next().unwrap().parse().unwrap();
        assert!((numbers(line)[0] - upright).abs() < 1e-6, "{line}: {predicted}");
    }
    succeed(
        folder,
        &[
            "submit",
            "run",
            "test",
            "--positive",
            "level",
            "--clip=0",
            "--out",
            "b.csv",
        ],
    );
    for (a, b) in lines(folder, "a.csv")[1..].iter().zip(&lines(folder, "b.csv")[1..]) {
        assert!((numbers(a)[0] + numbers(b)[0] - 1.0).abs() < 1e-6);
    }
    succeed(folder, &["submit", "run", "test", "--clip", "0.4999", "--out", "c.csv"]);
    assert!(
        lines(folder, "c.csv")[1..]
            .iter()
            .all(|line| (numbers(line)[0] - 0.5).abs() < 0.001)
    );
    succeed(folder, &["submit", "run", "test", "--label", "class", "--out", "d.csv"]);
    let named = |line: &String| line.ends_with(",level") || line.ends_with(",upright");
    assert!(lines(folder, "d.csv")[1..].iter().all(named));
}

#[test]
fn unknown_images_get_even_probabilities() {
    let folder = prepared();
    let folder = folder.path();
    succeed(folder, &["calibrate", "run"]);
    let said = succeed(folder, &["submit", "run", "test", "--reject", "1"]);
    // Too few validation pictures for another temperature than 1, which changes nothing.
    assert!(said.contains("3 unknown") && !said.contains("temperature"), "{said}");
    assert_eq!(lines(folder, "submission.csv")[1..], ["1,0.5", "9,0.5", "10,0.5"]);
    let json: serde_json::Value = serde_json::from_str(&succeed(folder, &["submit", "run", "test", "--json"])).unwrap();
    assert_eq!((&json["pictures"], &json["unknown"]), (&3.into(), &0.into()));
    assert_eq!(json["temperature"], 1.0);
}

#[test]
fn a_template_gives_ids_order_and_columns() {
    let folder = prepared();
    let folder = folder.path();
    let template = |text: &str| fs::write(folder.join("sample.csv"), text).unwrap();
    let submit = ["submit", "run", "test", "--sample", "sample.csv"];

    template("\u{FEFF}image,upright,level\r\n9.png,0,0\r\n\r\n10.png,0,0\r\n1.png,0,0\r\n");
    succeed(folder, &submit);
    let written = lines(folder, "submission.csv");
    assert_eq!(written[0], "image,upright,level");
    assert!(written[1].starts_with("9.png,") && written[3].starts_with("1.png,"));
    for line in &written[1..] {
        assert!((numbers(line).iter().sum::<f64>() - 1.0).abs() < 1e-6, "{line}");
    }
    template("name,what\n1,level\n9,level\n10,level\n");
    succeed(folder, &[&submit[..], &["--force"]].concat());
    let written = lines(folder, "submission.csv");
    assert_eq!(written[0], "name,what");
    assert!(
        written[1..]
            .iter()
            .all(|line| line.ends_with(",level") || line.ends_with(",upright"))
    );
    fs::remove_file(folder.join("submission.csv")).unwrap();

    let refused = |text: &str, word: &str| {
        template(text);
        let said = fail(folder, &submit, 2);
        assert!(said.contains(word), "{text:?}: {said}");
        assert!(!folder.join("submission.csv").exists());
    };
    refused("id,label\n1,0\n9,0\n", "10.png");
    refused("id,label\n1,0\n9,0\n10,0\n11,0\n", "\n  11");
    refused("id,label\n1,0\n1,0\n9,0\n10,0\n", "duplicated");
    refused("id,a,b\n1,0,0\n9,0,0\n10,0,0\n", "level, upright");
    refused("id;label\n1;0\n", "understood");
    refused("", "no line");
    refused(
        "id,label\n1,Level\n9,Upright\n10,Level\n",
        "Level, Upright; the model has level, upright",
    );
    stripes(0, 1, 24).save(folder.join("test/1.jpg")).unwrap();
    refused("id,label\n1,0\n9,0\n10,0\n", "1: 1.jpg, 1.png");
}

#[test]
fn what_kaggle_would_refuse_is_not_written() {
    let folder = prepared();
    let folder = folder.path();
    let refused = |more: &[&str], code: i32, word: &str| {
        let said = fail(folder, &[&["submit", "run", "test"], more].concat(), code);
        assert!(said.contains(word), "{more:?}: {said}");
        assert!(!folder.join("submission.csv").exists());
    };
    for clip in ["0.5", "-0.1", "nan"] {
        refused(&[&format!("--clip={clip}")], 2, "--clip");
    }
    refused(&["--positive", "cow"], 2, "level, upright");
    refused(&["--positive", "level", "--label", "class"], 2, "--positive");
    refused(&["--out", "nowhere/a.csv"], 1, "nowhere/a.csv: there is no such folder");
    fs::write(folder.join("sample.csv"), "id,label\n1,0\n9,0\n10,0\n").unwrap();
    refused(&["--sample", "sample.csv", "--out", "sample.csv"], 2, "read from");
    assert!(fs::read_to_string(folder.join("sample.csv")).unwrap().contains("9,0"));

    fs::write(folder.join("test/11.jpg"), b"no picture").unwrap();
    refused(&[], 1, "11.jpg: not a picture");
    refused(&[], 1, "--fill-unreadable");
    succeed(folder, &["submit", "run", "test", "--fill-unreadable"]);
    assert_eq!(lines(folder, "submission.csv")[4], "11,0.5");
    fs::remove_file(folder.join("submission.csv")).unwrap();
    stripes(0, 1, 24).save(folder.join("test/001.jpg")).unwrap();
    refused(&["--fill-unreadable"], 2, "001.jpg");
    fs::remove_file(folder.join("test/001.jpg")).unwrap();
    stripes(0, 1, 24).save(folder.join("test/abc.jpg")).unwrap();
    refused(&["--fill-unreadable"], 2, "abc.jpg");
    fs::create_dir(folder.join("empty")).unwrap();
    assert!(fail(folder, &["submit", "run", "empty"], 2).contains("no pictures"));
}
