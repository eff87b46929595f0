//! How fast a receiver is told, so that what gathered while it was away does not come at once.

use std::collections::VecDeque;
use std::num::NonZeroU32;

use jiff::{SignedDuration, Timestamp};

const MINUTE: SignedDuration = SignedDuration::from_mins(1);
const MINUTE_MICROS: i64 = 60_000_000;
/// What was sent within a second is counted as if all of it came at its end.
const SECOND: SignedDuration = SignedDuration::from_secs(1);
/// So much of a minute's messages may come one after the other.
const BURST_PART: u32 = 6;

/// At most so many messages in any minute, a few at once and the rest evenly apart: the generic
/// cell rate algorithm, and a count of the last minute, which it alone would exceed by its burst.
#[derive(Debug, Clone)]
pub(crate) struct Pace {
    per_minute: u32,
    gap: SignedDuration,
    burst: i32,
    /// When all that was sent would have been sent, were it evenly apart.
    even: Timestamp,
    /// The seconds of the last minute in which something was sent, and how much.
    sent: VecDeque<(Timestamp, u32)>,
}

impl Pace {
    /// So many messages a minute.
    pub(crate) fn new(per_minute: NonZeroU32) -> Self {
        let per_minute = per_minute.get();
        let burst = i32::try_from((per_minute / BURST_PART).max(1)).unwrap_or(i32::MAX);
        let messages = i64::from(per_minute);
        let gap = SignedDuration::from_micros((MINUTE_MICROS + messages - 1) / messages);
        Self { per_minute, gap, burst, even: Timestamp::MIN, sent: VecDeque::new() }
    }

    /// When the next message may go; nothing when it may go now.
    pub(crate) fn not_before(&self, now: Timestamp) -> Option<Timestamp> {
        let even = self.even.checked_sub(self.gap * (self.burst - 1)).unwrap_or(Timestamp::MIN);
        // Later than that only because the clock was set back.
        let even = (now < even && even <= now + MINUTE).then_some(even);
        let (oldest, count) = self.last_minute(now);
        let full = oldest.filter(|_| count >= self.per_minute).map(|at| at + SECOND + MINUTE);
        even.max(full)
    }

    /// How many messages may go now, one after the other; one at least.
    pub(crate) fn room(&self, now: Timestamp) -> u32 {
        let ahead = self.even.max(now).duration_since(now).as_micros();
        let taken = (ahead + self.gap.as_micros() - 1) / self.gap.as_micros();
        let burst = u32::try_from(i128::from(self.burst) - taken).unwrap_or(1);
        burst.min(self.per_minute.saturating_sub(self.last_minute(now).1)).max(1)
    }

    /// A message was sent.
    pub(crate) fn sent(&mut self, now: Timestamp) {
        self.even = self.even.clamp(now, now + self.gap * self.burst) + self.gap;
        self.sent.retain(|(second, _)| within_a_minute(*second, now));
        match self.sent.back_mut() {
            Some((second, count)) if now < *second + SECOND => *count += 1,
            _ => self.sent.push_back((now, 1)),
        }
    }

    /// The oldest second of the last minute in which something was sent, and how much in all.
    fn last_minute(&self, now: Timestamp) -> (Option<Timestamp>, u32) {
        let mut within = self.sent.iter().filter(|(second, _)| within_a_minute(*second, now));
        let oldest = within.clone().next().map(|(second, _)| *second);
        (oldest, within.by_ref().map(|(_, count)| count).sum())
    }
}

/// Whether something that was sent in the second that begins then may be of the last minute. What
/// lies ahead was sent before the clock was set back.
fn within_a_minute(second: Timestamp, now: Timestamp) -> bool {
    second <= now && now < second + SECOND + MINUTE
}

#[cfg(test)]
mod tests {
    use super::*;

    /// When messages go of which there are always more, in milliseconds, for ten minutes.
    fn sent(per_minute: u32) -> Vec<i64> {
        let mut pace = Pace::new(NonZeroU32::new(per_minute).unwrap());
        let (mut now, mut sent) = (Timestamp::UNIX_EPOCH, Vec::new());
        while now.as_second() < 600 {
            if let Some(at) = pace.not_before(now) {
                now = at;
            }
            sent.push(now.as_millisecond());
            pace.sent(now);
        }
        sent
    }

    #[test]
    fn no_minute_has_more_messages_than_the_limit() {
        for per_minute in [1, 2, 5, 6, 20, 30, 60, 600] {
            let sent = sent(per_minute);
            for start in &sent {
                let within = sent.iter().filter(|at| (*start..start + 60_000).contains(at));
                assert!(within.count() <= per_minute as usize, "{per_minute}: from {start}");
            }
            // An outbox of ten minutes' messages is empty within eleven.
            let least = per_minute as usize * 10 * 10 / 11;
            assert!(sent.len() >= least, "{per_minute}: only {} in ten minutes", sent.len());
        }
    }

    #[test]
    fn a_few_messages_may_go_at_once_and_the_next_are_apart() {
        let sent = sent(30);
        assert_eq!(sent.iter().filter(|at| **at == 0).count(), 5);
        assert!(
            [sent[5] - sent[4], sent[7] - sent[6]].iter().all(|apart| (2000..2002).contains(apart))
        );
    }

    #[test]
    fn there_is_room_for_what_may_go_at_once() {
        let mut pace = Pace::new(NonZeroU32::new(60).unwrap());
        let now = Timestamp::UNIX_EPOCH;
        assert_eq!(pace.room(now), 10);
        for left in [9, 8, 7] {
            pace.sent(now);
            assert_eq!(pace.room(now), left);
        }
        (0..10).for_each(|_| pace.sent(now));
        assert_eq!(pace.room(now), 1);
    }

    #[test]
    fn a_clock_that_is_set_back_holds_nothing_up() {
        let mut pace = Pace::new(NonZeroU32::MIN);
        let later = Timestamp::from_second(86_400).unwrap();
        pace.sent(later);
        assert!(pace.not_before(later).is_some());
        assert_eq!(pace.not_before(Timestamp::UNIX_EPOCH), None);
        pace.sent(Timestamp::UNIX_EPOCH);
        let next = pace.not_before(Timestamp::UNIX_EPOCH);
        assert!(next.is_none_or(|next| next.as_second() <= 61), "{next:?}");
    }
}
