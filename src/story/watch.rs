//! One rule's stories: which of them a report joins, and whether somebody is told.

use std::collections::VecDeque;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::alike::{STORY_OPEN, Story, Told, add};
use super::desk::{Joined, Kind, Line, Mode, Notice, Report, Taken};
use super::lineage::{Lineages, Place, jaccard};
use super::reading::Reading;
use super::terms::{Comparison, Terms, Vocabulary};
use crate::alert::decide::Reason;
use crate::alert::id;
use crate::rules::StoryMode;

/// How alike a report must be to a story to join it: the mean of its two best cosines with the
/// story's members, as they have aged.
pub const ALIKE_FROM: f64 = 0.18;
/// After this time a member counts half.
const HALF_LIFE: SignedDuration = SignedDuration::from_hours(15);
/// How far back words are counted for their weight.
const WORDS_WITHIN: SignedDuration = SignedDuration::from_hours(7 * 24);
/// Reports whose words are counted at most.
const MOST_COUNTED: usize = 2_000;
/// Open stories of a rule at most; the one that has been silent longest makes room, unless it waits.
pub const MOST_STORIES: usize = 400;
/// Stories of a rule that wait for a bulletin at most; what is more is left out at once.
const MOST_WAITING: usize = 200;
/// A rule is quiet when it has had no hit for so long.
pub const QUIET_AFTER: SignedDuration = SignedDuration::from_hours(24);
/// Within this time another outlet has a story told at once.
pub const OUTLETS_WITHIN: SignedDuration = SignedDuration::from_hours(3);
/// How long after its first held story a bulletin goes out.
pub const BULLETIN_AFTER: SignedDuration = SignedDuration::from_mins(135);
/// Stories that a bulletin tells, those with the most reports first.
pub const MOST_LINES: usize = 2;
/// Stories that wait for a bulletin and go along with what is told before it.
const MOST_TAKEN_ALONG: usize = 1;
/// How alike the entities of two reports in a row of one thread are.
const THREAD_ALIKE: f64 = 0.3;
/// Threads of a rule at most.
const MOST_THREADS: usize = 64;
/// Terms that nothing has any more are dropped when there are so many more than were in use.
const SPARE_TERMS: usize = 10_000;
/// Terms that are named as shared with a story at most.
const MOST_SHARED: usize = 8;

/// A run of a rule's reports about overlapping entities.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Thread {
    id: Arc<str>,
    first: Timestamp,
    last: Timestamp,
    /// Of the last report.
    entities: Box<[Arc<str>]>,
    story: Arc<str>,
}

/// What is kept of a rule beside its stories and their reports.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct WatchState {
    /// When the last hit came that could be told.
    last_hit: Option<Timestamp>,
    last_told: Option<Timestamp>,
    /// When the next bulletin is due.
    pub bulletin: Option<Timestamp>,
    /// When updates were told in the last day.
    updates: Vec<Timestamp>,
    threads: Vec<Thread>,
}

impl WatchState {
    /// The same when the clock was set back by `by`: what waits must not wait longer.
    pub fn set_back(&mut self, by: SignedDuration) {
        for time in [&mut self.last_hit, &mut self.last_told, &mut self.bulletin] {
            *time = time.map(|time| time.checked_sub(by).unwrap_or(Timestamp::MIN));
        }
    }

    /// The same when a story has become part of another.
    pub fn merged(&mut self, story: &str, into: &str) {
        for thread in self.threads.iter_mut().filter(|thread| *thread.story == *story) {
            thread.story = into.into();
        }
    }
}

/// A report that was taken in before, as it was kept.
#[derive(Debug, Clone)]
pub struct Kept {
    /// The item.
    pub item: Arc<str>,
    /// Its story.
    pub story: Arc<str>,
    /// It copies another text.
    pub copied: bool,
    /// When it came.
    pub at: Timestamp,
    /// Its text.
    pub reading: Arc<Reading>,
}

/// What is known of one rule.
#[derive(Debug, Default)]
pub(super) struct Watch {
    /// The turn of the desk in which it last took a report.
    pub(super) used: u64,
    pub(super) state: WatchState,
    pub(super) stories: Vec<Story>,
    /// Reports of the last [`WORDS_WITHIN`].
    recent: VecDeque<(Timestamp, Terms)>,
    vocabulary: Vocabulary,
    /// How many terms it had when those that nothing has any more were last dropped.
    terms_in_use: usize,
    lineages: Lineages,
}

impl Watch {
    /// A rule's watch as it was before a restart. `kept` are its reports, oldest first.
    pub(super) fn restored<E>(
        state: WatchState,
        stories: Vec<Story>,
        kept: impl Iterator<Item = Result<Kept, E>>,
    ) -> Result<Self, E> {
        let mut watch = Self { state, stories, ..Self::default() };
        for report in kept {
            let report = report?;
            if !report.copied {
                watch.lineages.remember(&report.item, &report.reading.text, report.at);
            }
            let terms = watch.vocabulary.terms(&report.reading);
            if let Some(story) = watch.stories.iter_mut().find(|story| story.id == report.story) {
                story.remember(report.at, &terms);
            }
            watch.count(terms, report.at);
        }
        Ok(watch)
    }

    /// How many reports are kept in memory.
    pub(super) fn reports(&self) -> usize {
        self.recent.len()
    }

    /// Takes a report in: places it, and decides.
    pub(super) fn take(&mut self, report: &Report, now: Timestamp) -> Taken {
        self.forget(now);
        let place = self.lineages.take(&report.item, &report.reading.text, now);
        let terms = self.vocabulary.terms(&report.reading);
        let (at, joined) = self.find(&terms, &place, now);
        let at = at.unwrap_or_else(|| self.open(report, now));
        self.thread(report, at, now);
        let copy = matches!(joined, Joined::Copy { .. });
        let changes = self.stories[at].add(report, &place, now);
        self.stories[at].remember(now, &terms);
        let quiet = self.state.last_hit.is_none_or(|last| now.duration_since(last) >= QUIET_AFTER);
        let (reason, kind) = self.decide(report, at, copy, quiet, &changes, now);
        self.count(terms, now);
        let notice = kind.map(|kind| {
            let (story, item) = (self.stories[at].id.clone(), report.item.clone());
            // Whoever is told something anyway is told what waits.
            let (more, left_out) = match self.state.bulletin.take() {
                Some(_) => self.tell_waiting(MOST_TAKEN_ALONG, now),
                None => Default::default(),
            };
            let mut lines = vec![Line { story, item, kind, reason }];
            lines.extend(more);
            let rule = report.rule.clone();
            Notice { rule, mode: Mode::Immediate, at: now, lines, left_out }
        });
        let story = &self.stories[at];
        Taken {
            story: story.id.clone(),
            thread: story.thread.clone(),
            place,
            joined,
            reason,
            notice,
        }
    }

    /// The bulletin, when it is due.
    pub(super) fn due(&mut self, rule: &Arc<str>, now: Timestamp) -> Option<Notice> {
        let at = self.state.bulletin.take_if(|at| *at <= now)?;
        let (lines, left_out) = self.tell_waiting(MOST_LINES, at);
        if lines.is_empty() {
            return None;
        }
        self.state.last_told = Some(at);
        Some(Notice { rule: rule.clone(), mode: Mode::Bulletin, at, lines, left_out })
    }

    /// Tells at most so many of the stories that wait for the bulletin, and leaves the others out.
    fn tell_waiting(&mut self, most: usize, at: Timestamp) -> (Vec<Line>, Vec<Line>) {
        let mut waiting: Vec<(&mut Story, Timestamp, Arc<str>)> = self
            .stories
            .iter_mut()
            .filter_map(|story| match &story.told {
                Told::Held { since, item, bulletin: true, .. } => {
                    let (since, item) = (*since, item.clone());
                    Some((story, since, item))
                }
                _ => None,
            })
            .collect();
        // The most severe, those with the most reports, and the newest of those with as many.
        waiting.sort_by_key(|(story, since, _)| {
            std::cmp::Reverse((story.severity, story.items, *since))
        });
        let (mut lines, mut left_out) = (Vec::new(), Vec::new());
        for (story, _, item) in waiting {
            let told = lines.len() < most;
            let reason = if told { Reason::ToldBulletin } else { Reason::LeftOut };
            let line = Line { story: story.id.clone(), item, kind: Kind::Opened, reason };
            if told {
                story.tell(at);
                lines.push(line);
            } else {
                if let Told::Held { bulletin, .. } = &mut story.told {
                    *bulletin = false;
                }
                left_out.push(line);
            }
        }
        (lines, left_out)
    }

    /// Why somebody is told of a report, and of what kind that is, or why nobody is.
    fn decide(
        &mut self,
        report: &Report,
        at: usize,
        copy: bool,
        quiet: bool,
        changes: &[Kind],
        now: Timestamp,
    ) -> (Reason, Option<Kind>) {
        self.state.last_hit = Some(now);
        let (reason, kind) = match report.telling.mode {
            StoryMode::Off => (Reason::FirstHit, Some(Kind::Hit)),
            StoryMode::Cooldown(pause) => self.after_cooldown(pause, at, now),
            StoryMode::Text => self.as_story(report, at, copy, quiet, changes, now),
        };
        if kind.is_some() {
            self.stories[at].tell(now);
            self.state.last_told = Some(now);
        }
        (reason, kind)
    }

    fn after_cooldown(
        &self,
        pause: SignedDuration,
        at: usize,
        now: Timestamp,
    ) -> (Reason, Option<Kind>) {
        if self.state.last_told.is_some_and(|last| now.duration_since(last) < pause) {
            return (Reason::Cooldown, None);
        }
        let before = matches!(self.stories[at].told, Told::At { .. });
        (Reason::ToldCooldown, Some(if before { Kind::Updated } else { Kind::Opened }))
    }

    fn as_story(
        &mut self,
        report: &Report,
        at: usize,
        copy: bool,
        quiet: bool,
        changes: &[Kind],
        now: Timestamp,
    ) -> (Reason, Option<Kind>) {
        let commentary = report.reading.commentary;
        let no_news = match (copy, commentary) {
            (true, _) => Reason::Copy,
            (_, true) => Reason::Commentary,
            _ => Reason::Joined,
        };
        let waiting = self.stories.iter().filter(|story| is_waiting(story)).count();
        match &mut self.stories[at].told {
            Told::At { severity, .. } if *severity < report.severity => {
                (Reason::ToldSeverity, Some(Kind::SeverityRaised))
            }
            Told::At { at: told, origins, .. } => {
                // Whoever was told of two origins need not hear of a third, unless the rule asks.
                let known = *origins > 1 && report.telling.corroborate.is_none();
                let mut changes = changes.iter().filter(|change| match change {
                    Kind::Corroborated => !known,
                    _ => true,
                });
                if let Some(change) = changes.next() {
                    return (change.reason(), Some(*change));
                }
                let told = *told;
                let update = !copy && !commentary && self.may_update(report, told, now);
                if !update {
                    return (if copy { Reason::Copy } else { Reason::Joined }, None);
                }
                self.state.updates.push(now);
                (Reason::ToldUpdate, Some(Kind::Updated))
            }
            Told::Not if quiet => (Reason::ToldQuiet, Some(Kind::Opened)),
            Told::Not if commentary => (Reason::Commentary, None),
            told @ Told::Not => {
                let bulletin = waiting < MOST_WAITING;
                *told = Told::Held {
                    since: now,
                    item: report.item.clone(),
                    outlets: vec![report.outlet.clone()],
                    bulletin,
                    severity: report.severity,
                };
                if !bulletin {
                    return (Reason::LeftOut, None);
                }
                self.state.bulletin.get_or_insert(now + BULLETIN_AFTER);
                (Reason::Held, None)
            }
            Told::Held { severity, .. } if *severity < report.severity => {
                (Reason::ToldSeverity, Some(Kind::Opened))
            }
            // What was left out is told when it is denied or confirmed; corroboration alone was
            // measured to cost more messages than it tells events.
            Told::Held { bulletin: false, .. }
                if changes.iter().any(|change| *change != Kind::Corroborated) =>
            {
                (changes[0].reason(), Some(Kind::Opened))
            }
            Told::Held { since, outlets, .. } => {
                let another = !outlets.contains(&report.outlet);
                let soon = now.duration_since(*since) <= OUTLETS_WITHIN;
                if !commentary {
                    add(outlets, &report.outlet);
                }
                if another && soon && !copy && !commentary {
                    return (Reason::ToldOutlets, Some(Kind::Opened));
                }
                (no_news, None)
            }
        }
    }

    /// Whether a story that was told may be told again only because it goes on.
    fn may_update(&mut self, report: &Report, told: Timestamp, now: Timestamp) -> bool {
        const DAY: SignedDuration = SignedDuration::from_hours(24);
        let Some(throttle) = report.telling.throttle else { return false };
        self.state.updates.retain(|at| now.duration_since(*at) < DAY);
        now.duration_since(told) >= throttle.cooldown
            && self.state.updates.len() < throttle.max_per_day as usize
    }

    /// The story that a report of these terms joins, and why.
    fn find(&self, terms: &Terms, place: &Place, now: Timestamp) -> (Option<usize>, Joined) {
        let holds = |story: &Story| story.lineages.contains(&place.root);
        if let Some(at) = self.stories.iter().rposition(holds) {
            let share = place.copied.unwrap_or(1.0);
            return (Some(at), Joined::Copy { of: place.root.clone(), share });
        }
        let mut comparison = self.vocabulary.compare(terms);
        let mut best: Option<(usize, f64)> = None;
        for (at, story) in self.stories.iter().enumerate() {
            let score = likeness(&mut comparison, story, now);
            if score >= ALIKE_FROM && best.is_none_or(|(_, known)| score > known) {
                best = Some((at, score));
            }
        }
        let Some((at, score)) = best else { return (None, Joined::Opened) };
        let members = self.stories[at].members.iter().map(|(_, terms)| terms);
        let shared = comparison.shared(members, MOST_SHARED);
        (Some(at), Joined::Alike { score, shared })
    }

    fn open(&mut self, report: &Report, now: Timestamp) -> usize {
        if self.stories.len() >= MOST_STORIES
            && let Some(oldest) = (0..self.stories.len())
                .filter(|at| !is_waiting(&self.stories[*at]))
                .min_by_key(|at| self.stories[*at].last_seen)
        {
            self.stories.remove(oldest);
        }
        let id = id::story_id(&report.rule, &report.item, now).into();
        self.stories.push(Story::new(id, report.severity, now));
        self.stories.len() - 1
    }

    /// Puts a report into a thread, and a new story with it.
    fn thread(&mut self, report: &Report, at: usize, now: Timestamp) {
        let group = report.telling.group;
        let story = &mut self.stories[at];
        let fits = |thread: &&mut Thread| {
            now.duration_since(thread.last) <= group.window
                && now.duration_since(thread.first) <= group.max_age
                && (*story.thread == *thread.id
                    || jaccard(&report.entities, &thread.entities) >= THREAD_ALIKE)
        };
        let mut fitting: Vec<&mut Thread> = self.state.threads.iter_mut().filter(fits).collect();
        let own = fitting.iter().position(|thread| *story.thread == *thread.id);
        let place = own.or(fitting.len().checked_sub(1));
        match place {
            Some(place) => {
                let thread = &mut fitting[place];
                thread.last = now;
                thread.entities = report.entities.clone();
                if story.thread.is_empty() {
                    story.thread = thread.id.clone();
                    story.previous = Some(std::mem::replace(&mut thread.story, story.id.clone()));
                }
            }
            None => {
                if !story.thread.is_empty() {
                    return;
                }
                story.thread = story.id.replacen("story", "thread", 1).into();
                self.state.threads.retain(|thread| now.duration_since(thread.last) <= group.window);
                if self.state.threads.len() >= MOST_THREADS {
                    self.state.threads.remove(0);
                }
                self.state.threads.push(Thread {
                    id: story.thread.clone(),
                    first: now,
                    last: now,
                    entities: report.entities.clone(),
                    story: story.id.clone(),
                });
            }
        }
    }

    fn count(&mut self, terms: Terms, now: Timestamp) {
        self.vocabulary.count(&terms);
        self.recent.push_back((now, terms));
        if self.recent.len() > MOST_COUNTED {
            self.uncount();
        }
    }

    fn uncount(&mut self) {
        if let Some((_, terms)) = self.recent.pop_front() {
            self.vocabulary.uncount(&terms);
        }
    }

    /// Drops the terms that no report has any more.
    fn tidy(&mut self) {
        let mut vocabulary = Vocabulary::default();
        for (_, terms) in &mut self.recent {
            *terms = vocabulary.taken_over(&self.vocabulary, terms);
            vocabulary.count(terms);
        }
        for (_, terms) in self.stories.iter_mut().flat_map(|story| &mut story.members) {
            *terms = vocabulary.taken_over(&self.vocabulary, terms);
        }
        self.terms_in_use = vocabulary.len();
        self.vocabulary = vocabulary;
    }

    fn forget(&mut self, now: Timestamp) {
        let old = |at: &Timestamp, within| now.duration_since(*at) > within;
        while self.recent.front().is_some_and(|(at, _)| old(at, WORDS_WITHIN)) {
            self.uncount();
        }
        self.stories.retain(|story| is_waiting(story) || !old(&story.last_seen, STORY_OPEN));
        if self.vocabulary.len() > 2 * self.terms_in_use + SPARE_TERMS {
            self.tidy();
        }
    }
}

/// Whether a story is still to come in the next bulletin.
fn is_waiting(story: &Story) -> bool {
    matches!(story.told, Told::Held { bulletin: true, .. })
}

/// How alike a report is to a story: to its two members that are most like it, as they have aged.
fn likeness(comparison: &mut Comparison<'_>, story: &Story, now: Timestamp) -> f64 {
    let (mut first, mut second) = (0.0_f64, 0.0_f64);
    for (at, member) in &story.members {
        let age = now.duration_since(*at).as_secs_f64().max(0.0);
        let aged = 0.5_f64.powf(age / HALF_LIFE.as_secs_f64());
        let score = comparison.cosine(member) * aged;
        if score > first {
            (first, second) = (score, first);
        } else if score > second {
            second = score;
        }
    }
    if story.members.len() < 2 { first } else { (first + second) / 2.0 }
}
