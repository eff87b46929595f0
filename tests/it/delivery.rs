//! How alerts reach a receiver that does not always take them.

use std::time::Duration;

use jiff::SignedDuration;
use newswatch::store::ReceiverRow;

use super::server::Answer;
use super::world::{HOOK, World, path};

const NEWS: &str = "Wang Yi meets Lavrov in Moscow";

#[tokio::test]
async fn an_alert_that_was_refused_for_now_comes_again_under_the_same_id() {
    let mut world = World::new().await;
    world.publish("alpha", NEWS);
    world.server.once(HOOK, Answer::status("503 Service Unavailable", "", ""));
    world.tick().await;
    assert_eq!((world.deliveries()[0].state.as_str(), world.deliveries()[0].attempts), ("due", 1));
    world.advance(SignedDuration::from_mins(1));
    world.tick().await;
    let ids: Vec<_> = world.alerts().iter().map(|alert| alert["id"].clone()).collect();
    assert_eq!(ids.len(), 2);
    assert_eq!(ids[0], ids[1]);
    assert_eq!(world.deliveries()[0].state, "sent");
}

#[tokio::test]
async fn an_alert_that_waits_to_be_tried_again_comes_in_time_though_the_clock_was_set_back() {
    let mut world = World::new().await;
    world.publish("alpha", NEWS);
    world.server.once(HOOK, Answer::status("503 Service Unavailable", "", ""));
    world.tick().await;
    world.advance(SignedDuration::from_hours(-3));
    world.tick().await;
    world.advance(SignedDuration::from_mins(1));
    world.tick().await;
    assert_eq!(world.deliveries()[0].state, "sent");
}

#[tokio::test]
async fn what_failed_while_a_receiver_was_away_is_tried_at_once_when_it_is_back() {
    let mut world = World::new().await;
    world.publish("alpha", "Wang Yi thanks Lavrov");
    world.tick().await;
    world.publish("alpha", NEWS);
    world.server.set(HOOK, Answer::status("503 Service Unavailable", "", ""));
    for _ in 0..3 {
        world.tick().await;
        world.advance(SignedDuration::from_mins(6));
    }
    let deliveries = world.deliveries();
    let waiting = deliveries.iter().find(|delivery| delivery.state == "due").unwrap();
    assert!(waiting.next_attempt.unwrap() > world.clock.now() + SignedDuration::from_mins(20));
    world.server.set(HOOK, Answer::status("200 OK", "", ""));
    world.publish("beta", "Lavrov rings Wang Yi");
    world.tick().await;
    let states: Vec<_> = world.deliveries().into_iter().map(|row| row.state).collect();
    assert_eq!(states, ["sent", "sent", "sent"]);
}

#[tokio::test]
async fn what_failed_before_a_receiver_ever_took_something_is_tried_at_once_too() {
    let mut world = World::new().await;
    world.server.set(HOOK, Answer::status("503 Service Unavailable", "", ""));
    world.publish("alpha", "Wang Yi thanks Lavrov");
    for _ in 0..3 {
        world.tick().await;
        world.advance(SignedDuration::from_mins(6));
    }
    world.server.set(HOOK, Answer::status("200 OK", "", ""));
    world.publish("beta", "Lavrov rings Wang Yi");
    world.tick().await;
    let states: Vec<_> = world.deliveries().into_iter().map(|row| row.state).collect();
    assert_eq!(states, ["sent", "sent"]);
}

#[tokio::test]
async fn a_receiver_fails_from_its_first_failed_attempt_until_it_takes_something() {
    let mut world = World::new().await;
    let failing = |world: &World| {
        let row = |row: ReceiverRow| (row.name, row.failing_since, row.waiting);
        world
            .reader()
            .receivers(world.clock.now())
            .unwrap()
            .into_iter()
            .map(row)
            .collect::<Vec<_>>()
    };
    world.server.set(HOOK, Answer::status("503 Service Unavailable", "", ""));
    world.publish("alpha", NEWS);
    let began = world.clock.now();
    for _ in 0..2 {
        world.tick().await;
        world.advance(SignedDuration::from_mins(1));
    }
    assert_eq!(failing(&world), [("hook".to_owned(), Some(began), 1)]);
    let why = world.reader().receivers(world.clock.now()).unwrap()[0].why.clone().unwrap();
    assert!(why.contains("503"), "{why}");
    world.server.set(HOOK, Answer::status("400 Bad Request", "", ""));
    world.publish("beta", "Lavrov rings Wang Yi");
    world.tick().await;
    assert_eq!(failing(&world).len(), 1, "what it refuses for good it has not taken");
    world.server.set(HOOK, Answer::status("200 OK", "", ""));
    world.advance(SignedDuration::from_mins(6));
    world.tick().await;
    assert_eq!(failing(&world), []);
}

#[tokio::test]
async fn an_alert_that_will_never_be_taken_is_given_up_and_shown() {
    let mut world = World::new().await;
    world.publish("alpha", NEWS);
    world.server.once(HOOK, Answer::status("400 Bad Request", "", "no such room"));
    world.tick().await;
    world.advance(SignedDuration::from_hours(100));
    world.tick().await;
    let delivery = &world.deliveries()[0];
    assert_eq!((delivery.state.as_str(), delivery.attempts), ("dead", 1));
    let why = delivery.last_error.as_deref().unwrap();
    assert!(why.contains("400") && why.contains("no such room"), "{why}");
}

#[tokio::test]
async fn a_daemon_that_runs_sends_what_is_to_be_retried_within_seconds() {
    let mut world = World::new().await;
    world.publish("alpha", NEWS);
    world.server.once(HOOK, Answer::status("400 Bad Request", "", ""));
    world.tick().await;
    let dead = world.deliveries()[0].id;
    let daemon = world.start();
    world.advance(SignedDuration::from_hours(1));
    world.server.asked(&path("alpha"), 2).await;
    // The poll brought nothing new, so that nobody wakes the deliverer.
    newswatch::store::retry_failed(&world.database(), &[dead], world.clock.now()).unwrap();
    let asked = world.server.asked(HOOK, 2);
    tokio::pin!(asked);
    // The deliverer may have looked just before and counts its five seconds from then.
    let passing = async {
        loop {
            tokio::task::yield_now().await;
            world.advance(SignedDuration::from_secs(1));
        }
    };
    tokio::select! {
        () = &mut asked => {}
        () = passing => {}
    }
    daemon.stop().await;
    assert_eq!(world.deliveries()[0].state, "sent");
}

#[tokio::test]
async fn a_receiver_that_asks_for_patience_gets_it() {
    let mut world = World::new().await;
    world.publish("alpha", NEWS);
    let answer = Answer::status("429 Too Many Requests", "retry-after: 3600\r\n", "");
    world.server.once(HOOK, answer);
    world.tick().await;
    world.advance(SignedDuration::from_mins(50));
    world.tick().await;
    assert_eq!(world.alerts().len(), 1);
    world.advance(SignedDuration::from_mins(11));
    world.tick().await;
    assert_eq!(world.alerts().len(), 2);
}

#[tokio::test]
async fn every_alert_stands_in_the_log_once_with_its_evidence() {
    let mut world = World::new().await;
    let log = world.database().with_file_name("alerts.jsonl");
    world.edit_main(
        "[[receiver]]\nname = \"hook\"",
        "[[receiver]]\nname = \"log\"\ntype = \"jsonl\"\npath = \"alerts.jsonl\"\n\
         [[receiver]]\nname = \"hook\"",
    );
    world.publish("alpha", NEWS);
    world.tick().await;
    world.tick().await;
    let text = std::fs::read_to_string(log).unwrap();
    let records: Vec<serde_json::Value> =
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(records.len(), 1);
    assert_eq!(records[0], world.alerts()[0], "both receivers get the same record");
    let highlights = records[0]["data"]["item"]["highlights"].as_array().unwrap();
    let words: Vec<&str> = highlights.iter().map(|span| span["text"].as_str().unwrap()).collect();
    assert_eq!(words, ["Wang Yi", "Lavrov"]);
}

#[tokio::test]
async fn a_log_that_cannot_be_written_has_all_in_order_soon_after_it_can_be() {
    let mut world = World::new().await;
    let log = world.database().with_file_name("alerts.jsonl");
    world.edit_main(
        "[[receiver]]\nname = \"hook\"",
        "[[receiver]]\nname = \"log\"\ntype = \"jsonl\"\npath = \"alerts.jsonl\"\n\
         [[receiver]]\nname = \"hook\"",
    );
    world.add_feed("alpha", "");
    world.add_feed("beta", "");
    let attempts = |world: &World| {
        let mut log = world.deliveries();
        log.retain(|delivery| delivery.receiver == "log");
        log.iter().rev().map(|delivery| delivery.attempts).collect::<Vec<_>>()
    };
    let daemon = world.start();
    for feed in ["alpha", "beta"] {
        world.server.asked(&path(feed), 1).await;
    }
    std::fs::remove_file(&log).unwrap();
    std::fs::create_dir(&log).unwrap();
    world.publish("alpha", NEWS);
    world.publish("beta", "Lavrov rings Wang Yi");
    world.advance(SignedDuration::from_mins(11));
    world.server.asked(HOOK, 2).await;
    // Each pause is up to a tenth longer.
    for (count, pause) in [(1, 0), (2, 17), (3, 33), (4, 66)] {
        world.advance(SignedDuration::from_secs(pause));
        until(|| attempts(&world)[0] == count).await;
    }
    daemon.stop().await;
    std::fs::remove_dir(&log).unwrap();
    world.tick().await;
    assert_eq!(attempts(&world), [4, 0], "what comes later waits, also after a start");
    world.advance(SignedDuration::from_secs(132));
    world.tick().await;
    assert!(world.deliveries().iter().all(|delivery| delivery.state == "sent"));
    let order = |record: serde_json::Value| record["sequence"].as_str().unwrap().to_owned();
    let text = std::fs::read_to_string(log).unwrap();
    let records = text.lines().map(|line| serde_json::from_str(line).unwrap());
    let order: Vec<String> = records.map(order).collect();
    assert!(order.len() == 2 && order.is_sorted(), "{order:?}");
}

/// Waits until that is so, a minute at most.
async fn until(is_so: impl Fn() -> bool) {
    let waiting = async {
        while !is_so() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), waiting).await.expect("it comes to pass");
}

/// The headline and rule of each alert that the webhook was asked to take.
fn asked(world: &World) -> Vec<(String, String)> {
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    let alerts = world.alerts();
    let alerts = alerts.iter().map(|alert| &alert["data"]);
    alerts.map(|data| (text(&data["item"]["title"]), text(&data["rule"]["id"]))).collect()
}

#[tokio::test]
async fn an_alert_waits_for_the_earlier_ones_of_its_story_and_for_no_others() {
    let mut world = World::new().await;
    world.set_rules(
        "[[rule]]\nid = \"a\"\ntitle = \"A\"\nquery = 'Lavrov'\nstory = \"off\"\n\
         [[rule]]\nid = \"b\"\ntitle = \"B\"\nquery = '\"Wang Yi\"'\nstory = \"off\"\n",
    );
    world.publish("alpha", NEWS);
    for _ in 0..2 {
        world.server.once(HOOK, Answer::status("503 Service Unavailable", "", ""));
        world.tick().await;
        world.advance(SignedDuration::from_secs(20));
    }
    // The first waits for five minutes now; the second has never been tried.
    world.publish("beta", "Lavrov speaks");
    world.tick().await;
    let pair = |title: &str, rule: &str| (title.to_owned(), rule.to_owned());
    let first = pair(NEWS, "a");
    assert_eq!(asked(&world), [first.clone(), first.clone(), pair("Lavrov speaks", "a")]);
    world.advance(SignedDuration::from_mins(6));
    world.tick().await;
    assert_eq!(asked(&world)[3..], [first, pair(NEWS, "b")]);
}

#[tokio::test]
async fn what_gathered_is_sent_no_faster_than_a_receiver_may_be_told() {
    let mut world = World::new().await;
    world.edit_main("max_per_minute = 6000", "max_per_minute = 6");
    for title in ["1", "2", "3"] {
        world.publish("alpha", &format!("{NEWS} {title}"));
    }
    let daemon = world.start();
    for count in 1..=3 {
        world.server.asked(HOOK, count).await;
        world.server.asked(&path("alpha"), 1).await;
        world.advance(SignedDuration::from_secs(10));
    }
    daemon.stop().await;
    let times: Vec<i64> = world
        .server
        .requests(HOOK)
        .iter()
        .map(|request| request.header("webhook-timestamp").unwrap().parse().unwrap())
        .collect();
    assert_eq!([times[1] - times[0], times[2] - times[1]], [10, 10]);
}

#[tokio::test]
async fn what_was_given_up_since_a_time_is_sent_again() {
    let mut world = World::new().await;
    world.server.once(HOOK, Answer::status("400 Bad Request", "", ""));
    world.publish("alpha", NEWS);
    world.tick().await;
    let (database, now) = (world.database(), world.clock.now());
    let since = |hours| now + SignedDuration::from_hours(hours);
    assert_eq!(newswatch::store::retry_failed_since(&database, since(1), now).unwrap(), 0);
    assert_eq!(newswatch::store::retry_failed_since(&database, since(-1), now).unwrap(), 1);
    world.tick().await;
    assert_eq!(world.deliveries()[0].state, "sent");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_that_is_killed_while_it_delivers_tells_everything_under_one_id_and_in_order() {
    let shown = super::kills::trial(6, 5, |_| None).await;
    let received = &shown.received;
    assert_eq!(shown.hits, 18, "{shown:?}");
    assert!(received.taken.len() > shown.hits as usize, "{shown:?}");
    assert_eq!((received.changed, received.overtook, received.missing), (0, 0, 0), "{shown:?}");
    assert_eq!((received.dead, received.dead_told), ((0, 0), 0), "{shown:?}");
    assert!(shown.requests + received.together > received.again, "{shown:?}");
    let stories = &shown.stories;
    let told: usize = stories.alerts.values().sum();
    assert_eq!(told + stories.untold.values().sum::<usize>(), stories.reports, "{shown:?}");
    assert!((1..=stories.stories).contains(&stories.compared), "{shown:?}");
}
