//! When a delivery that failed is tried again, and when it is given up.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

/// The pauses after each failed attempt, in seconds: those of Standard Webhooks, from seconds to a
/// day. An attempt after the last one is not made.
const PAUSES: [i64; 9] =
    [5, 5 * 60, 30 * 60, 2 * 3600, 5 * 3600, 10 * 3600, 14 * 3600, 20 * 3600, 24 * 3600];
/// The pauses of a file of this system: the first, doubled up to the last. Nobody is bothered by an attempt, and
/// room on a disk is made in minutes.
const FIRST_OF_FILE: i64 = 15;
const LAST_OF_FILE: i64 = 5 * 60;
/// Attempts to write a file: some three days of them, as with all other receivers.
const ATTEMPTS_OF_FILE: u32 = 900;
/// A receiver that asks for more patience than this gets no more.
const LONGEST_ASKED: SignedDuration = SignedDuration::from_hours(24);
/// Pauses grow by up to this part, so that many deliveries do not come back at one moment.
const JITTER_PERCENT: i64 = 10;

/// How long a file is left alone at most after it could not be written, jitter included.
pub(crate) const LONGEST_OF_FILE: SignedDuration =
    SignedDuration::from_secs(LAST_OF_FILE + LAST_OF_FILE * JITTER_PERCENT / 100);

/// How long a receiver is left alone after attempts that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pauses {
    /// As a server, or whatever else is somebody's: from seconds to a day.
    Usual,
    /// As a file of this system: minutes at most.
    File,
}

impl Pauses {
    /// Seconds after that attempt, the first being 1; nothing where it was the last.
    fn after(self, attempts: u32) -> Option<i64> {
        let before = attempts.saturating_sub(1);
        match self {
            Pauses::Usual => usize::try_from(before).ok().and_then(|at| PAUSES.get(at)).copied(),
            // Ten doublings are more than enough.
            Pauses::File => (attempts < ATTEMPTS_OF_FILE)
                .then(|| (FIRST_OF_FILE << before.min(10)).min(LAST_OF_FILE)),
        }
    }
}

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
pub fn next(outcome: Delivery, attempts: u32, pauses: Pauses, now: Timestamp, seed: u64) -> Next {
    match outcome {
        Delivery::Delivered => Next::Done,
        Delivery::Rejected { why } | Delivery::Gone { why } => Next::Dead { why },
        Delivery::RetryAfter { after, why } => {
            let Some(pause) = pauses.after(attempts) else {
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
        match next(outcome, attempts, Pauses::Usual, Timestamp::UNIX_EPOCH, seed) {
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
        let rejected = Delivery::Rejected { why: "410".to_owned() };
        let next = next(rejected, 1, Pauses::Usual, Timestamp::UNIX_EPOCH, 0);
        assert_eq!(next, Next::Dead { why: "410".to_owned() });
    }

    #[test]
    fn the_tenth_failure_is_the_last() {
        let next = next(failed(None), 10, Pauses::Usual, Timestamp::UNIX_EPOCH, 0);
        assert_eq!(next, Next::Dead { why: "10 attempts failed, the last: 503".to_owned() });
    }

    #[test]
    fn a_file_is_tried_again_within_minutes_for_three_days() {
        let pauses: Vec<i64> = (1..).map_while(|attempts| Pauses::File.after(attempts)).collect();
        assert_eq!(pauses[..7], [15, 30, 60, 120, 240, 300, 300]);
        assert_eq!(pauses.iter().sum::<i64>() / 3600, PAUSES.iter().sum::<i64>() / 3600 - 1);
        let next = next(failed(None), 900, Pauses::File, Timestamp::UNIX_EPOCH, 999);
        assert_eq!(next, Next::Dead { why: "900 attempts failed, the last: 503".to_owned() });
    }
}
