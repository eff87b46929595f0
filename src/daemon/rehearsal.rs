//! A poll for a person to look at: made as the daemon would, and nothing of it kept.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anyhow::Context as _;

use super::poller::{DocumentNote, Poller, Readers};
use super::queue::{self, Poll};
use super::teller::Teller;
use crate::clock::Clock;
use crate::config::{Config, Feed};
use crate::fetch::Fetcher;
use crate::fetch::transcript::{Recorder, Transcript};
use crate::pipeline::Batch;
use crate::schedule::{FeedState, HostState};
use crate::store::Store;

/// A feed as it stands before a poll.
#[derive(Debug)]
pub(crate) struct Rehearsal {
    poller: Poller,
    feed: Arc<Feed>,
    /// What the store remembers of it.
    pub(crate) before: FeedState,
    /// What the store remembers of its host.
    pub(crate) host: HostState,
}

/// What a poll said and heard, and what would follow.
#[derive(Debug)]
pub(crate) struct Rehearsed {
    /// What was sent and received.
    pub(crate) transcript: Transcript,
    /// The document, where one came that could be read and was not the last one again.
    pub(crate) document: Option<DocumentNote>,
    /// What would be stored.
    pub(crate) batch: Batch,
    /// The state that would follow.
    pub(crate) after: FeedState,
    /// Whether the poll would count as failed.
    pub(crate) failed: bool,
}

impl Rehearsal {
    /// Looks the feed up beside a daemon that may be running.
    pub(crate) fn new(config: Config, feed: &Feed, clock: Clock) -> anyhow::Result<Self> {
        let store = Arc::new(Store::look_into(&config.store.path)?);
        let now = clock.now();
        let (mut states, hosts) =
            store.read(|reader| Ok((reader.feed_states()?, reader.hosts(now)?)))?;
        let before = states.remove(&feed.name).unwrap_or_else(|| FeedState::new(now, now));
        let fetcher = Fetcher::new(&config.poll).context("failed to set up HTTP")?;
        let host = hosts.get(&queue::host_of(feed, &before)).copied().unwrap_or_default();
        let config = Arc::new(config);
        let teller = Teller::new(&config, &store, now)?;
        let offline = Arc::new(AtomicBool::new(false));
        let readers = Readers::default();
        let poller = Poller { store, fetcher, clock, config, teller, offline, readers };
        Ok(Self { poller, feed: Arc::new(feed.clone()), before, host })
    }

    /// Forgets what the last poll brought, so that the server sends the whole document.
    pub(crate) fn without_conditions(&mut self) {
        self.before.validators = Default::default();
        self.before.body_hash = None;
    }

    /// Polls the feed now.
    pub(crate) async fn poll(self) -> anyhow::Result<Rehearsed> {
        let recorder = Recorder::default();
        let fetcher = self.poller.fetcher.clone().recorded(recorder.clone());
        let poller = Poller { fetcher, ..self.poller };
        let host = queue::host_of(&self.feed, &self.before);
        let poll = Poll { feed: self.feed, state: self.before, host, pace: self.host.pace };
        let (batch, report) = poller.rehearse(poll).await?;
        Ok(Rehearsed {
            transcript: recorder.transcript(),
            document: report.document,
            batch,
            after: report.state,
            failed: report.failed,
        })
    }
}
