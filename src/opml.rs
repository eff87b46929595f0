//! OPML 2.0 (<http://opml.org/spec2.opml>): the lists of feeds that readers exchange.
//!
//! What OPML has no attribute for stands in attributes of a namespace of ours, as its specification
//! wants it: other readers pass over them.

use std::collections::BTreeMap;

use quick_xml::escape::escape;
use quick_xml::events::{BytesStart, Event};
use quick_xml::{Reader, XmlVersion};

/// Outlines of a document that are looked at.
const MOST_OUTLINES: usize = 100_000;
/// The longest attribute that is kept, in characters, but for our own: cut, these would say something else.
const LONGEST: usize = 2_000;

/// The namespace of the attributes that only newswatch reads.
const NAMESPACE: &str = "urn:newswatch:schema:opml:1";
/// What it is called in the documents that newswatch writes.
const PREFIX: &str = "newswatch";

/// A feed as an OPML document lists it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outline {
    /// Its title.
    pub title: String,
    /// Where the feed is.
    pub url: String,
    /// The site it belongs to.
    pub site: Option<String>,
    /// The language, where the document names one.
    pub lang: Option<String>,
    /// The folders that it stands in, outermost first.
    pub folders: Vec<String>,
    /// Its categories.
    pub categories: Vec<String>,
    /// What else newswatch knows of it, by the keys of the configuration.
    pub keys: BTreeMap<String, String>,
}

/// Why a document is no list of feeds.
#[derive(Debug, thiserror::Error)]
pub enum OpmlError {
    /// It is not well-formed XML.
    #[error("line {line}: {why}")]
    Xml {
        /// The line where reading stopped.
        line: usize,
        /// What is wrong there.
        why: String,
    },
    /// It has no `<opml>` element.
    #[error("it is no OPML document: there is no <opml>")]
    NotOpml,
    /// It holds more than anybody's list.
    #[error("it has more than {MOST_OUTLINES} outlines")]
    TooLarge,
}

/// Reads the feeds that a document lists, in its order. An outline without an address is a folder.
pub fn parse(text: &str) -> Result<Vec<Outline>, OpmlError> {
    let mut reader = Reader::from_str(text);
    reader.config_mut().check_end_names = false;
    let (mut feeds, mut folders, mut outlines) = (Vec::new(), Vec::new(), 0);
    // The prefix of our own attributes, once it is known that this is a list.
    let mut ours: Option<Option<String>> = None;
    loop {
        let event = reader.read_event().map_err(|error| {
            let end = usize::try_from(reader.error_position()).unwrap_or(text.len());
            let line = text.get(..end).map_or(0, |read| read.matches('\n').count()) + 1;
            OpmlError::Xml { line, why: error.to_string() }
        })?;
        match event {
            Event::Eof => break,
            Event::Start(tag) if is_outline(&tag) => {
                outlines += 1;
                let outline = read(&tag, &folders, ours.as_ref().and_then(Option::as_deref));
                folders.push(outline.title.clone());
                feeds.extend(Some(outline).filter(|outline| !outline.url.is_empty()));
            }
            Event::Empty(tag) if is_outline(&tag) => {
                outlines += 1;
                let outline = read(&tag, &folders, ours.as_ref().and_then(Option::as_deref));
                feeds.extend(Some(outline).filter(|outline| !outline.url.is_empty()));
            }
            Event::End(tag) if tag.local_name().as_ref().eq_ignore_ascii_case("outline") => {
                folders.pop();
            }
            Event::Start(tag) if tag.local_name().as_ref().eq_ignore_ascii_case("opml") => {
                ours = Some(prefix(&tag));
            }
            _ => {}
        }
        if outlines > MOST_OUTLINES {
            return Err(OpmlError::TooLarge);
        }
    }
    if ours.is_some() { Ok(feeds) } else { Err(OpmlError::NotOpml) }
}

/// The prefix that an element declares for our namespace.
fn prefix(tag: &BytesStart<'_>) -> Option<String> {
    let mut attributes = tag.attributes();
    let mut attributes = attributes.with_checks(false).flatten();
    let ours = attributes.find(|attribute| *attribute.value == *NAMESPACE)?;
    let prefix = ours.key.as_ref().strip_prefix("xmlns:")?;
    Some(prefix.to_owned())
}

fn is_outline(tag: &BytesStart<'_>) -> bool {
    tag.local_name().as_ref().eq_ignore_ascii_case("outline")
}

fn read(tag: &BytesStart<'_>, folders: &[String], ours: Option<&str>) -> Outline {
    let mut outline = Outline { folders: folders.to_vec(), ..Outline::default() };
    let mut text = String::new();
    for attribute in tag.attributes().with_checks(false).flatten() {
        // Readers write addresses with bare ampersands: then they are taken as they stand.
        let normalized = attribute.normalized_value(XmlVersion::Implicit1_0);
        let value = normalized.unwrap_or_else(|_| attribute.value.clone());
        let own =
            attribute.key.as_ref().split_once(':').filter(|(prefix, _)| Some(*prefix) == ours);
        if let Some((_, key)) = own {
            outline.keys.insert(key.to_owned(), value.into_owned());
            continue;
        }
        let value = kept(&value);
        match attribute.key.local_name().as_ref().to_ascii_lowercase().as_str() {
            "text" => text = value,
            "title" => outline.title = value,
            "xmlurl" => outline.url = value,
            "htmlurl" => outline.site = Some(value).filter(|site| !site.is_empty()),
            "category" => outline.categories = categories(&value),
            "language" => outline.lang = Some(value).filter(|lang| !lang.is_empty()),
            _ => {}
        }
    }
    if outline.title.is_empty() {
        outline.title = text;
    }
    outline
}

/// What is kept of an attribute of anybody's.
fn kept(value: &str) -> String {
    value.trim().chars().take(LONGEST).collect()
}

/// Paths of categories, as `/Boston/Weather`, or simple words.
fn categories(value: &str) -> Vec<String> {
    let categories = value.split(',').map(|path| path.trim().trim_start_matches('/'));
    categories.filter(|category| !category.is_empty()).map(str::to_owned).collect()
}

/// Whether these come back as they are when they are written as categories.
pub fn are_categories(tags: &[String]) -> bool {
    // White space in attributes is read as spaces.
    !tags.iter().any(|tag| tag.contains(char::is_control))
        && categories(&kept(&tags.join(","))) == tags
}

/// Writes a list of feeds; those of one first folder stand together.
pub fn write(title: &str, feeds: &[Outline]) -> String {
    let mut out = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<opml version=\"2.0\" xmlns:{PREFIX}=\"{NAMESPACE}\">\n\
         <head><title>{}</title></head>\n<body>\n",
        escape(title)
    );
    let mut folders: Vec<Option<&String>> = Vec::new();
    for feed in feeds {
        if !folders.contains(&feed.folders.first()) {
            folders.push(feed.folders.first());
        }
    }
    for folder in folders {
        if let Some(folder) = folder {
            let folder = escape(folder.as_str());
            out += &format!("<outline text=\"{folder}\" title=\"{folder}\">\n");
        }
        for feed in feeds.iter().filter(|feed| feed.folders.first() == folder) {
            let (title, url) = (escape(feed.title.as_str()), escape(feed.url.as_str()));
            out += &format!(
                "<outline type=\"rss\" text=\"{title}\" title=\"{title}\" xmlUrl=\"{url}\""
            );
            if let Some(site) = &feed.site {
                out += &format!(" htmlUrl=\"{}\"", escape(site.as_str()));
            }
            if let Some(lang) = &feed.lang {
                out += &format!(" language=\"{}\"", escape(lang.as_str()));
            }
            if !feed.categories.is_empty() {
                out += &format!(" category=\"{}\"", escape(feed.categories.join(",")));
            }
            for (key, value) in &feed.keys {
                let value = escape(value.as_str()).replace('\n', "&#10;").replace('\t', "&#9;");
                out += &format!(" {PREFIX}:{key}=\"{value}\"");
            }
            out += "/>\n";
        }
        if folder.is_some() {
            out += "</outline>\n";
        }
    }
    out + "</body>\n</opml>\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_read_with_its_folders() {
        let feeds = parse(
            "<?xml version='1.0'?><opml version='1.0'><body>
             <outline text='Asia'><outline text='Korea &amp; Japan'>
             <outline type='rss' text='A' title='Paper A' xmlUrl='https://a.example/rss?x=1&amp;y=2' htmlUrl='https://a.example'/>
             </outline></outline>
             <outline TEXT='B' XMLURL='https://b.example/?a=1&b=2' language='ru'></outline>
             <outline text='an empty folder'/></body></opml>",
        )
        .unwrap();
        assert_eq!(
            feeds,
            [
                Outline {
                    title: "Paper A".to_owned(),
                    url: "https://a.example/rss?x=1&y=2".to_owned(),
                    site: Some("https://a.example".to_owned()),
                    lang: None,
                    folders: vec!["Asia".to_owned(), "Korea & Japan".to_owned()],
                    ..Outline::default()
                },
                Outline {
                    title: "B".to_owned(),
                    url: "https://b.example/?a=1&b=2".to_owned(),
                    lang: Some("ru".to_owned()),
                    ..Outline::default()
                },
            ]
        );
    }

    #[test]
    fn what_is_written_reads_back() {
        let feed = |title: &str, folder: Option<&str>| Outline {
            title: title.to_owned(),
            url: "https://a.example/?a=1&b=\"2\"".to_owned(),
            site: None,
            lang: Some("zh".to_owned()),
            folders: folder.map(str::to_owned).into_iter().collect(),
            categories: vec!["x".to_owned(), "world/asia".to_owned()],
            keys: BTreeMap::from([("owner".to_owned(), "A & \"B\"".to_owned())]),
        };
        let feeds = [feed("<A> & 'B'", Some("x")), feed("王", Some("x")), feed("C", None)];
        assert_eq!(parse(&write("Feeds", &feeds)).unwrap(), feeds);
    }

    #[test]
    fn what_is_ours_is_known_by_its_namespace_whatever_its_prefix() {
        let owner = |declared: &str| {
            let feeds = parse(&format!(
                "<opml {declared}><outline xmlUrl='https://a.example/' x:owner='A' \
                 category='/Boston/Weather, news'/></opml>"
            ))
            .unwrap();
            assert_eq!(feeds[0].categories, ["Boston/Weather", "news"]);
            feeds[0].keys.get("owner").cloned()
        };
        assert_eq!(owner("xmlns:x='urn:newswatch:schema:opml:1'"), Some("A".to_owned()));
        assert_eq!(owner("xmlns:x='https://other.example/'"), None);
        assert_eq!(owner(""), None);
    }

    #[test]
    fn what_is_no_list_of_feeds_is_refused_with_its_line() {
        assert!(matches!(parse("<html></html>"), Err(OpmlError::NotOpml)));
        assert!(matches!(parse("<opml>\n\n<outline text='"), Err(OpmlError::Xml { line: 3, .. })));
    }
}
