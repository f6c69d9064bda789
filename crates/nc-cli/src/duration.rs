//! Durations on the command line.

use std::time::Duration;

/// Parses `90s`, `3min` or `8h`; `None` if the text is malformed or the duration is zero.
pub(crate) fn parse(text: &str) -> Option<Duration> {
    let (number, unit) = split(text);
    let seconds = match unit {
        "s" => 1.0,
        "min" => 60.0,
        "h" => 3600.0,
        _ => return None,
    };
    let time = Duration::try_from_secs_f64(seconds * number.parse::<f64>().ok()?).ok()?;
    (!time.is_zero()).then_some(time)
}

/// Splits a number from its unit.
pub(crate) fn split(text: &str) -> (&str, &str) {
    let number = text.trim_end_matches(char::is_alphabetic);
    (number.trim_end(), &text[number.len()..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_need_a_unit() {
        assert_eq!(parse("90s"), Some(Duration::from_secs(90)));
        assert_eq!(parse("1.5 min"), Some(Duration::from_secs(90)));
        assert_eq!(parse("2h"), Some(Duration::from_hours(2)));
        for wrong in ["", "5", "min", "-1min", "0s", "5d", "1e300h", "nanh"] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }
}
