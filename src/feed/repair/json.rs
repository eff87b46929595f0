//! JSON Feed 1.0 and 1.1. Values of a type that nobody expects are passed over, and a document that
//! is cut off yields the items before the cut.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use url::Url;

use super::entry::Entry;
use super::markup::sound;
use super::{MOST_ITEMS, Repaired, date};
use crate::feed::{MOST_NAMES, language};

/// Mends a document of JSON Feed.
pub(super) fn repair(text: &str, base: Option<&Url>, dates: date::Reader) -> Repaired {
    let mut out = Repaired::default();
    // Only white space may be a control character, and in texts not even that may.
    let text = text.replace(|c: char| c < ' ', " ");
    let context = Context { base, dates };
    let read = Into { place: Place::Feed(&mut out), context }
        .deserialize(&mut serde_json::Deserializer::from_str(&text));
    out.error = read.err().map(|error| error.to_string());
    out.complete = out.error.is_none();
    out
}

#[derive(Debug, Clone, Copy)]
struct Context<'a> {
    base: Option<&'a Url>,
    dates: date::Reader,
}

/// Where a value goes.
enum Place<'a> {
    Feed(&'a mut Repaired),
    Items(&'a mut Repaired),
    Item(&'a mut Entry),
    /// A list of texts or of objects with a name, or one of them.
    Names(&'a mut Vec<String>),
    Text(&'a mut String),
}

struct Into<'a> {
    place: Place<'a>,
    context: Context<'a>,
}

impl<'de> DeserializeSeed<'de> for Into<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Into<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("anything")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<(), E> {
        let text = || sound(text.into()).into_owned();
        match self.place {
            Place::Text(place) => *place = text(),
            Place::Names(names) if names.len() < MOST_NAMES => names.push(text()),
            _ => {}
        }
        Ok(())
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<(), E> {
        self.visit_str(&number.to_string())
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<(), E> {
        self.visit_str(&number.to_string())
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<(), E> {
        self.visit_str(&number.to_string())
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        let context = self.context;
        match self.place {
            Place::Items(out) => loop {
                let mut item = Entry::default();
                let place = Place::Item(&mut item);
                if list.next_element_seed(Into { place, context })?.is_none() {
                    return Ok(());
                }
                item.count(&mut out.repairs);
                out.entries.push(item);
                if out.entries.len() == MOST_ITEMS {
                    out.too_many = list.next_element::<IgnoredAny>()?.is_some();
                    break;
                }
            },
            Place::Names(names) => {
                while names.len() < MOST_NAMES {
                    let place = Place::Names(names);
                    if list.next_element_seed(Into { place, context })?.is_none() {
                        return Ok(());
                    }
                }
            }
            _ => {}
        }
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut fields: A) -> Result<(), A::Error> {
        let context = self.context;
        let mut key = String::new();
        loop {
            key.clear();
            let place = Place::Text(&mut key);
            if fields.next_key_seed(Into { place, context })?.is_none() {
                return Ok(());
            }
            let (mut text, mut names) = (String::new(), Vec::new());
            let place = match (&mut self.place, key.as_str()) {
                (Place::Feed(out), "items") => {
                    out.format = "json";
                    Place::Items(out)
                }
                (Place::Item(_), "authors" | "author" | "tags") => Place::Names(&mut names),
                (Place::Feed(_) | Place::Item(_), _) | (Place::Names(_), "name") => {
                    Place::Text(&mut text)
                }
                _ => {
                    fields.next_value::<IgnoredAny>()?;
                    continue;
                }
            };
            fields.next_value_seed(Into { place, context })?;
            match &mut self.place {
                Place::Feed(out) => field_of_feed(out, &key, &text, context.base),
                Place::Item(item) => field_of_item(item, &key, &text, &names, context),
                Place::Names(names) if !text.is_empty() => names.push(text),
                _ => {}
            }
        }
    }
}

fn field_of_feed(out: &mut Repaired, key: &str, text: &str, base: Option<&Url>) {
    match key {
        "version" if text.contains("jsonfeed") => out.format = "json",
        "title" => out.head.offer_title(text),
        "home_page_url" => out.head.offer_link(text, base),
        "feed_url" => out.head.offer_id(text),
        "next_url" => out.head.offer_older(0, text, base),
        "language" => out.head.lang = language(text),
        _ => {}
    }
}

fn field_of_item(
    item: &mut Entry,
    key: &str,
    text: &str,
    names: &[String],
    Context { base, dates }: Context<'_>,
) {
    match key {
        "id" => item.offer_id(2, text, true),
        "url" => item.offer_link(0, text, base),
        "external_url" => item.offer_link(2, text, base),
        "title" => item.offer_title(0, text),
        "summary" => item.offer_summary(0, text),
        "content_html" => item.offer_content(0, text),
        "content_text" => item.offer_content(1, text),
        "language" => item.offer_lang(0, text),
        "date_published" => item.offer_published(0, text, dates),
        "date_modified" => item.offer_updated(0, text, dates),
        "author" | "authors" => names.iter().for_each(|name| item.add_author(0, name)),
        "tags" => names.iter().for_each(|tag| item.add_tag(tag)),
        _ => {}
    }
}
