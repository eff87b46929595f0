//! How a feed is doing, in one word for a person.

use std::fmt;

use jiff::{SignedDuration, Timestamp};
use serde::{Serialize, Serializer};

use super::State;
use super::trouble::{Trouble, Troubles};
use crate::poll::FailureKind;

/// A feed that fails for so long is broken; what passes sooner needs nobody.
pub const BROKEN_AFTER: SignedDuration = SignedDuration::from_hours(24);

/// How a feed is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Health {
    /// Nothing is wrong with it, as far as is known.
    Ok,
    /// It has never been polled, so that nobody knows.
    New,
    /// It can be read, but has brought nothing new for longer than it ever takes.
    Quiet,
    /// Its documents are damaged, or it has failed for less than a day.
    Degraded,
    /// Its host asked to be left alone.
    Throttled,
    /// The server keeps us out.
    Blocked,
    /// It has failed for a day, or its certificate is not accepted.
    Broken,
    /// The server says that it will never come back.
    Gone,
    /// Nothing is in reach: it is not to blame.
    Offline,
    /// It is not polled.
    Disabled,
}

impl Health {
    /// The health of a feed that is polled and whose network is there.
    pub fn of(
        state: State,
        failure: Option<FailureKind>,
        troubles: &Troubles,
        now: Timestamp,
    ) -> Self {
        let lasting = troubles.failing_since.map(|since| now.duration_since(since));
        match state {
            State::Gone => Health::Gone,
            State::Blocked => Health::Blocked,
            State::Throttled => Health::Throttled,
            State::Retry if failure == Some(FailureKind::Certificate) => Health::Broken,
            State::Retry if lasting.is_some_and(|lasting| lasting >= BROKEN_AFTER) => {
                Health::Broken
            }
            State::Retry | State::Degraded => Health::Degraded,
            State::Active if troubles.found.contains_key(&Trouble::Quiet) => Health::Quiet,
            State::Active => Health::Ok,
            State::New => Health::New,
        }
    }

    /// The word that lists use.
    pub fn as_str(self) -> &'static str {
        match self {
            Health::Ok => "ok",
            Health::New => "new",
            Health::Quiet => "quiet",
            Health::Degraded => "degraded",
            Health::Throttled => "throttled",
            Health::Blocked => "blocked",
            Health::Broken => "broken",
            Health::Gone => "gone",
            Health::Offline => "offline",
            Health::Disabled => "disabled",
        }
    }
}

impl fmt::Display for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for Health {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[track_caller]
    fn check(state: State, failure: Option<FailureKind>, failing_hours: Option<i64>, is: Health) {
        let now = Timestamp::from_second(1_700_000_000).unwrap();
        let failing_since = failing_hours.map(|hours| now - SignedDuration::from_hours(hours));
        let troubles = Troubles { failing_since, ..Troubles::default() };
        assert_eq!(Health::of(state, failure, &troubles, now), is);
    }

    #[test]
    fn a_feed_is_broken_when_it_fails_for_a_day_or_its_certificate_is_not_accepted() {
        let server = Some(FailureKind::Server);
        check(State::Retry, server, Some(23), Health::Degraded);
        check(State::Retry, server, Some(24), Health::Broken);
        check(State::Retry, Some(FailureKind::Certificate), Some(0), Health::Broken);
        check(State::Throttled, Some(FailureKind::Throttled), Some(48), Health::Throttled);
        check(State::Gone, Some(FailureKind::Gone), Some(48), Health::Gone);
        check(State::Degraded, None, None, Health::Degraded);
        check(State::Active, None, None, Health::Ok);
        check(State::New, None, None, Health::New);
    }

    #[test]
    fn a_feed_that_was_found_quiet_is_quiet_while_it_can_be_read() {
        let now = Timestamp::UNIX_EPOCH;
        let troubles =
            Troubles { found: BTreeMap::from([(Trouble::Quiet, now)]), ..Troubles::default() };
        assert_eq!(Health::of(State::Active, None, &troubles, now), Health::Quiet);
        assert_eq!(Health::of(State::Blocked, None, &troubles, now), Health::Blocked);
    }
}
