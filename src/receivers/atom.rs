//! A feed of the last alerts, for any feed reader (RFC 4287): a file that is replaced as a whole.
//!
//! Each entry is one line of the file, so that the next delivery finds those that stay.

use std::fs::{File, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use jiff::Timestamp;

use super::chat::html;
use super::{Delivery, Outgoing};
use crate::alert::id;
use crate::alert::notice::Notice;
use crate::config::Atom as Settings;

/// The largest file that is taken for one of ours, in bytes: the most entries of the largest size.
const LARGEST_FILE: u64 = 32 << 20;
/// A web server of another user reads it.
const MODE: u32 = 0o644;
/// By this line a file is known to be ours.
const GENERATOR: &str = "<generator>newswatch</generator>";

/// A feed.
#[derive(Debug)]
pub(super) struct Atom {
    settings: Settings,
    name: String,
}

impl Atom {
    /// Looks at the file, so that one which is not ours is not lost.
    pub(super) fn open(name: &str, settings: &Settings) -> anyhow::Result<Self> {
        let path = &settings.path;
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            std::fs::create_dir_all(folder)
                .with_context(|| format!("cannot make {}", folder.display()))?;
        }
        let text = read(path).with_context(|| format!("cannot read {}", path.display()))?;
        if !text.is_empty() && !text.contains(GENERATOR) {
            bail!("{} is no feed of newswatch's; it would be overwritten", path.display());
        }
        Ok(Self { settings: settings.clone(), name: name.to_owned() })
    }

    pub(super) fn deliver(&self, alerts: &[Outgoing<'_>], now: Timestamp) -> Delivery {
        let path = &self.settings.path;
        let text = match read(path) {
            Ok(text) => text,
            Err(error) => {
                return Delivery::again(format!("reading {} failed: {error}", path.display()));
            }
        };
        match replace(path, &self.document(&text, alerts, now)) {
            Ok(()) => Delivery::Delivered,
            Err(error) => Delivery::again(format!("writing {} failed: {error}", path.display())),
        }
    }

    /// The feed with these alerts before those that it had.
    fn document(&self, before: &str, alerts: &[Outgoing<'_>], now: Timestamp) -> String {
        let fresh: Vec<(String, String)> = alerts
            .iter()
            .rev()
            .map(|alert| (format!("<id>urn:uuid:{}</id>", xml(&alert.record.id)), entry(alert)))
            .collect();
        let old = before.lines().filter(|line| line.starts_with("<entry>"));
        // An alert that comes again is not told twice.
        let old = old.filter(|line| !fresh.iter().any(|(id, _)| line.contains(id)));
        let entries: Vec<&str> = fresh
            .iter()
            .map(|(_, entry)| entry.as_str())
            .chain(old)
            .take(self.settings.entries)
            .collect();
        let source = alerts.first().map_or("", |alert| alert.record.source.as_str());
        format!(
            "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n\
             <feed xmlns=\"http://www.w3.org/2005/Atom\">\n<id>urn:uuid:{}</id>\n\
             <title>{}</title>\n<updated>{now}</updated>\n<author><name>newswatch</name></author>\n\
             {GENERATOR}\n{}\n</feed>\n",
            id::message_id([source, &self.name]),
            xml(&self.settings.title),
            entries.join("\n")
        )
    }
}

/// One alert, as one line.
pub(super) fn entry(alert: &Outgoing<'_>) -> String {
    let record = alert.record;
    let notice = Notice::of(record);
    let mut lines: Vec<String> =
        notice.headline.iter().chain(&notice.details).map(|line| html(line)).collect();
    lines.push(html(&notice.footer()));
    let content = format!("<p>{}</p>", lines.join("<br>"));
    let link = notice.link.as_ref().map_or_else(String::new, |link| {
        format!("<link rel=\"alternate\" href=\"{}\"/>", xml(link))
    });
    format!(
        "<entry><id>urn:uuid:{}</id><title>{}</title><updated>{}</updated><published>{}</published>\
         {link}<category term=\"{}\"/><content type=\"html\">{}</content></entry>",
        xml(&record.id),
        xml(&notice.line()),
        record.recordedtime,
        record.recordedtime,
        xml(&notice.severity),
        xml(&content)
    )
}

/// Text of a document: no markup, no line of its own, no character that XML does not have.
fn xml(text: &str) -> String {
    let text: String = text
        .chars()
        .map(|character| match character {
            '\n' | '\r' => ' ',
            '\0'..='\u{8}' | '\u{b}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => '\u{fffd}',
            good => good,
        })
        .collect();
    html(&text)
}

fn read(path: &Path) -> io::Result<String> {
    match std::fs::metadata(path) {
        Ok(metadata) if metadata.len() > LARGEST_FILE => {
            Err(io::Error::new(io::ErrorKind::FileTooLarge, "it is too large for a feed of alerts"))
        }
        Ok(_) => std::fs::read_to_string(path),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(String::new()),
        Err(error) => Err(error),
    }
}

/// Puts a whole file in the place of another: a reader sees one or the other.
fn replace(path: &Path, text: &str) -> io::Result<()> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    let beside = PathBuf::from(beside);
    let mut file = File::create(&beside)?;
    file.set_permissions(Permissions::from_mode(MODE))?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    std::fs::rename(&beside, path)?;
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        File::open(folder)?.sync_all()?;
    }
    Ok(())
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::alert::record::AlertRecord;
    use crate::alert::record::tests::record;
    use crate::feed;

    struct Written {
        _folder: tempfile::TempDir,
        settings: Settings,
    }

    impl Written {
        fn new(entries: usize) -> Self {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("feeds/alerts.atom");
            let settings = Settings { path, entries, title: "Alerts & more".to_owned() };
            Self { _folder: folder, settings }
        }

        fn deliver(&self, id: &str, title: &str) {
            let record = AlertRecord { id: id.to_owned(), ..record(title) };
            let atom = Atom::open("feed", &self.settings).unwrap();
            let alert = Outgoing { record: &record, line: "" };
            assert_eq!(atom.deliver(&[alert], record.recordedtime), Delivery::Delivered);
        }

        /// The ids and titles that a reader of feeds finds.
        fn read(&self) -> Vec<(String, String)> {
            let parsed = parsed(&self.settings.path);
            assert!(parsed.repairs.is_empty(), "{:?}", parsed.repairs);
            assert_eq!(parsed.warnings, Vec::<String>::new());
            parsed.items.into_iter().map(|item| (item.id.unwrap(), item.title)).collect()
        }
    }

    /// A feed as a reader of feeds understands it.
    pub(in super::super) fn parsed(path: &Path) -> feed::ParsedFeed {
        let bytes = std::fs::read(path).unwrap();
        let document = feed::Document {
            bytes: &bytes,
            charset: None,
            encoding: None,
            base: None,
            utc_offset: None,
            now: Timestamp::from_second(1_700_000_000).unwrap(),
        };
        feed::parse(&document).unwrap()
    }

    fn entry(id: &str, title: &str) -> (String, String) {
        (format!("urn:uuid:{id}"), format!("[high] Arms: {title}"))
    }

    #[test]
    fn a_reader_finds_the_newest_alerts_first_and_no_more_than_asked_for() {
        let written = Written::new(2);
        for number in ["1", "2", "3"] {
            written.deliver(number, &format!("No. {number}"));
        }
        assert_eq!(written.read(), [entry("3", "No. 3"), entry("2", "No. 2")]);
    }

    #[test]
    fn an_alert_that_comes_again_is_in_the_feed_once() {
        let written = Written::new(10);
        for id in ["1", "2", "1"] {
            written.deliver(id, "Arms");
        }
        assert_eq!(written.read(), [entry("1", "Arms"), entry("2", "Arms")]);
    }

    #[test]
    fn a_file_of_somebody_else_is_not_overwritten() {
        let written = Written::new(10);
        written.deliver("1", "Arms");
        std::fs::write(&written.settings.path, "my diary").unwrap();
        let refused = Atom::open("feed", &written.settings).unwrap_err().to_string();
        assert!(refused.contains("is no feed of newswatch's"), "{refused}");
    }
}
