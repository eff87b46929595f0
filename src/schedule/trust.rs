//! Whether a server's "nothing has changed" is believed.
//!
//! Some servers give the same validators whatever they serve, and would answer 304 for ever. A feed
//! that has been quiet for unusually long is therefore asked once without conditions.

use jiff::{SignedDuration, Timestamp};

use super::{FeedState, Seen, State};
use crate::poll::Validators;

/// A feed is asked without conditions when it has been quiet for so many times the usual time
/// between two items, but within these.
const QUIET_GAPS: f64 = 10.0;
const SHORTEST_QUIET: SignedDuration = SignedDuration::from_hours(24);
const LONGEST_QUIET: SignedDuration = SignedDuration::from_hours(7 * 24);
/// How long a check that found nothing is good for, and how long a validator is not believed.
const WEEK: SignedDuration = SignedDuration::from_hours(7 * 24);

/// Which validators of a feed are believed, and therefore sent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Trust {
    /// All that the server gives.
    #[default]
    All,
    /// Not the `ETag`.
    LastModified,
    /// None.
    Nothing,
}

impl Trust {
    const ALL: [Trust; 3] = [Trust::All, Trust::LastModified, Trust::Nothing];

    /// The word that the store uses.
    pub fn as_str(self) -> &'static str {
        match self {
            Trust::All => "all",
            Trust::LastModified => "last-modified",
            Trust::Nothing => "nothing",
        }
    }

    /// The trust of that word.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|trust| trust.as_str() == name)
    }
}

/// What to send with the poll for which `feed` was leased.
pub fn conditions(feed: &FeedState) -> Validators {
    if is_check(feed) { Validators::default() } else { believed(feed) }
}

fn believed(feed: &FeedState) -> Validators {
    let mut validators = feed.validators.clone();
    match feed.trust {
        Trust::All => {}
        Trust::LastModified => validators.etag = None,
        Trust::Nothing => return Validators::default(),
    }
    validators
}

/// Whether the poll under way asks without conditions although there are some.
fn is_check(feed: &FeedState) -> bool {
    feed.checked_at.is_some() && feed.checked_at == feed.last_request
}

/// Decides, when a poll starts, whether it is to be such a check, and believes validators again
/// that have been out of favour for a week.
pub(super) fn start(feed: &mut FeedState, now: Timestamp) {
    if feed.distrusted_at.is_some_and(|at| now.duration_since(at) >= WEEK) {
        feed.trust = Trust::All;
        feed.distrusted_at = None;
    }
    let conditional = believed(feed) != Validators::default();
    let quiet = feed.last_body.is_some_and(|at| now.duration_since(at) > longest_quiet(feed, now));
    // One that a restart cut off has found nothing out.
    let done = feed.checked_at.filter(|at| feed.last_ok >= Some(*at));
    let checked = done.is_some_and(|at| now.duration_since(at) < WEEK);
    if feed.state == State::Active && conditional && quiet && !checked {
        feed.checked_at = Some(now);
    }
}

/// A poll that came to nothing was no check.
pub(super) fn give_up(feed: &mut FeedState) {
    if is_check(feed) {
        feed.checked_at = None;
    }
}

/// How long only 304s are believed.
fn longest_quiet(feed: &FeedState, now: Timestamp) -> SignedDuration {
    let rate = feed.arrivals.as_ref().and_then(|arrivals| arrivals.rate(now)).unwrap_or(0.0);
    let hours = (QUIET_GAPS / rate.max(1e-6)).min(LONGEST_QUIET.as_hours() as f64);
    SignedDuration::from_secs((hours * 3600.0) as i64).max(SHORTEST_QUIET)
}

/// Judges the validators by what a poll found.
pub(super) fn judge(feed: &mut FeedState, seen: &Seen, now: Timestamp) {
    // An item that came after the last 304 is no proof against it.
    let stale = |published: &Option<Timestamp>| published.is_none_or(|at| Some(at) < feed.last_ok);
    if !is_check(feed) || !seen.new.iter().any(stale) {
        return;
    }
    let both = feed.validators.etag.is_some() && feed.validators.last_modified.is_some();
    feed.trust =
        if feed.trust == Trust::All && both { Trust::LastModified } else { Trust::Nothing };
    feed.distrusted_at = Some(now);
    feed.checked_at = None;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schedule::rate::Arrivals;

    const HOUR: i64 = 3600;
    const DAY: i64 = 24 * HOUR;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + seconds).unwrap()
    }

    /// A feed that brought an item every two hours for a week and has been quiet since.
    fn feed() -> FeedState {
        let mut arrivals = Arrivals::new(at(-7 * DAY));
        for hour in (-7 * 24..=0).step_by(2) {
            arrivals.record(Some(at(hour * HOUR)), at(hour * HOUR));
        }
        FeedState {
            state: State::Active,
            validators: Validators {
                url: Some("https://e.org/".to_owned()),
                etag: Some(b"\"constant\"".to_vec()),
                last_modified: Some(b"yesterday".to_vec()),
            },
            arrivals: Some(arrivals),
            last_body: Some(at(0)),
            last_ok: Some(at(0)),
            ..FeedState::new(at(-7 * DAY), at(0))
        }
    }

    /// Starts a poll; whether it is a check.
    fn started(feed: &mut FeedState, now: Timestamp) -> bool {
        start(feed, now);
        feed.last_request = Some(now);
        is_check(feed)
    }

    #[test]
    fn a_feed_that_is_quiet_for_long_is_asked_once_a_week_without_conditions() {
        let mut feed = feed();
        assert!(
            !started(&mut feed, at(20 * HOUR)),
            "ten of its gaps are twenty hours, a day counts"
        );
        assert_eq!(conditions(&feed), feed.validators);
        assert!(started(&mut feed, at(30 * HOUR)));
        assert_eq!(conditions(&feed), Validators::default());
        feed.last_ok = Some(at(30 * HOUR));
        assert!(!started(&mut feed, at(31 * HOUR)));
        assert!(!started(&mut feed, at(30 * HOUR + 6 * DAY)));
        assert!(started(&mut feed, at(30 * HOUR + 7 * DAY)));
    }

    #[test]
    fn a_check_that_came_to_nothing_is_made_again() {
        let mut feed = feed();
        assert!(started(&mut feed, at(30 * HOUR)));
        assert!(started(&mut feed, at(31 * HOUR)), "a restart cut it off");
        give_up(&mut feed);
        feed.last_ok = Some(at(32 * HOUR));
        assert!(started(&mut feed, at(33 * HOUR)), "it failed");
    }

    #[test]
    fn what_a_304_hid_costs_the_etag_its_trust_and_then_the_date() {
        let mut feed = feed();
        let hidden = Seen { shown: 5, new: vec![Some(at(HOUR))], ..Seen::default() };
        for (day, trust) in [(2, Trust::LastModified), (4, Trust::Nothing)] {
            assert!(started(&mut feed, at(day * DAY)));
            feed.last_ok = Some(at(day * DAY - HOUR));
            judge(&mut feed, &hidden, at(day * DAY));
            assert_eq!(feed.trust, trust);
        }
        assert_eq!(conditions(&feed), Validators::default());
        assert!(!started(&mut feed, at(10 * DAY)), "nothing is sent that could be checked");
        start(&mut feed, at(11 * DAY));
        assert_eq!(feed.trust, Trust::All, "it is given another trial after a week");
    }

    #[test]
    fn an_item_that_came_since_the_last_poll_is_no_proof_against_a_validator() {
        let mut feed = feed();
        assert!(started(&mut feed, at(2 * DAY)));
        feed.last_ok = Some(at(2 * DAY - HOUR));
        let fresh = Seen { shown: 5, new: vec![Some(at(2 * DAY - 60))], ..Seen::default() };
        judge(&mut feed, &fresh, at(2 * DAY));
        assert_eq!(feed.trust, Trust::All);
    }
}
