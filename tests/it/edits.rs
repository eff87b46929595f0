//! Rules that ask for every edit of what they have hit (`on_update`): what their readers are told.

use jiff::SignedDuration;
use newswatch::alert::revision::MOST_IN_A_DAY;
use newswatch::alert::silence::Matcher;
use newswatch::pipeline::MOST_TEXTS;
use newswatch::store::{self, AlertFilter, HitRow, ItemFilter, NewSilence};
use serde_json::Value;

use super::schema;
use super::server::Answer;
use super::world::{World, path};

const RULE: &str = "[[rule]]\nid = \"kim\"\ntitle = \"Kim\"\nseverity = \"high\"\nquery = 'Kim'\n";
const ARRIVES: &str = "Kim arrives at Vostochny";
const SIGN: &str = "Kim and Putin sign arms deal";
const OTHER: &str = "Clocks stop in the capital as parade of Kim is put off";
const RAIN: &str = "Rain at Vostochny";
const REVISED: &str = "newswatch.item.revised";

/// A world with a feed, `ant`, whose rule asks for every edit.
async fn world() -> World {
    world_with(&format!("{RULE}on_update = true\n")).await
}

async fn world_with(rules: &str) -> World {
    let mut world = World::new().await;
    world.set_rules(rules);
    world.add_feed("ant", "owner = \"ant\"\ninterval = \"5m\"\n");
    world
}

/// The feed shows one item, which has this headline now.
async fn show(world: &mut World, title: &str) {
    world.show("ant", &[&format!("one|{title}")]);
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

/// The records of the stored alerts, oldest first; each keeps to the schema.
fn alerts(world: &World) -> Vec<Value> {
    let mut alerts = Vec::new();
    let each = |record| {
        alerts.push(record);
        Ok(())
    };
    world.reader().alerts(&AlertFilter::default(), each).unwrap();
    schema::check(&alerts);
    alerts.reverse();
    alerts
}

/// What the alerts say after the name of the rule, oldest first.
fn said(world: &World) -> Vec<String> {
    let message = |record: &Value| text(record, "/data/message").replacen("[high] Kim: ", "", 1);
    alerts(world).iter().map(message).collect()
}

/// What the rule made of the items whose edits were told, oldest first.
fn matches(world: &World) -> Vec<String> {
    let revised = alerts(world).into_iter().filter(|record| text(record, "/type") == REVISED);
    revised.map(|record| text(&record, "/data/revised/matches")).collect()
}

#[tokio::test]
async fn an_edit_of_what_was_told_is_told_once_with_both_headlines_and_what_matches_now() {
    let mut world = world().await;
    show(&mut world, ARRIVES).await;
    show(&mut world, SIGN).await;
    let [told, edit] = &alerts(&world)[..] else { panic!("{:#?}", alerts(&world)) };
    assert_eq!(text(edit, "/type"), REVISED);
    assert_eq!(
        text(edit, "/data/message"),
        format!("[high] Kim: edited, still matches: {SIGN} (ant), before: {ARRIVES}")
    );
    assert_eq!(text(edit, "/data/revised/matches"), "still");
    assert_eq!(text(edit, "/data/revised/was"), ARRIVES);
    assert_eq!(text(edit, "/data/revised/title"), SIGN);
    assert_eq!(text(edit, "/data/item/title"), SIGN);
    assert_eq!(text(edit, "/data/item/highlights/0/text"), "Kim");
    assert_eq!(edit["data"]["item"]["revision"], 2);
    assert_eq!(edit["correlationid"], told["correlationid"]);
    assert_eq!(world.alerts().len(), 2, "the webhook has it too");
    show(&mut world, SIGN).await;
    assert_eq!(alerts(&world).len(), 2, "the text is the same");
    show(&mut world, ARRIVES).await;
    assert_eq!(said(&world)[2], format!("edited, still matches: {ARRIVES} (ant), before: {SIGN}"));
    assert_ne!(alerts(&world)[2]["id"], edit["id"]);
}

#[tokio::test]
async fn an_edit_that_still_matches_is_told_to_nobody_who_does_not_ask_for_it() {
    for rule in [RULE.to_owned(), format!("{RULE}on_update = false\n")] {
        let mut world = world_with(&rule).await;
        show(&mut world, ARRIVES).await;
        show(&mut world, SIGN).await;
        assert_eq!(said(&world).len(), 1, "{rule}");
        show(&mut world, RAIN).await;
        assert_eq!(
            said(&world)[1],
            format!("edited, matches no more: {ARRIVES} (ant), now: {RAIN}")
        );
        let revised = &alerts(&world)[1]["data"]["revised"];
        assert_eq!(revised["matches"], "no-more");
        assert_eq!(revised.get("was"), None);
        // Their last word would be wrong; but a page that turns to and fro is no news for ever.
        for (turn, told) in [(SIGN, 3), (RAIN, 4), (SIGN, 5), (RAIN, 6), (SIGN, 6), (RAIN, 6)] {
            show(&mut world, turn).await;
            assert_eq!(said(&world).len(), told, "{rule}");
        }
        let again = format!("edited, matches again: {SIGN} (ant), before: {RAIN}");
        assert_eq!(said(&world)[2], again);
        show(&mut world, SIGN).await;
        world.advance(SignedDuration::from_hours(25));
        show(&mut world, ARRIVES).await;
        let later = format!("edited, matches again: {ARRIVES} (ant), before: {SIGN}");
        assert_eq!(said(&world).last(), Some(&later), "it is told when it may be");
    }
}

#[tokio::test]
async fn an_edit_of_what_was_there_at_the_first_poll_is_told() {
    let mut world = world().await;
    world.edit_main("first_run = \"alert\"", "first_run = \"record\"");
    show(&mut world, ARRIVES).await;
    assert_eq!(said(&world), [""; 0]);
    show(&mut world, SIGN).await;
    show(&mut world, RAIN).await;
    show(&mut world, ARRIVES).await;
    show(&mut world, RAIN).await;
    assert_eq!(
        said(&world),
        [
            format!("edited, still matches: {SIGN} (ant), before: {ARRIVES}"),
            format!("edited, matches no more: {SIGN} (ant), now: {RAIN}"),
            format!("edited, matches again: {ARRIVES} (ant), before: {RAIN}"),
            format!("edited, matches no more: {ARRIVES} (ant), now: {RAIN}"),
        ]
    );
}

#[tokio::test]
async fn what_another_address_of_a_feed_says_otherwise_is_no_edit_to_tell() {
    let mut world = world().await;
    world.edit_main("first_run = \"alert\"", "first_run = \"record\"");
    let show = async |world: &mut World, told: &str, untold: &str| {
        world.show("ant", &[&format!("one|{told}"), &format!("other|{untold}")]);
        pass(world, 5).await;
    };
    world.show("ant", &[&format!("other|{OTHER}")]);
    world.tick().await;
    show(&mut world, ARRIVES, OTHER).await;
    assert_eq!(said(&world).len(), 1);
    let elsewhere = world.server.url(&path("ant")).replace("127.0.0.1", "localhost");
    let lines = "allow_private = true\nowner = \"ant\"\ninterval = \"5m\"\n";
    world.add_feed_elsewhere("ant", &format!("url = \"{elsewhere}\"\n{lines}"));
    show(&mut world, SIGN, "Clocks of Kim").await;
    assert_eq!(world.items().iter().map(|item| item.revision).collect::<Vec<_>>(), [2, 2]);
    assert_eq!(matches(&world), [""; 0]);
    show(&mut world, ARRIVES, "Clocks of Kim").await;
    assert_eq!(matches(&world), ["still"], "the next edit is one");

    // Who was told of an item hears also then that its rule matches it no more, and again.
    let elsewhere = elsewhere.replace("localhost", "127.0.0.1");
    world.add_feed_elsewhere("ant", &format!("url = \"{elsewhere}\"\n{lines}"));
    show(&mut world, RAIN, "Rain").await;
    assert_eq!(matches(&world), ["still", "no-more"]);
    let elsewhere = elsewhere.replace("127.0.0.1", "localhost");
    world.add_feed_elsewhere("ant", &format!("url = \"{elsewhere}\"\n{lines}"));
    show(&mut world, SIGN, OTHER).await;
    assert_eq!(matches(&world), ["still", "no-more", "again"]);
}

#[tokio::test]
async fn an_edit_of_what_joined_a_story_untold_is_told() {
    let mut world = world().await;
    world.add_feed("bee", "owner = \"ant\"\ninterval = \"5m\"\n");
    show(&mut world, ARRIVES).await;
    world.show("bee", &[&format!("b|{ARRIVES}")]);
    pass(&world, 5).await;
    assert_eq!(said(&world).len(), 1);
    assert_eq!((&*world.hits()[0].reason, &world.hits()[0].alert), ("joined", &None));
    world.show("bee", &[&format!("b|{SIGN}")]);
    pass(&world, 5).await;
    assert_eq!(said(&world)[1], format!("edited, still matches: {SIGN} (ant), before: {ARRIVES}"));
    let all = alerts(&world);
    assert_eq!(all[0]["correlationid"], all[1]["correlationid"]);
}

#[tokio::test]
async fn what_was_told_and_taken_back_is_told_and_counted_when_it_matches_again() {
    let mut world = world().await;
    show(&mut world, ARRIVES).await;
    let stories = |world: &World| {
        let mut stories = Vec::new();
        let each = |story: store::StoryRow| {
            stories.push((story.label, story.lineages));
            Ok(())
        };
        world.reader().stories(&ItemFilter::default(), world.clock.now(), each).unwrap();
        stories
    };
    let open = stories(&world);
    show(&mut world, RAIN).await;
    assert_eq!(stories(&world)[0].0, "withdrawn");
    show(&mut world, SIGN).await;
    assert_eq!(stories(&world), open);
    show(&mut world, ARRIVES).await;
    show(&mut world, RAIN).await;
    assert_eq!(matches(&world), ["no-more", "again", "still", "no-more"]);
    assert_eq!(alerts(&world).len(), 5);
}

#[tokio::test]
async fn what_waited_and_was_taken_back_waits_no_more_when_it_matches_again() {
    let mut world = world().await;
    show(&mut world, OTHER).await;
    let show = async |world: &mut World, title: &str| {
        world.show("ant", &[&format!("two|{title}"), &format!("one|{OTHER}")]);
        pass(world, 5).await;
    };
    show(&mut world, ARRIVES).await;
    assert_eq!(world.hits()[0].reason, "held");
    show(&mut world, RAIN).await;
    assert_eq!(world.hits()[0].reason, "withdrawn");
    show(&mut world, SIGN).await;
    assert_eq!(world.hits()[0].reason, "restored");
    assert_eq!(matches(&world), ["no-more", "again"]);
    pass(&world, 180).await;
    assert_eq!(said(&world).len(), 3, "no bulletin tells it once more");
}

#[tokio::test]
async fn what_was_left_out_and_taken_back_waits_for_nothing_when_it_matches_again() {
    let mut world = world().await;
    show(&mut world, OTHER).await;
    world.show("ant", &[&format!("two|{ARRIVES}"), &format!("one|{OTHER}")]);
    pass(&world, 5).await;
    let show = async |world: &mut World, title: &str| {
        let others = ["three|Kim dismisses a general", "four|Floods near Sinuiju, says Kim"];
        let [three, four] = others;
        let other = format!("one|{OTHER}");
        world.show("ant", &[three, four, &format!("two|{title}"), &other]);
        pass(world, 5).await;
    };
    show(&mut world, ARRIVES).await;
    pass(&world, 180).await;
    let reason = |world: &World| {
        let of_two = |hit: &&HitRow| hit.title.contains("Vostochny");
        world.hits().iter().find(of_two).unwrap().reason.clone()
    };
    assert_eq!(reason(&world), "left-out");
    show(&mut world, RAIN).await;
    assert_eq!(reason(&world), "withdrawn");
    show(&mut world, "Kim leaves Vostochny").await;
    assert_eq!(reason(&world), "restored");
    assert_eq!(matches(&world), ["no-more", "again"]);
}

#[tokio::test]
async fn an_edit_of_letters_case_and_space_is_told_to_nobody() {
    let mut world = world().await;
    show(&mut world, ARRIVES).await;
    show(&mut world, "KIM arrives  at Vostochny").await;
    assert_eq!((world.items()[0].revision, said(&world).len()), (2, 1));
    show(&mut world, "KIM arrives at Vostochny?").await;
    assert_eq!(said(&world).len(), 2);
}

const OFTEN: &str = "; edited so often that not every later edit is told";

/// The feed shows more texts of one item than are kept, none of which the rule matches.
async fn show_many_texts(world: &mut World) {
    for minute in 1..=MOST_TEXTS + 3 {
        show(world, &format!("Rain, live, minute {minute}")).await;
    }
}

#[tokio::test]
async fn a_text_that_changes_at_every_poll_is_told_24_times_and_then_once_a_day() {
    let mut world = world().await;
    for minute in 1..=MOST_TEXTS + 3 {
        show(&mut world, &format!("Kim, live, minute {minute}")).await;
    }
    let all = said(&world);
    assert_eq!(all.len(), MOST_TEXTS as usize);
    let (last, others) = all.split_last().unwrap();
    assert!(last.ends_with(&format!("before: Kim, live, minute 23{OFTEN}")), "{last}");
    assert!(others.iter().all(|said| !said.contains(OFTEN)));
    pass(&world, 24 * 60).await;
    for minute in 28..32 {
        show(&mut world, &format!("Kim, live, minute {minute}")).await;
    }
    let all = said(&world);
    assert_eq!(all.len(), MOST_TEXTS as usize + 1);
    assert!(all[24].ends_with(&format!("minute 28 (ant), before: Kim, live, minute 27{OFTEN}")));
    assert_eq!((&*world.items()[0].title, world.items()[0].revision), ("Kim, live, minute 31", 31));
}

#[tokio::test]
async fn an_item_is_read_and_told_to_a_rule_that_never_hit_it_however_many_texts_it_has_had() {
    for rule in [RULE.to_owned(), format!("{RULE}on_update = true\n")] {
        let mut world = world_with(&rule).await;
        show_many_texts(&mut world).await;
        show(&mut world, ARRIVES).await;
        assert!(said(&world)[0].starts_with(ARRIVES), "{:?}", said(&world));
        show(&mut world, RAIN).await;
        assert_eq!(matches(&world), ["no-more"], "{rule}");
    }
}

#[tokio::test]
async fn the_newest_24_texts_of_an_item_are_kept() {
    let mut world = world().await;
    show_many_texts(&mut world).await;
    let database = rusqlite::Connection::open(world.database()).unwrap();
    let kept = "SELECT min(title), count(*), max(revision) FROM revisions";
    let kept: (String, u32, u32) =
        database.query_row(kept, [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).unwrap();
    // One more is the item's text now.
    assert_eq!(kept, ("Rain, live, minute 10".to_owned(), MOST_TEXTS - 1, MOST_TEXTS + 2));
    assert_eq!(world.items()[0].title, "Rain, live, minute 27");
}

#[tokio::test]
async fn after_many_texts_another_headline_is_told_as_it_may_be_another_item() {
    let mut world = world().await;
    show_many_texts(&mut world).await;
    const KIMS: [&str; 4] = ["Kim 1", "Kim two", "Kim 3", "Kim 4"];
    for title in KIMS {
        show(&mut world, title).await;
    }
    let told: Vec<String> = said(&world)[1..].to_vec();
    let still =
        |now: &str, was: &str| format!("edited, still matches: {now} (ant), before: {was}{OFTEN}");
    // Another figure makes no other headline.
    assert_eq!(told, [still("Kim two", "Kim 1"), still("Kim 3", "Kim two")]);
    for name in ('a'..='z').chain('A'..='Z') {
        show(&mut world, &format!("Kim x{name}")).await;
        show(&mut world, &format!("Kim y{name}")).await;
    }
    assert_eq!(said(&world).len(), 1 + MOST_IN_A_DAY);
}

#[tokio::test]
async fn after_many_texts_it_is_told_that_a_rule_matches_no_more_and_again() {
    let mut world = world().await;
    show_many_texts(&mut world).await;
    for title in [ARRIVES, SIGN, OTHER, RAIN, SIGN, ARRIVES, RAIN] {
        show(&mut world, title).await;
    }
    assert_eq!(matches(&world), ["still", "still", "no-more", "again", "still", "no-more"]);
    for _ in 0..30 {
        show(&mut world, ARRIVES).await;
        show(&mut world, RAIN).await;
    }
    assert_eq!(matches(&world).len(), MOST_IN_A_DAY);
    assert_eq!(matches(&world).last().unwrap(), "no-more");
    pass(&world, 24 * 60).await;
    show(&mut world, ARRIVES).await;
    assert_eq!(matches(&world).last().unwrap(), "again");
}

#[tokio::test]
async fn an_edit_away_from_a_rule_that_was_changed_is_told_where_it_matched_the_text_before() {
    for on_update in ["", "on_update = true\n"] {
        let mut world = world_with(&format!("{RULE}{on_update}")).await;
        show(&mut world, ARRIVES).await;
        // The rule changes and the item does not, then the item.
        world.set_rules(&format!("{}{on_update}", RULE.replace("'Kim'", "'Kim OR Putin'")));
        pass(&world, 5).await;
        assert_eq!(said(&world).len(), 1);
        show(&mut world, RAIN).await;
        assert_eq!(matches(&world), ["no-more"], "{on_update}");
        show(&mut world, "Rain again").await;
        assert_eq!(matches(&world), ["no-more"], "{on_update}");
    }
}

#[tokio::test]
async fn what_a_rule_that_was_changed_did_not_match_before_an_edit_is_no_news_of_the_edit() {
    let mut world = world().await;
    show(&mut world, ARRIVES).await;
    world.set_rules(&format!("{}on_update = true\n", RULE.replace("'Kim'", "'Putin'")));
    show(&mut world, RAIN).await;
    assert_eq!(said(&world).len(), 1);
    assert_eq!(matches(&world), [""; 0]);
}

#[tokio::test]
async fn an_edit_of_what_is_too_old_for_the_rule_is_told_to_nobody() {
    let mut world = world_with(&format!("{RULE}on_update = true\nmax_age = \"1h\"\n")).await;
    show(&mut world, ARRIVES).await;
    let old = world.document(&[&format!("one|{SIGN}")]);
    world.server.set(&path("ant"), Answer::Feed { document: old, version: 9 });
    pass(&world, 90).await;
    assert_eq!((world.items()[0].revision, said(&world).len()), (2, 1));
}

#[tokio::test]
async fn the_message_of_an_edit_under_the_same_headline_quotes_what_is_new() {
    let mut world = world().await;
    show(&mut world, ARRIVES).await;
    let document = world.document(&[&format!("one|{ARRIVES}")]);
    let summary = "<description>They sign a pact.</description></item>";
    let document = document.replace("</item>", summary);
    world.server.set(&path("ant"), Answer::Feed { document, version: 9 });
    pass(&world, 5).await;
    let edit = &alerts(&world)[1];
    assert_eq!(
        text(edit, "/data/message"),
        format!("[high] Kim: edited, still matches: {ARRIVES} (ant), new: “They sign a pact.”")
    );
    assert_eq!(text(edit, "/data/revised/text"), "They sign a pact.");
}

#[tokio::test]
async fn a_feed_that_shows_one_item_after_the_other_under_one_link_is_heard() {
    let world = world().await;
    for (version, title) in (5..).zip([ARRIVES, RAIN, SIGN, "Kim leaves"]) {
        let link = "<link>https://news.example/now</link>";
        let document = format!(
            "<rss version=\"2.0\"><channel><title>Now</title>{link}<description/>\
             <item><title>{title}</title>{link}</item></channel></rss>"
        );
        world.server.set(&path("ant"), Answer::Feed { document, version });
        pass(&world, 5).await;
    }
    assert_eq!(world.items().len(), 1);
    assert_eq!(matches(&world), ["no-more", "again", "still"]);
}

#[tokio::test]
async fn a_silence_keeps_edits_from_people_and_a_digest_holds_them() {
    let mut world = world().await;
    world.edit_main(
        "[poll]",
        "[[route]]\nreceivers = [\"hook\"]\nmode = \"digest\"\ndigest_at = [\"12:00\"]\n[poll]",
    );
    show(&mut world, ARRIVES).await;
    show(&mut world, SIGN).await;
    let digest = Some("2023-09-18T12:00:00Z".parse().unwrap());
    let digests = |world: &World| world.deliveries().iter().map(|row| row.digest).collect();
    let all: Vec<_> = digests(&world);
    assert_eq!(all, [digest, digest]);
    let matcher = Matcher { rule: vec!["kim".to_owned()], ..Matcher::default() };
    let until = world.clock.now() + SignedDuration::from_hours(1);
    let silence = NewSilence { matcher, until, author: "anna".to_owned(), why: "known".to_owned() };
    store::add_silence(&world.database(), &silence, world.clock.now()).unwrap();
    show(&mut world, "Kim leaves").await;
    assert_eq!(text(&alerts(&world)[2], "/data/silenced_by"), "1");
    assert_eq!(world.deliveries().len(), 2);
}
