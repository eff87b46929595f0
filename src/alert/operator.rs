//! Events of the service itself: what newswatch can no longer see or say, told to the person who
//! runs it by the same ways as an alert of a rule.

use jiff::Timestamp;

use super::id;
use super::record::{AlertData, AlertRecord, EventInfo, OperatorInfo, severity_numbers, shortened};
use crate::hit::Severity;

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
    pub const ALL: [EventType; 13] = [
        EventType::FeedBroken,
        EventType::FeedBlocked,
        EventType::FeedGone,
        EventType::FeedCertificate,
        EventType::FeedQuiet,
        EventType::FeedGap,
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

/// The record of the alert that tells of an event at `now`.
pub fn record(event: &Event, instance: &str, now: Timestamp) -> AlertRecord {
    let Event { kind, subject, info } = event;
    let severity = kind.severity();
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
            silenced_by: None,
            acked_by: None,
            runbook: None,
        },
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::alert::catalogue;

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

    #[test]
    fn every_type_of_event_is_in_the_catalogue_and_is_found_by_its_name() {
        for kind in EventType::ALL {
            assert_eq!(EventType::from_name(kind.as_str()), Some(kind));
            let name = format!("newswatch.{}", kind.as_str());
            assert!(catalogue::message_id(&name).is_some(), "{name}");
        }
        assert_eq!(catalogue::TYPES.len(), EventType::ALL.len() + 1, "and the hit");
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
