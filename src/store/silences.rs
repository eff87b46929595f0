//! Silences, and what they hold back.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Row, params};
use serde::Serialize;

use super::read::{maybe_time, time};
use super::write::{self, millis};
use super::{Reader, StoreError};
use crate::alert::record::AlertRecord;
use crate::alert::route;
use crate::alert::silence::{self, Headline, Held, HeldRule, MOST_HEADLINES, Matcher, Silence};
use crate::config::Config;
use crate::hit::Severity;
use crate::pipeline::{self, OutgoingAlert, OutgoingDelivery};

/// Silences in force at once, at most: every alert is compared with each.
pub const MOST_SILENCES: u32 = 200;

/// A silence to make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewSilence {
    /// What it mutes.
    pub matcher: Matcher,
    /// When it ends.
    pub until: Timestamp,
    /// Who makes it.
    pub author: String,
    /// Why.
    pub why: String,
}

/// A silence as `silence list` shows it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SilenceRow {
    /// Its number.
    pub id: i64,
    /// `active` or `ended`.
    pub state: &'static str,
    /// What it mutes.
    #[serde(flatten)]
    pub matcher: Matcher,
    /// When it was made.
    pub since: Timestamp,
    /// When it ends, or has ended by itself.
    pub until: Timestamp,
    /// Who made it.
    pub author: String,
    /// Why.
    pub why: String,
    /// When somebody ended it.
    pub ended_at: Option<Timestamp>,
    /// Who.
    pub ended_by: Option<String>,
    /// Alerts that it has held back.
    pub held: u64,
}

/// What became of a silence that was to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// It has ended.
    Now {
        /// Alerts that it held back.
        held: u64,
    },
    /// It had ended before.
    Before,
    /// There is none of that number.
    Unknown,
}

/// Makes a silence, unless there are too many, and gives its number.
pub(super) fn add(
    connection: &Connection,
    silence: &NewSilence,
    now: Timestamp,
) -> Result<Option<i64>, StoreError> {
    let count: u32 = connection.query_row(
        "SELECT count(*) FROM silences WHERE summed_at IS NULL AND ended_at IS NULL AND until > ?1",
        [millis(now)],
        |row| row.get(0),
    )?;
    if count >= MOST_SILENCES {
        return Ok(None);
    }
    let matcher = serde_json::to_string(&silence.matcher).expect("a matcher is JSON");
    connection.execute(
        "INSERT INTO silences (matcher, author, why, since, until) VALUES (?1, ?2, ?3, ?4, ?5)",
        params![matcher, silence.author, silence.why, millis(now), millis(silence.until)],
    )?;
    Ok(Some(connection.last_insert_rowid()))
}

/// Ends silences before their time.
pub(super) fn end(
    connection: &Connection,
    ids: &[i64],
    by: &str,
    now: Timestamp,
) -> Result<Vec<Ended>, StoreError> {
    let mut update = connection.prepare(
        "UPDATE silences SET ended_at = ?2, ended_by = ?3
         WHERE id = ?1 AND ended_at IS NULL AND summed_at IS NULL AND until > ?2",
    )?;
    let mut end = |id: &i64| {
        let ended = update.execute(params![id, millis(now), by])? == 1;
        let held: Option<i64> = connection
            .query_row(
                "SELECT (SELECT count(*) FROM alerts WHERE silence = silences.id)
                 FROM silences WHERE id = ?1",
                [id],
                |row| row.get(0),
            )
            .optional()?;
        Ok(match held {
            None => Ended::Unknown,
            Some(held) if ended => Ended::Now { held: held.unsigned_abs() },
            Some(_) => Ended::Before,
        })
    };
    ids.iter().map(&mut end).collect()
}

/// The number of the silence that mutes an alert raised at `now`.
pub(super) fn holding(
    connection: &Connection,
    alert: &OutgoingAlert,
    now: Timestamp,
) -> Result<Option<i64>, StoreError> {
    let Some(subject) = silence::Subject::of(&alert.record, alert.severity) else {
        return Ok(None);
    };
    let silences = in_force(connection, now)?;
    Ok(silence::holding(&silences, &subject).map(|silence| silence.id))
}

/// The silences that mute something at a time.
fn in_force(connection: &Connection, at: Timestamp) -> Result<Vec<Silence>, StoreError> {
    // One that was summed up mutes nothing more, though the clock be set back to before its end.
    let mut statement = connection.prepare_cached(
        "SELECT * FROM silences WHERE summed_at IS NULL AND ended_at IS NULL AND until > ?1",
    )?;
    let mut rows = statement.query([millis(at)])?;
    let mut silences = Vec::new();
    while let Some(row) = rows.next()? {
        // One that cannot be read mutes nothing and stops nothing; `silence list` says so.
        if let Some(silence) = readable(read(row))? {
            silences.push(silence);
        }
    }
    Ok(silences)
}

/// See [`super::Store::sum_up_silences`].
pub(super) fn sum_up(
    connection: &Connection,
    config: &Config,
    now: Timestamp,
) -> Result<usize, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT * FROM silences
         WHERE summed_at IS NULL AND (ended_at IS NOT NULL OR until <= ?1) ORDER BY id",
    )?;
    let mut rows = statement.query([millis(now)])?;
    let mut told = 0;
    while let Some(row) = rows.next()? {
        let Some(silence) = readable(read(row))? else { continue };
        let (held, deliveries) = held(connection, &silence, config, now)?;
        let worst = held.worst();
        let summary = silence::summary(&silence, held, &config.instance, now);
        if let (Some(record), Some(severity)) = (summary, worst) {
            write::alert(connection, &OutgoingAlert { record, severity, deliveries }, now)?;
            told += 1;
        }
        connection.execute(
            "UPDATE silences SET summed_at = ?2 WHERE id = ?1",
            params![silence.id, millis(now)],
        )?;
    }
    Ok(told)
}

/// What a silence held back, and to whom that is told: whoever would be told of one of those alerts
/// now.
fn held(
    connection: &Connection,
    silence: &Silence,
    config: &Config,
    now: Timestamp,
) -> Result<(Held, Vec<OutgoingDelivery>), StoreError> {
    let (mut held, mut deliveries) = (Held::default(), Vec::new());
    let mut groups = connection.prepare_cached(
        "SELECT rule, severity, count(*), max(record ->> '$.data.tags') FROM alerts
         WHERE silence = ?1 AND rule IS NOT NULL GROUP BY rule, severity",
    )?;
    let mut rows = groups.query([silence.id])?;
    while let Some(row) = rows.next()? {
        let (id, severity) = (row.get::<_, String>(0)?, severity(row.get(1)?)?);
        let alerts = row.get::<_, i64>(2)?.unsigned_abs();
        let tags: Option<String> = row.get(3)?;
        let tags: Vec<String> =
            tags.and_then(|tags| serde_json::from_str(&tags).ok()).unwrap_or_default();
        // The rule may be gone, or another by now.
        let rule = config.rules.rules().iter().find(|rule| *rule.id == *id);
        let notify = rule.map_or(&[][..], |rule| &rule.notify);
        let subject = route::Subject { rule: &id, tags: &tags, notify, severity };
        for delivery in pipeline::deliveries(config, &subject, now) {
            add_delivery(&mut deliveries, delivery);
        }
        match held.rules.iter_mut().find(|rule| rule.id == id) {
            None => held.rules.push(HeldRule { id, alerts, severity }),
            Some(rule) => {
                rule.alerts += alerts;
                rule.severity = rule.severity.max(severity);
            }
        }
    }
    let mut worst = connection.prepare_cached(
        "SELECT record, severity FROM alerts WHERE silence = ?1
         ORDER BY CASE severity WHEN 'critical' THEN 0 WHEN 'high' THEN 1 WHEN 'medium' THEN 2
           ELSE 3 END, seq
         LIMIT ?2",
    )?;
    let mut rows = worst.query(params![silence.id, MOST_HEADLINES as i64])?;
    while let Some(row) = rows.next()? {
        let line: String = row.get(0)?;
        // One that cannot be read is counted all the same.
        let Ok(record) = serde_json::from_str::<AlertRecord>(&line) else { continue };
        let rule = record.rule().unwrap_or_default().to_owned();
        let (title, url) = match record.data.item {
            Some(item) => (item.title, item.url.map(|url| url.full)),
            None => (record.data.message, None),
        };
        let severity = severity(row.get(1)?)?;
        held.headlines.push(Headline { alert: record.id, rule, severity, title, url });
    }
    Ok((held, deliveries))
}

/// Adds a delivery, each receiver once and at the earliest time.
fn add_delivery(deliveries: &mut Vec<OutgoingDelivery>, delivery: OutgoingDelivery) {
    match deliveries.iter_mut().find(|known| known.receiver == delivery.receiver) {
        None => deliveries.push(delivery),
        Some(known) if delivery.due.at < known.due.at => *known = delivery,
        Some(_) => {}
    }
}

fn severity(name: String) -> Result<Severity, StoreError> {
    Severity::from_name(&name).ok_or(StoreError::Corrupt { what: "severity", value: name })
}

/// A silence, unless it is damaged.
fn readable(read: Result<Silence, StoreError>) -> Result<Option<Silence>, StoreError> {
    match read {
        Err(StoreError::Corrupt { .. }) => Ok(None),
        read => read.map(Some),
    }
}

fn read(row: &Row<'_>) -> Result<Silence, StoreError> {
    let matcher: String = row.get("matcher")?;
    let ended = maybe_time(row, "ended_at")?;
    Ok(Silence {
        id: row.get("id")?,
        matcher: serde_json::from_str(&matcher)
            .map_err(|_| StoreError::Corrupt { what: "silence", value: matcher })?,
        since: time(row, "since")?,
        until: time(row, "until")?,
        author: row.get("author")?,
        why: row.get("why")?,
        ended: ended.map(|at| Ok::<_, StoreError>((at, row.get("ended_by")?))).transpose()?,
    })
}

impl Reader {
    /// The silences of now that are still in force at a time.
    pub fn silences_in_force(&self, at: Timestamp) -> Result<Vec<Silence>, StoreError> {
        in_force(&self.connection, at)
    }

    /// The silences, newest first; those that have ended only when `all`.
    pub fn silences(
        &self,
        all: bool,
        now: Timestamp,
        mut each: impl FnMut(SilenceRow) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let mut statement = self.connection.prepare(
            "SELECT *, (SELECT count(*) FROM alerts WHERE silence = silences.id) AS held
             FROM silences WHERE ?1 OR (summed_at IS NULL AND ended_at IS NULL AND until > ?2)
             ORDER BY id DESC",
        )?;
        let mut rows = statement.query(params![all, millis(now)])?;
        while let Some(row) = rows.next()? {
            let silence = read(row)?;
            let summed: Option<i64> = row.get("summed_at")?;
            let active = summed.is_none() && silence.ended.is_none() && silence.until > now;
            let (ended_at, ended_by) = silence.ended.unzip();
            each(SilenceRow {
                id: silence.id,
                state: if active { "active" } else { "ended" },
                matcher: silence.matcher,
                since: silence.since,
                until: silence.until,
                author: silence.author,
                why: silence.why,
                ended_at,
                ended_by,
                held: row.get::<_, i64>("held")?.unsigned_abs(),
            })?;
        }
        Ok(())
    }
}
