//! How often a feed brings something new, and how often it should therefore be asked.
//!
//! A feed shows its newest N items only. It is asked often enough that news is seen soon (half the
//! usual time between two items), and that even in its busiest hour of the last week no more than a
//! third of what it shows can be new: what falls out of the feed between two polls is lost.

use std::time::Duration;

use jiff::Timestamp;

use crate::poll::DueBy;

/// Hours that are remembered: a week.
const HOURS: usize = 7 * 24;
/// After so many hours an arrival counts half.
const HALF_LIFE: f64 = 72.0;
/// Of the usual time between two items, the part that may pass between two polls.
const OF_THE_USUAL_TIME: f64 = 0.5;
/// Of the items that a feed shows, the part that may be new at a poll.
const OF_THE_WINDOW: f64 = 0.33;
/// The interval of a feed of which too little is known.
const UNKNOWN: Duration = Duration::from_secs(3600);
/// Hours after which a rate says something.
const ENOUGH_HOURS: i64 = 6;
const HOUR: i64 = 3600;

/// New items of a feed by the hour in which they were published, for a week.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arrivals {
    /// The hour, since 1970, from which the feed has been watched.
    since: i64,
    /// The newest hour in `counts`, since 1970.
    newest: i64,
    /// The counts, each at its hour modulo the length.
    counts: Box<[u16; HOURS]>,
}

/// Between what an interval must lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// At least.
    pub min: Duration,
    /// At most.
    pub max: Duration,
}

impl Arrivals {
    /// Nothing has arrived yet; the feed is watched from `now` on.
    pub fn new(now: Timestamp) -> Self {
        let hour = hour(now);
        Self { since: hour, newest: hour, counts: Box::new([0; HOURS]) }
    }

    /// Counts a new item that was published at `at`; what is older than a week, or in the future,
    /// counts as now.
    pub fn record(&mut self, at: Option<Timestamp>, now: Timestamp) {
        if self.newest - hour(now) > HOURS as i64 {
            // The clock was far ahead, and all that was counted then is in the wrong place.
            *self = Self::new(now);
        }
        self.forget(now);
        let oldest = self.newest - HOURS as i64 + 1;
        let hour = at.map_or(self.newest, hour);
        let hour = if (oldest..=self.newest).contains(&hour) { hour } else { self.newest };
        let slot = &mut self.counts[slot(hour)];
        *slot = slot.saturating_add(1);
    }

    /// Clears the hours that have passed since something was recorded.
    fn forget(&mut self, now: Timestamp) {
        let hour = hour(now);
        // A clock that was set back must not clear the week twice.
        for passed in (self.newest + 1..=hour).take(HOURS) {
            self.counts[slot(passed)] = 0;
        }
        self.newest = self.newest.max(hour);
    }

    /// New items an hour, recent ones weighing more; `None` when too little is known.
    pub fn rate(&self, now: Timestamp) -> Option<f64> {
        let now = hour(now).max(self.newest);
        let watched = (now - self.since).min(HOURS as i64 - 1);
        if watched < ENOUGH_HOURS {
            return None;
        }
        let (mut weights, mut sum) = (0.0, 0.0);
        for age in 0..=watched {
            let weight = 0.5_f64.powf(age as f64 / HALF_LIFE);
            weights += weight;
            if now - age <= self.newest {
                sum += weight * f64::from(self.counts[slot(now - age)]);
            }
        }
        Some(sum / weights)
    }

    /// Whether anything was published in that hour of the day, in UTC, in the last week.
    pub fn in_hour(&self, of_day: i64) -> bool {
        // The week is whole days, so that a place in it tells the hour of the day.
        (0..HOURS).any(|place| place as i64 % 24 == of_day && self.counts[place] > 0)
    }

    /// New items in the busiest hour of the week.
    pub fn busiest(&self) -> u16 {
        self.counts.iter().copied().max().unwrap_or_default()
    }

    /// The bytes to store.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(16 + HOURS * 2);
        bytes.extend(self.since.to_le_bytes());
        bytes.extend(self.newest.to_le_bytes());
        bytes.extend(self.counts.iter().flat_map(|count| count.to_le_bytes()));
        bytes
    }

    /// Reads back what [`Arrivals::to_bytes`] wrote.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        if bytes.len() != 16 + HOURS * 2 {
            return None;
        }
        let number = |at: usize| bytes[at..at + 8].try_into().ok().map(i64::from_le_bytes);
        let mut counts = Box::new([0; HOURS]);
        for (count, pair) in counts.iter_mut().zip(bytes[16..].chunks_exact(2)) {
            *count = u16::from_le_bytes([pair[0], pair[1]]);
        }
        let (since, newest) = (number(0)?, number(8)?);
        let shown = hour(Timestamp::MIN)..=hour(Timestamp::MAX);
        let possible = shown.contains(&since) && shown.contains(&newest);
        possible.then_some(Self { since, newest, counts })
    }
}

/// How long to wait between two polls of a feed that shows `window` items, and what decides that.
pub fn interval(
    arrivals: &Arrivals,
    window: u32,
    limits: Limits,
    now: Timestamp,
) -> (Duration, DueBy) {
    let Some(rate) = arrivals.rate(now) else {
        return (UNKNOWN.clamp(limits.min, limits.max), DueBy::New);
    };
    let usual = OF_THE_USUAL_TIME / rate.max(1e-6);
    let gap = match arrivals.busiest() {
        0 => f64::INFINITY,
        busiest => OF_THE_WINDOW * f64::from(window) / f64::from(busiest),
    };
    let hours = usual.min(gap).min(24.0 * 365.0);
    let pause = Duration::from_secs_f64(hours * HOUR as f64).clamp(limits.min, limits.max);
    (pause, if gap < usual { DueBy::Gap } else { DueBy::Rate })
}

fn hour(time: Timestamp) -> i64 {
    time.as_second().div_euclid(HOUR)
}

fn slot(hour: i64) -> usize {
    hour.rem_euclid(HOURS as i64) as usize
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;

    const LIMITS: Limits =
        Limits { min: Duration::from_secs(15 * 60), max: Duration::from_secs(6 * 3600) };

    fn at(hours: i64) -> Timestamp {
        "2023-09-01T00:00:00Z".parse::<Timestamp>().unwrap() + SignedDuration::from_hours(hours)
    }

    /// A week of a feed that brings so many items each hour of so many.
    fn week(items: u16, every: i64) -> Arrivals {
        let mut arrivals = Arrivals::new(at(0));
        for hour in (0..7 * 24).filter(|hour| hour % every == 0) {
            for _ in 0..items {
                arrivals.record(Some(at(hour)), at(hour));
            }
        }
        arrivals
    }

    #[track_caller]
    fn check(arrivals: &Arrivals, window: u32, minutes: u64) {
        let (found, _) = interval(arrivals, window, LIMITS, at(7 * 24 - 1));
        assert_eq!(found.as_secs().div_ceil(60), minutes, "{found:?}");
    }

    #[test]
    fn a_feed_is_asked_twice_between_two_items() {
        check(&week(1, 1), 100, 30);
        check(&week(1, 4), 100, 122);
        check(&week(1, 24), 100, 360);
    }

    #[test]
    fn a_feed_that_shows_little_is_asked_before_a_third_of_it_is_new() {
        check(&week(4, 1), 100, 15);
        check(&week(2, 2), 3, 30);
        check(&week(20, 24), 30, 30);
    }

    #[test]
    fn of_a_new_feed_nothing_is_known_yet() {
        let mut arrivals = Arrivals::new(at(0));
        (0..50).for_each(|_| arrivals.record(None, at(1)));
        assert_eq!(arrivals.rate(at(5)), None);
        assert_eq!(interval(&arrivals, 30, LIMITS, at(5)), (UNKNOWN, DueBy::New));
    }

    #[test]
    fn a_quiet_feed_is_asked_less_and_less() {
        let arrivals = week(2, 1);
        let after = |hours: i64| interval(&arrivals, 100, LIMITS, at(7 * 24 + hours)).0;
        assert!(after(24) > after(0));
        assert_eq!(after(30 * 24), LIMITS.max, "the week has passed without a new item");
    }

    #[test]
    fn what_is_dated_wrongly_counts_as_now_and_a_clock_set_back_forgets_nothing() {
        let mut arrivals = week(1, 1);
        let before = arrivals.busiest();
        arrivals.record(Some(at(10_000)), at(167));
        arrivals.record(Some(at(-10_000)), at(167));
        assert_eq!(arrivals.busiest(), before + 2);
        arrivals.record(None, at(0));
        assert_eq!(arrivals.busiest(), before + 3);
    }

    #[test]
    fn arrivals_read_back_as_they_were_stored() {
        let arrivals = week(3, 5);
        assert_eq!(Arrivals::from_bytes(&arrivals.to_bytes()), Some(arrivals));
        assert_eq!(Arrivals::from_bytes(b"short"), None);
    }

    #[test]
    fn hours_that_no_clock_shows_are_not_read_back() {
        for hour in [i64::MIN, i64::MAX] {
            let damaged = Arrivals { newest: hour, ..Arrivals::new(at(0)) };
            assert_eq!(Arrivals::from_bytes(&damaged.to_bytes()), None);
            let damaged = Arrivals { since: hour, ..Arrivals::new(at(0)) };
            assert_eq!(Arrivals::from_bytes(&damaged.to_bytes()), None);
        }
    }

    #[test]
    fn a_week_that_lies_in_the_future_is_forgotten() {
        let mut arrivals = week(1, 1);
        arrivals.record(None, at(365 * 24));
        arrivals.record(None, at(0));
        assert_eq!(arrivals, {
            let mut fresh = Arrivals::new(at(0));
            fresh.record(None, at(0));
            fresh
        });
    }
}
