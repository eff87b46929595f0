//! Stories: what becomes of the hits of a batch, decided by the desk in the transaction that stores
//! them. What is stored decides: the desk is a memory of it, filled rule by rule when a rule hits.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use rusqlite::{Connection, OptionalExtension as _, Row, params};
use serde_json::{Value, json};
use tracing::error;

use super::evidence;
use super::read::time;
use super::write::millis;
use super::{StoreError, write};
use crate::alert::decide::Reason;
use crate::alert::record::AlertRecord;
use crate::alert::story;
use crate::config::Config;
use crate::item::{Item, ItemKey};
use crate::pipeline::{self, Batch, Hit, News, OutgoingAlert};
use crate::story::Desk;
use crate::story::desk::{BULLETIN_AFTER, MOST_STORIES};
use crate::story::desk::{
    Joined, Kept, Line, Notice, Report, STORY_OPEN, Story, Taken, WatchState,
};

/// How far back the reports of a rule are looked at, and how many at most, the newest.
const REPORTS_WITHIN: SignedDuration = SignedDuration::from_hours(7 * 24);
const MOST_REPORTS: u32 = 2_000;
/// How long they are kept, so that stories can be split and merged by hand.
const REPORTS_KEPT: SignedDuration = SignedDuration::from_hours(30 * 24);
/// Reports that are dropped at a time.
const MOST_PRUNED: u32 = 5_000;
/// Bulletins that are told in one transaction, at most.
const MOST_BULLETINS: u32 = 100;

/// Writes the hits of a batch, each with its story and why it is told or not, and the alerts that
/// follow; says of which rules.
pub(super) fn take(
    connection: &Connection,
    desk: &mut Desk,
    batch: &Batch,
    config: &Config,
) -> Result<Vec<String>, StoreError> {
    let mut told = Vec::new();
    let mut changed = Changed::default();
    let stored = if batch.hits.is_empty() { &[][..] } else { &batch.items };
    let items: HashMap<ItemKey, &Item> =
        stored.iter().map(|stored| (stored.item.key, &stored.item)).collect();
    let decided = batch.hits.iter().any(|hit| hit.news.is_some());
    let at = if decided { desk.moment(batch.at) } else { batch.at };
    for hit in &batch.hits {
        let item = items.get(&hit.item).expect("a batch holds the items of its hits");
        let Some(news) = &hit.news else {
            // What is no news belongs to no story.
            write_hit(connection, batch, (hit, item), at, None)?;
            continue;
        };
        if !desk.knows(&hit.rule) {
            // To make room, the desk may forget what was not written yet.
            changed.keep(connection, desk)?;
            recall(connection, desk, &hit.rule, at)?;
        }
        // Bulletins of other rules have a time of their own.
        if let Some(notice) = desk.due_of(&hit.rule, at) {
            told.extend(tell(connection, desk, config, &notice, None, at)?);
            changed.notice(&notice);
        }
        let taken = desk.take(&news.report, at);
        let (seq, again) = write_hit(connection, batch, (hit, item), at, Some((news, &taken)))?;
        write_report(connection, seq, news, &taken, at)?;
        changed.story(&hit.rule, &taken.story);
        if let Some(notice) = &taken.notice {
            let mut draft = news.draft.clone();
            let copy = taken.place.copied.map(|_| taken.place.root.to_string());
            if let Some(item) = &mut draft.data.item {
                item.copy_of = copy;
            }
            told.extend(tell(connection, desk, config, notice, Some(draft), at)?);
            changed.notice(notice);
        }
        if again {
            // What the desk remembers of its first report is no longer kept.
            changed.keep(connection, desk)?;
            desk.forget(&hit.rule);
        }
    }
    changed.keep(connection, desk)?;
    desk.shrink();
    Ok(told)
}

/// What a transaction has changed in the desk and not written yet: rules, and stories of them.
#[derive(Debug, Default)]
struct Changed(BTreeMap<String, BTreeSet<Arc<str>>>);

impl Changed {
    fn story(&mut self, rule: &str, story: &Arc<str>) {
        match self.0.get_mut(rule) {
            Some(stories) => {
                stories.insert(story.clone());
            }
            None => {
                self.0.insert(rule.to_owned(), BTreeSet::from([story.clone()]));
            }
        }
    }

    fn notice(&mut self, notice: &Notice) {
        for line in notice.lines.iter().chain(&notice.left_out) {
            self.story(&notice.rule, &line.story);
        }
    }

    fn keep(&mut self, connection: &Connection, desk: &Desk) -> Result<(), StoreError> {
        for (rule, stories) in std::mem::take(&mut self.0) {
            // In the order in which they were opened, which decides where all else is equal.
            for story in desk.stories(&rule).filter(|story| stories.contains(&story.id)) {
                write_story(connection, &rule, story)?;
            }
            keep_watch(connection, desk, &rule)?;
        }
        Ok(())
    }
}

/// Tells the bulletins that are due, and says of which rules. One that cannot be told stops no other.
pub(super) fn tell_due(
    connection: &Connection,
    desk: &mut Desk,
    config: &Config,
    now: Timestamp,
) -> Result<Vec<String>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT rule FROM watches WHERE bulletin_at <= ?1 ORDER BY bulletin_at LIMIT ?2",
    )?;
    let rules: Vec<String> = statement
        .query_map(params![millis(now), MOST_BULLETINS], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    let now = if rules.is_empty() { now } else { desk.moment(now) };
    let mut told = Vec::new();
    for rule in rules {
        connection.prepare_cached("SAVEPOINT bulletin")?.execute([])?;
        match tell_due_of(connection, desk, config, &rule, now) {
            Ok(rules) => told.extend(rules),
            Err(error) => {
                error!(%rule, "the bulletin of {rule} cannot be told: {:#}", anyhow::Error::from(error));
                connection.prepare_cached("ROLLBACK TO bulletin")?.execute([])?;
                desk.clear();
            }
        }
        connection.prepare_cached("RELEASE bulletin")?.execute([])?;
    }
    Ok(told)
}

fn tell_due_of(
    connection: &Connection,
    desk: &mut Desk,
    config: &Config,
    rule: &str,
    now: Timestamp,
) -> Result<Vec<String>, StoreError> {
    recall(connection, desk, rule, now)?;
    let mut changed = Changed::default();
    let mut told = Vec::new();
    if let Some(notice) = desk.due_of(rule, now) {
        told = tell(connection, desk, config, &notice, None, now)?;
        changed.notice(&notice);
    }
    changed.keep(connection, desk)?;
    keep_watch(connection, desk, rule)?;
    Ok(told)
}

/// Fills the memory of a rule, unless it is there.
fn recall(
    connection: &Connection,
    desk: &mut Desk,
    rule: &str,
    now: Timestamp,
) -> Result<(), StoreError> {
    if desk.knows(rule) {
        return Ok(());
    }
    let state: Option<String> = connection
        .prepare_cached("SELECT state FROM watches WHERE rule = ?1")?
        .query_row([rule], |row| row.get(0))
        .optional()?;
    // What cannot be read is learnt anew: no news is held back by it.
    let state = state.and_then(|text| serde_json::from_str::<WatchState>(&text).ok());
    let state = state.unwrap_or_default();
    let since = |time: SignedDuration| now.checked_sub(time).map_or(i64::MIN, millis);
    // What waits for a bulletin waits however long nobody ran.
    let waiting = state.bulletin.and_then(|at| at.checked_sub(BULLETIN_AFTER * 2).ok());
    let open = since(STORY_OPEN).min(waiting.map_or(i64::MAX, millis));
    let mut statement = connection.prepare_cached(
        "SELECT story FROM
           (SELECT seq, story FROM stories WHERE rule = ?1 AND last_seen >= ?2
            ORDER BY last_seen DESC LIMIT ?3)
         ORDER BY seq",
    )?;
    let most = i64::try_from(MOST_STORIES).unwrap_or(i64::MAX);
    let texts = statement.query_map(params![rule, open, most], |row| row.get(0))?;
    let texts: Vec<String> = texts.collect::<Result<_, _>>()?;
    let stories = texts.iter().filter_map(|text| serde_json::from_str(text).ok()).collect();
    // The newest, the oldest of them first, as the index has them: none is kept to be sorted.
    let mut statement = connection.prepare_cached(
        "SELECT item, story, copied, at, report FROM reports
         WHERE rule = ?1 AND at >= ?2 ORDER BY at, hit
         LIMIT ?3 OFFSET max(0, (SELECT count(*) FROM reports WHERE rule = ?1 AND at >= ?2) - ?3)",
    )?;
    let mut rows = statement.query(params![rule, since(REPORTS_WITHIN), MOST_REPORTS])?;
    let kept = std::iter::from_fn(|| match rows.next() {
        Ok(row) => row.map(|row| kept_report(row).transpose()),
        Err(error) => Some(Some(Err(error.into()))),
    });
    desk.restore(rule, state, stories, kept.flatten())
}

/// A report that is kept; nothing where it cannot be read.
fn kept_report(row: &Row<'_>) -> Result<Option<Kept>, StoreError> {
    let text: String = row.get("report")?;
    let Ok(report) = serde_json::from_str::<Report>(&text) else { return Ok(None) };
    Ok(Some(Kept {
        item: row.get::<_, String>("item")?.into(),
        story: row.get::<_, String>("story")?.into(),
        copied: row.get("copied")?,
        at: time(row, "at")?,
        reading: report.reading,
    }))
}

/// Raises the alerts of a notice. `draft` is the record of its first line's hit, where it is at hand.
fn tell(
    connection: &Connection,
    desk: &Desk,
    config: &Config,
    notice: &Notice,
    mut draft: Option<AlertRecord>,
    now: Timestamp,
) -> Result<Vec<String>, StoreError> {
    let mut told = Vec::new();
    let mut outgoing = Vec::new();
    for (place, line) in notice.lines.iter().enumerate() {
        let (rule, item) = (&notice.rule, &line.item);
        let Some(story) = desk.story(rule, &line.story) else { continue };
        let waited = draft.is_none();
        let (stored, outlet, revised) = kept_draft(connection, config, rule, item, now)?;
        if waited && revised {
            // Its publisher has taken it back before anybody was told.
            let line = Line { reason: Reason::Withdrawn, ..line.clone() };
            amend_hit(connection, rule, &line, None)?;
            continue;
        }
        let Some(draft) = draft.take().or(stored) else {
            error!(%rule, %item, "{item} cannot be told: what was kept of it is unreadable");
            continue;
        };
        let left_out = if place + 1 == notice.lines.len() { notice.left_out.len() } else { 0 };
        let record = story::tell(draft, story, line, &outlet, left_out, now);
        outgoing.push((line, record, story.severity));
    }
    let together = outgoing.len() > 1;
    for (line, record, severity) in outgoing {
        let deliveries = pipeline::rule_deliveries(config, &record, severity, together, now);
        amend_hit(connection, &notice.rule, line, Some(&record.id))?;
        write::alert(connection, &OutgoingAlert { record, severity, deliveries }, now)?;
        told.push(notice.rule.to_string());
    }
    for line in &notice.left_out {
        amend_hit(connection, &notice.rule, line, None)?;
    }
    Ok(told)
}

/// Writes a hit, with what became of it in its story. Gives its place among all hits, and whether it
/// took the place of another.
fn write_hit(
    connection: &Connection,
    batch: &Batch,
    (hit, item): (&Hit, &Item),
    at: Timestamp,
    story: Option<(&News, &Taken)>,
) -> Result<(i64, bool), StoreError> {
    let report = story.map(|(news, _)| &news.report);
    let taken = story.map(|(_, taken)| taken);
    let reason = taken.map(|taken| taken.reason).or(hit.silent).unwrap_or(Reason::FirstHit);
    let values = params![
        hit.id,
        hit.rule,
        hit.rule_version,
        hit.severity.as_str(),
        batch.feed.as_str(),
        item.key.as_bytes(),
        item.id,
        item.title,
        item.link,
        hit.revision,
        millis(at),
        json_text(&hit.spans),
        reason.as_str(),
        taken.map(|taken| &*taken.story),
        taken.map(|taken| json_text(&joined(taken))),
        report.map(|report| &*report.outlet),
        report.map(|report| &*report.origin.id),
    ];
    let mut insert = connection.prepare_cached(
        "INSERT INTO hits (id, rule, rule_version, severity, feed, item_key, item_id, title,
           link, revision, matched_at, spans, reason, story, joined, outlet, origin)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17)
         ON CONFLICT (feed, item_key, rule) DO NOTHING",
    )?;
    if insert.execute(values)? == 0 {
        // Back-matching has found it since the poll looked its items up, or its publisher had taken it
        // back before anybody was told: of neither is it known by now.
        let forgotten = "FROM hits WHERE feed = ?1 AND item_key = ?2 AND rule = ?3
            AND (reason = 'backfill' OR revised_at IS NOT NULL AND alert IS NULL)";
        for sql in [
            format!("DELETE FROM reports WHERE hit IN (SELECT seq {forgotten})"),
            format!("DELETE {forgotten}"),
        ] {
            connection.prepare_cached(&sql)?.execute(params![
                batch.feed.as_str(),
                item.key.as_bytes(),
                hit.rule
            ])?;
        }
        return Ok((insert.insert(values)?, true));
    }
    Ok((connection.last_insert_rowid(), false))
}

/// Writes what the story of a hit keeps of it.
fn write_report(
    connection: &Connection,
    hit: i64,
    news: &News,
    taken: &Taken,
    now: Timestamp,
) -> Result<(), StoreError> {
    let report = &news.report;
    let draft = (taken.reason == Reason::Held).then(|| json_text(&news.draft));
    connection
        .prepare_cached(
            "INSERT INTO reports (hit, rule, item, story, at, copied, report, draft)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        )?
        .execute(params![
            hit,
            &*report.rule,
            &*report.item,
            &*taken.story,
            millis(now),
            taken.place.copied.is_some(),
            json_text(report),
            draft,
        ])?;
    Ok(())
}

/// How a hit came to its story, as lists show it.
fn joined(taken: &Taken) -> Value {
    let rounded = |number: f64| (number * 1000.0).round() / 1000.0;
    match &taken.joined {
        Joined::Opened => json!({"how": "opened"}),
        Joined::Copy { of, share } => json!({"how": "copy", "of": of, "share": rounded(*share)}),
        Joined::Alike { score, shared } => {
            json!({"how": "alike", "score": rounded(*score), "shared": shared})
        }
    }
}

/// What was kept of a report that waited to be told: the record of its hit, made anew where it cannot
/// be read; who published it; and whether its item was edited since so that it matches no more.
fn kept_draft(
    connection: &Connection,
    config: &Config,
    rule: &str,
    item: &str,
    now: Timestamp,
) -> Result<(Option<AlertRecord>, String, bool), StoreError> {
    let row: Option<(Option<String>, Option<String>, bool)> = connection
        .prepare_cached(
            "SELECT draft, outlet, revised_at IS NOT NULL FROM reports JOIN hits ON seq = hit
             WHERE item = ?2 AND reports.rule = ?1",
        )?
        .query_row([rule, item], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .optional()?;
    let (draft, outlet, revised) = row.unwrap_or_default();
    let mut draft = draft.and_then(|text| serde_json::from_str(&text).ok());
    if draft.is_none()
        && let Some((feed, key)) = item.rsplit_once('/')
        && let Some(key) = ItemKey::from_hex(key)
    {
        let made = evidence::of_hit(connection, config, rule, (feed, key), now)?;
        draft = made.map(|made| made.record);
    }
    Ok((draft, outlet.unwrap_or_default(), revised))
}

/// Says in a hit what became of it when its story was told, or left out.
fn amend_hit(
    connection: &Connection,
    rule: &str,
    line: &Line,
    alert: Option<&str>,
) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "UPDATE hits SET reason = ?3, alert = ?4
             WHERE seq = (SELECT hit FROM reports WHERE item = ?2 AND rule = ?1)",
        )?
        .execute(params![rule, &*line.item, line.reason.as_str(), alert])?;
    Ok(())
}

/// Writes a story.
pub(super) fn write_story(
    connection: &Connection,
    rule: &str,
    story: &Story,
) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "INSERT INTO stories (id, rule, severity, first_seen, last_seen, story)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)
             ON CONFLICT (id) DO UPDATE SET severity = excluded.severity,
               first_seen = excluded.first_seen, last_seen = excluded.last_seen,
               story = excluded.story",
        )?
        .execute(params![
            &*story.id,
            rule,
            story.severity.as_str(),
            millis(story.first_seen),
            millis(story.last_seen),
            json_text(story),
        ])?;
    Ok(())
}

/// Writes what is kept of a rule beside its stories.
fn keep_watch(connection: &Connection, desk: &Desk, rule: &str) -> Result<(), StoreError> {
    let Some(state) = desk.state(rule) else { return Ok(()) };
    connection
        .prepare_cached(
            "INSERT INTO watches (rule, state, bulletin_at) VALUES (?1, ?2, ?3)
             ON CONFLICT (rule) DO UPDATE SET state = excluded.state,
               bulletin_at = excluded.bulletin_at",
        )?
        .execute(params![rule, json_text(state), state.bulletin.map(millis)])?;
    Ok(())
}

/// The clock was set back: what waits must not wait longer.
pub(super) fn set_back(connection: &Connection, by: SignedDuration) -> Result<(), StoreError> {
    let mut statement = connection.prepare("SELECT rule, state FROM watches")?;
    let watches: Vec<(String, String)> =
        statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<Result<_, _>>()?;
    for (rule, state) in watches {
        let Ok(mut state) = serde_json::from_str::<WatchState>(&state) else { continue };
        state.set_back(by);
        connection
            .prepare_cached("UPDATE watches SET state = ?2, bulletin_at = ?3 WHERE rule = ?1")?
            .execute(params![rule, json_text(&state), state.bulletin.map(millis)])?;
    }
    Ok(())
}

/// Drops reports that no story needs any more.
pub(super) fn prune(connection: &Connection, now: Timestamp) -> Result<(), StoreError> {
    let before = now.checked_sub(REPORTS_KEPT).map_or(i64::MIN, millis);
    connection.execute(
        "DELETE FROM reports WHERE hit IN
           (SELECT hit FROM reports WHERE at < ?1 ORDER BY at LIMIT ?2)",
        params![before, MOST_PRUNED],
    )?;
    Ok(())
}

pub(super) fn json_text(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).expect("what is kept is JSON")
}

#[cfg(test)]
pub(super) mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::config::{self, Directories, Files};
    use crate::diagnostic::SourceFile;
    use crate::feed::{self, Document};
    use crate::pipeline::{Arrival, Ingested};
    use crate::schedule::{Baseline, FeedState};
    use crate::store::schema;

    pub(in crate::store) const OUTLETS: [&str; 4] = ["ant", "bee", "cat", "dog"];
    pub(in crate::store) const WORDS: [&str; 24] = [
        "treaty", "grain", "harbour", "minister", "denies", "confirms", "visit", "railway",
        "museum", "strike", "flood", "bridge", "signed", "opens", "robbery", "election", "tariff",
        "pipeline", "summit", "missile", "leaves", "arrives", "delays", "ferry",
    ];

    /// A configuration whose rule has these further lines.
    pub(in crate::store) fn config_with(lines: &str) -> Config {
        let feeds = OUTLETS.map(|name| {
            format!("[[feed]]\nname = \"{name}\"\nurl = \"https://{name}.example/\"\n")
        });
        let rules = "[[rule]]\nid = \"delta\"\ntitle = \"Delta\"\nquery = 'delta'\n\
                     throttle = { cooldown = \"3h\" }\n"
            .to_owned()
            + lines;
        let folder = PathBuf::new();
        let files = Files {
            main: SourceFile::new(
                "newswatch.toml",
                "[[receiver]]\nname = \"log\"\ntype = \"stdout\"\n",
            ),
            feeds: vec![SourceFile::new("feeds.toml", feeds.concat())],
            strays: Vec::new(),
            rules: vec![SourceFile::new("rules.toml", rules)],
            directories: Directories {
                state: folder.clone(),
                logs: folder.clone(),
                current: folder.clone(),
            },
            folder,
        };
        config::check(&files).config.expect("the configuration is right")
    }

    pub(in crate::store) fn config() -> Config {
        config_with("")
    }

    /// A database with these feeds.
    pub(in crate::store) fn database(config: &Config) -> Connection {
        let mut connection = Connection::open_in_memory().unwrap();
        schema::migrate(&mut connection).unwrap();
        write::adopt_feeds(&connection, &config.feeds, Timestamp::UNIX_EPOCH).unwrap();
        connection
    }

    /// The poll that brings one item.
    pub(in crate::store) fn poll(
        config: &Config,
        outlet: usize,
        title: &str,
        now: Timestamp,
    ) -> Batch {
        poll_of(config, outlet, &[title.to_owned()], now)
    }

    /// The poll that brings these items.
    fn poll_of(config: &Config, outlet: usize, titles: &[String], now: Timestamp) -> Batch {
        let feed = &config.feeds[outlet];
        let item = |(number, title): (usize, &String)| {
            let id = format!("{now} {number}");
            serde_json::json!({"id": id, "title": title, "content_text": ""})
        };
        let items: Vec<Value> = titles.iter().enumerate().map(item).collect();
        let json = serde_json::json!({
            "version": "https://jsonfeed.org/version/1.1", "title": "T",
            "items": items,
        });
        let bytes = json.to_string();
        let document = Document {
            bytes: bytes.as_bytes(),
            charset: None,
            encoding: None,
            base: None,
            utc_offset: None,
            now,
        };
        let items = feed::parse(&document).unwrap().items;
        let arrival =
            Arrival { feed, feed_title: None, baseline: Baseline::Nothing, outage: None, now };
        let mut matcher = config.rules.matcher();
        let known = Default::default();
        let earlier = || Ok::<_, ()>(Vec::new());
        let Ingested { items, hits, .. } =
            pipeline::ingest(arrival, items, &known, config, &mut matcher, earlier, |_| Ok(None))
                .unwrap();
        let state = FeedState::new(now, now);
        let nothing = Batch::of_state(feed.name.clone(), feed.url.clone(), state, None, now);
        Batch { items, hits, ..nothing }
    }

    /// All that a database says of hits, alerts and stories.
    pub(in crate::store) fn said(connection: &Connection) -> Vec<String> {
        let mut all = Vec::new();
        for sql in [
            "SELECT title || ' ' || reason || ' ' || story || ' ' || joined || coalesce(alert, '-')
             FROM hits ORDER BY seq",
            "SELECT record FROM alerts ORDER BY seq",
            "SELECT story FROM stories ORDER BY seq",
            "SELECT state FROM watches",
        ] {
            let mut statement = connection.prepare(sql).unwrap();
            let rows = statement.query_map([], |row| row.get::<_, String>(0)).unwrap();
            all.extend(rows.map(Result::unwrap));
        }
        all
    }

    /// Numbers that look random (a linear congruential generator, Knuth's constants).
    pub(in crate::store) fn next(seed: &mut u64) -> usize {
        *seed =
            seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (*seed >> 33) as usize
    }

    #[test]
    fn what_is_decided_after_a_restart_is_what_would_have_been_decided_without() {
        let config = config();
        for seed in 1..=4 {
            let (with, without) = (database(&config), database(&config));
            let (mut memory, mut seed, mut minutes) = (Desk::default(), seed, 0);
            for _ in 0..250 {
                minutes += [1, 5, 20, 90, 400, 1500][next(&mut seed) % 6];
                let now = Timestamp::UNIX_EPOCH + SignedDuration::from_mins(minutes);
                let mut title = || {
                    let words = (0..5).map(|_| WORDS[next(&mut seed) % WORDS.len()]);
                    format!("Delta {}", words.collect::<Vec<_>>().join(" "))
                };
                let titles: Vec<String> = (0..3).map(|_| title()).collect();
                let titles = &titles[..1 + next(&mut seed) % 3];
                let batch = poll_of(&config, next(&mut seed) % OUTLETS.len(), titles, now);
                write::batch(&without, &mut memory, &mut write::Feeds::new(), &batch, &config)
                    .unwrap();
                write::batch(
                    &with,
                    &mut Desk::default(),
                    &mut write::Feeds::new(),
                    &batch,
                    &config,
                )
                .unwrap();
            }
            let (with, without) = (said(&with), said(&without));
            let first = with.iter().zip(&without).find(|(one, other)| one != other);
            assert_eq!(first, None);
            assert_eq!(with.len(), without.len());
            let told = with.iter().filter(|line| line.contains(" told-")).count();
            assert!(told > 50, "{told}");
        }
    }

    #[test]
    fn what_is_decided_later_has_no_earlier_time_whichever_poll_ended_first() {
        let config = config();
        let connection = database(&config);
        let mut desk = Desk::default();
        for (outlet, (title, millis)) in
            [("Delta treaty signed", 7), ("Delta ferry delays", 3)].into_iter().enumerate()
        {
            let now = Timestamp::UNIX_EPOCH + SignedDuration::from_millis(millis);
            let batch = poll(&config, outlet, title, now);
            write::batch(&connection, &mut desk, &mut write::Feeds::new(), &batch, &config)
                .unwrap();
        }
        let times = "SELECT group_concat(at) FROM (SELECT at FROM reports ORDER BY hit)";
        let times: String = connection.query_row(times, [], |row| row.get(0)).unwrap();
        assert_eq!(times, "7,7");
    }

    #[test]
    fn a_memory_that_cannot_be_read_holds_no_news_back() {
        let config = config();
        let connection = database(&config);
        let commit = |title: &str, minutes| {
            let now = Timestamp::UNIX_EPOCH + SignedDuration::from_mins(minutes);
            let batch = poll(&config, 0, title, now);
            write::batch(
                &connection,
                &mut Desk::default(),
                &mut write::Feeds::new(),
                &batch,
                &config,
            )
            .unwrap()
        };
        assert_eq!(commit("Delta treaty signed", 0), ["delta"]);
        connection
            .execute_batch(
                "UPDATE watches SET state = '['; UPDATE stories SET story = '[';
                            UPDATE reports SET report = '['",
            )
            .unwrap();
        assert_eq!(commit("Delta ferry delays", 5), ["delta"]);
    }

    #[test]
    fn of_more_reports_than_are_read_again_the_newest_are() {
        let config = config();
        let title =
            "Delta ministers sign treaty on grain and ferries after a night of talks in port";
        for (later, how) in [(MOST_REPORTS - 1, "copy"), (MOST_REPORTS, "opened")] {
            let connection = database(&config);
            let commit = |outlet, minutes| {
                let now = Timestamp::UNIX_EPOCH + SignedDuration::from_mins(minutes);
                let batch = poll(&config, outlet, title, now);
                write::batch(
                    &connection,
                    &mut Desk::default(),
                    &mut write::Feeds::new(),
                    &batch,
                    &config,
                )
                .unwrap();
            };
            commit(0, 0);
            connection
                .execute(
                    "INSERT INTO reports
                     SELECT -value, rule, value, 'another', at + 1, 1, report, NULL
                     FROM reports, (WITH RECURSIVE count (value) AS
                       (VALUES (1) UNION ALL SELECT value + 1 FROM count WHERE value < ?1)
                       SELECT value FROM count)",
                    [later],
                )
                .unwrap();
            commit(1, 5);
            let joined = "SELECT joined ->> 'how' FROM hits ORDER BY matched_at DESC LIMIT 1";
            let joined: String = connection.query_row(joined, [], |row| row.get(0)).unwrap();
            assert_eq!(joined, how, "after {later} others");
        }
    }

    #[test]
    fn a_hit_takes_the_place_of_one_that_back_matching_found_in_the_meantime() {
        let config = config();
        let connection = database(&config);
        let now = Timestamp::UNIX_EPOCH + SignedDuration::from_mins(5);
        let batch = poll(&config, 0, "Delta treaty signed", now);
        let hit = &batch.hits[0];
        connection
            .execute(
                "INSERT INTO hits (id, rule, rule_version, severity, feed, item_key, title, revision,
                   matched_at, spans, reason)
                 VALUES (?1, ?2, '', 'low', ?3, ?4, '', 1, 0, '[]', 'backfill')",
                params![hit.id, hit.rule, batch.feed.as_str(), hit.item.as_bytes()],
            )
            .unwrap();
        let told = write::batch(
            &connection,
            &mut Desk::default(),
            &mut write::Feeds::new(),
            &batch,
            &config,
        );
        assert_eq!(told.unwrap(), ["delta"]);
        let reasons = "SELECT group_concat(reason) FROM hits";
        let reasons: String = connection.query_row(reasons, [], |row| row.get(0)).unwrap();
        assert_eq!(reasons, "told-quiet");
    }
}
