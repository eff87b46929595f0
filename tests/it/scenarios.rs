//! What newswatch does on what servers do: each test is a server that behaves in one way, and what
//! must come of it. docs/operations.md has the same as a table.

use jiff::SignedDuration;

use super::server::Answer;
use super::world::{World, path};

const NEWS: &str = "Wang Yi meets Lavrov in Moscow";
const RSS: &str = "content-type: application/rss+xml\r\n";

/// An entry of a feed; what is empty is left out.
#[derive(Debug, Clone, Copy, Default)]
struct Entry<'a> {
    guid: &'a str,
    title: &'a str,
    link: &'a str,
    date: &'a str,
}

/// A date of the day on which tests begin.
const TODAY: &str = "Mon, 18 Sep 2023 08:30:00 GMT";

/// An entry of today with that guid and title, and a link of its own.
fn entry<'a>(guid: &'a str, title: &'a str) -> Entry<'a> {
    Entry { guid, title, link: "", date: TODAY }
}

/// A feed document.
fn rss(entries: &[Entry<'_>]) -> String {
    let element = |name: &str, text: &str| match text {
        "" => String::new(),
        text => format!("<{name}>{text}</{name}>"),
    };
    let item = |entry: &Entry<'_>| {
        let Entry { guid, title, link, date } = entry;
        let [guid, title, link, date] =
            [("guid", guid), ("title", title), ("link", link), ("pubDate", date)]
                .map(|(name, text)| element(name, text));
        format!("<item>{guid}{title}{link}{date}</item>")
    };
    let items: String = entries.iter().map(item).collect();
    format!(
        "<rss version=\"2.0\"><channel><title>Example</title><link>https://news.example/</link>\
         <description/>{items}</channel></rss>"
    )
}

/// Has a feed answer with 200, these header lines and this document from now on.
fn serve(world: &World, feed: &str, headers: &str, document: &str) {
    let headers = format!("{RSS}{headers}");
    world.server.set(&path(feed), Answer::status("200 OK", &headers, document));
}

/// A world with one feed, `alpha`.
async fn world() -> World {
    let mut world = World::new().await;
    world.add_feed("alpha", "");
    world
}

/// Ten entries as they were before and after a publisher's move; of the newer ones the first so many have the
/// ids and addresses of the new place.
fn moved(moved: usize) -> [String; 2] {
    let titles: Vec<String> = (0..10).map(|n| format!("{NEWS}, part {n}")).collect();
    let dates: Vec<String> =
        (0..10).map(|n| format!("Mon, 18 Sep 2023 08:{:02}:00 GMT", 30 - n)).collect();
    let document = |moved| {
        let address = |n| match n < moved {
            true => format!("https://www.new.example/story/{n}"),
            false => format!("http://old.example/?p={n}"),
        };
        let addresses: Vec<String> = (0..10).map(address).collect();
        let entries: Vec<Entry<'_>> = (0..10)
            .map(|n| Entry {
                guid: &addresses[n],
                title: &titles[n],
                link: &addresses[n],
                date: &dates[n],
            })
            .collect();
        rss(&entries)
    };
    [document(0), document(moved)]
}

#[tokio::test]
async fn a_feed_that_gives_its_items_other_ids_alerts_nobody_again() {
    for part in [6, 10] {
        let world = world().await;
        let [before, after] = moved(part);
        serve(&world, "alpha", "", &before);
        world.tick().await;
        assert_eq!(world.stored_alerts(), 10);
        assert_eq!(world.feed("alpha").migrated_at, None);
        for _ in 0..3 {
            world.advance(SignedDuration::from_hours(1));
            serve(&world, "alpha", "", &after);
            world.tick().await;
        }
        assert_eq!((world.items().len(), world.stored_alerts()), (10, 10), "{part} moved");
        let feed = world.feed("alpha");
        let noticed = world.clock.now() - SignedDuration::from_hours(2);
        assert_eq!((feed.migrated_at, feed.gap_at), (Some(noticed), None));
    }
}

#[tokio::test]
async fn an_item_that_comes_under_another_id_and_edited_is_an_edit_of_it() {
    let world = world().await;
    let link = "https://news.example/talks";
    let old = Entry { guid: "1", title: "Wang Yi meets Lavrov in Oslo", link, date: TODAY };
    serve(&world, "alpha", "", &rss(&[old]));
    world.tick().await;
    let new = Entry { guid: "2", title: "Wang Yi meets Lavrov in Oslo today", ..old };
    serve(&world, "alpha", "", &rss(&[new]));
    world.tick().await;
    assert_eq!((world.items().len(), world.items()[0].revision), (1, 2));
    assert_eq!(world.stored_alerts(), 1);
    let other = Entry { guid: "3", title: NEWS, date: "Tue, 19 Sep 2023 08:30:00 GMT", ..old };
    serve(&world, "alpha", "", &rss(&[other]));
    world.tick().await;
    assert_eq!(world.items().len(), 2, "an address alone makes no two items one");
}

#[tokio::test]
async fn equal_guids_of_two_feeds_are_two_items() {
    let mut world = World::new().await;
    for feed in ["alpha", "beta"] {
        world.add_feed(feed, "");
        serve(&world, feed, "", &rss(&[entry("1", NEWS)]));
    }
    world.tick().await;
    world.tick().await;
    assert_eq!((world.items().len(), world.stored_alerts()), (2, 2));
}
