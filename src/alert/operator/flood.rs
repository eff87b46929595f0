//! What keeps many events of one type, as of five hundred feeds behind one server, from becoming
//! as many messages.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use jiff::{SignedDuration, Timestamp};

use super::{Event, EventType, OutgoingEvent, alert};
use crate::alert::record::{AlertRecord, OperatorInfo};
use crate::config::Config;

/// Events of one type that are told one by one within [`WINDOW`]; what is more waits for a summary.
const MOST_SINGLE: usize = 5;
/// The time within which so many of one type are told singly.
pub const WINDOW: SignedDuration = SignedDuration::from_hours(6);
/// How long the first of those that wait has waited when they are summed up.
const SUMMARY_AFTER: SignedDuration = SignedDuration::from_hours(1);
/// Feeds that a summary names.
const MOST_NAMED: usize = 10;
/// Events that one look sums up.
pub const MOST_HELD: u32 = 10_000;

/// What may still be told one by one.
#[derive(Debug, Default)]
pub struct Budget {
    told: HashMap<EventType, Vec<Timestamp>>,
}

impl Budget {
    /// What is left when these events were told.
    pub fn new(told: impl IntoIterator<Item = (EventType, Timestamp)>) -> Self {
        let mut budget = Self::default();
        for (kind, at) in told {
            budget.told.entry(kind).or_default().push(at);
        }
        budget
    }

    /// Whether an event of this type may be told by itself at `now`; it counts from then on.
    pub(super) fn take(&mut self, kind: EventType, now: Timestamp) -> bool {
        // It comes as often as it was asked for.
        if kind == EventType::Heartbeat {
            return true;
        }
        let told = self.told.entry(kind).or_default();
        // A time from before the clock was set back counts for nothing.
        told.retain(|at| now.duration_since(*at).abs() < WINDOW);
        let free = told.len() < MOST_SINGLE;
        told.extend(free.then_some(now));
        free
    }
}

/// One event for each type of which one has waited long enough, in place of all that wait of it.
/// Each of `held` comes with the sequence number of its record.
pub fn summaries(
    held: &[(i64, AlertRecord)],
    config: &Config,
    now: Timestamp,
) -> Vec<OutgoingEvent> {
    let mut by_type: BTreeMap<EventType, Vec<&(i64, AlertRecord)>> = BTreeMap::new();
    for entry in held {
        if let Some(kind) = EventType::of_record(&entry.1) {
            by_type.entry(kind).or_default().push(entry);
        }
    }
    let waited = |entry: &&(i64, AlertRecord)| {
        now.duration_since(entry.1.recordedtime).abs() >= SUMMARY_AFTER
    };
    by_type.retain(|_, entries| entries.iter().any(waited));
    let outgoing = |(kind, entries): (EventType, Vec<&(i64, AlertRecord)>)| {
        let parts: Vec<_> =
            entries.iter().filter_map(|entry| entry.1.data.operator.as_ref()).collect();
        let event = summary(kind, &parts)?;
        Some(OutgoingEvent {
            alert: alert(&event, config, now),
            held: false,
            tells: entries.iter().map(|entry| entry.0).collect(),
        })
    };
    by_type.into_iter().filter_map(outgoing).collect()
}

fn summary(kind: EventType, parts: &[&OperatorInfo]) -> Option<Event> {
    let last = *parts.last()?;
    let feeds: BTreeSet<&str> =
        parts.iter().flat_map(|part| &part.feeds).map(String::as_str).collect();
    let count = feeds.len();
    let what = match kind {
        EventType::FeedBroken => format!("{count} feeds are broken"),
        EventType::FeedBlocked => format!("the servers keep {count} feeds out"),
        EventType::FeedGone => format!("{count} feeds are gone"),
        EventType::FeedCertificate => format!("the certificates of {count} feeds are not accepted"),
        EventType::FeedQuiet => format!("{count} feeds are quiet"),
        EventType::FeedGap => format!("{count} feeds may have lost items"),
        EventType::FeedMoved => format!("{count} feeds have moved"),
        EventType::FeedMigrated => format!("{count} feeds have changed the ids of their items"),
        EventType::FeedRecovered => format!("{count} feeds are well again"),
        _ => format!("{} more times: {}", parts.len(), last.title),
    };
    let named: Vec<String> = feeds.iter().take(MOST_NAMED).map(|name| (*name).to_owned()).collect();
    let title = match count {
        // What happened to the service and to no feed, or again and again to one.
        0 => what,
        1 => last.title.clone(),
        _ => {
            let more = count - named.len();
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            format!("{what}: {}{more}", named.join(", "))
        }
    };
    let several = count > 1;
    let info = OperatorInfo {
        title,
        feeds: named,
        feed_count: count,
        since: parts.iter().filter_map(|part| part.since).min(),
        why: most_frequent(parts),
        next: if several { None } else { last.next.clone() },
        advice: if several && kind != EventType::FeedRecovered {
            Some("`newswatch feeds --trouble` shows each; do they share a server?".to_owned())
        } else {
            last.advice.clone()
        },
        url: if several { None } else { last.url.clone() },
        ..last.clone()
    };
    let subject = if several { "feeds".to_owned() } else { subject_of(&info) };
    Some(Event { kind, subject, info })
}

fn subject_of(info: &OperatorInfo) -> String {
    match (info.feeds.first(), &info.receiver) {
        (Some(feed), _) => format!("feed/{feed}"),
        (None, Some(receiver)) => format!("receiver/{receiver}"),
        (None, None) => "service".to_owned(),
    }
}

/// The reason that most of them give, and how many do.
fn most_frequent(parts: &[&OperatorInfo]) -> Option<String> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for why in parts.iter().filter_map(|part| part.why.as_deref()) {
        *counts.entry(why).or_insert(0) += 1;
    }
    let (why, count) = counts.into_iter().max_by_key(|(_, count)| *count)?;
    match parts.len() {
        all if all == count => Some(why.to_owned()),
        all => Some(format!("{count} of {all}: {why}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert::operator::record;
    use crate::alert::operator::tests::config;
    use crate::hit::Severity;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + seconds).unwrap()
    }

    #[test]
    fn five_of_a_type_are_told_one_by_one_in_six_hours() {
        let mut budget = Budget::default();
        let taken = |budget: &mut Budget, kind, seconds| {
            (0..10).filter(|_| budget.take(kind, at(seconds))).count()
        };
        assert_eq!(taken(&mut budget, EventType::FeedBroken, 0), 5);
        assert_eq!(
            taken(&mut budget, EventType::FeedQuiet, 0),
            5,
            "another type is not in the way"
        );
        assert_eq!(taken(&mut budget, EventType::FeedBroken, 6 * 3600 - 1), 0);
        assert_eq!(taken(&mut budget, EventType::FeedBroken, 6 * 3600), 5);
        assert_eq!(
            taken(&mut budget, EventType::FeedBroken, -10 * 3600),
            5,
            "the clock was set back"
        );
        assert_eq!(taken(&mut budget, EventType::Heartbeat, 0), 10);
    }

    /// A held event of a feed.
    fn held(feed: usize, kind: EventType, why: &str, seconds: i64) -> (i64, AlertRecord) {
        let name = format!("feed-{feed:03}");
        let event = Event {
            kind,
            subject: format!("feed/{name}"),
            info: OperatorInfo {
                title: format!("feed {name} is broken"),
                feeds: vec![name],
                feed_count: 1,
                receiver: None,
                state: "broken".to_owned(),
                since: Some(at(seconds)),
                why: Some(why.to_owned()),
                next: None,
                advice: None,
                url: None,
            },
        };
        (i64::try_from(feed).unwrap(), record(&event, "test", at(seconds)))
    }

    fn summed_up(held: &[(i64, AlertRecord)], seconds: i64) -> Vec<OutgoingEvent> {
        summaries(held, &config(""), at(seconds))
    }

    #[test]
    fn what_waits_is_summed_up_after_an_hour_with_the_most_frequent_reason() {
        let mut all: Vec<_> =
            (0..37).map(|feed| held(feed, EventType::FeedBroken, "503", 60)).collect();
        all.push(held(37, EventType::FeedBroken, "404", 0));
        assert_eq!(summed_up(&all, 3599), []);
        let summaries = summed_up(&all, 3600);
        let [summary] = summaries.as_slice() else { panic!("{summaries:?}") };
        let record = &summary.alert.record;
        let operator = record.data.operator.as_ref().unwrap();
        assert!(operator.title.starts_with("38 feeds are broken: feed-000, feed-001"));
        assert!(operator.title.ends_with("feed-009 and 28 more"), "{}", operator.title);
        assert_eq!(operator.why.as_deref(), Some("37 of 38: 503"));
        assert_eq!((operator.feed_count, operator.feeds.len()), (38, 10));
        assert_eq!((record.subject.as_str(), record.feed()), ("feeds", None));
        assert_eq!(summary.alert.severity, Severity::High);
        assert_eq!(summary.tells.len(), 38);
        assert_eq!(summary.alert.deliveries.len(), 2);
    }

    #[test]
    fn each_type_is_summed_up_by_itself_and_a_single_event_keeps_its_words() {
        let all = [
            held(1, EventType::FeedBroken, "503", 0),
            held(2, EventType::FeedQuiet, "nothing", 0),
            held(3, EventType::FeedQuiet, "nothing", 3500),
        ];
        let told = summed_up(&all, 3600);
        let subjects: Vec<&str> =
            told.iter().map(|told| told.alert.record.subject.as_str()).collect();
        assert_eq!(subjects, ["feed/feed-001", "feeds"]);
        let title = &told[0].alert.record.data.operator.as_ref().unwrap().title;
        assert_eq!(title, "feed feed-001 is broken");
    }
}
