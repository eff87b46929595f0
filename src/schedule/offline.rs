//! Whether it is our own network that fails: then no feed is to blame, and none is left alone for
//! hours because of it.

use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp};

/// Hosts that must be out of reach, one after the other, before it is taken for our own fault.
const HOSTS: usize = 5;
/// Where fewer are polled, all of them, but never a single one.
const FEWEST: usize = 2;
/// Within what time.
const WITHIN: SignedDuration = SignedDuration::from_secs(60);
/// While nothing is in reach one feed is tried after this long, and after twice as long each time.
const FIRST_PROBE: SignedDuration = SignedDuration::from_secs(30);
/// Up to this.
const LONGEST_PROBE: SignedDuration = SignedDuration::from_secs(300);

/// What is known of our own network.
#[derive(Debug, Default)]
pub struct Network {
    /// Hosts out of reach since the last one that was in reach, and when they were tried.
    unreachable: HashMap<String, Timestamp>,
    outage: Option<Outage>,
}

#[derive(Debug, Clone, Copy)]
struct Outage {
    since: Timestamp,
    next_probe: Timestamp,
    pause: SignedDuration,
}

/// What a poll told of our network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// Nothing is in reach any more.
    Lost,
    /// Something is in reach again; it was not since then.
    Back(Timestamp),
}

impl Network {
    /// Since when nothing has been in reach.
    pub fn offline_since(&self) -> Option<Timestamp> {
        self.outage.map(|outage| outage.since)
    }

    /// When one feed is to be tried, while nothing is in reach.
    pub fn next_probe(&self) -> Option<Timestamp> {
        self.outage.map(|outage| outage.next_probe)
    }

    /// The clock was set back by `by`.
    pub fn set_back(&mut self, by: SignedDuration) {
        if let Some(outage) = &mut self.outage {
            outage.since -= by;
            outage.next_probe -= by;
        }
    }

    /// One feed is being tried.
    pub fn probed(&mut self, now: Timestamp) {
        if let Some(outage) = &mut self.outage {
            outage.next_probe = now + outage.pause;
            outage.pause = (outage.pause * 2).min(LONGEST_PROBE);
        }
    }

    /// A host answered, whatever it said.
    pub fn reached(&mut self) -> Option<Change> {
        self.unreachable.clear();
        self.outage.take().map(|outage| Change::Back(outage.since))
    }

    /// A host, one of `hosts` that are polled, could not be reached: no name, or no connection.
    pub fn unreachable(&mut self, host: &str, hosts: usize, now: Timestamp) -> Option<Change> {
        if self.outage.is_some() {
            return None;
        }
        self.unreachable.insert(host.to_owned(), now);
        // The clock may have been set back: what is newer than now counts.
        self.unreachable.retain(|_, at| now.duration_since(*at) <= WITHIN);
        if self.unreachable.len() < HOSTS.min(hosts).max(FEWEST) {
            return None;
        }
        self.unreachable.clear();
        let next_probe = now + FIRST_PROBE;
        self.outage = Some(Outage { since: now, next_probe, pause: FIRST_PROBE * 2 });
        Some(Change::Lost)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + seconds).unwrap()
    }

    /// The changes that follow, host by host, each a second after the other; `-` answers.
    #[track_caller]
    fn check(hosts: &str, polled: usize, expected: &[Option<Change>]) {
        let mut network = Network::default();
        let changes: Vec<_> = (0..)
            .zip(hosts.split(' '))
            .map(|(second, host)| match host {
                "-" => network.reached(),
                host => network.unreachable(host, polled, at(second)),
            })
            .collect();
        assert_eq!(changes, expected);
    }

    #[test]
    fn five_hosts_out_of_reach_and_none_in_reach_between_is_our_own_fault() {
        let (lost, back) = (Some(Change::Lost), Some(Change::Back(at(4))));
        check("a b c d e f -", 100, &[None, None, None, None, lost, None, back]);
        check("a a a a a a", 100, &[None; 6]);
        check("a b c d - e f g h", 100, &[None; 9]);
    }

    #[test]
    fn where_fewer_are_polled_it_takes_all_of_them_but_never_one_alone() {
        let lost = Some(Change::Lost);
        check("a b c", 3, &[None, None, lost]);
        check("a a", 1, &[None, None]);
    }

    #[test]
    fn failures_that_lie_apart_are_the_hosts_own() {
        let mut network = Network::default();
        for (host, second) in [("a", 0), ("b", 30), ("c", 61), ("d", 92), ("e", 123), ("f", 154)] {
            assert_eq!(network.unreachable(host, 100, at(second)), None, "{host}");
        }
    }

    #[test]
    fn while_nothing_is_in_reach_one_feed_is_tried_less_and_less_often() {
        let mut network = Network::default();
        network.unreachable("a", 2, at(0));
        network.unreachable("b", 2, at(0));
        let mut pauses = Vec::new();
        let mut now = at(0);
        for _ in 0..6 {
            let next = network.next_probe().unwrap();
            pauses.push(next.duration_since(now).as_secs());
            now = next;
            network.probed(now);
        }
        assert_eq!(pauses, [30, 60, 120, 240, 300, 300]);
        network.set_back(SignedDuration::from_secs(3600));
        assert_eq!(network.next_probe(), Some(at(1050 + 300 - 3600)));
        assert_eq!(network.reached(), Some(Change::Back(at(-3600))));
        assert_eq!(network.next_probe(), None);
    }
}
