//! Labels from CSVs as people have them.

mod support;

use std::collections::BTreeMap;
use std::path::Path;

use pelage_data::Error;
use pelage_data::catalog::{Catalog, Columns, Part};
use pelage_data::organize::Options;
use support::organizing::{Scratch, counts, expected, run};
use support::{png, write};

/// Images `a/1.png`, `a/2.png`, `b/2.png`; the CSV is `labels.csv` beside them.
fn read(csv: &str, columns: &Columns) -> pelage_data::Result<BTreeMap<String, String>> {
    let folder = tempfile::tempdir().unwrap();
    let source = folder.path().join("pictures");
    for (name, seed) in ["a/1.png", "a/2.png", "b/2.png"].into_iter().zip(0..) {
        write(source.join(name), &png(seed));
    }
    let path = source.join("labels.csv");
    write(&path, csv.replace("{HERE}", &source.display().to_string()).as_bytes());
    let catalog = Catalog::from_csv(&source, &path, columns)?;
    let items = catalog.items.iter();
    let named = items.map(|item| (item.name.clone(), catalog.classes[item.label].clone()));
    Ok(named.collect())
}

fn labels(csv: &str) -> Vec<(String, String)> {
    read(csv, &Columns::default()).unwrap().into_iter().collect()
}

fn refused(csv: &str) -> String {
    read(csv, &Columns::default()).expect_err("accepted").to_string()
}

fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs
        .iter()
        .map(|(name, label)| (name.to_string(), label.to_string()))
        .collect()
}

#[test]
fn columns_go_by_their_names() {
    let both = pairs(&[("a/1.png", "cat"), ("a/2.png", "dog")]);
    for csv in [
        "filename,width,height,class\n1.png,480,640,cat\na/2.png,640,480,dog\n",
        "class,file_name\ncat,1.png\ndog,a/2.png\n",
        "filename;class\n1.png;cat\na/2.png;dog\n",
        "filename\tLabel\n1.png\tcat\na/2.png\tdog\n",
        ",Image Path,label\n0,1.png,cat\n1,a/2.png,dog\n",
        "Unnamed: 0,path,label\n0,1.png,cat\n1,a/2.png,dog\n",
        "0,1.png,cat\n1,a/2.png,dog\n",
        "id,filename,label\n7,1.png,cat\n8,a/2.png,dog\n",
        "filename,cat,dog,bird\n1.png,1.0,0.0,0.0\na/2.png,0.0,1.0,0.0\n",
        "path,label,class_id\na/1.png,cat,0\na/2.png,dog,1\n",
        "what it is,where\ncat,a/1.png\ndog,a/2.png\n",
        "path,label,split\n1.png,cat,train\na/2.png,dog,val\n",
        "{HERE}/a/1.png,cat\n{HERE}/b/../a/2.png,dog\n",
        "a/1.png,cat,\na/2.png,dog,\n,,\n",
    ] {
        assert_eq!(labels(csv), both, "{csv}");
    }
    // Relative to the CSV, which lies in the source.
    assert_eq!(labels("./b/2.png,dog\n"), pairs(&[("b/2.png", "dog")]));
}

#[test]
fn what_is_not_clear_is_asked() {
    for (csv, reason) in [
        (
            "filename,width,height,kind of\n1.png,480,640,cat\n",
            "filename, width, height, kind of",
        ),
        ("1.png,480,640,cat\n", "there is no heading"),
        ("path,label,class\n1.png,0,cat\n", "holds the labels, since several may"),
        (
            "path,image_path,label\n1.png,a/2.png,cat\n",
            "holds the paths, since several may",
        ),
        ("path\n1.png\n", "no other than that of the paths"),
        (
            "filename,cat,dog\n1.png,1,0\na/2.png,1,1\n",
            "line 3: a picture has one label, and 2 columns are 1",
        ),
    ] {
        let told = refused(csv);
        assert!(told.contains("labels.csv") && told.contains(reason), "{csv}: {told}");
    }
    let asked = |path: Option<&str>, label: Option<&str>| Columns {
        path: path.map(String::from),
        label: label.map(String::from),
        split: None,
    };
    let csv = "path,label,class\n1.png,0,cat\n";
    let found = read(csv, &asked(None, Some("class"))).unwrap();
    assert_eq!(found["a/1.png"], "cat");
    let found = read("a,b,c\nx,1.png,cat\n", &asked(Some("b"), Some("c"))).unwrap();
    assert_eq!(found["a/1.png"], "cat");
    let missing = read(csv, &asked(None, Some("breed"))).unwrap_err();
    assert!(matches!(missing, Error::Columns { .. }) && missing.to_string().contains("none is called 'breed'"));
    // However long what it quotes.
    let told = refused(&format!("{}.png,cat\n", "x".repeat(100_000)));
    assert!(told.len() < 400, "{} bytes", told.len());
}

fn organized(scratch: &Scratch, csv: &str) -> pelage_data::Result<pelage_data::organize::Report> {
    let path = scratch.folder.path().join("labels.csv");
    write(&path, csv.as_bytes());
    run(&Options {
        labels: Some(path),
        ..scratch.options()
    })
}

#[test]
fn a_split_that_is_given_is_kept() {
    let scratch = Scratch::new(6);
    let line = |class: &str, i: u64, split: &str| format!("{class}/{i}.png,{class}s,{split}\n");
    let split = |i: u64| ["train", "train", "train", "train", "valid", "test"][i as usize];
    let lines = (0..6).flat_map(|i| ["cat", "dog"].map(|class| line(class, i, split(i))));
    let csv = "path,label,set\n".to_string() + &lines.collect::<String>();
    let report = organized(&scratch, &csv).unwrap();
    let tree = [
        ("train/cats", 4),
        ("train/dogs", 4),
        ("validation/cats", 1),
        ("validation/dogs", 1),
    ];
    assert_eq!(counts(&scratch.out()), expected(&tree));
    assert!(report.split_given && Path::new(&scratch.out()).join("validation/cats/4.png").exists());
    let reasons: Vec<_> = report.left_out.iter().map(|one| one.reason.as_str()).collect();
    assert_eq!(reasons, ["in the test part"; 2]);
    // Where it says only train and test, validation is drawn from train.
    std::fs::remove_dir_all(scratch.out()).unwrap();
    let report = organized(&scratch, &csv.replace("valid", "train")).unwrap();
    assert_eq!((report.split_given, report.written), (false, 10));
    let odd = organized(&scratch, &(csv + "cat/0.png,cats,test\n"))
        .unwrap_err()
        .to_string();
    assert!(odd.contains("in another part here than before"), "{odd}");
    assert_eq!(Part::Test.name(), "test");
}
