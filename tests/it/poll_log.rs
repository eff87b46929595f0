//! The last polls of a feed, and what is shown of them.

use jiff::SignedDuration;
use newswatch::store::PollRow;

use super::server::Answer;
use super::world::{World, path};

fn polls(world: &World) -> Vec<PollRow> {
    world.reader().polls("alpha").unwrap().expect("the feed is known")
}

#[tokio::test]
async fn each_poll_of_a_feed_is_remembered_with_what_came_and_why_it_is_asked_next() {
    let mut world = World::new().await;
    world.show("alpha", &["Rain in Oslo", "Snow in Oslo"]);
    world.add_feed_elsewhere(
        "alpha",
        &format!("url = \"{}\"\nallow_private = true", world.server.url(&path("alpha"))),
    );
    world.edit_main("interval = \"10m\"\n", "");
    let began = world.clock.now();
    world.tick().await;
    world.advance(SignedDuration::from_hours(1));
    world.tick().await;
    world.publish("alpha", "Hail in Oslo");
    world.tick().await;
    let document = world.document(&["Fog in Oslo"]);
    let fresh = "content-type: text/xml\r\ncache-control: max-age=7200\r\n";
    world.server.set(&path("alpha"), Answer::status("200 OK", fresh, &document));
    world.tick().await;
    world.server.set(&path("alpha"), Answer::status("200 OK", "", "<p>no feed</p>"));
    world.tick().await;
    world.server.set(&path("alpha"), Answer::status("500 Oh", "", ""));
    world.tick().await;
    world.server.set(&path("alpha"), Answer::status("429 Oh", "retry-after: 7200\r\n", ""));
    world.tick().await;
    let polls = polls(&world);
    let told: Vec<_> = polls
        .iter()
        .rev()
        .map(|poll| {
            let PollRow { status, result, items, new, reason, .. } = poll;
            (status.unwrap_or(0), *result, *items, *new, *reason)
        })
        .collect();
    assert_eq!(
        told,
        [
            (200, "changed", 2, 2, "new"),
            (304, "not-modified", 0, 0, "new"),
            (200, "changed", 3, 1, "new"),
            (200, "changed", 1, 1, "fresh"),
            (200, "parse", 0, 0, "backoff"),
            (500, "server", 0, 0, "backoff"),
            (429, "throttled", 0, 0, "retry-after"),
        ]
    );
    assert_eq!(polls[6].time, began);
    assert!(polls[6].bytes > 300 && polls[5].bytes == 0, "{polls:?}");
    let due = world.feed("alpha").next_due;
    assert_eq!(Some(polls[0].next_due), due);
    assert!(polls[0].next_due.duration_since(polls[0].time) >= SignedDuration::from_hours(2));
}

#[tokio::test]
async fn only_a_host_that_names_a_time_decides_itself_how_long_it_is_left_alone() {
    let mut world = World::new().await;
    world.publish("alpha", "Rain in Oslo");
    for headers in ["", "retry-after: 60\r\n", "retry-after: 90000\r\n"] {
        world.server.set(&path("alpha"), Answer::status("429 Oh", headers, ""));
        world.tick().await;
        world.advance(SignedDuration::from_hours(5));
    }
    let reasons: Vec<&str> = polls(&world).iter().map(|poll| poll.reason).collect();
    assert_eq!(reasons, ["retry-after", "backoff", "backoff"]);
}

#[tokio::test]
async fn thirty_polls_of_a_feed_are_kept() {
    let mut world = World::new().await;
    world.publish("alpha", "Rain in Oslo");
    world.publish("beta", "Rain in Oslo");
    let began = world.clock.now();
    for _ in 0..33 {
        world.tick().await;
        world.advance(SignedDuration::from_mins(1));
    }
    let polls = polls(&world);
    let minutes: Vec<i64> =
        polls.iter().map(|poll| poll.time.duration_since(began).as_mins()).collect();
    assert_eq!(minutes, (3..33).rev().collect::<Vec<_>>());
    assert_eq!(world.reader().polls("gamma").unwrap(), None);
}

#[tokio::test]
async fn a_poll_that_our_own_network_failed_is_remembered_as_such() {
    let mut world = World::new().await;
    for feed in ["alpha", "beta"] {
        // Nobody listens there.
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let url = format!("url = \"http://127.0.0.1:{port}/\"\nallow_private = true");
        world.add_feed_elsewhere(feed, &url);
    }
    world.live(SignedDuration::from_mins(5)).await;
    let reader = world.reader();
    let reasons: Vec<&str> = ["alpha", "beta"]
        .iter()
        .flat_map(|feed| reader.polls(feed).unwrap().unwrap())
        .map(|poll| poll.reason)
        .collect();
    assert!(reasons.contains(&"offline"), "{reasons:?}");
    assert!(reasons.iter().all(|reason| ["offline", "backoff"].contains(reason)));
}
