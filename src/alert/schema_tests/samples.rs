//! Records as the code makes them: of every type, plain, and with the worst texts there are.

use std::sync::{Arc, LazyLock};

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::json_of;
use crate::alert::decide::Reason;
use crate::alert::operator::tests::config;
use crate::alert::operator::{self, Event, Look, Refusal, Summary};
use crate::alert::record::tests::feed;
use crate::alert::record::{AlertRecord, HitFacts, hit_alert};
use crate::alert::revision::{Edit, Matches, revised};
use crate::alert::silence::{Headline, Held, HeldRule, MOST_HEADLINES, Matcher, Silence, summary};
use crate::alert::story::{SurgeInfo, surge, tell};
use crate::config::Feed;
use crate::hit::{Match, Severity, Span};
use crate::item::{Field, Item, ItemKey, ItemSource};
use crate::poll::FailureKind;
use crate::rules::Rule;
use crate::schedule::trouble::Trouble;
use crate::schedule::{FeedState, State};
use crate::story::desk::{Kind, Line, Publisher, Report, Story};
use crate::story::{Desk, Reading};

const SEVERITIES: [Severity; 4] =
    [Severity::Low, Severity::Medium, Severity::High, Severity::Critical];
/// Cues of each class, in sentences about one thing.
const CUES: [&str; 10] = [
    "denied",
    "reportedly",
    "confirmed",
    "planned",
    "said",
    "not denied",
    "not reportedly",
    "not confirmed",
    "not planned",
    "not said",
];

fn now() -> Timestamp {
    Timestamp::from_second(1_700_000_000).unwrap()
}

fn ago(hours: i64) -> Timestamp {
    now() - SignedDuration::from_hours(hours)
}

/// Two megabytes of what no receiver wants to see.
fn hostile() -> String {
    "\u{0}\u{1b}[31m\u{202e}<b>@everyone</b>\r\n\u{7}\"\\王\u{1f600}".repeat(60_000)
}

fn rule(severity: Severity) -> Rule {
    Rule {
        id: "arms".into(),
        title: "Arms".into(),
        severity,
        tags: vec!["dprk".to_owned(), "arms".to_owned()].into(),
        references: vec!["https://example.org/arms".to_owned()].into(),
        version: crate::rules::RuleVersion::default(),
        max_age: None,
        notify: Box::default(),
        telling: crate::rules::Telling::default(),
    }
}

/// An item with all that an item can have, its texts and names as the test wants them.
fn item(title: &str, text: &str) -> Item {
    let mut item = Item::titled(ItemKey::of("guid", &[title]), title);
    item.id = Some(name(text));
    item.link = Some(text.to_owned());
    item.lang = Some("en".to_owned());
    item.published = Some(ago(1));
    item.source = Some(ItemSource { title: Some(name(text)), url: None });
    item
}

/// As much of a text as the reading of feeds and of the configuration lets through as a name.
fn name(text: &str) -> String {
    text.chars().take(256).collect()
}

fn publisher(text: &str) -> Feed {
    Feed { owner: Some(name(text)), alignment: Some("state:ru".to_owned()), ..feed() }
}

/// Words that matched, in every field of an item, and more than a record shows.
fn spans(text: &str) -> Vec<Span> {
    let span = |(start, field)| Span {
        field,
        start,
        end: start + 5,
        text: text.to_owned(),
        term: "@delta".into(),
        alias: Some("ru:Дельта".into()),
    };
    (0..5).flat_map(|start| Field::ALL.map(|field| (start, field))).map(span).collect()
}

fn found(severity: Severity, spans: Vec<Span>) -> Match {
    Match { rule: 0, severity, spans }
}

fn hit_of(item: &Item, severity: Severity, text: &str) -> AlertRecord {
    let (rule, feed) = (rule(severity), publisher(text));
    let mut record = hit_alert(&HitFacts {
        rule: &rule,
        item,
        revision: 1,
        feed: &feed,
        feed_title: Some(text),
        baseline: false,
        found: &found(severity, spans(text)),
        now: now(),
        instance: "test",
    });
    // As the store completes it.
    record.sequence = Some(format!("{:016}", 4711));
    record
}

/// The record of a hit, before it is part of a story.
pub(super) fn hit(title: &str) -> AlertRecord {
    hit_of(&item(title, "Example"), Severity::High, "Example")
}

/// A report about one thing, of an outlet, with one of the cues.
fn report(number: usize, outlet: &str, severity: Severity, long: &str) -> (Item, Report) {
    let cue = CUES[number % CUES.len()];
    let mut item = item(&format!("Delta {long} ministers {cue} grain treaty"), outlet);
    item.key = ItemKey::of("guid", &[outlet]);
    item.lang = Some(format!("l{}{long}", number % 20));
    let mut spans = spans("Delta");
    spans.extend((0..40).map(|entity| Span {
        field: Field::Title,
        start: 0,
        end: 5,
        text: "Delta".to_owned(),
        term: format!("@e{entity:02}{long}").into(),
        alias: None,
    }));
    let feed = publisher(outlet);
    let reading = Arc::new(Reading::of(&item, None));
    let publisher = Publisher { feed: "example", entry: Some(&feed) };
    let key = format!("example/{}", item.key);
    let found = found(severity, spans);
    let report = Report::of(&rule(severity), &found, (&key, &item), publisher, reading);
    (item, report)
}

/// A story of so many reports, whose cues begin with the first ones or with those after them, and
/// the last of the reports.
fn story(reports: usize, severity: Severity, skip: usize, long: &str) -> (Item, Story) {
    let mut desk = Desk::default();
    let mut last = None;
    for number in skip..skip + reports {
        let outlet = format!("outlet {number} {long}");
        let (item, report) = report(number, &outlet, severity, long);
        let taken = desk.take(&report, now());
        last = Some((item, taken.story));
    }
    let (item, id) = last.unwrap();
    let story = desk.story("arms", &id).unwrap().clone();
    assert_eq!(story.items, reports, "the reports are of one story");
    (item, story)
}

fn told(reason: &Reason) -> bool {
    *reason == Reason::FirstHit || reason.as_str().starts_with("told-")
}

/// The alerts of a rule: every kind, and every reason for which somebody is told.
fn rule_alerts() -> Vec<AlertRecord> {
    let mut records = vec![hit("News")];
    let bad = hostile();
    let long = "x".repeat(250);
    for (severity, reports, skip, text, long) in [
        (Severity::Low, 1, 0, "Example", ""),
        (Severity::Medium, 2, 0, "Example", ""),
        (Severity::High, 20, 5, "Example", ""),
        (Severity::Critical, 140, 0, bad.as_str(), long.as_str()),
    ] {
        let (mut item, mut story) = story(reports, severity, skip, long);
        if text != "Example" {
            item.title = text.to_owned();
            item.link = Some(text.to_owned());
            story.previous = Some("story-0".into());
        }
        let draft = hit_of(&item, severity, text);
        let reasons = Reason::ALL.into_iter().filter(told).map(|reason| (Kind::Opened, reason));
        let kinds = Kind::ALL.into_iter().map(|kind| (kind, Reason::ToldUpdate));
        for (kind, reason) in reasons.chain(kinds) {
            let key = draft.causationid.as_str().into();
            let line = Line { story: story.id.clone(), item: key, kind, reason };
            records.push(tell(draft.clone(), &story, &line, &name(text), 3, now()));
        }
    }
    let last = records.last().unwrap().clone();
    let figures = SurgeInfo { lineages: 30, expected: 2.5, p: 0.000_123_4, since: now() };
    for draft in [hit("News"), last.clone()] {
        records.push(surge(draft.clone(), figures.clone(), "Example", now()));
        let (matches, outlet) = (Matches::NoMore, name(&bad));
        let edit = Edit {
            matches,
            revision: 2,
            title: "Other news",
            was: None,
            text: None,
            outlet: "Example",
            story: None,
        };
        records.push(revised(draft.clone(), &edit, now()));
        let (was, text, story) = (Some(bad.as_str()), Some(bad.as_str()), Some("story-1"));
        for matches in [Matches::NoMore, Matches::Still, Matches::Again] {
            let edit = Edit { matches, title: &bad, was, text, outlet: &outlet, story, ..edit };
            records.push(revised(draft.clone(), &edit, now()));
        }
    }
    let mut last = last;
    last.data.item.as_mut().unwrap().copy_of = Some("example/0f".to_owned());
    last.data.silenced_by = Some("3".to_owned());
    last.data.acked_by = Some("anna".to_owned());
    last.data.acked_at = Some(now());
    last.data.acked_why = Some("told the desk".to_owned());
    records.push(last);
    records
}

/// What is told of a feed for each trouble that it can have, and of the end of one.
fn feed_events(why: &str) -> Vec<Event> {
    let feed = feed();
    let mut all = Vec::new();
    let mut poll = |change: &dyn Fn(&mut FeedState, &mut FeedState)| {
        let mut before = FeedState::new(ago(100 * 24), ago(1));
        before.state = State::Active;
        before.last_new_item = Some(ago(1));
        let mut after = before.clone();
        after.why = Some(why.to_owned());
        change(&mut before, &mut after);
        let look = Look { feed: &feed, before: &before, after: &after, times: &[], now: now() };
        all.extend(operator::events(&look, |_| true).1);
    };
    poll(&|before, after| {
        before.troubles.failing_since = Some(ago(25));
        (after.state, after.failure) = (State::Retry, Some(FailureKind::Server));
    });
    poll(&|before, after| {
        before.state = State::Blocked;
        (after.state, after.failure) = (State::Blocked, Some(FailureKind::Blocked));
    });
    poll(&|_, after| (after.state, after.failure) = (State::Gone, Some(FailureKind::Gone)));
    poll(&|_, after| (after.state, after.failure) = (State::Retry, Some(FailureKind::Certificate)));
    poll(&|before, after| {
        before.last_new_item = Some(ago(90 * 24));
        after.last_new_item = before.last_new_item;
    });
    poll(&|_, after| after.gap_at = Some(now()));
    poll(&|_, after| {
        after.moved_at = Some(now());
        after.effective_url = Some(format!("https://example.org/{why}"));
    });
    poll(&|_, after| after.migrated_at = Some(now()));
    poll(&|before, _| before.troubles.found = [(Trouble::Broken, ago(30))].into());
    all
}

/// What happens to the service as a whole.
fn service_events(why: &str) -> Vec<Event> {
    let beat = Summary { feeds: 3, in_trouble: 1, rules: 2, last_ok: Some(ago(1)) };
    vec![
        operator::offline(now()),
        operator::online(ago(2), now()),
        operator::delivery_dead("hook", "1", why, now()),
        operator::config_refused(Refusal::Files, why, now()),
        operator::heartbeat(beat, SignedDuration::from_hours(24)),
        operator::heartbeat(Summary::default(), SignedDuration::from_hours(24)),
    ]
}

fn operator_alerts() -> Vec<AlertRecord> {
    let record = |event: &Event| operator::record(event, "test", now());
    let plain: Vec<Event> = feed_events("503").into_iter().chain(service_events("410")).collect();
    let bad = hostile();
    let mut worst: Vec<Event> = feed_events(&bad).into_iter().chain(service_events(&bad)).collect();
    worst[0].info.next = Some(bad);
    let mut held = Vec::new();
    for number in 0..12 {
        let mut event = plain[0].clone();
        event.info.feeds = vec![format!("feed-{number:059}")];
        held.push((number, operator::record(&event, "test", ago(2))));
    }
    let summaries = operator::summaries(&held, &config(""), now());
    let summaries: Vec<AlertRecord> =
        summaries.into_iter().map(|summary| summary.alert.record).collect();
    assert_eq!(summaries.len(), 1);
    plain.iter().chain(&worst).map(record).chain(summaries).collect()
}

/// The ends of silences, the second of one that held back much.
fn silence_alerts() -> Vec<AlertRecord> {
    let text = |text: &str| vec![text.to_owned()];
    let silence = |ended| Silence {
        id: 3,
        matcher: Matcher {
            rule: text("arms"),
            tag: text("dprk"),
            feed: text("alpha"),
            entity: text("delta"),
            severity: SEVERITIES.to_vec(),
        },
        since: ago(5),
        until: ago(1),
        author: "anna".to_owned(),
        why: "known".to_owned(),
        ended,
    };
    let held = |count: usize, title: &str| Held {
        rules: (0..count)
            .map(|number| HeldRule {
                id: format!("rule-{number}"),
                alerts: 2,
                severity: SEVERITIES[number % 4],
            })
            .collect(),
        headlines: (0..count.min(MOST_HEADLINES))
            .map(|number| Headline {
                alert: "1".to_owned(),
                rule: "arms".to_owned(),
                severity: SEVERITIES[number % 4],
                title: title.to_owned(),
                url: Some(format!("https://example.org/{}", "x".repeat(379 + number))),
            })
            .collect(),
    };
    let ended = Some((ago(2), "boris".to_owned()));
    [(None, held(4, "News")), (ended, held(100, &hostile()))]
        .into_iter()
        .map(|(ended, held)| summary(&silence(ended), held, "test", now()).unwrap())
        .collect()
}

/// Records of every type, plain and hostile, as they are written.
pub(super) fn samples() -> &'static [Value] {
    static SAMPLES: LazyLock<Vec<Value>> = LazyLock::new(|| {
        let all = [rule_alerts(), operator_alerts(), silence_alerts()];
        all.iter().flatten().map(json_of).collect()
    });
    &SAMPLES
}
