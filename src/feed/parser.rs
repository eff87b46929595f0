//! The strict parser, feed-rs, kept from doing harm: it has been seen to panic, so a panic is an
//! error like another.

use std::cell::Cell;
use std::panic;
use std::sync::Once;

use feed_rs::model;

use super::{Written, date};

/// Reads a feed, with every entry of it.
pub(super) fn parse(written: &Written<'_>, dates: date::Reader) -> Result<model::Feed, String> {
    let parser = feed_rs::parser::Builder::new()
        .id_generator(|_, _, _| String::new())
        .sanitize_content(false)
        .timestamp_parser(move |text| {
            chrono::DateTime::from_timestamp(dates.read(text)?.as_second(), 0)
        })
        .build();
    let json = serde_json::to_vec(written).map_err(|error| error.to_string())?;
    let feed = quietly(|| parser.parse(json.as_slice()))
        .map_err(|()| "the parser failed on it".to_owned())?
        .map_err(|error| format!("the parser failed on it: {error}"))?;
    let (found, wanted) = (feed.entries.len(), written.items());
    if found != wanted {
        // What stands beside an entry would be taken for another's.
        return Err(format!("the parser failed on it: it found {found} of {wanted} items"));
    }
    Ok(feed)
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
