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
        "summary run",
    ] {
        for columns in [50, 80, 120] {
            let ran = place.shell(&format!("COLUMNS={columns} pelage {verb}")).succeeds();
            let wide = place.shell(&format!("COLUMNS=1000 pelage {verb}")).succeeds();
            let words: std::collections::HashSet<_> = wide.stdout.split_whitespace().collect();
            for line in ran.stdout.lines() {
                // One word may be longer than the line.
                let whole = line.split_whitespace().count() < 2 || line.chars().count() <= columns;
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
