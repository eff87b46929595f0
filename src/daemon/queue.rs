//! Which feed is polled next: by due time, one request a host at a time, with a gap between.

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::config::Feed;
use crate::item::FeedName;
use crate::schedule::FeedState;

/// The feeds to poll and when. Pure: it is told the time and does nothing itself.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    feeds: HashMap<FeedName, Entry>,
    due: BTreeSet<(Timestamp, FeedName)>,
    hosts: HashMap<String, Host>,
    gap: SignedDuration,
}

#[derive(Debug)]
struct Entry {
    feed: Arc<Feed>,
    state: FeedState,
    host: String,
}

#[derive(Debug, Default)]
struct Host {
    polling: bool,
    free_at: Option<Timestamp>,
    /// Feeds that came due while another of this host was being polled.
    waiting: VecDeque<FeedName>,
}

/// A poll to start now.
#[derive(Debug, Clone)]
pub(crate) struct Poll {
    pub(crate) feed: Arc<Feed>,
    pub(crate) state: FeedState,
}

impl Queue {
    /// A queue of `feeds` in the states that the store remembers; those it does not know are due
    /// at `now`. `delays` are the hosts that asked to be left alone.
    pub(crate) fn new(
        feeds: &[Feed],
        states: &HashMap<FeedName, FeedState>,
        delays: HashMap<String, Timestamp>,
        gap: Duration,
        now: Timestamp,
    ) -> Self {
        let mut queue = Self {
            gap: SignedDuration::try_from(gap).unwrap_or(SignedDuration::MAX),
            ..Self::default()
        };
        for (host, free_at) in delays {
            queue.hosts.entry(host).or_default().free_at = Some(free_at);
        }
        for feed in feeds.iter().filter(|feed| feed.enabled) {
            let state = states.get(&feed.name).cloned().unwrap_or_else(|| FeedState::new(now, now));
            queue.due.insert((state.next_due, feed.name.clone()));
            let entry = Entry { feed: Arc::new(feed.clone()), state, host: host_of(feed) };
            queue.feeds.insert(feed.name.clone(), entry);
        }
        queue
    }

    /// Replaces the feeds after a reload. A poll under way keeps its host busy and ends as usual.
    pub(crate) fn replace(&mut self, mut fresh: Queue, polling: &HashSet<FeedName>) {
        for name in polling {
            fresh.due.retain(|(_, due)| due != name);
            if let Some(entry) = self.feeds.get(name) {
                fresh.hosts.entry(entry.host.clone()).or_default().polling = true;
            }
        }
        for (name, host) in self.hosts.drain() {
            let slot = fresh.hosts.entry(name).or_default();
            slot.free_at = slot.free_at.max(host.free_at);
        }
        *self = fresh;
    }

    /// When [`Queue::take`] will next have something.
    pub(crate) fn next_due(&self) -> Option<Timestamp> {
        self.due.first().map(|(due, _)| *due)
    }

    /// How many feeds are in the queue, those being polled included.
    pub(crate) fn len(&self) -> usize {
        self.feeds.len()
    }

    /// The states of all feeds.
    pub(crate) fn states(&self) -> impl Iterator<Item = &FeedState> {
        self.feeds.values().map(|entry| &entry.state)
    }

    /// A feed that is due at `now` and whose host is free; its host is busy from now on.
    pub(crate) fn take(&mut self, now: Timestamp) -> Option<Poll> {
        while self.due.first().is_some_and(|(due, _)| *due <= now) {
            let (_, name) = self.due.pop_first().expect("the set has a first element");
            let Some(entry) = self.feeds.get(&name) else { continue };
            let host = self.hosts.entry(entry.host.clone()).or_default();
            if host.polling {
                host.waiting.push_back(name);
            } else if let Some(free_at) = host.free_at.filter(|free_at| *free_at > now) {
                self.due.insert((free_at, name));
            } else {
                host.polling = true;
                host.free_at = Some(now + self.gap);
                return Some(Poll { feed: entry.feed.clone(), state: entry.state.clone() });
            }
        }
        None
    }

    /// Takes note that a poll has ended, whatever came of it; `again` puts the feed back at its
    /// next due time.
    pub(crate) fn finished(
        &mut self,
        feed: &Feed,
        state: FeedState,
        host_not_before: Option<Timestamp>,
        again: bool,
    ) {
        let host = self.hosts.entry(host_of(feed)).or_default();
        host.polling = false;
        host.free_at = host.free_at.max(host_not_before);
        let waiting = host.waiting.pop_front();
        let free_at = host.free_at;
        if let Some(waiting) = waiting {
            let due = self.feeds.get(&waiting).map(|entry| entry.state.next_due);
            self.due.extend(due.map(|due| (due.max(free_at.unwrap_or(due)), waiting)));
        }
        if let Some(entry) = self.feeds.get_mut(&feed.name) {
            entry.state = state;
            if again {
                self.due.insert((entry.state.next_due, feed.name.clone()));
            }
        }
    }

    /// Makes every feed due at `now`, for `run --once`, but for those whose host asked to be left
    /// alone; returns how many those are.
    pub(crate) fn all_due(&mut self, now: Timestamp) -> usize {
        let resting: Vec<FeedName> = self
            .feeds
            .iter()
            .filter(|(_, entry)| {
                self.hosts.get(&entry.host).and_then(|host| host.free_at).is_some_and(|at| at > now)
            })
            .map(|(name, _)| name.clone())
            .collect();
        for name in &resting {
            self.feeds.remove(name);
        }
        for entry in self.feeds.values_mut() {
            entry.state.next_due = now;
        }
        self.due = self.feeds.keys().map(|name| (now, name.clone())).collect();
        resting.len()
    }
}

/// What requests are spaced by: the host and port, or the file itself.
pub(crate) fn host_of(feed: &Feed) -> String {
    match feed.url.host_str() {
        Some(host) => format!("{host}:{}", feed.url.port_or_known_default().unwrap_or_default()),
        None => feed.url.path().to_owned(),
    }
}
