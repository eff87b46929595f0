//! Permanent redirects: a feed's new address is adopted once it has proven to be the same feed.
//!
//! A maintenance page, a hotel's gateway or a parked domain redirects permanently too. The
//! configuration is never edited, and its address is the one to go back to.

use jiff::{SignedDuration, Timestamp};

use super::FeedState;

/// Good polls that must have been led to an address before it is adopted.
const POLLS: u32 = 3;
/// Over what time, at least.
const WITHIN: SignedDuration = SignedDuration::from_hours(48);
/// Failures in a row after which the configured address is asked again.
const FALL_BACK: u32 = 3;

/// Where a feed's address may have moved to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Move {
    /// Where the redirects lead.
    pub url: String,
    /// When they first did.
    pub since: Timestamp,
    /// Good polls in a row that were led there.
    pub polls: u32,
}

/// Takes note of where permanent redirects led a good poll, if any did. `known` says that the
/// document showed something of what the feed had shown before.
pub(super) fn took(feed: &mut FeedState, moved_to: Option<&str>, known: bool, now: Timestamp) {
    let Some(url) = moved_to else {
        feed.moving = None;
        return;
    };
    let before = feed.moving.take().filter(|moving| moving.url == url);
    let mut moving = before.unwrap_or(Move { url: url.to_owned(), since: now, polls: 0 });
    moving.polls = moving.polls.saturating_add(1);
    if known && moving.polls >= POLLS && now.duration_since(moving.since) >= WITHIN {
        feed.effective_url = Some(moving.url);
        feed.moved_at = Some(now);
    } else {
        feed.moving = Some(moving);
    }
}

/// Goes back to the configured address when the adopted one keeps failing.
pub(super) fn failed(feed: &mut FeedState) {
    if feed.failures >= FALL_BACK {
        feed.effective_url = None;
        feed.moving = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 24 * 3600;
    const NEW: &str = "https://new.example/feed";

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + seconds).unwrap()
    }

    /// The adopted address after good polls on these days, each led to an address.
    #[track_caller]
    fn check(polls: &[(i64, Option<&str>, bool)], adopted: Option<&str>) {
        let mut feed = FeedState::new(at(0), at(0));
        for (day, to, known) in polls {
            took(&mut feed, *to, *known, at(day * DAY));
        }
        assert_eq!(feed.effective_url.as_deref(), adopted);
        assert_eq!(feed.moved_at.is_some(), adopted.is_some());
    }

    #[test]
    fn an_address_is_adopted_after_three_good_polls_over_two_days_that_showed_the_same_feed() {
        let new = Some(NEW);
        check(&[(0, new, true), (1, new, true), (2, new, true)], new);
        check(&[(0, new, true), (0, new, true), (1, new, true)], None);
        check(&[(0, new, true), (2, new, true)], None);
        check(&[(0, new, false), (1, new, false), (2, new, false)], None);
        check(&[(0, new, false), (1, new, false), (2, new, true)], new);
    }

    #[test]
    fn a_redirect_that_ends_or_leads_elsewhere_starts_the_proof_anew() {
        let new = Some(NEW);
        check(&[(0, new, true), (1, None, true), (2, new, true), (3, new, true)], None);
        let other = Some("https://other.example/feed");
        check(&[(0, new, true), (1, other, true), (2, new, true), (3, new, true)], None);
    }

    #[test]
    fn an_adopted_address_that_fails_three_times_is_given_up() {
        let mut feed = FeedState {
            effective_url: Some(NEW.to_owned()),
            failures: 2,
            ..FeedState::new(at(0), at(0))
        };
        failed(&mut feed);
        assert_eq!(feed.effective_url.as_deref(), Some(NEW));
        feed.failures = 3;
        failed(&mut feed);
        assert_eq!(feed.effective_url, None);
    }
}
