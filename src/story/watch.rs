//! One rule's stories: which of them a report joins, and whether somebody is told.

use std::collections::VecDeque;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use rustc_hash::FxHashMap;

use super::claims::{Class, Cue};
use super::desk::{Joined, Line, Mode, Notice, Report, Taken};
use super::lineage::{Place, jaccard};
use super::origin::Origin;
use super::reading::Reading;
use crate::alert::decide::Reason;
use crate::alert::id;
use crate::hit::Severity;
use crate::rules::StoryMode;

/// How alike a report must be to a story to join it: the mean of its two best cosines with the
/// story's members, as they have aged.
pub const ALIKE_FROM: f64 = 0.18;
/// After this time a member counts half.
const HALF_LIFE: SignedDuration = SignedDuration::from_hours(15);
/// A story that had nothing for so long is closed.
pub const STORY_OPEN: SignedDuration = SignedDuration::from_hours(60);
/// Members of a story that a report is compared with, the newest.
const MEMBERS: usize = 12;
/// How far back words are counted for their weight.
const WORDS_WITHIN: SignedDuration = SignedDuration::from_hours(7 * 24);
/// Reports whose words are counted at most.
const MOST_COUNTED: usize = 2_000;
/// Open stories of a rule at most; the one that has been silent longest makes room.
const MOST_STORIES: usize = 400;
/// A rule is quiet when it has had no hit for so long.
pub const QUIET_AFTER: SignedDuration = SignedDuration::from_hours(24);
/// Within this time another outlet has a story told at once.
pub const OUTLETS_WITHIN: SignedDuration = SignedDuration::from_hours(3);
/// How long after its first held story a bulletin goes out.
pub const BULLETIN_AFTER: SignedDuration = SignedDuration::from_mins(135);
/// Stories that a bulletin tells, those with the most reports first.
pub const MOST_LINES: usize = 2;
/// How alike the entities of two reports in a row of one thread are.
const THREAD_ALIKE: f64 = 0.3;
/// A thread ends after a gap of this.
const THREAD_GAP: SignedDuration = SignedDuration::from_hours(36);
/// A thread is no longer than this.
const THREAD_LONGEST: SignedDuration = SignedDuration::from_hours(7 * 24);
/// Threads of a rule at most.
const MOST_THREADS: usize = 64;
/// Outlets, origins, entities, languages and lineages of a story that are told apart at most.
const MOST_NAMES: usize = 128;
/// Quotes of claim cues that a story keeps at most.
const MOST_QUOTES: usize = 12;
/// Terms that are named as shared with a story at most.
const MOST_SHARED: usize = 8;

/// Whether a story has been told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Telling {
    /// Nothing in it was worth telling yet.
    Untold,
    /// It waits for another outlet or the next bulletin.
    Held {
        since: Timestamp,
        /// The first report that was held: what the bulletin tells.
        item: Arc<str>,
        /// Who reports it since.
        outlets: Vec<Arc<str>>,
        /// The next bulletin is still to come.
        bulletin: bool,
    },
    /// It was told, at this severity.
    Told(Severity),
}

/// Reports of one rule that read alike.
#[derive(Debug, Clone)]
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
    /// Who reported it.
    pub outlets: Vec<Arc<str>>,
    /// Who the reports rest on.
    pub origins: Vec<Origin>,
    /// The first items of its lineages.
    pub lineages: Vec<Arc<str>>,
    /// The entities that matched.
    pub entities: Vec<Arc<str>>,
    /// The languages.
    pub languages: Vec<Arc<str>>,
    /// How often each class of claim cue occurred.
    pub cues: Vec<(Class, usize)>,
    /// What they were found in, with the item.
    pub quotes: Vec<(Cue, Arc<str>)>,
    pub(super) telling: Telling,
    members: VecDeque<(Timestamp, Arc<Reading>)>,
}

impl Story {
    /// `open`, or `corroborated` with more than one origin.
    pub fn state(&self) -> &'static str {
        if self.origins.len() > 1 { "corroborated" } else { "open" }
    }

    /// `single-origin`, `multi-origin(3)` or `cross-alignment(2)`.
    pub fn label(&self) -> String {
        let mut camps: Vec<&str> =
            self.origins.iter().filter_map(|origin| origin.alignment.as_deref()).collect();
        camps.sort_unstable();
        camps.dedup();
        match (self.origins.len(), camps.len()) {
            (0 | 1, _) => "single-origin".to_owned(),
            (_, 2..) => format!("cross-alignment({})", camps.len()),
            (origins, _) => format!("multi-origin({origins})"),
        }
    }

    fn add(&mut self, report: &Report, place: &Place, now: Timestamp) {
        self.last_seen = now;
        self.severity = self.severity.max(report.severity);
        self.items += 1;
        add(&mut self.outlets, &report.outlet);
        for entity in &report.entities {
            add(&mut self.entities, entity);
        }
        if let Some(lang) = &report.lang {
            add(&mut self.languages, lang);
        }
        if !self.lineages.contains(&place.root) {
            add(&mut self.lineages, &place.root);
            if !self.origins.iter().any(|origin| origin.id == report.origin.id) {
                add(&mut self.origins, &report.origin);
            }
        }
        for cue in &report.cues {
            match self.cues.iter_mut().find(|(class, _)| *class == cue.class) {
                Some((_, count)) => *count += 1,
                None => self.cues.push((cue.class, 1)),
            }
            if self.quotes.len() < MOST_QUOTES {
                self.quotes.push((cue.clone(), report.item.clone()));
            }
        }
        self.members.push_back((now, report.reading.clone()));
        if self.members.len() > MEMBERS {
            self.members.pop_front();
        }
    }
}

fn add<T: Clone + PartialEq>(names: &mut Vec<T>, name: &T) {
    if names.len() < MOST_NAMES && !names.contains(name) {
        names.push(name.clone());
    }
}

#[derive(Debug)]
struct Thread {
    id: Arc<str>,
    first: Timestamp,
    last: Timestamp,
    /// Of the last report.
    entities: Box<[Arc<str>]>,
    story: Arc<str>,
}

/// What is known of one rule.
#[derive(Debug, Default)]
pub(super) struct Watch {
    /// Reports of the last [`WORDS_WITHIN`].
    recent: VecDeque<(Timestamp, Arc<Reading>)>,
    /// In how many of them each term occurs.
    counts: FxHashMap<Arc<str>, u32>,
    /// When the last hit came that could be told.
    last_hit: Option<Timestamp>,
    pub(super) stories: Vec<Story>,
    threads: Vec<Thread>,
    pub(super) bulletin: Option<Timestamp>,
    last_told: Option<Timestamp>,
}

impl Watch {
    /// Takes a report in: places it, and decides.
    pub(super) fn take(&mut self, report: &Report, place: Place, now: Timestamp) -> Taken {
        self.forget(now);
        let (at, joined) = self.find(report, &place, now);
        let at = at.unwrap_or_else(|| self.open(report, now));
        self.thread(report, at, now);
        let story = &mut self.stories[at];
        story.add(report, &place, now);
        let quiet = self.last_hit.is_none_or(|last| now.duration_since(last) >= QUIET_AFTER);
        let (reason, told) = self.decide(report, at, &joined, quiet, now);
        self.count(report, now);
        let story = &self.stories[at];
        let notice = told.then(|| Notice {
            rule: report.rule.clone(),
            mode: Mode::Immediate,
            at: now,
            reason,
            lines: vec![Line { story: story.id.clone(), item: report.item.clone() }],
            left_out: Vec::new(),
        });
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
        let at = self.bulletin.filter(|at| *at <= now)?;
        self.bulletin = None;
        let mut waiting: Vec<&mut Story> = self
            .stories
            .iter_mut()
            .filter(|story| matches!(story.telling, Telling::Held { bulletin: true, .. }))
            .collect();
        // The newest first among those with as many reports.
        waiting.sort_by_key(|story| {
            let Telling::Held { since, .. } = story.telling else { unreachable!("it is held") };
            (std::cmp::Reverse(story.items), std::cmp::Reverse(since))
        });
        let (mut lines, mut left_out) = (Vec::new(), Vec::new());
        for story in waiting {
            let Telling::Held { item, bulletin, .. } = &mut story.telling else { continue };
            let line = Line { story: story.id.clone(), item: item.clone() };
            if lines.len() < MOST_LINES {
                lines.push(line);
                story.telling = Telling::Told(story.severity);
            } else {
                *bulletin = false;
                left_out.push(line);
            }
        }
        if lines.is_empty() {
            return None;
        }
        self.last_told = Some(at);
        Some(Notice {
            rule: rule.clone(),
            mode: Mode::Bulletin,
            at,
            reason: Reason::ToldBulletin,
            lines,
            left_out,
        })
    }

    fn decide(
        &mut self,
        report: &Report,
        at: usize,
        joined: &Joined,
        quiet: bool,
        now: Timestamp,
    ) -> (Reason, bool) {
        let story = &mut self.stories[at];
        if let Some(reason) = report.silent {
            return (reason, false);
        }
        self.last_hit = Some(now);
        let told = |story: &mut Story, last_told: &mut Option<Timestamp>, reason| {
            story.telling = Telling::Told(report.severity);
            *last_told = Some(now);
            (reason, true)
        };
        match report.mode {
            StoryMode::Off => return told(story, &mut self.last_told, Reason::FirstHit),
            StoryMode::Cooldown(cooldown) => {
                let cool = self.last_told.is_none_or(|last| now.duration_since(last) >= cooldown);
                return if cool {
                    told(story, &mut self.last_told, Reason::ToldCooldown)
                } else {
                    (Reason::Cooldown, false)
                };
            }
            StoryMode::Text => {}
        }
        let copy = matches!(joined, Joined::Copy { .. });
        match &mut story.telling {
            Telling::Told(severity) if *severity < report.severity => {
                told(story, &mut self.last_told, Reason::ToldSeverity)
            }
            Telling::Told(_) => (if copy { Reason::Copy } else { Reason::Joined }, false),
            Telling::Untold if quiet => told(story, &mut self.last_told, Reason::ToldQuiet),
            Telling::Untold if report.reading.commentary => (Reason::Commentary, false),
            Telling::Untold => {
                story.telling = Telling::Held {
                    since: now,
                    item: report.item.clone(),
                    outlets: vec![report.outlet.clone()],
                    bulletin: true,
                };
                self.bulletin.get_or_insert(now + BULLETIN_AFTER);
                (Reason::Held, false)
            }
            Telling::Held { since, outlets, .. } => {
                let another = !outlets.contains(&report.outlet);
                let soon = now.duration_since(*since) <= OUTLETS_WITHIN;
                add(outlets, &report.outlet);
                if another && soon && !copy && !report.reading.commentary {
                    return told(story, &mut self.last_told, Reason::ToldOutlets);
                }
                let reason = match (copy, report.reading.commentary) {
                    (true, _) => Reason::Copy,
                    (_, true) => Reason::Commentary,
                    _ => Reason::Joined,
                };
                (reason, false)
            }
        }
    }

    /// The story that a report joins, and why.
    fn find(&self, report: &Report, place: &Place, now: Timestamp) -> (Option<usize>, Joined) {
        let holds = |story: &Story| story.lineages.contains(&place.root);
        if let Some(at) = self.stories.iter().rposition(holds) {
            let share = place.copied.unwrap_or(1.0);
            return (Some(at), Joined::Copy { of: place.root.clone(), share });
        }
        let terms = self.weighed(&report.reading);
        let mut best: Option<(usize, f64)> = None;
        for (at, story) in self.stories.iter().enumerate() {
            let score = self.likeness(&terms, story, now);
            if score >= ALIKE_FROM && best.is_none_or(|(_, known)| score > known) {
                best = Some((at, score));
            }
        }
        match best {
            None => (None, Joined::Opened),
            Some((at, score)) => {
                let shared = self.shared(&terms, &self.stories[at]);
                (Some(at), Joined::Alike { score, shared })
            }
        }
    }

    fn likeness(&self, terms: &Weighed, story: &Story, now: Timestamp) -> f64 {
        let (mut first, mut second) = (0.0_f64, 0.0_f64);
        for (at, member) in &story.members {
            let age = now.duration_since(*at).as_secs_f64().max(0.0);
            let aged = 0.5_f64.powf(age / HALF_LIFE.as_secs_f64());
            let score = terms.cosine(&self.weighed(member)) * aged;
            if score > first {
                (first, second) = (score, first);
            } else if score > second {
                second = score;
            }
        }
        if story.members.len() < 2 { first } else { (first + second) / 2.0 }
    }

    /// The terms that count most of those shared with a story.
    fn shared(&self, terms: &Weighed, story: &Story) -> Vec<Arc<str>> {
        let mut shared: Vec<&(Arc<str>, f64)> = terms
            .terms
            .iter()
            .filter(|(term, _)| {
                let known = |reading: &Reading| {
                    reading.terms.binary_search_by(|(other, _)| other.cmp(term)).is_ok()
                };
                story.members.iter().any(|(_, member)| known(member))
            })
            .collect();
        shared.sort_by(|a, b| b.1.total_cmp(&a.1));
        shared.iter().take(MOST_SHARED).map(|(term, _)| term.clone()).collect()
    }

    /// The terms of a reading by what they say: often in it, and rarely in the rule's reports.
    fn weighed(&self, reading: &Reading) -> Weighed {
        let reports = self.recent.len() as f64;
        let terms = reading.terms.iter().map(|(term, times)| {
            let known = f64::from(self.counts.get(term).copied().unwrap_or(0));
            let rare = ((reports + 1.0) / (known + 1.0)).ln_1p() / (reports + 2.0).ln();
            (term.clone(), (1.0 + f64::from(*times).ln()) * rare)
        });
        let terms: Vec<(Arc<str>, f64)> = terms.collect();
        let norm = terms.iter().map(|(_, weight)| weight * weight).sum::<f64>().sqrt();
        Weighed { terms, norm }
    }

    fn open(&mut self, report: &Report, now: Timestamp) -> usize {
        if self.stories.len() >= MOST_STORIES
            && let Some(oldest) =
                (0..self.stories.len()).min_by_key(|at| self.stories[*at].last_seen)
        {
            self.stories.remove(oldest);
        }
        self.stories.push(Story {
            id: id::story_id(&report.rule, &report.item, now).into(),
            thread: Arc::from(""),
            previous: None,
            first_seen: now,
            last_seen: now,
            severity: report.severity,
            items: 0,
            outlets: Vec::new(),
            origins: Vec::new(),
            lineages: Vec::new(),
            entities: Vec::new(),
            languages: Vec::new(),
            cues: Vec::new(),
            quotes: Vec::new(),
            telling: Telling::Untold,
            members: VecDeque::new(),
        });
        self.stories.len() - 1
    }

    /// Puts a report into a thread, and a new story with it.
    fn thread(&mut self, report: &Report, at: usize, now: Timestamp) {
        let story = &mut self.stories[at];
        let fits = |thread: &&mut Thread| {
            now.duration_since(thread.last) <= THREAD_GAP
                && now.duration_since(thread.first) <= THREAD_LONGEST
                && (*story.thread == *thread.id
                    || jaccard(&report.entities, &thread.entities) >= THREAD_ALIKE)
        };
        let mut fitting: Vec<&mut Thread> = self.threads.iter_mut().filter(fits).collect();
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
                self.threads.retain(|thread| now.duration_since(thread.last) <= THREAD_GAP);
                if self.threads.len() >= MOST_THREADS {
                    self.threads.remove(0);
                }
                self.threads.push(Thread {
                    id: story.thread.clone(),
                    first: now,
                    last: now,
                    entities: report.entities.clone(),
                    story: story.id.clone(),
                });
            }
        }
    }

    fn count(&mut self, report: &Report, now: Timestamp) {
        for (term, _) in &report.reading.terms {
            *self.counts.entry(term.clone()).or_default() += 1;
        }
        self.recent.push_back((now, report.reading.clone()));
        if self.recent.len() > MOST_COUNTED {
            self.uncount();
        }
    }

    fn uncount(&mut self) {
        let Some((_, reading)) = self.recent.pop_front() else { return };
        for (term, _) in &reading.terms {
            if let Some(count) = self.counts.get_mut(term) {
                *count -= 1;
                if *count == 0 {
                    self.counts.remove(term);
                }
            }
        }
    }

    fn forget(&mut self, now: Timestamp) {
        let old = |at: &Timestamp, within| now.duration_since(*at) > within;
        while self.recent.front().is_some_and(|(at, _)| old(at, WORDS_WITHIN)) {
            self.uncount();
        }
        self.stories.retain(|story| !old(&story.last_seen, STORY_OPEN));
    }
}

struct Weighed {
    /// Sorted by term.
    terms: Vec<(Arc<str>, f64)>,
    norm: f64,
}

impl Weighed {
    fn cosine(&self, other: &Self) -> f64 {
        let norms = self.norm * other.norm;
        if norms == 0.0 {
            return 0.0;
        }
        let (mut left, mut right, mut sum) = (0, 0, 0.0);
        while let (Some(a), Some(b)) = (self.terms.get(left), other.terms.get(right)) {
            match a.0.cmp(&b.0) {
                std::cmp::Ordering::Less => left += 1,
                std::cmp::Ordering::Greater => right += 1,
                std::cmp::Ordering::Equal => {
                    sum += a.1 * b.1;
                    left += 1;
                    right += 1;
                }
            }
        }
        sum / norms
    }
}
