//! Which part of a data set is meant.

use crate::place::Place;

#[test]
fn nothing_to_score_is_an_error() {
    let place = Place::new("pets/{cat,dog}/{1..6}.png\nflat/{1..3}.png");
    place.train("pets", "--validation-split 0.3").succeeds();
    place.run("evaluate run flat").exits(1).says("no labelled pictures");
}
