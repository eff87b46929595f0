//! Rules that are new to the store, and how far stored items have been matched against them.

use jiff::Timestamp;
use rusqlite::{Connection, params};

use super::lists::{ITEM_COLUMNS, item_row};
use super::write::millis;
use super::{Reader, StoreError};
use crate::alert::decide::Reason;
use crate::backfill::{PastHit, PastItem};

/// Items that are looked at in one step, at most.
const STEP: usize = 500;
/// Bytes of their texts after which a step ends.
const STEP_BYTES: usize = 4 << 20;

/// A step of matching stored items against new rules.
#[derive(Debug)]
pub(crate) struct Step {
    /// The rules to match.
    pub(crate) rules: Vec<String>,
    /// The items, newest first.
    pub(crate) items: Vec<PastItem>,
    /// How far it gets: items with lower ids have not been looked at. `None` when there are none.
    pub(crate) below: Option<i64>,
}

/// Makes the list of rules the configuration's, and says how many there are that stored items have
/// not all been matched against. A rule that the configuration no longer has is forgotten: what
/// comes until it is there again is matched then.
pub(super) fn adopt_rules(
    connection: &Connection,
    rules: &[String],
    now: Timestamp,
) -> Result<usize, StoreError> {
    let list = serde_json::to_string(rules).expect("a list of strings is JSON");
    connection
        .execute("DELETE FROM rules WHERE id NOT IN (SELECT value FROM json_each(?1))", [&list])?;
    // Which items those are shows when the first step is made: polls under way still bring some that
    // they match against the old rules.
    connection.execute(
        "INSERT OR IGNORE INTO rules (id, added, below)
         SELECT value, ?2, CASE WHEN EXISTS (SELECT 1 FROM items) THEN ?3 END
         FROM json_each(?1)",
        params![list, millis(now), i64::MAX],
    )?;
    let count: i64 =
        connection.query_row("SELECT count(*) FROM rules WHERE below IS NOT NULL", [], |row| {
            row.get(0)
        })?;
    Ok(usize::try_from(count).unwrap_or(usize::MAX))
}

/// Writes what a step found and how far it got. An item that the rule has hit in the meantime
/// keeps that hit.
pub(super) fn backfill(
    connection: &Connection,
    hits: &[PastHit],
    rules: &[String],
    below: Option<i64>,
    now: Timestamp,
) -> Result<usize, StoreError> {
    let mut statement = connection.prepare_cached(
        "INSERT INTO hits (id, rule, rule_version, severity, feed, item_key, item_id, title, link,
           revision, matched_at, spans, reason)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)
         ON CONFLICT DO NOTHING",
    )?;
    let mut stored = 0;
    for PastHit { id, rule, rule_version, severity, feed, item, revision, spans } in hits {
        stored += statement.execute(params![
            id,
            rule,
            rule_version,
            severity.as_str(),
            feed,
            item.key.as_bytes(),
            item.id,
            item.title,
            item.link,
            revision,
            millis(now),
            serde_json::to_string(spans).expect("spans are JSON"),
            Reason::Backfill.as_str(),
        ])?;
    }
    let mut statement = connection.prepare_cached("UPDATE rules SET below = ?2 WHERE id = ?1")?;
    for rule in rules {
        statement.execute(params![rule, below])?;
    }
    Ok(stored)
}

impl Reader {
    /// The next step of matching stored items against new rules; `None` when no rule is new.
    pub(crate) fn next_step(&self) -> Result<Option<Step>, StoreError> {
        // Of rules that were added at different times the newest catches up first.
        let mut statement = self.connection.prepare_cached(
            "SELECT id, below FROM rules WHERE below IS NOT NULL ORDER BY below DESC, id",
        )?;
        let new = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let new: Vec<(String, i64)> = new.collect::<Result<_, _>>()?;
        let Some((_, top)) = new.first() else { return Ok(None) };
        let (top, floor) = (*top, new.iter().map(|(_, below)| *below).find(|below| below < top));
        let rules = new.into_iter().filter(|(_, below)| *below == top).map(|(id, _)| id).collect();
        // In the order of the table, whatever SQLite thinks of indices.
        let mut statement = self.connection.prepare_cached(&format!(
            "SELECT {ITEM_COLUMNS}, items.id FROM items CROSS JOIN feeds ON feeds.id = items.feed
             WHERE +pruned = 0 AND items.id < ?1 AND items.id >= ?2 ORDER BY items.id DESC",
        ))?;
        let mut rows = statement.query(params![top, floor.unwrap_or(i64::MIN)])?;
        let (mut items, mut bytes, mut below) = (Vec::new(), 0, floor);
        while let Some(row) = rows.next()? {
            let id: i64 = row.get("id")?;
            let row = item_row(row)?;
            let (feed, revision) = (row.feed.clone(), row.revision);
            bytes += row.title.len() + row.summary.len() + row.content.len();
            items.push(PastItem { feed, item: row.into(), revision });
            if items.len() >= STEP || bytes >= STEP_BYTES {
                below = Some(id);
                break;
            }
        }
        Ok(Some(Step { rules, items, below }))
    }

    /// How many hits of a rule were found in items that are older than it.
    pub(crate) fn backfilled(&self, rule: &str) -> Result<usize, StoreError> {
        let count: i64 = self
            .connection
            .prepare_cached("SELECT count(*) FROM hits WHERE rule = ?1 AND reason = 'backfill'")?
            .query_row([rule], |row| row.get(0))?;
        Ok(usize::try_from(count).unwrap_or(usize::MAX))
    }
}
