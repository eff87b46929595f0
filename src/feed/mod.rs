//! From bytes to items: what a feed document says, however badly it says it.

mod aliases;
pub(crate) mod charset;
mod date;
mod html;
mod identity;
mod repair;

use jiff::Timestamp;
use serde::Serialize;
use url::Url;

use self::repair::{Aside, Dialect};
use crate::item::{Item, ItemKey, ItemSource};

/// A feed document as it arrived, and what is known about it from outside.
#[derive(Debug, Clone, Copy)]
pub struct Document<'a> {
    /// The body, decompressed.
    pub bytes: &'a [u8],
    /// The character set that HTTP named, or `--charset`.
    pub charset: Option<&'a str>,
    /// The character set that the configuration of the feed insists on.
    pub encoding: Option<&'a str>,
    /// The address it came from at last, against which relative links are read.
    pub base: Option<&'a Url>,
    /// The offset from UTC, in seconds, of dates that name no zone; UTC when absent.
    pub utc_offset: Option<i32>,
    /// When it arrived; dates further ahead than a day are not believed.
    pub now: Timestamp,
}

/// What a feed document says.
#[derive(Debug, Clone, Serialize)]
pub struct ParsedFeed {
    /// About the feed itself.
    pub feed: FeedInfo,
    /// The entries, in the order of the document.
    pub items: Vec<Item>,
    /// What had to be mended before it could be read, each kind once.
    pub repairs: Vec<&'static str>,
    /// What a person should know about the document.
    pub warnings: Vec<String>,
    /// The document reached its end. A body that was cut off yields the items before the cut.
    #[serde(skip)]
    pub complete: bool,
    /// The item that the document ended in before its id was whole: at the next poll it would be
    /// another one.
    #[serde(skip)]
    pub unidentified: Option<ItemKey>,
}

/// What a feed document says about the feed itself.
#[derive(Debug, Clone, Default, Serialize)]
pub struct FeedInfo {
    /// The feed's own title.
    pub title: Option<String>,
    /// The site it belongs to.
    pub link: Option<String>,
    /// `rss1`, `rss2`, `atom`, `json`.
    pub format: &'static str,
    /// The character set that the body was read in.
    pub encoding: &'static str,
    /// The language it declares.
    pub lang: Option<String>,
    /// The minutes for which it asks to be left alone (RSS `ttl`).
    #[serde(skip)]
    pub ttl_minutes: Option<u32>,
}

/// Why nothing could be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// No bytes, or only white space.
    #[error("the body is empty")]
    Empty,
    /// A web page, not a feed.
    #[error("the body is a web page{}, not a feed", title.as_ref().map(|title| format!(" ({title:?})")).unwrap_or_default())]
    WebPage {
        /// The page's title.
        title: Option<String>,
        /// The page challenges or refuses robots.
        bot_wall: bool,
    },
    /// Nothing that looks like a feed, or one too broken to save anything from.
    #[error("{0}")]
    NotAFeed(String),
}

/// The longest headline, in bytes.
const LONGEST_TITLE: usize = 2 << 10;
/// The longest id or link, in bytes.
const LONGEST_LINK: usize = 2 << 10;
/// The longest text, in bytes.
const LONGEST_TEXT: usize = 256 << 10;
/// Authors and tags of an item, and bytes of each.
const MOST_NAMES: usize = 64;
const LONGEST_NAME: usize = 256;

/// Reads a feed document. Never panics, whatever the bytes.
pub fn parse(document: &Document<'_>) -> Result<ParsedFeed, ParseError> {
    if document.bytes.iter().all(u8::is_ascii_whitespace) {
        return Err(ParseError::Empty);
    }
    let decoded = charset::decode(document);
    let mut warnings = Vec::new();
    warnings.extend(decoded.overruled);
    let characters = decoded.text.chars().count();
    if decoded.broken * 1000 > characters {
        let (broken, encoding) = (decoded.broken, decoded.encoding);
        warnings.push(format!("{broken} of {characters} characters are broken in {encoding}"));
    }
    let text = decoded.text.trim_start_matches('\u{feff}').trim_start();
    if text.starts_with('{') {
        let feed = strict(text, document).map_err(ParseError::NotAFeed)?;
        let asides = vec![Aside::default(); feed.entries.len()];
        let items = identity::assign(items(feed.entries.clone(), asides, document));
        let info = info(&feed, "json", decoded.encoding);
        let repairs = Vec::new();
        return Ok(ParsedFeed {
            feed: info,
            items,
            repairs,
            warnings,
            complete: true,
            unidentified: None,
        });
    }
    let mended = repair::repair(text);
    if mended.web_page {
        return Err(web_page(text));
    }
    let Some(dialect) = mended.dialect else {
        return Err(ParseError::NotAFeed(
            "the document is neither RSS nor Atom nor JSON Feed".to_owned(),
        ));
    };
    if mended.too_many {
        warnings.push(format!("items after the first {} are ignored", repair::MOST_ITEMS));
    }
    let feed = strict(&mended.xml, document).map_err(ParseError::NotAFeed)?;
    let mut asides = mended.items;
    if asides.len() != feed.entries.len() {
        // The side notes belong to other items: better none than wrong ones.
        warnings.push(format!("{} of {} items could be read", feed.entries.len(), asides.len()));
        if feed.entries.is_empty() {
            return Err(ParseError::NotAFeed(
                "the document has items, but none can be read".to_owned(),
            ));
        }
        asides = vec![Aside::default(); feed.entries.len()];
    }
    let format = match dialect {
        Dialect::Atom => "atom",
        Dialect::Rss1 => "rss1",
        Dialect::Rss2 => "rss2",
    };
    let info = info(&feed, format, decoded.encoding);
    let unidentified = asides.last().is_some_and(|aside| aside.unidentified);
    let mut items = items(feed.entries, asides, document);
    for (item, _) in &mut items {
        if item.lang.is_none() {
            item.lang.clone_from(&info.lang);
        }
    }
    let items = identity::assign(items);
    Ok(ParsedFeed {
        feed: info,
        unidentified: items.last().filter(|_| unidentified).map(|item| item.key),
        items,
        repairs: mended.repairs.into_iter().collect(),
        warnings,
        complete: mended.complete,
    })
}

/// Has the strict parser read what should now be well-formed. It has been seen to panic, so a
/// panic is an error like another.
fn strict(text: &str, document: &Document<'_>) -> Result<feed_rs::model::Feed, String> {
    let dates = date::Reader { utc_offset: document.utc_offset, now: document.now };
    let parser = feed_rs::parser::Builder::new()
        .base_uri(document.base.map(Url::as_str))
        .id_generator(|_, _, _| String::new())
        .timestamp_parser(move |text| {
            let time = dates.read(text)?;
            chrono::DateTime::from_timestamp(time.as_second(), 0)
        })
        .build();
    quietly(|| parser.parse(text.as_bytes()))
        .map_err(|()| "the parser failed on it".to_owned())?
        .map_err(|error| error.to_string())
}

/// Runs something that may panic; a panic of it is silent and becomes an error.
fn quietly<T>(work: impl FnOnce() -> T) -> Result<T, ()> {
    use std::cell::Cell;
    use std::panic;
    use std::sync::Once;
    thread_local! {
        static QUIET: Cell<bool> = const { Cell::new(false) };
    }
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let usual = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if !QUIET.get() {
                usual(info);
            }
        }));
    });
    QUIET.set(true);
    let result = panic::catch_unwind(panic::AssertUnwindSafe(work));
    QUIET.set(false);
    result.map_err(|_| ())
}

fn info(feed: &feed_rs::model::Feed, format: &'static str, encoding: &'static str) -> FeedInfo {
    let link = feed.links.iter().find(|link| link.rel.as_deref() != Some("self"));
    FeedInfo {
        title: feed
            .title
            .as_ref()
            .map(|title| cut(html::to_line(&title.content), LONGEST_TITLE))
            .filter(|title| !title.is_empty()),
        link: link.map(|link| link.href.clone()),
        format,
        encoding,
        lang: feed.language.as_deref().and_then(language),
        ttl_minutes: feed.ttl,
    }
}

/// A language as `en` or `zh-cn`.
fn language(text: &str) -> Option<String> {
    let text = text.trim().to_lowercase().replace('_', "-");
    let good = |c: char| c.is_ascii_alphanumeric() || c == '-';
    ((2..=16).contains(&text.len()) && text.chars().all(good)).then_some(text)
}

/// The items, each with its date as it is written.
fn items(
    entries: Vec<feed_rs::model::Entry>,
    asides: Vec<Aside>,
    document: &Document<'_>,
) -> Vec<(Item, String)> {
    let entries = entries.into_iter().zip(asides).take(repair::MOST_ITEMS);
    entries.map(|(entry, aside)| item(entry, aside, document)).collect()
}

fn item(entry: feed_rs::model::Entry, aside: Aside, document: &Document<'_>) -> (Item, String) {
    let text = |text: &str| cut(html::to_text(text), LONGEST_TEXT);
    let summary = entry.summary.as_ref().map(|summary| text(&summary.content)).unwrap_or_default();
    let content = entry.content.as_ref().and_then(|content| content.body.as_deref()).map(text);
    let content = content.filter(|content| *content != summary).unwrap_or_default();
    let title = entry.title.as_ref().map(|title| html::to_line(&title.content)).unwrap_or_default();
    let link = entry
        .links
        .iter()
        .find(|link| link.rel.as_deref().unwrap_or("alternate") == "alternate")
        .or_else(|| entry.links.iter().find(|link| link.rel.as_deref() != Some("self")))
        .map(|link| absolute(link.href.trim(), document.base))
        .filter(|link| !link.is_empty() && link.len() <= LONGEST_LINK);
    let time = |time: Option<chrono::DateTime<chrono::Utc>>| {
        time.and_then(|time| Timestamp::from_second(time.timestamp()).ok())
    };
    let names = |names: Vec<String>| {
        let mut kept: Vec<String> = Vec::new();
        for name in names {
            let name = cut(html::to_line(&name), LONGEST_NAME);
            if !name.is_empty() && !kept.contains(&name) && kept.len() < MOST_NAMES {
                kept.push(name);
            }
        }
        kept
    };
    let id = Some(entry.id.trim().to_owned()).filter(|id| !id.is_empty());
    let categories = entry.categories.into_iter().map(|tag| tag.label.unwrap_or(tag.term));
    let source = (aside.source_title.is_some() || aside.source_url.is_some()).then(|| ItemSource {
        title: aside.source_title.map(|title| cut(html::to_line(&title), LONGEST_NAME)),
        url: aside.source_url,
    });
    let item = Item {
        // Given when all items of the document are known.
        key: ItemKey::of("none", &[]),
        aliases: Vec::new(),
        id: id.map(|id| cut(id, LONGEST_LINK)),
        title: cut(title, LONGEST_TITLE),
        summary,
        content,
        link,
        lang: entry
            .language
            .as_deref()
            .and_then(language)
            .or(aside.lang.as_deref().and_then(language)),
        authors: names(
            entry
                .authors
                .into_iter()
                .filter_map(|author| author.name)
                .map(|name| without_dangling_brackets(&name).to_owned())
                .collect(),
        ),
        tags: names(categories.collect()),
        published: time(entry.published),
        updated: time(entry.updated),
        source,
    };
    (item, aside.raw_date)
}

/// A link that the parser left relative.
fn absolute(link: &str, base: Option<&Url>) -> String {
    match (Url::parse(link), base) {
        (Err(url::ParseError::RelativeUrlWithoutBase), Some(base)) => {
            base.join(link).map_or_else(|_| link.to_owned(), String::from)
        }
        _ => link.to_owned(),
    }
}

/// A name without the brackets that stood round the mail address which the parser took out of it.
fn without_dangling_brackets(mut name: &str) -> &str {
    const OPENING: [char; 14] =
        ['(', '[', '<', '{', '«', '‹', '“', '„', '（', '［', '【', '《', '〈', '「'];
    const CLOSING: [char; 13] =
        [')', ']', '>', '}', '»', '›', '”', '）', '］', '】', '》', '〉', '」'];
    loop {
        let before = name.len();
        name = name.trim();
        name = name.strip_suffix(OPENING).unwrap_or(name);
        name = name.strip_prefix(CLOSING).unwrap_or(name);
        // A pair with nothing in it, or with all in it: `mail@example.org (A. Writer)`.
        if let Some(open) = name.strip_suffix(CLOSING) {
            name = open.trim_end().strip_suffix(OPENING).unwrap_or(name);
            name = open
                .strip_prefix(OPENING)
                .filter(|inner| !inner.contains(OPENING) && !inner.contains(CLOSING))
                .unwrap_or(name);
        }
        if name.len() == before {
            return name;
        }
    }
}

/// At most so many bytes of a text.
fn cut(mut text: String, most: usize) -> String {
    text.truncate(text.floor_char_boundary(most));
    text
}

/// What a web page in place of a feed says about why.
fn web_page(text: &str) -> ParseError {
    const WALLS: &[&str] = &[
        "just a moment",
        "cf-challenge",
        "challenge-platform",
        "captcha",
        "attention required",
        "access denied",
        "are you a robot",
        "verify you are human",
        "enable javascript and cookies",
        "ddos-guard",
        "type=\"password\"",
    ];
    let head = text[..text.floor_char_boundary(64 << 10)].to_ascii_lowercase();
    let title = head.find("<title").and_then(|start| {
        let inner = start + head[start..].find('>')? + 1;
        let end = inner + head[inner..].find("</title")?;
        Some(cut(html::to_line(text.get(inner..end)?), LONGEST_NAME))
            .filter(|title| !title.is_empty())
    });
    ParseError::WebPage { title, bot_wall: WALLS.iter().any(|sign| head.contains(sign)) }
}

#[cfg(test)]
mod tests;
