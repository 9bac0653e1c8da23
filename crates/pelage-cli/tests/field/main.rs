//! What real folders and real users do. A report becomes a test of five lines: describe the files, run the command, say
//! what should have happened.
//!
//! ```text
//! let place = Place::new("pets/{cat,dog}/{1..9}.png");
//! place.run("inspect pets").succeeds().prints("18");
//! ```
//!
//! `place` has the language of the description and the checks. Tests lie in a file for each kind of fault; those that
//! need no command line belong to the tests of the library.

#[path = "../common/mod.rs"]
mod common;
#[path = "../../../pelage-data/tests/support/exif.rs"]
mod exif;
#[allow(dead_code, reason = "words for kinds of fault to come")]
mod place;

mod damaged;
mod detached;
mod found;
mod groups;
mod help;
mod labels;
mod little_data;
mod many_classes;
mod named;
mod origins;
mod overwriting;
mod own_output;
mod parts;
mod streams;
mod terminal;
mod text;
mod which_images;
mod zips;
