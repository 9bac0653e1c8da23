//! Numbers of a search as people read them: all with four significant digits.

use super::distribution::Distribution;
use super::space::{Setting, Space};

/// Digits behind the first.
const MORE: i32 = 3;

/// With four significant digits: 0.6931, 0.04759, 12.34, 5.490e-4.
pub fn significant(value: f64) -> String {
    let text = format!("{value:.*e}", MORE as usize);
    // Of what was rounded: 0.99996 is 1.000.
    let exponent = text
        .split_once('e')
        .and_then(|(_, exponent)| exponent.parse::<i32>().ok());
    match exponent {
        Some(_) if value == 0.0 => "0".into(),
        Some(exponent) if exponent.abs() <= MORE => format!("{value:.*}", (MORE - exponent) as usize),
        _ => text,
    }
}

/// A setting as a table shows it: one that may be any number of a range with four digits, all others as they are
/// written.
pub fn cell(space: &Space, name: &str, text: &str) -> String {
    let is_free = |one: &Setting| matches!(one.distribution, Distribution::Float { step: None, .. });
    let is_one = space.settings.iter().any(|one| one.name == name && is_free(one));
    match text.parse() {
        Ok(number) if is_one => significant(number),
        _ => text.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::Recipe;

    #[test]
    fn every_number_has_four_digits() {
        for (value, told) in [
            (0.0013, "0.001300"),
            (0.04759, "0.04759"),
            (0.000549, "5.490e-4"),
            (0.612345, "0.6123"),
            (0.99996, "1.000"),
            (12.3456, "12.35"),
            (1234.5, "1234"),
            (9999.9, "1.000e4"),
            (-0.25, "-0.2500"),
            (0.0, "0"),
            (-0.0, "0"),
            (f64::NAN, "NaN"),
            (f64::INFINITY, "inf"),
        ] {
            assert_eq!(significant(value), told);
        }
    }

    #[test]
    fn what_is_no_free_number_stays_as_it_is_written() {
        let text = "[learning_rate]\nlow = 0.0001\nhigh = 0.1\nlog = true\n[batch_size]\nlow = 8\nhigh = 64\n\
                    [momentum]\nlow = 0.5\nhigh = 0.9\nstep = 0.1\n[zoom_range]\nchoices = [0.1, 0.25]\n";
        let space = Space::read(text, &Recipe::default()).unwrap();
        for (name, text, told) in [
            ("learning_rate", "0.0013", "0.001300"),
            ("learning_rate", "0.01", "0.01000"),
            ("learning_rate", "-", "-"),
            ("batch_size", "16", "16"),
            ("momentum", "0.6", "0.6"),
            ("zoom_range", "0.1", "0.1"),
        ] {
            assert_eq!(cell(&space, name, text), told, "{name}");
        }
    }
}
