//! From a document as it is to entries that a strict parser reads as they are meant.
//!
//! Every dialect is brought to one: each item becomes an item of JSON Feed 1.1, which holds any text,
//! so that what is wrong with one item stays with it. Three steps, each with repairs of its own:
//! [`markup`] finds tags and texts whatever is wrong with them, [`elements`] finds what stands in
//! which item, and [`entry`] chooses where several elements say the same. What JSON Feed has no place
//! for, what the parser would read otherwise, and texts and links, which it would only copy, go beside
//! it as an [`Aside`].

mod base64;
mod elements;
mod entry;
mod json;
mod markup;
mod scope;
mod vocabulary;

use std::collections::BTreeMap;
use std::fmt;

use url::Url;

pub(super) use self::entry::{Aside, Entry, Head, Written};
use super::date;

/// Items of one document, at most.
pub(super) const MOST_ITEMS: usize = 2_000;

/// What was mended, and how often.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Repairs(BTreeMap<&'static str, usize>);

impl Repairs {
    pub(super) fn count(&mut self, kind: &'static str) {
        self.add(kind, 1);
    }

    pub(super) fn add(&mut self, kind: &'static str, times: usize) {
        if times > 0 {
            *self.0.entry(kind).or_default() += times;
        }
    }

    /// Nothing had to be mended.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Each kind of repair, in the order of the alphabet, with how often it was made.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, usize)> {
        self.0.iter().map(|(kind, count)| (*kind, *count))
    }
}

impl fmt::Display for Repairs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, (kind, count)) in self.iter().enumerate() {
            let comma = if at > 0 { ", " } else { "" };
            write!(f, "{comma}{kind}")?;
            if count > 1 {
                write!(f, " ({count})")?;
            }
        }
        Ok(())
    }
}

impl serde::Serialize for Repairs {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.keys())
    }
}

/// A mended document.
#[derive(Debug, Default)]
pub(super) struct Repaired {
    /// `rss1`, `rss2`, `atom`, `json`; empty when the document is no feed.
    pub(super) format: &'static str,
    pub(super) head: Head,
    pub(super) entries: Vec<Entry>,
    pub(super) repairs: Repairs,
    /// It reached its end.
    pub(super) complete: bool,
    /// Why it could not be followed to its end.
    pub(super) error: Option<String>,
    /// The last entry was cut off.
    pub(super) cut: bool,
    /// That was before its id was whole.
    pub(super) unidentified: bool,
    /// It is a web page, and holds no feed.
    pub(super) web_page: bool,
    /// There were more items than [`MOST_ITEMS`].
    pub(super) too_many: bool,
    /// There were items, but of a kind that nobody knows.
    pub(super) strange_items: bool,
}

/// Mends a document whose relative links are read against `base`.
pub(super) fn repair(text: &str, base: Option<&Url>, dates: date::Reader) -> Repaired {
    if text.starts_with('{') {
        json::repair(text, base, dates)
    } else {
        elements::repair(text, base, dates)
    }
}
