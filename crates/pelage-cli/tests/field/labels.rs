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
