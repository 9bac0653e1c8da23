//! The command line of pelage.
fn main() {}
