//! The daemon: one event loop that starts polls when they are due, wakes the deliverer, reloads,
//! tells systemd that it is well, and stops in order.

mod backfill;
mod deliverer;
mod exporter;
mod metrics;
mod poller;
mod pulse;
mod queue;
pub(crate) mod rehearsal;
mod signals;
mod systemd;
mod teller;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::Context as _;
use jiff::{SignedDuration, Timestamp};
use tokio::sync::{mpsc, watch};
use tokio::task::{Id, JoinError, JoinSet};
use tracing::{error, info, warn};

use self::backfill::Backfill;
use self::deliverer::{Deliverer, OPENING};
use self::exporter::Exporter;
use self::metrics::Metrics;
use self::poller::{Poller, Reach, Readers, Report};
use self::pulse::{Beat, Pulse};
use self::queue::{Poll, Queue};
use self::teller::Teller;
use crate::alert::operator::{self, Refusal};
use crate::clock::Clock;
use crate::config::{self, Config};
use crate::fetch::{self, Fetcher};
use crate::item::FeedName;
use crate::receivers::Receiver;
use crate::rules::{ITEMS_TO_LEARN_FROM, WORTH_LEARNING};
use crate::schedule::offline::{Change, Network};
use crate::schedule::{self, FeedState, HostState, State};
use crate::store::{Fact, FailingFeed, NETWORK, OFFLINE, Store, StoreError};
use crate::text::count;

pub use self::signals::forward as forward_signals;

/// A poll that has run for so long gives its place under `poll.concurrency` to another, so that
/// slow servers cannot hold up the rest.
const SLOW_POLL: Duration = Duration::from_secs(1);
/// Slow polls under way at most. Each holds a connection, of which most systems allow a process
/// some thousand, and up to 512 KiB of a body: 256 MiB, if all of them mean harm.
const MOST_SLOW: usize = 512;
/// Feeds that became overdue while nothing was in reach are asked a second apart, within this.
const AFTER_OUTAGE: SignedDuration = SignedDuration::from_mins(10);
/// How long a stop waits for polls under way; they are made again at the next start.
const STOP_POLLS: Duration = Duration::from_secs(2);
/// How long a stop waits for deliveries; the rest stays in the outbox.
const STOP_DELIVERIES: Duration = Duration::from_millis(1_500);
/// How long a stop waits for reads of the database.
const STOP_READS: Duration = Duration::from_secs(2);
/// How long `run --once` waits for deliveries.
const ONCE_DELIVERIES: Duration = Duration::from_secs(60);
/// `run --once` waits so long between two requests to a host that is spared; where it would be longer, the
/// host's other feeds are left for the next run.
const LONGEST_GAP_OF_ONCE: Duration = Duration::from_secs(30);
/// When a feed is tried again whose poll could not be committed.
const AFTER_STORE_FAILURE: SignedDuration = SignedDuration::from_mins(1);
/// How often the daemon shows that it is alive, where systemd does not ask for more; `status` takes
/// three that are missing for trouble.
const HEARTBEAT: Duration = Duration::from_secs(20);
/// A clock that shows so much less than it did has been set back.
const SET_BACK: SignedDuration = SignedDuration::from_secs(10);
/// How often it is seen whether events wait for a summary, a heartbeat is to be told, or somebody has made
/// feeds due.
const LOOK_EVERY: SignedDuration = SignedDuration::from_mins(1);
/// How often it is seen whether rules have far more news than usual.
const SURGES_EVERY: SignedDuration = SignedDuration::from_hours(1);
/// How often old items are emptied.
const PRUNE_EVERY: SignedDuration = SignedDuration::from_hours(1);

/// How long a reload may take to read the configuration: very many rules take some seconds.
const READING: Duration = Duration::from_secs(10);

/// What is written down of a round of `run --once`.
const ONCE: &str = "once";

/// What the daemon is told from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Control {
    /// Read the configuration again (SIGHUP).
    Reload,
    /// Open the files of receivers again (SIGUSR1).
    Reopen,
    /// Stop in order (SIGTERM, ctrl-c).
    Stop,
}

/// Reads and checks the configuration; what is wrong with it, as text, when it cannot be used.
pub type ReadConfig = dyn Fn() -> Result<Config, String> + Send + Sync;

/// What a run of the daemon needs.
pub struct Setup {
    /// The configuration to start with.
    pub config: Config,
    /// How to read it again.
    pub read_config: Arc<ReadConfig>,
    /// The time.
    pub clock: Clock,
    /// Orders from outside; the daemon stops when all senders are gone.
    pub control: mpsc::Receiver<Control>,
    /// Told each time that no poll is under way, for one who moves the clock by hand.
    pub idle: Option<watch::Sender<Option<Idle>>>,
}

/// No poll is under way, and none is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Idle {
    /// When this was so.
    pub at: Timestamp,
    /// When that will change, if it will.
    pub next_due: Option<Timestamp>,
}

/// What `run --once` did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Summary {
    /// Feeds polled with success.
    pub polled: usize,
    /// Feeds that failed.
    pub failed: usize,
    /// Feeds not asked, because their host asked to be left alone.
    pub resting: usize,
    /// Items not seen before.
    pub new_items: usize,
    /// Hits.
    pub hits: usize,
    /// Alerts raised.
    pub alerts: usize,
}

/// Runs until told to stop.
pub async fn run(setup: Setup) -> anyhow::Result<()> {
    let mut daemon = Daemon::start(setup, Mode::Forever).await?;
    daemon.announce("started").await;
    info!(version = env!("CARGO_PKG_VERSION"), "started: {}", daemon.status_line());
    systemd::ready(&daemon.status_line());
    daemon.serve().await;
    systemd::stopping();
    daemon.announce("stopped").await;
    daemon.stop(STOP_DELIVERIES).await;
    Ok(())
}

/// Polls every feed once and delivers what is due.
pub async fn run_once(setup: Setup) -> anyhow::Result<Summary> {
    let mut daemon = Daemon::start(setup, Mode::Once).await?;
    daemon.summary.resting = daemon.queue.all_due(daemon.clock.now());
    let finished = daemon.serve().await;
    if finished {
        daemon.match_stored_items();
        tokio::select! {
            () = daemon.backfill.finish() => {}
            _ = daemon.control.recv() => {}
        }
    }
    let now = daemon.clock.now();
    if let Err(error) = daemon.teller.look(&daemon.store, daemon.health(), now).await {
        error!("failed to sum up events: {error:#}");
    }
    daemon.tell_due(now).await;
    let summary = daemon.summary;
    daemon.announce(ONCE).await;
    daemon.stop(ONCE_DELIVERIES).await;
    Ok(summary)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Forever,
    Once,
}

/// Everything that can happen.
enum Event {
    /// A poll may be due.
    Due,
    /// A poll has ended.
    Polled(Box<Result<(Id, anyhow::Result<Report>), JoinError>>),
    /// A poll has become slow.
    Slow(FeedName),
    /// An order from outside; `None` when nobody can give one any more.
    Control(Option<Control>),
    /// Nothing is in reach, and it is time to try one feed.
    Probe,
    /// Time to look whether events wait.
    Look,
    /// That look has ended.
    Looked(Result<Looked, JoinError>),
    /// Time to show that we are alive.
    Heartbeat,
    /// The database has answered a heartbeat.
    Beaten(Result<Result<(), StoreError>, JoinError>),
    /// Nothing is left to do (`run --once`).
    Finished,
}

/// What a look found that had waited for its time.
struct Looked {
    /// Events were told.
    events: bool,
    /// The rules of the alerts that were told.
    told: Vec<String>,
    /// The feeds that fail, as they are stored.
    failing: Vec<FailingFeed>,
}

struct Daemon {
    mode: Mode,
    config: Arc<Config>,
    read_config: Arc<ReadConfig>,
    clock: Clock,
    control: mpsc::Receiver<Control>,
    idle: Option<watch::Sender<Option<Idle>>>,
    store: Arc<Store>,
    fetcher: Fetcher,
    queue: Queue,
    network: Network,
    /// What polls under way are told of it.
    offline: Arc<AtomicBool>,
    /// For the documents that polls under way bring.
    readers: Readers,
    deliverer: Deliverer,
    teller: Teller,
    metrics: Arc<Metrics>,
    /// Gives the metrics to those who ask, where the configuration wants it.
    exporter: Option<Exporter>,
    polls: JoinSet<anyhow::Result<Report>>,
    polling: HashMap<Id, Poll>,
    slow: HashSet<FeedName>,
    slow_sender: mpsc::Sender<FeedName>,
    slow_receiver: mpsc::Receiver<FeedName>,
    heartbeat: tokio::time::Interval,
    /// The heartbeat that waits for the database; one at most.
    beats: JoinSet<Result<(), StoreError>>,
    pulse: Pulse,
    /// When it is next seen whether events wait, and the look under way; one at most.
    next_look: Timestamp,
    next_surges: Timestamp,
    looks: JoinSet<Looked>,
    /// What else works on the store beside the loop.
    chores: JoinSet<()>,
    /// The matching of stored items against new rules.
    backfill: Backfill,
    /// Since when nothing has been in reach, if the operator was told so and not yet of the end.
    offline_told: Option<Timestamp>,
    next_prune: Timestamp,
    /// What the clock showed when it was last looked at.
    last_seen: Timestamp,
    /// Why the last reload was refused.
    refused: Option<String>,
    summary: Summary,
}

impl Daemon {
    async fn start(setup: Setup, mode: Mode) -> anyhow::Result<Self> {
        let Setup { config, read_config, clock, control, idle } = setup;
        let now = clock.now();
        fetch::check_system(&config)?;
        let store = Arc::new(Store::open(&config.store.path)?);
        let config = Arc::new(learnt(config, &store).await?);
        store.adopt_feeds(&config, now).await?;
        let mut backfill = Backfill::default();
        backfill.want(store.adopt_rules(rule_ids(&config), now).await?, std::iter::empty());
        warn_of_impatience(&config);
        let fetcher = Fetcher::new(&config.poll).context("failed to set up HTTP")?;
        let receivers = open_receivers(&config.receivers, &[]).await?;
        let teller = Teller::new(&config, &store, now)?;
        let deliverer = Deliverer::start(receivers, &store, &clock, &teller);
        let mut queue = load_queue(&store, &config, now)?;
        follow_intervals(&store, &mut queue).await;
        let metrics = Arc::<Metrics>::default();
        let exporter = match config.metrics.filter(|_| mode == Mode::Forever) {
            Some(settings) => {
                Some(Exporter::start(settings.listen, &metrics, &store, &clock).await?)
            }
            None => None,
        };
        let (slow_sender, slow_receiver) = mpsc::channel(64);
        let network = store.read(|reader| reader.fact(NETWORK))?;
        let offline_told =
            network.filter(|network| network.value == OFFLINE).map(|network| network.at);
        let facts = store.read(|reader| Ok([reader.fact("config")?, reader.fact("heartbeat")?]))?;
        let last_seen = facts.into_iter().flatten().map(|fact| fact.at).fold(now, Timestamp::max);
        let mut daemon = Self {
            mode,
            config,
            read_config,
            clock,
            control,
            idle,
            store,
            fetcher,
            queue,
            network: Network::default(),
            offline: Arc::default(),
            readers: Readers::default(),
            deliverer,
            teller,
            metrics,
            exporter,
            polls: JoinSet::new(),
            polling: HashMap::new(),
            slow: HashSet::new(),
            slow_sender,
            slow_receiver,
            heartbeat: tokio::time::interval(
                systemd::watchdog_interval().map_or(HEARTBEAT, |asked| asked.min(HEARTBEAT)),
            ),
            beats: JoinSet::new(),
            pulse: Pulse::default(),
            next_look: now,
            next_surges: now,
            looks: JoinSet::new(),
            chores: JoinSet::new(),
            backfill,
            offline_told,
            next_prune: now,
            last_seen,
            refused: None,
            summary: Summary::default(),
        };
        daemon.follow_clock().await;
        // What ended while nobody ran is told first.
        sum_up_silences(&daemon.store, &daemon.config, now).await;
        Ok(daemon)
    }

    /// Does what comes until it is told to stop, which is false, or nothing is left to do.
    async fn serve(&mut self) -> bool {
        loop {
            self.follow_clock().await;
            self.start_polls();
            self.tell_idle();
            match self.next_event().await {
                Event::Due => {}
                Event::Probe => self.probe(),
                Event::Polled(ended) => self.polled(*ended).await,
                Event::Look => self.look(),
                Event::Looked(looked) => self.looked(looked),
                Event::Slow(name) => self.mark_slow(name),
                Event::Control(Some(Control::Reload)) => self.reload().await,
                Event::Control(Some(Control::Reopen)) => self.deliverer.reopen(),
                Event::Control(Some(Control::Stop) | None) => return false,
                Event::Heartbeat => self.beat(),
                Event::Beaten(Ok(result)) => self.beaten(result),
                Event::Beaten(Err(panic)) => error!("the heartbeat failed: {panic}"),
                Event::Finished => return true,
            }
        }
    }

    fn tell_idle(&self) {
        if let Some(idle) = self.idle.as_ref().filter(|_| self.polls.is_empty()) {
            let next = [self.queue.next_due(), self.network.next_probe()];
            let next_due = next.into_iter().flatten().min();
            idle.send_replace(Some(Idle { at: self.last_seen, next_due }));
        }
    }

    /// When the clock has been set back, since the last look or since the last run, moves all that
    /// waits for a time along: it would wait for that much longer, and nobody would notice.
    async fn follow_clock(&mut self) {
        let now = self.clock.now();
        let by = self.last_seen.duration_since(now);
        if by > SET_BACK {
            let seconds = by.as_secs();
            warn!(seconds, "the clock was set back by {seconds} s; what is due moves with it");
            if let Err(error) = self.store.set_back(by, now).await {
                error!("failed to move what is due: {:#}", anyhow::Error::from(error));
                return;
            }
            self.queue.set_back(by);
            self.network.set_back(by);
            self.next_prune -= by;
            self.next_look -= by;
            self.next_surges -= by;
            self.offline_told = self.offline_told.map(|since| since - by);
        }
        self.last_seen = now;
    }

    async fn next_event(&mut self) -> Event {
        if self.mode == Mode::Once && self.polls.is_empty() && self.queue.next_due().is_none() {
            return Event::Finished;
        }
        let may_start = self.may_start();
        let (due, probe) = (self.queue.next_due(), self.network.next_probe());
        let (clock, next_look) = (self.clock.clone(), self.next_look);
        tokio::select! {
            biased;
            control = self.control.recv() => Event::Control(control),
            _ = self.heartbeat.tick() => Event::Heartbeat,
            Some(result) = self.beats.join_next() => Event::Beaten(result),
            Some(ended) = self.polls.join_next_with_id() => Event::Polled(Box::new(ended)),
            Some(name) = self.slow_receiver.recv() => Event::Slow(name),
            Some(looked) = self.looks.join_next() => Event::Looked(looked),
            () = async { clock.sleep_until(next_look).await },
                if self.mode == Mode::Forever && self.looks.is_empty() => Event::Look,
            () = async { clock.sleep_until(due.unwrap_or(Timestamp::MAX)).await },
                if may_start && due.is_some() => Event::Due,
            () = async { clock.sleep_until(probe.unwrap_or(Timestamp::MAX)).await },
                if may_start && probe.is_some() => Event::Probe,
        }
    }

    /// Whether another poll may run now.
    fn may_start(&self) -> bool {
        let brisk = self.polls.len() - self.slow.len();
        brisk < self.config.poll.concurrency && self.slow.len() < MOST_SLOW
    }

    fn start_polls(&mut self) {
        while self.may_start()
            && let Some(poll) = self.queue.take(self.clock.now())
        {
            self.start_poll(poll);
        }
    }

    fn start_poll(&mut self, mut poll: Poll) {
        let poller = Poller {
            store: self.store.clone(),
            fetcher: self.fetcher.clone(),
            clock: self.clock.clone(),
            config: self.config.clone(),
            teller: self.teller.clone(),
            offline: self.offline.clone(),
            readers: self.readers.clone(),
        };
        let (slow, started) = (self.slow_sender.clone(), poll.clone());
        let handle = self.polls.spawn(async move {
            let name = started.feed.name.clone();
            // It is large, and a task is moved several times before it runs.
            let mut poll = Box::pin(poller.poll(started));
            match tokio::time::timeout(SLOW_POLL, &mut poll).await {
                Ok(report) => report,
                Err(_) => {
                    // The channel is gone only when the daemon is.
                    let _ = slow.send(name).await;
                    poll.await
                }
            }
        });
        // What is gone on with should the poll not be taken in.
        poll.state.first_request = Some(schedule::first_request(&poll.state, self.clock.now()));
        self.polling.insert(handle.id(), poll);
    }

    /// Tries one of the feeds that are kept back.
    fn probe(&mut self) {
        let now = self.clock.now();
        self.network.probed(now);
        if let Some(poll) = self.queue.probe(now) {
            self.start_poll(poll);
        }
    }

    /// Takes note of what a poll tells of our own network.
    async fn notice(&mut self, report: &Report) {
        let now = self.clock.now();
        if report.reach == Reach::Reached
            && let Some(since) = self.offline_told.take()
        {
            self.raise(&operator::online(since, now), Some("online")).await;
        }
        let change = match report.reach {
            // A single round judges every feed by itself.
            _ if self.mode == Mode::Once => None,
            Reach::Unknown => None,
            Reach::Reached => self.network.reached(),
            Reach::Unreachable => {
                let hosts = self.queue.hosts();
                self.network.unreachable(&report.host, hosts, now)
            }
        };
        match change {
            None => return,
            Some(Change::Lost) => {
                warn!("nothing is in reach: feeds wait until something is");
                self.queue.hold();
                if self.offline_told.is_none() {
                    self.offline_told = Some(now);
                    self.raise(&operator::offline(now), Some(OFFLINE)).await;
                }
            }
            Some(Change::Back(since)) => {
                let seconds = now.duration_since(since).as_secs();
                info!(seconds, "something is in reach again after {seconds} s");
                self.queue.release(now, AFTER_OUTAGE);
            }
        }
        self.offline.store(self.queue.is_held(), Ordering::Relaxed);
    }

    /// Tells the operator of something, and remembers what it says of our network.
    async fn raise(&mut self, event: &operator::Event, network: Option<&str>) {
        let now = self.clock.now();
        let outgoing = self.teller.tell(event, now).into_iter().collect();
        let note = network.map(|state| (NETWORK.to_owned(), state.to_owned()));
        match self.store.raise(outgoing, note, now).await {
            Ok(()) => self.deliverer.wake(),
            Err(error) => {
                let event = event.kind.as_str();
                error!("failed to store {event}: {:#}", anyhow::Error::from(error));
            }
        }
    }

    /// Looks whether events wait, off the event loop.
    fn look(&mut self) {
        let now = self.clock.now();
        self.next_look = now + LOOK_EVERY;
        let (teller, store, health) = (self.teller.clone(), self.store.clone(), self.health());
        let config = self.config.clone();
        let surges = (now >= self.next_surges).then(|| self.readable());
        if surges.is_some() {
            self.next_surges = now + SURGES_EVERY;
        }
        self.looks.spawn(async move {
            let events = teller.look(&store, health, now).await.unwrap_or_else(|error| {
                error!("failed to sum up events: {error:#}");
                false
            });
            let mut told = store.tell_due(&config, now).await.unwrap_or_else(|error| {
                error!("failed to tell bulletins: {:#}", anyhow::Error::from(error));
                Vec::new()
            });
            if let Some(health) = surges {
                match store.look_for_surges(&config, health, now).await {
                    Ok(rules) => {
                        for rule in &rules {
                            info!(rule, "{rule} has far more news than usual");
                        }
                        told.extend(rules);
                    }
                    Err(error) => {
                        error!("failed to look for surges: {:#}", anyhow::Error::from(error));
                    }
                }
            }
            let read = move || store.read(|reader| reader.failing_feeds());
            let read = tokio::task::spawn_blocking(read).await;
            let failing = read.unwrap_or(Err(StoreError::Stopped)).unwrap_or_else(|error| {
                error!("failed to look feeds up: {:#}", anyhow::Error::from(error));
                Vec::new()
            });
            Looked { events, told, failing }
        });
    }

    fn looked(&mut self, looked: Result<Looked, JoinError>) {
        match looked {
            Ok(Looked { events, told, failing }) => {
                let feeds = self.queue.hasten(&failing);
                if feeds > 0 {
                    info!(
                        feeds,
                        "{} made due, to be asked as soon as the host may be",
                        count(feeds, "feed")
                    );
                }
                self.metrics.alerted(&told);
                if !told.is_empty() {
                    let alerts = told.len();
                    info!(alerts, "raised {} whose time had come", count(alerts, "alert"));
                }
                if events || !told.is_empty() {
                    self.deliverer.wake();
                }
            }
            Err(panic) => error!("telling what had waited failed: {panic}"),
        }
    }

    /// Tells the bulletins that are due, and surges.
    async fn tell_due(&mut self, now: Timestamp) {
        let health = self.readable();
        for told in [
            self.store.tell_due(&self.config, now).await,
            self.store.look_for_surges(&self.config, health, now).await,
        ] {
            match told {
                Ok(told) => self.summary.alerts += told.len(),
                Err(error) => {
                    error!("failed to tell what waited: {:#}", anyhow::Error::from(error));
                }
            }
        }
    }

    /// How many feeds can be read.
    fn readable(&self) -> f64 {
        self.queue.len().saturating_sub(self.in_trouble()) as f64
    }

    /// How we are doing, for a heartbeat.
    fn health(&self) -> operator::Summary {
        operator::Summary {
            feeds: self.queue.len(),
            in_trouble: self.in_trouble(),
            rules: self.config.rules.rules().len(),
            last_ok: self.queue.states().filter_map(|state| state.last_ok).max(),
        }
    }

    fn in_trouble(&self) -> usize {
        let well = |state: &&FeedState| matches!(state.state, State::New | State::Active);
        self.queue.states().filter(|state| !well(state)).count()
    }

    fn mark_slow(&mut self, name: FeedName) {
        // The poll may have ended between the message and now.
        if self.polling.values().any(|poll| poll.feed.name == name) {
            self.slow.insert(name);
        }
    }

    async fn polled(&mut self, ended: Result<(Id, anyhow::Result<Report>), JoinError>) {
        let (id, report) = match ended {
            Ok((id, report)) => (id, report),
            Err(panic) => (panic.id(), Err(anyhow::anyhow!("the poll failed: {panic}"))),
        };
        let Some(Poll { feed, mut state, host, pace }) = self.polling.remove(&id) else { return };
        self.slow.remove(&feed.name);
        self.match_stored_items();
        let again = self.mode == Mode::Forever;
        let unchanged = HostState { not_before: None, pace };
        match report {
            Ok(report) => {
                self.metrics.observe(&report);
                self.summary.polled += usize::from(!report.failed);
                self.summary.failed += usize::from(report.failed);
                self.summary.new_items += report.new_items;
                self.summary.hits += report.hits;
                self.summary.alerts += report.alerts;
                if report.alerts + report.events > 0 {
                    self.deliverer.wake();
                }
                self.notice(&report).await;
                let Report { feed, state, host_state, .. } = report;
                self.queue.finished(&feed, &host, state, host_state, again);
                let rests = host_state.not_before.is_some()
                    || host_state.pace.gap(Duration::ZERO) > LONGEST_GAP_OF_ONCE;
                if self.mode == Mode::Once && rests {
                    self.summary.resting += self.queue.give_up(&host);
                }
            }
            Err(error) if matches!(error.downcast_ref(), Some(StoreError::Superseded { .. })) => {
                info!(feed = %feed.name, "the poll of {} is dropped: {error:#}", feed.name);
                self.queue.finished(&feed, &host, state, unchanged, again);
            }
            Err(error) => {
                self.summary.failed += 1;
                let now = self.clock.now();
                state.next_due = now + AFTER_STORE_FAILURE;
                error!(feed = %feed.name, next_due = %state.next_due,
                    "the poll of {} was not taken in and will be made again: {error:#}", feed.name);
                self.queue.finished(&feed, &host, state, unchanged, again);
            }
        }
    }

    /// Reads the configuration again. When it is bad, everything goes on as before, loudly.
    async fn reload(&mut self) {
        systemd::reloading();
        let read_config = self.read_config.clone();
        let read = tokio::task::spawn_blocking(move || read_config());
        let result = match tokio::time::timeout(READING, read).await {
            Err(_) => {
                let seconds = READING.as_secs();
                let why = format!("reading the configuration takes longer than {seconds} s");
                Err((Refusal::System, why))
            }
            Ok(Ok(Ok(config))) => {
                self.adopt(config).await.map_err(|error| (Refusal::System, format!("{error:#}")))
            }
            Ok(Ok(Err(problems))) => Err((Refusal::Files, problems)),
            Ok(Err(panic)) => {
                Err((Refusal::System, format!("reading the configuration failed: {panic}")))
            }
        };
        let (refusal, refused) = result.err().unzip();
        let before = std::mem::replace(&mut self.refused, refused);
        if let Some((refusal, problems)) =
            refusal.zip(self.refused.clone()).filter(|_| before != self.refused)
        {
            let now = self.clock.now();
            self.raise(&operator::config_refused(refusal, &problems, now), None).await;
        }
        match &self.refused {
            Some(problems) => {
                for problem in problems.lines() {
                    error!("reload refused: {problem}");
                }
                self.announce("reload-refused").await;
            }
            None => {
                info!(
                    feeds = self.queue.len(),
                    rules = self.config.rules.rules().len(),
                    "reloaded: {}",
                    self.status_line()
                );
                self.announce("reloaded").await;
            }
        }
        systemd::ready(&self.status_line());
    }

    async fn adopt(&mut self, config: Config) -> anyhow::Result<()> {
        if config.store.path != self.config.store.path {
            warn!(path = %self.config.store.path.display(),
                "store.path takes effect at the next start; still using {}",
                self.config.store.path.display());
        }
        fetch::check_system(&config)?;
        let receivers = open_receivers(&config.receivers, self.deliverer.receivers()).await?;
        let fetcher = Fetcher::new(&config.poll).context("failed to set up HTTP")?;
        let exporter = self.changed_exporter(&config).await?;
        let config = Arc::new(learnt(config, &self.store).await?);
        let now = self.clock.now();
        self.store.adopt_feeds(&config, now).await?;
        let mut queue = load_queue(&self.store, &config, now)?;
        // It works with the rules that are replaced.
        self.backfill.stop().await;
        // Last of what may fail: a rule that the store knows is matched by the configuration in
        // force, and one that this does not have would count as matched.
        let new_rules = self.store.adopt_rules(rule_ids(&config), now).await?;
        self.backfill.want(new_rules, self.polling.keys().copied());
        warn_of_impatience(&config);
        queue.try_changed(&self.config.feeds, now);
        follow_intervals(&self.store, &mut queue).await;
        let polling = self.polling.values().map(|poll| poll.feed.name.clone()).collect();
        self.queue.replace(queue, &polling);
        self.teller = self.teller.with(&config);
        self.deliverer.halt(STOP_DELIVERIES).await;
        self.deliverer = Deliverer::start(receivers, &self.store, &self.clock, &self.teller);
        if let Some(exporter) = exporter {
            self.exporter = exporter;
        }
        (self.config, self.fetcher) = (config, fetcher);
        self.match_stored_items();
        Ok(())
    }

    /// The exporter that a configuration wants, where that is another than the one there is.
    async fn changed_exporter(&self, config: &Config) -> anyhow::Result<Option<Option<Exporter>>> {
        let wanted = config.metrics.map(|settings| settings.listen);
        if wanted == self.exporter.as_ref().map(Exporter::configured) {
            return Ok(None);
        }
        Ok(Some(match wanted {
            None => None,
            Some(address) => {
                let (metrics, store) = (&self.metrics, &self.store);
                Some(Exporter::start(address, metrics, store, &self.clock).await?)
            }
        }))
    }

    /// Writes down what has just happened, for `status`.
    async fn announce(&self, event: &str) {
        let rounds_since = (event == ONCE).then(|| self.rounds_since());
        let value = serde_json::json!({
            "event": event,
            "version": env!("CARGO_PKG_VERSION"),
            "pid": std::process::id(),
            "feeds": self.queue.len(),
            "rules": self.config.rules.rules().len(),
            "receivers": self.config.receivers.iter().map(|it| &it.name).collect::<Vec<_>>(),
            "problems": self.refused,
            "metrics": self.exporter.as_ref().map(Exporter::listening),
            "files": self.config.files,
            "rounds_since": rounds_since,
        });
        if let Err(error) = self.store.note("config", &value.to_string(), self.clock.now()).await {
            error!("failed to note {event}: {:#}", anyhow::Error::from(error));
        }
    }

    /// Since when rounds of `run --once` have been made and no daemon has run between.
    fn rounds_since(&self) -> Timestamp {
        let before = self.store.read(|reader| reader.fact("config")).ok().flatten();
        before.and_then(|fact| rounds_since(&fact)).unwrap_or_else(|| self.clock.now())
    }

    /// Writes down that the daemon is alive; systemd hears of it when the writer has answered.
    fn beat(&mut self) {
        let (store, now) = (self.store.clone(), self.clock.now());
        self.prune(now);
        self.match_stored_items();
        if self.mode == Mode::Once {
            return;
        }
        while self.chores.try_join_next().is_some() {}
        if self.chores.is_empty() {
            let (store, config) = (store.clone(), self.config.clone());
            self.chores.spawn(async move { sum_up_silences(&store, &config, now).await });
        }
        if !self.beats.is_empty() {
            error!("the database has not answered since the last heartbeat");
            return;
        }
        let pid = std::process::id().to_string();
        self.beats.spawn(async move { store.note("heartbeat", &pid, now).await });
    }

    fn beaten(&mut self, result: Result<(), StoreError>) {
        let before = self.pulse.failing().map(|(since, _)| since);
        let beat = self.pulse.take(result, self.clock.now());
        match (before, self.pulse.failing()) {
            (None, Some((_, why))) => error!("the database cannot be written: {why}"),
            (Some(since), None) => {
                info!("the database can be written again; it failed since {since}")
            }
            _ => {}
        }
        match beat {
            Beat::Alive => systemd::alive(&self.status_line()),
            Beat::Broken => systemd::status(&self.status_line()),
        }
    }

    /// Has stored items matched against rules that are new.
    fn match_stored_items(&mut self) {
        let polling = &self.polling;
        self.backfill.go_on(&self.store, &self.config, &self.clock, |id| polling.contains_key(id));
    }

    /// Empties old items, once in a while.
    fn prune(&mut self, now: Timestamp) {
        if now < self.next_prune {
            return;
        }
        self.next_prune = now + PRUNE_EVERY;
        let keep = SignedDuration::try_from(self.config.store.keep_items);
        let Some(before) = keep.ok().and_then(|keep| now.checked_sub(keep).ok()) else { return };
        let store = self.store.clone();
        self.chores.spawn(async move {
            match store.prune(before, now).await {
                Ok(0) => {}
                Ok(items) => {
                    info!(items, "emptied {} older than store.keep_items", count(items, "item"))
                }
                Err(error) => error!("failed to prune: {:#}", anyhow::Error::from(error)),
            }
        });
    }

    fn status_line(&self) -> String {
        let ill = self.in_trouble();
        let mut line = format!(
            "{} ({ill} in trouble), {}",
            count(self.queue.len(), "feed"),
            count(self.config.rules.rules().len(), "rule")
        );
        if let Some(since) = self.network.offline_since() {
            line = format!("NOTHING IN REACH since {}; {line}", since.strftime("%H:%M UTC"));
        }
        if let Some(problems) = &self.refused {
            let first = problems.lines().next().unwrap_or_default();
            line = format!("RELOAD REFUSED, running with the old configuration: {first}; {line}");
        }
        if let Some((since, why)) = self.pulse.failing() {
            let since = since.strftime("%H:%M UTC");
            line = format!("CANNOT WRITE to the database since {since}: {why}; {line}");
        }
        line
    }

    /// No new polls; commit what is in flight; deliver until a deadline; close the database.
    async fn stop(mut self, deliveries: Duration) {
        info!(polls = self.polls.len(), "stopping");
        let ended = tokio::time::timeout(STOP_POLLS, async {
            while let Some(ended) = self.polls.join_next_with_id().await {
                if let Ok((_, Ok(report))) = ended
                    && report.alerts + report.events > 0
                {
                    self.deliverer.wake();
                }
            }
        });
        if ended.await.is_err() {
            info!(polls = self.polls.len(), "gave up polls under way; they are made again");
            self.polls.shutdown().await;
        }
        // What still works on the database keeps it open.
        self.backfill.stop().await;
        self.chores.shutdown().await;
        while self.looks.join_next().await.is_some() {}
        self.deliverer.drain(deliveries).await;
        drop((self.exporter, self.beats));
        let store = last_hold(self.store).await;
        // Closing folds the write-ahead log into the database, which blocks.
        let _ = tokio::task::spawn_blocking(move || drop(store)).await;
        info!("stopped");
    }
}

/// Waits for reads that nobody waits for any more: while one holds the store, it stays locked.
async fn last_hold(store: Arc<Store>) -> Arc<Store> {
    let started = std::time::Instant::now();
    while Arc::strong_count(&store) > 1 && started.elapsed() < STOP_READS {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    store
}

/// Tells what silences held back that have ended; the deliverer finds it at its next look.
async fn sum_up_silences(store: &Store, config: &Arc<Config>, now: Timestamp) {
    match store.sum_up_silences(config, now).await {
        Ok(0) => {}
        Ok(silences) => info!(silences, "summed up what {} held back", count(silences, "silence")),
        // The heartbeat says so, once.
        Err(error) if error.is_from_outside() => {}
        Err(error) => error!("failed to sum up silences: {:#}", anyhow::Error::from(error)),
    }
}

/// Opens the receivers; what stays as it was `before` goes on.
async fn open_receivers(
    settings: &[config::Receiver],
    before: &[Arc<Receiver>],
) -> anyhow::Result<Vec<Receiver>> {
    let end = tokio::time::Instant::now() + OPENING;
    let mut receivers = Vec::new();
    for settings in settings {
        let (owned, before) = (settings.clone(), before.to_vec());
        // A disk may hang.
        let open = tokio::task::spawn_blocking(move || Receiver::open(&owned, &before));
        let opened = match tokio::time::timeout_at(end, open).await {
            Ok(opened) => opened.unwrap_or_else(|panic| Err(panic.into())),
            Err(_) => Err(anyhow::anyhow!("it takes longer than {OPENING:?}")),
        };
        let opened = opened.with_context(|| format!("failed to open receiver {:?}", settings.name));
        receivers.push(opened?);
    }
    Ok(receivers)
}

/// Has many rules learn from the newest items which of their terms are rare.
async fn learnt(mut config: Config, store: &Arc<Store>) -> anyhow::Result<Config> {
    let store = store.clone();
    let learn = move || {
        let rules =
            Arc::get_mut(&mut config.rules).filter(|rules| rules.rules().len() >= WORTH_LEARNING);
        if let Some(rules) = rules {
            let items = store.read(|reader| reader.newest_items(ITEMS_TO_LEARN_FROM))?;
            if !items.is_empty() {
                rules.learn(items.iter().map(|(_, item)| item));
            }
        }
        Ok(config)
    };
    // With thousands of rules it takes a good part of a second.
    tokio::task::spawn_blocking(learn).await.context("learning from stored items failed")?
}

fn rule_ids(config: &Config) -> Vec<String> {
    config.rules.rules().iter().map(|rule| rule.id.to_string()).collect()
}

/// Names the feeds that are asked sooner than their servers want.
fn warn_of_impatience(config: &Config) {
    for feed in config.feeds.iter().filter(|feed| feed.enabled && feed.ignore_cache_lifetime) {
        let feed = &feed.name;
        warn!(%feed, "{feed} is asked however long its answers stay fresh: its operator may mind");
    }
}

/// Since when rounds have been made, as the last of them wrote it down; nothing after a daemon.
fn rounds_since(fact: &Fact) -> Option<Timestamp> {
    let value: serde_json::Value = serde_json::from_str(&fact.value).ok()?;
    let since = value["rounds_since"].as_str().and_then(|since| since.parse().ok());
    (value["event"] == ONCE).then(|| since.unwrap_or(fact.at))
}

fn load_queue(store: &Store, config: &Config, now: Timestamp) -> anyhow::Result<Queue> {
    let (states, hosts) = store.read(|reader| Ok((reader.feed_states()?, reader.hosts(now)?)))?;
    Ok(Queue::new(&config.feeds, &states, hosts, &config.poll, now))
}

/// Has intervals count that have become shorter, and writes down when those feeds are asked.
async fn follow_intervals(store: &Store, queue: &mut Queue) {
    let moved = queue.follow_intervals();
    if moved.is_empty() {
        return;
    }
    let feeds = moved.len();
    info!(feeds, "{} to be asked sooner, as intervals are shorter now", count(feeds, "feed"));
    // What is not written down is only what lists say of it.
    if let Err(error) = store.bring_forward(moved).await {
        error!("failed to note when feeds are due: {:#}", anyhow::Error::from(error));
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_receiver_whose_file_hangs_is_named_and_not_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("alerts.atom");
        // Whoever opens it to read waits for one who writes.
        assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
        let atom = config::Atom { path: path.clone(), entries: 1, title: String::new() };
        let receivers = [config::Receiver {
            name: "desk".to_owned(),
            kind: config::ReceiverKind::Atom(atom),
            max_per_minute: None,
        }];
        let mut opening = std::pin::pin!(open_receivers(&receivers, &[]));
        tokio::select! {
            biased;
            _ = &mut opening => panic!("it does not hang"),
            () = tokio::task::yield_now() => {}
        }
        tokio::time::advance(OPENING + Duration::from_millis(1)).await;
        let error = format!("{:#}", opening.await.unwrap_err());
        assert_eq!(error, "failed to open receiver \"desk\": it takes longer than 10s");
        // The thread that hangs can end.
        std::fs::OpenOptions::new().write(true).open(&path).unwrap();
    }
}
