//! More classes than a terminal can show, and narrow terminals.

use crate::place::Place;

#[test]
fn many_classes_are_summed_up() {
    let place = Place::new("birds/kind{10..39}/{1..4}.png");
    place.train("birds", "--validation-split 0.5").succeeds();
    let short = place.run("evaluate run birds --confusion matrix.csv").succeeds();
    assert!(short.stdout.lines().count() < 60, "{short}");
    short.prints("most confused: is").prints("with the lowest F1");
    let matrix = place.text("matrix.csv");
    assert_eq!(matrix.lines().count(), 31);
    assert!(matrix.lines().all(|row| row.split(',').count() == 31), "{matrix}");
}

#[cfg(unix)]
#[test]
fn nothing_is_broken_within_a_word() {
    let place = Place::new("birds/{blackbird,nightingale,wagtail}/{1..6}.png");
    place.train("birds", "--validation-split 0.5").succeeds();
    for verb in [
        "evaluate run birds",
        "predict run birds/wagtail",
        "models",
        "compare run run",
        "compare run run run run run",
        "summary run",
        "summary mobilenet_v2",
        "inspect birds",
        "ensemble run run --out both.safetensors --force",
        "suspects run --force",
        "cache show",
        "weights list",
        "recipes",
        "find-rate birds --validation-split 0.5 --image-size 24 --steps 20",
    ] {
        for columns in [50, 80, 120] {
            let ran = place.shell(&format!("COLUMNS={columns} pelage {verb}")).succeeds();
            let wide = place.shell(&format!("COLUMNS=1000 pelage {verb}")).succeeds();
            let words: std::collections::HashSet<_> = wide.stdout.split_whitespace().collect();
            for line in ran.stdout.lines().filter(|line| !line.starts_with("a wider terminal")) {
                // One word may be longer than the line, or what is to be copied.
                let whole = words_of(line) < 2 || line.chars().count() <= columns;
                assert!(whole, "{columns}: {line}\n{ran}");
                for word in line
                    .split_whitespace()
                    .filter(|word| word.chars().all(char::is_alphanumeric))
                {
                    // A matrix that is too wide is told in words.
                    let known = words.contains(word) || ["most", "is", "of"].contains(&word);
                    assert!(known || word.parse::<f64>().is_ok(), "{word}: {ran}");
                }
            }
        }
    }
}

/// How many words a line has, of which a command or a path is one.
#[cfg(unix)]
fn words_of(line: &str) -> usize {
    let mut inside = false;
    let together = line.chars().map(|c| {
        inside ^= c == '`';
        if inside && c == ' ' { '_' } else { c }
    });
    together.collect::<String>().split_whitespace().count()
}

#[cfg(unix)]
#[test]
fn tables_are_tables_on_eighty_columns() {
    let place = Place::new("birds/{blackbird,wagtail}/{1..6}.png");
    place.train("birds", "--validation-split 0.5").succeeds();
    let at = |columns: usize, verb: &str| {
        let ran = place.shell(&format!("COLUMNS={columns} pelage {verb}")).succeeds();
        ran.stdout
    };
    for (columns, left_out) in [(80, "licence, input"), (50, "licence, input, weights, multiply-adds")] {
        let models = at(columns, "models");
        assert!(models.contains("\n resnet50 "), "{models}");
        let words = models.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(
            words.contains(&format!("a wider terminal also shows: {left_out} ")),
            "{models}"
        );
    }
    assert!(!at(120, "models").contains("a wider terminal"));
    let summary = at(90, "summary resnet18");
    let layer = |line: &&str| line.starts_with(" layer4.1.conv2 ") && line.ends_with("115,605,504 ");
    assert_eq!(summary.lines().filter(layer).count(), 1, "{summary}");
    // Run by run, side by side.
    for columns in [50, 80] {
        let compared = at(columns, "compare run run");
        let epochs = compared.lines().find(|line| line.starts_with(" best epoch "));
        assert_eq!(
            epochs.map(|line| line.split_whitespace().count()),
            Some(4),
            "{compared}"
        );
    }
}

/// A path is copied from the screen as it is typed.
#[cfg(unix)]
#[test]
fn a_path_with_blanks_stays_on_one_line() {
    let place = Place::new("my birds of prey/{black kite,red kite}/{1..6}.png");
    let run = "'all of my own runs/of the first day/one with a very long name'";
    let train = "--validation-split 0.5 --epochs 1 --image-size 32";
    place
        .shell(&format!(
            "mkdir -p 'all of my own runs/of the first day' && pelage train 'my birds of prey' --out {run} {train}"
        ))
        .succeeds();
    for columns in [50, 80, 120] {
        let at = |verb: &str| {
            let ran = place.shell(&format!("COLUMNS={columns} pelage {verb}")).succeeds();
            [ran.stdout, ran.stderr].concat()
        };
        let compared = at(&format!("compare {run} {run}"));
        assert!(compared.contains(run), "{compared}");
        let predicted = at(&format!("predict {run} 'my birds of prey/black kite'"));
        assert!(predicted.contains("'my birds of prey/black kite/1.png'"), "{predicted}");
        let resumed = at(&format!("train --resume {run}"));
        assert!(resumed.contains(&format!("`pelage evaluate {run}`")), "{resumed}");
    }
}
