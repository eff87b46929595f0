//! Addresses that stand as every reader of addresses would write them, which most do: there is
//! nothing to parse.

/// The host and the path of such an address: http or https, a name in small letters without a
/// port, a path without parameters, fragment, escapes and steps up.
pub(super) fn plain(text: &str) -> Option<(&str, &str)> {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"))?;
    let (host, path) = rest.split_at(rest.find('/')?);
    let in_host =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".-".contains(&byte);
    let in_path = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-~".contains(&byte);
    // A host whose last part is no word is a number to some; one of other letters must be valid.
    let last = host.rsplit('.').next().unwrap_or(host);
    let good = last.starts_with(|first: char| first.is_ascii_lowercase())
        && host.bytes().all(in_host)
        && !host.contains("xn--")
        && path.bytes().all(in_path)
        && !path.contains("/.");
    good.then_some((host, path))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use url::Url;

    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Option<(&str, &str)>) {
        assert_eq!(plain(text), expected, "{text}");
    }

    #[test]
    fn what_would_be_written_otherwise_is_not_plain() {
        check("https://www.e.org/a/b_c-1.html", Some(("www.e.org", "/a/b_c-1.html")));
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
            text in "(http|https)://[a-z0-9.-]{1,8}(/|/[./a-z0-9_~-]{0,8})?"
        ) {
            if let Some((host, path)) = plain(&text) {
                let url = Url::parse(&text).unwrap();
                prop_assert_eq!(url.as_str(), &text);
                prop_assert_eq!((url.host_str(), url.path()), (Some(host), path));
            }
        }
    }
}
