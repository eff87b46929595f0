//! Events of the service itself: what newswatch can no longer see or say, told to the person who
//! runs it by the same ways as an alert of a rule.
//!
//! [`events`] is the one place that decides what is told of a feed: once when a trouble begins, once
//! when it is over. [`Budget`] keeps many of one type from becoming as many messages; what it holds
//! back is told by [`summaries`].

mod feeds;
mod flood;
mod service;

use jiff::Timestamp;

pub use self::feeds::{ADVICE_QUIET, Look, advice, events, needs_times};
pub use self::flood::{Budget, MOST_HELD, WINDOW, summaries};
pub use self::service::{
    ADVICE_OFFLINE, Refusal, Summary, config_refused, delivery_dead, heartbeat, offline, online,
};
use super::id;
use super::record::{AlertData, AlertRecord, EventInfo, OperatorInfo, severity_numbers, shortened};
use super::route::Due;
use crate::config::Config;
use crate::hit::Severity;
use crate::pipeline::{OutgoingAlert, OutgoingDelivery};

/// The longest text of an event, in characters.
const LONGEST_TEXT: usize = 500;

/// What kind of thing happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum EventType {
    /// A feed has failed for a day.
    FeedBroken,
    /// A server keeps us out.
    FeedBlocked,
    /// A server says that a feed will never come back.
    FeedGone,
    /// A server's certificate is not accepted.
    FeedCertificate,
    /// A feed has brought nothing new for longer than it ever takes.
    FeedQuiet,
    /// A feed showed nothing but new items: others may have been missed.
    FeedGap,
    /// A feed has proven to have moved; its new address is asked from now on.
    FeedMoved,
    /// A feed has changed the ids of most of its items.
    FeedMigrated,
    /// A trouble that was told is over.
    FeedRecovered,
    /// Nothing is in reach.
    NetworkOffline,
    /// Something is in reach again.
    NetworkOnline,
    /// A receiver did not take an alert, and it was given up.
    DeliveryDead,
    /// A reload was refused.
    ConfigRefused,
    /// A silence has ended that held alerts back.
    SilenceEnded,
    /// The service is alive.
    Heartbeat,
}

impl EventType {
    /// Every type.
    pub const ALL: [EventType; 15] = [
        EventType::FeedBroken,
        EventType::FeedBlocked,
        EventType::FeedGone,
        EventType::FeedCertificate,
        EventType::FeedQuiet,
        EventType::FeedGap,
        EventType::FeedMoved,
        EventType::FeedMigrated,
        EventType::FeedRecovered,
        EventType::NetworkOffline,
        EventType::NetworkOnline,
        EventType::DeliveryDead,
        EventType::ConfigRefused,
        EventType::SilenceEnded,
        EventType::Heartbeat,
    ];

    /// The name that the configuration and the lists use; in records `newswatch.` stands before it.
    pub fn as_str(self) -> &'static str {
        match self {
            EventType::FeedBroken => "feed.broken",
            EventType::FeedBlocked => "feed.blocked",
            EventType::FeedGone => "feed.gone",
            EventType::FeedCertificate => "feed.certificate",
            EventType::FeedQuiet => "feed.quiet",
            EventType::FeedGap => "feed.gap",
            EventType::FeedMoved => "feed.moved",
            EventType::FeedMigrated => "feed.migrated",
            EventType::FeedRecovered => "feed.recovered",
            EventType::NetworkOffline => "network.offline",
            EventType::NetworkOnline => "network.online",
            EventType::DeliveryDead => "delivery.dead",
            EventType::ConfigRefused => "config.refused",
            EventType::SilenceEnded => "silence.ended",
            EventType::Heartbeat => "heartbeat",
        }
    }

    /// The type of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }

    /// The type of a record; `None` when it is no event of the service.
    fn of_record(record: &AlertRecord) -> Option<Self> {
        record.kind.strip_prefix("newswatch.").and_then(Self::from_name)
    }

    /// Whether it can be muted: a summary of a silence follows from that silence, and a heartbeat is
    /// wanted or not.
    pub fn can_be_muted(self) -> bool {
        !matches!(self, EventType::SilenceEnded | EventType::Heartbeat)
    }

    /// How much it matters: high where more than one feed is at stake.
    pub fn severity(self) -> Severity {
        match self {
            EventType::NetworkOffline | EventType::DeliveryDead | EventType::ConfigRefused => {
                Severity::High
            }
            EventType::FeedBroken
            | EventType::FeedBlocked
            | EventType::FeedGone
            | EventType::FeedCertificate
            | EventType::SilenceEnded => Severity::Medium,
            EventType::FeedQuiet
            | EventType::FeedGap
            | EventType::FeedMoved
            | EventType::FeedMigrated
            | EventType::FeedRecovered
            | EventType::NetworkOnline
            | EventType::Heartbeat => Severity::Low,
        }
    }
}

/// Something that happened to the service.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// What kind of thing.
    pub kind: EventType,
    /// What it is about: `feed/NAME`, `receiver/NAME`, `network` …
    pub subject: String,
    /// What is told.
    pub info: OperatorInfo,
}

impl Event {
    /// How much it matters: more when it is about several feeds.
    fn severity(&self) -> Severity {
        match self.kind.severity() {
            Severity::Medium if self.info.feed_count > 1 => Severity::High,
            severity => severity,
        }
    }
}

/// An event on its way to those who are told.
#[derive(Debug, Clone, PartialEq)]
pub struct OutgoingEvent {
    /// The alert and its deliveries.
    pub alert: OutgoingAlert,
    /// It waits for a summary instead: too many of its type came at once.
    pub held: bool,
    /// The held events that this one tells, by the sequence numbers of their records.
    pub tells: Vec<i64>,
}

impl OutgoingEvent {
    /// An event at `now`, told as `config` wants it; nothing when it wants none of this type.
    pub fn new(
        event: &Event,
        config: &Config,
        budget: &mut Budget,
        now: Timestamp,
    ) -> Option<Self> {
        if !config.operator.tells(event.kind) {
            return None;
        }
        let held = !budget.take(event.kind, now);
        let mut alert = alert(event, config, now);
        if held {
            alert.deliveries.clear();
        }
        Some(Self { alert, held, tells: Vec::new() })
    }
}

/// The alert that tells of an event at `now`, at once.
fn alert(event: &Event, config: &Config, now: Timestamp) -> OutgoingAlert {
    let due = Due { at: now, held: None };
    // Nothing mutes it, so that it does not matter which of them are logs.
    let delivery = |receiver| OutgoingDelivery { receiver, due, log: false };
    OutgoingAlert {
        record: record(event, &config.instance, now),
        severity: event.severity(),
        deliveries: receivers(event, config).into_iter().map(delivery).collect(),
    }
}

/// Who is told of an event. Of a receiver's own trouble others are told, whoever they are.
fn receivers(event: &Event, config: &Config) -> Vec<String> {
    let about = event.info.receiver.as_deref();
    let all = || config.receivers.iter().map(|receiver| receiver.name.clone());
    let others = |names: Vec<String>| -> Vec<String> {
        names.into_iter().filter(|name| Some(name.as_str()) != about).collect()
    };
    match &config.operator.receivers {
        None => others(all().collect()),
        Some(chosen) => {
            let names = others(chosen.clone());
            if names.is_empty() && !chosen.is_empty() { others(all().collect()) } else { names }
        }
    }
}

/// The record of the alert that tells of an event at `now`.
pub(super) fn record(event: &Event, instance: &str, now: Timestamp) -> AlertRecord {
    let Event { kind, subject, info } = event;
    let severity = event.severity();
    let (number, ecs) = severity_numbers(severity);
    let cut = |text: &String| shortened(text, LONGEST_TEXT);
    let info = OperatorInfo {
        title: cut(&info.title),
        why: info.why.as_ref().map(cut),
        next: info.next.as_ref().map(cut),
        advice: info.advice.as_ref().map(cut),
        ..info.clone()
    };
    let why = info.why.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
    AlertRecord {
        specversion: "1.0".to_owned(),
        id: id::event_id(kind.as_str(), subject, now),
        source: format!("urn:newswatch:{instance}"),
        kind: format!("newswatch.{}", kind.as_str()),
        subject: subject.clone(),
        time: now,
        recordedtime: now,
        sequence: None,
        severitytext: severity.as_str().to_uppercase(),
        severitynumber: number,
        correlationid: subject.clone(),
        causationid: subject.clone(),
        datacontenttype: "application/json".to_owned(),
        dataschema: "urn:newswatch:schema:alert:1".to_owned(),
        data: AlertData {
            message: format!("[{severity}] newswatch: {}{why}", info.title),
            event: EventInfo {
                kind: "event".to_owned(),
                action: kind.as_str().replace('.', "-"),
                reason: None,
                severity: ecs,
                created: now,
            },
            rule: None,
            tags: Vec::new(),
            story: None,
            claim_cues: None,
            item: None,
            operator: Some(info),
            silence: None,
            surge: None,
            revised: None,
            silenced_by: None,
            acked_by: None,
            acked_at: None,
            acked_why: None,
            runbook: None,
        },
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::alert::catalogue;
    use crate::config::{Directories, Files};
    use crate::diagnostic::SourceFile;

    /// An event for tests, with a reason of their choice.
    pub(crate) fn broken(why: &str) -> AlertRecord {
        let now = Timestamp::from_second(1_700_000_000).unwrap();
        let event = Event {
            kind: EventType::FeedBroken,
            subject: "feed/alpha".to_owned(),
            info: OperatorInfo {
                title: "feed alpha is broken".to_owned(),
                feeds: vec!["alpha".to_owned()],
                feed_count: 1,
                receiver: None,
                state: "broken".to_owned(),
                since: Some(now - jiff::SignedDuration::from_hours(24)),
                why: Some(why.to_owned()),
                next: Some("it is asked again at 2023-11-15 04:13 UTC".to_owned()),
                advice: Some("look at the address in a browser".to_owned()),
                url: None,
            },
        };
        record(&event, "test", now)
    }

    /// A configuration with the receivers `log` and `hook`, and further lines.
    pub(crate) fn config(lines: &str) -> Config {
        let receiver = |name| format!("[[receiver]]\nname = {name:?}\ntype = \"stdout\"\n");
        let main = format!("{}{}{lines}", receiver("log"), receiver("hook"));
        let folder = std::path::PathBuf::from("/nowhere");
        let files = Files {
            folder: folder.clone(),
            main: SourceFile::new("newswatch.toml", main),
            feeds: Vec::new(),
            strays: Vec::new(),
            rules: Vec::new(),
            directories: Directories {
                state: folder.clone(),
                logs: folder.clone(),
                current: folder,
            },
        };
        crate::config::check(&files).config.expect("the configuration is good")
    }

    /// Who is told of a dead delivery to a receiver.
    #[track_caller]
    fn check_told(lines: &str, dead: &str, expected: &[&str]) {
        let event = delivery_dead(dead, "id", "410", Timestamp::UNIX_EPOCH);
        assert_eq!(receivers(&event, &config(lines)), expected);
    }

    #[test]
    fn of_a_receivers_own_trouble_the_others_are_told() {
        check_told("", "hook", &["log"]);
        check_told("[operator]\nreceivers = [\"hook\"]", "hook", &["log"]);
        check_told("[operator]\nreceivers = [\"hook\"]", "log", &["hook"]);
        check_told("[operator]\nreceivers = []", "hook", &[]);
    }

    #[test]
    fn a_type_that_is_muted_is_not_told() {
        let event = offline(Timestamp::UNIX_EPOCH);
        let told = |lines| {
            let (config, mut budget) = (config(lines), Budget::default());
            OutgoingEvent::new(&event, &config, &mut budget, Timestamp::UNIX_EPOCH)
        };
        assert!(told("").is_some());
        assert_eq!(told("[operator]\nmute = [\"network.offline\"]"), None);
    }

    #[test]
    fn every_type_of_event_is_in_the_catalogue_and_is_found_by_its_name() {
        for kind in EventType::ALL {
            assert_eq!(EventType::from_name(kind.as_str()), Some(kind));
            let name = format!("newswatch.{}", kind.as_str());
            assert!(catalogue::message_id(&name).is_some(), "{name}");
        }
        assert_eq!(catalogue::TYPES.len(), EventType::ALL.len() + catalogue::RULE_TYPES.len());
    }

    #[test]
    fn an_event_reads_back_as_it_was_written_and_stays_small() {
        let record = broken(&"王".repeat(2_000_000));
        let line = serde_json::to_string(&record).unwrap();
        assert_eq!(serde_json::from_str::<AlertRecord>(&line).unwrap(), record);
        assert!(line.len() < 20_000, "{}", line.len());
        assert_eq!((record.rule(), record.feed()), (None, Some("alpha")));
    }

    #[test]
    fn the_message_says_that_it_is_about_the_service() {
        assert_eq!(broken("503").data.message, "[medium] newswatch: feed alpha is broken: 503");
    }
}
