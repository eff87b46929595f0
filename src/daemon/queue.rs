//! Which feed is polled next: by due time, one request a host at a time, with a gap between.

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use url::Url;

use super::poller::pace;
use crate::config::{Feed, PollSettings};
use crate::item::FeedName;
use crate::schedule::{self, FeedState, HostPace, HostState, Pace, host};
use crate::store::FailingFeed;

/// The feeds to poll and when. Pure: it is told the time and does nothing itself.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    /// An entry is large, and such a map has up to twice as many places as entries.
    feeds: HashMap<FeedName, Box<Entry>>,
    due: BTreeSet<Turn>,
    hosts: HashMap<String, Host>,
    /// The gap between requests to a host that has nothing against them.
    gap: Duration,
    /// Nothing is in reach: only files are looked at, until something is tried.
    held: bool,
}

/// When the turn of a feed is, and since when it has been due: of those that wait for one host, the one
/// that has waited longest is asked first.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Turn {
    at: Timestamp,
    since: Timestamp,
    name: FeedName,
}

impl Turn {
    /// The turn of a feed that is due then.
    fn due(at: Timestamp, name: FeedName) -> Self {
        Self { at, since: at, name }
    }
}

#[derive(Debug)]
struct Entry {
    feed: Arc<Feed>,
    /// What the configuration says about its schedule.
    pace: Pace,
    state: FeedState,
    host: String,
}

impl Entry {
    fn poll(&self, pace: HostPace) -> Poll {
        let Entry { feed, state, host, .. } = self;
        Poll { feed: feed.clone(), state: state.clone(), host: host.clone(), pace }
    }
}

#[derive(Debug, Default)]
struct Host {
    polling: bool,
    /// A gap after the last request, or when it may be asked again.
    free_at: Option<Timestamp>,
    /// Until when it asked to be left alone.
    not_before: Option<Timestamp>,
    pace: HostPace,
    /// Feeds that came due while another of this host was being polled.
    waiting: VecDeque<FeedName>,
}

impl Host {
    /// A request to it starts now.
    fn occupy(&mut self, usual: Duration, now: Timestamp) -> HostPace {
        self.polling = true;
        self.asked(usual, now);
        self.pace
    }

    /// It was asked then, and is free again a gap later.
    fn asked(&mut self, usual: Duration, at: Timestamp) {
        let gap = SignedDuration::try_from(self.pace.gap(usual)).unwrap_or(SignedDuration::MAX);
        self.free_at = self.free_at.max(Some(at.saturating_add(gap).unwrap_or(Timestamp::MAX)));
    }

    /// It asks to be left alone until then.
    fn rest(&mut self, until: Option<Timestamp>) {
        self.not_before = self.not_before.max(until);
        self.free_at = self.free_at.max(until);
    }
}

/// A poll to start now.
#[derive(Debug, Clone)]
pub(crate) struct Poll {
    pub(crate) feed: Arc<Feed>,
    pub(crate) state: FeedState,
    /// The host that will be asked.
    pub(crate) host: String,
    /// How far apart requests to it lie.
    pub(crate) pace: HostPace,
}

impl Queue {
    /// A queue of `feeds` in the states that the store remembers; those it does not know are due
    /// at `now`. `hosts` are those that asked to be left alone.
    pub(crate) fn new(
        feeds: &[Feed],
        states: &HashMap<FeedName, FeedState>,
        hosts: HashMap<String, HostState>,
        poll: &PollSettings,
        now: Timestamp,
    ) -> Self {
        let gap = poll.host_gap;
        let mut queue = Self { gap, ..Self::default() };
        for (name, HostState { not_before, pace }) in hosts {
            let host = queue.hosts.entry(name).or_default();
            host.pace = pace;
            host.rest(not_before);
        }
        for feed in feeds.iter().filter(|feed| feed.enabled) {
            let state = states.get(&feed.name).cloned().unwrap_or_else(|| FeedState::new(now, now));
            queue.due.insert(Turn::due(state.next_due, feed.name.clone()));
            let host = host_of(feed, &state);
            if let Some(last) = state.last_request {
                // So that a restart keeps the gap, too.
                queue.hosts.entry(host.clone()).or_default().asked(gap, last.min(now));
            }
            let pace = pace(feed, poll);
            let entry = Entry { feed: Arc::new(feed.clone()), pace, state, host };
            queue.feeds.insert(feed.name.clone(), Box::new(entry));
        }
        queue
    }

    /// Replaces the feeds after a reload. A poll under way keeps its host busy and ends as usual.
    pub(crate) fn replace(&mut self, mut fresh: Queue, polling: &HashSet<FeedName>) {
        for name in polling {
            fresh.due.retain(|turn| turn.name != *name);
            if let Some(entry) = self.feeds.get(name) {
                fresh.hosts.entry(entry.host.clone()).or_default().polling = true;
            }
        }
        for (name, host) in self.hosts.drain() {
            let slot = fresh.hosts.entry(name).or_default();
            slot.free_at = slot.free_at.max(host.free_at);
            slot.rest(host.not_before);
        }
        fresh.held = self.held;
        *self = fresh;
    }

    /// Has the feeds tried at once that fail and whose settings were others `before`: somebody has
    /// seen to them. None is asked twice within a minute.
    pub(crate) fn try_changed(&mut self, before: &[Feed], now: Timestamp) {
        let before: HashMap<&FeedName, &Feed> =
            before.iter().map(|feed| (&feed.name, feed)).collect();
        for (name, entry) in &mut self.feeds {
            let changed = before.get(name).is_some_and(|before| **before != *entry.feed);
            if changed && entry.state.failures > 0 {
                let last = entry.state.last_request.map(|last| last.min(now));
                let at = last.map_or(now, |last| now.max(last + schedule::LEAST_PAUSE));
                self.due.remove(&Turn::due(entry.state.next_due, name.clone()));
                entry.state.next_due = entry.state.next_due.min(at);
                self.due.insert(Turn::due(entry.state.next_due, name.clone()));
            }
        }
    }

    /// Moves the feeds forward whose intervals the configuration has made shorter since they were last asked,
    /// and says when those are due now.
    pub(crate) fn follow_intervals(&mut self) -> Vec<(FeedName, Timestamp)> {
        let mut moved = Vec::new();
        for (name, entry) in &mut self.feeds {
            let due = schedule::due(&entry.state, entry.pace);
            let queued = Turn::due(entry.state.next_due, name.clone());
            if due < entry.state.next_due && self.due.remove(&queued) {
                entry.state.next_due = due;
                self.due.insert(Turn::due(due, name.clone()));
                moved.push((name.clone(), due));
            }
        }
        moved
    }

    /// Moves feeds forward that somebody has made due sooner beside the daemon, as `stored` has it, and says
    /// how many those are.
    pub(crate) fn hasten(&mut self, stored: &[FailingFeed]) -> usize {
        let mut hastened = 0;
        for FailingFeed { name, last_request, failures, next_due, .. } in stored {
            let Some(entry) = self.feeds.get_mut(name) else { continue };
            let held = &entry.state;
            // What was stored before its last poll, or when that had begun, is nothing to it.
            let same = held.last_request.map(Timestamp::as_millisecond)
                == last_request.map(Timestamp::as_millisecond);
            if !same
                || held.failures != *failures
                || next_due.as_millisecond() >= held.next_due.as_millisecond()
            {
                continue;
            }
            // Where its host was to be asked first, it stands at another time; while it is polled, nowhere.
            let queued = Turn::due(held.next_due, name.clone());
            let queued = match self.due.contains(&queued) {
                true => Some(queued),
                false => self.due.iter().find(|turn| turn.name == *name).cloned(),
            };
            let Some(queued) = queued else { continue };
            self.due.remove(&queued);
            self.due.insert(Turn::due(*next_due, name.clone()));
            entry.state.next_due = *next_due;
            hastened += 1;
        }
        hastened
    }

    /// When [`Queue::take`] will next have something.
    pub(crate) fn next_due(&self) -> Option<Timestamp> {
        let mut due = self.due.iter().filter(|turn| !self.held || self.is_local(&turn.name));
        due.next().map(|turn| turn.at)
    }

    /// Whether a feed needs no network.
    fn is_local(&self, name: &FeedName) -> bool {
        self.feeds.get(name).is_some_and(|entry| entry.feed.url.host().is_none())
    }

    /// How many hosts there are to ask.
    pub(crate) fn hosts(&self) -> usize {
        let entries = self.feeds.values().filter(|entry| entry.feed.url.host().is_some());
        entries.map(|entry| &entry.host).collect::<HashSet<_>>().len()
    }

    /// Keeps all feeds back that need the network, as nothing is in reach.
    pub(crate) fn hold(&mut self) {
        self.held = true;
    }

    /// Whether feeds are kept back.
    pub(crate) fn is_held(&self) -> bool {
        self.held
    }

    /// The next of the feeds that are kept back, to see whether something is in reach again.
    pub(crate) fn probe(&mut self, now: Timestamp) -> Option<Poll> {
        let free = |entry: &Entry| {
            let host = self.hosts.get(&entry.host);
            host.is_none_or(|host| !host.polling && host.not_before.is_none_or(|at| at <= now))
        };
        let next = self.due.iter().find(|Turn { name, .. }| {
            !self.is_local(name) && self.feeds.get(name).is_some_and(|entry| free(entry))
        });
        let next = next.cloned()?;
        self.due.remove(&next);
        let entry = self.feeds.get(&next.name)?;
        let host = self.hosts.entry(entry.host.clone()).or_default();
        Some(entry.poll(host.occupy(self.gap, now)))
    }

    /// Lets the feeds go that were kept back: those that are overdue a second apart, or closer where
    /// that would take longer than `within`, so that not all are asked at once.
    pub(crate) fn release(&mut self, now: Timestamp, within: SignedDuration) {
        self.held = false;
        let overdue: Vec<_> = self.due.iter().filter(|turn| turn.at <= now).cloned().collect();
        let count = i32::try_from(overdue.len()).unwrap_or(i32::MAX).max(1);
        let apart = (within / count).min(SignedDuration::from_secs(1));
        for (place, old) in (0..).zip(overdue) {
            self.due.remove(&old);
            self.due.insert(Turn { at: now + apart * place, ..old });
        }
    }

    /// The clock was set back by `by`: all that waits for a time waits as long as it would have.
    pub(crate) fn set_back(&mut self, by: SignedDuration) {
        let earlier = |time: Timestamp| time.checked_sub(by).unwrap_or(Timestamp::MIN);
        let due = std::mem::take(&mut self.due);
        let turn = |Turn { at, since, name }| Turn { at: earlier(at), since: earlier(since), name };
        self.due = due.into_iter().map(turn).collect();
        for entry in self.feeds.values_mut() {
            entry.state.next_due = earlier(entry.state.next_due);
        }
        for host in self.hosts.values_mut() {
            host.free_at = host.free_at.map(earlier);
            host.not_before = host.not_before.map(earlier);
        }
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
        while let Some(next) = self.next(now) {
            self.due.remove(&next);
            let Turn { since, name, .. } = next;
            let Some(entry) = self.feeds.get(&name) else { continue };
            let host = self.hosts.entry(entry.host.clone()).or_default();
            if host.polling {
                host.waiting.push_back(name);
            } else if let Some(free_at) = host.free_at.filter(|free_at| *free_at > now) {
                self.due.insert(Turn { at: free_at, since, name });
            } else {
                return Some(entry.poll(host.occupy(self.gap, now)));
            }
        }
        None
    }

    /// The feed that is due at `now` and first in turn.
    fn next(&self, now: Timestamp) -> Option<Turn> {
        let mut due = self.due.iter().filter(|turn| !self.held || self.is_local(&turn.name));
        due.next().filter(|turn| turn.at <= now).cloned()
    }

    /// Takes note that a poll has ended, whatever came of it; `again` puts the feed back at its
    /// next due time. `host` is the one that was asked.
    pub(crate) fn finished(
        &mut self,
        feed: &Feed,
        host: &str,
        state: FeedState,
        host_state: HostState,
        again: bool,
    ) {
        let host = self.hosts.entry(host.to_owned()).or_default();
        host.polling = false;
        host.rest(host_state.not_before);
        host.pace = host_state.pace;
        let waiting = host.waiting.pop_front();
        let free_at = host.free_at;
        if let Some(waiting) = waiting {
            let due = self.feeds.get(&waiting).map(|entry| entry.state.next_due);
            let turn = |since: Timestamp| {
                let at = since.max(free_at.unwrap_or(since));
                Turn { at, since, name: waiting }
            };
            self.due.extend(due.map(turn));
        }
        if let Some(entry) = self.feeds.get_mut(&feed.name) {
            // What an address said that a reload has replaced is nothing to the new one.
            if entry.feed.url == feed.url {
                entry.state = state;
                entry.host = host_of(&entry.feed, &entry.state);
                // A reload has come in between.
                if !std::ptr::eq(feed, &*entry.feed) {
                    entry.state.next_due = schedule::due(&entry.state, entry.pace);
                }
            }
            if again {
                self.due.insert(Turn::due(entry.state.next_due, feed.name.clone()));
            }
        }
    }

    /// Takes the feeds out that wait for a host which has just asked to be left alone, for
    /// `run --once`; returns how many those are.
    pub(crate) fn give_up(&mut self, host: &str) -> usize {
        let before = self.due.len();
        let feeds = &self.feeds;
        self.due.retain(|turn| feeds.get(&turn.name).is_none_or(|entry| entry.host != host));
        let waiting = self.hosts.get_mut(host).map(|host| std::mem::take(&mut host.waiting));
        before - self.due.len() + waiting.map_or(0, |waiting| waiting.len())
    }

    /// Makes every feed due at `now`, for `run --once`, but for those whose host asked to be left
    /// alone; returns how many those are.
    pub(crate) fn all_due(&mut self, now: Timestamp) -> usize {
        let resting: Vec<FeedName> = self
            .feeds
            .iter()
            .filter(|(_, entry)| {
                self.hosts
                    .get(&entry.host)
                    .and_then(|host| host.not_before)
                    .is_some_and(|at| at > now)
            })
            .map(|(name, _)| name.clone())
            .collect();
        for name in &resting {
            self.feeds.remove(name);
        }
        for entry in self.feeds.values_mut() {
            entry.state.next_due = now;
        }
        self.due = self.feeds.keys().map(|name| Turn::due(now, name.clone())).collect();
        resting.len()
    }
}

/// What requests to a feed are spaced by, wherever it is asked now.
pub(crate) fn host_of(feed: &Feed, state: &FeedState) -> String {
    let adopted = state.effective_url.as_deref().and_then(|url| Url::parse(url).ok());
    host::host_of(adopted.as_ref().unwrap_or(&feed.url))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schedule::lease;
    use crate::schedule::rate::Limits;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + seconds).unwrap()
    }

    fn queue(urls: &[&str]) -> Queue {
        let feeds: Vec<Feed> = urls
            .iter()
            .map(|url| Feed {
                url: url.parse().unwrap(),
                name: FeedName::new(url),
                ..crate::alert::record::tests::feed()
            })
            .collect();
        Queue::new(&feeds, &HashMap::new(), HashMap::new(), &PollSettings::default(), at(0))
    }

    /// A queue of one feed that is stored so, at 10 s.
    fn queue_of(feed: Feed, state: FeedState, poll: &PollSettings) -> Queue {
        let states = HashMap::from([(feed.name.clone(), state)]);
        Queue::new(&[feed], &states, HashMap::new(), poll, at(10))
    }

    fn taken(queue: &mut Queue, now: Timestamp) -> Vec<String> {
        std::iter::from_fn(|| queue.take(now)).map(|poll| poll.feed.name.to_string()).collect()
    }

    #[test]
    fn while_nothing_is_in_reach_only_files_are_looked_at() {
        let mut queue = queue(&["https://a.example/", "file:///news.xml", "https://b.example/"]);
        assert_eq!(queue.hosts(), 2);
        queue.hold();
        assert_eq!(taken(&mut queue, at(0)), ["file:///news.xml"]);
        assert_eq!(queue.next_due(), None);
        let probe = queue.probe(at(30)).unwrap();
        assert_eq!(probe.feed.name.as_str(), "https://a.example/");
        let pace = crate::schedule::Pace {
            heed: crate::schedule::Heed::All,
            local: false,
            fixed: None,
            limits: Limits { min: Duration::from_secs(900), max: Duration::from_secs(900) },
        };
        let state = crate::schedule::postpone(&lease(&probe.state, pace, at(30)), at(31));
        assert_eq!((state.failures, state.next_due), (0, at(31)));
        queue.finished(&probe.feed, &probe.host, state, HostState::default(), true);
        assert_eq!(taken(&mut queue, at(60)), [""; 0]);
    }

    #[test]
    fn a_host_that_asked_to_be_left_alone_is_not_the_one_that_is_tried() {
        let mut queue = queue(&["https://a.example/", "https://b.example/"]);
        queue.hosts.entry("a.example:443".to_owned()).or_default().rest(Some(at(600)));
        queue.hold();
        assert_eq!(queue.probe(at(30)).unwrap().host, "b.example:443");
        assert!(queue.probe(at(60)).is_none());
        assert_eq!(queue.probe(at(600)).unwrap().host, "a.example:443");
    }

    #[test]
    fn what_became_overdue_is_spread_when_something_is_in_reach_again() {
        let urls: Vec<String> = (0..10).map(|host| format!("https://{host}.example/")).collect();
        let mut queue = queue(&urls.iter().map(String::as_str).collect::<Vec<_>>());
        queue.hold();
        queue.release(at(3600), SignedDuration::from_secs(5));
        let counts: Vec<usize> =
            [0, 1, 3, 5].map(|later| taken(&mut queue, at(3600 + later)).len()).into();
        assert_eq!(counts, [1, 2, 4, 3]);
    }

    #[test]
    fn a_clock_that_is_set_back_takes_due_times_and_pauses_of_hosts_along() {
        let mut queue = queue(&["https://a.example/1", "https://a.example/2"]);
        assert_eq!(taken(&mut queue, at(0)), ["https://a.example/1"]);
        let Poll { feed, host, .. } =
            queue.feeds[&FeedName::new("https://a.example/1")].poll(HostPace::default());
        let rests = HostState { not_before: Some(at(600)), pace: HostPace::default() };
        queue.finished(&feed, &host, FeedState::new(at(0), at(900)), rests, true);
        queue.set_back(SignedDuration::from_hours(1));
        assert_eq!(taken(&mut queue, at(600 - 3601)), [""; 0]);
        assert_eq!(taken(&mut queue, at(600 - 3600)), ["https://a.example/2"]);
        assert_eq!(queue.next_due(), Some(at(900 - 3600)));
    }

    #[test]
    fn a_poll_of_an_address_that_a_reload_has_replaced_changes_nothing_but_its_host() {
        let mut old = queue(&["https://a.example/"]);
        let poll = old.take(at(0)).unwrap();
        let mut moved = Feed::clone(&poll.feed);
        moved.url = "https://b.example/".parse().unwrap();
        let settings = PollSettings::default();
        let fresh = Queue::new(&[moved], &HashMap::new(), HashMap::new(), &settings, at(1));
        old.replace(fresh, &HashSet::from([poll.feed.name.clone()]));
        assert_eq!(taken(&mut old, at(2)), [""; 0]);
        let late = FeedState::new(at(0), at(9_000));
        old.finished(&poll.feed, &poll.host, late, HostState::default(), true);
        assert_eq!(old.take(at(2)).unwrap().host, "b.example:443");
    }

    #[test]
    fn a_feed_that_was_made_due_beside_the_daemon_is_asked_then_unless_it_was_asked_since() {
        let feed = queue(&["https://a.example/"]).take(at(0)).unwrap().feed;
        let failing = FeedState {
            failures: 3,
            last_request: Some(at(0)),
            ..FeedState::new(at(0), at(9_000))
        };
        // As it is, before its last poll, and when that had begun.
        for (last_request, failures, count) in [(at(0), 3, 1), (at(-600), 2, 0), (at(0), 2, 0)] {
            let mut queue = queue_of(Feed::clone(&feed), failing.clone(), &PollSettings::default());
            let stored = FailingFeed::of(&feed.name, last_request, failures, at(60));
            assert_eq!(queue.hasten(std::slice::from_ref(&stored)), count);
            assert_eq!(queue.hasten(&[stored]), 0, "it is as it is stored");
            assert_eq!(taken(&mut queue, at(59)).len(), 0);
            assert_eq!(taken(&mut queue, at(60)).len(), count);
        }
    }

    #[test]
    fn feeds_of_a_host_that_cannot_keep_their_intervals_are_asked_in_turn() {
        let urls = ["https://a.example/1", "https://a.example/2", "https://a.example/3"];
        let mut queue = queue(&urls);
        queue.gap = Duration::from_secs(2);
        let mut polls: HashMap<String, u32> = HashMap::new();
        for second in 0..30 {
            while let Some(poll) = queue.take(at(second)) {
                *polls.entry(poll.feed.name.to_string()).or_default() += 1;
                let state = FeedState::new(at(0), at(second + 3));
                queue.finished(&poll.feed, &poll.host, state, HostState::default(), true);
            }
        }
        assert_eq!(polls.into_values().collect::<Vec<_>>(), [5, 5, 5]);
    }

    #[test]
    fn a_feed_that_was_made_due_waits_for_its_host() {
        let mut queue = queue(&["https://a.example/1", "https://a.example/2"]);
        let first = queue.take(at(0)).unwrap();
        assert_eq!(taken(&mut queue, at(0)), [""; 0], "its host is busy");
        let rests = HostState { not_before: Some(at(600)), pace: HostPace::default() };
        let state = FeedState { failures: 1, ..FeedState::new(at(0), at(9_000)) };
        queue.finished(&first.feed, &first.host, state, rests, true);
        let mut stored = FailingFeed::of(&first.feed.name, at(0), 1, at(60));
        stored.last_request = None;
        assert_eq!(queue.hasten(&[stored]), 1);
        assert_eq!(taken(&mut queue, at(599)), [""; 0]);
        assert_eq!(taken(&mut queue, at(600)).len(), 1);
    }

    #[test]
    fn a_feed_that_fails_is_tried_at_once_when_its_settings_are_changed() {
        let feed = queue(&["https://a.example/"]).take(at(0)).unwrap().feed;
        let failing = FeedState { failures: 3, ..FeedState::new(at(0), at(9_000)) };
        let mut changed = Feed::clone(&feed);
        changed.encoding = Some("koi8-r".to_owned());
        for (now, count) in [(changed, 1), (Feed::clone(&feed), 0)] {
            let mut queue = queue_of(now, failing.clone(), &PollSettings::default());
            queue.try_changed(std::slice::from_ref(&*feed), at(10));
            assert_eq!(taken(&mut queue, at(10)).len(), count);
        }
    }

    #[test]
    fn a_feed_whose_settings_are_changed_is_not_asked_twice_within_a_minute() {
        let feed = queue(&["https://a.example/"]).take(at(0)).unwrap().feed;
        let failing = FeedState {
            failures: 3,
            last_request: Some(at(0)),
            ..FeedState::new(at(0), at(9_000))
        };
        let changed = Feed { encoding: Some("koi8-r".to_owned()), ..Feed::clone(&feed) };
        let mut queue = queue_of(changed, failing, &PollSettings::default());
        queue.try_changed(std::slice::from_ref(&*feed), at(10));
        assert_eq!(queue.next_due(), Some(at(60)));
    }

    #[test]
    fn a_shorter_interval_counts_from_the_last_poll_on_also_of_a_poll_under_way() {
        let feed = queue(&["https://a.example/"]).take(at(0)).unwrap().feed;
        let well = FeedState {
            state: schedule::State::Active,
            last_request: Some(at(0)),
            last_ok: Some(at(1)),
            interval: Some(Duration::from_secs(3600)),
            ..FeedState::new(at(0), at(3_700))
        };
        let shorter =
            PollSettings { interval: Some(Duration::from_secs(600)), ..PollSettings::default() };
        let mut queue = queue_of(Feed::clone(&feed), well.clone(), &shorter);
        assert_eq!(queue.follow_intervals(), [(feed.name.clone(), at(600))]);
        assert_eq!(queue.follow_intervals(), []);
        assert_eq!(queue.next_due(), Some(at(600)));
        let poll = queue.take(at(600)).unwrap();
        // The poll began before the reload, and went by the old interval.
        let old = Feed::clone(&poll.feed);
        queue.finished(&old, &poll.host, well, HostState::default(), true);
        assert_eq!(queue.next_due(), Some(at(600)));
    }
}
