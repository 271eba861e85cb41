//! Durations as people write them: `200ms`, `15m`, `1h30m`, `2 days`.

use std::time::Duration;

use jiff::{Span, SpanRelativeTo};

/// How durations are written, for error messages.
pub const FORM: &str = "a duration like \"200ms\", \"15m\", \"1h30m\" or \"7d\"";

/// Reads a duration in whole milliseconds. A day has 24 hours, a week 7 days.
pub fn parse(text: &str) -> Result<Duration, String> {
    let span: Span = text.trim().parse().map_err(|_| format!("not {FORM}"))?;
    if span.is_negative() {
        return Err("a duration cannot be negative".to_owned());
    }
    if span.get_years() != 0 || span.get_months() != 0 {
        return Err("months and years have no fixed length".to_owned());
    }
    let relative = SpanRelativeTo::days_are_24_hours();
    let exact = span
        .to_duration(relative)
        .map_err(|error| error.to_string())?;
    let exact = Duration::try_from(exact).map_err(|error| error.to_string())?;
    if exact.subsec_nanos() % 1_000_000 != 0 {
        return Err("nothing finer than a millisecond".to_owned());
    }
    Ok(exact)
}

/// A duration as it is written in a file: `1h30m`.
pub fn display(duration: Duration) -> String {
    if duration.is_zero() {
        return "0s".to_owned();
    }
    let mut rest_ms = duration.as_millis();
    let mut text = String::new();
    for (unit, unit_ms) in [
        ("d", 86_400_000),
        ("h", 3_600_000),
        ("m", 60_000),
        ("s", 1_000),
        ("ms", 1),
    ] {
        let count = rest_ms / unit_ms;
        rest_ms %= unit_ms;
        if count > 0 {
            text.push_str(&format!("{count}{unit}"));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_as_they_are_written() {
        for text in ["200ms", "15m", "1h30m", "7d", "1d2h3m4s5ms"] {
            assert_eq!(display(parse(text).unwrap()), text);
        }
        assert_eq!(parse("2 weeks").unwrap(), Duration::from_secs(14 * 86_400));
        assert_eq!(parse("90s").unwrap(), Duration::from_secs(90));
        for text in ["", "5", "1mo", "1 year", "-5m", "1us", "x"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
