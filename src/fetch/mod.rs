//! Conditional GET with limits: from a feed's address to a typed outcome.

pub(crate) mod address;
mod client;
mod decode;
mod file;
pub(crate) mod headers;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::OwnedSemaphorePermit;
use url::Url;

pub use self::client::Fetcher;

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

/// One poll to be made.
#[derive(Debug, Clone)]
pub struct Request {
    /// Where to ask: http, https, or file.
    pub url: Url,
    /// What to send so that an unchanged feed costs nothing.
    pub validators: Validators,
    /// The configuration allows private and loopback addresses for this feed.
    pub allow_private: bool,
}

/// How long the answer says that it stays fresh (RFC 9111 section 4.2), and when to come back.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Freshness {
    /// How much longer the answer is fresh.
    pub lifetime: Option<Duration>,
    /// `Retry-After`, as a duration from now.
    pub retry_after: Option<Duration>,
}

/// A feed document that arrived.
#[derive(Debug, Clone)]
pub struct Body {
    /// The status, 200 to 299; 200 for a file.
    pub status: u16,
    /// The bytes after decompression.
    pub bytes: Vec<u8>,
    /// False when the connection broke, the length did not agree, or decompression failed midway.
    pub complete: bool,
    /// The address that answered, after redirects.
    pub final_url: Url,
    /// Every hop was permanent (301, 308) and there was at least one.
    pub moved_permanently: bool,
    /// `charset` of `Content-Type`.
    pub charset: Option<String>,
    /// `Content-Type` without parameters, lower case.
    pub content_type: Option<String>,
    /// To be sent next time, and to be stored together with the items.
    pub validators: Validators,
    /// When to come back.
    pub freshness: Freshness,
    /// Bytes on the wire, headers not counted.
    pub wire_bytes: u64,
    /// A large body's place in memory, free again when the body is dropped.
    pub(crate) large: Option<Arc<OwnedSemaphorePermit>>,
}

/// What came of a poll.
#[derive(Debug)]
pub enum Outcome {
    /// A body.
    Modified(Box<Body>),
    /// 304, or a file that has not changed.
    NotModified {
        /// What the 304 repeated or renewed; a field that it left out keeps its old value.
        validators: Validators,
        /// When to come back.
        freshness: Freshness,
    },
    /// Nothing usable.
    Failed(Failure),
}

/// Why a poll brought nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Which kind, for the schedule.
    pub kind: FailureKind,
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
}
