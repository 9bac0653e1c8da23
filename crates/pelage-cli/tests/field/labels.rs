//! Labels in CSVs.

use crate::place::Place;

#[test]
fn columns_are_found_by_name_or_asked_for() {
    let place = Place::new(
        "photos/{1..8}.png
         named.csv = filename;width;height;class\\n1.png;480;640;cat\\n2.png;480;640;cat\\n3.png;640;480;dog\\n4.png;1;1;dog
         unclear.csv = filename,width,height,what\\n1.png,480,640,cat\\n2.png,480,640,cat\\n3.png,640,480,dog\\n4.png,1,1,dog
         hot.csv = image,cat,dog\\n1,1.0,0.0\\n2,1.0,0.0\\n3,0.0,1.0\\n4,0.0,1.0",
    );
    let organize = "organize photos --ratio 0.5 --out";
    let ran = place.run(&format!("{organize} a --labels named.csv")).succeeds();
    ran.prints("cat 1 1 2").prints("4 not in the list of labels");
    place
        .run(&format!("{organize} b --labels hot.csv"))
        .succeeds()
        .prints("dog 1 1 2");
    let ran = place.run(&format!("{organize} c --labels unclear.csv")).exits(2);
    ran.says("filename, width, height, what").says("--label-column");
    let asked = format!("{organize} c --labels unclear.csv --label-column what");
    place.run(&asked).succeeds().prints("cat 1 1 2");
}

#[test]
fn a_given_split_is_kept() {
    let place = Place::new(
        "photos/{1..5}.png
         all.csv = path,label,split\\n1.png,cat,train\\n2.png,cat,val\\n3.png,dog,train\\n4.png,dog,val\\n5.png,dog,test",
    );
    let ran = place.run("organize photos --labels all.csv --out data").succeeds();
    ran.prints("train and validation as the labels say")
        .prints("1 in the test part: photos/5.png");
    assert!(place.path("data/validation/cat/2.png").exists());
}

#[test]
fn what_is_measured_is_no_label() {
    let place = Place::new("photos/{1..4}.png");
    for (name, head) in [
        ("width", "filename,width"),
        ("xmin", "image,xmin"),
        ("score", "path,image_score"),
        ("y", "path,x,y"),
    ] {
        let cells = if head.matches(',').count() == 2 { ",5,6" } else { ",480" };
        place.add(&format!(
            "{name}.csv = {head}\\n1.png{cells}\\n2.png{cells}\\n3.png,4,4\\n4.png,4,4"
        ));
        let ran = place
            .run(&format!("organize photos --out data --labels {name}.csv"))
            .exits(2);
        ran.says("holds the labels").says(&head.replace(',', ", "));
    }
    place.add("plain.csv = what,file\\ncat,1.png\\ncat,2.png\\ndog,3.png\\ndog,4.png");
    place
        .run("organize photos --out data --labels plain.csv --ratio 0.5")
        .succeeds();
}

#[test]
fn parts_stand_in_columns_of_many_names() {
    let place = Place::new("photos/{1..4}.png");
    let table = |name: &str, head: &str, parts: [&str; 4]| {
        let labels = ["cat", "dog", "cat", "dog"];
        let rows = (1..).zip(labels.iter().zip(parts));
        let rows: Vec<_> = rows
            .map(|(i, (label, part))| format!("{i}.png,{label},{part}"))
            .collect();
        place.write(
            &format!("{name}.csv"),
            format!("{head}\n{}\n", rows.join("\n")).as_bytes(),
        );
    };
    table("fastai", "fname,label,is_valid", ["False", "False", "True", "True"]);
    for (name, head) in [
        ("phase", "path,label,phase"),
        ("usage", "path,label,Usage"),
        ("which", "path,label,train_or_test"),
    ] {
        table(name, head, ["train", "train", "val", "val"]);
    }
    for name in ["fastai", "phase", "usage", "which"] {
        let ran = place
            .run(&format!("organize photos --out {name} --labels {name}.csv"))
            .succeeds();
        ran.prints("train and validation as the labels say");
        assert!(place.path(&format!("{name}/validation/cat/3.png")).exists());
    }
    table("fold", "path,label,fold", ["0", "0", "1", "1"]);
    table("told", "path,label,fold", ["train", "val", "train", "val"]);
    place
        .run("organize photos --out told --labels told.csv")
        .succeeds()
        .says_nothing_of("numbers");
    place
        .run("organize photos --out f --labels fold.csv --ratio 0.5")
        .exits(2)
        .says("holds the split");
    place
        .run("organize photos --out f --labels fold.csv --ratio 0.5 --label-column label")
        .succeeds();
    for (i, wrong) in ["trian", "A"].into_iter().enumerate() {
        table(
            &format!("slip{i}"),
            "path,label,split",
            ["train", "train", "val", wrong],
        );
        place
            .run(&format!("organize photos --out s --labels slip{i}.csv --ratio 0.5"))
            .exits(2)
            .says(&format!("'{wrong}' is none"));
    }
    table("odd", "path,label,where it went", ["train", "train", "test", "test"]);
    place
        .run("organize photos --out o --labels odd.csv --ratio 0.5")
        .succeeds()
        .says("note: odd.csv: the column 'where it went' names parts");
}

#[test]
fn columns_without_a_heading_have_numbers() {
    let place = Place::new("photos/{1..4}.png\nn.csv = 1.png,cat,x\\n2.png,cat,y\\n3.png,dog,z\\n4.png,dog,w");
    place.run("organize photos --out a --labels n.csv --ratio 0.5").exits(2);
    place
        .run("organize photos --out a --labels n.csv --ratio 0.5 --path-column 1 --label-column 2")
        .succeeds()
        .prints("cat 1 1 2");
}

#[test]
fn both_forms_of_an_umlaut_are_one() {
    let place =
        Place::new("a/{Ka\u{308}fer,K\u{e4}fer,Dachs}/{1..4}.png\nb/Ka\u{308}fer/{1..4}.png\nb/Dachs/{1..4}.png");
    let ran = place
        .run("organize a --out data --rename Ka\u{308}fer=Mu\u{308}cke")
        .succeeds();
    ran.prints("M\u{fc}cke 6 2 8");
    let rows = |name: &str| format!("{name}/1.png,ja\\n{name}/2.png,ja\\nDachs/1.png,nein\\nDachs/2.png,nein");
    for (csv, name) in [("one", "K\u{e4}fer"), ("two", "Ka\u{308}fer")] {
        place.add(&format!("{csv}.csv = path,label\\n{}", rows(name)));
        let organize = format!("organize b --ratio 0.5 --out {csv} --labels {csv}.csv");
        place.run(&organize).succeeds().prints("ja 1 1 2");
        place.add(&format!("{csv}-groups.csv = path,group\\n{}", rows(name)));
        let grouped = format!("organize b --out {csv}-grouped --group-by csv:{csv}-groups.csv");
        place.run(&grouped).succeeds().says("note: 4 pictures are in no group");
    }
}

#[test]
fn a_wrong_line_is_numbered_as_an_editor_does() {
    let place = Place::new("photos/{1..4}.png");
    let organize = "organize photos --out data --labels labels.csv";
    for (bytes, line) in [
        (&b"path,label\r\n1.png,cat\r\n9.png,dog\r\n"[..], 3),
        (b"path,label\n\n1.png,cat\n\n9.png,dog\n", 5),
        (b"path,label\r1.png,cat\r9.png,dog\r", 3),
        (b"9.png,dog\n1.png,cat\n2.png,cat\n", 1),
        (b"path,label,of\n1.png,cat,\"a\nb\"\n9.png,dog,c\n", 4),
    ] {
        place.write("labels.csv", bytes);
        place
            .run(organize)
            .exits(2)
            .says(&format!("labels.csv, line {line}: there is no file"));
    }
    place.write("labels.csv", b"path,label\r\n1.png,cat\r\n2.png,K\xe4fer\r\n");
    let ran = place.run(organize).exits(2);
    ran.says("labels.csv, line 3: is not in UTF-8").says("CSV UTF-8");
}

#[test]
fn a_row_without_a_part_is_told_by_its_line() {
    let place = Place::new("photos/{1..8}.png");
    let rows = |parts: [&str; 8]| {
        let row = |(i, part): (usize, &str)| format!("{}.png,{},{part}\\n", i + 1, ["cat", "dog"][i % 2]);
        parts.into_iter().enumerate().map(row).collect::<String>()
    };
    let given = ["train", "train", "train", "train", "val", "val", "test", "test"];
    for (name, gaps, told) in [
        (
            "one",
            &[2][..],
            "line 4: '3.png' is in no part of the data set: its cell in the column 'split' is empty;",
        ),
        ("two", &[2, 6], "is empty (so is that of line 8)"),
        (
            "three",
            &[0, 2, 6],
            "line 2: '1.png' is in no part of the data set: its cell in the column 'split' is empty (so are those of lines 4, 8)",
        ),
    ] {
        let mut parts = given;
        gaps.iter().for_each(|&gap| parts[gap] = "");
        place.add(&format!("{name}.csv = path,label,split\\n{}", rows(parts)));
        place
            .run(&format!("organize photos --labels {name}.csv --out data"))
            .exits(2)
            .says(told);
    }
    // A column with nothing in it is none.
    place.add(&format!("none.csv = path,label,split\\n{}", rows([""; 8])));
    place
        .run("organize photos --labels none.csv --out data --ratio 0.5")
        .succeeds();
}
