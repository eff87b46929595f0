//! Durations as people write them: `90d`, `15m`, `2h30m`.

use std::time::Duration;

/// The longest duration that a setting may have.
const LONGEST: Duration = Duration::from_secs(20 * 365 * 24 * 3600);

/// Reads a duration: whole numbers, each with its unit (ms, s, m, h, d, w), largest unit first or
/// not. Why it is none, as a fragment for a message, when it cannot be read.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("{text:?} is no duration: write 30s, 15m, 12h, 90d or 2h30m");
    let mut rest = text.trim();
    if rest.is_empty() {
        return Err(wrong());
    }
    let mut total = Duration::ZERO;
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let number: u32 = rest[..digits].parse().map_err(|_| wrong())?;
        rest = &rest[digits..];
        let letters = rest.bytes().take_while(u8::is_ascii_alphabetic).count();
        let unit = match &rest[..letters] {
            "ms" => Duration::from_millis(1),
            "s" => Duration::from_secs(1),
            "m" => Duration::from_secs(60),
            "h" => Duration::from_secs(3600),
            "d" => Duration::from_secs(24 * 3600),
            "w" => Duration::from_secs(7 * 24 * 3600),
            _ => return Err(wrong()),
        };
        rest = &rest[letters..];
        total = unit
            .checked_mul(number)
            .and_then(|part| total.checked_add(part))
            .filter(|total| *total <= LONGEST)
            .ok_or_else(|| format!("{text:?} is longer than 20 years"))?;
    }
    Ok(total)
}

/// Writes a duration as [`duration`] reads it.
pub(crate) fn write(duration: Duration) -> String {
    let mut millis = duration.as_millis();
    let mut text = String::new();
    for (unit, size) in
        [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)]
    {
        if millis >= size {
            text += &format!("{}{unit}", millis / size);
            millis %= size;
        }
    }
    if text.is_empty() { "0s".to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, seconds: Option<u64>) {
        assert_eq!(duration(text).ok().map(|duration| duration.as_secs()), seconds, "{text}");
    }

    #[test]
    fn a_duration_is_numbers_with_units() {
        check("90d", Some(90 * 86_400));
        check("2h30m", Some(9_000));
        check("0s", Some(0));
        check(" 15m ", Some(900));
        check("15", None);
        check("15 minutes", None);
        check("-5m", None);
        check("é", None);
        check("", None);
        check("99999999999d", None);
        check("4000000000w", None);
    }

    #[test]
    fn a_duration_is_written_as_it_is_read() {
        for text in ["90d", "2h30m", "1s", "0s", "1d1h1m1s1ms"] {
            assert_eq!(write(duration(text).unwrap()), text);
        }
    }
}
