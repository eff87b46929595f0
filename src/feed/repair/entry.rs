//! An item as an entry of Atom: what several elements offer for one field, and which of them is
//! taken.

use std::ops::Range;

use url::Url;

use super::Repairs;
use super::markup::allowed;
use crate::feed::address::Plain;
use crate::feed::hints::Collector;
use crate::feed::{LONGEST_LINK, LONGEST_NAME, LONGEST_TITLE, MOST_NAMES, date, html, language};

/// The longest title, name and address that is looked at, in bytes, mark-up and all.
const LONGEST_MARKUP: usize = 8 * LONGEST_TITLE;
/// A document of entries that is as long as this gets no more of them.
const ENOUGH_TO_READ: usize = 64 << 10;

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
        if self.0.as_ref().is_none_or(|(best, _)| rank < *best) {
            self.0 = Some((rank, value));
        }
    }

    fn get(&self) -> Option<&T> {
        self.0.as_ref().map(|(_, value)| value)
    }

    fn take(&mut self) -> Option<T> {
        self.0.take().map(|(_, value)| value)
    }
}

/// What a document says of the feed itself.
#[derive(Debug, Default)]
pub(in crate::feed) struct Head {
    pub(super) title: Best<String>,
    pub(super) link: Best<String>,
    /// What the feed calls itself for ever: Atom's `id`, JSON Feed's `feed_url`.
    pub(in crate::feed) id: Option<String>,
    /// The page with what comes before.
    older: Best<String>,
    pub(in crate::feed) lang: Option<String>,
    pub(in crate::feed) hints: Collector,
}

impl Head {
    pub(super) fn offer_title(&mut self, html: &str) {
        offer_text(&mut self.title, 0, cut_ref(html, LONGEST_MARKUP));
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

    /// The page with what comes before, where there is one on the web.
    pub(in crate::feed) fn older(&self) -> Option<Url> {
        let url = self.older.get().filter(|url| url.len() <= LONGEST_LINK)?;
        Url::parse(url).ok().filter(|url| matches!(url.scheme(), "http" | "https"))
    }

    /// A feed of Atom without entries.
    pub(in crate::feed) fn to_atom(&self) -> String {
        let mut out = Xml::default();
        out.start("feed", "");
        out.html("title", self.title.get());
        out.link(self.link.get());
        out.end("feed");
        out.0
    }
}

/// What is said of an item and does not pass the parser.
#[derive(Debug, Default)]
pub(in crate::feed) struct Aside {
    /// The date of publication as it is written, readable or not.
    pub(in crate::feed) raw_date: String,
    pub(in crate::feed) lang: Option<String>,
    /// The publisher of an item that this feed took from elsewhere, as HTML.
    pub(in crate::feed) source_title: Option<String>,
    pub(in crate::feed) source_url: Option<String>,
}

/// Entries as one document to read, and what is beside each.
#[derive(Debug)]
pub(in crate::feed) struct Written {
    pub(in crate::feed) xml: String,
    /// Where each entry stands in it.
    pub(in crate::feed) places: Vec<Range<usize>>,
    pub(in crate::feed) asides: Vec<Aside>,
}

impl Written {
    /// Writes as many entries as make a document of some length.
    pub(in crate::feed) fn of(entries: &mut impl Iterator<Item = Entry>) -> Self {
        let (mut places, mut asides) = (Vec::new(), Vec::new());
        let mut xml = Xml(String::with_capacity(ENOUGH_TO_READ));
        xml.start("feed", "");
        while xml.0.len() < ENOUGH_TO_READ
            && let Some(entry) = entries.next()
        {
            let start = xml.0.len();
            asides.push(entry.write(&mut xml));
            places.push(start..xml.0.len());
        }
        xml.end("feed");
        Self { xml: xml.0, places, asides }
    }
}

/// An item in the making. Texts are HTML.
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
        offer_text(&mut self.title, rank, cut_ref(html, LONGEST_MARKUP));
    }

    pub(super) fn offer_summary(&mut self, rank: u8, html: String) {
        offer_text(&mut self.summary, rank, html);
    }

    pub(super) fn offer_content(&mut self, rank: u8, html: String) {
        offer_text(&mut self.content, rank, html);
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
        offer_text(&mut self.source_title, rank, cut_ref(html, LONGEST_MARKUP));
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

    /// Writes the entry, and returns what is beside it.
    fn write(mut self, out: &mut Xml) -> Aside {
        out.start("entry", "");
        out.text("id", self.id.get());
        out.html("title", self.title.get());
        out.link(self.link.get().map(|(link, _)| link));
        out.text("published", self.published.get());
        out.text("updated", self.updated.get());
        let best = self.authors.iter().map(|(rank, _)| *rank).min();
        for (_, name) in self.authors.iter().filter(|(rank, _)| Some(*rank) == best) {
            out.start("author", "");
            out.text("name", Some(name));
            out.end("author");
        }
        for tag in &self.tags {
            out.attribute("<category term=\"", tag);
        }
        out.html("summary", self.summary.get());
        out.html("content", self.content.get());
        out.end("entry");
        Aside {
            raw_date: self.raw_date.take().unwrap_or_default(),
            lang: self.lang.take(),
            source_title: self.source_title.take(),
            source_url: self.source_url.take(),
        }
    }
}

fn offer_text(field: &mut Best<String>, rank: u8, html: impl AsRef<str> + Into<String>) {
    if !html::is_blank(html.as_ref()) {
        field.offer(rank, html.into());
    }
}

/// A date that can be read. Others are never written: for the parser the last one counts, whatever
/// it is.
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

/// Well-formed XML in the making. Names without a namespace are Atom's to the parser.
#[derive(Debug, Default)]
struct Xml(String);

impl Xml {
    fn start(&mut self, name: &str, attributes: &str) {
        self.push(&["<", name, attributes, ">"]);
    }

    fn end(&mut self, name: &str) {
        self.push(&["</", name, ">"]);
    }

    fn push(&mut self, parts: &[&str]) {
        parts.iter().for_each(|part| self.0.push_str(part));
    }

    fn text(&mut self, name: &str, text: Option<&String>) {
        self.element(name, "", text);
    }

    fn html(&mut self, name: &str, html: Option<&String>) {
        self.element(name, " type=\"html\"", html);
    }

    fn element(&mut self, name: &str, attributes: &str, text: Option<&String>) {
        if let Some(text) = text {
            self.start(name, attributes);
            self.content(text);
            self.end(name);
        }
    }

    fn link(&mut self, href: Option<&String>) {
        if let Some(href) = href {
            self.attribute("<link href=\"", href);
        }
    }

    /// Adds an empty element that has but one attribute.
    fn attribute(&mut self, start: &str, value: &str) {
        self.0.push_str(start);
        for piece in allowed(value) {
            let mut rest = piece;
            while let Some(at) = rest.find(['&', '<', '>', '"']) {
                let (before, after) = rest.split_at(at);
                let escaped = match after.as_bytes()[0] {
                    b'&' => "&amp;",
                    b'<' => "&lt;",
                    b'>' => "&gt;",
                    _ => "&quot;",
                };
                self.push(&[before, escaped]);
                rest = &after[1..];
            }
            self.0.push_str(rest);
        }
        self.0.push_str("\"/>");
    }

    /// Adds a text. One with signs of mark-up in it becomes a section: for the parser each escaped
    /// sign is work of its own.
    fn content(&mut self, text: &str) {
        let plain = memchr::memchr3(b'&', b'<', b'>', text.as_bytes()).is_none();
        for piece in allowed(text) {
            if plain {
                self.0.push_str(piece);
                continue;
            }
            self.0.push_str("<![CDATA[");
            let mut rest = piece;
            while let Some(end) = rest.find("]]>") {
                // Both brackets in this section, the sign in the next.
                self.push(&[&rest[..end + 2], "]]><![CDATA["]);
                rest = &rest[end + 2..];
            }
            self.push(&[rest, "]]>"]);
        }
    }
}
