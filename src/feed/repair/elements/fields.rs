//! What elements say: of an item, and of the feed.

use std::borrow::Cow;

use super::{Coding, Open, Reader, Role};
use crate::feed::repair::entry::Entry;
use crate::feed::repair::markup::Tag;
use crate::feed::repair::vocabulary::Field;
use crate::feed::{html, language};

impl<'t> Reader<'t> {
    /// Notes what the start tag of an element says.
    pub(super) fn note(&mut self, tag: &Tag<'t>, open: &mut Open<'_>) {
        match open.role {
            Role::Item => {
                let mut item = Entry::default();
                let about = tag.attribute("rdf:about");
                if let Some(about) = about {
                    item.offer_id(2, about, true);
                }
                if let Some(href) = tag.attribute("href") {
                    item.offer_link(4, href, self.scope.base());
                }
                if let Some(lang) = tag.attribute("xml:lang") {
                    item.offer_lang(0, lang);
                }
                self.identified = about.is_some();
                self.item = Some(item);
                return;
            }
            Role::Root | Role::Channel => {
                let lang = tag.attribute("xml:lang").and_then(language);
                self.out.head.lang = lang.or(self.out.head.lang.take());
            }
            Role::Field(Field::Link, rank) => return self.link_attribute(tag, rank),
            _ => {}
        }
        open.coding = coding(tag);
        let Some(item) = &mut self.item else { return };
        if let Role::Field(Field::Title | Field::Summary | Field::Content, _) = open.role
            && let Some(lang) = tag.attribute("xml:lang")
        {
            item.offer_lang(2, lang);
        }
        match open.role {
            Role::Field(Field::Id, _) => {
                let no = tag.attribute("ispermalink").unwrap_or("true");
                open.permalink = !no.eq_ignore_ascii_case("false");
            }
            Role::Field(Field::Source, _) => {
                if let Some(url) = tag.attribute("url") {
                    item.offer_source_url(url, self.scope.base());
                }
            }
            Role::Field(Field::Tag, _) => {
                if let Some(tag) = tag.attribute("label").or_else(|| tag.attribute("term")) {
                    item.add_tag(tag);
                }
            }
            Role::Field(Field::Content, _) => {
                if let Some(src) = tag.attribute("src") {
                    item.offer_link(6, src, self.scope.base());
                }
            }
            _ => {}
        }
    }

    /// A link that is an attribute. A page for people comes before what is for programs.
    fn link_attribute(&mut self, tag: &Tag<'t>, rank: u8) {
        let Some(href) = tag.attribute("href").or_else(|| tag.attribute("url")) else { return };
        let rel = tag.attribute("rel").unwrap_or("alternate").to_ascii_lowercase();
        if self.item.is_none() {
            let older = ["prev-archive", "next"].iter().position(|older| *older == rel);
            if let Some(rank) = older {
                return self.out.head.offer_older(rank as u8, href, self.scope.base());
            }
        }
        let is_page = tag.attribute("type").is_none_or(|kind| kind.contains("html"));
        let rank = match rel.rsplit('/').next().unwrap_or(&rel) {
            "alternate" if is_page => rank,
            "alternate" => rank.max(2),
            "self" | "hub" | "edit" | "edit-media" | "replies" | "next" | "previous" | "first"
            | "last" | "license" | "search" | "icon" | "shortcut icon" => return,
            "enclosure" => 8,
            _ => 6,
        };
        match &mut self.item {
            Some(item) => item.offer_link(rank, href, self.scope.base()),
            None if rel == "alternate" && rank <= 2 => {
                self.out.head.offer_link(href, self.scope.base());
            }
            None => {}
        }
    }

    pub(super) fn field_of_item(&mut self, field: Field, rank: u8, text: &str, permalink: bool) {
        let base = self.scope.base();
        let Some(item) = &mut self.item else { return };
        match field {
            Field::Title => item.offer_title(rank, text),
            Field::Summary => item.offer_summary(rank, text),
            Field::Content => item.offer_content(rank, text),
            Field::Link => item.offer_link(rank, &plain(text), base),
            Field::Id => {
                item.offer_id(rank, &plain(text), permalink);
                self.identified = !self.ended;
            }
            Field::Published => item.offer_published(rank, &plain(text), self.dates),
            Field::Updated => item.offer_updated(rank, &plain(text), self.dates),
            Field::Author => {
                let name = self.author_name.take();
                item.add_author(rank, name.as_deref().unwrap_or(text));
            }
            Field::Tag => item.add_tag(text),
            Field::Source => item.offer_source_title(1, text),
            Field::Language => item.offer_lang(1, &plain(text)),
            Field::Ttl
            | Field::UpdatePeriod
            | Field::UpdateFrequency
            | Field::SkipHours
            | Field::SkipDays => {}
        }
    }

    pub(super) fn field_of_feed(&mut self, field: Field, text: &str) {
        let head = &mut self.out.head;
        match field {
            Field::Title => head.offer_title(text),
            Field::Link => head.offer_link(&plain(text), self.scope.base()),
            Field::Language => head.lang = language(&plain(text)).or(head.lang.take()),
            Field::Id if self.out.format == "atom" => head.offer_id(&plain(text)),
            Field::Ttl => head.hints.ttl(text),
            Field::UpdatePeriod => head.hints.update_period(text),
            Field::UpdateFrequency => head.hints.update_frequency(text),
            Field::SkipHours => head.hints.skip_hours(text),
            Field::SkipDays => head.hints.skip_days(text),
            Field::Author => self.author_name = None,
            _ => {}
        }
    }

    pub(super) fn finish_item(&mut self) {
        let Some(mut item) = self.item.take() else { return };
        if let Some(lang) = self.scope.language() {
            item.offer_lang(3, lang);
        }
        self.out.cut = self.ended;
        self.out.unidentified = self.ended && !self.identified;
        self.author_name = None;
        item.count(&mut self.out.repairs);
        self.out.entries.push(item);
    }
}

/// How the text of an element is written, by its `type` and, in Atom 0.3, its `mode`.
fn coding(tag: &Tag<'_>) -> Coding {
    let kind = tag.attribute("type").unwrap_or_default().to_ascii_lowercase();
    let mode = tag.attribute("mode").unwrap_or_default();
    // RFC 4287 section 4.1.3.3: other types of content than text are Base64.
    let binary = kind.contains('/') && !kind.starts_with("text/") && !kind.ends_with("xml");
    if mode.eq_ignore_ascii_case("base64") || binary {
        Coding::Base64
    } else if kind == "xhtml" || kind == "application/xhtml+xml" && mode != "escaped" {
        Coding::Inline
    } else {
        Coding::Escaped
    }
}

/// An address, an id, a date: without mark-up, unescaped once more where that was forgotten.
fn plain(text: &str) -> Cow<'_, str> {
    let text = text.trim();
    match memchr::memchr2(b'<', b'&', text.as_bytes()) {
        None => text.into(),
        Some(_) if text.contains('<') => html::to_line(text).into(),
        Some(_) => text.replace("&amp;", "&").into(),
    }
}
