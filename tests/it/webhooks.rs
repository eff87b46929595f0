//! Webhooks: signed records, chat services, addresses that are secrets.

use jiff::SignedDuration;
use serde_json::Value;

use super::server::Answer;
use super::world::{HOOK, World};

const NEWS: &str = "Wang Yi meets Lavrov in Moscow";

/// A world whose webhook has further settings.
async fn world(settings: &str) -> World {
    let world = World::new().await;
    world.edit_main("type = \"webhook\"\n", &format!("type = \"webhook\"\n{settings}\n"));
    world
}

/// A world whose webhook is a chat service, its address kept in a file.
async fn chat(template: &str) -> World {
    let world = world(&format!("template = \"{template}\"")).await;
    let hook = world.server.url(HOOK);
    world.write("hook.url", &format!("{hook}\n"));
    world.edit_main(&format!("url = \"{hook}\""), "url_file = \"hook.url\"");
    world
}

#[tokio::test]
async fn a_record_is_signed_at_each_attempt_with_the_time_of_the_attempt() {
    let mut world = world("secret_file = \"hook.secret\"").await;
    world.write("hook.secret", "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX\n");
    world.publish("alpha", NEWS);
    world.server.once(HOOK, Answer::status("500 Internal Server Error", "", ""));
    world.tick().await;
    world.advance(SignedDuration::from_mins(20));
    world.tick().await;
    let requests = world.server.requests(HOOK);
    let header = |index: usize, name| requests[index].header(name).unwrap();
    assert_eq!(header(0, "webhook-id"), header(1, "webhook-id"));
    assert_eq!(header(0, "webhook-timestamp"), "1695027600");
    assert_eq!(header(1, "webhook-timestamp"), "1695028800");
    let signatures = [0, 1].map(|index| header(index, "webhook-signature"));
    assert!(signatures.iter().all(|signature| signature.starts_with("v1,")), "{signatures:?}");
    assert_ne!(signatures[0], signatures[1]);
}

#[tokio::test]
async fn a_secret_that_cannot_be_read_keeps_the_alert_and_says_which() {
    let mut world = world("secret_file = \"hook.secret\"").await;
    world.publish("alpha", NEWS);
    world.tick().await;
    assert_eq!(world.server.requests(HOOK).len(), 0);
    let why = world.deliveries()[0].last_error.clone().unwrap();
    assert!(why.contains("hook.secret"), "{why}");
    world.write("hook.secret", "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX");
    world.advance(SignedDuration::from_mins(1));
    world.tick().await;
    assert_eq!(world.deliveries()[0].state, "sent");
}

#[tokio::test]
async fn a_redirect_is_a_failure_and_is_not_followed() {
    let mut world = World::new().await;
    world.server.set("/elsewhere", Answer::status("200 OK", "", ""));
    let headers = format!("location: {}\r\n", world.server.url("/elsewhere"));
    world.server.once(HOOK, Answer::status("307 Temporary Redirect", &headers, ""));
    world.publish("alpha", NEWS);
    world.tick().await;
    assert_eq!(world.server.requests("/elsewhere").len(), 0);
    let delivery = &world.deliveries()[0];
    assert_eq!(delivery.state, "due");
    assert!(delivery.last_error.as_deref().unwrap().contains("307"));
}

#[tokio::test]
async fn a_receiver_that_is_gone_is_asked_no_more_until_the_next_start() {
    let mut world = World::new().await;
    world.server.once(HOOK, Answer::status("410 Gone", "", "no such hook"));
    world.publish("alpha", NEWS);
    world.publish("beta", "Lavrov rings Wang Yi");
    world.tick().await;
    assert_eq!(world.server.requests(HOOK).len(), 1);
    let deliveries = world.deliveries();
    assert!(deliveries.iter().all(|delivery| delivery.state == "dead"), "{deliveries:?}");
    let mut tried: Vec<_> = deliveries.iter().map(|delivery| delivery.attempts).collect();
    tried.sort_unstable();
    assert_eq!(tried, [0, 1]);
    let why = deliveries[0].last_error.as_deref().unwrap();
    assert!(why.contains("no such hook"), "{why}");
    let dead: Vec<i64> = deliveries.iter().map(|delivery| delivery.id).collect();
    newswatch::store::retry_failed(&world.database(), &dead, world.clock.now()).unwrap();
    world.tick().await;
    assert_eq!(world.server.requests(HOOK).len(), 3);
}

#[tokio::test]
async fn an_answer_without_end_is_not_read_to_its_end() {
    let mut world = World::new().await;
    let endless = "x".repeat(1 << 20);
    world.server.once(HOOK, Answer::status("500 Internal Server Error", "", &endless));
    world.publish("alpha", NEWS);
    world.tick().await;
    let why = world.deliveries()[0].last_error.clone().unwrap();
    assert!(why.len() < 300, "{} bytes", why.len());
}

#[tokio::test]
async fn an_address_that_is_a_secret_stands_in_no_error() {
    let mut world = chat("slack").await;
    // Nothing listens there.
    world.write("hook.url", "http://127.0.0.1:9/services/T0/TOKEN");
    world.publish("alpha", NEWS);
    world.tick().await;
    let why = world.deliveries()[0].last_error.clone().unwrap();
    assert!(!why.contains("TOKEN"), "{why}");
    world.write("hook.url", "TOKEN");
    world.advance(SignedDuration::from_mins(1));
    world.tick().await;
    let why = world.deliveries()[0].last_error.clone().unwrap();
    assert!(why.contains("hook.url") && !why.contains("TOKEN"), "{why}");
}

#[tokio::test]
async fn a_chat_service_gets_a_message_of_its_own_form() {
    for (template, key) in [
        ("slack", "blocks"),
        ("discord", "embeds"),
        ("mattermost", "text"),
        ("teams", "attachments"),
        ("telegram\"\nchat = \"@desk", "chat_id"),
    ] {
        let mut world = chat(template).await;
        world.publish("alpha", NEWS);
        world.tick().await;
        let requests = world.server.requests(HOOK);
        let body: Value = serde_json::from_str(&requests[0].body).unwrap();
        assert!(body.get(key).is_some(), "{template}: {body}");
        assert!(requests[0].body.contains(NEWS), "{template}: {body}");
        assert_eq!(requests[0].header("content-type"), Some("application/json; charset=utf-8"));
    }
}

#[tokio::test]
async fn a_room_of_matrix_gets_the_event_under_the_id_of_the_alert() {
    let mut world = world(
        "template = \"matrix\"\nroom = \"!desk:example.org\"\nauthorization_file = \"token\"",
    )
    .await;
    world.edit_main(HOOK, "");
    world.write("token", "Bearer syt_1");
    world.publish("alpha", NEWS);
    world.tick().await;
    let id = &world.deliveries()[0].alert;
    let path = format!("/_matrix/client/v3/rooms/!desk:example.org/send/m.room.message/{id}");
    let request = &world.server.requests(&path)[0];
    assert_eq!(request.method, "PUT");
    assert_eq!(request.header("authorization"), Some("Bearer syt_1"));
}

#[track_caller]
fn refused(world: &World, parts: &[&str]) {
    let problems = world.problems();
    for part in parts {
        assert!(problems.contains(part), "no {part:?} in {problems}");
    }
}

#[tokio::test]
async fn a_secret_in_the_configuration_is_refused() {
    let mut bad = world("template = \"slack\"").await;
    refused(&bad, &["does not belong in the configuration", "url_file = \"PATH\""]);
    bad = world("headers = { Authorization = \"Bearer x\" }").await;
    refused(&bad, &["a secret does not belong", "authorization_file"]);
    bad = world("secret_file = \"a\"\nsecret_credential = \"b\"").await;
    refused(&bad, &["secret_file and secret_credential both say where"]);
    bad = world("secret_credential = \"../b\"").await;
    refused(&bad, &["is no name of a credential"]);
}

#[tokio::test]
async fn a_template_that_lacks_what_it_needs_is_refused() {
    let mut bad = world("template = \"slak\"").await;
    refused(&bad, &["there is no template \"slak\"", "did you mean \"slack\"?"]);
    bad = world("template = \"matrix\"").await;
    refused(&bad, &["[[receiver]] has no room"]);
    bad = world("template = \"matrix\"\nroom = \"!a:b\"\nsecret_file = \"a\"").await;
    refused(&bad, &["no key \"secret_file\""]);
}
