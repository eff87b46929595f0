//! The last polls of each feed, for a person who wants to know how it has been doing: a list of fixed
//! entries, newest first, in one row a feed.

use std::time::Duration;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, params};
use serde::Serialize;

use super::write::millis;
use super::{Reader, StoreError};
use crate::poll::{DueBy, PollNote, PollResult};

/// Polls of a feed that are kept.
const KEPT: usize = 30;
/// Bytes of a poll.
const LENGTH: usize = 32;
/// Bytes of all that are kept.
const MOST_BYTES: i64 = (KEPT * LENGTH) as i64;

/// A poll as it is stored.
type Entry = [u8; LENGTH];

/// A poll of a feed, as the lists show it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PollRow {
    /// When the request was started.
    pub time: Timestamp,
    /// The status of the answer; absent where no server gave one.
    pub status: Option<u16>,
    /// How it went, in a word.
    pub result: &'static str,
    /// Bytes of a body on the wire.
    pub bytes: u32,
    /// Items that the document showed.
    pub items: u16,
    /// How many were new, those of older pages included.
    pub new: u16,
    /// How long it took.
    pub ms: u32,
    /// When the feed was to be asked next.
    pub next_due: Timestamp,
    /// What decided that, in a word.
    pub reason: &'static str,
}

/// Adds a poll of a feed to those that are remembered.
pub(super) fn add(
    connection: &Connection,
    feed: i64,
    note: &PollNote,
    next_due: Timestamp,
) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "INSERT INTO polls (feed, polls) VALUES (?1, ?2)
             ON CONFLICT (feed) DO UPDATE SET
               polls = substr(CAST(excluded.polls || polls AS BLOB), 1, ?3)",
        )?
        .execute(params![feed, entry(note, next_due), MOST_BYTES])?;
    Ok(())
}

/// The bytes of a poll.
fn entry(note: &PollNote, next_due: Timestamp) -> Entry {
    let count = |count: usize| u16::try_from(count).unwrap_or(u16::MAX).to_le_bytes();
    let mut entry = [0; LENGTH];
    entry[..8].copy_from_slice(&millis(note.at).to_le_bytes());
    entry[8..16].copy_from_slice(&millis(next_due).to_le_bytes());
    entry[16..20].copy_from_slice(&whole_millis(note.took).to_le_bytes());
    let bytes = u32::try_from(note.received_bytes).unwrap_or(u32::MAX);
    entry[20..24].copy_from_slice(&bytes.to_le_bytes());
    entry[24..26].copy_from_slice(&count(note.items));
    entry[26..28].copy_from_slice(&count(note.new_items));
    entry[28..30].copy_from_slice(&note.status.unwrap_or(0).to_le_bytes());
    entry[30..].copy_from_slice(&[note.result.code(), note.due_by.code()]);
    entry
}

fn whole_millis(took: Duration) -> u32 {
    u32::try_from(took.as_millis()).unwrap_or(u32::MAX)
}

/// Whether the newest of these polls was refused with a time at which the host may be asked again.
pub(super) fn was_given_a_time(polls: &[u8]) -> bool {
    let newest = polls.first_chunk().and_then(row);
    newest.is_some_and(|poll| poll.reason == DueBy::RetryAfter.as_str())
}

/// Reads back what [`entry`] wrote.
fn row(entry: &Entry) -> Option<PollRow> {
    let time = |at: usize| {
        let millis = i64::from_le_bytes(entry[at..at + 8].try_into().ok()?);
        Timestamp::from_millisecond(millis).ok()
    };
    let long = |at: usize| Some(u32::from_le_bytes(entry[at..at + 4].try_into().ok()?));
    let short = |at: usize| Some(u16::from_le_bytes(entry[at..at + 2].try_into().ok()?));
    Some(PollRow {
        time: time(0)?,
        status: Some(short(28)?).filter(|status| *status > 0),
        result: PollResult::from_code(entry[30])?.as_str(),
        bytes: long(20)?,
        items: short(24)?,
        new: short(26)?,
        ms: long(16)?,
        next_due: time(8)?,
        reason: DueBy::from_code(entry[31])?.as_str(),
    })
}

impl Reader {
    /// The polls of a feed that are remembered, newest first; nothing when there is no such feed.
    pub fn polls(&self, feed: &str) -> Result<Option<Vec<PollRow>>, StoreError> {
        let polls: Option<Option<Vec<u8>>> = self
            .connection
            .prepare_cached("SELECT polls FROM feeds LEFT JOIN polls ON feed = id WHERE name = ?1")?
            .query_row([feed], |row| row.get(0))
            .optional()?;
        let Some(polls) = polls.map(Option::unwrap_or_default) else { return Ok(None) };
        let (entries, rest) = polls.as_chunks();
        let rows: Option<Vec<PollRow>> = entries.iter().map(row).collect();
        match rows.filter(|_| rest.is_empty()) {
            Some(rows) => Ok(Some(rows)),
            None => Err(StoreError::Corrupt { what: "list of polls", value: format!("{polls:?}") }),
        }
    }
}
