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
    /// It has shown to be the same feed.
    pub proven: bool,
}

/// Takes note of where permanent redirects led a good poll, if any did. `known` says that the
/// document showed something of what the feed had shown before, `identity` is the feed's id as it
/// stands in it.
pub(super) fn took(
    feed: &mut FeedState,
    moved_to: Option<&str>,
    known: bool,
    identity: Option<[u8; 16]>,
    now: Timestamp,
) {
    let Some(url) = moved_to else {
        feed.moving = None;
        feed.identity = identity.or(feed.identity);
        return;
    };
    let before = feed.moving.take().filter(|moving| moving.url == url);
    let new = Move { url: url.to_owned(), since: now, polls: 0, proven: false };
    let mut moving = before.unwrap_or(new);
    // What it shows later is known because it has shown it itself. A feed that was never seen
    // elsewhere is what is found there.
    moving.proven |= moving.polls == 0 && (known || feed.baseline_at.is_none());
    moving.proven |= identity.is_some() && identity == feed.identity;
    moving.polls = moving.polls.saturating_add(1);
    if moving.proven && moving.polls >= POLLS && now.duration_since(moving.since) >= WITHIN {
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

    /// A feed that has been polled at its own address.
    fn watched() -> FeedState {
        FeedState { baseline_at: Some(at(0)), ..FeedState::new(at(0), at(0)) }
    }

    /// The adopted address after good polls on these days, each led to an address.
    #[track_caller]
    fn check(polls: &[(i64, Option<&str>, bool)], adopted: Option<&str>) {
        let mut feed = watched();
        for (day, to, known) in polls {
            took(&mut feed, *to, *known, None, at(day * DAY));
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
        check(&[(0, new, true), (1, new, false), (2, new, false)], new);
    }

    #[test]
    fn what_an_address_has_shown_itself_proves_nothing() {
        let new = Some(NEW);
        check(&[(0, new, false), (1, new, true), (2, new, true), (3, new, true)], None);
    }

    #[test]
    fn an_address_that_shows_the_feeds_id_is_the_same_feed_whatever_its_items() {
        let (ours, other) = (Some([1; 16]), Some([2; 16]));
        for (shown, adopted) in [(ours, Some(NEW)), (other, None), (None, None)] {
            let mut feed = watched();
            took(&mut feed, None, true, ours, at(0));
            took(&mut feed, None, true, None, at(0));
            for day in [1, 2, 3] {
                took(&mut feed, Some(NEW), false, shown, at(day * DAY));
            }
            assert_eq!(feed.effective_url.as_deref(), adopted);
        }
    }

    #[test]
    fn an_address_does_not_prove_itself_by_an_id_of_its_own() {
        let mut feed = watched();
        for day in [0, 1, 2, 3] {
            took(&mut feed, Some(NEW), false, Some([2; 16]), at(day * DAY));
        }
        assert_eq!((feed.effective_url, feed.identity), (None, None));
    }

    #[test]
    fn a_feed_that_was_led_there_from_the_first_is_what_is_found_there() {
        let mut feed = FeedState::new(at(0), at(0));
        for day in [0, 1, 2] {
            took(&mut feed, Some(NEW), false, None, at(day * DAY));
            feed.baseline_at = Some(at(0));
        }
        assert_eq!(feed.effective_url.as_deref(), Some(NEW));
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
