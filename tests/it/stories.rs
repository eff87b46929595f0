//! The daemon tells stories, not hits: who is told what of them and when, whatever happens between.

use jiff::SignedDuration;
use newswatch::store::{self, ItemFilter};
use serde_json::{Value, json};

use super::schema;
use super::server::Answer;
use super::world::{HOOK, World};

const RULE: &str = "[[rule]]\nid = \"museum\"\ntitle = \"Museums\"\nseverity = \"high\"\n\
                    query = 'museum'\n";
const CLOCKS: &str = "Museum of clocks robbed at night";
const DIRECTOR: &str = "Museum director resigns over funding";
const SHIPS: &str = "Delta opens museum of ships";
const SHIPS_TOO: &str = "Museum of ships opens its doors in Delta";
const BREAD: &str = "Bread museum guards walk out";

/// A world whose rule has just told something else, with a feed for each of these owners.
async fn busy(owners: &[&str]) -> World {
    busy_with(RULE, owners).await
}

async fn busy_with(rule: &str, owners: &[&str]) -> World {
    let mut world = World::new().await;
    world.set_rules(rule);
    for owner in owners {
        world.add_feed(owner, &format!("owner = \"{owner}\"\ninterval = \"5m\"\n"));
    }
    publish(&mut world, owners[0], CLOCKS).await;
    assert_eq!(kinds(&world), ["newswatch.story.opened"]);
    world
}

/// A feed shows an item, and five minutes pass.
async fn publish(world: &mut World, owner: &str, title: &str) {
    world.publish(owner, title);
    pass(world, 5).await;
}

/// Minutes pass, and every feed is polled.
async fn pass(world: &World, minutes: i64) {
    world.advance(SignedDuration::from_mins(minutes));
    world.tick().await;
}

fn text(record: &Value, pointer: &str) -> String {
    record.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// The records of the stored alerts, newest first; each keeps to the schema.
fn alerts(world: &World) -> Vec<Value> {
    let mut alerts = Vec::new();
    let each = |record| {
        alerts.push(record);
        Ok(())
    };
    world.reader().alerts(&ItemFilter::default(), each).unwrap();
    schema::check(&alerts);
    alerts
}

/// The types of the alerts, oldest first.
fn kinds(world: &World) -> Vec<String> {
    alerts(world).iter().rev().map(|record| text(record, "/type")).collect()
}

/// The reasons of the hits by their titles, oldest first.
fn reasons(world: &World) -> Vec<(String, String)> {
    let mut reasons = Vec::new();
    let each = |hit: store::HitRow| {
        reasons.push((hit.title, hit.reason));
        Ok(())
    };
    world.reader().hits(&ItemFilter::default(), each).unwrap();
    reasons.reverse();
    reasons
}

#[tokio::test]
async fn a_story_is_told_once_when_a_second_outlet_reports_it() {
    let mut world = busy(&["ant", "bee", "cat"]).await;
    publish(&mut world, "ant", SHIPS).await;
    publish(&mut world, "bee", SHIPS_TOO).await;
    publish(&mut world, "cat", "Museum of ships in Delta opens").await;
    let all = alerts(&world);
    assert_eq!(all.len(), 2, "{all:#?}");
    let told = &all[0];
    assert_eq!(text(told, "/type"), "newswatch.story.opened");
    assert_eq!(text(told, "/data/event/reason"), "told-outlets");
    assert_eq!(text(told, "/data/item/title"), SHIPS_TOO);
    assert_eq!(told.pointer("/data/story/outlets"), Some(&2.into()));
    assert_eq!(text(told, "/data/story/label"), "multi-origin(2)");
    assert_eq!(text(told, "/correlationid"), text(told, "/data/story/id"));
    assert_eq!(
        text(told, "/data/message"),
        format!(
            "[high] Museums: {SHIPS_TOO} (bee); 2 outlets, 2 origins (ant; bee); first: {SHIPS} (ant)"
        )
    );
    assert_eq!(told.pointer("/data/story/first"), Some(&json!({"title": SHIPS, "outlet": "ant"})));
    let reasons: Vec<String> = reasons(&world).into_iter().map(|(_, reason)| reason).collect();
    assert_eq!(reasons, ["told-quiet", "held", "told-outlets", "joined"]);
}

#[tokio::test]
async fn what_waits_for_a_bulletin_comes_as_one_message_after_a_restart_too() {
    let mut world = busy(&["ant"]).await;
    publish(&mut world, "ant", SHIPS).await;
    publish(&mut world, "ant", DIRECTOR).await;
    publish(&mut world, "ant", BREAD).await;
    let before = world.server.requests(HOOK).len();
    pass(&world, 110).await;
    assert_eq!(kinds(&world).len(), 1, "two hours are too early");
    pass(&world, 15).await;
    let told: Vec<String> =
        alerts(&world).iter().map(|record| text(record, "/data/item/title")).collect();
    assert_eq!(told[..2], [DIRECTOR, BREAD], "the newest two, the newest first");
    let last = &alerts(&world)[0];
    assert_eq!(last.pointer("/data/story/left_out"), Some(&1.into()));
    assert!(text(last, "/data/message").ends_with(" · and 1 more"), "{last:#?}");
    assert_eq!(world.server.requests(HOOK).len(), before + 1, "one message tells both");
    let reasons = reasons(&world);
    let why = |title: &str| &reasons.iter().find(|(known, _)| known == title).unwrap().1;
    assert_eq!(
        [why(SHIPS), why(DIRECTOR), why(BREAD)],
        ["left-out", "told-bulletin", "told-bulletin"]
    );
}

#[tokio::test]
async fn what_waits_goes_along_with_what_is_told_at_once() {
    let mut world = busy(&["ant", "bee"]).await;
    publish(&mut world, "ant", DIRECTOR).await;
    publish(&mut world, "ant", SHIPS).await;
    let before = world.server.requests(HOOK).len();
    publish(&mut world, "bee", SHIPS_TOO).await;
    let told: Vec<String> =
        alerts(&world).iter().take(2).map(|record| text(record, "/data/event/reason")).collect();
    assert_eq!(told, ["told-bulletin", "told-outlets"]);
    assert_eq!(world.server.requests(HOOK).len(), before + 1);
    pass(&world, 300).await;
    assert_eq!(kinds(&world).len(), 3, "nothing is left for the bulletin");
}

/// The types and headlines of what the webhook took, in their order; those of one message together.
fn taken(world: &World) -> Vec<Vec<(String, String)>> {
    let what = |record: &Value| (text(record, "/type"), text(record, "/data/item/title"));
    let requests = world.server.requests(HOOK).into_iter().filter(|request| request.taken);
    requests
        .map(|request| match serde_json::from_str(&request.body).unwrap() {
            Value::Array(records) => records.iter().map(what).collect(),
            record => vec![what(&record)],
        })
        .collect()
}

#[tokio::test]
async fn what_is_told_together_waits_for_what_failed_of_its_stories_as_do_later_ones_of_them() {
    const DENIED: &str = "Mayor denies that museum of ships opens in Delta";
    const STAYS: &str = "Museum director denies that he resigns over funding";
    let (opened, denied) = ("newswatch.story.opened", "newswatch.claim.first_denied");
    let told = |kind: &str, title: &str| (kind.to_owned(), title.to_owned());
    let mut world = busy(&["ant", "bee", "cat"]).await;
    publish(&mut world, "ant", SHIPS).await;
    let later = Answer::status("429 Too Many Requests", "retry-after: 3600\r\n", "");
    world.server.once(HOOK, later);
    publish(&mut world, "bee", SHIPS_TOO).await;
    publish(&mut world, "ant", DIRECTOR).await;
    publish(&mut world, "cat", DENIED).await;
    assert_eq!(kinds(&world)[1..], [opened, denied, opened], "the last two are told together");
    let before = taken(&world);
    assert_eq!(before, [[told(opened, CLOCKS)]]);
    publish(&mut world, "bee", STAYS).await;
    assert_eq!(kinds(&world)[4..], [denied]);
    assert_eq!(taken(&world), before, "its story waits, too");
    publish(&mut world, "ant", BREAD).await;
    publish(&mut world, "bee", "Guards of bread museum walk out").await;
    assert_eq!(
        taken(&world)[1..],
        [
            // No other story waits; and now the receiver is back after long.
            vec![told(opened, "Guards of bread museum walk out")],
            vec![told(opened, SHIPS_TOO)],
            vec![told(denied, DENIED), told(opened, DIRECTOR)],
            vec![told(denied, STAYS)],
        ]
    );
}

#[tokio::test]
async fn a_poll_that_is_not_taken_in_leaves_no_trace_in_stories() {
    let mut world = busy(&["ant", "bee"]).await;
    publish(&mut world, "ant", SHIPS).await;
    let database = rusqlite::Connection::open(world.database()).unwrap();
    database
        .execute_batch(
            "CREATE TRIGGER refuse BEFORE INSERT ON alerts BEGIN SELECT RAISE(ABORT, 'no'); END",
        )
        .unwrap();
    publish(&mut world, "bee", SHIPS_TOO).await;
    assert_eq!(reasons(&world).len(), 2, "the poll was not taken in");
    database.execute_batch("DROP TRIGGER refuse").unwrap();
    pass(&world, 5).await;
    let all = reasons(&world);
    assert_eq!(all[2], (SHIPS_TOO.to_owned(), "told-outlets".to_owned()), "{all:?}");
}

#[tokio::test]
async fn what_changes_the_picture_of_a_story_that_was_told_is_told() {
    let rule = RULE.replace("high", "critical") + "corroborate = { origins = 3 }\n";
    let mut world = busy_with(&rule, &["ant", "bee", "cat", "dog", "elk"]).await;
    pass(&world, 25 * 60).await;
    publish(&mut world, "ant", SHIPS).await;
    publish(&mut world, "bee", "Mayor denies that museum of ships opens in Delta").await;
    publish(&mut world, "cat", "Delta museum of ships: mayor confirms that it opens").await;
    publish(&mut world, "dog", "Delta museum of ships opens, mayor denies again").await;
    publish(&mut world, "elk", "Museum of ships is open in Delta").await;
    let kinds = kinds(&world);
    assert_eq!(
        kinds[1..],
        [
            "newswatch.story.opened",
            "newswatch.claim.first_denied",
            "newswatch.claim.first_confirmed",
            "newswatch.story.corroborated",
        ],
        "who denies corroborates nothing"
    );
    let record = &alerts(&world)[0];
    assert_eq!(text(record, "/data/story/state"), "corroborated");
    assert_eq!(record.pointer("/data/claim_cues/denied"), Some(&2.into()));
    let denies = |place: usize| record.pointer(&format!("/data/story/origins/{place}/denies"));
    assert_eq!([denies(0), denies(1)], [Some(&false.into()), Some(&true.into())]);
    let confirmed = &alerts(&world)[1];
    assert!(text(confirmed, "/data/message").contains(": first word of confirmation: "));
}

#[tokio::test]
async fn an_acknowledged_story_that_goes_on_is_told_to_logs_alone() {
    let rule = RULE.to_owned() + "throttle = { cooldown = \"1h\" }\n";
    let mut world = busy_with(&rule, &["ant", "bee", "cat"]).await;
    pass(&world, 25 * 60).await;
    publish(&mut world, "ant", SHIPS).await;
    let id = text(&alerts(&world)[0], "/id");
    store::ack_alerts(&world.database(), &[id], "anna", None, world.clock.now()).unwrap();
    pass(&world, 60).await;
    let before = world.server.requests(HOOK).len();
    publish(&mut world, "ant", SHIPS_TOO).await;
    let update = &alerts(&world)[0];
    assert_eq!(text(update, "/type"), "newswatch.story.updated");
    assert_eq!(text(update, "/data/acked_by"), "anna");
    assert_eq!(world.server.requests(HOOK).len(), before);
}

#[tokio::test]
async fn a_daemon_tells_a_bulletin_when_its_time_comes() {
    let mut world = busy(&["ant"]).await;
    publish(&mut world, "ant", SHIPS).await;
    let daemon = world.start();
    let before = world.server.requests(HOOK).len();
    world.advance(SignedDuration::from_mins(140));
    world.server.asked(HOOK, before + 1).await;
    daemon.stop().await;
    assert_eq!(text(&alerts(&world)[0], "/data/event/reason"), "told-bulletin");
}

#[tokio::test]
async fn an_item_that_was_told_and_is_edited_so_that_it_matches_no_more_is_told_once() {
    let mut world = busy(&["ant"]).await;
    let story = text(&alerts(&world)[0], "/correlationid");
    world.show("ant", &[&format!("{CLOCKS}|Bank robbed at night")]);
    pass(&world, 5).await;
    let revised = &alerts(&world)[0];
    assert_eq!(text(revised, "/type"), "newswatch.item.revised");
    assert_eq!(text(revised, "/correlationid"), story);
    assert_eq!(
        text(revised, "/data/message"),
        format!(
            "[high] Museums: edited, matches no more: {CLOCKS} (ant), now: Bank robbed at night"
        )
    );
    assert_eq!(text(revised, "/data/revised/title"), "Bank robbed at night");
    world.show("ant", &[&format!("{CLOCKS}|Bank robbed by night")]);
    pass(&world, 5).await;
    assert_eq!(kinds(&world).len(), 2);
}

#[tokio::test]
async fn a_rule_that_was_changed_does_not_make_old_items_revised() {
    let mut world = busy(&["ant"]).await;
    world.set_rules(&RULE.replace("'museum'", "'gallery'"));
    world.show("ant", &[&format!("{CLOCKS}|Museum of clocks robbed again")]);
    pass(&world, 5).await;
    assert_eq!(kinds(&world).len(), 1);
}

#[tokio::test]
async fn an_event_of_the_service_that_cannot_be_read_keeps_no_bulletin_waiting() {
    let mut world = busy(&["ant"]).await;
    publish(&mut world, "ant", SHIPS).await;
    assert_eq!(kinds(&world).len(), 1);
    let database = rusqlite::Connection::open(world.database()).unwrap();
    database
        .execute(
            "INSERT INTO alerts (id, rule, severity, feed, created, record, told_in)
             VALUES ('x', 'newswatch.feed.broken', 'low', 'ant', 0, '[', 0)",
            [],
        )
        .unwrap();
    world.live(SignedDuration::from_hours(4)).await;
    let bulletins = "SELECT count(*) FROM alerts WHERE rule = 'museum'";
    let told: i64 = database.query_row(bulletins, [], |row| row.get(0)).unwrap();
    assert_eq!(told, 2);
}

#[tokio::test]
async fn far_more_news_than_usual_is_told_once_when_there_are_weeks_to_compare_with() {
    let mut world = busy(&["ant"]).await;
    let burst = async |world: &mut World, name: &str| {
        for number in 0..8 {
            let title = format!("{name}{number} museum {}", "x".repeat(number));
            publish(world, "ant", &title).await;
        }
    };
    burst(&mut world, "early").await;
    for day in 0..20 {
        pass(&world, 24 * 60).await;
        // Items of one length have one link in this world, and one link is one text.
        publish(&mut world, "ant", &format!("Day{day} museum {}", "y".repeat(20 + day))).await;
    }
    let surges = |world: &World| {
        let kinds = kinds(world);
        kinds.iter().filter(|kind| **kind == "newswatch.story.surge").count()
    };
    assert_eq!(surges(&world), 0, "there were no weeks to compare the first day with");
    burst(&mut world, "late").await;
    assert_eq!(surges(&world), 1);
    let all = alerts(&world);
    let surge = all.iter().find(|record| text(record, "/type").ends_with("surge")).unwrap();
    let lineages = surge.pointer("/data/surge/lineages").and_then(Value::as_u64).unwrap();
    assert!(lineages >= 5, "{surge:#?}");
    let expected = surge.pointer("/data/surge/expected").and_then(Value::as_f64).unwrap();
    assert!((0.5..1.5).contains(&expected), "{surge:#?}");
    let says = text(surge, "/data/message");
    assert!(says.contains(" were to be expected; the newest: late"), "{says}");
    pass(&world, 60).await;
    assert_eq!(surges(&world), 1);
}

#[tokio::test]
async fn what_waits_for_a_bulletin_is_told_however_long_nobody_ran() {
    let mut world = busy(&["ant"]).await;
    publish(&mut world, "ant", SHIPS).await;
    pass(&world, 80 * 60).await;
    let reasons = reasons(&world);
    assert_eq!(reasons[1], (SHIPS.to_owned(), "told-bulletin".to_owned()), "{reasons:?}");
    assert_eq!(kinds(&world).len(), 2);
}

const ESCALATING: &str = "[[rule]]\nid = \"museum\"\ntitle = \"Museums\"\nseverity = \"low\"\n\
    query = 'museum'\nescalate = [{ when = 'explosion', severity = \"critical\" }]\n";

#[tokio::test]
async fn a_story_that_waits_or_was_left_out_is_told_when_it_grows_more_severe() {
    let mut world = busy_with(ESCALATING, &["ant"]).await;
    publish(&mut world, "ant", SHIPS).await;
    publish(&mut world, "ant", "Museum of ships in Delta: explosion as it opens").await;
    let told = &alerts(&world)[0];
    assert_eq!(text(told, "/data/event/reason"), "told-severity");
    assert_eq!(text(told, "/severitytext"), "CRITICAL");
    for title in [DIRECTOR, BREAD, "Museum of hats floods"] {
        publish(&mut world, "ant", title).await;
    }
    pass(&world, 150).await;
    let all = reasons(&world);
    let (left_out, _) = all.iter().find(|(_, reason)| reason == "left-out").unwrap();
    publish(&mut world, "ant", &format!("{left_out} after explosion")).await;
    let last = &alerts(&world)[0];
    assert_eq!(text(last, "/data/event/reason"), "told-severity", "{last:#?}");
}

#[tokio::test]
async fn a_bulletin_tells_the_most_severe_first() {
    let mut world = busy_with(ESCALATING, &["ant"]).await;
    publish(&mut world, "ant", "Palace museum explosion kills guards").await;
    publish(&mut world, "ant", DIRECTOR).await;
    publish(&mut world, "ant", BREAD).await;
    pass(&world, 150).await;
    let all = reasons(&world);
    assert_eq!(all[1].1, "told-bulletin", "{all:?}");
}

#[tokio::test]
async fn what_its_publisher_took_back_before_the_bulletin_is_not_told() {
    let mut world = busy(&["ant"]).await;
    publish(&mut world, "ant", DIRECTOR).await;
    world.show("ant", &[&format!("{DIRECTOR}|Correction: nobody resigned"), CLOCKS]);
    pass(&world, 5).await;
    pass(&world, 150).await;
    assert_eq!(kinds(&world).len(), 1, "{:#?}", alerts(&world));
    let all = reasons(&world);
    assert_eq!(all[1], (DIRECTOR.to_owned(), "withdrawn".to_owned()));
}

#[tokio::test]
async fn a_bulletin_that_was_kept_badly_is_made_anew_and_stops_no_other_rule() {
    let rules =
        RULE.to_owned() + "[[rule]]\nid = \"ferry\"\ntitle = \"Ferries\"\nquery = 'ferry'\n";
    let mut world = busy_with(&rules, &["ant"]).await;
    publish(&mut world, "ant", DIRECTOR).await;
    let database = rusqlite::Connection::open(world.database()).unwrap();
    database.execute_batch("UPDATE reports SET report = '[', draft = '['").unwrap();
    pass(&world, 150).await;
    assert_eq!(text(&alerts(&world)[0], "/data/item/title"), DIRECTOR);
    publish(&mut world, "ant", "Delta ferry delays").await;
    assert_eq!(text(&alerts(&world)[0], "/data/rule/id"), "ferry");
}

#[tokio::test]
async fn a_late_bulletin_keeps_to_quiet_hours() {
    // It is 09:00 when the world begins, and the bulletin is due before the quiet hours.
    let mut world = World::new().await;
    world.set_rules(RULE);
    world.edit_main(
        "[poll]",
        "[[route]]\nreceivers = [\"hook\"]\nquiet = \"12:00-14:00\"\ntimezone = \"UTC\"\n[poll]",
    );
    world.add_feed("ant", "interval = \"5m\"\n");
    publish(&mut world, "ant", CLOCKS).await;
    publish(&mut world, "ant", SHIPS).await;
    let before = world.server.requests(HOOK).len();
    pass(&world, 200).await;
    assert_eq!(kinds(&world).len(), 2);
    assert_eq!(world.server.requests(HOOK).len(), before, "it is quiet");
}

#[tokio::test]
async fn what_its_publisher_took_back_is_no_origin_any_more() {
    let mut world = busy(&["ant", "bee", "cat"]).await;
    publish(&mut world, "ant", SHIPS).await;
    publish(&mut world, "bee", SHIPS_TOO).await;
    assert_eq!(text(&alerts(&world)[0], "/data/story/label"), "multi-origin(2)");
    world.show("bee", &[&format!("{SHIPS_TOO}|Correction: a harbour of ships opens in Delta")]);
    pass(&world, 5).await;
    assert_eq!(text(&alerts(&world)[0], "/type"), "newswatch.item.revised");
    let label = |world: &World| {
        let mut newest = None;
        let each = |story: store::StoryRow| {
            newest.get_or_insert(story.label);
            Ok(())
        };
        world.reader().stories(&ItemFilter::default(), world.clock.now(), each).unwrap();
        newest.unwrap()
    };
    assert_eq!(label(&world), "single-origin");
    publish(&mut world, "cat", "Museum of ships in Delta opens").await;
    assert_eq!(label(&world), "multi-origin(2)", "who reports it later counts");
}

#[tokio::test]
async fn a_first_headline_that_was_taken_back_is_first_no_more() {
    let rule = RULE.to_owned() + "throttle = { cooldown = \"1m\" }\n";
    let mut world = busy_with(&rule, &["ant", "bee", "cat"]).await;
    publish(&mut world, "ant", SHIPS).await;
    publish(&mut world, "bee", SHIPS_TOO).await;
    world.show("ant", &[&format!("{SHIPS}|Correction: nothing opens")]);
    pass(&world, 5).await;
    publish(&mut world, "cat", "Museum of ships in Delta opens").await;
    let told = &alerts(&world)[0];
    assert_eq!(text(told, "/type"), "newswatch.story.corroborated");
    assert_eq!(text(told, "/data/story/first/title"), SHIPS_TOO);
}

#[tokio::test]
async fn the_last_report_of_what_was_told_is_told_when_it_is_taken_back_though_it_was_not_told() {
    let mut world = busy(&["ant"]).await;
    let story = text(&alerts(&world)[0], "/correlationid");
    let too = "Night robbers take clocks of museum";
    publish(&mut world, "ant", too).await;
    assert_eq!(kinds(&world).len(), 1, "it is more of the same");
    let first = format!("{CLOCKS}|Correction: nothing was robbed");
    world.show("ant", &[too, &first]);
    pass(&world, 5).await;
    assert_eq!(kinds(&world).len(), 2, "the one that was told");
    world.show("ant", &[&format!("{too}|Correction: nothing was taken"), &first]);
    pass(&world, 5).await;
    assert_eq!(kinds(&world).len(), 3);
    let last = &alerts(&world)[0];
    assert_eq!(text(last, "/type"), "newswatch.item.revised");
    assert_eq!(text(last, "/correlationid"), story);
    assert!(text(last, "/data/message").ends_with("; no report of its story stands any more"));
}

#[tokio::test]
async fn a_story_whose_first_report_was_taken_back_waits_with_the_next() {
    let mut world = busy(&["ant"]).await;
    publish(&mut world, "ant", SHIPS).await;
    publish(&mut world, "ant", SHIPS_TOO).await;
    let taken_back = format!("{SHIPS}|Correction: nothing opens");
    world.show("ant", &[&taken_back, SHIPS_TOO, CLOCKS]);
    pass(&world, 5).await;
    pass(&world, 150).await;
    let told = &alerts(&world)[0];
    assert_eq!(text(told, "/data/item/title"), SHIPS_TOO);
    assert_eq!(text(told, "/data/event/reason"), "told-bulletin");
    let all = reasons(&world);
    assert_eq!(
        all[1..],
        [
            (SHIPS.to_owned(), "withdrawn".to_owned()),
            (SHIPS_TOO.to_owned(), "told-bulletin".to_owned()),
        ]
    );
}

#[tokio::test]
async fn a_report_after_all_others_of_its_story_were_taken_back_is_told() {
    let mut world = busy(&["ant", "bee"]).await;
    publish(&mut world, "ant", SHIPS).await;
    world.show("ant", &[&format!("{SHIPS}|Correction: nothing opens"), CLOCKS]);
    pass(&world, 5).await;
    pass(&world, 150).await;
    publish(&mut world, "bee", SHIPS_TOO).await;
    pass(&world, 150).await;
    let told = &alerts(&world)[0];
    assert_eq!(text(told, "/data/item/title"), SHIPS_TOO);
    assert_eq!(text(told, "/data/story/label"), "single-origin");
}

#[tokio::test]
async fn what_was_taken_back_untold_and_matches_again_is_a_report_anew() {
    let mut world = busy(&["ant"]).await;
    publish(&mut world, "ant", SHIPS).await;
    world.show("ant", &[&format!("{SHIPS}|Correction: nothing opens"), CLOCKS]);
    pass(&world, 5).await;
    world.show("ant", &[&format!("{SHIPS}|Delta opens museum of ships after all"), CLOCKS]);
    pass(&world, 5).await;
    pass(&world, 150).await;
    let told = &alerts(&world)[0];
    assert_eq!(text(told, "/data/item/title"), "Delta opens museum of ships after all");
    assert_eq!(text(told, "/data/event/reason"), "told-bulletin");
}

#[tokio::test]
async fn a_report_of_what_was_told_and_taken_back_is_told() {
    let mut world = busy(&["ant", "bee", "cat"]).await;
    publish(&mut world, "ant", SHIPS).await;
    pass(&world, 150).await;
    world.show("ant", &[&format!("{SHIPS}|Correction: nothing opens"), CLOCKS]);
    pass(&world, 5).await;
    assert_eq!(text(&alerts(&world)[0], "/type"), "newswatch.item.revised");
    publish(&mut world, "bee", SHIPS_TOO).await;
    publish(&mut world, "cat", "Museum of ships in Delta opens").await;
    let told = &alerts(&world)[0];
    assert_eq!(text(told, "/type"), "newswatch.story.opened");
    assert_eq!(text(told, "/data/story/label"), "multi-origin(2)");
}

#[tokio::test]
async fn copies_of_what_was_taken_back_are_copies_of_one_text_still() {
    let dispatch = "Delta opens its museum of ships with a parade of thirty old ferries in the harbour on Sunday";
    let mut world = busy(&["ant", "bee", "cat"]).await;
    publish(&mut world, "ant", dispatch).await;
    publish(&mut world, "bee", dispatch).await;
    world.show("ant", &[&format!("{dispatch}|Correction: nothing opens"), CLOCKS]);
    pass(&world, 5).await;
    publish(&mut world, "cat", dispatch).await;
    let all = reasons(&world);
    assert_eq!(all[3], (dispatch.to_owned(), "copy".to_owned()), "{all:?}");
}
