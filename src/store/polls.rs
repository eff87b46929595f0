//! The last polls of each feed, for a person who wants to know how it has been doing.

use std::time::Duration;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, params};
use serde::Serialize;

use super::write::millis;
use super::{Reader, StoreError, read};
use crate::poll::PollNote;

/// Polls of a feed that are kept.
const KEPT: i64 = 30;

/// A poll of a feed, as the lists show it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PollRow {
    /// When the request was started.
    pub time: Timestamp,
    /// The status of the answer; absent where no server gave one.
    pub status: Option<u16>,
    /// How it went, in a word.
    pub result: String,
    /// Bytes of a body on the wire.
    pub bytes: u64,
    /// Items that the document showed.
    pub items: u64,
    /// How many of those were new.
    pub new: u64,
    /// How long it took.
    pub ms: u64,
    /// When the feed was to be asked next.
    pub next_due: Timestamp,
    /// What decided that, in a word.
    pub reason: String,
}

/// Keeps a poll, and drops the one that is too many.
pub(super) fn add(
    connection: &Connection,
    feed: i64,
    note: &PollNote,
    next_due: Timestamp,
) -> Result<(), StoreError> {
    let count = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
    let number: i64 = connection
        .prepare_cached(
            "INSERT INTO polls (feed, number, at, status, result, bytes, items, new, ms, next_due,
               reason)
             VALUES (?1, (SELECT coalesce(max(number), 0) + 1 FROM polls WHERE feed = ?1), ?2, ?3,
               ?4, ?5, ?6, ?7, ?8, ?9, ?10)
             RETURNING number",
        )?
        .query_row(
            params![
                feed,
                millis(note.at),
                note.status,
                note.result,
                i64::try_from(note.received_bytes).unwrap_or(i64::MAX),
                count(note.items),
                count(note.new_items),
                whole_millis(note.took),
                millis(next_due),
                note.due_by.as_str(),
            ],
            |row| row.get(0),
        )?;
    connection
        .prepare_cached("DELETE FROM polls WHERE feed = ?1 AND number <= ?2")?
        .execute(params![feed, number - KEPT])?;
    Ok(())
}

fn whole_millis(took: Duration) -> i64 {
    i64::try_from(took.as_millis()).unwrap_or(i64::MAX)
}

impl Reader {
    /// The polls of a feed that are remembered, newest first; nothing when there is no such feed.
    pub fn polls(&self, feed: &str) -> Result<Option<Vec<PollRow>>, StoreError> {
        let id: Option<i64> = self
            .connection
            .prepare_cached("SELECT id FROM feeds WHERE name = ?1")?
            .query_row([feed], |row| row.get(0))
            .optional()?;
        let Some(id) = id else { return Ok(None) };
        let mut statement = self.connection.prepare_cached(
            "SELECT at, status, result, bytes, items, new, ms, next_due, reason FROM polls
             WHERE feed = ?1 ORDER BY number DESC",
        )?;
        let mut rows = statement.query([id])?;
        let mut polls = Vec::new();
        while let Some(row) = rows.next()? {
            let count = |column| row.get::<_, i64>(column).map(i64::unsigned_abs);
            polls.push(PollRow {
                time: read::time(row, 0)?,
                status: row.get(1)?,
                result: row.get(2)?,
                bytes: count(3)?,
                items: count(4)?,
                new: count(5)?,
                ms: count(6)?,
                next_due: read::time(row, 7)?,
                reason: row.get(8)?,
            });
        }
        Ok(Some(polls))
    }
}
