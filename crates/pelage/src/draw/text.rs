//! Numbers for display.

/// With thousands separators: 1,355,938.
pub fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let group = |(i, digit): (usize, char)| {
        let comma = i > 0 && (digits.len() - i).is_multiple_of(3);
        comma.then_some(',').into_iter().chain([digit])
    };
    digits.chars().enumerate().flat_map(group).collect()
}

/// A fraction, 0 to 1, as a percentage.
pub fn percent(share: f64, decimals: usize) -> String {
    format!("{} %", fixed(100.0 * share, decimals))
}

/// With this many decimals, and without the sign of what is zero with these: 0.0000, never -0.0000.
pub fn fixed(value: f64, decimals: usize) -> String {
    let text = format!("{value:.decimals$}");
    match text.strip_prefix('-') {
        Some(zero) if is_zero(zero) => zero.to_string(),
        _ => text,
    }
}

/// The same with a sign before all but zero: +0.25, -0.25, 0.00.
pub fn signed(value: f64, decimals: usize) -> String {
    let text = format!("{value:+.decimals$}");
    match text.strip_prefix(['+', '-']) {
        Some(zero) if is_zero(zero) => zero.to_string(),
        _ => text,
    }
}

fn is_zero(digits: &str) -> bool {
    digits.bytes().all(|byte| matches!(byte, b'0' | b'.'))
}

/// Seconds in words: `under 1 s`, `42 s`, `3 min 20 s`, `1 h 05 min`.
pub fn duration(seconds: f64) -> String {
    let whole = seconds.round().max(0.0) as u64;
    match whole {
        0 => "under 1 s".to_string(),
        1..60 => format!("{seconds:.0} s"),
        60..3600 => format!("{} min {:02} s", whole / 60, whole % 60),
        _ => format!("{} h {:02} min", whole / 3600, whole % 3600 / 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_written_as_people_do() {
        assert_eq!(
            [0, 999, 1000, 1_355_938].map(thousands),
            ["0", "999", "1,000", "1,355,938"]
        );
        assert_eq!(percent(0.98765, 2), "98.77 %");
        assert_eq!(percent(-0.0, 2), "0.00 %");
    }

    #[test]
    fn zero_has_no_sign() {
        assert_eq!(
            [-0.0, -0.00004, 0.0, -0.00005, 1.5, -1.5].map(|value| fixed(value, 4)),
            ["0.0000", "0.0000", "0.0000", "-0.0001", "1.5000", "-1.5000"]
        );
        assert_eq!(
            [-0.001, 0.001, 0.25, -0.25].map(|value| signed(value, 2)),
            ["0.00", "0.00", "+0.25", "-0.25"]
        );
        assert_eq!(
            [f64::NAN, f64::NEG_INFINITY].map(|value| fixed(value, 2)),
            ["NaN", "-inf"]
        );
    }

    #[test]
    fn short_times_are_not_zero() {
        assert_eq!(
            [-1.0, 0.0, 0.3, 0.6, 59.4, 59.6, 3599.7].map(duration),
            [
                "under 1 s",
                "under 1 s",
                "under 1 s",
                "1 s",
                "59 s",
                "1 min 00 s",
                "1 h 00 min"
            ]
        );
    }
}
