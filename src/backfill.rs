//! Hits of rules that are newer than the items: a rule that is added is matched against what is
//! stored, and nobody is told. The store says which rules and which items.

use jiff::Timestamp;

use crate::alert::id;
use crate::config::Config;
use crate::hit::{Severity, Span};
use crate::item::Item;
use crate::rules::{Matcher, Origin};

/// A stored item to look at.
#[derive(Debug, Clone)]
pub struct PastItem {
    /// The name of its feed.
    pub feed: String,
    /// The newest of its texts.
    pub item: Item,
    /// Which of its texts that is.
    pub revision: u32,
}

/// A hit of a stored item, which no story and nobody is told of.
#[derive(Debug, Clone, PartialEq)]
pub struct PastHit {
    /// Unique for ever.
    pub id: String,
    /// The rule that matched.
    pub rule: String,
    /// What that rule said at the time.
    pub rule_version: String,
    /// How much it matters.
    pub severity: Severity,
    /// The name of the item's feed.
    pub feed: String,
    /// The item.
    pub item: Item,
    /// Which of its texts matched.
    pub revision: u32,
    /// The words that matched.
    pub spans: Vec<Span>,
}

/// The hits of `rules` in stored items; what other rules would hit is left out.
pub fn hits(
    items: Vec<PastItem>,
    rules: &[String],
    config: &Config,
    matcher: &mut Matcher<'_>,
    now: Timestamp,
) -> Vec<PastHit> {
    let mut hits = Vec::new();
    for PastItem { feed, item, revision } in items {
        let configured = config.feeds.iter().find(|known| known.name.as_str() == feed);
        let region = configured.and_then(|feed| feed.region.as_deref());
        for found in matcher.matches(&item, Origin { feed: &feed, region }) {
            let rule = &config.rules.rules()[found.rule];
            if !rules.iter().any(|id| **id == *rule.id) {
                continue;
            }
            let identity = id::Identity { rule: &rule.id, feed: &feed, item: item.key };
            hits.push(PastHit {
                id: id::hit_id(identity, now),
                rule: rule.id.to_string(),
                rule_version: rule.version.to_string(),
                severity: found.severity,
                feed: feed.clone(),
                item: item.clone(),
                revision,
                spans: found.spans,
            });
        }
    }
    hits
}
