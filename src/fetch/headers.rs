//! What the headers of an answer say about when to come back.

use std::time::Duration;

use jiff::Timestamp;
use reqwest::header::{self, HeaderMap};

use super::Freshness;

/// A lifetime longer than this is not believed; the schedule believes less of a good answer's.
const LONGEST_LIFETIME: Duration = Duration::from_secs(48 * 3600);
/// `Retry-After` is kept within these.
const RETRY_AFTER: (Duration, Duration) = (Duration::from_secs(60), Duration::from_secs(24 * 3600));

/// The freshness of an answer (RFC 9111 section 4.2): `max-age` less `Age`, else `Expires` less
/// `Date`; zero where the answer forbids storing or wants to be asked again each time.
pub(crate) fn freshness(headers: &HeaderMap, now: Timestamp) -> Freshness {
    let date = date(headers, header::DATE).unwrap_or(now);
    Freshness {
        lifetime: lifetime(headers, date).map(|lifetime| lifetime.min(LONGEST_LIFETIME)),
        retry_after: retry_after(headers, date),
    }
}

fn text(headers: &HeaderMap, name: header::HeaderName) -> Option<&str> {
    headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim)
}

fn date(headers: &HeaderMap, name: header::HeaderName) -> Option<Timestamp> {
    let time = httpdate::parse_http_date(text(headers, name)?).ok()?;
    Timestamp::try_from(time).ok()
}

fn lifetime(headers: &HeaderMap, date: Timestamp) -> Option<Duration> {
    let mut max_age = None;
    for value in headers.get_all(header::CACHE_CONTROL) {
        for directive in value.to_str().unwrap_or_default().split(',') {
            let directive = directive.trim().to_ascii_lowercase();
            if directive == "no-cache" || directive == "no-store" {
                return Some(Duration::ZERO);
            }
            if let Some(seconds) = directive.strip_prefix("max-age=") {
                max_age = seconds.trim_matches('"').parse::<u64>().ok();
            }
        }
    }
    if let Some(max_age) = max_age {
        let age = text(headers, header::AGE).and_then(|age| age.parse::<u64>().ok()).unwrap_or(0);
        return Some(Duration::from_secs(max_age.saturating_sub(age)));
    }
    // RFC 9111 section 5.3: what is no date, `0` above all, has already passed.
    headers.get(header::EXPIRES)?;
    let expires = self::date(headers, header::EXPIRES).unwrap_or(date);
    Some(Duration::try_from(expires.duration_since(date)).unwrap_or(Duration::ZERO))
}

/// `Retry-After` within what a feed is kept waiting for.
fn retry_after(headers: &HeaderMap, date: Timestamp) -> Option<Duration> {
    asked_patience(headers, date).map(|asked| asked.clamp(RETRY_AFTER.0, RETRY_AFTER.1))
}

/// `Retry-After` (RFC 9110 section 10.2.3): seconds, or a date to be read against `Date`. What is
/// neither is as if it were not there.
pub(crate) fn asked_patience(headers: &HeaderMap, date: Timestamp) -> Option<Duration> {
    let value = text(headers, header::RETRY_AFTER)?;
    let digits = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit());
    if digits {
        return Some(Duration::from_secs(value.parse().unwrap_or(u64::MAX)));
    }
    let until = self::date(headers, header::RETRY_AFTER)?;
    // A date that has passed asks for no patience.
    Some(Duration::try_from(until.duration_since(date)).unwrap_or(Duration::ZERO))
}

/// The media type and character set of `Content-Type`.
pub(crate) fn content_type(headers: &HeaderMap) -> (Option<String>, Option<String>) {
    let Some(value) = text(headers, header::CONTENT_TYPE) else { return (None, None) };
    let mut parts = value.split(';');
    let media = parts.next().map(|media| media.trim().to_ascii_lowercase());
    let charset = parts.find_map(|part| {
        let (name, value) = part.split_once('=')?;
        let charset = value.trim().trim_matches(['"', '\'']);
        name.trim().eq_ignore_ascii_case("charset").then(|| charset.to_owned())
    });
    (media.filter(|media| !media.is_empty()), charset.filter(|charset| !charset.is_empty()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
        let pair = |(name, value): &(&str, &str)| {
            (name.parse::<header::HeaderName>().unwrap(), value.parse().unwrap())
        };
        pairs.iter().map(pair).collect()
    }

    #[track_caller]
    fn check(pairs: &[(&str, &str)], lifetime: Option<u64>, retry_after: Option<u64>) {
        let freshness = freshness(&headers(pairs), Timestamp::UNIX_EPOCH);
        assert_eq!(freshness.lifetime, lifetime.map(Duration::from_secs), "{pairs:?}");
        assert_eq!(freshness.retry_after, retry_after.map(Duration::from_secs), "{pairs:?}");
    }

    #[test]
    fn a_lifetime_is_max_age_less_age_or_expires_less_date() {
        check(&[("cache-control", "public, max-age=600"), ("age", "100")], Some(500), None);
        check(&[("cache-control", "max-age=60"), ("age", "100")], Some(0), None);
        check(&[("cache-control", "no-cache, max-age=600")], Some(0), None);
        check(&[("cache-control", "max-age=999999999")], Some(48 * 3600), None);
        check(&[("cache-control", "max-age=soon")], None, None);
        let (date, expires) = ("Tue, 19 Sep 2023 10:00:00 GMT", "Tue, 19 Sep 2023 10:10:00 GMT");
        check(&[("date", date), ("expires", expires)], Some(600), None);
        check(&[("date", expires), ("expires", date)], Some(0), None);
        check(&[("expires", "0")], Some(0), None);
    }

    #[test]
    fn retry_after_is_seconds_or_a_date_and_kept_within_bounds() {
        check(&[("retry-after", "3600")], None, Some(3600));
        check(&[("retry-after", "0")], None, Some(60));
        check(&[("retry-after", "1000000000000")], None, Some(24 * 3600));
        check(&[("retry-after", "99999999999999999999999")], None, Some(24 * 3600));
        check(&[("retry-after", "-1")], None, None);
        check(&[("retry-after", "soon")], None, None);
        let (date, later) = ("Tue, 19 Sep 2023 10:00:00 GMT", "Tue, 19 Sep 2023 12:00:00 GMT");
        check(&[("date", date), ("retry-after", later)], None, Some(7200));
        check(&[("date", later), ("retry-after", date)], None, Some(60));
    }

    #[test]
    fn the_character_set_is_taken_from_the_content_type() {
        let read = |value| content_type(&headers(&[("content-type", value)]));
        let (media, charset) = read("Text/XML; version=1; Charset=\"windows-1251\"");
        assert_eq!(media.as_deref(), Some("text/xml"));
        assert_eq!(charset.as_deref(), Some("windows-1251"));
        assert_eq!(read("text/xml; charset="), (Some("text/xml".to_owned()), None));
    }
}
