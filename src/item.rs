//! An item: one entry of one feed, as newswatch understood it.
//!
//! Everything here is plain data. How bytes become items is [`crate::feed`]'s business, what
//! happens to them [`crate::pipeline`]'s.

use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

/// The part of an item in which a term was found or is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Field {
    /// The headline.
    Title,
    /// The short text of the entry (RSS `description`, Atom `summary`).
    Summary,
    /// The long text of the entry, where a feed carries it (`content:encoded`, Atom `content`).
    Content,
    /// The authors, one a line.
    Author,
    /// The tags (RSS and Atom `category`), one a line.
    Tag,
    /// The link.
    Url,
}

impl Field {
    /// Every field, in the order in which evidence is listed.
    pub const ALL: [Field; 6] =
        [Field::Title, Field::Summary, Field::Content, Field::Author, Field::Tag, Field::Url];

    /// The name as rules, JSON and messages write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Field::Title => "title",
            Field::Summary => "summary",
            Field::Content => "content",
            Field::Author => "author",
            Field::Tag => "tag",
            Field::Url => "url",
        }
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The name that the configuration gives a feed: its identity in the store, in logs and in lists.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct FeedName(Arc<str>);

impl FeedName {
    /// Takes a name that the configuration has already checked.
    pub fn new(name: &str) -> Self {
        Self(name.into())
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for FeedName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What makes an item the same item at the next poll: a digest of the entry's own identity (its
/// guid, else its link, else its text), never random and never its position in the feed.
///
/// Unique within one feed only; lists show it together with the feed as `feed/key`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ItemKey([u8; 16]);

impl ItemKey {
    /// The key of an identity: which kind of identity it is (`guid`, `link`, …) and its parts.
    pub fn of(mode: &str, parts: &[&str]) -> Self {
        // In one piece: most are short, and for the digest each piece is work of its own.
        let parts = || std::iter::once(&mode).chain(parts);
        let length = parts().map(|part| 8 + part.len()).sum();
        let mut bytes = SmallVec::<[u8; 512]>::with_capacity(length);
        for part in parts() {
            bytes.extend_from_slice(&(part.len() as u64).to_le_bytes());
            bytes.extend_from_slice(part.as_bytes());
        }
        let mut key = [0; 16];
        key.copy_from_slice(&blake3::hash(&bytes).as_bytes()[..16]);
        Self(key)
    }

    /// The key that the store keeps as these bytes.
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The bytes to store.
    pub fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// Reads back what [`fmt::Display`] wrote: 32 hexadecimal digits.
    pub fn from_hex(text: &str) -> Option<Self> {
        if text.len() != 32 {
            return None;
        }
        let mut key = [0; 16];
        for (byte, pair) in key.iter_mut().zip(text.as_bytes().chunks(2)) {
            *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
        }
        Some(Self(key))
    }
}

impl fmt::Display for ItemKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl Serialize for ItemKey {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Another name of an item, by which it may be known when its key is not: a digest of its address
/// without what may change, or of its headline with its date.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Alias {
    /// The digest; what is stored.
    pub digest: i64,
    /// What it takes to believe it.
    pub proof: Proof,
}

/// What makes two items with a common alias one item.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Proof {
    /// The alias alone.
    Enough,
    /// A similar headline, or the same time of publication, beside it.
    Likeness,
    /// That most of the feed is known by its aliases and no longer by its keys.
    Migration,
}

impl Alias {
    /// The alias of a name of that kind.
    pub fn of(kind: &str, parts: &[&str], proof: Proof) -> Self {
        Self::of_key(ItemKey::of(kind, parts), proof)
    }

    /// The alias under which an item that has another key is found by this one.
    pub fn of_key(key: ItemKey, proof: Proof) -> Self {
        let mut digest = [0; 8];
        digest.copy_from_slice(&key.0[..8]);
        Self { digest: i64::from_le_bytes(digest), proof }
    }
}

/// The publisher whose entry an aggregating feed passes on (RSS and Atom `source`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ItemSource {
    /// The publisher's name.
    pub title: Option<String>,
    /// The publisher's site or feed.
    pub url: Option<String>,
}

/// One entry of one feed. All texts are plain: mark-up is gone and entities are characters.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Item {
    /// The identity within its feed.
    pub key: ItemKey,
    /// Its other names; none that another item of the same document has too.
    #[serde(skip)]
    pub aliases: Vec<Alias>,
    /// The id exactly as the feed gave it (RSS `guid`, Atom and JSON Feed `id`).
    pub id: Option<String>,
    /// The headline; empty when the entry has none.
    pub title: String,
    /// The short text; empty when the entry has none.
    pub summary: String,
    /// The long text; empty when the entry has none, or when it equals the summary.
    pub content: String,
    /// Where to read it, absolute where the feed allowed that.
    pub link: Option<String>,
    /// The language, lower case (`en`, `zh-cn`): the entry's own, else the feed's.
    pub lang: Option<String>,
    /// Who wrote it.
    pub authors: Vec<String>,
    /// The categories.
    pub tags: Vec<String>,
    /// When the publisher says that it was published.
    pub published: Option<Timestamp>,
    /// When the publisher says that it was last changed.
    pub updated: Option<Timestamp>,
    /// Where an aggregator took it from.
    pub source: Option<ItemSource>,
}

impl Item {
    /// An item with nothing but a key and a title, to be filled in.
    pub fn titled(key: ItemKey, title: impl Into<String>) -> Self {
        Self {
            key,
            aliases: Vec::new(),
            id: None,
            title: title.into(),
            summary: String::new(),
            content: String::new(),
            link: None,
            lang: None,
            authors: Vec::new(),
            tags: Vec::new(),
            published: None,
            updated: None,
            source: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_reads_back_from_its_hexadecimal_form() {
        let key = ItemKey::of("guid", &["urn:item:1"]);
        assert_eq!(ItemKey::from_hex(&key.to_string()), Some(key));
        assert_eq!(ItemKey::from_hex("zz"), None);
    }

    #[test]
    fn the_parts_of_a_key_cannot_run_together() {
        assert_ne!(ItemKey::of("link", &["ab", "c"]), ItemKey::of("link", &["a", "bc"]));
    }
}
