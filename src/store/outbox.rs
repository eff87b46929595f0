//! The outbox: alerts on their way to receivers.

use jiff::{SignedDuration, Timestamp};
use rusqlite::{Connection, OptionalExtension as _, params};
use serde::Serialize;

use super::read::maybe_time;
use super::write::millis;
use super::{Reader, StoreError};

/// An alert that a receiver has not had yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DueDelivery {
    /// The delivery.
    pub id: i64,
    /// The alert's place in the order in which alerts were raised.
    pub alert: i64,
    /// How often it was tried.
    pub attempts: u32,
    /// The alert's record: one line of JSON.
    pub line: String,
}

/// How an attempt went, as it is written down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Settled {
    /// The receiver has it.
    Sent {
        /// When.
        at: Timestamp,
    },
    /// It is tried again.
    Again {
        /// Not before this.
        at: Timestamp,
        /// When the attempt failed.
        failed: Timestamp,
        /// Why the attempt failed.
        why: String,
    },
    /// It is given up; the record stays.
    Dead {
        /// When.
        at: Timestamp,
        /// Why.
        why: String,
    },
    /// It is given up without an attempt.
    Unsent {
        /// When.
        at: Timestamp,
        /// Why.
        why: String,
    },
}

/// A receiver that takes an alert after attempts have failed for so long, and none has succeeded, is
/// back: what waits for it because an attempt failed is due at once. Where single alerts are
/// refused, the others still arrive, and those wait as long as ever.
const BACK_AFTER: SignedDuration = SignedDuration::from_mins(10);

/// A receiver that fails, or for which something waits that is due.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ReceiverRow {
    /// The receiver.
    pub name: String,
    /// When the attempts in a row began that failed.
    pub failing_since: Option<Timestamp>,
    /// Why the last of them failed.
    pub why: Option<String>,
    /// Deliveries that wait; not those that wait for their digest.
    pub waiting: u64,
}

impl Reader {
    /// The receivers that fail or for which something waits at `now`, by name.
    pub fn receivers(&self, now: Timestamp) -> Result<Vec<ReceiverRow>, StoreError> {
        let mut statement = self.connection.prepare(
            "WITH waiting AS (
               SELECT receiver, count(*) AS number FROM deliveries
               WHERE state = 'due' AND (digest IS NULL OR attempts > 0 OR next_attempt <= ?1)
               GROUP BY receiver)
             SELECT name, since, why, coalesce(number, 0)
             FROM failing_receivers LEFT JOIN waiting ON receiver = name
             UNION ALL
             SELECT receiver, NULL, NULL, number FROM waiting
             WHERE receiver NOT IN (SELECT name FROM failing_receivers) ORDER BY 1",
        )?;
        let mut rows = statement.query([millis(now)])?;
        let mut receivers = Vec::new();
        while let Some(row) = rows.next()? {
            receivers.push(ReceiverRow {
                name: row.get(0)?,
                failing_since: maybe_time(row, 1)?,
                why: row.get(2)?,
                waiting: row.get::<_, i64>(3)?.unsigned_abs(),
            });
        }
        Ok(receivers)
    }
}

/// Writes down how an attempt went.
pub(crate) fn settle(
    connection: &Connection,
    delivery: i64,
    settled: &Settled,
) -> Result<(), StoreError> {
    let (state, error, next, finished) = match settled {
        Settled::Sent { at } => ("sent", None, None, Some(millis(*at))),
        Settled::Again { at, why, .. } => ("due", Some(why), Some(millis(*at)), None),
        Settled::Dead { at, why } | Settled::Unsent { at, why } => {
            ("dead", Some(why), None, Some(millis(*at)))
        }
    };
    let made = u8::from(!matches!(settled, Settled::Unsent { .. }));
    connection
        .prepare_cached(
            "UPDATE deliveries SET attempts = attempts + ?6, state = ?2, last_error = ?3,
               next_attempt = ?4, finished_at = ?5
             WHERE id = ?1",
        )?
        .execute(params![delivery, state, error, next, finished, made])?;
    match settled {
        Settled::Sent { at } => takes(connection, delivery, *at),
        Settled::Again { failed: at, why, .. } | Settled::Unsent { at, why } => {
            fails(connection, delivery, *at, why)
        }
        // Whoever says that it will never take an alert is there, and may take others.
        Settled::Dead { .. } => Ok(()),
    }
}

/// The receiver of a delivery fails, since now if it did not before.
fn fails(
    connection: &Connection,
    delivery: i64,
    now: Timestamp,
    why: &str,
) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "INSERT INTO failing_receivers (name, since, why)
             SELECT receiver, ?2, ?3 FROM deliveries WHERE id = ?1
             ON CONFLICT (name) DO UPDATE SET why = excluded.why",
        )?
        .execute(params![delivery, millis(now), why])?;
    Ok(())
}

/// The receiver of a delivery has taken it. What waits for it is due where it is back after long.
fn takes(connection: &Connection, delivery: i64, now: Timestamp) -> Result<(), StoreError> {
    let since: Option<i64> = connection
        .prepare_cached(
            "DELETE FROM failing_receivers
             WHERE name = (SELECT receiver FROM deliveries WHERE id = ?1) RETURNING since",
        )?
        .query_row([delivery], |row| row.get(0))
        .optional()?;
    let long_ago = now.checked_sub(BACK_AFTER).map_or(i64::MIN, millis);
    if since.is_some_and(|since| since <= long_ago) {
        connection
            .prepare_cached(
                "UPDATE deliveries SET next_attempt = ?2
                 WHERE receiver = (SELECT receiver FROM deliveries WHERE id = ?1)
                   AND state = 'due' AND attempts > 0 AND next_attempt > ?2",
            )?
            .execute(params![delivery, millis(now)])?;
    }
    Ok(())
}

/// What became of a delivery that was to be tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retried {
    /// It is due.
    Due,
    /// It has not been tried yet.
    Untried,
    /// The receiver has it.
    WasSent,
    /// There is none of that number.
    Unknown,
}

/// The deliveries that were given up since then, and those that wait because an attempt failed.
pub(crate) fn failed_since(
    connection: &Connection,
    since: Timestamp,
) -> Result<Vec<i64>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT id FROM deliveries
         WHERE state = 'dead' AND finished_at >= ?1 OR state = 'due' AND attempts > 0
         ORDER BY alert",
    )?;
    let ids = statement.query_map([millis(since)], |row| row.get(0))?.collect::<Result<_, _>>()?;
    Ok(ids)
}

/// Makes deliveries due at once that were given up or wait because an attempt failed, as if they had
/// never been tried.
pub(crate) fn retry(
    connection: &Connection,
    deliveries: &[i64],
    now: Timestamp,
) -> Result<Vec<Retried>, StoreError> {
    let mut update = connection.prepare_cached(
        "UPDATE deliveries SET state = 'due', attempts = 0, next_attempt = ?2, finished_at = NULL
         WHERE id = ?1 AND (state = 'dead' OR state = 'due' AND attempts > 0)",
    )?;
    let mut state = connection.prepare_cached("SELECT state FROM deliveries WHERE id = ?1")?;
    let mut retry = |id: &i64| {
        if update.execute(params![id, millis(now)])? == 1 {
            return Ok(Retried::Due);
        }
        let state: Option<String> = state.query_row([id], |row| row.get(0)).optional()?;
        Ok(match state.as_deref() {
            None => Retried::Unknown,
            Some("sent") => Retried::WasSent,
            Some(_) => Retried::Untried,
        })
    };
    deliveries.iter().map(&mut retry).collect()
}
