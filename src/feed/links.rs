//! The feeds that a web page names.

use html5gum::emitters::default::{DefaultEmitter, StartTag};
use html5gum::{Token, Tokenizer};
use url::Url;

use super::{Document, LONGEST_LINK, LONGEST_TITLE, charset, cut, html};

/// How much of a page is looked at, in bytes.
const LONGEST_PAGE: usize = 2 << 20;
/// Feeds that a page may name.
const MOST_LINKS: usize = 20;
/// The media types of feeds.
const FEEDS: [&str; 6] = [
    "application/rss+xml",
    "application/atom+xml",
    "application/rdf+xml",
    "application/feed+json",
    "application/xml",
    "text/xml",
];

/// A feed that a page names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeedLink {
    /// Where it is: http or https.
    pub url: Url,
    /// What the page calls it; may be empty.
    pub title: String,
}

/// The feeds that a web page names, in its order, each once: by `<link rel="alternate">`; where
/// there is none, what it links to by addresses that look like those of feeds. None is guessed that
/// the page does not name.
pub fn links(document: &Document<'_>) -> Vec<FeedLink> {
    let page = cut(charset::decode(document).text.into_owned(), LONGEST_PAGE);
    let mut base = document.base.cloned();
    let (mut declared, mut linked) = (Vec::new(), Vec::new());
    let mut emitter = DefaultEmitter::default();
    // What stands in scripts is no mark-up.
    emitter.naively_switch_states(true);
    for token in Tokenizer::new_with_emitter(&page, emitter) {
        let Ok(Token::StartTag(tag)) = token else { continue };
        let Some(href) = attribute(&tag, "href") else { continue };
        let Ok(url) = Url::options().base_url(base.as_ref()).parse(href.trim()) else { continue };
        match &*tag.name.to_vec() {
            b"base" => base = Some(url),
            b"link" if is_feed_link(&tag) => {
                let title = attribute(&tag, "title").unwrap_or_default();
                add(&mut declared, url, cut(html::to_line(&title), LONGEST_TITLE));
            }
            b"a" if looks_like_a_feed(&url) => add(&mut linked, url, String::new()),
            _ => {}
        }
    }
    if declared.is_empty() { linked } else { declared }
}

fn attribute(tag: &StartTag<()>, name: &str) -> Option<String> {
    let value = tag.attributes.get(name.as_bytes())?;
    Some(String::from_utf8_lossy(value).into_owned())
}

fn add(links: &mut Vec<FeedLink>, url: Url, title: String) {
    let web = matches!(url.scheme(), "http" | "https") && url.as_str().len() <= LONGEST_LINK;
    if web && links.len() < MOST_LINKS && links.iter().all(|known| known.url != url) {
        links.push(FeedLink { url, title });
    }
}

fn is_feed_link(tag: &StartTag<()>) -> bool {
    let word = |name| attribute(tag, name).unwrap_or_default().trim().to_ascii_lowercase();
    let (rel, media) = (word("rel"), word("type"));
    let media = media.split(';').next().unwrap_or_default().trim();
    let named = |wanted: &str| rel.split_ascii_whitespace().any(|rel| rel == wanted);
    named("feed") || (named("alternate") && !named("stylesheet") && FEEDS.contains(&media))
}

/// Whether an address looks like a feed's: `/feed`, `/rss`, `news.rss`, `atom.xml`, `feed.json`.
fn looks_like_a_feed(url: &Url) -> bool {
    let path = url.path().trim_end_matches('/').to_ascii_lowercase();
    let last = path.rsplit('/').next().unwrap_or_default();
    let (stem, extension) = last.rsplit_once('.').unwrap_or((last, ""));
    let word = |name: &str| {
        name.split(|c: char| !c.is_ascii_alphanumeric())
            .any(|word| matches!(word, "feed" | "feeds" | "rss" | "rss2" | "atom" | "rdf"))
    };
    match extension {
        "rss" | "atom" | "rdf" => true,
        "xml" | "json" => word(stem),
        "" => matches!(last, "feed" | "rss" | "atom"),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(page: &str) -> Vec<(String, String)> {
        let base = Url::parse("https://news.example/desk/").unwrap();
        let document = Document {
            bytes: page.as_bytes(),
            charset: None,
            encoding: None,
            base: Some(&base),
            utc_offset: None,
            now: jiff::Timestamp::UNIX_EPOCH,
        };
        links(&document).into_iter().map(|link| (link.url.to_string(), link.title)).collect()
    }

    #[track_caller]
    fn check(page: &str, expected: &[(&str, &str)]) {
        let expected: Vec<_> =
            expected.iter().map(|(url, title)| ((*url).to_owned(), (*title).to_owned())).collect();
        assert_eq!(found(page), expected, "{page}");
    }

    #[test]
    fn a_page_names_its_feeds_by_links() {
        check(
            "<head><link rel=stylesheet href=/a.css><LINK REL='Alternate' \
             TYPE='application/RSS+xml; charset=utf-8' title='All &amp; sundry' href='../rss'>\
             <link rel=alternate type=application/atom+xml href=//other.example/atom.xml>\
             <link rel=alternate hreflang=de href=/de><link rel=feed href=feed.json></head>\
             <a href=/never.rss>",
            &[
                ("https://news.example/rss", "All & sundry"),
                ("https://other.example/atom.xml", ""),
                ("https://news.example/desk/feed.json", ""),
            ],
        );
    }

    #[test]
    fn a_page_without_links_is_searched_for_addresses_of_feeds() {
        check(
            "<a href=/about>x<a href='/feed/'>x<a href=/rss.xml?a=1>x<a href=news.rss>x\
             <a href=/sitemap.xml>x<a href=/feed/>again<a href=/feeding>x",
            &[
                ("https://news.example/feed/", ""),
                ("https://news.example/rss.xml?a=1", ""),
                ("https://news.example/desk/news.rss", ""),
            ],
        );
    }

    #[test]
    fn what_is_no_mark_up_or_no_web_address_is_no_feed() {
        check("<!-- <link rel=feed href=/a> --><script>'<link rel=feed href=/b>'</script>", &[]);
        check("<link rel=feed href=javascript:x><link rel=feed href='http://['>", &[]);
        let many: String = (0..50).map(|n| format!("<link rel=feed href=/{n}>")).collect();
        assert_eq!(found(&many).len(), MOST_LINKS);
    }

    #[test]
    fn the_base_of_a_page_counts() {
        check("<base href=/b/><link rel=feed href=f>", &[("https://news.example/b/f", "")]);
    }
}
