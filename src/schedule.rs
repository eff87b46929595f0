//! The next poll of a feed: a pure function of what is known about it and how the last one went.

pub mod health;
pub mod host;
mod moved;
pub mod offline;
mod pace;
pub mod rate;
pub mod trouble;
mod trust;

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

pub use self::host::{HostPace, HostState};
pub use self::moved::Move;
use self::pace::Overlap;
use self::pace::{
    BLOCKED, DAMAGED, DAY, GONE, LONG_NOT_FOUND, LONG_TRANSIENT, LONGEST_WISH, MINUTE, NOT_FOUND,
    THROTTLED, TRANSIENT, jittered, passing, pause, seconds, step, step_after,
};
pub use self::pace::{Heed, Pace, SMALLEST_WINDOW};
use self::rate::Arrivals;
use self::trouble::Troubles;
pub use self::trust::{Trust, conditions};
use crate::poll::{DueBy, Failure, FailureKind, Freshness, Hints, Validators};

/// The condition a feed is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum State {
    /// Never polled with success.
    New,
    /// The last poll went well.
    Active,
    /// The last documents were cut off or damaged; what could be read of them was taken in.
    Degraded,
    /// The last polls failed; it is tried again, for ever, less and less often.
    Retry,
    /// The host asked to be left alone.
    Throttled,
    /// The server keeps us out; a person must act.
    Blocked,
    /// The server says that it will never come back; looked at rarely.
    Gone,
}

/// All that is remembered about a feed between polls; the store keeps it.
#[derive(Debug, Clone, PartialEq)]
pub struct FeedState {
    /// The condition it is in.
    pub state: State,
    /// Since when.
    pub state_since: Timestamp,
    /// Why, for a person; absent while all is well.
    pub why: Option<String>,
    /// Failures in a row, or damaged documents in a row.
    pub failures: u32,
    /// The kind of the last failure; absent while all is well, and for damaged documents.
    pub failure: Option<FailureKind>,
    /// Since when failures have been of that kind.
    pub failure_since: Option<Timestamp>,
    /// The address that is asked in place of the configured one, after it has proven that the feed
    /// has moved there for good.
    pub effective_url: Option<String>,
    /// When that address was adopted last; it stays when the address is given up again.
    pub moved_at: Option<Timestamp>,
    /// An address that permanent redirects lead to and that has not proven itself yet.
    pub moving: Option<Move>,
    /// A digest of the id that the feed gives itself, at its own address.
    pub identity: Option<[u8; 16]>,
    /// What to send with the next poll.
    pub validators: Validators,
    /// Which of those are believed, and therefore sent; see [`conditions`].
    pub trust: Trust,
    /// When one of them was found to hide news.
    pub distrusted_at: Option<Timestamp>,
    /// When the feed was last asked without conditions to see whether its 304s are true.
    pub checked_at: Option<Timestamp>,
    /// When a body last came, changed or not: only 304s since.
    pub last_body: Option<Timestamp>,
    /// How long the last body said that it stays fresh; a 304 that says nothing renews it.
    pub lifetime: Option<Duration>,
    /// What the last body said about when the feed wants to be asked.
    pub hints: Hints,
    /// Bodies in a row that brought nothing new, with no 304 between.
    pub fruitless: u32,
    /// The digest of the last body that was taken in whole.
    pub body_hash: Option<[u8; 32]>,
    /// When the first request was started.
    pub first_request: Option<Timestamp>,
    /// When the last request was started.
    pub last_request: Option<Timestamp>,
    /// When a poll last went well, 304 included.
    pub last_ok: Option<Timestamp>,
    /// When a poll last brought a new item.
    pub last_new_item: Option<Timestamp>,
    /// When the first successful poll was committed.
    pub baseline_at: Option<Timestamp>,
    /// When to poll next.
    pub next_due: Timestamp,
    /// The interval that is kept while all is well; `None` before the first poll.
    pub interval: Option<Duration>,
    /// How often it brings something new; `None` before the first success.
    pub arrivals: Option<Arrivals>,
    /// How many items it showed when it last changed.
    pub window: u32,
    /// Bodies in a row that were the same, from a server that gives no validators.
    pub same_bodies: u32,
    /// When a poll last found nothing but new items, so that others may have been lost.
    pub gap_at: Option<Timestamp>,
    /// When the feed last changed the ids of most of its items at once.
    pub migrated_at: Option<Timestamp>,
    /// What is wrong with it for longer than a moment.
    pub troubles: Troubles,
}

impl State {
    const ALL: [State; 7] = [
        State::New,
        State::Active,
        State::Degraded,
        State::Retry,
        State::Throttled,
        State::Blocked,
        State::Gone,
    ];

    /// The word that the store and the lists use.
    pub fn as_str(self) -> &'static str {
        match self {
            State::New => "new",
            State::Active => "active",
            State::Degraded => "degraded",
            State::Retry => "retry",
            State::Throttled => "throttled",
            State::Blocked => "blocked",
            State::Gone => "gone",
        }
    }

    /// The same for a person: what failed where the condition only says that it is tried again.
    pub fn in_words(self, failure: Option<FailureKind>) -> &'static str {
        match (self, failure) {
            (State::Retry, Some(failure)) => failure.in_words(),
            (State::Retry, None) => "failing",
            _ => self.as_str(),
        }
    }

    /// The condition of that word.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == name)
    }
}

impl FeedState {
    /// A feed that has never been polled and is due at `due`.
    pub fn new(now: Timestamp, due: Timestamp) -> Self {
        Self {
            state: State::New,
            state_since: now,
            why: None,
            failures: 0,
            failure: None,
            failure_since: None,
            effective_url: None,
            moved_at: None,
            moving: None,
            identity: None,
            validators: Validators::default(),
            trust: Trust::All,
            distrusted_at: None,
            checked_at: None,
            last_body: None,
            lifetime: None,
            hints: Hints::default(),
            fruitless: 0,
            body_hash: None,
            first_request: None,
            last_request: None,
            last_ok: None,
            last_new_item: None,
            baseline_at: None,
            next_due: due,
            interval: None,
            arrivals: None,
            window: 0,
            same_bodies: 0,
            gap_at: None,
            migrated_at: None,
            troubles: Troubles::default(),
        }
    }

    /// Whether nothing differs from `other` but when the feed was asked and is to be asked again.
    pub fn differs_only_in_times(mut self, other: &Self) -> bool {
        self.last_request = other.last_request;
        self.last_ok = other.last_ok;
        self.next_due = other.next_due;
        self.interval = other.interval;
        self == *other
    }
}

/// How a poll went, as far as the schedule cares.
#[derive(Debug, Clone, Copy)]
pub enum Polled<'a> {
    /// A body was taken in.
    Changed {
        /// What came with it.
        answer: Answer<'a>,
        /// The digest of the body.
        body_hash: [u8; 32],
        /// What it showed.
        seen: &'a Seen,
    },
    /// What could be read of a damaged body was taken in. Its validators are not kept: they would
    /// hide the rest behind a 304.
    Damaged {
        /// What is wrong with it, for a person.
        why: &'a str,
        /// What it showed before the cut.
        seen: &'a Seen,
    },
    /// The same body again.
    SameBody(Answer<'a>),
    /// 304.
    NotModified(Answer<'a>),
    /// Nothing usable.
    Failed(&'a Failure),
}

/// What a good answer says beside its body.
#[derive(Debug, Clone, Copy)]
pub struct Answer<'a> {
    /// To be sent next time.
    pub validators: &'a Validators,
    /// When to come back.
    pub freshness: Freshness,
    /// Where permanent redirects, and no others, led.
    pub moved_to: Option<&'a str>,
}

/// The items of a body.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Seen {
    /// How many there were.
    pub shown: usize,
    /// When each of those that were new was published, by its own account.
    pub new: Vec<Option<Timestamp>>,
    /// Most of them came under other ids than before.
    pub migrated: bool,
    /// What fell out of the feed between two polls was found on its older pages: nothing was missed.
    pub filled: bool,
    /// When the feed wants to be asked.
    pub hints: Hints,
    /// A digest of the id that the feed gives itself.
    pub identity: Option<[u8; 16]>,
}

impl Seen {
    /// Whether nothing of it was known, so that others may have come and gone.
    pub fn is_gap(&self) -> bool {
        self.shown >= SMALLEST_WINDOW && self.new.len() >= self.shown
    }
}

/// What follows from a poll.
#[derive(Debug, Clone, PartialEq)]
pub struct Next {
    /// The feed's state from now on.
    pub feed: FeedState,
    /// The whole host is not to be asked before this.
    pub host_not_before: Option<Timestamp>,
    /// What decided when the feed is asked next.
    pub due_by: DueBy,
}

/// How much longer than usual a feed must not have been polled before that is an outage.
const LONG_AWAY: SignedDuration = SignedDuration::from_hours(24);
/// For how long a server must say 410 before it is believed.
const SURELY_GONE: SignedDuration = SignedDuration::from_hours(24);

/// No feed is asked out of its turn sooner after its last request, whoever wants it. A fixed interval may be
/// shorter, and so the pauses after failures of such a feed.
pub(crate) const LEAST_PAUSE: SignedDuration = SignedDuration::from_mins(1);

/// Which items of a poll were there before the feed was watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Baseline {
    /// All: it is the first.
    All,
    /// Those that were published before then, or do not say when: it is the first that brought something,
    /// and the first of all was then.
    Until(Timestamp),
    /// Those that were published before then: the first polls brought only a part.
    Before(Timestamp),
    /// None that are new.
    Nothing,
}

impl Baseline {
    /// What a poll of a feed in that state brings.
    pub fn of(feed: &FeedState) -> Self {
        match feed.baseline_at {
            None => feed
                .first_request
                .filter(|first| feed.last_request.is_some_and(|last| *first < last))
                .map_or(Baseline::All, Baseline::Until),
            Some(at) if feed.state == State::Degraded && feed.last_body.is_none() => {
                Baseline::Before(at)
            }
            Some(_) => Baseline::Nothing,
        }
    }

    /// Whether it holds an item that was published then, by its own account. Once a feed was read, one
    /// without a date is rather told than missed.
    pub fn holds(self, published: Option<Timestamp>) -> bool {
        match self {
            Baseline::All => true,
            Baseline::Until(at) => published.is_none_or(|published| published < at),
            Baseline::Before(at) => published.is_some_and(|published| published < at),
            Baseline::Nothing => false,
        }
    }
}

/// Marks a poll as started. Committed before the request is sent, so that a restart in the middle
/// waits as after a first failure and cannot hammer the server.
pub fn lease(before: &FeedState, pace: Pace, now: Timestamp) -> FeedState {
    let interval = pace.interval(before);
    let pause = passing(TRANSIENT, 1, interval);
    let mut feed = before.clone();
    correct_times(&mut feed, now);
    if !pace.local {
        trust::start(&mut feed, now);
    }
    feed.first_request = Some(first_request(before, now));
    feed.last_request = Some(now);
    feed.next_due = now + SignedDuration::from_secs(pause);
    feed.interval = Some(interval);
    feed
}

/// When a feed that is asked now was asked first, as far as is known.
pub(crate) fn first_request(feed: &FeedState, now: Timestamp) -> Timestamp {
    // A poll that was cut short may have left no more than when it began.
    feed.first_request.or(feed.last_request).map_or(now, |at| at.min(now))
}

/// What a clock that was ahead has dated into the future was now at the latest: nothing may last as
/// long as the clock was wrong.
fn correct_times(feed: &mut FeedState, now: Timestamp) {
    feed.checked_at = feed.checked_at.filter(|at| *at <= now);
    let FeedState { failure_since, moved_at, distrusted_at, last_body, last_ok, .. } = feed;
    for time in [failure_since, moved_at, distrusted_at, last_body, last_ok] {
        *time = time.map(|time| time.min(now));
    }
    let FeedState { first_request, last_new_item, baseline_at, gap_at, migrated_at, .. } = feed;
    let failing_since = &mut feed.troubles.failing_since;
    for time in [first_request, last_new_item, baseline_at, gap_at, migrated_at, failing_since] {
        *time = time.map(|time| time.min(now));
    }
    feed.state_since = feed.state_since.min(now);
    for time in feed.troubles.found.values_mut() {
        *time = (*time).min(now);
    }
    if let Some(moving) = &mut feed.moving {
        moving.since = moving.since.min(now);
    }
}

/// The state that follows `before` when the poll that was started at `before.last_request` went
/// as `polled` says. `seed` decides the jitter.
pub fn advance(
    before: &FeedState,
    polled: Polled<'_>,
    pace: Pace,
    now: Timestamp,
    seed: u64,
) -> Next {
    let mut feed = before.clone();
    match polled {
        Polled::Changed { answer, body_hash, seen } => {
            trust::judge(&mut feed, seen, now);
            feed.body_hash = Some(body_hash);
            feed.same_bodies = 0;
            feed.last_body = Some(now);
            feed.lifetime = answer.freshness.lifetime;
            feed.hints = seen.hints;
            let overlap = pace::overlap(before, seen);
            feed.fruitless = if seen.new.is_empty() { feed.fruitless.saturating_add(1) } else { 0 };
            take_note(&mut feed, seen, true, now);
            let known = seen.new.len() < seen.shown;
            moved::took(&mut feed, answer.moved_to, known, seen.identity, now);
            went_well(feed, answer, overlap, pace, now, seed)
        }
        Polled::SameBody(answer) => {
            let without = !answer.validators.is_conditional();
            feed.same_bodies = if without { feed.same_bodies.saturating_add(1) } else { 0 };
            feed.last_body = Some(now);
            feed.lifetime = answer.freshness.lifetime;
            feed.fruitless = feed.fruitless.saturating_add(1);
            moved::took(&mut feed, answer.moved_to, true, None, now);
            went_well(feed, answer, Overlap::Usual, pace, now, seed)
        }
        Polled::NotModified(answer) => {
            // RFC 9111 section 4.3.4: what a 304 does not say is as the stored answer said.
            feed.lifetime = answer.freshness.lifetime.or(feed.lifetime);
            feed.fruitless = 0;
            moved::took(&mut feed, answer.moved_to, true, None, now);
            went_well(feed, answer, Overlap::Usual, pace, now, seed)
        }
        Polled::Damaged { why, seen } => {
            take_note(&mut feed, seen, false, now);
            was_damaged(feed, why, pace, now, seed)
        }
        Polled::Failed(failure) => has_failed(feed, failure, pace, now, seed),
    }
}

fn has_failed(
    mut feed: FeedState,
    failure: &Failure,
    pace: Pace,
    now: Timestamp,
    seed: u64,
) -> Next {
    let kind = failure.kind;
    trust::give_up(&mut feed);
    if feed.failure != Some(kind) {
        feed.failure_since = Some(now);
    }
    // What came before a 410 says nothing about whether it is meant.
    let anew = feed.state == State::Degraded
        || kind == FailureKind::Gone && feed.failure != Some(FailureKind::Gone);
    feed.failure = Some(kind);
    feed.failures = if anew { 1 } else { feed.failures.saturating_add(1) };
    let lasting =
        feed.failure_since.map_or(SignedDuration::ZERO, |since| now.duration_since(since));
    let state = match kind {
        FailureKind::Throttled => State::Throttled,
        FailureKind::Blocked => State::Blocked,
        // The first 410 may be a mistake; the second, a day later, is meant.
        FailureKind::Gone if feed.state == State::Gone || lasting >= SURELY_GONE => State::Gone,
        _ => State::Retry,
    };
    enter(&mut feed, state, now);
    feed.why = Some(failure.message.clone());
    if kind == FailureKind::Protocol {
        feed.validators = Validators::default();
    }
    if kind != FailureKind::Throttled {
        moved::failed(&mut feed);
    }
    let failing = now.duration_since(feed.state_since);
    let wish = [failure.freshness.retry_after, failure.freshness.lifetime];
    let wish = wish.into_iter().flatten().filter_map(|wish| i64::try_from(wish.as_secs()).ok());
    let wish = wish.max().unwrap_or(0).min(LONGEST_WISH);
    let pause = match kind {
        FailureKind::Throttled => step_after(THROTTLED, lasting).max(wish),
        FailureKind::Blocked => step_after(BLOCKED, lasting),
        FailureKind::Gone if state == State::Retry => GONE[0],
        FailureKind::Gone => step(GONE, feed.failures),
        FailureKind::NotFound if lasting > LONG_NOT_FOUND => 7 * DAY,
        FailureKind::NotFound => step_after(NOT_FOUND, lasting),
        // It lies with a file of ours, and no server was asked.
        FailureKind::Settings => passing(&[MINUTE], feed.failures, pace.interval(&feed)),
        _ if failing > LONG_TRANSIENT => DAY,
        _ => passing(TRANSIENT, feed.failures, pace.interval(&feed)),
    };
    feed.next_due = now + jittered(pause, seed);
    let throttled = state == State::Throttled;
    let host_not_before = throttled.then(|| now + SignedDuration::from_secs(pause));
    let due_by = if throttled && wish >= pause { DueBy::RetryAfter } else { DueBy::Backoff };
    Next { feed, host_not_before, due_by }
}

/// Counts what was new, and notices when nothing else was there.
fn take_note(feed: &mut FeedState, seen: &Seen, whole: bool, now: Timestamp) {
    if !seen.new.is_empty() {
        feed.last_new_item = Some(now);
    }
    if seen.migrated {
        feed.migrated_at = Some(now);
    }
    let window = u32::try_from(seen.shown).unwrap_or(u32::MAX);
    let Some(arrivals) = &mut feed.arrivals else {
        // What the first poll brings has gathered since nobody knows when.
        feed.arrivals = Some(Arrivals::new(now));
        feed.window = window;
        return;
    };
    seen.new.iter().for_each(|published| arrivals.record(*published, now));
    if whole {
        feed.window = window;
        if seen.is_gap() && !seen.filled {
            feed.gap_at = Some(now);
        }
    }
}

/// Since when a feed could not be polled, when that is a day more than it is usually left alone: it
/// failed, its server or our network was out of reach, or nobody was there to poll.
pub fn outage(feed: &FeedState, now: Timestamp) -> Option<Timestamp> {
    let usual = feed.interval.max(feed.lifetime).map_or(0, seconds);
    let long = LONG_AWAY + SignedDuration::from_secs(usual);
    feed.last_ok.filter(|last| now.duration_since(*last) >= long)
}

/// When a feed is due as the configuration is now. One that is well is asked sooner where that has made its
/// interval shorter since its last poll, but not while its last answer is fresh.
pub(crate) fn due(feed: &FeedState, pace: Pace) -> Timestamp {
    let (State::Active, Some(start), Some(at)) = (feed.state, feed.last_request, feed.last_ok)
    else {
        return feed.next_due;
    };
    // Of the same moment as then, so that nothing but the configuration can have changed it.
    let (pause, _) = pause(feed, Overlap::Usual, pace, at);
    if feed.interval.is_none_or(|before| seconds(pause) >= seconds(before)) {
        return feed.next_due;
    }
    let least = if pace.fixed.is_some() { 0 } else { LEAST_PAUSE.as_secs() };
    let wait = seconds(pause).max(pace.floor(feed).0).max(least);
    feed.next_due.min(pace.skip(feed, start + SignedDuration::from_secs(wait)))
}

/// The state after a poll that failed because of our own network: as before it, and still due.
pub fn postpone(before: &FeedState, now: Timestamp) -> FeedState {
    let mut feed = FeedState { next_due: now, ..before.clone() };
    trust::give_up(&mut feed);
    feed
}

fn went_well(
    mut feed: FeedState,
    answer: Answer<'_>,
    overlap: Overlap,
    pace: Pace,
    now: Timestamp,
    seed: u64,
) -> Next {
    enter(&mut feed, State::Active, now);
    feed.why = None;
    feed.failures = 0;
    (feed.failure, feed.failure_since) = (None, None);
    feed.validators = answer.validators.clone();
    feed.last_ok = Some(now);
    feed.baseline_at = feed.baseline_at.or(Some(now));
    // Intervals are counted from request to request, or slow answers would stretch them.
    let start = feed.last_request.unwrap_or(now).min(now);
    let (pause, by) = pause(&feed, overlap, pace, now);
    feed.interval = Some(pause);
    let (wait, by) = match pace.floor(&feed) {
        (floor, by) if floor > seconds(pause) => (floor, by),
        _ => (seconds(pause), by),
    };
    let due = (start + jittered(wait, seed)).max(now);
    feed.next_due = pace.skip(&feed, due);
    let due_by = if feed.next_due > due { DueBy::Skip } else { by };
    Next { feed, host_not_before: None, due_by }
}

fn was_damaged(mut feed: FeedState, why: &str, pace: Pace, now: Timestamp, seed: u64) -> Next {
    feed.failures = if feed.state == State::Degraded { feed.failures.saturating_add(1) } else { 1 };
    enter(&mut feed, State::Degraded, now);
    (feed.failure, feed.failure_since) = (None, None);
    feed.why = Some(why.to_owned());
    // What it left out must not be taken for seen.
    feed.body_hash = None;
    feed.last_ok = Some(now);
    feed.baseline_at = feed.baseline_at.or(Some(now));
    let interval = pace.interval(&feed);
    let pause = match pace.local {
        true => seconds(interval).max(1),
        false => passing(DAMAGED, feed.failures, interval),
    };
    feed.next_due = now + jittered(pause, seed);
    Next { feed, host_not_before: None, due_by: DueBy::Backoff }
}

fn enter(feed: &mut FeedState, state: State, now: Timestamp) {
    if feed.state != state {
        feed.state = state;
        feed.state_since = now;
    }
}

#[cfg(test)]
mod tests;
