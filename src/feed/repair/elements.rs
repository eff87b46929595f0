//! From mark-up to items: which element says what, and where one ends whose end tag is missing.
//!
//! Items are read one by one: whatever is wrong with one of them, the next one starts anew.

mod fields;

use std::borrow::Cow;

use url::Url;

use super::entry::Entry;
use super::markup::{Tag, Token, Tokens, push_data, push_text, sound};
use super::scope::{Mark, Scope};
use super::vocabulary::{self, Field, Vocabulary};
use super::{MOST_ITEMS, Repaired, Repairs, base64, date};
use crate::feed::LONGEST_TEXT;

/// Elements nested deeper than this are not told apart from what holds them.
const DEEPEST: usize = 256;
/// The longest text of an element, in bytes, mark-up and all.
const LONGEST_MARKUP: usize = 4 * LONGEST_TEXT;

/// Mends a document of RSS or Atom.
pub(super) fn repair(text: &str, base: Option<&Url>, dates: date::Reader) -> Repaired {
    let mut reader = Reader {
        tokens: Tokens::of(text),
        dates,
        out: Repaired::default(),
        open: Vec::new(),
        scope: Scope::of(base),
        item: None,
        identified: false,
        author_name: None,
        ended: false,
    };
    reader.run();
    reader.out
}

/// What an element is to its feed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Root,
    Channel,
    Item,
    /// A part of an item or of the feed, and how readily it is taken.
    Field(Field, u8),
    /// A name inside an author, a title inside a source.
    AuthorName,
    SourceTitle,
    /// Holds fields of an item, as `media:group` does.
    Group,
    Other,
}

impl Role {
    /// Whether mark-up inside the element is part of its text.
    fn is_text(self) -> bool {
        match self {
            Role::Field(field, _) => !matches!(field, Field::Author | Field::Source),
            Role::AuthorName | Role::SourceTitle => true,
            _ => false,
        }
    }

    fn has_text(self) -> bool {
        self.is_text() || matches!(self, Role::Field(..))
    }

    fn holds_items(self) -> bool {
        matches!(self, Role::Root | Role::Channel)
    }
}

/// How the text of an element is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Coding {
    Escaped,
    /// Mark-up of its own, in which entities are left to the reader of that.
    Inline,
    Base64,
}

/// An element that is open.
#[derive(Debug)]
struct Open<'t> {
    /// The name as written, lower case.
    name: Cow<'t, str>,
    role: Role,
    text: String,
    coding: Coding,
    /// A guid that is said to be a link.
    permalink: bool,
    /// Elements of the same name inside, open.
    nested: usize,
    before: Mark,
}

struct Reader<'t> {
    tokens: Tokens<'t>,
    dates: date::Reader,
    out: Repaired,
    open: Vec<Open<'t>>,
    scope: Scope,
    /// The item that is open.
    item: Option<Entry>,
    /// Its id was read to its end.
    identified: bool,
    author_name: Option<String>,
    /// The end of the document was reached; what is still open is closed for it.
    ended: bool,
}

impl<'t> Reader<'t> {
    fn run(&mut self) {
        while let Some(token) = self.tokens.next(&mut self.out.repairs) {
            match token {
                Token::Text(text) => self.text(text, push_text),
                Token::Data(text) => self.text(text, push_data),
                Token::Start(tag) => self.start(&tag),
                Token::End { name, written } => self.end(name, written),
                Token::WebPage => self.out.web_page |= self.open.is_empty(),
            }
        }
        if !self.open.is_empty() {
            self.out.repairs.count("unclosed-document");
        }
        self.ended = true;
        while !self.open.is_empty() {
            self.close_last();
        }
        self.out.web_page &= self.out.entries.is_empty() && self.out.format.is_empty();
    }

    fn in_text(&self) -> bool {
        self.open.last().is_some_and(|open| open.role.is_text())
    }

    fn text(&mut self, text: &str, push: fn(&mut String, &str, &mut Repairs)) {
        let Some(open) = self.open.last_mut() else {
            if self.out.format.is_empty() && !text.trim().is_empty() {
                self.out.repairs.count("junk-before-document");
            }
            return;
        };
        if !open.role.has_text() {
            return;
        }
        let room = LONGEST_MARKUP.saturating_sub(open.text.len());
        let text = &text[..text.floor_char_boundary(room)];
        match open.coding {
            Coding::Inline => push_data(&mut open.text, text, &mut self.out.repairs),
            _ => push(&mut open.text, text, &mut self.out.repairs),
        }
    }

    /// Adds a tag to the text that it stands in.
    fn markup_in_text(&mut self, written: &str) {
        let Some(open) = self.open.last_mut() else { return };
        if open.coding != Coding::Inline {
            self.out.repairs.count("markup-in-text");
        }
        if open.text.len() + written.len() <= LONGEST_MARKUP {
            push_data(&mut open.text, written, &mut self.out.repairs);
        }
    }

    fn start(&mut self, tag: &Tag<'t>) {
        let name = lower_case(tag.name);
        let before = self.scope.enter(tag);
        let (vocabulary, local) = self.scope.resolve(&name, &mut self.out.repairs);
        let is_item = matches!(local, "item" | "entry");
        let known = matches!(vocabulary, Vocabulary::Feed | Vocabulary::Atom);
        if let Some(open) = self.open.last_mut().filter(|open| open.role.is_text()) {
            if !ends_text(open, vocabulary, local) {
                open.nested += usize::from(!tag.empty && open.name == name);
                self.markup_in_text(tag.written);
                self.scope.leave(before);
                return;
            }
            self.out.repairs.count("unclosed-element");
            self.close_last();
        }
        if is_item && known {
            self.end_item_before();
        }
        let role = self.role(tag, vocabulary, local);
        if is_item && role != Role::Item && !known {
            self.out.strange_items = true;
        }
        let mut open = Open {
            name,
            role,
            text: String::new(),
            coding: Coding::Escaped,
            permalink: false,
            nested: 0,
            before,
        };
        self.note(tag, &mut open);
        if tag.empty || is_void(&open.name) {
            self.close(open);
        } else if self.open.len() >= DEEPEST {
            self.out.repairs.count("too-deep");
            self.scope.leave(before);
        } else {
            self.open.push(open);
        }
    }

    /// Items do not nest: one that is open was never closed.
    fn end_item_before(&mut self) {
        let last = if self.item.is_some() {
            self.open.iter().rposition(|open| open.role == Role::Item)
        } else if self.open.len() >= DEEPEST {
            self.open.iter().rposition(|open| open.role.holds_items()).map(|at| at + 1)
        } else {
            None
        };
        if let Some(at) = last {
            self.out.repairs.count("unclosed-element");
            while self.open.len() > at {
                self.close_last();
            }
        }
    }

    fn role(&mut self, tag: &Tag<'t>, vocabulary: Vocabulary, local: &str) -> Role {
        if self.out.format.is_empty() {
            return self.root(tag, vocabulary, local);
        }
        let known = matches!(vocabulary, Vocabulary::Feed | Vocabulary::Atom);
        if known && matches!(local, "item" | "entry") {
            if self.out.entries.len() < MOST_ITEMS {
                return Role::Item;
            }
            self.out.too_many = true;
            return Role::Other;
        }
        let field =
            || vocabulary::field(vocabulary, local).map(|(field, rank)| Role::Field(field, rank));
        match self.open.last().map(|open| open.role) {
            Some(Role::Root) if local == "channel" => Role::Channel,
            Some(Role::Root | Role::Channel) => field().unwrap_or(Role::Other),
            Some(Role::Item | Role::Group) => {
                // `media:content` holds a title and a text of its medium.
                if vocabulary == Vocabulary::Media && matches!(local, "group" | "content") {
                    Role::Group
                } else {
                    field().unwrap_or(Role::Other)
                }
            }
            Some(Role::Field(Field::Author, _)) if local == "name" => Role::AuthorName,
            Some(Role::Field(Field::Source, _)) if local == "title" => Role::SourceTitle,
            Some(Role::Field(Field::Source, _)) if matches!(local, "link" | "id") => {
                if let (Some(item), Some(url)) = (&mut self.item, tag.attribute("href"))
                    && tag.attribute("rel").unwrap_or("alternate") == "alternate"
                {
                    item.offer_source_url(url, self.scope.base());
                }
                Role::Other
            }
            _ => Role::Other,
        }
    }

    /// Sees what an element makes of a document of which nothing is known yet.
    fn root(&mut self, tag: &Tag<'t>, vocabulary: Vocabulary, local: &str) -> Role {
        let first = self.open.is_empty();
        let (format, role) = match local {
            "feed" => ("atom", Role::Root),
            "rdf" => ("rss1", Role::Root),
            "rss" => ("rss2", Role::Root),
            "channel" if !self.out.web_page => {
                let rss11 = tag.attribute("xmlns").is_some_and(|uri| uri.contains("rss1.1"));
                (if rss11 { "rss1" } else { "rss2" }, Role::Channel)
            }
            "item" if first => ("rss2", Role::Item),
            "entry" if first => ("atom", Role::Item),
            _ => {
                self.out.web_page |= first && local == "html";
                return Role::Other;
            }
        };
        if role != Role::Root && format != "rss1" && local != "entry" {
            self.out.repairs.count("missing-root");
        }
        if local == "rss" && !matches!(tag.attribute("version"), Some("2.0" | "0.91" | "0.92")) {
            self.out.repairs.count("rss-version");
        }
        match tag.attribute("xmlns").map(|uri| (uri, vocabulary::of_namespace(uri))) {
            Some((uri, Some(Vocabulary::Atom))) if uri.contains("purl.org") => {
                self.out.repairs.count("atom-0.3");
            }
            Some((_, None)) => self.out.repairs.count("foreign-namespace"),
            _ => {}
        }
        if vocabulary == Vocabulary::Other
            && let Some((prefix, _)) = tag.name.split_once(':')
        {
            self.scope.declare(prefix, Vocabulary::Feed);
        }
        self.out.format = format;
        role
    }

    fn end(&mut self, name: &str, written: &str) {
        let name = lower_case(name);
        if let Some(open) = self.open.last_mut().filter(|open| open.role.is_text())
            && open.name == name
        {
            if open.nested > 0 && open.coding == Coding::Inline {
                open.nested -= 1;
                self.markup_in_text(written);
            } else {
                self.close_last();
            }
            return;
        }
        let found = self.open.iter().rposition(|open| open.name == name);
        let item = self.open.iter().rposition(|open| open.role == Role::Item);
        // Inside a text or an item only what holds items ends more than itself.
        let found = found.filter(|at| {
            let role = self.open[*at].role;
            role.holds_items()
                || (role == Role::Item || !self.in_text()) && item.is_none_or(|item| item <= *at)
        });
        let Some(at) = found else {
            if self.in_text() {
                self.markup_in_text(written);
            } else {
                self.out.repairs.count("stray-end-tag");
            }
            return;
        };
        if at + 1 < self.open.len() {
            self.out.repairs.count("unclosed-element");
        }
        while self.open.len() > at {
            self.close_last();
        }
    }

    fn close_last(&mut self) {
        if let Some(open) = self.open.pop() {
            self.close(open);
        }
    }

    fn close(&mut self, mut open: Open<'t>) {
        if open.coding == Coding::Base64
            && let Some(bytes) = base64::decode(&open.text)
        {
            let text = String::from_utf8(bytes).unwrap_or_default();
            open.text = sound(text.into()).into_owned();
        }
        match open.role {
            Role::Root => {
                // What follows the feed is no part of it.
                self.tokens = Tokens::of("");
                self.out.complete = !self.ended;
            }
            Role::Channel if self.open.is_empty() => self.out.complete = !self.ended,
            Role::Item => {
                self.finish_item();
                if self.open.is_empty() {
                    self.out.complete = !self.ended;
                }
            }
            Role::AuthorName => self.author_name = Some(open.text),
            Role::SourceTitle => {
                if let Some(item) = &mut self.item {
                    item.offer_source_title(0, &open.text);
                }
            }
            Role::Field(field, rank) if self.item.is_some() => {
                self.field_of_item(field, rank, &open.text, open.permalink);
            }
            Role::Field(field, _) => self.field_of_feed(field, &open.text),
            _ => {}
        }
        self.scope.leave(open.before);
    }
}

/// Whether a tag inside a text shows that the text was never closed: an item, or a field of one
/// after what is short by nature.
fn ends_text(open: &Open<'_>, vocabulary: Vocabulary, local: &str) -> bool {
    if !matches!(vocabulary, Vocabulary::Feed | Vocabulary::Atom) || open.coding == Coding::Inline {
        return false;
    }
    if matches!(local, "item" | "entry") {
        return true;
    }
    let Role::Field(inside, _) = open.role else { return false };
    let short = !matches!(
        inside,
        Field::Summary
            | Field::Content
            | Field::Language
            | Field::Ttl
            | Field::UpdatePeriod
            | Field::UpdateFrequency
            | Field::SkipHours
            | Field::SkipDays
    );
    short && vocabulary::field(vocabulary, local).is_some_and(|(field, _)| field != inside)
}

fn lower_case(name: &str) -> Cow<'_, str> {
    if name.bytes().any(|byte| byte.is_ascii_uppercase()) {
        name.to_ascii_lowercase().into()
    } else {
        name.into()
    }
}

/// Elements that hold nothing, and whose end tag is often left out.
fn is_void(name: &str) -> bool {
    matches!(name, "br" | "hr" | "img" | "input" | "meta" | "wbr" | "enclosure" | "cloud")
}
