//! The next poll of a feed: a pure function of what is known about it and how the last one went.

use std::time::Duration;

use jiff::Timestamp;

use crate::fetch::{Failure, Freshness, Validators};

/// The condition a feed is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum State {
    /// Never polled with success.
    New,
    /// The last poll went well.
    Active,
    /// The last polls failed; it is tried again, for ever, less and less often.
    Retry,
    /// The host asked to be left alone.
    Throttled,
    /// The server keeps us out; a person must act.
    Blocked,
    /// The server says that it will never come back; looked at rarely.
    Gone,
}

/// All that is remembered about a feed between polls; the store keeps it.
#[derive(Debug, Clone, PartialEq)]
pub struct FeedState {
    /// The condition it is in.
    pub state: State,
    /// Since when.
    pub state_since: Timestamp,
    /// Why, for a person; absent while all is well.
    pub why: Option<String>,
    /// Failures in a row.
    pub failures: u32,
    /// What to send with the next poll.
    pub validators: Validators,
    /// The digest of the last body that was taken in whole.
    pub body_hash: Option<[u8; 32]>,
    /// When the last request was started.
    pub last_request: Option<Timestamp>,
    /// When a poll last went well, 304 included.
    pub last_ok: Option<Timestamp>,
    /// When a poll last brought a new item.
    pub last_new_item: Option<Timestamp>,
    /// When the first successful poll was committed.
    pub baseline_at: Option<Timestamp>,
    /// When to poll next.
    pub next_due: Timestamp,
}

impl FeedState {
    /// A feed that has never been polled and is due at `due`.
    pub fn new(now: Timestamp, due: Timestamp) -> Self {
        Self {
            state: State::New,
            state_since: now,
            why: None,
            failures: 0,
            validators: Validators::default(),
            body_hash: None,
            last_request: None,
            last_ok: None,
            last_new_item: None,
            baseline_at: None,
            next_due: due,
        }
    }
}

/// How a poll went, as far as the schedule cares.
#[derive(Debug, Clone, Copy)]
pub enum Polled<'a> {
    /// A body was taken in.
    Changed {
        /// To be sent next time; those of a damaged body must not be passed here.
        validators: &'a Validators,
        /// The digest of the body; `None` when it was damaged.
        body_hash: Option<[u8; 32]>,
        /// When to come back.
        freshness: Freshness,
        /// How many items were new.
        new_items: usize,
    },
    /// 304, or the same body again.
    Unchanged {
        /// What the answer repeated or renewed.
        validators: &'a Validators,
        /// When to come back.
        freshness: Freshness,
    },
    /// Nothing usable.
    Failed(&'a Failure),
}

/// What the configuration says about one feed's schedule.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// The time between two polls when all is well.
    pub interval: Duration,
}

/// What follows from a poll.
#[derive(Debug, Clone, PartialEq)]
pub struct Next {
    /// The feed's state from now on.
    pub feed: FeedState,
    /// The whole host is not to be asked before this.
    pub host_not_before: Option<Timestamp>,
}

/// The state that follows `before` when the poll that was started at `before.last_request` went
/// as `polled` says. `seed` decides the jitter, which only ever delays.
pub fn advance(
    before: &FeedState,
    _polled: Polled<'_>,
    _pace: Pace,
    _now: Timestamp,
    _seed: u64,
) -> Next {
    Next { feed: before.clone(), host_not_before: None }
}
