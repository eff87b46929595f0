//! The desk: takes hits in as reports, in the order in which they came, and says what becomes of
//! each. It keeps what it needs in memory, reads no clock, and says the same for the same reports.

use std::sync::Arc;

use jiff::Timestamp;
use serde::Serialize;
use url::Url;

use super::claims::{self, Cue};
use super::lineage::{Lineages, Place};
use super::origin::{self, Origin};
use super::reading::Reading;
use super::watch::Watch;
use crate::alert::decide::Reason;
use crate::config::Feed;
use crate::hit::{Match, Severity};
use crate::item::Item;
use crate::rules::{Rule, StoryMode};

pub use super::watch::{
    ALIKE_FROM, BULLETIN_AFTER, MOST_LINES, OUTLETS_WITHIN, QUIET_AFTER, STORY_OPEN, Story,
};

/// A hit as the desk takes it.
#[derive(Debug, Clone)]
pub struct Report {
    /// The rule that hit.
    pub rule: Arc<str>,
    /// How its hits are told.
    pub mode: StoryMode,
    /// The item: what lists call it.
    pub item: Arc<str>,
    /// The severity of the hit.
    pub severity: Severity,
    /// The entities that matched, sorted, each once.
    pub entities: Box<[Arc<str>]>,
    /// Who published it.
    pub outlet: Arc<str>,
    /// Whose report it is.
    pub origin: Origin,
    /// Its language.
    pub lang: Option<Arc<str>>,
    /// Its text.
    pub reading: Arc<Reading>,
    /// Its claim cues.
    pub cues: Vec<Cue>,
    /// Why it is not told whatever it says: it was there at the first poll, or is old.
    pub silent: Option<Reason>,
}

/// What a report needs to know of the feed that its item came from.
#[derive(Debug, Clone, Copy)]
pub struct Publisher<'a> {
    /// The feed's name, or its address.
    pub feed: &'a str,
    /// Its entry in the configuration.
    pub entry: Option<&'a Feed>,
}

impl Publisher<'_> {
    /// Who published an item: the publisher that an aggregating feed names, else the feed's owner,
    /// else the host that it comes from.
    fn outlet(&self, item: &Item) -> Arc<str> {
        if let Some(title) = item.source.as_ref().and_then(|source| source.title.as_deref()) {
            return title.into();
        }
        if let Some(owner) = self.entry.and_then(|feed| feed.owner.as_deref()) {
            return owner.into();
        }
        let address =
            self.entry.map(|feed| feed.url.clone()).or_else(|| Url::parse(self.feed).ok());
        match address.as_ref().and_then(Url::host_str) {
            Some(host) => host.strip_prefix("www.").unwrap_or(host).into(),
            None => self.feed.into(),
        }
    }
}

impl Report {
    /// The report of a hit on an item that lists call `name`.
    pub fn of(
        rule: &Rule,
        found: &Match,
        (name, item): (&str, &Item),
        publisher: Publisher<'_>,
        reading: Arc<Reading>,
        silent: Option<Reason>,
    ) -> Self {
        let outlet = publisher.outlet(item);
        let alignment = publisher.entry.and_then(|feed| feed.alignment.as_deref());
        let terms = found.spans.iter().map(|span| &span.term);
        let mut entities: Vec<Arc<str>> =
            terms.filter(|term| term.starts_with('@')).cloned().collect();
        entities.sort();
        entities.dedup();
        Self {
            rule: Arc::from(&*rule.id),
            mode: rule.story,
            item: name.into(),
            severity: found.severity,
            entities: entities.into(),
            origin: origin::origin(reading.named, &outlet, alignment),
            outlet,
            lang: item.lang.as_deref().map(|lang| lang.split('-').next().unwrap_or(lang).into()),
            cues: claims::cues(item, &found.spans),
            reading,
            silent,
        }
    }
}

/// How a report came to its story.
#[derive(Debug, Clone, PartialEq)]
pub enum Joined {
    /// It opened the story.
    Opened,
    /// The story holds the text that it copies.
    Copy {
        /// The item that had the text first.
        of: Arc<str>,
        /// The share of the shorter text that stands in the other.
        share: f64,
    },
    /// It reads like the story's reports.
    Alike {
        /// How much, from 0 to 1.
        score: f64,
        /// The terms that count most of those that they share.
        shared: Vec<Arc<str>>,
    },
}

/// What became of a report.
#[derive(Debug, Clone, PartialEq)]
pub struct Taken {
    /// Its story.
    pub story: Arc<str>,
    /// Its story's thread.
    pub thread: Arc<str>,
    /// Its place among the copies of its text.
    pub place: Place,
    /// How it came to its story.
    pub joined: Joined,
    /// Why somebody is told, or not.
    pub reason: Reason,
    /// What somebody is told.
    pub notice: Option<Notice>,
}

/// When something is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// At once.
    Immediate,
    /// In a rule's next bulletin.
    Bulletin,
}

/// What a notice says of one story.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// The story.
    pub story: Arc<str>,
    /// The report that tells of it.
    pub item: Arc<str>,
}

/// Something that somebody is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// The rule.
    pub rule: Arc<str>,
    /// When it is told.
    pub mode: Mode,
    /// When it was due.
    pub at: Timestamp,
    /// Why.
    pub reason: Reason,
    /// What it tells; never empty.
    pub lines: Vec<Line>,
    /// What a bulletin leaves out, as it is full.
    pub left_out: Vec<Line>,
}

/// All rules' stories.
#[derive(Debug, Default)]
pub struct Desk {
    lineages: Lineages,
    watches: std::collections::BTreeMap<Arc<str>, Watch>,
}

impl Desk {
    /// Takes a report in and says what becomes of it. Bulletins that are due by then come first:
    /// see [`Desk::due`].
    pub fn take(&mut self, report: &Report, now: Timestamp) -> Taken {
        let place = self.lineages.take(&report.item, &report.reading.text, now);
        self.watches.entry(report.rule.clone()).or_default().take(report, place, now)
    }

    /// The bulletins that are due, the longest due first.
    pub fn due(&mut self, now: Timestamp) -> Vec<Notice> {
        let mut notices: Vec<Notice> =
            self.watches.iter_mut().filter_map(|(rule, watch)| watch.due(rule, now)).collect();
        notices.sort_by_key(|notice| notice.at);
        notices
    }

    /// When the next bulletin is due.
    pub fn next_due(&self) -> Option<Timestamp> {
        self.watches.values().filter_map(|watch| watch.bulletin).min()
    }

    /// A rule's open story.
    pub fn story(&self, rule: &str, id: &str) -> Option<&Story> {
        self.watches.get(rule)?.stories.iter().find(|story| *story.id == *id)
    }

    #[cfg(test)]
    pub(super) fn open_stories(&self, rule: &str) -> usize {
        self.watches.get(rule).map_or(0, |watch| watch.stories.len())
    }
}
