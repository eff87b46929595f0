//! Feeds that bring more between two polls than they show, and what their older pages are read for.

use super::server::Answer;
use super::world::{World, path};

const NEWS: &str = "Wang Yi meets Lavrov in Moscow";

/// A page of these items, one a number, that says where older ones are.
fn page(world: &World, feed: &str, items: impl Iterator<Item = u32>, older: Option<&str>) {
    let titles: Vec<String> = items
        .map(|number| match number {
            8 => format!("8|{NEWS}"),
            _ => format!("{number}|Rain, part {number}"),
        })
        .collect();
    let document = world.document(&titles.iter().map(String::as_str).collect::<Vec<_>>());
    let older = older.map_or_else(String::new, |older| {
        format!("<a:link xmlns:a=\"http://www.w3.org/2005/Atom\" rel=\"next\" href=\"{older}\"/>")
    });
    let document = document.replace("<description/>", &format!("<description/>{older}"));
    let headers = "content-type: application/rss+xml\r\n";
    world.server.set(feed, Answer::status("200 OK", headers, &document));
}

/// How often a page was asked for.
fn asked(world: &World, page: &str) -> usize {
    world.server.requests(page).len()
}

async fn world(lines: &str) -> World {
    let mut world = World::new().await;
    world.add_feed("alpha", lines);
    page(&world, &path("alpha"), (1..=5).rev(), None);
    world.tick().await;
    page(&world, &path("alpha"), (11..=15).rev(), Some("/older-1.xml"));
    world
}

#[tokio::test]
async fn what_fell_out_between_two_polls_is_found_on_older_pages() {
    let world = world("fill_gaps = true").await;
    page(&world, "/older-1.xml", (6..=10).rev(), Some("/older-2.xml"));
    page(&world, "/older-2.xml", (4..=7).rev(), Some("/older-3.xml"));
    world.tick().await;
    assert_eq!(world.items().len(), 15);
    assert_eq!(world.alerted(), [NEWS]);
    assert_eq!(world.feed("alpha").gap_at, None, "nothing was missed");
    assert_eq!([1, 2, 3].map(|n| asked(&world, &format!("/older-{n}.xml"))), [1, 1, 0]);
    world.tick().await;
    assert_eq!((asked(&world, "/older-1.xml"), world.items().len()), (1, 15));
    let request = &world.server.requests("/older-1.xml")[0];
    assert_eq!((request.header("if-none-match"), request.header("referer")), (None, None));
}

#[tokio::test]
async fn three_older_pages_are_read_at_most_and_then_it_is_a_gap() {
    let world = world("fill_gaps = true").await;
    for older in 1..=4 {
        let next = format!("/older-{}.xml", older + 1);
        let items = 100 * older..100 * older + 5;
        page(&world, &format!("/older-{older}.xml"), items, Some(&next));
    }
    world.tick().await;
    assert_eq!([3, 4].map(|n| asked(&world, &format!("/older-{n}.xml"))), [1, 0]);
    assert_eq!(world.items().len(), 25);
    assert_eq!(world.feed("alpha").gap_at, Some(world.clock.now()));
}

#[tokio::test]
async fn older_pages_are_read_only_where_that_is_wanted_and_of_the_feeds_own_server() {
    let elsewhere = super::server::Server::start().await;
    for (lines, older) in [
        ("", "/older-1.xml".to_owned()),
        ("fill_gaps = true", elsewhere.url("/older-1.xml")),
        ("fill_gaps = true", "/nothing.xml".to_owned()),
    ] {
        let world = world(lines).await;
        page(&world, &path("alpha"), (11..=15).rev(), Some(&older));
        page(&world, "/older-1.xml", (6..=10).rev(), None);
        world.tick().await;
        assert_eq!((asked(&world, "/older-1.xml"), elsewhere.count()), (0, 0));
        assert_eq!(world.items().len(), 10);
        let feed = world.feed("alpha");
        assert_eq!((feed.state.as_str(), feed.gap_at), ("active", Some(world.clock.now())));
    }
}

#[tokio::test]
async fn a_first_poll_reads_no_older_pages() {
    let mut world = World::new().await;
    world.add_feed("alpha", "fill_gaps = true");
    page(&world, &path("alpha"), (11..=15).rev(), Some("/older-1.xml"));
    world.tick().await;
    assert_eq!((asked(&world, "/older-1.xml"), world.items().len()), (0, 5));
}
