//! Stories that people change, or whose reports their publishers take back: what a story says, and
//! how far it was told, when its reports are these. A story that nobody changed comes out as it is.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use jiff::Timestamp;

use super::alike::{Story, Told, add};
use super::desk::Report;
use super::lineage::Place;
use crate::hit::Severity;

/// A report of a story, as it was kept, and what became of it.
#[derive(Debug, Clone)]
pub struct Member {
    /// The report, with the settings of its rule.
    pub report: Report,
    /// When it came.
    pub at: Timestamp,
    /// The item that had its text first, where it is a copy.
    pub copy_of: Option<Arc<str>>,
    /// Its publisher has edited it, and the rule matches it no more.
    pub withdrawn: bool,
    /// How far it was told.
    pub fate: Fate,
}

/// How far a report was told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// Not at all.
    Untold,
    /// It waits for another outlet or the rule's next bulletin, unless its story was told since.
    Waits,
    /// It waited, and the bulletin was full.
    LeftOut,
    /// An alert told it.
    Told {
        /// When.
        at: Timestamp,
        /// The severity of its story then.
        severity: Severity,
        /// The origins of its story then.
        origins: usize,
    },
}

impl Story {
    /// The story that has these reports, in the order in which they came; none has none.
    pub fn of(id: &str, members: &[Member]) -> Option<Self> {
        let first = members.first()?;
        let mut story = Self::new(id.into(), first.report.severity, first.at);
        // The first report that has a text here stands for it, though it may be a copy itself.
        let mut roots: HashMap<&Arc<str>, &Arc<str>> = HashMap::new();
        let withdrawn = members.iter().filter(|member| member.withdrawn);
        let gone: HashSet<&Arc<str>> = withdrawn.map(|member| &member.report.item).collect();
        for member in members.iter().filter(|member| !member.withdrawn) {
            let item = &member.report.item;
            let text = member.copy_of.as_ref().unwrap_or(item);
            // Copies of what was taken back are still copies of one text.
            let root = if gone.contains(text) { text } else { *roots.entry(text).or_insert(item) };
            let place = Place { root: root.clone(), copied: None };
            story.add(&member.report, &place, member.at);
        }
        let times = members.iter().map(|member| member.at);
        story.last_seen = times.max().unwrap_or(story.last_seen);
        story.told = told(&story, members);
        Some(story)
    }

    /// When it was last told.
    pub fn told_at(&self) -> Option<Timestamp> {
        match &self.told {
            Told::At { at, .. } => Some(*at),
            _ => None,
        }
    }

    /// Whether this item is the one that would be told of a story that was not told: `true` when it
    /// waits for another outlet or a bulletin, `false` when it was left out of one.
    pub fn held_with(&self, item: &str) -> Option<bool> {
        match &self.told {
            Told::Held { item: held, bulletin, .. } if **held == *item => Some(*bulletin),
            _ => None,
        }
    }

    /// Since when it waits for another outlet or the rule's next bulletin.
    pub fn waits_since(&self) -> Option<Timestamp> {
        match &self.told {
            Told::Held { since, bulletin: true, .. } => Some(*since),
            _ => None,
        }
    }
}

/// How far a story has been told whose reports these are.
fn told(story: &Story, members: &[Member]) -> Told {
    if members.iter().all(|member| member.withdrawn) {
        // Whoever reports it now says what nobody says any more.
        return Told::Not;
    }
    let mut told: Option<(Timestamp, Severity, usize)> = None;
    for member in members {
        let Fate::Told { at, severity, origins } = member.fate else { continue };
        told = Some(told.map_or((at, severity, origins), |known| {
            (known.0.max(at), known.1.max(severity), known.2.max(origins))
        }));
    }
    if let Some((at, severity, origins)) = told {
        // Of what has left the story since, nobody can say that it was told.
        let (severity, origins) = (severity.min(story.severity), origins.min(story.origins.len()));
        return Told::At { at, severity, origins };
    }
    let held = |fate| members.iter().position(|member| member.fate == fate);
    let Some(place) = held(Fate::Waits).or_else(|| held(Fate::LeftOut)) else { return Told::Not };
    let mut outlets = Vec::new();
    let reports = members[place..].iter().filter(|member| !member.withdrawn);
    // As they were counted when they came.
    let first = std::iter::once(&members[place]).filter(|member| !member.withdrawn);
    for member in first.chain(reports.filter(|member| !member.report.reading.commentary)) {
        add(&mut outlets, &member.report.outlet);
    }
    Told::Held {
        since: members[place].at,
        item: members[place].report.item.clone(),
        outlets,
        bulletin: members[place].fate == Fate::Waits,
        severity: members[place].report.severity,
    }
}
