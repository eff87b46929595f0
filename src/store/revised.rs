//! Items that were edited so that a rule which hit them matches no more.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, params};

use super::StoreError;
use super::evidence::{self, Evidence};
use super::stories::{json_text, write_story};
use super::story_edits;
use super::write::{self, millis};
use crate::alert::decide::Reason;
use crate::alert::story;
use crate::config::Config;
use crate::item::ItemKey;
use crate::pipeline::{self, Batch, OutgoingAlert};
use crate::story::Desk;

/// Writes down which hits of a batch's items stand no more, takes them out of what their stories
/// count, and tells those that were told, and the last of a story that was told; says of which rules.
pub(super) fn take(
    connection: &Connection,
    desk: &mut Desk,
    batch: &Batch,
    config: &Config,
) -> Result<Vec<String>, StoreError> {
    let mut told = Vec::new();
    for revised in &batch.revised {
        let item = (batch.feed.as_str(), revised.item);
        let Some(hit) = evidence::of_hit(connection, config, &revised.rule, item, batch.at)? else {
            continue;
        };
        let marked = connection
            .prepare_cached(
                "UPDATE hits SET revised_at = ?2 WHERE seq = ?1 AND revised_at IS NULL",
            )?
            .execute(params![hit.seq, millis(batch.at)])?;
        if marked == 0 {
            continue;
        }
        if let Some(story) = &hit.story {
            withdraw(connection, config, &revised.rule, story, &hit, batch.at)?;
            desk.forget(&revised.rule);
        }
        // Whoever was not told of the hit need not hear that it stands no more, unless it was the
        // last that spoke for what they were told.
        let last = match (&hit.alert, &hit.story) {
            (Some(_), _) => false,
            (None, Some(story)) if is_told_and_gone(connection, story)? => true,
            (None, _) => continue,
        };
        let outlet = hit.outlet.as_deref().unwrap_or_default();
        let title = hit.title_now.as_deref().unwrap_or_default();
        let mut record = story::revised(hit.record, hit.story.as_deref(), outlet, title, batch.at);
        if last {
            record.data.message += "; no report of its story stands any more";
        }
        let severity = hit.severity;
        let deliveries = pipeline::rule_deliveries(config, &record, severity, false, batch.at);
        write::alert(connection, &OutgoingAlert { record, severity, deliveries }, batch.at)?;
        told.push(revised.rule.clone());
    }
    Ok(told)
}

/// Makes a story what it is without a report that stands no more. When that is the one that would
/// have been told, the next one that stands takes its place.
fn withdraw(
    connection: &Connection,
    config: &Config,
    rule: &str,
    story: &str,
    hit: &Evidence,
    now: Timestamp,
) -> Result<(), StoreError> {
    let rules = config.rules.rules();
    let Ok(before) = story_edits::load(connection, rules, story)? else { return Ok(()) };
    let item = before.reports.iter().find(|(seq, _)| *seq == hit.seq);
    let held = item.and_then(|(_, member)| before.story.held_with(&member.report.item));
    if let Some(bulletin) = held {
        let reason = if bulletin { Reason::Held } else { Reason::LeftOut };
        set_fate(connection, hit.seq, Reason::Withdrawn, None)?;
        if let Some((seq, feed, key)) = next_standing(connection, story)? {
            let next = evidence::of_hit(connection, config, rule, (&feed, key), now)?;
            let draft = next.map(|next| json_text(&next.record));
            set_fate(connection, seq, reason, draft.as_deref())?;
        }
    }
    let Ok(kept) = story_edits::load(connection, rules, story)? else { return Ok(()) };
    let mut without = story_edits::made_of(story, &kept.reports);
    (without.thread, without.previous) = (before.story.thread, before.story.previous);
    write_story(connection, rule, &without)
}

/// Whether a story was told and has no report any more that stands.
fn is_told_and_gone(connection: &Connection, story: &str) -> Result<bool, StoreError> {
    let found = connection
        .prepare_cached(
            "SELECT count(alert) > 0 AND count(revised_at) = count(*) FROM hits WHERE story = ?1",
        )?
        .query_row([story], |row| row.get(0))?;
    Ok(found)
}

/// Writes down what became of a hit, and the record that is to tell of it.
fn set_fate(
    connection: &Connection,
    hit: i64,
    reason: Reason,
    draft: Option<&str>,
) -> Result<(), StoreError> {
    connection
        .prepare_cached("UPDATE hits SET reason = ?2 WHERE seq = ?1")?
        .execute(params![hit, reason.as_str()])?;
    connection
        .prepare_cached("UPDATE reports SET draft = ?2 WHERE hit = ?1")?
        .execute(params![hit, draft])?;
    Ok(())
}

/// The first report of a story that still stands: its hit, and its feed and item.
fn next_standing(
    connection: &Connection,
    story: &str,
) -> Result<Option<(i64, String, ItemKey)>, StoreError> {
    let next = connection
        .prepare_cached(
            "SELECT seq, feed, item_key FROM hits
             WHERE story = ?1 AND revised_at IS NULL ORDER BY seq LIMIT 1",
        )?
        .query_row([story], |row| Ok((row.get(0)?, row.get(1)?, ItemKey::from_bytes(row.get(2)?))))
        .optional()?;
    Ok(next)
}
