//! Stories that people merge and split. Nobody is told of it: what was told is not told again, and
//! what waited when its story was told waits again when it is split off.

use std::path::Path;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, params};

use super::read::time;
use super::stories::{json_text, write_story};
use super::write::millis;
use super::{StoreError, beside};
use crate::alert::decide::Reason;
use crate::alert::id;
use crate::hit::Severity;
use crate::rules::{Rule, Telling};
use crate::story::desk::{BULLETIN_AFTER, Report, Story, WatchState};
use crate::story::edit::{Fate, Member};

/// Who changes stories, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoryEditor {
    /// Who.
    pub author: String,
    /// Why.
    pub why: String,
}

/// What was changed of stories.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoryEdited {
    /// The story that has the reports now.
    pub story: String,
    /// How many it got.
    pub moved: usize,
}

/// Why stories are left as they are.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoryRefusal {
    /// There is none of that id.
    #[error("there is no story {0}")]
    Unknown(String),
    /// A story cannot be merged into itself.
    #[error("a story is not merged into itself")]
    Same,
    /// Stories are reports of one rule.
    #[error(
        "{story} is a story of rule {rule}, {other} one of rule {other_rule}: stories of different rules stay apart"
    )]
    Rules {
        /// One story.
        story: String,
        /// Its rule.
        rule: String,
        /// The other.
        other: String,
        /// Its rule.
        other_rule: String,
    },
    /// What the story would be made of is gone.
    #[error(
        "of the {reports} reports of {story} only {kept} are kept; they are for 30 days, and without them it cannot be told what a story says"
    )]
    NotKept {
        /// The story.
        story: String,
        /// How many reports it has.
        reports: usize,
        /// How many of them are kept.
        kept: usize,
    },
    /// An item to split off is none of the story's.
    #[error("{story} has no report of item {item}")]
    NotInStory {
        /// The story.
        story: String,
        /// The item.
        item: String,
    },
    /// Every report would be split off.
    #[error("{0} would have no report left")]
    NothingLeft(String),
}

/// Makes the reports of a story part of another, beside a daemon that may be running. `rules` are
/// those of the configuration.
pub fn merge_stories(
    path: &Path,
    rules: &[Rule],
    story: &str,
    into: &str,
    by: &StoryEditor,
    now: Timestamp,
) -> Result<Result<StoryEdited, StoryRefusal>, StoreError> {
    beside(path, |connection| merge(connection, rules, story, into, by, now))
}

/// Makes some reports of a story one of their own, given by their items, beside a daemon that may be
/// running.
pub fn split_story(
    path: &Path,
    rules: &[Rule],
    story: &str,
    items: &[String],
    by: &StoryEditor,
    now: Timestamp,
) -> Result<Result<StoryEdited, StoryRefusal>, StoreError> {
    beside(path, |connection| split(connection, rules, story, items, by, now))
}

/// A story with the reports that it is made of.
pub(super) struct Kept {
    rule: String,
    pub(super) story: Story,
    /// In the order in which they came, with the numbers of their hits.
    pub(super) reports: Vec<(i64, Member)>,
}

fn merge(
    connection: &Connection,
    rules: &[Rule],
    story: &str,
    into: &str,
    by: &StoryEditor,
    now: Timestamp,
) -> Result<Result<StoryEdited, StoryRefusal>, StoreError> {
    if story == into {
        return Ok(Err(StoryRefusal::Same));
    }
    let (from, to) = match (load(connection, rules, story)?, load(connection, rules, into)?) {
        (Ok(from), Ok(to)) => (from, to),
        (Err(refusal), _) | (_, Err(refusal)) => return Ok(Err(refusal)),
    };
    if from.rule != to.rule {
        return Ok(Err(StoryRefusal::Rules {
            story: story.to_owned(),
            rule: from.rule,
            other: into.to_owned(),
            other_rule: to.rule,
        }));
    }
    let moved: Vec<i64> = from.reports.iter().map(|(hit, _)| *hit).collect();
    let items: Vec<&str> = from.reports.iter().map(|(_, member)| &*member.report.item).collect();
    note(connection, "merge", story, into, &items, by, now)?;
    move_reports(connection, &moved, into)?;
    let earlier = if from.story.first_seen < to.story.first_seen { &from } else { &to };
    let previous = earlier.story.previous.clone().filter(|id| **id != *story && **id != *into);
    let mut reports = from.reports;
    reports.extend(to.reports);
    reports.sort_by_key(|(hit, _)| *hit);
    let mut merged = made_of(into, &reports);
    merged.thread = to.story.thread;
    merged.previous = previous;
    connection.execute("DELETE FROM stories WHERE id = ?1", [story])?;
    write_story(connection, &to.rule, &merged)?;
    connection.execute(
        "UPDATE stories SET story = json_set(story, '$.previous', ?3)
         WHERE rule = ?1 AND story ->> '$.previous' = ?2",
        params![to.rule, story, into],
    )?;
    amend_watch(connection, &to.rule, |watch| {
        watch.merged(story, into);
        wait_for_bulletin(watch, &merged, now);
    })?;
    Ok(Ok(StoryEdited { story: into.to_owned(), moved: moved.len() }))
}

fn split(
    connection: &Connection,
    rules: &[Rule],
    story: &str,
    items: &[String],
    by: &StoryEditor,
    now: Timestamp,
) -> Result<Result<StoryEdited, StoryRefusal>, StoreError> {
    let whole = match load(connection, rules, story)? {
        Ok(whole) => whole,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let missing =
        |item: &&String| !whole.reports.iter().any(|(_, member)| *member.report.item == ***item);
    if let Some(item) = items.iter().find(missing) {
        let (story, item) = (story.to_owned(), item.clone());
        return Ok(Err(StoryRefusal::NotInStory { story, item }));
    }
    let goes = |(_, member): &(i64, Member)| items.iter().any(|item| **item == *member.report.item);
    let (gone, left): (Vec<_>, Vec<_>) = whole.reports.into_iter().partition(goes);
    let (Some((_, first)), false) = (gone.first(), left.is_empty()) else {
        return Ok(Err(StoryRefusal::NothingLeft(story.to_owned())));
    };
    let new = id::story_id(&whole.rule, &first.report.item, now);
    let moved: Vec<i64> = gone.iter().map(|(hit, _)| *hit).collect();
    let items: Vec<&str> = gone.iter().map(|(_, member)| &*member.report.item).collect();
    note(connection, "split", story, &new, &items, by, now)?;
    move_reports(connection, &moved, &new)?;
    let (mut gone, mut left) = (made_of(&new, &gone), made_of(story, &left));
    let (earlier, later) = if gone.first_seen < left.first_seen {
        (&mut gone, &mut left)
    } else {
        (&mut left, &mut gone)
    };
    earlier.previous = whole.story.previous;
    later.previous = Some(earlier.id.clone());
    for part in [&mut gone, &mut left] {
        part.thread = whole.story.thread.clone();
        write_story(connection, &whole.rule, part)?;
    }
    amend_watch(connection, &whole.rule, |watch| {
        wait_for_bulletin(watch, &gone, now);
        wait_for_bulletin(watch, &left, now);
    })?;
    Ok(Ok(StoryEdited { story: new, moved: moved.len() }))
}

/// A story and all its reports, unless some are no longer kept.
pub(super) fn load(
    connection: &Connection,
    rules: &[Rule],
    id: &str,
) -> Result<Result<Kept, StoryRefusal>, StoreError> {
    let row: Option<(String, String)> = connection
        .query_row("SELECT rule, story FROM stories WHERE id = ?1", [id], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .optional()?;
    let Some((rule, text)) = row else { return Ok(Err(StoryRefusal::Unknown(id.to_owned()))) };
    let story = serde_json::from_str(&text)
        .map_err(|_| StoreError::Corrupt { what: "story", value: text })?;
    let telling = rules.iter().find(|known| *known.id == *rule).map(|rule| rule.telling);
    let (reports, all) = reports(connection, id, &rule, telling.unwrap_or_default())?;
    if reports.len() < all {
        let (story, kept) = (id.to_owned(), reports.len());
        return Ok(Err(StoryRefusal::NotKept { story, reports: all, kept }));
    }
    Ok(Ok(Kept { rule, story, reports }))
}

/// The reports of a story that are kept, with the numbers of their hits, and how many it has.
fn reports(
    connection: &Connection,
    story: &str,
    rule: &str,
    telling: Telling,
) -> Result<(Vec<(i64, Member)>, usize), StoreError> {
    let mut statement = connection.prepare(
        "SELECT hits.seq, hits.joined, hits.reason, revised_at IS NOT NULL AS withdrawn,
           reports.at, report, draft IS NOT NULL AS drafted,
           alerts.created, alerts.severity,
           json_array_length(record, '$.data.story.origins') AS origins
         FROM hits LEFT JOIN reports ON reports.hit = hits.seq
           LEFT JOIN alerts ON alerts.id = hits.alert
         WHERE hits.story = ?1 ORDER BY hits.seq",
    )?;
    let mut rows = statement.query([story])?;
    let (mut kept, mut all) = (Vec::new(), 0);
    while let Some(row) = rows.next()? {
        all += 1;
        let text: Option<String> = row.get("report")?;
        let Some(mut report) = text.and_then(|text| serde_json::from_str::<Report>(&text).ok())
        else {
            continue;
        };
        report.rule = rule.into();
        report.telling = telling;
        let joined: Option<String> = row.get("joined")?;
        let joined: serde_json::Value =
            joined.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default();
        let reason = Reason::from_name(&row.get::<_, String>("reason")?);
        let fate = match (row.get::<_, Option<String>>("severity")?, reason) {
            (Some(severity), _) => Fate::Told {
                at: time(row, "created")?,
                severity: Severity::from_name(&severity)
                    .ok_or(StoreError::Corrupt { what: "severity", value: severity })?,
                origins: row.get::<_, Option<u32>>("origins")?.unwrap_or(1) as usize,
            },
            _ if !row.get::<_, bool>("drafted")? => Fate::Untold,
            (_, Some(Reason::Held)) => Fate::Waits,
            (_, Some(Reason::LeftOut)) => Fate::LeftOut,
            _ => Fate::Untold,
        };
        let member = Member {
            report,
            at: time(row, "at")?,
            copy_of: joined["of"].as_str().map(Into::into),
            withdrawn: row.get("withdrawn")?,
            fate,
        };
        kept.push((row.get("seq")?, member));
    }
    Ok((kept, all))
}

pub(super) fn made_of(id: &str, reports: &[(i64, Member)]) -> Story {
    let members: Vec<Member> = reports.iter().map(|(_, member)| member.clone()).collect();
    Story::of(id, &members).expect("each part has reports")
}

fn move_reports(connection: &Connection, hits: &[i64], story: &str) -> Result<(), StoreError> {
    for sql in [
        "UPDATE hits SET story = ?2 WHERE seq = ?1",
        "UPDATE reports SET story = ?2 WHERE hit = ?1",
    ] {
        let mut update = connection.prepare(sql)?;
        for hit in hits {
            update.execute(params![hit, story])?;
        }
    }
    Ok(())
}

/// Writes down what was changed.
fn note(
    connection: &Connection,
    what: &str,
    story: &str,
    other: &str,
    items: &[&str],
    by: &StoryEditor,
    now: Timestamp,
) -> Result<(), StoreError> {
    connection.execute(
        "INSERT INTO story_edits (at, author, what, story, other, items, why)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        params![millis(now), by.author, what, story, other, json_text(&items), by.why],
    )?;
    Ok(())
}

/// Changes what is kept of a rule beside its stories. What cannot be read is left alone.
fn amend_watch(
    connection: &Connection,
    rule: &str,
    amend: impl FnOnce(&mut WatchState),
) -> Result<(), StoreError> {
    let state: Option<String> = connection
        .query_row("SELECT state FROM watches WHERE rule = ?1", [rule], |row| row.get(0))
        .optional()?;
    let state = state.and_then(|text| serde_json::from_str::<WatchState>(&text).ok());
    let Some(mut state) = state else { return Ok(()) };
    amend(&mut state);
    connection.execute(
        "UPDATE watches SET state = ?2, bulletin_at = ?3 WHERE rule = ?1",
        params![rule, json_text(&state), state.bulletin.map(millis)],
    )?;
    Ok(())
}

/// Has a bulletin come when a story waits for one.
fn wait_for_bulletin(watch: &mut WatchState, story: &Story, now: Timestamp) {
    if let Some(since) = story.waits_since() {
        watch.bulletin.get_or_insert((since + BULLETIN_AFTER).max(now));
    }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::super::stories::tests::{OUTLETS, WORDS, config, database, next, poll};
    use super::*;
    use crate::config::Config;
    use crate::store::write;
    use crate::story::Desk;

    fn editor() -> StoryEditor {
        StoryEditor { author: "anna".to_owned(), why: "one event".to_owned() }
    }

    /// A database of days in which much happens.
    fn busy(config: &Config, seed: u64) -> Connection {
        let connection = database(config);
        let (mut seed, mut minutes) = (seed, 0);
        for _ in 0..150 {
            minutes += [1, 5, 20, 90, 200][next(&mut seed) % 5];
            let now = Timestamp::UNIX_EPOCH + SignedDuration::from_mins(minutes);
            // Four words tell of each of six events.
            let event = next(&mut seed) % 6 * 4;
            let words: Vec<&str> = (0..4).map(|_| WORDS[event + next(&mut seed) % 4]).collect();
            let title = format!("Delta {}", words.join(" "));
            let batch = poll(config, next(&mut seed) % OUTLETS.len(), &title, now);
            write::batch(
                &connection,
                &mut Desk::default(),
                &mut write::Feeds::new(),
                &batch,
                config,
            )
            .unwrap();
        }
        connection
    }

    fn stories(connection: &Connection) -> Vec<Story> {
        let mut statement = connection.prepare("SELECT story FROM stories ORDER BY seq").unwrap();
        let rows = statement.query_map([], |row| row.get::<_, String>(0)).unwrap();
        rows.map(|text| serde_json::from_str(&text.unwrap()).unwrap()).collect()
    }

    /// A story under the name and in the place of another.
    fn placed_as(story: &Story, other: &Story) -> Story {
        let mut story = story.clone();
        (story.id, story.thread) = (other.id.clone(), other.thread.clone());
        story.previous = other.previous.clone();
        story
    }

    #[track_caller]
    fn same(one: &Story, other: &Story) {
        assert_eq!(json_text(one), json_text(other));
    }

    #[test]
    fn a_story_that_nobody_changed_is_what_its_reports_make() {
        let config = config();
        for seed in 1..=3 {
            let connection = busy(&config, seed);
            let all = stories(&connection);
            assert!(all.len() > 3 && all.iter().any(|story| story.items > 3), "{}", all.len());
            for story in &all {
                let kept = load(&connection, config.rules.rules(), &story.id).unwrap().unwrap();
                same(&placed_as(&made_of(&story.id, &kept.reports), story), story);
            }
        }
    }

    #[test]
    fn a_split_takes_back_a_merge() {
        let config = config();
        let rules = config.rules.rules();
        let now = Timestamp::UNIX_EPOCH + SignedDuration::from_hours(24 * 20);
        let connection = busy(&config, 7);
        let all = stories(&connection);
        for pair in all.windows(2) {
            let [one, other] = pair else { unreachable!() };
            let (one, other) = (&*one.id, &*other.id);
            let before = load(&connection, rules, one).unwrap().unwrap();
            let items: Vec<String> =
                before.reports.iter().map(|(_, member)| member.report.item.to_string()).collect();
            let untouched = load(&connection, rules, other).unwrap().unwrap().story;
            let merged = merge(&connection, rules, one, other, &editor(), now).unwrap().unwrap();
            assert_eq!(merged, StoryEdited { story: other.to_owned(), moved: items.len() });
            let split = split(&connection, rules, other, &items, &editor(), now).unwrap().unwrap();
            let left = load(&connection, rules, other).unwrap().unwrap().story;
            let gone = load(&connection, rules, &split.story).unwrap().unwrap().story;
            same(&placed_as(&left, &untouched), &untouched);
            same(&placed_as(&gone, &before.story), &before.story);
            // The next pair begins with the story that is still there.
            merge(&connection, rules, &split.story, other, &editor(), now).unwrap().unwrap();
        }
        assert_eq!(stories(&connection).len(), 1);
        let reports: i64 = connection
            .query_row("SELECT count(DISTINCT story) FROM reports", [], |row| row.get(0))
            .unwrap();
        assert_eq!(reports, 1);
    }
}
