//! The desk: takes hits in as reports, in the order in which they came, and says what becomes of
//! each. It keeps what it needs in memory, reads no clock, and says the same for the same reports.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use url::Url;

use super::claims::{self, Cue};
use super::lineage::Place;
use super::message::{LONGEST_HEADLINE, headline};
use super::origin::{self, Origin};
use super::reading::Reading;
use super::watch::Watch;
use crate::alert::catalogue;
use crate::alert::decide::Reason;
use crate::alert::record::shortened;
use crate::config::Feed;
use crate::hit::{Match, Severity};
use crate::item::Item;
use crate::rules::{Rule, Telling};

pub use super::alike::{FirstReport, Quote, STORY_OPEN, SeenOrigin, Story, WITHDRAWN};
pub use super::watch::{
    ALIKE_FROM, BULLETIN_AFTER, Kept, MOST_LINES, MOST_STORIES, OUTLETS_WITHIN, QUIET_AFTER,
    WatchState,
};

/// Reports that are kept in memory at most, of all rules.
const MOST_KEPT: usize = 50_000;

/// A hit as the desk takes it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// The rule that hit.
    #[serde(skip)]
    pub rule: Arc<str>,
    /// How its hits are told.
    #[serde(skip)]
    pub telling: Telling,
    /// The item: what lists call it.
    pub item: Arc<str>,
    /// Its headline, of 200 characters at most; empty where it was kept before this was.
    #[serde(default)]
    pub title: Arc<str>,
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
    /// Who published an item: the feed's owner, else the publisher that an aggregating feed names,
    /// else the host that it comes from. A feed with an owner cannot make up others.
    fn outlet(&self, item: &Item) -> Arc<str> {
        if let Some(owner) = self.entry.and_then(|feed| feed.owner.as_deref()) {
            return owner.into();
        }
        if let Some(title) = item.source.as_ref().and_then(|source| source.title.as_deref()) {
            return title.into();
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
            telling: rule.telling,
            item: name.into(),
            title: shortened(headline(item), LONGEST_HEADLINE).into(),
            severity: found.severity,
            entities: entities.into(),
            origin: origin::origin(reading.named, &outlet, alignment),
            outlet,
            lang: item.lang.as_deref().map(|lang| lang.split('-').next().unwrap_or(lang).into()),
            cues: claims::cues(item, &found.spans),
            reading,
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

/// What an alert about a story tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A hit, where hits are told one by one.
    Hit,
    /// A story.
    Opened,
    /// That it goes on.
    Updated,
    /// That it has as many independent origins as its rule asks for.
    Corroborated,
    /// That it has become more severe.
    SeverityRaised,
    /// That a report has a word of denial, the first in the story.
    FirstDenied,
    /// That a report has a word of confirmation, the first in the story.
    FirstConfirmed,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Kind; 7] = [
        Kind::Hit,
        Kind::Opened,
        Kind::Updated,
        Kind::Corroborated,
        Kind::SeverityRaised,
        Kind::FirstDenied,
        Kind::FirstConfirmed,
    ];

    /// The type of its alert record.
    pub fn alert_type(self) -> &'static str {
        match self {
            Kind::Hit => catalogue::HIT,
            Kind::Opened => catalogue::STORY_OPENED,
            Kind::Updated => catalogue::STORY_UPDATED,
            Kind::Corroborated => catalogue::STORY_CORROBORATED,
            Kind::SeverityRaised => catalogue::SEVERITY_RAISED,
            Kind::FirstDenied => catalogue::FIRST_DENIED,
            Kind::FirstConfirmed => catalogue::FIRST_CONFIRMED,
        }
    }

    /// Why a report is told that changes the picture of a story in this way.
    pub(super) fn reason(self) -> Reason {
        match self {
            Kind::Hit => Reason::FirstHit,
            Kind::Opened => Reason::ToldQuiet,
            Kind::Updated => Reason::ToldUpdate,
            Kind::Corroborated => Reason::ToldCorroborated,
            Kind::SeverityRaised => Reason::ToldSeverity,
            Kind::FirstDenied => Reason::ToldDenied,
            Kind::FirstConfirmed => Reason::ToldConfirmed,
        }
    }
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
    /// What of the story is told.
    pub kind: Kind,
    /// Why.
    pub reason: Reason,
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
    /// What it tells, what it is sent for first; never empty.
    pub lines: Vec<Line>,
    /// Stories that waited and are left out, as it is full.
    pub left_out: Vec<Line>,
}

/// All rules' stories.
#[derive(Debug, Default)]
pub struct Desk {
    /// Counts the reports that were taken, to tell which rules were asked about last.
    turn: u64,
    /// The last time that it gave.
    last: Option<Timestamp>,
    watches: std::collections::BTreeMap<Arc<str>, Watch>,
}

impl Desk {
    /// The time at which something is decided that came at `now`: in whole milliseconds, as times are
    /// kept, and not before what was decided before. Two polls may come to be decided in another order
    /// than they ended in; of two alerts the later one never has the earlier time.
    pub fn moment(&mut self, now: Timestamp) -> Timestamp {
        /// More than this before the last is no matter of order: the clock was set back.
        const MOST_BEFORE: SignedDuration = SignedDuration::from_mins(1);
        let now = Timestamp::from_millisecond(now.as_millisecond()).unwrap_or(now);
        let last = self.last.filter(|last| last.duration_since(now) <= MOST_BEFORE);
        let moment = last.map_or(now, |last| last.max(now));
        self.last = Some(moment);
        moment
    }

    /// Takes a report in and says what becomes of it. Bulletins that are due by then come first:
    /// see [`Desk::due`].
    pub fn take(&mut self, report: &Report, now: Timestamp) -> Taken {
        self.turn += 1;
        let watch = self.watches.entry(report.rule.clone()).or_default();
        watch.used = self.turn;
        watch.take(report, now)
    }

    /// The bulletins that are due, the longest due first.
    pub fn due(&mut self, now: Timestamp) -> Vec<Notice> {
        let mut notices: Vec<Notice> =
            self.watches.iter_mut().filter_map(|(rule, watch)| watch.due(rule, now)).collect();
        notices.sort_by_key(|notice| notice.at);
        notices
    }

    /// The bulletin of one rule, when it is due.
    pub fn due_of(&mut self, rule: &str, now: Timestamp) -> Option<Notice> {
        let watch = self.watches.get_mut(rule)?;
        watch.due(&rule.into(), now)
    }

    /// When the next bulletin is due.
    pub fn next_due(&self) -> Option<Timestamp> {
        self.watches.values().filter_map(|watch| watch.state.bulletin).min()
    }

    /// A rule's open story.
    pub fn story(&self, rule: &str, id: &str) -> Option<&Story> {
        self.watches.get(rule)?.stories.iter().find(|story| *story.id == *id)
    }

    /// A rule's open stories, in the order in which they were opened.
    pub fn stories(&self, rule: &str) -> impl Iterator<Item = &Story> {
        self.watches.get(rule).into_iter().flat_map(|watch| &watch.stories)
    }

    /// Whether a rule's stories are in memory.
    pub fn knows(&self, rule: &str) -> bool {
        self.watches.contains_key(rule)
    }

    /// Puts a rule's stories into memory, as they were kept; `kept` are its reports, oldest first, one
    /// at a time, as whole they are large. Nothing is changed when one of them cannot be had.
    pub fn restore<E>(
        &mut self,
        rule: &str,
        state: WatchState,
        stories: Vec<Story>,
        kept: impl Iterator<Item = Result<Kept, E>>,
    ) -> Result<(), E> {
        self.watches.insert(rule.into(), Watch::restored(state, stories, kept)?);
        self.make_room(rule, MOST_KEPT);
        Ok(())
    }

    /// Forgets a rule, whose stories somebody else has changed.
    pub fn forget(&mut self, rule: &str) {
        self.watches.remove(rule);
    }

    /// Forgets rules until no more than 50,000 reports are in memory, when all that was decided
    /// has been kept.
    pub fn shrink(&mut self) {
        self.make_room("", MOST_KEPT);
    }

    /// Forgets the rules that were asked about longest ago until no more than `most` reports are in
    /// memory, but not this one.
    pub(super) fn make_room(&mut self, rule: &str, most: usize) {
        let mut all: usize = self.watches.values().map(Watch::reports).sum();
        while all > most {
            let others = self.watches.iter().filter(|(id, _)| ***id != *rule);
            let Some(oldest) = others.min_by_key(|(_, watch)| watch.used).map(|(id, _)| id.clone())
            else {
                return;
            };
            all -= self.watches.remove(&oldest).map_or(0, |watch| watch.reports());
        }
    }

    /// What is to be kept of a rule beside its stories and reports.
    pub fn state(&self, rule: &str) -> Option<&WatchState> {
        self.watches.get(rule).map(|watch| &watch.state)
    }

    /// Forgets all: what was decided last was not kept.
    pub fn clear(&mut self) {
        self.watches.clear();
    }

    #[cfg(test)]
    pub(super) fn open_stories(&self, rule: &str) -> usize {
        self.watches.get(rule).map_or(0, |watch| watch.stories.len())
    }
}
