//! Wrong labels through the binary: found, listed, shown, and left out of training.

mod common;

use common::{data, fail, frozen, succeed};

#[test]
fn wrong_labels_are_found_and_left_out() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    data(at, 40, 15);
    // Two pictures in the folder of the other class.
    let train = at.join("data/train");
    let names = |class: &str| {
        let mut names: Vec<_> = std::fs::read_dir(train.join(class))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    };
    let moved = [("level", "upright"), ("upright", "level")].map(|(from, to)| {
        let name = names(from)[3].clone();
        let wrong = format!("wrong-{name}");
        std::fs::rename(train.join(from).join(&name), train.join(to).join(&wrong)).unwrap();
        format!("train/{to}/{wrong}")
    });
    let solved = |more: &[&'static str]| frozen(&[&["--head", "logistic"], more].concat());
    succeed(at, &solved(&["--out", "run"]));
    let said = succeed(at, &["suspects", "run", "--csv", "found.csv", "--page", "found.html"]);
    assert!(said.contains("of 110 pictures"), "{said}");
    let table = std::fs::read_to_string(at.join("found.csv")).unwrap();
    let ranked: Vec<_> = table
        .lines()
        .skip(1)
        .map(|line| line.split(',').nth(1).unwrap())
        .collect();
    for wrong in &moved {
        let rank = ranked.iter().position(|path| *path == wrong);
        assert!(rank.is_some_and(|rank| rank < 4), "{wrong}: {table}");
    }
    // What was gone through by hand is not lost.
    let refused = common::fail(
        at,
        &["suspects", "run", "--csv", "found.csv", "--page", "found.html"],
        2,
    );
    assert!(refused.contains("--force"), "{refused}");
    let page = std::fs::read_to_string(at.join("found.html")).unwrap();
    assert!(page.contains(&moved[0]) && page.contains("data:image/jpeg"));
    // The same again, whatever the number of threads.
    let again = [
        "suspects",
        "run",
        "--csv",
        "again.csv",
        "--page",
        "again.html",
        "--threads",
        "1",
    ];
    succeed(at, &again);
    assert_eq!(std::fs::read_to_string(at.join("again.csv")).unwrap(), table);

    let head = table.lines().next().unwrap();
    let lines = table
        .lines()
        .filter(|line| moved.iter().any(|wrong| line.contains(wrong.as_str())));
    let chosen = [head].into_iter().chain(lines).collect::<Vec<_>>().join("\n");
    std::fs::write(at.join("chosen.csv"), chosen + "\n").unwrap();
    let output = common::run(at, &solved(&["--out", "without", "--drop-suspects", "chosen.csv"]));
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(
        output.status.success() && told.contains("78 training and 30 validation"),
        "{told}"
    );
    // As spreadsheets write it, and people: semicolons, another heading, paths from here.
    let lines: String = moved.iter().map(|path| format!("2;./data/{path}\n")).collect();
    std::fs::write(at.join("named.csv"), format!("rank;File\n{lines}")).unwrap();
    let output = common::run(at, &solved(&["--out", "other", "--drop-suspects", "named.csv"]));
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(told.contains("78 training and 30 validation"), "{told}");
    let record = std::fs::read_to_string(at.join("without/split.csv")).unwrap();
    assert_eq!(
        record.lines().filter(|line| line.contains(",dropped,")).count(),
        2,
        "{record}"
    );
    let said = common::run(at, &["train", "--resume", "without"]);
    let told = String::from_utf8(said.stderr).unwrap();
    assert!(said.status.success() && !told.contains("added since"), "{told}");
    succeed(at, &["evaluate", "without"]);
    // Where the pictures lie now is an argument; one document goes to standard output.
    std::fs::rename(at.join("data"), at.join("moved")).unwrap();
    let said = fail(at, &["suspects", "run"], 1);
    assert!(said.contains("DATA after the run"), "{said}");
    let output = common::run(at, &["suspects", "run", "moved", "--csv", "-", "--page", "moved.html"]);
    assert!(output.stdout == table.as_bytes() && output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("of 110 pictures"));
    let said = fail(at, &["suspects", "run", "moved", "--csv", "-", "--page", "-"], 2);
    assert!(said.contains("both the table and the page"), "{said}");
    std::fs::rename(at.join("moved"), at.join("data")).unwrap();
    // A network that was trained on the labels judges too, and it is said what that is worth.
    let scratch = "train data --image-size 16 --epochs 2 --out scratch";
    succeed(at, &scratch.split(' ').collect::<Vec<_>>());
    let said = succeed(
        at,
        &["suspects", "scratch", "--csv", "other.csv", "--page", "other.html"],
    );
    assert!(said.contains("by heart"), "{said}");
    for (content, named) in [
        ("rank\n1\n", "must name a column path"),
        ("path\nsomewhere/else.png\n", "names none of the training pictures"),
    ] {
        std::fs::write(at.join("bad.csv"), content).unwrap();
        let said = fail(at, &solved(&["--out", "no", "--drop-suspects", "bad.csv"]), 1);
        assert!(said.contains(named) && said.contains("bad.csv"), "{said}");
    }
}
