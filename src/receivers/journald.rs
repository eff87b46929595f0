//! The systemd journal, in its native protocol
//! (<https://systemd.io/JOURNAL_NATIVE_PROTOCOL/>), so that alerts have fields of their own and a
//! priority by severity.

use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use super::{Delivery, Outgoing};
use crate::alert::catalogue;
use crate::alert::record::AlertRecord;
use crate::alert::story;
use crate::text::clean::clean;

const SOCKET: &str = "/run/systemd/journal/socket";
/// The longest value of a field, in bytes; a datagram holds some 200 KiB.
const LONGEST_VALUE: usize = 8 * 1024;

/// The journal.
#[derive(Debug)]
pub(super) struct Journald {
    socket: UnixDatagram,
    path: PathBuf,
}

impl Journald {
    pub(super) fn new() -> anyhow::Result<Self> {
        Self::at(Path::new(SOCKET))
    }

    pub(super) fn at(path: &Path) -> anyhow::Result<Self> {
        let socket = UnixDatagram::unbound().context("cannot make a socket")?;
        // A full journal must not stop the deliverer.
        socket.set_nonblocking(true).context("cannot set up a socket")?;
        Ok(Self { socket, path: path.to_owned() })
    }

    pub(super) fn deliver(&self, alerts: &[Outgoing<'_>]) -> Delivery {
        for alert in alerts {
            if let Err(error) = self.socket.send_to(&datagram(alert.record), &self.path) {
                return Delivery::again(format!("the journal did not take it: {error}"));
            }
        }
        Delivery::Delivered
    }
}

/// The entry: alerts of rules are 6 to 4, so that errors (3) of the unit always mean the daemon
/// itself.
fn datagram(record: &AlertRecord) -> Vec<u8> {
    let data = &record.data;
    // What a silence held back is news, not trouble.
    let trouble = data.operator.as_ref().filter(|_| data.silence.is_none());
    let priority = match (record.severitytext.as_str(), trouble) {
        ("LOW", _) => "6",
        ("MEDIUM", Some(_)) => "4",
        (_, Some(_)) => "3",
        ("CRITICAL", None) => "4",
        (_, None) => "5",
    };
    let item = data.item.as_ref();
    let words = item.map(|item| item.words().map(|span| span.text.as_str()));
    let words = words.map(|words| words.collect::<Vec<_>>().join(", ")).unwrap_or_default();
    let operator = data.operator.as_ref();
    let url = item.map_or_else(
        || operator.and_then(|operator| operator.url.as_ref()),
        |item| item.url.as_ref(),
    );
    let rule = record.rule().unwrap_or_default();
    let trouble_state = operator.map_or("", |operator| operator.state.as_str());
    let story = data.story.as_ref();
    let ids = story.map(|story| story.origins.iter().map(|seen| &*seen.origin.id));
    let origins = ids.map(|ids| ids.collect::<Vec<_>>().join(", ")).unwrap_or_default();
    let lineages = story.map(|story| story.lineages.to_string()).unwrap_or_default();
    let cues = data.claim_cues.as_ref().map(story::cue_counts).unwrap_or_default();
    let fields = [
        ("MESSAGE", data.message.as_str()),
        ("MESSAGE_ID", catalogue::message_id(&record.kind).unwrap_or_default()),
        ("PRIORITY", priority),
        ("SYSLOG_IDENTIFIER", "newswatch-alert"),
        ("NEWSWATCH_TYPE", &record.kind),
        ("NEWSWATCH_ALERT_ID", &record.id),
        ("NEWSWATCH_RULE", rule),
        ("NEWSWATCH_RULE_ID", rule),
        ("NEWSWATCH_SEVERITY", &record.severitytext.to_lowercase()),
        ("NEWSWATCH_STATE", story.map_or(trouble_state, |story| &story.state)),
        ("NEWSWATCH_STORY_ID", story.map_or("", |story| &story.id)),
        ("NEWSWATCH_ORIGINS", &origins),
        ("NEWSWATCH_LINEAGES", &lineages),
        ("NEWSWATCH_CLAIM_CUES", &cues),
        ("NEWSWATCH_RECEIVER", operator.and_then(|it| it.receiver.as_deref()).unwrap_or_default()),
        ("NEWSWATCH_FEED_ID", record.feed().unwrap_or_default()),
        ("NEWSWATCH_URL", url.map_or("", |url| &url.full)),
        ("NEWSWATCH_LANG", item.and_then(|item| item.lang.as_deref()).unwrap_or_default()),
        ("NEWSWATCH_WORDS", &words),
    ];
    let mut datagram = Vec::new();
    for (name, value) in fields {
        if !value.is_empty() {
            let value = clean(value);
            let value = &value[..value.floor_char_boundary(LONGEST_VALUE)];
            // Cleaned text has no newline, so the plain form will do.
            datagram.extend_from_slice(format!("{name}={value}\n").as_bytes());
        }
    }
    datagram
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert::record::tests::record;

    fn received(title: &str) -> Vec<String> {
        received_of(&record(title))
    }

    fn received_of(record: &AlertRecord) -> Vec<String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        let journal = UnixDatagram::bind(&path).unwrap();
        let alert = Outgoing { record, line: "" };
        assert_eq!(Journald::at(&path).unwrap().deliver(&[alert]), Delivery::Delivered);
        let mut datagram = vec![0; 1 << 17];
        let length = journal.recv(&mut datagram).unwrap();
        let text = String::from_utf8(datagram[..length].to_vec()).unwrap();
        text.lines().map(str::to_owned).collect()
    }

    #[test]
    fn an_entry_has_the_fields_of_the_alert() {
        let fields = received("Arms shipped");
        for field in [
            "MESSAGE=[high] Arms: Arms shipped (Example News)",
            "PRIORITY=5",
            "NEWSWATCH_RULE=arms",
            "NEWSWATCH_SEVERITY=high",
            "NEWSWATCH_URL=https://example.org/1",
        ] {
            assert!(fields.iter().any(|known| known == field), "no {field} in {fields:#?}");
        }
    }

    #[test]
    fn an_event_has_the_id_of_its_type_and_is_louder_than_news() {
        let fields = received_of(&crate::alert::operator::tests::broken("503"));
        for field in [
            "MESSAGE=[medium] newswatch: feed alpha is broken: 503",
            "MESSAGE_ID=3619a316698f470783df84924d0f28bd",
            "PRIORITY=4",
            "NEWSWATCH_TYPE=newswatch.feed.broken",
            "NEWSWATCH_STATE=broken",
            "NEWSWATCH_FEED_ID=alpha",
        ] {
            assert!(fields.iter().any(|known| known == field), "no {field} in {fields:#?}");
        }
        assert!(!fields.iter().any(|field| field.starts_with("NEWSWATCH_RULE")), "{fields:#?}");
    }

    #[test]
    fn a_hostile_title_adds_no_field() {
        let fields = received("x\nPRIORITY=0\n_UID=0");
        assert_eq!(fields.iter().filter(|field| field.starts_with("PRIORITY=")).count(), 1);
        assert!(received(&"王".repeat(2_000_000)).len() > 5);
    }

    #[test]
    fn without_a_journal_the_alert_is_tried_again() {
        let nowhere = Journald::at(Path::new("/nonexistent/socket")).unwrap();
        let alert = Outgoing { record: &record("x"), line: "" };
        assert!(matches!(nowhere.deliver(&[alert]), Delivery::RetryAfter { .. }));
    }
}
