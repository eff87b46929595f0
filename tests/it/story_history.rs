//! What the command line says of stories, and what people change of them.

use jiff::SignedDuration;
use newswatch::store::{self, HitRow, StoryEdited, StoryEditor, StoryHistory, StoryRefusal};
use serde_json::{Value, json};

use super::program::Demo;
use super::world::{HOOK, World, path};

const MUSEUM: &str = "[entity.museum]\ntitle = \"Museum\"\nnames.en = [\"museum\"]\n[[rule]]\nid = \"museum\"\n\
                      title = \"Museums\"\nseverity = \"high\"\nquery = '@museum'\n";
const RULES: &str = "corroborate = { origins = 3 }\n[[rule]]\nid = \"ships\"\ntitle = \"Ships\"\n\
                     query = 'ships'\nstory = \"off\"\n";
const CLOCKS: &str = "Museum of clocks robbed at night";
const BREAD: &str = "Bread museum guards walk out";
const SHIPS: &str = "Delta opens museum of ships";
const SHIPS_TOO: &str = "Museum of ships opens its doors in Delta";

/// A world in which a robbery was told and the opening of a museum waits.
async fn busy() -> World {
    let mut world = World::new().await;
    world.set_rules(&[MUSEUM, RULES].concat());
    for owner in ["ant", "bee"] {
        world.add_feed(owner, &format!("owner = \"{owner}\"\ninterval = \"5m\"\n"));
    }
    for title in [CLOCKS, SHIPS] {
        publish(&mut world, "ant", title).await;
    }
    world
}

async fn publish(world: &mut World, feed: &str, title: &str) {
    world.publish(feed, title);
    pass(world, 5).await;
}

async fn pass(world: &World, minutes: i64) {
    world.advance(SignedDuration::from_mins(minutes));
    world.tick().await;
}

/// The hit of a rule on the item with this title.
#[track_caller]
fn hit(world: &World, rule: &str, title: &str) -> HitRow {
    let found = world.hits().into_iter().find(|hit| hit.rule == rule && hit.title == title);
    found.unwrap_or_else(|| panic!("no hit of {rule} on {title:?}"))
}

/// The story of the museum rule that has this report.
#[track_caller]
fn story(world: &World, title: &str) -> String {
    hit(world, "museum", title).story.unwrap()
}

#[track_caller]
fn history(world: &World, id: &str) -> StoryHistory {
    world.reader().story_history(id, world.clock.now()).unwrap().unwrap()
}

fn anna() -> StoryEditor {
    StoryEditor { author: "anna".to_owned(), why: "one event".to_owned() }
}

fn merge(world: &World, story: &str, into: &str) -> Result<StoryEdited, StoryRefusal> {
    let (config, now) = (world.config(), world.clock.now());
    let rules = config.rules.rules();
    store::merge_stories(&world.database(), rules, story, into, &anna(), now).unwrap()
}

fn split(world: &World, story: &str, items: &[String]) -> Result<StoryEdited, StoryRefusal> {
    let (config, now) = (world.config(), world.clock.now());
    let rules = config.rules.rules();
    store::split_story(&world.database(), rules, story, items, &anna(), now).unwrap()
}

#[tokio::test]
async fn a_history_says_of_each_report_how_it_joined_why_it_was_told_and_where_that_went() {
    let mut world = busy().await;
    let id = story(&world, SHIPS);
    let before = history(&world, &id);
    assert_eq!((before.story.told, before.story.waits_since), (None, Some(before.reports[0].at)));
    assert_eq!(before.reports[0].why, "waits for another outlet or the rule's next bulletin");
    publish(&mut world, "bee", "Mayor denies that museum of ships opens in Delta").await;
    let after = history(&world, &id);
    assert_eq!(after.story.told, Some(world.clock.now()));
    assert_eq!(
        (after.story.label.as_str(), after.story.claim_cues["denied"]),
        ("multi-origin(2)", 1)
    );
    let [opened, joined] = &after.reports[..] else { panic!("{after:#?}") };
    assert_eq!((opened.reason.as_str(), &opened.joined["how"]), ("held", &json!("opened")));
    assert_eq!(opened.alert, None);
    assert_eq!((joined.reason.as_str(), &joined.joined["how"]), ("told-outlets", &json!("alike")));
    let alert = joined.alert.as_ref().unwrap();
    assert_eq!(alert.kind, "newswatch.story.opened");
    let [sent] = &alert.deliveries[..] else { panic!("{alert:#?}") };
    assert_eq!((sent.receiver.as_str(), sent.state.as_str()), ("hook", "sent"));
    assert_eq!(after.quotes[0].outlet, "bee".into());
    assert_eq!(after.previous.unwrap().title.as_deref(), Some(CLOCKS));
}

#[tokio::test]
async fn the_words_that_a_report_shares_with_its_story_are_shown_as_it_has_them() {
    let mut world = busy().await;
    publish(&mut world, "bee", SHIPS_TOO).await;
    let reports = history(&world, &story(&world, SHIPS)).reports;
    let shared = reports[1].joined["shared"].as_array().unwrap().clone();
    assert!(!shared.is_empty());
    for word in shared {
        let word = word.as_str().unwrap();
        assert!(SHIPS_TOO.split(' ').any(|written| written == word), "{word}");
    }
}

#[tokio::test]
async fn a_running_daemon_goes_on_with_stories_as_they_were_merged() {
    let mut world = busy().await;
    let (clocks, ships) = (story(&world, CLOCKS), story(&world, SHIPS));
    let daemon = world.start();
    let poll = async |world: &mut World, feed: &str, title: &str| {
        world.publish(feed, title);
        // What a poll brought is stored before the feed is asked again.
        for _ in 0..2 {
            let asked = world.server.requests(&path(feed)).len();
            world.advance(SignedDuration::from_mins(6));
            world.server.asked(&path(feed), asked + 1).await;
        }
    };
    poll(&mut world, "ant", BREAD).await;
    let merged = merge(&world, &ships, &clocks).unwrap();
    assert_eq!(merged, StoryEdited { story: clocks.clone(), moved: 1 });
    let told = world.stored_alerts();
    poll(&mut world, "bee", SHIPS_TOO).await;
    daemon.stop().await;
    let joined = hit(&world, "museum", SHIPS_TOO);
    assert_eq!((joined.reason.as_str(), joined.story), ("joined", Some(clocks.clone())));
    assert_eq!(world.stored_alerts(), told + 1, "the other rule tells every hit");
    let history = history(&world, &clocks);
    assert_eq!((history.story.items, history.story.outlets), (3, 2));
    assert_eq!(history.edits[0].story, ships);
    assert!(world.reader().story_history(&ships, world.clock.now()).unwrap().is_none());
}

#[tokio::test]
async fn what_waited_when_its_story_was_told_waits_again_when_it_is_split_off() {
    let world = busy().await;
    let (clocks, ships) = (story(&world, CLOCKS), story(&world, SHIPS));
    merge(&world, &ships, &clocks).unwrap();
    pass(&world, 150).await;
    assert_eq!(hit(&world, "museum", SHIPS).reason, "held", "its story was told");
    let item = hit(&world, "museum", SHIPS).item;
    let new = split(&world, &clocks, &[item]).unwrap().story;
    let (left, gone) = (history(&world, &clocks), history(&world, &new));
    assert_eq!((left.reports.len(), gone.reports.len()), (1, 1));
    assert!(left.story.told.is_some() && gone.story.waits_since.is_some());
    assert_eq!(gone.story.previous_id.as_deref(), Some(&*clocks));
    let before = world.server.requests(HOOK).len();
    pass(&world, 1).await;
    assert_eq!(hit(&world, "museum", SHIPS).reason, "told-bulletin");
    assert_eq!(world.server.requests(HOOK).len(), before + 1);
    assert_eq!(hit(&world, "museum", CLOCKS).reason, "told-quiet", "and is not told again");
}

#[tokio::test]
async fn what_was_told_is_not_told_again_after_a_split() {
    let mut world = busy().await;
    publish(&mut world, "bee", SHIPS_TOO).await;
    let ships = story(&world, SHIPS);
    let item = hit(&world, "museum", SHIPS_TOO).item;
    let new = split(&world, &ships, &[item]).unwrap().story;
    let told = |id: &str| history(&world, id).story.told;
    assert!(told(&new).is_some());
    assert_eq!(told(&ships), None, "its own report waited");
    assert!(history(&world, &ships).story.waits_since.is_some());
}

#[tokio::test]
async fn stories_are_left_alone_where_it_cannot_be_told_what_they_would_be() {
    let mut world = busy().await;
    publish(&mut world, "bee", SHIPS_TOO).await;
    let (clocks, ships) = (story(&world, CLOCKS), story(&world, SHIPS));
    let other = hit(&world, "ships", SHIPS).story.unwrap();
    let items = |title| vec![hit(&world, "museum", title).item];
    assert_eq!(merge(&world, "story-x", &ships), Err(StoryRefusal::Unknown("story-x".to_owned())));
    assert_eq!(merge(&world, &ships, &ships), Err(StoryRefusal::Same));
    let rules = merge(&world, &other, &ships).unwrap_err();
    assert!(rules.to_string().contains("of different rules stay apart"), "{rules}");
    let missing = split(&world, &ships, &items(CLOCKS)).unwrap_err();
    assert_eq!(missing.to_string(), format!("{ships} has no report of item {}", items(CLOCKS)[0]));
    let all = [items(SHIPS), items(SHIPS_TOO)].concat();
    assert_eq!(split(&world, &ships, &all), Err(StoryRefusal::NothingLeft(ships.clone())));
    let database = rusqlite::Connection::open(world.database()).unwrap();
    database.execute("DELETE FROM reports WHERE item = ?1", [&items(SHIPS)[0]]).unwrap();
    for refusal in [merge(&world, &ships, &clocks), split(&world, &ships, &items(SHIPS_TOO))] {
        let (story, reports, kept) = (ships.clone(), 2, 1);
        assert_eq!(refusal, Err(StoryRefusal::NotKept { story, reports, kept }));
    }
    assert_eq!((history(&world, &ships).edits, history(&world, &ships).reports.len()), (vec![], 2));
}

/// The demonstration with museums, where a story of three reports and one of a robbery were told.
fn museums() -> Demo {
    let demo = Demo::new();
    let mut feeds = String::new();
    for (owner, camp) in [("ant", "private:xx"), ("bee", "state:xx"), ("cat", "private:xx")] {
        feeds += &format!(
            "[[feed]]\nname = \"{owner}\"\nurl = \"file:../{owner}.json\"\nowner = \"{owner}\"\n\
             alignment = \"{camp}\"\nlang = \"en\"\n"
        );
        show(&demo, owner, &[]);
    }
    std::fs::write(demo.path("feeds/demo.toml"), feeds).unwrap();
    std::fs::write(demo.path("rules/museum.toml"), MUSEUM).unwrap();
    for (owner, items) in [
        ("ant", &[("a1", CLOCKS)][..]),
        ("ant", &[("a2", SHIPS), ("a1", CLOCKS)]),
        ("bee", &[("b1", "Mayor denies that museum of ships opens in Delta")]),
        ("cat", &[("a2", "Delta: Museum of ships opens")]),
    ] {
        show(&demo, owner, items);
        demo.out(0, &["run", "--once"]);
    }
    demo
}

/// Has a feed show items, each with its place at a common publisher, and its title.
fn show(demo: &Demo, feed: &str, items: &[(&str, &str)]) {
    let items: Vec<Value> = items
        .iter()
        .map(|(id, title)| {
            let link = format!("https://news.example/{id}");
            json!({"id": format!("{feed}/{id}"), "url": link, "title": title, "content_text": ""})
        })
        .collect();
    let document =
        json!({"version": "https://jsonfeed.org/version/1.1", "title": feed, "items": items});
    std::fs::write(demo.path(&format!("{feed}.json")), document.to_string()).unwrap();
}

#[track_caller]
fn list(demo: &Demo, arguments: &[&str]) -> Vec<Value> {
    let out = demo.out(0, &[arguments, &["--format", "jsonl"]].concat());
    out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[tokio::test]
async fn a_headline_that_was_corrected_and_still_matches_is_shown_with_the_old_one() {
    let mut world = busy().await;
    let corrected = "CORRECTION: museum of clocks was NOT robbed at night";
    world.show("ant", &[&format!("{CLOCKS}|{corrected}"), SHIPS]);
    pass(&world, 5).await;
    let report = &history(&world, &story(&world, CLOCKS)).reports[0];
    assert_eq!((&*report.title, report.title_now.as_deref()), (CLOCKS, Some(corrected)));
    let before = |report: &store::ReportRow| {
        let titles = report.titles_before.iter();
        titles.map(|before| (before.title.clone(), before.until)).collect::<Vec<_>>()
    };
    let edited_at = world.clock.now();
    assert_eq!(before(report), [(CLOCKS.to_owned(), edited_at)]);
    assert_eq!(before(&history(&world, &story(&world, SHIPS)).reports[0]), []);
    world.show("ant", &[&format!("{CLOCKS}|{corrected}!"), SHIPS]);
    pass(&world, 5).await;
    world.show("ant", &[&format!("{CLOCKS}|{CLOCKS}"), SHIPS]);
    pass(&world, 5).await;
    let report = &history(&world, &story(&world, CLOCKS)).reports[0];
    let titles: Vec<String> = before(report).into_iter().map(|(title, _)| title).collect();
    assert_eq!(titles, [CLOCKS, corrected, &format!("{corrected}!")]);
    world.show("ant", &[&format!("{CLOCKS}|{corrected}"), SHIPS]);
    pass(&world, 5).await;
    assert_eq!(hit(&world, "museum", CLOCKS).title_now.as_deref(), Some(corrected));
    assert_eq!(hit(&world, "museum", SHIPS).title_now, None);
}

#[tokio::test]
async fn a_story_that_was_told_and_taken_back_says_so_and_its_headline_is_the_first_that_stands() {
    let mut world = busy().await;
    let id = story(&world, CLOCKS);
    let too = "Night robbers take clocks of museum";
    publish(&mut world, "bee", too).await;
    assert_eq!(story(&world, too), id);
    let told = history(&world, &id).story.told;
    world.show("ant", &[&format!("{CLOCKS}|Correction: a bank was robbed"), SHIPS]);
    pass(&world, 5).await;
    assert_eq!(history(&world, &id).story.title.as_deref(), Some(too));
    world.show("bee", &[&format!("{too}|Correction: a bank was robbed")]);
    pass(&world, 5).await;
    let gone = history(&world, &id).story;
    assert!(gone.is_withdrawn());
    assert_eq!((gone.told, gone.title.as_deref()), (told, Some(CLOCKS)));
}

#[test]
fn lists_say_what_was_corrected_and_what_was_taken_back() {
    let demo = museums();
    let corrected = "Museum of clocks NOT robbed at night";
    show(&demo, "ant", &[("a2", SHIPS), ("a1", corrected)]);
    demo.out(0, &["run", "--once"]);
    let id = list(&demo, &["stories"])[1]["id"].as_str().unwrap().to_owned();
    let shown = demo.out(0, &["stories", "show", &id]);
    assert!(shown.contains(&format!("\n    its headline now: {corrected}\n")), "{shown}");
    let before = shown.lines().find(|line| line.starts_with("    its headline until "));
    assert!(before.is_some_and(|line| line.ends_with(&format!(" UTC: {CLOCKS}"))), "{shown}");
    let alert = list(&demo, &["alerts"]).pop().unwrap()["id"].as_str().unwrap().to_owned();
    let shown = demo.out(0, &["alerts", "show", &alert]);
    assert!(shown.contains(&format!("\n      its headline now: {corrected}\n")), "{shown}");
    show(&demo, "ant", &[("a2", SHIPS), ("a1", "Bank robbed at night")]);
    demo.out(0, &["run", "--once"]);
    let shown = demo.out(0, &["stories", "show", &id]);
    assert!(shown.starts_with(&format!("[high] rule museum: {CLOCKS} (withdrawn)\n")), "{shown}");
    assert!(shown.contains("; its every report was taken back since\n"), "{shown}");
    let table = demo.out(0, &["stories", "--format", "table"]);
    let row = table.lines().find(|line| line.contains(&id)).unwrap();
    assert!(row.contains(", withdrawn") && row.contains(&format!("{CLOCKS} (withdrawn)")), "{row}");
}

#[test]
fn items_have_the_texts_that_they_had_before() {
    let demo = museums();
    assert!(list(&demo, &["items"]).iter().all(|item| item["revisions"] == json!([])));
    show(&demo, "ant", &[("a2", SHIPS), ("a1", "Museum of clocks NOT robbed")]);
    demo.out(0, &["run", "--once"]);
    show(&demo, "ant", &[("a2", SHIPS), ("a1", "Bank robbed")]);
    demo.out(0, &["run", "--once"]);
    let items = list(&demo, &["items", "--search", "Bank robbed"]);
    let [item] = &items[..] else { panic!("{items:?}") };
    let before = item["revisions"].as_array().unwrap();
    let titles: Vec<_> = before.iter().map(|before| before["title"].as_str().unwrap()).collect();
    assert_eq!(titles, [CLOCKS, "Museum of clocks NOT robbed"]);
    let until: Vec<_> = before.iter().map(|before| before["until"].as_str().unwrap()).collect();
    assert!(item["first_seen"].as_str().unwrap() < until[0] && until[0] < until[1], "{item}");
    assert_eq!(before[0]["summary"], "");
    let csv = demo.out(0, &["items", "--search", "Bank robbed", "--format", "csv"]);
    assert!(csv.lines().next().unwrap().ends_with(",flags,revisions"), "{csv}");
    assert!(csv.contains("NOT robbed"), "{csv}");
}

#[test]
fn stories_are_listed_newest_first_and_filtered() {
    let demo = museums();
    let stories = list(&demo, &["stories"]);
    let titles: Vec<&Value> = stories.iter().map(|story| &story["title"]).collect();
    assert_eq!(titles, [SHIPS, CLOCKS]);
    let ships = &stories[0];
    for (field, value) in [
        ("rule", json!("museum")),
        ("state", json!("open")),
        ("severity", json!("high")),
        ("items", json!(3)),
        ("lineages", json!(2)),
        ("outlets", json!(3)),
        ("label", json!("cross-alignment(2)")),
        ("languages", json!(["en"])),
        ("claim_cues", json!({"denied": 1})),
        ("previous_id", stories[1]["id"].clone()),
        ("thread", stories[1]["thread"].clone()),
    ] {
        assert_eq!(ships[field], value, "{field} of {ships:#}");
    }
    assert_eq!(ships["origins"][1]["id"], "bee");
    assert!(ships["told"].is_string() && ships["first_seen"].is_string(), "{ships:#}");
    for only in [["--limit", "1"], ["--search", "MAYOR DENIES"], ["--feed", "cat"]] {
        let found = list(&demo, &["stories", only[0], only[1]]);
        assert_eq!(found, stories[..1], "{only:?}");
    }
    assert_eq!(list(&demo, &["stories", "--severity", "low"]).len(), 0);
    assert_eq!(list(&demo, &["stories", "--until", "2020-01-01"]).len(), 0);
    assert_eq!(list(&demo, &["stories", "--since", "1h", "--rule", "museum"]).len(), 2);
    let table = demo.out(0, &["stories", "--format", "table"]);
    assert!(table.contains("cross-alignment(2)") && table.contains(SHIPS), "{table}");
    let hits = list(&demo, &["hits"]);
    assert_eq!(hits[0]["story"], ships["id"], "a hit names its story");
}

#[test]
fn a_story_is_shown_with_who_says_so_who_denies_and_what_became_of_each_report() {
    let demo = museums();
    let stories = list(&demo, &["stories"]);
    let id = stories[0]["id"].as_str().unwrap();
    let shown = demo.out(0, &["stories", "show", &id[id.len() - 12..]]);
    for part in [
        "[high] rule museum: Delta opens museum of ships\n",
        "3 outlets, 2 origins (ant; bee denies); cross-alignment(2)",
        "\nwho reports it\n  ant [private:xx], since 20",
        "\n  bee [state:xx], since 20",
        "\nwho denies, by words of denial, since 20",
        "bee: “Mayor denies that museum of ships opens in Delta”",
        "claim cues: denied 1 (lexical cues, not a judgement)",
        "    opened a story\n    not told by itself: it waits, or waited, for another outlet",
        "    reads like its story: 0.",
        "\n    told at once: another outlet reports it too\n",
        "    story.opened, alert 0",
        "sent to log 20",
        "sent to terminal 20",
        "    copies the text of ant (100 % of the shorter one)\n    not told: it copies a text",
        "\nbefore it in its thread\n  story-",
        "    https://news.example/b1\n",
    ] {
        assert!(shown.contains(part), "no {part:?} in {shown}");
    }
    for word in ["verified", "confirmed", "true"] {
        assert!(!shown.to_lowercase().contains(word), "{word} in {shown}");
    }
    assert!(shown.contains(", by ") && !shown.contains("headline now"), "{shown}");
    let json: Value =
        serde_json::from_str(&demo.out(0, &["stories", "show", id, "--json"])).unwrap();
    assert_eq!((&json["id"], &json["items"]), (&stories[0]["id"], &json!(3)));
    let reasons: Vec<&Value> =
        json["reports"].as_array().unwrap().iter().map(|report| &report["reason"]).collect();
    assert_eq!(reasons, ["held", "told-outlets", "copy"]);
    assert_eq!(json["reports"][1]["alert"]["deliveries"][0]["state"], "sent");
    assert_eq!(json["previous"]["id"], stories[1]["id"]);
    demo.out(1, &["stories", "show", "no-such-story"]);
    demo.out(1, &["stories", "show", "story-"]);
}

#[test]
fn an_alert_is_shown_with_its_story_in_short() {
    let demo = museums();
    let alert = &list(&demo, &["alerts"])[0];
    let shown = demo.out(0, &["alerts", "show", alert["id"].as_str().unwrap()]);
    for part in [
        "3 reports, 3 outlets, 2 origins (ant; bee denies); cross-alignment(2)",
        "UTC  ant: Delta opens museum of ships\n      not told by itself",
        "  > 20",
        "      told at once: another outlet reports it too\n      sent to log 20",
        "      not told: it copies a text",
    ] {
        assert!(shown.contains(part), "no {part:?} in {shown}");
    }
}

#[test]
fn stories_are_merged_and_split_by_hand_and_that_is_shown() {
    let demo = museums();
    let stories = list(&demo, &["stories"]);
    let [ships, clocks] = [0, 1].map(|place| stories[place]["id"].as_str().unwrap());
    let why = ["--author", "anna", "--why", "one\u{1b} event"];
    demo.out(2, &["stories", "merge", clocks, ships]);
    demo.out(1, &[&["stories", "merge", clocks, "no-such-story"], &why[..]].concat());
    demo.out(1, &[&["stories", "merge", clocks, clocks], &why[..]].concat());
    let short = &clocks[clocks.len() - 12..];
    demo.out(0, &[&["stories", "merge", short, ships], &why[..]].concat());
    assert_eq!(list(&demo, &["stories"]).len(), 1);
    // Whoever has the old id still finds the story.
    let shown = demo.out(0, &["stories", "show", clocks]);
    assert!(
        shown.contains(&format!("anna merged {clocks} into this one, 1 report: one\u{fffd} event"))
    );
    assert!(shown.starts_with("[high] rule museum: Museum of clocks robbed at night\n"), "{shown}");
    demo.out(1, &[&["stories", "split", ships, "no-such-item"], &why[..]].concat());
    let hits = list(&demo, &["hits", "--search", "clocks"]);
    let item = hits[0]["item"].as_str().unwrap();
    let new =
        demo.out(0, &[&["stories", "split", ships, &item[..item.len() - 2]], &why[..]].concat());
    let new = new.trim();
    assert_eq!(list(&demo, &["hits", "--search", "clocks"])[0]["story"], new);
    let shown = demo.out(0, &["stories", "show", new]);
    assert!(shown.contains(&format!("anna split this one off {ships}, 1 report: one")), "{shown}");
    assert!(shown.contains("last told 20"), "{shown}");
    let left = demo.out(0, &["stories", "show", ships]);
    assert!(left.contains(&format!("anna split 1 report off, {new}: one")), "{left}");
    // Nothing is told of it.
    let alerts = list(&demo, &["alerts"]).len();
    demo.out(0, &["run", "--once"]);
    assert_eq!(list(&demo, &["alerts"]).len(), alerts);
}
