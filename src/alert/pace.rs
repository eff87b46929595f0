//! How fast a receiver is told, so that what gathered while it was away does not come at once.

use std::num::NonZeroU32;

use jiff::{SignedDuration, Timestamp};

const MINUTE: SignedDuration = SignedDuration::from_mins(1);
const MINUTE_MILLIS: i64 = 60_000;
/// So much of a minute's messages may come one after the other.
const BURST_PART: u32 = 6;

/// At most so many messages in any minute, a few at once and the rest evenly apart: the generic
/// cell rate algorithm.
#[derive(Debug, Clone)]
pub(crate) struct Pace {
    gap: SignedDuration,
    burst: i32,
    /// When all that was sent would have been sent, were it evenly apart.
    even: Timestamp,
}

impl Pace {
    /// So many messages a minute.
    pub(crate) fn new(per_minute: NonZeroU32) -> Self {
        let burst = (per_minute.get() / BURST_PART).max(1);
        // A burst and what follows it within a minute are the limit together. A gap that is rounded
        // down would let one more into the minute.
        let gaps = i64::from(per_minute.get() - burst + 1);
        let gap = SignedDuration::from_millis((MINUTE_MILLIS + gaps - 1) / gaps);
        let burst = i32::try_from(burst).unwrap_or(i32::MAX);
        Self { gap, burst, even: Timestamp::MIN }
    }

    /// When the next message may go; nothing when it may go now.
    pub(crate) fn not_before(&self, now: Timestamp) -> Option<Timestamp> {
        let at = self.even.checked_sub(self.gap * (self.burst - 1)).unwrap_or(Timestamp::MIN);
        // Longer than that only because the clock was set back.
        (now < at && at <= now + MINUTE).then_some(at)
    }

    /// A message was sent.
    pub(crate) fn sent(&mut self, now: Timestamp) {
        self.even = self.even.clamp(now, now + self.gap * self.burst) + self.gap;
    }
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
            let least = per_minute as usize * 7;
            assert!(sent.len() >= least, "{per_minute}: only {} in ten minutes", sent.len());
        }
    }

    #[test]
    fn a_few_messages_may_go_at_once_and_the_next_are_apart() {
        let sent = sent(30);
        assert_eq!(sent.iter().filter(|at| **at == 0).count(), 5);
        assert_eq!(sent[6] - sent[5], sent[7] - sent[6]);
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
        assert!(next.is_none_or(|next| next.as_second() <= 60), "{next:?}");
    }
}
