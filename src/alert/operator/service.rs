//! What is told of the service as a whole: its network, its receivers, its configuration.

use jiff::{SignedDuration, Timestamp};

use super::feeds::in_words;
use super::{Event, EventType};
use crate::alert::record::OperatorInfo;
use crate::text::count;

/// How the service is doing, for a heartbeat.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Summary {
    /// Feeds that are polled.
    pub feeds: usize,
    /// Those of them whose last poll did not go well.
    pub in_trouble: usize,
    /// Rules.
    pub rules: usize,
    /// When a poll last went well.
    pub last_ok: Option<Timestamp>,
}

/// What a person can do while nothing is in reach.
pub const ADVICE_OFFLINE: &str = "look at this machine's network and its name servers";

/// Nothing is in reach.
pub fn offline(now: Timestamp) -> Event {
    let info = OperatorInfo {
        why: Some("the hosts of all feeds that were tried cannot be reached".to_owned()),
        next: Some("one feed is tried after 30 s, then less often, up to every 5 min".to_owned()),
        advice: Some(ADVICE_OFFLINE.to_owned()),
        ..info("newswatch is offline: nothing is in reach", "offline", Some(now))
    };
    Event { kind: EventType::NetworkOffline, subject: "network".to_owned(), info }
}

/// Something is in reach again; it was not since then.
pub fn online(since: Timestamp, now: Timestamp) -> Event {
    let lasted = in_words(now.duration_since(since));
    let info = OperatorInfo {
        why: Some(format!("nothing was in reach for {lasted}")),
        next: Some("the feeds that are overdue are asked a second apart".to_owned()),
        ..info("newswatch is online again", "online", Some(now))
    };
    Event { kind: EventType::NetworkOnline, subject: "network".to_owned(), info }
}

/// A receiver did not take an alert, which was given up.
pub fn delivery_dead(receiver: &str, alert: &str, why: &str, now: Timestamp) -> Event {
    let title = format!("receiver {receiver} did not take an alert, which was given up");
    let info = OperatorInfo {
        receiver: Some(receiver.to_owned()),
        why: Some(format!("alert {alert}: {why}")),
        next: Some(
            "later alerts are tried; what is given up is told again after one has arrived"
                .to_owned(),
        ),
        advice: Some(
            "mend the receiver, then `newswatch deliveries --dead` and `newswatch deliveries \
             retry ID`"
                .to_owned(),
        ),
        ..info(&title, "dead", Some(now))
    };
    Event { kind: EventType::DeliveryDead, subject: format!("receiver/{receiver}"), info }
}

/// Why a reload was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// The files are wrong; `newswatch check` says the same.
    Files,
    /// The files are right, but the system does not do what they want, as to listen at an address.
    System,
}

/// A reload was refused, for these problems, one a line.
pub fn config_refused(refusal: Refusal, problems: &str, now: Timestamp) -> Event {
    let advice = match refusal {
        Refusal::Files => "`newswatch check` shows every problem; mend them and reload",
        Refusal::System => {
            "the files are right, and `newswatch check` finds nothing: make room for what they want, \
             or write something else there, and reload"
        }
    };
    let first = problems.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
    let info = OperatorInfo {
        why: Some(first.trim().to_owned()),
        next: Some("everything goes on with the old configuration".to_owned()),
        advice: Some(advice.to_owned()),
        ..info("the reload was refused", "refused", Some(now))
    };
    Event { kind: EventType::ConfigRefused, subject: "configuration".to_owned(), info }
}

/// The service is alive; the next of these comes after `every`.
pub fn heartbeat(summary: Summary, every: SignedDuration) -> Event {
    let Summary { feeds, in_trouble, rules, last_ok } = summary;
    let title = format!(
        "alive: {}, {in_trouble} in trouble, {}",
        count(feeds, "feed"),
        count(rules, "rule")
    );
    let info = OperatorInfo {
        next: Some(format!("the next of these comes in {}", in_words(every))),
        ..info(&title, "ok", last_ok)
    };
    Event { kind: EventType::Heartbeat, subject: "service".to_owned(), info }
}

fn info(title: &str, state: &str, since: Option<Timestamp>) -> OperatorInfo {
    OperatorInfo {
        title: title.to_owned(),
        feeds: Vec::new(),
        feed_count: 0,
        receiver: None,
        state: state.to_owned(),
        since,
        why: None,
        next: None,
        advice: None,
        url: None,
    }
}
