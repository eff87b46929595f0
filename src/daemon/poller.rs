//! One poll, from the lease to the commit.

mod gaps;
mod readers;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use jiff::Timestamp;
use tracing::{Level, debug, enabled, info, warn};
use url::Url;

use self::gaps::Page;
use self::readers::BUDGET;
pub(crate) use self::readers::Readers;
use super::queue::{self, Poll};
use super::teller::Teller;
use crate::alert::operator::{self, Look};
use crate::clock::Clock;
use crate::config::{Config, Feed, PollSettings};
use crate::feed::{self, Document, ParseError, ParsedFeed, Repairs};
use crate::fetch::{Body, Failure, FailureKind, Fetcher, Freshness, Outcome, Request, Validators};
use crate::item::{Item, ItemKey};
use crate::pipeline::{self, Arrival, Batch, Ingested, MOST_NEWS};
use crate::poll::{DueBy, Hints, PollNote, PollResult};
use crate::recognition;
use crate::schedule::rate::Limits;
use crate::schedule::{
    self, Answer, Baseline, FeedState, Heed, HostPace, HostState, Next, Pace, Polled, Seen,
};
use crate::store::Store;
use crate::story::lineage::FEED_ITEMS;
use crate::text::count;

/// The shortest interval of a wire, where the configuration names none.
const WIRE_INTERVAL: Duration = Duration::from_secs(300);
/// The interval of a `file:` feed that has none of its own.
const FILE_INTERVAL: Duration = Duration::from_secs(60);

/// What every poll needs; cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Poller {
    pub(crate) store: Arc<Store>,
    pub(crate) fetcher: Fetcher,
    pub(crate) clock: Clock,
    pub(crate) config: Arc<Config>,
    pub(crate) teller: Teller,
    /// Nothing is in reach: what cannot be reached is not to blame.
    pub(crate) offline: Arc<AtomicBool>,
    pub(crate) readers: Readers,
}

/// What a poll tells of our own network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reach {
    /// A host answered, whatever it said.
    Reached,
    /// There was no name or no connection.
    Unreachable,
    /// Nothing: a file, or an address that was not asked.
    Unknown,
}

/// What came of a poll, after it was committed.
#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) feed: Arc<Feed>,
    pub(crate) state: FeedState,
    /// The host that was asked.
    pub(crate) host: String,
    /// What is known about it from now on: until when it asked now to be left alone.
    pub(crate) host_state: HostState,
    pub(crate) failed: bool,
    pub(crate) reach: Reach,
    pub(crate) new_items: usize,
    pub(crate) hits: usize,
    pub(crate) alerts: usize,
    /// What is counted of it.
    pub(crate) sample: Sample,
    /// The document, where one came that could be read and was not the last one again.
    pub(crate) document: Option<DocumentNote>,
    /// Events of the feed itself that are told.
    pub(crate) events: usize,
    /// It failed because of our own network, and counts for nothing.
    postponed: bool,
}

/// What is counted of a poll.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sample {
    /// How it went, in a word.
    pub(crate) result: &'static str,
    /// A server was asked without conditions.
    pub(crate) unconditional: bool,
    /// Bytes of a body on the wire.
    pub(crate) received_bytes: u64,
    /// From the publication of each new item to now.
    pub(crate) lags: Vec<Duration>,
    /// The rule of each alert.
    pub(crate) alerted: Vec<String>,
}

/// What a body turned out to be.
enum Taken {
    /// The same as last time.
    Same,
    /// Items, what the document was like, what was wrong with it, and what fell out before.
    Items {
        ingested: Box<Ingested>,
        document: DocumentNote,
        damage: Option<String>,
        gap: Option<Box<Gap>>,
    },
}

/// Items of which none was known, of a feed whose older pages may be asked for.
struct Gap {
    items: Vec<Item>,
    title: Option<String>,
    page: Page,
}

/// How the items of a poll are taken in.
#[derive(Debug, Clone, Copy)]
struct Taking {
    baseline: Baseline,
    outage: Option<Timestamp>,
    now: Timestamp,
}

/// What a poll brought.
#[derive(Default)]
struct Brought {
    ingested: Ingested,
    document: Option<DocumentNote>,
    received_bytes: u64,
    /// The status of the answer, where a server gave one.
    status: Option<u16>,
}

/// What a document was like that could be read.
#[derive(Debug, Clone)]
pub(crate) struct DocumentNote {
    /// `rss1`, `rss2`, `atom`, `json`.
    pub(crate) format: &'static str,
    /// The character set that it was read in.
    pub(crate) encoding: &'static str,
    /// How many items it showed.
    pub(crate) items: usize,
    /// When the feed wants to be asked.
    pub(crate) hints: Hints,
    /// A digest of the id that it gives itself.
    identity: Option<[u8; 16]>,
    /// What had to be mended, each kind once.
    pub(crate) repairs: Repairs,
    /// What a person should know about it.
    pub(crate) warnings: Vec<String>,
}

impl Poller {
    /// Polls a feed and commits all that follows. An error means that the store failed: nothing
    /// was taken in, and the same poll must be made again.
    pub(crate) async fn poll(&self, poll: Poll) -> anyhow::Result<Report> {
        let feed = poll.feed;
        let before = schedule::lease(&poll.state, pace(&feed, &self.config.poll), self.clock.now());
        self.store.lease(&feed, &before).await.context("failed to note the poll")?;
        let started = Instant::now();
        let (mut batch, mut report) = self.ask(&feed, &before, poll.pace).await?;
        if let Some(note) = &mut batch.note {
            note.took = started.elapsed();
        }
        report.host_state.pace = self.pace_of_host(poll.pace, &report);
        if let Some(until) = &mut report.host_state.not_before {
            // The feed that was asked may be the first of many that the host refuses.
            let rest = batch.at + report.host_state.pace.rest();
            if let Some(note) = batch.note.as_mut().filter(|_| rest > *until) {
                note.due_by = DueBy::Backoff;
            }
            *until = (*until).max(rest);
            batch.state.next_due = batch.state.next_due.max(*until);
            report.state.next_due = batch.state.next_due;
        }
        if report.host_state != (HostState { not_before: None, pace: poll.pace }) {
            batch.host = Some((report.host.clone(), report.host_state));
        }
        if !report.postponed {
            self.look(&feed, &before, &mut batch).await?;
            report.state.troubles = batch.state.troubles.clone();
            report.events = batch.events.iter().filter(|event| !event.held).count();
        }
        batch.only_times = batch.items.is_empty() && poll.state.differs_only_in_times(&batch.state);
        let told = self.store.commit(batch, &self.config).await;
        report.sample.alerted = told.context("failed to commit the poll")?;
        report.alerts = report.sample.alerted.len();
        log(&before, &report);
        log_gap(poll.pace, &report, self.config.poll.host_gap);
        Ok(report)
    }

    /// Polls a feed and commits nothing: what would have been committed, and what came of it.
    pub(super) async fn rehearse(&self, poll: Poll) -> anyhow::Result<(Batch, Report)> {
        let before =
            schedule::lease(&poll.state, pace(&poll.feed, &self.config.poll), self.clock.now());
        self.ask(&poll.feed, &before, poll.pace).await
    }

    /// Asks for a feed and works out all that follows.
    async fn ask(
        &self,
        feed: &Arc<Feed>,
        before: &FeedState,
        pace: HostPace,
    ) -> anyhow::Result<(Batch, Report)> {
        let moved_to = before.effective_url.as_deref().and_then(|url| url.parse().ok());
        let request = request(feed, moved_to, schedule::conditions(before));
        match self.fetcher.fetch(&request, self.clock.now()).await {
            Outcome::NotModified { validators, freshness, moved_to } => {
                let moved_to = moved_to.as_ref().map(Url::as_str);
                let answer = Answer { validators: &validators, freshness, moved_to };
                let status = feed.url.host().map(|_| 304);
                let nothing = Brought { status, ..Brought::default() };
                Ok(self.finish(feed, before, Polled::NotModified(answer), nothing))
            }
            Outcome::Failed(failure) => {
                let nothing = Brought { status: failure.status, ..Brought::default() };
                Ok(self.finish(feed, before, Polled::Failed(&failure), nothing))
            }
            Outcome::Modified(body) => self.take_body(feed, before, pace, body).await,
        }
    }

    async fn take_body(
        &self,
        feed: &Arc<Feed>,
        before: &FeedState,
        pace: HostPace,
        body: Box<Body>,
    ) -> anyhow::Result<(Batch, Report)> {
        let (validators, freshness) = (body.validators.clone(), body.freshness);
        let moved_to = body.moved_to.clone();
        let moved_to = moved_to.as_ref().map(Url::as_str);
        let answer = Answer { validators: &validators, freshness, moved_to };
        let hash = *blake3::hash(&body.bytes).as_bytes();
        let received_bytes = body.wire_bytes;
        let status = feed.url.host().map(|_| body.status);
        let nothing = Brought { received_bytes, status, ..Brought::default() };
        let now = self.clock.now();
        let taking =
            Taking { baseline: Baseline::of(before), outage: schedule::outage(before, now), now };
        let taken = if body.complete && before.body_hash == Some(hash) {
            Ok(Taken::Same)
        } else {
            self.read_body(feed, taking, body).await?
        };
        match taken {
            Ok(Taken::Same) => Ok(self.finish(feed, before, Polled::SameBody(answer), nothing)),
            Ok(Taken::Items { mut ingested, document, damage, gap }) => {
                let mut filled = false;
                if let Some(gap) = gap {
                    (*ingested, filled) = self.fill(feed, taking, pace, *gap).await?;
                }
                // What is left must not be taken for seen.
                let damage = damage.or_else(|| left_over(ingested.left));
                let new = ingested.items.iter().filter(|item| item.revision == 1);
                let new = new.map(|item| item.item.published).collect();
                let (shown, migrated) = (document.items, ingested.migrated);
                let (hints, identity) = (document.hints, document.identity);
                let seen = Seen { shown, new, migrated, filled, hints, identity };
                let polled = match &damage {
                    Some(why) => Polled::Damaged { why, seen: &seen },
                    None => Polled::Changed { answer, body_hash: hash, seen: &seen },
                };
                let document = Some(document);
                let brought = Brought { ingested: *ingested, document, ..nothing };
                Ok(self.finish(feed, before, polled, brought))
            }
            Err(failure) => {
                let failure = Failure { freshness, ..failure };
                Ok(self.finish(feed, before, Polled::Failed(&failure), nothing))
            }
        }
    }

    /// Reads and matches a body on a thread for such work.
    async fn read_body(
        &self,
        feed: &Arc<Feed>,
        taking: Taking,
        body: Box<Body>,
    ) -> anyhow::Result<Result<Taken, Failure>> {
        let (poller, feed) = (self.clone(), feed.clone());
        let work = move || poller.ingest_body(&feed, taking, *body);
        match self.readers.run(work).await {
            Ok(Ok(result)) => result,
            Ok(Err(panic)) => Ok(Err(unreadable(format!("reading the body failed: {panic}")))),
            Err(_) => Ok(Err(unreadable(format!(
                "reading the body took more than {} s",
                BUDGET.as_secs()
            )))),
        }
    }

    fn ingest_body(
        &self,
        feed: &Feed,
        taking: Taking,
        body: Body,
    ) -> anyhow::Result<Result<Taken, Failure>> {
        let mut parsed = match feed::parse(&document(feed, &body, taking.now)) {
            Ok(parsed) => parsed,
            Err(error) => return Ok(Err(parse_failure(&error))),
        };
        let whole = body.complete && parsed.complete;
        let part = matches!(body.status, 206 | 226).then_some(body.status);
        let page = gaps::first(&parsed.feed, &body.final_url);
        drop(body);
        // It comes with the next poll, and would count as another item then.
        parsed.items.retain(|item| Some(item.key) != parsed.unidentified);
        if let Some(cut) = parsed.cut
            && !self.store.read(|reader| reader.known(&feed.name, &[cut]))?.is_empty()
        {
            // What it says less now was not edited by its publisher.
            parsed.items.retain(|item| item.key != cut);
        }
        let damage = (!whole).then(|| {
            let what = match part {
                Some(status) => format!("the server sent a part of the document ({status})"),
                None => "the document was cut off".to_owned(),
            };
            format!("{what}; items that could be read: {}", parsed.items.len())
        });
        log_repairs(feed, &parsed);
        let document = DocumentNote {
            format: parsed.feed.format,
            encoding: parsed.feed.encoding,
            items: parsed.items.len(),
            hints: parsed.feed.hints,
            identity: parsed.feed.identity,
            repairs: std::mem::take(&mut parsed.repairs),
            warnings: std::mem::take(&mut parsed.warnings),
        };
        let may_fill = feed.fill_gaps && whole && taking.baseline == Baseline::Nothing;
        let items = if may_fill { parsed.items.clone() } else { Vec::new() };
        let title = parsed.feed.title.take();
        let ingested = self.ingest_items(feed, title.as_deref(), taking, parsed.items)?;
        let new = ingested.items.iter().filter(|item| item.revision == 1).count();
        let shows_gap = may_fill && !ingested.migrated && new >= items.len();
        let gap = page
            .filter(|_| shows_gap && items.len() >= schedule::SMALLEST_WINDOW)
            .map(|page| Box::new(Gap { items, title, page }));
        Ok(Ok(Taken::Items { ingested: Box::new(ingested), document, damage, gap }))
    }

    /// Finds out which of these items are known, and takes the others in.
    fn ingest_items(
        &self,
        feed: &Feed,
        title: Option<&str>,
        taking: Taking,
        mut items: Vec<Item>,
    ) -> anyhow::Result<Ingested> {
        let Taking { baseline, outage, now } = taking;
        let feed_title = feed.title.as_deref().or(title);
        let arrival = Arrival { feed, feed_title, baseline, outage, now };
        let keys: Vec<ItemKey> = items.iter().map(|item| item.key).collect();
        let looked_up = self.store.read(|reader| {
            let known = reader.known(&feed.name, &keys)?;
            let unknown = items.iter().filter(|item| !known.contains_key(&item.key));
            // Before the first poll nothing is there to be recognised.
            let unknown = unknown.take(if baseline == Baseline::All { 0 } else { keys.len() });
            let namesakes = reader.namesakes(&feed.name, unknown)?;
            Ok((known, namesakes))
        });
        let (mut known, namesakes) = looked_up.context("failed to look items up")?;
        let (renamed, migrated) = recognition::recognise(&mut items, &mut known, &namesakes);
        let mut matcher = self.config.rules.matcher();
        let earlier = || self.store.read(|reader| reader.items_of(&feed.name, FEED_ITEMS));
        let text_of = |key| self.store.read(|reader| reader.item_of(&feed.name, key));
        let ingested =
            pipeline::ingest(arrival, items, &known, &self.config, &mut matcher, earlier, text_of)
                .context("failed to look items up")?;
        Ok(Ingested { renamed, migrated, ..ingested })
    }

    /// How far apart requests to a host lie after a poll of one of its feeds.
    fn pace_of_host(&self, before: HostPace, report: &Report) -> HostPace {
        let usual = self.config.poll.host_gap;
        match report.host_state.not_before {
            Some(_) => before.refused(usual),
            None if report.failed => before,
            None => before.answered(usual),
        }
    }

    /// Decides what is next for the feed: the batch to commit together with what the poll brought.
    fn finish(
        &self,
        feed: &Arc<Feed>,
        before: &FeedState,
        polled: Polled<'_>,
        brought: Brought,
    ) -> (Batch, Report) {
        let Brought { ingested, document, received_bytes, status } = brought;
        let now = self.clock.now();
        let reach = match reach(feed, &polled) {
            Reach::Unreachable if feed.access.has_own_proxy(&self.config.poll.access) => {
                Reach::Unknown
            }
            reach => reach,
        };
        let postponed = reach == Reach::Unreachable && self.offline.load(Ordering::Relaxed);
        let next = if postponed {
            let feed = schedule::postpone(before, now);
            Next { feed, host_not_before: None, due_by: DueBy::Offline }
        } else {
            schedule::advance(before, polled, pace(feed, &self.config.poll), now, seed(feed, now))
        };
        let failed = matches!(polled, Polled::Failed(_));
        let mut batch = Batch {
            items: ingested.items,
            hits: ingested.hits,
            revised: ingested.revised,
            renamed: ingested.renamed,
            ..Batch::of_state(feed.name.clone(), feed.url.clone(), next.feed.clone(), None, now)
        };
        let sample = Sample { received_bytes, ..sample(feed, before, &polled, &batch, now) };
        batch.note = Some(PollNote {
            at: before.last_request.unwrap_or(now),
            status,
            result: result(&polled),
            received_bytes,
            items: document.as_ref().map_or(0, |document| document.items),
            new_items: batch.new_items(),
            took: Duration::ZERO,
            due_by: next.due_by,
        });
        let report = Report {
            feed: feed.clone(),
            state: next.feed,
            host: queue::host_of(feed, before),
            host_state: HostState { not_before: next.host_not_before, ..HostState::default() },
            failed,
            reach,
            new_items: batch.new_items(),
            hits: batch.hits.len(),
            alerts: 0,
            sample,
            document,
            events: 0,
            postponed,
        };
        (batch, report)
    }

    /// Finds what is wrong with a feed for longer than a moment, and adds to the batch what is
    /// remembered and told of it.
    async fn look(
        &self,
        feed: &Arc<Feed>,
        before: &FeedState,
        batch: &mut Batch,
    ) -> anyhow::Result<()> {
        let (after, now) = (&batch.state, batch.at);
        let times = if after.failure.is_none() && operator::needs_times(feed, before, after, now) {
            let (store, name) = (self.store.clone(), feed.name.clone());
            let read = move || store.read(|reader| reader.times_of_items(&name));
            tokio::task::spawn_blocking(read).await?.context("failed to look items up")?
        } else {
            Vec::new()
        };
        let look = Look { feed, before, after, times: &times, now };
        let (troubles, events) = operator::events(&look, |kind| self.teller.tells(kind));
        batch.state.troubles = troubles;
        batch.events = events.iter().filter_map(|event| self.teller.tell(event, now)).collect();
        Ok(())
    }
}

/// What the configuration says about a feed's schedule.
pub(super) fn pace(feed: &Feed, poll: &PollSettings) -> Pace {
    let usual = if feed.wire { WIRE_INTERVAL.min(poll.min_interval) } else { poll.min_interval };
    let min = feed.min_interval.unwrap_or(usual);
    let max = feed.max_interval.unwrap_or(poll.max_interval).max(min);
    // A look at a file costs nothing and annoys nobody.
    let local = feed.url.scheme() == "file";
    let fixed = feed.interval.or(poll.interval).or(local.then_some(FILE_INTERVAL));
    let heed = match feed {
        Feed { ignore_cache_lifetime: true, .. } => Heed::Nobody,
        Feed { wire: true, .. } => Heed::Server,
        _ => Heed::All,
    };
    Pace { fixed, limits: Limits { min, max }, local, heed }
}

/// What is asked for a feed.
fn request(feed: &Feed, moved_to: Option<Url>, validators: Validators) -> Request {
    Request {
        url: feed.url.clone(),
        moved_to,
        validators,
        allow_private: feed.allow_private,
        access: feed.access.clone(),
    }
}

/// A body as a document of a feed.
fn document<'a>(feed: &'a Feed, body: &'a Body, now: Timestamp) -> Document<'a> {
    Document {
        bytes: &body.bytes,
        charset: body.charset.as_deref(),
        encoding: feed.encoding.as_deref(),
        base: Some(&body.final_url),
        utc_offset: feed.utc_offset,
        now,
    }
}

/// What is counted of a poll, but for the bytes.
fn sample(
    feed: &Feed,
    before: &FeedState,
    polled: &Polled<'_>,
    batch: &Batch,
    now: Timestamp,
) -> Sample {
    let asked = match polled {
        Polled::Failed(failure) => {
            !matches!(failure.kind, FailureKind::Forbidden | FailureKind::Settings)
        }
        _ => true,
    };
    let fresh = batch.items.iter().filter(|stored| stored.revision == 1 && !stored.baseline);
    let published = fresh.filter_map(|stored| stored.item.published);
    Sample {
        result: result(polled).as_str(),
        unconditional: asked
            && feed.url.host().is_some()
            && !schedule::conditions(before).is_conditional(),
        received_bytes: 0,
        lags: published
            .filter_map(|published| Duration::try_from(now.duration_since(published)).ok())
            .collect(),
        alerted: Vec::new(),
    }
}

fn result(polled: &Polled<'_>) -> PollResult {
    match polled {
        Polled::Changed { .. } => PollResult::Changed,
        Polled::Damaged { .. } => PollResult::Damaged,
        Polled::SameBody(_) => PollResult::SameBody,
        Polled::NotModified(_) => PollResult::NotModified,
        Polled::Failed(failure) => PollResult::Failed(failure.kind),
    }
}

fn reach(feed: &Feed, polled: &Polled<'_>) -> Reach {
    use FailureKind::{Connect, Dns, Forbidden, Settings};
    match polled {
        _ if feed.url.host().is_none() => Reach::Unknown,
        Polled::Failed(Failure { kind: Dns | Connect, .. }) => Reach::Unreachable,
        Polled::Failed(Failure { kind: Forbidden | Settings, .. }) => Reach::Unknown,
        // A timeout may lie on either side.
        Polled::Failed(Failure { kind: FailureKind::Timeout, .. }) => Reach::Unknown,
        _ => Reach::Reached,
    }
}

/// How loud a poll is: a warning when trouble begins or changes, and nothing while it lasts.
fn loudness(before: &FeedState, after: &FeedState, new_items: usize) -> Level {
    if after.failures > 0 && before.state != after.state {
        Level::WARN
    } else if new_items > 0 || (before.failures > 0 && after.failures == 0) {
        Level::INFO
    } else {
        Level::DEBUG
    }
}

/// One line for a poll.
fn log(before: &FeedState, report: &Report) {
    let feed = &report.feed.name;
    let Report { new_items: new, hits, alerts, state, .. } = report;
    let FeedState { failures, next_due, .. } = state;
    let why = state.why.as_deref().unwrap_or_default();
    let brought = || format!("{}, {}", count(*new, "new item"), count(*hits, "hit"));
    let condition =
        if state.state == schedule::State::Retry { "failing" } else { state.state.as_str() };
    if state.gap_at.is_some() && state.gap_at != before.gap_at {
        warn!(%feed, items = state.window, %next_due,
            "all {} items of {feed} were new: others may have been missed", state.window);
    }
    log_changes(&report.feed, before, state);
    match loudness(before, state, *new) {
        Level::WARN => {
            warn!(%feed, state = state.state.as_str(), failures, new, hits, alerts, %next_due,
            "{feed} is {condition}: {why}")
        }
        Level::INFO if before.failures > 0 && *failures == 0 => info!(%feed, new, hits, alerts,
            %next_due, "{feed} is back: {}", brought()),
        Level::INFO => info!(%feed, new, hits, alerts, %next_due,
            "polled {feed}: {}", brought()),
        _ if *failures > 0 => {
            debug!(%feed, failures, %next_due, "{feed} is still {condition}: {why}")
        }
        _ => debug!(%feed, new, hits, %next_due, "polled {feed}: nothing new"),
    }
}

/// Says when requests to a host lie further apart than before, or closer again.
fn log_gap(before: HostPace, report: &Report, usual: Duration) {
    let (host, after) = (&report.host, report.host_state.pace);
    if after.gap != before.gap {
        let gap_s = after.gap(usual).as_secs();
        info!(%host, gap_s, "requests to {host} are {gap_s} s apart from now on");
    }
}

/// What a person should know of how the feed is asked from now on.
fn log_changes(feed: &Feed, before: &FeedState, after: &FeedState) {
    let (feed, configured) = (&feed.name, &feed.url);
    match (&before.effective_url, &after.effective_url) {
        (old, Some(new)) if old.as_ref() != Some(new) => warn!(%feed, url = %new,
            "{feed} has moved for good: it is asked at {new} from now on, and the configuration \
             should say so"),
        (Some(old), None) => warn!(%feed, url = %configured,
            "{feed} fails at {old}: it is asked at {configured} again, as configured"),
        _ => {}
    }
    if after.migrated_at != before.migrated_at {
        warn!(%feed, items = after.window,
            "{feed} has given most of its {} items other ids; they count as known", after.window);
    }
    if after.distrusted_at.is_some() && after.distrusted_at != before.distrusted_at {
        warn!(%feed, trust = after.trust.as_str(),
            "the server of {feed} said that nothing had changed when something had; it is asked \
             with fewer conditions for a week");
    }
}

fn log_repairs(feed: &Feed, parsed: &ParsedFeed) {
    let feed = &feed.name;
    if !parsed.repairs.is_empty() && enabled!(Level::DEBUG) {
        let repairs = &parsed.repairs;
        debug!(%feed, %repairs, "{feed} had to be mended before it could be read: {repairs}");
    }
    for warning in &parsed.warnings {
        debug!(%feed, "{feed}: {warning}");
    }
}

/// What is said of items that were not taken in.
fn left_over(items: usize) -> Option<String> {
    (items > 0).then(|| {
        let left = count(items, "item");
        format!("{left} left for the next poll, as one takes in {MOST_NEWS} hits")
    })
}

fn parse_failure(error: &ParseError) -> Failure {
    if !matches!(error, ParseError::WebPage { bot_wall: true, .. }) {
        return unreadable(error.to_string());
    }
    let advice = "it keeps programs out: ask its operator to let newswatch in, or find another \
                  address of the feed";
    Failure { kind: FailureKind::Blocked, ..unreadable(format!("{error}; {advice}")) }
}

fn unreadable(message: String) -> Failure {
    Failure { kind: FailureKind::Parse, status: None, message, freshness: Freshness::default() }
}

/// Decides a poll's jitter: the same feed at the same moment always waits the same time.
fn seed(feed: &Feed, now: Timestamp) -> u64 {
    let mut hasher = blake3::Hasher::new();
    hasher.update(feed.name.as_str().as_bytes());
    hasher.update(&now.as_millisecond().to_le_bytes());
    let mut seed = [0; 8];
    seed.copy_from_slice(&hasher.finalize().as_bytes()[..8]);
    u64::from_le_bytes(seed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schedule::State;

    #[test]
    fn trouble_is_told_when_it_begins_and_when_it_ends() {
        let state = |state, failures| FeedState {
            state,
            failures,
            ..FeedState::new(Timestamp::UNIX_EPOCH, Timestamp::UNIX_EPOCH)
        };
        let (active, degraded) = (state(State::Active, 0), state(State::Degraded, 1));
        let (still, failing) = (state(State::Degraded, 2), state(State::Retry, 1));
        for (before, after, new_items, level) in [
            (&active, &degraded, 1, Level::WARN),
            (&degraded, &still, 0, Level::DEBUG),
            (&degraded, &still, 1, Level::INFO),
            (&still, &failing, 0, Level::WARN),
            (&still, &active, 0, Level::INFO),
            (&active, &active, 1, Level::INFO),
            (&active, &active, 0, Level::DEBUG),
        ] {
            assert_eq!(loudness(before, after, new_items), level, "{before:?} {after:?}");
        }
    }
}
