//! What is known after asking for a feed: validators, freshness, failures. Plain values, shared by
//! the fetcher that fills them and the schedule that reads them.

use std::time::Duration;

use jiff::Timestamp;

/// What a server gave us to ask "has it changed?" with, byte for byte (RFC 9110 section 8.8).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Validators {
    /// The address that gave them; they are sent to no other.
    pub url: Option<String>,
    /// The `ETag` as received.
    pub etag: Option<Vec<u8>>,
    /// The `Last-Modified` as received, HTTP date or not.
    pub last_modified: Option<Vec<u8>>,
}

impl Validators {
    /// Whether there is anything to ask with.
    pub fn is_conditional(&self) -> bool {
        self.etag.is_some() || self.last_modified.is_some()
    }
}

/// How long the answer says that it stays fresh (RFC 9111 section 4.2), and when to come back.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Freshness {
    /// How much longer the answer is fresh: zero when it is to be asked for each time, `None` when it
    /// does not say.
    pub lifetime: Option<Duration>,
    /// `Retry-After`, as a duration from now.
    pub retry_after: Option<Duration>,
}

/// What a feed says in its document about when it wants to be asked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Hints {
    /// How long it wants to be left alone: RSS `ttl`, or `sy:updatePeriod` by `sy:updateFrequency`.
    pub pause: Duration,
    /// The hours of the day in which it brings nothing, in UTC: the lowest bit is the first
    /// (`skipHours`).
    pub skip_hours: u32,
    /// The days of the week on which it brings nothing: the lowest bit is Monday (`skipDays`).
    pub skip_days: u8,
}

/// What decided when a feed is asked next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DueBy {
    /// An interval that the configuration fixes.
    Interval,
    /// Too little is known of it.
    New,
    /// How often it brings something.
    Rate,
    /// How much it shows: what is new must not push out what was not seen.
    Gap,
    /// Its server sends the whole document each time.
    Unconditional,
    /// The answer stays fresh until then.
    Fresh,
    /// The document asks to be left alone until then.
    Asked,
    /// The document names hours or days without news.
    Skip,
    /// The pause after so many failures, damaged documents or refusals of the host in a row.
    Backoff,
    /// The host asked to be left alone until then, by a time of its own.
    RetryAfter,
    /// Nothing is in reach.
    Offline,
}

impl DueBy {
    /// The store keeps places in this list: it grows at its end only.
    const ALL: [DueBy; 11] = [
        DueBy::Interval,
        DueBy::New,
        DueBy::Rate,
        DueBy::Gap,
        DueBy::Unconditional,
        DueBy::Fresh,
        DueBy::Asked,
        DueBy::Skip,
        DueBy::Backoff,
        DueBy::RetryAfter,
        DueBy::Offline,
    ];

    /// The number that the store keeps.
    pub fn code(self) -> u8 {
        place(&Self::ALL, self)
    }

    /// What has that number.
    pub fn from_code(code: u8) -> Option<Self> {
        Self::ALL.get(usize::from(code)).copied()
    }

    /// The word that the store and the lists use.
    pub fn as_str(self) -> &'static str {
        match self {
            DueBy::Interval => "interval",
            DueBy::New => "new",
            DueBy::Rate => "rate",
            DueBy::Gap => "gap",
            DueBy::Unconditional => "unconditional",
            DueBy::Fresh => "fresh",
            DueBy::Asked => "asked",
            DueBy::Skip => "skip",
            DueBy::Backoff => "backoff",
            DueBy::RetryAfter => "retry-after",
            DueBy::Offline => "offline",
        }
    }
}

fn place<T: PartialEq>(all: &[T], one: T) -> u8 {
    let place = all.iter().position(|other| *other == one);
    place.and_then(|place| u8::try_from(place).ok()).expect("the list holds all there are")
}

/// How a poll went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PollResult {
    /// A body was taken in.
    Changed,
    /// What could be read of a damaged body was taken in.
    Damaged,
    /// The same body again.
    SameBody,
    /// 304.
    NotModified,
    /// Nothing usable came.
    Failed(FailureKind),
}

impl PollResult {
    /// Failures are numbered from here on.
    const FAILURES: u8 = 16;

    /// The number that the store keeps.
    pub fn code(self) -> u8 {
        match self {
            PollResult::Changed => 0,
            PollResult::Damaged => 1,
            PollResult::SameBody => 2,
            PollResult::NotModified => 3,
            PollResult::Failed(kind) => Self::FAILURES + place(&FailureKind::ALL, kind),
        }
    }

    /// What has that number.
    pub fn from_code(code: u8) -> Option<Self> {
        Some(match code {
            0 => PollResult::Changed,
            1 => PollResult::Damaged,
            2 => PollResult::SameBody,
            3 => PollResult::NotModified,
            _ => {
                let failure = code.checked_sub(Self::FAILURES)?;
                PollResult::Failed(*FailureKind::ALL.get(usize::from(failure))?)
            }
        })
    }

    /// The word that lists and metrics use.
    pub fn as_str(self) -> &'static str {
        match self {
            PollResult::Changed => "changed",
            PollResult::Damaged => "damaged",
            PollResult::SameBody => "same-body",
            PollResult::NotModified => "not-modified",
            PollResult::Failed(kind) => kind.as_str(),
        }
    }
}

/// A poll as it is remembered for a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PollNote {
    /// When the request was started.
    pub at: Timestamp,
    /// The status of the answer; absent where no server gave one.
    pub status: Option<u16>,
    /// How it went.
    pub result: PollResult,
    /// Bytes of a body on the wire.
    pub received_bytes: u64,
    /// Items that the document showed.
    pub items: usize,
    /// How many of those were new.
    pub new_items: usize,
    /// From the request to the end of matching.
    pub took: Duration,
    /// What decided when the next poll is.
    pub due_by: DueBy,
}

/// Why a poll brought nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Which kind, for the schedule.
    pub kind: FailureKind,
    /// The status of the answer, where there was one.
    pub status: Option<u16>,
    /// What happened, for a person, with every cause.
    pub message: String,
    /// When to come back, where the server said.
    pub freshness: Freshness,
}

/// The kinds of failure that the schedule treats differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FailureKind {
    /// Name resolution failed.
    Dns,
    /// No connection.
    Connect,
    /// The certificate was not accepted.
    Certificate,
    /// Too slow, or never finished.
    Timeout,
    /// The connection broke.
    Broken,
    /// More bytes than allowed, on the wire or after decompression.
    TooLarge,
    /// An address that may not be asked.
    Forbidden,
    /// Redirects that lead nowhere.
    Redirect,
    /// 408 and 5xx.
    Server,
    /// 429, or 503 with `Retry-After`: the host asks to be left alone.
    Throttled,
    /// 401, 403, 407, 451, or a page that keeps robots out.
    Blocked,
    /// 410.
    Gone,
    /// 404 and the other 4xx.
    NotFound,
    /// An answer that is no feed.
    Parse,
    /// An answer that nobody asked for: 304 to a request without conditions.
    Protocol,
    /// A file that the configuration names for this feed, of a secret or of certificates, cannot be
    /// used.
    Settings,
}

impl FailureKind {
    /// The store keeps places in this list: it grows at its end only.
    const ALL: [FailureKind; 16] = [
        FailureKind::Dns,
        FailureKind::Connect,
        FailureKind::Certificate,
        FailureKind::Timeout,
        FailureKind::Broken,
        FailureKind::TooLarge,
        FailureKind::Forbidden,
        FailureKind::Redirect,
        FailureKind::Server,
        FailureKind::Throttled,
        FailureKind::Blocked,
        FailureKind::Gone,
        FailureKind::NotFound,
        FailureKind::Parse,
        FailureKind::Protocol,
        FailureKind::Settings,
    ];

    /// The word that the store and the lists use.
    pub fn as_str(self) -> &'static str {
        match self {
            FailureKind::Dns => "dns",
            FailureKind::Connect => "connect",
            FailureKind::Certificate => "certificate",
            FailureKind::Timeout => "timeout",
            FailureKind::Broken => "broken",
            FailureKind::TooLarge => "too-large",
            FailureKind::Forbidden => "forbidden",
            FailureKind::Redirect => "redirect",
            FailureKind::Server => "server",
            FailureKind::Throttled => "throttled",
            FailureKind::Blocked => "blocked",
            FailureKind::Gone => "gone",
            FailureKind::NotFound => "not-found",
            FailureKind::Parse => "parse",
            FailureKind::Protocol => "protocol",
            FailureKind::Settings => "settings",
        }
    }

    /// What it is, for a person.
    pub fn in_words(self) -> &'static str {
        match self {
            FailureKind::Dns => "no such host",
            FailureKind::Connect => "not reachable",
            FailureKind::Certificate => "certificate refused",
            FailureKind::Timeout => "too slow",
            FailureKind::Broken => "connection broke",
            FailureKind::TooLarge => "too large",
            FailureKind::Forbidden => "not allowed",
            FailureKind::Redirect => "bad redirect",
            FailureKind::Server => "server error",
            FailureKind::Throttled => "throttled",
            FailureKind::Blocked => "blocked",
            FailureKind::Gone => "gone",
            FailureKind::NotFound => "not found",
            FailureKind::Parse => "no feed",
            FailureKind::Protocol => "bad answer",
            FailureKind::Settings => "bad settings",
        }
    }

    /// The kind of that word.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_store_keeps_as_a_number_is_read_back() {
        for due_by in DueBy::ALL {
            assert_eq!(DueBy::from_code(due_by.code()), Some(due_by));
        }
        let failures = FailureKind::ALL.into_iter().map(PollResult::Failed);
        let others = [
            PollResult::Changed,
            PollResult::Damaged,
            PollResult::SameBody,
            PollResult::NotModified,
        ];
        for result in others.into_iter().chain(failures) {
            assert_eq!(PollResult::from_code(result.code()), Some(result));
        }
        assert_eq!((PollResult::from_code(15), PollResult::from_code(200)), (None, None));
        assert_eq!(DueBy::from_code(200), None);
    }
}
