//! How long to wait: while all is well, and after failures in a row.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::rate::{self, Limits};
use super::{FeedState, Seen};
use crate::poll::DueBy;

/// What the configuration says about one feed's schedule.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// The time between two polls when all is well; what the feed does decides when absent.
    pub fixed: Option<Duration>,
    /// Between what the time must lie that is decided so.
    pub limits: Limits,
    /// It is a file of this machine: there is no server to spare.
    pub local: bool,
    /// How far what the server and the document say about it is heard.
    pub heed: Heed,
}

/// Whose wishes a feed is asked by, beside the configuration's.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Heed {
    /// The server's, and those that the document states where no interval is fixed.
    #[default]
    All,
    /// The server's alone: the feed is a wire.
    Server,
    /// Nobody's.
    Nobody,
}

/// How much of a body was known already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Overlap {
    /// So little that something may be lost soon.
    Small,
    /// Enough, or nobody can tell.
    Usual,
}

/// How much of what a body showed was known already, after a poll that came before it.
pub(super) fn overlap(before: &FeedState, seen: &Seen) -> Overlap {
    let known = seen.shown - seen.new.len().min(seen.shown);
    if before.arrivals.is_none() || seen.shown < SMALLEST_WINDOW || seen.migrated {
        Overlap::Usual
    } else if known * 3 < seen.shown {
        Overlap::Small
    } else {
        Overlap::Usual
    }
}

impl Pace {
    /// The time between two polls of a feed while all is well.
    pub(super) fn interval(self, feed: &FeedState) -> Duration {
        self.fixed.or(feed.interval).unwrap_or(self.limits.min)
    }

    /// Seconds for which a feed is not asked again whatever else speaks for it, and what decides
    /// that.
    pub(super) fn floor(self, feed: &FeedState) -> (i64, DueBy) {
        let fresh = feed.lifetime.map_or(0, seconds).min(LONGEST_FRESH);
        match self.heed {
            Heed::Nobody => (SHORTEST_UNHEARD, DueBy::Interval),
            Heed::All if self.fixed.is_none() && seconds(feed.hints.pause) > fresh => {
                (seconds(feed.hints.pause), DueBy::Asked)
            }
            Heed::All | Heed::Server => (fresh, DueBy::Fresh),
        }
    }

    /// The time at or after `due` at which the document does not ask to be left alone. An hour in
    /// which something came in the last week is none of those.
    pub(super) fn skip(self, feed: &FeedState, due: Timestamp) -> Timestamp {
        if self.heed != Heed::All || self.fixed.is_some() {
            return due;
        }
        let is_quiet = |hour: i64| {
            let of_day = hour.rem_euclid(24);
            // 1970-01-01 was a Thursday; the lowest bit is Monday.
            let weekday = (hour.div_euclid(24) + 3).rem_euclid(7);
            let skipped = feed.hints.skip_hours >> of_day & 1 == 1
                || feed.hints.skip_days >> weekday & 1 == 1;
            skipped && !feed.arrivals.as_ref().is_some_and(|arrivals| arrivals.in_hour(of_day))
        };
        let first = due.as_second().div_euclid(HOUR);
        match (first..=first + LONGEST_SKIP).find(|hour| !is_quiet(*hour)) {
            Some(hour) if hour == first => due,
            hour => {
                Timestamp::from_second(hour.unwrap_or(first + LONGEST_SKIP) * HOUR).unwrap_or(due)
            }
        }
    }
}

pub(super) const MINUTE: i64 = 60;
pub(super) const HOUR: i64 = 3600;
pub(super) const DAY: i64 = 24 * HOUR;

/// The pauses after failures in a row that may pass by themselves, in seconds; the last repeats.
pub(super) const TRANSIENT: &[i64] =
    &[5 * MINUTE, 15 * MINUTE, 30 * MINUTE, HOUR, 2 * HOUR, 4 * HOUR, 6 * HOUR];
/// The same when the document was damaged: it may hold news all the same.
pub(super) const DAMAGED: &[i64] = &[5 * MINUTE, 15 * MINUTE, 30 * MINUTE, HOUR];
/// The same when the server says that there is nothing at this address.
pub(super) const NOT_FOUND: &[i64] =
    &[30 * MINUTE, HOUR, 2 * HOUR, 4 * HOUR, 8 * HOUR, 16 * HOUR, DAY];
/// The same when it keeps us out.
pub(super) const BLOCKED: &[i64] = &[4 * HOUR, 8 * HOUR, 16 * HOUR, DAY];
/// The same when it asks to be left alone.
pub(super) const THROTTLED: &[i64] = &[HOUR, 2 * HOUR, 4 * HOUR, 8 * HOUR, 16 * HOUR, DAY];
/// The same for 410: once to be sure, four weeks weekly, then monthly.
pub(super) const GONE: &[i64] = &[DAY, 7 * DAY, 7 * DAY, 7 * DAY, 7 * DAY, 30 * DAY];
/// How long a feed may fail before it is tried more rarely still.
pub(super) const LONG_TRANSIENT: SignedDuration = SignedDuration::from_hours(7 * 24);
pub(super) const LONG_NOT_FOUND: SignedDuration = SignedDuration::from_hours(30 * 24);
/// A server that gives no validators sends everything every time: it is not asked more often.
const WITHOUT_VALIDATORS: Duration = Duration::from_secs(3600);
/// After so many equal bodies from such a server it is asked half as often, up to once a day.
const SAME_BODIES: u32 = 24;
const LONGEST_SAME: Duration = Duration::from_secs(24 * 3600);
/// A throttled host's wish is heard up to this; a lifetime of the refusal counts too.
pub(super) const LONGEST_WISH: i64 = 2 * DAY;
/// A good answer that says that it stays fresh for longer is not believed.
pub(super) const LONGEST_FRESH: i64 = DAY;
/// Where nobody's wishes count, a feed is still not asked more often.
const SHORTEST_UNHEARD: i64 = MINUTE;
/// Hours and days without news put a poll off for so many hours at most.
const LONGEST_SKIP: i64 = 23;
/// Bodies in a row that brought nothing after which a feed is asked less often.
const FRUITLESS: u32 = 5;
/// Items below which a feed that shows only new ones may just be small.
pub const SMALLEST_WINDOW: usize = 5;
/// An interval of a second is longer than any pause when it was doubled so often.
const MOST_DOUBLINGS: u32 = 20;
/// Jitter adds up to this part of a pause, in per mille. It only ever delays.
const JITTER: i64 = 100;

/// The time until the next poll of a feed that is well, and what decides that.
pub(super) fn pause(
    feed: &FeedState,
    overlap: Overlap,
    pace: Pace,
    now: Timestamp,
) -> (Duration, DueBy) {
    if let Some(fixed) = pace.fixed {
        return (fixed, DueBy::Interval);
    }
    let Some(arrivals) = &feed.arrivals else { return (pace.limits.min, DueBy::New) };
    let (mut pause, mut by) = rate::interval(arrivals, feed.window, pace.limits, now);
    if overlap == Overlap::Small {
        let before = feed.interval.unwrap_or(pause).min(pause);
        (pause, by) = ((before / 2).max(pace.limits.min), DueBy::Gap);
    } else if feed.fruitless >= FRUITLESS {
        pause = (pause * 3 / 2).min(pace.limits.max);
    }
    if !feed.validators.is_conditional() {
        if pause < WITHOUT_VALIDATORS {
            (pause, by) = (WITHOUT_VALIDATORS, DueBy::Unconditional);
        }
        if feed.same_bodies >= SAME_BODIES {
            let doublings = (feed.same_bodies / SAME_BODIES).min(5);
            pause = (pause * 2_u32.pow(doublings)).min(LONGEST_SAME.max(pause));
            by = DueBy::Unconditional;
        }
    }
    (pause, by)
}

/// The pause after so many failures in a row.
pub(super) fn step(pauses: &[i64], failures: u32) -> i64 {
    let index = usize::try_from(failures.saturating_sub(1)).unwrap_or(usize::MAX);
    pauses[index.min(pauses.len() - 1)]
}

/// The pause after failures of one kind for so long: the first that has not passed yet since the first of
/// them. Failures of other kinds before do not count, nor does who asks before its time.
pub(super) fn step_after(pauses: &[i64], lasting: SignedDuration) -> i64 {
    let mut left = lasting.as_secs();
    for pause in pauses {
        if left < *pause {
            return *pause;
        }
        left -= pause;
    }
    pauses[pauses.len() - 1]
}

/// The same where it may pass by itself: no longer than the feed's interval the first time, twice that the
/// second, and so on. So one that is asked every ten seconds is not left alone for hours after two slips
/// of the network, and one that is asked hourly waits as the list says.
pub(super) fn passing(pauses: &[i64], failures: u32, interval: Duration) -> i64 {
    let doublings = failures.saturating_sub(1).min(MOST_DOUBLINGS);
    step(pauses, failures).min(seconds(interval).max(1) << doublings)
}

pub(super) fn seconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_secs()).unwrap_or(30 * DAY).min(30 * DAY)
}

pub(super) fn jittered(pause: i64, seed: u64) -> SignedDuration {
    let part = i64::try_from(seed % 1000).unwrap_or(0);
    SignedDuration::from_millis(pause * 1000 + pause * part * JITTER / 1000)
}
