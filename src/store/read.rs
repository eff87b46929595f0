//! What is read: by the poller before a batch is made, by the deliverer, by the command line.

use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use rusqlite::functions::FunctionFlags;
use rusqlite::{Connection, OpenFlags, OptionalExtension, Row, params};

use super::{DueDelivery, StoreError, schema};
use crate::alert::record::AlertRecord;
use crate::item::{Alias, FeedName, Item, ItemKey, Proof};
use crate::pipeline::{Fingerprint, KnownHit, KnownItem};
use crate::poll::{FailureKind, Hints, Validators};
use crate::recognition::Namesake;
use crate::schedule::rate::Arrivals;
use crate::schedule::trouble::Troubles;
use crate::schedule::{FeedState, HostPace, HostState, Move, State, Trust};
use crate::text;

/// Items from which the pauses of a feed are learnt: a month of one that brings a hundred a day.
const MOST_TIMES: u32 = 3_000;

/// A read-only connection. It sees what was committed when each query starts.
#[derive(Debug)]
pub struct Reader {
    pub(super) connection: Connection,
}

/// Something that the daemon said of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fact {
    /// What it said.
    pub value: String,
    /// When.
    pub at: Timestamp,
}

impl Reader {
    /// Opens the database of this version for reading.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        if !path.exists() {
            return Err(StoreError::Missing { path: path.to_owned() });
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags)
            .map_err(|error| StoreError::explained(error, path, "read"))?;
        connection.busy_timeout(super::BUSY_TIMEOUT)?;
        let found = schema::version(&connection).map_err(|error| match error {
            StoreError::Sqlite(error) => StoreError::explained(error, path, "read"),
            other => other,
        })?;
        if found > schema::VERSION {
            return Err(StoreError::Newer { found, known: schema::VERSION });
        }
        if found == 0 {
            return Err(StoreError::Missing { path: path.to_owned() });
        }
        add_holds(&connection)?;
        Ok(Self { connection })
    }

    /// A database in memory that holds nothing.
    pub(super) fn of_nothing() -> Result<Self, StoreError> {
        let mut connection = Connection::open_in_memory()?;
        schema::migrate(&mut connection)?;
        add_holds(&connection)?;
        Ok(Self { connection })
    }

    /// What is known of those of `keys` that the feed has shown before.
    pub fn known(
        &self,
        feed: &FeedName,
        keys: &[ItemKey],
    ) -> Result<HashMap<ItemKey, KnownItem>, StoreError> {
        let mut known: HashMap<ItemKey, KnownItem> = HashMap::new();
        let id: Option<i64> = self
            .connection
            .prepare_cached("SELECT id FROM feeds WHERE name = ?1 AND item_count > 0")?
            .query_row([feed.as_str()], |row| row.get(0))
            .optional()?;
        // A feed that never brought an item has no hits either.
        let Some(id) = id else { return Ok(known) };
        // Otherwise each query would lock the database anew.
        let _snapshot = self.connection.unchecked_transaction()?;
        let mut items = self.connection.prepare_cached(
            "SELECT fingerprint, revision FROM items WHERE feed = ?1 AND key = ?2",
        )?;
        for key in keys {
            let text = items
                .query_row(params![id, key.as_bytes()], |row| {
                    Ok((Fingerprint(row.get(0)?), row.get(1)?))
                })
                .optional()?;
            let hits = self.known_hits(feed, *key)?;
            if text.is_some() || !hits.is_empty() {
                known.insert(*key, KnownItem { text, hits });
            }
        }
        Ok(known)
    }

    /// The stored items of the feed that the names of these items lead to, by name. Items of which
    /// nothing is known under their keys are worth asking about.
    pub fn namesakes<'a>(
        &self,
        feed: &FeedName,
        items: impl Iterator<Item = &'a Item>,
    ) -> Result<HashMap<i64, Namesake>, StoreError> {
        let mut namesakes = HashMap::new();
        let mut statement = self.connection.prepare_cached(
            "SELECT key, title, published, fingerprint, revision, keys
             FROM aliases JOIN items ON items.id = aliases.item
             WHERE aliases.feed = (SELECT id FROM feeds WHERE name = ?1) AND alias = ?2",
        )?;
        for item in items {
            let key = Alias::of_key(item.key, Proof::Enough);
            for alias in std::iter::once(&key).chain(&item.aliases) {
                let mut rows = statement.query(params![feed.as_str(), alias.digest])?;
                let Some(row) = rows.next()? else { continue };
                let key = ItemKey::from_bytes(row.get(0)?);
                let known = KnownItem {
                    text: Some((Fingerprint(row.get(3)?), row.get(4)?)),
                    hits: self.known_hits(feed, key)?,
                };
                let namesake = Namesake {
                    key,
                    title: row.get(1)?,
                    published: maybe_time(row, 2)?,
                    keys: row.get(5)?,
                    known,
                };
                namesakes.insert(alias.digest, namesake);
            }
        }
        Ok(namesakes)
    }

    fn known_hits(&self, feed: &FeedName, key: ItemKey) -> Result<Vec<KnownHit>, StoreError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT rule, rule_version, revised_at IS NOT NULL, alert IS NOT NULL FROM hits
             WHERE feed = ?1 AND item_key = ?2",
        )?;
        let hits = statement.query_map(params![feed.as_str(), key.as_bytes()], |row| {
            let (rule, version) = (row.get(0)?, row.get(1)?);
            Ok(KnownHit { rule, version, revised: row.get(2)?, told: row.get(3)? })
        })?;
        Ok(hits.collect::<Result<_, _>>()?)
    }

    /// What is remembered about every feed that was ever configured.
    pub fn feed_states(&self) -> Result<HashMap<FeedName, FeedState>, StoreError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT name, state, state_since, why, failures, validator_url, etag, last_modified,
               body_hash, last_request, last_ok, last_new_item, baseline_at, next_due,
               interval_s, arrivals, item_window, same_bodies, gap_at, failure, failure_since,
               effective_url, moved_at, moving_url, moving_since, moving_polls, moving_proven,
               identity, trust,
               distrusted_at, checked_at, last_body, lifetime_s, migrated_at, troubles,
               hint_pause_s, skip_hours, skip_days, fruitless, first_request
             FROM feeds JOIN schedule ON feed = id",
        )?;
        // By name each would be looked for among all of them, in each row.
        let columns = statement.column_names().map(str::to_owned);
        let columns: HashMap<String, usize> = columns.zip(0..).collect();
        let mut rows = statement.query([])?;
        let mut states = HashMap::new();
        while let Some(row) = rows.next()? {
            let name: String = row.get(0)?;
            states.insert(FeedName::new(&name), feed_state(row, |column| columns[column])?);
        }
        Ok(states)
    }

    /// The hosts that are treated otherwise than any other: they have asked to be left alone.
    pub fn hosts(&self, now: Timestamp) -> Result<HashMap<String, HostState>, StoreError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT host, not_before, gap_ms, answers, refusals FROM hosts
             WHERE not_before > ?1 OR gap_ms IS NOT NULL",
        )?;
        let mut rows = statement.query([now.as_millisecond()])?;
        let mut hosts = HashMap::new();
        while let Some(row) = rows.next()? {
            let not_before = Some(time(row, 1)?).filter(|at| *at > now);
            let gap = row.get::<_, Option<u32>>(2)?;
            let gap = gap.map(|millis| Duration::from_millis(millis.into()));
            let pace = HostPace { gap, answers: row.get(3)?, refusals: row.get(4)? };
            hosts.insert(row.get(0)?, HostState { not_before, pace });
        }
        Ok(hosts)
    }

    /// Whether something waits for a receiver because an attempt failed, and comes again until then.
    pub fn waits_until(
        &self,
        receiver: &str,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<bool, StoreError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT 1 FROM deliveries
             WHERE receiver = ?1 AND state = 'due' AND next_attempt > ?2 AND next_attempt <= ?3
               AND attempts > 0",
        )?;
        let params = params![receiver, now.as_millisecond(), until.as_millisecond()];
        Ok(statement.exists(params)?)
    }

    /// The deliveries to a receiver that may be tried at `now`, each by itself, oldest alert first.
    /// One that failed and waits holds back the later ones of its story, and no others; so does one
    /// that is told together with others at once, until it is taken or given up.
    pub fn due_deliveries(
        &self,
        receiver: &str,
        now: Timestamp,
        limit: u32,
    ) -> Result<Vec<DueDelivery>, StoreError> {
        let mut statement = self.connection.prepare_cached(
            // Along this index the oldest comes first: however many wait, no more are looked at than
            // it takes to find these.
            "SELECT due.id, due.attempts, record, due.alert
             FROM deliveries AS due INDEXED BY deliveries_by_age
               JOIN alerts ON alerts.seq = due.alert
             WHERE due.receiver = ?1 AND due.state = 'due' AND due.digest IS NULL
               AND due.next_attempt <= ?2
               AND NOT EXISTS (
                 SELECT 1 FROM deliveries AS waiting
                 WHERE waiting.receiver = ?1 AND waiting.story = due.story
                   AND waiting.alert < due.alert AND waiting.state = 'due'
                   AND CASE WHEN waiting.digest IS NULL
                     THEN waiting.attempts > 0 AND waiting.next_attempt > ?2
                     -- Untried, it may be held back by another of its stories.
                     ELSE waiting.digest <= (SELECT created FROM alerts WHERE seq = waiting.alert)
                   END)
             ORDER BY due.alert LIMIT ?3",
        )?;
        let due = statement
            .query_map(params![receiver, now.as_millisecond(), limit], due_delivery)?
            .collect::<Result<_, _>>()?;
        Ok(due)
    }

    /// The deliveries of one digest to a receiver that may be tried at `now` as one message, oldest
    /// alert first. Those that were tried together stay together, so that a message keeps its id. What
    /// is told together at once is held back by what failed earlier of any of its stories and waits; a
    /// digest that has a time of day, or the end of quiet hours, is not.
    pub fn due_digest(
        &self,
        receiver: &str,
        now: Timestamp,
        limit: u32,
    ) -> Result<Vec<DueDelivery>, StoreError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT deliveries.id, attempts, record, alert
             FROM deliveries JOIN alerts ON alerts.seq = deliveries.alert
             WHERE receiver = ?1 AND state = 'due' AND digest IS NOT NULL AND next_attempt <= ?2
               AND (digest, attempts, next_attempt) =
                 (SELECT digest, attempts, next_attempt
                  FROM deliveries AS due INDEXED BY deliveries_together
                  WHERE receiver = ?1 AND state = 'due' AND digest IS NOT NULL
                    AND next_attempt <= ?2
                    AND NOT EXISTS (
                      SELECT 1 FROM deliveries AS told INDEXED BY deliveries_together
                        JOIN alerts ON alerts.seq = told.alert AND alerts.created >= told.digest
                        JOIN deliveries AS waiting INDEXED BY deliveries_story
                          ON waiting.receiver = ?1 AND waiting.story = told.story
                            AND waiting.alert < told.alert AND waiting.state = 'due'
                      WHERE told.receiver = ?1 AND told.state = 'due'
                        AND told.digest = due.digest AND told.next_attempt = due.next_attempt
                        AND told.attempts = due.attempts
                        AND CASE WHEN waiting.digest IS NULL OR waiting.next_attempt > ?2
                          THEN waiting.attempts > 0 AND waiting.next_attempt > ?2
                          -- What is held back holds back what is told together after it.
                          ELSE waiting.digest < told.digest
                        END
                        AND (waiting.digest IS NULL OR waiting.digest <=
                          (SELECT created FROM alerts WHERE seq = waiting.alert)))
                  ORDER BY digest, next_attempt, attempts LIMIT 1)
             ORDER BY alert LIMIT ?3",
        )?;
        let due = statement
            .query_map(params![receiver, now.as_millisecond(), limit], due_delivery)?
            .collect::<Result<_, _>>()?;
        Ok(due)
    }

    /// When the next delivery to a receiver may be tried, of those that could not be at `now`.
    pub fn next_attempt(
        &self,
        receiver: &str,
        now: Timestamp,
    ) -> Result<Option<Timestamp>, StoreError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT min(next_attempt) FROM deliveries
             WHERE receiver = ?1 AND state = 'due' AND next_attempt > ?2",
        )?;
        statement
            .query_row(params![receiver, now.as_millisecond()], |row| row.get(0))
            .map_err(StoreError::from)
            .and_then(|millis: Option<i64>| millis.map(timestamp).transpose())
    }

    /// When the newest items of a feed came, newest first: when they were published by their own
    /// account, at the latest when they were seen.
    pub fn times_of_items(&self, feed: &FeedName) -> Result<Vec<Timestamp>, StoreError> {
        // Ids grow with time.
        let mut statement = self.connection.prepare_cached(
            "SELECT min(first_seen, coalesce(published, first_seen)) FROM items
             WHERE feed = (SELECT id FROM feeds WHERE name = ?1)
               AND (baseline = 0 OR published IS NOT NULL)
             ORDER BY id DESC LIMIT ?2",
        )?;
        let times = statement
            .query_map(params![feed.as_str(), MOST_TIMES], |row| row.get(0))?
            .collect::<Result<Vec<i64>, _>>()?;
        let mut times = times.into_iter().map(timestamp).collect::<Result<Vec<_>, _>>()?;
        times.sort_unstable_by(|a, b| b.cmp(a));
        Ok(times)
    }

    /// The types of the events of the service that were told by themselves from `since` on, and when.
    pub fn events_told(&self, since: Timestamp) -> Result<Vec<(String, Timestamp)>, StoreError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT record ->> '$.type', created FROM alerts
             WHERE created >= ?1 AND told_in IS NULL AND record ->> '$.data.operator' IS NOT NULL",
        )?;
        let mut rows = statement.query([since.as_millisecond()])?;
        let mut told = Vec::new();
        while let Some(row) = rows.next()? {
            told.push((row.get(0)?, time(row, 1)?));
        }
        Ok(told)
    }

    /// The events that wait for a summary, oldest first, with their sequence numbers; at most `most`.
    pub fn events_held(&self, most: u32) -> Result<Vec<(i64, AlertRecord)>, StoreError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT seq, record FROM alerts WHERE told_in = 0 ORDER BY seq LIMIT ?1",
        )?;
        let mut rows = statement.query([most])?;
        let mut held = Vec::new();
        while let Some(row) = rows.next()? {
            let record: String = row.get(1)?;
            let record = serde_json::from_str(&record)
                .map_err(|_| StoreError::Corrupt { what: "alert record", value: record })?;
            held.push((row.get(0)?, record));
        }
        Ok(held)
    }

    /// Whether the last delivery to a receiver that came to an end was given up.
    pub fn gave_up_last(&self, receiver: &str) -> Result<bool, StoreError> {
        let state: Option<String> = self
            .connection
            .prepare_cached(
                "SELECT state FROM deliveries WHERE receiver = ?1 AND state != 'due'
                 ORDER BY finished_at DESC, id DESC LIMIT 1",
            )?
            .query_row([receiver], |row| row.get(0))
            .optional()?;
        Ok(state.as_deref() == Some("dead"))
    }

    /// What the daemon last said under that name.
    pub fn fact(&self, name: &str) -> Result<Option<Fact>, StoreError> {
        let fact = self
            .connection
            .prepare_cached("SELECT value, at FROM facts WHERE name = ?1")?
            .query_row([name], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        fact.map(|(value, at)| Ok(Fact { value, at: timestamp(at)? })).transpose()
    }
}

fn due_delivery(row: &Row<'_>) -> rusqlite::Result<DueDelivery> {
    Ok(DueDelivery {
        id: row.get(0)?,
        attempts: row.get(1)?,
        line: row.get(2)?,
        alert: row.get(3)?,
    })
}

/// Adds the SQL function `holds(text, form)`: SQLite's own LIKE knows no case but that of ASCII.
fn add_holds(connection: &Connection) -> rusqlite::Result<()> {
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC;
    connection.create_scalar_function("holds", 2, flags, |context| {
        let text = |index| context.get_raw(index).as_str_or_null();
        let (text, form) = (text(0)?, text(1)?);
        Ok(text.zip(form).is_some_and(|(text, form)| text::holds(text, form)))
    })
}

/// What is remembered of a feed, from the columns that `at` finds.
fn feed_state(row: &Row<'_>, at: impl Fn(&str) -> usize) -> Result<FeedState, StoreError> {
    let state: String = row.get(at("state"))?;
    let body_hash: Option<[u8; 32]> = row.get(at("body_hash"))?;
    Ok(FeedState {
        state: State::from_name(&state)
            .ok_or(StoreError::Corrupt { what: "feed state", value: state })?,
        state_since: time(row, at("state_since"))?,
        why: row.get(at("why"))?,
        failures: row.get(at("failures"))?,
        validators: Validators {
            url: row.get(at("validator_url"))?,
            etag: row.get(at("etag"))?,
            last_modified: row.get(at("last_modified"))?,
        },
        body_hash,
        first_request: maybe_time(row, at("first_request"))?,
        last_request: maybe_time(row, at("last_request"))?,
        last_ok: maybe_time(row, at("last_ok"))?,
        last_new_item: maybe_time(row, at("last_new_item"))?,
        baseline_at: maybe_time(row, at("baseline_at"))?,
        next_due: time(row, at("next_due"))?,
        interval: maybe_seconds(row, at("interval_s"))?,
        // What cannot be read is learnt anew.
        arrivals: row
            .get::<_, Option<Vec<u8>>>(at("arrivals"))?
            .and_then(|bytes| Arrivals::from_bytes(&bytes)),
        window: row.get(at("item_window"))?,
        same_bodies: row.get(at("same_bodies"))?,
        gap_at: maybe_time(row, at("gap_at"))?,
        failure: row
            .get::<_, Option<String>>(at("failure"))?
            .and_then(|name| FailureKind::from_name(&name)),
        failure_since: maybe_time(row, at("failure_since"))?,
        migrated_at: maybe_time(row, at("migrated_at"))?,
        effective_url: row.get(at("effective_url"))?,
        moved_at: maybe_time(row, at("moved_at"))?,
        moving: moving(row, &at)?,
        identity: row.get(at("identity"))?,
        trust: Trust::from_name(&row.get::<_, String>(at("trust"))?).unwrap_or_default(),
        distrusted_at: maybe_time(row, at("distrusted_at"))?,
        checked_at: maybe_time(row, at("checked_at"))?,
        last_body: maybe_time(row, at("last_body"))?,
        lifetime: maybe_seconds(row, at("lifetime_s"))?,
        troubles: Troubles::from_json(&row.get::<_, String>(at("troubles"))?),
        hints: Hints {
            pause: maybe_seconds(row, at("hint_pause_s"))?.unwrap_or_default(),
            skip_hours: row.get(at("skip_hours"))?,
            skip_days: row.get(at("skip_days"))?,
        },
        fruitless: row.get(at("fruitless"))?,
    })
}

fn moving(row: &Row<'_>, at: impl Fn(&str) -> usize) -> Result<Option<Move>, StoreError> {
    let Some(url) = row.get(at("moving_url"))? else { return Ok(None) };
    Ok(maybe_time(row, at("moving_since"))?.map(|since| Move {
        url,
        since,
        polls: row.get(at("moving_polls")).unwrap_or_default(),
        proven: row.get(at("moving_proven")).unwrap_or_default(),
    }))
}

/// The duration that a column may hold.
fn maybe_seconds(row: &Row<'_>, column: usize) -> Result<Option<Duration>, StoreError> {
    Ok(row.get::<_, Option<u32>>(column)?.map(|seconds| Duration::from_secs(seconds.into())))
}

/// The time that a column holds.
pub(super) fn time(
    row: &Row<'_>,
    column: impl rusqlite::RowIndex,
) -> Result<Timestamp, StoreError> {
    timestamp(row.get(column)?)
}

/// The time that a column may hold.
pub(super) fn maybe_time(
    row: &Row<'_>,
    column: impl rusqlite::RowIndex,
) -> Result<Option<Timestamp>, StoreError> {
    row.get::<_, Option<i64>>(column)?.map(timestamp).transpose()
}

fn timestamp(millis: i64) -> Result<Timestamp, StoreError> {
    Timestamp::from_millisecond(millis)
        .map_err(|_| StoreError::Corrupt { what: "time", value: millis.to_string() })
}
