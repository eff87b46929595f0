//! What the writer thread writes: batches, feeds, facts.

use std::collections::HashMap;
use std::sync::LazyLock;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use rusqlite::{Connection, OptionalExtension, Statement, params, params_from_iter};
use url::Url;

use super::{StoreError, acks, polls, revised, silences, stories};
use crate::alert::operator::OutgoingEvent;
use crate::alert::route::LONGEST_HOLD;
use crate::config::{Config, Feed};
use crate::item::FeedName;
use crate::pipeline::{Batch, MOST_TEXTS, OutgoingAlert, OutgoingDelivery, StoredItem};
use crate::poll::FailureKind;
use crate::recognition::Renamed;
use crate::schedule::rate::Arrivals;
use crate::schedule::trouble::Troubles;
use crate::schedule::{FeedState, HostPace, HostState};
use crate::story::Desk;

/// Items that one call of [`prune`] empties at most, so that polls need not wait long for it.
pub(super) const MOST_PRUNED: usize = 5_000;

/// The statements that keep names of items, and how many each keeps: most of what a name costs is its
/// statement.
static INSERT_ALIASES: LazyLock<[(usize, String); 7]> =
    LazyLock::new(|| [64, 32, 16, 8, 4, 2, 1].map(|rows| (rows, insert_aliases(rows))));

/// The addresses and the numbers of feeds whose rows are as the last commit of their polls left them.
pub(super) type Feeds = HashMap<FeedName, (Url, i64)>;

/// How long the other names of an item are kept, in days.
const DAYS_OF_ALIASES: i64 = 400;

/// A time as the store keeps it.
pub(crate) fn millis(time: Timestamp) -> i64 {
    time.as_millisecond()
}

/// A list of short texts as the store keeps it.
fn list(texts: &[String]) -> String {
    serde_json::to_string(texts).expect("a list of strings is JSON")
}

/// A duration as the store keeps it.
fn seconds(duration: Duration) -> u32 {
    u32::try_from(duration.as_secs()).unwrap_or(u32::MAX)
}

/// Writes all of one poll and decides what is told of it; says of which rules alerts were raised.
pub(crate) fn batch(
    connection: &Connection,
    desk: &mut Desk,
    feeds: &mut Feeds,
    batch: &Batch,
    config: &Config,
) -> Result<Vec<String>, StoreError> {
    // Of a row that somebody else may have written since, the poll's state is compared with nothing.
    let whole = !batch.only_times || !feeds.contains_key(&batch.feed);
    let feed = feed_at(connection, feeds, &batch.feed, &batch.url)?;
    let before = revised::before(connection, batch)?;
    if !batch.items.is_empty() || !batch.renamed.is_empty() {
        items(connection, feed, batch)?;
    }
    for event in &batch.events {
        self::event(connection, event)?;
    }
    let mut told = revised::take(connection, desk, batch, &before, config)?;
    told.extend(stories::take(connection, desk, batch, config)?);
    if let Some((host, state)) = &batch.host {
        self::host(connection, host, state, batch.at)?;
    }
    if whole {
        feed_state(connection, feed, &batch.state, batch.new_items())?;
    }
    schedule(connection, feed, &batch.state)?;
    if let Some(note) = &batch.note {
        polls::add(connection, feed, note, batch.state.next_due)?;
    }
    Ok(told)
}

/// The statement that writes an item, and what it does where the feed has one of that key.
macro_rules! insert_item {
    ($where_there_is_one:literal) => {
        concat!(
            "INSERT INTO items (feed, key, given_id, title, summary, content, link, lang, authors,
               tags, published, updated, source_title, source_url, fingerprint, first_seen,
               revision, baseline, late, outage)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17,
               ?18, ?19, ?20)
             ON CONFLICT (feed, key) ",
            $where_there_is_one
        )
    };
}

/// Writes the items of a batch and their names.
fn items(connection: &Connection, feed: i64, batch: &Batch) -> Result<(), StoreError> {
    let mut insert = connection.prepare_cached(insert_item!("DO NOTHING"))?;
    let mut names = Vec::new();
    for stored in &batch.items {
        let id = item(connection, &mut insert, feed, stored, batch.at)?;
        names.extend(stored.item.aliases.iter().map(|alias| (alias.digest, id)));
    }
    for renamed in &batch.renamed {
        let id = self::renamed(connection, feed, renamed)?;
        names.extend(renamed.names.iter().map(|name| (*name, id)));
    }
    aliases(connection, feed, &names, batch.at)
}

/// Remembers how a host is treated; nothing, when it is treated as any other.
fn host(
    connection: &Connection,
    host: &str,
    state: &HostState,
    now: Timestamp,
) -> Result<(), StoreError> {
    let HostState { not_before, pace: HostPace { gap, answers, refusals } } = state;
    let gap = gap.map(|gap| u32::try_from(gap.as_millis()).unwrap_or(u32::MAX));
    connection
        .prepare_cached(
            "INSERT INTO hosts (host, not_before, gap_ms, answers, refusals)
             VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT (host) DO UPDATE SET not_before = max(not_before, excluded.not_before),
               gap_ms = excluded.gap_ms, answers = excluded.answers,
               refusals = excluded.refusals",
        )?
        .execute(params![host, not_before.map_or(0, millis), gap, answers, refusals])?;
    if gap.is_none() {
        connection
            .prepare_cached("DELETE FROM hosts WHERE host = ?1 AND not_before <= ?2")?
            .execute(params![host, millis(now)])?;
    }
    Ok(())
}

/// The number of a feed, where it has that address.
fn feed_at(
    connection: &Connection,
    feeds: &mut Feeds,
    name: &FeedName,
    url: &Url,
) -> Result<i64, StoreError> {
    if let Some((_, id)) = feeds.get(name).filter(|(known, _)| known == url) {
        return Ok(*id);
    }
    let id = connection
        .prepare_cached("SELECT id FROM feeds WHERE name = ?1 AND url = ?2")?
        .query_row([name.as_str(), url.as_str()], |row| row.get(0))
        .optional()?
        .ok_or_else(|| StoreError::Superseded { feed: name.clone() })?;
    feeds.insert(name.clone(), (url.clone(), id));
    Ok(id)
}

/// Writes an item, where it is new with the statement that does so, and returns its number.
fn item(
    connection: &Connection,
    insert: &mut Statement<'_>,
    feed: i64,
    stored: &StoredItem,
    now: Timestamp,
) -> Result<i64, StoreError> {
    let item = &stored.item;
    if stored.revision > 1 {
        connection
            .prepare_cached(
                "INSERT OR IGNORE INTO revisions (item, revision, until, title, summary, content)
                 SELECT id, revision, ?3, title, summary, content FROM items
                 WHERE feed = ?1 AND key = ?2",
            )?
            .execute(params![feed, item.key.as_bytes(), millis(now)])?;
    }
    if let Some(dropped) = stored.revision.checked_sub(MOST_TEXTS) {
        connection
            .prepare_cached(
                "DELETE FROM revisions
                 WHERE item = (SELECT id FROM items WHERE feed = ?1 AND key = ?2) AND revision <= ?3",
            )?
            .execute(params![feed, item.key.as_bytes(), dropped])?;
    }
    let values = params![
        feed,
        item.key.as_bytes(),
        item.id,
        item.title,
        item.summary,
        item.content,
        item.link,
        item.lang,
        list(&item.authors),
        list(&item.tags),
        item.published.map(millis),
        item.updated.map(millis),
        item.source.as_ref().and_then(|source| source.title.as_deref()),
        item.source.as_ref().and_then(|source| source.url.as_deref()),
        stored.fingerprint.0,
        millis(now),
        stored.revision,
        stored.baseline,
        stored.late,
        stored.outage,
    ];
    // What returns nothing needs no table for it.
    if stored.revision == 1 && insert.execute(values)? == 1 {
        return Ok(connection.last_insert_rowid());
    }
    Ok(connection
        .prepare_cached(insert_item!(
            "DO UPDATE SET title = excluded.title,
               summary = excluded.summary, content = excluded.content, link = excluded.link,
               authors = excluded.authors, tags = excluded.tags, updated = excluded.updated,
               fingerprint = excluded.fingerprint, revision = excluded.revision, pruned = 0
             RETURNING id"
        ))?
        .query_row(values, |row| row.get(0))?)
}

/// Keeps names of items with the items' numbers. A name that another item had belongs to the newer
/// one.
fn aliases(
    connection: &Connection,
    feed: i64,
    names: &[(i64, i64)],
    now: Timestamp,
) -> Result<(), StoreError> {
    let day = day(now);
    let mut rest = names;
    for (rows, sql) in &*INSERT_ALIASES {
        let chunks = rest.chunks_exact(*rows);
        rest = chunks.remainder();
        if chunks.len() == 0 {
            continue;
        }
        let mut statement = connection.prepare_cached(sql)?;
        for chunk in chunks {
            let names = chunk.iter().flat_map(|(name, item)| [*name, *item]);
            statement.execute(params_from_iter([feed, day].into_iter().chain(names)))?;
        }
    }
    Ok(())
}

/// The statement that keeps so many names at a time.
fn insert_aliases(rows: usize) -> String {
    let row = |row: usize| format!("(?1, ?{}, ?{}, ?2)", 2 * row + 3, 2 * row + 4);
    let rows: Vec<String> = (0..rows).map(row).collect();
    format!(
        "INSERT INTO aliases (feed, alias, item, day) VALUES {}
         ON CONFLICT (feed, alias) DO UPDATE SET item = excluded.item, day = excluded.day",
        rows.join(", ")
    )
}

/// Counts that an item which came under another key is known under one more, and returns its number.
fn renamed(connection: &Connection, feed: i64, renamed: &Renamed) -> Result<i64, StoreError> {
    Ok(connection
        .prepare_cached(
            "UPDATE items SET keys = keys + 1 WHERE feed = ?1 AND key = ?2 RETURNING id",
        )?
        .query_row(params![feed, renamed.key.as_bytes()], |row| row.get(0))?)
}

/// Days since 1970-01-01.
fn day(now: Timestamp) -> i64 {
    now.as_second().div_euclid(24 * 3600)
}

/// Writes an event of the service: by itself, or in place of those that were held.
pub(crate) fn event(connection: &Connection, event: &OutgoingEvent) -> Result<(), StoreError> {
    let sequence = alert(connection, &event.alert, event.alert.record.recordedtime)?;
    let mut told_in = connection.prepare_cached("UPDATE alerts SET told_in = ?2 WHERE seq = ?1")?;
    if event.held {
        told_in.execute(params![sequence, 0])?;
    }
    for held in &event.tells {
        told_in.execute(params![held, sequence])?;
    }
    Ok(())
}

/// Writes an alert and its deliveries, and returns its sequence number. Whether a silence or an
/// acknowledgement mutes it is decided here, in the transaction that holds the alert: then only logs
/// get it.
pub(crate) fn alert(
    connection: &Connection,
    alert: &OutgoingAlert,
    now: Timestamp,
) -> Result<i64, StoreError> {
    let silence = silences::holding(connection, alert, now)?;
    let acked_by = acks::muting(connection, alert, now)?;
    connection
        .prepare_cached(
            "INSERT INTO alerts (id, rule, severity, feed, created, record, silence)
             VALUES (?1, ?2, ?3, ?4, ?5, '', ?6)",
        )?
        .execute(params![
            alert.record.id,
            alert.record.rule(),
            alert.severity.as_str(),
            alert.record.feed(),
            millis(now),
            silence
        ])?;
    let sequence = connection.last_insert_rowid();
    let mut record = alert.record.clone();
    record.data.silenced_by = silence.map(|id| id.to_string());
    record.data.acked_by = acked_by;
    record.sequence = Some(format!("{sequence:016}"));
    let line = serde_json::to_string(&record).expect("an alert record is JSON");
    connection
        .prepare_cached("UPDATE alerts SET record = ?2 WHERE seq = ?1")?
        .execute(params![sequence, line])?;
    let muted = silence.is_some() || record.data.acked_by.is_some();
    let told = |delivery: &&OutgoingDelivery| !muted || delivery.log;
    for delivery in alert.deliveries.iter().filter(told) {
        let at = millis(delivery.due.at);
        let digest = delivery.due.held.is_some().then_some(at);
        connection
            .prepare_cached(
                "INSERT INTO deliveries (alert, receiver, state, next_attempt, digest, story)
                 VALUES (?1, ?2, 'due', ?3, ?4, ?5)",
            )?
            .execute(params![sequence, delivery.receiver, at, digest, record.correlationid])?;
    }
    Ok(sequence)
}

/// Writes that a feed which has that address is asked now, and when it is to be asked again should
/// nothing come of it; and when it was asked first, where nothing was read of it yet. What else the poll starts
/// from, the next one would find out again.
pub(crate) fn lease(
    connection: &Connection,
    feeds: &mut Feeds,
    (name, url): (&FeedName, &Url),
    (first, asked): (Option<Timestamp>, Option<Timestamp>),
    next_due: Timestamp,
) -> Result<(), StoreError> {
    let feed = feed_at(connection, feeds, name, url)?;
    if let Some(first) = first {
        connection
            .prepare_cached(
                "UPDATE feeds SET first_request = ?2 WHERE id = ?1 AND first_request IS NULL",
            )?
            .execute(params![feed, millis(first)])?;
    }
    connection
        .prepare_cached("UPDATE schedule SET last_request = ?2, next_due = ?3 WHERE feed = ?1")?
        .execute(params![feed, asked.map(millis), millis(next_due)])?;
    Ok(())
}

/// Writes when a feed was asked and is to be asked again.
fn schedule(connection: &Connection, feed: i64, state: &FeedState) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "INSERT INTO schedule (feed, last_request, last_ok, next_due, interval_s)
             VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT (feed) DO UPDATE SET last_request = excluded.last_request,
               last_ok = excluded.last_ok, next_due = excluded.next_due,
               interval_s = excluded.interval_s",
        )?
        .execute(params![
            feed,
            state.last_request.map(millis),
            state.last_ok.map(millis),
            millis(state.next_due),
            state.interval.map(seconds),
        ])?;
    Ok(())
}

/// Writes what else is known about a feed, and counts its new items.
fn feed_state(
    connection: &Connection,
    feed: i64,
    state: &FeedState,
    new_items: usize,
) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "UPDATE feeds SET state = ?2, state_since = ?3, why = ?4, failures = ?5,
               validator_url = ?6, etag = ?7, last_modified = ?8, body_hash = ?9,
               last_new_item = ?10, baseline_at = ?11, arrivals = ?12, item_window = ?13,
               same_bodies = ?14, gap_at = ?15, failure = ?16, failure_since = ?17,
               effective_url = ?18, moved_at = ?19, moving_url = ?20, moving_since = ?21,
               moving_polls = ?22, trust = ?23, distrusted_at = ?24, checked_at = ?25,
               last_body = ?26, lifetime_s = ?27, migrated_at = ?28, troubles = ?29,
               hint_pause_s = ?30, skip_hours = ?31, skip_days = ?32, fruitless = ?33,
               moving_proven = ?34, identity = ?35, first_request = ?36,
               item_count = item_count + ?37
             WHERE id = ?1",
        )?
        .execute(params![
            feed,
            state.state.as_str(),
            millis(state.state_since),
            state.why,
            state.failures,
            state.validators.url,
            state.validators.etag,
            state.validators.last_modified,
            state.body_hash.as_ref().map(|hash| hash.as_slice()),
            state.last_new_item.map(millis),
            state.baseline_at.map(millis),
            state.arrivals.as_ref().map(Arrivals::to_bytes),
            state.window,
            state.same_bodies,
            state.gap_at.map(millis),
            state.failure.map(FailureKind::as_str),
            state.failure_since.map(millis),
            state.effective_url,
            state.moved_at.map(millis),
            state.moving.as_ref().map(|moving| &moving.url),
            state.moving.as_ref().map(|moving| millis(moving.since)),
            state.moving.as_ref().map(|moving| moving.polls),
            state.trust.as_str(),
            state.distrusted_at.map(millis),
            state.checked_at.map(millis),
            state.last_body.map(millis),
            state.lifetime.map(seconds),
            state.migrated_at.map(millis),
            state.troubles.to_json(),
            seconds(state.hints.pause),
            state.hints.skip_hours,
            state.hints.skip_days,
            state.fruitless,
            state.moving.as_ref().map(|moving| moving.proven),
            state.identity,
            state.first_request.map(millis),
            u32::try_from(new_items).unwrap_or(u32::MAX),
        ])?;
    Ok(())
}

/// See [`super::Store::adopt_feeds`].
pub(crate) fn adopt_feeds(
    connection: &Connection,
    feeds: &[Feed],
    now: Timestamp,
) -> Result<(), StoreError> {
    connection.execute("UPDATE feeds SET configured = 'removed'", [])?;
    for feed in feeds {
        let (name, url) = (feed.name.as_str(), feed.url.as_str());
        let configured = if feed.enabled { "enabled" } else { "disabled" };
        let before: Option<(i64, String, Option<String>, Option<i64>)> = connection
            .prepare_cached(
                "SELECT id, url, effective_url, baseline_at FROM feeds WHERE name = ?1",
            )?
            .query_row([name], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))
            .optional()?;
        let Some((id, before, adopted, baseline_at)) = before else {
            connection
                .prepare_cached(
                    "INSERT INTO feeds (name, url, title, configured, state, state_since, failures)
                     VALUES (?1, ?2, ?3, ?4, 'new', ?5, 0)",
                )?
                .execute(params![name, url, feed.title, configured, millis(now)])?;
            schedule(connection, connection.last_insert_rowid(), &FeedState::new(now, now))?;
            continue;
        };
        connection
            .prepare_cached(
                "UPDATE feeds SET url = ?2, title = ?3, configured = ?4 WHERE name = ?1",
            )?
            .execute(params![name, url, feed.title, configured])?;
        if before != url {
            let mut fresh = FeedState::new(now, now);
            // Whoever was told of a trouble is told when the new address ends it.
            fresh.troubles = troubles(connection, name)?;
            // Only another site's feed is another feed; one that moved keeps its baseline, and what
            // came since the last poll is news.
            if adopted.as_deref() == Some(url) || is_same_site(&before, &feed.url) {
                fresh.baseline_at = baseline_at.and_then(|at| Timestamp::from_millisecond(at).ok());
            }
            feed_state(connection, id, &fresh, 0)?;
            schedule(connection, id, &fresh)?;
        }
    }
    Ok(())
}

fn troubles(connection: &Connection, feed: &str) -> Result<Troubles, StoreError> {
    let text: String = connection
        .prepare_cached("SELECT troubles FROM feeds WHERE name = ?1")?
        .query_row([feed], |row| row.get(0))?;
    Ok(Troubles::from_json(&text))
}

/// Whether two addresses are of one site, over http or https, with or without `www.`.
fn is_same_site(before: &str, now: &Url) -> bool {
    let site = |url: &Url| {
        let host = url.host_str()?;
        Some((host.strip_prefix("www.").unwrap_or(host).to_owned(), url.port()))
    };
    let Ok(before) = Url::parse(before) else { return false };
    before.origin() == now.origin() || site(&before).is_some_and(|before| site(now) == Some(before))
}

/// See [`super::Store::note`].
pub(crate) fn note(
    connection: &Connection,
    name: &str,
    value: &str,
    now: Timestamp,
) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "INSERT INTO facts (name, value, at) VALUES (?1, ?2, ?3)
             ON CONFLICT (name) DO UPDATE SET value = excluded.value, at = excluded.at",
        )?
        .execute(params![name, value, millis(now)])?;
    Ok(())
}

/// See [`super::Store::set_back`].
pub(crate) fn set_back(
    connection: &Connection,
    by: SignedDuration,
    now: Timestamp,
) -> Result<(), StoreError> {
    stories::set_back(connection, by)?;
    let by = i64::try_from(by.as_millis()).unwrap_or(i64::MAX);
    for sql in [
        "UPDATE schedule SET next_due = next_due - ?1",
        "UPDATE hosts SET not_before = not_before - ?1",
        "UPDATE facts SET at = at - ?1",
        "UPDATE failing_receivers SET since = since - ?1",
    ] {
        connection.execute(sql, [by])?;
    }
    // A digest goes at a time of day, which it keeps; unless the clock was so wrong that no digest
    // can be meant that is so far away.
    let latest = now.checked_add(LONGEST_HOLD).map_or(i64::MAX, millis);
    connection.execute(
        "UPDATE deliveries SET next_attempt = next_attempt - ?1
         WHERE state = 'due' AND (digest IS NULL OR attempts > 0 OR next_attempt > ?2)",
        [by, latest],
    )?;
    // A silence keeps its end, unless it began when the clock was wrong: then it keeps its length.
    connection.execute(
        "UPDATE silences SET since = since - ?1, until = until - ?1
         WHERE summed_at IS NULL AND since > ?2",
        [by, millis(now)],
    )?;
    Ok(())
}

/// The ids of the oldest items whose texts came before ?1, at most ?2. What an item says now came when
/// it was last edited.
const TO_EMPTY: &str = "SELECT id FROM items WHERE pruned = 0 AND first_seen < ?1
   AND NOT EXISTS (SELECT 1 FROM revisions WHERE item = items.id AND until >= ?1)
 ORDER BY first_seen LIMIT ?2";

/// See [`super::Store::prune`].
pub(crate) fn prune(
    connection: &Connection,
    before: Timestamp,
    now: Timestamp,
) -> Result<usize, StoreError> {
    let most = i64::try_from(MOST_PRUNED).unwrap_or(i64::MAX);
    // Each hour of a week looks at the feeds of its own.
    connection.execute(
        "DELETE FROM aliases
         WHERE feed IN (SELECT id FROM feeds WHERE id % 168 = ?1) AND day < ?2",
        params![now.as_second().div_euclid(3600).rem_euclid(168), day(now) - DAYS_OF_ALIASES],
    )?;
    stories::prune(connection, now)?;
    connection.execute(
        &format!("DELETE FROM revisions WHERE item IN ({TO_EMPTY})"),
        params![millis(before), most],
    )?;
    Ok(connection.execute(
        &format!(
            "UPDATE items SET pruned = 1, title = '', summary = '', content = '', authors = '[]',
               tags = '[]'
             WHERE id IN ({TO_EMPTY})"
        ),
        params![millis(before), most],
    )?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(before: &str, now: &str, same: bool) {
        assert_eq!(is_same_site(before, &Url::parse(now).unwrap()), same, "{before} {now}");
    }

    #[test]
    fn a_feed_that_moves_within_its_site_is_the_same_feed() {
        check("http://e.org/feed", "https://www.e.org/rss.xml", true);
        check("https://e.org:8443/feed", "https://e.org:8443/rss", true);
        check("https://e.org/feed", "https://e.org:8443/feed", false);
        check("https://e.org/feed", "https://other.org/feed", false);
        check("https://e.org/feed", "file:///feed.xml", false);
    }

    #[tokio::test]
    async fn all_that_is_old_is_emptied_however_much_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("newswatch.db");
        let store = crate::store::Store::open(&path).unwrap();
        let count = MOST_PRUNED + 1;
        Connection::open(&path)
            .unwrap()
            .execute_batch(&format!(
                "INSERT INTO feeds (name, url, configured, state, state_since, failures)
                 VALUES ('a', 'https://e.org/', 'enabled', 'new', 0, 0);
                 WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count})
                 INSERT INTO items (feed, key, title, summary, content, authors, tags, fingerprint,
                   first_seen)
                 SELECT 1, CAST(i AS BLOB), 'Oslo', '', '', '[]', '[]', x'00', i FROM n"
            ))
            .unwrap();
        let before = Timestamp::from_second(3_600).unwrap();
        assert_eq!(store.prune(before, before).await.unwrap(), count);
    }
}
