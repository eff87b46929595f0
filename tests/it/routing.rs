//! Who is told, and when: digests, quiet hours, silences, acknowledgements.

use jiff::SignedDuration;
use newswatch::alert::catalogue::STORY_UPDATED;
use newswatch::alert::operator::OutgoingEvent;
use newswatch::alert::record::AlertRecord;
use newswatch::alert::route::Due;
use newswatch::alert::silence::Matcher;
use newswatch::hit::Severity;
use newswatch::pipeline::{OutgoingAlert, OutgoingDelivery};
use newswatch::store::{
    self, Acked, AlertFilter, DeliveryRow, Ended, NewSilence, SilenceRow, Store,
};
use serde_json::Value;

use super::server::Answer;
use super::world::{HOOK, World};

const NEWS: &str = "Wang Yi meets Lavrov in Moscow";

/// A world in which it is 09:00 UTC and one route says when the webhook is told.
async fn world(lines: &str) -> World {
    let mut world = World::new().await;
    world.edit_main("[poll]", &format!("[[route]]\nreceivers = [\"hook\"]\n{lines}\n[poll]"));
    world.publish("alpha", NEWS);
    world
}

fn only(world: &World) -> DeliveryRow {
    let mut deliveries = world.deliveries();
    assert_eq!(deliveries.len(), 1);
    deliveries.remove(0)
}

#[tokio::test]
async fn an_alert_waits_for_its_digest_whatever_is_restarted_and_configured_meanwhile() {
    let world = world("mode = \"digest\"\ndigest_at = [\"12:00\"]").await;
    world.tick().await;
    assert_eq!(only(&world).digest, Some("2023-09-18T12:00:00Z".parse().unwrap()));
    world.edit_main("mode = \"digest\"\ndigest_at = [\"12:00\"]", "");
    world.advance(SignedDuration::from_mins(179));
    world.tick().await;
    assert_eq!((world.alerts().len(), only(&world).attempts), (0, 0));
    world.advance(SignedDuration::from_mins(1));
    world.tick().await;
    assert_eq!(world.alerted(), [NEWS]);
}

#[tokio::test]
async fn an_alert_of_quiet_hours_is_told_when_they_end() {
    let world = world("quiet = \"18:00-20:00\"\ntimezone = \"Asia/Tokyo\"").await;
    world.tick().await;
    assert_eq!(only(&world).next_attempt, Some("2023-09-18T11:00:00Z".parse().unwrap()));
    world.advance(SignedDuration::from_hours(2));
    world.tick().await;
    assert_eq!(world.alerted(), [NEWS]);
}

#[tokio::test]
async fn quiet_hours_do_not_hold_what_they_except() {
    let world = world("quiet = \"08:00-20:00\"\nexcept = [\"high\"]").await;
    world.tick().await;
    assert_eq!(world.alerted(), [NEWS]);
}

#[tokio::test]
async fn a_digest_keeps_its_time_of_day_though_the_clock_is_set_back() {
    let world = world("mode = \"digest\"\ndigest_at = [\"12:00\"]").await;
    world.tick().await;
    world.advance(SignedDuration::from_hours(-3));
    world.tick().await;
    assert_eq!(only(&world).next_attempt, Some("2023-09-18T12:00:00Z".parse().unwrap()));
}

#[tokio::test]
async fn a_digest_of_a_clock_that_was_years_ahead_comes_as_soon_as_it_would_have_come() {
    let world = world("mode = \"digest\"\ndigest_at = [\"12:00\"]").await;
    let years = SignedDuration::from_hours(24 * 1000);
    world.advance(years);
    world.tick().await;
    world.advance(-years);
    world.tick().await;
    assert_eq!(only(&world).next_attempt, Some("2023-09-18T12:00:00Z".parse().unwrap()));
}

/// The titles of the alerts in a message of several.
fn titles(message: &Value) -> Vec<&str> {
    let alerts = message.as_array().expect("a message of several is a list").iter();
    alerts.map(|alert| alert["data"]["item"]["title"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_digest_is_one_message_that_comes_again_under_the_same_id_when_it_was_refused() {
    let mut world = world("mode = \"digest\"\ndigest_at = [\"12:00\"]").await;
    world.tick().await;
    world.advance(SignedDuration::from_hours(1));
    world.publish("beta", "Lavrov thanks Wang Yi");
    world.tick().await;
    world.server.once(HOOK, Answer::status("503 Service Unavailable", "", ""));
    world.advance(SignedDuration::from_hours(2));
    world.tick().await;
    world.advance(SignedDuration::from_mins(1));
    world.tick().await;
    let messages = world.alerts();
    assert_eq!(messages.len(), 2);
    assert_eq!(titles(&messages[0]), [NEWS, "Lavrov thanks Wang Yi"]);
    assert_eq!(messages[0], messages[1]);
    let ids: Vec<_> = world
        .server
        .requests(HOOK)
        .iter()
        .map(|it| it.header("webhook-id").map(str::to_owned))
        .collect();
    assert!(ids[0].is_some() && ids[0] == ids[1], "{ids:?}");
    let states: Vec<_> = world.deliveries().into_iter().map(|it| (it.state, it.attempts)).collect();
    assert_eq!(states, [("sent".to_owned(), 2), ("sent".to_owned(), 2)]);
}

#[tokio::test]
async fn a_digest_of_very_many_alerts_is_split() {
    let mut world = world("mode = \"digest\"\ndigest_at = [\"12:00\"]").await;
    let many: Vec<String> = (0..201).map(|number| format!("{NEWS} {number}")).collect();
    world.show("alpha", &many.iter().map(String::as_str).collect::<Vec<_>>());
    world.tick().await;
    world.advance(SignedDuration::from_hours(3));
    world.tick().await;
    let sizes: Vec<_> =
        world.alerts().iter().map(|message| message.as_array().map_or(1, Vec::len)).collect();
    assert_eq!(sizes, [200, 1]);
}

#[tokio::test]
async fn a_log_gets_the_alerts_of_a_digest_each_in_its_line() {
    let mut world = silenced("mode = \"digest\"\ndigest_at = [\"12:00\"]").await;
    store::end_silences(&world.database(), &[1], "ben", world.clock.now()).unwrap();
    world.publish("alpha", NEWS);
    world.publish("beta", "Lavrov thanks Wang Yi");
    world.tick().await;
    world.advance(SignedDuration::from_hours(3));
    world.tick().await;
    assert_eq!((world.alerts().len(), log(&world).len()), (1, 2));
}

/// A world with a webhook and a log, in which the rule is silenced for four hours.
async fn silenced(lines: &str) -> World {
    let mut world = World::new().await;
    world.edit_main(
        "[[receiver]]\nname = \"hook\"",
        "[[receiver]]\nname = \"log\"\ntype = \"jsonl\"\npath = \"alerts.jsonl\"\n\
         [[receiver]]\nname = \"hook\"",
    );
    let route = format!("[[route]]\nreceivers = [\"hook\", \"log\"]\n{lines}\n[poll]");
    world.edit_main("[poll]", &route);
    world.show("alpha", &[]);
    world.add_feed("alpha", "");
    world.tick().await;
    assert_eq!(silence(&world), Some(1));
    world
}

fn silence(world: &World) -> Option<i64> {
    let matcher = Matcher { rule: vec!["talks".to_owned()], ..Matcher::default() };
    let until = world.clock.now() + SignedDuration::from_hours(4);
    let (author, why) = ("anna".to_owned(), "we watch it live".to_owned());
    let silence = NewSilence { matcher, until, author, why };
    store::add_silence(&world.database(), &silence, world.clock.now()).unwrap()
}

fn silences(world: &World) -> Vec<SilenceRow> {
    let mut rows = Vec::new();
    let each = |row| {
        rows.push(row);
        Ok(())
    };
    world.reader().silences(true, world.clock.now(), each).unwrap();
    rows
}

fn log(world: &World) -> Vec<Value> {
    let text = std::fs::read_to_string(world.database().with_file_name("alerts.jsonl")).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[tokio::test]
async fn a_silenced_alert_is_stored_and_logged_and_told_to_nobody() {
    let mut world = silenced("").await;
    world.publish("alpha", NEWS);
    world.tick().await;
    assert_eq!(world.alerts().len(), 0);
    let logged = log(&world);
    assert_eq!((logged.len(), &logged[0]["data"]["silenced_by"]), (1, &"1".into()));
    let mut stored = Vec::new();
    let each = |record| {
        stored.push(record);
        Ok(())
    };
    let filter = AlertFilter { silence: Some(1), ..AlertFilter::default() };
    world.reader().alerts(&filter, each).unwrap();
    assert_eq!(stored, logged);
    assert_eq!(silences(&world)[0].held, 1);
}

#[tokio::test]
async fn what_a_silence_held_back_is_told_once_when_its_time_is_over() {
    let mut world = silenced("").await;
    world.publish("alpha", NEWS);
    world.publish("alpha", "Lavrov thanks Wang Yi");
    world.tick().await;
    world.advance(SignedDuration::from_hours(4));
    world.tick().await;
    world.tick().await;
    let told = world.alerts();
    assert_eq!((told.len(), &told[0]["type"]), (1, &"newswatch.silence.ended".into()));
    let silence = &told[0]["data"]["silence"];
    assert_eq!((&silence["alerts"], &silence["author"]), (&2.into(), &"anna".into()));
    assert_eq!(silence["rules"][0]["id"], "talks");
    let headlines = silence["headlines"].as_array().unwrap();
    let titles: Vec<&str> = headlines.iter().map(|it| it["title"].as_str().unwrap()).collect();
    assert_eq!(titles.len(), 2);
    assert!(titles.contains(&NEWS), "{titles:?}");
    assert_eq!(log(&world).len(), 3, "the log has the two and the summary");
    world.publish("alpha", "Wang Yi rings Lavrov");
    world.tick().await;
    assert_eq!(world.alerts().len(), 2, "what comes after it is told");
}

#[tokio::test]
async fn a_silence_that_somebody_ends_is_summed_up_and_mutes_nothing_more() {
    let mut world = silenced("").await;
    world.publish("alpha", NEWS);
    world.tick().await;
    let end = || store::end_silences(&world.database(), &[1, 2], "ben", world.clock.now());
    assert_eq!(end().unwrap(), [Ended::Now { held: 1 }, Ended::Unknown]);
    assert_eq!(end().unwrap(), [Ended::Before, Ended::Unknown]);
    world.publish("alpha", "Wang Yi rings Lavrov");
    world.tick().await;
    let kinds: Vec<_> = world.alerts().iter().map(|alert| alert["type"].clone()).collect();
    assert_eq!(kinds, ["newswatch.silence.ended", "newswatch.hit"]);
    assert_eq!(world.alerts()[0]["data"]["silence"]["ended_by"], "ben");
    let row = &silences(&world)[0];
    assert_eq!((row.state, row.ended_by.as_deref()), ("ended", Some("ben")));
}

#[tokio::test]
async fn a_silence_that_held_nothing_back_ends_without_a_word() {
    let world = silenced("").await;
    world.advance(SignedDuration::from_hours(4));
    world.tick().await;
    assert_eq!((world.alerts().len(), silences(&world)[0].state), (0, "ended"));
}

#[tokio::test]
async fn a_summary_waits_for_quiet_hours_to_end_as_its_alerts_would() {
    let mut world = silenced("quiet = \"12:30-15:00\"").await;
    world.publish("alpha", NEWS);
    world.tick().await;
    world.advance(SignedDuration::from_hours(4));
    world.tick().await;
    assert_eq!(world.alerts().len(), 0);
    world.advance(SignedDuration::from_hours(2));
    world.tick().await;
    assert_eq!(world.alerts()[0]["type"], "newswatch.silence.ended");
}

#[tokio::test]
async fn an_ended_silence_does_not_mute_again_though_the_clock_is_set_back() {
    let mut world = silenced("").await;
    world.publish("alpha", NEWS);
    world.tick().await;
    world.advance(SignedDuration::from_hours(4));
    world.tick().await;
    world.advance(SignedDuration::from_hours(-2));
    world.publish("alpha", "Wang Yi rings Lavrov");
    world.tick().await;
    assert_eq!(world.alerts().len(), 2);
}

#[tokio::test]
async fn a_silence_of_a_clock_that_was_years_ahead_lasts_no_longer_than_it_was_meant_to() {
    let mut world = World::new().await;
    world.show("alpha", &[]);
    world.add_feed("alpha", "");
    let years = SignedDuration::from_hours(24 * 1000);
    world.advance(years);
    world.tick().await;
    silence(&world);
    world.advance(-years);
    world.tick().await;
    let until = silences(&world)[0].until;
    assert_eq!(until.duration_since(world.clock.now()), SignedDuration::from_hours(4));
}

#[tokio::test]
async fn a_silence_that_cannot_be_read_mutes_nothing_and_stops_nothing() {
    let mut world = silenced("").await;
    let database = rusqlite::Connection::open(world.database()).unwrap();
    database.execute("UPDATE silences SET matcher = 'damaged'", []).unwrap();
    world.publish("alpha", NEWS);
    world.tick().await;
    assert_eq!(world.alerted(), [NEWS]);
}

/// Stores an alert of that type and severity about the story of the first one.
async fn tell(world: &World, kind: &str, severity: Severity) {
    let mut records = Vec::new();
    let each = |record| {
        records.push(record);
        Ok(())
    };
    world.reader().alerts(&AlertFilter::default(), each).unwrap();
    let mut record: AlertRecord = serde_json::from_value(records.pop().unwrap()).unwrap();
    record.id = format!("{kind} {severity} {}", records.len());
    record.kind = kind.to_owned();
    let due = Due { at: world.clock.now(), held: None };
    let deliveries = [("hook", false), ("log", true)].map(|(receiver, log)| OutgoingDelivery {
        receiver: receiver.to_owned(),
        due,
        log,
    });
    let alert = OutgoingAlert { record, severity, deliveries: deliveries.to_vec() };
    let event = OutgoingEvent { alert, held: false, tells: Vec::new() };
    let store = Store::open(&world.database()).unwrap();
    store.raise(vec![event], None, world.clock.now()).await.unwrap();
}

#[tokio::test]
async fn an_acknowledged_story_is_quiet_until_the_picture_changes() {
    let mut world = silenced("").await;
    store::end_silences(&world.database(), &[1], "ben", world.clock.now()).unwrap();
    world.publish("alpha", NEWS);
    world.tick().await;
    let id = world.alerts()[0]["id"].as_str().unwrap().to_owned();
    let ack = |id: &str| {
        store::ack_alerts(&world.database(), &[id.to_owned()], "anna", None, world.clock.now())
            .unwrap()
            .remove(0)
    };
    assert_eq!(ack(&id), Acked::Now);
    assert_eq!(ack(&id), Acked::Before { by: "anna".to_owned() });
    assert_eq!(ack("another"), Acked::Unknown);
    tell(&world, STORY_UPDATED, Severity::High).await;
    world.tick().await;
    let told = || world.server.requests(HOOK).len();
    assert_eq!((told(), log(&world).len()), (1, 2), "a log gets what is muted");
    assert_eq!(log(&world)[1]["data"]["acked_by"], "anna");
    tell(&world, "newswatch.story.corroborated", Severity::High).await;
    tell(&world, STORY_UPDATED, Severity::High).await;
    world.tick().await;
    assert_eq!(told(), 3, "what changes the picture ends the acknowledgement");
}
