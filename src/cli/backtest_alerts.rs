//! `newswatch backtest --alerts`: which stories would have opened, what would have been told, to
//! whom, and why: every item at its published time, as the daemon would have told it.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use jiff::Timestamp;
use serde::Serialize;

use super::list::{Column, Format, Output, short_time};
use super::past::{self, Past};
use super::{Exit, Global, say};
use crate::alert::decide::Reason;
use crate::alert::route::{self, Held, Subject};
use crate::clock::Clock;
use crate::config::Config;
use crate::hit::Match;
use crate::item::Item;
use crate::rules::{Rule, RuleSet};
use crate::story::claims::{self, Class};
use crate::story::desk::{Joined, Kind, Line, Mode, Notice, Publisher, Report, Taken};
use crate::story::lineage::{Shingles, Standing};
use crate::story::{Desk, Reading, message};
use crate::text::count;

/// An item of the past, as far as it is needed after it was matched.
struct Arrival {
    at: Timestamp,
    name: String,
    feed: u32,
    shingles: Shingles,
    hits: Option<(Box<Item>, Vec<Match>)>,
}

/// A line of the output.
#[derive(Debug, Serialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
enum Row {
    Notice(NoticeRow),
    Story(StoryRow),
}

/// Something that would have been told.
#[derive(Debug, Serialize)]
struct NoticeRow {
    mode: &'static str,
    at: Timestamp,
    rule: Arc<str>,
    severity: &'static str,
    story: Arc<str>,
    reason: Reason,
    items: Vec<Arc<str>>,
    /// The story of each item.
    stories: Vec<Arc<str>>,
    /// What a full bulletin left out.
    left_out: Vec<Arc<str>>,
    receivers: Vec<String>,
    message: String,
}

/// A story at the end.
#[derive(Debug, Serialize)]
struct StoryRow {
    rule: Arc<str>,
    story: Arc<str>,
    thread: Arc<str>,
    previous_id: Option<Arc<str>>,
    state: &'static str,
    label: String,
    severity: &'static str,
    first_seen: Timestamp,
    last_seen: Timestamp,
    items: Vec<Arc<str>>,
    lineages: usize,
    outlets: Vec<Arc<str>>,
    origins: Vec<Arc<str>>,
    languages: Vec<Arc<str>>,
    claim_cues: BTreeMap<&'static str, usize>,
    decisions: Vec<DecisionRow>,
}

/// What became of an item in a story, and why.
#[derive(Debug, Serialize)]
struct DecisionRow {
    item: Arc<str>,
    at: Timestamp,
    title: String,
    outlet: Arc<str>,
    origin: Arc<str>,
    reason: Reason,
    copy_of: Option<Arc<str>>,
    /// How much it read like the story, or how much of its text stands in the one it copies.
    score: Option<f64>,
    shared: Vec<Arc<str>>,
}

const COLUMNS: &[Column<Row>] = &[
    Column { heading: "TIME", cell: |row| row.notice(|notice| short_time(Some(notice.at))) },
    Column { heading: "MODE", cell: |row| row.notice(|notice| notice.mode.to_owned()) },
    Column {
        heading: "REASON",
        cell: |row| row.notice(|notice| notice.reason.as_str().to_owned()),
    },
    Column { heading: "TO", cell: |row| row.notice(|notice| notice.receivers.join(", ")) },
    Column { heading: "MESSAGE", cell: |row| row.notice(|notice| notice.message.clone()) },
];

impl Row {
    fn notice(&self, cell: impl FnOnce(&NoticeRow) -> String) -> String {
        match self {
            Row::Notice(notice) => cell(notice),
            Row::Story(_) => String::new(),
        }
    }
}

/// What a rule would have brought.
#[derive(Debug, Default)]
struct Tally {
    hits: usize,
    immediate: usize,
    bulletins: usize,
    digests: usize,
    lines: usize,
    reasons: BTreeMap<&'static str, usize>,
}

/// Tries rules, stories, decisions and routes on past items.
pub(super) fn run(
    global: &Global,
    config: &Config,
    rules: &RuleSet,
    only: Option<&str>,
    past: &Past,
    format: Option<Format>,
) -> anyhow::Result<Exit> {
    let arrivals = read(global, config, rules, only, past)?;
    let mut bench = Bench::new(config, rules, format);
    let mut standing: HashMap<u32, Standing> = HashMap::new();
    for arrival in arrivals.items {
        bench.due(arrival.at)?;
        let feed = standing.entry(arrival.feed).or_default();
        if let Some((item, hits)) = arrival.hits {
            let name = arrivals.feeds[arrival.feed as usize].as_str();
            let entry = config.feeds.iter().find(|entry| entry.name.as_str() == name);
            let reading = Arc::new(Reading::of(&item, Some(feed)));
            for found in hits {
                let publisher = Publisher { feed: name, entry };
                let named = (arrival.name.as_str(), &*item);
                bench.take(&found, named, publisher, &reading, arrival.at)?;
            }
        }
        feed.see(arrival.shingles);
    }
    bench.due(Timestamp::MAX)?;
    bench.finish(format)?;
    say(&count(arrivals.count, "item"));
    if arrivals.undated > 0 {
        say(&past::left_out(arrivals.undated));
    }
    Ok(Exit::Done)
}

/// All items by their time.
struct Arrivals {
    items: Vec<Arrival>,
    feeds: Vec<String>,
    count: usize,
    undated: usize,
}

fn read(
    global: &Global,
    config: &Config,
    rules: &RuleSet,
    only: Option<&str>,
    past: &Past,
) -> anyhow::Result<Arrivals> {
    let mut matcher = rules.matcher();
    let mut items = Vec::new();
    let (mut feeds, mut numbers) = (Vec::new(), HashMap::new());
    let mut undated = 0;
    let count = past.each(global, config, Clock::System.now(), |past| {
        let mut hits = matcher.matches(&past.item, past.origin());
        hits.retain(|found| only.is_none_or(|only| *rules.rules()[found.rule].id == *only));
        let Some(at) = past.item.published.or(past.at) else {
            undated += 1;
            return Ok(());
        };
        let feed = *numbers.entry(past.feed.clone()).or_insert_with(|| {
            feeds.push(past.feed.clone());
            u32::try_from(feeds.len() - 1).expect("there are fewer feeds")
        });
        let shingles = Reading::shingles(&past.item);
        let hits = (!hits.is_empty()).then(|| (Box::new(past.item), hits));
        items.push(Arrival { at, name: past.name, feed, shingles, hits });
        Ok(())
    })?;
    items.sort_by(|a, b| a.at.cmp(&b.at).then_with(|| a.name.cmp(&b.name)));
    Ok(Arrivals { items, feeds, count, undated })
}

/// The desk, and what it has decided so far.
struct Bench<'a> {
    config: &'a Config,
    set: &'a RuleSet,
    rules: &'a [Rule],
    desk: Desk,
    output: Output<Row>,
    stories: Vec<StoryRow>,
    places: HashMap<Arc<str>, usize>,
    titles: HashMap<Arc<str>, (String, Arc<str>)>,
    tallies: BTreeMap<Arc<str>, Tally>,
}

impl<'a> Bench<'a> {
    fn new(config: &'a Config, rules: &'a RuleSet, format: Option<Format>) -> Self {
        Self {
            config,
            set: rules,
            rules: rules.rules(),
            desk: Desk::default(),
            output: Output::new(format, COLUMNS).with_fields(
                "kind mode at rule severity story reason thread items receivers message",
            ),
            stories: Vec::new(),
            places: HashMap::new(),
            titles: HashMap::new(),
            tallies: BTreeMap::new(),
        }
    }

    fn due(&mut self, now: Timestamp) -> anyhow::Result<()> {
        for notice in self.desk.due(now) {
            self.tell(&notice, &[])?;
        }
        Ok(())
    }

    fn take(
        &mut self,
        found: &Match,
        (name, item): (&str, &Item),
        publisher: Publisher<'_>,
        reading: &Arc<Reading>,
        now: Timestamp,
    ) -> anyhow::Result<()> {
        let rule = &self.set.rules()[found.rule];
        let report = Report::of(rule, found, (name, item), publisher, reading.clone());
        let taken = self.desk.take(&report, now);
        let title = message::headline(item).to_owned();
        self.titles.entry(report.item.clone()).or_insert((title, report.outlet.clone()));
        let tally = self.tallies.entry(report.rule.clone()).or_default();
        tally.hits += 1;
        self.note(&report, &taken, now);
        match taken.notice {
            Some(notice) => self.tell(&notice, &claims::counts(&report.cues)),
            None => Ok(()),
        }
    }

    /// Writes down what became of a report.
    fn note(&mut self, report: &Report, taken: &Taken, now: Timestamp) {
        let story = self.desk.story(&report.rule, &taken.story).expect("it was just joined");
        let place = *self.places.entry(taken.story.clone()).or_insert_with(|| {
            self.stories.push(StoryRow {
                rule: report.rule.clone(),
                story: taken.story.clone(),
                thread: taken.thread.clone(),
                previous_id: story.previous.clone(),
                state: "",
                label: String::new(),
                severity: "",
                first_seen: story.first_seen,
                last_seen: now,
                items: Vec::new(),
                lineages: 0,
                outlets: Vec::new(),
                origins: Vec::new(),
                languages: Vec::new(),
                claim_cues: BTreeMap::new(),
                decisions: Vec::new(),
            });
            self.stories.len() - 1
        });
        let row = &mut self.stories[place];
        row.state = story.state(now);
        row.label = story.label();
        row.severity = story.severity.as_str();
        row.last_seen = story.last_seen;
        row.items.push(report.item.clone());
        row.lineages = story.lineages.len();
        row.outlets.clone_from(&story.outlets);
        row.origins = story.origins.iter().map(|seen| seen.origin.id.clone()).collect();
        row.languages.clone_from(&story.languages);
        row.claim_cues = story.cues.iter().map(|(class, count)| (class.as_str(), *count)).collect();
        let (score, shared) = match &taken.joined {
            Joined::Opened => (None, Vec::new()),
            Joined::Copy { share, .. } => (Some(*share), Vec::new()),
            Joined::Alike { score, shared } => (Some(*score), shared.clone()),
        };
        row.decisions.push(DecisionRow {
            item: report.item.clone(),
            at: now,
            title: self.titles[&report.item].0.clone(),
            outlet: report.outlet.clone(),
            origin: report.origin.id.clone(),
            reason: taken.reason,
            copy_of: taken.place.copied.map(|_| taken.place.root.clone()),
            score: score.map(|score| (score * 1000.0).round() / 1000.0),
            shared,
        });
    }

    /// Writes down a notice; `cues` are those of the report that it is sent for.
    fn tell(&mut self, notice: &Notice, cues: &[(Class, usize)]) -> anyhow::Result<()> {
        for line in notice.lines.iter().chain(&notice.left_out) {
            self.amend(line);
        }
        let rule = self.rules.iter().find(|rule| *rule.id == *notice.rule);
        let rule = rule.expect("the desk knows only rules of the set");
        let stories =
            || notice.lines.iter().filter_map(|line| self.desk.story(&notice.rule, &line.story));
        let severity = stories().map(|story| story.severity).max().unwrap_or(rule.severity);
        let lines: Vec<message::Line<'_>> = notice
            .lines
            .iter()
            .map(|line| {
                let (title, outlet) = &self.titles[&line.item];
                let story = self.desk.story(&notice.rule, &line.story);
                // A hit that is told by itself is no story.
                let story = story.filter(|_| line.kind != Kind::Hit);
                let cues = story.map_or(cues, |story| &story.cues);
                message::Line { title, outlet, kind: line.kind, story, cues }
            })
            .collect();
        let message = message::notice(severity, &rule.title, &lines, notice.left_out.len());
        let subject = Subject::of(rule, severity);
        let planned = route::plan(&self.config.routes, &self.config.receivers, &subject, notice.at);
        let digest = !planned.is_empty()
            && planned.iter().all(|planned| planned.due.held == Some(Held::Digest));
        let at = planned.iter().map(|planned| planned.due.at).min().unwrap_or(notice.at);
        let tally = self.tallies.entry(notice.rule.clone()).or_default();
        let mode = match (digest, notice.mode) {
            (true, _) => {
                tally.digests += 1;
                "digest"
            }
            (false, Mode::Immediate) => {
                tally.immediate += 1;
                "immediate"
            }
            (false, Mode::Bulletin) => {
                tally.bulletins += 1;
                "bulletin"
            }
        };
        tally.lines += notice.lines.len();
        self.output.row(&Row::Notice(NoticeRow {
            mode,
            at,
            rule: notice.rule.clone(),
            severity: severity.as_str(),
            story: notice.lines[0].story.clone(),
            reason: notice.lines[0].reason,
            items: notice.lines.iter().map(|line| line.item.clone()).collect(),
            stories: notice.lines.iter().map(|line| line.story.clone()).collect(),
            left_out: notice.left_out.iter().map(|line| line.item.clone()).collect(),
            receivers: planned.iter().map(|planned| planned.receiver.to_owned()).collect(),
            message,
        }))
    }

    /// Writes down what a bulletin made of a report that waited for it.
    fn amend(&mut self, line: &Line) {
        let Some(place) = self.places.get(&line.story) else { return };
        let decisions = &mut self.stories[*place].decisions;
        if let Some(decision) = decisions.iter_mut().find(|decision| decision.item == line.item) {
            decision.reason = line.reason;
        }
    }

    fn finish(mut self, format: Option<Format>) -> anyhow::Result<()> {
        let (mut lineages, mut origins) = (BTreeMap::new(), BTreeMap::new());
        let mut counts: BTreeMap<Arc<str>, usize> = BTreeMap::new();
        for story in &self.stories {
            *counts.entry(story.rule.clone()).or_default() += 1;
            *lineages.entry(story.rule.clone()).or_insert(0) += story.lineages;
            let known: &mut Vec<Arc<str>> = origins.entry(story.rule.clone()).or_default();
            for origin in &story.origins {
                if !known.contains(origin) {
                    known.push(origin.clone());
                }
            }
            let tally = self.tallies.entry(story.rule.clone()).or_default();
            for decision in &story.decisions {
                *tally.reasons.entry(decision.reason.as_str()).or_default() += 1;
            }
        }
        let people = Format::or_default(format) == Format::Table;
        for story in std::mem::take(&mut self.stories) {
            if !people {
                self.output.row(&Row::Story(story))?;
            }
        }
        self.output.finish()?;
        for (rule, tally) in &self.tallies {
            let Tally { hits, immediate, bulletins, digests, lines, reasons } = tally;
            let reasons: Vec<String> =
                reasons.iter().map(|(reason, count)| format!("{reason} {count}")).collect();
            say(&format!(
                "{rule}: {}, {}, {}, {}; {immediate} at once, {}, {digests} in digests, {}; {}",
                count(hits, "hit"),
                count(lineages[rule], "lineage"),
                count(origins[rule].len(), "origin"),
                count(counts[rule], "story"),
                count(bulletins, "bulletin"),
                count(lines, "line"),
                reasons.join(", ")
            ));
        }
        Ok(())
    }
}
