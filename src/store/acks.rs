//! Acknowledgements, and what they keep from people.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, params};
use serde_json::Value;

use super::write::millis;
use super::{StoreError, read};
use crate::alert::ack;
use crate::hit::Severity;
use crate::pipeline::OutgoingAlert;

/// What became of an alert that was to be acknowledged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Acked {
    /// It is acknowledged.
    Now,
    /// Somebody had done so before.
    Before {
        /// Who.
        by: String,
    },
    /// There is none of that id.
    Unknown,
}

/// Acknowledges alerts, given by their ids, and with each the story that it tells of.
pub(super) fn add(
    connection: &Connection,
    alerts: &[String],
    author: &str,
    why: Option<&str>,
    now: Timestamp,
) -> Result<Vec<Acked>, StoreError> {
    let mut insert = connection.prepare(
        "INSERT INTO acks (alert, story, rule, severity, author, why, at)
         SELECT seq, record ->> '$.correlationid', rule, severity, ?2, ?3, ?4 FROM alerts
         WHERE id = ?1
         ON CONFLICT (alert) DO NOTHING",
    )?;
    let mut by = connection.prepare(
        "SELECT author FROM acks JOIN alerts ON alerts.seq = acks.alert WHERE alerts.id = ?1",
    )?;
    let mut add = |id: &String| {
        if insert.execute(params![id, author, why, millis(now)])? == 1 {
            return Ok(Acked::Now);
        }
        let by: Option<String> = by.query_row([id], |row| row.get(0)).optional()?;
        Ok(by.map_or(Acked::Unknown, |by| Acked::Before { by }))
    };
    alerts.iter().map(&mut add).collect()
}

/// Who acknowledged the story of an alert so that the alert is muted. One that is not muted, because
/// it changes the picture, ends the story's acknowledgements.
pub(super) fn muting(
    connection: &Connection,
    alert: &OutgoingAlert,
    now: Timestamp,
) -> Result<Option<String>, StoreError> {
    let (record, Some(rule)) = (&alert.record, alert.record.rule()) else { return Ok(None) };
    let story = &record.correlationid;
    let mut statement = connection.prepare_cached(
        "SELECT severity, author FROM acks
         WHERE story = ?1 AND rule = ?2 AND ended_at IS NULL ORDER BY alert",
    )?;
    let mut rows = statement.query(params![story, rule])?;
    let mut any = false;
    while let Some(row) = rows.next()? {
        any = true;
        let name: String = row.get(0)?;
        let severity = Severity::from_name(&name)
            .ok_or(StoreError::Corrupt { what: "severity", value: name })?;
        if ack::mutes(severity, &record.kind, alert.severity) {
            return Ok(Some(row.get(1)?));
        }
    }
    if any {
        connection
            .prepare_cached(
                "UPDATE acks SET ended_at = ?3 WHERE story = ?1 AND rule = ?2 AND ended_at IS NULL",
            )?
            .execute(params![story, rule, millis(now)])?;
    }
    Ok(None)
}

/// What a query of alerts adds to have [`show`] say who acknowledged them.
pub(super) const JOIN: &str = "LEFT JOIN (SELECT alert AS acked, author AS acked_by, at AS acked_at, \
     why AS acked_why FROM acks) ON acked = seq";

/// Says in the record of an alert, as it was sent, who acknowledged it since.
pub(super) fn show(record: &mut Value, row: &rusqlite::Row<'_>) -> Result<(), StoreError> {
    let Some(by) = row.get::<_, Option<String>>("acked_by")? else { return Ok(()) };
    if let Some(data) = record.get_mut("data").and_then(Value::as_object_mut) {
        data.insert("acked_by".to_owned(), by.into());
        data.insert("acked_at".to_owned(), read::time(row, "acked_at")?.to_string().into());
        data.insert("acked_why".to_owned(), row.get::<_, Option<String>>("acked_why")?.into());
    }
    Ok(())
}
