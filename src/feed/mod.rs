//! From bytes to items: what a feed document says, however badly it says it.

mod address;
mod aliases;
mod author;
pub(crate) mod charset;
mod date;
mod hints;
mod html;
mod identity;
mod links;
mod parser;
mod repair;
mod web_page;

use feed_rs::model;
use jiff::Timestamp;
use serde::Serialize;
use url::Url;

pub use self::links::{FeedLink, links};
pub use self::repair::Repairs;
use self::repair::{Aside, Entry, Head, MOST_ITEMS, Written};
use crate::item::{Item, ItemKey, ItemSource};
use crate::poll::Hints;

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
    /// What had to be mended before it could be read, by kind.
    pub repairs: Repairs,
    /// What a person should know about the document.
    pub warnings: Vec<String>,
    /// The document reached its end. A body that was cut off yields the items before the cut.
    #[serde(skip)]
    pub complete: bool,
    /// The item that the document ended in before what it is known by was whole: at the next poll it
    /// would be another one.
    #[serde(skip)]
    pub unidentified: Option<ItemKey>,
    /// The item that the document ended in: it may say less than its publisher does.
    #[serde(skip)]
    pub cut: Option<ItemKey>,
}

impl ParsedFeed {
    /// What a person should know who is about to watch a feed that shows one item after the other as
    /// one, so that each is an edit of the one before.
    pub fn one_page(&self) -> Option<&'static str> {
        let [item] = self.items.as_slice() else { return None };
        identity::may_be_one_page(item, self.feed.link.as_deref()).then_some(
            "its one item is known by its link alone: when the next one has that link, it is an edit of this one, which only rules with on_update = true tell",
        )
    }
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
    /// When it wants to be asked.
    #[serde(skip)]
    pub hints: Hints,
    /// A digest of the id that it gives itself.
    #[serde(skip)]
    pub identity: Option<[u8; 16]>,
    /// Where its older items are, by its own account.
    #[serde(skip)]
    pub older: Option<Url>,
}

/// Why nothing could be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// No bytes, or only white space.
    #[error("the body is empty")]
    Empty,
    /// A web page, not a feed.
    #[error(
        "the body is a web page{}, not a feed{}",
        title.as_ref().map(|title| format!(" ({title:?})")).unwrap_or_default(),
        feed.as_ref().map(|feed| format!("; it names the feed {feed}")).unwrap_or_default()
    )]
    WebPage {
        /// The page's title.
        title: Option<String>,
        /// The page challenges or refuses robots.
        bot_wall: bool,
        /// The first feed that the page names.
        feed: Option<Box<Url>>,
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
    let dates = date::Reader { utc_offset: document.utc_offset, now: document.now };
    let text = decoded.text.trim_start_matches('\u{feff}').trim_start();
    let mut repaired = repair::repair(text, document.base, dates);
    if repaired.web_page {
        let feed = links(document).into_iter().next().map(|link| Box::new(link.url));
        return Err(web_page::error(text, feed));
    }
    drop(decoded.text);
    if repaired.format.is_empty() {
        return Err(ParseError::NotAFeed(
            "the document is neither RSS nor Atom nor JSON Feed".to_owned(),
        ));
    }
    if repaired.too_many {
        warnings.push(format!("items after the first {MOST_ITEMS} are ignored"));
    }
    warnings
        .extend(repaired.error.map(|error| format!("it cannot be followed to its end: {error}")));
    repaired.repairs.add("broken-character", decoded.broken);

    let written = Written::of(&repaired.head, &repaired.entries);
    let mut read = parser::parse(&written, dates).map_err(ParseError::NotAFeed)?;
    let entries = std::mem::take(&mut read.entries);
    let feed = info(read, &repaired.head, repaired.format, decoded.encoding);
    let asides = repaired.entries.into_iter().map(Entry::into_aside);
    let items: Vec<_> = entries
        .into_iter()
        .zip(asides)
        .map(|(entry, aside)| item(entry, aside, feed.lang.as_deref()))
        .collect();
    if items.is_empty() && repaired.strange_items {
        return Err(ParseError::NotAFeed(
            "the document has items, but none can be read".to_owned(),
        ));
    }
    let items = identity::assign(items);
    // What is known by more than its id may have been cut off in that.
    let last = items.last().filter(|_| repaired.cut);
    let unidentified = last
        .filter(|item| repaired.unidentified || !identity::is_by_id_alone(item))
        .map(|item| item.key);
    let cut = last.map(|item| item.key);
    if !repaired.complete {
        let last = if unidentified.is_some() {
            ", and its last item comes whole with the next poll"
        } else {
            ""
        };
        warnings.push(format!("the document does not reach its end{last}"));
    }
    Ok(ParsedFeed {
        feed,
        unidentified,
        cut,
        items,
        repairs: repaired.repairs,
        warnings,
        complete: repaired.complete,
    })
}

fn info(
    parsed: model::Feed,
    head: &Head,
    format: &'static str,
    encoding: &'static str,
) -> FeedInfo {
    let title = parsed.title.map(|title| cut(title.content, LONGEST_TITLE));
    FeedInfo {
        title: title.filter(|title| !title.is_empty()),
        link: head.link(),
        format,
        encoding,
        lang: head.lang.clone(),
        hints: head.hints.hints(),
        identity: head.id.as_ref().map(|id| *ItemKey::of("feed", &[id]).as_bytes()),
        older: head.older(),
    }
}

/// The item of an entry, without its key, and its date as it is written.
fn item(entry: model::Entry, aside: Aside, lang: Option<&str>) -> (Item, String) {
    let time = |time: Option<chrono::DateTime<chrono::Utc>>| {
        time.and_then(|time| Timestamp::from_second(time.timestamp()).ok())
    };
    let Aside { summary, mut content, .. } = aside;
    if content.split_whitespace().eq(summary.split_whitespace()) {
        content.clear();
    }
    let item = Item {
        // Given when all items of the document are known.
        key: ItemKey::of("none", &[]),
        aliases: Vec::new(),
        id: Some(entry.id).filter(|id| !id.is_empty()),
        title: entry.title.map(|title| cut(title.content, LONGEST_TITLE)).unwrap_or_default(),
        summary,
        content,
        link: aside.link,
        lang: aside.lang.or_else(|| lang.map(str::to_owned)),
        authors: names(aside.authors.iter().map(|name| author::name(&html::to_line(name)))),
        tags: names(entry.categories.into_iter().map(|tag| tag.term)),
        published: time(entry.published),
        updated: time(entry.updated),
        source: (aside.source_title.is_some() || aside.source_url.is_some())
            .then_some(ItemSource { title: aside.source_title, url: aside.source_url }),
    };
    (item, aside.raw_date)
}

/// Each name once, as far as it has a length.
fn names(names: impl Iterator<Item = String>) -> Vec<String> {
    let mut kept: Vec<String> = Vec::new();
    for name in names {
        let name = cut(name, LONGEST_NAME);
        if !name.is_empty() && !kept.contains(&name) && kept.len() < MOST_NAMES {
            kept.push(name);
        }
    }
    kept
}

/// A language as `en` or `zh-cn`.
fn language(text: &str) -> Option<String> {
    let text = text.trim().to_lowercase().replace('_', "-");
    let good = |c: char| c.is_ascii_alphanumeric() || c == '-';
    ((2..=16).contains(&text.len()) && text.chars().all(good)).then_some(text)
}

/// At most so many bytes of a text.
fn cut(mut text: String, most: usize) -> String {
    text.truncate(text.floor_char_boundary(most));
    text
}

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
