//! The next poll of a feed: a pure function of what is known about it and how the last one went.

pub mod offline;
pub mod rate;

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use self::rate::{Arrivals, Limits};
use crate::poll::{Failure, FailureKind, Freshness, Validators};

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
    /// What to send with the next poll.
    pub validators: Validators,
    /// The digest of the last body that was taken in whole.
    pub body_hash: Option<[u8; 32]>,
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
            validators: Validators::default(),
            body_hash: None,
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
        }
    }
}

/// How a poll went, as far as the schedule cares.
#[derive(Debug, Clone, Copy)]
pub enum Polled<'a> {
    /// A body was taken in.
    Changed {
        /// To be sent next time.
        validators: &'a Validators,
        /// The digest of the body.
        body_hash: [u8; 32],
        /// When to come back.
        freshness: Freshness,
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
    /// 304, or the same body again.
    Unchanged {
        /// What the answer repeated or renewed.
        validators: &'a Validators,
        /// When to come back.
        freshness: Freshness,
    },
    /// Nothing usable.
    Failed(&'a Failure),
}

/// The items of a body.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Seen {
    /// How many there were.
    pub shown: usize,
    /// When each of those that were new was published, by its own account.
    pub new: Vec<Option<Timestamp>>,
}

/// What the configuration says about one feed's schedule.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// The time between two polls when all is well; what the feed does decides when absent.
    pub fixed: Option<Duration>,
    /// Between what the time must lie that is decided so.
    pub limits: Limits,
    /// It is a file of this machine: there is no server to spare.
    pub local: bool,
}

impl Pace {
    /// The time between two polls of a feed while all is well.
    fn interval(self, feed: &FeedState) -> Duration {
        self.fixed.or(feed.interval).unwrap_or(self.limits.min)
    }
}

/// What follows from a poll.
#[derive(Debug, Clone, PartialEq)]
pub struct Next {
    /// The feed's state from now on.
    pub feed: FeedState,
    /// The whole host is not to be asked before this.
    pub host_not_before: Option<Timestamp>,
}

const MINUTE: i64 = 60;
const HOUR: i64 = 3600;
const DAY: i64 = 24 * HOUR;

/// The pauses after failures in a row that may pass by themselves, in seconds; the last repeats.
const TRANSIENT: &[i64] =
    &[5 * MINUTE, 15 * MINUTE, 30 * MINUTE, HOUR, 2 * HOUR, 4 * HOUR, 6 * HOUR];
/// The same when the document was damaged: it may hold news all the same.
const DAMAGED: &[i64] = &[5 * MINUTE, 15 * MINUTE, 30 * MINUTE, HOUR];
/// The same when the server says that there is nothing at this address.
const NOT_FOUND: &[i64] = &[30 * MINUTE, HOUR, 2 * HOUR, 4 * HOUR, 8 * HOUR, 16 * HOUR, DAY];
/// The same when it keeps us out.
const BLOCKED: &[i64] = &[4 * HOUR, 8 * HOUR, 16 * HOUR, DAY];
/// The same when it asks to be left alone.
const THROTTLED: &[i64] = &[HOUR, 2 * HOUR, 4 * HOUR, 8 * HOUR, 16 * HOUR, DAY];
/// The same for 410: once to be sure, four weeks weekly, then monthly.
const GONE: &[i64] = &[DAY, 7 * DAY, 7 * DAY, 7 * DAY, 7 * DAY, 30 * DAY];
/// How long a feed may fail before it is tried more rarely still.
const LONG_TRANSIENT: SignedDuration = SignedDuration::from_hours(7 * 24);
const LONG_NOT_FOUND: SignedDuration = SignedDuration::from_hours(30 * 24);
/// Items below which a feed that shows only new ones may just be small.
const SMALLEST_WINDOW: usize = 5;
/// A server that gives no validators sends everything every time: it is not asked more often.
const WITHOUT_VALIDATORS: Duration = Duration::from_secs(3600);
/// After so many equal bodies from such a server it is asked half as often, up to once a day.
const SAME_BODIES: u32 = 24;
const LONGEST_SAME: Duration = Duration::from_secs(24 * 3600);
/// A throttled host's wish is heard up to this; a lifetime of the refusal counts too.
const LONGEST_WISH: i64 = 2 * DAY;
/// Jitter adds up to this part of a pause, in per mille. It only ever delays.
const JITTER: i64 = 100;

/// Marks a poll as started. Committed before the request is sent, so that a restart in the middle
/// waits as after a first failure and cannot hammer the server.
pub fn lease(before: &FeedState, pace: Pace, now: Timestamp) -> FeedState {
    let interval = pace.interval(before);
    let pause = TRANSIENT[0].min(seconds(interval).max(1));
    FeedState {
        last_request: Some(now),
        next_due: now + SignedDuration::from_secs(pause),
        interval: Some(interval),
        ..before.clone()
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
    let failure = match polled {
        Polled::Failed(failure) => failure,
        Polled::Damaged { why, seen } => {
            take_note(&mut feed, seen, false, now);
            return was_damaged(feed, why, pace, now, seed);
        }
        Polled::Changed { validators, body_hash, freshness, seen } => {
            feed.body_hash = Some(body_hash);
            feed.same_bodies = 0;
            take_note(&mut feed, seen, true, now);
            return went_well(feed, validators, freshness, pace, now, seed);
        }
        Polled::Unchanged { validators, freshness } => {
            let without = validators.etag.is_none() && validators.last_modified.is_none();
            feed.same_bodies = if without { feed.same_bodies.saturating_add(1) } else { 0 };
            return went_well(feed, validators, freshness, pace, now, seed);
        }
    };
    let failures = if before.state == State::Degraded { 0 } else { before.failures };
    feed.failures = failures.saturating_add(1);
    let state = match failure.kind {
        FailureKind::Throttled => State::Throttled,
        FailureKind::Blocked => State::Blocked,
        // The first 410 may be a mistake; the second, a day later, is meant.
        FailureKind::Gone if before.state == State::Gone || failures > 0 => State::Gone,
        _ => State::Retry,
    };
    enter(&mut feed, state, now);
    feed.why = Some(failure.message.clone());
    let failing = now.duration_since(feed.state_since);
    let pause = match failure.kind {
        FailureKind::Throttled => {
            let wish = [failure.freshness.retry_after, failure.freshness.lifetime];
            let wish =
                wish.into_iter().flatten().filter_map(|wish| i64::try_from(wish.as_secs()).ok());
            step(THROTTLED, feed.failures).max(wish.max().unwrap_or(0).min(LONGEST_WISH))
        }
        FailureKind::Blocked => step(BLOCKED, feed.failures),
        FailureKind::Gone => step(GONE, feed.failures),
        FailureKind::NotFound if failing > LONG_NOT_FOUND => 7 * DAY,
        FailureKind::NotFound => step(NOT_FOUND, feed.failures),
        _ if failing > LONG_TRANSIENT => DAY,
        _ => step(TRANSIENT, feed.failures),
    };
    // A feed that is polled every minute is not left for hours after one slip of the network.
    let interval = seconds(pace.interval(before));
    let passing = !matches!(failure.kind, FailureKind::NotFound | FailureKind::Gone);
    let brief = state == State::Retry && feed.failures == 1 && passing;
    let pause = if brief { pause.min(interval.max(1)) } else { pause };
    feed.next_due = now + jittered(pause, seed);
    let throttled = state == State::Throttled;
    let host_not_before = throttled.then(|| now + SignedDuration::from_secs(pause));
    Next { feed, host_not_before }
}

/// Counts what was new, and notices when nothing else was there.
fn take_note(feed: &mut FeedState, seen: &Seen, whole: bool, now: Timestamp) {
    if !seen.new.is_empty() {
        feed.last_new_item = Some(now);
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
        if seen.shown >= SMALLEST_WINDOW && seen.new.len() == seen.shown {
            feed.gap_at = Some(now);
        }
    }
}

/// The time until the next poll of a feed that is well.
fn pause(feed: &FeedState, pace: Pace, now: Timestamp) -> Duration {
    if let Some(fixed) = pace.fixed {
        return fixed;
    }
    let Some(arrivals) = &feed.arrivals else { return pace.limits.min };
    let mut pause = rate::interval(arrivals, feed.window, pace.limits, now);
    if feed.gap_at == Some(now) {
        let before = feed.interval.unwrap_or(pause).min(pause);
        pause = (before / 2).max(pace.limits.min);
    }
    if feed.validators.etag.is_none() && feed.validators.last_modified.is_none() {
        pause = pause.max(WITHOUT_VALIDATORS);
        if feed.same_bodies >= SAME_BODIES {
            let doublings = (feed.same_bodies / SAME_BODIES).min(5);
            pause = (pause * 2_u32.pow(doublings)).min(LONGEST_SAME.max(pause));
        }
    }
    pause
}

/// The state after a poll that failed because of our own network: as before it, and still due.
pub fn postpone(before: &FeedState, now: Timestamp) -> FeedState {
    FeedState { next_due: now, ..before.clone() }
}

fn went_well(
    mut feed: FeedState,
    validators: &Validators,
    freshness: Freshness,
    pace: Pace,
    now: Timestamp,
    seed: u64,
) -> Next {
    enter(&mut feed, State::Active, now);
    feed.why = None;
    feed.failures = 0;
    feed.validators = validators.clone();
    feed.last_ok = Some(now);
    feed.baseline_at = feed.baseline_at.or(Some(now));
    // Intervals are counted from request to request, or slow answers would stretch them.
    let start = feed.last_request.unwrap_or(now).min(now);
    let fresh = freshness.lifetime.map_or(0, seconds);
    let pause = pause(&feed, pace, now);
    feed.interval = Some(pause);
    feed.next_due = (start + jittered(seconds(pause).max(fresh), seed)).max(now);
    Next { feed, host_not_before: None }
}

fn was_damaged(mut feed: FeedState, why: &str, pace: Pace, now: Timestamp, seed: u64) -> Next {
    feed.failures = if feed.state == State::Degraded { feed.failures.saturating_add(1) } else { 1 };
    enter(&mut feed, State::Degraded, now);
    feed.why = Some(why.to_owned());
    // What it left out must not be taken for seen.
    feed.body_hash = None;
    feed.last_ok = Some(now);
    feed.baseline_at = feed.baseline_at.or(Some(now));
    let (pause, interval) = (step(DAMAGED, feed.failures), seconds(pace.interval(&feed)).max(1));
    let pause = match feed.failures {
        _ if pace.local => interval,
        1 => pause.min(interval),
        _ => pause,
    };
    feed.next_due = now + jittered(pause, seed);
    Next { feed, host_not_before: None }
}

fn enter(feed: &mut FeedState, state: State, now: Timestamp) {
    if feed.state != state {
        feed.state = state;
        feed.state_since = now;
    }
}

/// The pause after so many failures in a row.
fn step(pauses: &[i64], failures: u32) -> i64 {
    let index = usize::try_from(failures.saturating_sub(1)).unwrap_or(usize::MAX);
    pauses[index.min(pauses.len() - 1)]
}

fn seconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_secs()).unwrap_or(30 * DAY).min(30 * DAY)
}

fn jittered(pause: i64, seed: u64) -> SignedDuration {
    let part = i64::try_from(seed % 1000).unwrap_or(0);
    SignedDuration::from_millis(pause * 1000 + pause * part * JITTER / 1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + seconds).unwrap()
    }

    fn failure(kind: FailureKind, retry_after: Option<u64>) -> Failure {
        let retry_after = retry_after.map(Duration::from_secs);
        let freshness = Freshness { lifetime: None, retry_after };
        Failure { kind, message: "why".to_owned(), freshness }
    }

    const LIMITS: Limits =
        Limits { min: Duration::from_secs(900), max: Duration::from_secs(6 * 3600) };
    const PACE: Pace = Pace { fixed: Some(Duration::from_secs(900)), limits: LIMITS, local: false };
    const LEARNT: Pace = Pace { fixed: None, ..PACE };

    /// The pauses that follow failures of one kind, one right after the other.
    #[track_caller]
    fn check_ladder(kind: FailureKind, state: State, pauses: &[i64]) {
        let mut feed = FeedState::new(time(0), time(0));
        let mut now = time(0);
        for (count, pause) in pauses.iter().enumerate() {
            feed = lease(&feed, PACE, now);
            let next = advance(&feed, Polled::Failed(&failure(kind, None)), PACE, now, 0);
            feed = next.feed;
            assert_eq!(feed.next_due.duration_since(now).as_secs(), *pause, "{kind:?} {count}");
            now = feed.next_due;
        }
        assert_eq!(feed.state, state);
        assert_eq!(feed.failures as usize, pauses.len());
    }

    #[test]
    fn failures_are_tried_again_less_and_less_often_and_for_ever() {
        let (m, h, d) = (MINUTE, HOUR, DAY);
        check_ladder(
            FailureKind::Server,
            State::Retry,
            &[5 * m, 15 * m, 30 * m, h, 2 * h, 4 * h, 6 * h, 6 * h],
        );
        check_ladder(
            FailureKind::NotFound,
            State::Retry,
            &[30 * m, h, 2 * h, 4 * h, 8 * h, 16 * h, d, d],
        );
        check_ladder(FailureKind::Blocked, State::Blocked, &[4 * h, 8 * h, 16 * h, d, d]);
        check_ladder(
            FailureKind::Gone,
            State::Gone,
            &[d, 7 * d, 7 * d, 7 * d, 7 * d, 30 * d, 30 * d],
        );
        check_ladder(
            FailureKind::Throttled,
            State::Throttled,
            &[h, 2 * h, 4 * h, 8 * h, 16 * h, d, d],
        );
    }

    #[test]
    fn one_410_is_not_the_end() {
        let feed = FeedState::new(time(0), time(0));
        let gone = failure(FailureKind::Gone, None);
        let once = advance(&feed, Polled::Failed(&gone), PACE, time(0), 0).feed;
        assert_eq!(once.state, State::Retry);
        assert_eq!(
            advance(&once, Polled::Failed(&gone), PACE, time(DAY), 0).feed.state,
            State::Gone
        );
    }

    #[test]
    fn a_host_that_asks_for_patience_is_left_alone_with_all_its_feeds() {
        let feed = FeedState::new(time(0), time(0));
        let asked = failure(FailureKind::Throttled, Some(7200));
        let next = advance(&feed, Polled::Failed(&asked), PACE, time(0), 0);
        assert_eq!(next.host_not_before, Some(time(7200)));
        assert_eq!(next.feed.next_due, time(7200));
    }

    #[test]
    fn success_forgets_failures_and_keeps_the_validators_it_is_given() {
        let mut feed = FeedState::new(time(0), time(0));
        feed =
            advance(&feed, Polled::Failed(&failure(FailureKind::Dns, None)), PACE, time(0), 0).feed;
        let validators = Validators { etag: Some(b"\"v1\"".to_vec()), ..Validators::default() };
        let polled = Polled::Changed {
            validators: &validators,
            body_hash: [1; 32],
            freshness: Freshness::default(),
            seen: &Seen { shown: 2, new: vec![None; 2] },
        };
        feed = advance(&lease(&feed, PACE, time(10)), polled, PACE, time(12), 0).feed;
        assert_eq!((feed.state, feed.failures, feed.why.as_deref()), (State::Active, 0, None));
        assert_eq!(feed.validators, validators);
        assert_eq!(
            (feed.last_ok, feed.last_new_item, feed.baseline_at),
            (Some(time(12)), Some(time(12)), Some(time(12)))
        );
        assert_eq!(feed.next_due, time(10 + 900));
    }

    /// The pauses that follow damaged documents, one right after the other.
    #[track_caller]
    fn check_damaged(pace: Pace, pauses: &[i64]) {
        let validators = Validators { etag: Some(b"\"whole\"".to_vec()), ..Validators::default() };
        let mut feed = FeedState { validators, ..FeedState::new(time(0), time(0)) };
        let before = feed.validators.clone();
        let mut now = time(0);
        for pause in pauses {
            let seen = Seen { shown: 1, new: vec![None] };
            let polled = Polled::Damaged { why: "cut off", seen: &seen };
            feed = advance(&lease(&feed, pace, now), polled, pace, now, 0).feed;
            assert_eq!(feed.next_due.duration_since(now).as_secs(), *pause);
            assert_eq!((feed.last_ok, feed.last_new_item), (Some(now), Some(now)));
            now = feed.next_due;
        }
        assert_eq!((feed.state, feed.why.as_deref()), (State::Degraded, Some("cut off")));
        assert_eq!((feed.state_since, feed.baseline_at), (time(0), Some(time(0))));
        assert_eq!(feed.validators, before, "those of the damaged body would hide the rest");
    }

    #[test]
    fn a_feed_that_stays_damaged_is_asked_less_often_and_a_file_as_often_as_ever() {
        let (m, h) = (MINUTE, HOUR);
        check_damaged(PACE, &[5 * m, 15 * m, 30 * m, h, h]);
        let often = Pace { fixed: Some(Duration::from_secs(60)), ..PACE };
        check_damaged(often, &[m, 15 * m, 30 * m, h, h]);
        check_damaged(Pace { local: true, ..often }, &[m, m, m]);
    }

    #[test]
    fn damaged_documents_count_for_no_failure() {
        let polled = Polled::Damaged { why: "cut off", seen: &Seen { shown: 0, new: vec![] } };
        let mut feed = FeedState::new(time(0), time(0));
        for _ in 0..9 {
            feed = advance(&feed, polled, PACE, time(0), 0).feed;
        }
        let gone = failure(FailureKind::Gone, None);
        let once = advance(&feed, Polled::Failed(&gone), PACE, time(0), 0).feed;
        assert_eq!((once.state, once.failures), (State::Retry, 1));
    }

    #[test]
    fn an_answer_that_stays_fresh_is_not_asked_for_before() {
        let feed = lease(&FeedState::new(time(0), time(0)), PACE, time(0));
        let freshness =
            Freshness { lifetime: Some(Duration::from_secs(43_200)), retry_after: None };
        let polled = Polled::Unchanged { validators: &Validators::default(), freshness };
        assert_eq!(advance(&feed, polled, PACE, time(1), 0).feed.next_due, time(43_200));
    }

    #[test]
    fn jitter_only_delays_and_by_a_tenth_at_most() {
        let feed = lease(&FeedState::new(time(0), time(0)), PACE, time(0));
        let polled = Polled::Unchanged {
            validators: &Validators::default(),
            freshness: Freshness::default(),
        };
        for seed in 0..2000 {
            let due = advance(&feed, polled, PACE, time(0), seed).feed.next_due;
            assert!((time(900)..=time(990)).contains(&due));
        }
    }

    const WITH_ETAG: &[u8] = b"\"v\"";

    fn validators() -> Validators {
        Validators { etag: Some(WITH_ETAG.to_vec()), ..Validators::default() }
    }

    /// A poll that was answered with a whole body.
    fn poll(feed: &FeedState, shown: usize, new: usize, now: Timestamp) -> FeedState {
        let seen = Seen { shown, new: vec![None; new] };
        let polled = Polled::Changed {
            validators: &validators(),
            body_hash: [1; 32],
            freshness: Freshness::default(),
            seen: &seen,
        };
        advance(&lease(feed, LEARNT, now), polled, LEARNT, now, 0).feed
    }

    #[test]
    fn a_feed_without_an_interval_is_asked_as_often_as_it_brings_something() {
        let mut feed = poll(&FeedState::new(time(0), time(0)), 30, 30, time(0));
        assert_eq!(feed.interval, Some(Duration::from_secs(3600)), "nothing is known of it yet");
        for hour in 1..24 {
            feed = poll(&feed, 30, 1, time(hour * HOUR));
        }
        let interval = feed.interval.unwrap();
        assert!((1800..1900).contains(&interval.as_secs()), "{interval:?}");
        assert_eq!(feed.gap_at, None);
    }

    #[test]
    fn a_feed_that_shows_nothing_known_may_have_lost_items_and_is_asked_twice_as_often() {
        let first = poll(&FeedState::new(time(0), time(0)), 30, 30, time(0));
        assert_eq!(first.gap_at, None, "the first poll has nothing before it");
        let whole = poll(&first, 30, 29, time(HOUR));
        assert_eq!(whole.gap_at, None);
        let gap = poll(&first, 30, 30, time(HOUR));
        assert_eq!((gap.gap_at, gap.interval), (Some(time(HOUR)), Some(Duration::from_secs(1800))));
        assert_eq!(poll(&first, 4, 4, time(HOUR)).gap_at, None, "it may just be small");
    }

    #[test]
    fn a_server_without_validators_is_asked_once_an_hour_and_less_when_nothing_changes() {
        let mut feed = poll(&FeedState::new(time(0), time(0)), 30, 30, time(0));
        let without = Validators::default();
        let polled = Polled::Unchanged { validators: &without, freshness: Freshness::default() };
        let mut intervals = Vec::new();
        for hour in 1..=48 {
            let now = time(hour * 12 * HOUR);
            feed = advance(&lease(&feed, LEARNT, now), polled, LEARNT, now, 0).feed;
            intervals.push(feed.interval.unwrap().as_secs() / 3600);
        }
        assert_eq!((intervals[22], intervals[23], intervals[47]), (6, 12, 24));
        let changed = poll(&feed, 30, 1, time(600 * HOUR));
        assert_eq!((changed.same_bodies, changed.interval), (0, Some(LIMITS.max)));
    }

    #[test]
    fn a_poll_that_a_crash_cut_off_waits_as_after_a_first_failure() {
        let fresh = FeedState::new(time(0), time(0));
        let feed = lease(&fresh, PACE, time(5));
        assert_eq!((feed.last_request, feed.next_due), (Some(time(5)), time(305)));
        let often = Pace { fixed: Some(Duration::from_secs(20)), ..PACE };
        assert_eq!(lease(&fresh, often, time(5)).next_due, time(25));
    }
}
