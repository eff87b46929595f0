//! Addresses that stand as every reader of addresses would write them, which most do: there is
//! nothing to parse.

/// Classes of bytes in [`CLASSES`]: those that may stand in a host, a path, a parameter.
const HOST: u8 = 1;
const PATH: u8 = 2;
const QUERY: u8 = 4;

/// The classes of each byte.
static CLASSES: [u8; 256] = {
    let mut classes = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        classes[byte] = match byte as u8 {
            b'a'..=b'z' | b'0'..=b'9' | b'.' | b'-' => HOST | PATH | QUERY,
            b'A'..=b'Z' | b'_' => PATH | QUERY,
            b'/' | b'~' => PATH,
            _ => 0,
        };
        byte += 1;
    }
    classes
};

/// Such an address: http or https, a name in small letters without a port, a path without escapes and
/// steps up, parameters of letters and digits, no fragment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Plain<'t> {
    /// The scheme and what parts it from the host.
    pub(super) scheme: &'t str,
    pub(super) host: &'t str,
    pub(super) path: &'t str,
    /// What stands behind the question mark: `name=value`, parted by `&`.
    query: Option<&'t str>,
}

impl<'t> Plain<'t> {
    pub(super) fn parse(text: &'t str) -> Option<Self> {
        let start = ["https://", "http://"].iter().find(|start| text.starts_with(**start))?;
        let (scheme, rest) = text.split_at(start.len());
        let (host, rest) = rest.split_at(memchr::memchr(b'/', rest.as_bytes())?);
        let (path, query) = match memchr::memchr(b'?', rest.as_bytes()) {
            Some(at) => (&rest[..at], Some(&rest[at + 1..])),
            None => (rest, None),
        };
        let all =
            |text: &str, class| text.bytes().all(|byte| CLASSES[usize::from(byte)] & class != 0);
        let has = |text: &str, two: [u8; 2]| {
            let text = text.as_bytes();
            memchr::memchr_iter(two[1], text).any(|at| at > 0 && text[at - 1] == two[0])
        };
        // A host whose last part is no word is a number to some; one of other letters must be valid.
        let last = host.rsplit('.').next().unwrap_or(host);
        let good = last.starts_with(|first: char| first.is_ascii_lowercase())
            && all(host, HOST)
            && !has(host, *b"--")
            && all(path, PATH)
            && !has(path, *b"/.")
            && query.unwrap_or("a=").split('&').all(|pair| {
                pair.split_once('=')
                    .is_some_and(|(name, value)| all(name, QUERY) && all(value, QUERY))
            });
        good.then_some(Self { scheme, host, path, query })
    }

    /// The parameters whose names are `wanted`, with the question mark; empty when there are none.
    pub(super) fn query(&self, wanted: impl Fn(&str) -> bool) -> String {
        let mut query = String::new();
        for pair in self.query.iter().flat_map(|query| query.split('&')) {
            if wanted(pair.split('=').next().unwrap_or_default()) {
                query.push(if query.is_empty() { '?' } else { '&' });
                query.push_str(pair);
            }
        }
        query
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use url::Url;

    use super::*;
    use crate::feed::identity::{is_kept, untracked};

    #[track_caller]
    fn check(text: &str, expected: Option<(&str, &str, &str)>) {
        let plain = Plain::parse(text);
        let query = plain.map(|plain| plain.query(|name| name != "c"));
        let parts = plain.as_ref().map(|plain| (plain.host, plain.path));
        let parts = parts.map(|(host, path)| (host, path, query.as_deref().unwrap_or_default()));
        assert_eq!(parts, expected, "{text}");
    }

    #[test]
    fn what_would_be_written_otherwise_is_not_plain() {
        check("https://www.e.org/a/b_c-1.html", Some(("www.e.org", "/a/b_c-1.html", "")));
        check("https://e.org/?a=1&b=&c=3", Some(("e.org", "/", "?a=1&b=")));
        for text in [
            "https://e.org",
            "https://E.org/",
            "HTTPS://e.org/",
            "https://e.org:443/",
            "https://u@e.org/",
            "https://1.2/",
            "https://e.0x1/",
            "https://xn--a/",
            "https:///a",
            "https://e.org/a/../b",
            "https://e.org/a?b",
            "https://e.org/a?b=1&",
            "https://e.org/a?b=1=2",
            "https://e.org/a?b=1+2",
            "https://e.org/a?b=1#c",
            "https://e.org?b=1",
            "https://e.org/a#b",
            "https://e.org/%61",
            "https://e.org/ä",
            " https://e.org/",
            "ftp://e.org/",
        ] {
            check(text, None);
        }
    }

    proptest! {
        #[test]
        fn a_plain_address_is_what_its_parser_makes_of_it(
            text in "(http|https)://[a-z0-9.-]{1,8}(/|/[./a-z0-9_~-]{0,8})?(|[?]((utm_|[A-b0-9_.~-]{0,2})[=&+]{1,2}){1,3})"
        ) {
            if let Some(plain) = Plain::parse(&text) {
                let url = Url::parse(&text).unwrap();
                prop_assert_eq!(url.as_str(), &text);
                prop_assert_eq!((url.host_str(), url.path()), (Some(plain.host), plain.path));
                let untracked = untracked(url.clone());
                let query = plain.query(is_kept);
                prop_assert_eq!(untracked.query().unwrap_or_default(), query.trim_start_matches('?'));
            }
        }
    }
}
