//! Escaping text for XML and HTML.

/// `text` as content or attribute value.
pub fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => safe += "&amp;",
            '<' => safe += "&lt;",
            '>' => safe += "&gt;",
            '"' => safe += "&quot;",
            '\'' => safe += "&#39;",
            // Not allowed in XML, and invisible.
            control if control.is_control() || matches!(control, '\u{FFFE}' | '\u{FFFF}') => safe.push('\u{FFFD}'),
            other => safe.push(other),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    #[test]
    fn nothing_that_means_something_is_left() {
        assert_eq!(
            super::escaped("<a b=\"c\">'&\u{1}"),
            "&lt;a b=&quot;c&quot;&gt;&#39;&amp;\u{FFFD}"
        );
        assert_eq!(super::escaped("Katze größer 猫"), "Katze größer 猫");
    }
}
