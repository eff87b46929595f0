//! The daemon as a whole: reloads, stops, neighbours.

use std::sync::Arc;

use newswatch::daemon::Control;
use newswatch::item::FeedName;
use newswatch::pipeline::Batch;
use newswatch::schedule::FeedState;
use newswatch::store::{FeedRetried, Store, StoreError, retry_feeds};

use super::server::{Answer, Server};
use super::world::{HOOK, World, path};
use jiff::SignedDuration;

const NEWS: &str = "Wang Yi meets Lavrov in Moscow";

/// Has every feed polled again, now.
fn next_round(world: &World) {
    world.advance(SignedDuration::from_hours(1));
}

/// The digest of the files of the configuration in force, as the daemon wrote it down.
fn files_of(world: &World) -> String {
    let fact = world.reader().fact("config").unwrap().unwrap();
    let value: serde_json::Value = serde_json::from_str(&fact.value).unwrap();
    value["files"]["digest"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_bad_reload_changes_nothing_and_says_where_the_mistake_is() {
    let mut world = World::new().await;
    world.add_feed("alpha", "");
    let daemon = world.start();
    world.server.asked(&path("alpha"), 1).await;
    let good = world.config().files.digest;
    world.set_rules("[[rule]]\nid = \"talks\"\ntitle = \"Talks\"\nquery = '\"Wang Yi'\n");
    daemon.tell(Control::Reload).await;
    world.publish("alpha", NEWS);
    next_round(&world);
    world.server.asked(HOOK, 1).await;
    assert_eq!(world.alerted(), [NEWS], "the old rule still works");
    let fact = world.reader().fact("config").unwrap().unwrap();
    assert!(fact.value.contains("reload-refused"), "{}", fact.value);
    assert!(fact.value.contains("rules/test.toml:4:10"), "{}", fact.value);
    assert_eq!(files_of(&world), good, "the files that were refused are not those in force");
    daemon.stop().await;
}

#[tokio::test]
async fn what_an_address_said_that_a_reload_has_replaced_is_not_taken_in() {
    let mut world = World::new().await;
    world.publish("alpha", NEWS);
    world.tick().await;
    let alpha = FeedName::new("alpha");
    let state = world.reader().feed_states().unwrap().remove(&alpha).unwrap();
    let state = FeedState { failures: 7, ..state };
    let before = "https://before.example/".parse().unwrap();
    let late = Batch::of_state(alpha, before, state, None, world.clock.now());
    let store = Store::open(&world.database()).unwrap();
    let refused = store.commit(late, &Arc::new(world.config())).await.unwrap_err();
    assert!(matches!(refused, StoreError::Superseded { .. }), "{refused}");
    assert_eq!(world.feed("alpha").failures, 0);
}

#[tokio::test]
async fn a_good_reload_takes_effect_and_loses_no_poll() {
    let mut world = World::new().await;
    world.add_feed("alpha", "");
    let daemon = world.start();
    world.server.asked(&path("alpha"), 1).await;
    world.set_rules("[[rule]]\nid = \"oil\"\ntitle = \"Oil\"\nquery = 'oil'\nstory = \"off\"\n");
    world.add_feed("beta", "");
    world.publish("beta", "Oil from the north");
    let before = files_of(&world);
    daemon.tell(Control::Reload).await;
    world.server.asked(&path("beta"), 1).await;
    assert_ne!(before, world.config().files.digest);
    while files_of(&world) == before {
        tokio::task::yield_now().await;
    }
    assert_eq!(files_of(&world), world.config().files.digest);
    world.publish("alpha", "Oil from the south");
    world.publish("alpha", NEWS);
    next_round(&world);
    world.server.asked(HOOK, 2).await;
    daemon.stop().await;
    let mut alerted = world.alerted();
    alerted.sort();
    assert_eq!(alerted, ["Oil from the north", "Oil from the south"]);
}

#[tokio::test]
async fn a_feed_that_hangs_holds_up_neither_the_others_nor_the_stop() {
    let mut world = World::new().await;
    world.edit_main("[poll]", "[poll]\nconcurrency = 2");
    // Another host, as one host is asked one thing at a time.
    let elsewhere = Server::start_on("127.0.0.2:0").await;
    elsewhere.set("/hangs.xml", Answer::Hang);
    let url = elsewhere.url("/hangs.xml");
    world.add_feed_elsewhere("hangs", &format!("url = \"{url}\"\nallow_private = true"));
    world.publish("works", NEWS);
    let daemon = world.start();
    elsewhere.asked("/hangs.xml", 1).await;
    world.server.asked(HOOK, 1).await;
    daemon.stop().await;
    assert_eq!(world.alerted(), [NEWS]);
}

#[tokio::test]
async fn feeds_that_hang_take_no_place_from_one_that_works_even_when_there_is_one_place() {
    let mut world = World::new().await;
    world.edit_main("[poll]", "[poll]\nconcurrency = 1");
    let elsewhere = Server::start_on("127.0.0.2:0").await;
    elsewhere.set("/hangs.xml", Answer::Hang);
    let url = elsewhere.url("/hangs.xml");
    world.add_feed_elsewhere("a-hangs", &format!("url = \"{url}\"\nallow_private = true"));
    world.publish("works", NEWS);
    let daemon = world.start();
    elsewhere.asked("/hangs.xml", 1).await;
    world.server.asked(HOOK, 1).await;
    assert_eq!(elsewhere.requests("/hangs.xml").len(), 1, "it still hangs");
    daemon.stop().await;
    assert_eq!(world.alerted(), [NEWS]);
}

#[tokio::test]
async fn a_second_daemon_on_the_same_database_is_refused() {
    let mut world = World::new().await;
    world.publish("alpha", NEWS);
    let first = world.start();
    world.server.asked(HOOK, 1).await;
    let error = world.start().ended().await.unwrap_err();
    assert!(format!("{error:#}").contains("another newswatch is running"), "{error:#}");
    first.stop().await;
    world.start().stop().await;
}

#[tokio::test]
async fn a_restart_polls_no_feed_before_its_time() {
    let mut world = World::new().await;
    world.publish("alpha", NEWS);
    world.tick().await;
    let daemon = world.start();
    world.publish("beta", "Lavrov rings Wang Yi");
    daemon.tell(Control::Reload).await;
    world.server.asked(&path("beta"), 1).await;
    daemon.stop().await;
    assert_eq!(world.server.requests(&path("alpha")).len(), 1);
}

#[tokio::test]
async fn rounds_are_counted_from_the_first_after_the_daemon() {
    let mut world = World::new().await;
    world.add_feed("alpha", "");
    let since = || {
        let fact = world.reader().fact("config").unwrap().unwrap();
        let value: serde_json::Value = serde_json::from_str(&fact.value).unwrap();
        value["rounds_since"].as_str().map(|since| since.parse::<jiff::Timestamp>().unwrap())
    };
    let start = world.clock.now();
    world.tick().await;
    world.advance(SignedDuration::from_hours(1));
    world.tick().await;
    assert_eq!(since(), Some(start));
    world.live(SignedDuration::ZERO).await;
    assert_eq!(since(), None);
    world.tick().await;
    assert_eq!(since(), Some(world.clock.now()));
}

#[tokio::test]
async fn a_shorter_interval_counts_from_the_last_poll_on_after_a_reload() {
    let mut world = World::new().await;
    world.add_feed("alpha", "");
    let daemon = world.start();
    world.server.asked(&path("alpha"), 1).await;
    while world.feed("alpha").last_ok.is_none() {
        tokio::task::yield_now().await;
    }
    world.edit_main("interval = \"10m\"", "interval = \"2m\"");
    world.publish("beta", "Lavrov rings Wang Yi");
    world.publish("alpha", NEWS);
    daemon.tell(Control::Reload).await;
    world.server.asked(&path("beta"), 1).await;
    assert_eq!(world.due_in("alpha"), 120);
    world.advance(SignedDuration::from_mins(2));
    world.server.asked(HOOK, 2).await;
    daemon.stop().await;
    assert_eq!(world.server.requests(&path("alpha")).len(), 2);
}

#[tokio::test]
async fn a_shorter_interval_counts_from_the_last_poll_on_after_a_start() {
    let mut world = World::new().await;
    world.add_feed("alpha", "");
    world.add_feed("fresh", "");
    let fresh = "cache-control: max-age=300\r\netag: \"1\"\r\n";
    world.server.set(&path("fresh"), Answer::status("200 OK", fresh, &world.document(&[])));
    world.tick().await;
    world.edit_main("interval = \"10m\"", "interval = \"2m\"");
    world.live(SignedDuration::from_mins(2)).await;
    let asked = ["alpha", "fresh"].map(|feed| world.server.requests(&path(feed)).len());
    assert_eq!(asked, [2, 1], "nobody is asked while the answer stays fresh");
    world.live(SignedDuration::from_mins(3)).await;
    assert_eq!(world.server.requests(&path("fresh")).len(), 2);
}

#[tokio::test]
async fn a_feed_that_fails_is_tried_by_the_running_daemon_when_somebody_asks_for_it() {
    let mut world = World::new().await;
    world.add_feed("alpha", "");
    let alpha = path("alpha");
    world.server.set(&alpha, Answer::status("404 Not Found", "", ""));
    let daemon = world.start();
    world.server.asked(&alpha, 1).await;
    while world.feed("alpha").failures == 0 {
        tokio::task::yield_now().await;
    }
    world.advance(SignedDuration::from_secs(90));
    let names = ["alpha".to_owned()];
    let retried = retry_feeds(&world.database(), &names, world.clock.now()).unwrap();
    assert_eq!(retried[0].1, FeedRetried::Due(world.clock.now()));
    world.publish("alpha", NEWS);
    world.advance(SignedDuration::from_mins(1));
    world.server.asked(HOOK, 1).await;
    daemon.stop().await;
    assert_eq!(
        world.server.requests(&alpha).len(),
        2,
        "it would have been asked after half an hour"
    );
}

#[tokio::test]
async fn a_feed_that_fails_is_tried_at_the_next_start_when_somebody_asked_for_it() {
    let mut world = World::new().await;
    world.add_feed("alpha", "");
    world.server.set(&path("alpha"), Answer::status("404 Not Found", "", ""));
    world.tick().await;
    world.advance(SignedDuration::from_secs(10));
    let names = ["alpha".to_owned()];
    retry_feeds(&world.database(), &names, world.clock.now()).unwrap();
    assert_eq!(world.due_in("alpha"), 50, "not within a minute of the last request");
    world.publish("alpha", NEWS);
    world.live(SignedDuration::from_secs(50)).await;
    assert_eq!(world.alerted(), [NEWS]);
}

#[tokio::test]
async fn a_clock_that_is_set_back_under_the_daemon_keeps_no_feed_waiting() {
    let mut world = World::new().await;
    world.add_feed("alpha", "");
    let daemon = world.start();
    world.server.asked(&path("alpha"), 1).await;
    world.advance(SignedDuration::from_hours(-24));
    world.publish("beta", "Lavrov rings Wang Yi");
    daemon.tell(Control::Reload).await;
    // It is polled only after the daemon has looked at the clock.
    world.server.asked(&path("beta"), 1).await;
    world.publish("alpha", NEWS);
    next_round(&world);
    world.server.asked(HOOK, 2).await;
    daemon.stop().await;
}

#[tokio::test]
async fn a_clock_that_was_set_back_before_a_start_keeps_no_feed_waiting() {
    let mut world = World::new().await;
    world.publish("alpha", "Nothing new");
    let daemon = world.start();
    world.server.asked(&path("alpha"), 1).await;
    daemon.stop().await;
    world.advance(SignedDuration::from_hours(-24));
    world.publish("alpha", NEWS);
    world.publish("beta", "Lavrov rings Wang Yi");
    let daemon = world.start();
    world.server.asked(&path("beta"), 1).await;
    next_round(&world);
    world.server.asked(HOOK, 2).await;
    daemon.stop().await;
    assert!(world.alerted().contains(&NEWS.to_owned()), "{:?}", world.alerted());
}
