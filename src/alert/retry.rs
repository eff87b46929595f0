//! When a delivery that failed is tried again, and when it is given up.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

/// The pauses after each failed attempt, in seconds: those of Standard Webhooks, from seconds to a
/// day. An attempt after the last one is not made.
const PAUSES: [i64; 9] =
    [5, 5 * 60, 30 * 60, 2 * 3600, 5 * 3600, 10 * 3600, 14 * 3600, 20 * 3600, 24 * 3600];
/// A receiver that asks for more patience than this gets no more.
const LONGEST_ASKED: SignedDuration = SignedDuration::from_hours(24);
/// Pauses grow by up to this part, so that many deliveries do not come back at one moment.
const JITTER_PERCENT: i64 = 10;

/// How an attempt to deliver went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Delivery {
    /// The receiver has it.
    Delivered,
    /// It may go better later.
    RetryAfter {
        /// The receiver asked for this much patience.
        after: Option<Duration>,
        /// Why it failed.
        why: String,
    },
    /// It will never be taken.
    Rejected {
        /// Why.
        why: String,
    },
    /// Neither it nor any other will be taken: the receiver says that it is there no more.
    Gone {
        /// In which words.
        why: String,
    },
}

impl Delivery {
    /// A failure that may pass.
    pub(crate) fn again(why: impl Into<String>) -> Self {
        Delivery::RetryAfter { after: None, why: why.into() }
    }
}

/// What is done with a delivery after an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// Nothing: it arrived.
    Done,
    /// It is tried again.
    TryAt {
        /// Not before this.
        at: Timestamp,
        /// Why it failed.
        why: String,
    },
    /// It is given up.
    Dead {
        /// Why it failed.
        why: String,
    },
}

/// What follows from the outcome of attempt number `attempts`, the first being 1. `seed` decides
/// the jitter.
pub fn next(outcome: Delivery, attempts: u32, now: Timestamp, seed: u64) -> Next {
    match outcome {
        Delivery::Delivered => Next::Done,
        Delivery::Rejected { why } | Delivery::Gone { why } => Next::Dead { why },
        Delivery::RetryAfter { after, why } => {
            let index = usize::try_from(attempts.saturating_sub(1)).unwrap_or(usize::MAX);
            let Some(pause) = PAUSES.get(index) else {
                return Next::Dead { why: format!("{attempts} attempts failed, the last: {why}") };
            };
            let jitter = i64::try_from(seed % 1000).unwrap_or(0) * JITTER_PERCENT * pause / 100;
            let pause = SignedDuration::from_millis(pause * 1000 + jitter);
            let asked = after.and_then(|after| SignedDuration::try_from(after).ok());
            let asked = asked.unwrap_or(SignedDuration::ZERO).min(LONGEST_ASKED);
            Next::TryAt { at: now + pause.max(asked), why }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed(after: Option<u64>) -> Delivery {
        Delivery::RetryAfter { after: after.map(Duration::from_secs), why: "503".to_owned() }
    }

    #[track_caller]
    fn check(outcome: Delivery, attempts: u32, seed: u64, seconds: i64) {
        match next(outcome, attempts, Timestamp::UNIX_EPOCH, seed) {
            Next::TryAt { at, .. } => assert_eq!(at.as_second(), seconds),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn pauses_grow_and_jitter_only_lengthens_them() {
        check(failed(None), 1, 0, 5);
        check(failed(None), 2, 0, 300);
        check(failed(None), 2, 999, 329);
        check(failed(None), 9, 0, 24 * 3600);
    }

    #[test]
    fn a_receiver_that_names_a_time_is_not_tried_before_it() {
        check(failed(Some(60)), 1, 0, 60);
        check(failed(Some(1)), 1, 0, 5);
        check(failed(Some(u64::MAX)), 1, 0, 5);
        check(failed(Some(1 << 40)), 1, 0, 24 * 3600);
    }

    #[test]
    fn a_rejected_delivery_is_not_tried_again() {
        let next = next(Delivery::Rejected { why: "410".to_owned() }, 1, Timestamp::UNIX_EPOCH, 0);
        assert_eq!(next, Next::Dead { why: "410".to_owned() });
    }

    #[test]
    fn the_tenth_failure_is_the_last() {
        let next = next(failed(None), 10, Timestamp::UNIX_EPOCH, 0);
        assert_eq!(next, Next::Dead { why: "10 attempts failed, the last: 503".to_owned() });
    }
}
