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
