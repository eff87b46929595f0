//! What was said to servers and what they said, for a person who looks into a feed.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use reqwest::header::HeaderMap;
use reqwest::{StatusCode, Version};
use url::Url;

/// One request and its answer. Secrets among the headers are marked as sensitive.
#[derive(Debug, Clone)]
pub(crate) struct Exchange {
    /// The address that was asked.
    pub(crate) url: Url,
    /// What was sent, in the order of sending.
    pub(crate) headers: HeaderMap,
    /// How long nothing came back: the time to connect and to the head of the answer.
    pub(crate) waited: Duration,
    /// What came back, if anything did.
    pub(crate) answer: Option<Head>,
}

/// The head of an answer.
#[derive(Debug, Clone)]
pub(crate) struct Head {
    pub(crate) version: Version,
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
}

/// How much of a body came.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BodySize {
    /// Bytes on the wire.
    pub(crate) wire: u64,
    /// Bytes after decompression.
    pub(crate) unpacked: usize,
    /// Whether it is the whole body.
    pub(crate) complete: bool,
}

/// All that passed in one poll.
#[derive(Debug, Clone, Default)]
pub(crate) struct Transcript {
    /// A request for each hop.
    pub(crate) exchanges: Vec<Exchange>,
    /// The last answer's body.
    pub(crate) body: Option<BodySize>,
    /// How long everything took.
    pub(crate) took: Duration,
}

/// Writes a transcript as the fetcher works; cheap to clone.
#[derive(Debug, Clone, Default)]
pub(crate) struct Recorder(Arc<Mutex<Transcript>>);

impl Recorder {
    pub(super) fn note(&self, note: impl FnOnce(&mut Transcript)) {
        note(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// What was written so far.
    pub(crate) fn transcript(&self) -> Transcript {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
