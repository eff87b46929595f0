//! The systemd journal, in its native protocol
//! (<https://systemd.io/JOURNAL_NATIVE_PROTOCOL/>), so that alerts have fields of their own and a
//! priority by severity.

use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use super::Delivery;
use crate::alert::record::AlertRecord;
use crate::text::clean::clean;

const SOCKET: &str = "/run/systemd/journal/socket";
/// One fixed id for each type of alert, for `journalctl MESSAGE_ID=…`: that of `newswatch.hit`.
const MESSAGE_ID_HIT: &str = "3c7c2f0a9be14f0d8d3a6f0e5b7a91c4";
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

    fn at(path: &Path) -> anyhow::Result<Self> {
        let socket = UnixDatagram::unbound().context("cannot make a socket")?;
        // A full journal must not stop the deliverer.
        socket.set_nonblocking(true).context("cannot set up a socket")?;
        Ok(Self { socket, path: path.to_owned() })
    }

    pub(super) fn deliver(&self, record: &AlertRecord) -> Delivery {
        match self.socket.send_to(&datagram(record), &self.path) {
            Ok(_) => Delivery::Delivered,
            Err(error) => Delivery::again(format!("the journal did not take it: {error}")),
        }
    }
}

/// The entry: alerts are 6 to 4, so that errors (3) of the unit always mean the daemon itself.
fn datagram(record: &AlertRecord) -> Vec<u8> {
    let data = &record.data;
    let priority = match record.severitytext.as_str() {
        "LOW" => "6",
        "CRITICAL" => "4",
        _ => "5",
    };
    let words: Vec<&str> = data.item.highlights.iter().map(|span| span.text.as_str()).collect();
    let words = words.join(", ");
    let fields = [
        ("MESSAGE", data.message.as_str()),
        ("MESSAGE_ID", MESSAGE_ID_HIT),
        ("PRIORITY", priority),
        ("SYSLOG_IDENTIFIER", "newswatch-alert"),
        ("NEWSWATCH_TYPE", &record.kind),
        ("NEWSWATCH_ALERT_ID", &record.id),
        ("NEWSWATCH_RULE", &data.rule.id),
        ("NEWSWATCH_RULE_ID", &data.rule.id),
        ("NEWSWATCH_SEVERITY", &record.severitytext.to_lowercase()),
        ("NEWSWATCH_FEED_ID", &data.item.feed.id),
        ("NEWSWATCH_URL", data.item.url.as_ref().map_or("", |url| &url.full)),
        ("NEWSWATCH_LANG", data.item.lang.as_deref().unwrap_or_default()),
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
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        let journal = UnixDatagram::bind(&path).unwrap();
        assert_eq!(Journald::at(&path).unwrap().deliver(&record(title)), Delivery::Delivered);
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
    fn a_hostile_title_adds_no_field() {
        let fields = received("x\nPRIORITY=0\n_UID=0");
        assert_eq!(fields.iter().filter(|field| field.starts_with("PRIORITY=")).count(), 1);
        assert!(received(&"王".repeat(2_000_000)).len() > 5);
    }

    #[test]
    fn without_a_journal_the_alert_is_tried_again() {
        let nowhere = Journald::at(Path::new("/nonexistent/socket")).unwrap();
        assert!(matches!(nowhere.deliver(&record("x")), Delivery::RetryAfter { .. }));
    }
}
