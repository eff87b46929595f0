//! The one composition of the core: what a poll brought, matched and made ready for its stories, as
//! one batch to commit. What is told of it is decided in that commit: see `store`.
//!
//! The daemon, `run --once` and every test of the whole go through [`ingest`]; `match` and
//! `explain` use the same matcher on single items.

use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use jiff::Timestamp;
use serde::Serialize;
use url::Url;

use crate::alert::decide::{self, Reason};
use crate::alert::id;
use crate::alert::operator;
use crate::alert::record::{self, AlertRecord};
use crate::alert::route::{self, Due, Held, Subject};
use crate::config::{Config, Feed};
use crate::hit::{Match, Severity, Span};
use crate::item::{FeedName, Item, ItemKey};
use crate::poll::PollNote;
use crate::recognition::Renamed;
use crate::rules::{Matcher, Origin};
use crate::schedule::{Baseline, FeedState, HostState};
use crate::story::Reading;
use crate::story::desk::{Publisher, Report};
use crate::story::lineage::{FEED_ITEMS, Standing};

/// The texts of an edited item that are kept; beyond so many its edits are told less often. A page that
/// shows the time of day in its summary changes at every poll, for ever.
pub const MOST_TEXTS: u32 = 24;

/// Hits of one poll that may be told, at most: their items are taken in, what is more comes with the
/// next poll. Each waits for its story on the one thread that writes.
pub const MOST_NEWS: usize = 5_000;

/// What the store already knows of an item. Hits outlive items, so either part may stand alone.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KnownItem {
    /// Its text when it was last taken in, and how many texts it has had.
    pub text: Option<(Fingerprint, u32)>,
    /// The rules that have hit it, and what each said then.
    pub hits: Vec<KnownHit>,
}

/// A hit on an item that is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownHit {
    /// The rule.
    pub rule: String,
    /// What it said.
    pub version: String,
    /// The item has been edited since so that the rule matches no more.
    pub revised: bool,
    /// Somebody was told of it.
    pub told: bool,
}

/// A digest of an item's title and texts, to see whether its publisher edited it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fingerprint(pub [u8; 16]);

impl Fingerprint {
    /// The fingerprint of what `item` says now.
    pub fn of(item: &Item) -> Self {
        Self(*ItemKey::of("text", &[&item.title, &item.summary, &item.content]).as_bytes())
    }
}

/// An item to store: new, or with a new text.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredItem {
    /// The item.
    pub item: Item,
    /// The digest of its text.
    pub fingerprint: Fingerprint,
    /// 1 for a new item; more for an edited one.
    pub revision: u32,
    /// The first poll of its feed brought it.
    pub baseline: bool,
    /// It was published long before it was seen.
    pub late: bool,
    /// It was seen late because the feed could not be polled for long.
    pub outage: bool,
}

/// A match that is kept, with its evidence. What becomes of it is decided when it is stored, after
/// all that was stored before.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Hit {
    /// Unique for ever.
    pub id: String,
    /// The rule that matched.
    pub rule: String,
    /// What that rule said at the time.
    pub rule_version: String,
    /// How much it matters.
    pub severity: Severity,
    /// The item, within the batch's feed.
    #[serde(skip)]
    pub item: ItemKey,
    /// Which of the item's texts matched.
    pub revision: u32,
    /// The words that matched.
    pub spans: Vec<Span>,
    /// Why it is no news; absent: its story decides whether it is told.
    pub silent: Option<Reason>,
    /// What its story needs of it; absent where it is no news.
    #[serde(skip)]
    pub news: Option<Box<News>>,
}

/// What a story needs of a hit.
#[derive(Debug, Clone, PartialEq)]
pub struct News {
    /// What it is compared and counted by.
    pub report: Report,
    /// The record of an alert that would tell of it alone.
    pub draft: AlertRecord,
}

/// A hit whose item was edited, so that it stands no more, or that edits of it are told.
#[derive(Debug, Clone, PartialEq)]
pub struct Revised {
    /// The rule.
    pub rule: String,
    /// The item, within the batch's feed.
    pub item: ItemKey,
    /// Which of the item's texts the edit made.
    pub revision: u32,
    /// What the rule matches in that; absent where it matches no more.
    pub now: Option<Box<Rematch>>,
}

/// What a rule matches in an item that was edited.
#[derive(Debug, Clone, PartialEq)]
pub struct Rematch {
    /// How much it matters.
    pub severity: Severity,
    /// The record of an alert that would tell of it alone.
    pub draft: AlertRecord,
}

/// An alert to store, and its deliveries.
#[derive(Debug, Clone, PartialEq)]
pub struct OutgoingAlert {
    /// What receivers get.
    pub record: AlertRecord,
    /// How much it matters.
    pub severity: Severity,
    /// To whom, and when; each receiver once.
    pub deliveries: Vec<OutgoingDelivery>,
}

/// The delivery of an alert to a receiver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutgoingDelivery {
    /// The receiver's name.
    pub receiver: String,
    /// When.
    pub due: Due,
    /// The receiver is a log, which gets what a silence keeps from people.
    pub log: bool,
}

/// What is sent of an alert of a rule. Alerts that are told together are one message to each
/// receiver.
pub fn rule_deliveries(
    config: &Config,
    record: &AlertRecord,
    severity: Severity,
    together: bool,
    now: Timestamp,
) -> Vec<OutgoingDelivery> {
    let id = record.rule().unwrap_or_default();
    // The rule may be gone by now.
    let rule = config.rules.rules().iter().find(|rule| *rule.id == *id);
    let notify = rule.map_or(&[][..], |rule| &rule.notify);
    let subject = Subject { rule: id, tags: &record.data.tags, notify, severity };
    let mut deliveries = deliveries(config, &subject, now);
    for delivery in deliveries.iter_mut().filter(|delivery| together && !delivery.log) {
        delivery.due.held.get_or_insert(Held::Bulletin);
    }
    deliveries
}

/// What is sent of an alert, by the routes of the configuration.
pub fn deliveries(config: &Config, subject: &Subject<'_>, now: Timestamp) -> Vec<OutgoingDelivery> {
    let is_log = |name: &str| {
        config.receivers.iter().any(|receiver| receiver.name == name && receiver.kind.is_log())
    };
    route::plan(&config.routes, &config.receivers, subject, now)
        .into_iter()
        .map(|planned| OutgoingDelivery {
            receiver: planned.receiver.to_owned(),
            due: planned.due,
            log: is_log(planned.receiver),
        })
        .collect()
}

/// All that one poll brings. The store commits it whole or not at all.
#[derive(Debug, Clone, PartialEq)]
pub struct Batch {
    /// The feed that was polled.
    pub feed: FeedName,
    /// The address that the configuration gave it when the poll began. A batch of another address
    /// than the feed has now is refused.
    pub url: Url,
    /// What is known about the feed from now on, validators included.
    pub state: FeedState,
    /// Of that, nothing but when the feed is asked differs from what the poll began with.
    pub only_times: bool,
    /// What is known about its host from now on, where that has changed.
    pub host: Option<(String, HostState)>,
    /// When the poll was taken in.
    pub at: Timestamp,
    /// New and edited items.
    pub items: Vec<StoredItem>,
    /// Their hits, in the order in which their items were published.
    pub hits: Vec<Hit>,
    /// Hits that stand no more, and edits that are told.
    pub revised: Vec<Revised>,
    /// Other names of items that are known.
    pub renamed: Vec<Renamed>,
    /// What is told of the feed itself.
    pub events: Vec<operator::OutgoingEvent>,
    /// The poll, as it is remembered for a person.
    pub note: Option<PollNote>,
}

impl Batch {
    /// A batch that changes nothing but what is known about the feed.
    pub fn of_state(
        feed: FeedName,
        url: Url,
        state: FeedState,
        host: Option<(String, HostState)>,
        at: Timestamp,
    ) -> Self {
        let (only_times, items, hits, revised, renamed, events, note) = Default::default();
        Self { feed, url, state, only_times, host, at, items, hits, revised, renamed, events, note }
    }

    /// Whether it says no more than that the feed was asked: another poll would find out the same.
    pub fn brings_nothing(&self) -> bool {
        self.host.is_none()
            && self.items.is_empty()
            && self.hits.is_empty()
            && self.revised.is_empty()
            && self.renamed.is_empty()
            && self.events.is_empty()
            // From then on what comes is news.
            && self.state.baseline_at != Some(self.at)
    }

    /// How many of the items are new, not edited.
    pub fn new_items(&self) -> usize {
        self.items.iter().filter(|stored| stored.revision == 1).count()
    }
}

/// What a poll brought and what is known about it, before anything is matched.
#[derive(Debug, Clone, Copy)]
pub struct Arrival<'a> {
    /// The feed, as configured.
    pub feed: &'a Feed,
    /// What the feed calls itself, for readers, when the configuration says nothing.
    pub feed_title: Option<&'a str>,
    /// Which of its items were there before the feed was watched.
    pub baseline: Baseline,
    /// Since when the feed could not be polled, when that was long; [`crate::schedule::outage`].
    pub outage: Option<Timestamp>,
    /// When it arrived.
    pub now: Timestamp,
}

/// What follows from the items of a poll.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Ingested {
    /// New and edited items.
    pub items: Vec<StoredItem>,
    /// Their hits, in the order in which their items were published.
    pub hits: Vec<Hit>,
    /// Hits that stand no more, and edits that are told.
    pub revised: Vec<Revised>,
    /// Other names of items that are known; [`crate::recognition`] finds them.
    pub renamed: Vec<Renamed>,
    /// The feed has changed the ids of most of its items.
    pub migrated: bool,
    /// Items that were not taken in, as they would have brought more than [`MOST_NEWS`] hits.
    pub left: usize,
}

/// Takes the items of one poll in: leaves out what `known` already has, matches the rest, and gets
/// their hits ready for their stories. What it leaves for the next poll, it says. `earlier` is asked
/// for what the feed brought before, newest first, at most [`FEED_ITEMS`], where that is needed;
/// `text_of` for what an item says that is known, unless it was emptied.
pub fn ingest<E>(
    arrival: Arrival<'_>,
    items: Vec<Item>,
    known: &HashMap<ItemKey, KnownItem>,
    config: &Config,
    matcher: &mut Matcher<'_>,
    earlier: impl FnOnce() -> Result<Vec<Item>, E>,
    text_of: impl Fn(ItemKey) -> Result<Option<Item>, E>,
) -> Result<Ingested, E> {
    let mut out = Ingested::default();
    let mut matches: Vec<(usize, Match, Option<Reason>)> = Vec::new();
    let mut taken = HashSet::new();
    let mut news = 0;
    for mut item in items {
        if !taken.insert(item.key) {
            continue;
        }
        let fingerprint = Fingerprint::of(&item);
        let before = known.get(&item.key);
        let revision = match before.and_then(|before| before.text) {
            None => 1,
            Some((text, _)) if text == fingerprint => continue,
            Some((_, revision)) => revision + 1,
        };
        if item.lang.is_none() {
            item.lang.clone_from(&arrival.feed.lang);
        }
        let origin =
            Origin { feed: arrival.feed.name.as_str(), region: arrival.feed.region.as_deref() };
        let hits = before.map_or(&[][..], |before| &before.hits);
        let baseline = arrival.baseline.holds(item.published);
        let mut standing = vec![false; hits.len()];
        let (mut fresh, mut edited) = (Vec::new(), Vec::new());
        for found in matcher.matches(&item, origin) {
            let rule = &config.rules.rules()[found.rule];
            // Another address of the feed may have other texts of all of its items: those are no edits.
            let tells_edits = rule.telling.on_update && revision > 1 && !baseline;
            // What was taken back before anybody was told is a hit anew, unless that was told, too.
            let is_known = |hit: &KnownHit| !hit.revised || hit.told || tells_edits;
            match hits.iter().position(|hit| *hit.rule == *rule.id && is_known(hit)) {
                Some(place) => {
                    standing[place] = true;
                    // Whoever was told that it matches no more is told that it does.
                    let is_back = hits[place].revised && hits[place].told && revision > 1;
                    edited.extend((tells_edits || is_back).then_some(found));
                }
                None => fresh.push(found),
            }
        }
        let key = item.key;
        let late = decide::is_late(item.published, arrival.now);
        // What has no date may have come at any time of it.
        let published = |since| item.published.is_none_or(|published| published >= since);
        let outage = arrival.outage.is_some_and(published);
        let stored = StoredItem { item, fingerprint, revision, baseline, late, outage };
        let found = |found| {
            let silent = silence(&arrival, &stored, &found, config);
            (out.items.len(), found, silent)
        };
        let fresh: Vec<_> = fresh.into_iter().map(found).collect();
        // What is too old for a rule is so however often it is edited.
        let is_told =
            |found: &&Match| silence(&arrival, &stored, found, config) != Some(Reason::TooOld);
        let edits = edited.iter().filter(is_told).map(|found| Revised {
            rule: config.rules.rules()[found.rule].id.to_string(),
            item: key,
            revision,
            now: Some(Box::new(Rematch {
                severity: found.severity,
                draft: draft(&arrival, &stored, found, config),
            })),
        });
        let edits: Vec<Revised> = edits.collect();
        let to_tell = fresh.iter().filter(|(_, _, silent)| silent.is_none()).count() + edits.len();
        if to_tell > 0 && news > 0 && news + to_tell > MOST_NEWS {
            out.left += 1;
            continue;
        }
        news += to_tell;
        matches.extend(fresh);
        let gone = hits.iter().zip(standing).filter(|(hit, stands)| !stands && !hit.revised);
        let (mut gone, changed): (Vec<_>, Vec<_>) =
            gone.map(|(hit, _)| hit).partition(|hit| says_the_same(config, hit));
        // Where a rule that was changed since matched the text before, too, it is the item that has
        // changed.
        if !changed.is_empty()
            && let Some(before) = text_of(key)?
        {
            let matched = matcher.matches(&before, origin);
            let rule = |found: &Match| &config.rules.rules()[found.rule].id;
            let matched = |hit: &&KnownHit| matched.iter().any(|found| **rule(found) == *hit.rule);
            gone.extend(changed.into_iter().filter(matched));
        }
        let gone = gone.into_iter().map(|hit| Revised {
            rule: hit.rule.clone(),
            item: key,
            revision,
            now: None,
        });
        out.revised.extend(gone.chain(edits));
        out.items.push(stored);
    }
    out.hits = hits(&arrival, &out.items, matches, config, earlier)?;
    Ok(out)
}

/// Whether a rule says what it said when it hit: then it is the item that has changed.
fn says_the_same(config: &Config, hit: &KnownHit) -> bool {
    let mut rules = config.rules.rules().iter();
    rules.any(|rule| *rule.id == *hit.rule && rule.version.to_string() == hit.version)
}

/// The hits of the matches of some items, each given by the item's place and why it is no news.
fn hits<E>(
    arrival: &Arrival<'_>,
    items: &[StoredItem],
    mut matches: Vec<(usize, Match, Option<Reason>)>,
    config: &Config,
    earlier: impl FnOnce() -> Result<Vec<Item>, E>,
) -> Result<Vec<Hit>, E> {
    let now = arrival.now;
    // Feeds list the newest first.
    matches.sort_by_key(|(place, _, _)| {
        (items[*place].item.published.unwrap_or(now).min(now), Reverse(*place))
    });
    let mut standing = Standing::default();
    if matches.iter().any(|(_, _, silent)| silent.is_none()) {
        let new = items.iter().rev().map(|stored| &stored.item);
        let earlier = earlier()?;
        let all: Vec<&Item> = earlier.iter().rev().chain(new).collect();
        for item in &all[all.len().saturating_sub(FEED_ITEMS)..] {
            standing.see(Reading::shingles(item));
        }
    }
    let mut readings: HashMap<usize, Arc<Reading>> = HashMap::new();
    let mut hits = Vec::new();
    for (place, found, silent) in matches {
        let stored = &items[place];
        let news = silent.is_none().then(|| {
            let read = || Arc::new(Reading::of(&stored.item, Some(&standing)));
            let reading = readings.entry(place).or_insert_with(read).clone();
            Box::new(news(arrival, stored, &found, reading, config))
        });
        hits.push(hit(arrival, stored, found, silent, news, config));
    }
    Ok(hits)
}

/// Why a hit is not told whatever its story says.
fn silence(
    arrival: &Arrival<'_>,
    stored: &StoredItem,
    found: &Match,
    config: &Config,
) -> Option<Reason> {
    decide::silent(&decide::Facts {
        baseline: stored.baseline,
        first_run: config.poll.first_run,
        after_outage: arrival.outage.is_some(),
        published: stored.item.published,
        updated: stored.item.updated,
        max_age: config.rules.rules()[found.rule].max_age,
        now: arrival.now,
    })
}

fn hit(
    arrival: &Arrival<'_>,
    stored: &StoredItem,
    found: Match,
    silent: Option<Reason>,
    news: Option<Box<News>>,
    config: &Config,
) -> Hit {
    let (rule, item) = (&config.rules.rules()[found.rule], &stored.item);
    let identity =
        id::Identity { rule: &rule.id, feed: arrival.feed.name.as_str(), item: item.key };
    Hit {
        id: id::hit_id(identity, arrival.now),
        rule: rule.id.to_string(),
        rule_version: rule.version.to_string(),
        severity: found.severity,
        item: item.key,
        revision: stored.revision,
        spans: found.spans,
        silent,
        news,
    }
}

fn news(
    arrival: &Arrival<'_>,
    stored: &StoredItem,
    found: &Match,
    reading: Arc<Reading>,
    config: &Config,
) -> News {
    let (rule, item) = (&config.rules.rules()[found.rule], &stored.item);
    let draft = draft(arrival, stored, found, config);
    let name = format!("{}/{}", arrival.feed.name, item.key);
    let publisher = Publisher { feed: arrival.feed.name.as_str(), entry: Some(arrival.feed) };
    let report = Report::of(rule, found, (&name, item), publisher, reading);
    News { report, draft }
}

/// The record of an alert that would tell of a match alone.
fn draft(
    arrival: &Arrival<'_>,
    stored: &StoredItem,
    found: &Match,
    config: &Config,
) -> AlertRecord {
    record::hit_alert(&record::HitFacts {
        rule: &config.rules.rules()[found.rule],
        item: &stored.item,
        revision: stored.revision,
        feed: arrival.feed,
        feed_title: arrival.feed_title,
        baseline: stored.baseline,
        found,
        now: arrival.now,
        instance: &config.instance,
    })
}
