//! From bytes to items: what a feed document says, however badly it says it.

use jiff::Timestamp;
use serde::Serialize;
use url::Url;

use crate::item::Item;

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
}

/// What a feed document says about the feed itself.
#[derive(Debug, Clone, Default, Serialize)]
pub struct FeedInfo {
    /// The feed's own title.
    pub title: Option<String>,
    /// The site it belongs to.
    pub link: Option<String>,
    /// `rss0`, `rss1`, `rss2`, `atom`, `json`.
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

/// Reads a feed document. Never panics, whatever the bytes.
pub fn parse(_document: &Document<'_>) -> Result<ParsedFeed, ParseError> {
    Err(ParseError::Empty)
}
