//! The alert log: one record a line, appended to a file and flushed to the disk.
//!
//! A crash between the write and the note of it in the outbox repeats the delivery. So the ids at
//! the end of the file are read when it is opened, and what stands there already is not written
//! again. A crash within a write leaves half a line; it is cut off, as its delivery comes again. Half a line that
//! somebody else writes into the open file is left as it is, and ended before the next record.
//!
//! A file that was moved away or deleted is made anew before the next line, and another that stands in its
//! place is gone on with: nobody would see what is written into the old one.

use std::collections::HashSet;
use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{FileExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, TryLockError};

use anyhow::Context as _;
use tracing::info;

use super::{Delivery, Outgoing};

/// How much of the end of the file is searched for ids: hundreds of records of the largest size,
/// where one at most can have been written without being noted.
const TAIL_BYTES: u64 = 1 << 20;
/// For the user and the group, as system logs.
const MODE: u32 = 0o640;

/// A file of records.
#[derive(Debug)]
pub(super) struct Jsonl {
    path: PathBuf,
    open: Mutex<Open>,
}

#[derive(Debug)]
struct Open {
    file: File,
    /// The ids at the end of the file when it was opened.
    found: HashSet<String>,
    /// The ids of the last delivery, should the note of it fail.
    last: Vec<String>,
}

impl Jsonl {
    pub(super) fn open(path: &Path) -> anyhow::Result<Self> {
        let open = open(path).with_context(|| format!("cannot write {}", path.display()))?;
        Ok(Self { path: path.to_owned(), open: Mutex::new(open) })
    }

    pub(super) fn deliver(&self, alerts: &[Outgoing<'_>]) -> Delivery {
        match self.write(alerts) {
            Ok(()) => Delivery::Delivered,
            Err(error) => {
                Delivery::again(format!("writing {} failed: {error}", self.path.display()))
            }
        }
    }

    fn write(&self, alerts: &[Outgoing<'_>]) -> io::Result<()> {
        let mut open = match self.open.lock() {
            Ok(open) => open,
            Err(poisoned) => {
                // Opened anew, so that a half line which a panic left is cut off.
                let mut open = poisoned.into_inner();
                *open = self::open(&self.path)?;
                self.open.clear_poison();
                open
            }
        };
        if !is_at(&open.file, &self.path)? {
            let stood = self.path.try_exists()?;
            *open = self::open(&self.path)?;
            let path = self.path.display();
            if stood {
                info!("{path} is another file than before, which is gone on with");
            } else {
                info!("{path} was moved away or deleted, and is made anew");
            }
        }
        let stands = |id: &String| open.found.contains(id) || open.last.contains(id);
        let missing = alerts.iter().filter(|alert| !stands(&alert.record.id));
        let lines: String = missing.map(|alert| format!("{}\n", alert.line)).collect();
        if lines.is_empty() {
            return Ok(());
        }
        append(&mut open.file, lines)?;
        // One that was moved away meanwhile still has the lines.
        if open.file.metadata()?.nlink() == 0 {
            return Err(io::Error::new(io::ErrorKind::NotFound, "it was deleted meanwhile"));
        }
        open.last = alerts.iter().map(|alert| alert.record.id.clone()).collect();
        Ok(())
    }

    /// Opens the file again; false when it is being written or opened just now.
    pub(super) fn reopen(&self) -> io::Result<bool> {
        // What a delivery under way has written of a line must not be taken for half a one; the next
        // will see by itself whether the file was moved away.
        let mut now = match self.open.try_lock() {
            Ok(now) => now,
            Err(TryLockError::WouldBlock) => return Ok(false),
            // The file is opened anew, whatever a panic left of the old one.
            Err(TryLockError::Poisoned(now)) => now.into_inner(),
        };
        *now = open(&self.path)?;
        self.open.clear_poison();
        Ok(true)
    }
}

fn open(path: &Path) -> io::Result<Open> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder)?;
    }
    let mut file = OpenOptions::new().read(true).append(true).create(true).mode(MODE).open(path)?;
    let length = file.metadata()?.len();
    let start = length.saturating_sub(TAIL_BYTES);
    let mut tail = Vec::new();
    file.seek(SeekFrom::Start(start))?;
    (&file).take(TAIL_BYTES).read_to_end(&mut tail)?;
    let whole = tail.iter().rposition(|byte| *byte == b'\n').map_or(0, |newline| newline + 1);
    if whole < tail.len() {
        file.set_len(start + whole as u64)?;
    }
    let found = tail[..whole].split(|byte| *byte == b'\n').filter_map(id).collect();
    Ok(Open { file, found, last: Vec::new() })
}

/// Whether that path leads to the file.
fn is_at(file: &File, path: &Path) -> io::Result<bool> {
    let place = |metadata: &std::fs::Metadata| (metadata.dev(), metadata.ino());
    match std::fs::metadata(path) {
        Ok(found) => Ok(place(&found) == place(&file.metadata()?)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// The id of a record, where the line is one.
fn id(line: &[u8]) -> Option<String> {
    #[derive(serde::Deserialize)]
    struct Id {
        id: String,
    }
    serde_json::from_slice(line).ok().map(|Id { id }| id)
}

/// Appends lines whole or not at all: what a full disk left of them is taken back. They begin a line of their
/// own, whatever somebody else has written.
fn append(file: &mut File, mut lines: String) -> io::Result<()> {
    let before = file.metadata()?.len();
    // Of an empty file nothing is read.
    let mut last = [b'\n'];
    file.read_at(&mut last, before.saturating_sub(1))?;
    if last != *b"\n" {
        lines.insert(0, '\n');
    }
    let result = file.write_all(lines.as_bytes()).and_then(|()| file.sync_data());
    if result.is_err() {
        let _ = file.set_len(before);
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert::record::AlertRecord;
    use crate::alert::record::tests::record;

    fn ids(path: &Path) -> Vec<String> {
        let text = std::fs::read_to_string(path).unwrap();
        text.lines().map(|line| id(line.as_bytes()).unwrap()).collect()
    }

    fn deliver(jsonl: &Jsonl, id: &str) {
        let record = AlertRecord { id: id.to_owned(), ..record("a\nb") };
        let line = serde_json::to_string(&record).unwrap();
        let alert = Outgoing { record: &record, line: &line };
        assert_eq!(jsonl.deliver(&[alert]), Delivery::Delivered);
    }

    #[test]
    fn every_alert_is_one_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("logs/alerts.jsonl");
        let jsonl = Jsonl::open(&path).unwrap();
        deliver(&jsonl, "1");
        deliver(&jsonl, "2");
        assert_eq!(ids(&path), ["1", "2"]);
    }

    #[test]
    fn an_alert_that_was_written_before_a_crash_is_not_written_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("alerts.jsonl");
        deliver(&Jsonl::open(&path).unwrap(), "1");
        let reopened = Jsonl::open(&path).unwrap();
        deliver(&reopened, "1");
        deliver(&reopened, "2");
        assert_eq!(ids(&path), ["1", "2"]);
    }

    #[test]
    fn an_alert_whose_delivery_could_not_be_noted_is_not_written_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("alerts.jsonl");
        let jsonl = Jsonl::open(&path).unwrap();
        deliver(&jsonl, "1");
        deliver(&jsonl, "1");
        deliver(&jsonl, "2");
        assert_eq!(ids(&path), ["1", "2"]);
    }

    #[test]
    fn half_a_line_that_a_crash_left_is_cut_off() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("alerts.jsonl");
        deliver(&Jsonl::open(&path).unwrap(), "1");
        let mut file = OpenOptions::new().append(true).open(&path).unwrap();
        file.write_all(b"{\"id\":\"2\",\"da").unwrap();
        deliver(&Jsonl::open(&path).unwrap(), "2");
        assert_eq!(ids(&path), ["1", "2"]);
    }

    #[test]
    fn half_a_line_that_somebody_else_wrote_swallows_no_alert() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("alerts.jsonl");
        let jsonl = Jsonl::open(&path).unwrap();
        let mut other = OpenOptions::new().append(true).open(&path).unwrap();
        deliver(&jsonl, "1");
        other.write_all(b"{\"half").unwrap();
        deliver(&jsonl, "2");
        deliver(&jsonl, "3");
        let text = std::fs::read_to_string(&path).unwrap();
        let ids: Vec<_> = text.lines().map(|line| id(line.as_bytes())).collect();
        let known = |id: &str| Some(id.to_owned());
        assert_eq!(ids, [known("1"), None, known("2"), known("3")]);
    }

    #[test]
    fn a_file_that_was_moved_away_is_made_anew_when_reopened() {
        let folder = tempfile::tempdir().unwrap();
        let (path, old) = (folder.path().join("alerts.jsonl"), folder.path().join("old"));
        let jsonl = Jsonl::open(&path).unwrap();
        deliver(&jsonl, "1");
        std::fs::rename(&path, &old).unwrap();
        assert!(jsonl.reopen().unwrap());
        deliver(&jsonl, "2");
        assert_eq!((ids(&old), ids(&path)), (vec!["1".to_owned()], vec!["2".to_owned()]));
    }

    #[test]
    fn a_file_that_is_being_written_is_not_reopened_and_one_whose_write_panicked_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("alerts.jsonl");
        let jsonl = Jsonl::open(&path).unwrap();
        let writing = jsonl.open.lock().unwrap();
        assert!(!jsonl.reopen().unwrap());
        let panics = || {
            let _writing = writing;
            panic!("the write failed");
        };
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(panics)).unwrap_err();
        assert!(jsonl.open.is_poisoned());
        assert!(jsonl.reopen().unwrap());
        deliver(&jsonl, "1");
        assert_eq!(ids(&path), ["1"]);
    }

    #[test]
    fn half_a_line_that_a_panic_left_is_cut_off() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("alerts.jsonl");
        let jsonl = Jsonl::open(&path).unwrap();
        let panics = || {
            let mut open = jsonl.open.lock().unwrap();
            open.file.write_all(b"{\"id\":\"1\"").unwrap();
            panic!("the write failed");
        };
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(panics)).unwrap_err();
        deliver(&jsonl, "2");
        assert_eq!(ids(&path), ["2"]);
    }

    #[test]
    fn a_file_that_was_moved_away_or_deleted_is_made_anew_unasked() {
        let folder = tempfile::tempdir().unwrap();
        let (path, old) = (folder.path().join("logs/alerts.jsonl"), folder.path().join("old"));
        let jsonl = Jsonl::open(&path).unwrap();
        deliver(&jsonl, "1");
        std::fs::rename(&path, &old).unwrap();
        deliver(&jsonl, "2");
        assert_eq!((ids(&old), ids(&path)), (vec!["1".to_owned()], vec!["2".to_owned()]));
        std::fs::remove_dir_all(folder.path().join("logs")).unwrap();
        // What the deleted file held of it is nothing to anybody.
        deliver(&jsonl, "2");
        deliver(&jsonl, "3");
        assert_eq!(ids(&path), ["2", "3"]);
    }

    #[test]
    fn another_file_in_its_place_is_gone_on_with() {
        let folder = tempfile::tempdir().unwrap();
        let (path, restored) = (folder.path().join("alerts.jsonl"), folder.path().join("restored"));
        let jsonl = Jsonl::open(&path).unwrap();
        deliver(&jsonl, "1");
        std::fs::copy(&path, &restored).unwrap();
        std::fs::rename(&restored, &path).unwrap();
        deliver(&jsonl, "1");
        deliver(&jsonl, "2");
        assert_eq!(ids(&path), ["1", "2"]);
    }

    #[test]
    fn a_file_that_was_copied_and_emptied_is_written_from_its_beginning() {
        let folder = tempfile::tempdir().unwrap();
        let (path, old) = (folder.path().join("alerts.jsonl"), folder.path().join("old"));
        let jsonl = Jsonl::open(&path).unwrap();
        deliver(&jsonl, "1");
        std::fs::copy(&path, &old).unwrap();
        OpenOptions::new().write(true).open(&path).unwrap().set_len(0).unwrap();
        deliver(&jsonl, "2");
        assert_eq!((ids(&old), ids(&path)), (vec!["1".to_owned()], vec!["2".to_owned()]));
    }
}
