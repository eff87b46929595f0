//! Receivers on the machine and on the telephone: ntfy, a program, a feed of alerts.

use jiff::SignedDuration;
use newswatch::feed;
use serde_json::Value;

use super::server::Answer;
use super::world::{HOOK, World, path as path_of};

const NEWS: &str = "Wang Yi meets Lavrov in Moscow";

/// A world with one more receiver, before the webhook.
async fn world(lines: &str) -> World {
    let world = World::new().await;
    let table = format!("[[receiver]]\nname = \"other\"\n{lines}\n[[receiver]]\nname = \"hook\"");
    world.edit_main("[[receiver]]\nname = \"hook\"", &table);
    world
}

/// What became of the delivery to that receiver.
fn state(world: &World) -> String {
    let deliveries = world.deliveries();
    let other = deliveries.iter().find(|delivery| delivery.receiver == "other").unwrap();
    format!("{} {}", other.state, other.last_error.as_deref().unwrap_or_default())
}

#[tokio::test]
async fn a_topic_of_ntfy_gets_a_message_as_json() {
    let mut world = world("type = \"ntfy\"\ntopic = \"desk\"\nallow_private = true").await;
    world.server.set("/", Answer::status("200 OK", "", ""));
    let url = world.server.url("/");
    world.edit_main("topic = \"desk\"", &format!("topic = \"desk\"\nurl = \"{url}\""));
    world.publish("alpha", NEWS);
    world.tick().await;
    let body: Value = serde_json::from_str(&world.server.requests("/")[0].body).unwrap();
    assert_eq!((body["topic"].as_str(), body["priority"].as_u64()), (Some("desk"), Some(4)));
    assert!(body["message"].as_str().unwrap().starts_with(NEWS), "{body}");
    assert_eq!(state(&world), "sent ");
}

#[tokio::test]
async fn a_program_gets_the_record_and_says_why_it_does_not_take_it() {
    let mut world =
        world("type = \"command\"\ncommand = [\"/bin/sh\", \"-c\", \"echo full >&2; exit 65\"]")
            .await;
    world.publish("alpha", NEWS);
    world.tick().await;
    assert_eq!(state(&world), "dead exit status: 65: full");
}

#[tokio::test]
async fn a_feed_of_alerts_is_there_for_readers() {
    let mut world = world("type = \"atom\"\npath = \"alerts.atom\"").await;
    world.publish("alpha", NEWS);
    world.tick().await;
    let bytes = std::fs::read(world.database().with_file_name("alerts.atom")).unwrap();
    let document = feed::Document {
        bytes: &bytes,
        charset: None,
        encoding: None,
        base: None,
        utc_offset: None,
        now: world.clock.now(),
    };
    let parsed = feed::parse(&document).unwrap();
    assert_eq!(parsed.items[0].title, format!("[high] Talks: {NEWS}"));
    assert_eq!(parsed.items[0].id, Some(format!("urn:uuid:{}", world.deliveries()[0].alert)));
}

#[tokio::test]
async fn an_alert_log_that_was_deleted_under_the_daemon_has_every_later_alert() {
    let mut world = world("type = \"jsonl\"\npath = \"alerts.jsonl\"").await;
    let path = world.database().with_file_name("alerts.jsonl");
    world.add_feed("alpha", "");
    let daemon = world.start();
    world.server.asked(&path_of("alpha"), 1).await;
    std::fs::remove_file(&path).unwrap();
    world.publish("alpha", NEWS);
    world.advance(SignedDuration::from_hours(1));
    world.server.asked(HOOK, 1).await;
    daemon.stop().await;
    let log = std::fs::read_to_string(&path).unwrap();
    assert!(log.contains(NEWS), "{log}");
}

#[tokio::test]
async fn a_receiver_that_lacks_what_it_needs_is_refused() {
    for (lines, part) in [
        ("type = \"ntfy\"", "[[receiver]] has no topic"),
        ("type = \"ntfy\"\ntopic = \"a b\"", "\"a b\" is no topic of ntfy"),
        ("type = \"command\"", "this receiver has no command"),
        ("type = \"command\"\ncommand = \"page\"", "command is text"),
        ("type = \"atom\"", "[[receiver]] has no path"),
        ("type = \"atom\"\npath = \"a\"\nmax_per_minute = 1", "no key \"max_per_minute\""),
        ("type = \"ntfi\"", "did you mean \"ntfy\"?"),
    ] {
        let problems = world(lines).await.problems();
        assert!(problems.contains(part), "no {part:?} in {problems}");
    }
}
