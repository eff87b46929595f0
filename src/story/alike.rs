//! A story: reports of one rule that read alike, what they say together, and how far it was told.

use std::collections::VecDeque;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::claims::{self, Class, Cue};
use super::desk::{Kind, Report};
use super::lineage::Place;
use super::message::LONGEST_HEADLINE;
use super::origin::Origin;
use super::terms::Terms;
use crate::alert::record::shortened;
use crate::hit::Severity;
use crate::rules::{Corroborate, Distinct};

/// A story that had nothing for so long is closed.
pub const STORY_OPEN: SignedDuration = SignedDuration::from_hours(60);
/// The label of a story without a report that stands.
pub const WITHDRAWN: &str = "withdrawn";
/// Members of a story that a report is compared with, the newest.
const MEMBERS: usize = 12;
/// Outlets, origins, entities, languages and lineages of a story that are told apart at most.
const MOST_NAMES: usize = 128;
/// Quotes of each class of claim cues that a story keeps at most, the first; beside them the one with the
/// first word of denial or of confirmation that is no commentary.
const MOST_QUOTES: usize = 4;

/// How far a story has been told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Told {
    /// Nothing in it was worth telling yet.
    Not,
    /// It waits for another outlet or the next bulletin.
    Held {
        since: Timestamp,
        /// The first report that was held: what the bulletin tells.
        item: Arc<str>,
        /// Who reports it since.
        outlets: Vec<Arc<str>>,
        /// The next bulletin is still to come.
        bulletin: bool,
        /// How severe it was.
        severity: Severity,
    },
    /// It was last told then, at this severity, on the word of so many origins.
    At { at: Timestamp, severity: Severity, origins: usize },
}

/// An origin of a story.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeenOrigin {
    /// Who.
    #[serde(flatten)]
    pub origin: Origin,
    /// Since when.
    pub since: Timestamp,
    /// All that it has said holds a word of denial: it corroborates nothing.
    #[serde(default)]
    pub denies: bool,
}

/// The first report of a story that stands: the one that opened it, unless its publisher took that
/// back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FirstReport {
    /// Its headline, of 200 characters at most.
    pub title: Arc<str>,
    /// Who published it.
    pub outlet: Arc<str>,
}

impl FirstReport {
    /// `first: Minister arrives (example.org)`, unless this is the headline that is told.
    pub(crate) fn beside(&self, told: &str) -> Option<String> {
        let is_told = *self.title == *shortened(told, LONGEST_HEADLINE);
        (!is_told).then(|| format!("first: {} ({})", self.title, self.outlet))
    }
}

/// Words of a report that hold a claim cue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quote {
    /// What the cue says.
    pub class: Class,
    /// The sentence, cut.
    pub text: String,
    /// The item that it stands in.
    pub item: Arc<str>,
    /// Who published that.
    pub outlet: Arc<str>,
    /// When it came.
    pub at: Timestamp,
}

impl Quote {
    fn of(report: &Report, cue: &Cue, at: Timestamp) -> Self {
        Self {
            class: cue.class,
            text: cue.quote.clone(),
            item: report.item.clone(),
            outlet: report.outlet.clone(),
            at,
        }
    }
}

/// Reports of one rule that read alike.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Story {
    /// What records and lists call it.
    pub id: Arc<str>,
    /// The run of the rule's reports about overlapping entities that it is part of.
    pub thread: Arc<str>,
    /// The story before it in its thread.
    pub previous: Option<Arc<str>>,
    /// When its first report came.
    pub first_seen: Timestamp,
    /// When its last report came.
    pub last_seen: Timestamp,
    /// The highest severity of its reports.
    pub severity: Severity,
    /// How many reports it has.
    pub items: usize,
    /// The first of them; absent where it was kept without its headline.
    #[serde(default)]
    pub first: Option<FirstReport>,
    /// Who reported it.
    pub outlets: Vec<Arc<str>>,
    /// Who the reports rest on, and since when.
    pub origins: Vec<SeenOrigin>,
    /// The first items of its lineages.
    pub lineages: Vec<Arc<str>>,
    /// The entities that matched.
    pub entities: Vec<Arc<str>>,
    /// The languages.
    pub languages: Vec<Arc<str>>,
    /// How often each class of claim cue occurred.
    pub cues: Vec<(Class, usize)>,
    /// What they were found in; of each class the first ones, and what changed the picture.
    pub quotes: Vec<Quote>,
    /// When it had as many origins as its rule asks for.
    pub corroborated_at: Option<Timestamp>,
    /// When a report first had a word of denial.
    pub denied_at: Option<Timestamp>,
    /// When a report first had a word of confirmation.
    pub confirmed_at: Option<Timestamp>,
    pub(super) told: Told,
    /// Its reports all comment.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) comments_only: bool,
    #[serde(skip)]
    pub(super) members: VecDeque<(Timestamp, Terms)>,
}

impl Story {
    /// A story without reports.
    pub(crate) fn new(id: Arc<str>, severity: Severity, now: Timestamp) -> Self {
        Self {
            id,
            thread: Arc::from(""),
            previous: None,
            first_seen: now,
            last_seen: now,
            severity,
            items: 0,
            first: None,
            outlets: Vec::new(),
            origins: Vec::new(),
            lineages: Vec::new(),
            entities: Vec::new(),
            languages: Vec::new(),
            cues: Vec::new(),
            quotes: Vec::new(),
            corroborated_at: None,
            denied_at: None,
            confirmed_at: None,
            told: Told::Not,
            comments_only: false,
            members: VecDeque::new(),
        }
    }

    /// `open`, `corroborated`, or `closed` when it had nothing for [`STORY_OPEN`].
    pub fn state(&self, now: Timestamp) -> &'static str {
        if now.duration_since(self.last_seen) > STORY_OPEN {
            "closed"
        } else if self.corroborated_at.is_some() {
            "corroborated"
        } else {
            "open"
        }
    }

    /// `single-origin`, `multi-origin(3)` or `cross-alignment(2)`, or [`WITHDRAWN`].
    pub fn label(&self) -> String {
        let camps = camps(self.origins.iter());
        match (self.origins.len(), camps) {
            (0, _) => WITHDRAWN.to_owned(),
            (1, _) => "single-origin".to_owned(),
            (_, 2..) => format!("cross-alignment({camps})"),
            (origins, _) => format!("multi-origin({origins})"),
        }
    }

    /// Writes down that it was told.
    pub(super) fn tell(&mut self, at: Timestamp) {
        self.told = Told::At { at, severity: self.severity, origins: self.origins.len() };
    }

    /// Takes a report in, and says what of the picture it changes, the most telling first.
    pub(super) fn add(&mut self, report: &Report, place: &Place, now: Timestamp) -> Vec<Kind> {
        self.last_seen = self.last_seen.max(now);
        self.severity = self.severity.max(report.severity);
        // Who comments on a report does not report it, unless nobody else does.
        let comments = report.reading.commentary;
        let is_first = self.items == 0 || self.comments_only && !comments;
        if is_first {
            (self.outlets, self.origins, self.lineages) = Default::default();
            let (title, outlet) = (report.title.clone(), report.outlet.clone());
            self.first = (!title.is_empty()).then_some(FirstReport { title, outlet });
            self.comments_only = comments;
        }
        self.items += 1;
        let reports = !comments || self.comments_only;
        if reports {
            add(&mut self.outlets, &report.outlet);
        }
        for entity in &report.entities {
            add(&mut self.entities, entity);
        }
        if let Some(lang) = &report.lang {
            add(&mut self.languages, lang);
        }
        if reports && !self.lineages.contains(&place.root) {
            add(&mut self.lineages, &place.root);
            let full = self.origins.len() >= MOST_NAMES;
            let denies = report.cues.iter().any(|cue| cue.class == Class::Denied);
            match self.origins.iter_mut().find(|known| known.origin.id == report.origin.id) {
                Some(known) if known.denies && !denies => {
                    // It says so only now.
                    (known.denies, known.since) = (false, now);
                }
                None if !full => {
                    let origin = report.origin.clone();
                    self.origins.push(SeenOrigin { origin, since: now, denies });
                }
                _ => {}
            }
        }
        self.quote(report, now);
        let mut changes = Vec::new();
        // What commentary says was said before. A denial that repeats the claim may look like a copy.
        if !report.reading.commentary {
            for (class, since, kind) in [
                (Class::Denied, &mut self.denied_at, Kind::FirstDenied),
                (Class::Confirmed, &mut self.confirmed_at, Kind::FirstConfirmed),
            ] {
                let cue = report.cues.iter().find(|cue| cue.class == class);
                if let Some(cue) = cue.filter(|_| since.is_none()) {
                    *since = Some(now);
                    changes.push(kind);
                    // What commentary said may fill the quotes.
                    let quote = Quote::of(report, cue, now);
                    if !self.quotes.contains(&quote) {
                        self.quotes.push(quote);
                    }
                }
            }
        }
        if self.corroborated_at.is_none() && self.is_corroborated(report, now) {
            self.corroborated_at = Some(now);
            changes.push(Kind::Corroborated);
        }
        changes
    }

    /// Keeps the terms of a report to compare others with.
    pub(super) fn remember(&mut self, at: Timestamp, terms: &Terms) {
        self.members.push_back((at, terms.clone()));
        if self.members.len() > MEMBERS {
            self.members.pop_front();
        }
    }

    fn quote(&mut self, report: &Report, now: Timestamp) {
        for cue in &report.cues {
            claims::count(&mut self.cues, cue.class);
            let quoted = self.quotes.iter().filter(|quote| quote.class == cue.class).count();
            if quoted < MOST_QUOTES {
                self.quotes.push(Quote::of(report, cue, now));
            }
        }
    }

    /// Whether enough independent origins came in time.
    fn is_corroborated(&self, report: &Report, now: Timestamp) -> bool {
        let Some(asked) = report.telling.corroborate.or_else(|| usual(self.severity)) else {
            return false;
        };
        let recent = self
            .origins
            .iter()
            .filter(|seen| !seen.denies && now.duration_since(seen.since) <= asked.within);
        let count = match asked.distinct {
            Distinct::Origin => recent.count(),
            Distinct::Alignment => camps(recent),
        };
        count >= asked.origins
    }
}

/// The camps that origins stand in.
fn camps<'a>(origins: impl Iterator<Item = &'a SeenOrigin>) -> usize {
    let mut camps: Vec<&str> =
        origins.filter_map(|seen| seen.origin.alignment.as_deref()).collect();
    camps.sort_unstable();
    camps.dedup();
    camps.len()
}

/// What corroborates a story where its rule does not say.
fn usual(severity: Severity) -> Option<Corroborate> {
    let (origins, hours) = match severity {
        Severity::Critical => (3, 48),
        Severity::High => (2, 24),
        Severity::Medium => (2, 48),
        Severity::Low => return None,
    };
    Some(Corroborate {
        origins,
        within: SignedDuration::from_hours(hours),
        distinct: Distinct::Origin,
    })
}

pub(super) fn add<T: Clone + PartialEq>(names: &mut Vec<T>, name: &T) {
    if names.len() < MOST_NAMES && !names.contains(name) {
        names.push(name.clone());
    }
}
