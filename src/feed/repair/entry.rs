//! An item in the making: what several elements offer for one field, and which of them is taken.

use serde::Serialize;
use url::Url;

use super::Repairs;
use crate::feed::address::Plain;
use crate::feed::hints::Collector;
use crate::feed::{
    LONGEST_LINK, LONGEST_NAME, LONGEST_TEXT, LONGEST_TITLE, MOST_NAMES, cut, date, html, language,
};

/// The longest title, name and address that is looked at, in bytes, mark-up and all.
const LONGEST_MARKUP: usize = 8 * LONGEST_TITLE;

/// The best of what several elements offer for one field: the lowest rank, of equal ones the first.
#[derive(Debug, Clone)]
pub(in crate::feed) struct Best<T>(Option<(u8, T)>);

impl<T> Default for Best<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<T> Best<T> {
    pub(super) fn offer(&mut self, rank: u8, value: T) {
        if self.is_open_to(rank) {
            self.0 = Some((rank, value));
        }
    }

    fn is_open_to(&self, rank: u8) -> bool {
        self.0.as_ref().is_none_or(|(best, _)| rank < *best)
    }

    fn get(&self) -> Option<&T> {
        self.0.as_ref().map(|(_, value)| value)
    }

    fn take(&mut self) -> Option<T> {
        self.0.take().map(|(_, value)| value)
    }
}

impl Best<String> {
    /// Offers the text of a fragment of HTML, unless none is left of it.
    fn offer_text(&mut self, rank: u8, html: &str) {
        self.offer_read(rank, || cut(html::to_text(html), LONGEST_TEXT));
    }

    /// Offers the text of a fragment of HTML on one line of at most so many bytes.
    fn offer_line(&mut self, rank: u8, html: &str, most: usize) {
        self.offer_read(rank, || cut(html::to_line(cut_ref(html, LONGEST_MARKUP)), most));
    }

    fn offer_read(&mut self, rank: u8, text: impl Fn() -> String) {
        if self.is_open_to(rank) {
            let text = text();
            if !text.is_empty() {
                self.offer(rank, text);
            }
        }
    }

    fn text(&self) -> &str {
        self.get().map(String::as_str).unwrap_or_default()
    }
}

/// What a document says of the feed itself.
#[derive(Debug, Default)]
pub(in crate::feed) struct Head {
    title: Best<String>,
    link: Best<String>,
    /// What the feed calls itself for ever: Atom's `id`, JSON Feed's `feed_url`.
    pub(in crate::feed) id: Option<String>,
    /// The page with what comes before.
    older: Best<String>,
    pub(in crate::feed) lang: Option<String>,
    pub(in crate::feed) hints: Collector,
}

impl Head {
    pub(super) fn offer_title(&mut self, html: &str) {
        self.title.offer_line(0, html, LONGEST_MARKUP);
    }

    pub(super) fn offer_link(&mut self, link: &str, base: Option<&Url>) {
        if !link.trim().is_empty() {
            self.link.offer(0, absolute(link, base));
        }
    }

    pub(super) fn offer_id(&mut self, id: &str) {
        let id = Some(id.trim()).filter(|id| !id.is_empty() && id.len() <= LONGEST_LINK);
        self.id = self.id.take().or(id.map(str::to_owned));
    }

    /// A page with older items (RFC 5005 sections 3 and 4, JSON Feed's `next_url`).
    pub(super) fn offer_older(&mut self, rank: u8, link: &str, base: Option<&Url>) {
        if !link.trim().is_empty() {
            self.older.offer(rank, absolute(link, base));
        }
    }

    /// The site that the feed belongs to.
    pub(in crate::feed) fn link(&self) -> Option<String> {
        self.link.get().cloned()
    }

    /// The page with what comes before, where there is one on the web.
    pub(in crate::feed) fn older(&self) -> Option<Url> {
        let url = self.older.get().filter(|url| url.len() <= LONGEST_LINK)?;
        Url::parse(url).ok().filter(|url| matches!(url.scheme(), "http" | "https"))
    }
}

/// What the parser reads: a document of JSON Feed 1.1, the titles, ids, dates and tags of a feed.
#[derive(Debug, Serialize)]
pub(in crate::feed) struct Written<'a> {
    version: &'static str,
    title: &'a str,
    items: Vec<WrittenItem<'a>>,
}

#[derive(Debug, Serialize)]
struct WrittenItem<'a> {
    id: Option<&'a str>,
    title: &'a str,
    date_published: Option<&'a str>,
    date_modified: Option<&'a str>,
    tags: Vec<String>,
}

impl<'a> Written<'a> {
    pub(in crate::feed) fn of(head: &'a Head, entries: &'a [Entry]) -> Self {
        Self {
            version: "https://jsonfeed.org/version/1.1",
            title: head.title.text(),
            items: entries.iter().map(Entry::written).collect(),
        }
    }

    /// How many items there are.
    pub(in crate::feed) fn items(&self) -> usize {
        self.items.len()
    }
}

/// What is said of an item and does not pass the parser: it has no place for it, would read it
/// otherwise, or would find nothing to do.
#[derive(Debug, Default)]
pub(in crate::feed) struct Aside {
    /// The date of publication as it is written, readable or not.
    pub(in crate::feed) raw_date: String,
    pub(in crate::feed) summary: String,
    pub(in crate::feed) content: String,
    /// The link, whole.
    pub(in crate::feed) link: Option<String>,
    /// The names of authors, as HTML.
    pub(in crate::feed) authors: Vec<String>,
    pub(in crate::feed) lang: Option<String>,
    /// The publisher of an item that this feed took from elsewhere.
    pub(in crate::feed) source_title: Option<String>,
    pub(in crate::feed) source_url: Option<String>,
}

/// An item in the making. Authors and tags are HTML.
#[derive(Debug, Default)]
pub(in crate::feed) struct Entry {
    title: Best<String>,
    summary: Best<String>,
    content: Best<String>,
    /// With whether it was an id.
    link: Best<(String, bool)>,
    id: Best<String>,
    published: Best<String>,
    updated: Best<String>,
    authors: Vec<(u8, String)>,
    tags: Vec<String>,
    raw_date: Best<String>,
    lang: Best<String>,
    source_title: Best<String>,
    source_url: Best<String>,
    unreadable_dates: usize,
}

impl Entry {
    pub(super) fn offer_title(&mut self, rank: u8, html: &str) {
        self.title.offer_line(rank, html, LONGEST_MARKUP);
    }

    pub(super) fn offer_summary(&mut self, rank: u8, html: &str) {
        self.summary.offer_text(rank, html);
    }

    pub(super) fn offer_content(&mut self, rank: u8, html: &str) {
        self.content.offer_text(rank, html);
    }

    /// A link. One that no browser opens is taken only for want of another.
    pub(super) fn offer_link(&mut self, rank: u8, link: &str, base: Option<&Url>) {
        self.offer_address(rank, link, base, false);
    }

    fn offer_address(&mut self, rank: u8, link: &str, base: Option<&Url>, is_id: bool) {
        let link = absolute(link, base);
        if link.is_empty() || link.len() > LONGEST_LINK {
            return;
        }
        let opens = match link.split_once(':') {
            Some((scheme, _)) if scheme.bytes().all(|byte| byte.is_ascii_alphanumeric()) => {
                is_web_address(&link)
            }
            _ => true,
        };
        self.link.offer(if opens { rank } else { rank + 100 }, (link, is_id));
    }

    /// An id, which is the link where there is no other if it is one and nothing denies it.
    pub(super) fn offer_id(&mut self, rank: u8, id: &str, may_be_link: bool) {
        let id = id.trim();
        if id.is_empty() {
            return;
        }
        if may_be_link && is_web_address(id) {
            self.offer_address(2 + rank, id, None, true);
        }
        self.id.offer(rank, cut_ref(id, LONGEST_LINK).to_owned());
    }

    pub(super) fn offer_published(&mut self, rank: u8, text: &str, dates: date::Reader) {
        self.raw_date.offer(rank, cut_ref(text.trim(), LONGEST_NAME).to_owned());
        match readable(text, dates) {
            Some(date) => self.published.offer(rank, date),
            None => self.unreadable_dates += 1,
        }
    }

    pub(super) fn offer_updated(&mut self, rank: u8, text: &str, dates: date::Reader) {
        match readable(text, dates) {
            Some(date) => self.updated.offer(rank, date),
            None => self.unreadable_dates += 1,
        }
    }

    /// Of authors of several ranks those of the lowest are taken.
    pub(super) fn add_author(&mut self, rank: u8, name: &str) {
        let name = (rank, cut_ref(name.trim(), LONGEST_MARKUP));
        let known = |(rank, known): &(u8, String)| (*rank, known.as_str()) == name;
        if !name.1.is_empty() && self.authors.len() < MOST_NAMES && !self.authors.iter().any(known)
        {
            self.authors.push((rank, name.1.to_owned()));
        }
    }

    pub(super) fn add_tag(&mut self, tag: &str) {
        let tag = cut_ref(tag.trim(), LONGEST_MARKUP);
        if !tag.is_empty()
            && self.tags.len() < MOST_NAMES
            && !self.tags.iter().any(|known| known == tag)
        {
            self.tags.push(tag.to_owned());
        }
    }

    pub(super) fn offer_lang(&mut self, rank: u8, lang: &str) {
        if let Some(lang) = language(lang) {
            self.lang.offer(rank, lang);
        }
    }

    pub(super) fn offer_source_title(&mut self, rank: u8, html: &str) {
        self.source_title.offer_line(rank, html, LONGEST_NAME);
    }

    pub(super) fn offer_source_url(&mut self, url: &str, base: Option<&Url>) {
        let url = absolute(url, base);
        if !url.is_empty() && url.len() <= LONGEST_LINK {
            self.source_url.offer(0, url);
        }
    }

    /// Counts what the choice between elements mended.
    pub(super) fn count(&self, repairs: &mut Repairs) {
        if self.link.get().is_some_and(|(_, is_id)| *is_id) {
            repairs.count("link-from-id");
        }
        repairs.add("unreadable-date", self.unreadable_dates);
    }

    fn written(&self) -> WrittenItem<'_> {
        WrittenItem {
            id: self.id.get().map(String::as_str),
            title: self.title.text(),
            date_published: self.published.get().map(String::as_str),
            date_modified: self.updated.get().map(String::as_str),
            tags: self.tags.iter().map(|tag| cut(html::to_line(tag), LONGEST_NAME)).collect(),
        }
    }

    /// What the parser is not given.
    pub(in crate::feed) fn into_aside(mut self) -> Aside {
        let best = self.authors.iter().map(|(rank, _)| *rank).min();
        self.authors.retain(|(rank, _)| Some(*rank) == best);
        Aside {
            raw_date: self.raw_date.take().unwrap_or_default(),
            summary: self.summary.take().unwrap_or_default(),
            content: self.content.take().unwrap_or_default(),
            link: self.link.take().map(|(link, _)| link),
            authors: self.authors.into_iter().map(|(_, name)| name).collect(),
            lang: self.lang.take(),
            source_title: self.source_title.take(),
            source_url: self.source_url.take(),
        }
    }
}

/// A date that can be read. Others are not offered: they must not take the place of one that can.
fn readable(text: &str, dates: date::Reader) -> Option<String> {
    let text = text.trim();
    dates.read(text).map(|_| text.to_owned())
}

fn is_web_address(text: &str) -> bool {
    let starts =
        |start: &str| text.get(..start.len()).is_some_and(|s| s.eq_ignore_ascii_case(start));
    starts("http://") || starts("https://")
}

/// A link as browsers take it: without the ends of lines in it, spaces escaped, read against the
/// address that it is relative to. One that starts with `www.` only lacks its scheme.
pub(super) fn absolute(link: &str, base: Option<&Url>) -> String {
    if Plain::parse(link.trim()).is_some() {
        return link.trim().to_owned();
    }
    let mut link = link.trim().replace(['\t', '\n', '\r'], "").replace(' ', "%20");
    if link.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("www.")) {
        link.insert_str(0, "http://");
    }
    match (Url::parse(&link), base) {
        // Written as the parser writes it, so that its length is known here.
        (Ok(url), _) => url.into(),
        (Err(url::ParseError::RelativeUrlWithoutBase), Some(base)) if !link.is_empty() => {
            base.join(&link).map_or(link, String::from)
        }
        _ => link,
    }
}

/// At most so many bytes of a text.
fn cut_ref(text: &str, most: usize) -> &str {
    &text[..text.floor_char_boundary(most)]
}
