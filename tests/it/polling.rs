//! What the daemon makes of feeds, good and bad.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use jiff::SignedDuration;
use newswatch::schedule::health::Health;

use super::server::{Answer, response};
use super::world::{World, path};

const NEWS: &str = "Wang Yi meets Lavrov in Moscow";

#[tokio::test]
async fn an_item_is_told_once_however_often_it_is_seen() {
    let mut world = World::new().await;
    world.publish("alpha", NEWS);
    world.tick().await;
    world.publish("alpha", "Weather: rain in Oslo");
    world.tick().await;
    world.tick().await;
    assert_eq!(world.alerted(), [NEWS]);
    assert_eq!(world.items().len(), 2);
}

#[tokio::test]
async fn an_unchanged_feed_is_asked_for_with_both_validators_as_they_came() {
    let mut world = World::new().await;
    world.publish("alpha", NEWS);
    world.tick().await;
    world.tick().await;
    let requests = world.server.requests(&path("alpha"));
    assert_eq!(requests[0].header("if-none-match"), None);
    assert_eq!(requests[1].header("if-none-match"), Some("W/\"v2\""));
    assert_eq!(requests[1].header("if-modified-since"), Some("Mon, 18 Sep 2023 09:00:02 GMT"));
    assert_eq!(world.feed("alpha").state, "active");
}

#[tokio::test]
async fn what_a_cut_off_body_left_out_comes_with_the_next_poll() {
    let mut world = World::new().await;
    world.add_feed("alpha", "");
    let whole = world.document(&["Oil price falls", NEWS]);
    let cut = &whole[..whole.find(NEWS).unwrap() + 3];
    let headers = "HTTP/1.1 200 OK\r\netag: \"cut\"\r\nconnection: close\r\n";
    let length = whole.len();
    let answer = format!("{headers}content-length: {length}\r\n\r\n{cut}");
    world.server.once(&path("alpha"), Answer::Raw(answer.into_bytes()));
    world.tick().await;
    assert_eq!(world.items().len(), 1, "the whole item of the cut body is kept");
    let feed = world.feed("alpha");
    assert!(feed.is_in_trouble());
    let why = feed.why.as_deref().unwrap();
    assert_eq!(
        (feed.state.as_str(), why),
        ("degraded", "the document was cut off; items that could be read: 1")
    );
    world.show("alpha", &["Oil price falls", NEWS]);
    world.tick().await;
    let second = &world.server.requests(&path("alpha"))[1];
    assert_eq!(second.header("if-none-match"), None, "the cut body's ETag would hide the rest");
    assert_eq!(world.alerted(), [NEWS]);
    assert_eq!(world.items().len(), 2);
    assert_eq!(world.feed("alpha").state, "active");
}

#[tokio::test]
async fn a_private_address_is_not_asked_unless_the_feed_allows_it() {
    let mut world = World::new().await;
    let url = world.server.url("/inside.xml");
    world.add_feed_elsewhere("number", &format!("url = \"{url}\""));
    let url = url.replace("127.0.0.1", "localhost");
    world.add_feed_elsewhere("name", &format!("url = \"{url}\""));
    let summary = world.tick().await;
    assert_eq!((summary.polled, summary.failed), (0, 2));
    assert!(world.server.requests("/inside.xml").is_empty());
    let advice = "; set allow_private = true if that is meant";
    let why = format!("127.0.0.1 is a private address{advice}");
    assert_eq!(world.feed("number").why, Some(why));
    let why = world.feed("name").why.unwrap();
    assert!(why.starts_with("localhost is the private address ") && why.ends_with(advice), "{why}");
}

#[tokio::test]
async fn a_redirect_into_a_private_network_is_not_followed_from_a_public_feed() {
    let mut world = World::new().await;
    // What is allowed for the feed's own address is not allowed for where it leads.
    let inside = "http://[::ffff:10.0.0.1]/secret".to_owned();
    world.add_feed("alpha", "");
    let location = format!("location: {inside}\r\n");
    world.server.set(&path("alpha"), Answer::status("302 Found", &location, ""));
    let summary = world.tick().await;
    assert_eq!(summary.failed, 1);
    let why = world.feed("alpha").why.unwrap();
    assert!(why.starts_with("redirected to where no redirect may lead: "), "{why}");
    assert!(!why.contains("allow_private"), "it is set, and does not help: {why}");
}

#[tokio::test]
async fn a_redirect_within_the_private_server_that_a_feed_may_ask_is_followed() {
    let mut world = World::new().await;
    world.publish("beta", NEWS);
    world.add_feed("alpha", "");
    let location = format!("location: {}\r\n", path("beta"));
    world.server.set(&path("alpha"), Answer::status("302 Found", &location, ""));
    world.tick().await;
    assert_eq!(world.feed("alpha").state, "active");
    assert_eq!(world.feed("alpha").items, 1);
}

#[tokio::test]
async fn a_host_that_asks_for_patience_is_left_alone() {
    let mut world = World::new().await;
    world.publish("alpha", NEWS);
    world
        .server
        .once(&path("alpha"), Answer::status("429 Too Many Requests", "retry-after: 7200\r\n", ""));
    world.tick().await;
    assert_eq!(world.feed("alpha").state, "throttled");
    let summary = world.tick().await;
    assert_eq!(summary.resting, 1);
    assert_eq!(world.server.requests(&path("alpha")).len(), 1);
    world.advance(SignedDuration::from_hours(3));
    world.tick().await;
    assert_eq!(world.alerted(), [NEWS]);
}

#[tokio::test]
async fn the_other_feeds_of_a_host_that_asks_for_patience_are_shown_as_throttled() {
    let mut world = World::new().await;
    world.publish("alpha", NEWS);
    world.publish("beta", "Weather: rain in Oslo");
    world.tick().await;
    let later = Answer::status("429 Too Many Requests", "retry-after: 7200\r\n", "");
    world.server.once(&path("alpha"), later.clone());
    world.server.once(&path("beta"), later);
    world.tick().await;
    let other = ["alpha", "beta"].map(|name| world.feed(name));
    let other = other.into_iter().find(|feed| feed.state != "throttled").expect("one was asked");
    assert_eq!((other.health, other.state.as_str()), (Health::Throttled, "active"));
    assert!(other.is_worth_a_look() && other.is_in_trouble());
    assert_eq!(world.due_in(&other.name), 7200, "not when it would be by itself");
    let at = other.next_due.unwrap().strftime("%Y-%m-%d %H:%M").to_string();
    assert_eq!(other.why, Some(format!("its host asked to be left alone until {at}")));
    assert_eq!(other.since(), None);
    assert!(other.advice.unwrap().starts_with("ask less often"));
    world.advance(SignedDuration::from_hours(2));
    assert_eq!(world.feed(&other.name).health, Health::Ok);
}

#[tokio::test]
async fn a_first_poll_records_what_is_there_and_tells_only_what_comes_later() {
    let mut world = World::new().await;
    world.edit_main("first_run = \"alert\"", "first_run = \"record\"");
    world.publish("alpha", NEWS);
    world.tick().await;
    assert_eq!(world.alerted(), Vec::<String>::new());
    assert_eq!(world.hits()[0].reason, "baseline");
    assert_eq!(world.items()[0].flags, ["baseline"]);
    world.publish("alpha", "Lavrov rings Wang Yi");
    world.tick().await;
    assert_eq!(world.alerted(), ["Lavrov rings Wang Yi"]);
}

#[tokio::test]
async fn an_item_that_was_edited_so_that_it_matches_is_told() {
    let mut world = World::new().await;
    world.show("alpha", &["one|Wang Yi travels"]);
    world.add_feed("alpha", "");
    world.show("alpha", &["one|Wang Yi travels"]);
    world.tick().await;
    world.show("alpha", &["one|Wang Yi travels to see Lavrov"]);
    world.tick().await;
    assert_eq!(world.alerted(), ["Wang Yi travels to see Lavrov"]);
    assert_eq!((world.items().len(), world.items()[0].revision), (1, 2));
    world.show("alpha", &["one|Wang Yi travels to see Lavrov again"]);
    world.tick().await;
    assert_eq!(world.stored_alerts(), 1, "a rule hits an item once");
}

#[tokio::test]
async fn an_old_item_that_turns_up_late_is_kept_and_not_told() {
    let mut world = World::new().await;
    world.publish("alpha", "Weather");
    world.tick().await;
    world.show("alpha", &["Weather", NEWS]);
    world.advance(SignedDuration::from_hours(8 * 24));
    world.tick().await;
    assert_eq!(world.hits()[0].reason, "late");
    assert_eq!(world.alerted(), Vec::<String>::new());
}

#[tokio::test]
async fn a_bad_document_fails_its_own_feed_alone() {
    let mut world = World::new().await;
    world.publish("good", NEWS);
    for (name, body) in [
        ("page", "<!doctype html><html><body>Please enable JavaScript</body></html>"),
        ("empty", ""),
        ("noise", "\u{1}\u{2}<<<<>>>>"),
    ] {
        world.add_feed(name, "");
        world.server.set(&path(name), Answer::status("200 OK", "", body));
    }
    let summary = world.tick().await;
    assert_eq!((summary.polled, summary.failed), (1, 3));
    assert_eq!(world.alerted(), [NEWS]);
    assert!(world.feed("page").why.unwrap().contains("web page"));
}

#[tokio::test]
async fn a_feed_is_polled_again_after_its_interval_and_not_before() {
    let mut world = World::new().await;
    world.publish("alpha", NEWS);
    let daemon = world.start();
    world.server.asked(&path("alpha"), 1).await;
    world.server.asked(super::world::HOOK, 1).await;
    let due = world.due_in("alpha");
    assert!((600..=660).contains(&due), "{due}");
    world.advance(SignedDuration::from_secs(due + 1));
    world.server.asked(&path("alpha"), 2).await;
    daemon.stop().await;
    assert_eq!(world.server.requests(&path("alpha")).len(), 2);
}

#[tokio::test]
async fn a_feed_without_an_interval_is_asked_as_it_deserves_and_a_gap_is_reported() {
    let mut world = World::new().await;
    world.edit_main("interval = \"10m\"\n", "");
    world.add_feed("alpha", "");
    world.show("alpha", &["a1", "a2", "a3", "a4", "a5"]);
    world.tick().await;
    let feed = world.feed("alpha");
    assert_eq!((feed.interval_s, feed.gap_at), (Some(3600), None), "nothing is known of it yet");
    world.advance(SignedDuration::from_hours(1));
    world.show("alpha", &["a0", "a1", "a2", "a3", "a4"]);
    world.tick().await;
    assert_eq!(world.feed("alpha").gap_at, None);
    world.advance(SignedDuration::from_hours(1));
    world.show("alpha", &["b1", "b2", "b3", "b4", "b5"]);
    world.tick().await;
    let feed = world.feed("alpha");
    assert_eq!((feed.interval_s, feed.gap_at), (Some(1800), Some(world.clock.now())));
}

#[tokio::test]
async fn an_item_that_was_cut_off_is_not_taken_for_edited() {
    let mut world = World::new().await;
    world.add_feed("alpha", "");
    world.show("alpha", &["Oil price falls", NEWS]);
    world.tick().await;
    assert_eq!(world.alerted(), [NEWS]);
    let whole = world.document(&["Rain in Oslo", "Oil price falls", NEWS]);
    let cut = &whole[..whole.rfind(NEWS).unwrap() + "Wang Yi".len()];
    let length = whole.len();
    let answer = format!(
        "HTTP/1.1 200 OK\r\netag: \"cut\"\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{cut}"
    );
    world.server.once(&path("alpha"), Answer::Raw(answer.into_bytes()));
    world.tick().await;
    assert_eq!(world.items().len(), 3);
    assert_eq!(world.alerted(), [NEWS], "nobody has taken it back");
}

#[tokio::test]
async fn items_beyond_the_hits_that_a_poll_may_bring_come_with_the_next() {
    let mut world = World::new().await;
    let rule = |id| format!("[[rule]]\nid = \"{id}\"\ntitle = \"{id}\"\nquery = 'Lavrov'\n");
    world.set_rules(&["a", "b", "c"].map(rule).concat());
    let mut titles: Vec<String> = (0..1_668).map(|number| format!("Lavrov, n{number}")).collect();
    titles.push("Weather: rain".to_owned());
    world.add_feed("alpha", "interval = \"5m\"\n");
    world.show("alpha", &titles.iter().map(String::as_str).collect::<Vec<_>>());
    world.tick().await;
    assert_eq!((world.items().len(), world.hits().len()), (1_667, 4_998), "rain is no hit");
    let feed = world.feed("alpha");
    assert_eq!(
        (feed.state.as_str(), feed.why.as_deref().unwrap()),
        ("degraded", "2 items left for the next poll, as one takes in 5000 hits")
    );
    world.advance(SignedDuration::from_mins(5));
    world.tick().await;
    let second = &world.server.requests(&path("alpha"))[1];
    assert_eq!(second.header("if-none-match"), None, "it would hide what was left");
    assert_eq!((world.items().len(), world.hits().len()), (1_669, 5_004));
    assert_eq!(world.feed("alpha").state, "active");
}

/// A database that takes no items until that is undone, as of a full disk.
fn full(world: &World) -> rusqlite::Connection {
    let database = rusqlite::Connection::open(world.database()).unwrap();
    let full =
        "CREATE TRIGGER full BEFORE INSERT ON items BEGIN SELECT RAISE(ROLLBACK, 'full'); END";
    database.execute_batch(full).unwrap();
    database
}

/// A world with a database, in which first polls are recorded.
async fn recording() -> World {
    let mut world = World::new().await;
    world.edit_main("first_run = \"alert\"", "first_run = \"record\"");
    world.add_feed("beta", "");
    world.tick().await;
    world
}

#[tokio::test]
async fn what_was_published_since_a_first_poll_that_was_not_taken_in_is_told_after_restarts() {
    let mut world = recording().await;
    let database = full(&world);
    world.publish("alpha", "Rain in Oslo");
    world.tick().await;
    world.advance(SignedDuration::from_mins(1));
    world.publish("alpha", NEWS);
    world.advance(SignedDuration::from_mins(1));
    world.tick().await;
    database.execute_batch("DROP TRIGGER full").unwrap();
    world.advance(SignedDuration::from_mins(1));
    world.tick().await;
    assert_eq!(world.alerted(), [NEWS]);
}

#[tokio::test]
async fn what_was_published_while_a_first_poll_that_was_not_taken_in_went_on_is_told() {
    let mut world = recording().await;
    let database = Arc::new(Mutex::new(full(&world)));
    world.add_feed("alpha", "");
    world.advance(SignedDuration::from_secs(10));
    let document = world.document(&[NEWS]);
    world.advance(SignedDuration::from_secs(-10));
    let (clock, polls) = (world.clock.clone(), AtomicUsize::new(0));
    let slow = Answer::slowly(move || {
        let (clock, database, document) = (clock.clone(), database.clone(), document.clone());
        let first = polls.fetch_add(1, Ordering::Relaxed) == 0;
        async move {
            if first {
                clock.advance(SignedDuration::from_secs(30));
            } else {
                database.lock().unwrap().execute_batch("DROP TRIGGER full").unwrap();
            }
            response("200 OK", "", document.as_bytes())
        }
    });
    world.server.set(&path("alpha"), slow);
    world.live(SignedDuration::from_mins(2)).await;
    assert_eq!(world.alerted(), [NEWS]);
}
