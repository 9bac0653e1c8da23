//! What a model file says about its model, looked at before anything is made of it.

use std::collections::HashSet;

use pelage_data::preprocess::Preprocessing;

use crate::networks::{Architecture, Head};

/// The most classes of a model.
const MOST_CLASSES: usize = 100_000;
/// The most hidden layers of a head, and the most values of one.
const MOST_HIDDEN: (usize, usize) = (16, 65_536);

/// Refuses an input that the network cannot take or that is absurdly large, and values of pixels that are no numbers to
/// compute with.
pub(crate) fn check_input(architecture: Architecture, side: &Preprocessing) -> Result<(), String> {
    architecture.check_size([side.height as usize, side.width as usize])?;
    for (mean, deviation) in side.mean.iter().zip(&side.std) {
        // Of black and white.
        let ends = [0.0, 1.0].map(|value: f32| (value - mean) / deviation);
        if !(*deviation > 0.0 && ends.iter().all(|end| end.abs() <= 1e6)) {
            return Err(format!(
                "its mean {mean} and deviation {deviation} of pixels are out of range"
            ));
        }
    }
    Ok(())
}

/// Bytes of a class's name, as many as a folder's may have.
const LONGEST_CLASS: usize = 255;

/// Refuses class names that cannot be a model's: too few or too many, one twice, an empty one, or one with control
/// characters, which would command the terminal that shows it.
///
/// # Errors
/// Names the first such.
pub fn check_classes(classes: &[String]) -> Result<(), String> {
    if !(2..=MOST_CLASSES).contains(&classes.len()) {
        return Err(format!("it names {} classes", classes.len()));
    }
    let mut known = HashSet::new();
    for class in classes {
        // Escaped, since it stands in a message.
        let shown = class.escape_debug();
        if class.is_empty() || class.chars().any(char::is_control) {
            return Err(format!(
                "the class name '{shown}' is empty, or has control characters in it"
            ));
        }
        if class.len() > LONGEST_CLASS {
            let begin: String = class.chars().take(40).collect();
            return Err(format!(
                "the class name '{begin}...' is longer than {LONGEST_CLASS} bytes"
            ));
        }
        if !known.insert(class) {
            return Err(format!("the class '{shown}' occurs twice"));
        }
    }
    Ok(())
}

/// Refuses a head that no training makes: with too many hidden layers or too wide ones, or a dropout out of range.
///
/// # Errors
/// The heads that are allowed, in words.
pub fn check_head(head: &Head) -> Result<(), String> {
    let (layers, width) = MOST_HIDDEN;
    let rates = head.hidden.iter().map(|(_, rate)| *rate);
    let sound = head.hidden.len() <= layers
        && head.hidden.iter().all(|(values, _)| (1..=width).contains(values))
        && rates.chain([head.dropout]).all(|rate| (0.0..1.0).contains(&rate));
    match sound {
        true => Ok(()),
        false => Err(format!(
            "at most {layers} hidden layers of 1 to {width} values, with a dropout of 0 or more and below 1"
        )),
    }
}

/// Refuses logits or probabilities of which some are not finite: of finite weights, but too large ones.
///
/// # Errors
/// If there is one.
pub fn check_answer(values: &[f32]) -> std::result::Result<(), String> {
    match values.iter().all(|value| value.is_finite()) {
        true => Ok(()),
        false => {
            Err("the model gives no finite answer to it: its weights are damaged, or its training diverged".into())
        }
    }
}
