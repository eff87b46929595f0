//! The lists of the command line: what is stored, newest first.

use std::time::Duration;

use jiff::Timestamp;
use rusqlite::{Row, ToSql, params_from_iter};
use serde::Serialize;
use serde_json::Value;
use url::Url;

use super::read::{maybe_time, time};
use super::{Reader, StoreError, acks};
use crate::alert::operator;
use crate::hit::Severity;
use crate::item::{FeedName, Item, ItemKey};
use crate::poll::FailureKind;
use crate::schedule::State;
use crate::schedule::health::Health;
use crate::schedule::host::host_of;
use crate::schedule::trouble::Troubles;
use crate::text;

/// The fact that says whether the operator was told that nothing is in reach, and when that began.
pub(crate) const NETWORK: &str = "network";
/// What that fact says then.
pub(crate) const OFFLINE: &str = "offline";

/// Which rows a list shows. `None` and empty mean all.
#[derive(Debug, Clone, Default)]
pub struct ItemFilter {
    /// Of this feed.
    pub feed: Option<String>,
    /// Of this rule (hits and alerts).
    pub rule: Option<String>,
    /// Events of the service itself (alerts).
    pub operator: bool,
    /// Held back by this silence (alerts).
    pub silence: Option<i64>,
    /// Of this severity (hits and alerts).
    pub severity: Option<Severity>,
    /// At this time or later.
    pub since: Option<Timestamp>,
    /// Before this time.
    pub until: Option<Timestamp>,
    /// With this text, compared as rules compare it, in a text of the item or the title of the hit.
    pub search: Option<String>,
    /// At most so many.
    pub limit: Option<usize>,
}

/// The filter of `alerts`; the same as for items.
pub type AlertFilter = ItemFilter;

/// A stored item.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ItemRow {
    /// The item in the whole store: `feed/key`.
    pub key: String,
    /// The feed.
    pub feed: String,
    /// As the feed gave it.
    pub id: Option<String>,
    /// The headline.
    pub title: String,
    /// The short text.
    pub summary: String,
    /// The long text.
    pub content: String,
    /// Where to read it.
    pub link: Option<String>,
    /// The language.
    pub lang: Option<String>,
    /// Who wrote it; one a line when several.
    pub author: Option<String>,
    /// The categories.
    pub tags: Vec<String>,
    /// When its publisher says it was published.
    pub published: Option<Timestamp>,
    /// When newswatch first saw it.
    pub first_seen: Timestamp,
    /// How many texts it has had.
    pub revision: u32,
    /// `baseline`, `late`, `outage`.
    pub flags: Vec<&'static str>,
}

/// What an item said before its publisher edited it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EarlierText {
    /// When it was found edited.
    pub until: Timestamp,
    /// The headline until then.
    pub title: String,
    /// The short text until then.
    pub summary: String,
}

impl From<ItemRow> for Item {
    fn from(row: ItemRow) -> Self {
        let key = row.key.rsplit('/').next().and_then(ItemKey::from_hex);
        let mut item = Item::titled(key.unwrap_or(ItemKey::of("stored", &[&row.key])), row.title);
        item.id = row.id;
        item.summary = row.summary;
        item.content = row.content;
        item.link = row.link;
        item.lang = row.lang;
        item.authors = row
            .author
            .map(|author| author.lines().map(str::to_owned).collect())
            .unwrap_or_default();
        item.tags = row.tags;
        item.published = row.published;
        item
    }
}

/// A stored hit.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct HitRow {
    /// The hit.
    pub id: String,
    /// The rule.
    pub rule: String,
    /// What the rule said then.
    pub rule_version: String,
    /// How much it matters.
    pub severity: String,
    /// The item: `feed/key`.
    pub item: String,
    /// The item's id as the feed gave it.
    pub item_id: Option<String>,
    /// The feed.
    pub feed: String,
    /// The headline.
    pub title: String,
    /// The headline that its item has now, where its publisher has changed it.
    pub title_now: Option<String>,
    /// Where to read it.
    pub link: Option<String>,
    /// When it matched.
    pub matched_at: Timestamp,
    /// Which of the item's texts matched.
    pub revision: u32,
    /// The words that matched.
    pub spans: Value,
    /// Why somebody was told, or nobody.
    pub reason: String,
    /// The alert, where one was raised.
    pub alert: Option<String>,
    /// The story that it is a report of; absent for hits from before there were stories.
    pub story: Option<String>,
}

/// A delivery.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DeliveryRow {
    /// The delivery.
    pub id: i64,
    /// The alert.
    pub alert: String,
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
    /// When the digest goes that it is part of; absent when it goes by itself.
    pub digest: Option<Timestamp>,
}

/// A feed, as it is doing.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FeedRow {
    /// The feed.
    pub name: String,
    /// As configured.
    pub url: String,
    /// Where it is really fetched from.
    pub effective_url: String,
    /// The condition it is in.
    pub state: String,
    /// Since when.
    pub state_since: Timestamp,
    /// The same in the word that a person wants: also whether it is quiet, or the network is gone.
    pub health: Health,
    /// Why.
    pub why: Option<String>,
    /// The kind of the last failure, while it fails.
    pub failure: Option<String>,
    /// When the failures in a row began.
    pub failing_since: Option<Timestamp>,
    /// What a person can do about it.
    pub advice: Option<String>,
    /// When a poll last went well.
    pub last_ok: Option<Timestamp>,
    /// When a poll last brought something new.
    pub last_new_item: Option<Timestamp>,
    /// When it is polled next: when it is due, or later where its host asked to be left alone.
    pub next_due: Option<Timestamp>,
    /// Seconds between two polls while all is well.
    pub interval_s: Option<u32>,
    /// Items stored so far.
    pub items: u64,
    /// Items first seen in the last seven days, a day.
    pub items_per_day: f64,
    /// Failures in a row.
    pub failures: u32,
    /// When a poll last found nothing but new items, so that others may have been missed.
    pub gap_at: Option<Timestamp>,
    /// When it last changed the ids of most of its items at once.
    pub migrated_at: Option<Timestamp>,
}

impl FeedRow {
    /// Whether it is polled at all.
    pub fn is_enabled(&self) -> bool {
        self.state != "disabled"
    }

    /// Since when it is as its health says.
    pub fn since(&self) -> Option<Timestamp> {
        match self.health {
            Health::Quiet => self.last_new_item,
            // It was another feed that was told so; when, is not known.
            Health::Throttled if self.state != State::Throttled.as_str() => None,
            _ => Some(self.failing_since.unwrap_or(self.state_since)),
        }
    }

    /// Whether somebody may want to look at it: it is polled and not quite well.
    pub fn is_worth_a_look(&self) -> bool {
        !matches!(self.health, Health::Ok | Health::New | Health::Disabled)
    }

    /// Whether it is polled and its last poll did not go well, or its host lets nobody poll it.
    pub fn is_in_trouble(&self) -> bool {
        self.health == Health::Throttled
            || !matches!(self.state.as_str(), "new" | "active" | "disabled")
    }
}

/// How much there is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Totals {
    /// Items with their texts.
    pub items: u64,
    /// Hits.
    pub hits: u64,
    /// Alerts.
    pub alerts: u64,
    /// Deliveries still to be made.
    pub deliveries_due: u64,
    /// Those of them that wait for their digest.
    pub deliveries_held: u64,
    /// Deliveries given up.
    pub deliveries_dead: u64,
    /// Silences that have not ended, or whose summary is still to be told.
    pub silences: u64,
    /// When the delivery was due, or will be, that is to be made and was due first.
    pub oldest_due: Option<Timestamp>,
    /// Bytes of the database file.
    pub database_bytes: u64,
}

/// What a person can do about a feed.
fn advice(health: Health, state: State, failure: Option<FailureKind>) -> Option<String> {
    match health {
        Health::Ok | Health::New | Health::Disabled => None,
        Health::Offline => Some(operator::ADVICE_OFFLINE.to_owned()),
        Health::Quiet => Some(operator::ADVICE_QUIET.to_owned()),
        _ => Some(operator::advice(state, failure)),
    }
}

/// What is counted of the store for those who watch the daemon.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Census {
    /// Feeds of the configuration by state; those that are not enabled are `disabled`.
    pub(crate) feeds: Vec<(String, u64)>,
    /// Deliveries by state.
    pub(crate) deliveries: Vec<(String, u64)>,
    /// How long the enabled feed has been due that was due first.
    pub(crate) overdue: Duration,
    /// Hosts that asked to be left alone for longer.
    pub(crate) hosts: u64,
    /// Bytes of the database file.
    pub(crate) database_bytes: u64,
    /// When the daemon last wrote that it is alive.
    pub(crate) last_write: Option<Timestamp>,
    /// When the configuration was last read, and whether it was accepted.
    pub(crate) configured: Option<(Timestamp, bool)>,
}

/// The conditions of a query, and their values.
pub(super) struct Conditions {
    pub(super) sql: String,
    pub(super) values: Vec<Box<dyn ToSql>>,
}

impl Conditions {
    pub(super) fn new() -> Self {
        Self { sql: "1".to_owned(), values: Vec::new() }
    }

    pub(super) fn add(&mut self, condition: &str, value: Option<impl ToSql + 'static>) {
        if let Some(value) = value {
            self.values.push(Box::new(value));
            self.sql +=
                &format!(" AND {}", condition.replace('?', &format!("?{}", self.values.len())));
        }
    }

    pub(super) fn limit(filter: &ItemFilter) -> i64 {
        filter.limit.map_or(-1, |limit| i64::try_from(limit).unwrap_or(i64::MAX))
    }
}

/// A LIKE pattern that finds `text` anywhere, for ids.
pub(super) fn containing(text: &str) -> String {
    format!("%{}%", text.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_"))
}

impl Reader {
    /// Stored items, newest first.
    pub fn items(
        &self,
        filter: &ItemFilter,
        mut each: impl FnMut(ItemRow) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let mut conditions = Conditions::new();
        conditions.add("feeds.name = ?", filter.feed.clone());
        conditions.add("first_seen >= ?", filter.since.map(Timestamp::as_millisecond));
        conditions.add("first_seen < ?", filter.until.map(Timestamp::as_millisecond));
        conditions.add(
            "(holds(items.title, ?) OR holds(summary, ?) OR holds(content, ?))",
            filter.search.as_deref().map(text::fold),
        );
        conditions.add(
            "EXISTS (SELECT 1 FROM hits WHERE hits.feed = feeds.name \
             AND hits.item_key = items.key AND hits.rule = ?)",
            filter.rule.clone(),
        );
        conditions.add(
            "EXISTS (SELECT 1 FROM hits WHERE hits.feed = feeds.name \
             AND hits.item_key = items.key AND hits.severity = ?)",
            filter.severity.map(Severity::as_str),
        );
        let sql = format!(
            "SELECT {ITEM_COLUMNS} FROM items JOIN feeds ON feeds.id = items.feed
             WHERE pruned = 0 AND {} ORDER BY first_seen DESC, items.id DESC LIMIT {}",
            conditions.sql,
            Conditions::limit(filter)
        );
        let mut statement = self.connection.prepare(&sql)?;
        let mut rows = statement.query(params_from_iter(conditions.values))?;
        while let Some(row) = rows.next()? {
            each(item_row(row)?)?;
        }
        Ok(())
    }

    /// What an item, `feed/key`, said before each of its edits, oldest first; as far as it is kept.
    pub fn earlier_texts(&self, item: &str) -> Result<Vec<EarlierText>, StoreError> {
        let Some((feed, key)) = item.rsplit_once('/') else { return Ok(Vec::new()) };
        let Some(key) = ItemKey::from_hex(key) else { return Ok(Vec::new()) };
        // What was emptied before it was edited said nothing.
        let mut statement = self.connection.prepare_cached(
            "SELECT until, title, summary FROM revisions
             WHERE item = (SELECT id FROM items
                           WHERE feed = (SELECT id FROM feeds WHERE name = ?1) AND key = ?2)
               AND (title <> '' OR summary <> '' OR content <> '')
             ORDER BY revision",
        )?;
        let texts = statement.query_and_then(rusqlite::params![feed, key.as_bytes()], |row| {
            let (title, summary) = (row.get(1)?, row.get(2)?);
            Ok::<_, StoreError>(EarlierText { until: time(row, 0)?, title, summary })
        })?;
        texts.collect()
    }

    /// The newest items, at most so many, each with its feed.
    pub fn newest_items(&self, limit: usize) -> Result<Vec<(String, Item)>, StoreError> {
        let mut statement = self.connection.prepare(&format!(
            "SELECT {ITEM_COLUMNS} FROM items JOIN feeds ON feeds.id = items.feed
             WHERE pruned = 0 ORDER BY first_seen DESC LIMIT ?1",
        ))?;
        let mut rows = statement.query([i64::try_from(limit).unwrap_or(i64::MAX)])?;
        let mut items = Vec::new();
        while let Some(row) = rows.next()? {
            let row = item_row(row)?;
            items.push((row.feed.clone(), row.into()));
        }
        Ok(items)
    }

    /// What a feed brought last, newest first.
    pub fn items_of(&self, feed: &FeedName, most: usize) -> Result<Vec<Item>, StoreError> {
        // Ids grow with time.
        let mut statement = self.connection.prepare_cached(&format!(
            "SELECT {ITEM_COLUMNS} FROM items JOIN feeds ON feeds.id = items.feed
             WHERE items.feed = (SELECT id FROM feeds WHERE name = ?1) AND pruned = 0
             ORDER BY items.id DESC LIMIT ?2",
        ))?;
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        let mut rows = statement.query(rusqlite::params![feed.as_str(), most])?;
        let mut items = Vec::new();
        while let Some(row) = rows.next()? {
            items.push(item_row(row)?.into());
        }
        Ok(items)
    }

    /// What an item of a feed says, unless it was emptied.
    pub fn item_of(&self, feed: &FeedName, key: ItemKey) -> Result<Option<Item>, StoreError> {
        let mut statement = self.connection.prepare_cached(&format!(
            "SELECT {ITEM_COLUMNS} FROM items JOIN feeds ON feeds.id = items.feed
             WHERE items.feed = (SELECT id FROM feeds WHERE name = ?1) AND key = ?2 AND pruned = 0",
        ))?;
        let mut rows = statement.query(rusqlite::params![feed.as_str(), key.as_bytes()])?;
        Ok(rows.next()?.map(item_row).transpose()?.map(Item::from))
    }

    /// Stored hits, newest first.
    pub fn hits(
        &self,
        filter: &ItemFilter,
        mut each: impl FnMut(HitRow) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let mut conditions = Conditions::new();
        conditions.add("feed = ?", filter.feed.clone());
        conditions.add("rule = ?", filter.rule.clone());
        conditions.add("severity = ?", filter.severity.map(Severity::as_str));
        conditions.add("matched_at >= ?", filter.since.map(Timestamp::as_millisecond));
        conditions.add("matched_at < ?", filter.until.map(Timestamp::as_millisecond));
        conditions.add("holds(title, ?)", filter.search.as_deref().map(text::fold));
        let sql = format!(
            "SELECT *, {TITLE_NOW} FROM hits WHERE {} ORDER BY seq DESC LIMIT {}",
            conditions.sql,
            Conditions::limit(filter)
        );
        let mut statement = self.connection.prepare(&sql)?;
        let mut rows = statement.query(params_from_iter(conditions.values))?;
        while let Some(row) = rows.next()? {
            each(hit_row(row)?)?;
        }
        Ok(())
    }

    /// The records of stored alerts, newest first.
    pub fn alerts(
        &self,
        filter: &AlertFilter,
        each: impl FnMut(Value) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        self.alerts_between(0, i64::MAX, filter, each)
    }

    /// The same for those whose sequence numbers are greater than `after` and at most `newest`.
    pub fn alerts_between(
        &self,
        after: i64,
        newest: i64,
        filter: &AlertFilter,
        mut each: impl FnMut(Value) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let mut conditions = Conditions::new();
        conditions.add("seq > ?", Some(after));
        conditions.add("seq <= ?", Some(newest));
        conditions.add("silence = ?", filter.silence);
        conditions.add("feed = ?", filter.feed.clone());
        conditions.add("rule = ?", filter.rule.clone());
        if filter.operator {
            conditions.sql += " AND record ->> '$.data.operator' IS NOT NULL";
        }
        conditions.add("severity = ?", filter.severity.map(Severity::as_str));
        conditions.add("created >= ?", filter.since.map(Timestamp::as_millisecond));
        conditions.add("created < ?", filter.until.map(Timestamp::as_millisecond));
        conditions.add(
            "holds(coalesce(record ->> '$.data.item.title', record ->> '$.data.message'), ?)",
            filter.search.as_deref().map(text::fold),
        );
        let sql = format!(
            "SELECT record, acked_by, acked_at, acked_why FROM alerts {}
             WHERE {} ORDER BY seq DESC LIMIT {}",
            acks::JOIN,
            conditions.sql,
            Conditions::limit(filter)
        );
        let mut statement = self.connection.prepare(&sql)?;
        let mut rows = statement.query(params_from_iter(conditions.values))?;
        while let Some(row) = rows.next()? {
            each(alert_record(row)?)?;
        }
        Ok(())
    }

    /// The sequence number of the newest alert, 0 when there is none.
    pub fn newest_alert(&self) -> Result<i64, StoreError> {
        Ok(self
            .connection
            .query_row("SELECT coalesce(max(seq), 0) FROM alerts", [], |row| row.get(0))?)
    }

    /// The records of the alerts that have `part` in their ids, newest first, and how many there
    /// are; at most `most` records. An id that is `part` is the only one.
    pub fn alerts_named(&self, part: &str, most: usize) -> Result<(Vec<Value>, u64), StoreError> {
        let mut statement = self.connection.prepare(&format!(
            "SELECT record, acked_by, acked_at, acked_why, id FROM alerts {}
             WHERE id LIKE ?1 ESCAPE '\\' ORDER BY seq DESC",
            acks::JOIN
        ))?;
        let mut rows = statement.query([containing(part)])?;
        let (mut records, mut count) = (Vec::new(), 0);
        while let Some(row) = rows.next()? {
            count += 1;
            if row.get::<_, String>("id")? == part {
                return Ok((vec![alert_record(row)?], 1));
            }
            if records.len() < most {
                records.push(alert_record(row)?);
            }
        }
        Ok((records, count))
    }

    /// The stored item that a list showed as `feed/key`, or whose id or link that is.
    pub fn item(&self, name: &str) -> Result<Option<ItemRow>, StoreError> {
        let (feed, key) = name.rsplit_once('/').unwrap_or(("", name));
        let key = ItemKey::from_hex(key).map(|key| key.as_bytes().to_vec());
        let mut statement = self.connection.prepare(&format!(
            "SELECT {ITEM_COLUMNS} FROM items JOIN feeds ON feeds.id = items.feed
             WHERE pruned = 0
               AND (items.key = ?1 AND ?2 IN ('', feeds.name) OR given_id = ?3 OR link = ?3)
             ORDER BY first_seen DESC LIMIT 1",
        ))?;
        let mut rows = statement.query(rusqlite::params![key, feed, name])?;
        rows.next()?.map(item_row).transpose()
    }

    /// The outbox: newest first; only the dead when `dead`.
    pub fn deliveries(
        &self,
        dead: bool,
        filter: &ItemFilter,
        mut each: impl FnMut(DeliveryRow) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let mut conditions = Conditions::new();
        conditions.add("state = ?", dead.then_some("dead"));
        conditions.add("alerts.feed = ?", filter.feed.clone());
        conditions.add("alerts.rule = ?", filter.rule.clone());
        conditions.add("alerts.severity = ?", filter.severity.map(Severity::as_str));
        conditions.add("alerts.created >= ?", filter.since.map(Timestamp::as_millisecond));
        conditions.add("alerts.created < ?", filter.until.map(Timestamp::as_millisecond));
        conditions.add("holds(last_error, ?)", filter.search.as_deref().map(text::fold));
        let sql = format!(
            "SELECT deliveries.id, alerts.id, receiver, state, attempts, last_error, next_attempt,
               digest
             FROM deliveries JOIN alerts ON alerts.seq = deliveries.alert
             WHERE {} ORDER BY deliveries.id DESC LIMIT {}",
            conditions.sql,
            Conditions::limit(filter)
        );
        let mut statement = self.connection.prepare(&sql)?;
        let mut rows = statement.query(params_from_iter(conditions.values))?;
        while let Some(row) = rows.next()? {
            each(DeliveryRow {
                id: row.get(0)?,
                alert: row.get(1)?,
                receiver: row.get(2)?,
                state: row.get(3)?,
                attempts: row.get(4)?,
                last_error: row.get(5)?,
                next_attempt: maybe_time(row, 6)?,
                digest: maybe_time(row, 7)?,
            })?;
        }
        Ok(())
    }

    /// The feeds that the configuration names, by name.
    pub fn feeds(&self, now: Timestamp) -> Result<Vec<FeedRow>, StoreError> {
        const DAYS: f64 = 7.0;
        let since = now.as_millisecond() - 7 * 24 * 3600 * 1000;
        let mut statement = self.connection.prepare(
            "SELECT feeds.*, schedule.*, (SELECT count(*) FROM items
                WHERE items.feed = feeds.id AND first_seen >= ?1 AND pruned = 0 AND baseline = 0)
               AS recent
             FROM feeds JOIN schedule ON schedule.feed = id
             WHERE configured != 'removed' ORDER BY name",
        )?;
        let mut rows = statement.query([since])?;
        let mut feeds = Vec::new();
        let offline = self.fact(NETWORK)?.is_some_and(|network| network.value == OFFLINE);
        let hosts = self.hosts(now)?;
        while let Some(row) = rows.next()? {
            let url: String = row.get("url")?;
            let recent: f64 = row.get::<_, u32>("recent")?.into();
            let failure: Option<String> = row.get("failure")?;
            let kind = failure.as_deref().and_then(FailureKind::from_name);
            let troubles = Troubles::from_json(&row.get::<_, String>("troubles")?);
            let state: String = row.get("state")?;
            let known = State::from_name(&state)
                .ok_or(StoreError::Corrupt { what: "feed state", value: state })?;
            let health = match row.get::<_, String>("configured")?.as_str() {
                "disabled" => Health::Disabled,
                _ if offline && !url.starts_with("file:") => Health::Offline,
                _ => Health::of(known, kind, &troubles, now),
            };
            let effective_url =
                row.get::<_, Option<String>>("effective_url")?.unwrap_or_else(|| url.clone());
            let host = Url::parse(&effective_url).ok().map(|url| host_of(&url));
            let rests = host.and_then(|host| hosts.get(&host)?.not_before);
            let (health, why, advised) = match (health, rests) {
                (Health::Ok | Health::New | Health::Quiet, Some(until)) => {
                    let until = until.strftime("%Y-%m-%d %H:%M");
                    let why = format!("its host asked to be left alone until {until}");
                    (Health::Throttled, Some(why), State::Throttled)
                }
                _ => (health, row.get("why")?, known),
            };
            feeds.push(FeedRow {
                health,
                advice: advice(health, advised, kind),
                failure,
                failing_since: troubles.failing_since,
                name: row.get("name")?,
                effective_url,
                url,
                state: match health {
                    Health::Disabled => Health::Disabled.as_str().to_owned(),
                    _ => known.as_str().to_owned(),
                },
                state_since: time(row, "state_since")?,
                why,
                last_ok: maybe_time(row, "last_ok")?,
                last_new_item: maybe_time(row, "last_new_item")?,
                next_due: match health {
                    Health::Disabled => None,
                    _ => Some(time(row, "next_due")?).max(rests),
                },
                interval_s: row.get("interval_s")?,
                items: row.get::<_, i64>("item_count")?.unsigned_abs(),
                items_per_day: (recent / DAYS * 10.0).round() / 10.0,
                failures: row.get("failures")?,
                gap_at: maybe_time(row, "gap_at")?,
                migrated_at: maybe_time(row, "migrated_at")?,
            });
        }
        Ok(feeds)
    }

    /// Counts what those who watch the daemon ask for.
    pub(crate) fn census(&self, now: Timestamp) -> Result<Census, StoreError> {
        let counts = |sql: &str| -> Result<Vec<(String, u64)>, StoreError> {
            let mut statement = self.connection.prepare(sql)?;
            let rows = statement
                .query_map([], |row| Ok((row.get(0)?, row.get::<_, i64>(1)?.unsigned_abs())))?;
            Ok(rows.collect::<Result<_, _>>()?)
        };
        let now = now.as_millisecond();
        let overdue: Option<i64> = self.connection.query_row(
            "SELECT ?1 - min(next_due) FROM feeds JOIN schedule ON feed = id
             WHERE configured = 'enabled'",
            [now],
            |row| row.get(0),
        )?;
        let hosts: i64 = self.connection.query_row(
            "SELECT count(*) FROM hosts WHERE not_before > ?1",
            [now],
            |row| row.get(0),
        )?;
        let database_bytes: i64 = self.connection.query_row(
            "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size",
            [],
            |row| row.get(0),
        )?;
        let config = self.fact("config")?;
        let accepted = |value: &str| {
            let value: Value = serde_json::from_str(value).unwrap_or_default();
            value["problems"].is_null()
        };
        Ok(Census {
            feeds: counts(
                "SELECT iif(configured = 'disabled', configured, state) AS word, count(*)
                 FROM feeds WHERE configured <> 'removed' GROUP BY word",
            )?,
            deliveries: counts("SELECT state, count(*) FROM deliveries GROUP BY state")?,
            overdue: Duration::from_millis(u64::try_from(overdue.unwrap_or(0)).unwrap_or(0)),
            hosts: hosts.unsigned_abs(),
            database_bytes: database_bytes.unsigned_abs(),
            last_write: self.fact("heartbeat")?.map(|fact| fact.at),
            configured: config.map(|fact| (fact.at, accepted(&fact.value))),
        })
    }

    /// The rules that have hit something, as they were called then.
    pub fn rules_with_hits(&self) -> Result<Vec<String>, StoreError> {
        self.names("SELECT DISTINCT rule FROM hits ORDER BY rule")
    }

    /// The feeds that there are or have been.
    pub fn feed_names(&self) -> Result<Vec<String>, StoreError> {
        self.names("SELECT name FROM feeds ORDER BY name")
    }

    fn names(&self, sql: &str) -> Result<Vec<String>, StoreError> {
        let mut statement = self.connection.prepare(sql)?;
        let names = statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
        Ok(names)
    }

    /// How much there is.
    pub fn totals(&self, now: Timestamp) -> Result<Totals, StoreError> {
        let count = |sql: &str| {
            self.connection.query_row(sql, [], |row| Ok(row.get::<_, i64>(0)?.unsigned_abs()))
        };
        let oldest = self.connection.query_row(
            "SELECT min(coalesce(digest, alerts.created))
             FROM deliveries JOIN alerts ON alerts.seq = alert WHERE state = 'due'",
            [],
            |row| row.get::<_, Option<i64>>(0),
        )?;
        Ok(Totals {
            items: count("SELECT count(*) FROM items WHERE pruned = 0")?,
            hits: count("SELECT count(*) FROM hits")?,
            alerts: count("SELECT count(*) FROM alerts")?,
            deliveries_due: count("SELECT count(*) FROM deliveries WHERE state = 'due'")?,
            deliveries_held: count(
                "SELECT count(*) FROM deliveries
                 WHERE state = 'due' AND digest IS NOT NULL AND attempts = 0",
            )?,
            deliveries_dead: count("SELECT count(*) FROM deliveries WHERE state = 'dead'")?,
            silences: self.silences_in_force(now)?.len() as u64,
            oldest_due: oldest.and_then(|at| Timestamp::from_millisecond(at).ok()),
            database_bytes: count(
                "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size",
            )?,
        })
    }
}

/// Of hits: the headline that the item has now, where it is another and its text is still there.
pub(super) const TITLE_NOW: &str = "(SELECT items.title FROM items
   WHERE items.feed = (SELECT id FROM feeds WHERE name = hits.feed) AND items.key = hits.item_key
     AND pruned = 0 AND items.title NOT IN ('', hits.title)) AS title_now";

/// What [`item_row`] reads, in its order: by number, as names are looked up for every row.
pub(super) const ITEM_COLUMNS: &str = "feeds.name, items.key, given_id, items.title, summary, content, link, lang, \
     authors, tags, published, first_seen, revision, baseline, late, outage";

pub(super) fn item_row(row: &Row<'_>) -> Result<ItemRow, StoreError> {
    let feed: String = row.get(0)?;
    let authors: Vec<String> = strings(row.get(8)?)?;
    let flags = [("baseline", row.get(13)?), ("late", row.get(14)?), ("outage", row.get(15)?)];
    Ok(ItemRow {
        key: item_name(&feed, row.get(1)?),
        feed,
        id: row.get(2)?,
        title: row.get(3)?,
        summary: row.get(4)?,
        content: row.get(5)?,
        link: row.get(6)?,
        lang: row.get(7)?,
        author: (!authors.is_empty()).then(|| authors.join("\n")),
        tags: strings(row.get(9)?)?,
        published: maybe_time(row, 10)?,
        first_seen: time(row, 11)?,
        revision: row.get(12)?,
        flags: flags.into_iter().filter(|(_, set)| *set).map(|(name, _)| name).collect(),
    })
}

pub(super) fn alert_record(row: &Row<'_>) -> Result<Value, StoreError> {
    let mut record = json(row.get("record")?, "alert record")?;
    acks::show(&mut record, row)?;
    Ok(record)
}

fn hit_row(row: &Row<'_>) -> Result<HitRow, StoreError> {
    let feed: String = row.get("feed")?;
    Ok(HitRow {
        id: row.get("id")?,
        rule: row.get("rule")?,
        rule_version: row.get("rule_version")?,
        severity: row.get("severity")?,
        item: item_name(&feed, row.get("item_key")?),
        item_id: row.get("item_id")?,
        feed,
        title: row.get("title")?,
        title_now: row.get("title_now")?,
        link: row.get("link")?,
        matched_at: time(row, "matched_at")?,
        revision: row.get("revision")?,
        spans: json(row.get("spans")?, "evidence")?,
        reason: row.get("reason")?,
        alert: row.get("alert")?,
        story: row.get("story")?,
    })
}

/// The name of an item in the whole store.
pub(super) fn item_name(feed: &str, key: [u8; 16]) -> String {
    format!("{feed}/{}", ItemKey::from_bytes(key))
}

fn json(text: String, what: &'static str) -> Result<Value, StoreError> {
    serde_json::from_str(&text).map_err(|_| StoreError::Corrupt { what, value: text })
}

fn strings(text: String) -> Result<Vec<String>, StoreError> {
    if text == "[]" {
        return Ok(Vec::new());
    }
    serde_json::from_str(&text).map_err(|_| StoreError::Corrupt { what: "list", value: text })
}
