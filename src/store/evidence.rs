//! The record of a hit that was stored before, for alerts that come back to it.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::StoreError;
use super::read::maybe_time;
use crate::alert::record::{self, AlertRecord};
use crate::config::Config;
use crate::hit::{Match, Severity};
use crate::item::{Item, ItemKey, ItemSource};

const COLUMNS: &str = "hits.seq, hits.rule, hits.severity, hits.feed, item_key, item_id, hits.title, hits.link, \
    hits.revision, spans, hits.story, hits.alert, hits.outlet, items.lang, items.published, source_title, \
    source_url, items.title AS title_now";
const TABLES: &str = "hits LEFT JOIN items
    ON items.feed = (SELECT id FROM feeds WHERE name = hits.feed) AND items.key = hits.item_key";

/// Of hits: one that was news when it came, and no copy.
pub(super) const IS_NEWS: &str =
    "reason NOT IN ('baseline', 'backfill', 'late', 'outage', 'too-old')
    AND coalesce(joined ->> '$.how', '') <> 'copy'";

/// A hit with what a record says of it.
#[derive(Debug)]
pub(super) struct Evidence {
    /// Its place among all hits.
    pub(super) seq: i64,
    /// The record of the alert that would tell of it now.
    pub(super) record: AlertRecord,
    /// How much it matters.
    pub(super) severity: Severity,
    /// Its story.
    pub(super) story: Option<String>,
    /// The alert that told of it.
    pub(super) alert: Option<String>,
    /// Who published its item.
    pub(super) outlet: Option<String>,
    /// What its item is called now, unless its text is gone.
    pub(super) title_now: Option<String>,
}

/// The hit of a rule on an item.
pub(super) fn of_hit(
    connection: &Connection,
    config: &Config,
    rule: &str,
    (feed, key): (&str, ItemKey),
    now: Timestamp,
) -> Result<Option<Evidence>, StoreError> {
    connection
        .prepare_cached(&format!(
            "SELECT {COLUMNS} FROM {TABLES} WHERE hits.feed = ?1 AND item_key = ?2 AND rule = ?3"
        ))?
        .query_row(params![feed, key.as_bytes(), rule], |row| Ok(evidence(row, config, now)))
        .optional()?
        .transpose()
        .map(Option::flatten)
}

/// The newest hit of a rule that is news and from a feed that is configured.
pub(super) fn newest(
    connection: &Connection,
    config: &Config,
    rule: &str,
    now: Timestamp,
) -> Result<Option<Evidence>, StoreError> {
    /// Hits that are looked at: the newest may come from feeds that are gone.
    const LOOKED_AT: u32 = 20;
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM {TABLES} WHERE rule = ?1 AND {IS_NEWS}
         ORDER BY matched_at DESC LIMIT ?2"
    ))?;
    let mut rows = statement.query(params![rule, LOOKED_AT])?;
    while let Some(row) = rows.next()? {
        if let Some(evidence) = evidence(row, config, now)? {
            return Ok(Some(evidence));
        }
    }
    Ok(None)
}

/// Nothing when its rule or its feed is configured no more, or when it cannot be read.
fn evidence(
    row: &Row<'_>,
    config: &Config,
    now: Timestamp,
) -> Result<Option<Evidence>, StoreError> {
    let (rule, feed): (String, String) = (row.get("rule")?, row.get("feed")?);
    let rules = config.rules.rules();
    let Some(place) = rules.iter().position(|known| *known.id == *rule) else { return Ok(None) };
    let Some(feed) = config.feeds.iter().find(|known| known.name.as_str() == feed) else {
        return Ok(None);
    };
    let spans: String = row.get("spans")?;
    let Ok(spans) = serde_json::from_str(&spans) else { return Ok(None) };
    let severity: String = row.get("severity")?;
    let Some(severity) = Severity::from_name(&severity) else { return Ok(None) };
    let key = ItemKey::from_bytes(row.get("item_key")?);
    let mut item = Item::titled(key, row.get::<_, String>("title")?);
    item.id = row.get("item_id")?;
    item.link = row.get("link")?;
    item.lang = row.get("lang")?;
    item.published = maybe_time(row, "published")?;
    let source = ItemSource { title: row.get("source_title")?, url: row.get("source_url")? };
    item.source = (source.title.is_some() || source.url.is_some()).then_some(source);
    let record = record::hit_alert(&record::HitFacts {
        rule: &rules[place],
        item: &item,
        revision: row.get("revision")?,
        feed,
        feed_title: feed.title.as_deref(),
        baseline: false,
        found: &Match { rule: place, severity, spans },
        now,
        instance: &config.instance,
    });
    Ok(Some(Evidence {
        seq: row.get("seq")?,
        record,
        severity,
        story: row.get("story")?,
        alert: row.get("alert")?,
        outlet: row.get("outlet")?,
        title_now: row.get::<_, Option<String>>("title_now")?.filter(|title| !title.is_empty()),
    }))
}
