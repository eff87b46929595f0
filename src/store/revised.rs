//! Items that were edited so that a rule which hit them matches no more.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use rusqlite::{Connection, params};

use super::stories::{json_text, write_story};
use super::write::{self, millis};
use super::{StoreError, evidence, story_edits};
use crate::alert::decide::Reason;
use crate::alert::story;
use crate::config::Config;
use crate::item::ItemKey;
use crate::pipeline::{self, Batch, OutgoingAlert};
use crate::story::Desk;
use crate::story::edit::Member;

/// Writes down which hits of a batch's items stand no more, takes them out of what their stories
/// count, and tells those that were told, and the last of a story that was told; says of which rules.
pub(super) fn take(
    connection: &Connection,
    desk: &mut Desk,
    batch: &Batch,
    config: &Config,
) -> Result<Vec<String>, StoreError> {
    let mut gone = Vec::new();
    // Each story is made anew once, however many of its reports go.
    let mut stories: BTreeMap<(&str, String), Vec<i64>> = BTreeMap::new();
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
            stories.entry((&revised.rule, story.clone())).or_default().push(hit.seq);
        }
        gone.push((&revised.rule, hit));
    }
    // Stories that were told and have no report any more that stands.
    let mut ended = BTreeSet::new();
    for ((rule, story), hits) in stories {
        if withdraw(connection, config, rule, &story, &hits, batch.at)? {
            ended.insert(story);
        }
        desk.forget(rule);
    }
    // Of those of which a report that was told goes now, that one says so.
    for (_, hit) in gone.iter().filter(|(_, hit)| hit.alert.is_some()) {
        if let Some(story) = &hit.story {
            ended.remove(story);
        }
    }
    let mut told = Vec::new();
    for (rule, hit) in gone {
        // Whoever was not told of the hit need not hear that it stands no more, unless it was the
        // last that spoke for what they were told.
        let last = hit.story.as_ref().is_some_and(|story| ended.remove(story));
        if hit.alert.is_none() && !last {
            continue;
        }
        let outlet = hit.outlet.as_deref().unwrap_or_default();
        let title = hit.title_now.as_deref().unwrap_or_default();
        let mut record = story::revised(hit.record, hit.story.as_deref(), outlet, title, batch.at);
        if last {
            record.data.message += "; no report of its story stands any more";
        }
        let severity = hit.severity;
        let deliveries = pipeline::rule_deliveries(config, &record, severity, false, batch.at);
        write::alert(connection, &OutgoingAlert { record, severity, deliveries }, batch.at)?;
        told.push(rule.clone());
    }
    Ok(told)
}

/// Makes a story what it is without reports that stand no more, given by their hits. When one of them
/// would have been told, the next one that stands takes its place. Says whether the story was told
/// and has none left.
fn withdraw(
    connection: &Connection,
    config: &Config,
    rule: &str,
    story: &str,
    gone: &[i64],
    now: Timestamp,
) -> Result<bool, StoreError> {
    let Some(before) = load(connection, config, story)? else { return Ok(false) };
    let held =
        before.reports.iter().filter(|(seq, _)| gone.contains(seq)).find_map(|(seq, member)| {
            before.story.held_with(&member.report.item).map(|bulletin| (*seq, bulletin))
        });
    if let Some((hit, bulletin)) = held {
        let reason = if bulletin { Reason::Held } else { Reason::LeftOut };
        set_fate(connection, hit, Reason::Withdrawn, None)?;
        let standing = || before.reports.iter().filter(|(_, member)| !member.withdrawn);
        let comments = |member: &Member| member.report.reading.commentary;
        let next = standing().filter(|(_, member)| !comments(member));
        for (seq, member) in next.chain(standing().filter(|(_, member)| comments(member))) {
            let Some((feed, key)) = member.report.item.rsplit_once('/') else { continue };
            let Some(key) = ItemKey::from_hex(key) else { continue };
            if let Some(next) = evidence::of_hit(connection, config, rule, (feed, key), now)? {
                set_fate(connection, *seq, reason, Some(&json_text(&next.record)))?;
                break;
            }
        }
    }
    let Some(kept) = load(connection, config, story)? else { return Ok(false) };
    let mut without = story_edits::made_of(story, &kept.reports);
    let ended = before.story.told_at().is_some() && without.items == 0;
    (without.thread, without.previous) = (before.story.thread, before.story.previous);
    write_story(connection, rule, &without)?;
    Ok(ended)
}

/// A story with its reports, unless they are no longer kept or cannot be read.
fn load(
    connection: &Connection,
    config: &Config,
    story: &str,
) -> Result<Option<story_edits::Kept>, StoreError> {
    match story_edits::load(connection, config.rules.rules(), story) {
        Ok(kept) => Ok(kept.ok()),
        Err(StoreError::Corrupt { .. }) => Ok(None),
        Err(error) => Err(error),
    }
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
