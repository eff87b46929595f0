//! The strict parser, feed-rs, kept from doing harm: it has been seen to panic, so a panic is an
//! error like another.

use std::cell::Cell;
use std::ops::Range;
use std::panic;
use std::sync::Once;

use feed_rs::model;

use super::{Written, date};

pub(super) struct Parser(date::Reader);

impl Parser {
    pub(super) fn of(dates: date::Reader) -> Self {
        Self(dates)
    }

    /// Reads entries together; where that fails each by itself, so that one takes no other along.
    pub(super) fn entries(&self, written: &Written) -> Vec<Option<model::Entry>> {
        if let Ok(feed) = self.parse(&written.xml)
            && feed.entries.len() == written.places.len()
        {
            return feed.entries.into_iter().map(Some).collect();
        }
        let alone = |place: &Range<usize>| self.parse(&written.xml[place.clone()]).ok();
        let entry = |feed: model::Feed| feed.entries.into_iter().next();
        written.places.iter().map(|place| alone(place).and_then(entry)).collect()
    }

    /// Reads a feed, or one entry as a document of its own.
    pub(super) fn parse(&self, xml: &str) -> Result<model::Feed, String> {
        let dates = self.0;
        // One that has failed is in the midst of an entry for ever.
        let parser = feed_rs::parser::Builder::new()
            .id_generator(|_, _, _| String::new())
            .sanitize_content(false)
            .timestamp_parser(move |text| {
                chrono::DateTime::from_timestamp(dates.read(text)?.as_second(), 0)
            })
            .build();
        quietly(|| parser.parse(xml.as_bytes()))
            .map_err(|()| "the parser failed on it".to_owned())?
            .map_err(|error| error.to_string())
    }
}

/// Runs something that may panic; a panic of it is silent and becomes an error.
fn quietly<T>(work: impl FnOnce() -> T) -> Result<T, ()> {
    thread_local! {
        static QUIET: Cell<bool> = const { Cell::new(false) };
    }
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let usual = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if !QUIET.get() {
                usual(info);
            }
        }));
    });
    QUIET.set(true);
    let result = panic::catch_unwind(panic::AssertUnwindSafe(work));
    QUIET.set(false);
    result.map_err(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_that_cannot_be_read_takes_no_other_along() {
        let entries = [
            "<entry><id>1</id></entry>",
            "<entry><id>2</id><content type=\"no type\">a</content></entry>",
            "<entry><id>3</id></entry>",
        ];
        let mut xml = "<feed>".to_owned();
        let mut places = Vec::new();
        for entry in entries {
            places.push(xml.len()..xml.len() + entry.len());
            xml += entry;
        }
        xml += "</feed>";
        let dates = date::Reader { utc_offset: None, now: jiff::Timestamp::UNIX_EPOCH };
        let read = Parser::of(dates).entries(&Written { xml, places, asides: Vec::new() });
        let ids: Vec<_> = read.iter().map(|entry| entry.as_ref().map(|e| e.id.as_str())).collect();
        assert_eq!(ids, [Some("1"), None, Some("3")]);
    }
}
