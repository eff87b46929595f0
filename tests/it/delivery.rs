//! How alerts reach a receiver that does not always take them.

use jiff::SignedDuration;

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
    newswatch::store::retry_dead(&world.database(), &[dead], world.clock.now()).unwrap();
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
