//! What the operator is told of the service itself.

use std::net::SocketAddr;

use jiff::SignedDuration;
use newswatch::daemon::Control;
use serde_json::Value;

use super::proxy::Tls;
use super::server::{Answer, Server};
use super::world::{HOOK, World, path};

const NOTHING: [&str; 0] = [];

fn status(status: &str) -> Answer {
    Answer::status(status, "", "")
}

/// Hours pass, and every feed is polled once by a daemon that knows only what is stored.
async fn after(world: &World, hours: i64) {
    world.advance(SignedDuration::from_hours(hours));
    world.tick().await;
}

/// What the last event says, by the name of a part.
fn last(world: &World, part: &str) -> String {
    let alerts = world.alerts();
    let operator = &alerts.last().unwrap()["data"]["operator"];
    operator[part].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_feed_that_fails_for_a_day_is_told_once_whatever_is_restarted_and_once_when_it_is_back() {
    let mut world = World::with_operator().await;
    world.add_feed("alpha", "");
    world.tick().await;
    world.server.set(&path("alpha"), status("503 Service Unavailable"));
    after(&world, 1).await;
    after(&world, 20).await;
    assert_eq!(world.told(), NOTHING);
    after(&world, 4).await;
    after(&world, 24).await;
    assert_eq!(world.told(), ["feed.broken"]);
    let record = &world.alerts()[0];
    assert_eq!(record["subject"], "feed/alpha");
    assert_eq!(record["data"]["rule"], Value::Null);
    assert_eq!(last(&world, "since"), "2023-09-18T10:00:00Z");
    assert!(last(&world, "why").contains("503"));
    let row = world.feed("alpha");
    assert_eq!((row.health.as_str(), row.failure.as_deref()), ("broken", Some("server")));
    assert_eq!(row.advice.unwrap(), last(&world, "advice"), "lists and alerts say the same");
    world.show("alpha", &["All is well"]);
    after(&world, 1).await;
    after(&world, 1).await;
    assert_eq!(world.told(), ["feed.broken", "feed.recovered"]);
    assert_eq!(last(&world, "why"), "it failed for 2 d 1 h");
    assert_eq!(world.stored_events(), 2);
    assert_eq!((world.stored_alerts(), world.hits().len()), (0, 0), "rules are not disturbed");
}

/// A feed `alpha` behind TLS on loopback, with further lines.
fn behind_tls(world: &mut World, tls: &Tls, lines: &str) {
    let url = format!("https://127.0.0.1:{}{}", tls.address.port(), path("alpha"));
    world.add_feed_elsewhere("alpha", &format!("url = \"{url}\"\nallow_private = true\n{lines}"));
}

#[tokio::test]
async fn a_certificate_that_nobody_vouches_for_is_told_at_once_and_once() {
    let mut world = World::with_operator().await;
    world.publish("alpha", "Rain in Oslo");
    let tls = Tls::start("127.0.0.1", world.server.address()).await;
    let ca = world.write("ca.pem", &tls.ca);
    behind_tls(&mut world, &tls, "");
    after(&world, 0).await;
    assert_eq!(world.told(), ["feed.certificate"]);
    assert!(last(&world, "why").contains("UnknownIssuer"), "{}", last(&world, "why"));
    assert!(last(&world, "advice").contains("ca_file"), "{}", last(&world, "advice"));
    let row = world.feed("alpha");
    assert_eq!((row.health.as_str(), row.failure.as_deref()), ("broken", Some("certificate")));
    assert!(world.server.requests(&path("alpha")).is_empty(), "nothing was asked");
    after(&world, 1).await;
    after(&world, 48).await;
    assert_eq!(world.told(), ["feed.certificate"], "also not as broken, a day later");
    behind_tls(&mut world, &tls, &format!("ca_file = \"{ca}\""));
    after(&world, 1).await;
    assert_eq!(world.told(), ["feed.certificate", "feed.recovered"]);
}

#[tokio::test]
async fn a_certificate_that_is_out_of_date_is_told_though_its_authority_is_believed() {
    let mut world = World::with_operator().await;
    world.publish("alpha", "Rain in Oslo");
    let tls = Tls::start_expired("127.0.0.1", world.server.address()).await;
    let ca = world.write("ca.pem", &tls.ca);
    behind_tls(&mut world, &tls, &format!("ca_file = \"{ca}\""));
    after(&world, 0).await;
    after(&world, 1).await;
    assert_eq!(world.told(), ["feed.certificate"]);
    assert!(last(&world, "why").contains("certificate expired"), "{}", last(&world, "why"));
    assert_eq!(world.feed("alpha").failure.as_deref(), Some("certificate"));
}

#[tokio::test]
async fn a_server_that_keeps_us_out_is_told_the_second_time() {
    let mut world = World::with_operator().await;
    world.add_feed("alpha", "");
    world.server.set(&path("alpha"), status("403 Forbidden"));
    after(&world, 0).await;
    assert_eq!(world.told(), NOTHING);
    after(&world, 4).await;
    after(&world, 8).await;
    assert_eq!(world.told(), ["feed.blocked"]);
    assert!(last(&world, "advice").contains("user_agent_contact"));
}

#[tokio::test]
async fn a_feed_that_will_not_come_back_is_told_when_that_is_sure() {
    let mut world = World::with_operator().await;
    world.add_feed("alpha", "");
    world.server.set(&path("alpha"), status("410 Gone"));
    after(&world, 0).await;
    after(&world, 1).await;
    assert_eq!(world.told(), NOTHING);
    after(&world, 24).await;
    after(&world, 24 * 7).await;
    assert_eq!(world.told(), ["feed.gone"]);
}

#[tokio::test]
async fn a_feed_that_falls_silent_is_told_and_so_is_its_next_item() {
    let mut world = World::with_operator().await;
    for hour in 0..8 {
        world.publish("alpha", &format!("News of hour {hour}"));
        after(&world, 1).await;
    }
    after(&world, 23).await;
    assert_eq!(world.told(), NOTHING);
    after(&world, 2).await;
    after(&world, 24).await;
    assert_eq!(world.told(), ["feed.quiet"]);
    assert_eq!(last(&world, "why"), "no new item for 1 d 1 h; it never takes more than 1 d");
    assert_eq!(world.feed("alpha").health.as_str(), "quiet");
    world.publish("alpha", "News at last");
    after(&world, 1).await;
    assert_eq!(world.feed("alpha").health.as_str(), "ok");
    assert_eq!(world.told(), ["feed.quiet", "feed.recovered"]);
}

#[tokio::test]
async fn expected_every_says_when_silence_is_told() {
    let mut world = World::with_operator().await;
    world.add_feed("alpha", "expected_every = \"2h\"");
    world.show("alpha", &["News"]);
    world.tick().await;
    after(&world, 2).await;
    assert_eq!(world.told(), NOTHING);
    after(&world, 1).await;
    assert_eq!(world.told(), ["feed.quiet"]);
}

#[tokio::test]
async fn a_poll_that_shows_nothing_known_is_told_as_a_gap() {
    let mut world = World::with_operator().await;
    world.add_feed("alpha", "");
    world.show("alpha", &["Oil", "Gas", "Coal", "Wind", "Sun"]);
    world.tick().await;
    world.show("alpha", &["Rome", "Oslo", "Bern", "Wien", "Bonn"]);
    after(&world, 1).await;
    assert_eq!(world.told(), ["feed.gap"]);
    assert_eq!(last(&world, "why"), "all 5 items were new at one poll");
}

#[tokio::test]
async fn a_feed_that_has_moved_for_good_is_told_with_its_new_address() {
    let mut world = World::with_operator().await;
    world.publish("alpha", "News");
    world.publish("new", "News");
    world.tick().await;
    let new = world.server.url(&path("new"));
    let to = format!("location: {new}\r\n");
    world.server.set(&path("alpha"), Answer::status("301 Moved Permanently", &to, ""));
    for _ in 0..4 {
        after(&world, 20).await;
    }
    assert!(world.told().contains(&"feed.moved".to_owned()), "{:?}", world.told());
    let moved = world.alerts().into_iter().find(|alert| alert["type"] == "newswatch.feed.moved");
    let advice = moved.unwrap()["data"]["operator"]["advice"].to_string();
    assert!(advice.contains(&new), "{advice}");
}

#[tokio::test]
async fn a_muted_type_is_stored_for_nobody() {
    let mut world = World::with_operator().await;
    world.edit_main("[operator]\n", "[operator]\nmute = [\"feed.blocked\"]\n");
    world.add_feed("alpha", "");
    world.server.set(&path("alpha"), status("403 Forbidden"));
    after(&world, 0).await;
    after(&world, 4).await;
    assert_eq!(world.stored_events(), 0);
    world.show("alpha", &["News"]);
    after(&world, 1).await;
    assert_eq!(world.told(), NOTHING, "the end is told where the beginning was");
}

#[tokio::test]
async fn many_feeds_that_break_at_once_are_one_message_after_the_first_few() {
    let mut world = World::with_operator().await;
    for feed in 0..40 {
        world.add_feed(&format!("feed-{feed:02}"), "");
        world.server.set(&path(&format!("feed-{feed:02}")), status("502 Bad Gateway"));
    }
    after(&world, 0).await;
    after(&world, 25).await;
    assert_eq!(world.told(), ["feed.broken"; 5]);
    assert_eq!(world.stored_events(), 40, "what waits is stored");
    after(&world, 1).await;
    assert_eq!(world.told(), ["feed.broken"; 6]);
    let title = last(&world, "title");
    assert!(title.starts_with("35 feeds are broken: feed-"), "{title}");
    assert!(title.ends_with(" and 25 more"), "{title}");
    assert!(last(&world, "why").contains("502"));
    after(&world, 24).await;
    assert_eq!(world.told().len(), 6, "it is told once");
}

#[tokio::test]
async fn a_receiver_that_gives_alerts_up_is_told_of_by_the_others_once_until_it_takes_one() {
    let mut world = World::with_operator().await;
    world.edit_main(
        "[[receiver]]\nname = \"hook\"",
        "[[receiver]]\nname = \"other\"\ntype = \"jsonl\"\npath = \"alerts.jsonl\"\n\
         [[receiver]]\nname = \"hook\"",
    );
    let log = world.database().with_file_name("alerts.jsonl");
    let dead = || {
        let text = std::fs::read_to_string(&log).unwrap();
        let records = text.lines().map(|line| serde_json::from_str(line).unwrap());
        records.filter(|record: &Value| record["type"] == "newswatch.delivery.dead").count()
    };
    world.server.set(HOOK, status("400 Bad Request"));
    world.publish("alpha", "Wang Yi meets Lavrov in Moscow");
    world.publish("alpha", "Wang Yi meets Lavrov in Minsk");
    after(&world, 1).await;
    after(&world, 1).await;
    assert_eq!(dead(), 1);
    let about = world.deliveries().into_iter().filter(|delivery| delivery.receiver == "hook");
    assert_eq!(about.count(), 2, "the hook is not told of itself");
    world.server.set(HOOK, status("200 OK"));
    world.publish("alpha", "Wang Yi rings Lavrov");
    after(&world, 1).await;
    world.server.set(HOOK, status("400 Bad Request"));
    world.publish("alpha", "Wang Yi writes to Lavrov");
    after(&world, 1).await;
    after(&world, 1).await;
    assert_eq!(dead(), 2);
}

#[tokio::test]
async fn a_refused_reload_is_told_once_for_the_same_mistake() {
    let mut world = World::with_operator().await;
    world.add_feed("alpha", "");
    let daemon = world.start();
    world.server.asked(&path("alpha"), 1).await;
    world.set_rules("[[rule]]\nid = \"talks\"\ntitle = \"Talks\"\nquery = '\"Wang Yi'\n");
    daemon.tell(Control::Reload).await;
    daemon.tell(Control::Reload).await;
    world.server.asked(HOOK, 1).await;
    daemon.stop().await;
    assert_eq!(world.told(), ["config.refused"]);
    assert!(last(&world, "why").contains("rules/test.toml:4:10"));
}

#[tokio::test]
async fn a_reload_that_the_system_refuses_is_not_sent_to_check_which_would_find_nothing() {
    let mut world = World::with_operator().await;
    world.add_feed("alpha", "");
    let daemon = world.start();
    world.server.asked(&path("alpha"), 1).await;
    let taken = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let listen = format!("[metrics]\nlisten = \"{}\"\n[poll]\n", taken.local_addr().unwrap());
    world.edit_main("[poll]\n", &listen);
    daemon.tell(Control::Reload).await;
    world.server.asked(HOOK, 1).await;
    daemon.stop().await;
    assert_eq!(world.told(), ["config.refused"]);
    assert!(last(&world, "why").contains("failed to listen at 127.0.0.1"));
    assert!(last(&world, "advice").contains("`newswatch check` finds nothing"));
}

#[tokio::test]
async fn heartbeats_come_as_often_as_they_are_wanted_and_no_oftener_after_a_restart() {
    let mut world = World::with_operator().await;
    world.edit_main("[operator]\n", "[operator]\nheartbeat = \"24h\"\n");
    world.publish("alpha", "News");
    world.tick().await;
    after(&world, 23).await;
    assert_eq!(world.told(), ["heartbeat"]);
    assert_eq!(last(&world, "title"), "alive: 1 feed, 0 in trouble, 1 rule");
    after(&world, 1).await;
    assert_eq!(world.told(), ["heartbeat"; 2]);
    let daemon = world.start();
    world.advance(SignedDuration::from_hours(24));
    world.server.asked(HOOK, 3).await;
    daemon.stop().await;
    assert_eq!(world.told(), ["heartbeat"; 3]);
}

/// An address where nobody listens.
async fn nobody() -> SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    listener.local_addr().unwrap()
}

#[tokio::test]
async fn an_outage_of_our_own_network_is_told_when_it_begins_and_when_it_ends_over_a_restart() {
    let mut world = World::with_operator().await;
    let (one, two) = (nobody().await, nobody().await);
    for (name, address) in [("one", one), ("two", two)] {
        let lines = format!("url = \"http://{address}/feed.xml\"\nallow_private = true");
        world.add_feed_elsewhere(name, &lines);
    }
    let daemon = world.start();
    world.server.asked(HOOK, 1).await;
    daemon.stop().await;
    assert_eq!(world.told(), ["network.offline"]);
    assert_eq!(world.feed("one").health.as_str(), "offline");
    world.advance(SignedDuration::from_hours(3));
    let daemon = world.start();
    let server = Server::start_on(&one.to_string()).await;
    server.set("/feed.xml", Answer::Feed { document: world.document(&["News"]), version: 1 });
    // Whichever the daemon asked before the server was there is asked again in time.
    world.advance(SignedDuration::from_mins(10));
    world.server.asked(HOOK, 2).await;
    daemon.stop().await;
    assert_eq!(world.told(), ["network.offline", "network.online"]);
    assert!(last(&world, "why").starts_with("nothing was in reach for 3 h"));
}
