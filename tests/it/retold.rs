//! News that makes stories, time that passes in a database, and what must hold of the stories in it
//! however often the program was killed: they are what a desk makes of the same reports that nobody
//! ever killed, and each of their alerts came under one id, in one wording and in order.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::PathBuf;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use newswatch::config::{self, Directories, Files};
use newswatch::diagnostic::SourceFile;
use newswatch::rules::Telling;
use newswatch::story::Desk;
use newswatch::story::desk::{Notice, Report};
use rusqlite::Connection;
use serde_json::Value;

/// The id of [`RULE`].
const MUSEUM: &str = "museum";
/// A rule that tells stories in every way there is.
pub(crate) const RULE: &str = "[[rule]]\nid = \"museum\"\ntitle = \"Museums\"\nseverity = \"high\"\n\
     query = 'museum'\ncorroborate = { origins = 3 }\nthrottle = { cooldown = \"1h\" }\n";

/// The headline of a report on one of a thousand events, in one of seven forms.
pub(crate) fn headline(event: u64, form: u64) -> String {
    const SYLLABLES: [&str; 10] = ["ka", "lo", "mi", "ru", "te", "vo", "sa", "ni", "pe", "du"];
    let digit = |place: u32| SYLLABLES[(event / 10_u64.pow(place) % 10) as usize];
    let thing = format!("{}{}{}", digit(0), digit(1), digit(2));
    let place = format!("Gor{}{}", digit(1), digit(0));
    match form % 7 {
        0 => format!("{place} opens museum of {thing}"),
        1 => format!("Museum of {thing} opens its doors in {place}"),
        2 => format!("Museum of {thing} in {place} opens"),
        3 => format!("Mayor denies that museum of {thing} opens in {place}"),
        4 => format!("{place} museum of {thing}: mayor confirms that it opens"),
        5 => format!("Crowds wait as {place} museum of {thing} opens"),
        _ => format!("Museum of {thing} is open in {place}"),
    }
}

/// Lets so much time pass for what is stored of stories and alerts, and makes feeds due, while
/// nobody runs.
pub(crate) fn time_passes(database: &Connection, by: SignedDuration) {
    let by = by.as_millis() as i64;
    for (table, columns) in [
        ("hits", &["matched_at"][..]),
        ("reports", &["at"]),
        ("stories", &["first_seen", "last_seen"]),
        ("watches", &["bulletin_at"]),
        ("alerts", &["created"]),
        ("deliveries", &["next_attempt", "digest", "finished_at"]),
        ("failing_receivers", &["since"]),
    ] {
        let columns: Vec<String> =
            columns.iter().map(|column| format!("{column} = {column} - {by}")).collect();
        database.execute(&format!("UPDATE {table} SET {}", columns.join(", ")), []).unwrap();
    }
    for (table, key, column) in [("stories", "id", "story"), ("watches", "rule", "state")] {
        let rows: Vec<(String, String)> =
            rows(database, &format!("SELECT {key}, {column} FROM {table}"), |row| {
                Ok((row.get(0)?, row.get(1)?))
            });
        for (row, text) in rows {
            let mut value: Value = serde_json::from_str(&text).unwrap();
            each_time(&mut value, &|time| time - SignedDuration::from_millis(by));
            let update = format!("UPDATE {table} SET {column} = ?2 WHERE {key} = ?1");
            database.execute(&update, [row, value.to_string()]).unwrap();
        }
    }
    database
        .execute(
            "UPDATE schedule SET next_due = 0
             WHERE feed IN (SELECT id FROM feeds WHERE failures = 0)",
            [],
        )
        .unwrap();
}

/// Changes every time in a value.
fn each_time(value: &mut Value, change: &impl Fn(Timestamp) -> Timestamp) {
    match value {
        Value::String(text) => {
            if let Ok(time) = text.parse() {
                *text = change(time).to_string();
            }
        }
        Value::Array(values) => values.iter_mut().for_each(|value| each_time(value, change)),
        Value::Object(values) => values.values_mut().for_each(|value| each_time(value, change)),
        _ => {}
    }
}

fn rows<T>(
    database: &Connection,
    query: &str,
    row: impl FnMut(&rusqlite::Row<'_>) -> rusqlite::Result<T>,
) -> Vec<T> {
    let mut statement = database.prepare(query).unwrap();
    statement.query_map([], row).unwrap().map(Result::unwrap).collect()
}

fn telling() -> Telling {
    let directory = PathBuf::new;
    let files = Files {
        folder: directory(),
        main: SourceFile::new("main", "[[receiver]]\nname = \"a\"\ntype = \"stdout\"\n"),
        feeds: vec![SourceFile::new(
            "feeds",
            "[[feed]]\nname = \"a\"\nurl = \"https://a.example/\"\n",
        )],
        strays: Vec::new(),
        rules: vec![SourceFile::new("rules", RULE)],
        directories: Directories { state: directory(), logs: directory(), current: directory() },
    };
    config::check(&files).config.unwrap().rules.rules()[0].telling
}

/// What is stored of a report.
struct Stored {
    item: String,
    story: String,
    at: i64,
    report: String,
    reason: String,
}

/// What is stored of an alert.
#[derive(Debug, PartialEq)]
struct Alert {
    item: String,
    kind: String,
    reason: String,
    created: i64,
}

/// What stories came to.
#[derive(Debug)]
pub(crate) struct Stories {
    pub(crate) reports: usize,
    pub(crate) stories: usize,
    /// Those whose whole state was compared: they are still open.
    pub(crate) compared: usize,
    /// The alerts by their reasons.
    pub(crate) alerts: BTreeMap<String, usize>,
    /// The reports that were told of no alert, by their reasons.
    pub(crate) untold: BTreeMap<String, usize>,
}

/// Checks that the stories in a database are what becomes of their reports where nobody is killed.
pub(crate) fn check_stories(database: &Connection) -> Stories {
    let count = |query: &str| database.query_row(query, [], |row| row.get::<_, i64>(0)).unwrap();
    for (what, query) in [
        (
            "hits that are no report of exactly one story",
            "SELECT count(*) FROM hits LEFT JOIN reports ON hit = seq
             WHERE hits.rule = 'museum' AND reason NOT IN ('baseline', 'late', 'outage', 'too-old')
               AND (hit IS NULL OR hits.story IS NOT reports.story
                    OR hits.story NOT IN (SELECT id FROM stories))",
        ),
        (
            "reports of no hit",
            "SELECT count(*) FROM reports WHERE hit NOT IN (SELECT seq FROM hits)",
        ),
        (
            "stories that count other reports than they have",
            "SELECT count(*) FROM stories WHERE rule = 'museum' AND story ->> '$.items'
               <> (SELECT count(*) FROM reports WHERE reports.story = stories.id)",
        ),
        (
            "alerts that tell of other than one hit",
            "SELECT count(*) FROM alerts WHERE rule = 'museum'
               AND (SELECT count(*) FROM hits WHERE alert = alerts.id) <> 1",
        ),
        (
            "stories that were told twice for one reason",
            "SELECT count(*) FROM (SELECT 1 FROM alerts WHERE rule = 'museum'
               AND record ->> '$.type' <> 'newswatch.story.updated'
             GROUP BY record ->> '$.correlationid', record ->> '$.type' HAVING count(*) > 1)",
        ),
    ] {
        assert_eq!(count(query), 0, "{what}");
    }
    compare(database)
}

/// Has a desk decide the stored reports again, in one go, and compares.
fn compare(database: &Connection) -> Stories {
    let telling = telling();
    let reports = rows(
        database,
        "SELECT item, reports.story, at, report, reason FROM reports JOIN hits ON seq = hit
         WHERE reports.rule = 'museum' ORDER BY hit",
        |row| {
            let (item, story, at) = (row.get(0)?, row.get(1)?, row.get(2)?);
            Ok(Stored { item, story, at, report: row.get(3)?, reason: row.get(4)? })
        },
    );
    let alerts = rows(
        database,
        "SELECT item, record ->> '$.type', reason, created
         FROM alerts JOIN hits ON hits.alert = alerts.id JOIN reports ON hit = hits.seq
         WHERE alerts.rule = 'museum' ORDER BY alerts.seq",
        |row| {
            let (item, kind) = (row.get(0)?, row.get(1)?);
            Ok(Alert { item, kind, reason: row.get(2)?, created: row.get(3)? })
        },
    );
    let mut desk = Desk::default();
    let mut ids: HashMap<Arc<str>, String> = HashMap::new();
    let mut reasons: BTreeMap<Arc<str>, &'static str> = BTreeMap::new();
    let mut told: Vec<(Arc<str>, &'static str, &'static str)> = Vec::new();
    let time = |millis| Timestamp::from_millisecond(millis).unwrap();
    for stored in &reports {
        // A bulletin came before what came later.
        while let Some(notice) = bulletin(&mut desk, alerts.get(told.len()), Some(stored.at)) {
            note(&notice, &mut told, &mut reasons);
        }
        let report: Report = serde_json::from_str(&stored.report).unwrap();
        let report = Report { rule: MUSEUM.into(), telling, ..report };
        let taken = desk.take(&report, time(stored.at));
        let known = ids.entry(taken.story.clone()).or_insert_with(|| stored.story.clone());
        assert_eq!(*known, stored.story, "{} came to another story", stored.item);
        reasons.insert(report.item.clone(), taken.reason.as_str());
        if let Some(notice) = &taken.notice {
            note(notice, &mut told, &mut reasons);
        }
        let as_stored = |(item, kind, reason): &(Arc<str>, &str, &str), alert: Option<&Alert>| {
            alert.is_some_and(|alert| {
                (&*alert.item, &*alert.kind, &*alert.reason) == (&**item, *kind, *reason)
            })
        };
        if let Some(last) = told.last() {
            let alert = alerts.get(told.len() - 1);
            assert!(as_stored(last, alert), "{last:?} would have been told, not {alert:?}");
        }
    }
    while let Some(notice) = bulletin(&mut desk, alerts.get(told.len()), None) {
        note(&notice, &mut told, &mut reasons);
    }
    let stored: Vec<(&str, &str, &str)> =
        alerts.iter().map(|alert| (&*alert.item, &*alert.kind, &*alert.reason)).collect();
    let told: Vec<(&str, &str, &str)> =
        told.iter().map(|(item, kind, reason)| (&**item, *kind, *reason)).collect();
    assert_eq!(told, stored);
    let mut untold: BTreeMap<String, usize> = BTreeMap::new();
    for stored in &reports {
        assert_eq!(reasons[&*stored.item], stored.reason, "{}", stored.item);
        *untold.entry(stored.reason.clone()).or_default() += 1;
    }
    let mut by_reason: BTreeMap<String, usize> = BTreeMap::new();
    for alert in &alerts {
        *by_reason.entry(alert.reason.clone()).or_default() += 1;
        untold.remove(&alert.reason);
    }
    let distinct: BTreeSet<&String> = ids.values().collect();
    assert_eq!(distinct.len(), ids.len(), "two stories became one");
    let compared = compare_states(database, &desk, &ids);
    Stories { reports: reports.len(), stories: ids.len(), compared, alerts: by_reason, untold }
}

/// The bulletin that was told next, when that was before a time.
fn bulletin(desk: &mut Desk, next: Option<&Alert>, before: Option<i64>) -> Option<Notice> {
    let next = next.filter(|alert| alert.reason == "told-bulletin")?;
    if before.is_some_and(|before| next.created > before) {
        return None;
    }
    desk.due_of(MUSEUM, Timestamp::from_millisecond(next.created).unwrap())
}

fn note(
    notice: &Notice,
    told: &mut Vec<(Arc<str>, &'static str, &'static str)>,
    reasons: &mut BTreeMap<Arc<str>, &'static str>,
) {
    for line in notice.lines.iter().chain(&notice.left_out) {
        reasons.insert(line.item.clone(), line.reason.as_str());
    }
    for line in &notice.lines {
        told.push((line.item.clone(), line.kind.alert_type(), line.reason.as_str()));
    }
}

/// Compares what is kept of the stories that the desk still has; how many those are.
fn compare_states(database: &Connection, desk: &Desk, ids: &HashMap<Arc<str>, String>) -> usize {
    let stored: HashMap<String, String> =
        rows(database, "SELECT id, story FROM stories WHERE rule = 'museum'", |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .into_iter()
        .collect();
    assert_eq!(stored.len(), ids.len(), "stories without reports");
    let mut compared = 0;
    for (known, id) in ids {
        let Some(story) = desk.story(MUSEUM, known) else { continue };
        let mut text = serde_json::to_string(story).unwrap();
        let others = story.previous.iter().cloned();
        let thread = Arc::from(story.thread.replacen("thread", "story", 1));
        for other in others.chain([known.clone(), thread]) {
            let (from, to) = (bare(&other), bare(&ids[&other]));
            text = text.replace(from, to);
        }
        let [stored, known] = [&stored[id], &text].map(|text| {
            let mut value: Value = serde_json::from_str(text).unwrap();
            let whole = |time: Timestamp| time.as_millisecond();
            each_time(&mut value, &|at| Timestamp::from_millisecond(whole(at)).unwrap());
            value
        });
        assert_eq!(stored, known);
        compared += 1;
    }
    compared
}

/// The id of a story or a thread without its kind.
fn bare(id: &str) -> &str {
    id.split_once('-').map_or(id, |(_, rest)| rest)
}

/// What a webhook was asked.
#[derive(Debug, Default)]
pub(crate) struct Received {
    /// The alerts that it has taken.
    pub(crate) taken: BTreeSet<String>,
    /// Requests that it took, of alerts that it had taken before.
    pub(crate) again: usize,
    /// Requests that tell of several alerts.
    pub(crate) together: usize,
    /// Alerts that came in other words than are stored.
    pub(crate) changed: usize,
    /// Alerts that came before an earlier one of their story was taken or given up.
    pub(crate) overtook: usize,
    /// Alerts that were neither taken nor given up.
    pub(crate) missing: usize,
    /// Alerts that were given up, and those of them that say why.
    pub(crate) dead: (usize, usize),
    /// Alerts of the service that say so.
    pub(crate) dead_told: u32,
}

/// Compares the requests of a webhook, each a body and whether it was taken, with what is stored.
pub(crate) fn check_received<'a>(
    database: &Connection,
    receiver: &str,
    requests: impl Iterator<Item = (&'a str, bool)>,
) -> Received {
    let mut received = Received::default();
    let deliveries = rows(
        database,
        "SELECT receiver, alerts.id, state, last_error IS NOT NULL, record,
           record ->> '$.correlationid'
         FROM deliveries JOIN alerts ON alerts.seq = alert ORDER BY alerts.seq",
        |row| {
            let (to, id, state): (String, String, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
            let (why, record): (bool, String) = (row.get(3)?, row.get(4)?);
            Ok((to, id, state, why, record, row.get::<_, String>(5)?))
        },
    );
    let mut records: HashMap<String, String> = HashMap::new();
    // The alerts of each story, in their order, that are neither taken nor given up yet.
    let mut stories: HashMap<String, Vec<String>> = HashMap::new();
    for (to, id, state, why, record, story) in deliveries {
        if to != receiver {
            continue;
        }
        if state == "dead" {
            received.dead.0 += 1;
            received.dead.1 += usize::from(why);
        } else {
            stories.entry(story).or_default().push(id.clone());
        }
        records.insert(id, record);
    }
    for (body, taken) in requests {
        let body: Value = serde_json::from_str(body).unwrap();
        let told = match body {
            Value::Array(records) => records,
            record => vec![record],
        };
        received.together += usize::from(told.len() > 1);
        let ids: Vec<&str> = told.iter().map(|record| record["id"].as_str().unwrap()).collect();
        for (record, id) in told.iter().zip(&ids) {
            let stored = records.get(*id);
            let told = record.to_string();
            let same = stored.is_some_and(|stored| **stored == *told);
            received.changed += usize::from(!same);
            let waits = stories.entry(record["correlationid"].as_str().unwrap().to_owned());
            let waits = waits.or_default();
            // Those before it of its story that are not in the same message.
            let place = waits.iter().position(|waiting| waiting == id).unwrap_or(0);
            let earlier = waits[..place].iter().any(|waiting| !ids.contains(&&**waiting));
            received.overtook += usize::from(earlier);
        }
        if taken {
            for id in ids {
                received.again += usize::from(!received.taken.insert(id.to_owned()));
                stories.values_mut().for_each(|waits| waits.retain(|waiting| waiting != id));
            }
        }
    }
    received.missing = stories.values().map(Vec::len).sum();
    let told = "SELECT count(*) FROM alerts WHERE record ->> '$.type' = 'newswatch.delivery.dead'";
    received.dead_told = database.query_row(told, [], |row| row.get(0)).unwrap();
    received
}
