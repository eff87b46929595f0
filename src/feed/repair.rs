//! From a feed document as it is to one that a strict parser reads in full.
//!
//! One lenient pass over the mark-up writes well-formed XML: tags are balanced, entities are
//! characters, undeclared prefixes are declared, old dialects get the names of Atom 1.0 and RSS
//! 2.0, and mark-up that somebody forgot to escape inside a title becomes text. What the strict
//! parser cannot expose (`source`, raw dates, which guid is a link) is noted on the side.

use std::borrow::Cow;
use std::collections::BTreeSet;

/// Elements nested deeper than this are left out.
const DEEPEST: usize = 256;
/// Items of one document, at most.
pub(super) const MOST_ITEMS: usize = 2_000;
/// Attributes of one element, at most.
const MOST_ATTRIBUTES: usize = 64;

/// Elements whose content is text, whatever mark-up stands in it.
const TEXTS: &[&str] = &[
    "title",
    "description",
    "summary",
    "content",
    "content:encoded",
    "subtitle",
    "rights",
    "fullitem",
    "dc:title",
    "dc:description",
    "dc:creator",
    "author",
    "name",
    "pubdate",
    "guid",
    "link",
    "category",
    "dc:subject",
    "xhtml:body",
    "body",
];
/// Prefixes whose elements say nothing that is used here; some make the parser panic.
const DROPPED: &[&str] = &[
    "itunes",
    "media",
    "podcast",
    "googleplay",
    "psc",
    "thr",
    "feedburner",
    "georss",
    "opensearch",
];
/// What well-known prefixes stand for, declared or not.
const NAMESPACES: &[(&str, &str)] = &[
    ("dc", "http://purl.org/dc/elements/1.1/"),
    ("content", "http://purl.org/rss/1.0/modules/content/"),
    ("atom", "http://www.w3.org/2005/Atom"),
    ("xhtml", "http://www.w3.org/1999/xhtml"),
    ("sy", "http://purl.org/rss/1.0/modules/syndication/"),
    ("slash", "http://purl.org/rss/1.0/modules/slash/"),
    ("wfw", "http://wellformedweb.org/CommentAPI/"),
];
const ATOM: &str = "http://www.w3.org/2005/Atom";
const RDF: &str = "http://www.w3.org/1999/02/22-rdf-syntax-ns#";

/// The dialect of a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    Atom,
    Rss1,
    Rss2,
}

/// What the strict parser does not tell of an item.
#[derive(Debug, Clone, Default)]
pub(super) struct Aside {
    /// The dates as they are written.
    pub(super) raw_date: String,
    pub(super) source_title: Option<String>,
    pub(super) source_url: Option<String>,
    pub(super) lang: Option<String>,
    /// The document ended within the item, before its id was whole.
    pub(super) unidentified: bool,
}

/// A mended document.
#[derive(Debug)]
pub(super) struct Repaired {
    pub(super) xml: String,
    pub(super) dialect: Option<Dialect>,
    /// One for each item, in order.
    pub(super) items: Vec<Aside>,
    pub(super) repairs: BTreeSet<&'static str>,
    /// The root element was closed.
    pub(super) complete: bool,
    /// The document is a web page: its root is `html`.
    pub(super) web_page: bool,
    /// There were more items than [`MOST_ITEMS`].
    pub(super) too_many: bool,
}

/// Mends a document.
pub(super) fn repair(text: &str) -> Repaired {
    let mut writer = Writer {
        rest: text,
        out: String::with_capacity(text.len() + 256),
        open: Vec::new(),
        repairs: BTreeSet::new(),
        items: Vec::new(),
        dialect: None,
        complete: false,
        web_page: false,
        too_many: false,
        item: Item::default(),
        skipping: None,
        ended: false,
    };
    writer.run();
    Repaired {
        xml: writer.out,
        dialect: writer.dialect,
        items: writer.items,
        repairs: writer.repairs,
        complete: writer.complete,
        web_page: writer.web_page,
        too_many: writer.too_many,
    }
}

/// What has been seen of the item that is open.
#[derive(Debug, Default)]
struct Item {
    aside: Aside,
    has_link: bool,
    has_date: bool,
    about: Option<String>,
    guid: String,
    guid_is_link: bool,
    /// The guid, id or RDF address was read to its end.
    identified: bool,
}

/// An element that is open in the output.
#[derive(Debug)]
struct Open {
    /// The name as written in the source, lower case.
    source: String,
    /// The name in the output.
    name: String,
    /// Its content is text: mark-up in it is escaped.
    text: bool,
    /// Where its content starts in the output.
    start: usize,
    /// Prefixes that it declares.
    prefixes: Vec<String>,
}

struct Writer<'t> {
    rest: &'t str,
    out: String,
    open: Vec<Open>,
    repairs: BTreeSet<&'static str>,
    items: Vec<Aside>,
    dialect: Option<Dialect>,
    complete: bool,
    web_page: bool,
    too_many: bool,
    item: Item,
    /// An element that is left out with all in it: its name and how many of that name are open.
    skipping: Option<(String, usize)>,
    /// The end of the document was reached; what is still open is closed for it.
    ended: bool,
}

type Attributes<'t> = Vec<(&'t str, Cow<'t, str>)>;

impl<'t> Writer<'t> {
    fn run(&mut self) {
        let start = self.rest.find('<').unwrap_or(self.rest.len());
        if !self.rest[..start].trim().is_empty() {
            self.repairs.insert("junk-before-document");
        }
        self.rest = &self.rest[start..];
        while !self.rest.is_empty() && !self.web_page {
            let text_end = memchr::memchr(b'<', self.rest.as_bytes()).unwrap_or(self.rest.len());
            let (text, rest) = self.rest.split_at(text_end);
            self.rest = rest;
            self.text(text);
            if !self.rest.is_empty() {
                self.markup();
            }
        }
        if !self.open.is_empty() {
            self.repairs.insert("unclosed-document");
        }
        self.ended = true;
        while !self.open.is_empty() {
            self.close_last();
        }
    }

    fn in_text(&self) -> bool {
        self.open.last().is_some_and(|open| open.text)
    }

    fn text(&mut self, text: &str) {
        if self.skipping.is_some() || self.open.is_empty() {
            return;
        }
        let mut plain = 0;
        let bytes = text.as_bytes();
        let mut at = 0;
        while let Some(found) = bytes[at..].iter().position(|byte| *byte == b'&' || *byte < 0x20) {
            at += found;
            if matches!(bytes[at], b'\n' | b'\r' | b'\t') {
                at += 1;
                continue;
            }
            self.push_clean(&text[plain..at]);
            at = if bytes[at] == b'&' {
                at + self.entity(&text[at..])
            } else {
                self.repairs.insert("control-character");
                at + 1
            };
            plain = at;
        }
        self.push_clean(&text[plain..]);
    }

    /// Pushes text without the characters that XML does not allow (XML 1.0 section 2.2).
    fn push_clean(&mut self, text: &str) {
        if text.contains(['\u{fffe}', '\u{ffff}']) {
            self.out.push_str(&text.replace(['\u{fffe}', '\u{ffff}'], ""));
        } else {
            self.out.push_str(text);
        }
    }

    /// Writes the entity that `text` starts with, as the character that it means; returns its
    /// length.
    fn entity(&mut self, text: &str) -> usize {
        let end = text[1..]
            .bytes()
            .take(32)
            .position(|byte| !byte.is_ascii_alphanumeric() && byte != b'#');
        let name = &text[1..end.map_or(text.len().min(33), |end| end + 1)];
        let terminated = text[1 + name.len()..].starts_with(';');
        let whole = 1 + name.len() + usize::from(terminated);
        if terminated && matches!(name, "amp" | "lt" | "gt" | "quot" | "apos") {
            self.out.push_str(&text[..whole]);
            return whole;
        }
        if let Some(digits) = name.strip_prefix('#') {
            let code = match digits.strip_prefix(['x', 'X']) {
                Some(hex) => u32::from_str_radix(hex, 16).ok(),
                None => digits.parse().ok(),
            };
            if let Some(code) = code {
                if !terminated {
                    self.repairs.insert("unterminated-entity");
                }
                let character = match code {
                    // What these numbers mean to a browser: windows-1252.
                    0x80..=0x9f => {
                        self.repairs.insert("windows-1252-entity");
                        let byte = [u8::try_from(code).unwrap_or(b'?')];
                        encoding_rs::WINDOWS_1252.decode(&byte).0.chars().next()
                    }
                    code => char::from_u32(code),
                };
                match character {
                    Some('&') => self.out.push_str("&amp;"),
                    Some('<') => self.out.push_str("&lt;"),
                    Some('>') => self.out.push_str("&gt;"),
                    Some(c) if c >= ' ' || matches!(c, '\n' | '\t') => self.out.push(c),
                    _ => {
                        self.repairs.insert("impossible-character");
                    }
                }
                return whole;
            }
        }
        if terminated {
            let written = &text[..whole];
            let unescaped = htmlize::unescape(written);
            if unescaped != written {
                self.repairs.insert("html-entity");
                self.out.push_str(&unescaped);
                return whole;
            }
        }
        self.repairs.insert("bare-ampersand");
        self.out.push_str("&amp;");
        1
    }

    /// Takes in what starts with `<`.
    fn markup(&mut self) {
        let rest = self.rest;
        if let Some(data) = rest.strip_prefix("<![CDATA[") {
            let (data, after) = match data.find("]]>") {
                Some(end) => (&data[..end], &data[end + 3..]),
                None => {
                    self.repairs.insert("unclosed-cdata");
                    (data, "")
                }
            };
            self.rest = after;
            if self.skipping.is_none() && !self.open.is_empty() {
                self.push_escaped(data);
            }
        } else if let Some(comment) = rest.strip_prefix("<!--") {
            self.rest = comment.find("-->").map_or("", |end| &comment[end + 3..]);
        } else if rest.starts_with("<?") {
            self.rest = rest.find("?>").map_or("", |end| &rest[end + 2..]);
        } else if rest.starts_with("<!") {
            self.doctype();
        } else if let Some(name) = rest.strip_prefix("</") {
            let length = name_length(name);
            let end = name.find(['>', '<']).unwrap_or(name.len());
            let closed = name[end..].starts_with('>');
            self.rest = &name[end + usize::from(closed)..];
            self.end_tag(&name[..length]);
        } else {
            self.start_tag();
        }
    }

    /// Pushes text in which nothing is mark-up.
    fn push_escaped(&mut self, text: &str) {
        for character in text.chars() {
            match character {
                '&' => self.out.push_str("&amp;"),
                '<' => self.out.push_str("&lt;"),
                '>' => self.out.push_str("&gt;"),
                '\u{fffe}' | '\u{ffff}' => {}
                c if c >= ' ' || matches!(c, '\n' | '\r' | '\t') => self.out.push(c),
                _ => {
                    self.repairs.insert("control-character");
                }
            }
        }
    }

    /// Leaves a document type out, and with it every entity that it defines.
    fn doctype(&mut self) {
        let rest = self.rest;
        let head: String = rest.chars().take(20).collect::<String>().to_ascii_lowercase();
        if head.starts_with("<!doctype html") && self.open.is_empty() {
            self.web_page = !rest.contains("<rss") && !rest.contains("<feed");
        }
        let close = rest.find('>').map_or(rest.len(), |close| close + 1);
        let end = match rest[..close].find('[') {
            Some(_) => rest.find("]>").map_or(rest.len(), |end| end + 2),
            None => close,
        };
        self.rest = &rest[end..];
    }

    fn start_tag(&mut self) {
        let rest = &self.rest[1..];
        let length = name_length(rest);
        if length == 0 {
            self.repairs.insert("bare-less-than");
            self.rest = rest;
            if self.skipping.is_none() && !self.open.is_empty() {
                self.out.push_str("&lt;");
            }
            return;
        }
        let (name, rest) = rest.split_at(length);
        let (attributes, rest, empty) = attributes(rest);
        let whole = &self.rest[..self.rest.len() - rest.len()];
        self.rest = rest;
        let source = name.to_ascii_lowercase();
        if let Some((skipped, depth)) = &mut self.skipping {
            if *skipped == source && !empty {
                *depth += 1;
            }
            return;
        }
        if self.in_text() {
            self.markup_in_text(whole, &source, &attributes, empty);
            return;
        }
        self.element(name, source, attributes, empty);
    }

    /// Mark-up inside a text: what belongs to the feed ends the text, the rest is part of it.
    fn markup_in_text(
        &mut self,
        tag: &str,
        source: &str,
        attributes: &Attributes<'t>,
        empty: bool,
    ) {
        let inside = self.open.last().map(|open| open.name.clone()).unwrap_or_default();
        let is_next = matches!(source, "item" | "entry")
            || (matches!(inside.as_str(), "title" | "link" | "guid" | "pubDate")
                && matches!(source, "link" | "guid" | "pubdate" | "description")
                && !inside.eq_ignore_ascii_case(source)
                && attributes.is_empty());
        if is_next {
            self.repairs.insert("unclosed-element");
            self.close_last();
            let name = &tag[1..1 + source.len()];
            let name: &'t str = self.rest_of_tag(name);
            self.element(name, source.to_owned(), attributes.clone(), empty);
            return;
        }
        if inside == "author" && matches!(source, "name" | "email" | "uri" | "url") {
            // Atom's author is no text after all.
            if let Some(open) = self.open.last_mut() {
                open.text = false;
            }
            let name: &'t str = self.rest_of_tag(&tag[1..1 + source.len()]);
            self.element(name, source.to_owned(), attributes.clone(), empty);
            return;
        }
        self.repairs.insert("markup-in-text");
        self.push_escaped(tag);
    }

    /// A known name with the lifetime of the document.
    fn rest_of_tag(&self, name: &str) -> &'t str {
        const KNOWN: &[&str] = &[
            "item",
            "entry",
            "link",
            "guid",
            "pubDate",
            "description",
            "name",
            "email",
            "uri",
            "url",
        ];
        KNOWN.iter().find(|known| known.eq_ignore_ascii_case(name)).copied().unwrap_or("unknown")
    }

    fn element(&mut self, name: &str, source: String, attributes: Attributes<'t>, empty: bool) {
        if self.open.is_empty() && !self.root(&source, &attributes) {
            return;
        }
        let prefix = source.split_once(':').map(|(prefix, _)| prefix);
        let is_item =
            matches!(source.as_str(), "item" | "entry" | "rss:item" | "atom:entry" | "r:item");
        if self.open.len() >= DEEPEST
            || prefix.is_some_and(|prefix| DROPPED.contains(&prefix))
            || (is_item && self.items.len() >= MOST_ITEMS)
        {
            self.too_many |= is_item;
            if !empty {
                self.skipping = Some((source, 1));
            }
            return;
        }
        if is_item && self.open.iter().any(|open| matches!(open.source.as_str(), "item" | "entry"))
        {
            // Items do not nest: the one before was never closed.
            self.repairs.insert("unclosed-element");
            while self
                .open
                .last()
                .is_some_and(|open| !matches!(open.source.as_str(), "item" | "entry"))
            {
                self.close_last();
            }
            self.close_last();
        }
        if is_item {
            self.item = Item::default();
            self.item.about = value(&attributes, "rdf:about").filter(|about| about.contains("://"));
            self.item.aside.lang = value(&attributes, "xml:lang");
        }
        let out_name = self.rename(name, &source);
        if self.note(&source, &attributes) {
            if !empty {
                self.skipping = Some((source, 1));
            }
            return;
        }
        self.write_start(&out_name, &source, &attributes, empty);
    }

    /// Sees what a root element makes of the document; false when there is nothing to open.
    fn root(&mut self, source: &str, attributes: &Attributes<'t>) -> bool {
        let local = source.rsplit(':').next().unwrap_or(source);
        self.dialect = match local {
            "feed" | "entry" => Some(Dialect::Atom),
            "rdf" => Some(Dialect::Rss1),
            "rss" => Some(Dialect::Rss2),
            "channel" | "item" => {
                self.repairs.insert("missing-root");
                self.out.push_str("<rss version=\"2.0\">");
                self.open.push(Open {
                    source: "rss".to_owned(),
                    name: "rss".to_owned(),
                    text: false,
                    start: self.out.len(),
                    prefixes: Vec::new(),
                });
                if local == "item" {
                    self.out.push_str("<channel>");
                    self.open.push(Open {
                        source: "channel".to_owned(),
                        name: "channel".to_owned(),
                        text: false,
                        start: self.out.len(),
                        prefixes: Vec::new(),
                    });
                }
                Some(Dialect::Rss2)
            }
            "html" if self.dialect.is_none() => {
                let text = self.rest;
                self.web_page = !text.contains("<rss") && !text.contains("<feed ");
                return false;
            }
            _ => return false,
        };
        let _ = attributes;
        true
    }

    /// The name that an element has in the dialect's present form.
    fn rename(&mut self, name: &str, source: &str) -> String {
        let local = source.rsplit(':').next().unwrap_or(source);
        let atom = self.dialect == Some(Dialect::Atom);
        let renamed = match local {
            "issued" | "created" if atom => "published",
            "modified" if atom => "updated",
            "tagline" if atom => "subtitle",
            "copyright" if atom => "rights",
            "url" if atom && self.open.last().is_some_and(|open| open.name == "author") => "uri",
            "pubdate" => "pubDate",
            "rdf" if self.dialect == Some(Dialect::Rss1) => "rdf:RDF",
            _ => {
                let own_prefix = source.contains(':')
                    && !matches!(
                        source.split_once(':'),
                        Some(("rss" | "r" | "atom" | "a" | "atom10" | "rdf", _))
                    );
                if own_prefix {
                    return source.to_owned();
                }
                let plain = if name.contains(':') { local } else { name };
                let known = [
                    "rss",
                    "channel",
                    "item",
                    "title",
                    "link",
                    "description",
                    "guid",
                    "feed",
                    "entry",
                    "summary",
                    "content",
                    "author",
                    "category",
                    "id",
                ];
                return match known.iter().find(|known| known.eq_ignore_ascii_case(plain)) {
                    Some(known) if *known != plain => {
                        self.repairs.insert("letter-case");
                        (*known).to_owned()
                    }
                    Some(known) => {
                        // An atom:link inside RSS is about the feed, not a link of the item.
                        if source.starts_with("atom") && !atom {
                            source.to_owned()
                        } else {
                            (*known).to_owned()
                        }
                    }
                    None => plain.to_owned(),
                };
            }
        };
        if renamed != local && atom {
            self.repairs.insert("atom-0.3");
        }
        renamed.to_owned()
    }

    /// Notes what is of interest on the side; true when the element itself is to be left out.
    fn note(&mut self, source: &str, attributes: &Attributes<'t>) -> bool {
        let in_item = self.open.iter().any(|open| matches!(open.name.as_str(), "item" | "entry"));
        if !in_item {
            return false;
        }
        match source {
            "link" => {
                let rel = value(attributes, "rel").unwrap_or_else(|| "alternate".to_owned());
                self.item.has_link |= rel == "alternate";
            }
            "source" => self.item.aside.source_url = value(attributes, "url"),
            "guid" => {
                let permalink = value(attributes, "ispermalink")
                    .is_none_or(|value| !value.trim().eq_ignore_ascii_case("false"));
                self.item.guid_is_link = permalink;
            }
            "pubdate" => self.item.has_date = true,
            // The parser lets the last date win, readable or not.
            "dc:date" if self.item.has_date => return true,
            "dc:date" => self.item.has_date = true,
            _ => {}
        }
        false
    }

    fn write_start(&mut self, name: &str, source: &str, attributes: &Attributes<'t>, empty: bool) {
        let root = self.open.is_empty() || (name == "rss" && self.open.len() == 1);
        let mut prefixes = Vec::new();
        self.out.push('<');
        self.out.push_str(name);
        let mut version = None;
        let mut seen: Vec<&str> = Vec::new();
        for (key, value) in attributes {
            let lower = key.to_ascii_lowercase();
            if lower == "version" && name == "rss" {
                version = Some(value.clone());
                continue;
            }
            // Namespaces are ours to declare; types and modes are put right below.
            if lower == "xmlns" || seen.contains(key) || lower == "mode" || lower == "type" {
                continue;
            }
            if let Some(prefix) = lower.strip_prefix("xmlns:") {
                if prefix.is_empty() || prefix == "xml" || prefix == "xmlns" || prefix == "rdf" {
                    continue;
                }
                prefixes.push(prefix.to_owned());
                let known = NAMESPACES.iter().find(|(known, _)| *known == prefix);
                let uri = known.map_or(value.as_ref(), |(_, uri)| uri);
                self.write_attribute(&lower, uri);
            } else if lower.contains(':')
                && !lower.starts_with("xml:")
                && !lower.starts_with("rdf:")
            {
                // An attribute of another vocabulary; its prefix may be undeclared.
            } else {
                let key = if lower.starts_with("xml:") || lower.starts_with("rdf:") {
                    lower.as_str()
                } else {
                    *key
                };
                self.write_attribute(key, value);
            }
            seen.push(key);
        }
        if root {
            match self.dialect {
                Some(Dialect::Atom) => self.write_attribute("xmlns", ATOM),
                Some(Dialect::Rss1) => {
                    self.write_attribute("xmlns:rdf", RDF);
                    self.write_attribute("xmlns", "http://purl.org/rss/1.0/");
                }
                Some(Dialect::Rss2) => {
                    if version.as_deref() != Some("2.0") && name == "rss" {
                        self.repairs.insert("rss-version");
                    }
                    if name == "rss" {
                        self.write_attribute("version", "2.0");
                    }
                }
                None => {}
            }
        }
        if self.dialect == Some(Dialect::Atom) {
            self.write_type(name, attributes);
        }
        if let Some((prefix, _)) = name.split_once(':')
            && prefix != "rdf"
            && !prefixes.iter().any(|known| known == prefix)
            && !self.open.iter().any(|open| open.prefixes.iter().any(|known| known == prefix))
        {
            self.repairs.insert("undeclared-prefix");
            let known = NAMESPACES.iter().find(|(known, _)| *known == prefix);
            let unknown = format!("urn:undeclared:{prefix}");
            self.write_attribute(
                &format!("xmlns:{prefix}"),
                known.map_or(&unknown, |(_, uri)| uri),
            );
        }
        if empty {
            self.out.push_str("/>");
            if matches!(name, "item" | "entry") {
                self.items.push(std::mem::take(&mut self.item).aside);
            }
            return;
        }
        self.out.push('>');
        let xhtml = value(attributes, "type").is_some_and(|kind| kind == "xhtml");
        let lower = name.to_ascii_lowercase();
        let in_item = self.open.iter().any(|open| matches!(open.name.as_str(), "item" | "entry"));
        let text = TEXTS.contains(&lower.as_str())
            && !(self.dialect == Some(Dialect::Atom) && xhtml)
            && (in_item || lower != "link");
        self.open.push(Open {
            source: source.to_owned(),
            name: name.to_owned(),
            text,
            start: self.out.len(),
            prefixes,
        });
    }

    /// The `type` of an Atom element, as one that the parser knows.
    fn write_type(&mut self, name: &str, attributes: &Attributes<'t>) {
        let Some(kind) = value(attributes, "type") else {
            // Atom 0.3 says with `mode` that HTML is escaped.
            if value(attributes, "mode").is_some_and(|mode| mode == "escaped") {
                self.write_attribute("type", "html");
            }
            return;
        };
        if !matches!(name, "title" | "summary" | "content" | "subtitle" | "rights") {
            self.write_attribute("type", &kind);
            return;
        }
        let known = match kind.trim().to_ascii_lowercase().as_str() {
            "text" | "text/plain" => "text",
            "xhtml" => "xhtml",
            _ => "html",
        };
        if known != kind {
            self.repairs.insert("content-type");
        }
        self.write_attribute("type", known);
    }

    fn write_attribute(&mut self, key: &str, value: &str) {
        self.out.push(' ');
        self.out.push_str(key);
        self.out.push_str("=\"");
        for character in value.chars() {
            match character {
                '&' => self.out.push_str("&amp;"),
                '<' => self.out.push_str("&lt;"),
                '"' => self.out.push_str("&quot;"),
                c if c >= ' ' => self.out.push(c),
                _ => self.out.push(' '),
            }
        }
        self.out.push('"');
    }

    fn end_tag(&mut self, name: &str) {
        let source = name.to_ascii_lowercase();
        if let Some((skipped, depth)) = &mut self.skipping {
            if *skipped == source {
                *depth -= 1;
                if *depth == 0 {
                    self.skipping = None;
                }
            }
            return;
        }
        let Some(at) = self.open.iter().rposition(|open| open.source == source) else {
            if self.in_text() && !source.is_empty() {
                self.push_escaped(&format!("</{name}>"));
            } else {
                self.repairs.insert("stray-end-tag");
            }
            return;
        };
        let inside_text = self.in_text() && at + 1 < self.open.len();
        if inside_text && !matches!(source.as_str(), "item" | "entry" | "channel" | "rss" | "feed")
        {
            self.push_escaped(&format!("</{name}>"));
            return;
        }
        if at + 1 < self.open.len() {
            self.repairs.insert("unclosed-element");
        }
        while self.open.len() > at {
            self.close_last();
        }
        if self.open.is_empty() {
            self.complete = true;
            // What follows the root is no part of the feed.
            self.rest = "";
        }
    }

    fn close_last(&mut self) {
        let Some(open) = self.open.pop() else { return };
        let in_item = self.open.iter().any(|open| matches!(open.name.as_str(), "item" | "entry"));
        if in_item {
            let text = || htmlize::unescape(self.out[open.start..].trim()).into_owned();
            if matches!(open.source.as_str(), "guid" | "id") {
                self.item.identified = !self.ended;
            }
            match open.source.as_str() {
                "guid" => self.item.guid = text(),
                "source" => {
                    self.item.aside.source_title =
                        Some(text()).filter(|text| !text.is_empty() && !text.contains('<'));
                }
                "pubdate" | "dc:date" | "published" | "issued" | "created" => {
                    self.item.aside.raw_date = text();
                }
                "author" | "dc:creator" | "managingeditor" => self.part_addresses(open.start),
                _ => {}
            }
        } else if matches!(open.source.as_str(), "managingeditor" | "webmaster" | "dc:creator") {
            self.part_addresses(open.start);
        }
        if matches!(open.name.as_str(), "item" | "entry") {
            self.finish_item();
        }
        self.out.push_str("</");
        self.out.push_str(&open.name);
        self.out.push('>');
    }

    /// Puts spaces round a mail address that other letters touch: the parser panics on those.
    fn part_addresses(&mut self, start: usize) {
        let text = &self.out[start..];
        if !text.contains('@') || text.is_ascii() {
            return;
        }
        let mut parted = String::with_capacity(text.len() + 8);
        let mut last_ascii = true;
        for character in text.chars() {
            if character.is_ascii() != last_ascii {
                parted.push(' ');
                last_ascii = character.is_ascii();
            }
            parted.push(if character == '\u{a0}' { ' ' } else { character });
        }
        self.out.truncate(start);
        self.out.push_str(&parted);
    }

    /// Adds the link that an item gives only as its guid or its RDF address.
    fn finish_item(&mut self) {
        let mut item = std::mem::take(&mut self.item);
        item.aside.unidentified = self.ended && !item.identified && item.about.is_none();
        if !item.has_link && self.dialect != Some(Dialect::Atom) {
            let guid = (item.guid_is_link && item.guid.starts_with("http")).then_some(item.guid);
            if let Some(link) = guid.or(item.about) {
                self.repairs.insert("link-from-guid");
                self.out.push_str("<link>");
                self.push_escaped(&link);
                self.out.push_str("</link>");
            } else if self.dialect == Some(Dialect::Rss1) {
                // The parser leaves out items without any.
                self.out.push_str("<link/>");
            }
        }
        self.items.push(item.aside);
    }
}

/// The length of the name that a tag starts with; 0 when it starts with none.
fn name_length(text: &str) -> usize {
    if !text.starts_with(|c: char| c.is_alphabetic() || c == '_') {
        return 0;
    }
    text.find(|c: char| !(c.is_alphanumeric() || matches!(c, ':' | '_' | '-' | '.')))
        .unwrap_or(text.len())
}

/// The attributes of a tag, what follows the tag, and whether it is an empty one.
fn attributes(text: &str) -> (Attributes<'_>, &str, bool) {
    let mut attributes = Vec::new();
    let mut rest = text;
    loop {
        rest = rest.trim_start();
        if let Some(after) = rest.strip_prefix("/>") {
            return (attributes, after, true);
        }
        if let Some(after) = rest.strip_prefix('>') {
            return (attributes, after, false);
        }
        // A tag that never ends, or the next one before this one's end.
        if rest.is_empty() || rest.starts_with('<') {
            return (attributes, rest, false);
        }
        let length = name_length(rest);
        if length == 0 {
            rest = &rest[rest.chars().next().map_or(0, char::len_utf8)..];
            continue;
        }
        let (name, after) = rest.split_at(length);
        let after = after.trim_start();
        let Some(value) = after.strip_prefix('=') else {
            rest = after;
            continue;
        };
        let value = value.trim_start();
        let (value, after) = match value.chars().next() {
            Some(quote @ ('"' | '\'')) => match value[1..].find(quote) {
                Some(end) => (&value[1..=end], &value[end + 2..]),
                None => {
                    let end = value.find('>').unwrap_or(value.len());
                    (&value[1..end.max(1)], &value[end..])
                }
            },
            _ => {
                value.split_at(value.find([' ', '\t', '\n', '\r', '>', '<']).unwrap_or(value.len()))
            }
        };
        if attributes.len() < MOST_ATTRIBUTES {
            attributes.push((name, htmlize::unescape_attribute(value)));
        }
        rest = after;
    }
}

/// An attribute's value, whatever the case of its name.
fn value(attributes: &Attributes<'_>, name: &str) -> Option<String> {
    let found = attributes.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
    found.map(|(_, value)| value.trim().to_owned()).filter(|value| !value.is_empty())
}
