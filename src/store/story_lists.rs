//! Stories as the command line shows them: lists, and the whole history of one.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use rusqlite::{OptionalExtension as _, Row, params, params_from_iter};
use serde::Serialize;
use serde_json::Value;

use super::lists::{Conditions, EarlierText, TITLE_NOW, alert_record, containing, item_name};
use super::read::{maybe_time, time};
use super::{ItemFilter, Reader, StoreError, acks};
use crate::alert::decide::Reason;
use crate::hit::Severity;
use crate::story::desk::{Quote, SeenOrigin, Story, WITHDRAWN};
use crate::story::words;
use crate::text;

/// A story, as lists show it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StoryRow {
    /// The story.
    pub id: String,
    /// The rule.
    pub rule: String,
    /// `open`, `corroborated` or `closed`.
    pub state: &'static str,
    /// The highest severity of its reports.
    pub severity: &'static str,
    /// The headline of its first report that stands; of its first one where none does.
    pub title: Option<String>,
    /// When its first report came.
    pub first_seen: Timestamp,
    /// When its last report came.
    pub last_seen: Timestamp,
    /// How many reports it has.
    pub items: usize,
    /// How many different texts.
    pub lineages: usize,
    /// How many published them.
    pub outlets: usize,
    /// Whom they rest on, and since when.
    pub origins: Vec<SeenOrigin>,
    /// `single-origin`, `multi-origin(3)` or `cross-alignment(2)`.
    pub label: String,
    /// The languages.
    pub languages: Vec<Arc<str>>,
    /// How often each class of claim cue occurred.
    pub claim_cues: BTreeMap<&'static str, usize>,
    /// When it had as many independent origins as its rule asks for.
    pub corroborated_at: Option<Timestamp>,
    /// When a report first had a word of denial.
    pub denied_at: Option<Timestamp>,
    /// When a report first had a word of confirmation.
    pub confirmed_at: Option<Timestamp>,
    /// When it was last told, also where its every report was taken back since.
    pub told: Option<Timestamp>,
    /// Since when it waits for another outlet or the rule's next bulletin.
    pub waits_since: Option<Timestamp>,
    /// The run of the rule's stories about overlapping entities that it is part of.
    pub thread: Arc<str>,
    /// The story before it in its thread.
    pub previous_id: Option<Arc<str>>,
}

impl StoryRow {
    fn of(
        story: &Story,
        rule: String,
        title: Option<String>,
        told: Option<Timestamp>,
        now: Timestamp,
    ) -> Self {
        Self {
            id: story.id.to_string(),
            rule,
            state: story.state(now),
            severity: story.severity.as_str(),
            title,
            first_seen: story.first_seen,
            last_seen: story.last_seen,
            items: story.items,
            lineages: story.lineages.len(),
            outlets: story.outlets.len(),
            origins: story.origins.clone(),
            label: story.label(),
            languages: story.languages.clone(),
            claim_cues: story.cues.iter().map(|(class, count)| (class.as_str(), *count)).collect(),
            corroborated_at: story.corroborated_at,
            denied_at: story.denied_at,
            confirmed_at: story.confirmed_at,
            told,
            waits_since: story.waits_since(),
            thread: story.thread.clone(),
            previous_id: story.previous.clone(),
        }
    }

    /// Whether its publishers took back its every report.
    pub fn is_withdrawn(&self) -> bool {
        self.label == WITHDRAWN
    }
}

/// All that is stored of a story.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StoryHistory {
    /// What its reports say together.
    #[serde(flatten)]
    pub story: StoryRow,
    /// Who published them.
    pub outlet_names: Vec<Arc<str>>,
    /// The entities that matched.
    pub entities: Vec<Arc<str>>,
    /// Words of its reports that hold claim cues.
    pub quotes: Vec<Quote>,
    /// The reports in the order in which they came.
    pub reports: Vec<ReportRow>,
    /// The story before it in its thread.
    pub previous: Option<Headline>,
    /// What people have changed, oldest first.
    pub edits: Vec<EditRow>,
}

/// A story in a line.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Headline {
    /// The story.
    pub id: String,
    /// The rule.
    pub rule: String,
    /// The headline of its first report that stands; of its first one where none does.
    pub title: Option<String>,
    /// When its last report came.
    pub last_seen: Timestamp,
}

/// A report of a story, and what became of it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ReportRow {
    /// The item: `feed/key`.
    pub item: String,
    /// The item's id as the feed gave it.
    pub item_id: Option<String>,
    /// The hit that it is.
    pub hit: String,
    /// When it matched.
    pub at: Timestamp,
    /// The feed.
    pub feed: String,
    /// Who published it.
    pub outlet: Option<String>,
    /// Whom it rests on.
    pub origin: Option<String>,
    /// The headline.
    pub title: String,
    /// The headline that its item has now, where its publisher has changed it.
    pub title_now: Option<String>,
    /// The headlines that its item had before that, oldest first, as far as they are kept.
    pub titles_before: Vec<EarlierTitle>,
    /// Where to read it.
    pub link: Option<String>,
    /// How much the hit matters.
    pub severity: String,
    /// How it came to the story: `how` is `opened`, `copy` (with `of` and `share`) or `alike` (with
    /// `score` and the `shared` words, as its title or summary has them).
    pub joined: Value,
    /// Why somebody was told, or nobody.
    pub reason: String,
    /// The same in words.
    pub why: String,
    /// When its item was edited so that the rule matches no more.
    pub revised_at: Option<Timestamp>,
    /// The alert that told it.
    pub alert: Option<AlertOfStory>,
}

/// A headline that an item had.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EarlierTitle {
    /// When it was found edited.
    pub until: Timestamp,
    /// The headline.
    pub title: String,
}

/// An alert of a story.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AlertOfStory {
    /// The alert.
    pub id: String,
    /// Its type.
    #[serde(rename = "type")]
    pub kind: String,
    /// When it was raised.
    pub at: Timestamp,
    /// The silence that kept it from people.
    pub silenced_by: Option<String>,
    /// Who acknowledged it.
    pub acked_by: Option<String>,
    /// Where it went.
    pub deliveries: Vec<DeliveryOfAlert>,
}

/// How an alert went to a receiver.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DeliveryOfAlert {
    /// The receiver.
    pub receiver: String,
    /// `due`, `sent` or `dead`.
    pub state: String,
    /// How often it was tried.
    pub attempts: u32,
    /// Why the last attempt failed.
    pub last_error: Option<String>,
    /// When it is tried next.
    pub next_attempt: Option<Timestamp>,
    /// When it was sent or given up.
    pub finished_at: Option<Timestamp>,
}

/// A change by hand.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct EditRow {
    /// When.
    pub at: Timestamp,
    /// Who.
    pub author: String,
    /// `merge` or `split`.
    pub what: String,
    /// The story that lost reports.
    pub story: String,
    /// The story that got them.
    pub other: String,
    /// Which.
    pub items: Vec<String>,
    /// Why.
    pub why: Option<String>,
}

/// The headline of a story's first report, of those that stand where any does.
const TITLE: &str = "(SELECT title FROM hits WHERE hits.story = stories.id
   ORDER BY revised_at IS NOT NULL, seq LIMIT 1) AS title";

/// Of hits: the short text that the item has now.
const SUMMARY: &str = "(SELECT summary FROM items
   WHERE items.feed = (SELECT id FROM feeds WHERE name = hits.feed) AND items.key = hits.item_key)
   AS summary";

impl Reader {
    /// Stored stories that had a report in the time of the filter, the one first that had the last.
    pub fn stories(
        &self,
        filter: &ItemFilter,
        now: Timestamp,
        mut each: impl FnMut(StoryRow) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let mut conditions = Conditions::new();
        conditions.add("rule = ?", filter.rule.clone());
        conditions.add("severity = ?", filter.severity.map(Severity::as_str));
        conditions.add("last_seen >= ?", filter.since.map(Timestamp::as_millisecond));
        conditions.add("first_seen < ?", filter.until.map(Timestamp::as_millisecond));
        conditions.add(
            "EXISTS (SELECT 1 FROM hits WHERE hits.story = stories.id AND hits.feed = ?)",
            filter.feed.clone(),
        );
        conditions.add(
            "EXISTS (SELECT 1 FROM hits WHERE hits.story = stories.id AND holds(hits.title, ?))",
            filter.search.as_deref().map(text::fold),
        );
        let sql = format!(
            "SELECT rule, story, {TITLE} FROM stories
             WHERE {} ORDER BY last_seen DESC, seq DESC LIMIT {}",
            conditions.sql,
            Conditions::limit(filter)
        );
        let mut statement = self.connection.prepare(&sql)?;
        let mut rows = statement.query(params_from_iter(conditions.values))?;
        while let Some(row) = rows.next()? {
            let story = story(row)?;
            let told = self.told_at(&story)?;
            each(StoryRow::of(&story, row.get("rule")?, row.get("title")?, told, now))?;
        }
        Ok(())
    }

    /// The stories that have `part` in their ids, newest first, and how many there are; at most
    /// `most`. An id that is `part` is the only one.
    pub fn stories_named(
        &self,
        part: &str,
        most: usize,
    ) -> Result<(Vec<Headline>, u64), StoreError> {
        let mut statement = self.connection.prepare(&format!(
            "SELECT id, rule, last_seen, {TITLE} FROM stories
             WHERE id LIKE ?1 ESCAPE '\\' ORDER BY seq DESC"
        ))?;
        let mut rows = statement.query([containing(part)])?;
        let (mut found, mut count) = (Vec::new(), 0);
        while let Some(row) = rows.next()? {
            count += 1;
            if row.get::<_, String>("id")? == part {
                return Ok((vec![headline(row)?], 1));
            }
            if found.len() < most {
                found.push(headline(row)?);
            }
        }
        Ok((found, count))
    }

    /// The newest merge that took a story away which had `part` in its id.
    pub fn merge_of(&self, part: &str) -> Result<Option<EditRow>, StoreError> {
        let mut statement = self.connection.prepare(
            "SELECT * FROM story_edits WHERE what = 'merge' AND story LIKE ?1 ESCAPE '\\'
             ORDER BY id DESC LIMIT 1",
        )?;
        let mut rows = statement.query([containing(part)])?;
        rows.next()?.map(edit_row).transpose()
    }

    /// All that is stored of the story of that id.
    pub fn story_history(
        &self,
        id: &str,
        now: Timestamp,
    ) -> Result<Option<StoryHistory>, StoreError> {
        let found = self
            .connection
            .prepare(&format!("SELECT rule, story, {TITLE} FROM stories WHERE id = ?1"))?
            .query_and_then([id], |row| {
                Ok::<_, StoreError>((story(row)?, row.get("rule")?, row.get("title")?))
            })?
            .next()
            .transpose()?;
        let Some((story, rule, title)) = found else { return Ok(None) };
        let previous = story.previous.as_deref().map(|previous| self.headline(previous));
        let mut edits = self
            .connection
            .prepare("SELECT * FROM story_edits WHERE story = ?1 OR other = ?1 ORDER BY id")?;
        let edits = edits.query_and_then([id], edit_row)?.collect::<Result<_, _>>()?;
        Ok(Some(StoryHistory {
            reports: self.reports(&story)?,
            previous: previous.transpose()?.flatten(),
            edits,
            outlet_names: story.outlets.clone(),
            entities: story.entities.clone(),
            quotes: story.quotes.clone(),
            story: StoryRow::of(&story, rule, title, self.told_at(&story)?, now),
        }))
    }

    /// The story that an alert tells, by the rule and the item of its record.
    pub fn story_of(&self, rule: &str, item: &str) -> Result<Option<String>, StoreError> {
        let Some((feed, key)) = item.rsplit_once('/') else { return Ok(None) };
        let Some(key) = crate::item::ItemKey::from_hex(key) else { return Ok(None) };
        let story = self
            .connection
            .prepare("SELECT story FROM hits WHERE feed = ?1 AND item_key = ?2 AND rule = ?3")?
            .query_row(params![feed, key.as_bytes(), rule], |row| row.get(0))
            .optional()?;
        Ok(story.flatten())
    }

    /// When a story was last told. One without a report that stands begins anew, but what was told
    /// of it was told.
    fn told_at(&self, story: &Story) -> Result<Option<Timestamp>, StoreError> {
        if story.told_at().is_some() || story.label() != WITHDRAWN {
            return Ok(story.told_at());
        }
        self.connection
            .prepare_cached(
                "SELECT max(alerts.created) AS told
                 FROM hits JOIN alerts ON alerts.id = hits.alert WHERE hits.story = ?1",
            )?
            .query_row([&*story.id], |row| Ok(maybe_time(row, "told")))?
    }

    fn headline(&self, id: &str) -> Result<Option<Headline>, StoreError> {
        let mut statement = self
            .connection
            .prepare(&format!("SELECT id, rule, last_seen, {TITLE} FROM stories WHERE id = ?1"))?;
        let mut rows = statement.query([id])?;
        rows.next()?.map(headline).transpose()
    }

    fn reports(&self, story: &Story) -> Result<Vec<ReportRow>, StoreError> {
        let mut statement = self.connection.prepare(&format!(
            "SELECT *, {TITLE_NOW}, {SUMMARY} FROM hits WHERE story = ?1 ORDER BY seq"
        ))?;
        let mut rows = statement.query([&*story.id])?;
        let mut reports = Vec::new();
        while let Some(row) = rows.next()? {
            let feed: String = row.get("feed")?;
            let joined: Option<String> = row.get("joined")?;
            let summary = row.get::<_, Option<String>>("summary")?.unwrap_or_default();
            let reason: String = row.get("reason")?;
            let alert: Option<String> = row.get("alert")?;
            let item = item_name(&feed, row.get("item_key")?);
            let (title, title_now): (String, Option<String>) =
                (row.get("title")?, row.get("title_now")?);
            let texts = self.earlier_texts(&item)?;
            let titles_before = titles_before(texts, title_now.as_ref().unwrap_or(&title));
            reports.push(ReportRow {
                item_id: row.get("item_id")?,
                hit: row.get("id")?,
                at: time(row, "matched_at")?,
                outlet: row.get("outlet")?,
                origin: row.get("origin")?,
                joined: joined_by(joined.as_deref(), [&title, &summary]),
                title,
                title_now,
                titles_before,
                link: row.get("link")?,
                severity: row.get("severity")?,
                revised_at: maybe_time(row, "revised_at")?,
                why: why(&reason, &item, story),
                alert: alert.map(|id| self.alert_of(&id)).transpose()?.flatten(),
                reason,
                item,
                feed,
            });
        }
        Ok(reports)
    }

    fn alert_of(&self, id: &str) -> Result<Option<AlertOfStory>, StoreError> {
        let mut statement = self.connection.prepare_cached(&format!(
            "SELECT seq, created, record, acked_by, acked_at, acked_why FROM alerts {}
             WHERE id = ?1",
            acks::JOIN
        ))?;
        let mut rows = statement.query([id])?;
        let Some(row) = rows.next()? else { return Ok(None) };
        let record = alert_record(row)?;
        let text = |pointer| record.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
        let mut statement = self.connection.prepare_cached(
            "SELECT receiver, state, attempts, last_error, next_attempt, finished_at
             FROM deliveries WHERE alert = ?1 ORDER BY receiver",
        )?;
        let deliveries = statement.query_and_then([row.get::<_, i64>("seq")?], |row| {
            let state: String = row.get("state")?;
            let due = state == "due";
            Ok::<_, StoreError>(DeliveryOfAlert {
                receiver: row.get("receiver")?,
                state,
                attempts: row.get("attempts")?,
                last_error: row.get("last_error")?,
                next_attempt: maybe_time(row, "next_attempt")?.filter(|_| due),
                finished_at: maybe_time(row, "finished_at")?,
            })
        })?;
        Ok(Some(AlertOfStory {
            id: id.to_owned(),
            kind: text("/type").unwrap_or_default(),
            at: time(row, "created")?,
            silenced_by: text("/data/silenced_by"),
            acked_by: text("/data/acked_by"),
            deliveries: deliveries.collect::<Result<_, _>>()?,
        }))
    }
}

/// The headlines among the earlier texts of an item that is called `now`, each with the end of the time
/// that it stood.
fn titles_before(texts: Vec<EarlierText>, now: &str) -> Vec<EarlierTitle> {
    let after = texts.iter().skip(1).map(|text| &*text.title).chain([now]);
    let stood_longer: Vec<bool> =
        texts.iter().zip(after).map(|(text, after)| text.title == after).collect();
    let ends = texts.into_iter().zip(stood_longer).filter(|(_, longer)| !longer);
    ends.map(|(EarlierText { until, title, .. }, _)| EarlierTitle { until, title }).collect()
}

/// How a report came to its story, with the terms that it shares as its texts have them. Those that
/// stand there no more are left out.
fn joined_by(joined: Option<&str>, texts: [&str; 2]) -> Value {
    let mut joined: Value =
        joined.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
    if let Some(shared) = joined.get_mut("shared").and_then(Value::as_array_mut) {
        let word = |term: &Value| {
            let term = term.as_str()?;
            texts.iter().find_map(|text| words::as_written(text, term)).map(Value::from)
        };
        *shared = shared.iter().filter_map(word).collect();
    }
    joined
}

/// Why a report was told or not, in words.
fn why(reason: &str, item: &str, story: &Story) -> String {
    match Reason::from_name(reason) {
        Some(Reason::Held) if story.held_with(item) == Some(true) => {
            "waits for another outlet or the rule's next bulletin".to_owned()
        }
        Some(reason) => reason.describe().to_owned(),
        None => reason.to_owned(),
    }
}

fn story(row: &Row<'_>) -> Result<Story, StoreError> {
    let text: String = row.get("story")?;
    serde_json::from_str(&text).map_err(|_| StoreError::Corrupt { what: "story", value: text })
}

fn headline(row: &Row<'_>) -> Result<Headline, StoreError> {
    Ok(Headline {
        id: row.get("id")?,
        rule: row.get("rule")?,
        title: row.get("title")?,
        last_seen: time(row, "last_seen")?,
    })
}

fn edit_row(row: &Row<'_>) -> Result<EditRow, StoreError> {
    let items: String = row.get("items")?;
    Ok(EditRow {
        at: time(row, "at")?,
        author: row.get("author")?,
        what: row.get("what")?,
        story: row.get("story")?,
        other: row.get("other")?,
        items: serde_json::from_str(&items)
            .map_err(|_| StoreError::Corrupt { what: "list of items", value: items })?,
        why: row.get("why")?,
    })
}
