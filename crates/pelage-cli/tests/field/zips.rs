//! Archives as people and programs make them.

use crate::place::{Place, content, zip};

#[test]
fn every_member_has_a_row_whatever_its_name() {
    let place = Place::new("pets/{cat,dog}/{1..6}.png");
    place.train("pets", "--validation-split 0.3").succeeds();
    let names = ["./1.png", "../2.png", "/3.png", "a/../4.png", "a\\5.png"];
    let members: Vec<_> = names.iter().map(|name| (*name, content(name))).collect();
    place.write("odd.zip", &zip(&members));
    let ran = place.run("predict run odd.zip").succeeds();
    ["1.png", "2.png", "3.png", "4.png", "5.png"]
        .iter()
        .fold(ran, |ran, name| ran.prints(name))
        .prints("5 pictures:");
    // Nothing is no success.
    place.write("empty.zip", &zip(&[(".hidden/1.png", content("1.png"))]));
    place
        .run("predict run empty.zip")
        .exits(1)
        .says("there are no files in it")
        .says("1 hidden");
}

/// Nothing could tell the two apart afterwards: neither a record of what was trained on, nor who reads it.
#[test]
fn of_members_with_one_name_one_is_trained_on() {
    let place = Place::new("");
    let mut members: Vec<_> = (1..=8)
        .flat_map(|i| ["cat", "dog"].map(|class| format!("{class}/{i}.png")))
        .map(|name| (name.clone(), content(&name)))
        .collect();
    members.push(("cat/9.png".into(), content("cat/other.png")));
    let members: Vec<_> = members
        .iter()
        .map(|(name, bytes)| (name.as_str(), bytes.clone()))
        .collect();
    // A writer would refuse the second.
    let mut zipped = zip(&members);
    while let Some(at) = zipped.windows(9).position(|name| name == b"cat/9.png") {
        zipped[at + 4] = b'1';
    }
    place.write("pets.zip", &zipped);
    place
        .train("pets.zip", "--validation-split 0.25")
        .succeeds()
        .says("another file has this name");
    place.run("evaluate run").succeeds().prints("4 pictures:");
    // Whoever looks at it is told of the other too.
    place
        .run("inspect pets.zip")
        .succeeds()
        .prints("another file has this name")
        .prints("pets.zip!cat/1.png");
}

/// What is said of a member stands beside its name, and does not begin with it once more.
#[test]
fn a_member_that_is_not_read_is_named_once() {
    let place = Place::new("pets/{cat,dog}/{1..6}.png");
    place.train("pets", "--validation-split 0.3").succeeds();
    place.write(
        "all.zip",
        &zip(&[("cat.1.png", content("1.png")), ("text.png", vec![b'a'; 2 << 20])]),
    );
    let ran = place.run("predict run all.zip --csv table.csv").succeeds();
    assert_eq!(ran.stdout.matches("all.zip!text.png").count(), 1, "{ran}");
    assert_eq!(place.text("table.csv").matches("all.zip!text.png").count(), 1);
}

#[test]
fn a_damaged_zip_within_spoils_only_itself() {
    let place = Place::new("pets/{cat,dog}/{1..6}.png");
    place.train("pets", "--validation-split 0.3").succeeds();
    let inner = zip(&[("cat.1.png", content("1.png"))]);
    place.write(
        "all.zip",
        &zip(&[("good.zip", inner.clone()), ("bad.zip", inner[..50].to_vec())]),
    );
    let ran = place.run("predict run all.zip").succeeds();
    ran.prints("good.zip!cat.1.png")
        .prints("bad.zip")
        .prints("unreadable 1");
}

#[test]
fn an_error_is_not_as_long_as_its_input() {
    let place = Place::new("pets/{cat,dog}/{1..2}.png");
    place.write(
        "labels.csv",
        format!("path,label\n{}.png,cat\n", "x".repeat(1 << 20)).as_bytes(),
    );
    let ran = place.run("organize pets --labels labels.csv --out data").exits(2);
    assert!(ran.stderr.len() < 1000, "{} bytes", ran.stderr.len());
}
