//! Conditional GET with limits: from a feed's address to a typed outcome.

pub(crate) mod access;
pub(crate) mod address;
mod blocks;
mod client;
mod decode;
mod file;
pub(crate) mod headers;
pub(crate) mod transcript;

use std::sync::Arc;
use tokio::sync::OwnedSemaphorePermit;
use url::Url;

pub use self::client::Fetcher;
pub(crate) use self::client::same_server;
use crate::config::Config;
use crate::config::access::Access;
pub use crate::poll::{Failure, FailureKind, Freshness, Validators};

/// Whether what a configuration names can be asked from this system at all: servers under TLS need
/// certificates of authorities to be believed.
pub fn check_system(config: &Config) -> anyhow::Result<()> {
    let Some(who) = config.first_over_tls() else { return Ok(()) };
    address::check_certificates()
        .map_err(|error| anyhow::anyhow!("{who} is asked over TLS, but {error}"))
}

/// One poll to be made.
#[derive(Debug, Clone)]
pub struct Request {
    /// The configured address: http, https, or file.
    pub url: Url,
    /// The address to start from in place of that: the feed has moved there for good. It is trusted
    /// no more than any other that a redirect leads to.
    pub moved_to: Option<Url>,
    /// What to send so that an unchanged feed costs nothing.
    pub validators: Validators,
    /// The configuration allows private and loopback addresses for this feed.
    pub allow_private: bool,
    /// How the server is reached and what it is told: headers and credentials go to the origin of
    /// `url` alone.
    pub access: Access,
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
    /// The same, when there was a redirect and all were permanent (301, 308).
    pub moved_to: Option<Url>,
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
        /// The address that answered, when there was a redirect and all were permanent.
        moved_to: Option<Url>,
    },
    /// Nothing usable.
    Failed(Failure),
}
