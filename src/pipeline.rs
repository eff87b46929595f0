//! The one composition of the core: what a poll brought, matched, decided and addressed, as one
//! batch to commit.
//!
//! The daemon, `run --once` and every test of the whole go through [`ingest`]; `match` and
//! `explain` use the same matcher on single items.

use std::collections::{HashMap, HashSet};

use jiff::Timestamp;
use serde::Serialize;
use url::Url;

use crate::alert::decide::{self, Reason};
use crate::alert::id;
use crate::alert::operator;
use crate::alert::record::{self, AlertRecord};
use crate::alert::route::{self, Due, Subject};
use crate::config::{Config, Feed};
use crate::hit::{Match, Severity, Span};
use crate::item::{FeedName, Item, ItemKey};
use crate::recognition::Renamed;
use crate::rules::{Matcher, Origin};
use crate::schedule::{Baseline, FeedState};

/// The most times that an edited item is taken in again. A page that shows the time of day in its
/// summary changes at every poll, for ever.
pub const MOST_REVISIONS: u32 = 24;

/// What the store already knows of an item. Hits outlive items, so either part may stand alone.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KnownItem {
    /// Its text when it was last taken in, and how many texts it has had.
    pub text: Option<(Fingerprint, u32)>,
    /// The rules that have hit it.
    pub rules: Vec<String>,
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

/// A match that is kept, with its evidence and with what was decided about it.
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
    /// Why somebody was told, or nobody.
    pub reason: Reason,
    /// The alert, where one was raised.
    pub alert: Option<String>,
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
    /// Its host is not to be asked before this.
    pub host_not_before: Option<(String, Timestamp)>,
    /// When the poll was taken in.
    pub at: Timestamp,
    /// New and edited items.
    pub items: Vec<StoredItem>,
    /// Their hits.
    pub hits: Vec<Hit>,
    /// The alerts that follow.
    pub alerts: Vec<OutgoingAlert>,
    /// Other names of items that are known.
    pub renamed: Vec<Renamed>,
    /// What is told of the feed itself.
    pub events: Vec<operator::OutgoingEvent>,
}

impl Batch {
    /// A batch that changes nothing but what is known about the feed.
    pub fn of_state(
        feed: FeedName,
        url: Url,
        state: FeedState,
        host_not_before: Option<(String, Timestamp)>,
        at: Timestamp,
    ) -> Self {
        let (items, hits, alerts, renamed, events) = Default::default();
        Self { feed, url, state, host_not_before, at, items, hits, alerts, renamed, events }
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
    /// Their hits.
    pub hits: Vec<Hit>,
    /// The alerts that follow.
    pub alerts: Vec<OutgoingAlert>,
    /// Other names of items that are known; [`crate::recognition`] finds them.
    pub renamed: Vec<Renamed>,
    /// The feed has changed the ids of most of its items.
    pub migrated: bool,
}

/// Takes the items of one poll in: leaves out what `known` already has, matches the rest, decides
/// who is told of each hit and why.
pub fn ingest(
    arrival: Arrival<'_>,
    items: Vec<Item>,
    known: &HashMap<ItemKey, KnownItem>,
    config: &Config,
    matcher: &mut Matcher<'_>,
) -> Ingested {
    let mut out = Ingested::default();
    let mut taken = HashSet::new();
    for mut item in items {
        if !taken.insert(item.key) {
            continue;
        }
        let fingerprint = Fingerprint::of(&item);
        let before = known.get(&item.key);
        let revision = match before.and_then(|before| before.text) {
            None => 1,
            Some((text, revision)) if text == fingerprint || revision >= MOST_REVISIONS => continue,
            Some((_, revision)) => revision + 1,
        };
        if item.lang.is_none() {
            item.lang.clone_from(&arrival.feed.lang);
        }
        let origin =
            Origin { feed: arrival.feed.name.as_str(), region: arrival.feed.region.as_deref() };
        for found in matcher.matches(&item, origin) {
            let rule = &config.rules.rules()[found.rule];
            if !before.is_some_and(|before| before.rules.iter().any(|id| **id == *rule.id)) {
                take_hit(&mut out, &arrival, &item, revision, found, config);
            }
        }
        let late = decide::is_late(item.published, arrival.now);
        let baseline = arrival.baseline.holds(item.published);
        // What has no date may have come at any time of it.
        let published = |since| item.published.is_none_or(|published| published >= since);
        let outage = arrival.outage.is_some_and(published);
        out.items.push(StoredItem { item, fingerprint, revision, baseline, late, outage });
    }
    out
}

fn take_hit(
    out: &mut Ingested,
    arrival: &Arrival<'_>,
    item: &Item,
    revision: u32,
    found: Match,
    config: &Config,
) {
    let rule = &config.rules.rules()[found.rule];
    let baseline = arrival.baseline.holds(item.published);
    let decision = decide::decide(&decide::Facts {
        baseline,
        first_run: config.poll.first_run,
        after_outage: arrival.outage.is_some(),
        published: item.published,
        max_age: rule.max_age,
        now: arrival.now,
    });
    let identity =
        id::Identity { rule: &rule.id, feed: arrival.feed.name.as_str(), item: item.key };
    let mut alert = None;
    if decision.notify {
        let record = record::hit_alert(&record::HitFacts {
            rule,
            item,
            revision,
            feed: arrival.feed,
            feed_title: arrival.feed_title,
            baseline,
            found: &found,
            now: arrival.now,
            instance: &config.instance,
        });
        let subject = Subject::of(rule, found.severity);
        let deliveries = deliveries(config, &subject, arrival.now);
        alert = Some(record.id.clone());
        out.alerts.push(OutgoingAlert { record, severity: found.severity, deliveries });
    }
    out.hits.push(Hit {
        id: id::hit_id(identity, arrival.now),
        rule: rule.id.to_string(),
        rule_version: rule.version.to_string(),
        severity: found.severity,
        item: item.key,
        revision,
        spans: found.spans,
        reason: decision.reason,
        alert,
    });
}
