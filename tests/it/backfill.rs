//! Rules that are added: what they hit of the items that are stored already.

use std::sync::Arc;

use jiff::SignedDuration;
use newswatch::daemon::Control;
use tokio::sync::Notify;

use super::server::{Answer, response};
use super::world::{World, path};

const TALKS: &str =
    "[[rule]]\nid = \"talks\"\ntitle = \"Talks\"\nquery = 'Lavrov'\nstory = \"off\"\n";
const RAIN: &str = "[[rule]]\nid = \"rain\"\ntitle = \"Rain\"\nquery = 'rain'\nstory = \"off\"\n";

/// The stored hits: rule, title and reason, by title.
fn hits(world: &World) -> Vec<(String, String, String)> {
    let mut hits: Vec<_> =
        world.hits().into_iter().map(|hit| (hit.rule, hit.title, hit.reason)).collect();
    hits.sort();
    hits
}

fn hit(rule: &str, title: &str, reason: &str) -> (String, String, String) {
    (rule.to_owned(), title.to_owned(), reason.to_owned())
}

/// Waits until the database holds what is wanted.
async fn until(world: &World, there: impl Fn(&World) -> bool) {
    while !there(world) {
        tokio::task::yield_now().await;
    }
}

fn has_said(world: &World, event: &str) -> bool {
    world.reader().fact("config").unwrap().is_some_and(|fact| fact.value.contains(event))
}

/// A world in which an item was stored before the rule `rain` was there.
async fn world() -> World {
    let mut world = World::new().await;
    world.set_rules(TALKS);
    world.add_feed("alpha", "");
    world.show("alpha", &["Lavrov in Oslo", "Rain in Oslo"]);
    world.tick().await;
    assert_eq!(hits(&world), [hit("talks", "Lavrov in Oslo", "first-hit")]);
    world
}

#[tokio::test]
async fn a_rule_that_is_added_hits_what_is_stored_and_nobody_is_told() {
    let mut world = world().await;
    world.set_rules(&format!("{TALKS}{RAIN}"));
    world.tick().await;
    assert_eq!(
        hits(&world),
        [hit("rain", "Rain in Oslo", "backfill"), hit("talks", "Lavrov in Oslo", "first-hit")]
    );
    assert_eq!((world.stored_alerts(), world.alerted()), (1, vec!["Lavrov in Oslo".to_owned()]));
    // What comes from now on is news.
    world.publish("alpha", "Rain in Bergen");
    world.tick().await;
    assert_eq!(hits(&world)[0], hit("rain", "Rain in Bergen", "first-hit"));
    assert_eq!(world.alerted(), ["Lavrov in Oslo", "Rain in Bergen"]);
}

#[tokio::test]
async fn what_was_matched_once_is_not_matched_again_after_a_restart_or_a_change_of_the_rule() {
    let world = world().await;
    world.set_rules(&format!("{TALKS}{RAIN}"));
    world.tick().await;
    let database = rusqlite::Connection::open(world.database()).unwrap();
    database.execute("DELETE FROM hits WHERE rule = 'rain'", []).unwrap();
    world.tick().await;
    world.set_rules(&format!("{TALKS}{}", RAIN.replace("'rain'", "'rain OR Oslo'")));
    world.tick().await;
    assert_eq!(hits(&world), [hit("talks", "Lavrov in Oslo", "first-hit")]);
}

#[tokio::test]
async fn a_rule_that_was_away_hits_what_came_in_the_meantime() {
    let mut world = world().await;
    world.set_rules(RAIN);
    world.publish("alpha", "Lavrov in Bergen");
    world.tick().await;
    world.set_rules(TALKS);
    world.tick().await;
    assert_eq!(
        hits(&world),
        [
            hit("rain", "Rain in Oslo", "backfill"),
            hit("talks", "Lavrov in Bergen", "backfill"),
            hit("talks", "Lavrov in Oslo", "first-hit")
        ]
    );
    assert_eq!(world.stored_alerts(), 1);
}

#[tokio::test]
async fn a_first_start_finds_no_rule_new() {
    let mut world = World::new().await;
    world.edit_main("first_run = \"alert\"", "first_run = \"record\"");
    world.set_rules(RAIN);
    world.publish("alpha", "Rain in Oslo");
    world.tick().await;
    world.tick().await;
    assert_eq!(hits(&world), [hit("rain", "Rain in Oslo", "baseline")]);
}

#[tokio::test]
async fn all_that_is_stored_is_matched_however_much_it_is_and_in_whatever_steps() {
    const ITEMS: usize = 1_700;
    let mut world = World::new().await;
    world.set_rules(TALKS);
    let titles: Vec<String> = (0..ITEMS).map(|item| format!("{item}|Rain {item}")).collect();
    world.add_feed("alpha", "");
    world.show("alpha", &titles.iter().map(String::as_str).collect::<Vec<_>>());
    world.tick().await;
    world.set_rules(&format!("{TALKS}{RAIN}"));
    // It stops while it is at it, and the rest is done later.
    world.live(SignedDuration::ZERO).await;
    world.tick().await;
    assert_eq!(world.hits().len(), ITEMS);
    assert!(hits(&world).iter().all(|(rule, _, reason)| rule == "rain" && reason == "backfill"));
}

#[tokio::test]
async fn a_reload_that_adds_a_rule_misses_nothing_of_a_poll_that_is_under_way() {
    let mut world = world().await;
    world.add_feed("beta", "");
    let (gate, document) = (Arc::new(Notify::new()), world.document(&["Rain in Bergen"]));
    let answer = response("200 OK", "content-type: text/xml\r\n", document.as_bytes());
    let waiting = gate.clone();
    let slow = move || {
        let (gate, answer) = (waiting.clone(), answer.clone());
        async move {
            gate.notified().await;
            answer
        }
    };
    world.server.set(&path("beta"), Answer::slowly(slow));
    let daemon = world.start();
    world.server.asked(&path("beta"), 1).await;
    world.set_rules(&format!("{TALKS}{RAIN}"));
    daemon.tell(Control::Reload).await;
    until(&world, |world| has_said(world, "reloaded")).await;
    assert_eq!(hits(&world).len(), 1, "it waits for the poll");
    gate.notify_one();
    until(&world, |world| world.hits().len() == 3).await;
    daemon.stop().await;
    assert_eq!(
        hits(&world)[..2],
        [hit("rain", "Rain in Bergen", "backfill"), hit("rain", "Rain in Oslo", "backfill")]
    );
}

#[tokio::test]
async fn ten_thousand_hits_of_a_rule_in_stored_items_are_kept_at_most() {
    let mut world = world().await;
    world.publish("alpha", "Rain in Bergen");
    world.publish("alpha", "Rain in Narvik");
    world.tick().await;
    let database = rusqlite::Connection::open(world.database()).unwrap();
    database
        .execute_batch(
            "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 9999)
             INSERT INTO hits (id, rule, rule_version, severity, feed, item_key, title, revision,
               matched_at, spans, reason)
             SELECT 'hit-' || i, 'rain', 'v', 'high', 'old', CAST(i AS BLOB), 'Rain', 1, 0, '[]',
               'backfill' FROM n",
        )
        .unwrap();
    world.set_rules(&format!("{TALKS}{RAIN}"));
    world.tick().await;
    let found = |sql: &str| database.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap();
    assert_eq!(found("SELECT count(*) FROM hits WHERE rule = 'rain'"), 10_000);
    assert_eq!(found("SELECT count(*) FROM rules WHERE below IS NOT NULL"), 0, "it is done");
}

#[tokio::test]
async fn a_reload_that_fails_makes_no_rule_known() {
    let mut world = world().await;
    let daemon = world.start();
    until(&world, |world| has_said(world, "started")).await;
    let database = rusqlite::Connection::open(world.database()).unwrap();
    let unreadable = "INSERT INTO hosts (host, not_before) VALUES ('far.example', ?1)";
    database.execute(unreadable, [i64::MAX]).unwrap();
    world.set_rules(&format!("{TALKS}{RAIN}"));
    daemon.tell(Control::Reload).await;
    until(&world, |world| has_said(world, "reload-refused")).await;
    // The end of a poll has stored items matched, by the rules as they are.
    world.publish("alpha", "Lavrov in Bergen");
    world.advance(SignedDuration::from_hours(1));
    until(&world, |world| world.hits().len() == 2).await;
    database.execute("DELETE FROM hosts WHERE host = 'far.example'", []).unwrap();
    daemon.tell(Control::Reload).await;
    until(&world, |world| has_said(world, "reloaded")).await;
    daemon.stop().await;
    world.tick().await;
    assert_eq!(hits(&world)[0], hit("rain", "Rain in Oslo", "backfill"));
}
